//! A child process that commits for ever, and what must be found when it has ended, however it did.
//!
//! Every child is this test binary again, started for one test that does nothing otherwise. Dropping
//! a [`Child`] ends its process.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use cowslip::{Database, Durability, Error, storage::FileStorage};
use cowslip_harness::{check, session::is_environmental};

const FILE: &str = "COWSLIP_CHILD_FILE";
const TEST: &str = "COWSLIP_CHILD_TEST";
/// Far longer than any answer takes, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process of this binary that runs one of its tests on a file.
pub(crate) struct Child {
    process: std::process::Child,
    said: mpsc::Receiver<String>,
    reaped: bool,
}

impl Child {
    /// Starts `test`, which waits in [`begin`] until it is [told](Child::tell) to begin.
    pub(crate) fn start(test: &str, path: &Path) -> Child {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(FILE, path)
            .env(TEST, test)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        // Ends with the child.
        std::thread::spawn(move || {
            lines.map_while(Result::ok).filter(|line| line.starts_with('>')).for_each(|line| {
                // Who does not listen any more has what he wanted.
                let _ = say.send(line[1..].to_owned());
            });
        });
        let child = Child { process, said, reaped: false };
        assert_eq!(child.hear(), "ready");
        child
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a line.
    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Waits for the next thing that it [says](say).
    #[track_caller]
    pub(crate) fn hear(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("the child should say something")
    }

    /// All that it has said and not been heard yet, once it has ended.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.said.iter().collect()
    }

    /// The last number that it has acknowledged, once it has ended.
    pub(crate) fn acknowledged(&self) -> u64 {
        let numbers = self.said.iter().filter_map(|line| number_in(&line));
        numbers.last().unwrap_or(0)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// All that it has said until now and not been heard yet.
    #[cfg(target_os = "linux")]
    pub(crate) fn heard(&self) -> Vec<String> {
        self.said.try_iter().collect()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Ends it, without warning.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Somebody else has waited for its end.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn set_reaped(&mut self) {
        self.reaped = true;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// The number in `acknowledged 17`.
pub(crate) fn number_in(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.parse().ok()
}

/// In the child: the file that it was started for; `None` if this is no child of `test`.
pub(crate) fn file_of(test: &str) -> Option<String> {
    std::env::var(TEST).is_ok_and(|given| given == test).then(|| std::env::var(FILE).unwrap())
}

/// In the child: is ready, and waits until it is told to begin; what it was told.
pub(crate) fn begin() -> String {
    // A line of its own, for the test runner has begun one.
    println!();
    say("ready");
    hear()
}

/// In the child: waits for a line.
pub(crate) fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// In the child: says something to the parent; ends the process if there is none any more.
pub(crate) fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, ">{what}").and_then(|()| out.flush()).unwrap();
}

pub(crate) fn builder() -> cowslip::Builder {
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
pub(crate) fn newest(db: &Database) -> u64 {
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

/// The name of the test below, for [`Child::start`].
pub(crate) const COMMITS: &str = "child::commits_until_something_ends_it";

/// Not a test of its own: what the parent starts and ends. It is told how many commits to make, `go`
/// for no end of them, or `keep` for no end of them and no closing on the way.
#[test]
fn commits_until_something_ends_it() {
    let Some(path) = file_of(COMMITS) else { return };
    let word = begin();
    match commit(Path::new(&path), word.parse().unwrap_or(u64::MAX), word != "keep") {
        Ok(()) => say("done"),
        // What a system call may have been made to fail with.
        Err(error) if is_environmental(&error) => say(&format!("failed: {error}")),
        Err(error) => panic!("{error:?}"),
    }
}

/// Goes on where the last process ended: commits, now and then a snapshot, a checkpoint, a closing.
fn commit(path: &Path, most: u64, closes: bool) -> cowslip::Result<()> {
    let mut db = builder().open_or_create(path)?;
    // A call may also fail in the replay, which goes on behind the opening: who begins to write waits for it.
    drop(db.begin_write()?);
    let start = newest(&db);
    say(&format!("acknowledged {start}"));
    for number in start + 1..=start.saturating_add(most) {
        let mut tx = db.begin_write()?;
        tx.set_durability(match number % 4 {
            0 => Durability::Eventual,
            _ => Durability::Immediate,
        });
        {
            let mut values = tx.open_table("values")?;
            values.insert(&number.to_be_bytes(), &value(number))?;
            if number > 100 {
                values.remove(&(number - 100).to_be_bytes())?;
            }
            tx.open_table("index")?.insert(&number.to_be_bytes(), b"")?;
        }
        tx.commit()?;
        // From here on nothing may take it away.
        say(&format!("acknowledged {number}"));
        if number % 40 == 0 {
            match db.create_snapshot(&number.to_string()) {
                Err(Error::AlreadyExists(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
            if number > 120 {
                match db.delete_snapshot(&(number - 120).to_string()) {
                    Ok(()) | Err(Error::SnapshotNotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if number % 15 == 0 {
            db.checkpoint()?;
        }
        if closes && number % 50 == 0 {
            db.close()?;
            db = builder().open(path)?;
        }
    }
    db.close()
}

/// Whatever ended the process, it lost nothing: `acknowledged` is there, or the one commit more that
/// was under way, and the checker finds nothing. Returns the newest commit.
#[track_caller]
pub(crate) fn must_be_there(path: &Path, acknowledged: u64) -> u64 {
    if !path.exists() {
        assert_eq!(acknowledged, 0);
        return 0;
    }
    // Looking does not change anything, and sees what recovery will see.
    let before = std::fs::read(path).unwrap();
    let storage = FileStorage::open_read_only(path).unwrap();
    check::after_crash(&storage).unwrap();
    let unfinished = cowslip_pager::Pager::is_unfinished(&storage).unwrap();
    let found = match Database::open_read_only(path) {
        Ok(db) => newest(&db),
        Err(error) => {
            assert!(unfinished, "{error:?}");
            0
        }
    };
    assert!(std::fs::read(path).unwrap() == before, "reading changed the file");
    assert!(
        found == acknowledged || found == acknowledged + 1,
        "{acknowledged} acknowledged, {found} found"
    );
    found
}

/// The same, and this process recovers and closes the file; the checker finds nothing after it.
#[track_caller]
pub(crate) fn must_be_recovered(path: &Path, acknowledged: u64) -> u64 {
    let seen = must_be_there(path, acknowledged);
    let db = builder().open_or_create(path).unwrap();
    assert_eq!(newest(&db), seen);
    db.close().unwrap();
    check::storage(&FileStorage::open_read_only(path).unwrap()).unwrap();
    seen
}
