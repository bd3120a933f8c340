//! A disk that fails or is full: a typed error, and nothing acknowledged is lost.

use cowslip::{
    Builder, Database, Durability, Error,
    storage::{
        MemoryStorage, SimulatedStorage,
        simulated::{FaultKind, Plan, SectorSize},
    },
};
use cowslip_harness::{
    Model, Op, Scratch, Seed, Session, check,
    seed::times,
    session::{disk_of, is_environmental},
    witness::Window,
};
use cowslip_pager::{
    storage::Storage,
    superblock::{self, Superblock},
};
use std::sync::Arc;

fn builder() -> Builder {
    Database::builder().cache_size(1 << 20)
}

fn put(key: u16, length: u32) -> Op {
    Op::Put { table: 0, key, length, fill: key }
}

fn workload() -> Vec<Op> {
    let mut ops = vec![put(1, 100), Op::Commit(Durability::Immediate), Op::Snapshot { name: 0 }];
    ops.extend((2..40).map(|key| put(key, 300)));
    ops.extend([
        Op::Commit(Durability::Eventual),
        put(50, 30_000),
        Op::Commit(Durability::Immediate),
        Op::Checkpoint,
        Op::Remove { table: 0, key: 50 },
        put(51, 9000),
        Op::Commit(Durability::None),
        Op::DeleteSnapshot { name: 0 },
        put(52, (1 << 20) + 10),
        Op::Commit(Durability::Immediate),
        put(53, 10),
        Op::Commit(Durability::Immediate),
        Op::Checkpoint,
        Op::Reopen,
        put(54, 10),
        Op::Commit(Durability::Immediate),
    ]);
    ops
}

/// Runs the workload on a disk that fails at a call; the first error ends it. What is found after
/// reopening, by a process that lost nothing and after a power cut, must be legal.
fn run_with_fault(call: u64, kind: FaultKind, sticky: bool, seed: &Seed) -> bool {
    let disk = SimulatedStorage::new();
    disk.fail_at(call, kind, sticky);
    let mut session = match Session::on(disk, builder(), 4096) {
        Ok(session) => session,
        Err(error) => {
            assert!(is_environmental(&error), "creation with call {call} failing: {error:?}");
            return true;
        }
    };
    let mut failed = false;
    for op in workload() {
        if let Err(error) = session.apply(&op) {
            assert!(is_environmental(&error), "call {call} failing in {op:?}: {error:?}");
            failed = true;
            break;
        }
    }
    let disk = session.disk().clone();
    let visible = disk.image();
    let recording = session.kill();
    let mut explorer = recording.history.explore(SectorSize::B512);
    while explorer.advance() {}
    let window = Window::from_notes(explorer.notes());
    let mut rng = seed.rng(call);
    let mut images = vec![(visible, window.eventual)];
    for _ in 0..3 {
        images.push((explorer.cut().image(&Plan::Seeded(rng.u64(..))), window.durable));
    }
    for (image, least) in images {
        let disk = disk_of(&image);
        check::after_crash(&*disk).unwrap_or_else(|what| panic!("call {call} {kind:?}: {what}"));
        let db = builder().background(false).open_or_create_on(disk).unwrap_or_else(|error| {
            panic!("reopening after call {call} failed ({kind:?}, sticky {sticky}): {error}")
        });
        let found = Model::read(&db).unwrap();
        assert!(
            recording.versions[least..=window.attempted].iter().any(|v| v.state == found),
            "call {call} ({kind:?}, sticky {sticky}): none of {least}..={}",
            window.attempted
        );
    }
    failed
}

#[test]
fn every_failing_call_is_a_typed_error_and_leaves_a_legal_state() {
    let seed = Seed::get();
    for kind in [FaultKind::Eio, FaultKind::Enospc] {
        for sticky in [false, true] {
            let mut call = 0;
            let mut late = 0;
            // Until the workload needs fewer calls than that.
            while late < 2 {
                if !run_with_fault(call, kind, sticky, &seed) {
                    late += 1;
                } else if call > 20 {
                    late = 0;
                }
                call += 1;
                assert!(call < 1000);
            }
            println!("{kind:?} sticky {sticky}: {call} calls");
            assert!(call > 20);
        }
    }
}

