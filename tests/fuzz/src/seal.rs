//! Edits of an image, and the checksums above them made right again.
//!
//! ```text
//! node or raw page -> its entry in the map -> directory -> superblock        each holds the crc of the one before
//! ```
//!
//! Where everything stands is known from the sound image, so that an edit may make nonsense of the map and still
//! be sealed.

use std::collections::BTreeSet;

use cowslip_pager::{
    map::DeltaEntry,
    page::{PageId, node_crc, u32_at, u64_at},
    storage::simulated::Image,
    superblock::{DELTA_AT, SUPERBLOCK_SIZE, Superblock},
};

use crate::image::{Role, Seed};

/// Which checksums are made right again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seals {
    /// Those of nodes and raw pages, in them and in the map.
    pub pages: bool,
    /// Those of the map's pages.
    pub map: bool,
    /// Those of superblocks.
    pub superblocks: bool,
}

impl Seals {
    /// None: the edits are damage, as a disk could do it.
    pub fn none(self) -> bool {
        !(self.pages || self.map || self.superblocks)
    }
}

/// An image being changed.
pub struct Forge<'s> {
    seed: &'s Seed,
    image: Image,
    /// Pages that were changed.
    touched: BTreeSet<u64>,
    /// Directory pages have to follow.
    groups: BTreeSet<u64>,
}

