//! Salvage: what proves itself and is not right all the same.

mod support;

use std::sync::Arc;

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{SalvageOptions, Salvaged};
use support::*;

const CATALOG: u8 = 2;
const TABLE: u8 = 3;

fn salvage(bytes: &[u8]) -> (Salvaged, Vec<u8>) {
    let wreck = SimulatedStorage::from_image(bytes.to_vec());
    let out = Arc::new(SimulatedStorage::new());
    let salvaged =
        cowslip_fsck::salvage_storage(&wreck, out.clone(), &SalvageOptions::default()).unwrap();
    (salvaged, out.image())
}

/// A closed store with a table of 2000 rows.
fn store() -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in 0..2000 {
            let value = format!("value {i}, with some length, so that leaves fill up well");
            table.insert(format!("{i:06}").as_bytes(), value.as_bytes()).unwrap();
        }
    }
    tx.commit().unwrap();
    db.close().unwrap();
    storage.image()
}

fn rows_of(bytes: &[u8], table: &str) -> Rows {
    contents(bytes)[&("branch main".to_owned(), table.to_owned())].clone()
}

#[test]
fn a_state_with_a_leaf_outside_its_bounds_is_not_called_whole() {
    let mut wreck = Wreck::of(store());
    let inner = wreck.nodes(TABLE, 1)[0];
    let leaf = wreck.child(inner, 2).page.0;
    assert!(wreck.page(leaf)[40] > 0, "the leaf's keys share a prefix");
    wreck.page(leaf)[64] = b'9';
    wreck.seal(leaf);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert!(rows_of(&out, "t").len() < 2000);
    assert!(!salvaged.states[0].whole && !salvaged.states[0].tables[0].whole, "{salvaged}");
    assert!(!salvaged.states[0].tables[0].gaps.is_empty(), "{salvaged}");
}

#[test]
fn a_state_whose_nodes_count_other_entries_than_there_are_is_not_called_whole() {
    let mut wreck = Wreck::of(store());
    let inner = wreck.nodes(TABLE, 1)[0];
    let at = wreck.value(inner, 2) + 16;
    wreck.page(inner)[at] ^= 1;
    wreck.seal(inner);
    let (salvaged, _) = salvage(&wreck.bytes);
    assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
    assert!(!salvaged.states[0].whole, "{salvaged}");
}

#[test]
fn tables_without_a_name_come_with_their_rows_also_where_their_transaction_wrote_others() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    for n in 0..200 {
        let mut table = tx.open_table(&format!("table with a rather long name {n:04}")).unwrap();
        for i in 0..5u32 {
            table.insert(format!("{i:06}").as_bytes(), b"value").unwrap();
        }
    }
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let leaf = wreck.nodes(CATALOG, 0)[1];
    wreck.flip(leaf, 2000);
    let (salvaged, _) = salvage(&wreck.bytes);
    assert!(!salvaged.found_tables.is_empty());
    assert!(salvaged.found_tables.iter().all(|(_, rows)| *rows == 5), "{salvaged}");
}