#[test]
fn after_a_failed_write_reads_go_on_and_writes_are_refused_until_reopened() {
    let (mut db, disk) = Scratch::simulated(builder());
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    disk.fail_at(disk.calls(), FaultKind::Eio, false);
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"w").unwrap();
    let error = tx.commit().unwrap_err();
    assert!(matches!(error, Error::Io { .. } | Error::Poisoned { .. }), "{error:?}");
    assert!(error.to_string().contains("injected I/O error"), "{error}");
    assert!(matches!(db.begin_write(), Err(Error::Poisoned { .. })));
    assert!(matches!(db.create_snapshot("s"), Err(Error::Poisoned { .. })));
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.get(b"k").unwrap().unwrap(), b"v");
    drop(table);
    assert!(matches!(db.close(), Err(Error::Poisoned { .. })));
    db.open().unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"x").unwrap();
    tx.commit().unwrap();
}

/// Fills a database until it is full; everything acknowledged is there, deletes go on, and what they
/// free can be used again.
fn fill_and_empty(mut db: Scratch) {
    let mut stored = 0u64;
    let error = loop {
        let write = || {
            let tx = db.begin_write()?;
            {
                let mut table = tx.open_table("t")?;
                for number in 0..20 {
                    table.insert(&(stored * 20 + number).to_be_bytes(), &[3; 700])?;
                }
                table.insert(format!("large {stored}").as_bytes(), &[4; 9000])?;
            }
            tx.commit()
        };
        match write() {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "the limit was never met");
    };
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert!(stored > 5, "only {stored} transactions fitted");
    let whole = |db: &Database| {
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        assert_eq!(table.len().unwrap(), stored * 21);
        for entry in table.range::<&[u8]>(..).unwrap() {
            let (_, value) = entry.unwrap();
            assert!(value.len() == 700 && value[0] == 3 || value.len() == 9000 && value[0] == 4);
        }
    };
    whole(&db);
    db.reopen();
    whole(&db);
    // Deleting needs pages of its own first, and has them.
    let mut left = stored * 20;
    while left > 0 {
        let tx = db.begin_write().unwrap();
        for _ in 0..40.min(left) {
            left -= 1;
            assert!(tx.open_table("t").unwrap().remove(&left.to_be_bytes()).unwrap());
        }
        tx.commit().unwrap_or_else(|error| panic!("deleting with {left} left: {error}"));
    }
    let tx = db.begin_write().unwrap();
    assert_eq!(tx.open_table("t").unwrap().remove_range::<&[u8]>(..).unwrap(), stored);
    tx.commit().unwrap();
    db.wait_for_releases().unwrap();
    db.checkpoint().unwrap();
    db.checkpoint().unwrap();
    for number in 0..stored / 2 {
        let tx = db.begin_write().unwrap();
        for i in 0..20 {
            tx.open_table("t")
                .unwrap()
                .insert(&(number * 20 + i).to_be_bytes(), &[3; 700])
                .unwrap();
        }
        tx.commit().unwrap_or_else(|error| panic!("refilling at {number} of {stored}: {error}"));
    }
}

#[test]
fn a_full_disk_loses_nothing_and_can_be_emptied() {
    let (db, disk) = Scratch::simulated(builder());
    disk.set_limit(6 << 20);
    fill_and_empty(db);
}

#[test]
fn a_full_memory_loses_nothing_and_can_be_emptied() {
    let storage = Arc::new(MemoryStorage::with_limit(5 << 20));
    fill_and_empty(Scratch::on(builder(), storage).unwrap());
}

#[test]
fn the_maximum_size_is_kept_and_loses_nothing() {
    for background in [false, true] {
        let max = 8 << 20;
        let db = Scratch::file(builder().max_size(max).background(background));
        let path = db.path();
        let watch = std::fs::File::open(path).unwrap();
        fill_and_empty(db);
        assert!(watch.metadata().unwrap().len() <= max);
    }
}

