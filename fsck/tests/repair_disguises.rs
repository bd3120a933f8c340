//! What plain repair must not take for a repair without loss, however much it looks like one.

mod support;

use std::{collections::BTreeMap, sync::Arc};

use cowslip::{Database, Durability, storage::SimulatedStorage};
use cowslip_fsck::{Error, Loss, Refusal, RepairOptions, Repaired};
use cowslip_pager::{
    page::u64_at,
    superblock::{SUPERBLOCK_SIZE, Superblock},
};
use support::*;

const META: u8 = 1;
const CATALOG: u8 = 2;
const TABLE: u8 = 3;

fn repair(bytes: &mut Vec<u8>, lossy: bool) -> Repaired {
    let storage = SimulatedStorage::from_image(bytes.clone());
    let options = RepairOptions { lossy, ..RepairOptions::default() };
    let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
    *bytes = storage.image();
    repaired
}

/// Plain repair changes nothing and says that it would cost something; lossy repair does it, and says so.
#[track_caller]
fn costs(wreck: &[u8]) -> (Vec<u8>, Repaired) {
    let mut bytes = wreck.to_vec();
    let would = repair(&mut bytes, false);
    assert_eq!((would.exit_code(), would.refusal), (4, Some(Refusal::NeedsLossy)), "{would}");
    assert!(bytes == wreck);
    let repaired = repair(&mut bytes, true);
    assert_eq!((repaired.exit_code(), repaired.lost), (1, true), "{repaired}");
    let report = check(&bytes);
    assert!(report.is_clean(), "{report}");
    (bytes, repaired)
}

fn open(bytes: &[u8]) -> (Arc<SimulatedStorage>, Database) {
    let storage = Arc::new(SimulatedStorage::from_image(bytes.to_vec()));
    (storage.clone(), database(storage))
}

fn put(db: &Database, rows: std::ops::Range<u8>, value: u8) {
    let tx = db.begin_write().unwrap();
    let mut table = tx.open_table("first").unwrap();
    for row in rows {
        table.insert(&[row], &[value; 200]).unwrap();
    }
    drop(table);
    tx.commit().unwrap();
}

/// Table `first` of `main`.
fn rows(bytes: &[u8]) -> BTreeMap<u8, u8> {
    let (_, db) = open(bytes);
    let Ok(table) = db.begin_read().unwrap().open_table("first") else { return BTreeMap::new() };
    let rows = table.range::<&[u8]>(..).unwrap().map(|row| row.unwrap());
    rows.map(|(key, value)| (key[0], value[0])).collect()
}

fn by_age(wreck: &mut Wreck, kind: u8, level: u8) -> Vec<u64> {
    let mut pages = wreck.nodes(kind, level);
    pages.sort_by_key(|&page| u64_at(wreck.page(page), 16));
    pages
}

/// A copy with an impossible field and a twin that is torn: the slot may have been the newest.
#[test]
fn a_slot_whose_copies_are_hurt_in_different_ways_is_lost() {
    let (storage, db) = open(&[]);
    for value in 0..4 {
        put(&db, 0..10, value);
        db.checkpoint().unwrap();
    }
    db.close().unwrap();
    let bytes = storage.image();
    let newest = Wreck::of(bytes.clone()).block;
    for which in 0..2 {
        let mut bytes = bytes.clone();
        let place = |slot, copy| Superblock::offset(slot, copy) as usize;
        let slot = newest.checkpoint % 2;
        // The other slot's block stands over one copy, as by a misplaced write.
        let from = place(1 - slot, 0);
        bytes.copy_within(from..from + SUPERBLOCK_SIZE, place(slot, which));
        bytes[place(slot, 1 - which) + 70] ^= 4;
        // The log's word for the newest checkpoint is gone as well.
        let ring = newest.log.page.0 as usize * newest.page_size as usize;
        let end = ring + 4096 * newest.log.blocks as usize;
        bytes[ring..end].fill(0);
        assert!(check(&bytes).has("F0103"), "{}", check(&bytes));
        let (_, repaired) = costs(&bytes);
        assert!(repaired.older, "{repaired}");
    }
}

