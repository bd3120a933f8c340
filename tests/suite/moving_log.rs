//! The log moves to another ring, in the middle of a commit or beside one, and nobody notices.

use std::{sync::Arc, time::Duration};

use cowslip::{
    Database, Durability,
    storage::{
        MemoryStorage, SimulatedStorage,
        simulated::{Plan, SectorSize},
    },
};
use cowslip_harness::{
    Gate, Model, Op, Scratch, Seed, Session, check,
    cowslip::Cowslip,
    effort,
    explore::{Options, must_survive},
    session::disk_of,
};

/// A record that does not fit the free log makes a checkpoint of the state before, which moves the log
/// and so makes a version of its own: an older one than the commit, which must win over it.
#[test]
fn a_commit_that_finds_the_log_full_is_visible_and_survives() {
    for durability in [Durability::Immediate, Durability::Eventual, Durability::None] {
        let (db, disk) = Scratch::simulated(Database::builder());
        let set = |fill: u8, length: usize| {
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(durability);
            tx.open_table("t").unwrap().insert(b"k", &vec![fill; length]).unwrap();
            tx.commit().unwrap();
        };
        set(1, 10);
        db.create_snapshot("s").unwrap();
        // Larger than the first ring; then than what is free of the second.
        let mut capacity = db.stats().log_capacity;
        for (fill, length) in [(2, 300_000), (3, 1 << 20)] {
            set(fill, length);
            while db.stats().log_capacity == capacity {
                set(fill, length);
            }
            capacity = db.stats().log_capacity;
            let got = |version: cowslip::ReadTransaction| {
                version.open_table("t").unwrap().get(b"k").unwrap().unwrap().to_vec()
            };
            let whole = |db: &Database| {
                assert!(got(db.begin_read().unwrap()) == vec![fill; length]);
                assert_eq!(got(db.begin_read_at("s").unwrap()), [1; 10]);
                let changes: Vec<_> = db.diff("s", "main").unwrap().map(Result::unwrap).collect();
                assert_eq!(changes.len(), 1);
                assert!(changes[0].new.as_deref() == Some(&vec![fill; length]));
            };
            whole(&db);
            if durability == Durability::Immediate {
                let history = disk.history();
                let image = history.crash_at(usize::MAX, SectorSize::B512, &Plan::None);
                let builder = Database::builder().background(false);
                whole(&builder.open_or_create_on(disk_of(&image)).unwrap());
            }
        }
    }
}

#[test]
fn a_commit_that_finds_the_log_full_survives_every_cut() {
    let seed = Seed::get();
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for op in [
        Op::Put { table: 0, key: 1, length: 10, fill: 1 },
        Op::Commit(Durability::Immediate),
        Op::Snapshot { name: 0 },
        Op::Put { table: 0, key: 1, length: 300_000, fill: 2 },
        Op::Commit(Durability::Immediate),
        Op::Diff { from: 0, to: 4 },
        Op::Put { table: 0, key: 2, length: 10, fill: 3 },
        Op::Commit(Durability::Immediate),
    ] {
        session.apply(&op).unwrap();
    }
    assert!(session.db().stats().log_capacity > 256 << 10);
    let options = Options {
        classes_per_cut: (6.0 * effort()) as usize,
        nested_one_in: 200,
        ..Options::exhaustive(seed.value())
    };
    println!("{:?}", must_survive(&Cowslip::default(), &session.kill(), &options));
}

