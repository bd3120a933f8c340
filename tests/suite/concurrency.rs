//! Readers keep their own versions while one writer works; committers share a durable write.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use cowslip::{
    Database, Durability,
    storage::{
        MemoryStorage,
        simulated::{Plan, SectorSize},
    },
};
use cowslip_harness::{Gate, Monitor, Scratch, Seed, seed::times, session::disk_of};

const KEYS: u64 = 400;

/// Puts `round` under every key.
fn write_round(db: &Database, round: u64, durability: Durability) {
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(durability);
    {
        let mut table = tx.open_table("t").unwrap();
        for key in 0..KEYS {
            let length =
                if key % 50 == 0 { 5000 } else { 8 + (round as usize + key as usize) % 90 };
            let mut value = vec![round as u8; length];
            value[..8].copy_from_slice(&round.to_be_bytes());
            table.insert(&key.to_be_bytes(), &value).unwrap();
        }
    }
    tx.commit().unwrap();
}

fn round_of(value: &[u8]) -> u64 {
    u64::from_be_bytes(value[..8].try_into().unwrap())
}

#[test]
fn every_reader_sees_one_version_whole() {
    let db = Scratch::file(Database::builder().cache_size(2 << 20));
    write_round(&db, 0, Durability::Immediate);
    let stop = AtomicBool::new(false);
    let acknowledged = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (db, stop, acknowledged) = (Database::clone(&db), &stop, &acknowledged);
            scope.spawn(move || {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let least = acknowledged.load(Ordering::Acquire);
                    let table = db.begin_read().unwrap().open_table("t").unwrap();
                    let first = round_of(&table.get(&0u64.to_be_bytes()).unwrap().unwrap());
                    assert!(first >= least.max(last), "an older version than was acknowledged");
                    last = first;
                    if number % 2 == 0 {
                        let rounds = table.range::<&[u8]>(..).unwrap();
                        assert!(
                            rounds.map(|e| round_of(&e.unwrap().1)).all(|round| round == first)
                        );
                    } else {
                        for key in (0..KEYS).rev() {
                            let value = table.get(&key.to_be_bytes()).unwrap().unwrap();
                            assert_eq!(round_of(&value), first);
                        }
                    }
                }
            });
        }
        for round in 1..=times(120) {
            let levels = [Durability::Immediate, Durability::Eventual, Durability::None];
            write_round(&db, round, levels[round as usize % 3]);
            acknowledged.store(round, Ordering::Release);
            if round % 10 == 0 {
                db.create_snapshot(&round.to_string()).unwrap();
            }
            if round % 20 == 5 && round > 20 {
                db.delete_snapshot(&(round - 15).to_string()).unwrap();
            }
            if round % 30 == 0 {
                db.checkpoint().unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn values_in_hand_stay_while_the_writer_frees_their_pages() {
    let db = Scratch::file(Database::builder().cache_size(2 << 20));
    write_round(&db, 1, Durability::Immediate);
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    let values: Vec<_> =
        (0..KEYS).map(|key| table.get(&key.to_be_bytes()).unwrap().unwrap()).collect();
    let mut half_way = table.range::<&[u8]>(..).unwrap();
    half_way.next().unwrap().unwrap();
    for round in 2..40 {
        write_round(&db, round, Durability::Eventual);
        if round % 5 == 0 {
            db.checkpoint().unwrap();
        }
    }
    assert!(values.iter().all(|value| round_of(value) == 1 && value[8..].iter().all(|b| *b == 1)));
    assert!(half_way.map(|entry| round_of(&entry.unwrap().1)).all(|round| round == 1));
}

/// An iterator that somebody forgot, on a cache that is far too small, stops nobody (R4).
#[test]
fn a_parked_iterator_stops_neither_writers_nor_eviction() {
    let db = Scratch::file(Database::builder().cache_size(1 << 20));
    write_round(&db, 1, Durability::Immediate);
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    let mut parked: Vec<_> = (0..8).map(|_| table.range::<&[u8]>(..).unwrap()).collect();
    parked.iter_mut().for_each(|iter| drop(iter.next()));
    let tx = db.begin_write().unwrap();
    {
        let mut other = tx.open_table("other").unwrap();
        (0..20_000u32).for_each(|n| assert!(!other.insert(&n.to_be_bytes(), &[1; 100]).unwrap()));
    }
    tx.commit().unwrap();
    for iter in parked {
        assert_eq!(iter.map(Result::unwrap).count() as u64, KEYS - 1);
    }
}

/// Each of eight committers gets its own acknowledgement, and a power cut at any moment finds every
/// commit that was acknowledged before.
#[test]
fn commits_of_many_threads_are_each_durable_when_acknowledged() {
    let seed = Seed::get();
    let disk = Arc::new(cowslip::storage::SimulatedStorage::new());
    let builder = Database::builder().cache_size(4 << 20);
    let (storage, watch) = Monitor::over_disk(&disk);
    let db = builder.open_or_create_on(storage).unwrap();
    let each = 60u64;
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (db, disk) = (db.clone(), disk.clone());
            scope.spawn(move || {
                for number in 0..each {
                    let tx = db.begin_write().unwrap();
                    let id = thread << 32 | number;
                    tx.open_table("t").unwrap().insert(&id.to_be_bytes(), b"here").unwrap();
                    tx.commit().unwrap();
                    disk.note(id);
                }
            });
        }
        let db = db.clone();
        scope.spawn(move || (0..10).for_each(|_| db.checkpoint().unwrap()));
    });
    let history = disk.history();
    drop(db);
    watch.assert_content();
    let mut rng = seed.rng(0);
    let events = history.events().len();
    for _ in 0..times(60) {
        let mut explorer = history.explore(SectorSize::B512);
        let event = rng.usize(..=events);
        while explorer.position() < event && explorer.advance() {}
        let image = explorer.cut().image(&Plan::Seeded(rng.u64(..)));
        let recovered =
            Database::builder().background(false).open_or_create_on(disk_of(&image)).unwrap();
        if explorer.notes().is_empty() {
            continue;
        }
        let table = recovered.begin_read().unwrap().open_table("t").unwrap();
        for id in explorer.notes() {
            assert!(table.get(&id.to_be_bytes()).unwrap().is_some(), "commit {id:#x} is lost");
        }
    }
}

