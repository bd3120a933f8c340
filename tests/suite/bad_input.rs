//! Bad input gets a clear, typed error, and nothing is lost or overwritten.

use std::{fs, path::Path, sync::Arc};

use cowslip::{
    Database, Error,
    storage::{
        SimulatedStorage,
        simulated::{Plan, SectorSize},
    },
};
use cowslip_harness::Scratch;

fn put(db: &Database, key: &[u8]) {
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(key, b"value").unwrap();
    tx.commit().unwrap();
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Every way to open the file fails with the same error, and leaves its bytes alone.
#[track_caller]
fn is_refused_untouched(path: &Path, bytes: &[u8], right: impl Fn(&Error) -> bool) {
    fs::write(path, bytes).unwrap();
    let ways = [
        Database::open(path),
        Database::open_read_only(path),
        Database::builder().open_or_create(path),
    ];
    for result in ways {
        let error = result.expect_err("not a database of ours");
        assert!(right(&error), "{error:?}");
    }
    assert!(matches!(Database::create(path), Err(Error::AlreadyExists(_))));
    assert!(fs::read(path).unwrap() == bytes, "the file was changed");
}

#[test]
fn a_foreign_file_is_refused_and_not_touched() {
    let dir = folder();
    let path = dir.path().join("foreign");
    let foreign: [&[u8]; 5] =
        [b"x", b"SQLite format 3\0", &[0; 100], &[b'a'; 300_000], b"COWSLIP\nbut nothing else"];
    for bytes in foreign {
        is_refused_untouched(&path, bytes, |e| {
            matches!(e, Error::NotADatabase | Error::Corrupted { .. })
        });
    }
}

#[test]
fn an_empty_file_is_no_database_but_may_become_one() {
    let dir = folder();
    let path = dir.path().join("empty.cow");
    fs::write(&path, b"").unwrap();
    for error in [Database::open(&path).unwrap_err(), Database::open_read_only(&path).unwrap_err()]
    {
        assert!(matches!(error, Error::NotADatabase | Error::Corrupted { .. }), "{error:?}");
    }
    let db = Database::builder().open_or_create(&path).unwrap();
    put(&db, b"k");
}

/// A creation cut short, whatever is there of it: never a database without its branch `main`.
#[test]
fn a_creation_cut_short_reads_as_nothing_or_as_empty() {
    let disk = Arc::new(SimulatedStorage::new());
    let builder = Database::builder().background(false);
    drop(builder.open_or_create_on(disk.clone()).unwrap());
    let history = disk.history();
    let dir = folder();
    for event in 0..history.events().len() {
        for plan in [Plan::All, Plan::None] {
            let path = dir.path().join("short.cow");
            fs::write(&path, history.crash_at(event, SectorSize::B512, &plan)).unwrap();
            match Database::open_read_only(&path) {
                Ok(db) => match db.begin_read() {
                    Ok(version) => assert!(version.tables().unwrap().is_empty()),
                    Err(error) => panic!("event {event}, {plan:?}: {error}"),
                },
                Err(Error::NotADatabase | Error::Corrupted { .. }) => {}
                Err(error) => panic!("event {event}, {plan:?}: {error:?}"),
            }
            let db = builder.open_or_create(&path);
            let db = db.unwrap_or_else(|error| panic!("event {event}, {plan:?}: {error}"));
            put(&db, b"k");
        }
    }
}

#[test]
fn a_missing_file_and_a_folder_are_errors() {
    let dir = folder();
    let missing = dir.path().join("missing");
    assert!(matches!(Database::open(&missing), Err(Error::Io { .. })));
    assert!(matches!(Database::open_read_only(&missing), Err(Error::Io { .. })));
    assert!(!missing.exists());
    assert!(Database::open(dir.path()).is_err());
    assert!(Database::create(dir.path().join("no/such/folder")).is_err());
}

#[test]
fn a_newer_format_is_named_and_refused() {
    let dir = folder();
    let path = dir.path().join("newer.cow");
    let db = Database::create(&path).unwrap();
    put(&db, b"k");
    db.close().unwrap();
    let good = fs::read(&path).unwrap();
    for (at, value) in [(8, 2u32), (16, 1 << 7), (24, 1)] {
        let mut bytes = good.clone();
        for slot in [0, 1, 2, 3].map(|n| n * 16384) {
            let block = &mut bytes[slot..slot + 4096];
            if &block[..8] != b"COWSLIP\n" || block[12..16] == [0; 4] {
                continue;
            }
            block[at..at + 4].copy_from_slice(&value.to_le_bytes());
            let crc = crc32(&block[..4092]);
            block[4092..].copy_from_slice(&crc.to_le_bytes());
        }
        is_refused_untouched(
            &path,
            &bytes,
            |e| matches!(e, Error::NewerFormat { found, .. } if *found == u64::from(value)),
        );
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(Database::open(&path).unwrap().begin_read().unwrap().tables().unwrap(), ["t"]);
}

/// The checksum, bit by bit: a second opinion on the one that the pager uses.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn a_second_opener_is_told_that_it_is_locked() {
    let db = Scratch::file(Database::builder());
    put(&db, b"k");
    assert!(matches!(Database::open(db.path()), Err(Error::Locked)));
    assert!(matches!(Database::open_read_only(db.path()), Err(Error::Locked)));
    assert!(matches!(Database::builder().open_or_create(db.path()), Err(Error::Locked)));
    assert!(matches!(Database::create(db.path()), Err(Error::AlreadyExists(_))));
    put(&db, b"still writable");
}

#[test]
fn any_number_may_read_and_none_of_them_writes() {
    let mut db = Scratch::file(Database::builder());
    put(&db, b"k");
    db.close().unwrap();
    let before = fs::read(db.path()).unwrap();
    {
        let readers: Vec<_> =
            (0..3).map(|_| Database::open_read_only(db.path()).unwrap()).collect();
        for reader in &readers {
            assert!(reader.is_read_only());
            let table = reader.begin_read().unwrap().open_table("t").unwrap();
            assert_eq!(table.get(b"k").unwrap().unwrap(), b"value");
            assert!(matches!(reader.begin_write(), Err(Error::ReadOnly)));
            assert!(matches!(reader.create_snapshot("s"), Err(Error::ReadOnly)));
            assert!(matches!(reader.checkpoint(), Err(Error::ReadOnly)));
        }
        assert!(matches!(Database::open(db.path()), Err(Error::Locked)));
    }
    assert!(fs::read(db.path()).unwrap() == before);
    db.open().unwrap();
}

#[test]
fn an_unclean_file_is_read_without_being_written() {
    let db = Scratch::file(Database::builder().background(false));
    put(&db, b"checkpointed");
    db.checkpoint().unwrap();
    for number in 0..50u32 {
        put(&db, &number.to_be_bytes());
    }
    db.create_snapshot("s").unwrap();
    let dir = folder();
    let copy = dir.path().join("unclean.cow");
    fs::copy(db.path(), &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    for _ in 0..2 {
        let reader = Database::open_read_only(&copy).unwrap();
        let table = reader.begin_read().unwrap().open_table("t").unwrap();
        assert_eq!(table.len().unwrap(), 51);
        assert_eq!(reader.begin_read_at("s").unwrap().open_table("t").unwrap().len().unwrap(), 51);
    }
    assert!(fs::read(&copy).unwrap() == before, "reading changed the file");
    let db = Database::open(&copy).unwrap();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 51);
}

#[test]
fn arguments_out_of_range_are_refused() {
    let dir = folder();
    for page_size in [0, 1, 2048, 4097, 131_072] {
        let result = Database::builder().page_size(page_size).create(dir.path().join("x"));
        assert!(matches!(result, Err(Error::InvalidArgument(_))), "{page_size}");
        let _ = fs::remove_file(dir.path().join("x"));
    }
    // The smallest cache that is asked for still works.
    let db = Database::builder().cache_size(0).create(dir.path().join("small")).unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        (0..5000u32).for_each(|n| assert!(!table.insert(&n.to_be_bytes(), &[1; 100]).unwrap()));
    }
    tx.commit().unwrap();
}

#[test]
fn an_empty_database_takes_at_most_a_mebibyte() {
    // Of 64 KiB pages, the fixed places alone are more.
    for page_size in [4096, 8192, 16384, 32768] {
        let mut db = Scratch::file(Database::builder().page_size(page_size));
        db.close().unwrap();
        let closed = fs::metadata(db.path()).unwrap().len();
        assert!(closed <= 1 << 20, "{page_size}: {closed}");
    }
}
