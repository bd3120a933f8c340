//! The sweep, which asks in several threads whether all is well, never says yes to what the walk finds wrong;
//! and what it counts is what the walk counts.

mod support;

use std::sync::Arc;

use cowslip::{Database, Durability, storage::MemoryStorage};
use cowslip_fsck::{Options, Report};
use cowslip_pager::{PageId, page::u64_at};
use support::*;

/// Without a machine, which the sweep leaves to the walk: names, catalogs, tables of three levels with leaves
/// of both forms, large values, shared ones among them.
fn image(rows: u32) -> Vec<u8> {
    let storage = Arc::new(MemoryStorage::new());
    let db = database(storage.clone());
    let mut random = fastrand::Rng::with_seed(2);
    write(&db, |table| {
        for i in 0..rows {
            let value = vec![i as u8; random.usize(30..90)];
            table.insert(format!("key {i:07}").as_bytes(), &value).unwrap();
        }
        for i in 0..20u32 {
            table.insert(format!("large {i}").as_bytes(), &vec![1; 3000 * i as usize]).unwrap();
        }
    });
    let tx = db.begin_write().unwrap();
    for i in 0..300u32 {
        tx.open_table("even").unwrap().insert(&i.to_be_bytes(), &[7; 100]).unwrap();
    }
    tx.commit().unwrap();
    for step in 0..6u32 {
        db.create_snapshot(&format!("s{step}")).unwrap();
        write(&db, |table| {
            for _ in 0..30 {
                let key = format!("key {:07}", random.u32(..rows));
                if random.bool() {
                    table.remove(key.as_bytes()).unwrap();
                } else {
                    table.insert(key.as_bytes(), b"changed").unwrap();
                }
            }
        });
    }
    db.create_branch("side", "s2").unwrap();
    db.delete_snapshot("s1").unwrap();
    db.close().unwrap();
    bytes_of(&*storage)
}

