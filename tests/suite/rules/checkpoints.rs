//! R5 to R7: what a checkpoint contains, where it is written, and which pages wait for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cowslip::{
    Database, Durability,
    storage::{
        MemoryStorage, SimulatedStorage,
        simulated::{Image, Plan, SectorSize},
    },
};
use cowslip_harness::{
    Gate, Model, Monitor, Op, Scratch, Seed, Session, check,
    cowslip::Cowslip,
    explore::{Options, must_survive},
    seed::times,
    session::disk_of,
};
use cowslip_pager::{Pager, geometry::Geometry, log::Ring};

use super::{put, reopened, set};

/// Checkpoint after checkpoint over the same map groups: a crash in any of them finds a whole map.
#[test]
fn r5_a_checkpoint_never_writes_the_slot_that_the_durable_directory_names() {
    let seed = Seed::get();
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for round in 0..4 {
        session.apply(&put(round, 2500)).unwrap();
        session.apply(&Op::Checkpoint).unwrap();
    }
    must_survive(
        &Cowslip::default(),
        &session.finish().unwrap(),
        &Options::exhaustive(seed.value()),
    );
}

/// Commits go on while a checkpoint is written: what it writes is the state it was sealed at.
#[test]
fn r6_a_checkpoint_is_of_one_moment_whatever_is_written_meanwhile() {
    let seed = Seed::get();
    let disk = Arc::new(SimulatedStorage::new());
    let builder = Database::builder().cache_size(4 << 20);
    let (storage, watch) = Monitor::over_disk(&disk);
    let db = builder.open_or_create_on(storage).unwrap();
    let rounds = 150u64;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (other, stop) = (db.clone(), &stop);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                other.checkpoint().unwrap();
            }
        });
        for round in 1..=rounds {
            let tx = db.begin_write().unwrap();
            {
                let mut table = tx.open_table("t").unwrap();
                table.insert(b"round", &round.to_be_bytes()).unwrap();
                table
                    .insert(&(round % 40).to_be_bytes(), &round.to_be_bytes().repeat(100))
                    .unwrap();
                table.insert(b"large", &round.to_be_bytes().repeat(1000)).unwrap();
            }
            disk.note(round << 1);
            tx.commit().unwrap();
            disk.note(round << 1 | 1);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let history = disk.history();
    drop(db);
    watch.assert_content();
    let mut rng = seed.rng(0);
    for _ in 0..times(150) {
        let event = rng.usize(..=history.events().len());
        let mut explorer = history.explore(SectorSize::B512);
        while explorer.position() < event && explorer.advance() {}
        let newest = |acknowledged: u64| {
            let notes = explorer.notes().iter().filter(|note| *note & 1 >= acknowledged);
            notes.map(|note| note >> 1).max().unwrap_or(0)
        };
        let plan = Plan::Seeded(rng.u64(..));
        let db = reopened(&explorer.cut().image(&plan)).unwrap_or_else(|e| panic!("{event}: {e}"));
        let version = db.begin_read().unwrap();
        if version.tables().unwrap().is_empty() {
            assert_eq!(newest(1), 0);
            continue;
        }
        let table = version.open_table("t").unwrap();
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes[..8].try_into().unwrap());
        let found = number(&table.get(b"round").unwrap().unwrap());
        assert!((newest(1)..=newest(0)).contains(&found), "round {found} at event {event}");
        assert!(table.get(b"large").unwrap().unwrap() == found.to_be_bytes().repeat(1000));
        for key in 0..40 {
            let last = (1..=found).rev().find(|round| round % 40 == key);
            let value = table.get(&key.to_be_bytes()).unwrap().map(|value| number(&value));
            assert_eq!(value, last);
        }
    }
}

/// A transaction commits between a checkpoint's seal and the moment its map is written; then the power
/// fails, and only the checkpoint is left: its counts must be those of its own trees.
#[test]
fn r6_counts_of_a_later_transaction_are_not_in_an_earlier_checkpoint() {
    let disk = Arc::new(SimulatedStorage::new());
    let gate = Gate::new(disk.clone());
    let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
    let write = |numbers: std::ops::Range<u32>, fill: u8| {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::None);
        for n in numbers {
            tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[fill; 100]).unwrap();
        }
        tx.open_table("t").unwrap().insert(b"large", &[fill; 30_000]).unwrap();
        tx.commit().unwrap();
    };
    write(0..500, 1);
    db.create_snapshot("s").unwrap();
    db.checkpoint().unwrap();
    write(0..100, 2);
    let sealed = Model::read(&db).unwrap();
    gate.writes().hold(1);
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| db.checkpoint().unwrap());
        gate.writes().wait_until_held();
        write(50..300, 3);
        gate.writes().open();
        checkpoint.join().unwrap();
    });
    let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &Plan::None);
    check::after_crash(&*disk_of(&image)).unwrap();
    sealed.assert_is(&reopened(&image).unwrap());
}

