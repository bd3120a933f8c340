//! Large values: whole, in parts, streamed, shared by snapshots, never mixed up.

use std::io::{Read, Seek, SeekFrom};

use cowslip::{Database, Error};
use cowslip_harness::{Scratch, op::value};

#[test]
fn a_value_is_streamed_in_and_read_in_parts() {
    let mut db = Scratch::file(Database::builder().cache_size(4 << 20));
    let bytes = value(20 << 20, 1);
    let tx = db.begin_write().unwrap();
    tx.open_table("films").unwrap().insert_from(b"film", &mut &bytes[..]).unwrap();
    tx.commit().unwrap();
    db.reopen();
    let table = db.begin_read().unwrap().open_table("films").unwrap();
    let mut reader = table.reader(b"film").unwrap().unwrap();
    assert_eq!(reader.len(), bytes.len() as u64);
    let mut part = vec![0; 10_001];
    for at in [0usize, 1, 4095, 4096, 123_456, bytes.len() - 10_001] {
        reader.seek(SeekFrom::Start(at as u64)).unwrap();
        reader.read_exact(&mut part).unwrap();
        assert!(part == bytes[at..at + part.len()], "from {at}");
    }
    reader.seek(SeekFrom::Start(0)).unwrap();
    let mut whole = Vec::new();
    reader.read_to_end(&mut whole).unwrap();
    assert!(whole == bytes);
    // Too large to be got whole, with an error that says so.
    assert!(
        matches!(table.get(b"film"), Err(Error::ValueTooLarge { length, .. }) if length == 20 << 20)
    );
}

#[test]
fn a_stream_that_fails_leaves_the_transaction_as_it_was() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("the network went away"));
            }
            let count = buf.len().min(self.0);
            self.0 -= count;
            Ok(count)
        }
    }
    let db = Scratch::memory(Database::builder());
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for length in [0, 100, 5000, 3 << 20] {
            table.insert_from(b"k", &mut Failing(length)).unwrap_err();
        }
        assert!(table.get(b"k").unwrap().is_none());
        table.insert(b"k", b"v").unwrap();
    }
    tx.commit().unwrap();
}

#[test]
fn shared_large_values_are_freed_with_their_last_owner() {
    let mut db = Scratch::memory(Database::builder().background(false));
    let put = |db: &Database, fill| {
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(b"k", &value(300_000, fill)).unwrap();
        tx.commit().unwrap();
    };
    put(&db, 0);
    db.checkpoint().unwrap();
    // Without the log, which grows when large values pass through it.
    let used = |db: &Database| db.stats().pages_used - db.stats().log_capacity / 4096;
    let before = used(&db);
    for round in 1..6u16 {
        db.create_snapshot(&round.to_string()).unwrap();
        put(&db, round);
    }
    db.reopen();
    for round in 1..6u16 {
        let table = db.begin_read_at(&round.to_string()).unwrap().open_table("t").unwrap();
        assert!(table.get(b"k").unwrap().unwrap() == value(300_000, round - 1));
    }
    for round in [3u16, 1, 5, 2, 4] {
        db.delete_snapshot(&round.to_string()).unwrap();
    }
    db.checkpoint().unwrap();
    db.checkpoint().unwrap();
    let left = used(&db);
    assert!(left < before + 30, "{left} pages used, {before} with one value");
    assert!(
        db.begin_read().unwrap().open_table("t").unwrap().get(b"k").unwrap().unwrap()
            == value(300_000, 5)
    );
}

#[test]
fn small_becomes_large_and_back() {
    let mut db = Scratch::memory(Database::builder());
    for (number, length) in [10u32, 5000, 0, 2_000_000, 2003, 2004, 100_000, 1].iter().enumerate() {
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(b"k", &value(*length, number as u16)).unwrap();
        tx.commit().unwrap();
        if number % 2 == 0 {
            db.reopen();
        }
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        assert!(table.get(b"k").unwrap().unwrap() == value(*length, number as u16));
    }
}
