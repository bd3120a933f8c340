//! The committed images of real stores, and what is known of them.
//!
//! An image is committed as what is not zero:
//!
//! ```text
//! u32 length of the file | u32 zeros, u32 bytes, so many bytes | ...        all little-endian
//! ```

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock, OnceLock},
};

use cowslip_pager::{
    geometry::Geometry,
    log::{Record, Scan},
    page::{PageId, u32_at, u64_at},
    storage::{BLOCK, SimulatedStorage, simulated::Image},
    superblock::{self, LogStart, Superblock},
};

use crate::store::{self, Contents, Row};

/// What a page is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A copy of the superblock stands at its beginning.
    Superblock,
    /// The top of the page map, or a group of it.
    Map,
    /// A piece of the log's ring.
    Log,
    /// A node of a tree.
    Node,
    /// A page of a large value, or of a machine.
    Raw,
    /// Nothing.
    Free,
}

/// A real store, as it was found.
pub struct Seed {
    /// Its name.
    pub name: &'static str,
    /// Its bytes.
    pub image: Image,
    /// How its pages are laid out.
    pub geometry: Geometry,
    /// Its newest superblock.
    pub superblock: Superblock,
    /// What each page is used as.
    pub roles: Vec<Role>,
    /// The pages that are worth changing: all but those that are free, and the empty ones of the log.
    pub pages: Vec<u64>,
    contents: OnceLock<Contents>,
    rows: OnceLock<HashSet<Row>>,
}

/// A closed store: two levels, large values, snapshots, branches, a bookmark, a machine.
pub const CLOSED: usize = 0;

/// All of them.
pub static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    vec![
        Seed::new("closed", include_bytes!("../images/closed.image")),
        Seed::new("tail", include_bytes!("../images/tail.image")),
        Seed::new("wide", include_bytes!("../images/wide.image")),
        Seed::new("deep", include_bytes!("../images/deep.image")),
    ]
});

/// The bytes of an image as they are committed.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u32).to_le_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let zeros = bytes[at..].iter().take_while(|&&byte| byte == 0).count();
        let start = at + zeros;
        // A few zeros are cheaper among the bytes than as a piece of their own.
        let mut end = start;
        while end < bytes.len() && bytes[end..bytes.len().min(end + 12)].iter().any(|&b| b != 0) {
            end += 1;
        }
        out.extend_from_slice(&(zeros as u32).to_le_bytes());
        out.extend_from_slice(&((end - start) as u32).to_le_bytes());
        out.extend_from_slice(&bytes[start..end]);
        at = end;
    }
    out
}

/// The inverse of [`pack`].
fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(u32_at(packed, 0) as usize);
    let mut at = 4;
    while at < packed.len() {
        let (zeros, count) = (u32_at(packed, at) as usize, u32_at(packed, at + 4) as usize);
        bytes.resize(bytes.len() + zeros, 0);
        bytes.extend_from_slice(&packed[at + 8..at + 8 + count]);
        at += 8 + count;
    }
    bytes
}

impl Seed {
    fn new(name: &'static str, packed: &[u8]) -> Seed {
        Seed::of(name, unpack(packed))
    }

    /// A sound store.
    pub fn of(name: &'static str, bytes: Vec<u8>) -> Seed {
        let storage = SimulatedStorage::from_image(bytes.clone());
        let superblock = superblock::newest(&storage).expect("an image of a store");
        let geometry = Geometry::new(superblock.page_size as usize).expect("a page size");
        assert_eq!(superblock.map.depth, 1, "the top of the map stands above the groups");
        let roles = roles(&bytes, &geometry, &superblock);
        let size = geometry.page_size;
        let filled = |page: u64| bytes[page as usize * size..][..size].iter().any(|&b| b != 0);
        let pages = (0..superblock.pages)
            .filter(|&page| match roles[page as usize] {
                Role::Free => false,
                Role::Superblock | Role::Node | Role::Raw => true,
                Role::Map | Role::Log => filled(page),
            })
            .collect();
        Seed {
            name,
            image: Image::from(bytes),
            geometry,
            superblock,
            roles,
            pages,
            contents: OnceLock::new(),
            rows: OnceLock::new(),
        }
    }

