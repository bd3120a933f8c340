//! The numbered rules R1 to R12 of `docs/design.md`, one test each: the smallest scene in which
//! breaking the rule loses data or time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cowslip::{
    Database, Durability, Error,
    storage::{
        MemoryStorage, SimulatedStorage, Storage,
        simulated::{Event, Image, Plan, SectorSize},
    },
};
use cowslip_harness::{
    Gate, Model, Monitor, Op, Scratch, Seed, Session, check,
    cowslip::Cowslip,
    explore::{Options, must_survive},
    seed::times,
    session::{disk_of, image_of},
};
use cowslip_pager::{
    Child, Config, Corruption, Kinds, Pager,
    geometry::{Geometry, SUPERBLOCK_AREA},
    log::Ring,
    superblock::Superblock,
};

fn put(key: u16, length: u32) -> Op {
    Op::Put { table: 0, key, length, fill: key }
}

fn set(db: &Database, key: &[u8], value: &[u8], durability: Durability) {
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(durability);
    tx.open_table("t").unwrap().insert(key, value).unwrap();
    tx.commit().unwrap();
}

fn reopened(image: &[u8]) -> cowslip::Result<Database> {
    Database::builder().background(false).cache_size(1 << 20).open_or_create_on(disk_of(image))
}

/// Pages without meaning.
#[derive(Debug)]
struct Opaque;

impl Kinds for Opaque {
    fn validate(&self, _: &[u8]) -> Result<(), Corruption> {
        Ok(())
    }
    fn children(
        &self,
        _: &[u8],
        _: &mut dyn FnMut(Child) -> cowslip_pager::Result<()>,
    ) -> cowslip_pager::Result<()> {
        Ok(())
    }
}

fn pager(disk: Arc<SimulatedStorage>) -> Arc<Pager> {
    let config = Config { background: false, cache_size: 1 << 20, ..Config::default() };
    Arc::new(Pager::create(disk, config, Arc::new(Opaque)).unwrap())
}

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

/// Flips a byte of the `number`th durable log write, counted from the end.
fn with_hurt_log(disk: &SimulatedStorage, number: usize) -> Vec<u8> {
    let superblock = Pager::superblock(disk).unwrap();
    let geometry = Geometry::new(superblock.page_size as usize).unwrap();
    let ring = Ring::new(&superblock.log, &geometry);
    let inside = ring.offset..ring.offset + ring.blocks * 4096;
    let history = disk.history();
    let mut writes = history.events().iter().rev().filter_map(|event| match event {
        Event::WriteDurable { offset, .. } if inside.contains(offset) => Some(*offset),
        _ => None,
    });
    let offset = writes.nth(number).unwrap() as usize;
    let mut image = image_of(disk).unwrap();
    image[offset + 70] ^= 4;
    image
}

#[test]
fn r8_damage_below_a_later_watermark_is_an_error_and_not_a_torn_tail() {
    let (db, disk) = Scratch::simulated(Database::builder());
    (0..10u32).for_each(|n| set(&db, &n.to_be_bytes(), b"v", Durability::Immediate));
    for number in 2..8 {
        match reopened(&with_hurt_log(&disk, number)) {
            Err(Error::Corrupted { .. }) => {}
            Err(error) => panic!("{number}: {error:?}"),
            Ok(db) => {
                let table = db.begin_read().unwrap().open_table("t").unwrap();
                panic!("{number}: {} of 10 commits found, without an error", table.len().unwrap());
            }
        }
    }
    // The very last one cannot be told from a write that the power cut tore.
    let db = reopened(&with_hurt_log(&disk, 0)).unwrap();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 9);
}

/// A block that the cut took, right behind a durable one, is no damage, though the record behind it
/// knows that everything *before* it was durable. For each way in which records can lie in blocks.
#[test]
fn r8_a_lost_block_behind_a_durable_one_is_a_torn_tail_and_not_damage() {
    let mut lost = 0;
    for length in 1900..2004 {
        let (db, disk) = Scratch::simulated(Database::builder());
        set(&db, b"a", b"1", Durability::Immediate);
        let before = disk.history().events().len();
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::Eventual);
        tx.open_table("t").unwrap().insert(&[b'b'; 150], &[2; 1850]).unwrap();
        tx.open_table("t").unwrap().insert(&[b'c'; 90], &vec![3; length - 90]).unwrap();
        tx.open_table("t").unwrap().insert(b"e", &[5; 100]).unwrap();
        tx.commit().unwrap();
        set(&db, b"d", b"4", Durability::Eventual);
        let history = disk.history();
        assert!(matches!(history.events()[before..], [Event::Write { .. }, Event::Write { .. }]));
        let mut explorer = history.explore(SectorSize::B512);
        while explorer.advance() {}
        // All that was pending before these commits, and the second of them.
        let pending = explorer.cut().pending();
        let image = explorer.cut().image(&Plan::DropOne(pending - 2));
        let db = reopened(&image).unwrap_or_else(|error| panic!("{length}: {error}"));
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        // Where the second commit began in the block of the first, it wrote that once more.
        lost += u64::from(table.len().unwrap() == 1);
        assert!(matches!(table.len().unwrap(), 1 | 5), "{length}");
    }
    assert!(lost > 0);
}