/// What the file had of the log is gone, which is no torn tail.
#[test]
fn a_log_that_the_file_ends_in_is_cut_on_demand_only() {
    let (storage, db) = open(&[]);
    put(&db, 0..1, 1);
    db.close().unwrap();
    let (storage, db) = open(&storage.image());
    // A larger ring moves to the end of the file.
    let long = vec![7; 90 << 10];
    for number in 0..4 {
        let tx = db.begin_write().unwrap();
        tx.open_table("long").unwrap().insert(&[number], &long).unwrap();
        tx.commit().unwrap();
    }
    for row in 0..40 {
        put(&db, row..row + 1, 2);
    }
    let whole = storage.image();
    std::mem::forget(db);
    assert_eq!(rows(&whole).len(), 40);
    let block = Wreck::of(whole.clone()).block;
    let ring = (block.log.page.0 * u64::from(block.page_size)) as usize;
    assert_eq!(ring + 4096 * block.log.blocks as usize, whole.len(), "the ring is not at the end");
    for keep in [0, 40 * 4096] {
        let report = check(&whole[..ring + keep]);
        assert!(report.has("F0111") && report.has("F0203"), "{report}");
        let (bytes, repaired) = costs(&whole[..ring + keep]);
        assert!(repaired.log.is_some(), "{repaired}");
        assert!(rows(&bytes).len() < 40);
    }
}

/// The snapshot's leaf has as many entries as the branch's that is gone: it must not pass for it.
#[test]
fn a_leaf_of_another_state_is_taken_on_demand_only() {
    let (storage, db) = open(&[]);
    put(&db, 0..80, 1);
    db.create_snapshot("monday").unwrap();
    // Its first leaf alone is not the snapshot's any more.
    put(&db, 0..1, 2);
    db.close().unwrap();
    let image = storage.image();
    for above in [false, true] {
        let mut wreck = Wreck::of(image.clone());
        let inner = by_age(&mut wreck, TABLE, 1);
        let leaf = by_age(&mut wreck, TABLE, 0).pop().unwrap();
        let catalog = by_age(&mut wreck, CATALOG, 0)[0];
        assert_eq!(inner.len(), 2);
        // The snapshot's leaf is hidden by its inner node, or by its catalog.
        for page in [inner[1], leaf, if above { catalog } else { inner[0] }] {
            wreck.flip(page, 3000);
        }
        let (bytes, repaired) = costs(&wreck.bytes);
        let of_main = |loss: &&Loss| loss.ranges[0].state == "branch main";
        let loss = repaired.losses.iter().find(of_main).unwrap();
        assert!(!loss.refilled.is_empty(), "{repaired}");
        let main = rows(&bytes);
        assert_eq!((main.len(), main[&0]), (80, 1), "{repaired}");
    }
}

/// A deleted snapshot that waits to be taken apart owns pages as well.
#[test]
fn a_leaf_of_the_release_queue_is_taken_on_demand_only() {
    let (storage, db) = open(&[]);
    // More than a deletion takes apart at once.
    let tx = db.begin_write().unwrap();
    let mut table = tx.open_table("first").unwrap();
    for row in 0..2000u16 {
        table.insert(&row.to_be_bytes(), &[1; 200]).unwrap();
    }
    drop(table);
    tx.commit().unwrap();
    db.create_snapshot("monday").unwrap();
    let tx = db.begin_write().unwrap();
    let mut table = tx.open_table("first").unwrap();
    for row in 0..2000u16 {
        table.insert(&row.to_be_bytes(), &[2; 200]).unwrap();
    }
    drop(table);
    tx.commit().unwrap();
    db.delete_snapshot("monday").unwrap();
    db.checkpoint().unwrap();
    let image = storage.image();
    std::mem::forget(db);
    let mut tried = 0;
    let mut wreck = Wreck::of(image.clone());
    for inner in wreck.nodes(TABLE, 1) {
        for entry in 1..wreck.entries(inner).min(4) {
            let leaf = wreck.child(inner, entry).page.0;
            let mut hurt = Wreck::of(image.clone());
            hurt.flip(inner, 3000);
            hurt.flip(leaf, 3000);
            let mut bytes = hurt.bytes.clone();
            let repaired = repair(&mut bytes, false);
            if repaired.exit_code() == 1 {
                // It was the queue's own.
                let (_, db) = open(&bytes);
                let table = db.begin_read().unwrap().open_table("first").unwrap();
                assert_eq!(table.len().unwrap(), 2000, "{repaired}");
                let two = table.range::<&[u8]>(..).unwrap().all(|row| row.unwrap().1[0] == 2);
                assert!(two, "page {leaf}: {repaired}");
            } else {
                tried += 1;
            }
        }
    }
    assert!(tried > 2, "{tried}");
}

