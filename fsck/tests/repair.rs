//! Repair: what it keeps, what it refills, and what it refuses.

mod support;

use std::sync::Arc;

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{Loss, REPAIR_TABLE, Refusal, RepairOptions, Repaired};
use cowslip_pager::superblock::Superblock;
use support::*;

const META: u8 = 1;
const CATALOG: u8 = 2;
const TABLE: u8 = 3;

fn repair(bytes: &mut Vec<u8>, lossy: bool) -> Repaired {
    let storage = SimulatedStorage::from_image(bytes.clone());
    let options = RepairOptions { lossy, ..RepairOptions::default() };
    let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
    assert!(repaired.to_json().is_object());
    *bytes = storage.image();
    repaired
}

/// Repairs without loss; the check after it is clean, a second repair does nothing.
#[track_caller]
fn mends(wreck: &Wreck, lossy: bool) -> (Vec<u8>, Repaired) {
    let mut bytes = wreck.bytes.clone();
    assert!(!check(&bytes).is_clean());
    let repaired = repair(&mut bytes, lossy);
    assert_eq!(repaired.exit_code(), 1, "{repaired}");
    let report = check(&bytes);
    assert!(report.is_clean(), "{repaired}{report}");
    let before = bytes.clone();
    let again = repair(&mut bytes, lossy);
    assert_eq!((again.exit_code(), again.blocks_written), (0, 0));
    assert!(bytes == before);
    (bytes, repaired)
}

/// The same, and every state holds what it held.
#[track_caller]
fn mends_all(wreck: &Wreck) {
    let whole = contents(&Wreck::new().bytes);
    let (bytes, repaired) = mends(wreck, false);
    assert!(repaired.losses.is_empty());
    assert!(contents(&bytes) == whole, "{repaired}");
    works(&bytes);
}

/// The store can be written, closed, and checked again.
fn works(bytes: &[u8]) {
    let storage = Arc::new(SimulatedStorage::from_image(bytes.to_vec()));
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("first").unwrap();
        for i in (0..700).step_by(7) {
            table.insert(format!("key {i:06}").as_bytes(), &[9; 300]).unwrap();
        }
    }
    tx.commit().unwrap();
    let snapshots = db.snapshots().unwrap();
    if let Some(snapshot) = snapshots.first() {
        db.delete_snapshot(&snapshot.name).unwrap();
    }
    db.close().unwrap();
    let report = check(&storage.image());
    assert!(report.is_clean(), "{report}");
}

#[test]
fn wrong_counts_are_put_right() {
    for change in [7i64, -1, 1] {
        let mut wreck = Wreck::new();
        let shared = (0..wreck.block.pages).rev().find(|&page| wreck.count(page) > 1).unwrap();
        let count = (i64::from(wreck.count(shared)) + change) as u32;
        wreck.set_map(shared, |entry| entry[..4].copy_from_slice(&count.to_le_bytes()));
        mends_all(&wreck);
    }
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[2];
    wreck.set_map(leaf, |entry| entry[..4].fill(0));
    wreck.expect(&["F0704"]);
    mends_all(&wreck);
}

#[test]
fn leaked_pages_are_freed_and_checksums_of_nodes_put_right() {
    let mut wreck = Wreck::new();
    let free = (0..wreck.block.pages).find(|&page| wreck.count(page) == 0).unwrap();
    wreck.set_map(free, |entry| entry[0] = 1);
    wreck.expect(&["F0703"]);
    mends_all(&wreck);
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[1];
    wreck.set_map(leaf, |entry| entry[5] ^= 3);
    wreck.expect(&["F0414"]);
    mends_all(&wreck);
}

