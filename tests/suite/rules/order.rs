//! R9 to R12: in which order commits become durable, and what recovery builds on.

use std::sync::Arc;

use cowslip::{
    Database, Durability,
    storage::{
        MemoryStorage, SimulatedStorage, Storage,
        simulated::{Plan, SectorSize},
    },
};
use cowslip_harness::{
    Gate, Op, Scratch, Seed, Session,
    cowslip::Cowslip,
    explore::{Options, must_survive},
    session::disk_of,
};
use cowslip_pager::{Config, Pager};

use super::{Opaque, assert_session_begins_first, pager, put, reopened, set};

/// What recovery accepted it has made durable: a second cut, right after it, takes nothing back.
#[test]
fn r9_recovery_makes_durable_what_it_accepts() {
    let disk = Arc::new(SimulatedStorage::new());
    let builder = Database::builder().background(false);
    let db = builder.open_or_create_on(disk.clone()).unwrap();
    (0..5u32).for_each(|n| set(&db, &n.to_be_bytes(), b"v", Durability::Eventual));
    // The process dies; its unsynced writes live on in the system's cache.
    std::mem::forget(db);
    let db = builder.open_or_create_on(disk.clone()).unwrap();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 5);
    let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &Plan::None);
    let db = reopened(&image).unwrap();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 5);
}

#[test]
fn r9_what_is_lost_is_a_suffix() {
    let seed = Seed::get();
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    let levels = [Durability::None, Durability::Eventual, Durability::Immediate];
    for (number, level) in [1, 0, 1, 1, 0, 2, 0, 1, 0].into_iter().enumerate() {
        session.apply(&put(number as u16, 1200)).unwrap();
        session.apply(&Op::Commit(levels[level])).unwrap();
    }
    must_survive(&Cowslip::default(), &session.kill(), &Options::exhaustive(seed.value()));
}

/// Acknowledgements go in the order of the log: a weak commit does not overtake a durable one that
/// still waits for the disk.
#[test]
fn r9_a_weak_commit_is_not_acknowledged_before_an_earlier_durable_one() {
    for weak in [Durability::Eventual, Durability::None] {
        let gate = Gate::new(Arc::new(MemoryStorage::new()));
        let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
        gate.durable_writes().hold(1);
        let (early, first, second) = std::thread::scope(|scope| {
            let db = &*db;
            let first = scope.spawn(move || set(db, b"a", b"1", Durability::Immediate));
            gate.durable_writes().wait_until_held();
            let second = scope.spawn(move || set(db, b"b", b"2", weak));
            std::thread::sleep(std::time::Duration::from_millis(100));
            let early = second.is_finished();
            gate.durable_writes().open();
            (early, first.join(), second.join())
        });
        first.and(second).unwrap();
        assert!(!early, "{weak:?} was acknowledged first");
    }
}

/// A bulk load is not logged; the commit after it must not be replayed onto a state without it.
#[test]
fn r10_a_commit_after_a_bulk_load_is_never_there_without_it() {
    let seed = Seed::get();
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for op in [
        put(1, 10),
        Op::Commit(Durability::Eventual),
        put(2, (1 << 20) + 1),
        Op::Commit(Durability::None),
        put(3, 10),
        Op::Commit(Durability::Immediate),
    ] {
        session.apply(&op).unwrap();
    }
    let options = Options { classes_per_cut: 60, ..Options::exhaustive(seed.value()) };
    must_survive(&Cowslip::default(), &session.kill(), &options);
}

/// Nothing can be appended behind a transaction that is not in the log before it is durable.
#[test]
fn r10_nobody_writes_before_an_unlogged_transaction_is_durable() {
    let gate = Gate::new(Arc::new(MemoryStorage::new()));
    let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
    gate.syncs().hold(1);
    let (early, bulk) = std::thread::scope(|scope| {
        let db = &*db;
        let bulk = scope.spawn(move || set(db, b"bulk", &vec![1; (1 << 20) + 1], Durability::None));
        gate.syncs().wait_until_held();
        let early = db.try_begin_write().unwrap().is_some();
        gate.syncs().open();
        (early, bulk.join())
    });
    bulk.unwrap();
    assert!(!early, "a transaction could begin");
}

