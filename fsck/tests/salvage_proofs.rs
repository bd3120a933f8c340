//! Salvage: what proves itself and is not right all the same.

mod support;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cowslip::{Database, Durability, storage::SimulatedStorage};
use cowslip_fsck::{SalvageOptions, Salvaged};
use cowslip_pager::{
    page::{node_crc, u64_at},
    superblock::Superblock,
};
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
    assert_eq!(salvaged.noted, salvaged.found_tables.len() as u64 + 1, "each, and the hole");
    for (found, _) in &salvaged.found_tables {
        let tables = &salvaged.states[0].tables;
        let table = tables.iter().find(|table| table.table == *found).unwrap();
        assert!(!table.whole && table.root.is_some(), "{salvaged}");
    }
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

#[test]
fn a_branch_of_an_older_record_does_not_go_on_as_another_branch() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    put_rows(&db, "main", 1, "main's");
    db.checkpoint().unwrap();
    db.create_branch("side", "main").unwrap();
    put_rows(&db, "side", 3, "side's");
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let root = wreck.block.root.page.0;
    wreck.flip(root, 1000);
    let (salvaged, out) = salvage(&wreck.bytes);
    let main = rows_of(&out, "t");
    assert_eq!(main.len(), 3000, "{salvaged}");
    assert!(main.values().all(|value| value.starts_with(b"main's")), "{salvaged}");
}

#[test]
fn a_state_whose_name_comes_from_an_older_page_is_written_down() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    put_rows(&db, "main", 1, "a");
    db.create_snapshot("deleted").unwrap();
    db.checkpoint().unwrap();
    db.create_snapshot("kept").unwrap();
    db.delete_snapshot("deleted").unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let root = wreck.block.root.page.0;
    wreck.flip(root, 1000);
    let (salvaged, _) = salvage(&wreck.bytes);
    let back = salvaged.states.iter().filter(|state| state.name.is_some()).count();
    assert!(back > 0 && salvaged.noted >= back as u64, "{salvaged}");
}

#[test]
fn holes_that_are_too_many_to_list_are_counted() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    for _ in 0..6 {
        put_rows(&db, "main", 1, &"long ".repeat(40));
    }
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let mut hit = 0;
    for inner in wreck.nodes(TABLE, 1) {
        for entry in 0..wreck.entries(inner) {
            let leaf = wreck.child(inner, entry).page.0;
            wreck.flip(leaf, 1000);
            hit += 1;
        }
    }
    let (salvaged, _) = salvage(&wreck.bytes);
    let table = &salvaged.states[0].tables[0];
    assert!(hit > 100 && table.gaps.len() as u64 + salvaged.unlisted >= hit, "{hit} {salvaged}");
}

#[test]
fn a_superblock_of_another_store_hides_nothing() {
    let mut bytes = store();
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    for _ in 0..20 {
        put_rows(&db, "main", 1000, "foreign");
        db.checkpoint().unwrap();
    }
    db.close().unwrap();
    let foreign = Wreck::of(storage.image());
    for copy in 0..2 {
        let at = Superblock::offset(foreign.block.checkpoint % 2, copy) as usize;
        bytes[at..at + 4096].copy_from_slice(&foreign.bytes[at..at + 4096]);
    }
    let (salvaged, out) = salvage(&bytes);
    assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
    assert!(rows_of(&out, "t") == rows_of(&store(), "t"), "{salvaged}");
}

#[test]
fn large_values_that_overlap_do_not_cost_the_square_of_the_file() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in 0..500u32 {
            table.insert(format!("{i:06}").as_bytes(), &[i as u8; 9000]).unwrap();
        }
    }
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let pages = wreck.bytes.len() as u64 / 4096;
    let mut forged = 0;
    for leaf in wreck.nodes(TABLE, 0) {
        for entry in 0..wreck.entries(leaf) {
            let at = wreck.value(leaf, entry);
            // One run over the whole file, each of another length.
            let value = &mut wreck.page(leaf)[at..];
            if value[20..22] == [1, 0] {
                value[..8].copy_from_slice(&(pages * 4096 - 4096 - forged).to_le_bytes());
                value[24..30].copy_from_slice(&1u64.to_le_bytes()[..6]);
                value[30..34].copy_from_slice(&((pages - 1) as u32).to_le_bytes());
                forged += 1;
            }
        }
        wreck.seal(leaf);
    }
    assert!(forged > 300);
    let length = wreck.bytes.len() as u64;
    let storage = Counting(SimulatedStorage::from_image(wreck.bytes), AtomicU64::new(0));
    let out = Arc::new(SimulatedStorage::new());
    let salvaged =
        cowslip_fsck::salvage_storage(&storage, out, &SalvageOptions::default()).unwrap();
    assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
    let read = storage.1.into_inner();
    assert!(read < 50 * length, "read {} times, with {forged} forged values", read / length);
}

