//! From the overlay to the file, in an order in which a power cut harms nothing:
//!
//! ```text
//! copies of the old superblock | length, pages, map, ring | SYNC | new superblock, copy by copy
//!  each durable; they say what                                    each durable, a damaged one first
//!  their whole twin says
//! ```

use std::{collections::HashSet, path::Path};

use cowslip_pager::{
    PageId,
    page::u32_at,
    storage::{BLOCK, Storage},
    superblock::{self, SUPERBLOCK_SIZE, Superblock},
};

use super::{plan::Plan, work::Work};
use crate::{Error, check::PageMap, undo};

/// Most bytes that are written at once.
const PIECE: usize = 256 << 10;

/// The four copies, as numbers of blocks.
fn copies() -> [u64; 4] {
    [(0, 0), (0, 1), (1, 0), (1, 1)]
        .map(|(slot, copy)| Superblock::offset(slot, copy) / BLOCK as u64)
}

/// The two copies of a slot, in the order in which they may be written over.
fn damaged_first(storage: &dyn Storage, slot: u64) -> Result<[u64; 2], Error> {
    let found = superblock::read_all(storage).map_err(|_| Error::NotADatabase)?;
    let whole = |copy: u64| found[(slot + 2 * copy) as usize].is_ok();
    Ok(if whole(0) && !whole(1) { [1, 0] } else { [0, 1] })
}

impl Work<'_> {
    /// Pages of the map that the durable directory names, as far as that can be read.
    pub(super) fn durable_map(&self, map: &PageMap) -> HashSet<u64> {
        let geometry = self.geometry;
        let mut pages = HashSet::new();
        let groups = geometry.groups(self.old.pages);
        for group in 0..groups {
            if let Some(word) = map.word(0, group).filter(|word| word.present) {
                pages.insert(geometry.group_slot(group, word.slot).0);
            }
        }
        for level in 1..=self.old.map.depth {
            for index in 0..groups.div_ceil(geometry.fanout.saturating_pow(level)) {
                if let Some(word) = map.word(level, index).filter(|word| word.present) {
                    for copy in 0..2 {
                        pages.insert(geometry.directory_slot(level, index, word.slot, copy).0);
                    }
                }
            }
        }
        pages
    }

    /// Puts the new superblock, and whole copies of the old one, into the overlay.
    pub(super) fn write_superblock(&self, new: &Superblock) {
        let slot = self.old.checkpoint % 2;
        let mut old = None;
        for copy in 0..2 {
            let mut bytes = [0; SUPERBLOCK_SIZE];
            let offset = Superblock::offset(slot, copy);
            // As it stands, with what this version does not know of it.
            if self.below.read_at(&mut bytes, offset).is_ok()
                && crc32fast::hash(&bytes[..SUPERBLOCK_SIZE - 4])
                    == u32_at(&bytes, SUPERBLOCK_SIZE - 4)
                && Superblock::decode(&bytes).is_ok_and(|block| block == self.old)
            {
                old = Some(bytes);
            }
        }
        let old = old.unwrap_or_else(|| self.old.encode());
        let mut new = new.encode();
        // Compatible features stay what they are.
        new[32..40].copy_from_slice(&old[32..40]);
        let crc = crc32fast::hash(&new[..SUPERBLOCK_SIZE - 4]);
        new[SUPERBLOCK_SIZE - 4..].copy_from_slice(&crc.to_le_bytes());
        for copy in 0..2 {
            self.write(&old, Superblock::offset(slot, copy));
            self.write(&new, Superblock::offset(1 - slot, copy));
        }
        let size = self.geometry.page_size as u64;
        let length = self.laid().len().unwrap_or(0).max(self.pages() * size);
        self.overlay.set_len(length);
    }
}

impl Plan<'_> {
    /// Writes the repair to the file; how many blocks that took.
    pub(super) fn commit(&self, storage: &dyn Storage, keep: Option<&Path>) -> Result<u64, Error> {
        let blocks = self.work.overlay.blocks();
        let copies = copies();
        let (heads, body): (Vec<_>, Vec<_>) =
            blocks.iter().partition(|(block, _)| copies.contains(block));
        for (block, _) in &body {
            self.assert_free(*block)?;
        }
        if let Some(path) = keep {
            let numbers: Vec<u64> = blocks.iter().map(|(block, _)| *block).collect();
            undo::save(path, storage, &self.work.laid(), &numbers)?;
        }
        let slot = self.work.old.checkpoint % 2;
        let head = |slot, copy| -> Result<(), Error> {
            let offset = Superblock::offset(slot, copy);
            let Some((_, bytes)) = heads.iter().find(|(b, _)| b * BLOCK as u64 == offset) else {
                return Ok(());
            };
            let mut there = [0; BLOCK];
            if storage.read_at(&mut there, offset).is_ok() && there == **bytes {
                return Ok(());
            }
            storage.write_durable(&bytes[..], offset).map_err(Error::Io)
        };
        let length = self.work.laid().len().map_err(Error::Io)?;
        if length > storage.len().map_err(Error::Io)? {
            storage.set_len(length).map_err(Error::Io)?;
        }
        head(slot, 0)?;
        head(slot, 1)?;
        let mut at = 0;
        while at < body.len() {
            let start = body[at].0;
            let mut piece = Vec::new();
            while let Some((block, bytes)) = body.get(at)
                && piece.len() < PIECE
                && *block * BLOCK as u64 == start * BLOCK as u64 + piece.len() as u64
            {
                piece.extend_from_slice(&bytes[..]);
                at += 1;
            }
            storage.write_at(&piece, start * BLOCK as u64).map_err(Error::Io)?;
        }
        storage.sync().map_err(Error::Io)?;
        // While one is written the other is whole, if one of them is.
        for copy in damaged_first(storage, 1 - slot)? {
            head(1 - slot, copy)?;
        }
        Ok(blocks.len() as u64)
    }

    /// Nothing that the durable state reaches is written before the new superblock is there (P2).
    fn assert_free(&self, block: u64) -> Result<(), Error> {
        let page = block * BLOCK as u64 / self.work.geometry.page_size as u64;
        let map = self.work.geometry.is_reserved(PageId(page))
            && block * BLOCK as u64 >= cowslip_pager::geometry::SUPERBLOCK_AREA;
        if page >= self.work.old.pages || map && !self.durable.contains(&page) {
            return Ok(());
        }
        Err(Error::WouldOverwrite { page })
    }
}
