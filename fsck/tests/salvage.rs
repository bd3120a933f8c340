//! Salvage: what comes back of a wreck, what is never made up, and what it says.

mod support;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{Error, Footing, SALVAGE_TABLE, SalvageOptions, Salvaged};
use cowslip_pager::superblock::Superblock;
use support::*;

const META: u8 = 1;
const CATALOG: u8 = 2;
const TABLE: u8 = 3;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
/// By state and table.
type Contents = BTreeMap<(String, String), Rows>;

fn open(bytes: &[u8]) -> Database {
    database(Arc::new(SimulatedStorage::from_image(bytes.to_vec())))
}

fn try_salvage(bytes: &[u8]) -> Result<(Salvaged, Vec<u8>), Error> {
    let wreck = SimulatedStorage::from_image(bytes.to_vec());
    let out = Arc::new(SimulatedStorage::new());
    let salvaged = cowslip_fsck::salvage_storage(&wreck, out.clone(), &SalvageOptions::default())?;
    assert!(wreck.image() == bytes, "the wreck was written");
    assert_eq!(salvaged.to_json()["exit_code"], salvaged.exit_code());
    assert!(salvaged.to_string().trim_end().ends_with(&salvaged.verdict()));
    Ok((salvaged, out.image()))
}

/// Salvages; what comes out is sound.
fn salvage(bytes: &[u8]) -> (Salvaged, Vec<u8>) {
    let (salvaged, out) = try_salvage(bytes).unwrap();
    if !salvaged.is_empty() {
        let report = check(&out);
        assert!(report.is_clean(), "{report}");
    }
    (salvaged, out)
}

fn contents(bytes: &[u8]) -> Contents {
    let db = open(bytes);
    let mut states = Vec::new();
    for branch in db.branches().unwrap() {
        states.push((format!("branch {}", branch.name), db.begin_read_on(&branch.name).unwrap()));
    }
    for snapshot in db.snapshots().unwrap() {
        let rx = db.begin_read_at(&snapshot.name).unwrap();
        states.push((format!("snapshot {}", snapshot.name), rx));
    }
    let mut all = Contents::new();
    for (state, rx) in states {
        for name in rx.tables().unwrap() {
            if name == SALVAGE_TABLE || name == "machine" {
                continue;
            }
            let table = rx.open_table(&name).unwrap();
            let rows = table.range::<&[u8]>(..).unwrap();
            let rows = rows.map(|row| row.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap());
            all.insert((state.clone(), name), rows.collect());
        }
    }
    all
}

/// A filled store, without a machine, and with a log that holds transactions.
fn store(page_size: usize) -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    let builder = Database::builder().background(false).cache_size(8 << 20).page_size(page_size);
    let db = builder.open_or_create_on(storage.clone()).unwrap();
    let put = |branch: &str, table: &str, keys: std::ops::Range<u32>, mark: &str| {
        let tx = db.begin_write_on(branch).unwrap();
        {
            let mut table = tx.open_table(table).unwrap();
            for i in keys {
                let value =
                    format!("{mark} {i} of {branch}, with some length, so that leaves fill");
                table.insert(format!("key {i:06}").as_bytes(), value.as_bytes()).unwrap();
            }
        }
        tx.commit().unwrap();
    };
    put("main", "first", 0..900, "a");
    put("main", "second", 0..40, "a");
    let film: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    let tx = db.begin_write().unwrap();
    tx.open_table("films").unwrap().insert(b"film", &film).unwrap();
    tx.open_table("films").unwrap().insert(b"none", b"").unwrap();
    tx.commit().unwrap();
    db.create_labelled_snapshot_of("main", "monday", Some("the first day")).unwrap();
    put("main", "first", 100..180, "b");
    db.checkpoint().unwrap();
    db.create_branch("side", "monday").unwrap();
    put("side", "first", 500..560, "side");
    put("side", "third", 0..300, "side");
    db.create_snapshot_of("side", "sidestep").unwrap();
    db.checkpoint().unwrap();
    put("main", "first", 800..1200, "c");
    db.create_snapshot("tuesday").unwrap();
    db.hold("tuesday").unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("first").unwrap();
        table.remove_range(&b"key 000300"[..]..&b"key 000420"[..]).unwrap();
        tx.open_table("second").unwrap().remove(b"key 000007").unwrap();
    }
    tx.commit().unwrap();
    put("main", "first", 700..730, "d");
    db.checkpoint().unwrap();
    put("main", "second", 30..60, "logged");
    put("side", "third", 290..310, "logged");
    db.create_snapshot("wednesday").unwrap();
    put("main", "second", 60..70, "logged last");
    storage.image()
}