fn write(db: &Database, work: impl FnOnce(&mut cowslip::Table<'_>)) {
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(Durability::None);
    work(&mut tx.open_table("rows").unwrap());
    tx.commit().unwrap();
}

fn with(bytes: &[u8], sweep: bool) -> Result<Report, String> {
    let storage = MemoryStorage::new();
    cowslip::Storage::write_at(&storage, bytes, 0).unwrap();
    cowslip_fsck::check_storage(&storage, &Options { sweep, ..Options::default() })
        .map_err(|error| error.to_string())
}

#[test]
fn a_sound_store_has_one_report_with_and_without() {
    // Of enough pages for several threads.
    let bytes = image(60_000);
    let report = with(&bytes, true).unwrap();
    assert!(report.is_clean() && report.extents > 10 && report.pages_checked > 1000, "{report}");
    assert_eq!(report, with(&bytes, false).unwrap());
}

#[test]
fn a_wrong_byte_under_right_checksums_is_told_as_the_walk_tells_it() {
    let mut wreck = Wreck::of(image(900));
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("to repeat: SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kinds = [(1, 0), (2, 0), (3, 2), (3, 1), (3, 0)];
    let pages: Vec<u64> =
        kinds.into_iter().flat_map(|(kind, level)| wreck.nodes(kind, level)).collect();
    let (mut wrong, mut sound) = (0, 0);
    for round in 0..1500 {
        let page = pages[random.usize(..pages.len())];
        let whole = wreck.page(page).to_vec();
        for _ in 0..random.usize(1..3) {
            let at = if random.bool() { random.usize(4..400) } else { random.usize(4..4096) };
            let byte = &mut wreck.page(page)[at];
            *byte = if random.bool() { *byte ^ 1 << random.u32(..8) } else { random.u8(..) };
        }
        wreck.seal(page);
        let (swept, walked) = (with(&wreck.bytes, true), with(&wreck.bytes, false));
        assert_eq!(swept, walked, "round {round}, page {page}");
        match walked.unwrap().is_clean() {
            true => sound += 1,
            false => wrong += 1,
        }
        wreck.page(page).copy_from_slice(&whole);
        wreck.seal(page);
    }
    assert!(wrong > 500 && sound > 50, "{wrong} wrong, {sound} sound");
}

#[test]
fn a_flipped_bit_anywhere_is_told_as_the_walk_tells_it() {
    let mut bytes = image(900);
    for at in (0..bytes.len()).step_by(1013) {
        bytes[at] ^= 1 << (at % 8);
        assert_eq!(with(&bytes, true), with(&bytes, false), "byte {at}");
        bytes[at] ^= 1 << (at % 8);
    }
}

/// The pointer, the node and the map agree; only that the parent is older tells.
#[test]
fn a_child_that_is_younger_than_its_parent_is_told_as_the_walk_tells_it() {
    let mut wreck = Wreck::of(image(900));
    let newest = wreck.block.stamp;
    let stamp = |wreck: &mut Wreck, page: u64| u64_at(wreck.page(page), 16);
    let mut tried = 0;
    for parent in [wreck.nodes(3, 1), wreck.nodes(3, 2)].concat() {
        let least = stamp(&mut wreck, parent) + 1;
        for entry in 0..wreck.entries(parent) {
            let child = wreck.child(parent, entry).page.0;
            // Of another parent it would be the wrong child.
            if least > newest || wreck.count(child) > 1 {
                continue;
            }
            let before = (wreck.bytes.clone(), wreck.block.clone());
            let at = wreck.value(parent, entry) + 8;
            for (page, at) in [(parent, at), (child, 16)] {
                wreck.page(page)[at..at + 8].copy_from_slice(&least.to_le_bytes());
                wreck.seal(page);
            }
            let report = with(&wreck.bytes, true).unwrap();
            assert_eq!(Ok(&report), with(&wreck.bytes, false).as_ref(), "page {child}");
            let told = report.counts.keys().any(|kind| kind.code() == "F0413");
            assert!(told, "page {child} of page {parent}: {report}");
            (wreck.bytes, wreck.block) = before;
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn a_wrong_count_is_told_as_the_walk_tells_it() {
    let mut wreck = Wreck::of(image(900));
    let pages = wreck.bytes.len() as u64 / 4096;
    let mut wrong = 0;
    for page in (0..pages).step_by(3) {
        if wreck.geometry.is_reserved(PageId(page)) {
            continue;
        }
        let count = wreck.count(page);
        for to in [count.wrapping_sub(1), count + 1, 1 << 31] {
            let before = (wreck.bytes.clone(), wreck.block.clone());
            wreck.set_map(page, |entry| entry[..4].copy_from_slice(&to.to_le_bytes()));
            let report = with(&wreck.bytes, true);
            assert_eq!(report, with(&wreck.bytes, false), "page {page}, count {to}");
            wrong += u32::from(!report.unwrap().is_clean());
            (wreck.bytes, wreck.block) = before;
        }
    }
    assert!(wrong > 100);
}

/// Many copies of inner nodes that differ in one child each: the sweep looks at what differs only.
fn image_of_copies() -> Vec<u8> {
    let storage = Arc::new(MemoryStorage::new());
    let db = database(storage.clone());
    write(&db, |table| {
        for i in 0..1500u32 {
            table.insert(format!("key {i:07}").as_bytes(), &[i as u8; 60]).unwrap();
        }
    });
    for step in 0..8u32 {
        db.create_snapshot(&format!("s{step}")).unwrap();
        write(&db, |table| {
            let key = format!("key {:07}", step * 181 % 1500);
            table.insert(key.as_bytes(), &[step as u8; 60]).unwrap();
        });
    }
    db.close().unwrap();
    bytes_of(&*storage)
}

#[test]
fn what_is_wrong_in_one_of_many_copies_is_told_as_the_walk_tells_it() {
    let mut wreck = Wreck::of(image_of_copies());
    let report = with(&wreck.bytes, true).unwrap();
    assert!(report.is_clean(), "{report}");
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("to repeat: SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pages = wreck.nodes(3, 1);
    assert!(pages.len() > 7, "{pages:?}");
    let mut wrong = 0;
    for round in 0..600 {
        let page = pages[random.usize(..pages.len())];
        let whole = wreck.page(page).to_vec();
        // What is used: the header, keys from the front, cells from the end.
        let at = if random.bool() { random.usize(4..700) } else { random.usize(3000..4096) };
        wreck.page(page)[at] ^= 1 << random.u32(..8);
        wreck.seal(page);
        let (swept, walked) = (with(&wreck.bytes, true), with(&wreck.bytes, false));
        assert_eq!(swept, walked, "round {round}, page {page}, byte {at}");
        wrong += u32::from(!walked.unwrap().is_clean());
        wreck.page(page).copy_from_slice(&whole);
        wreck.seal(page);
    }
    assert!(wrong > 300, "{wrong} wrong");
}

#[test]
fn a_wrong_count_below_many_copies_is_told_as_the_walk_tells_it() {
    let mut wreck = Wreck::of(image_of_copies());
    for page in wreck.nodes(3, 0) {
        let count = wreck.count(page);
        for to in [count.wrapping_sub(1), count + 1] {
            let before = (wreck.bytes.clone(), wreck.block.clone());
            wreck.set_map(page, |entry| entry[..4].copy_from_slice(&to.to_le_bytes()));
            let report = with(&wreck.bytes, true);
            assert_eq!(report, with(&wreck.bytes, false), "page {page}, count {to}");
            assert!(!report.unwrap().is_clean());
            (wreck.bytes, wreck.block) = before;
        }
    }
}
