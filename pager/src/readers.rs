//! Who reads which version: slots that the writer scans before it uses a page again (R7a).
//!
//! A reader announces the version it is about to read and then looks whether that version is still
//! the visible one; the writer makes a newer version visible and then looks for announcements. One
//! of the two always sees the other, so no page of a version that somebody reads is used again.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence},
};

use parking_lot::Mutex;

use crate::{epoch, mutant, page::Pointer};

/// The state that one committed transaction made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version {
    /// Stamp of the transaction that made it; nothing below its root is younger.
    pub stamp: u64,
    /// The owner's root.
    pub root: Pointer,
}

/// A version that one thread replaces and many read, without a lock (a sequence lock over atomic
/// words: a reader that meets a replacement reads again).
#[derive(Debug, Default)]
struct Visible {
    sequence: AtomicU64,
    words: [AtomicU64; 3],
}

impl Visible {
    fn store(&self, version: &Version) {
        let root = version.root.encode();
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.words[0].store(version.stamp, Ordering::Relaxed);
        self.words[1].store(crate::page::u64_at(&root, 0), Ordering::Relaxed);
        self.words[2].store(crate::page::u64_at(&root, 8), Ordering::Relaxed);
        fence(Ordering::Release);
        self.sequence.store(sequence + 2, Ordering::Release);
    }

    fn load(&self) -> Version {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let words = [0, 1, 2].map(|i| self.words[i].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                let mut root = [0; Pointer::SIZE];
                root[..8].copy_from_slice(&words[1].to_le_bytes());
                root[8..].copy_from_slice(&words[2].to_le_bytes());
                return Version { stamp: words[0], root: Pointer::decode(&root) };
            }
            std::hint::spin_loop();
        }
    }
}

const SLOTS: usize = 128;
const FREE: u64 = u64::MAX;

#[derive(Debug)]
#[repr(align(128))]
struct Slot(AtomicU64);

/// The readers of a store, and the version that new ones get.
#[derive(Debug)]
pub(crate) struct Readers {
    slots: Box<[Slot]>,
    /// Readers past the number of slots, counted by version.
    overflow: Mutex<BTreeMap<u64, usize>>,
    overflowing: AtomicUsize,
    visible: Visible,
    publish: Mutex<()>,
}

/// A reader's announcement; must be given back through [`Readers::leave`].
#[derive(Debug)]
pub(crate) enum Ticket {
    Slot(usize),
    Overflow(u64),
}

impl Readers {
    pub(crate) fn new(first: Version) -> Readers {
        let readers = Readers {
            slots: (0..SLOTS).map(|_| Slot(AtomicU64::new(FREE))).collect(),
            overflow: Mutex::new(BTreeMap::new()),
            overflowing: AtomicUsize::new(0),
            visible: Visible::default(),
            publish: Mutex::new(()),
        };
        readers.visible.store(&first);
        readers
    }

    /// The version that a reader beginning now gets.
    pub(crate) fn visible(&self) -> Version {
        self.visible.load()
    }

    /// Makes a version visible, unless a newer one is already.
    pub(crate) fn publish(&self, version: &Version) {
        let _one_at_a_time = self.publish.lock();
        if version.stamp > self.visible.load().stamp {
            self.visible.store(version);
        }
        fence(Ordering::SeqCst);
    }

    /// Announces a reader and returns the version it reads.
    pub(crate) fn enter(&self) -> (Ticket, Version) {
        let start = epoch::enter().thread_number();
        let mut version = self.visible.load();
        let slot = (0..SLOTS).map(|i| (start + i) % SLOTS).find(|&i| {
            self.slots[i]
                .0
                .compare_exchange(FREE, version.stamp, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
        });
        loop {
            fence(Ordering::SeqCst);
            if slot.is_none() {
                let mut overflow = self.overflow.lock();
                *overflow.entry(version.stamp).or_insert(0) += 1;
                self.overflowing.fetch_add(1, Ordering::SeqCst);
            }
            let now = self.visible.load();
            if now == version {
                let ticket = slot.map_or(Ticket::Overflow(version.stamp), Ticket::Slot);
                return (ticket, version);
            }
            match slot {
                Some(i) => self.slots[i].0.store(now.stamp, Ordering::SeqCst),
                None => self.leave(&Ticket::Overflow(version.stamp)),
            }
            version = now;
        }
    }

    pub(crate) fn leave(&self, ticket: &Ticket) {
        match *ticket {
            Ticket::Slot(i) => self.slots[i].0.store(FREE, Ordering::Release),
            Ticket::Overflow(stamp) => {
                let mut overflow = self.overflow.lock();
                if let Some(count) = overflow.get_mut(&stamp) {
                    *count -= 1;
                    if *count == 0 {
                        overflow.remove(&stamp);
                    }
                }
                self.overflowing.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// The stamps of all versions that are read now or that a reader may still get, ascending.
    pub(crate) fn active(&self) -> Vec<u64> {
        let mut stamps = vec![self.visible.load().stamp];
        fence(Ordering::SeqCst);
        stamps.extend(self.slots.iter().map(|s| s.0.load(Ordering::SeqCst)).filter(|&s| s != FREE));
        if self.overflowing.load(Ordering::SeqCst) > 0 && !mutant!(OverflowingReadersIgnored) {
            stamps.extend(self.overflow.lock().keys());
        }
        stamps.sort_unstable();
        stamps.dedup();
        stamps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(stamp: u64) -> Version {
        Version { stamp, root: Pointer { stamp, ..Pointer::NONE } }
    }

    #[test]
    fn a_version_is_active_until_its_last_reader_leaves() {
        let readers = Readers::new(version(1));
        let (a, got) = readers.enter();
        assert_eq!(got, version(1));
        readers.publish(&version(2));
        readers.publish(&version(1));
        let (b, got) = readers.enter();
        assert_eq!(got, version(2));
        assert_eq!(readers.active(), [1, 2]);
        readers.leave(&a);
        readers.leave(&b);
        assert_eq!(readers.active(), [2]);
    }

    #[test]
    fn more_readers_than_slots_are_all_counted() {
        let readers = Readers::new(version(1));
        let mut tickets: Vec<_> = (0..SLOTS + 5).map(|_| readers.enter().0).collect();
        readers.publish(&version(3));
        assert_eq!(readers.active(), [1, 3]);
        let last = tickets.pop().unwrap();
        tickets.iter().for_each(|t| readers.leave(t));
        assert_eq!(readers.active(), [1, 3]);
        readers.leave(&last);
        assert_eq!(readers.active(), [3]);
    }

    #[test]
    fn a_reader_never_gets_a_torn_version() {
        let readers = std::sync::Arc::new(Readers::new(version(1)));
        let writer = readers.clone();
        let rounds = if cfg!(miri) { 200 } else { 20_000 };
        let thread =
            std::thread::spawn(move || (2..rounds).for_each(|s| writer.publish(&version(s))));
        while !thread.is_finished() {
            let (ticket, got) = readers.enter();
            assert_eq!(got.stamp, got.root.stamp);
            readers.leave(&ticket);
        }
        thread.join().unwrap();
    }
}
