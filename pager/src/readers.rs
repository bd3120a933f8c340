//! Who reads which version: slots that the writer scans before it uses a page again (R7a).
//!
//! A reader announces the version it is about to read and then looks whether that version is still
//! the visible one; the writer makes a newer version visible and then looks for announcements. One
//! of the two always sees the other, so no page of a version that somebody reads is used again.
//!
//! By the same two looks a writer may *close* the visible version (R13): who begins meanwhile waits, and
//! if nobody had announced himself before, the version's pages are the writer's until it is opened again.

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
    /// Odd: it is being replaced, or closed.
    sequence: AtomicU64,
    words: [AtomicU64; 3],
}

/// So often a reader looks again at once; then it lets other threads run in between.
const SPINS: u32 = 100;

impl Visible {
    fn store(&self, version: &Version) {
        self.close();
        self.open(version);
    }

    /// From here to `open` nobody gets the version.
    fn close(&self) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
    }

    fn open(&self, version: &Version) {
        let root = version.root.encode();
        self.words[0].store(version.stamp, Ordering::Relaxed);
        self.words[1].store(crate::page::u64_at(&root, 0), Ordering::Relaxed);
        self.words[2].store(crate::page::u64_at(&root, 8), Ordering::Relaxed);
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Release);
    }

    /// The stamp, for those who may change the version themselves: also while it is closed.
    fn stamp(&self) -> u64 {
        self.words[0].load(Ordering::Relaxed)
    }

    fn load(&self) -> Version {
        let mut tries = 0;
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
            tries += 1;
            if tries < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
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
    /// No slot from this one on was ever taken.
    slots_used: AtomicUsize,
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
            slots_used: AtomicUsize::new(0),
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
        // Never true of a closed version: that one is the newest of all.
        if version.stamp > self.visible.stamp() {
            self.visible.store(version);
        }
        fence(Ordering::SeqCst);
    }

    /// Keeps everybody out of the newest version, which is `version`, until [`Readers::open`]. False, and
    /// nothing happens: it is not the visible one yet, or somebody reads a version of stamp `from` or younger.
    pub(crate) fn close(&self, version: &Version, from: u64) -> bool {
        let _one_at_a_time = self.publish.lock();
        if self.visible.load() != *version {
            return false;
        }
        self.visible.close();
        fence(Ordering::SeqCst);
        let read = self.overflowing.load(Ordering::SeqCst) > 0
            || self.used_slots().any(|stamp| stamp >= from);
        if read && !mutant!(ReadVersionContinued) {
            self.visible.open(version);
            return false;
        }
        true
    }

    /// Lets readers in again, to this version.
    pub(crate) fn open(&self, version: &Version) {
        let _one_at_a_time = self.publish.lock();
        self.visible.open(version);
        fence(Ordering::SeqCst);
    }

    /// The versions in the slots. The caller has passed a fence since what he wants to be seen.
    fn used_slots(&self) -> impl Iterator<Item = u64> {
        let used = self.slots_used.load(Ordering::SeqCst);
        let stamps = self.slots[..used].iter().map(|slot| slot.0.load(Ordering::SeqCst));
        stamps.filter(|&stamp| stamp != FREE)
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
        if let Some(i) = slot
            && self.slots_used.load(Ordering::Relaxed) <= i
        {
            self.slots_used.fetch_max(i + 1, Ordering::SeqCst);
        }
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
        stamps.extend(self.used_slots());
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
    fn a_version_is_closed_only_while_nobody_reads_it() {
        let readers = Readers::new(version(1));
        let (old, _) = readers.enter();
        readers.publish(&version(5));
        assert!(!readers.close(&version(6), 5), "not the visible one");
        assert!(readers.close(&version(5), 5), "older readers do not count");
        readers.publish(&version(4));
        readers.open(&version(6));
        assert!(!readers.close(&version(6), 1), "they do if the pages may be theirs");
        let (new, got) = readers.enter();
        assert_eq!(got, version(6));
        assert!(!readers.close(&version(6), 5));
        readers.leave(&new);
        let more: Vec<_> = (0..SLOTS).map(|_| readers.enter().0).collect();
        assert!(!readers.close(&version(6), 7), "readers without a slot count whatever they read");
        more.iter().for_each(|ticket| readers.leave(ticket));
        assert!(readers.close(&version(6), 5));
        readers.open(&version(7));
        readers.leave(&old);
        assert_eq!(readers.active(), [7]);
    }

    #[test]
    fn nobody_gets_a_version_while_it_is_closed() {
        let readers = std::sync::Arc::new(Readers::new(version(2)));
        // What a closed version's owner changes: equal words for whoever looks from outside.
        let pages = std::sync::Arc::new([const { AtomicU64::new(0) }; 2]);
        let (writer, written) = (readers.clone(), pages.clone());
        let rounds = if cfg!(miri) { 20 } else { 5000 };
        let thread = std::thread::spawn(move || {
            let mut stamp = 2;
            while stamp < rounds {
                let newest = writer.visible();
                if writer.close(&newest, 2) {
                    stamp += 1;
                    written.iter().for_each(|page| page.store(stamp, Ordering::Relaxed));
                    writer.open(&version(stamp));
                } else {
                    // Somebody reads it: until he has left.
                    std::thread::yield_now();
                }
            }
        });
        while !thread.is_finished() {
            let (ticket, got) = readers.enter();
            for page in pages.iter().chain(pages.iter()) {
                let seen = page.load(Ordering::Relaxed);
                assert!(seen == got.stamp || got.stamp == 2, "{seen} in version {}", got.stamp);
            }
            readers.leave(&ticket);
            std::thread::yield_now();
        }
        thread.join().unwrap();
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
