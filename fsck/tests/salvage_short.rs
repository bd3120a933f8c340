//! Salvage: what ends before all was looked at or written says so, and calls nothing lost or whole for it.

mod support;

use std::sync::Arc;

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{SalvageOptions, Salvaged, SalvagedTable};
use cowslip_pager::page::u64_at;
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

fn table<'a>(salvaged: &'a Salvaged, state: &str, table: &str) -> &'a SalvagedTable {
    let state = salvaged.states.iter().find(|of| of.state == state).unwrap();
    state.tables.iter().find(|of| of.table == table).unwrap()
}

#[test]
fn keys_that_are_nearly_all_prefix_are_not_cut() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in 0..12_000 {
            table.insert(format!("{:p<1000}{i:06}", "").as_bytes(), b"").unwrap();
        }
    }
    tx.commit().unwrap();
    db.create_snapshot("monday").unwrap();
    db.close().unwrap();
    let bytes = storage.image();
    assert!(
        12_000 * 1006 > 4 * bytes.len() + (1 << 20),
        "their keys are much longer than the file"
    );
    let (salvaged, out) = salvage(&bytes);
    assert_eq!(salvaged.exit_code(), 0, "{salvaged}");
    assert!(contents(&out) == contents(&bytes));
}

/// A store whose catalogs say of 60 tables that they are the largest one of them.
fn store_that_grows() -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    for name in 0..60 {
        let mut table = tx.open_table(&format!("t{name:02}")).unwrap();
        let rows = if name == 0 { 2000u32 } else { 3 };
        for i in 0..rows {
            table.insert(format!("{i:06}").as_bytes(), &[b'v'; 300]).unwrap();
        }
    }
    tx.commit().unwrap();
    db.create_snapshot("monday").unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table("u").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    // All tables are the first one, by their records.
    for leaf in wreck.nodes(2, 0) {
        let first = wreck.value(leaf, 0);
        let record = wreck.page(leaf)[first..first + 32].to_vec();
        for entry in 1..60 {
            let at = wreck.value(leaf, entry);
            wreck.page(leaf)[at..at + 32].copy_from_slice(&record);
        }
        wreck.seal(leaf);
    }
    wreck.bytes
}

#[test]
fn a_state_that_was_cut_is_not_called_whole_and_has_no_row_of_another() {
    let (salvaged, out) = salvage(&store_that_grows());
    assert!(salvaged.exit_code() == 1 && salvaged.cut_short, "{salvaged}");
    let cut: Vec<_> = salvaged.states.iter().filter(|state| state.cut_short).collect();
    assert!(!cut.is_empty() && cut.iter().all(|state| !state.whole), "{salvaged}");
    let mut short = 0;
    let main = salvaged.states.iter().find(|state| state.state == "branch main").unwrap();
    for table in &main.tables {
        assert_eq!(table.whole, table.rows == 2000, "{salvaged}");
        assert_eq!(table.cut_short, !table.whole, "{salvaged}");
        assert_eq!(table.lost_values, 0);
        short += usize::from(table.cut_short);
    }
    // Nothing was written of monday itself.
    assert!(salvaged.left.contains(&"snapshot \"monday\": cut short".to_owned()), "{salvaged}");
    assert!(contents(&out).keys().all(|(state, _)| state == "branch main"));
    assert!(short > 0, "{salvaged}");
    assert!(salvaged.to_string().contains("cut short"));
    assert!(check(&out).is_clean());
}

