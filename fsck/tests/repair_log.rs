//! The log and repair: what is acknowledged is replayed on what was repaired, and is cut only on demand.

mod support;

use std::sync::Arc;

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{RepairOptions, Repaired};
use support::*;

/// A store that died with `rounds` transactions in its log; its bytes, and where the ring stands.
fn died(rounds: u8) -> (Vec<u8>, usize) {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    fill(&db);
    db.checkpoint().unwrap();
    for round in 0..rounds {
        let tx = db.begin_write().unwrap();
        tx.open_table("log").unwrap().insert(&[round], &[round; 3000]).unwrap();
        tx.commit().unwrap();
    }
    let bytes = storage.image();
    std::mem::forget(db);
    let block =
        cowslip_pager::superblock::newest(&SimulatedStorage::from_image(bytes.clone())).unwrap();
    (bytes, block.log.page.0 as usize * block.page_size as usize)
}

fn repair(bytes: &mut Vec<u8>, lossy: bool) -> Repaired {
    let storage = SimulatedStorage::from_image(bytes.clone());
    let options = RepairOptions { lossy, ..RepairOptions::default() };
    let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
    *bytes = storage.image();
    repaired
}

fn rounds(bytes: &[u8]) -> Vec<u8> {
    let db: Database = database(Arc::new(SimulatedStorage::from_image(bytes.to_vec())));
    let rx = db.begin_read().unwrap();
    let Ok(table) = rx.open_table("log") else { return Vec::new() };
    table.range::<&[u8]>(..).unwrap().map(|row| row.unwrap().0[0]).collect()
}

/// Where the log has the value of a round. Its ring begins at `ring`.
fn record(bytes: &[u8], ring: usize, round: u8) -> usize {
    ring + bytes[ring..].windows(64).position(|w| w == [round; 64]).unwrap()
}

#[test]
fn a_log_is_replayed_on_what_was_repaired() {
    let (mut bytes, _) = died(6);
    bytes[70] ^= 1;
    bytes[70 + (16 << 10)] ^= 1;
    // Copies of both slots; the log stays where it is.
    let repaired = repair(&mut bytes, false);
    assert_eq!(repaired.exit_code(), 1, "{repaired}");
    assert!(check(&bytes).is_clean());
    assert_eq!(rounds(&bytes), [0, 1, 2, 3, 4, 5]);
    // A damaged leaf below the log: what the log says comes on top of what was refilled.
    let (bytes, _) = died(6);
    let mut wreck = Wreck::of(bytes);
    let leaf = wreck.nodes(3, 0)[3];
    wreck.flip(leaf, 2000);
    let mut bytes = wreck.bytes;
    let repaired = repair(&mut bytes, true);
    assert_eq!(repaired.exit_code(), 1, "{repaired}");
    let report = check(&bytes);
    assert!(report.is_clean() && report.log_transactions == 6, "{report}");
    assert_eq!(rounds(&bytes), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_damaged_record_cuts_the_log_on_demand_only() {
    let (whole, ring) = died(6);
    let at = record(&whole, ring, 3);
    let mut bytes = whole.clone();
    bytes[at + 100] ^= 1;
    assert!(check(&bytes).has("F0201"), "{}", check(&bytes));
    let wreck = bytes.clone();
    let would = repair(&mut bytes, false);
    assert_eq!((would.exit_code(), would.would), (4, true), "{would}");
    assert_eq!(would.log.map(|cut| cut.kept), Some(3));
    assert!(bytes == wreck);
    let repaired = repair(&mut bytes, true);
    assert_eq!(repaired.exit_code(), 1, "{repaired}");
    assert!(check(&bytes).is_clean());
    assert_eq!(rounds(&bytes), [0, 1, 2]);
    assert!(repaired.to_string().contains("the log was cut: 3 transactions kept"), "{repaired}");
}

#[test]
fn a_torn_tail_is_nothing_to_repair() {
    let (mut bytes, ring) = died(6);
    let at = record(&bytes, ring, 5);
    bytes[at + 100] ^= 1;
    let before = bytes.clone();
    let repaired = repair(&mut bytes, false);
    assert_eq!((repaired.exit_code(), repaired.blocks_written), (0, 0), "{repaired}");
    assert!(bytes == before);
}

#[test]
fn an_older_state_is_taken_on_demand_only() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    for round in 0..3u8 {
        let tx = db.begin_write().unwrap();
        tx.open_table("log").unwrap().insert(&[round], &[round; 300]).unwrap();
        tx.commit().unwrap();
    }
    db.close().unwrap();
    let mut bytes = storage.image();
    let newest = cowslip_pager::superblock::newest(&*storage).unwrap();
    for copy in 0..2 {
        let at = cowslip_pager::superblock::Superblock::offset(newest.checkpoint % 2, copy);
        bytes[at as usize + 70] ^= 4;
    }
    let report = check(&bytes);
    assert!(report.has("F0103") && report.has("F0202"), "{report}");
    let wreck = bytes.clone();
    let would = repair(&mut bytes, false);
    assert_eq!((would.exit_code(), would.would, would.older), (4, true, true), "{would}");
    assert!(bytes == wreck);
    let repaired = repair(&mut bytes, true);
    assert_eq!((repaired.exit_code(), repaired.older), (1, true), "{repaired}");
    assert!(check(&bytes).is_clean());
    // A prefix of what was committed, and the store goes on.
    let found = rounds(&bytes);
    assert!(found.iter().copied().eq(0..found.len() as u8), "{found:?}");
    let storage = Arc::new(SimulatedStorage::from_image(bytes));
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    tx.open_table("log").unwrap().insert(b"z", b"after").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    assert!(check(&storage.image()).is_clean());
}
