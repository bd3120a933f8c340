//! Each rule broken by hand on the image of a real store, and noticed; and what is allowed, allowed.

use cowslip::{Builder, Database, Durability};
use cowslip_pager::{
    geometry::Geometry,
    map::DirectoryEntry,
    page::PageId,
    storage::{Storage, simulated::FaultKind},
    superblock::{self, Superblock},
};

use super::*;
use crate::{Op, Scratch, Session, session::disk_of};

fn builder() -> Builder {
    Database::builder().cache_size(1 << 20).background(false)
}

fn put(key: u16, length: u32) -> Op {
    Op::Put { table: 0, key, length, fill: key }
}

fn panics(what: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).is_err()
}

/// A store in which something stands, closed, and a monitor over it.
struct Store {
    disk: Arc<SimulatedStorage>,
    storage: Arc<Monitor>,
    watch: Watch,
    newest: Superblock,
    geometry: Geometry,
}

impl Store {
    fn new() -> Store {
        Store::after(&[
            put(1, 100),
            put(2, 30_000),
            Op::Commit(Durability::Immediate),
            Op::Checkpoint,
        ])
    }

    /// With these operations in it, and not closed.
    fn after(ops: &[Op]) -> Store {
        let mut session = Session::new(builder(), 4096);
        ops.iter().for_each(|op| session.apply(op).unwrap());
        Store::on(disk_of(&session.disk().image()))
    }

    fn on(disk: Arc<SimulatedStorage>) -> Store {
        let (storage, watch) = Monitor::over_disk(&disk);
        let newest = superblock::newest(&*disk).unwrap();
        let geometry = Geometry::new(newest.page_size as usize).unwrap();
        Store { disk, storage, watch, newest, geometry }
    }

    fn page(&self, page: u64) -> Vec<u8> {
        let mut bytes = vec![0; self.geometry.page_size];
        self.disk.read_at(&mut bytes, page * self.geometry.page_size as u64).unwrap();
        bytes
    }

    /// The top of the directory, and the page where it stands.
    fn directory(&self) -> (u64, Vec<u8>) {
        let page = self.geometry.directory_slot(1, 0, self.newest.map.slot, 0).0;
        (page, self.page(page))
    }

    fn group(&self, group: u64) -> (u64, Vec<u8>) {
        let entry = DirectoryEntry::decode(&self.directory().1, group as usize).unwrap();
        let page = self.geometry.group_slot(group, entry.slot).0;
        (page, self.page(page))
    }

    /// The first page for users behind the ring whose count is (not) zero.
    fn user_page(&self, owned: bool) -> u64 {
        let group = self.group(0).1;
        let ring = self.newest.log.page.0 + self.newest.log.blocks;
        let counts = group.chunks_exact(8).enumerate().map(|(page, entry)| {
            let newer = self.newest.delta.count(PageId(page as u64));
            (page, newer.map_or(entry[..4] != [0; 4], |count| count > 0))
        });
        let found = counts.skip(self.geometry.reserved(0) as usize).find(|&(page, is)| {
            is == owned && !(self.newest.log.page.0..ring).contains(&(page as u64))
        });
        found.expect("such a page").0 as u64
    }

    fn write(&self, page: u64) -> io::Result<()> {
        self.storage.write_at(&[7; 4096], page * 4096)
    }

    /// The next superblock, the same but for its number and `change`.
    fn next(&self, change: impl FnOnce(&mut Superblock)) -> Superblock {
        let checkpoint = self.newest.checkpoint + 1;
        let mut next = Superblock { checkpoint, ..self.newest.clone() };
        change(&mut next);
        next
    }

    fn write_copy(&self, superblock: &Superblock, copy: u64) -> io::Result<()> {
        let offset = Superblock::offset(superblock.checkpoint % 2, copy);
        self.storage.write_durable(&superblock.encode(), offset)
    }