/// A durable write of the log is stalled while the log moves away from under it: the pages of the old
/// ring are given to nobody before that write has ended.
#[test]
fn a_stalled_write_of_the_log_never_lands_in_pages_given_away() {
    let moves: [fn(&Database); 3] = [
        |db| db.compact().unwrap(),
        |db| db.clone().close().unwrap(),
        |db| {
            // A durable one that is so long would be a checkpoint, and not in the log.
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(Durability::Eventual);
            for key in [b"a", b"b", b"c", b"d"] {
                tx.open_table("t").unwrap().insert(key, &vec![5; 1 << 20]).unwrap();
            }
            tx.commit().unwrap();
        },
    ];
    for (number, relocate) in moves.into_iter().enumerate() {
        let gate = Gate::new(Arc::new(MemoryStorage::new()));
        let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
        let write = |key: u32, fill: u8, length: usize, durability| {
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(durability);
            tx.open_table("t").unwrap().insert(&key.to_be_bytes(), &vec![fill; length]).unwrap();
            tx.commit().unwrap();
        };
        // The log stands at the end, and nearer to the front there is room for a small one.
        write(0, 1, 900_000, Durability::Immediate);
        write(0, 1, 900_000, Durability::Immediate);
        write(0, 1, 10, Durability::Immediate);
        (0..50).for_each(|key| write(key, 1, 200, Durability::None));
        db.checkpoint().unwrap();
        let before = db.stats().log_capacity;
        gate.durable_writes().hold(1);
        std::thread::scope(|scope| {
            let (db, write) = (&*db, &write);
            let stalled = scope.spawn(move || write(7, 2, 200, Durability::Immediate));
            gate.durable_writes().wait_until_held();
            let moving = scope.spawn(move || relocate(db));
            std::thread::sleep(Duration::from_millis(200));
            let too_early = moving.is_finished();
            gate.durable_writes().open();
            stalled.join().unwrap();
            moving.join().unwrap();
            assert!(!too_early, "move {number}: the old ring was given away");
        });
        assert_ne!(db.stats().log_capacity, before, "move {number}: the log moved");
        let model = Model::read(&db).unwrap();
        let table = &model.branches["main"]["t"];
        assert_eq!(table[&7u32.to_be_bytes()[..]][..], [2; 200]);
        assert_eq!(table[&8u32.to_be_bytes()[..]][..], [1; 200]);
        let mut db = db;
        db.reopen();
        model.assert_is(&db);
        for key in 100..400u32 {
            let tx = db.begin_write().unwrap();
            tx.open_table("t").unwrap().insert(&key.to_be_bytes(), &[3; 1900]).unwrap();
            tx.commit().unwrap();
        }
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        assert_eq!(table.get(&7u32.to_be_bytes()).unwrap().unwrap(), [2; 200]);
    }
}

/// A database whose background is about to clear a larger ring, and what it holds.
fn held_in_growth(gate: &Arc<Gate>) -> (Scratch, u32) {
    let db = Scratch::on(Database::builder(), gate.clone()).unwrap();
    gate.writes().hold(1);
    let mut count = 0;
    while db.stats().log_bytes <= db.stats().log_capacity / 2 {
        put(&db, count, 800);
        count += 1;
    }
    gate.writes().wait_until_held();
    (db, count)
}

fn put(db: &Database, key: u32, length: usize) {
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(&key.to_be_bytes(), &vec![7; length]).unwrap();
    tx.commit().unwrap();
}

/// Waits for the thread that writes checkpoints.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn commits_go_on_and_survive_while_a_larger_ring_is_cleared() {
    let disk = Arc::new(SimulatedStorage::new());
    let gate = Gate::new(disk.clone());
    let (mut db, before) = held_in_growth(&gate);
    let capacity = db.stats().log_capacity;
    let all = before + 10;
    (before..all).for_each(|key| put(&db, key, 100));
    let model = Model::read(&db).unwrap();
    for plan in [Plan::None, Plan::All] {
        let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &plan);
        check::after_crash(&*disk_of(&image)).unwrap();
        let found =
            Database::builder().background(false).open_or_create_on(disk_of(&image)).unwrap();
        model.assert_is(&found);
    }
    gate.writes().open();
    until("the log grows", || db.stats().log_capacity > capacity);
    put(&db, all, 100);
    let model = Model::read(&db).unwrap();
    db.reopen();
    model.assert_is(&db);
}

/// The log moves while the background clears a ring for it: that ring is not used, and its space is not lost.
#[test]
fn a_ring_that_came_too_late_is_given_back() {
    let gate = Gate::new(Arc::new(MemoryStorage::new()));
    let (mut db, before) = held_in_growth(&gate);
    db.compact().unwrap();
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(Durability::Eventual);
    for key in [b"a", b"b", b"c", b"d"] {
        tx.open_table("t").unwrap().insert(key, &vec![5; 1 << 20]).unwrap();
    }
    tx.commit().unwrap();
    let (capacity, checkpoints) = (db.stats().log_capacity, db.stats().checkpoint);
    gate.writes().open();
    put(&db, before, 100);
    until("a checkpoint of the background", || db.stats().checkpoint > checkpoints);
    // It goes on to the ring, if it does, with the next one.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(db.stats().log_capacity, capacity);
    let used = |db: &Database| {
        db.checkpoint().unwrap();
        // A store that is closed has a small log.
        db.stats().pages_used - db.stats().log_capacity / 4096
    };
    let (model, found) = (Model::read(&db).unwrap(), used(&db));
    db.reopen();
    model.assert_is(&db);
    assert_eq!(used(&db), found);
}
