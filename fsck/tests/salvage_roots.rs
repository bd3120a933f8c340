//! Salvage: the newest that can be proved is taken, and what is left of a tree is not taken for the whole of one.

mod support;

use std::sync::Arc;

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{Footing, SalvageOptions, Salvaged};
use cowslip_pager::page::u64_at;
use support::*;

const META: u8 = 1;
const CATALOG: u8 = 2;
const TABLE: u8 = 3;

/// Salvages; what comes out is sound, and not called recovered for certain.
fn salvage(bytes: &[u8]) -> (Salvaged, Contents) {
    let wreck = SimulatedStorage::from_image(bytes.to_vec());
    let out = Arc::new(SimulatedStorage::new());
    let salvaged =
        cowslip_fsck::salvage_storage(&wreck, out.clone(), &SalvageOptions::default()).unwrap();
    let out = out.image();
    assert!(check(&out).is_clean());
    assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
    (salvaged, contents(&out))
}

fn new() -> (Arc<SimulatedStorage>, Database) {
    let storage = Arc::new(SimulatedStorage::new());
    (storage.clone(), database(storage))
}

fn put(db: &Database, table: &str, keys: impl Iterator<Item = u32>, mark: &str) {
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table(table).unwrap();
        for i in keys {
            let value = format!("{mark} {i}, with some length, so that leaves fill up well");
            table.insert(format!("{i:06}").as_bytes(), value.as_bytes()).unwrap();
        }
    }
    tx.commit().unwrap();
}

fn rows<'a>(contents: &'a Contents, state: &str, table: &str) -> &'a Rows {
    &contents[&(state.to_owned(), table.to_owned())]
}

fn stamp(wreck: &mut Wreck, page: u64) -> u64 {
    u64_at(wreck.page(page), 16)
}

/// All nodes of a kind that stand in the file, in use or not.
fn all_nodes(wreck: &mut Wreck, kind: u8) -> Vec<u64> {
    let pages = wreck.bytes.len() as u64 / 4096;
    (1..pages).filter(|&at| wreck.page(at)[4] == kind && u64_at(wreck.page(at), 8) == at).collect()
}

fn zero_log(wreck: &mut Wreck) {
    let ring = wreck.block.log.page.0 as usize * 4096;
    wreck.bytes[ring..][..wreck.block.log.blocks as usize * 4096].fill(0);
}

/// The newest state has a table that no log has.
fn store_with_a_bulk_load() -> Vec<u8> {
    let (storage, db) = new();
    put(&db, "t", 0..3000, "a");
    db.checkpoint().unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("bulk").unwrap();
        for i in 0..40_000u32 {
            table.insert(format!("{i:08}").as_bytes(), &[b'v'; 250]).unwrap();
        }
    }
    tx.commit().unwrap();
    db.close().unwrap();
    storage.image()
}

#[test]
fn without_a_superblock_one_damaged_leaf_does_not_cost_the_newest_state() {
    let mut wreck = Wreck::of(store_with_a_bulk_load());
    let leaf = *wreck.nodes(TABLE, 0).last().unwrap();
    wreck.flip(leaf, 1000);
    zero_superblocks(&mut wreck.bytes);
    let (salvaged, found) = salvage(&wreck.bytes);
    assert_eq!(salvaged.superblock, Footing::None);
    let rows = rows(&found, "branch main", "bulk");
    assert!(rows.len() > 39_900 && rows.len() < 40_000, "{salvaged}");
    let main = &salvaged.states[0];
    assert!(!main.whole && main.tables.iter().any(|of| of.table == "bulk" && !of.gaps.is_empty()));
}

/// So many snapshots that their names take several leaves; the last ones came after the first checkpoint.
fn store_of_many_names() -> (Vec<u8>, Contents) {
    let (storage, db) = new();
    put(&db, "t", 0..200, "first");
    for i in 0..120 {
        db.create_snapshot(&format!("snapshot with a long name {i:03}")).unwrap();
    }
    db.checkpoint().unwrap();
    put(&db, "t", 0..200, "second");
    db.create_snapshot("snapshot with a long name 118b").unwrap();
    put(&db, "t", 100..101, "third");
    db.close().unwrap();
    let bytes = storage.image();
    let all = contents(&bytes);
    (bytes, all)
}

