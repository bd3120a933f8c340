//! Compaction changes the file and nothing in it; scrub finds every damaged page and no other.

use std::{collections::BTreeSet, sync::Arc};

use cowslip::{
    Database, Durability, Error,
    storage::{
        MemoryStorage, Storage,
        simulated::{Plan, SectorSize},
    },
};
use cowslip_harness::{
    Model, Op, Scratch, Seed, Session, check, scratch::keep_image, seed::times, session::disk_of,
};
use cowslip_pager::{Pager, geometry::Geometry};

/// Random work, then most of it deleted: a file with holes, snapshots and branches.
fn worn(seed: &Seed, purpose: u64, page_size: usize) -> Session {
    let mut rng = seed.rng(purpose);
    let mut session = Session::new(Database::builder().cache_size(512 * page_size), page_size);
    let mut apply = |op: &Op| session.apply(op).unwrap_or_else(|error| panic!("{op:?}: {error}"));
    for number in 0..500u16 {
        if number % 10 == 0 {
            let length = rng.u32(20_000..200_000);
            apply(&Op::Put { table: 2, key: rng.u16(..500), length, fill: number });
        }
        apply(&Op::random(&mut rng, false));
    }
    for name in 0..2 {
        apply(&Op::Snapshot { name });
        apply(&Op::Put { table: 1, key: rng.u16(..500), length: 30_000, fill: 1 });
        apply(&Op::BranchFromSnapshot { name: name + 1, from: name });
    }
    apply(&Op::HoldReader);
    apply(&Op::RemoveRange { table: 2, from: None, to: None });
    apply(&Op::RemoveRange { table: 1, from: Some(100), to: None });
    apply(&Op::Commit(Durability::Immediate));
    for name in 2..4 {
        apply(&Op::Hold { name, held: false });
        apply(&Op::DeleteSnapshot { name });
        apply(&Op::DeleteBranch { name });
    }
    session.settle().unwrap();
    session
}

fn compare_everything(session: &mut Session) {
    session.model().assert_is_by_every_question(session.db());
    for (from, to) in (0..8).flat_map(|from| (0..8).map(move |to| (from, to))) {
        session.apply(&Op::Diff { from, to }).unwrap();
    }
    session.apply(&Op::CheckReaders).unwrap();
}

#[test]
fn compaction_changes_no_snapshot_branch_or_diff_whatever_stood_where() {
    let seed = Seed::get();
    for (round, page_size) in [4096, 4096, 16384].into_iter().enumerate() {
        let mut session = worn(&seed, round as u64, page_size);
        session.apply(&Op::Checkpoint).unwrap();
        compare_everything(&mut session);
        let first_event = session.disk().history().events().len();
        session.db().compact().unwrap();
        compare_everything(&mut session);
        // Once more without the readers, who kept their versions' pages.
        session.apply(&Op::Reopen).unwrap();
        session.db().compact().unwrap();
        compare_everything(&mut session);
        let (history, model) = (session.disk().history(), session.model().clone());
        session.apply(&Op::Reopen).unwrap();
        compare_everything(&mut session);
        // With a wrong count, one of these would free what another still needs.
        for op in [
            Op::Put { table: 0, key: 3, length: 50_000, fill: 9 },
            Op::Commit(Durability::Immediate),
            Op::DeleteBranch { name: 1 },
            Op::DeleteSnapshot { name: 0 },
            Op::Rollback { name: 1 },
        ] {
            session.apply(&op).unwrap();
        }
        compare_everything(&mut session);
        session.finish().unwrap();

        // The power fails while pages move.
        let mut rng = seed.rng(100 + round as u64);
        let mut events: Vec<usize> =
            (0..times(25)).map(|_| rng.usize(first_event..=history.events().len())).collect();
        events.sort_unstable();
        let mut explorer = history.explore(SectorSize::B512);
        for event in events {
            while explorer.position() < event && explorer.advance() {}
            let plan = Plan::Seeded(rng.u64(..));
            let image = explorer.cut().image(&plan);
            let fail = |what: String| -> ! {
                let path = keep_image("compaction", &image);
                panic!("{what}, after {plan:?} at event {event} (image in {path})");
            };
            let disk = disk_of(&image);
            if let Err(what) = check::after_crash(&*disk) {
                fail(what);
            }
            let builder = Database::builder().background(false).cache_size(512 * page_size);
            let db = match builder.open_or_create_on(disk.clone()) {
                Ok(db) => db,
                Err(error) => fail(error.to_string()),
            };
            if let Some(what) = model.difference(&Model::read(&db).unwrap()) {
                fail(what);
            }
            db.compact().unwrap();
            model.assert_is(&db);
            db.close().unwrap();
            if let Err(what) = check::storage(&*disk) {
                fail(what);
            }
        }
    }
}

