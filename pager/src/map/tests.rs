//! The map: what is kept in memory, what a checkpoint writes of it.

use super::*;
use crate::storage::MemoryStorage;

/// A process that only reads never begins a transaction that would let groups go.
#[test]
fn groups_that_only_readers_need_stay_within_the_budget() {
    let geometry = Geometry::new(4096).unwrap();
    let storage = MemoryStorage::new();
    let mut map = Map::new(geometry, 0);
    for group in 0..1000 {
        map.read(&storage, PageId(geometry.group_start(group))).unwrap();
    }
    assert!(map.groups.len() <= 2 * map.budget + 1, "{} groups", map.groups.len());
}

fn geometry() -> Geometry {
    Geometry::new(4096).unwrap()
}

/// A map on a disk, and the checkpoints that make it durable.
struct Store {
    storage: MemoryStorage,
    map: Map,
    pages: u64,
    root: MapRoot,
}

impl Store {
    /// All groups written once, all their pages in use.
    fn new(groups: u64) -> Store {
        let pages = groups * geometry().group_pages;
        let storage = MemoryStorage::new();
        storage.set_len(pages * 4096).unwrap();
        let map = Map::new(geometry(), 0);
        let mut store = Store { storage, map, pages, root: MapRoot::default() };
        for page in 0..pages {
            store.set(page, |map, page| {
                map.set_count(page, 1);
                map.set_crc(page, page.0 as u32);
            });
        }
        store.checkpoint();
        store
    }

    fn set(&mut self, page: u64, change: impl FnOnce(&mut Map, PageId)) {
        self.map.prepare(&self.storage, PageId(page)).unwrap();
        change(&mut self.map, PageId(page));
    }

    fn set_crc(&mut self, page: u64, crc: u32) {
        self.set(page, |map, page| map.set_crc(page, crc));
    }

    fn set_count(&mut self, page: u64, count: u32) {
        self.set(page, |map, page| map.set_count(page, count));
    }

    fn get(&mut self, page: u64) -> Entry {
        self.map.get(&self.storage, PageId(page)).unwrap()
    }

    /// The crc of a free page means nothing.
    fn assert_is(&mut self, page: u64, expected: Entry, seed: u64) {
        let found = self.get(page);
        let same = found.count == expected.count && (found.count == 0 || found == expected);
        assert!(same, "page {page}, seed {seed}: {found:?} instead of {expected:?}");
    }

    fn plan(&mut self) -> Plan {
        let sealed = self.map.seal();
        self.map.directory().plan(geometry(), &sealed, self.pages)
    }

    fn write(&self, plan: &Plan) {
        for (page, bytes) in &plan.writes {
            self.storage.write_at(bytes, page.0 * 4096).unwrap();
        }
    }

    fn checkpoint(&mut self) {
        let plan = self.plan();
        self.write(&plan);
        self.root = plan.root;
        self.map.adopt(plan);
    }

    /// Everything that may leave memory does.
    fn evict(&mut self) {
        self.map.budget = 0;
        self.map.begin_transaction();
        self.map.begin_transaction();
    }

    fn reopen(&mut self) {
        let delta = self.map.durable.delta.clone();
        self.map = Map::open(geometry(), &self.storage, &self.root, &delta, self.pages, 0).unwrap();
    }

    fn list(&self) -> Vec<(u64, u32)> {
        self.map.durable.delta.entries().iter().map(|entry| (entry.page.0, entry.count)).collect()
    }

    fn checksums(&self) -> Vec<(u64, u32)> {
        self.map.durable.delta.checksums().iter().map(|entry| (entry.page.0, entry.crc)).collect()
    }
}

/// Groups that a plan writes whole, by number.
fn written(plan: &Plan) -> Vec<u64> {
    plan.written.iter().map(|(number, _)| *number).collect()
}

#[test]
fn few_changed_counts_go_to_the_list_and_their_groups_are_not_written() {
    let mut store = Store::new(8);
    for group in 0..8 {
        store.set_count(group * 512 + 7, 2);
    }
    let plan = store.plan();
    assert!(plan.writes.is_empty(), "{} pages", plan.writes.len());
    store.map.adopt(plan);
    let expected: Vec<_> = (0..8).map(|group| (group * 512 + 7, 2)).collect();
    assert_eq!(store.list(), expected);
    // What has its old count again is not in the list.
    store.set_count(7, 1);
    store.checkpoint();
    assert_eq!(store.list(), expected[1..]);
}

