//! Salvage: what comes back of a wreck, what is never made up, and what it says.

mod support;

use std::{collections::HashSet, sync::Arc};

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{Error, Footing, SALVAGE_TABLE, SalvageOptions, Salvaged};
use cowslip_pager::{page::u64_at, superblock::Superblock};
use support::*;

const TABLE: u8 = 3;

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
fn random_store(seed: u64, closed: bool) -> (Vec<u8>, Written) {
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
    if closed {
        db.close().unwrap();
    }
    (storage.image(), written)
}

#[test]
fn a_whole_random_store_comes_back_as_it_was() {
    for seed in 0..12 {
        let (bytes, _) = random_store(seed, seed % 2 == 0);
        let (salvaged, out) = salvage(&bytes);
        assert_eq!(salvaged.exit_code(), 0, "seed {seed}: {salvaged}");
        assert!(contents(&out) == contents(&bytes), "seed {seed}");
    }
}

/// The tables that the engine can read from end to end.
fn readable(bytes: &[u8]) -> Contents {
    let mut all = Contents::new();
    let storage = Arc::new(SimulatedStorage::from_image(bytes.to_vec()));
    let Ok(db) = Database::builder().background(false).open_or_create_on(storage) else {
        return all;
    };
    let (Ok(branches), Ok(snapshots)) = (db.branches(), db.snapshots()) else { return all };
    let branches =
        branches.into_iter().map(|b| (format!("branch {}", b.name), db.begin_read_on(&b.name)));
    let snapshots =
        snapshots.into_iter().map(|s| (format!("snapshot {}", s.name), db.begin_read_at(&s.name)));
    for (state, rx) in branches.chain(snapshots) {
        let Ok(rx) = rx else { continue };
        for name in rx.tables().unwrap_or_default() {
            let Ok(table) = rx.open_table(&name) else { continue };
            let Ok(rows) = table.range::<&[u8]>(..) else { continue };
            let rows: Result<Rows, _> =
                rows.map(|row| row.map(|(k, v)| (k.to_vec(), v.to_vec()))).collect();
            if let Ok(rows) = rows {
                all.insert((state.clone(), name), rows);
            }
        }
    }
    all
}

#[test]
fn of_random_damage_no_row_is_made_up_and_what_is_undamaged_comes_back() {
    let mut compared = 0;
    for seed in 0..60 {
        let (whole, written) = random_store(seed % 6, seed % 2 == 0);
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
        // What the engine itself can still read is there.
        let still = readable(&wreck.bytes);
        for (of, rows) in &still {
            assert!(found.get(of) == Some(rows), "seed {seed}: {of:?}\n{salvaged}");
        }
        compared += still.len();
    }
    assert!(compared > 100, "{compared}");
}

/// A closed store of one table with this many rows and a snapshot of them, after which every tenth row changed.
fn plain_store() -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let put = |step: usize, mark: &str| {
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for i in (0..3000).step_by(step) {
                table
                    .insert(format!("{i:06}").as_bytes(), format!("{mark} {i}").as_bytes())
                    .unwrap();
            }
        }
        tx.commit().unwrap();
    };
    put(1, "first value of");
    db.create_snapshot("monday").unwrap();
    put(10, "second value of");
    db.close().unwrap();
    storage.image()
}

fn rows(contents: &Contents, state: &str, table: &str) -> Rows {
    contents.get(&(state.to_owned(), table.to_owned())).cloned().unwrap_or_default()
}

#[test]
fn a_lost_leaf_is_filled_from_older_pages_and_that_is_written_down() {
    let bytes = plain_store();
    let whole = contents(&bytes);
    let mut wreck = Wreck::of(bytes);
    let newest = |wreck: &mut Wreck, page: u64| u64_at(wreck.page(page), 16);
    let leaves = wreck.nodes(TABLE, 0);
    let leaf = leaves.into_iter().max_by_key(|&page| newest(&mut wreck, page)).unwrap();
    wreck.flip(leaf, 1000);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert_eq!(salvaged.exit_code(), 1);
    assert!(salvaged.noted > 0, "{salvaged}");
    let found = contents(&out);
    assert!(rows(&found, "snapshot monday", "t") == rows(&whole, "snapshot monday", "t"));
    // Every key is there: of the lost leaf with the value of monday.
    let (now, then) = (rows(&found, "branch main", "t"), rows(&whole, "branch main", "t"));
    assert!(now.keys().eq(then.keys()), "{salvaged}");
    let other: Vec<_> = now.iter().filter(|(key, value)| then[*key] != **value).collect();
    assert!(!other.is_empty() && other.len() < 30);
    let db = open(&out);
    let table = db.begin_read().unwrap().open_table(SALVAGE_TABLE).unwrap();
    let notes: Vec<serde_json::Value> = (table.range::<&[u8]>(..).unwrap())
        .map(|row| serde_json::from_slice(&row.unwrap().1).unwrap())
        .collect();
    assert_eq!(notes.len() as u64, salvaged.noted);
    let hex = |key: &[u8]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (key, _) in other {
        let key = hex(key);
        let marked = notes.iter().any(|note| {
            note["state"] == "branch main"
                && note["table"] == "t"
                && note["older"].as_u64().unwrap() > 0
                && note["from"].as_str().unwrap() <= &key[..]
                && note["to"].as_str().is_none_or(|to| &key[..] < to)
        });
        assert!(marked, "{key} {notes:?}");
    }
}