fn zero_superblocks(bytes: &mut [u8]) {
    for slot in 0..2 {
        for copy in 0..2 {
            let at = Superblock::offset(slot, copy) as usize;
            bytes[at..at + 4096].fill(0);
        }
    }
}

#[track_caller]
fn digests_are_equal(a: &[u8], b: &[u8]) {
    let (a, b) = (open(a), open(b));
    let names = |db: &Database| {
        let mut names: Vec<String> = db.branches().unwrap().into_iter().map(|b| b.name).collect();
        names.extend(db.snapshots().unwrap().into_iter().map(|s| s.name));
        names
    };
    assert_eq!(names(&a), names(&b));
    for name in names(&a) {
        assert_eq!(a.digest(&name).unwrap(), b.digest(&name).unwrap(), "{name}");
    }
}

#[test]
fn a_whole_store_comes_back_as_it_was_its_log_included() {
    for page_size in [4096, 16384, 65536] {
        let bytes = store(page_size);
        let (salvaged, out) = salvage(&bytes);
        assert_eq!(salvaged.exit_code(), 0, "{salvaged}");
        assert!(salvaged.log.done >= 4 && salvaged.log.whole, "{salvaged}");
        assert_eq!(salvaged.noted, 0);
        digests_are_equal(&bytes, &out);
        let db = open(&out);
        let snapshots = db.snapshots().unwrap();
        let of = |name: &str| snapshots.iter().find(|s| s.name == name).unwrap();
        assert_eq!(of("monday").label.as_deref(), Some("the first day"));
        assert!(of("tuesday").held && !of("monday").held);
        assert_eq!(of("sidestep").branch, "side");
    }
}

#[test]
fn what_states_share_they_share_in_the_new_store() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    for i in 0..3000 {
        tx.open_table("t").unwrap().insert(format!("{i:06}").as_bytes(), &[7; 200]).unwrap();
    }
    tx.commit().unwrap();
    for i in 0..200 {
        db.create_snapshot(&format!("snapshot {i:03}")).unwrap();
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(format!("{:06}", i * 13).as_bytes(), b"new").unwrap();
        tx.commit().unwrap();
    }
    db.close().unwrap();
    let bytes = storage.image();
    let (salvaged, out) = salvage(&bytes);
    assert_eq!(salvaged.exit_code(), 0, "{salvaged}");
    digests_are_equal(&bytes, &out);
    assert!(out.len() < 2 * bytes.len(), "{} of {}", out.len(), bytes.len());
}

#[test]
fn both_superblocks_gone_everything_of_the_last_checkpoint_and_the_log_comes_back() {
    for page_size in [4096, 8192, 16384, 32768, 65536] {
        let mut bytes = store(page_size);
        let whole = contents(&bytes);
        zero_superblocks(&mut bytes);
        let (salvaged, out) = salvage(&bytes);
        assert_eq!((salvaged.exit_code(), salvaged.superblock), (1, Footing::None), "{salvaged}");
        assert_eq!(salvaged.page_size, page_size as u64);
        assert!(contents(&out) == whole, "{page_size}: {salvaged}");
    }
}