#[test]
fn a_damaged_map_is_built_anew_from_the_trees() {
    for group in 0..2 {
        let mut wreck = Wreck::new();
        if wreck.geometry.groups(wreck.block.pages) <= group {
            continue;
        }
        let page = wreck.group(group);
        wreck.flip(page, 100);
        wreck.expect(&["F0303"]);
        mends_all(&wreck);
    }
    let mut wreck = Wreck::new();
    for copy in 0..2 {
        let top = wreck.top(copy);
        wreck.flip(top, 3);
        if copy == 0 {
            wreck.expect(&["F0301"]);
            mends_all(&wreck);
        }
    }
    wreck.expect(&["F0302"]);
    mends_all(&wreck);
}

#[test]
fn a_machine_whose_group_is_gone_is_proved_by_the_delta_list() {
    let mut wreck = Wreck::new();
    let raw = wreck.raw(0).page;
    assert!(wreck.block.delta.checksum(raw).is_some());
    for slot in 0..2 {
        let page = wreck.geometry.group_slot(wreck.geometry.group_of(raw), slot).0;
        wreck.page(page).fill(0xEE);
    }
    wreck.expect(&["F0303"]);
    mends_all(&wreck);
}

/// The list's word on a page goes into the group that is made anew, though nobody can see now whose it is.
#[test]
fn what_only_the_delta_list_knows_survives_beside_damage_that_stays() {
    let mut wreck = Wreck::new();
    let raw = wreck.raw(0).page;
    let crc = wreck.block.delta.checksum(raw).unwrap();
    let (_, catalog, _) = wreck.machine();
    let group = wreck.group(wreck.geometry.group_of(raw));
    wreck.flip(catalog, 2000);
    let at = 8 * (raw.0 % wreck.geometry.group_pages) as usize + 4;
    wreck.page(group)[at] ^= 1;
    let mut bytes = wreck.bytes.clone();
    repair(&mut bytes, false);
    let mut repaired = Wreck::of(bytes);
    let group = repaired.group(repaired.geometry.group_of(raw));
    assert_eq!(repaired.block.delta.checksum(raw), None);
    assert_eq!(repaired.page(group)[at..at + 4], crc.to_le_bytes());
}

#[test]
fn a_machine_whose_map_is_gone_is_proved_by_the_other_slot_or_reported() {
    let mut wreck = Wreck::new();
    let raw = wreck.raw(0).page;
    let group = wreck.geometry.group_of(raw);
    let index = (raw.0 % wreck.geometry.group_pages) as usize;
    // The checksums stand in both slots, as they do once the group was written twice since.
    wreck.set_map(raw.0, |_| ());
    let slots = [0, 1].map(|slot| wreck.geometry.group_slot(group, slot).0);
    let (current, other) = match wreck.group(group) {
        page if page == slots[0] => (page, slots[1]),
        page => (page, slots[0]),
    };
    let bytes = wreck.page(current).to_vec();
    wreck.page(other).copy_from_slice(&bytes);
    wreck.flip(current, 8 * index + 5);
    wreck.expect(&["F0303"]);
    mends_all(&wreck);
    wreck.flip(other, 8 * index + 5);
    wreck.expect(&["F0303"]);
    let mut bytes = wreck.bytes.clone();
    let repaired = repair(&mut bytes, false);
    assert_eq!(repaired.refusal, Some(Refusal::NeedsLossy), "{repaired}");
    assert_eq!((repaired.exit_code(), &repaired.unverifiable[..]), (4, &[raw.0][..]));
    let (_, repaired) = mends(&wreck, true);
    assert_eq!(repaired.unverifiable, [raw.0]);
}

#[test]
fn a_damaged_superblock_copy_is_restored_from_its_twin() {
    for slot in 0..2 {
        for copy in 0..2 {
            let mut wreck = Wreck::new();
            wreck.bytes[Superblock::offset(slot, copy) as usize + 70] ^= 4;
            wreck.expect(&["F0102"]);
            mends_all(&wreck);
        }
    }
}

