//! The checker: reads a store from its bytes and judges it, without writing a byte; repair, which does
//! write, when it is told to; and salvage, which writes what can be read into a new store.
//!
//! It relies on the format (`docs/format.md`) and on [`Storage`], not on the engine's own way
//! through a tree, so that a fault in one does not hide in the other. A check is a row of passes;
//! each verifies its part and leaves the rest to the next:
//!
//! ```text
//! superblocks -> log -> map -> sweep -> counts        the durable checkpoint
//!                        |    (several threads: is all well?)
//!                        '---> trees -> counts        only if it is not: what is wrong, from the start
//!                                          |
//!                                          v  only if all is well, and the log holds transactions
//!                                       replay        the engine recovers into memory, and the
//!                                                     result is checked in the same way
//! ```
//!
//! Every page is read once, however many own it. Memory: sixteen bytes for each page of the file and some
//! 64 MiB of pages to be read while it sweeps; four bytes for each page, what is known of shared pages, and a
//! bounded cache of the page map while it describes. No bytes make it panic: whoever finds some, found a bug.
//!
//! Start at [`check`], [`repair()`] and [`salvage()`]; [`problem::CATALOGUE`] lists what can be found.

#![forbid(unsafe_code)]

#[cfg(feature = "arguments")]
pub mod arguments;
mod check;
mod overlay;
pub mod problem;
mod repair;
mod report;
mod salvage;
mod undo;
mod walk;

use std::{fmt, path::Path, sync::Arc};

use cowslip::Database;
use cowslip_pager::storage::{FileStorage, OpenError, Storage};

pub use problem::{Kind, Remedy, Severity};
pub use repair::{LogCut, Loss, REPAIR_TABLE, Refill, Refusal, RepairOptions, Repaired};
pub use report::{Problem, Range, Report};
pub use salvage::{
    Footing, Gap, Origin, Replay, SALVAGE_TABLE, SalvageOptions, Salvaged, SalvagedState,
    SalvagedTable,
};
pub use undo::{Undone, undo, undo_from, undo_storage};

/// How to check.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Called now and then with the pages done and the pages there are to do.
    pub progress: Option<&'a dyn Fn(u64, u64)>,
    /// Prove that the log's transactions replay (they do so in memory).
    pub replay: bool,
    /// Check the replayed state as well.
    pub check_replayed: bool,
    /// Ask first, with several threads, whether all is well, and describe only if it is not. The report is
    /// the same without; it takes longer, and less memory.
    pub sweep: bool,
    /// Most problems of each kind that are listed; the others are counted.
    pub list: usize,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { progress: None, replay: true, check_replayed: true, sweep: true, list: 100 }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("replay", &self.replay)
            .field("check_replayed", &self.check_replayed)
            .field("sweep", &self.sweep)
            .field("list", &self.list)
            .finish_non_exhaustive()
    }
}

/// Why a check could not be made. What is wrong *in* a store is in the [`Report`] instead.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened, read or written.
    Io(std::io::Error),
    /// The undo file cannot be made, written or read; the store was not touched.
    UndoFile(std::io::Error),
    /// Another process or handle has the database open.
    Locked,
    /// The file is not a Cowslip database.
    NotADatabase,
    /// The file was written by a newer format.
    NewerFormat {
        /// Format version, or feature word, of the file.
        found: u64,
    },
    /// Not enough memory to keep a count for each page.
    OutOfMemory {
        /// Pages of the file.
        pages: u64,
    },
    /// The open database could not be pinned.
    Database(cowslip::Error),
    /// Checkpoints of a store in use followed one another faster than one could be checked.
    WrittenTooFast {
        /// Checkpoints that were tried.
        tries: u32,
    },
    /// The undo file is not one, or not whole.
    NotAnUndoFile,
    /// The undo file is of another store.
    OtherStore,
    /// The store was written since the repair that the undo file is of.
    WrittenSince {
        /// The newest checkpoint.
        checkpoint: u64,
    },
    /// The wreck is a file without a byte.
    Empty,
    /// What salvage is to make exists already.
    OutExists,
    /// The file exists in which salvage writes before it is finished: another one is at work, or was killed.
    PartialExists(std::path::PathBuf),
    /// Writing the new store failed.
    Out(cowslip::Error),
    /// The file of the new store cannot be made.
    OutFile(std::io::Error),
    /// The new store did not pass the check: a fault of the program. It was thrown away.
    OutUnsound {
        /// Problems that the check found.
        problems: u64,
    },
    /// A repair would overwrite a page that it must not: a fault of the program. Nothing was written.
    WouldOverwrite {
        /// The page.
        page: u64,
    },
}