#[test]
fn compaction_gives_back_what_a_deletion_left_free_and_what_was_shared_stays_shared() {
    let db = Scratch::memory(Database::builder().background(false).cache_size(4 << 20));
    let fill = |name: &str, numbers: std::ops::Range<u32>| {
        let tx = db.begin_write().unwrap();
        for n in numbers {
            tx.open_table(name).unwrap().insert(&n.to_be_bytes(), &[n as u8; 200]).unwrap();
        }
        tx.commit().unwrap();
    };
    fill("gone", 0..20_000);
    fill("kept", 0..4000);
    db.create_snapshot("s").unwrap();
    db.create_branch("b", "s").unwrap();
    fill("kept", 100..110);
    let tx = db.begin_write_on("b").unwrap();
    assert!(tx.delete_table("gone").unwrap());
    tx.commit().unwrap();
    let tx = db.begin_write().unwrap();
    assert!(tx.delete_table("gone").unwrap());
    tx.commit().unwrap();
    db.create_snapshot("late").unwrap();
    db.delete_snapshot("s").unwrap();
    db.checkpoint().unwrap();
    let (before, model) = (db.stats(), Model::read(&db).unwrap());
    db.compact().unwrap();
    let after = db.stats();
    assert!(after.file_bytes < before.file_bytes / 2, "{before:?}, {after:?}");
    // Without the log, which moves to a smaller ring.
    let used = |stats: &cowslip::Stats| stats.pages_used - stats.log_capacity / 4096;
    assert!(used(&after) <= used(&before) + 8, "{before:?}, {after:?}");
    model.assert_is_by_every_question(&db);
}

/// Bytes of rows in a store of two tables, and what it is like after removals and compaction.
fn half_removed(builder: cowslip::Builder) -> (Scratch, Model) {
    let db = Scratch::memory(builder.background(false).cache_size(2 << 20));
    for table in ["alike", "mixed", "large"] {
        let tx = db.begin_write().unwrap();
        for n in 0..4000u32 {
            let length = match table {
                "alike" => 100,
                "mixed" => 60 + n as usize % 90,
                _ => {
                    if n % 500 == 0 {
                        9000
                    } else {
                        80
                    }
                }
            };
            tx.open_table(table).unwrap().insert(&n.to_be_bytes(), &vec![n as u8; length]).unwrap();
        }
        tx.commit().unwrap();
    }
    db.create_snapshot("before").unwrap();
    let tx = db.begin_write().unwrap();
    for n in (0..4000u32).filter(|n| n % 7 < 4) {
        for table in ["alike", "mixed", "large"] {
            assert!(tx.open_table(table).unwrap().remove(&n.to_be_bytes()).unwrap());
        }
    }
    tx.commit().unwrap();
    let model = Model::read(&db).unwrap();
    (db, model)
}

#[test]
fn compaction_packs_leaves_that_are_not_full_and_leaves_those_of_snapshots() {
    let (mut db, model) = half_removed(Database::builder());
    let (old, new) = (db.usage("before").unwrap(), db.usage("main").unwrap());
    db.compact().unwrap();
    model.assert_is_by_every_question(&db);
    assert_eq!(db.usage("before").unwrap().referenced_bytes, old.referenced_bytes);
    let packed = db.usage("main").unwrap().referenced_bytes;
    assert!(packed < new.referenced_bytes * 2 / 3, "{new:?}, then {packed}");
    // There is nothing left to gain.
    let file = db.stats().file_bytes;
    db.compact().unwrap();
    assert!(db.stats().file_bytes <= file);
    db.delete_snapshot("before").unwrap();
    db.compact().unwrap();
    assert!(db.stats().file_bytes < file * 3 / 5, "{file}, then {:?}", db.stats());
    db.reopen();
    assert_eq!(db.usage("main").unwrap().referenced_bytes, packed);
}

#[test]
fn compaction_leaves_a_dense_file_as_it_is() {
    let lengths: [&[usize]; 6] = [&[100], &[200], &[400], &[1500], &[10, 90, 300], &[0, 700, 3]];
    for lengths in lengths {
        let db = Scratch::memory(Database::builder().background(false).cache_size(2 << 20));
        let tx = db.begin_write().unwrap();
        for n in 0..6000u32 {
            // Stretches of rows alike, each of another kind than the one before.
            let length = lengths[n as usize / 40 % lengths.len()];
            tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &vec![n as u8; length]).unwrap();
        }
        tx.commit().unwrap();
        db.compact().unwrap();
        let model = Model::read(&db).unwrap();
        let (file, written) = (db.stats().file_bytes, db.stats().written.pages);
        let referenced = db.usage("main").unwrap().referenced_bytes;
        assert!(file < referenced + (1 << 20), "{lengths:?}: {file} bytes for {referenced}");
        db.compact().unwrap();
        let again = db.stats();
        assert!(again.file_bytes <= file, "{lengths:?}: {file}, then {again:?}");
        assert!(again.written.pages - written < 1 << 20, "{lengths:?}: {written}, then {again:?}");
        model.assert_is(&db);
    }
}

