//! What the engine writes is clean: new, filled, with snapshots, reopened, of any page size, and
//! left behind in the middle of its life.

mod support;

use std::sync::Arc;

use cowslip::{
    Database,
    storage::{MemoryStorage, SimulatedStorage},
};
use support::*;

#[track_caller]
fn clean(bytes: &[u8]) -> cowslip_fsck::Report {
    let report = check(bytes);
    assert!(report.is_clean(), "{report}");
    report
}

#[test]
fn a_new_store_is_clean() {
    let storage = Arc::new(MemoryStorage::new());
    database(storage.clone()).close().unwrap();
    let report = clean(&bytes_of(&*storage));
    assert_eq!((report.branches, report.snapshots, report.entries), (1, 0, 0));
}

#[test]
fn a_filled_store_is_clean_and_counted() {
    let report = clean(&image());
    assert_eq!((report.branches, report.snapshots), (2, 2));
    assert!(report.extents >= 2 && report.entries > 700, "{report}");
    assert_eq!(report.log_transactions, 0);
}

#[test]
fn every_page_size_is_clean() {
    for page_size in [8192, 16384, 65536] {
        let storage = Arc::new(MemoryStorage::new());
        let db = Database::builder()
            .background(false)
            .page_size(page_size)
            .open_or_create_on(storage.clone())
            .unwrap();
        fill(&db);
        db.close().unwrap();
        clean(&bytes_of(&*storage));
    }
}

#[test]
fn a_store_that_was_not_closed_is_clean_and_replays() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    fill(&db);
    let report = clean(&storage.image());
    assert!(report.log_transactions > 0 && report.replayed, "{report}");
    drop(db);
}

#[test]
fn random_work_stays_clean() {
    let storage = Arc::new(SimulatedStorage::new());
    let mut random = fastrand::Rng::with_seed(5);
    let mut db = database(storage.clone());
    let mut snapshots: Vec<String> = Vec::new();
    for step in 0..300 {
        match random.u32(..12) {
            0 => {
                let name = format!("s{step}");
                db.create_snapshot(&name).unwrap();
                snapshots.push(name);
            }
            1 if !snapshots.is_empty() => {
                let name = snapshots.swap_remove(random.usize(..snapshots.len()));
                db.delete_snapshot(&name).unwrap();
            }
            2 if !snapshots.is_empty() => {
                db.rollback(&snapshots[random.usize(..snapshots.len())]).unwrap();
            }
            3 => db.checkpoint().unwrap(),
            4 => {
                db.close().unwrap();
                clean(&storage.image());
                db = database(storage.clone());
            }
            _ => {
                let tx = db.begin_write().unwrap();
                {
                    let mut t = tx.open_table(["a", "b"][random.usize(..2)]).unwrap();
                    for _ in 0..random.u32(..120) {
                        let key = format!("{:04}", random.u32(..3000));
                        let length = if random.u32(..60) == 0 {
                            random.usize(..20000)
                        } else {
                            random.usize(..300)
                        };
                        if random.u32(..3) == 0 {
                            t.remove(key.as_bytes()).unwrap();
                        } else {
                            t.insert(key.as_bytes(), &vec![random.u8(..); length]).unwrap();
                        }
                    }
                    if random.u32(..5) == 0 {
                        let (a, b) = (random.u32(..3000), random.u32(..3000));
                        let (a, b) = (format!("{:04}", a.min(b)), format!("{:04}", a.max(b)));
                        t.remove_range(a.as_bytes()..b.as_bytes()).unwrap();
                    }
                }
                tx.commit().unwrap();
            }
        }
        if step % 7 == 0 {
            clean(&storage.image());
        }
    }
    db.close().unwrap();
    clean(&storage.image());
}

#[test]
fn nothing_is_written_to_a_file_and_its_state_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cow");
    std::fs::write(&file, image()).unwrap();
    let before = std::fs::read(&file).unwrap();
    let report = cowslip_fsck::check(&file, &Default::default()).unwrap();
    assert!(report.is_clean());
    assert!(std::fs::read(&file).unwrap() == before);
}
