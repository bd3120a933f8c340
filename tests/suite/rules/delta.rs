//! The page map's delta list: counts that changed here and there stand in the superblock.

use std::{collections::BTreeSet, sync::Arc};

use cowslip::{Database, Durability, storage::SimulatedStorage};
use cowslip_harness::{Model, Monitor, Scratch, Seed, check, session::disk_of};
use cowslip_pager::{Pager, geometry::Geometry};

use super::{assert_every_cut_leaves_one_of, set};

/// Fills a table in random order, so that neighbours lie anywhere in the file: two entries to a leaf.
fn fill(db: &Database, entries: u64) {
    let mut numbers: Vec<u64> = (0..entries).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut numbers);
    for some in numbers.chunks(500) {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::None);
        for n in some {
            tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[*n as u8; 1500]).unwrap();
        }
        tx.commit().unwrap();
    }
    db.checkpoint().unwrap();
}

/// Groups that the list of the newest superblock is about.
fn groups_in_list(disk: &SimulatedStorage) -> usize {
    let superblock = Pager::superblock(disk).unwrap();
    let geometry = Geometry::new(superblock.page_size as usize).unwrap();
    let groups = superblock.delta.entries().iter().map(|entry| geometry.group_of(entry.page));
    groups.collect::<BTreeSet<u64>>().len()
}

/// It raises the counts of some hundred pages that lie all over the file. Writing a whole group for
/// each would cost as many pages as the file has groups.
#[test]
fn the_first_write_after_a_snapshot_of_a_large_store_writes_little_of_the_map() {
    let (db, disk) = Scratch::simulated(Database::builder().cache_size(128 << 20));
    fill(&db, 16_000);
    db.create_snapshot("s").unwrap();
    db.checkpoint().unwrap();
    let before = db.stats();
    set(&db, &7u64.to_be_bytes(), b"new", Durability::Immediate);
    db.checkpoint().unwrap();
    let after = db.stats();
    let raised = after.count_changes - before.count_changes;
    let groups = groups_in_list(&disk);
    assert!(raised >= 100 && groups >= 12, "{raised} counts in {groups} groups");
    let bytes = after.written.map - before.written.map;
    assert!(bytes <= 6 * 4096, "{bytes} bytes of the map for {groups} groups");
    assert!(after.written.superblock > before.written.superblock);
    assert!(after.written.pages - before.written.pages <= 32 * 4096);
}

/// A store of several groups that all have entries in the list, and a snapshot of it.
fn listed() -> Vec<u8> {
    let (db, disk) = Scratch::simulated(Database::builder());
    fill(&db, 2500);
    db.create_snapshot("s").unwrap();
    set(&db, &7u64.to_be_bytes(), b"new", Durability::Immediate);
    db.checkpoint().unwrap();
    assert!(groups_in_list(&disk) >= 2);
    disk.image()
}

/// After a crash the counts are what they were: each of the two versions goes without the other's harm.
#[test]
fn r5_counts_of_the_list_are_there_when_the_store_is_opened_again() {
    let image = listed();
    let disk = disk_of(&image);
    check::storage(&*disk).unwrap();
    // A cache so small that groups come and go.
    let mut db =
        Scratch::on(Database::builder().background(false).cache_size(1 << 20), disk).unwrap();
    let snapshot = Model::read(&db).unwrap().snapshots["s"].clone();
    for n in 0..2500u64 {
        set(&db, &n.to_be_bytes(), b"newer", Durability::None);
    }
    db.checkpoint().unwrap();
    db.reopen();
    assert!(Model::read(&db).unwrap().snapshots["s"] == snapshot);
    db.delete_snapshot("s").unwrap();
    db.reopen();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    for n in 0..2500u64 {
        assert_eq!(&*table.get(&n.to_be_bytes()).unwrap().unwrap(), b"newer");
    }
}

/// The superblock is where the list becomes true: before it the old one counts, with the old groups.
#[test]
fn r5_every_cut_of_a_checkpoint_with_a_list_leaves_right_counts() {
    let seed = Seed::get();
    let disk = Arc::new(SimulatedStorage::from_image(listed()));
    let builder = Database::builder().background(false).cache_size(4 << 20);
    let (storage, watch) = Monitor::over_disk(&disk);
    let db = builder.open_or_create_on(storage).unwrap();
    let mut versions = vec![Model::read(&db).unwrap()];
    for round in 0..3u64 {
        // Counts fall, rise, and a group or two are written whole.
        if round == 1 {
            db.delete_snapshot("s").unwrap();
            versions.push(Model::read(&db).unwrap());
            db.create_snapshot("other").unwrap();
            versions.push(Model::read(&db).unwrap());
        }
        set(&db, &(round * 700).to_be_bytes(), b"changed", Durability::Immediate);
        versions.push(Model::read(&db).unwrap());
        db.checkpoint().unwrap();
        assert!(groups_in_list(&disk) >= 1, "round {round}");
    }
    let history = disk.history();
    drop(db);
    watch.assert_content();
    assert_every_cut_leaves_one_of(&versions, &history, &seed);
}
