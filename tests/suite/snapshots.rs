//! A snapshot stays what it was, whatever is written, deleted or rolled back around it.

use std::{collections::BTreeSet, sync::Arc};

use cowslip::{
    Database, Error,
    storage::{
        SimulatedStorage,
        simulated::{Plan, SectorSize},
    },
};
use cowslip_harness::{Model, Scratch, Seed, check};

fn fill(db: &Database, numbers: std::ops::Range<u32>, byte: u8) {
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        numbers.for_each(|n| {
            table.insert(&n.to_be_bytes(), &[byte; 100]).unwrap();
        });
    }
    tx.commit().unwrap();
}

fn byte_at(db: &Database, snapshot: &str, number: u32) -> u8 {
    let table = db.begin_read_at(snapshot).unwrap().open_table("t").unwrap();
    table.get(&number.to_be_bytes()).unwrap().unwrap()[0]
}

#[test]
fn snapshots_may_be_deleted_in_any_order_and_give_their_space_back() {
    let seed = Seed::get();
    for round in 0..cowslip_harness::seed::times(4) {
        let mut rng = seed.rng(round);
        let mut db = Scratch::memory(Database::builder().background(false));
        fill(&db, 0..3000, 0);
        db.checkpoint().unwrap();
        let used_before = db.stats().pages_used;
        let mut names: Vec<u8> = (1..8).collect();
        for &name in &names {
            db.create_snapshot(&name.to_string()).unwrap();
            let start = rng.u32(..2500);
            fill(&db, start..start + 500, name);
        }
        db.reopen();
        rng.shuffle(&mut names);
        while let Some(name) = names.pop() {
            let kept = Model::read(&db).unwrap();
            db.delete_snapshot(&name.to_string()).unwrap();
            let mut expected = kept;
            expected.snapshots.remove(&name.to_string());
            expected.assert_is(&db);
        }
        db.wait_for_releases().unwrap();
        db.checkpoint().unwrap();
        db.reopen();
        let used = db.stats().pages_used;
        assert!(used <= used_before + used_before / 2, "{used} pages used, {used_before} before");
    }
}

/// What a leaf names stands in its parent: nothing is read from the disk only to be forgotten. Leaves with large
/// values are another matter, or those would stay for ever.
#[test]
fn a_deletion_reads_no_leaf_that_names_nothing() {
    let (mut db, _) = Scratch::simulated(Database::builder());
    fill(&db, 0..20_000, 1);
    set_large(&db, 1);
    let used = db.stats().pages_used;
    db.create_snapshot("s").unwrap();
    fill(&db, 0..20_000, 2);
    set_large(&db, 2);
    db.reopen();
    let before = db.stats();
    db.delete_snapshot("s").unwrap();
    db.wait_for_releases().unwrap();
    let after = db.stats();
    let freed = before.pages_used - after.pages_used;
    let read = after.cache.misses - before.cache.misses;
    assert!(freed > 400, "{freed} pages freed");
    assert!(read < freed / 8, "{read} pages read for {freed}");
    assert!(after.pages_used <= used + 16, "{} pages used, {used} before", after.pages_used);
}

fn set_large(db: &Database, byte: u8) {
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"large", &[byte; 100_000]).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_rollback_restores_exactly_the_snapshot_and_newer_ones_stay() {
    let mut db = Scratch::memory(Database::builder());
    fill(&db, 0..1000, 1);
    db.create_snapshot("monday").unwrap();
    fill(&db, 500..1500, 2);
    db.create_snapshot("tuesday").unwrap();
    fill(&db, 0..10, 3);
    db.rollback("monday").unwrap();
    assert_eq!(db.diff("monday", "main").unwrap().count(), 0);
    fill(&db, 0..10, 4);
    db.reopen();
    assert_eq!((byte_at(&db, "monday", 600), byte_at(&db, "tuesday", 600)), (1, 2));
    assert_eq!(byte_at(&db, "monday", 5), 1);
    db.rollback("tuesday").unwrap();
    assert_eq!(db.diff("tuesday", "main").unwrap().count(), 0);
    assert_eq!(db.diff("monday", "tuesday").unwrap().count(), 1000);
}

