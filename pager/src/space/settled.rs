//! Settled pages: dirty ones that a snapshot has been given, so that they will be written in any case (R14).

use super::Space;
use crate::{hash::PageSet, mutant, page::PageId};

/// Which pages are settled, and which of them are on their way to the file.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The dirty pages of this version and of all before it are.
    stamp: u64,
    /// Their places are kept until their bytes have arrived.
    pub(super) on_their_way: PageSet,
}

impl Space {
    /// The versions up to this one are settled.
    pub(crate) fn settle(&mut self, stamp: u64) {
        self.settled.stamp = stamp;
    }

    fn is_settled(&self, page: PageId) -> bool {
        self.dirty.get(&page).is_some_and(|&birth| birth <= self.settled.stamp)
    }

    /// The settled pages, in no order.
    pub(crate) fn settled(&self) -> Vec<PageId> {
        let settled = self.settled.stamp;
        self.dirty.iter().filter(|&(_, &birth)| birth <= settled).map(|(&page, _)| page).collect()
    }

    /// Those among these pages that are settled still: they are on their way now.
    pub(crate) fn begin_writing(&mut self, pages: &[PageId]) -> Vec<PageId> {
        let pages: Vec<PageId> =
            pages.iter().copied().filter(|&page| self.is_settled(page)).collect();
        if !mutant!(WriteBehindKeepsNoPlace) {
            self.settled.on_their_way = pages.iter().copied().collect();
        }
        pages
    }

    /// They have arrived, with these checksums.
    pub(crate) fn end_writing(&mut self, written: &[(PageId, u32)]) {
        self.settled.on_their_way = PageSet::default();
        for &(page, crc) in written {
            // Its group has not been sealed since the page was made, so it is in memory.
            self.dirty.remove(&page);
            if !mutant!(WriteBehindChecksumForgotten) {
                self.map.set_crc(page, crc);
            }
        }
    }
}