#[test]
fn a_superblock_slot_gone_is_no_certain_superblock() {
    let bytes = store(4096);
    let whole = contents(&bytes);
    for slot in 0..2 {
        let mut bytes = bytes.clone();
        for copy in 0..2 {
            let at = Superblock::offset(slot, copy) as usize;
            bytes[at..at + 4096].fill(0);
        }
        let (salvaged, out) = salvage(&bytes);
        assert_eq!((salvaged.exit_code(), salvaged.superblock), (1, Footing::Doubtful));
        assert!(contents(&out) == whole, "{salvaged}");
    }
    let mut bytes = bytes;
    bytes[70] ^= 1;
    assert_eq!(salvage(&bytes).0.exit_code(), 0, "its twin is there");
}

#[test]
fn the_map_gone_loses_nothing() {
    let bytes = store(4096);
    let mut wreck = Wreck::of(bytes.clone());
    for page in 16..wreck.geometry.reserved(0) {
        wreck.page(page).fill(0x55);
    }
    let (salvaged, out) = salvage(&wreck.bytes);
    assert_eq!(salvaged.exit_code(), 0, "{salvaged}");
    digests_are_equal(&bytes, &out);
}

#[test]
fn the_root_of_names_gone_the_states_are_found() {
    for without_superblocks in [false, true] {
        let bytes = store(4096);
        let whole = contents(&bytes);
        let mut wreck = Wreck::of(bytes);
        let root = wreck.block.root.page.0;
        wreck.flip(root, 2000);
        if without_superblocks {
            zero_superblocks(&mut wreck.bytes);
        }
        let (salvaged, out) = salvage(&wreck.bytes);
        assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
        let found = contents(&out);
        let of = |contents: &Contents, state: &str, table: &str| {
            contents.get(&(state.to_owned(), table.to_owned())).cloned().unwrap_or_default()
        };
        for table in ["first", "films"] {
            let (now, then) = (of(&found, "branch main", table), of(&whole, "branch main", table));
            // With the map it is known which catalogs are in use.
            assert!(without_superblocks || now == then, "{salvaged}");
            assert!(!now.is_empty());
        }
        for table in ["first", "second", "films"] {
            let monday = of(&whole, "snapshot monday", table);
            assert!(of(&found, "snapshot monday", table) == monday, "{table}: {salvaged}");
        }
    }
}

/// Every value that was ever written for a key in a table.
type Written = HashSet<(String, Vec<u8>, Vec<u8>)>;

/// A random store: tables of small and large values, snapshots, branches, rollbacks; and all that was written.
fn random_store(seed: u64) -> (Vec<u8>, Written) {
    let mut random = fastrand::Rng::with_seed(seed);
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let mut written = Written::new();
    let (mut branches, mut snapshots) = (vec!["main".to_owned()], Vec::<String>::new());
    for step in 0..60 {
        let branch = branches[random.usize(..branches.len())].clone();
        match random.u8(..20) {
            0..14 => {
                let tx = db.begin_write_on(&branch).unwrap();
                for _ in 0..random.usize(1..3) {
                    let name = ["users", "orders", "films"][random.usize(..3)];
                    let mut table = tx.open_table(name).unwrap();
                    let start = random.u32(..400);
                    for i in start..start + random.u32(1..120) {
                        let key = format!("key {i:05}").into_bytes();
                        let mut value = format!("{step} {branch} {name} {i} ").into_bytes();
                        if name == "films" && random.u8(..30) == 0 {
                            value.resize(random.usize(3000..20_000), b'.');
                        }
                        table.insert(&key, &value).unwrap();
                        written.insert((name.to_owned(), key, value));
                    }
                    if random.u8(..4) == 0 {
                        let from = random.u32(..400);
                        let (from, to) =
                            (format!("key {from:05}"), format!("key {:05}", from + 40));
                        table.remove_range(from.as_bytes()..to.as_bytes()).unwrap();
                    }
                }
                tx.commit().unwrap();
            }
            14..16 => {
                let name = format!("snapshot {step}");
                db.create_snapshot_of(&branch, &name).unwrap();
                snapshots.push(name);
            }
            16 if branches.len() < 4 => {
                let name = format!("branch {step}");
                db.create_branch(&name, &branch).unwrap();
                branches.push(name);
            }
            17 if !snapshots.is_empty() => {
                let snapshot = &snapshots[random.usize(..snapshots.len())];
                db.rollback_branch(&branch, snapshot).unwrap();
            }
            18 if snapshots.len() > 3 => {
                let snapshot = snapshots.swap_remove(random.usize(..snapshots.len()));
                db.delete_snapshot(&snapshot).unwrap();
            }
            _ => db.checkpoint().unwrap(),
        }
    }
    (storage.image(), written)
}