#[test]
fn without_a_superblock_a_damaged_leaf_of_names_is_filled_from_an_older_tree_of_them() {
    let (bytes, whole) = store_of_many_names();
    let mut wreck = Wreck::of(bytes);
    let root = wreck.block.root;
    assert!(root.level > 0);
    let mut hit = 0;
    for entry in 0..wreck.entries(root.page.0) {
        let mut wreck = Wreck::of(wreck.bytes.clone());
        let leaf = wreck.child(root.page.0, entry);
        if leaf.stamp != root.stamp {
            // It was never written since: there is no older one.
            continue;
        }
        wreck.flip(leaf.page.0, 1000);
        hit += 1;
        // The log knows it all: it is not to be asked.
        zero_log(&mut wreck);
        zero_superblocks(&mut wreck.bytes);
        let (salvaged, found) = salvage(&wreck.bytes);
        assert!(!salvaged.names_whole, "{salvaged}");
        assert!(rows(&found, "branch main", "t") == rows(&whole, "branch main", "t"), "{salvaged}");
        let of_leaf: Vec<_> = salvaged.states.iter().filter(|state| state.name.is_some()).collect();
        assert!(of_leaf.iter().all(|state| !state.whole), "{salvaged}");
        assert!(salvaged.noted >= of_leaf.len() as u64);
        // What stood in that leaf before the checkpoint is there.
        let missing: Vec<_> = whole.keys().filter(|of| !found.contains_key(*of)).collect();
        assert!(missing.len() <= 1, "{missing:?} {salvaged}");
        for (of, rows) in &found {
            assert!(whole[of] == *rows, "{of:?} {salvaged}");
        }
    }
    assert!(hit > 0);
}

#[test]
fn a_leaf_of_names_whose_root_is_lost_is_not_the_whole_tree_of_them() {
    let (bytes, whole) = store_of_many_names();
    let mut wreck = Wreck::of(bytes);
    for page in all_nodes(&mut wreck, META) {
        if wreck.page(page)[5] > 0 {
            wreck.flip(page, 1000);
        }
    }
    zero_superblocks(&mut wreck.bytes);
    let (salvaged, found) = salvage(&wreck.bytes);
    assert!(!salvaged.names_whole, "{salvaged}");
    let snapshots = |of: &Contents| of.keys().filter(|(state, _)| state.contains("snap")).count();
    assert_eq!(snapshots(&found), snapshots(&whole), "{salvaged}");
    assert!(rows(&found, "branch main", "t") == rows(&whole, "branch main", "t"), "{salvaged}");
}

#[test]
fn an_older_whole_state_from_which_the_log_leads_on_is_as_good_as_the_newest() {
    let (storage, db) = new();
    put(&db, "t", 0..3000, "a");
    db.checkpoint().unwrap();
    put(&db, "t", 0..5, "b");
    db.checkpoint().unwrap();
    for i in 0..5 {
        put(&db, "t", i * 100..i * 100 + 60, "c");
    }
    db.close().unwrap();
    let bytes = storage.image();
    let whole = contents(&bytes);
    let mut wreck = Wreck::of(bytes);
    let leaves = wreck.nodes(TABLE, 0);
    let leaf = leaves.into_iter().max_by_key(|&page| stamp(&mut wreck, page)).unwrap();
    wreck.flip(leaf, 1000);
    zero_superblocks(&mut wreck.bytes);
    let (salvaged, found) = salvage(&wreck.bytes);
    assert!(salvaged.log.done >= 5, "{salvaged}");
    assert!(found == whole, "{salvaged}");
}

