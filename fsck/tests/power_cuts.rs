//! What a power cut leaves is clean as it lies, before anyone recovers it; or it is a creation that
//! never ended, which is no database yet.

mod support;

use std::sync::Arc;

use cowslip::storage::{SimulatedStorage, simulated::SectorSize};
use cowslip_fsck::Error;
use support::*;

#[test]
fn every_image_is_clean() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let created = storage.history().events().len();
    for round in 0..4u8 {
        let tx = db.begin_write().unwrap();
        {
            let mut t = tx.open_table("t").unwrap();
            for i in 0..40 {
                t.insert(&[i, round], &[round; 200]).unwrap();
            }
            match round {
                1 => drop(t.insert(b"big", &[9; 6000]).unwrap()),
                3 => drop(t.remove(b"big").unwrap()),
                _ => {}
            }
        }
        tx.commit().unwrap();
        match round {
            1 => db.create_snapshot("s").unwrap(),
            2 => db.delete_snapshot("s").unwrap(),
            _ => continue,
        }
        db.checkpoint().unwrap();
    }
    db.close().unwrap();
    let history = storage.history();
    let mut explorer = history.explore(SectorSize::B512);
    let mut images = 0;
    loop {
        let position = explorer.position();
        for (plan, _, image) in explorer.cut().images().take(12) {
            images += 1;
            match try_check(&image) {
                Ok(report) => {
                    assert!(report.is_clean(), "event {position}, {plan:?}: {report}");
                }
                Err(Error::NotADatabase) => assert!(position <= created, "event {position}"),
                Err(error) => panic!("event {position}, {plan:?}: {error}"),
            }
        }
        if !explorer.advance() {
            break;
        }
    }
    assert!(images > 100);
}
