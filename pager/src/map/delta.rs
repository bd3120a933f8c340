//! The delta list: changes of sparsely changed groups, which stand in the superblock.
//!
//! The first write after a snapshot raises the counts of pages that lie all over the file, and the
//! smallest checkpoint has a few new pages. To write a whole group for each of them, and the directory
//! above it, would cost hundreds of pages, or more than all the rest of a small checkpoint; as entries
//! of the superblock, which is written anyway, they cost nothing. The list says: the count of this page,
//! or its checksum, is not what the group's page in its current slot says, but this.
//!
//! ```text
//!  512                                                                             4092
//!   | counts: page u32, turns : 1, count : 31 | checksums: page u32, crc u32 | zero |
//!     ascending by page                         ascending by page
//! ```
//!
//! The directory counts the free pages of groups as their pages stand; *turns* says that the entry makes
//! one more, or one less. So what is free is known without reading a group, and an entry costs the
//! directory nothing.

use std::sync::Arc;

use super::Entry;
use crate::{
    error::{Error, Result},
    geometry::Geometry,
    mutant,
    page::{PageId, put, u32_at},
};

/// A page whose count is not the one that stands in its group's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaEntry {
    /// The page.
    pub page: PageId,
    /// Its count, at most [`DeltaEntry::COUNT_MAX`].
    pub count: u32,
    /// The page is free by this count and not by the group's page, or the other way round.
    pub turns: bool,
}

impl DeltaEntry {
    /// Bytes of an encoded entry.
    pub const SIZE: usize = 8;
    /// The highest count of a page.
    pub const COUNT_MAX: u32 = u32::MAX >> 1;

    /// How many free pages there are more by it: 1, 0 or -1.
    fn frees(&self) -> i64 {
        match (self.turns, self.count) {
            (false, _) => 0,
            (true, 0) => 1,
            (true, _) => -1,
        }
    }
}

/// A page whose checksum is not the one that stands in its group's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaChecksum {
    /// The page.
    pub page: PageId,
    /// Its checksum.
    pub crc: u32,
}

/// The delta list of a superblock. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaList {
    counts: Arc<[DeltaEntry]>,
    checksums: Arc<[DeltaChecksum]>,
}

impl Default for DeltaList {
    fn default() -> DeltaList {
        DeltaList { counts: Arc::new([]), checksums: Arc::new([]) }
    }
}

impl DeltaList {
    /// Bytes of the superblock that hold the list.
    pub const BYTES: usize = 3580;
    /// Entries that fit, counts and checksums together.
    pub const CAPACITY: usize = DeltaList::BYTES / DeltaEntry::SIZE;

    /// A list of these entries, in any order, each page at most once as either.
    pub fn new(mut counts: Vec<DeltaEntry>, mut checksums: Vec<DeltaChecksum>) -> DeltaList {
        counts.sort_unstable_by_key(|entry| entry.page);
        checksums.sort_unstable_by_key(|entry| entry.page);
        debug_assert!(counts.len() + checksums.len() <= DeltaList::CAPACITY);
        DeltaList { counts: counts.into(), checksums: checksums.into() }
    }

    /// The counts, ascending by page.
    pub fn entries(&self) -> &[DeltaEntry] {
        &self.counts
    }

    /// The checksums, ascending by page.
    pub fn checksums(&self) -> &[DeltaChecksum] {
        &self.checksums
    }