#[test]
fn catalogs_without_a_name_are_used_though_a_leaf_below_is_damaged() {
    let (storage, db) = new();
    for n in 0..10 {
        put(&db, &format!("table {n}"), 0..1000, "a");
    }
    db.close().unwrap();
    let bytes = storage.image();
    for mapless in [false, true] {
        let mut wreck = Wreck::of(bytes.clone());
        for page in all_nodes(&mut wreck, META) {
            wreck.flip(page, 1000);
        }
        let leaf = wreck.nodes(TABLE, 0)[40];
        wreck.flip(leaf, 1000);
        if mapless {
            zero_superblocks(&mut wreck.bytes);
        }
        let (salvaged, found) = salvage(&wreck.bytes);
        let named = found.keys().filter(|(_, table)| table.starts_with("table ")).count();
        assert!(named == 10 && salvaged.found_tables.is_empty(), "{salvaged}");
        assert!(salvaged.states.len() == 1 && !salvaged.states[0].whole, "{salvaged}");
        let rows: usize = found.values().map(Rows::len).sum();
        assert!((9_900..=10_000).contains(&rows), "{rows} {salvaged}");
        assert!(salvaged.noted > 0);
    }
}

#[test]
fn a_leaf_whose_parent_is_lost_is_not_the_root_of_a_table_without_a_name() {
    for later in [false, true] {
        let (storage, db) = new();
        put(&db, "t", 0..3000, "a");
        if later {
            db.checkpoint().unwrap();
            put(&db, "t", 1500..1501, "b");
        }
        db.close().unwrap();
        let bytes = storage.image();
        let whole = contents(&bytes);
        for (mapless, parents) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut wreck = Wreck::of(bytes.clone());
            for catalog in all_nodes(&mut wreck, CATALOG) {
                wreck.flip(catalog, 1000);
            }
            // The root; or also those that were it before.
            for page in all_nodes(&mut wreck, TABLE) {
                let hit = wreck.page(page)[5] > 0 && (parents || wreck.count(page) > 0);
                if hit {
                    wreck.flip(page, 1000);
                }
            }
            if mapless {
                zero_superblocks(&mut wreck.bytes);
            }
            let (salvaged, found) = salvage(&wreck.bytes);
            let (table, _) = &salvaged.found_tables[0];
            let known = (&whole.values().next().unwrap(), rows(&found, "branch main", table));
            assert!(*known.0 == known.1, "{later} {mapless} {parents} {salvaged}");
            let main = &salvaged.states[0];
            let table = main.tables.iter().find(|of| of.table == *table).unwrap();
            assert!(!table.whole && !table.gaps.is_empty(), "{salvaged}");
        }
    }
}

#[test]
fn what_may_be_of_either_of_two_branches_without_names_is_called_doubtful() {
    let (storage, db) = new();
    put(&db, "t", 0..3000, "first");
    db.create_branch("side", "main").unwrap();
    for round in 0..3 {
        for (branch, step) in [("main", 7), ("side", 500)] {
            let tx = db.begin_write_on(branch).unwrap();
            for i in (0..3000).step_by(step) {
                let value = format!("{round} of {branch}, with some length");
                let mut table = tx.open_table("t").unwrap();
                table.insert(format!("{i:06}").as_bytes(), value.as_bytes()).unwrap();
            }
            tx.commit().unwrap();
        }
        db.checkpoint().unwrap();
    }
    db.close().unwrap();
    for mapless in [false, true] {
        let mut wreck = Wreck::of(storage.image());
        for page in all_nodes(&mut wreck, META) {
            wreck.flip(page, 1000);
        }
        for page in wreck.nodes(TABLE, 1) {
            wreck.flip(page, 1000);
        }
        if mapless {
            zero_superblocks(&mut wreck.bytes);
        }
        let (salvaged, found) = salvage(&wreck.bytes);
        assert!(salvaged.states.iter().all(|state| !state.whole), "{salvaged}");
        for ((state, table), rows) in found.iter().filter(|((_, table), _)| table == "t") {
            let of =
                |mark: &str| rows.values().filter(|row| row.ends_with(mark.as_bytes())).count();
            let mixed = of("of main, with some length") > 0 && of("of side, with some length") > 0;
            let state = salvaged.states.iter().find(|of| of.state == *state).unwrap();
            let table = state.tables.iter().find(|of| of.table == *table).unwrap();
            let doubtful: u64 = table.gaps.iter().map(|gap| gap.doubtful).sum();
            // The log makes side of what there is of main.
            let of_log = state.name.is_none() && salvaged.log.done > 0;
            assert!(!mixed || doubtful > 0 || of_log, "{salvaged}");
        }
    }
}