/// A large value whose commit was acknowledged is whole, though its pages were never synced.
#[test]
fn r11_a_large_value_is_whole_as_soon_as_its_commit_is_durable() {
    // Beside many dirty pages a long record is logged; beside few its transaction is a checkpoint.
    let lengths = [5000u32, 100_000, 1 << 20, (1 << 20) + 1];
    for (length, rows) in lengths.into_iter().flat_map(|length| [(length, 0u32), (length, 8000)]) {
        let (db, disk) = Scratch::simulated(Database::builder());
        let tx = db.begin_write().unwrap();
        for row in 0..rows {
            tx.open_table("others").unwrap().insert(&row.to_be_bytes(), &[7; 100]).unwrap();
        }
        tx.commit().unwrap();
        let value = cowslip_harness::op::value(length, 5);
        set(&db, b"k", &value, Durability::Immediate);
        let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &Plan::None);
        let db = reopened(&image).unwrap();
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        assert!(table.get(b"k").unwrap().unwrap() == value, "{length} bytes");
    }
}

#[test]
fn r12_stamps_start_above_every_one_that_a_lost_past_may_have_given() {
    let disk = Arc::new(SimulatedStorage::new());
    let first = pager(disk.clone());
    let mut highest = 0;
    for _ in 0..20 {
        let mut txn = first.begin_write().unwrap();
        highest = txn.stamp();
        let page = txn.allocate(1, 0, 1).unwrap();
        txn.set_root(page);
        txn.commit(Some(b"record"), cowslip_pager::Durability::Immediate).unwrap();
    }
    // Stamps that the log knows nothing of.
    for _ in 0..200 {
        let txn = first.begin_write().unwrap();
        highest = txn.stamp();
        txn.abort();
    }
    let mut image = disk.image();
    for life in 0..3 {
        let disk = disk_of(&image);
        let config = Config { background: false, cache_size: 1 << 20, ..Config::default() };
        let storage: Arc<dyn Storage> = disk.clone();
        let (pager, replay) = Pager::open(storage, config, Arc::new(Opaque)).unwrap();
        pager.recover(replay, |_, _| false, |txn, _| Ok::<_, cowslip_pager::Error>(txn)).unwrap();
        let txn = pager.begin_write().unwrap();
        assert!(txn.stamp() > highest, "life {life}: {} after {highest}", txn.stamp());
        highest = txn.stamp();
        let mut txn = txn;
        let page = txn.allocate(1, 0, 1).unwrap();
        txn.set_root(page);
        txn.commit(None, cowslip_pager::Durability::Immediate).unwrap();
        image = disk.history().crash_at(usize::MAX, SectorSize::B512, &Plan::None);
    }
}

/// A page that a transaction larger than the cache spills carries a stamp of this session: on disk, the
/// session has begun by then, so that no later one gives the stamp again.
#[test]
fn r12_no_page_is_spilled_before_the_superblock_of_its_session() {
    let (mut scratch, disk) = Scratch::simulated(Database::builder().cache_size(64 * 4096));
    scratch.reopen();
    let opened = disk.events();
    let tx = scratch.begin_write().unwrap();
    for n in 0..500u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[1; 1500]).unwrap();
    }
    let history = disk.history();
    let events = &history.events()[opened..];
    assert_session_begins_first(events);
    tx.abort().unwrap();
}

/// What an `Eventual` commit was promised: the background thread makes it durable within seconds, though
/// nobody asks again.
#[test]
fn r9_an_eventual_commit_is_durable_soon() {
    let disk = Arc::new(SimulatedStorage::new());
    let builder = Database::builder().cache_size(1 << 20);
    let db = builder.open_or_create_on(disk.clone()).unwrap();
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(Durability::Eventual);
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    let begin = std::time::Instant::now();
    loop {
        let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &Plan::None);
        let found = reopened(&image).unwrap();
        if found.begin_read().unwrap().open_table("t").is_ok() {
            return;
        }
        assert!(begin.elapsed().as_secs() < 20, "not durable after 20 seconds");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
