//! A store is checked while it is written: what is sound is never called wrong, what is wrong is found.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use cowslip::{
    Database, Durability, Storage,
    storage::{MemoryStorage, SimulatedStorage},
};
use cowslip_fsck::{Error, Options, check_live, check_live_storage, check_open};

/// Writes as fast as it can: rows, large values, snapshots that come and go, checkpoints, so that pages are
/// used again at once.
fn write(db: &Database, stop: &AtomicBool, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut commits = 0;
    let mut snapshots: Vec<String> = Vec::new();
    while !stop.load(Relaxed) {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::None);
        {
            let mut table = tx.open_table("rows").unwrap();
            for _ in 0..40 {
                let key = format!("{:05}", random.u32(..4000));
                let length = if random.u32(..50) == 0 { 9000 } else { random.usize(..300) };
                if random.u32(..4) == 0 {
                    table.remove(key.as_bytes()).unwrap();
                } else {
                    table.insert(key.as_bytes(), &vec![random.u8(..); length]).unwrap();
                }
            }
        }
        tx.commit().unwrap();
        commits += 1;
        match random.u32(..8) {
            0 => {
                let name = format!("s{commits}");
                db.create_snapshot(&name).unwrap();
                snapshots.push(name);
            }
            1 if snapshots.len() > 3 => {
                let name = snapshots.swap_remove(random.usize(..snapshots.len()));
                db.delete_snapshot(&name).unwrap();
            }
            2 => db.checkpoint().unwrap(),
            _ => {}
        }
    }
    commits
}

struct StopLater<'a>(&'a AtomicBool);

impl Drop for StopLater<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Runs `check` again and again beside a writer.
fn beside_a_writer(db: &Database, check: impl FnMut()) {
    let mut check = check;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when a check fails: else the scope would wait for ever.
        let end = StopLater(&stop);
        let writer = scope.spawn(|| write(db, &stop, 1));
        let began = Instant::now();
        let mut checks = 0;
        while checks < 40 || began.elapsed() < Duration::from_secs(2) {
            check();
            checks += 1;
        }
        drop(end);
        assert!(writer.join().unwrap() > 10);
    });
}

fn open(storage: Arc<dyn Storage>) -> Database {
    Database::builder().cache_size(8 << 20).open_or_create_on(storage).unwrap()
}

#[test]
fn a_sound_store_is_found_sound_beside_a_writer_at_full_speed() {
    for sweep in [true, false] {
        let db = open(Arc::new(MemoryStorage::new()));
        let options = Options { sweep, ..Options::default() };
        let mut checkpoints = Vec::new();
        beside_a_writer(&db, || match check_open(&db, &options) {
            Ok(report) => {
                assert!(report.is_clean(), "{report}");
                assert!(report.notes.iter().any(|note| note.contains("while in use")));
                checkpoints.push(report.checkpoint);
            }
            Err(Error::WrittenTooFast { .. }) => {}
            Err(error) => panic!("{error}"),
        });
        checkpoints.dedup();
        assert!(checkpoints.len() > 5, "{checkpoints:?}");
    }
}

#[test]
fn without_a_pin_there_is_no_false_alarm_either() {
    let storage = Arc::new(MemoryStorage::new());
    let db = open(storage.clone());
    let mut judged = 0;
    beside_a_writer(&db, || match check_live_storage(&*storage, &Options::default()) {
        Ok(report) => {
            assert!(report.is_clean(), "{report}");
            judged += 1;
        }
        Err(Error::WrittenTooFast { .. }) => {}
        Err(error) => panic!("{error}"),
    });
    assert!(judged > 0);
}

#[test]
fn a_flipped_bit_is_found_beside_a_writer() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = open(storage.clone());
    let needle = [b"a needle that stays where it is, ".as_slice(); 4].concat();
    let tx = db.begin_write().unwrap();
    tx.open_table("quiet").unwrap().insert(b"k", &needle).unwrap();
    tx.commit().unwrap();
    db.checkpoint().unwrap();
    let image = storage.image();
    // The last place: an earlier one is the log's.
    let at = image.windows(needle.len()).rposition(|bytes| bytes == needle).unwrap();
    storage.write_at(&[image[at] ^ 1], at as u64).unwrap();
    let mut found = 0;
    let mut unjudged = 0;
    beside_a_writer(&db, || match check_open(&db, &Options::default()) {
        Ok(report) => {
            assert_eq!(report.problem_count(), 1, "{report}");
            assert!(report.has("F0402"), "{report}");
            assert_eq!(report.problems[0].page, Some(at as u64 / 4096));
            found += 1;
        }
        Err(Error::WrittenTooFast { .. }) => unjudged += 1,
        Err(error) => panic!("{error}"),
    });
    assert!(found > 0, "{unjudged} tries came to nothing");
    let report = check_live_storage(&*storage, &Options::default()).unwrap();
    assert_eq!(report.problem_count(), 1, "{report}");
}

#[test]
fn a_file_that_another_handle_has_open_is_checked_live_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cow");
    let db = Database::create(&path).unwrap();
    support::fill(&db);
    assert!(matches!(cowslip_fsck::check(&path, &Options::default()), Err(Error::Locked)));
    assert!(check_live(&path, &Options::default()).unwrap().is_clean());
    let report = check_open(&db, &Options::default()).unwrap();
    assert!(report.is_clean() && report.entries > 700, "{report}");
}