#[test]
fn few_new_pages_go_to_the_list_with_their_checksums() {
    let mut store = Store::new(2);
    store.set_count(7, 2);
    store.set_count(600, 0);
    store.checkpoint();
    store.set_crc(8, 99);
    let plan = store.plan();
    assert!(plan.writes.is_empty(), "{} pages", plan.writes.len());
    store.map.adopt(plan);
    assert_eq!((store.list(), store.checksums()), (vec![(7, 2), (600, 0)], vec![(8, 99)]));
    store.reopen();
    assert_eq!(store.get(7), Entry { count: 2, crc: 7 });
    assert_eq!(store.get(8), Entry { count: 1, crc: 99 });
    // One that is free again needs none.
    store.set_count(8, 0);
    store.checkpoint();
    assert_eq!((store.list(), store.checksums()), (vec![(7, 2), (8, 0), (600, 0)], vec![]));
}

#[test]
fn a_group_with_many_new_pages_is_written_whole_and_loses_its_entries() {
    let mut store = Store::new(2);
    store.set_count(7, 2);
    store.set_count(600, 0);
    store.checkpoint();
    (8..500).for_each(|page| store.set_crc(page, 91 + page as u32));
    let plan = store.plan();
    assert_eq!(written(&plan), [0]);
    store.write(&plan);
    store.root = plan.root;
    store.map.adopt(plan);
    assert_eq!((store.list(), store.checksums()), (vec![(600, 0)], vec![]));
    store.reopen();
    assert_eq!(store.get(7), Entry { count: 2, crc: 7 });
    assert_eq!(store.get(8), Entry { count: 1, crc: 99 });
    assert_eq!(store.get(600), Entry { count: 0, crc: 600 });
}

#[test]
fn a_group_that_was_never_written_is_in_no_list() {
    let mut store = Store::new(1);
    store.pages *= 2;
    store.set_count(700, 1);
    let plan = store.plan();
    assert_eq!(written(&plan), [1]);
    assert!(plan.directory.delta.entries().is_empty());
    let count = DeltaEntry { page: PageId(700), count: 1, turns: true };
    let checksum = DeltaChecksum { page: PageId(700), crc: 1 };
    for delta in [DeltaList::new(vec![count], vec![]), DeltaList::new(vec![], vec![checksum])] {
        let opened = Map::open(geometry(), &store.storage, &store.root, &delta, store.pages, 0);
        assert!(matches!(opened, Err(Error::Corrupted(_))));
    }
}

#[test]
fn a_group_that_comes_back_to_memory_has_what_the_list_says() {
    let mut store = Store::new(2);
    store.set_count(7, 5);
    store.set_crc(9, 90);
    store.set_crc(600, 60);
    store.checkpoint();
    for reopen in [false, true] {
        if reopen {
            store.reopen();
        } else {
            store.evict();
        }
        assert!(store.map.groups.is_empty());
        assert_eq!(store.get(7), Entry { count: 5, crc: 7 });
        assert_eq!(store.get(8), Entry { count: 1, crc: 8 });
        assert_eq!(store.get(9), Entry { count: 1, crc: 90 });
        assert_eq!(store.get(600), Entry { count: 1, crc: 60 });
    }
}

#[test]
fn a_group_stays_in_memory_until_the_list_that_has_its_counts_is_durable() {
    let mut store = Store::new(2);
    store.set_count(7, 5);
    let plan = store.plan();
    store.evict();
    assert_eq!(store.get(7).count, 5);
    store.map.adopt(plan);
    store.evict();
    assert!(store.map.groups.is_empty());
    assert_eq!(store.get(7).count, 5);
}

#[test]
fn a_group_that_is_not_in_memory_keeps_its_entries_and_is_not_read() {
    let mut store = Store::new(3);
    store.set_count(7, 5);
    store.set_count(1100, 3);
    store.set_crc(1101, 30);
    store.checkpoint();
    store.evict();
    store.set_count(600, 4);
    store.checkpoint();
    assert_eq!(store.list(), [(7, 5), (600, 4), (1100, 3)]);
    assert_eq!(store.checksums(), [(1101, 30)]);
    assert_eq!(store.map.groups.len(), 1);
}

#[test]
fn the_groups_that_differ_least_go_to_the_list_until_it_is_full() {
    let mut store = Store::new(4);
    for (group, changes) in [(0, 300), (1, 200), (2, 100), (3, 147)] {
        (0..changes).for_each(|page| store.set_count(group * 512 + page, 2));
    }
    let plan = store.plan();
    assert_eq!(written(&plan), [0]);
    assert_eq!(plan.directory.delta.entries().len(), DeltaList::CAPACITY);
    store.write(&plan);
    store.map.adopt(plan);
    // There is no room for one more, and it is the smallest that is left over: it goes in.
    store.set_count(0, 3);
    let plan = store.plan();
    assert_eq!(written(&plan), [1]);
    assert_eq!(plan.directory.delta.entries().len(), 248);
}

