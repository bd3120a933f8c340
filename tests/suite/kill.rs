//! `kill -9` of a real process on a real file: what it acknowledged is there.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use cowslip::{Database, Durability};
use cowslip_harness::{Seed, check, seed::times};

const CHILD: &str = "COWSLIP_KILLED_CHILD";

fn builder() -> cowslip::Builder {
    Database::builder().cache_size(4 << 20)
}

/// What commit `number` puts into its table: small, or large enough to be an extent.
fn value(number: u64) -> Vec<u8> {
    let length = match number % 23 {
        0 => 9000,
        7 if number.is_multiple_of(5) => (1 << 20) + 1,
        n => n as usize * 20,
    };
    let mut value = number.to_be_bytes().repeat(length / 8 + 1);
    value.truncate(length);
    value
}

/// The newest commit in the database; everything up to it must be there, and nothing else.
fn newest(db: &Database) -> u64 {
    let version = db.begin_read().unwrap();
    if version.tables().unwrap().is_empty() {
        return 0;
    }
    let (values, index) =
        (version.open_table("values").unwrap(), version.open_table("index").unwrap());
    let newest = index.len().unwrap();
    // Of the values, the last hundred are kept.
    let first = newest.saturating_sub(100) + 1;
    assert_eq!(values.len().unwrap(), newest - first + 1);
    for number in first..=newest {
        let found = values.get(&number.to_be_bytes()).unwrap().expect("a value");
        assert!(found == value(number), "value {number}");
    }
    let numbers = index.range::<&[u8]>(..).unwrap().map(|entry| entry.unwrap().0.to_vec());
    assert!(numbers.eq((1..=newest).map(|number| number.to_be_bytes().to_vec())));
    for snapshot in db.snapshots().unwrap() {
        let at: u64 = snapshot.name.parse().unwrap();
        let table = db.begin_read_at(&snapshot.name).unwrap().open_table("index").unwrap();
        assert_eq!(table.len().unwrap(), at, "snapshot {at}");
    }
    newest
}

/// Not a test of its own: what the parent starts and kills.
#[test]
fn the_child_commits_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let db = builder().open_or_create(path).unwrap();
    let mut out = std::io::stdout();
    let start = newest(&db);
    writeln!(out, "\nacknowledged {start}").unwrap();
    for number in start + 1.. {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(match number % 4 {
            0 => Durability::Eventual,
            _ => Durability::Immediate,
        });
        {
            let mut values = tx.open_table("values").unwrap();
            values.insert(&number.to_be_bytes(), &value(number)).unwrap();
            if number > 100 {
                values.remove(&(number - 100).to_be_bytes()).unwrap();
            }
            tx.open_table("index").unwrap().insert(&number.to_be_bytes(), b"").unwrap();
        }
        tx.commit().unwrap();
        // Acknowledged: from here on no kill may take it away.
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
        if number % 40 == 0 {
            db.create_snapshot(&number.to_string()).unwrap();
            if number > 120 {
                match db.delete_snapshot(&(number - 120).to_string()) {
                    Ok(()) | Err(cowslip::Error::SnapshotNotFound(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

fn run_child_and_kill_it(path: &Path, after: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::the_child_commits_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        let numbers = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("acknowledged ").and_then(|number| number.parse::<u64>().ok())
        });
        numbers.last().unwrap_or(0)
    });
    std::thread::sleep(after);
    assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    if std::env::var(CHILD).is_ok() {
        return;
    }
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("killed.cow");
    let mut rounds = 0;
    for round in 0..times(12) {
        let after = Duration::from_millis(if round == 0 { 5 } else { rng.u64(20..350) });
        let acknowledged = run_child_and_kill_it(&path, after);
        if !path.exists() {
            continue;
        }
        // Looking does not change anything, and sees what recovery will see.
        let before = std::fs::read(&path).unwrap();
        let seen = Database::open_read_only(&path).map(|db| newest(&db)).ok();
        assert!(std::fs::read(&path).unwrap() == before, "reading changed the file");
        if let Ok(storage) = cowslip::storage::FileStorage::open_read_only(&path)
            && seen.is_some()
        {
            check::storage(&storage).unwrap();
        }
        let db = builder().open_or_create(&path).unwrap();
        let found = newest(&db);
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "round {round}: {acknowledged} acknowledged, {found} found"
        );
        assert!(seen.is_none_or(|seen| seen == found));
        rounds += u64::from(found > 0);
        db.close().unwrap();
        let storage = cowslip::storage::FileStorage::open_read_only(&path).unwrap();
        check::storage(&storage).unwrap();
    }
    assert!(rounds > 0 || times(12) < 4);
}