#[test]
fn committers_at_the_same_time_share_a_durable_write() {
    let db = Scratch::file(Database::builder());
    let each = 50;
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let db = Database::clone(&db);
            scope.spawn(move || {
                for number in 0..each {
                    let tx = db.begin_write().unwrap();
                    let key = (thread << 32 | number).to_be_bytes();
                    tx.open_table("t").unwrap().insert(&key, b"here").unwrap();
                    tx.commit().unwrap();
                }
            });
        }
    });
    let syncs = db.stats().log_syncs;
    assert!(syncs < 8 * each, "{syncs} durable writes for {} commits", 8 * each);
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 8 * each);
}

#[test]
fn readers_and_tables_outlive_every_handle() {
    let (_dir, table) = {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::create(dir.path().join("a.cow")).unwrap();
        write_round(&db, 3, Durability::Immediate);
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        (dir, table)
    };
    assert_eq!(round_of(&table.get(&9u64.to_be_bytes()).unwrap().unwrap()), 3);
}

/// It waits for the one that is written, but not with the writer lock.
#[test]
fn a_checkpoint_asked_for_while_one_is_written_keeps_no_writer_waiting() {
    let gate = Gate::new(Arc::new(MemoryStorage::new()));
    let db = Scratch::on(Database::builder().background(false), gate.clone()).unwrap();
    write_round(&db, 0, Durability::Immediate);
    gate.writes().hold(1);
    let (free, first, second) = std::thread::scope(|scope| {
        let db = &*db;
        let first = scope.spawn(|| db.checkpoint());
        gate.writes().wait_until_held();
        let second = scope.spawn(|| db.checkpoint());
        std::thread::sleep(std::time::Duration::from_millis(100));
        let free = db.try_begin_write().unwrap().is_some();
        gate.writes().open();
        (free, first.join().unwrap(), second.join().unwrap())
    });
    first.and(second).unwrap();
    assert!(free, "no transaction could begin");
}