#[test]
fn counts_changed_after_the_seal_are_not_in_the_list() {
    let mut store = Store::new(1);
    store.set_count(7, 2);
    let sealed = store.map.seal();
    store.set_count(7, 3);
    store.set_count(8, 3);
    let plan = store.map.directory().plan(geometry(), &sealed, store.pages);
    store.map.adopt(plan);
    assert_eq!(store.list(), [(7, 2)]);
    assert_eq!((store.get(7).count, store.get(8).count), (3, 3));
    store.checkpoint();
    assert_eq!(store.list(), [(7, 3), (8, 3)]);
}

/// What stands on disk behind the end of a file that was cut must not come back when it grows.
#[test]
fn counts_behind_the_end_of_the_file_are_written_and_not_listed() {
    let mut store = Store::new(3);
    store.set_count(700, 0);
    store.set_count(1200, 0);
    store.checkpoint();
    assert_eq!(store.list(), [(700, 0), (1200, 0)]);
    store.pages = 650;
    store.map.truncate(650);
    let plan = store.plan();
    assert_eq!(written(&plan), [1]);
    store.write(&plan);
    store.root = plan.root;
    store.map.adopt(plan);
    assert!(store.list().is_empty());
    store.reopen();
    assert_eq!(store.get(700).count, 0);
}

/// An opening finds all that is free, though it reads no group, and the directory is as it was.
#[test]
fn free_pages_are_counted_with_the_list_applied() {
    let mut store = Store::new(2);
    (500..512).for_each(|page| store.set_count(page, 0));
    (8..500).for_each(|page| store.set_count(page, 2));
    assert_eq!(written(&store.plan()), [0]);
    store.checkpoint();
    store.set_count(7, 0);
    store.set_count(8, 0);
    store.set_count(600, 0);
    store.set_count(511, 1);
    store.set_crc(511, 3);
    let plan = store.plan();
    assert!(plan.writes.is_empty());
    assert_eq!(plan.free, 12 + 2 + 1 - 1);
    store.map.adopt(plan);
    store.reopen();
    assert_eq!(store.list().len(), 4);
    assert_eq!((store.map.free_hint(0), store.map.free_hint(1)), (13, 1));
    // What is counted does not drift when the group is read, and written.
    store.get(7);
    assert_eq!(store.map.free_hint(0), 13);
    (8..500).for_each(|page| store.set_count(page, 3));
    let plan = store.plan();
    assert_eq!((written(&plan), plan.free), (vec![0], 13));
}

/// Whatever happens in whatever order, the map says what was last set.
#[test]
fn random_changes_checkpoints_evictions_and_openings_lose_nothing() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let groups = 12;
        let mut store = Store::new(groups);
        let mut model: Vec<Entry> =
            (0..store.pages).map(|page| Entry { count: 1, crc: page as u32 }).collect();
        let mut durable = model.clone();
        for _ in 0..60 {
            match random.u8(..10) {
                0..5 => {
                    let group = random.u64(..groups);
                    let most = [2, 20, 200][random.usize(..3)];
                    for _ in 0..random.u64(1..most) {
                        let page = group * 512 + random.u64(..512);
                        let (count, crc) = (random.u32(..4), random.u32(..));
                        store.set_count(page, count);
                        // A page that comes into use gets a checksum, since the crc of a free one means nothing.
                        if model[page as usize].count == 0 {
                            store.set_crc(page, crc);
                            model[page as usize].crc = crc;
                        }
                        model[page as usize].count = count;
                    }
                }
                5 => {
                    let (page, crc) = (random.u64(..store.pages), random.u32(..));
                    store.set_crc(page, crc);
                    model[page as usize].crc = crc;
                }
                6 => store.evict(),
                // As it was when the power failed.
                7 => {
                    store.reopen();
                    model.clone_from(&durable);
                }
                _ => {
                    durable.clone_from(&model);
                    let sealed = store.map.seal();
                    if random.bool() {
                        let (page, count) = (random.u64(..store.pages), random.u32(1..4));
                        store.set(page, |map, page| {
                            map.set_count(page, count);
                            map.set_crc(page, count);
                        });
                        model[page as usize] = Entry { count, crc: count };
                    }
                    let plan = store.map.directory().plan(geometry(), &sealed, store.pages);
                    let free = durable.iter().filter(|entry| entry.count == 0).count();
                    assert_eq!(plan.free, free as u64, "seed {seed}");
                    store.evict();
                    store.write(&plan);
                    store.root = plan.root;
                    store.map.adopt(plan);
                }
            }
            let page = random.u64(..store.pages);
            store.assert_is(page, model[page as usize], seed);
        }
        for page in 0..store.pages {
            store.assert_is(page, model[page as usize], seed);
        }
    }
}