/// Counts the bytes that are read.
#[derive(Debug)]
struct Counting(SimulatedStorage, AtomicU64);

impl cowslip::Storage for Counting {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.1.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.0.read_at(bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_at(bytes, at)
    }

    fn write_direct(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_direct(bytes, at)
    }

    fn write_durable(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_durable(bytes, at)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn is_read_only(&self) -> bool {
        self.0.is_read_only()
    }
}

/// What a power cut left of the log, a second session went on with; behind its records those of the lost past still
/// stand, right in themselves.
#[test]
fn records_of_a_lost_past_are_not_done_again() {
    let put = |db: &Database, keys: std::ops::Range<u32>, value: &[u8], durability| {
        for key in keys {
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(durability);
            let mut table = tx.open_table("t").unwrap();
            table.insert(format!("{key:06}").as_bytes(), value).unwrap();
            drop(table);
            tx.commit().unwrap();
        }
    };
    let mut torn_places = 0;
    for weak in [1, 3, 40] {
        let storage = Arc::new(SimulatedStorage::new());
        let db = database(storage.clone());
        put(&db, 0..10, b"base", Durability::Immediate);
        db.checkpoint().unwrap();
        put(&db, 100..104, b"first session", Durability::Immediate);
        put(&db, 200..200 + weak, &[b'e'; 300], Durability::Eventual);
        put(&db, 300..301, b"first session, never durable", Durability::Immediate);
        let image = storage.image();
        let log = Wreck::of(image.clone()).block;
        let ring = log.log.page.0 as usize * 4096;
        for block in 0..log.log.blocks as usize {
            let at = ring + 4096 * block;
            let ours = u64_at(&image, at + 48) == log.store;
            if !ours || u64_at(&image, at + 16) <= log.log.sequence {
                continue;
            }
            let mut torn = image.clone();
            torn[at + 70] ^= 1;
            let second = Arc::new(SimulatedStorage::from_image(torn));
            let builder = Database::builder().background(false).cache_size(8 << 20);
            // Where the damage is provably no torn write, the engine refuses.
            let Ok(db) = builder.open_or_create_on(second.clone()) else { continue };
            torn_places += 1;
            put(&db, 500..501, b"second session", Durability::Immediate);
            let mut image = second.image();
            let expected = rows_of(&image, "t");
            assert!(expected.contains_key(&b"000500"[..]));
            zero_superblocks(&mut image);
            let (salvaged, out) = salvage(&image);
            assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
            let same = rows_of(&out, "t") == expected;
            assert!(same, "{weak} weak ones, torn at block {block}: {salvaged}");
        }
    }
    assert!(torn_places > 2);
}

/// W4: the value's own checksum proves it, so nothing is missing; but who trusts a map that is wrong?
#[test]
fn what_the_checker_calls_damaged_is_never_recovered_for_certain() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"large", &[7; 9000]).unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let (whole, _) = salvage(&wreck.bytes);
    assert_eq!(whole.exit_code(), 0, "{whole}");
    let leaf = wreck.nodes(TABLE, 0)[0];
    // Behind the extent's length, stamp, checksum and count: its first run.
    let at = wreck.value(leaf, 0) + 24;
    let head = u64_at(wreck.page(leaf), at) & ((1 << 48) - 1);
    wreck.set_map(head, |entry| entry[4] ^= 1);
    wreck.expect(&["F0502"]);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert_eq!(rows_of(&out, "t")[&b"large"[..]], [7; 9000]);
    assert!(salvaged.states.iter().all(|state| state.whole), "{salvaged}");
    assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
}
