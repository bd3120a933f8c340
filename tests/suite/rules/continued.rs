//! R13: a version is continued in place only while it is nobody's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cowslip::{
    Database, Durability, Error,
    storage::simulated::{FaultKind, Plan, SectorSize},
};
use cowslip_harness::{Scratch, session::disk_of};

use super::{reopened, set};

fn value(db: &Database, key: &[u8]) -> Option<Vec<u8>> {
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    table.get(key).unwrap().map(|value| value.to_vec())
}

/// A database whose newest version could be continued.
fn begun(durability: Durability) -> (Scratch, std::sync::Arc<cowslip::storage::SimulatedStorage>) {
    let (db, disk) = Scratch::simulated(Database::builder());
    (0..500u32).for_each(|n| set(&db, &n.to_be_bytes(), b"first", Durability::None));
    let before = db.stats().continued;
    set(&db, b"key", b"old", durability);
    set(&db, b"key", b"old", durability);
    assert!(db.stats().continued > before);
    (db, disk)
}

#[test]
fn r13_a_weak_commit_copies_nothing_where_nobody_reads_the_newest_version() {
    for durability in [Durability::None, Durability::Eventual] {
        let (db, _) = begun(durability);
        let before = db.stats();
        (0..100u32).for_each(|n| set(&db, &(n % 7).to_be_bytes(), b"again", durability));
        let after = db.stats();
        assert_eq!(after.continued - before.continued, 100);
        // Each leaf once; there are few.
        assert!(after.cache.copies - before.cache.copies < 10);
        assert_eq!(value(&db, &3u32.to_be_bytes()).unwrap(), b"again");
    }
}

#[test]
fn r13_a_reader_keeps_his_version_whatever_is_continued() {
    let (db, _) = begun(Durability::None);
    let mut readers = Vec::new();
    for n in 0..200u32 {
        let name = n.to_be_bytes();
        set(&db, b"key", &name, Durability::None);
        set(&db, &n.to_be_bytes(), b"second", Durability::None);
        if n % 3 == 0 {
            readers.push((name, db.begin_read().unwrap().open_table("t").unwrap()));
        }
        if n % 10 == 0 {
            readers.drain(..readers.len() / 2);
        }
        for (name, table) in &readers {
            assert_eq!(&*table.get(b"key").unwrap().unwrap(), &name[..]);
            let n = u32::from_be_bytes(*name);
            assert_eq!(&*table.get(name).unwrap().unwrap(), b"second");
            if n < 499 {
                assert_eq!(&*table.get(&(n + 1).to_be_bytes()).unwrap().unwrap(), b"first");
            }
        }
    }
    assert!(db.stats().continued > 100);
}

#[test]
fn r13_numbers_of_versions_grow_though_one_is_continued() {
    let (db, _) = begun(Durability::None);
    let mut last = 0;
    for n in 0..50u32 {
        set(&db, b"key", &n.to_be_bytes(), Durability::None);
        let number = db.begin_read().unwrap().number();
        assert!(number > last);
        last = number;
    }
}

/// What was committed after the seal comes from the log, never from the pages that the checkpoint has.
#[test]
fn r13_a_sealed_version_is_not_continued() {
    let (db, disk) = begun(Durability::None);
    set(&db, b"key", b"sealed", Durability::None);
    db.checkpoint().unwrap();
    let sealed = disk.image();
    let before = db.stats();
    set(&db, b"key", b"later", Durability::None);
    let after = db.stats();
    assert_eq!(after.continued, before.continued);
    assert!(after.cache.copies > before.cache.copies);
    set(&db, b"key", b"latest", Durability::None);
    assert_eq!(db.stats().continued, after.continued + 1);
    assert_eq!(value(&reopened(&sealed).unwrap(), b"key").unwrap(), b"sealed");
    assert_eq!(value(&reopened(&disk.image()).unwrap(), b"key").unwrap(), b"sealed");
    assert_eq!(value(&db, b"key").unwrap(), b"latest");
}