/// W14: what is new comes first. Each state has 14 tables of which each is all of the 640 KB that this state wrote.
#[test]
fn a_cut_leaves_the_branches_and_the_newest_snapshots() {
    const TABLES: usize = 14;
    const DAYS: [&str; 5] = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let value = |mark: &str| format!("{mark:-<9}").repeat(34).into_bytes();
    let write = |mark: &str| {
        let tx = db.begin_write().unwrap();
        for name in 0..TABLES {
            let mut table = tx.open_table(&format!("t{name:02}")).unwrap();
            for i in 0..if name == 0 { 2000u32 } else { 1 } {
                table.insert(format!("{i:06}").as_bytes(), &value(mark)).unwrap();
            }
        }
        tx.commit().unwrap();
    };
    for day in DAYS {
        write(day);
        db.create_snapshot(day).unwrap();
    }
    write("today");
    db.create_branch("aside", "main").unwrap();
    let tx = db.begin_write_on("aside").unwrap();
    tx.open_table("t00").unwrap().insert(b"aside", b"aside").unwrap();
    tx.commit().unwrap();
    // What may be written goes by the wreck's length: nothing in it is free.
    db.compact().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    for leaf in wreck.nodes(CATALOG, 0) {
        let first = wreck.value(leaf, 0);
        let record = wreck.page(leaf)[first..first + 32].to_vec();
        for entry in 1..TABLES {
            let at = wreck.value(leaf, entry);
            wreck.page(leaf)[at..at + 32].copy_from_slice(&record);
        }
        wreck.seal(leaf);
    }
    let (salvaged, out) = salvage(&wreck.bytes);
    assert!(salvaged.exit_code() == 1 && salvaged.cut_short, "{salvaged}");
    let found = contents(&out);
    let has = |state: &str, mark: &str| {
        (0..TABLES).all(|name| {
            let rows = &found[&(state.to_owned(), format!("t{name:02}"))];
            let aside = usize::from(state == "branch aside");
            rows.len() == 2000 + aside
                && rows.values().filter(|row| **row == value(mark)).count() == 2000
        })
    };
    assert!(has("branch main", "today") && has("branch aside", "today"), "{salvaged}");
    assert!(has("snapshot friday", "friday"), "{salvaged}");
    let there: Vec<&str> =
        salvaged.states.iter().filter_map(|of| of.state.strip_prefix("snapshot ")).collect();
    for day in DAYS {
        let left = format!("snapshot {day:?}: cut short");
        assert_eq!(there.contains(&day), !salvaged.left.contains(&left), "{day}: {salvaged}");
    }
    // The newest ones, without a gap.
    assert!(!there.contains(&"monday"), "{salvaged}");
    assert!(DAYS[DAYS.len() - there.len()..].iter().all(|day| there.contains(day)), "{salvaged}");
    // The branch that they were written on is not there.
    assert_eq!(salvaged.states.len(), 2 + there.len(), "{salvaged}");
    assert!(check(&out).is_clean());
}

/// W14: values that an old snapshot was made to have do not cost a new one its proof.
#[test]
fn large_values_of_branches_are_proved_first() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    for i in 0..500u32 {
        let mut table = tx.open_table("t").unwrap();
        table.insert(format!("{i:06}").as_bytes(), &[i as u8; 9000]).unwrap();
    }
    tx.commit().unwrap();
    db.create_snapshot("monday").unwrap();
    let tx = db.begin_write().unwrap();
    tx.delete_table("t").unwrap();
    tx.open_table("films").unwrap().insert(b"film", &[7; 90_000]).unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    forge_values(&mut wreck, |wreck, leaf| wreck.entries(leaf) > 1);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert!(salvaged.exit_code() == 1 && salvaged.cut_short, "{salvaged}");
    let films = table(&salvaged, "branch main", "films");
    assert!(films.whole && films.lost_values == 0, "{salvaged}");
    assert!(table(&salvaged, "snapshot monday", "t").cut_short, "{salvaged}");
    let films = &contents(&out)[&("branch main".to_owned(), "films".to_owned())];
    assert_eq!(films[&b"film"[..]], [7; 90_000]);
}

/// Each large value of some leaves becomes nearly as long as the file, and each of another length.
fn forge_values(wreck: &mut Wreck, of: impl Fn(&mut Wreck, u64) -> bool) {
    let pages = wreck.bytes.len() as u64 / 4096;
    for leaf in wreck.nodes(TABLE, 0) {
        if !of(wreck, leaf) {
            continue;
        }
        for entry in 0..wreck.entries(leaf) {
            let at = wreck.value(leaf, entry);
            let value = &mut wreck.page(leaf)[at..];
            if value[20..22] == [1, 0] {
                value[..8].copy_from_slice(&(pages * 4096 - 4096 - entry as u64).to_le_bytes());
                value[24..30].copy_from_slice(&1u64.to_le_bytes()[..6]);
                value[30..34].copy_from_slice(&((pages - 1) as u32).to_le_bytes());
            }
        }
        wreck.seal(leaf);
    }
}