/// The last pages are for those that delete, and no load takes them because a removal follows it.
#[test]
fn a_load_with_a_removal_behind_it_leaves_room_for_deletions() {
    let (mut fitted, mut refused) = (0, 0);
    for rows in (2200..3000u32).step_by(4) {
        for ranged in [false, true] {
            let db = Scratch::memory(builder().max_size(3 << 20).cache_size(16 << 20));
            let tx = db.begin_write().unwrap();
            let load = || {
                let mut table = tx.open_table("t")?;
                for row in 0..rows {
                    table.insert(&row.to_be_bytes(), &[7; 1000])?;
                }
                if ranged {
                    table.remove_range(0u32.to_be_bytes()..1u32.to_be_bytes())?;
                } else {
                    table.remove(&0u32.to_be_bytes())?;
                }
                Ok(())
            };
            match load().and_then(|()| tx.commit()) {
                Ok(()) => fitted += 1,
                Err(Error::DiskFull { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            // Row by row, from all over the table.
            let tx = db.begin_write().unwrap();
            let mut table = tx.open_table("t").unwrap();
            let removed = (1..rows)
                .step_by(rows as usize / 8)
                .try_for_each(|row| table.remove(&row.to_be_bytes()).map(drop));
            drop(table);
            let done = removed.and_then(|()| tx.commit());
            done.unwrap_or_else(|error| panic!("{rows} rows, {ranged}: {error}"));
        }
    }
    assert!(fitted > 10 && refused > 10, "{fitted} fitted, {refused} did not");
}

#[test]
fn a_transaction_that_is_too_large_for_the_disk_is_refused_whole() {
    let (db, disk) = Scratch::simulated(builder());
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    disk.set_limit(3 << 20);
    for large in [true, false] {
        let tx = db.begin_write().unwrap();
        let result = (|| {
            let mut table = tx.open_table("t")?;
            if large {
                table.insert(b"large", &vec![1; 10 << 20])?;
            }
            for number in 0..100_000u32 {
                table.insert(&number.to_be_bytes(), &[1; 100])?;
            }
            Ok(())
        })();
        assert!(matches!(result, Err(Error::DiskFull { .. })), "{result:?}");
        drop(tx);
        assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 1);
    }
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"small", b"fits").unwrap();
    tx.commit().unwrap();
}

/// Random lives on a disk that fails once at random.
#[test]
fn random_lives_survive_a_failing_disk() {
    let seed = Seed::get();
    for round in 0..times(200) {
        let mut rng = seed.rng(1000 + round);
        let Ok(mut session) = Session::on(SimulatedStorage::new(), builder(), 4096) else {
            continue;
        };
        let kind = if rng.bool() { FaultKind::Eio } else { FaultKind::Enospc };
        session.disk().fail_at(rng.u64(20..200), kind, rng.bool());
        let mut ops = Vec::new();
        for _ in 0..200 {
            let op = Op::random(&mut rng, false);
            ops.push(op.clone());
            if let Err(error) = session.apply(&op) {
                assert!(is_environmental(&error), "{op:?}: {error:?}");
                break;
            }
        }
        let visible = session.disk().image();
        let recording = session.kill();
        let mut explorer = recording.history.explore(SectorSize::B512);
        while explorer.advance() {}
        let window = Window::from_notes(explorer.notes());
        let cut = explorer.cut().image(&Plan::Seeded(round));
        for (image, least) in [(visible, window.eventual), (cut, window.durable)] {
            let db = builder().background(false).open_or_create_on(disk_of(&image));
            let db = db.unwrap_or_else(|error| panic!("round {round} {kind:?}: {error}"));
            let found = Model::read(&db).unwrap();
            assert!(
                recording.versions[least..=window.attempted].iter().any(|v| v.state == found),
                "round {round} {kind:?}: none of {least}..={}",
                window.attempted
            );
        }
    }
}

/// A read, a write or a sync that fails while the store recovers, or a thread that panics there: the
/// opening ends with an error, and the next one finds all that was acknowledged.
#[test]
fn a_recovery_that_fails_loses_nothing() {
    let mut session = Session::new(builder(), 4096);
    // The log has moved to a larger ring, which a closing would leave again, and holds two records.
    for op in [
        put(1, 10),
        Op::Commit(Durability::Immediate),
        Op::Snapshot { name: 0 },
        put(1, 300_000),
        Op::Commit(Durability::Immediate),
        put(2, 10),
        Op::Commit(Durability::Immediate),
    ] {
        session.apply(&op).unwrap();
    }
    assert!(session.db().stats().log_capacity > 256 << 10);
    let model = session.model();
    let image = session.disk().freeze();
    drop(session.kill());
    let well = Arc::new(SimulatedStorage::from_image(image.clone()));
    drop(builder().background(false).open_or_create_on(well.clone()).unwrap());
    let (reads, calls) = (well.reads(), well.calls());
    assert!(reads > 10 && calls > 3, "{reads} reads, {calls} changes");
    let faults = (0..reads).map(|n| (true, n)).chain((0..calls).map(|n| (false, n)));
    for ((read, number), kind) in
        faults.flat_map(|fault| [FaultKind::Eio, FaultKind::Panic].map(|kind| (fault, kind)))
    {
        let disk = Arc::new(SimulatedStorage::from_image(image.clone()));
        match read {
            true => disk.fail_read_at(number, kind, false),
            false => disk.fail_at(number, kind, false),
        }
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            builder().background(false).open_or_create_on(disk.clone()).map(drop)
        }));
        if let Ok(Err(error)) = &opened {
            assert!(is_environmental(error), "{error:?}");
        }
        disk.clear_faults();
        let db = builder().background(false).open_or_create_on(disk).unwrap();
        let found = Model::read(&db).unwrap();
        assert!(
            found == model,
            "{kind:?}, read: {read}, call {number}: {}",
            model.difference(&found).unwrap()
        );
    }
}