#[test]
fn compaction_packs_no_leaf_that_two_trees_have() {
    let db = Scratch::memory(Database::builder().background(false).cache_size(2 << 20));
    // Several times, so that what the log leaves free is filled too.
    for part in 0..4u32 {
        let tx = db.begin_write().unwrap();
        for n in 1000 * part..1000 * (part + 1) {
            tx.open_table("filler").unwrap().insert(&n.to_be_bytes(), &[7; 400]).unwrap();
        }
        tx.commit().unwrap();
        db.checkpoint().unwrap();
    }
    let tx = db.begin_write().unwrap();
    for n in 0..1600u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[7; 90]).unwrap();
    }
    for n in (0..1600u32).filter(|n| n % 2 == 0) {
        assert!(tx.open_table("t").unwrap().remove(&n.to_be_bytes()).unwrap());
    }
    tx.commit().unwrap();
    db.create_snapshot("s").unwrap();
    let tx = db.begin_write().unwrap();
    assert!(tx.open_table("t").unwrap().insert(&801u32.to_be_bytes(), b"other").unwrap());
    assert!(tx.delete_table("filler").unwrap());
    tx.commit().unwrap();
    // A snapshot without the filler either, and nothing else that has what it has.
    db.create_branch("b", "s").unwrap();
    let tx = db.begin_write_on("b").unwrap();
    assert!(tx.delete_table("filler").unwrap());
    tx.commit().unwrap();
    db.create_snapshot_of("b", "late").unwrap();
    db.delete_branch("b").unwrap();
    db.delete_snapshot("s").unwrap();
    let before = ["late", "main"].map(|name| db.usage(name).unwrap());
    for _ in 0..3 {
        db.compact().unwrap();
        for (name, before) in ["late", "main"].into_iter().zip(&before) {
            let now = db.usage(name).unwrap();
            assert!(
                now.unique_bytes <= before.unique_bytes + 8 * 4096,
                "{name}: {before:?}, then {now:?}"
            );
        }
    }
}

#[test]
fn compaction_without_room_for_packing_still_moves_what_can_be_moved() {
    for part in 0..8 {
        let (mut db, model) = half_removed(Database::builder());
        db.reopen();
        db.checkpoint().unwrap();
        let image = db.image();
        drop(db);
        let disk = Arc::new(MemoryStorage::new());
        disk.write_at(&image, 0).unwrap();
        // From no room at all to enough for everything.
        let limit = image.len() as u64 * (20 + part) / 20;
        let builder = Database::builder().background(false).cache_size(2 << 20).max_size(limit);
        let db = builder.open_or_create_on(disk.clone()).unwrap();
        match db.compact() {
            Ok(()) | Err(cowslip::Error::DiskFull { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        model.assert_is(&db);
        db.close().unwrap();
        check::storage(&*disk).unwrap();
    }
}

#[test]
fn a_scrub_names_every_damaged_page_and_finds_nothing_in_a_healthy_store() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let disk = Arc::new(MemoryStorage::new());
    let builder = Database::builder().background(false).cache_size(1 << 20);
    let mut db = Scratch::on(builder, disk.clone()).unwrap();
    let tx = db.begin_write().unwrap();
    for n in 0..2000u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[n as u8; 60]).unwrap();
    }
    tx.open_table("t").unwrap().insert(b"large", &vec![1; 30_001]).unwrap();
    tx.commit().unwrap();
    db.create_snapshot("s").unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(&7u32.to_be_bytes(), b"new").unwrap();
    tx.open_table("t").unwrap().remove(b"large").unwrap();
    tx.commit().unwrap();
    assert!(db.scrub().unwrap().errors.is_empty());
    db.reopen();
    let healthy = db.scrub().unwrap();
    assert!(healthy.errors.is_empty() && healthy.pages_unwritten == 0, "{healthy:?}");
    let superblock = Pager::superblock(&*disk).unwrap();
    let geometry = Geometry::new(superblock.page_size as usize).unwrap();
    let mut found = BTreeSet::new();
    for page in geometry.reserved(0)..superblock.pages {
        let at = page * 4096 + rng.u64(..4096);
        let mut byte = [0];
        disk.read_at(&mut byte, at).unwrap();
        disk.write_at(&[byte[0] ^ 1 << rng.u8(..8)], at).unwrap();
        let report = db.scrub().unwrap();
        disk.write_at(&byte, at).unwrap();
        for error in report.errors {
            match error {
                Error::Corrupted { page: named, .. } if named == page => found.insert(page),
                other => panic!("page {page} was hurt: {other}"),
            };
        }
    }
    assert_eq!(found.len() as u64, healthy.pages, "pages whose damage was found");
    assert!(db.scrub().unwrap().errors.is_empty());
}

/// The map's own word counts pages behind the end of the file as free, and is only a hint.
#[test]
fn pages_in_use_are_the_same_after_opening_again() {
    for rows in [10u32, 3000, 30_000] {
        let mut db = cowslip_harness::Scratch::memory(Database::builder());
        let tx = db.begin_write().unwrap();
        for row in 0..rows {
            tx.open_table("t").unwrap().insert(&row.to_be_bytes(), &[1; 100]).unwrap();
        }
        tx.commit().unwrap();
        db.reopen();
        let opened = db.stats().pages_used;
        // Looks at every page that there is.
        db.compact().unwrap();
        db.reopen();
        let looked_at = db.stats().pages_used;
        assert!(opened.abs_diff(looked_at) <= 8, "{opened} pages, then {looked_at}");
    }
}