    /// What it holds.
    pub fn contents(&self) -> &Contents {
        self.contents.get_or_init(|| {
            let db = store::open(Arc::new(SimulatedStorage::from_image(self.image.clone())));
            store::read(&db.expect("a sound store")).expect("a sound store")
        })
    }

    /// Each row, with its table, that any state of it has, or had after some of its log's records.
    pub fn rows(&self) -> &HashSet<Row> {
        self.rows.get_or_init(|| {
            let mut rows: HashSet<_> = self.contents().rows().collect();
            let mut image = self.image.clone();
            for &at in self.records().iter().rev() {
                image.write(&[0; 64], at);
                let db = store::open(Arc::new(SimulatedStorage::from_image(image.clone())));
                let db = db.expect("a shorter log");
                rows.extend(store::read(&db).expect("a shorter log").rows());
            }
            rows
        })
    }

    /// Where the records of the log stand in the file.
    fn records(&self) -> Vec<u64> {
        let storage = SimulatedStorage::from_image(self.image.clone());
        let block = &self.superblock;
        let mut scan =
            Scan::new(&storage, &self.geometry, &block.log, block.store, block.checkpoint);
        let (mut places, mut body) = (Vec::new(), Vec::new());
        while let Ok(Some(record)) = scan.next(&mut body) {
            let size = (64 + u64::from(record.length)).next_multiple_of(8);
            places.push(self.ring_offset(scan.tail().at - size));
        }
        places
    }

    /// Where a logical position of the log stands in the file.
    pub fn ring_offset(&self, at: u64) -> u64 {
        let LogStart { page, blocks, .. } = self.superblock.log;
        self.geometry.offset(page) + at % (blocks * BLOCK as u64)
    }
}

fn roles(bytes: &[u8], geometry: &Geometry, block: &Superblock) -> Vec<Role> {
    let size = geometry.page_size;
    let page = |page: u64| &bytes[page as usize * size..][..size];
    let top = page(geometry.directory_slot(1, 0, block.map.slot, 0).0);
    let count = |number: u64| {
        let group = number / geometry.group_pages;
        let slot = top[16 * group as usize + 8];
        let entries = page(geometry.group_slot(group, slot).0);
        let stored = u32_at(entries, 8 * (number % geometry.group_pages) as usize);
        block.delta.count(PageId(number)).unwrap_or(stored)
    };
    let log_pages = (block.log.blocks * BLOCK as u64).div_ceil(size as u64);
    let log = block.log.page.0..block.log.page.0 + log_pages;
    (0..block.pages)
        .map(|number| {
            let content = page(number);
            let is_node = (1..=3).contains(&content[4])
                && u64_at(content, 8) == number
                && u64_at(content, 32) == block.store;
            match () {
                () if number * (size as u64) < cowslip_pager::geometry::SUPERBLOCK_AREA => {
                    if content[..8] == superblock::MAGIC {
                        Role::Superblock
                    } else {
                        Role::Free
                    }
                }
                () if geometry.is_reserved(PageId(number)) => Role::Map,
                () if log.contains(&number) => Role::Log,
                () if count(number) == 0 => Role::Free,
                () if is_node => Role::Node,
                () => Role::Raw,
            }
        })
        .collect()
}

/// The header of a record, to be made right by whoever changes it.
pub fn next_record(seed: &Seed) -> Record {
    let (block, log) = (&seed.superblock, &seed.superblock.log);
    Record {
        crc: 0,
        length: 0,
        chain: log.chain,
        kind: cowslip_pager::log::KIND_TRANSACTION,
        sequence: log.sequence,
        generation: log.generation,
        durable_block: log.at / BLOCK as u64,
        durable_checkpoint: block.checkpoint,
        store: block.store,
        stamp: block.stamp + 1,
    }
}