/// A copy of the superblock that for once cannot be read is not taken for a torn one and made good: it
/// may be the only whole one, and the power may fail again in the middle of that.
#[test]
fn a_superblock_that_cannot_be_read_is_not_written_over() {
    let mut session = Session::new(builder(), 4096);
    session.apply(&put(1, 10)).unwrap();
    session.apply(&Op::Commit(Durability::Immediate)).unwrap();
    let model = session.model();
    for copy in 0..2 {
        // The power failed between the two copies: one of them is torn.
        let torn = disk_of(&session.disk().image());
        let newest = superblock::newest(&*torn).unwrap();
        torn.write_at(&[1; 512], Superblock::offset(newest.checkpoint % 2, copy)).unwrap();
        let image = torn.freeze();
        let lives = |disk: &Arc<SimulatedStorage>| -> cowslip::Result<()> {
            let db = builder().background(false).open_or_create_on(disk.clone())?;
            let tx = db.begin_write()?;
            tx.open_table("later")?.insert(b"k", b"v")?;
            tx.commit()?;
            db.close()
        };
        let well = Arc::new(SimulatedStorage::from_image(image.clone()));
        lives(&well).unwrap();
        for read in 0..well.reads() {
            let disk = Arc::new(SimulatedStorage::from_image(image.clone()));
            disk.fail_read_at(read, FaultKind::Eio, false);
            if let Err(error) = lives(&disk) {
                assert!(is_environmental(&error), "{error:?}");
            }
            let history = disk.history();
            for event in 0..=history.events().len() {
                let image = history.crash_at(event, SectorSize::B512, &Plan::Garbage(read));
                let db = builder().background(false).open_or_create_on(disk_of(&image));
                let db = db.unwrap_or_else(|error| {
                    panic!("copy {copy} torn, read {read} failed, power cut {event}: {error}")
                });
                let mut found = Model::read(&db).unwrap();
                found.branches.get_mut("main").unwrap().remove("later");
                assert!(found == model, "copy {copy}, read {read}, power cut {event}");
            }
        }
    }
    drop(session.kill());
}

/// An operation that fails in the middle may have changed some of the pages that it meant to: its
/// transaction can only be aborted, whatever went well before and would go well now.
#[test]
fn an_operation_that_failed_halfway_is_never_committed() {
    let (mut scratch, disk) = Scratch::simulated(Database::builder().cache_size(64 * 4096));
    let tx = scratch.begin_write().unwrap();
    for n in 0..6000u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[7; 300]).unwrap();
    }
    tx.commit().unwrap();
    scratch.reopen();
    let mut failed = 0;
    for ahead in 0..8 {
        let tx = scratch.begin_write().unwrap();
        {
            let mut t = tx.open_table("t").unwrap();
            t.insert(b"before", b"went well").unwrap();
            disk.fail_read_at(disk.reads() + ahead, FaultKind::Eio, false);
            let removed = t.remove_range(1000u32.to_be_bytes()..5000u32.to_be_bytes());
            disk.clear_faults();
            let Err(error) = removed else { continue };
            assert!(matches!(error, Error::Io { .. }), "{error:?}");
        }
        failed += 1;
        let error = tx.commit().unwrap_err();
        assert!(matches!(error, Error::Poisoned { .. }), "{error:?}");
        let found = scratch.begin_read().unwrap().open_table("t").unwrap();
        assert_eq!(found.len().unwrap(), 6000);
        assert!(found.get(b"before").unwrap().is_none());
    }
    assert!(failed > 2, "{failed} of the ranges met the fault");
}

/// A panic in the middle of a transaction is no commit, and no end in peace: nothing of it is there, now
/// or after reopening, and the next transaction works.
#[test]
fn a_panic_in_a_transaction_commits_nothing() {
    let (mut scratch, _) = Scratch::simulated(builder());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let tx = scratch.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(b"half", b"done").unwrap();
        std::panic::resume_unwind(Box::new("in the middle"));
    }));
    assert!(panicked.is_err());
    assert!(scratch.begin_read().unwrap().tables().unwrap().is_empty());
    let tx = scratch.begin_write().unwrap();
    tx.open_table("u").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    scratch.reopen();
    assert_eq!(scratch.begin_read().unwrap().tables().unwrap(), ["u"]);
}
