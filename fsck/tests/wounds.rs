//! Each wound is found under its own number.

mod support;

use std::sync::Arc;

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{Error, Report};
use cowslip_pager::{
    PageId,
    map::{DeltaChecksum, DeltaList},
    superblock::Superblock,
};
use support::*;

const META: u8 = 1;
const TABLE: u8 = 3;

#[test]
fn a_flipped_byte_in_a_leaf() {
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[3];
    wreck.flip(leaf, 2000);
    let report = wreck.expect(&["F0402"]);
    let problem = &report.problems[0];
    assert_eq!(problem.page, Some(leaf));
    assert!(problem.affects[0].starts_with("table"), "{report}");
    assert!(problem.path.is_some() && problem.keys.is_some());
    assert!(report.to_string().contains("F0402"));
}

#[test]
fn a_damaged_leaf_names_every_state_and_the_keys_that_it_takes() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    fill(&db);
    // Shares all of main's tables, so whoever comes from here meets the wound from above.
    db.create_snapshot("thursday").unwrap();
    db.close().unwrap();
    let image = storage.image();
    let hit = |leaf: u64| {
        let mut wreck = Wreck::of(image.clone());
        wreck.flip(leaf, 2000);
        wreck.expect(&["F0402"])
    };
    let of_main = |report: &Report| {
        report.problems[0].ranges.iter().any(|range| range.state == "branch main")
    };
    let leaves = Wreck::of(image.clone()).nodes(TABLE, 0);
    let report = leaves.into_iter().map(hit).find(of_main).unwrap();
    let problem = &report.problems[0];
    assert!(problem.data && problem.repair == cowslip_fsck::Remedy::Lossy);
    for state in ["branch main", "snapshot thursday"] {
        let range = problem.ranges.iter().find(|range| range.state == state).expect(state);
        assert!(range.table.is_some());
        assert_eq!((&range.from, &range.to), (&problem.ranges[0].from, &problem.ranges[0].to));
    }
    let json = &report.to_json()["problems"][0];
    assert_eq!(json["repair"], "lossy");
    assert!(json["ranges"][0]["table"].is_string(), "{json}");
}

#[test]
fn a_flipped_byte_in_the_map() {
    let mut wreck = Wreck::new();
    let group = wreck.group(0);
    wreck.flip(group, 100);
    wreck.expect(&["F0303"]);
    let mut wreck = Wreck::new();
    let top = wreck.top(1);
    wreck.flip(top, 3);
    wreck.expect(&["F0301"]);
    let top = wreck.top(0);
    wreck.flip(top, 3);
    wreck.expect(&["F0302"]);
}

#[test]
fn a_damaged_superblock_copy_has_a_twin_and_two_have_none() {
    for slot in 0..2 {
        for copy in 0..2 {
            let mut wreck = Wreck::new();
            let at = |copy| Superblock::offset(slot, copy) as usize;
            wreck.bytes[at(copy) + 70] ^= 4;
            wreck.expect(&["F0102"]);
            wreck.bytes[at(1 - copy) + 70] ^= 4;
            assert!(wreck.check().has("F0103"));
        }
    }
    let mut wreck = Wreck::new();
    for at in [0, 16 << 10, 32 << 10, 48 << 10] {
        wreck.bytes[at + 70] ^= 4;
    }
    wreck.expect(&["F0101"]);
}

#[test]
fn the_log_proves_that_a_newer_superblock_was_there() {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    let mut bytes = storage.image();
    let newest = cowslip_pager::superblock::newest(&*storage).unwrap();
    for copy in 0..2 {
        bytes[Superblock::offset(newest.checkpoint % 2, copy) as usize + 70] ^= 4;
    }
    let report = check(&bytes);
    assert!(report.has("F0103") && report.has("F0202"), "{report}");
}