/// The first record behind padding was torn away with its block, and the one behind it, written by
/// the same durable write, knows of nothing later: a torn tail.
#[test]
fn r8_a_torn_first_record_behind_padding_is_a_torn_tail_and_not_damage() {
    let mut on_a_block = 0;
    for length in (8192 - 120..8192 - 50).step_by(2) {
        let (db, disk) = Scratch::simulated(Database::builder());
        set(&db, b"a", b"1", Durability::Immediate);
        let before = disk.image();
        set(&db, b"b", &vec![2; length], Durability::None);
        let used = db.stats().log_bytes;
        set(&db, b"c", b"3", Durability::Immediate);
        // Where the second record began a block of its own.
        on_a_block += u32::from(used.is_multiple_of(4096));
        let history = disk.history();
        let Some(Event::WriteDurable { offset, .. }) = history.events().last() else {
            panic!("{length}: one durable write for both")
        };
        let (mut torn, at) = (disk.image(), *offset as usize);
        torn[at..at + 4096].copy_from_slice(&before[at..at + 4096]);
        let db = reopened(&torn).unwrap_or_else(|error| panic!("{length}: {error}"));
        assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 1);
    }
    assert!(on_a_block > 0);
}

/// Records of an earlier lap, or of a life that a power cut took back, are never replayed.
#[test]
fn r8_stale_records_are_not_replayed() {
    let (db, disk) = Scratch::simulated(Database::builder());
    set(&db, b"a", b"1", Durability::Immediate);
    db.checkpoint().unwrap();
    let history_before = disk.history().events().len();
    set(&db, b"b", b"lost", Durability::Eventual);
    set(&db, b"c", b"lost", Durability::Eventual);
    // The second survives, the first does not: neither may come back, now or later.
    let mut explorer = disk.history().explore(SectorSize::B512);
    while explorer.advance() {}
    assert!(explorer.position() > history_before);
    let image = explorer.cut().image(&Plan::None);
    let db = reopened(&image).unwrap();
    set(&db, b"d", b"2", Durability::Immediate);
    let keys: Vec<_> = {
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        table.range::<&[u8]>(..).unwrap().map(|entry| entry.unwrap().0.to_vec()).collect()
    };
    assert_eq!(keys, [b"a", b"d"]);
}

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
    for length in [5000u32, 100_000, 1 << 20, (1 << 20) + 1] {
        let (db, disk) = Scratch::simulated(Database::builder());
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
        pager.recover(replay, |txn, _| Ok::<_, cowslip_pager::Error>(txn)).unwrap();
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

/// Both writes of a superblock are lost, though the disk said that they were done: what stands in the
/// slot is valid, but two checkpoints old. The mark behind the checkpoint tells.
#[test]
fn r8_a_superblock_whose_writes_were_both_lost_is_noticed() {
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for key in 0..3 {
        session.apply(&put(key, 30)).unwrap();
        session.apply(&Op::Checkpoint).unwrap();
    }
    session.apply(&put(3, 30)).unwrap();
    session.apply(&Op::Commit(Durability::Immediate)).unwrap();
    let before = session.disk().image();
    session.apply(&Op::Checkpoint).unwrap();
    let mut image = session.disk().image();
    drop(session.kill());
    let checkpoint = Pager::superblock(&*disk_of(&image)).unwrap().checkpoint;
    for copy in 0..2 {
        let at = Superblock::offset(checkpoint % 2, copy) as usize;
        assert!(image[at..at + 4096] != before[at..at + 4096]);
        image[at..at + 4096].copy_from_slice(&before[at..at + 4096]);
    }
    assert_eq!(Pager::superblock(&*disk_of(&image)).unwrap().checkpoint, checkpoint - 1);
    let error = Database::builder().open_or_create_on(disk_of(&image)).unwrap_err();
    assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
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
    let spilled = events.iter().position(|event| matches!(event, Event::Write { .. }));
    let spilled = spilled.expect("a transaction of 750 KB in a cache of 256 KiB");
    let begun = events[..spilled].iter().any(
        |event| matches!(event, Event::WriteDurable { offset, .. } if *offset < SUPERBLOCK_AREA),
    );
    assert!(begun, "{spilled} events before the first page, and no superblock among them");
    tx.abort().unwrap();
}

/// Both copies of the newest superblock are unreadable, and the log, which has moved with that very
/// checkpoint, says nothing of it: the older one is not taken in its place.
#[test]
fn r8_a_slot_without_a_readable_copy_is_an_error() {
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for op in [
        put(1, 10),
        Op::Commit(Durability::Immediate),
        put(1, 300_000),
        Op::Commit(Durability::Immediate),
    ] {
        session.apply(&op).unwrap();
    }
    assert!(session.db().stats().log_capacity > 256 << 10);
    let disk = session.disk().clone();
    session.finish().unwrap();
    let mut image = disk.image();
    let newest = Pager::superblock(&*disk_of(&image)).unwrap();
    for copy in 0..2 {
        let at = Superblock::offset(newest.checkpoint % 2, copy) as usize;
        image[at + 100] ^= 1;
    }
    let error = Database::builder().open_or_create_on(disk_of(&image)).unwrap_err();
    assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
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
