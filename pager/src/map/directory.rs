//! The directory of the page map: for each group its current slot and checksum.

use super::DeltaList;
use crate::{
    error::{Error, Result},
    geometry::Geometry,
    mutant,
    page::{put, u32_at, u64_at},
    storage::Storage,
    superblock::MapRoot,
};

/// The directory's word about a child: a group, or a lower directory page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryEntry {
    /// crc32 of the child's current slot.
    pub crc: u32,
    /// Pages with refcount 0 below it.
    pub free: u32,
    /// The current slot.
    pub slot: u8,
    /// False: never written; all its entries are zero.
    pub present: bool,
}

impl DirectoryEntry {
    /// Bytes of an encoded entry.
    pub const SIZE: usize = 16;

    /// Reads entry `index` of a directory page.
    pub fn decode(page: &[u8], index: usize) -> Result<DirectoryEntry> {
        let at = index * DirectoryEntry::SIZE;
        let entry = DirectoryEntry {
            crc: u32_at(page, at),
            free: u32_at(page, at + 4),
            slot: page[at + 8],
            present: page[at + 9] == 1,
        };
        if entry.slot > 1 || page[at + 9] > 1 || page[at + 10..at + 16] != [0; 6] {
            return Err(Error::corrupted(0, "map directory entry", 0, entry.slot.into()));
        }
        Ok(entry)
    }

    pub(super) fn encode(&self, page: &mut [u8], index: usize) {
        let at = index * DirectoryEntry::SIZE;
        put(page, at, &self.crc.to_le_bytes());
        put(page, at + 4, &self.free.to_le_bytes());
        page[at + 8] = self.slot;
        page[at + 9] = u8::from(self.present);
    }
}

/// All levels of a directory, and the delta list that stands beside it: what a superblock says of the map.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// By number.
    pub(super) groups: Vec<DirectoryEntry>,
    /// Of directory pages, by level (index 0 = level 1).
    pub(super) upper: Vec<Vec<DirectoryEntry>>,
    pub(crate) delta: DeltaList,
}

/// Reads the entries of a group, verified by the directory's crc.
pub fn read_group(
    geometry: Geometry,
    storage: &dyn Storage,
    group: u64,
    entry: &DirectoryEntry,
) -> Result<Vec<u64>> {
    if !entry.present {
        return Ok(vec![0; geometry.group_pages as usize]);
    }
    let page = geometry.group_slot(group, entry.slot);
    let mut bytes = vec![0; geometry.page_size];
    let offset = geometry.offset(page);
    storage
        .read_at(&mut bytes, offset)
        .map_err(|e| Error::io("reading a page map group", offset, e))?;
    let crc = crc32fast::hash(&bytes);
    if crc != entry.crc && !mutant!(GroupChecksumUnchecked) {
        return Err(Error::corrupted(
            page.0,
            "page map group checksum",
            entry.crc.into(),
            crc.into(),
        ));
    }
    Ok(bytes.chunks_exact(8).map(|word| u64_at(word, 0)).collect())
}

/// Reads all directory pages from the top down. `visit` gets, for each level from the top to 0, the
/// entries of all pages of that level (level 0 = groups).
pub fn read_directory(
    geometry: Geometry,
    storage: &dyn Storage,
    root: &MapRoot,
    pages: u64,
    visit: &mut dyn FnMut(u32, Vec<DirectoryEntry>),
) -> Result<()> {
    let mut entries =
        vec![DirectoryEntry { crc: root.crc, free: 0, slot: root.slot, present: true }];
    let groups = geometry.groups(pages);
    for level in (1..=root.depth).rev() {
        let mut below = Vec::new();
        let wanted = groups.div_ceil(geometry.fanout.saturating_pow(level - 1));
        for (index, entry) in entries.iter().enumerate() {
            let left = (wanted as usize - below.len()).min(geometry.fanout as usize);
            if !entry.present {
                below.resize(below.len() + left, DirectoryEntry::default());
                continue;
            }
            let copies = if level == root.depth { 2 } else { 1 };
            let page = read_directory_page(geometry, storage, level, index as u64, entry, copies)?;
            for i in 0..left {
                below.push(DirectoryEntry::decode(&page, i)?);
            }
        }
        visit(level, entries);
        entries = below;
    }
    visit(0, entries);
    Ok(())
}

fn read_directory_page(
    geometry: Geometry,
    storage: &dyn Storage,
    level: u32,
    index: u64,
    entry: &DirectoryEntry,
    copies: u8,
) -> Result<Vec<u8>> {
    let mut bytes = vec![0; geometry.page_size];
    let mut failure = None;
    for copy in 0..copies {
        let page = geometry.directory_slot(level, index, entry.slot, copy);
        let offset = geometry.offset(page);
        match storage.read_at(&mut bytes, offset) {
            Err(e) => failure = Some(Error::io("reading the page map directory", offset, e)),
            Ok(()) => {
                let crc = crc32fast::hash(&bytes);
                if crc == entry.crc || mutant!(DirectoryChecksumUnchecked) {
                    return Ok(bytes);
                }
                failure = Some(Error::corrupted(
                    page.0,
                    "page map directory checksum",
                    entry.crc.into(),
                    crc.into(),
                ));
            }
        }
    }
    Err(failure.unwrap_or(Error::NotADatabase))
}
