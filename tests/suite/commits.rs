//! A commit is whole or not at all, and costs what it must: one durable write.

use std::sync::Arc;

use cowslip::{
    Database, Durability, Error,
    storage::simulated::{Event, Plan, SectorSize},
};
use cowslip_harness::{Model, Scratch, session::disk_of};

fn put(db: &Database, key: &[u8], value: &[u8], durability: Durability) {
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(durability);
    tx.open_table("t").unwrap().insert(key, value).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_durable_commit_is_one_durable_write_and_no_sync() {
    let (db, disk) = Scratch::simulated(Database::builder());
    put(&db, b"first", b"value", Durability::Immediate);
    // Before the log calls for a checkpoint.
    for number in 0..25u32 {
        let before = disk.history().events().len();
        put(&db, &number.to_be_bytes(), &[7; 200], Durability::Immediate);
        let history = disk.history();
        let events = &history.events()[before..];
        assert!(
            matches!(events, [Event::WriteDurable { data, .. }] if data.len() == 4096),
            "commit {number}: {events:?}"
        );
    }
}

#[test]
fn a_snapshot_costs_one_durable_write_whatever_the_size() {
    let (db, disk) = Scratch::simulated(Database::builder());
    let mut costs = Vec::new();
    for size in [10u32, 10_000] {
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for n in 0..size {
                table.insert(&n.to_be_bytes(), &[1; 50]).unwrap();
            }
        }
        tx.commit().unwrap();
        db.checkpoint().unwrap();
        let before = disk.history().events().len();
        db.create_snapshot(&format!("of {size}")).unwrap();
        let history = disk.history();
        let bytes = history.events()[before..].iter().map(|event| match event {
            Event::Write { data, .. } | Event::WriteDurable { data, .. } => data.len(),
            _ => 0,
        });
        costs.push((history.events().len() - before, bytes.sum::<usize>()));
    }
    assert_eq!(costs[0], costs[1]);
    assert_eq!(costs[0].0, 1);
}

#[test]
fn an_aborted_transaction_leaves_no_trace() {
    let db = Scratch::memory(Database::builder());
    put(&db, b"k", b"v", Durability::Immediate);
    let before = Model::read(&db).unwrap();
    for explicitly in [true, false] {
        let tx = db.begin_write().unwrap();
        tx.open_table("new").unwrap().insert(b"x", &[1; 100_000]).unwrap();
        tx.open_table("t").unwrap().remove(b"k").unwrap();
        assert_eq!(tx.tables().unwrap(), ["new", "t"]);
        if explicitly {
            tx.abort().unwrap()
        } else {
            drop(tx)
        }
        before.assert_is(&db);
    }
}

#[test]
fn a_second_write_transaction_of_the_same_thread_is_an_error_and_not_a_hang() {
    let db = Scratch::memory(Database::builder());
    let tx = db.begin_write().unwrap();
    assert!(matches!(db.begin_write(), Err(Error::NestedTransaction)));
    assert!(matches!(db.try_begin_write(), Err(Error::NestedTransaction)));
    assert!(matches!(db.create_snapshot("s"), Err(Error::NestedTransaction)));
    assert!(matches!(db.rollback("s"), Err(Error::NestedTransaction)));
    assert!(matches!(db.checkpoint(), Err(Error::NestedTransaction)));
    tx.commit().unwrap();
    drop(db.begin_write().unwrap());
}

#[test]
fn another_thread_waits_or_is_told() {
    let db = Scratch::memory(Database::builder());
    let tx = db.begin_write().unwrap();
    std::thread::scope(|scope| {
        let other = Database::clone(&db);
        scope.spawn(move || assert!(other.try_begin_write().unwrap().is_none())).join().unwrap();
        let other = Database::clone(&db);
        let waiting = scope.spawn(move || put(&other, b"later", b"", Durability::Immediate));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished());
        tx.commit().unwrap();
        waiting.join().unwrap();
    });
}

/// The version that an `Immediate` commit leaves survives, also where the commit itself changed
/// nothing: otherwise there would be no way to make weak commits durable.
#[test]
fn an_empty_durable_commit_makes_the_weak_ones_before_it_durable() {
    for weak in [Durability::None, Durability::Eventual] {
        let (db, disk) = Scratch::simulated(Database::builder());
        put(&db, b"weak", b"commit", weak);
        db.begin_write().unwrap().commit().unwrap();
        let history = disk.history();
        let image = history.crash_at(usize::MAX, SectorSize::B512, &Plan::None);
        let again =
            Database::builder().background(false).open_or_create_on(disk_of(&image)).unwrap();
        let tables = again.begin_read().unwrap().tables().unwrap();
        assert_eq!(tables, ["t"], "after {weak:?}");
    }
}

