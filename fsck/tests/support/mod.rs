//! Small stores to wound, as bytes.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

pub mod base;
pub mod by_code;
pub mod by_field;
pub mod fields;
pub mod forge;
pub mod unnoticed;

use std::{collections::BTreeMap, sync::Arc};

use cowslip::{
    Database, Storage,
    meta::TableRecord,
    storage::{MemoryStorage, SimulatedStorage},
    vm::{Access, ForkMode, Machine, Mapping, Settings},
};
use cowslip_fsck::{Error, Options, REPAIR_TABLE, Report, SALVAGE_TABLE};
use cowslip_pager::{
    PageId, Pointer, Raw,
    geometry::Geometry,
    map::{DeltaEntry, DeltaList},
    page::{node_crc, u64_at},
    superblock::{self, Superblock},
};

pub fn database(storage: Arc<dyn Storage>) -> Database {
    Database::builder().background(false).cache_size(8 << 20).open_or_create_on(storage).unwrap()
}

/// Tables of two levels, large values, two snapshots, a branch, a rollback, a deletion, a machine.
pub fn fill(db: &Database) {
    let put = |table: &str, from: u32, to: u32, mark: &str| {
        let tx = db.begin_write().unwrap();
        {
            let mut t = tx.open_table(table).unwrap();
            for i in from..to {
                let value =
                    format!("{mark} value of {i} with some length to it, so that leaves fill");
                t.insert(format!("key {i:06}").as_bytes(), value.as_bytes()).unwrap();
            }
        }
        tx.commit().unwrap();
    };
    put("first", 0, 600, "a");
    put("second", 0, 50, "a");
    let tx = db.begin_write().unwrap();
    {
        let mut t = tx.open_table("films").unwrap();
        t.insert(b"short", &[7; 9000]).unwrap();
        t.insert(b"long", &(0..100_000u32).map(|i| i as u8).collect::<Vec<_>>()).unwrap();
    }
    tx.commit().unwrap();
    db.create_snapshot("monday").unwrap();
    put("first", 100, 140, "b");
    db.create_snapshot("tuesday").unwrap();
    db.create_branch("side", "monday").unwrap();
    let tx = db.begin_write_on("side").unwrap();
    tx.open_table("first").unwrap().insert(b"key 000300x", b"on the side").unwrap();
    tx.commit().unwrap();
    put("first", 500, 700, "c");
    db.create_snapshot("wednesday").unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut t = tx.open_table("first").unwrap();
        t.remove_range(&b"key 000200"[..]..&b"key 000400"[..]).unwrap();
        tx.open_table("films").unwrap().remove(b"short").unwrap();
    }
    tx.commit().unwrap();
    db.delete_snapshot("tuesday").unwrap();
    db.rollback("wednesday").unwrap();
    if db.stats().page_size == 4096 {
        store_machine(db);
    }
    put("second", 20, 80, "d");
}

/// A process and its child that share their tables.
fn store_machine(db: &Database) {
    let mut machine = Machine::new(Settings { fork: ForkMode::Shared, ..Settings::default() });
    let start = machine.map(Machine::FIRST, &Mapping::anonymous(20)).unwrap();
    let write = Access::Write { value: 9 };
    machine.touch(Machine::FIRST, start..start + 20, 1, write, &mut |_| {});
    machine.fork(Machine::FIRST).unwrap();
    let tx = db.begin_write().unwrap();
    tx.store_machine("machine", &mut machine).unwrap();
    tx.commit().unwrap();
}

/// The wreck whose delta list says these counts of pages, instead of what it said of them, under right
/// checksums.
pub fn with_list(wreck: &mut Wreck, entries: &[(u64, u32)]) {
    let mut counts = wreck.block.delta.entries().to_vec();
    counts.retain(|entry| !entries.iter().any(|&(page, _)| PageId(page) == entry.page));
    for &(page, count) in entries {
        let stored = wreck.stored_count(page);
        counts.push(DeltaEntry { page: PageId(page), count, turns: (stored == 0) != (count == 0) });
    }
    wreck.block.delta = DeltaList::new(counts, wreck.block.delta.checksums().to_vec());
    wreck.write_superblock();
}