#[test]
fn wrong_numbers_of_free_pages_entries_and_stamps_are_put_right() {
    let mut wreck = Wreck::new();
    wreck.block.free += 5;
    wreck.write_superblock();
    wreck.expect(&["F0304"]);
    mends_all(&wreck);

    let mut wreck = Wreck::new();
    let inner = wreck.nodes(TABLE, 1)[0];
    let at = wreck.value(inner, 1);
    wreck.page(inner)[at + 16] ^= 1;
    wreck.seal(inner);
    assert!(wreck.check().has("F0410"));
    mends_all(&wreck);

    let mut wreck = Wreck::new();
    let root = wreck.nodes(META, 0)[0];
    let at = wreck.value(root, 0);
    wreck.page(root)[at + 16..at + 24].fill(0);
    wreck.seal(root);
    assert!(wreck.check().has("F0706"));
    mends_all(&wreck);

    let mut wreck = Wreck::new();
    let (record, leaf, at) = wreck.machine();
    wreck.page(leaf)[at + 24..at + 32].copy_from_slice(&(record.pages + 100).to_le_bytes());
    wreck.seal(leaf);
    wreck.expect(&["F0410"]);
    mends_all(&wreck);
}

/// Every key is as it was in its state, or it lies in a range that the repair says was lost; and then it has a
/// value that some state had under it.
#[track_caller]
fn nothing_else_is_lost(bytes: &[u8], whole: &Contents, repaired: &Repaired) {
    let now = contents(bytes);
    let lost = |state: &str, table: &str, key: &[u8]| {
        repaired.losses.iter().flat_map(|loss| &loss.ranges).any(|range| {
            let all = range.state == "the names" || range.state == state && range.table.is_none();
            all || range.state == state
                && range.table.as_deref() == Some(table)
                && range.from.as_deref().is_none_or(|from| from <= key)
                && range.to.as_deref().is_none_or(|to| key < to)
        })
    };
    for ((state, table), rows) in whole {
        let found = now.get(&(state.clone(), table.clone()));
        for (key, value) in rows {
            let same = found.and_then(|found| found.get(key)) == Some(value);
            assert!(
                same || lost(state, table, key),
                "{state} {table} {:?}: {repaired}",
                String::from_utf8_lossy(key)
            );
        }
    }
    for ((_, table), rows) in &now {
        for (key, value) in rows {
            let written = whole
                .iter()
                .any(|((_, other), rows)| other == table && rows.get(key) == Some(value));
            assert!(written, "{table} {:?}", String::from_utf8_lossy(key));
        }
    }
}

#[test]
fn a_damaged_leaf_is_refilled_from_the_nearest_snapshot() {
    let whole = contents(&Wreck::new().bytes);
    let leaves = Wreck::new().nodes(TABLE, 0);
    let mut refilled = 0;
    for leaf in leaves {
        let mut wreck = Wreck::new();
        wreck.flip(leaf, 2000);
        wreck.expect(&["F0402"]);
        // Without leave it says what would be lost, and changes nothing.
        let mut bytes = wreck.bytes.clone();
        let would = repair(&mut bytes, false);
        assert_eq!((would.exit_code(), would.would), (4, true));
        assert!(bytes == wreck.bytes && !would.losses.is_empty());
        let (bytes, repaired) = mends(&wreck, true);
        assert_eq!(
            repaired.losses.iter().map(|loss| loss.ranges.clone()).collect::<Vec<_>>(),
            would.losses.iter().map(|loss| loss.ranges.clone()).collect::<Vec<_>>()
        );
        refilled += repaired.losses.iter().filter(|loss| !loss.refilled.is_empty()).count();
        nothing_else_is_lost(&bytes, &whole, &repaired);
        let rows = noted(&bytes);
        assert!(!rows.is_empty() && rows.iter().all(|row| row["code"] == "F0402"), "{rows:?}");
        works(&bytes);
    }
    assert!(refilled > 5, "{refilled}");
}

fn noted(bytes: &[u8]) -> Vec<serde_json::Value> {
    let db = database(Arc::new(SimulatedStorage::from_image(bytes.to_vec())));
    let rx = db.begin_read().unwrap();
    let table = rx.open_table(REPAIR_TABLE).unwrap();
    let rows = table.range::<&[u8]>(..).unwrap();
    rows.map(|row| serde_json::from_slice(&row.unwrap().1).unwrap()).collect()
}

