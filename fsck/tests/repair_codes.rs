//! A wound for each number of the catalogue: the check names it, repair does what the catalogue says, and the
//! check after it is clean.

mod support;

use std::collections::BTreeSet;

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{Remedy, RepairOptions, problem::CATALOGUE};
use cowslip_pager::{
    PageId,
    map::{DeltaEntry, DeltaList},
    page::u64_at,
    superblock::Superblock,
};
use support::*;

const META: u8 = 1;
const TABLE: u8 = 3;

/// Codes that no bytes of a file alone produce, and why.
const NOT_HERE: [(&str, &str); 7] = [
    (
        "F0104",
        "two states of one number: no store of its own makes them; refused or lossy, as F0103",
    ),
    ("F0202", "in `repair_log`: `an_older_state_is_taken_on_demand_only`"),
    ("F0203", "a disk that fails to read"),
    ("F0401", "a disk that fails to read; in `a_file_that_was_cut_keeps_what_is_left`"),
    ("F0801", "a log that the engine wrote and cannot read"),
    ("F0802", "a fault of the engine"),
    ("F0803", "a fault of the engine"),
];

fn forge_superblock(wreck: &mut Wreck, copies: &[u64], change: impl Fn(&mut [u8])) {
    for &copy in copies {
        let at = Superblock::offset(wreck.block.checkpoint % 2, copy) as usize;
        let block = &mut wreck.bytes[at..at + 4096];
        change(block);
        let crc = crc32fast::hash(&block[..4092]);
        block[4092..].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Changes a node under right checksums.
fn forge(wreck: &mut Wreck, kind: u8, level: u8, number: usize, change: impl Fn(&mut [u8])) {
    let page = wreck.nodes(kind, level)[number];
    change(wreck.page(page));
    wreck.seal(page);
}

/// The place of a META or CATALOG entry's value whose key begins so.
fn value_of(wreck: &mut Wreck, kind: u8, key: &[u8]) -> (u64, usize) {
    for leaf in wreck.nodes(kind, 0) {
        let entries = cowslip::kinds::entries(wreck.page(leaf));
        if let Some(at) = entries.iter().position(|entry| entry.0.starts_with(key)) {
            return (leaf, wreck.value(leaf, at));
        }
    }
    panic!("no entry {key:?}");
}

/// Where an entry's key has its first bytes, as a head.
fn head(wreck: &mut Wreck, page: u64, entry: usize) -> usize {
    let prefix = usize::from(u16::from_le_bytes([wreck.page(page)[40], wreck.page(page)[41]]));
    64 + prefix + 4 * entry
}

fn wound(code: &str) -> Option<Wreck> {
    let mut wreck = Wreck::new();
    match code {
        "F0101" => {
            for at in [0, 16 << 10, 32 << 10, 48 << 10] {
                wreck.bytes[at + 70] ^= 4;
            }
        }
        "F0102" => wreck.bytes[70] ^= 4,
        "F0103" => {
            wreck.bytes[70] ^= 4;
            wreck.bytes[(32 << 10) + 70] ^= 4;
        }
        "F0105" => forge_superblock(&mut wreck, &[0], |block| block[128..136].fill(0xFF)),
        "F0111" => {
            let length = wreck.bytes.len() - 2 * 4096;
            wreck.bytes.truncate(length);
        }
        "F0201" => return None,
        "F0301" => {
            let top = wreck.top(1);
            wreck.flip(top, 3);
        }
        "F0302" => {
            for copy in 0..2 {
                let top = wreck.top(copy);
                wreck.flip(top, 3);
            }
        }
        "F0303" => {
            let group = wreck.group(0);
            wreck.flip(group, 100);
        }
        "F0304" => {
            wreck.block.free += 1;
            wreck.write_superblock();
        }
        "F0305" => {
            let behind = wreck.block.pages + 3;
            wreck.set_map(behind, |entry| entry[0] = 2);
        }
        "F0306" => {
            let behind = wreck.geometry.groups(wreck.block.pages) * wreck.geometry.group_pages;
            wreck.block.pages = behind + 10;
            wreck.bytes.resize((behind + 10) as usize * wreck.geometry.page_size, 0);
            let entry = DeltaEntry { page: PageId(behind + 9), count: 1 };
            wreck.block.delta = DeltaList::new(vec![entry]);
            wreck.write_superblock();
        }
        "F0402" => {
            let leaf = wreck.nodes(TABLE, 0)[1];
            wreck.flip(leaf, 2000);
        }
        "F0403" => forge(&mut wreck, TABLE, 0, 1, |page| page[8] ^= 1),
        "F0404" => forge(&mut wreck, TABLE, 0, 1, |page| page[32] ^= 1),
        "F0405" => forge(&mut wreck, TABLE, 0, 1, |page| page[16] ^= 1),
        "F0406" => forge(&mut wreck, TABLE, 0, 1, |page| page[24] ^= 1),
        "F0407" => forge(&mut wreck, TABLE, 0, 1, |page| page[42] = 7),
        "F0408" => {
            let leaf = wreck.nodes(TABLE, 0)[1];
            let (a, b) = (head(&mut wreck, leaf, 3), head(&mut wreck, leaf, 30));
            for i in 0..4 {
                wreck.page(leaf).swap(a + i, b + i);
            }
            wreck.seal(leaf);
        }
        "F0409" => {
            let inner = wreck.nodes(TABLE, 1)[0];
            let (a, b) = (wreck.value(inner, 0), wreck.value(inner, 1));
            let page = wreck.page(inner);
            for i in 0..24 {
                page.swap(a + i, b + i);
            }
            wreck.seal(inner);
        }
        "F0410" | "F0411" | "F0412" | "F0413" => {
            // One that is older than the store.
            let newest = wreck.block.stamp;
            let mut nodes = wreck.nodes(TABLE, 1).into_iter();
            let inner = nodes.find(|&node| u64_at(wreck.page(node), 16) < newest).unwrap();
            let at = wreck.value(inner, 1);
            match code {
                "F0410" => wreck.page(inner)[at + 16] ^= 1,
                "F0411" => wreck.page(inner)[at + 4] = 0xFF,
                "F0412" => wreck.page(inner)[at + 7] ^= 2,
                _ => {
                    // A leaf that is younger than all above it, and not than the store.
                    let child = wreck.child(inner, 1).page.0;
                    let stamp = wreck.block.stamp.to_le_bytes();
                    wreck.page(inner)[at + 8..at + 16].copy_from_slice(&stamp);
                    wreck.page(child)[16..24].copy_from_slice(&stamp);
                    wreck.seal(child);
                }
            }
            wreck.seal(inner);
        }
        "F0414" => {
            let leaf = wreck.nodes(TABLE, 0)[1];
            wreck.set_map(leaf, |entry| entry[5] ^= 3);
        }
        "F0501" | "F0503" => {
            let (leaf, at) = value_of(&mut wreck, TABLE, b"long");
            let at = if code == "F0501" { at + 22 } else { at + 16 };
            wreck.page(leaf)[at] ^= 1;
            wreck.seal(leaf);
        }
        "F0502" => {
            let place = wreck.bytes.windows(64).rposition(|w| w == [7; 64]).unwrap();
            wreck.bytes[place] = 8;
        }
        "F0504" => {
            let raw = wreck.raw(0);
            wreck.flip(raw.page.0, 2000);
        }
        "F0505" => {
            let table = wreck.raw(2).page.0;
            wreck.page(table)[..8].copy_from_slice(&(u64::MAX >> 12 << 12 | 1).to_le_bytes());
            wreck.seal_raw(table);
        }
        "F0601" => {
            let (leaf, at) = value_of(&mut wreck, META, b"smonday");
            wreck.page(leaf)[at + 40] = 0xFF;
            wreck.page(leaf)[at + 41] = 0xFF;
            wreck.seal(leaf);
        }
        "F0602" => {
            let leaf = wreck.nodes(META, 0)[0];
            let at = head(&mut wreck, leaf, 0);
            // "bmai" of the first name, little-endian: another character under the `a`.
            wreck.page(leaf)[at + 1] = 1;
            wreck.seal(leaf);
        }
        "F0603" => {
            let names = wreck.nodes(META, 0)[0];
            let entries = cowslip::kinds::entries(wreck.page(names));
            let side = entries.iter().position(|entry| entry.0 == b"bside").unwrap();
            let monday = entries.iter().position(|entry| entry.0 == b"smonday").unwrap();
            // "smonday" becomes "sside": a head, a rest of one byte, a shorter key.
            let (to, from) = (head(&mut wreck, names, monday), head(&mut wreck, names, side));
            let slots = 64 + 4 * entries.len();
            let (a, b) = (slots + 8 * monday, slots + 8 * side);
            let page = wreck.page(names);
            page.copy_within(from..from + 4, to);
            page[to + 3] = b's';
            // Both rests are the `e`; what `monday` had is garbage.
            let (key, length) = (page[a..a + 2].to_vec(), page[b + 2..b + 4].to_vec());
            let area = slots + 8 * entries.len();
            let rest = |page: &[u8], at: usize| {
                area + usize::from(u16::from_le_bytes([page[at], page[at + 1]]))
            };
            let (e, place) = (page[rest(page, b)], rest(page, a));
            page[place] = e;
            page[a..a + 2].copy_from_slice(&key);
            page[a + 2..a + 4].copy_from_slice(&length);
            page[52] += 2;
            wreck.seal(names);
        }
        "F0604" => {
            let leaf = wreck.nodes(META, 0)[0];
            let at = head(&mut wreck, leaf, 0);
            // "bmai" becomes "blai".
            wreck.page(leaf)[at + 2] = b'l';
            wreck.seal(leaf);
        }
        "F0605" => {
            let (leaf, at) = value_of(&mut wreck, META, b"bmain");
            let stamp = (wreck.block.stamp + 100).to_le_bytes();
            wreck.page(leaf)[at + 16..at + 24].copy_from_slice(&stamp);
            wreck.seal(leaf);
        }
        "F0701" | "F0702" | "F0704" => {
            let shared = (0..wreck.block.pages).rev().find(|&page| wreck.count(page) > 1).unwrap();
            let count = match code {
                "F0701" => wreck.count(shared) - 1,
                "F0702" => wreck.count(shared) + 7,
                _ => 0,
            };
            wreck.set_map(shared, |entry| entry[..4].copy_from_slice(&count.to_le_bytes()));
        }
        "F0703" => {
            let free = (0..wreck.block.pages).find(|&page| wreck.count(page) == 0).unwrap();
            wreck.set_map(free, |entry| entry[0] = 1);
        }
        "F0705" => {
            // A large value that begins on a node's page.
            let node = wreck.nodes(TABLE, 0)[0];
            let (leaf, at) = value_of(&mut wreck, TABLE, b"long");
            wreck.page(leaf)[at + 24..at + 30].copy_from_slice(&node.to_le_bytes()[..6]);
            wreck.seal(leaf);
        }
        "F0706" => {
            let (leaf, at) = value_of(&mut wreck, META, b"bmain");
            wreck.page(leaf)[at + 16..at + 24].fill(0);
            wreck.seal(leaf);
        }
        _ => return None,
    }
    Some(wreck)
}

#[test]
fn each_number_has_a_wound_that_repair_closes() {
    let mut missing = BTreeSet::new();
    for entry in CATALOGUE {
        let Some(wreck) = wound(entry.code) else {
            missing.insert(entry.code);
            continue;
        };
        let first = wreck.check();
        assert!(first.has(entry.code), "{}: {first}", entry.code);
        let lossy = first.counts.keys().any(|kind| kind.remedy() == Remedy::Lossy);
        for allowed in [false, true] {
            let storage = SimulatedStorage::from_image(wreck.bytes.clone());
            let options = RepairOptions { lossy: allowed, ..RepairOptions::default() };
            let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
            let second = check(&storage.image());
            if entry.remedy == Remedy::None {
                assert_eq!(repaired.exit_code(), 4, "{}", entry.code);
                assert!(storage.image() == wreck.bytes);
            } else if allowed || !lossy {
                assert_eq!(repaired.exit_code(), 1, "{}: {repaired}{first}", entry.code);
                assert!(second.is_clean(), "{}: {second}", entry.code);
            } else if repaired.exit_code() == 4 {
                assert!(repaired.would, "{}: {repaired}", entry.code);
                assert!(!second.is_clean());
            }
        }
    }
    let known: BTreeSet<&str> = NOT_HERE.iter().map(|(code, _)| *code).chain(["F0201"]).collect();
    assert_eq!(missing, known, "F0201 is in `repair_log`");
}
