//! What the tests of the command share: a folder with a database, the command, and its input.
//!
//! Each test's database is checked by `cowslip fsck` when the test ends. If the test has failed
//! by then, the folder stays, and the place is printed.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ended {
    /// Makes sure of the exit status.
    #[track_caller]
    pub(crate) fn with(self, status: i32) -> Ended {
        assert_eq!(self.status, Some(status), "{}", self.err);
        if status == 0 {
            assert_eq!(self.err, "", "a success says nothing on standard error");
        } else if status != 1 || !self.err.is_empty() {
            assert!(self.err.starts_with("cowslip: "), "{}", self.err);
        }
        self
    }

    /// Makes sure that it went well, and gives its output.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        String::from_utf8(self.with(0).out).expect("text")
    }

    /// Makes sure that it failed with one line on standard error, and gives that line.
    #[track_caller]
    pub(crate) fn fails(self, status: i32) -> String {
        let ended = self.with(status);
        assert_eq!(ended.err.lines().count(), 1, "one line: {}", ended.err);
        assert_eq!(ended.out, b"", "a failure prints nothing else");
        ended.err
    }
}

/// A folder with a database in it.
pub(crate) struct Store {
    folder: Option<tempfile::TempDir>,
    pub(crate) file: PathBuf,
}

impl Store {
    /// A new folder and in it a new database, `my.cow`.
    pub(crate) fn new() -> Store {
        let store = Store::empty();
        cowslip(["create".as_ref(), store.file.as_os_str()], b"").ok();
        store
    }

    /// A new folder without the database.
    pub(crate) fn empty() -> Store {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("my.cow");
        Store { folder: Some(folder), file }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().expect("still there").path()
    }

    /// Runs a verb of one or two words on the database: `run("snapshot list", [])`.
    pub(crate) fn run<'a>(&self, verb: &str, args: impl IntoIterator<Item = &'a str>) -> Ended {
        self.run_with(verb, args, b"")
    }

    /// The same, with standard input.
    pub(crate) fn run_with<'a>(
        &self,
        verb: &str,
        args: impl IntoIterator<Item = &'a str>,
        input: &[u8],
    ) -> Ended {
        let mut words: Vec<&OsStr> = verb.split(' ').map(OsStr::new).collect();
        words.push(self.file.as_os_str());
        for arg in args {
            words.push(arg.as_ref());
        }
        cowslip(words, input)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(folder) = self.folder.take() {
                eprintln!("the test's files stay in {}", folder.keep().display());
            }
        } else if self.file.exists() {
            self.run("fsck", []).with(0);
        }
    }
}

/// The command itself.
pub(crate) fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cowslip"))
}

/// Starts the command with pipes at all ends.
pub(crate) fn start(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Child {
    command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

/// Runs the command with this input.
pub(crate) fn cowslip(args: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &[u8]) -> Ended {
    let mut child = start(args);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A command that fails early does not read to the end.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the command ends");
    feeder.join().expect("the input is fed");
    Ended {
        status: output.status.code(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).expect("errors are text"),
    }
}

/// A file made by another engine's tool, of `tests/images/mdb_dump`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/images/mdb_dump");
    std::fs::read(folder.join(name)).expect("the fixture")
}