    /// All pages that the list knows better than their groups; twice where it has count and checksum.
    pub fn pages(&self) -> impl Iterator<Item = PageId> + '_ {
        let checksums = self.checksums.iter().map(|entry| entry.page);
        self.counts.iter().map(|entry| entry.page).chain(checksums)
    }

    /// The counts of a group's pages.
    pub fn of_group(&self, geometry: Geometry, group: u64) -> &[DeltaEntry] {
        part(&self.counts, |entry| geometry.group_of(entry.page), group)
    }

    /// The checksums of a group's pages.
    pub fn checksums_of_group(&self, geometry: Geometry, group: u64) -> &[DeltaChecksum] {
        part(&self.checksums, |entry| geometry.group_of(entry.page), group)
    }

    /// The count of a page, if it is in the list.
    pub fn count(&self, page: PageId) -> Option<u32> {
        let found = self.counts.binary_search_by_key(&page, |entry| entry.page);
        found.ok().map(|at| self.counts[at].count)
    }

    /// The checksum of a page, if it is in the list.
    pub fn checksum(&self, page: PageId) -> Option<u32> {
        let found = self.checksums.binary_search_by_key(&page, |entry| entry.page);
        found.ok().map(|at| self.checksums[at].crc)
    }

    /// The entry of a page, of which its group's page says `stored`.
    pub fn newest(&self, page: PageId, stored: Entry) -> Entry {
        Entry {
            count: self.count(page).unwrap_or(stored.count),
            crc: self.checksum(page).unwrap_or(stored.crc),
        }
    }

    /// How many free pages a group has more by the list than by its page.
    pub fn frees(&self, geometry: Geometry, group: u64) -> i64 {
        self.of_group(geometry, group).iter().map(DeltaEntry::frees).sum()
    }

    /// The same, of all groups.
    pub fn frees_of_all(&self) -> i64 {
        self.counts.iter().map(DeltaEntry::frees).sum()
    }

    /// Puts what the list says into a group that was read from its current slot.
    pub(super) fn apply(&self, geometry: Geometry, group: u64, words: &mut [u64]) {
        let index = |page: PageId| (page.0 % geometry.group_pages) as usize;
        for entry in self.of_group(geometry, group) {
            let word = &mut words[index(entry.page)];
            *word = *word & !0xFFFF_FFFF | u64::from(entry.count);
        }
        for entry in self.checksums_of_group(geometry, group) {
            if mutant!(DeltaChecksumsNotApplied) {
                break;
            }
            let word = &mut words[index(entry.page)];
            *word = *word & 0xFFFF_FFFF | u64::from(entry.crc) << 32;
        }
    }

    /// Writes the list to its place.
    pub(crate) fn encode(&self, place: &mut [u8]) {
        let counts = self.counts.iter().map(|entry| {
            debug_assert!(entry.count <= DeltaEntry::COUNT_MAX);
            (entry.page, entry.count | u32::from(entry.turns) << 31)
        });
        let checksums = self.checksums.iter().map(|entry| (entry.page, entry.crc));
        for (i, (page, value)) in counts.chain(checksums).enumerate() {
            put(place, DeltaEntry::SIZE * i, &(page.0 as u32).to_le_bytes());
            put(place, DeltaEntry::SIZE * i + 4, &value.to_le_bytes());
        }
    }

    /// Reads a list of so many counts and checksums from its place; it says what it says in one way
    /// only, and nothing of page 0, or of pages that a file of `pages` pages does not have.
    pub(crate) fn decode(
        place: &[u8],
        counts: u32,
        checksums: u32,
        pages: u64,
    ) -> Result<DeltaList> {
        let fault = |what, expected, found| Err(Error::corrupted(0, what, expected, found));
        let all = u64::from(counts) + u64::from(checksums);
        if all > DeltaList::CAPACITY as u64 {
            return fault("entries of the delta list", DeltaList::CAPACITY as u64, all);
        }
        let (list, rest) = place.split_at(DeltaEntry::SIZE * all as usize);
        if let Some(&byte) = rest.iter().find(|&&byte| byte != 0) {
            return fault("bytes behind the delta list", 0, byte.into());
        }
        let (counts, checksums) = list.split_at(DeltaEntry::SIZE * counts as usize);
        for list in [counts, checksums] {
            let numbers = || list.chunks_exact(DeltaEntry::SIZE).map(|e| u64::from(u32_at(e, 0)));
            if let Some((a, b)) = numbers().zip(numbers().skip(1)).find(|(a, b)| a >= b) {
                return fault("order of the delta list", a + 1, b);
            }
            if let Some(page) = numbers().find(|&page| page == 0 || page >= pages) {
                return fault("page of the delta list", pages, page);
            }
        }
        let pairs = |list: &[u8]| -> Vec<(PageId, u32)> {
            let entries = list.chunks_exact(DeltaEntry::SIZE);
            entries.map(|e| (PageId(u32_at(e, 0).into()), u32_at(e, 4))).collect()
        };
        let counts = pairs(counts).into_iter().map(|(page, value)| DeltaEntry {
            page,
            count: value & DeltaEntry::COUNT_MAX,
            turns: value > DeltaEntry::COUNT_MAX,
        });
        let checksums = pairs(checksums).into_iter().map(|(page, crc)| DeltaChecksum { page, crc });
        Ok(DeltaList { counts: counts.collect(), checksums: checksums.collect() })
    }
}

/// The entries of a group.
fn part<T>(list: &[T], group_of: impl Fn(&T) -> u64, group: u64) -> &[T] {
    let before = |group| list.partition_point(|entry| group_of(entry) < group);
    &list[before(group)..before(group + 1)]
}