/// More map groups than are kept in memory are sealed, and while their checkpoint waits for its sync
/// a transaction begins and needs them: in the file they are still the old ones.
#[test]
fn r6_sealed_groups_stay_in_memory_until_their_checkpoint_is_durable() {
    let gate = Gate::new(Arc::new(MemoryStorage::new()));
    let builder = Database::builder().background(false).cache_size(2 << 20);
    let db = Scratch::on(builder, gate.clone()).unwrap();
    // One value in each group of 512 pages, which are 2 MiB.
    let values = 80u8;
    let tx = db.begin_write().unwrap();
    for n in 0..values {
        tx.open_table("t").unwrap().insert(&[n], &vec![n; (2 << 20) - 9000]).unwrap();
    }
    tx.commit().unwrap();
    db.create_snapshot("s").unwrap();
    db.checkpoint().unwrap();
    // Each leaf becomes main's own, and each of its values gets a second owner.
    let tx = db.begin_write().unwrap();
    for n in (0..values).step_by(2) {
        tx.open_table("t").unwrap().insert(&[n, 1], b"beside").unwrap();
    }
    tx.commit().unwrap();
    gate.syncs().hold(1);
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| db.checkpoint().unwrap());
        gate.syncs().wait_until_held();
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::None);
        tx.open_table("t").unwrap().remove_range(&[10][..]..&[30][..]).unwrap();
        tx.commit().unwrap();
        gate.syncs().open();
        checkpoint.join().unwrap();
    });
    db.checkpoint().unwrap();
    db.checkpoint().unwrap();
    // Whatever was freed by mistake is used again.
    let tx = db.begin_write().unwrap();
    for n in 0..8 {
        tx.open_table("u").unwrap().insert(&[n], &vec![0xEE; 2 << 20]).unwrap();
    }
    tx.commit().unwrap();
    for (version, there) in
        [(db.begin_read_at("s").unwrap(), true), (db.begin_read().unwrap(), false)]
    {
        let table = version.open_table("t").unwrap();
        for n in 0..values {
            let value = table.get(&[n]).unwrap();
            assert_eq!(value.is_some(), there || !(10..30).contains(&n), "value {n}");
            assert!(value.is_none_or(|value| value.iter().all(|&byte| byte == n)), "value {n}");
        }
    }
}

/// (a) One old reader does not hold what was born and died after it.
#[test]
fn r7a_a_reader_holds_its_own_version_and_nothing_younger() {
    let db = Scratch::memory(Database::builder().background(false).cache_size(4 << 20));
    let write = |round: u8| {
        let tx = db.begin_write().unwrap();
        for n in 0..500u32 {
            tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[round; 100]).unwrap();
        }
        tx.open_table("t").unwrap().insert(b"large", &[round; 50_000]).unwrap();
        tx.commit().unwrap();
        db.checkpoint().unwrap();
    };
    write(1);
    let old = db.begin_read().unwrap().open_table("t").unwrap();
    (2..10).for_each(write);
    let bytes = db.stats().file_bytes;
    (10..100).for_each(write);
    assert!(db.stats().file_bytes <= bytes + (1 << 20), "{} after {bytes}", db.stats().file_bytes);
    for entry in old.range::<&[u8]>(..).unwrap() {
        assert!(entry.unwrap().1.iter().all(|&byte| byte == 1), "the reader's page was used again");
    }
}

/// (a) The first of two commits is acknowledged while the second waits for the disk: a reader that
/// begins now needs what the second has freed.
#[test]
fn r7a_a_version_that_can_still_become_visible_keeps_its_pages() {
    let gate = Gate::new(Arc::new(MemoryStorage::new()));
    let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
    let key = 5u32.to_be_bytes();
    let tx = db.begin_write().unwrap();
    for n in 0..200u32 {
        tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[7; 100]).unwrap();
    }
    tx.commit().unwrap();
    db.checkpoint().unwrap();
    gate.durable_writes().hold(2);
    std::thread::scope(|scope| {
        let db = &*db;
        let first = scope.spawn(move || set(db, &key, &[1; 100], Durability::Immediate));
        gate.durable_writes().wait_until_held();
        let appended = db.stats().log_bytes;
        let second = scope.spawn(move || set(db, &key, &[2; 100], Durability::Immediate));
        while db.stats().log_bytes == appended {
            std::thread::yield_now();
        }
        // Beginning looks for pages that nobody needs, and writing takes them.
        let mut third = db.begin_write().unwrap();
        third.set_durability(Durability::None);
        for n in 0..100u32 {
            third.open_table("u").unwrap().insert(&n.to_be_bytes(), &[3; 100]).unwrap();
        }
        gate.durable_writes().release_one();
        first.join().unwrap();
        gate.durable_writes().wait_until_held();
        let reader = db.begin_read().unwrap().open_table("t").unwrap();
        let seen = || reader.get(&key).map(|value| value.map(|value| value[0]));
        let at_first = seen();
        gate.durable_writes().open();
        second.join().unwrap();
        third.commit().unwrap();
        assert_eq!(at_first.unwrap(), Some(1));
        assert_eq!(seen().unwrap(), Some(1));
        drop(db.begin_write().unwrap());
        assert_eq!(seen().unwrap(), Some(1));
    });
}

