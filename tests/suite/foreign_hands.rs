//! A file that others cut, replace or overwrite while a process has it open.
//!
//! The process goes on: every answer is right or a typed error, and no signal, panic or wrong value
//! comes of it. A file that was put in its place is never written to.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use cowslip::{Database, Error, storage::FileStorage};
use cowslip_harness::{Seed, check, seed::times};

use crate::child::{self, Child};

const KEYS: u64 = 2000;

/// What stands at `key` after its `version`-th change: most small, some in extents.
fn value(key: u64, version: u64) -> Vec<u8> {
    let repeats = if key.is_multiple_of(50) { 3000 } else { 80 };
    [key.to_be_bytes(), version.to_be_bytes()].concat().repeat(repeats)
}

/// The smallest cache: nearly every read goes to the file.
fn builder() -> cowslip::Builder {
    Database::builder().cache_size(1 << 20)
}

fn create(path: &Path) {
    let db = builder().create(path).unwrap();
    // In steps, for a log that stays small: most of the file is to be in use.
    for key in (0..KEYS).step_by(100) {
        change(&db, key..key + 100, 0).unwrap();
    }
    db.close().unwrap();
}

fn change(db: &Database, keys: impl Iterator<Item = u64>, version: u64) -> cowslip::Result<()> {
    let tx = db.begin_write()?;
    for key in keys {
        tx.open_table("t")?.insert(&key.to_be_bytes(), &value(key, version))?;
    }
    tx.commit()
}

const GOES_ON: &str = "foreign_hands::goes_on_while_others_spoil_the_file";

/// What a process knows of its database.
struct Known {
    db: Database,
    /// The version of every key, and another one if a change ended with an error.
    versions: BTreeMap<u64, (u64, Option<u64>)>,
    next: u64,
    right: u64,
    errors: BTreeMap<String, u64>,
}

impl Known {
    fn judge(&mut self, key: u64, found: &[u8]) {
        let (version, other) = self.versions[&key];
        let right =
            found == value(key, version) || other.is_some_and(|other| found == value(key, other));
        assert!(right, "a wrong value at {key}: {:?}", &found[..found.len().min(16)]);
        self.right += 1;
    }

    fn note(&mut self, error: &Error) {
        let text = format!("{error:?}");
        let name = text.split([' ', '(']).next().unwrap_or_default().to_owned();
        *self.errors.entry(name).or_default() += 1;
    }

    fn get(&mut self, key: u64) {
        let found = self.db.begin_read().and_then(|version| version.open_table("t"));
        match found.and_then(|table| table.get(&key.to_be_bytes()).map(|v| v.map(|v| v.to_vec()))) {
            Ok(Some(found)) => self.judge(key, &found),
            Ok(None) => panic!("{key} is missing"),
            Err(error) => self.note(&error),
        }
    }

    /// Up to fifty entries from `key` on: none left out, none wrong.
    fn scan(&mut self, key: u64) {
        let table = match self.db.begin_read().and_then(|version| version.open_table("t")) {
            Ok(table) => table,
            Err(error) => return self.note(&error),
        };
        let entries = match table.range(&key.to_be_bytes()[..]..) {
            Ok(entries) => entries,
            Err(error) => return self.note(&error),
        };
        let mut expected = key;
        for entry in entries.take(50) {
            match entry {
                Ok((found, value)) => {
                    assert!(*found == expected.to_be_bytes(), "{expected} was left out");
                    self.judge(expected, &value);
                    expected += 1;
                }
                Err(error) => return self.note(&error),
            }
        }
        assert_eq!(expected, KEYS.min(key + 50), "the end came too early");
    }

    fn change(&mut self, key: u64) {
        let version = self.next;
        self.next += 1;
        match change(&self.db, key..(key + 3).min(KEYS), version) {
            Ok(()) => (key..(key + 3).min(KEYS)).for_each(|key| {
                self.versions.insert(key, (version, None));
            }),
            Err(error) => {
                // A change that failed may be there; another after it is refused, or whole.
                (key..(key + 3).min(KEYS)).for_each(|key| {
                    let other = &mut self.versions.get_mut(&key).expect("a key").1;
                    *other = other.or(Some(version));
                });
                self.note(&error);
            }
        }
    }

    fn live(&mut self, rng: &mut fastrand::Rng, steps: u64) {
        for step in 0..steps {
            let key = rng.u64(0..KEYS);
            match rng.u8(0..10) {
                0 if !self.db.is_read_only() => self.change(key),
                1 => self.scan(key),
                _ => self.get(key),
            }
            if step % 100 == 99
                && !self.db.is_read_only()
                && let Err(error) = self.db.checkpoint()
            {
                self.note(&error);
            }
        }
    }
}

/// Not a test of its own: reads and writes, waits for the parent to spoil the file, and goes on.
#[test]
fn goes_on_while_others_spoil_the_file() {
    let Some(path) = child::file_of(GOES_ON) else { return };
    let order = child::begin();
    let (mode, seed) = order.split_once(' ').unwrap();
    let mut rng = fastrand::Rng::with_seed(seed.parse().unwrap());
    let db = match mode {
        "reads" => builder().open_read_only(&path).unwrap(),
        _ => builder().open(&path).unwrap(),
    };
    let versions = (0..KEYS).map(|key| (key, (0, None))).collect();
    let mut known = Known { db, versions, next: 1, right: 0, errors: BTreeMap::new() };
    known.live(&mut rng, 300);
    assert!(known.errors.is_empty(), "{:?}", known.errors);
    child::say("open");
    child::hear();
    known.right = 0;
    known.live(&mut rng, 600);
    let Known { db, right, mut errors, .. } = known;
    if let Err(error) = db.close() {
        *errors.entry(format!("closing: {error}")).or_default() += 1;
    }
    child::say(&format!("{} errors", errors.values().sum::<u64>()));
    child::say(&format!("{right} right answers, errors: {errors:?}"));
}

