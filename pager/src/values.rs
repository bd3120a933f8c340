//! Large values kept in memory, whole and verified.
//!
//! ```text
//!   the cache's size   |  frames in use  >  ...  untouched  ...  <  large values  |
//! ```
//!
//! They live in that part of the cache's size whose frames were never used, and give way to frames:
//! memory stays within what was configured. A value that does not fit is read from the file each time,
//! as all are when nothing is left for them.
//!
//! An entry answers for an extent that is the same in every field, its stamp and checksum included. Pages
//! may serve another value of the same stamp (a transaction that removes its own value and puts another one): so
//! whoever writes an extent says so ([`Values::forget`]), which he can do only when nobody can ask for
//! the old one any more.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{extent::Extent, hash::NumberMap, page::PageId};

/// A value may take this part of what is there for all of them.
const SHARE_MAX: usize = 4;
/// What an entry takes besides its value's bytes, more or less.
const ENTRY: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Values {
    kept: Mutex<Kept>,
    /// Their bytes, for those who only want to know whether there are any.
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the extent's first page.
    entries: NumberMap<PageId, Entry>,
    /// In the order in which CLOCK looks at them, with their tickets: one whose ticket is not its entry's has
    /// been forgotten.
    clock: VecDeque<(PageId, u64)>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Entry {
    extent: Extent,
    bytes: Arc<Vec<u8>>,
    ticket: u64,
    recent: bool,
}

impl Values {
    /// The value, if it is here.
    pub(crate) fn get(&self, extent: &Extent) -> Option<Arc<Vec<u8>>> {
        let mut kept = self.kept.lock();
        let entry = kept.entries.get_mut(&extent.head()).filter(|e| e.extent == *extent)?;
        entry.recent = true;
        Some(entry.bytes.clone())
    }

    /// Keeps a value, where `room` bytes may be used for all of them.
    pub(crate) fn keep(&self, extent: &Extent, bytes: &Arc<Vec<u8>>, room: usize) {
        let cost = cost(bytes);
        if cost > room / SHARE_MAX {
            return;
        }
        let mut kept = self.kept.lock();
        self.remove(&mut kept, extent.head());
        self.evict(&mut kept, room - cost);
        let ticket = kept.next_ticket;
        kept.next_ticket += 1;
        let entry = Entry { extent: extent.clone(), bytes: bytes.clone(), ticket, recent: false };
        kept.entries.insert(extent.head(), entry);
        kept.clock.push_back((extent.head(), ticket));
        self.bytes.fetch_add(cost, Ordering::Relaxed);
    }

    /// Another value begins at this page.
    pub(crate) fn forget(&self, head: PageId) {
        if self.bytes() > 0 {
            self.remove(&mut self.kept.lock(), head);
        }
    }

    /// Bytes that all of them take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// From here on they may take `room` bytes.
    pub(crate) fn shrink(&self, room: usize) {
        if self.bytes() > room {
            self.evict(&mut self.kept.lock(), room);
        }
    }

    fn remove(&self, kept: &mut Kept, head: PageId) {
        let Some(entry) = kept.entries.remove(&head) else { return };
        self.bytes.fetch_sub(cost(&entry.bytes), Ordering::Relaxed);
        let Kept { entries, clock, .. } = kept;
        if clock.len() > 2 * entries.len() + 64 {
            clock.retain(|(head, ticket)| entries.get(head).is_some_and(|e| e.ticket == *ticket));
        }
    }

    /// CLOCK: one that was asked for since it was last looked at stays for another round.
    fn evict(&self, kept: &mut Kept, room: usize) {
        while self.bytes() > room
            && let Some((head, ticket)) = kept.clock.pop_front()
        {
            match kept.entries.get_mut(&head) {
                Some(entry) if entry.ticket == ticket && entry.recent => {
                    entry.recent = false;
                    kept.clock.push_back((head, ticket));
                }
                Some(entry) if entry.ticket == ticket => self.remove(kept, head),
                _ => {}
            }
        }
    }
}

fn cost(bytes: &[u8]) -> usize {
    bytes.len() + ENTRY
}

#[cfg(test)]
mod tests;