#[test]
fn damaged_inner_nodes_catalogs_and_machines_are_refilled_too() {
    let whole = contents(&Wreck::new().bytes);
    let mut wreck = Wreck::new();
    let mut pages: Vec<u64> = wreck.nodes(TABLE, 1);
    pages.extend(wreck.nodes(CATALOG, 0));
    pages.extend((0..=6).map(|height| wreck.raw(height).page.0));
    for page in pages {
        let mut wreck = Wreck::new();
        wreck.flip(page, 2000);
        let (bytes, repaired) = mends(&wreck, true);
        nothing_else_is_lost(&bytes, &whole, &repaired);
        works(&bytes);
    }
}

#[test]
fn the_leaves_below_a_damaged_inner_node_are_found_again() {
    let whole = contents(&Wreck::new().bytes);
    let mut wreck = Wreck::new();
    let mut inner: Vec<u64> = wreck.nodes(TABLE, 1);
    assert!(inner.len() > 2);
    // All of them at once: older and younger leaves of the same keys lie about.
    inner.push(0);
    for page in inner {
        let mut wreck = Wreck::new();
        for inner in wreck.nodes(TABLE, 1) {
            if page == 0 || page == inner {
                wreck.flip(inner, 2000);
            }
        }
        // Of one alone nothing is lost, so no leave is needed.
        let (bytes, repaired) = mends(&wreck, page == 0);
        assert_eq!(repaired.lost, page == 0, "{repaired}");
        let found = |loss: &Loss| loss.own > 0 || !loss.refilled.is_empty();
        assert!(repaired.losses.iter().all(found), "{repaired}");
        if page > 0 {
            assert!(repaired.losses.iter().all(|loss| loss.refilled.is_empty()), "{repaired}");
            assert!(repaired.losses.iter().all(|loss| loss.dropped.is_empty()), "{repaired}");
            assert!(contents(&bytes) == whole, "{repaired}");
        }
        nothing_else_is_lost(&bytes, &whole, &repaired);
    }
    // One of its leaves is gone as well: of that one others have most keys, the rest stays as it was.
    let mut inner = wreck.nodes(TABLE, 1).into_iter();
    let node = inner.find(|&node| wreck.entries(node) > 2).unwrap();
    let leaf = wreck.child(node, 2).page.0;
    wreck.flip(node, 2000);
    wreck.flip(leaf, 2000);
    let (bytes, repaired) = mends(&wreck, true);
    nothing_else_is_lost(&bytes, &whole, &repaired);
    assert!(repaired.losses.iter().any(|loss| loss.own > 0), "{repaired}");
}

