//! A limit of the process on the size of its files (`RLIMIT_FSIZE`): a real short write, and a real
//! refusal behind it. A typed error that loses nothing, or the signal's end that loses nothing.

use std::{os::unix::process::ExitStatusExt, path::Path};

use cowslip::{Database, Error, storage::FileStorage, storage::Storage};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::{SigSet, Signal},
};

use crate::child::{self, Child};

const BLOCK: u64 = 4096;

fn limit(bytes: u64) {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, bytes.min(hard), hard).unwrap();
}

/// Else the system ends the process where a write is refused; threads started later do the same.
fn block_the_signal() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().unwrap();
}

const WRITES: &str = "file_size_limit::writes_across_the_limit";

/// Not a test of its own: storage that is written across the limit.
#[test]
fn writes_across_the_limit() {
    let Some(path) = child::file_of(WRITES) else { return };
    let direct = child::begin() == "direct";
    block_the_signal();
    let storage = FileStorage::create(&path).unwrap();
    storage.write_at(&[1; 8 * BLOCK as usize], 0).unwrap();
    let memory = vec![2; 9 * BLOCK as usize];
    let start = memory.as_ptr().align_offset(BLOCK as usize);
    let blocks = &memory[start..][..8 * BLOCK as usize];
    // Amid a sector, at its border, at a block's border.
    for end in [3 * BLOCK + 100, 4 * BLOCK + 512, 5 * BLOCK] {
        limit(end);
        let result = match direct {
            true => storage.write_direct(blocks, 0),
            false => storage.write_at(blocks, 0),
        };
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
        let mut found = vec![0; 8 * BLOCK as usize];
        storage.read_at(&mut found, 0).unwrap();
        assert!(found[..end as usize].iter().all(|&byte| byte == 2), "the part below {end}");
        assert!(found[end as usize..].iter().all(|&byte| byte == 1), "the part above {end}");
    }
    // Growing is refused as a whole.
    let error = storage.set_len(100 * BLOCK).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(storage.len().unwrap(), 8 * BLOCK);
    limit(u64::MAX);
    storage.write_at(blocks, 0).unwrap();
    storage.sync().unwrap();
    child::say("done");
}

#[test]
fn a_write_across_the_limit_is_a_typed_error_behind_a_part() {
    for word in ["cached", "direct"] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Child::start(WRITES, &dir.path().join("limited"));
        child.tell(word);
        assert!(child.wait().success());
        assert_eq!(child.rest(), ["done"]);
    }
}

const COMMITS: &str = "file_size_limit::commits_up_to_the_limit";

/// Not a test of its own: commits below the limit until one fails; what was there is there, and when
/// the limit is lifted it goes on, perhaps after opening again.
#[test]
fn commits_up_to_the_limit() {
    let Some(path) = child::file_of(COMMITS) else { return };
    let word = child::begin();
    if word != "deadly" {
        block_the_signal();
    }
    let open = || child::builder().open_or_create(&path).unwrap();
    let mut db = open();
    let mut newest = 0;
    let error = loop {
        match put(&db, newest + 1) {
            Ok(()) => newest += 1,
            Err(error) => break error,
        }
        child::say(&format!("acknowledged {newest}"));
        if newest == 30 {
            let length = Path::new(&path).metadata().unwrap().len();
            // No growth at all, or not even what it has may be written to.
            limit(if word == "shrunk" { length / 2 } else { length + 10_000 });
        }
    };
    child::say(&format!("{error:?}"));
    holds(&db, newest);
    match &error {
        // Refused as a whole; the database goes on where the file has room.
        Error::DiskFull { .. } => {}
        Error::Io { .. } | Error::Poisoned { .. } if word == "shrunk" => {
            let _ = db.close();
            limit(u64::MAX);
            db = open();
        }
        _ => panic!("{error:?}"),
    }
    limit(u64::MAX);
    let found = db.begin_read().unwrap().open_table("t").unwrap().len().unwrap();
    assert!(found == newest || found == newest + 1, "{found} found, {newest} acknowledged");
    holds(&db, found);
    for number in found + 1..found + 20 {
        put(&db, number).unwrap();
    }
    holds(&db, found + 19);
    db.close().unwrap();
    child::say("done");
}

fn put(db: &Database, number: u64) -> cowslip::Result<()> {
    let tx = db.begin_write()?;
    tx.open_table("t")?.insert(&number.to_be_bytes(), &number.to_be_bytes().repeat(2000))?;
    tx.commit()
}

/// All up to `newest` are there, and nothing else.
#[track_caller]
fn holds(db: &Database, newest: u64) {
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.len().unwrap(), newest);
    for number in 1..=newest {
        let value = table.get(&number.to_be_bytes()).unwrap().expect("a value");
        assert!(value == number.to_be_bytes().repeat(2000));
    }
}

#[test]
fn a_database_at_the_limit_loses_nothing_and_goes_on_below_it() {
    for word in ["blocked", "shrunk"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("limited.cow");
        let mut child = Child::start(COMMITS, &path);
        child.tell(word);
        assert!(child.wait().success(), "{word}");
        let said = child.rest();
        println!("{word}: {}", said[said.len() - 2]);
        assert_eq!(said.last().unwrap(), "done");
        closed_well(&path, 49);
    }
}

/// Nobody ignores the signal for the library, and so it may end the process; that is a kill.
#[test]
fn the_end_by_the_limits_signal_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("limited.cow");
    let mut child = Child::start(COMMITS, &path);
    child.tell("deadly");
    assert_eq!(child.wait().signal(), Some(Signal::SIGXFSZ as i32));
    let acknowledged = child.acknowledged();
    assert!(acknowledged >= 30);
    closed_well(&path, acknowledged);
}

#[track_caller]
fn closed_well(path: &Path, least: u64) {
    let db = child::builder().open(path).unwrap();
    let found = db.begin_read().unwrap().open_table("t").unwrap().len().unwrap();
    assert!(found >= least, "{found} found, {least} acknowledged");
    holds(&db, found);
    db.close().unwrap();
    let storage = FileStorage::open_read_only(path).unwrap();
    cowslip_harness::check::storage(&storage).unwrap();
}
