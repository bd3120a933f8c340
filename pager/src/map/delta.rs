//! The delta list: count changes of sparsely changed groups, which stand in the superblock.
//!
//! The first write after a snapshot raises the counts of pages that lie all over the file. To write
//! a whole group for each of them would cost hundreds of pages; as entries of the superblock, which
//! is written anyway, they cost nothing. The list says: the count of this page is not what the group's
//! page in its current slot says, but this. Checksums are never in it.

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    geometry::Geometry,
    page::{PageId, put, u32_at},
};

/// A page whose count is not the one that stands in its group's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaEntry {
    /// The page.
    pub page: PageId,
    /// Its count.
    pub count: u32,
}

impl DeltaEntry {
    /// Bytes of an encoded entry.
    pub const SIZE: usize = 8;
}

/// The delta list of a superblock. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaList(Arc<[DeltaEntry]>);

impl Default for DeltaList {
    fn default() -> DeltaList {
        DeltaList(Arc::new([]))
    }
}

impl DeltaList {
    /// Bytes of the superblock that hold the list.
    pub const BYTES: usize = 3580;
    /// Entries that fit.
    pub const CAPACITY: usize = DeltaList::BYTES / DeltaEntry::SIZE;

    /// A list of these entries, in any order, each page once.
    pub fn new(mut entries: Vec<DeltaEntry>) -> DeltaList {
        entries.sort_unstable_by_key(|entry| entry.page);
        debug_assert!(entries.len() <= DeltaList::CAPACITY);
        DeltaList(entries.into())
    }

    /// All entries, ascending by page.
    pub fn entries(&self) -> &[DeltaEntry] {
        &self.0
    }

    /// The entries of a group's pages.
    pub fn of_group(&self, geometry: Geometry, group: u64) -> &[DeltaEntry] {
        let before = |group| self.0.partition_point(|e| geometry.group_of(e.page) < group);
        &self.0[before(group)..before(group + 1)]
    }

    /// The count of a page, if it is in the list.
    pub fn count(&self, page: PageId) -> Option<u32> {
        let found = self.0.binary_search_by_key(&page, |entry| entry.page);
        found.ok().map(|at| self.0[at].count)
    }

    /// Puts the list's counts into a group that was read from its current slot.
    pub(super) fn apply(&self, geometry: Geometry, group: u64, words: &mut [u64]) {
        for entry in self.of_group(geometry, group) {
            let word = &mut words[(entry.page.0 % geometry.group_pages) as usize];
            *word = *word & !0xFFFF_FFFF | u64::from(entry.count);
        }
    }

    /// Writes the list to its place.
    pub(crate) fn encode(&self, place: &mut [u8]) {
        for (i, entry) in self.0.iter().enumerate() {
            put(place, DeltaEntry::SIZE * i, &(entry.page.0 as u32).to_le_bytes());
            put(place, DeltaEntry::SIZE * i + 4, &entry.count.to_le_bytes());
        }
    }

    /// Reads a list of `count` entries from its place; it says what it says in one way only, and
    /// nothing of pages that a file of `pages` pages does not have.
    pub(crate) fn decode(place: &[u8], count: u32, pages: u64) -> Result<DeltaList> {
        let fault = |what, expected, found| Err(Error::corrupted(0, what, expected, found));
        if count as usize > DeltaList::CAPACITY {
            return fault("entries of the delta list", DeltaList::CAPACITY as u64, count.into());
        }
        let (list, rest) = place.split_at(DeltaEntry::SIZE * count as usize);
        if let Some(&byte) = rest.iter().find(|&&byte| byte != 0) {
            return fault("bytes behind the delta list", 0, byte.into());
        }
        let entries: Vec<DeltaEntry> = list
            .chunks_exact(DeltaEntry::SIZE)
            .map(|e| DeltaEntry { page: PageId(u32_at(e, 0).into()), count: u32_at(e, 4) })
            .collect();
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].page >= pair[1].page) {
            return fault("order of the delta list", pair[0].page.0 + 1, pair[1].page.0);
        }
        if let Some(last) = entries.last().filter(|last| last.page.0 >= pages) {
            return fault("page of the delta list", pages, last.page.0);
        }
        Ok(DeltaList(entries.into()))
    }
}