impl<'s> Forge<'s> {
    /// Of a sound image.
    pub fn new(seed: &'s Seed) -> Forge<'s> {
        Forge { seed, image: seed.image.clone(), touched: BTreeSet::new(), groups: BTreeSet::new() }
    }

    fn size(&self) -> u64 {
        self.seed.geometry.page_size as u64
    }

    /// The content of a page; zeros behind the end of the file.
    pub fn page(&self, page: u64) -> Vec<u8> {
        let mut bytes = vec![0; self.seed.geometry.page_size];
        let _ = self.image.read(&mut bytes, page * self.size());
        bytes
    }

    /// Writes within a page; what does not fit in is left out, and so is all behind the end of the file.
    pub fn put(&mut self, page: u64, at: u64, bytes: &[u8]) {
        let room = self.size().saturating_sub(at).min(bytes.len() as u64);
        let offset = page * self.size() + at;
        if offset + room <= self.image.len() {
            self.image.write(&bytes[..room as usize], offset);
            self.touched.insert(page);
        }
    }

    /// Cuts the file off, or adds zeros.
    pub fn set_len(&mut self, length: u64) {
        self.image.set_len(length);
    }

    /// The length of the file.
    pub fn len(&self) -> u64 {
        self.image.len()
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.image.is_empty()
    }

    /// Changes a field of both copies of the newest superblock.
    pub fn superblock(&mut self, at: u64, bytes: &[u8]) {
        for copy in 0..2 {
            let offset = Superblock::offset(self.seed.superblock.checkpoint % 2, copy);
            let within = at % SUPERBLOCK_SIZE as u64;
            self.put(offset / self.size(), offset % self.size() + within, bytes);
        }
    }

    /// The page of the map with the entry of a page, and where in it.
    fn entry(&self, page: u64) -> (u64, u64) {
        let geometry = &self.seed.geometry;
        let group = geometry.group_of(PageId(page));
        let slot = self.slot(group);
        (geometry.group_slot(group, slot).0, 8 * (page % geometry.group_pages))
    }

    /// The current slot of a group, in the sound image.
    fn slot(&self, group: u64) -> u8 {
        let mut slot = [0];
        let _ = self.seed.image.read(&mut slot, self.top(0) * self.size() + 16 * group + 8);
        slot[0] & 1
    }

    fn top(&self, copy: u8) -> u64 {
        self.seed.geometry.directory_slot(1, 0, self.seed.superblock.map.slot, copy).0
    }

    /// Says how many owners a page has, in the map or in the delta list.
    pub fn set_count(&mut self, page: u64, count: u32) {
        let list = self.seed.superblock.delta.entries();
        let (at, within) = self.entry(page);
        match list.iter().position(|entry| entry.page.0 == page) {
            Some(index) => {
                let stored = u32_at(&self.page(at), within as usize);
                let turns = u32::from((stored == 0) != (count == 0)) << 31;
                let value = count & DeltaEntry::COUNT_MAX | turns;
                self.listed(index, value);
            }
            None => self.put(at, within, &count.to_le_bytes()),
        }
    }

    /// Says what the checksum of a page is, in the map or in the delta list.
    fn set_crc(&mut self, page: u64, crc: u32) {
        let list = &self.seed.superblock.delta;
        match list.checksums().iter().position(|entry| entry.page.0 == page) {
            Some(index) => self.listed(list.entries().len() + index, crc),
            None => {
                let (at, within) = self.entry(page);
                self.put(at, within + 4, &crc.to_le_bytes());
            }
        }
    }

    /// Writes the value of an entry of the delta list.
    fn listed(&mut self, index: usize, value: u32) {
        self.superblock((DELTA_AT + DeltaEntry::SIZE * index + 4) as u64, &value.to_le_bytes());
    }

    /// The image, with the checksums that are to be right.
    pub fn finish(mut self, seals: Seals) -> Image {
        if seals.pages {
            for page in self.touched.clone() {
                self.seal_page(page);
            }
        }
        if seals.map {
            self.seal_map();
        }
        if seals.superblocks {
            for copy in 0..4 {
                let offset = Superblock::offset(copy % 2, copy / 2);
                let mut bytes = [0; SUPERBLOCK_SIZE];
                if self.image.read(&mut bytes, offset).is_ok() {
                    let crc = crc32fast::hash(&bytes[..SUPERBLOCK_SIZE - 4]);
                    self.image.write(&crc.to_le_bytes(), offset + SUPERBLOCK_SIZE as u64 - 4);
                }
            }
        }
        self.image
    }

    fn seal_page(&mut self, page: u64) {
        let bytes = self.page(page);
        let crc = match self.seed.roles.get(page as usize) {
            Some(Role::Node) => {
                let crc = node_crc(&bytes);
                self.put(page, 0, &crc.to_le_bytes());
                crc
            }
            // A node, perhaps, that stands where there was none.
            Some(Role::Raw | Role::Free) if u64_at(&bytes, 8) == page => {
                let crc = node_crc(&bytes);
                self.put(page, 0, &crc.to_le_bytes());
                crc
            }
            Some(Role::Raw) => crc32fast::hash(&bytes),
            _ => return,
        };
        self.set_crc(page, crc);
    }

    fn seal_map(&mut self) {
        let geometry = self.seed.geometry;
        for group in 0..geometry.groups(self.seed.superblock.pages) {
            let at = geometry.group_slot(group, self.slot(group)).0;
            if self.touched.contains(&at) {
                self.groups.insert(group);
            }
        }
        for group in self.groups.clone() {
            let bytes = self.page(geometry.group_slot(group, self.slot(group)).0);
            let counts = bytes.chunks_exact(8).map(|entry| u32_at(entry, 0));
            let free = counts.filter(|&count| count == 0).count() as u32;
            let crc = crc32fast::hash(&bytes);
            let entry = [crc.to_le_bytes(), free.to_le_bytes()].concat();
            for copy in 0..2 {
                self.put(self.top(copy), 16 * group, &entry);
            }
        }
        let tops = [self.top(0), self.top(1)];
        if !tops.iter().any(|top| self.touched.contains(top)) {
            return;
        }
        let bytes = self.page(tops[0]);
        self.put(tops[1], 0, &bytes);
        let free: u64 = bytes.chunks_exact(16).map(|entry| u64::from(u32_at(entry, 4))).sum();
        if !self.groups.is_empty() {
            let free = free.saturating_add_signed(self.seed.superblock.delta.frees_of_all());
            self.superblock(104, &free.to_le_bytes());
        }
        self.superblock(120, &crc32fast::hash(&bytes).to_le_bytes());
    }
}