#[test]
fn r13_snapshots_branches_and_bookmarks_keep_what_they_had() {
    let (db, _) = begun(Durability::None);
    for n in 0..40u32 {
        let name = n.to_string();
        set(&db, b"key", name.as_bytes(), Durability::None);
        set(&db, &n.to_be_bytes(), name.as_bytes(), Durability::None);
        db.create_snapshot(&name).unwrap();
        if n % 5 == 0 {
            db.create_branch(&format!("of {n}"), &name).unwrap();
        }
        set(&db, b"key", b"overwritten", Durability::None);
        set(&db, b"key", b"overwritten in place", Durability::None);
    }
    for n in 0..40u32 {
        let name = n.to_string();
        let table = db.begin_read_at(&name).unwrap().open_table("t").unwrap();
        assert_eq!(&*table.get(b"key").unwrap().unwrap(), name.as_bytes());
        let untouched = table.get(&(n + 1).to_be_bytes()).unwrap().unwrap();
        assert_eq!(&*untouched, b"first");
    }
}

#[test]
fn r13_what_a_failed_transaction_has_edited_is_put_back() {
    for kind in [FaultKind::Eio, FaultKind::Enospc, FaultKind::Panic] {
        let (mut db, disk) = begun(Durability::Eventual);
        let number = db.begin_read().unwrap().number();
        disk.fail_at(disk.calls(), kind, true);
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::Eventual);
        {
            let mut table = tx.open_table("t").unwrap();
            assert!(table.insert(b"key", b"lost").unwrap());
            assert!(!table.insert(b"other", b"lost").unwrap());
            assert!(table.remove(&7u32.to_be_bytes()).unwrap());
        }
        let committed = catch_unwind(AssertUnwindSafe(|| tx.commit()));
        assert!(!matches!(committed, Ok(Ok(()))));
        assert_eq!(value(&db, b"key").unwrap(), b"old");
        assert_eq!(value(&db, b"other"), None);
        assert_eq!(value(&db, &7u32.to_be_bytes()).unwrap(), b"first");
        assert_eq!(db.begin_read().unwrap().number(), number);
        assert!(matches!(db.begin_write(), Err(Error::Poisoned { .. })));
        disk.clear_faults();
        assert!(db.close().is_err());
    }
}

#[test]
fn r13_a_transaction_sees_what_it_has_postponed() {
    let (db, _) = begun(Durability::None);
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(Durability::None);
    {
        let mut table = tx.open_table("t").unwrap();
        assert!(!table.insert(b"new", b"1").unwrap());
        assert!(table.insert(b"new", b"2").unwrap());
        assert!(table.remove(b"new").unwrap());
        assert!(!table.remove(b"new").unwrap());
        assert!(!table.insert(b"new", b"3").unwrap());
        assert_eq!(&*table.get(b"new").unwrap().unwrap(), b"3");
        assert_eq!(table.len().unwrap(), 502);
        assert!(table.remove(b"key").unwrap());
    }
    tx.abort().unwrap();
    assert_eq!(value(&db, b"new"), None);
    assert_eq!(value(&db, b"key").unwrap(), b"old");
}

/// Power cuts at every call: what is there afterwards is a prefix, and no page of a checkpoint has more.
#[test]
fn r13_every_cut_leaves_a_prefix() {
    let (db, disk) = Scratch::simulated(Database::builder());
    for n in 0..120u64 {
        let durability = [Durability::None, Durability::Eventual, Durability::None][n as usize % 3];
        set(&db, b"a", &n.to_be_bytes(), durability);
        set(&db, &n.to_be_bytes(), b"row", durability);
        if n % 40 == 39 {
            db.checkpoint().unwrap();
        } else if n % 25 == 0 {
            set(&db, b"b", &n.to_be_bytes(), Durability::Immediate);
        }
    }
    assert!(db.stats().continued > 150);
    let history = disk.history();
    let mut explorer = history.explore(SectorSize::B512);
    let mut cuts = 0;
    loop {
        for plan in [Plan::None, Plan::Seeded(cuts)] {
            let image = explorer.cut().image(&plan);
            cowslip_harness::check::after_crash(&*disk_of(&image)).unwrap();
            let Ok(db) = Database::builder().background(false).open_or_create_on(disk_of(&image))
            else {
                continue;
            };
            let Ok(table) = db.begin_read().unwrap().open_table("t") else { continue };
            let newest = table
                .get(b"a")
                .unwrap()
                .map_or(0, |value| u64::from_be_bytes(value.to_vec().try_into().unwrap()));
            let rows =
                table.range(0u64.to_be_bytes()..200u64.to_be_bytes()).unwrap().count() as u64;
            assert!(rows == newest || rows == newest + 1, "{rows} rows beside {newest}");
        }
        cuts += 1;
        if !explorer.advance() {
            break;
        }
    }
    assert!(cuts > 100);
}
