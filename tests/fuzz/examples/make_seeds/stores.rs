//! The stores.

use std::sync::Arc;

use cowslip::{
    Database,
    storage::{SimulatedStorage, simulated::Image},
    vm::{Access, Contents, ForkMode, Machine, Mapping, Protection, Settings},
};
use cowslip_fuzz::store::{disk, open};

type Disk = Arc<SimulatedStorage>;

fn put(db: &Database, branch: &str, table: &str, keys: std::ops::Range<u32>, mark: &str) {
    let tx = db.begin_write_on(branch).unwrap();
    {
        let mut table = tx.open_table(table).unwrap();
        for key in keys {
            let value = format!("{mark}{key}").repeat(1 + key as usize % 20);
            table.insert(format!("key {key:06}").as_bytes(), value.as_bytes()).unwrap();
        }
    }
    tx.commit().unwrap();
}

fn large(db: &Database, key: &[u8], length: usize) {
    let tx = db.begin_write().unwrap();
    tx.open_table("films").unwrap().insert(key, &vec![key[0]; length]).unwrap();
    tx.commit().unwrap();
}

/// Two levels, large values, snapshots of which one is held, a branch, a rollback, a bookmark.
fn fill(db: &Database) {
    put(db, "main", "first", 0..150, "a");
    put(db, "main", "second", 0..9, "a");
    large(db, b"short", 5000);
    large(db, b"long", 20_000);
    db.create_snapshot("monday").unwrap();
    put(db, "main", "first", 30..40, "b");
    db.create_snapshot("tuesday").unwrap();
    db.create_branch("side", "monday").unwrap();
    put(db, "side", "first", 100..103, "side");
    put(db, "main", "first", 140..160, "c");
    db.create_snapshot("wednesday").unwrap();
    db.create_bookmark("marked", "monday").unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("first").unwrap();
        table.remove_range(&b"key 000060"[..]..&b"key 000080"[..]).unwrap();
        tx.open_table("films").unwrap().remove(b"short").unwrap();
        tx.open_table("empty").unwrap();
    }
    tx.commit().unwrap();
    db.hold("monday").unwrap();
    db.delete_snapshot("tuesday").unwrap();
    db.rollback("wednesday").unwrap();
    put(db, "main", "second", 5..12, "d");
}

/// A process and its child that share their tables, a file, and something in the swap.
fn machine(db: &Database) {
    let settings = Settings { fork: ForkMode::Shared, swap: 50, ..Settings::default() };
    let mut machine = Machine::new(settings);
    let start = machine.map(Machine::FIRST, &Mapping::anonymous(6)).unwrap();
    let write = Access::Write { value: 9 };
    machine.touch(Machine::FIRST, start..start + 6, 1, write, &mut |_| {});
    let file = machine.add_file("file", 4, Contents::Fill(3));
    let mapping =
        Mapping { file: Some((file, 0)), protection: Protection::READ, ..Mapping::anonymous(4) };
    let mapped = machine.map(Machine::FIRST, &mapping).unwrap();
    machine.touch(
        Machine::FIRST,
        mapped..mapped + 2,
        1,
        Access::Read { expect: None },
        &mut |_| {},
    );
    let child = machine.fork(Machine::FIRST).unwrap();
    machine.advise(Machine::FIRST, start..start + 1, cowslip::vm::Advise::PageOut).unwrap();
    machine.touch(child, start..start + 1, 1, write, &mut |_| {});
    let tx = db.begin_write().unwrap();
    tx.store_machine("machine", &mut machine).unwrap();
    tx.commit().unwrap();
}

fn new(page_size: usize) -> (Disk, Database) {
    let disk = disk(Image::new());
    let builder = Database::builder().background(false).cache_size(1 << 20).page_size(page_size);
    let db = builder.open_or_create_on(disk.clone()).unwrap();
    (disk, db)
}

fn filled() -> (Disk, Database) {
    let (disk, db) = new(4096);
    fill(&db);
    machine(&db);
    (disk, db)
}

/// Closed.
pub(crate) fn closed() -> Vec<u8> {
    let (disk, db) = filled();
    db.close().unwrap();
    disk.image()
}

/// As a killed process leaves it: a log of all sorts of records.
pub(crate) fn tail() -> Vec<u8> {
    let (disk, db) = filled();
    db.checkpoint().unwrap();
    put(&db, "main", "first", 20..22, "soon gone");
    put(&db, "main", "first", 20..24, "tail");
    db.create_snapshot("thursday").unwrap();
    put(&db, "side", "third", 0..5, "tail");
    large(&db, b"logged", 6000);
    db.create_branch("other", "thursday").unwrap();
    db.create_bookmark("kept", "thursday").unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("first").unwrap();
        table.remove_range(&b"key 000100"[..]..&b"key 000110"[..]).unwrap();
        table.remove(b"key 000001").unwrap();
        tx.delete_table("empty").unwrap();
    }
    tx.commit().unwrap();
    db.delete_snapshot("wednesday").unwrap();
    db.promote("other").unwrap();
    disk.image()
}

/// Pages of 16 KiB, and a stream that came in part.
pub(crate) fn wide() -> Vec<u8> {
    let (disk, db) = new(16384);
    fill(&db);
    let mut stream = Vec::new();
    db.send(&mut stream, "wednesday", None).unwrap();
    let options = cowslip::ReceiveOptions::default().name("part").keep_partial(true);
    let cut = stream.len() - 60;
    db.receive_with(&stream[..cut], &options).unwrap_err();
    db.close().unwrap();
    disk.image()
}

/// Three levels, of leaves that hold little.
pub(crate) fn deep() -> Vec<u8> {
    let (disk, db) = new(4096);
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("first").unwrap();
        // In no order, so that leaves are split in the middle.
        for n in 0..200u32 {
            let key = format!("key {:06}", n * 37 % 200);
            table.insert(key.as_bytes(), &[0; 1700]).unwrap();
        }
    }
    tx.commit().unwrap();
    db.create_snapshot("monday").unwrap();
    put(&db, "main", "first", 40..44, "b");
    db.close().unwrap();
    disk.image()
}

/// Streams of a store that goes on from the closed one: name, receiver, bytes. A receiver of 0 is that store.
pub(crate) fn streams(closed: &[u8]) -> Vec<(&'static str, u8, Vec<u8>)> {
    let db = open(disk(Image::from(closed))).unwrap();
    let tx = db.begin_write().unwrap();
    tx.delete_machine("machine").unwrap();
    tx.commit().unwrap();
    put(&db, "main", "first", 50..54, "stream");
    put(&db, "main", "new", 0..3, "stream");
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("first").unwrap();
        table.remove_range(&b"key 000120"[..]..&b"key 000130"[..]).unwrap();
        tx.delete_table("second").unwrap();
    }
    tx.commit().unwrap();
    large(&db, b"sent", 33_000);
    db.create_snapshot("friday").unwrap();
    let send = |db: &Database, name, since| {
        let mut stream = Vec::new();
        db.send(&mut stream, name, since).unwrap();
        stream
    };
    let small = open(disk(Image::from(closed))).unwrap();
    put(&small, "side", "new", 0..3, "small");
    small.create_snapshot_of("side", "small").unwrap();
    vec![
        ("full", 4, send(&db, "friday", None)),
        ("changes", 0, send(&db, "friday", Some("monday"))),
        ("ranges", 0, send(&db, "friday", Some("marked"))),
        ("small", 0, send(&small, "small", Some("monday"))),
        ("base-missing", 2, send(&small, "small", Some("monday"))),
    ]
}
