//! Where the page map stands in the file. Pure arithmetic, shared by pager and checker.
//!
//! ```text
//! region 0                                                     region 1
//! +-----------+-----------------+------------------+---------+-----------------+-------+--
//! | 64 KiB:   | two slots for   | directory pages  | pages   | two slots for   | pages |
//! | 4 super-  | each of the     | (two slots, each | for     | each of the     |       |
//! | blocks    | region's groups | written twice)   | users   | region's groups |       |
//! +-----------+-----------------+------------------+---------+-----------------+-------+--
//! ```
//!
//! A *group* is one page of map entries (`{refcount u32, crc32 u32}`, so `page size / 8` of them).
//! A *directory page* holds `page size / 16` entries `{crc u32, free u32, slot u8, present u8,
//! 6 bytes zero}`, one for each child: a group (level 1) or a lower directory page. The superblock
//! names the top one. Positions follow from numbers alone, so nothing has to be found or allocated
//! to store the map. Slots of a region stand together at its start, so that long runs stay
//! possible behind them.

use crate::page::{PAGE_SIZE_MAX, PAGE_SIZE_MIN, PageId};

/// Bytes at the start of the file that hold the four superblock copies.
pub const SUPERBLOCK_AREA: u64 = 64 << 10;

/// The layout that follows from a page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a page.
    pub page_size: usize,
    /// Pages covered by a group.
    pub group_pages: u64,
    /// Children of a directory page.
    pub fanout: u64,
    /// Pages of a region.
    pub region_pages: u64,
    /// Directory levels that the largest file needs (level 1 stands above the groups).
    pub levels: u32,
}

impl Geometry {
    /// The layout for `page_size`, or `None` if that is no legal page size.
    pub fn new(page_size: usize) -> Option<Geometry> {
        if !page_size.is_power_of_two() || !(PAGE_SIZE_MIN..=PAGE_SIZE_MAX).contains(&page_size) {
            return None;
        }
        let group_pages = page_size as u64 / 8;
        let region_pages = ((64 << 20) / page_size as u64).max(group_pages);
        let fanout = page_size as u64 / 16;
        let mut geometry = Geometry { page_size, group_pages, fanout, region_pages, levels: 1 };
        geometry.levels = geometry.depth(PageId::LIMIT);
        Some(geometry)
    }

    /// The group whose entries describe `page`.
    pub fn group_of(&self, page: PageId) -> u64 {
        page.0 / self.group_pages
    }

    /// The first page of a group.
    pub fn group_start(&self, group: u64) -> u64 {
        group * self.group_pages
    }

    /// Groups that cover a file of `pages` pages.
    pub fn groups(&self, pages: u64) -> u64 {
        pages.div_ceil(self.group_pages)
    }

    /// The directory levels that a file of `pages` pages needs (at least 1).
    pub fn depth(&self, pages: u64) -> u32 {
        let mut depth = 1;
        let mut covered = self.fanout;
        while covered < self.groups(pages) {
            covered = covered.saturating_mul(self.fanout);
            depth += 1;
        }
        depth
    }

    fn groups_per_region(&self) -> u64 {
        self.region_pages / self.group_pages
    }

    /// Pages at the start of `region` that belong to superblocks and map.
    pub fn reserved(&self, region: u64) -> u64 {
        let first_group = region * self.groups_per_region();
        let mut pages = 2 * self.groups_per_region();
        if region == 0 {
            pages += SUPERBLOCK_AREA / self.page_size as u64;
        }
        for level in 1..=self.levels {
            if self.has_directory(level, first_group) {
                pages += 4;
            }
        }
        pages
    }

    /// Is `page` one that belongs to superblocks or map?
    pub fn is_reserved(&self, page: PageId) -> bool {
        page.0 % self.region_pages < self.reserved(page.0 / self.region_pages)
    }

    fn has_directory(&self, level: u32, first_group: u64) -> bool {
        first_group.is_multiple_of(self.fanout.saturating_pow(level))
    }

    fn header_start(&self, region: u64) -> u64 {
        let superblocks = if region == 0 { SUPERBLOCK_AREA / self.page_size as u64 } else { 0 };
        region * self.region_pages + superblocks
    }

    /// The page that holds `slot` (0 or 1) of `group`.
    pub fn group_slot(&self, group: u64, slot: u8) -> PageId {
        let region = group / self.groups_per_region();
        let within = group % self.groups_per_region();
        PageId(self.header_start(region) + 2 * within + u64::from(slot))
    }

    /// The page that holds `copy` (0 or 1) of `slot` (0 or 1) of directory page `index` of `level`.
    pub fn directory_slot(&self, level: u32, index: u64, slot: u8, copy: u8) -> PageId {
        let first_group = index * self.fanout.saturating_pow(level);
        let region = first_group / self.groups_per_region();
        let mut page = self.header_start(region) + 2 * self.groups_per_region();
        for below in 1..level {
            if self.has_directory(below, first_group) {
                page += 4;
            }
        }
        PageId(page + 2 * u64::from(slot) + u64::from(copy))
    }

    /// The byte where `page` starts.
    pub fn offset(&self, page: PageId) -> u64 {
        page.0 * self.page_size as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_things_stand_on_one_page() {
        for page_size in [4096, 8192, 16384, 32768, 65536] {
            let g = Geometry::new(page_size).unwrap();
            let mut seen = HashSet::new();
            let groups = g.fanout * 3;
            for group in 0..groups {
                for slot in 0..2 {
                    let page = g.group_slot(group, slot);
                    assert!(seen.insert(page), "{page_size} {group} {slot}");
                    assert!(g.is_reserved(page));
                    assert!(g.offset(page) >= SUPERBLOCK_AREA);
                }
            }
            for level in 1..=g.levels {
                let count = if level == 1 { 3 } else { 1 };
                for index in 0..count {
                    for place in 0..4 {
                        let page = g.directory_slot(level, index, place / 2, place % 2);
                        assert!(seen.insert(page), "{page_size} level {level} {index}");
                        assert!(g.is_reserved(page));
                    }
                }
            }
            // Every reserved page of the first region is used for something.
            let named = seen.iter().filter(|page| page.0 < g.region_pages).count() as u64;
            assert_eq!(named + SUPERBLOCK_AREA / page_size as u64, g.reserved(0));
        }
    }

    #[test]
    fn only_powers_of_two_from_4_to_64_kib_are_page_sizes() {
        for size in [0, 1, 2048, 4095, 5000, 131072] {
            assert_eq!(Geometry::new(size), None);
        }
    }
}