pub fn bytes_of(storage: &dyn Storage) -> Vec<u8> {
    let mut bytes = vec![0; storage.len().unwrap() as usize];
    storage.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// A filled and closed store.
pub fn image() -> Vec<u8> {
    let storage = Arc::new(MemoryStorage::new());
    let db = database(storage.clone());
    fill(&db);
    db.close().unwrap();
    bytes_of(&*storage)
}

pub fn try_check(bytes: &[u8]) -> Result<Report, Error> {
    let storage = SimulatedStorage::from_image(bytes.to_vec());
    cowslip_fsck::check_storage(&storage, &Options::default())
}

pub fn check(bytes: &[u8]) -> Report {
    let report = try_check(bytes).unwrap();
    assert_eq!(report.exit_code(), if report.is_clean() { 0 } else { 4 });
    assert!(report.to_json().is_object());
    assert!(report.to_string().trim_end().ends_with(&report.verdict()));
    report
}

/// A store's bytes, with ways to change them and make the checksums right again.
pub struct Wreck {
    pub bytes: Vec<u8>,
    pub block: Superblock,
    pub geometry: Geometry,
}

impl Wreck {
    pub fn new() -> Wreck {
        Wreck::of(image())
    }

    pub fn of(bytes: Vec<u8>) -> Wreck {
        let block = superblock::newest(&SimulatedStorage::from_image(bytes.clone())).unwrap();
        let geometry = Geometry::new(block.page_size as usize).unwrap();
        assert_eq!(block.map.depth, 1);
        Wreck { bytes, block, geometry }
    }

    pub fn page(&mut self, page: u64) -> &mut [u8] {
        let size = self.geometry.page_size;
        &mut self.bytes[page as usize * size..][..size]
    }

    pub fn flip(&mut self, page: u64, at: usize) {
        self.page(page)[at] ^= 1;
    }

    pub fn top(&self, copy: u8) -> u64 {
        self.geometry.directory_slot(1, 0, self.block.map.slot, copy).0
    }

    pub fn group(&mut self, group: u64) -> u64 {
        let top = self.top(0);
        let slot = self.page(top)[16 * group as usize + 8];
        self.geometry.group_slot(group, slot).0
    }

    /// Changes the map's entry of a page, and every checksum above it. The delta list has nothing
    /// about its group any more.
    pub fn set_map(&mut self, page: u64, change: impl FnOnce(&mut [u8])) {
        let geometry = self.geometry;
        let group = geometry.group_of(PageId(page));
        let at = self.group(group);
        let (counts, others): (Vec<_>, _) =
            self.block.delta.entries().iter().partition(|e| geometry.group_of(e.page) == group);
        let (checksums, other_checksums): (Vec<_>, _) =
            self.block.delta.checksums().iter().partition(|e| geometry.group_of(e.page) == group);
        self.block.delta = DeltaList::new(others, other_checksums);
        let bytes = self.page(at);
        let place = |page: PageId| 8 * (page.0 % geometry.group_pages) as usize;
        for entry in counts {
            bytes[place(entry.page)..][..4].copy_from_slice(&entry.count.to_le_bytes());
        }
        for entry in checksums {
            bytes[place(entry.page) + 4..][..4].copy_from_slice(&entry.crc.to_le_bytes());
        }
        self.set_stored(page, change);
    }

    /// Changes what the group of a page says about it, and every checksum above; the delta list stays.
    pub fn set_stored(&mut self, page: u64, change: impl FnOnce(&mut [u8])) {
        let geometry = self.geometry;
        let group = geometry.group_of(PageId(page));
        let at = self.group(group);
        let index = (page % geometry.group_pages) as usize;
        let bytes = self.page(at);
        change(&mut bytes[8 * index..8 * index + 8]);
        let crc = crc32fast::hash(bytes);
        let free = bytes.chunks_exact(8).filter(|e| e[..4] == [0; 4]).count() as u32;
        for copy in 0..2 {
            let top = self.top(copy);
            let entry = &mut self.page(top)[16 * group as usize..];
            entry[..4].copy_from_slice(&crc.to_le_bytes());
            entry[4..8].copy_from_slice(&free.to_le_bytes());
        }
        let top = self.top(0);
        self.block.map.crc = crc32fast::hash(self.page(top));
        let free: u64 = self
            .page(top)
            .chunks_exact(16)
            .map(|e| u64::from(u32::from_le_bytes(e[4..8].try_into().unwrap())))
            .sum();
        self.block.free = free.saturating_add_signed(self.block.delta.frees_of_all());
        self.write_superblock();
    }

    pub fn write_superblock(&mut self) {
        let encoded = self.block.encode();
        for copy in 0..2 {
            let at = Superblock::offset(self.block.checkpoint % 2, copy) as usize;
            self.bytes[at..at + 4096].copy_from_slice(&encoded);
        }
    }

    /// Makes the checksum of a changed node right, in it and in the map.
    pub fn seal(&mut self, page: u64) {
        let bytes = self.page(page);
        let crc = node_crc(bytes).to_le_bytes();
        bytes[..4].copy_from_slice(&crc);
        self.set_map(page, |entry| entry[4..].copy_from_slice(&crc));
    }

    /// Makes the checksum of a changed raw page right, in the map.
    pub fn seal_raw(&mut self, page: u64) {
        let crc = crc32fast::hash(self.page(page)).to_le_bytes();
        self.set_map(page, |entry| entry[4..].copy_from_slice(&crc));
    }

    /// The record of the machine, and where it stands: its page, and the place in it.
    pub fn machine(&mut self) -> (TableRecord, u64, usize) {
        for leaf in self.nodes(2, 0) {
            for (entry, (_, value)) in cowslip::kinds::entries(self.page(leaf)).iter().enumerate() {
                let record = TableRecord::decode(value, PageId(leaf)).unwrap();
                if record.is_machine() {
                    let at = self.value(leaf, entry);
                    return (record, leaf, at);
                }
            }
        }
        panic!("no machine");
    }

    /// A raw page of the machine of this height: the first on the way down.
    pub fn raw(&mut self, height: u8) -> Raw {
        let root = self.machine().0.root;
        let mut at = Raw { page: root.page, height: root.level };
        while at.height > height {
            let mut first = None;
            at.children(self.page(at.page.0), &mut |_, child| {
                first = first.or(Some(child));
                Ok(())
            })
            .unwrap();
            at = first.unwrap();
        }
        at
    }

    /// All pages in use that look like nodes of this kind and level.
    pub fn nodes(&mut self, kind: u8, level: u8) -> Vec<u64> {
        let pages = self.bytes.len() as u64 / self.geometry.page_size as u64;
        (0..pages)
            .filter(|&page| {
                let store = self.block.store;
                let count = self.count(page);
                let bytes = self.page(page);
                count > 0
                    && bytes[4] == kind
                    && bytes[5] == level
                    && u64_at(bytes, 8) == page
                    && u64_at(bytes, 32) == store
            })
            .collect()
    }

    pub fn count(&mut self, page: u64) -> u32 {
        self.block.delta.count(PageId(page)).unwrap_or_else(|| self.stored_count(page))
    }

    /// What the page of its group says, whatever the delta list says; 0 of a group never written.
    pub fn stored_count(&mut self, page: u64) -> u32 {
        let top = self.top(0);
        let entry = 16 * self.geometry.group_of(PageId(page)) as usize;
        if self.page(top)[entry + 9] == 0 {
            return 0;
        }
        let group = self.group(self.geometry.group_of(PageId(page)));
        let index = (page % self.geometry.group_pages) as usize;
        let bytes = self.page(group);
        u32::from_le_bytes(bytes[8 * index..8 * index + 4].try_into().unwrap())
    }

    /// How many entries a node has.
    pub fn entries(&mut self, page: u64) -> usize {
        let bytes = self.page(page);
        usize::from(u16::from_le_bytes([bytes[6], bytes[7]]))
    }

    /// Where the value of an entry of a node stands in its page.
    pub fn value(&mut self, page: u64, entry: usize) -> usize {
        let bytes = self.page(page);
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let slots = 64 + u16_at(40) + 4 * u16_at(6);
        u16_at(slots + 8 * entry + 4)
    }

    pub fn child(&mut self, page: u64, entry: usize) -> Pointer {
        let at = self.value(page, entry);
        Pointer::decode(&self.page(page)[at..])
    }

    pub fn check(&self) -> Report {
        check(&self.bytes)
    }

    #[track_caller]
    pub fn expect(&self, codes: &[&str]) -> Report {
        let report = self.check();
        let found: Vec<_> = report.counts.keys().map(|kind| kind.code()).collect();
        assert_eq!(found, codes, "{report}");
        report
    }
}

pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
/// By state and table.
pub type Contents = BTreeMap<(String, String), Rows>;

/// What every branch and snapshot holds, but for what repair and salvage write down.
pub fn contents(bytes: &[u8]) -> Contents {
    let db = database(Arc::new(SimulatedStorage::from_image(bytes.to_vec())));
    let mut states: Vec<(String, cowslip::ReadTransaction)> = Vec::new();
    for branch in db.branches().unwrap() {
        states.push((format!("branch {}", branch.name), db.begin_read_on(&branch.name).unwrap()));
    }
    for snapshot in db.snapshots().unwrap() {
        let rx = db.begin_read_at(&snapshot.name).unwrap();
        states.push((format!("snapshot {}", snapshot.name), rx));
    }
    let mut all = Contents::new();
    for (state, rx) in states {
        for name in rx.tables().unwrap() {
            if [REPAIR_TABLE, SALVAGE_TABLE, "machine"].contains(&&name[..]) {
                continue;
            }
            let table = rx.open_table(&name).unwrap();
            let rows = table.range::<&[u8]>(..).unwrap();
            let rows = rows.map(|row| row.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap());
            all.insert((state.clone(), name), rows.collect());
        }
    }
    all
}

pub fn zero_superblocks(bytes: &mut [u8]) {
    for slot in 0..2 {
        for copy in 0..2 {
            let at = cowslip_pager::superblock::Superblock::offset(slot, copy) as usize;
            bytes[at..at + 4096].fill(0);
        }
    }
}

/// Every `step`-th of 3000 rows, with values that begin with `mark`.
pub fn put_rows(db: &Database, branch: &str, step: usize, mark: &str) {
    let tx = db.begin_write_on(branch).unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in (0..3000).step_by(step) {
            let value = format!("{mark} {i}, with some length, so that leaves fill up well");
            table.insert(format!("{i:06}").as_bytes(), value.as_bytes()).unwrap();
        }
    }
    tx.commit().unwrap();
}
