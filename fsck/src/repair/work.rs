//! What all parts of a repair share: the wreck, the pages that are written beside it, and where they
//! may stand.
//!
//! ```text
//!  the wreck                                    behind its end
//! +--------------------------------------------+--------------------------+
//! | read; only map slots that the durable       | new nodes, a new ring:   |
//! | directory does not name are written         | nothing reaches them yet |
//! +--------------------------------------------+--------------------------+
//!   '- all writes go to an overlay in memory, and from there to the file only when the checker
//!      has found the whole of it sound
//! ```

use cowslip_pager::{
    PageId,
    geometry::Geometry,
    page::Header,
    storage::Storage,
    superblock::{STAMP_MAX, Superblock},
};

use crate::overlay::{Laid, Overlay};

/// A superblock that claims so many times the pages that its file has, and some more, is not followed: memory
/// is taken for each page.
const CLAIMED_MAX: u64 = 8;
const CLAIMED_FREELY: u64 = 1 << 20;

/// Why a repair cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// The file cannot grow any more, or as far as it claims to reach; or stamps have come to their end.
    NoRoom,
    /// What was rebuilt does not fit together.
    Unsound,
    /// The tree of names is gone.
    NoNames,
}

pub(super) struct Work<'a> {
    pub(super) below: &'a dyn Storage,
    pub(super) overlay: Overlay,
    pub(super) geometry: Geometry,
    /// The superblock of the wreck.
    pub(super) old: Superblock,
    /// Bytes of the wreck.
    pub(super) length: u64,
    /// Of all pages that the repair makes.
    pub(super) stamp: u64,
    /// Where the next new page may stand.
    next: u64,
    ids: u64,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        below: &'a dyn Storage,
        length: u64,
        geometry: Geometry,
        old: Superblock,
        salt: u64,
    ) -> Result<Work<'a>, Halt> {
        // No stamp that any session of the store may have given, nor a repair that was cut short
        // (R12). A lost superblock may have raised the ceiling once more.
        let stamp = old.stamp_ceiling + (1 << 33) + (salt & 0xFFFF_FFFF);
        if stamp > STAMP_MAX - (1 << 34) {
            return Err(Halt::NoRoom);
        }
        let there = length / geometry.page_size as u64;
        if old.pages > there.saturating_mul(CLAIMED_MAX) + CLAIMED_FREELY {
            return Err(Halt::NoRoom);
        }
        let overlay = Overlay::new(length);
        overlay.set_len(length.max(old.pages * geometry.page_size as u64));
        let next = old.pages;
        Ok(Work { below, overlay, geometry, old, length, stamp, next, ids: 0 })
    }

    pub(super) fn laid(&self) -> Laid<'_> {
        Laid { overlay: &self.overlay, below: self.below }
    }

    /// Pages of the repaired store.
    pub(super) fn pages(&self) -> u64 {
        self.next
    }

    /// A page that nothing reaches.
    pub(super) fn allocate(&mut self) -> Result<PageId, Halt> {
        self.allocate_run(1)
    }

    /// So many pages in a row, in one region.
    pub(super) fn allocate_run(&mut self, length: u64) -> Result<PageId, Halt> {
        let region_pages = self.geometry.region_pages;
        let region = self.next / region_pages;
        let start = self.next.max(region * region_pages + self.geometry.reserved(region));
        let start = if start + length > (region + 1) * region_pages {
            (region + 1) * region_pages + self.geometry.reserved(region + 1)
        } else {
            start
        };
        self.next = start + length;
        if self.next > PageId::LIMIT || length > region_pages / 2 {
            return Err(Halt::NoRoom);
        }
        Ok(PageId(start))
    }

    /// A number that no tree and no line has.
    pub(super) fn fresh_id(&mut self) -> u64 {
        self.ids += 1;
        self.stamp << 16 | (self.ids & 0xFFFF)
    }

    pub(super) fn write_page(&self, page: PageId, bytes: &[u8]) {
        self.write(bytes, self.geometry.offset(page));
    }

    /// Writes whole blocks to the overlay.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) {
        // Whole blocks need nothing from below, so this cannot fail.
        let _ = self.overlay.write(bytes, offset, |_, _| Ok(()));
    }

    pub(super) fn read(&self, page: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.geometry.page_size];
        self.laid().read_at(&mut bytes, self.geometry.offset(PageId(page))).ok()?;
        Some(bytes)
    }

    /// May a tree use the page?
    pub(super) fn usable(&self, page: u64) -> bool {
        let ring = self.old.log.page.0;
        let ring_pages = (self.old.log.blocks * 4096).div_ceil(self.geometry.page_size as u64);
        page < self.next
            && !self.geometry.is_reserved(PageId(page))
            && !(ring..ring + ring_pages).contains(&page)
    }

    /// The page, if it is the node that `pointer` says, of the right tree.
    pub(super) fn node_at(
        &self,
        pointer: &cowslip_pager::Pointer,
        tree: u64,
    ) -> Result<Vec<u8>, crate::Kind> {
        use crate::Kind;
        if !self.usable(pointer.page.0) {
            return Err(Kind::PointerRange);
        }
        if pointer.stamp > self.stamp {
            return Err(Kind::ChildStamp);
        }
        let bytes = self.read(pointer.page.0).ok_or(Kind::PageUnreadable)?;
        let header = Header::read(&bytes);
        if cowslip_pager::page::node_crc(&bytes) != header.crc {
            return Err(Kind::NodeChecksum);
        }
        if header.store != self.old.store {
            return Err(Kind::NodeStore);
        }
        if header.pointer.page != pointer.page {
            return Err(Kind::NodePlace);
        }
        if header.pointer != *pointer {
            return Err(Kind::NodeIdentity);
        }
        if header.tree != tree {
            return Err(Kind::NodeTree);
        }
        Ok(bytes)
    }
}
