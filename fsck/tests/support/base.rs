//! The stores that wounds are made of. They have times and random numbers in them, so they were made once and lie in
//! `tests/images/wounds`; `COWSLIP_BLESS=base` makes new ones.
//!
//! ```text
//! closed.cow.gz    all that a store can hold: see `fill`; a bookmark, a stream that is being received, and a
//!                  release queue with a node, a large value and a machine
//! running.cow.gz   the same, and transactions of all kinds in the log
//! cut.cow.gz       a log ring at the end of the file, where a cut takes it first
//! ```

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_pager::{
    PageId, Pointer,
    map::{DeltaChecksum, DeltaList},
    page::{node_crc, u64_at},
    superblock::Superblock,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::{Wreck, database, fill};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/images/wounds")
}

pub fn read_gz(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn write_gz(path: &Path, bytes: &[u8]) {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(bytes).unwrap();
    std::fs::write(path, gz.finish().unwrap()).unwrap();
}

/// One of the stores, as it lies there.
pub fn stored(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    read_gz(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn make_all() {
    std::fs::create_dir_all(folder()).unwrap();
    let closed = closed();
    write_gz(&folder().join("running.cow.gz"), &running(&closed));
    write_gz(&folder().join("closed.cow.gz"), &closed);
    write_gz(&folder().join("cut.cow.gz"), &ring_at_the_end());
}

fn closed() -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    fill(&db);
    db.create_bookmark("mark", "monday").unwrap();
    db.close().unwrap();
    let mut wreck = Wreck::of(storage.image());
    let names = wreck.block.root;
    assert_eq!(names.level, 0, "the names have outgrown a leaf");
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = cowslip::kinds::entries(wreck.page(names.page.0));
    let row = |rows: &[(Vec<u8>, Vec<u8>)], key: &[u8]| {
        rows.iter().find(|row| row.0 == key).unwrap().1.clone()
    };
    // What a deletion leaves behind, which takes more rows than a small store has: one owner more of a catalog, of a
    // large value and of a machine.
    let monday = row(&rows, b"smonday")[..16].to_vec();
    let (films, _) = super::by_code::value_of(&mut wreck, 3, b"long");
    let extent = row(&cowslip::kinds::entries(wreck.page(films)), b"long");
    let (machine, ..) = wreck.machine();
    let raw = Pointer { stamp: 0, ..machine.root }.encode();
    let head = u64_at(&extent, 24) & 0xFFFF_FFFF_FFFF;
    for (number, value) in
        [[&[0], &monday[..]].concat(), [&[1], &extent[..]].concat(), [&[2], &raw[..]].concat()]
            .into_iter()
            .enumerate()
    {
        let stamp = wreck.block.stamp.to_be_bytes();
        let number = (number as u32).to_be_bytes();
        rows.push(([b"r", &stamp[..], &number[..]].concat(), value));
    }
    for page in [u64_at(&monday, 0) & 0xFFFF_FFFF_FFFF, head, machine.root.page.0] {
        let count = wreck.count(page) + 1;
        wreck.set_map(page, |entry| entry[..4].copy_from_slice(&count.to_le_bytes()));
    }
    // A stream that broke off: a hidden branch without tables, and its place before the first one.
    let side = cowslip::meta::BranchRecord::decode(&row(&rows, b"bside"), names.page).unwrap();
    let coming = cowslip::meta::BranchRecord {
        catalog: Pointer::NONE,
        incoming: true,
        last_snapshot: None,
        ..side
    };
    rows.push((b"bcoming".to_vec(), coming.encode()));
    rows.push((b"icoming".to_vec(), [&[5; 8][..], &[0; 8], &[1, b'a', 0]].concat()));
    rows.sort();
    let page = wreck.page(names.page.0);
    repack(page, &rows);
    wreck.seal(names.page.0);
    let report = wreck.check();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.releases, 3);
    // Counts and checksums that are younger than their group.
    let leaves = wreck.nodes(3, 0);
    let count = wreck.count(leaves[2]);
    super::with_list(&mut wreck, &[(leaves[2], count)]);
    let crc = node_crc(wreck.page(leaves[4]));
    let checksum = DeltaChecksum { page: PageId(leaves[4]), crc };
    wreck.block.delta = DeltaList::new(wreck.block.delta.entries().to_vec(), vec![checksum]);
    wreck.set_stored(leaves[4], |entry| entry[4] ^= 1);
    assert!(wreck.check().is_clean());
    let db = database(Arc::new(SimulatedStorage::from_image(wreck.bytes.clone())));
    db.wait_for_releases().unwrap();
    db.close().unwrap();
    blank(&mut wreck);
    assert!(wreck.check().is_clean());
    wreck.bytes
}

/// Zeros the records of the log that no superblock leads to.
fn blank(wreck: &mut Wreck) {
    let size = wreck.geometry.page_size;
    let log = wreck.block.log;
    let older = Superblock::offset((wreck.block.checkpoint + 1) % 2, 0) as usize;
    let first = Superblock::decode(&wreck.bytes[older..older + 4096]).unwrap().log.at / 4096;
    let live: Vec<u64> = (first..=log.at / 4096 + 1).map(|block| block % log.blocks).collect();
    for block in (0..log.blocks).filter(|block| !live.contains(block)) {
        let at = log.page.0 as usize * size + 4096 * block as usize;
        wreck.bytes[at..at + 4096].fill(0);
    }
}

/// Writes these rows into a leaf, slotted and without a prefix.
fn repack(page: &mut [u8], rows: &[(Vec<u8>, Vec<u8>)]) {
    let put = |page: &mut [u8], at: usize, value: usize| {
        page[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
    };
    page[40..].fill(0);
    put(page, 6, rows.len());
    let (heads, slots) = (64, 64 + 4 * rows.len());
    let keys = slots + 8 * rows.len();
    let (mut key_at, mut value_at) = (0, page.len());
    for (i, (key, value)) in rows.iter().enumerate() {
        let mut head = [0; 4];
        let short = key.len().min(4);
        head[..short].copy_from_slice(&key[..short]);
        head.reverse();
        page[heads + 4 * i..][..4].copy_from_slice(&head);
        let rest = &key[short..];
        page[keys + key_at..][..rest.len()].copy_from_slice(rest);
        value_at -= value.len();
        page[value_at..][..value.len()].copy_from_slice(value);
        let slot = slots + 8 * i;
        put(page, slot, if rest.is_empty() { 0 } else { key_at });
        put(page, slot + 2, key.len());
        put(page, slot + 4, if value.is_empty() { 0 } else { value_at });
        put(page, slot + 6, value.len());
        key_at += rest.len();
    }
    put(page, 44, key_at);
    put(page, 48, value_at);
    assert!(keys + key_at <= value_at);
}

/// A transaction of each kind in the log, each durable by itself; and no checkpoint behind them.
fn running(closed: &[u8]) -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::from_image(closed.to_vec()));
    let db = database(storage.clone());
    for number in 0..3u8 {
        let tx = db.begin_write().unwrap();
        let mut table = tx.open_table("first").unwrap();
        table.insert(&[b'z', number], &[number; 40]).unwrap();
        table.remove(b"key 000101").unwrap();
        table.remove_range(&b"key 000110"[..]..&b"key 000112"[..]).unwrap();
        drop(table);
        tx.commit().unwrap();
    }
    let tx = db.begin_write().unwrap();
    tx.delete_table("second").unwrap();
    tx.commit().unwrap();
    db.create_snapshot("thursday").unwrap();
    db.create_branch("other", "thursday").unwrap();
    db.create_bookmark("second mark", "thursday").unwrap();
    db.hold("thursday").unwrap();
    let report = super::check(&storage.image());
    assert!(report.is_clean() && report.log_transactions > 6, "{report}");
    let image = storage.image();
    std::mem::forget(db);
    image
}

fn ring_at_the_end() -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    drop(database(storage.clone()));
    let db = database(storage.clone());
    // A larger ring moves to the end of the file.
    for number in 0..4 {
        put(&db, "long", &[number], &[7; 90 << 10]);
    }
    for row in 0..40 {
        put(&db, "rows", &[row], &[2; 200]);
    }
    let image = storage.image();
    std::mem::forget(db);
    let block = Wreck::of(image.clone()).block;
    let ring = block.log.page.0 * u64::from(block.page_size);
    assert_eq!(ring + 4096 * block.log.blocks, image.len() as u64, "the ring is not at the end");
    image
}

fn put(db: &Database, table: &str, key: &[u8], value: &[u8]) {
    let tx = db.begin_write().unwrap();
    tx.open_table(table).unwrap().insert(key, value).unwrap();
    tx.commit().unwrap();
}