/// Anything in a small store may be hit, several times; what comes out is sound, holds no value that was never
/// written under its key, and all that no loss speaks of.
#[test]
fn random_damage_is_repaired_or_there_is_nothing_to_start_from() {
    let seed: u64 = std::env::var("SEED").ok().map_or(7, |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let rounds = std::env::var("ROUNDS").ok().map_or(150, |rounds| rounds.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let image = Wreck::new();
    let whole = contents(&image.bytes);
    let (mut mended, mut refused, mut clean) = (0, 0, 0);
    for round in 0..rounds {
        let mut bytes = image.bytes.clone();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] ^= 1 << random.u8(..8),
                1 => bytes[at] = random.u8(..),
                2 => {
                    let end = (at + random.usize(1..600)).min(image.bytes.len());
                    random.fill(&mut bytes[at..end]);
                }
                _ => {
                    let (to, from) =
                        (at / 4096 * 4096, random.usize(16..bytes.len() / 4096) * 4096);
                    if to >= 16 * 4096 {
                        bytes.copy_within(from..from + 4096, to);
                    }
                }
            }
        }
        let Ok(report) = try_check(&bytes) else { continue };
        let wreck = bytes.clone();
        let repaired = repair(&mut bytes, true);
        match repaired.exit_code() {
            0 => {
                assert!(report.is_clean() && bytes == wreck, "round {round}");
                clean += 1;
            }
            1 => {
                let report = check(&bytes);
                assert!(report.is_clean(), "round {round}: {repaired}{report}");
                let second = repair(&mut bytes, true);
                assert_eq!((second.exit_code(), second.blocks_written), (0, 0), "round {round}");
                nothing_else_is_lost(&bytes, &whole, &repaired);
                mended += 1;
            }
            _ => {
                assert_eq!(
                    repaired.refusal,
                    Some(Refusal::Unreadable),
                    "round {round}: {repaired}"
                );
                // What costs nothing may have been done.
                let after = check(&bytes);
                let fewer = after.counts.keys().all(|kind| report.counts.contains_key(kind));
                assert!(bytes == wreck || fewer, "round {round}: {after}");
                refused += 1;
            }
        }
    }
    println!("{mended} mended, {refused} refused, {clean} clean");
    assert!(mended > rounds / 2 && refused < rounds / 4, "{mended} mended, {refused} refused");
}