#[test]
fn large_values_that_nobody_looked_at_are_cut_short_and_not_lost() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in 0..500u32 {
            table.insert(format!("{i:06}").as_bytes(), &[i as u8; 9000]).unwrap();
        }
        tx.open_table("z").unwrap().insert(b"large", &[7; 9000]).unwrap();
    }
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let last = wreck.nodes(TABLE, 0).pop();
    forge_values(&mut wreck, |_, leaf| Some(leaf) != last);
    let (salvaged, _) = salvage(&wreck.bytes);
    assert!(salvaged.exit_code() == 1 && salvaged.cut_short, "{salvaged}");
    let t = table(&salvaged, "branch main", "t");
    assert!(t.cut_short && !t.whole, "{salvaged}");
    // Those that were read are wrong; the rest, who knows.
    assert!(t.lost_values > 0 && t.lost_values < 20, "{salvaged}");
    assert!(salvaged.states[0].cut_short && !salvaged.states[0].whole);
}

#[test]
fn many_names_of_one_table_give_what_has_room() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    for name in 0..20_000 {
        // Of several lengths: else the leaves would be uniform.
        tx.open_table(&format!("{name:06}{}", "x".repeat(name % 3))).unwrap();
    }
    tx.open_table("000000").unwrap().insert(b"key", b"value").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let leaves = wreck.nodes(CATALOG, 0);
    let at = wreck.value(leaves[0], 0);
    let record = wreck.page(leaves[0])[at..at + 32].to_vec();
    assert!(u64_at(&record, 0) > 0);
    for leaf in leaves {
        for entry in 0..wreck.entries(leaf) {
            let at = wreck.value(leaf, entry);
            wreck.page(leaf)[at..at + 32].copy_from_slice(&record);
        }
        wreck.seal(leaf);
    }
    let (salvaged, out) = salvage(&wreck.bytes);
    assert!(salvaged.exit_code() == 1 && salvaged.cut_short, "{}", salvaged.verdict());
    let there = contents(&out).values().filter(|rows| rows.len() == 1).count();
    assert!(there > 500 && there < 20_000, "{there}");
    assert!(!salvaged.states[0].whole && salvaged.states[0].cut_short);
}

#[test]
fn holes_in_a_catalog_that_are_too_many_to_list_are_counted() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    for name in 0..1200 {
        tx.open_table(&format!("{name:06}{:n<500}", "")).unwrap();
    }
    tx.commit().unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let leaves = wreck.nodes(CATALOG, 0);
    for &leaf in &leaves {
        wreck.flip(leaf, 1000);
    }
    let (salvaged, _) = salvage(&wreck.bytes);
    let told = salvaged.states[0].gaps.len() as u64 + salvaged.unlisted;
    assert!(leaves.len() > 100 && told >= leaves.len() as u64, "{told} of {}", leaves.len());
}

#[test]
fn a_branch_that_the_log_rolled_back_is_no_more_whole_than_its_snapshot() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    put_rows(&db, "main", 1, "a");
    db.create_snapshot("monday").unwrap();
    put_rows(&db, "main", 1, "b");
    db.checkpoint().unwrap();
    db.rollback("monday").unwrap();
    let mut wreck = Wreck::of(storage.image());
    let leaves = wreck.nodes(TABLE, 0);
    let leaf = leaves.into_iter().min_by_key(|&leaf| u64_at(wreck.page(leaf), 16)).unwrap();
    wreck.flip(leaf, 1000);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert_eq!(salvaged.log.done, 1, "{salvaged}");
    let rows = |state: &str| contents(&out)[&(state.to_owned(), "t".to_owned())].clone();
    assert!(rows("branch main") == rows("snapshot monday") && rows("branch main").len() < 3000);
    assert!(salvaged.states.iter().all(|state| !state.whole), "{salvaged}");
    assert!(!table(&salvaged, "branch main", "t").whole);
}

#[test]
fn a_branch_whose_log_nobody_knows_the_beginning_of_is_not_called_whole() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    put_rows(&db, "main", 1, "a");
    db.create_snapshot("monday").unwrap();
    db.close().unwrap();
    let mut bytes = storage.image();
    zero_superblocks(&mut bytes);
    let (salvaged, _) = salvage(&bytes);
    let whole = |name: &str| salvaged.states.iter().find(|of| of.state == name).unwrap().whole;
    assert!(whole("snapshot monday") && !whole("branch main"), "{salvaged}");
}