/// Also what was only logged since.
#[test]
fn an_undo_is_refused_once_anything_was_logged() {
    let folder = tempfile::tempdir().unwrap();
    let undo = folder.path().join("undo");
    let mut wreck = Wreck::new();
    let group = wreck.group(0);
    wreck.flip(group, 100);
    let storage = Arc::new(SimulatedStorage::from_image(wreck.bytes.clone()));
    let options = RepairOptions { undo: Some(&undo), ..RepairOptions::default() };
    assert_eq!(cowslip_fsck::repair_storage(&*storage, &options).unwrap().exit_code(), 1);
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    tx.open_table("first").unwrap().insert(b"new", b"row").unwrap();
    tx.commit().unwrap();
    let logged = storage.image();
    std::mem::forget(db);
    assert!(check(&logged).log_transactions > 0);
    let storage = SimulatedStorage::from_image(logged.clone());
    let error = cowslip_fsck::undo_storage(&storage, &undo).unwrap_err();
    assert!(matches!(error, Error::WrittenSince { .. }), "{error}");
    assert!(storage.image() == logged);
}

/// More share the loss than are named.
#[test]
fn each_snapshot_that_lost_keys_gets_another_number() {
    let (storage, db) = open(&[]);
    put(&db, 0..80, 1);
    for number in 0..105 {
        db.create_snapshot(&format!("s{number:03}")).unwrap();
    }
    let mut replica = Vec::new();
    db.send(&mut replica, "s104", None).unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let leaf = by_age(&mut wreck, TABLE, 0)[1];
    wreck.flip(leaf, 3000);
    let (bytes, repaired) = costs(&wreck.bytes);
    assert_eq!(repaired.losses[0].states, 106, "main and all snapshots");
    // The replica has s104 whole: nothing builds on the one that is left here.
    let (_, db) = open(&bytes);
    db.create_snapshot("later").unwrap();
    let (_, other) = open(&[]);
    other.receive(&mut &replica[..]).unwrap();
    let mut stream = Vec::new();
    let refused = match db.send(&mut stream, "later", Some("s104")) {
        Ok(_) => other.receive(&mut &stream[..]).is_err(),
        Err(_) => true,
    };
    assert!(refused);
}

/// A superblock may claim anything; memory is taken for what the file has.
#[test]
fn a_small_file_that_claims_to_be_huge_is_refused() {
    let mut wreck = Wreck::new();
    wreck.block.pages = 1 << 30;
    wreck.block.map.depth = wreck.geometry.depth(1 << 30);
    wreck.write_superblock();
    let mut bytes = wreck.bytes.clone();
    let repaired = repair(&mut bytes, true);
    assert_eq!(repaired.refusal, Some(Refusal::NoRoom), "{repaired}");
    assert!(bytes == wreck.bytes);
}

/// The log's transactions have nothing to do with it.
#[test]
fn a_main_that_is_made_anew_costs_no_transaction_of_the_log() {
    let (storage, db) = open(&[]);
    put(&db, 0..80, 1);
    db.create_branch("side", "main").unwrap();
    db.checkpoint().unwrap();
    for value in 0..5 {
        let mut tx = db.begin_write_on("side").unwrap();
        tx.set_durability(Durability::Immediate);
        tx.open_table("first").unwrap().insert(&[200], &[value; 9]).unwrap();
        tx.commit().unwrap();
    }
    let image = storage.image();
    std::mem::forget(db);
    let mut wreck = Wreck::of(image);
    // "bmain" becomes "blain", in the head of its key, which stands backwards behind the prefix.
    let names = by_age(&mut wreck, META, 0).pop().unwrap();
    let page = wreck.page(names);
    let prefix = usize::from(u16::from_le_bytes([page[40], page[41]]));
    let entries = cowslip::kinds::entries(page);
    let entry = entries.iter().position(|entry| entry.0 == b"bmain").unwrap();
    let at = 64 + prefix + 4 * entry + 3 - (1 - prefix);
    assert_eq!(page[at], b'm');
    page[at] = b'l';
    wreck.seal(names);
    let (bytes, repaired) = costs(&wreck.bytes);
    assert!(repaired.log.is_none_or(|cut| cut.dropped == 0), "{repaired}");
    let (_, db) = open(&bytes);
    let side = db.begin_read_on("side").unwrap().open_table("first").unwrap();
    assert_eq!(side.get(&[200]).unwrap().unwrap()[0], 4);
    let notes = db.begin_read().unwrap().open_table("cowslip.repair").unwrap();
    let made = notes
        .range::<&[u8]>(..)
        .unwrap()
        .any(|row| String::from_utf8_lossy(&row.unwrap().1).contains("made main"));
    assert!(made, "{repaired}");
}
