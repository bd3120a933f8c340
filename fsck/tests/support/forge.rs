//! Changes under right checksums: of what is changed, of what holds its checksum, and so on up to the superblock.
//!
//! ```text
//! node, raw page -> group of the map -> directory -> superblock          log record -> chain of those behind it
//!            '----------- its delta list ---------^
//! ```

use cowslip_pager::{
    PageId,
    page::node_crc,
    superblock::{DELTA_AT, Superblock},
};

use super::Wreck;

/// Which checksums are made right after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// None: it is a checksum that was changed, or nothing covers the place.
    None,
    /// The superblock's, of both its copies.
    Superblock,
    /// The directory page's, of both its copies.
    Directory,
    /// A group's, and the numbers of free pages.
    Group(u64),
    /// A node's, by its page.
    Node(u64),
    /// A raw page's.
    Raw(u64),
    /// A log record's, by its number, and those of all behind it.
    Log(usize),
}

/// A store, and where its parts stand: places do not move, whatever is changed.
pub struct Whole {
    pub wreck: Wreck,
    pub superblock: usize,
    pub directory: usize,
    /// Where each record of the log stands in the file, and the length of its body.
    pub records: Vec<(usize, usize)>,
}

impl Whole {
    pub fn new(bytes: Vec<u8>) -> Whole {
        let wreck = Wreck::of(bytes);
        let superblock = Superblock::offset(wreck.block.checkpoint % 2, 0) as usize;
        let directory = wreck.top(0) as usize * wreck.geometry.page_size;
        let mut whole = Whole { wreck, superblock, directory, records: Vec::new() };
        whole.records = whole.log();
        whole
    }

    pub fn at(&self, page: u64) -> usize {
        page as usize * self.wreck.geometry.page_size
    }

    /// The live records of the log.
    fn log(&self) -> Vec<(usize, usize)> {
        let (log, bytes) = (&self.wreck.block.log, &self.wreck.bytes);
        let ring = self.at(log.page.0);
        let size = log.blocks * 4096;
        let mut records = Vec::new();
        let (mut at, mut sequence) = (log.at, log.sequence);
        while at + 64 < log.at + size {
            let place = ring + (at % size) as usize;
            let length = u32_at(bytes, place + 4) as usize;
            if length > 0 && u64_at(bytes, place + 16) == sequence {
                records.push((place, length));
                at += (64 + length as u64).next_multiple_of(8);
                sequence += 1;
            } else if at.is_multiple_of(4096) {
                break;
            } else {
                at = at.next_multiple_of(4096);
            }
        }
        records
    }

    /// The bytes with this at a place, under right checksums.
    pub fn with(&self, at: usize, new: &[u8], seal: Seal) -> Vec<u8> {
        let mut bytes = self.wreck.bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        self.seal(&mut bytes, seal);
        bytes
    }

    pub fn seal(&self, bytes: &mut [u8], seal: Seal) {
        let geometry = self.wreck.geometry;
        let size = geometry.page_size;
        match seal {
            Seal::None => {}
            Seal::Superblock => {
                let at = self.superblock;
                let crc = crc32fast::hash(&bytes[at..at + 4092]);
                bytes[at + 4092..at + 4096].copy_from_slice(&crc.to_le_bytes());
                let twin = Superblock::offset(self.wreck.block.checkpoint % 2, 1) as usize;
                bytes.copy_within(at..at + 4096, twin);
            }
            Seal::Directory => {
                let at = self.directory;
                let twin = self.at(self.wreck.top(1));
                bytes.copy_within(at..at + size, twin);
                let crc = crc32fast::hash(&bytes[at..at + size]);
                let to = self.superblock + 120;
                bytes[to..to + 4].copy_from_slice(&crc.to_le_bytes());
                self.seal(bytes, Seal::Superblock);
            }
            Seal::Group(group) => {
                let entry = self.directory + 16 * group as usize;
                let page = geometry.group_slot(group, self.wreck.bytes[entry + 8]);
                let at = self.at(page.0);
                let group_bytes = &bytes[at..at + size];
                let counts = group_bytes.chunks_exact(8).map(|entry| u32_at(entry, 0));
                let free = counts.filter(|&count| count == 0).count() as u32;
                let crc = crc32fast::hash(group_bytes);
                let before = u32_at(bytes, entry + 4);
                bytes[entry..entry + 4].copy_from_slice(&crc.to_le_bytes());
                bytes[entry + 4..entry + 8].copy_from_slice(&free.to_le_bytes());
                let sum = self.wreck.block.free + u64::from(free) - u64::from(before);
                let to = self.superblock + 104;
                bytes[to..to + 8].copy_from_slice(&sum.to_le_bytes());
                self.seal(bytes, Seal::Directory);
            }
            Seal::Node(page) => {
                let at = self.at(page);
                let crc = node_crc(&bytes[at..at + size]);
                bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
                self.map_crc(bytes, page, crc);
            }
            Seal::Raw(page) => {
                let at = self.at(page);
                let crc = crc32fast::hash(&bytes[at..at + size]);
                self.map_crc(bytes, page, crc);
            }
            Seal::Log(first) => {
                for number in first..self.records.len() {
                    let (at, mut length) = self.records[number];
                    if number > first {
                        let before = self.records[number - 1].0;
                        bytes.copy_within(before..before + 4, at + 8);
                    } else {
                        let end = self.at(self.wreck.block.log.page.0)
                            + 4096 * self.wreck.block.log.blocks as usize;
                        length = (u32_at(bytes, at + 4) as usize).min(end - at - 64);
                    }
                    let crc = crc32fast::hash(&bytes[at + 4..at + 64 + length]);
                    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
                }
            }
        }
    }

    fn map_crc(&self, bytes: &mut [u8], page: u64, crc: u32) {
        let list = &self.wreck.block.delta;
        if let Some(index) = list.checksums().iter().position(|entry| entry.page.0 == page) {
            let at = self.superblock + DELTA_AT + 8 * (list.entries().len() + index) + 4;
            bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
            return self.seal(bytes, Seal::Superblock);
        }
        let at = self.map_entry(page) + 4;
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
        self.seal(bytes, Seal::Group(self.wreck.geometry.group_of(PageId(page))));
    }

    /// Where the map's entry of a page stands in the file.
    pub fn map_entry(&self, page: u64) -> usize {
        let geometry = self.wreck.geometry;
        let group = geometry.group_of(PageId(page));
        let slot = self.wreck.bytes[self.directory + 16 * group as usize + 8];
        self.at(geometry.group_slot(group, slot).0) + 8 * (page % geometry.group_pages) as usize
    }
}

pub fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