/// Structure that no engine writes, under right checksums: repair makes it sound or refuses, and never breaks.
#[test]
fn forged_nodes_are_repaired_or_refused() {
    let seed: u64 = std::env::var("SEED").ok().map_or(3, |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let rounds = std::env::var("ROUNDS").ok().map_or(120, |rounds| rounds.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let image = Wreck::new();
    let (mut mended, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut wreck = Wreck::of(image.bytes.clone());
        for _ in 0..random.usize(1..4) {
            let kinds = [(META, 0), (CATALOG, 0), (TABLE, 1), (TABLE, 0), (TABLE, 0)];
            let (kind, level) = kinds[random.usize(..kinds.len())];
            let nodes = wreck.nodes(kind, level);
            if nodes.is_empty() {
                continue;
            }
            let page = nodes[random.usize(..nodes.len())];
            for _ in 0..random.usize(1..4) {
                let at = if random.bool() { random.usize(40..400) } else { random.usize(40..4096) };
                wreck.page(page)[at] = random.u8(..);
            }
            wreck.seal(page);
        }
        let mut bytes = wreck.bytes.clone();
        let repaired = repair(&mut bytes, true);
        match repaired.refusal {
            None => {
                assert!(check(&bytes).is_clean(), "round {round}: {repaired}");
                mended += 1;
            }
            Some(_) => refused += 1,
        }
    }
    println!("{mended} mended, {refused} refused");
    assert!(mended > rounds / 2, "{mended} mended, {refused} refused");
}

#[test]
fn lost_keys_come_from_the_newest_ancestor_else_from_the_nearest_state() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let write = |branch: &str, mark: &str| {
        let tx = db.begin_write_on(branch).unwrap();
        for i in 0..9u8 {
            tx.open_table("t").unwrap().insert(&[i], mark.as_bytes()).unwrap();
        }
        tx.commit().unwrap();
    };
    write("main", "one");
    db.create_snapshot("one").unwrap();
    db.create_branch("side", "one").unwrap();
    write("main", "two");
    db.create_snapshot("two").unwrap();
    write("side", "side");
    write("main", "three");
    db.close().unwrap();
    let wound = |marks: &[&str]| {
        let mut wreck = Wreck::of(storage.image());
        for leaf in wreck.nodes(TABLE, 0) {
            let entries = cowslip::kinds::entries(wreck.page(leaf));
            if marks.iter().any(|mark| entries[0].1 == mark.as_bytes()) {
                wreck.flip(leaf, 2000);
            }
        }
        let (bytes, repaired) = mends(&wreck, true);
        (contents(&bytes), repaired.to_string())
    };
    let of = |all: &Contents, state: &str| {
        let rows = all.get(&(state.to_owned(), "t".to_owned()))?;
        rows.get(&[4u8][..]).map(|value| String::from_utf8(value.clone()).unwrap())
    };
    // The branch was written later than the snapshot, but main does not come from it.
    let (all, text) = wound(&["three"]);
    assert_eq!(of(&all, "branch main").as_deref(), Some("two"), "{text}");
    assert!(text.contains("taken from snapshot two"), "{text}");
    let (all, _) = wound(&["three", "two"]);
    assert_eq!(of(&all, "branch main").as_deref(), Some("one"));
    assert_eq!(of(&all, "snapshot two").as_deref(), Some("one"));
    // No ancestor is left: the nearest in time.
    let (all, _) = wound(&["one", "two", "three"]);
    assert_eq!(of(&all, "branch main").as_deref(), Some("side"));
    let (all, _) = wound(&["one"]);
    assert_eq!(of(&all, "snapshot one").as_deref(), Some("two"));
    let (all, text) = wound(&["one", "two", "three", "side"]);
    assert_eq!(of(&all, "branch main"), None);
    assert!(text.contains("lost: all its keys"), "{text}");
}

#[test]
fn every_size_of_page_is_repaired() {
    for page_size in [8192usize, 16384, 32768, 65536] {
        let storage = Arc::new(SimulatedStorage::new().without_history());
        let db = Database::builder()
            .background(false)
            .page_size(page_size)
            .cache_size(32 << 20)
            .open_or_create_on(storage.clone())
            .unwrap();
        fill(&db);
        db.close().unwrap();
        let image = storage.image();
        let whole = contents(&image);
        let mut random = fastrand::Rng::with_seed(page_size as u64);
        for _ in 0..40 {
            let mut bytes = image.clone();
            for _ in 0..random.usize(1..30) {
                let at = random.usize(..bytes.len());
                let end = (at + random.usize(1..300)).min(bytes.len());
                random.fill(&mut bytes[at..end]);
            }
            let repaired = repair(&mut bytes, true);
            if repaired.refusal.is_some() {
                assert_eq!(repaired.refusal, Some(Refusal::Unreadable), "{repaired}");
                continue;
            }
            assert!(check(&bytes).is_clean(), "{page_size}: {repaired}");
            if repaired.older || repaired.log.is_some_and(|cut| cut.kept > 0) {
                // A state before the last one, which `whole` knows nothing of.
                continue;
            }
            nothing_else_is_lost(&bytes, &whole, &repaired);
        }
    }
}

#[test]
fn a_damaged_large_value_is_refilled_or_dropped_and_its_leaf_stays() {
    let whole = contents(&Wreck::new().bytes);
    let mut wreck = Wreck::new();
    let place = wreck.bytes.windows(64).rposition(|w| w == [7; 64]).unwrap();
    wreck.bytes[place] = 8;
    let (bytes, repaired) = mends(&wreck, true);
    nothing_else_is_lost(&bytes, &whole, &repaired);
    assert!(contents(&bytes).values().any(|rows| rows.contains_key(&b"long"[..])));
}

#[test]
fn exchanged_and_misplaced_nodes_lose_only_their_keys() {
    let whole = contents(&Wreck::new().bytes);
    let mut wreck = Wreck::new();
    let leaves = wreck.nodes(TABLE, 0);
    let (x, y) = (wreck.page(leaves[1]).to_vec(), wreck.page(leaves[2]).to_vec());
    wreck.page(leaves[1]).copy_from_slice(&y);
    wreck.page(leaves[2]).copy_from_slice(&x);
    let (bytes, repaired) = mends(&wreck, true);
    nothing_else_is_lost(&bytes, &whole, &repaired);

    let mut wreck = Wreck::new();
    let inner = wreck.nodes(TABLE, 1)[0];
    let (a, b) = (wreck.value(inner, 0), wreck.value(inner, 1));
    let page = wreck.page(inner);
    let (x, y) = (page[a..a + 24].to_vec(), page[b..b + 24].to_vec());
    page[a..a + 24].copy_from_slice(&y);
    page[b..b + 24].copy_from_slice(&x);
    wreck.seal(inner);
    let (bytes, repaired) = mends(&wreck, true);
    nothing_else_is_lost(&bytes, &whole, &repaired);

    let mut wreck = Wreck::new();
    let child = wreck.child(inner, 1);
    wreck.page(child.page.0)[16] ^= 1;
    wreck.seal(child.page.0);
    let (bytes, repaired) = mends(&wreck, true);
    nothing_else_is_lost(&bytes, &whole, &repaired);

    let mut wreck = Wreck::new();
    let at = wreck.value(inner, 1);
    wreck.page(inner)[at + 4] = 0xFF;
    wreck.seal(inner);
    let (bytes, repaired) = mends(&wreck, true);
    nothing_else_is_lost(&bytes, &whole, &repaired);
}

#[test]
fn what_loses_nothing_is_done_beside_damage_that_stays() {
    let mut wreck = Wreck::new();
    let shared = (0..wreck.block.pages).rev().find(|&page| wreck.count(page) > 1).unwrap();
    let count = wreck.count(shared) - 1;
    wreck.set_map(shared, |entry| entry[..4].copy_from_slice(&count.to_le_bytes()));
    let leaf = wreck.nodes(TABLE, 0)[1];
    wreck.flip(leaf, 2000);
    wreck.expect(&["F0402", "F0701"]);
    let mut bytes = wreck.bytes.clone();
    let repaired = repair(&mut bytes, false);
    assert_eq!((repaired.exit_code(), repaired.would), (4, true), "{repaired}");
    let codes: Vec<_> = check(&bytes).counts.keys().map(|kind| kind.code()).collect();
    assert_eq!(codes, ["F0402"]);
    // A second run leaves it at that.
    let before = bytes.clone();
    repair(&mut bytes, false);
    assert!(bytes == before);
}

#[test]
fn without_names_or_superblocks_nothing_is_touched() {
    let mut wreck = Wreck::new();
    let root = wreck.block.root.page.0;
    wreck.flip(root, 2000);
    for at in [None, Some([0, 16 << 10, 32 << 10, 48 << 10])] {
        for at in at.into_iter().flatten() {
            wreck.bytes[at + 70] ^= 4;
        }
        let mut bytes = wreck.bytes.clone();
        let repaired = repair(&mut bytes, true);
        assert_eq!(repaired.refusal, Some(Refusal::Unreadable), "{repaired}");
        assert_eq!(repaired.exit_code(), 4);
        assert!(bytes == wreck.bytes);
    }
}

#[test]
fn a_lost_slot_may_have_been_the_newest() {
    for slot in 0..2 {
        let mut wreck = Wreck::new();
        for copy in 0..2 {
            wreck.bytes[Superblock::offset(slot, copy) as usize + 70] ^= 4;
        }
        let mut bytes = wreck.bytes.clone();
        let would = repair(&mut bytes, false);
        assert_eq!((would.exit_code(), would.would, would.older), (4, true, true), "{would}");
        assert!(bytes == wreck.bytes);
        let (bytes, repaired) = mends(&wreck, true);
        assert!(repaired.older);
        works(&bytes);
    }
}

#[test]
fn a_file_that_was_cut_keeps_what_is_left() {
    let whole = contents(&Wreck::new().bytes);
    let pages = Wreck::new().bytes.len() / 4096;
    for cut in [1, 3, 20] {
        let mut wreck = Wreck::new();
        wreck.bytes.truncate((pages - cut) * 4096);
        let mut bytes = wreck.bytes.clone();
        let repaired = repair(&mut bytes, true);
        if repaired.refusal.is_none() {
            assert!(check(&bytes).is_clean());
            nothing_else_is_lost(&bytes, &whole, &repaired);
        } else {
            // The tree of names lay behind the end.
            assert_eq!(repaired.refusal, Some(Refusal::Unreadable), "{repaired}");
        }
    }
}