#[test]
fn names_are_refused_with_the_right_error() {
    let db = Scratch::memory(Database::builder());
    db.create_snapshot("s").unwrap();
    db.create_branch("b", "s").unwrap();
    for taken in ["s", "b", "main"] {
        assert!(matches!(db.create_snapshot(taken), Err(Error::AlreadyExists(_))), "{taken}");
        assert!(matches!(db.create_branch(taken, "s"), Err(Error::AlreadyExists(_))), "{taken}");
    }
    for bad in ["", "a\nb", &"x".repeat(256)] {
        assert!(matches!(db.create_snapshot(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
    }
    assert!(matches!(db.delete_snapshot("no"), Err(Error::SnapshotNotFound(_))));
    assert!(matches!(db.delete_snapshot("b"), Err(Error::SnapshotNotFound(_))));
    assert!(matches!(db.rollback("no"), Err(Error::SnapshotNotFound(_))));
    assert!(matches!(db.begin_read_at("no"), Err(Error::SnapshotNotFound(_))));
    assert!(matches!(db.begin_write_on("no"), Err(Error::BranchNotFound(_))));
    assert!(matches!(db.diff("s", "no"), Err(Error::SnapshotNotFound(_))));
    db.hold("s").unwrap();
    assert!(matches!(db.delete_snapshot("s"), Err(Error::Held(_))));
    db.release("s").unwrap();
    db.delete_snapshot("s").unwrap();
    // No refusal hurt anything.
    fill(&db, 0..10, 1);
}

fn held(db: &Database) -> Vec<String> {
    let held = |info: cowslip::SnapshotInfo| info.held.then_some(info.name);
    db.snapshots().unwrap().into_iter().filter_map(held).collect()
}

#[test]
fn several_snapshots_are_held_or_released_all_or_none() {
    let db = Scratch::memory(Database::builder());
    for name in ["a", "b", "c"] {
        db.create_snapshot(name).unwrap();
    }
    let missing = ["a", "no", "b"];
    assert!(
        matches!(db.hold_snapshots(&missing), Err(Error::SnapshotNotFound(name)) if name == "no")
    );
    assert_eq!(held(&db), [""; 0]);
    db.hold_snapshots(&["c", "a", "c"]).unwrap();
    assert_eq!(held(&db), ["a", "c"]);
    let refused = db.release_snapshots(&["a", "c", "no"]);
    assert!(matches!(refused, Err(Error::SnapshotNotFound(_))), "{refused:?}");
    assert_eq!(held(&db), ["a", "c"]);
    db.release_snapshots(&["a", "b"]).unwrap();
    assert_eq!(held(&db), ["c"]);
    db.hold_snapshots(&[]).unwrap();
    assert_eq!(held(&db), ["c"]);
}

#[test]
fn a_power_cut_leaves_all_of_several_snapshots_held_or_none() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let (db, disk) = Scratch::simulated(Database::builder());
    let names = ["a", "b", "c"];
    for name in names {
        db.create_snapshot(name).unwrap();
    }
    // A cut at a note falls between two operations.
    let first = disk.events();
    disk.note(1);
    db.hold_snapshots(&names).unwrap();
    let second = disk.events();
    disk.note(2);
    db.release_snapshots(&names).unwrap();
    let history = disk.history();
    let mut explorer = history.explore(SectorSize::B512);
    while explorer.position() < first && explorer.advance() {}
    let mut seen = BTreeSet::new();
    loop {
        let at = explorer.position();
        for _ in 0..8 {
            let image = explorer.cut().image(&Plan::Seeded(rng.u64(..)));
            let disk = Arc::new(SimulatedStorage::from_image(image));
            check::after_crash(&*disk).unwrap();
            let db = Database::builder().background(false).open_or_create_on(disk).unwrap();
            let held = held(&db);
            assert!(held.is_empty() || held == names, "{held:?} at event {at}");
            assert!(at != first || held.is_empty(), "{held:?} before the first change");
            assert!(at != second || held == names, "{held:?} after the first change");
            assert!(explorer.event().is_some() || held.is_empty(), "{held:?} at the end");
            seen.insert(held.len());
        }
        if !explorer.advance() {
            break;
        }
    }
    assert_eq!(seen, BTreeSet::from([0, names.len()]));
}

#[test]
fn a_branch_and_its_origin_go_their_own_ways() {
    let mut db = Scratch::memory(Database::builder().background(false));
    fill(&db, 0..2000, 1);
    db.create_branch("experiment", "main").unwrap();
    let tx = db.begin_write_on("experiment").unwrap();
    tx.open_table("t").unwrap().remove_range(..1000u32.to_be_bytes()).unwrap();
    tx.commit().unwrap();
    fill(&db, 1500..2500, 2);
    db.reopen();
    let length = |db: &Database, branch: &str| {
        db.begin_read_on(branch).unwrap().open_table("t").unwrap().len().unwrap()
    };
    assert_eq!((length(&db, "main"), length(&db, "experiment")), (2500, 1000));
    db.promote("experiment").unwrap();
    assert_eq!((length(&db, "main"), length(&db, "experiment")), (1000, 2500));
    fill(&db, 0..10, 3);
    assert_eq!((length(&db, "main"), length(&db, "experiment")), (1010, 2500));
    db.delete_branch("experiment").unwrap();
    db.reopen();
    assert_eq!(length(&db, "main"), 1010);
}

/// The cost of a diff follows what changed, and its answer is exact.
#[test]
fn a_diff_names_every_change_and_nothing_else() {
    let db = Scratch::memory(Database::builder());
    fill(&db, 0..20_000, 1);
    db.create_snapshot("a").unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        table.insert(&7u32.to_be_bytes(), b"changed").unwrap();
        table.insert(&8u32.to_be_bytes(), &[1; 100]).unwrap();
        table.remove(&9u32.to_be_bytes()).unwrap();
        table.insert(&50_000u32.to_be_bytes(), &vec![3; 10_000]).unwrap();
        drop(tx.open_table("empty").unwrap());
    }
    tx.commit().unwrap();
    let changes: Vec<_> = db.diff("a", "main").unwrap().map(Result::unwrap).collect();
    let short = |v: &Option<Vec<u8>>| v.as_ref().map(|v| (v.len(), v[0]));
    let found: Vec<_> = changes
        .iter()
        .map(|c| (u32::from_be_bytes(c.key[..].try_into().unwrap()), short(&c.old), short(&c.new)))
        .collect();
    assert_eq!(
        found,
        [
            (7, Some((100, 1)), Some((7, b'c'))),
            (9, Some((100, 1)), None),
            (50_000, None, Some((10_000, 3)))
        ]
    );
}

#[test]
fn who_writes_and_waits_for_releases_is_told_so_though_others_wait_as_well() {
    let db = Scratch::memory(Database::builder());
    fill(&db, 0..3000, 1);
    db.create_snapshot("old").unwrap();
    fill(&db, 0..3000, 2);
    let tx = db.begin_write().unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| db.wait_for_releases());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let refused = db.wait_for_releases();
        assert!(matches!(refused, Err(Error::NestedTransaction)), "{refused:?}");
        tx.abort().unwrap();
        other.join().unwrap().unwrap();
    });
    // The background goes on after somebody gave up.
    db.delete_snapshot("old").unwrap();
    let begin = std::time::Instant::now();
    while db.releases().unwrap().entries > 0 {
        assert!(begin.elapsed().as_secs() < 60, "the background does nothing");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