#[test]
fn an_impossible_field_under_a_right_checksum() {
    for (at, value) in [(136, u64::MAX / 2), (128, u64::MAX - 3), (144, u64::MAX - 5000), (96, 1)] {
        let mut wreck = Wreck::new();
        let mut block = wreck.block.encode().to_vec();
        block[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let crc = crc32fast::hash(&block[..4092]);
        block[4092..].copy_from_slice(&crc.to_le_bytes());
        for copy in 0..2 {
            let at = Superblock::offset(wreck.block.checkpoint % 2, copy) as usize;
            wreck.bytes[at..at + 4096].copy_from_slice(&block);
        }
        assert!(wreck.check().has("F0105"), "byte {at}");
    }
}

#[test]
fn wrong_counts_are_leaks_or_dangers() {
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[2];
    let count = wreck.count(leaf);
    let set = |wreck: &mut Wreck, page, count: u32| {
        wreck.set_map(page, |entry| entry[..4].copy_from_slice(&count.to_le_bytes()));
    };
    set(&mut wreck, leaf, count + 7);
    assert!(wreck.check().has("F0702"));
    set(&mut wreck, leaf, 0);
    wreck.expect(&["F0704"]);
    set(&mut wreck, leaf, count);
    assert!(wreck.check().is_clean());
    let shared = (0..wreck.block.pages).find(|&page| wreck.count(page) > 1).unwrap();
    let count = wreck.count(shared);
    set(&mut wreck, shared, count - 1);
    wreck.expect(&["F0701"]);
    set(&mut wreck, shared, count);
    if let Some(free) = (0..wreck.block.pages).find(|&page| wreck.count(page) == 0) {
        set(&mut wreck, free, 1);
        let report = wreck.expect(&["F0703"]);
        assert_eq!(report.leaked_pages, 1);
    }
}

#[test]
fn swapped_pages() {
    let mut wreck = Wreck::new();
    let leaves = wreck.nodes(TABLE, 0);
    let (a, b) = (leaves[1], leaves[2]);
    let (x, y) = (wreck.page(a).to_vec(), wreck.page(b).to_vec());
    wreck.page(a).copy_from_slice(&y);
    wreck.page(b).copy_from_slice(&x);
    wreck.expect(&["F0403"]);
}

#[test]
fn a_wrong_entry_count() {
    let mut wreck = Wreck::new();
    let inner = wreck.nodes(TABLE, 1)[0];
    let at = wreck.value(inner, 1);
    wreck.page(inner)[at + 16] ^= 1;
    wreck.seal(inner);
    let report = wreck.check();
    assert!(report.has("F0410"), "{report}");
}

#[test]
fn exchanged_children_break_the_bounds() {
    let mut wreck = Wreck::new();
    let inner = wreck.nodes(TABLE, 1)[0];
    let (a, b) = (wreck.value(inner, 0), wreck.value(inner, 1));
    let page = wreck.page(inner);
    let (x, y) = (page[a..a + 24].to_vec(), page[b..b + 24].to_vec());
    page[a..a + 24].copy_from_slice(&y);
    page[b..b + 24].copy_from_slice(&x);
    wreck.seal(inner);
    assert!(wreck.check().has("F0409"));
}

#[test]
fn an_old_version_of_a_page_and_a_pointer_to_nowhere() {
    let mut wreck = Wreck::new();
    let inner = wreck.nodes(TABLE, 1)[0];
    let child = wreck.child(inner, 1);
    wreck.page(child.page.0)[16] ^= 1;
    wreck.seal(child.page.0);
    wreck.expect(&["F0405"]);
    let mut wreck = Wreck::new();
    let at = wreck.value(inner, 1);
    wreck.page(inner)[at + 4] = 0xFF;
    wreck.seal(inner);
    assert!(wreck.check().has("F0411"));
}

#[test]
fn a_flipped_byte_of_a_machine() {
    for height in 0..=6 {
        let mut wreck = Wreck::new();
        let raw = wreck.raw(height);
        wreck.flip(raw.page.0, 2000);
        let report = wreck.expect(&["F0504"]);
        assert_eq!(report.problems[0].page, Some(raw.page.0));
        assert!(report.problems[0].affects.contains(&"branch main".to_owned()), "{report}");
    }
}

#[test]
fn a_table_of_a_machine_that_leads_astray() {
    // Behind the end; to a superblock's place; to a page that stands at another height.
    for wrong in [u64::MAX >> 12, 1, 0] {
        let mut wreck = Wreck::new();
        let (table, other) = (wreck.raw(2).page.0, wreck.raw(4).page.0);
        let word = if wrong == 0 { other } else { wrong } << 12 | 1;
        wreck.page(table)[..8].copy_from_slice(&word.to_le_bytes());
        wreck.seal_raw(table);
        let report = wreck.check();
        assert!(report.has("F0505"), "{report}");
    }
}

#[test]
fn a_machine_that_counts_other_pages_than_it_has() {
    let mut wreck = Wreck::new();
    let (record, leaf, at) = wreck.machine();
    wreck.page(leaf)[at + 24..at + 32].copy_from_slice(&(record.pages + 100).to_le_bytes());
    wreck.seal(leaf);
    wreck.expect(&["F0410"]);
}

#[test]
fn a_flipped_byte_of_a_large_value() {
    let mut wreck = Wreck::new();
    // The log has the value's bytes as well, nearer to the front of the file.
    let place = wreck.bytes.windows(64).rposition(|w| w == [7; 64]).unwrap();
    wreck.bytes[place] = 8;
    let report = wreck.expect(&["F0502"]);
    assert!(report.problems[0].affects[0].contains("films"));
}

#[test]
fn a_younger_child_and_a_promise_broken() {
    let mut wreck = Wreck::new();
    let root = wreck.nodes(META, 0)[0];
    // The branch main's shared_at, behind its catalog pointer.
    let at = wreck.value(root, 0);
    wreck.page(root)[at + 16..at + 24].fill(0);
    wreck.seal(root);
    assert!(wreck.check().has("F0706"));
}

#[test]
fn a_short_file_and_a_foreign_one() {
    let mut wreck = Wreck::new();
    let length = wreck.bytes.len() - 3 * 4096;
    wreck.bytes.truncate(length);
    let report = wreck.check();
    assert!(report.has("F0111"), "{report}");
    for foreign in [&b""[..], b"notes", &[0; 1 << 20], b"SQLite format 3\0 and then some"] {
        let error = try_check(foreign).unwrap_err();
        assert!(matches!(error, Error::NotADatabase));
        assert_eq!(error.exit_code(), 8);
    }
    for length in [100, 4096, 20000, 70000] {
        let report = check(&Wreck::new().bytes[..length]);
        assert!(!report.is_clean());
    }
}

#[test]
fn a_delta_list_that_says_wrong_counts() {
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[2];
    let count = wreck.count(leaf);
    with_list(&mut wreck, &[(leaf, count + 7)]);
    wreck.expect(&["F0702"]);
    // What is free is counted with the list applied.
    with_list(&mut wreck, &[(leaf, 0)]);
    wreck.expect(&["F0304", "F0704"]);
    with_list(&mut wreck, &[(leaf, count)]);
    assert!(wreck.check().is_clean());
    // It says that the page has become free, or is not any more, and the page of the group that it has not.
    let mut counts = wreck.block.delta.entries().to_vec();
    let entry = counts.iter_mut().find(|entry| entry.page == PageId(leaf)).unwrap();
    entry.turns = !entry.turns;
    wreck.block.delta = DeltaList::new(counts, wreck.block.delta.checksums().to_vec());
    wreck.write_superblock();
    wreck.expect(&["F0304"]);
    with_list(&mut wreck, &[(leaf, count)]);
    // A checksum that is not the page's.
    let checksums = wreck.block.delta.checksums().to_vec();
    let mut forged = checksums.clone();
    forged.retain(|entry| entry.page != PageId(leaf));
    forged.push(DeltaChecksum { page: PageId(leaf), crc: 1 });
    wreck.block.delta = DeltaList::new(wreck.block.delta.entries().to_vec(), forged);
    wreck.write_superblock();
    wreck.expect(&["F0414"]);
    wreck.block.delta = DeltaList::new(wreck.block.delta.entries().to_vec(), checksums);
    wreck.write_superblock();
    assert!(wreck.check().is_clean());
    // A group of which nothing was ever written.
    let behind = wreck.geometry.groups(wreck.block.pages) * wreck.geometry.group_pages;
    wreck.block.pages = behind + 10;
    wreck.bytes.resize((behind + 10) as usize * wreck.geometry.page_size, 0);
    wreck.write_superblock();
    assert!(wreck.check().is_clean());
    with_list(&mut wreck, &[(behind + 9, 1)]);
    assert!(wreck.check().has("F0306"));
    let opened =
        Database::builder().open_or_create_on(Arc::new(SimulatedStorage::from_image(wreck.bytes)));
    assert!(matches!(opened, Err(cowslip::Error::Corrupted { .. })));
}

/// Whatever stands in the list, under a right checksum: the checker names it or it changes nothing,
/// and a store that opens is read and written without a panic.
#[test]
fn forged_delta_lists_hurt_nobody() {
    let mut whole = Wreck::new();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..150 {
        let mut bytes = whole.bytes.clone();
        let mut block = whole.block.encode().to_vec();
        let most = [4, 60, 460][random.usize(..3)];
        let entries = random.usize(..most);
        let mut page = 0;
        let mut says_nothing_new = true;
        block[176..180].copy_from_slice(&(entries as u32).to_le_bytes());
        for entry in block[512..4088].chunks_exact_mut(8).take(entries) {
            page = if random.u8(..50) > 0 { page + random.u32(1..9) } else { random.u32(..) };
            entry[..4].copy_from_slice(&page.to_le_bytes());
            let most = [3, u32::MAX][random.usize(..2)];
            let count = random.u32(..most);
            entry[4..].copy_from_slice(&count.to_le_bytes());
            says_nothing_new &=
                u64::from(page) < whole.block.pages && whole.count(page.into()) == count;
        }
        let crc = crc32fast::hash(&block[..4092]);
        block[4092..].copy_from_slice(&crc.to_le_bytes());
        for copy in 0..2 {
            let at = Superblock::offset(whole.block.checkpoint % 2, copy) as usize;
            bytes[at..at + 4096].copy_from_slice(&block);
        }
        let clean = try_check(&bytes).is_ok_and(|report| report.is_clean());
        assert!(!clean || says_nothing_new, "round {round}: {entries} entries unnoticed");
        let storage = Arc::new(SimulatedStorage::from_image(bytes));
        let Ok(db) = Database::builder().background(false).open_or_create_on(storage) else {
            continue;
        };
        let Ok(tx) = db.begin_write() else { continue };
        let written = tx.open_table("first").and_then(|mut t| t.insert(b"key", &[1; 3000]));
        if written.is_ok() {
            let _ = tx.commit();
        }
        let _ = db.checkpoint();
        let _ = db.close();
    }
}
