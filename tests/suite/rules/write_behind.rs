//! R14: a page is written before a checkpoint asks for it only if nothing changes it any more, and its place is
//! kept until its bytes have arrived.

use std::sync::Arc;

use cowslip::{
    Database, Durability, Error,
    storage::{
        SimulatedStorage, Storage,
        simulated::{FaultKind, Plan, SectorSize},
    },
};
use cowslip_harness::{Gate, Model, Monitor, Scratch, Seed, op::value};

use super::{assert_every_cut_leaves_one_of, assert_session_begins_first, reopened, set};

/// Two large rows to a leaf, checkpointed.
fn fill(db: &Database) {
    for some in 0..10u64 {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::None);
        for n in some * 30..(some + 1) * 30 {
            tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[n as u8; 1500]).unwrap();
        }
        tx.commit().unwrap();
    }
    db.checkpoint().unwrap();
}

/// The same, closed.
fn filled() -> Vec<u8> {
    let (db, disk) = Scratch::simulated(Database::builder());
    fill(&db);
    drop(db);
    disk.image()
}

/// Pages of which `touch` makes a new version, at least.
const TOUCHED: u64 = 100;

/// A small row beside the large ones in each leaf: a short record, and nothing that calls for a checkpoint.
fn touch(db: &Database, round: u8) {
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(Durability::None);
    for n in 0..300u64 {
        let key = [&n.to_be_bytes()[..], b"small"].concat();
        tx.open_table("t").unwrap().insert(&key, &[round]).unwrap();
    }
    tx.commit().unwrap();
}

#[test]
fn r14_what_a_snapshot_has_got_is_written_before_the_checkpoint() {
    let (db, _) = Scratch::simulated(Database::builder());
    fill(&db);
    let filled = db.stats();
    touch(&db, 0);
    let touched = db.stats();
    assert_eq!(touched.written_behind, 0, "it may change yet");
    assert_eq!(touched.written.pages, filled.written.pages);
    db.create_snapshot("s").unwrap();
    let before = db.stats();
    assert!(before.written_behind >= TOUCHED * 4096);
    assert_eq!(before.cache.dirty, 0);
    db.checkpoint().unwrap();
    let after = db.stats();
    assert_eq!(after.written.pages, before.written.pages, "nothing was left to write");
    assert!(after.written.superblock > before.written.superblock);
}

#[test]
fn r14_few_pages_wait_for_the_checkpoint() {
    let (db, _) = Scratch::simulated(Database::builder());
    for n in 0..10u64 {
        set(&db, &n.to_be_bytes(), b"few", Durability::None);
        db.create_snapshot(&n.to_string()).unwrap();
    }
    assert_eq!(db.stats().written_behind, 0);
}

/// Where versions are kept the old pages leave memory, and come back for who reads them.
#[test]
fn r14_pages_that_only_snapshots_reach_are_read_as_they_were() {
    let (mut db, _) = Scratch::simulated(Database::builder().cache_size(2 << 20));
    fill(&db);
    let mut versions = Vec::new();
    for round in 0..12 {
        touch(&db, round);
        db.create_snapshot(&round.to_string()).unwrap();
        versions.push(Model::read(&db).unwrap().branches["main"].clone());
    }
    for _ in 0..2 {
        let model = Model::read(&db).unwrap();
        for (round, version) in versions.iter().enumerate() {
            assert!(model.snapshots[&round.to_string()].tables == *version, "version {round}");
        }
        db.reopen();
    }
}

/// Like a spilled page (R12): its stamp is of a session that a later one knows of.
#[test]
fn r14_no_settled_page_is_written_before_the_superblock_of_its_session() {
    let (mut db, disk) = Scratch::simulated(Database::builder());
    fill(&db);
    db.reopen();
    let opened = disk.events();
    touch(&db, 0);
    db.create_snapshot("s").unwrap();
    let history = disk.history();
    let events = &history.events()[opened..];
    assert_session_begins_first(events);
}

#[test]
fn r14_a_power_cut_forgets_what_was_written_behind() {
    let seed = Seed::get();
    let disk = Arc::new(SimulatedStorage::from_image(filled()));
    let builder = Database::builder().background(false).cache_size(8 << 20);
    let (storage, watch) = Monitor::over_disk(&disk);
    let db = builder.open_or_create_on(storage).unwrap();
    let mut versions = vec![Model::read(&db).unwrap()];
    for round in 0..3 {
        touch(&db, round);
        versions.push(Model::read(&db).unwrap());
        db.create_snapshot(&round.to_string()).unwrap();
        versions.push(Model::read(&db).unwrap());
        if round == 1 {
            db.checkpoint().unwrap();
            db.delete_snapshot("0").unwrap();
            versions.push(Model::read(&db).unwrap());
            db.wait_for_releases().unwrap();
        }
    }
    assert!(db.stats().written_behind >= 3 * TOUCHED * 4096);
    let history = disk.history();
    drop(db);
    watch.assert_content();
    assert_every_cut_leaves_one_of(&versions, &history, &seed);
}

/// Whichever of its calls fails: what was acknowledged is there, and nobody writes on top of a failure.
#[test]
fn r14_a_failed_write_of_settled_pages_loses_nothing() {
    let image = filled();
    for kind in [FaultKind::Eio, FaultKind::Enospc] {
        let mut after_the_commit = 0;
        for ahead in 0.. {
            let disk = Arc::new(SimulatedStorage::from_image(image.clone()));
            let builder = Database::builder().background(false).cache_size(8 << 20);
            let db = builder.open_or_create_on(disk.clone()).unwrap();
            touch(&db, 0);
            disk.fail_at(disk.calls() + ahead, kind, false);
            let created = db.create_snapshot("s");
            let refused = matches!(db.begin_write(), Err(Error::Poisoned { .. }));
            let expected = Model::read(&db).unwrap();
            if created.is_ok() && !refused {
                // Beyond its last call.
                break;
            }
            assert!(refused, "call {ahead}, {kind:?}: writes go on after {created:?}");
            after_the_commit += u64::from(created.is_ok());
            drop(db);
            for plan in [Plan::None, Plan::All] {
                let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &plan);
                let found = Model::read(&reopened(&image).unwrap()).unwrap();
                assert!(created.is_err() || found == expected, "call {ahead}, {kind:?}");
            }
        }
        assert!(after_the_commit >= TOUCHED * 4096 / (256 << 10), "no page was to be written");
    }
}

/// Their last owner goes, and their places are wanted, while the bytes are on their way: what is put there would be
/// written over.
#[test]
fn r14_the_place_of_a_page_on_its_way_is_not_used_again() {
    let disk = Arc::new(SimulatedStorage::new());
    let gate = Gate::new(disk);
    let storage: Arc<dyn Storage> = gate.clone();
    let db = Scratch::on(Database::builder().cache_size(8 << 20), storage).unwrap();
    // A log so large that no commit below calls for a checkpoint.
    set(&db, b"large", &[0; 900_000], Durability::Immediate);
    fill(&db);
    touch(&db, 0);
    gate.writes().hold(1);
    db.create_snapshot("s").unwrap();
    gate.writes().wait_until_held();
    touch(&db, 1);
    db.delete_snapshot("s").unwrap();
    db.wait_for_releases().unwrap();
    for n in 0..16u64 {
        set(&db, &[n as u8], &value(60_000, n as u16), Durability::None);
    }
    gate.writes().open();
    db.checkpoint().unwrap();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    for n in 0..16u64 {
        let found = table.get(&[n as u8]).unwrap().unwrap();
        assert!(*found == value(60_000, n as u16)[..], "value {n}");
    }
}