    /// Writes a map in which `page` has an owner to the other slots, and returns the superblock that
    /// names it.
    fn write_map_with(&self, page: u64) -> Superblock {
        let (_, mut group) = self.group(0);
        group[8 * page as usize] = 1;
        let (_, mut top) = self.directory();
        let old = DirectoryEntry::decode(&top, 0).unwrap();
        top[..4].copy_from_slice(&crc32fast::hash(&group).to_le_bytes());
        top[8] = 1 - old.slot;
        let slot = 1 - self.newest.map.slot;
        let at = |page: PageId| page.0 * 4096;
        self.storage.write_at(&group, at(self.geometry.group_slot(0, 1 - old.slot))).unwrap();
        for place in 0..2 {
            let page = self.geometry.directory_slot(1, 0, slot, place);
            self.storage.write_at(&top, at(page)).unwrap();
        }
        self.next(|next| {
            next.map.slot = slot;
            next.map.crc = crc32fast::hash(&top);
        })
    }

    /// The block of the file that follows the last record.
    fn log_end(&self) -> u64 {
        let log = self.newest.log;
        let mut scan = cowslip_pager::log::Scan::new(
            &*self.disk,
            &self.geometry,
            &log,
            self.newest.store,
            self.newest.checkpoint,
        );
        let mut body = Vec::new();
        while scan.next(&mut body).unwrap().is_some() {}
        log.page.0 + scan.tail().at.div_ceil(4096) % log.blocks
    }

    #[track_caller]
    fn noticed(self, result: io::Result<()>, rule: &str) {
        let error = result.expect_err("it was to fail").to_string();
        let verdict = self.watch.verdict().expect("a verdict");
        assert!(error.contains(&verdict), "{error}, {verdict}");
        assert!(verdict.contains(rule), "{verdict}");
        assert!(panics(|| self.watch.assert_content()));
    }

    #[track_caller]
    fn content(self, result: io::Result<()>) {
        result.unwrap();
        self.watch.assert_content();
    }
}

#[test]
fn a_page_with_an_owner_is_not_written() {
    let store = Store::new();
    let page = store.user_page(true);
    let result = store.write(page);
    store.noticed(result, "I1:");
    let store = Store::new();
    let page = store.user_page(false);
    let result = store.write(page);
    store.content(result);
}

#[test]
fn a_map_slot_in_use_is_not_written() {
    let store = Store::new();
    let result = store.write(store.group(0).0);
    store.noticed(result, "R5:");
    let store = Store::new();
    let result = store.write(store.directory().0 + 1);
    store.noticed(result, "R5:");
    let store = Store::new();
    let other = store.geometry.group_slot(0, 0).0 + store.geometry.group_slot(0, 1).0;
    let result = store.write(other - store.group(0).0);
    store.content(result);
}

#[test]
fn a_superblock_comes_after_a_sync_of_its_map_and_its_pages() {
    let with = |early: bool, synced: bool| {
        let store = Store::new();
        let page = store.user_page(false);
        if early {
            store.write(page).unwrap();
            store.storage.sync().unwrap();
        }
        let next = store.write_map_with(page);
        if !early {
            store.storage.sync().unwrap();
            store.write(page).unwrap();
        }
        if synced {
            store.storage.sync().unwrap();
        }
        let result = store.write_copy(&next, 0).and_then(|()| store.write_copy(&next, 1));
        (store, result)
    };
    let (store, result) = with(true, false);
    store.noticed(result, "a slot of the map that it names, is not durable");
    let (store, result) = with(false, false);
    store.noticed(result, "with an owner in its map, is not durable");
    let (store, result) = with(true, true);
    // From now on the page is protected.
    result.unwrap();
    let page = store.user_page(false);
    let result = store.write(page);
    store.noticed(result, "I1:");
}

#[test]
fn a_superblock_names_a_map_that_is_there() {
    let store = Store::new();
    let result = store.write_copy(&store.next(|next| next.map.crc ^= 1), 0);
    store.noticed(result, "I2:");
}

#[test]
fn growth_is_synced_before_the_superblock_that_needs_it() {
    let grown = |sync: bool| {
        let store = Store::new();
        let pages = store.newest.pages + 8;
        store.storage.set_len(pages * 4096).unwrap();
        if sync {
            store.storage.sync().unwrap();
        }
        let result = store.write_copy(&store.next(|next| next.pages = pages), 0);
        (store, result)
    };
    let (store, result) = grown(false);
    store.noticed(result, "I2:");
    let (store, result) = grown(true);
    store.content(result);
}