impl Error {
    /// The exit status of fsck(8) for it: 8, an operational error.
    pub fn exit_code(&self) -> u8 {
        8
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => write!(f, "reading or writing the database failed: {error}"),
            Error::UndoFile(error) => write!(f, "the undo file failed: {error}"),
            Error::Locked => write!(f, "the database is in use by another process or handle"),
            Error::NotADatabase => write!(f, "the file is not a Cowslip database"),
            Error::NewerFormat { found } => {
                write!(f, "the file needs format or features {found:#x}, newer than this checker")
            }
            Error::OutOfMemory { pages } => {
                write!(f, "not enough memory to check a file of {pages} pages")
            }
            Error::Database(error) => write!(f, "the database could not be pinned: {error}"),
            Error::WrittenTooFast { tries } => {
                write!(f, "the database is written faster than it can be checked ({tries} tries)")
            }
            Error::NotAnUndoFile => write!(f, "the undo file is none, or not whole"),
            Error::OtherStore => write!(f, "the undo file is of another database"),
            Error::WrittenSince { checkpoint } => {
                write!(f, "the database was written since: it is at checkpoint {checkpoint}")
            }
            Error::Empty => write!(f, "the file is empty"),
            Error::OutExists => write!(f, "the file to salvage to exists already"),
            Error::PartialExists(path) => write!(
                f,
                "{} exists: the unfinished work of another salvage; if none is running, remove it",
                path.display()
            ),
            Error::Out(error) => write!(f, "writing the salvaged database failed: {error}"),
            Error::OutFile(error) => write!(f, "making the salvaged database failed: {error}"),
            Error::OutUnsound { problems } => {
                write!(f, "what was salvaged has {problems} problems, and was thrown away")
            }
            Error::WouldOverwrite { page } => {
                write!(f, "page {page} is in use and would be overwritten; nothing was written")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) | Error::UndoFile(error) | Error::OutFile(error) => Some(error),
            Error::Out(error) | Error::Database(error) => Some(error),
            _ => None,
        }
    }
}

/// Checks the database file at `path`. It is opened for reading only, and nobody may have it open
/// for writing meanwhile.
pub fn check(path: &Path, options: &Options<'_>) -> Result<Report, Error> {
    let storage = FileStorage::open_read_only(path).map_err(opened)?;
    check_storage(&storage, options)
}

/// Checks the database file at `path`, which somebody else may have open and write to: the newest
/// checkpoint in it, but for the superblock's copies and the log. A checkpoint must be followed by none until it was
/// checked, or else be sound; [`check_open`] has no such limit.
pub fn check_live(path: &Path, options: &Options<'_>) -> Result<Report, Error> {
    let storage = FileStorage::open_unlocked(path).map_err(opened)?;
    check_live_storage(&storage, options)
}

/// The same of a store that lies on any storage.
pub fn check_live_storage(storage: &dyn Storage, options: &Options<'_>) -> Result<Report, Error> {
    check::live::unpinned(storage, options)
}

/// Checks a database that this process has open, at a checkpoint that is made for it and whose pages are
/// kept, while others read and write. Not judged are the superblock's copies and the log.
pub fn check_open(database: &Database, options: &Options<'_>) -> Result<Report, Error> {
    check::live::pinned(database, options)
}

fn opened(error: OpenError) -> Error {
    match error {
        OpenError::Locked => Error::Locked,
        OpenError::NotAFile => Error::NotADatabase,
        OpenError::Io(error) => Error::Io(error),
    }
}

/// Repairs the database file at `path`, which nobody else may have open. A crash at any moment leaves the
/// wreck or the repaired store.
pub fn repair(path: &Path, options: &RepairOptions<'_>) -> Result<Repaired, Error> {
    let storage = FileStorage::open(path).map_err(opened)?;
    repair_storage(&storage, options)
}

/// Repairs a store that lies on any storage.
pub fn repair_storage(
    storage: &dyn Storage,
    options: &RepairOptions<'_>,
) -> Result<Repaired, Error> {
    repair::run(storage, options)
}

/// Salvages what can be read of the file at `path` into a new store at `out`, which must not exist. Nothing is
/// written to the wreck. It is written as `out.partial`, and gets its name when it is finished and checked; if nothing was
/// recovered, or it fails, neither is there afterwards. One that is killed leaves the former.
pub fn salvage(path: &Path, out: &Path, options: &SalvageOptions<'_>) -> Result<Salvaged, Error> {
    let storage = FileStorage::open_read_only(path).map_err(opened)?;
    salvage::salvage_to(&storage, out, options)
}

/// Salvages a wreck that lies on any storage to another one, which must be empty.
pub fn salvage_storage(
    storage: &dyn Storage,
    out: Arc<dyn Storage>,
    options: &SalvageOptions<'_>,
) -> Result<Salvaged, Error> {
    if out.len().map_err(Error::OutFile)? > 0 {
        return Err(Error::OutExists);
    }
    salvage::run(storage, &mut || Ok(out.clone()), options)
}

/// Checks a store that lies on any storage. Nothing is written to it.
pub fn check_storage(storage: &dyn Storage, options: &Options<'_>) -> Result<Report, Error> {
    check::run(storage, options)
}
