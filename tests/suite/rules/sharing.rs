//! R1 to R4: what is shared, and who may write to it.

use std::sync::Arc;

use cowslip::{Database, Durability, storage::SimulatedStorage};
use cowslip_harness::{Model, Scratch};

use super::{pager, set};

#[test]
fn r1_a_page_that_somebody_else_has_pinned_is_not_changed_under_him() {
    let pager = pager(Arc::new(SimulatedStorage::new()));
    let mut txn = pager.begin_write().unwrap();
    let page = txn.allocate(1, 0, 1).unwrap();
    txn.edit(&page, |bytes| bytes[100] = 1).unwrap();
    let pinned = pager.view(txn.stamp()).pin(&page).unwrap();
    txn.edit(&page, |bytes| bytes[100] = 2).unwrap();
    assert_eq!(pinned[100], 1);
    assert_eq!(pager.view(txn.stamp()).pin(&page).unwrap()[100], 2);
    drop(pinned);
    txn.edit(&page, |bytes| bytes[100] = 3).unwrap();
    assert_eq!(pager.view(txn.stamp()).pin(&page).unwrap()[100], 3);
    txn.abort();
}

#[test]
fn r2_an_aborted_transaction_changes_no_count() {
    let db = Scratch::memory(Database::builder().background(false));
    let tx = db.begin_write().unwrap();
    for n in 0..2000u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[1; 80]).unwrap();
    }
    tx.commit().unwrap();
    db.create_snapshot("s").unwrap();
    db.checkpoint().unwrap();
    let used = db.stats().pages_used;
    for _ in 0..3 {
        // Shadows pages shared with the snapshot, and releases some.
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().remove_range(100u32.to_be_bytes()..).unwrap();
        tx.open_table("t").unwrap().insert(b"", &[1; 10_000]).unwrap();
        tx.abort().unwrap();
    }
    db.checkpoint().unwrap();
    assert_eq!(db.stats().pages_used, used);
    // With a wrong count, one of these would free what the other still needs.
    db.delete_snapshot("s").unwrap();
    db.wait_for_releases().unwrap();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.range::<&[u8]>(..).unwrap().map(Result::unwrap).count(), 2000);
}

/// Every event that adds an owner must be noticed by the branch that writes next.
#[test]
fn r3_sharing_is_noticed_after_every_event_that_shares() {
    let events: [fn(&Database); 6] = [
        |db| db.create_snapshot("x").unwrap(),
        |db| db.create_branch("x", "main").unwrap(),
        |db| db.create_branch("x", "s").unwrap(),
        |db| db.rollback("s").unwrap(),
        // To a snapshot of another branch, younger than anything that main ever shared.
        |db| {
            db.create_branch("x", "s").unwrap();
            let tx = db.begin_write_on("x").unwrap();
            tx.open_table("t").unwrap().insert(&7u32.to_be_bytes(), b"of x").unwrap();
            tx.open_table("t").unwrap().insert(b"large", &[4; 20_000]).unwrap();
            tx.commit().unwrap();
            db.create_snapshot_of("x", "of x").unwrap();
            db.rollback("of x").unwrap();
        },
        |db| {
            db.create_branch("x", "main").unwrap();
            db.promote("x").unwrap();
        },
    ];
    for (number, event) in events.into_iter().enumerate() {
        let mut db = Scratch::memory(Database::builder().background(false));
        for n in 0..500u32 {
            set(&db, &n.to_be_bytes(), &[1; 60], Durability::None);
        }
        set(&db, b"large", &[2; 20_000], Durability::None);
        db.create_snapshot("s").unwrap();
        // Pages younger than what main shares so far.
        set(&db, &7u32.to_be_bytes(), b"younger", Durability::None);
        set(&db, b"large", &[3; 20_000], Durability::None);
        event(&db);
        let before = Model::read(&db).unwrap();
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(&7u32.to_be_bytes(), b"new").unwrap();
        tx.open_table("t").unwrap().remove(b"large").unwrap();
        tx.commit().unwrap();
        db.reopen();
        let after = Model::read(&db).unwrap();
        assert_eq!(before.snapshots, after.snapshots, "event {number}");
        assert_eq!(before.branches.get("x"), after.branches.get("x"), "event {number}");
        assert_ne!(before.branches["main"], after.branches["main"]);
    }
}

#[test]
fn r4_a_parked_iterator_holds_nobody_up() {
    let db = Scratch::memory(Database::builder().cache_size(1 << 20));
    (0..50u32).for_each(|n| set(&db, &n.to_be_bytes(), &[1; 500], Durability::None));
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    let mut parked = table.range::<&[u8]>(..).unwrap();
    parked.next().unwrap().unwrap();
    // More pages than there are frames, while the iterator waits.
    let tx = db.begin_write().unwrap();
    for n in 0..10_000u32 {
        tx.open_table("other").unwrap().insert(&n.to_be_bytes(), &[1; 200]).unwrap();
    }
    tx.commit().unwrap();
    assert_eq!(parked.map(Result::unwrap).count(), 49);
}

/// Finding room for a page means waiting for readers to leave their epochs: whoever misses a page must
/// have left his own, or he waits for himself.
#[test]
fn r4_a_reader_that_misses_a_page_does_not_wait_for_itself() {
    let db = Scratch::memory(Database::builder().cache_size(1 << 20));
    let tx = db.begin_write().unwrap();
    for n in 0..10_000u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[1; 200]).unwrap();
    }
    tx.commit().unwrap();
    let (done, waiting) = std::sync::mpsc::channel();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    std::thread::spawn(move || {
        for n in (0..10_000u32).step_by(7) {
            table.get(&n.to_be_bytes()).unwrap().unwrap();
        }
        done.send(()).unwrap();
    });
    waiting.recv_timeout(std::time::Duration::from_secs(10)).expect("the reads end");
}