#[test]
fn what_a_failed_write_or_sync_lost_is_not_durable_after_the_next_sync() {
    for failing_sync in [false, true] {
        let store = Store::new();
        let page = store.user_page(false);
        let next = store.write_map_with(page);
        if failing_sync {
            store.write(page).unwrap();
        }
        store.disk.fail_at(store.disk.calls(), FaultKind::Eio, false);
        match failing_sync {
            true => store.storage.sync().unwrap_err(),
            false => store.write(page).unwrap_err(),
        };
        store.storage.sync().unwrap();
        let result = store.write_copy(&next, 0);
        store.noticed(result, "I2:");
    }
}

#[test]
fn the_newest_superblock_is_not_written_over() {
    let store = Store::new();
    let older = store.next(|next| next.checkpoint = store.newest.checkpoint - 1);
    let result = store.write_copy(&older, 0);
    store.noticed(result, "slots:");
    let store = Store::new();
    let result = store.write_copy(&store.next(|next| next.checkpoint += 1), 0);
    store.noticed(result, "slots:");
    let store = Store::new();
    let offset = Superblock::offset(store.newest.checkpoint % 2, 0);
    let result = store.storage.write_durable(&[0; 4096], offset);
    store.noticed(result, "slots:");
    let store = Store::new();
    let result = store.storage.write_at(&[0; 8192], 4096);
    store.noticed(result, "slots:");
}

#[test]
fn the_copies_of_a_superblock_are_durable_one_after_the_other() {
    let store = Store::new();
    let next = store.next(|_| ());
    let bytes = next.encode();
    store.storage.write_at(&bytes, Superblock::offset(next.checkpoint % 2, 0)).unwrap();
    let result = store.write_copy(&next, 1);
    store.noticed(result, "slots:");
    // A checkpoint that stands once only must not be followed by the next.
    let store = Store::new();
    let next = store.next(|_| ());
    store.write_copy(&next, 0).unwrap();
    let result = store.write_copy(&store.next(|next| next.checkpoint += 1), 0);
    store.noticed(result, "slots:");
    // A torn copy is made good from the other one, but not the other way round.
    for copy in 0..2 {
        let image = Store::new();
        let offset = Superblock::offset(image.newest.checkpoint % 2, 0);
        image.disk.write_at(&[1; 100], offset + 50).unwrap();
        let store = Store::on(image.disk);
        let result = store.write_copy(&store.newest, copy);
        match copy {
            0 => store.content(result),
            _ => store.noticed(result, "slots:"),
        }
    }
}

#[test]
fn a_live_block_of_the_log_is_written_durably_once() {
    let store = Store::after(&[put(1, 100), Op::Commit(Durability::Immediate)]);
    let end = store.log_end();
    let result = store.write(end - 1);
    store.noticed(result, "R8:");
    let store = Store::after(&[put(1, 100), Op::Commit(Durability::Immediate)]);
    store.storage.sync().unwrap();
    store.write(end).unwrap();
    store.write(end).unwrap();
    store.storage.write_durable(&[7; 4096], end * 4096).unwrap();
    let result = store.write(end);
    store.noticed(result, "R8:");
}

#[test]
fn the_log_does_not_run_into_its_live_part() {
    let store = Store::new();
    store.storage.sync().unwrap();
    let log = store.newest.log;
    let place = |n: u64| log.page.0 + (log.at / 4096 + n) % log.blocks;
    for n in 0..log.blocks {
        store.storage.write_durable(&[7; 4096], place(n) * 4096).unwrap();
    }
    let result = store.write(place(log.blocks));
    store.noticed(result, "R8:");
    // It may as soon as a superblock says so.
    let store = Store::new();
    store.storage.sync().unwrap();
    for n in 0..log.blocks {
        store.storage.write_durable(&[7; 4096], place(n) * 4096).unwrap();
    }
    let next = store.next(|next| next.log.at += 2 * 4096);
    store.write_copy(&next, 0).unwrap();
    store.write_copy(&next, 1).unwrap();
    store.write(place(log.blocks)).unwrap();
    let result = store.write(place(log.blocks + 2));
    store.noticed(result, "R8:");
}

