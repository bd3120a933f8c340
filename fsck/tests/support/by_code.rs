//! A wound for each number of the catalogue that bytes alone produce.

use cowslip_pager::{
    PageId,
    map::{DeltaEntry, DeltaList},
    page::u64_at,
    superblock::Superblock,
};

use super::{
    Wreck, base, check,
    forge::{Seal, Whole},
};

const META: u8 = 1;
const TABLE: u8 = 3;

pub fn forge_superblock(wreck: &mut Wreck, copies: &[u64], change: impl Fn(&mut [u8])) {
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
pub fn value_of(wreck: &mut Wreck, kind: u8, key: &[u8]) -> (u64, usize) {
    for leaf in wreck.nodes(kind, 0) {
        let entries = cowslip::kinds::entries(wreck.page(leaf));
        if let Some(at) = entries.iter().position(|entry| entry.0.starts_with(key)) {
            return (leaf, wreck.value(leaf, at));
        }
    }
    panic!("no entry {key:?}");
}

/// Where an entry's key has its first bytes, as a head.
pub fn head(wreck: &mut Wreck, page: u64, entry: usize) -> usize {
    let prefix = usize::from(u16::from_le_bytes([wreck.page(page)[40], wreck.page(page)[41]]));
    64 + prefix + 4 * entry
}

/// A wound that this number is found in, in a store that [`super::fill`] made; `None`: see [`NOT_ALONE`].
pub fn wound(code: &str, mut wreck: Wreck) -> Option<Wreck> {
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
        "F0104" => {
            let at = Superblock::offset(wreck.block.checkpoint % 2, 1) as usize;
            let block = &mut wreck.bytes[at..at + 4096];
            block[56] ^= 1;
            let crc = crc32fast::hash(&block[..4092]);
            block[4092..].copy_from_slice(&crc.to_le_bytes());
        }
        "F0105" => forge_superblock(&mut wreck, &[0], |block| block[128..136].fill(0xFF)),
        "F0111" => {
            let length = wreck.bytes.len() - 2 * 4096;
            wreck.bytes.truncate(length);
        }
        "F0112" => forge_superblock(&mut wreck, &[0, 1], |block| block[80..96].fill(0)),
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
            let entry = DeltaEntry { page: PageId(behind + 9), count: 1, turns: true };
            wreck.block.delta = DeltaList::new(vec![entry], vec![]);
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
        "F0501" => {
            let (leaf, at) = value_of(&mut wreck, TABLE, b"long");
            wreck.page(leaf)[at + 22] ^= 1;
            wreck.seal(leaf);
        }
        "F0503" => {
            // Another value of the page, and the map believes it.
            let (leaf, at) = value_of(&mut wreck, TABLE, b"long");
            let head = u64_at(wreck.page(leaf), at + 24) & 0xFFFF_FFFF_FFFF;
            wreck.flip(head, 2000);
            wreck.seal_raw(head);
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
        "F0602" | "F0604" => {
            let leaf = wreck.nodes(META, 0)[0];
            let entries = cowslip::kinds::entries(wreck.page(leaf));
            let main = entries.iter().position(|entry| entry.0 == b"bmain").unwrap();
            let at = head(&mut wreck, leaf, main);
            // "bmai", little-endian: another character under the `a`, or under the `m`.
            let (place, letter) = if code == "F0602" { (1, 1) } else { (2, b'l') };
            wreck.page(leaf)[at + place] = letter;
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
        "F0506" => {
            // A bit of an entry that is none of a page of memory.
            let table = wreck.raw(1).page.0;
            let page = wreck.page(table);
            let word = (0..512).find(|word| u64_at(page, 8 * word) != 0).unwrap();
            page[8 * word + 7] |= 1;
            wreck.seal_raw(table);
        }
        "F0605" => {
            let (leaf, at) = value_of(&mut wreck, META, b"bmain");
            let stamp = (wreck.block.stamp + 100).to_le_bytes();
            wreck.page(leaf)[at + 16..at + 24].copy_from_slice(&stamp);
            wreck.seal(leaf);
        }
        "F0606" => {
            // The last bytes of a branch's lineage, before the word `incoming`.
            let (leaf, at) = value_of(&mut wreck, META, b"bmain");
            let entries = cowslip::kinds::entries(wreck.page(leaf));
            let (_, value) = entries.into_iter().find(|entry| entry.0 == b"bmain").unwrap();
            wreck.page(leaf)[at + value.len() - 16] ^= 1;
            wreck.seal(leaf);
        }
        "F0607" => {
            // The last word of a branch's record.
            let (leaf, at) = value_of(&mut wreck, META, b"bside");
            let entries = cowslip::kinds::entries(wreck.page(leaf));
            let (_, value) = entries.into_iter().find(|entry| entry.0 == b"bside").unwrap();
            wreck.page(leaf)[at + value.len() - 8] = 1;
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

/// An image that a number of the catalogue is found in, of one of the stored stores.
pub fn image(code: &str) -> Option<Vec<u8>> {
    let closed = || Wreck::of(base::stored("closed.cow.gz"));
    match code {
        // A record in the middle of the log, one of those behind which another was durable.
        "F0201" => {
            let whole = Whole::new(base::stored("running.cow.gz"));
            let mut bytes = whole.wreck.bytes;
            bytes[whole.records[2].0 + 30] ^= 1;
            Some(bytes)
        }
        // The log still names the newest superblock, whose two copies are gone.
        "F0202" => {
            let mut wreck = closed();
            for copy in 0..2 {
                let at = Superblock::offset(wreck.block.checkpoint % 2, copy) as usize;
                wreck.bytes[at + 70] ^= 4;
            }
            Some(wreck.bytes)
        }
        // The file ends within the log's ring.
        "F0203" => {
            let mut wreck = Wreck::of(base::stored("cut.cow.gz"));
            let ring = wreck.block.log.page.0 as usize * wreck.geometry.page_size;
            wreck.bytes.truncate(ring + 40 * 4096);
            Some(wreck.bytes)
        }
        // The file ends before some node, and behind the names.
        "F0401" => {
            let wreck = closed();
            let names = wreck.block.root.page.0;
            let size = wreck.geometry.page_size;
            let cuts = (names + 1..wreck.block.pages).rev();
            let mut images = cuts.map(|page| wreck.bytes[..page as usize * size].to_vec());
            images.find(|image| check(image).has("F0401"))
        }
        // Whether a key follows the table's name.
        "F0608" => {
            let mut wreck = closed();
            let (leaf, at) = value_of(&mut wreck, META, b"icoming");
            wreck.page(leaf)[at + 18] = 2;
            wreck.seal(leaf);
            Some(wreck.bytes)
        }
        // A record of a kind that no engine writes.
        "F0801" => {
            let whole = Whole::new(base::stored("running.cow.gz"));
            Some(whole.with(whole.records[2].0 + 64, &[99], Seal::Log(2)))
        }
        _ => wound(code, closed()).map(|wreck| wreck.bytes),
    }
}