/// (b) Pages that the durable checkpoint needs are not used again before the next one is durable.
#[test]
fn r7b_pages_of_the_durable_checkpoint_are_not_used_again() {
    let seed = Seed::get();
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for round in 0..16u16 {
        for key in 0..12 {
            session.apply(&Op::Put { table: 0, key, length: 1500, fill: round }).unwrap();
        }
        session.apply(&Op::Put { table: 0, key: 90, length: 100_000, fill: round }).unwrap();
        session.apply(&Op::Commit(Durability::Immediate)).unwrap();
        if round % 4 == 3 {
            session.apply(&Op::Checkpoint).unwrap();
        }
    }
    let options = Options { classes_per_cut: 8, ..Options::exhaustive(seed.value()) };
    must_survive(&Cowslip::default(), &session.finish().unwrap(), &options);
}

/// (b) The same for the checkpoint that is being written: what it contains, and was freed meanwhile, is
/// not written over.
#[test]
fn r7b_pages_of_a_checkpoint_in_progress_are_not_used_again() {
    let disk = Arc::new(SimulatedStorage::new());
    let gate = Gate::new(disk.clone());
    let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
    // A log so large that no commit below calls for a checkpoint.
    set(&db, b"k", &[0; 900_000], Durability::Immediate);
    db.checkpoint().unwrap();
    set(&db, b"large", &[1; 150_000], Durability::None);
    let sealed = Model::read(&db).unwrap();
    gate.syncs().hold(1);
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| db.checkpoint().unwrap());
        gate.syncs().wait_until_held();
        for fill in 2..6 {
            set(&db, b"large", &[fill; 150_000], Durability::None);
        }
        gate.syncs().open();
        checkpoint.join().unwrap();
    });
    for plan in [Plan::None, Plan::All] {
        let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &plan);
        check::after_crash(&*disk_of(&image)).unwrap();
        let found = Model::read(&reopened(&image).unwrap()).unwrap();
        let large = &found.branches["main"]["t"][&b"large"[..]];
        assert!(large.iter().all(|byte| *byte == large[0]));
        assert!(plan == Plan::All || found == sealed);
    }
}

/// (c) The log needs no page that was written since the checkpoint: on the pages as the checkpoint left
/// them it brings everything back, large values too.
#[test]
fn r7c_the_log_names_no_page() {
    let (db, disk) = Scratch::simulated(Database::builder());
    let value = |n: u8| cowslip_harness::op::value(40_000, n.into());
    (0..5).for_each(|n| set(&db, &[n], &value(n), Durability::Immediate));
    db.checkpoint().unwrap();
    let at_checkpoint = disk.image();
    (3..8).for_each(|n| set(&db, &[n], &value(n + 50), Durability::Immediate));
    db.create_snapshot("s").unwrap();
    set(&db, b"small", b"v", Durability::Immediate);
    let expected = Model::read(&db).unwrap();
    let superblock = Pager::superblock(&*disk).unwrap();
    let geometry = Geometry::new(superblock.page_size as usize).unwrap();
    let ring = Ring::new(&superblock.log, &geometry);
    let inside = ring.offset as usize..(ring.offset + ring.blocks * 4096) as usize;
    let (mut image, now) = (at_checkpoint, disk.image());
    image.resize(now.len(), 0xEE);
    image[inside.clone()].copy_from_slice(&now[inside]);
    expected.assert_is(&reopened(&image).unwrap());
}

/// A thousand lives that all end in a crash leave a file no larger than a few.
#[test]
fn a_thousand_crashes_do_not_make_the_file_grow() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let mut image = Image::new();
    let mut sizes = Vec::new();
    for life in 0..1000u32 {
        let disk = Arc::new(SimulatedStorage::from_image(image));
        let builder = Database::builder().background(false).cache_size(1 << 20);
        let (storage, watch) = Monitor::over_disk(&disk);
        let db = builder.open_or_create_on(storage).unwrap();
        for round in 0..2u8 {
            let tx = db.begin_write().unwrap();
            for n in 0..40u32 {
                tx.open_table("t").unwrap().insert(&n.to_be_bytes(), &[round; 200]).unwrap();
            }
            tx.open_table("t").unwrap().insert(b"large", &[life as u8; 60_000]).unwrap();
            tx.commit().unwrap();
            if rng.u8(..4) == 0 {
                db.checkpoint().unwrap();
            }
        }
        watch.assert_content();
        let mut explorer = disk.history().explore(SectorSize::B512);
        while explorer.advance() {}
        let plan = Plan::Seeded(rng.u64(..));
        image = explorer.cut().disk(&plan, explorer.cut().implied_length(&plan));
        // Without the log, which grows with use, and the smaller ones that it was before.
        let found = SimulatedStorage::from_image(image.clone());
        let log = Pager::superblock(&found).unwrap().log.blocks * 4096;
        sizes.push(image.len().saturating_sub(2 * log));
    }
    let early = sizes[..40].iter().max().unwrap();
    let late = sizes[900..].iter().max().unwrap();
    assert!(late <= &(early + (512 << 10)), "{early} bytes at first, {late} at last");
}
