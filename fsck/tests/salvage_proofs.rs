//! Salvage: what proves itself and is not right all the same.

mod support;

use std::sync::Arc;

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{SalvageOptions, Salvaged};
use cowslip_pager::page::{node_crc, u64_at};
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

#[test]
fn a_leaf_that_the_map_disproves_is_taken_for_an_older_one() {
    let whole = store();
    let mut wreck = Wreck::of(whole.clone());
    let leaf = wreck.nodes(TABLE, 0)[3];
    let page = wreck.page(leaf);
    let at = page.len() - 1;
    page[at] ^= 1;
    let crc = node_crc(page).to_le_bytes();
    page[..4].copy_from_slice(&crc);
    let (salvaged, out) = salvage(&wreck.bytes);
    let table = &salvaged.states[0].tables[0];
    assert!(!salvaged.states[0].whole && !table.whole, "{salvaged}");
    assert!(table.gaps.len() == 1 && table.gaps[0].older > 0 && salvaged.noted == 1, "{salvaged}");
    // Its other rows are there.
    let (now, then) = (rows_of(&out, "t"), rows_of(&whole, "t"));
    assert_eq!(now.iter().filter(|(key, value)| then[*key] != **value).count(), 1);
}

/// A closed store with a large value, and the second page of it.
fn store_with_film() -> (Wreck, u64) {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in 0..2000 {
            table.insert(format!("{i:06}").as_bytes(), format!("value {i}").as_bytes()).unwrap();
        }
        tx.open_table("films").unwrap().insert(b"film", &[0x55; 40_000]).unwrap();
    }
    tx.commit().unwrap();
    db.close().unwrap();
    let wreck = Wreck::of(storage.image());
    let film = wreck.bytes.chunks(4096).position(|page| page == [0x55; 4096]).unwrap() as u64 + 1;
    (wreck, film)
}

#[test]
fn a_page_that_was_planted_in_a_large_value_is_no_node() {
    let (mut wreck, film) = store_with_film();
    let inner = wreck.nodes(TABLE, 1)[0];
    let leaf = wreck.child(inner, 2).page.0;
    // It looks like a leaf, at its place; and that leaf is lost.
    let mut image = wreck.page(leaf).to_vec();
    image[8..16].copy_from_slice(&film.to_le_bytes());
    let crc = node_crc(&image).to_le_bytes();
    image[..4].copy_from_slice(&crc);
    assert_eq!(u64_at(&image, 8), film);
    wreck.page(film).copy_from_slice(&image);
    wreck.seal_raw(film);
    wreck.flip(leaf, 1000);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert!(rows_of(&out, "t").len() < 2000, "{salvaged}");
}