#[test]
fn a_durable_write_of_the_log_leaves_nothing_behind_that_is_not_durable() {
    let store = Store::new();
    let end = store.log_end();
    store.write(end).unwrap();
    let result = store.storage.write_durable(&[7; 4096], (end + 1) * 4096);
    store.noticed(result, "R9:");
    // What an opening finds may stand in the system's cache only.
    let ops = [put(1, 100), Op::Commit(Durability::Immediate)];
    for synced in [false, true] {
        let store = Store::after(&ops);
        if synced {
            store.storage.sync().unwrap();
        }
        let end = store.log_end();
        let result = store.storage.write_durable(&[7; 4096], end * 4096);
        match synced {
            true => store.content(result),
            false => store.noticed(result, "R9:"),
        }
    }
}

#[test]
fn a_commit_is_acknowledged_when_its_records_are_durable() {
    let acknowledged = |wrote: bool, plain: bool, durable: bool| {
        let store = Store::new();
        store.storage.sync().unwrap();
        let end = store.log_end();
        let begun = store.watch.moment();
        if plain {
            store.write(end).unwrap();
        }
        if durable {
            store.storage.write_durable(&[7; 4096], end * 4096).unwrap();
        }
        !panics(|| store.watch.acknowledged(begun, wrote))
    };
    assert!(acknowledged(true, false, true));
    assert!(acknowledged(true, true, true));
    assert!(acknowledged(false, false, false));
    assert!(!acknowledged(true, false, false), "nothing was durable");
    assert!(!acknowledged(false, true, false), "a record is not durable");
}

#[test]
fn the_file_is_cut_after_the_superblock_that_says_so() {
    let store = Store::new();
    let result = store.storage.set_len((store.newest.pages - 1) * 4096);
    store.noticed(result, "cut:");
    let store = Store::new();
    let next = store.next(|next| next.pages -= 1);
    store.write_copy(&next, 0).unwrap();
    let result = store.storage.set_len(next.pages * 4096);
    store.content(result);
}

/// The disk under a monitor sees the very same calls as without one.
#[test]
fn the_disk_sees_the_same_calls() {
    let lives = |disk: &Arc<SimulatedStorage>, storage: Arc<dyn Storage>| {
        let db = builder().open_or_create_on(storage).unwrap();
        for round in 0..20u32 {
            let tx = db.begin_write().unwrap();
            tx.open_table("t").unwrap().insert(&round.to_be_bytes(), &[1; 9000]).unwrap();
            tx.commit().unwrap();
        }
        db.checkpoint().unwrap();
        db.close().unwrap();
        (disk.calls(), disk.reads(), disk.bytes_read(), disk.events(), disk.freeze().len())
    };
    let (bare, watched) = (Arc::new(SimulatedStorage::new()), Arc::new(SimulatedStorage::new()));
    for _ in 0..2 {
        let (storage, watch) = Monitor::over_disk(&watched);
        assert_eq!(lives(&bare, bare.clone()), lives(&watched, storage));
        watch.assert_content();
    }
}

/// Everything that writes, in peace: nothing is noticed.
#[test]
fn a_normal_life_raises_nothing() {
    for page_size in [4096, 16384, 65536] {
        let mut session = Session::new(Database::builder().cache_size(256 * page_size), page_size);
        let mut ops: Vec<Op> = (0..200).map(|key| put(key, 300)).collect();
        for round in 0..6u16 {
            ops.extend([
                put(round, 9000),
                put(50, 40_000 + u32::from(round)),
                Op::Commit(Durability::Eventual),
                put(51, 100),
                Op::Commit(Durability::None),
                Op::Snapshot { name: (round % 2) as u8 },
                Op::Rollback { name: (round % 2) as u8 },
                Op::Checkpoint,
                put(52, (1 << 20) + 10),
                Op::Commit(Durability::Immediate),
                Op::RemoveRange { table: 0, from: Some(60), to: None },
                Op::Commit(Durability::Immediate),
                Op::DeleteSnapshot { name: (round % 2) as u8 },
                Op::Reopen,
                put(53, 300_000),
                Op::Commit(Durability::Eventual),
                Op::PowerCut { seed: u64::from(round) },
            ]);
        }
        ops.iter().for_each(|op| session.apply(op).unwrap());
        session.db().compact().unwrap();
        session.finish().unwrap();
    }
    let mut db = Scratch::file(Database::builder().cache_size(1 << 20));
    for round in 0..40u32 {
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(&round.to_be_bytes(), &[1; 50_000]).unwrap();
        tx.commit().unwrap();
    }
    db.reopen();
}