#[test]
fn a_whole_random_store_comes_back_as_it_was() {
    for seed in 0..12 {
        let (bytes, _) = random_store(seed);
        let (salvaged, out) = salvage(&bytes);
        assert_eq!(salvaged.exit_code(), 0, "seed {seed}: {salvaged}");
        assert!(contents(&out) == contents(&bytes), "seed {seed}");
    }
}

#[test]
fn of_random_damage_no_row_is_made_up_and_what_is_undamaged_comes_back() {
    for seed in 0..60 {
        let (whole, written) = random_store(seed % 6);
        let mut random = fastrand::Rng::with_seed(1000 + seed);
        let mut wreck = Wreck::of(whole.clone());
        let nodes: Vec<u64> = (1..=3)
            .flat_map(|kind| (0..3).map(move |level| (kind, level)))
            .flat_map(|(kind, level)| wreck.nodes(kind, level))
            .collect();
        let mut hit = HashSet::new();
        for _ in 0..random.usize(1..6) {
            let page = nodes[random.usize(..nodes.len())];
            hit.insert(page);
            match random.u8(..3) {
                0 => wreck.flip(page, random.usize(..4096)),
                1 => wreck.page(page).fill(0),
                _ => random.fill(wreck.page(page)),
            }
        }
        // A page that was flipped twice at one place is whole.
        let undamaged = |page: &u64| {
            wreck.bytes[*page as usize * 4096..][..4096] == whole[*page as usize * 4096..][..4096]
        };
        hit.retain(|page| !undamaged(page));
        let (salvaged, out) = salvage(&wreck.bytes);
        let found = contents(&out);
        for ((state, table), rows) in &found {
            for (key, value) in rows {
                // Of a table without a name it is not known which it was.
                let known = ["users", "orders", "films"].iter().any(|name| {
                    (table == name || table.starts_with("cowslip.found."))
                        && written.contains(&(name.to_string(), key.clone(), value.clone()))
                });
                assert!(known, "seed {seed}: {state} {table} {key:?}\n{salvaged}");
            }
        }
        let code = salvaged.exit_code();
        assert!(code == 1 || code == 0 && hit.is_empty(), "seed {seed}: {salvaged}");
        // What the checker finds no damage in is there, as the log left it.
        let report = check(&wreck.bytes);
        if report.has("F0201") || hit.contains(&wreck.block.root.page.0) {
            continue;
        }
        let touched = |state: &str, table: &str| {
            report.problems.iter().flat_map(|problem| &problem.ranges).any(|range| {
                range.state == "the names"
                    || range.state == state && range.table.as_deref().is_none_or(|of| of == table)
            })
        };
        let at_checkpoint: Vec<_> = salvaged.states.iter().map(|state| &state.state).collect();
        for ((state, table), rows) in &contents(&whole) {
            if !report.problems.is_empty()
                && at_checkpoint.contains(&state)
                && salvaged.log.done == 0
                && !touched(state, table)
            {
                let now = found.get(&(state.clone(), table.clone()));
                assert!(now == Some(rows), "seed {seed}: {state} {table}\n{report}{salvaged}");
            }
        }
    }
}