#[test]
fn what_a_process_crash_leaves_contains_every_eventual_commit() {
    let (db, disk) = Scratch::simulated(Database::builder());
    put(&db, b"a", b"1", Durability::Eventual);
    put(&db, b"b", b"2", Durability::None);
    put(&db, b"c", b"3", Durability::Eventual);
    let again = Database::builder().open_or_create_on(disk_of(&disk.image())).unwrap();
    let table = again.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.len().unwrap(), 3);
}

#[test]
fn a_closed_database_refuses_writes_and_goes_on_reading() {
    let db = Scratch::memory(Database::builder());
    put(&db, b"k", b"v", Durability::Immediate);
    let other = Database::clone(&db);
    other.close().unwrap();
    assert!(matches!(db.begin_write(), Err(Error::Poisoned { .. })));
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().get(b"k").unwrap().unwrap(), b"v");
}

/// Waiting for its own transaction would never end; and whoever else closes waits for it.
#[test]
fn closing_in_the_middle_of_a_transaction_is_refused_or_waits_and_loses_nothing() {
    let mut db = Scratch::memory(Database::builder());
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"before", b"v").unwrap();
    assert!(matches!(Database::clone(&db).close(), Err(Error::NestedTransaction)));
    tx.open_table("t").unwrap().insert(b"behind", b"v").unwrap();
    tx.commit().unwrap();
    put(&db, b"later", b"v", Durability::Immediate);
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"last", b"v").unwrap();
    std::thread::scope(|scope| {
        let other = Database::clone(&db);
        let closing = scope.spawn(move || other.close().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!closing.is_finished());
        assert!(matches!(Database::clone(&db).close(), Err(Error::NestedTransaction)));
        tx.commit().unwrap();
        closing.join().unwrap();
    });
    db.reopen();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 4);
}

#[test]
fn two_databases_in_one_process_do_not_disturb_each_other() {
    let one = Scratch::file(Database::builder());
    let two = Scratch::file(Database::builder().page_size(16384));
    let (tx_one, tx_two) = (one.begin_write().unwrap(), two.begin_write().unwrap());
    tx_one.open_table("t").unwrap().insert(b"k", b"one").unwrap();
    tx_two.open_table("t").unwrap().insert(b"k", b"two").unwrap();
    tx_two.commit().unwrap();
    tx_one.commit().unwrap();
    for (db, value) in [(&one, b"one"), (&two, b"two")] {
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        assert_eq!(table.get(b"k").unwrap().unwrap(), value);
    }
}

/// A transaction much larger than the cache writes its pages early, and memory stays bounded.
#[test]
fn a_transaction_may_be_larger_than_the_cache() {
    let builder = Database::builder().cache_size(1 << 20);
    let mut db = Scratch::file(builder);
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for number in 0..60_000u32 {
            let key = number.wrapping_mul(0x9E37_79B1).to_be_bytes();
            table.insert(&key, &[number as u8; 150]).unwrap();
        }
    }
    let cache = db.stats().cache;
    tx.commit().unwrap();
    db.reopen();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.len().unwrap(), 60_000);
    for number in (0..60_000u32).step_by(7) {
        let key = number.wrapping_mul(0x9E37_79B1).to_be_bytes();
        assert_eq!(table.get(&key).unwrap().unwrap(), [number as u8; 150], "{cache:?}");
    }
}

#[test]
fn an_aborted_transaction_larger_than_the_cache_leaves_no_trace() {
    let mut db = Scratch::file(Database::builder().cache_size(1 << 20));
    put(&db, b"k", b"v", Durability::Immediate);
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        (0..30_000u32).for_each(|n| assert!(!table.insert(&n.to_be_bytes(), &[1; 150]).unwrap()));
    }
    drop(tx);
    db.reopen();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 1);
    let table = Arc::new(db.begin_read().unwrap().open_table("t").unwrap());
    assert_eq!(table.get(b"k").unwrap().unwrap(), b"v");
}