#[test]
fn leaves_below_a_lost_inner_node_are_found_again_by_the_map() {
    let bytes = plain_store();
    let whole = contents(&bytes);
    let mut wreck = Wreck::of(bytes);
    for inner in wreck.nodes(TABLE, 1) {
        let mut wreck = Wreck::of(wreck.bytes.clone());
        wreck.flip(inner, 1000);
        let (salvaged, out) = salvage(&wreck.bytes);
        assert_eq!(salvaged.exit_code(), 1);
        let found = contents(&out);
        for state in ["branch main", "snapshot monday"] {
            assert!(
                rows(&found, state, "t") == rows(&whole, state, "t"),
                "{inner} {state} {salvaged}"
            );
        }
    }
}

#[test]
fn branches_of_one_table_that_lost_their_nodes_are_not_confused() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let put = |branch: &str, mark: &str, keys: std::ops::Range<usize>| {
        let tx = db.begin_write_on(branch).unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for i in keys {
                let value = format!("{mark} of {branch}: {i}");
                table.insert(format!("{i:06}").as_bytes(), value.as_bytes()).unwrap();
            }
            tx.open_table("other").unwrap().insert(b"k", mark.as_bytes()).unwrap();
        }
        tx.commit().unwrap();
    };
    put("main", "first", 0..2000);
    db.create_snapshot("monday").unwrap();
    db.create_branch("side", "monday").unwrap();
    // Where side wrote last, its pages are newer than those of main, and older than main's root.
    for (branch, mark, keys) in [
        ("main", "round 0", 0..1000),
        ("side", "round 1", 0..1000),
        ("main", "round 2", 1000..2000),
    ] {
        put(branch, mark, keys);
        db.checkpoint().unwrap();
    }
    db.close().unwrap();
    let bytes = storage.image();
    let mut wreck = Wreck::of(bytes);
    let inner = wreck.nodes(TABLE, 1);
    for page in &inner {
        wreck.flip(*page, 1000);
    }
    assert!(inner.len() >= 3);
    for mapless in [false, true] {
        if mapless {
            for page in 16..wreck.geometry.reserved(0) {
                wreck.page(page).fill(0x55);
            }
        }
        let (salvaged, out) = salvage(&wreck.bytes);
        assert_eq!(salvaged.exit_code(), 1);
        let found = contents(&out);
        for (state, foreign) in [
            ("branch main", vec!["of side"]),
            ("branch side", vec!["round 0 of main", "round 2 of main"]),
            ("snapshot monday", vec!["of side", "round"]),
        ] {
            let rows = rows(&found, state, "t");
            assert_eq!(rows.len(), 2000, "{state} {salvaged}");
            for value in rows.values() {
                let value = String::from_utf8_lossy(value);
                assert!(
                    !foreign.iter().any(|of| value.contains(of)),
                    "{state}: {value}\n{salvaged}"
                );
            }
        }
    }
}

#[test]
fn a_large_value_comes_with_its_checksum_or_not_at_all() {
    let bytes = store(4096);
    let whole = contents(&bytes);
    let film = &rows(&whole, "branch main", "films")[&b"film"[..]];
    let at = bytes.windows(4096).step_by(4096).position(|page| page == &film[4096..8192]).unwrap();
    let mut wreck = Wreck::of(bytes);
    wreck.flip(at as u64, 77);
    let (salvaged, out) = salvage(&wreck.bytes);
    assert_eq!(salvaged.exit_code(), 1);
    let found = contents(&out);
    for (of, rows) in &whole {
        let mut rows = rows.clone();
        rows.remove(&b"film"[..]);
        assert!(found[of] == rows, "{of:?} {salvaged}");
    }
    let main = salvaged.states.iter().find(|state| state.state == "branch main").unwrap();
    let films = main.tables.iter().find(|table| table.table == "films").unwrap();
    assert_eq!((films.lost_values, &films.lost_keys), (1, &vec![b"film".to_vec()]));
}