/// Lets a child open the file, spoils it, and lets it go on to its end; how many errors it met.
#[track_caller]
fn spoiled(path: &Path, mode: &str, seed: u64, spoil: impl FnOnce()) -> u64 {
    let mut child = Child::start(GOES_ON, path);
    child.tell(&format!("{mode} {seed}"));
    assert_eq!(child.hear(), "open");
    spoil();
    child.tell("go on");
    let status = child.wait();
    let said = child.rest();
    assert!(status.success(), "{mode}: {status}, {said:?}");
    println!("{mode}: {}", said[1]);
    said[0].split_once(' ').unwrap().0.parse().unwrap()
}

/// What is left of a file may be opened or not, but neither panics nor shows a wrong value.
fn must_be_readable_or_refused(path: &Path) {
    let Ok(db) = builder().open(path) else { return };
    let Ok(table) = db.begin_read().and_then(|version| version.open_table("t")) else { return };
    for key in 0..KEYS {
        if let Ok(found) = table.get(&key.to_be_bytes()) {
            let found = found.expect("a value");
            assert!(found[..8] == key.to_be_bytes());
            let version = u64::from_be_bytes(found[8..16].try_into().unwrap());
            assert!(found == value(key, version));
        }
    }
}

fn overwrite(path: &Path, bytes: &[u8], truncate: bool) {
    let mut options = fs::OpenOptions::new();
    options.write(true).truncate(truncate).open(path).unwrap().write_all(bytes).unwrap();
}

fn rounds(test: impl Fn(PathBuf, &str, u64)) {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    for _ in 0..times(1) {
        for mode in ["reads", "writes"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("spoiled.cow");
            create(&path);
            test(path, mode, rng.u64(..));
        }
    }
}

#[test]
fn a_file_that_is_cut_short_gives_errors_and_never_a_signal() {
    for part in 0..4 {
        rounds(|path, mode, seed| {
            let length = path.metadata().unwrap().len();
            let left = [0, length / 2, (length / 3) | 1, length - 1][part];
            let errors = spoiled(&path, mode, seed, || {
                fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(left).unwrap();
            });
            // What lies behind the cut may be free.
            assert!(errors > 0 || part > 0, "nothing was missed");
            must_be_readable_or_refused(&path);
        });
    }
}

#[test]
fn a_file_that_is_overwritten_gives_errors_and_no_wrong_value() {
    for way in 0..3 {
        rounds(|path, mode, seed| {
            let old = fs::read(&path).unwrap();
            // Other bytes in the middle, all zeros, or all of another database of the same make.
            let errors = spoiled(&path, mode, seed, || match way {
                0 => overwrite(&path, &vec![0xA5; old.len() / 2], false),
                1 => overwrite(&path, &vec![0; old.len()], false),
                _ => {
                    let other = path.with_extension("other");
                    create(&other);
                    overwrite(&path, &fs::read(other).unwrap(), true);
                }
            });
            assert!(errors > 0, "nothing was noticed");
            must_be_readable_or_refused(&path);
        });
    }
}

/// A backup copied over the file of a running process: every page is sound, but of the past.
#[test]
fn a_file_that_is_overwritten_by_its_own_past_gives_no_value_of_the_past() {
    rounds(|path, mode, seed| {
        let old = fs::read(&path).unwrap();
        if mode == "reads" {
            return;
        }
        spoiled(&path, mode, seed, || overwrite(&path, &old, true));
        must_be_readable_or_refused(&path);
    });
}

#[test]
fn a_file_that_is_replaced_changes_nothing_and_is_not_written_to() {
    rounds(|path, mode, seed| {
        let (kept, new) = (path.with_extension("kept"), path.with_extension("new"));
        fs::hard_link(&path, &kept).unwrap();
        // A stranger, or a database that somebody else means to use.
        for stranger in [true, false] {
            if stranger {
                fs::write(&new, vec![0x5A; 100_000]).unwrap();
            } else {
                create(&new);
            }
            let bytes = fs::read(&new).unwrap();
            let errors = spoiled(&path, mode, seed, || fs::rename(&new, &path).unwrap());
            assert_eq!(errors, 0);
            assert!(fs::read(&path).unwrap() == bytes, "the new file was written to");
            // All went to the one that was opened, and it is whole.
            check::storage(&FileStorage::open_read_only(&kept).unwrap()).unwrap();
            must_be_readable_or_refused(&kept);
            fs::remove_file(&path).unwrap();
            fs::remove_file(&kept).unwrap();
            create(&path);
            fs::hard_link(&path, &kept).unwrap();
        }
        // Only its name taken away.
        let errors = spoiled(&path, mode, seed, || fs::remove_file(&path).unwrap());
        assert_eq!(errors, 0);
        assert!(!path.exists());
        check::storage(&FileStorage::open_read_only(&kept).unwrap()).unwrap();
    });
}