#[test]
fn a_file_that_is_cut_at_any_page_gives_what_is_left_of_it() {
    let (bytes, written) = random_store(3, false);
    let pages = bytes.len() / 4096;
    let mut recovered = 0;
    for page in 1..=pages {
        let (salvaged, out) = salvage(&bytes[..page * 4096]);
        if salvaged.is_empty() {
            continue;
        }
        recovered += 1;
        assert!(page == pages || salvaged.exit_code() == 1 || contents(&out) == contents(&bytes));
        for ((_, table), rows) in contents(&out) {
            for (key, value) in rows {
                let known = ["users", "orders", "films"].iter().any(|name| {
                    (table == *name || table.starts_with("cowslip.found."))
                        && written.contains(&((*name).to_owned(), key.clone(), value.clone()))
                });
                assert!(known, "{page} pages: {table} {key:?}");
            }
        }
    }
    assert!(recovered > pages / 4, "{recovered} of {pages}");
    // Not a whole page, nor a whole block.
    assert!(salvage(&bytes[..bytes.len() - 1000]).0.exit_code() <= 1);
}

#[test]
fn what_is_no_store_gives_nothing_and_an_empty_file_is_an_error() {
    assert!(matches!(try_salvage(&[]), Err(Error::Empty)));
    for bytes in [vec![0; 100_000], vec![0x55; 70_000], b"notes of mine".to_vec()] {
        let (salvaged, out) = salvage(&bytes);
        assert_eq!((salvaged.exit_code(), out.len()), (4, 0));
    }
    // A hole, and a store's pages behind it.
    let mut bytes = store(4096);
    let length = bytes.len() / 2;
    bytes[..length].fill(0);
    let (salvaged, _) = salvage(&bytes);
    assert!(matches!(salvaged.exit_code(), 1 | 4), "{salvaged}");
}

#[test]
fn a_full_disk_is_an_error_and_what_is_there_already_is_not_touched() {
    let bytes = store(4096);
    let wreck = SimulatedStorage::from_image(bytes.clone());
    for limit in [0, 100_000, 640 << 10, 700 << 10] {
        let out = Arc::new(SimulatedStorage::new());
        out.set_limit(limit);
        let result = cowslip_fsck::salvage_storage(&wreck, out, &SalvageOptions::default());
        assert!(matches!(result, Err(Error::Out(_))), "{limit}: {result:?}");
    }
    let there = Arc::new(SimulatedStorage::from_image(bytes.clone()));
    let result = cowslip_fsck::salvage_storage(&wreck, there.clone(), &SalvageOptions::default());
    assert!(matches!(result, Err(Error::OutExists)));
    assert!(there.image() == bytes && wreck.image() == bytes);
}

#[test]
fn bytes_that_were_made_to_mislead_do_no_harm() {
    let bytes = store(4096);
    for seed in 0..150 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut wreck = Wreck::of(bytes.clone());
        let nodes: Vec<u64> = (1..=3)
            .flat_map(|kind| (0..3).map(move |level| (kind, level)))
            .flat_map(|(kind, level)| wreck.nodes(kind, level))
            .collect();
        for _ in 0..random.usize(1..12) {
            let page = nodes[random.usize(..nodes.len())];
            let other = nodes[random.usize(..nodes.len())];
            match random.u8(..4) {
                // A field of the header, or a byte of the content, under a right checksum.
                0 => wreck.page(page)[random.usize(4..64)] = random.u8(..),
                1 => wreck.page(page)[random.usize(64..4096)] = random.u8(..),
                // A pointer to elsewhere: cycles, children of others.
                2 => {
                    let entries = wreck.entries(page);
                    if entries > 0 && wreck.page(page)[5] > 0 {
                        let at = wreck.value(page, random.usize(..entries));
                        let header = wreck.page(other)[..24].to_vec();
                        let to = &mut wreck.page(page)[at..at + 16];
                        to[..6].copy_from_slice(&header[8..14]);
                        to[6..8].copy_from_slice(&header[4..6]);
                        to[8..].copy_from_slice(&header[16..24]);
                    }
                }
                // Another page's content at this place.
                _ => {
                    let copy = wreck.page(other).to_vec();
                    wreck.page(page)[16..].copy_from_slice(&copy[16..]);
                }
            }
            let crc = cowslip_pager::page::node_crc(wreck.page(page)).to_le_bytes();
            wreck.page(page)[..4].copy_from_slice(&crc);
        }
        if random.bool() {
            zero_superblocks(&mut wreck.bytes);
        }
        let (salvaged, out) = salvage(&wreck.bytes);
        assert!(out.len() < 8 * bytes.len() + (64 << 20), "seed {seed}: {salvaged}");
    }
}
