//! Errors of the library: one enum, facts in its fields.

use std::{fmt, io};

use cowslip_pager as pager;

/// The result of an operation on a database.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system failed an operation.
    Io {
        /// What was being done.
        operation: &'static str,
        /// At which byte of the file, where there is one.
        offset: Option<u64>,
        /// The system's own error.
        source: io::Error,
    },
    /// Bytes of the file are not what was written. Nothing wrong was returned.
    Corrupted {
        /// The page (its position in the file, in pages).
        page: u64,
        /// What was checked.
        what: &'static str,
        /// What should stand there.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// The file is not a Cowslip database.
    NotADatabase,
    /// The file was written by a newer format.
    NewerFormat {
        /// The format version, or feature word, of the file.
        found: u64,
        /// What this library understands.
        supported: u64,
    },
    /// Another handle or process has the database open.
    Locked,
    /// The database was opened for reading only.
    ReadOnly,
    /// No space left, on the disk or up to the configured maximum size. Nothing was lost.
    DiskFull {
        /// Pages that were asked for.
        pages: u64,
    },
    /// Every frame of the page cache is in use.
    CacheFull,
    /// A key is longer than a quarter of a page.
    KeyTooLarge {
        /// Bytes of the key.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A value is too large for this operation (see `reader` and `insert_from`).
    ValueTooLarge {
        /// Bytes of the value.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// No table of this name.
    TableNotFound(String),
    /// A stored machine has this name, not a table.
    NotATable(String),
    /// No stored machine of this name.
    MachineNotFound(String),
    /// The snapshot has a stored machine of this name, which streams do not carry.
    MachineNotSent(String),
    /// No snapshot (or, where either will do, branch) of this name.
    SnapshotNotFound(String),
    /// No branch of this name.
    BranchNotFound(String),
    /// No bookmark of this name.
    BookmarkNotFound(String),
    /// A snapshot, a branch or a file of this name exists already.
    AlreadyExists(String),
    /// The snapshot is held and cannot be deleted.
    Held(String),
    /// A stream builds on a snapshot that is not here.
    BaseNotFound {
        /// The name that it has at the sender's.
        name: String,
        /// Its id.
        id: u64,
    },
    /// A stream since a bookmark is asked for, of a snapshot that does not provably descend from it.
    NoAncestor {
        /// The bookmark.
        bookmark: String,
        /// The snapshot.
        snapshot: String,
    },
    /// The branch that is to follow a stream does not stand at the stream's base.
    BranchNotAtBase {
        /// The branch.
        branch: String,
        /// The snapshot that the stream brings.
        snapshot: String,
        /// The base's name here; none: the branch had to be empty.
        base: Option<String>,
    },
    /// A stream, or the rest of one, does not fit what is here in another way.
    WrongBase(String),
    /// A stream ends before its end mark.
    StreamEnded {
        /// Bytes that were read.
        at: u64,
    },
    /// A stream is not what was sent, or no stream of Cowslip's.
    DamagedStream {
        /// Where the frame with the fault begins, in bytes.
        at: u64,
        /// What was checked.
        what: &'static str,
        /// What should stand there.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// This thread already holds the write transaction.
    NestedTransaction,
    /// The table is open already in this transaction.
    TableAlreadyOpen(String),
    /// An earlier failure leaves this transaction, or the whole database, refusing writes.
    Poisoned {
        /// The first failure.
        cause: String,
    },
    /// An argument is out of its range.
    InvalidArgument(String),
}

impl From<pager::Error> for Error {
    fn from(error: pager::Error) -> Error {
        match error {
            pager::Error::Io { operation, offset, source } => {
                Error::Io { operation, offset, source }
            }
            pager::Error::Corrupted(pager::Corruption { page, what, expected, found }) => {
                Error::Corrupted { page, what, expected, found }
            }
            pager::Error::NotADatabase => Error::NotADatabase,
            pager::Error::NewerFormat { found, supported } => {
                Error::NewerFormat { found, supported }
            }
            pager::Error::Locked => Error::Locked,
            pager::Error::ReadOnly => Error::ReadOnly,
            pager::Error::DiskFull { pages } => Error::DiskFull { pages },
            pager::Error::CacheFull => Error::CacheFull,
            pager::Error::Poisoned { cause } => Error::Poisoned { cause },
            pager::Error::NestedTransaction => Error::NestedTransaction,
            pager::Error::InvalidArgument(what) => Error::InvalidArgument(what),
            other => Error::InvalidArgument(other.to_string()),
        }
    }
}

impl Error {
    /// The same error, for one more who has to be told.
    pub(crate) fn again(&self) -> Error {
        match self {
            &Error::Io { operation, offset, ref source } => {
                let source = match source.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(source.kind(), source.to_string()),
                };
                Error::Io { operation, offset, source }
            }
            &Error::Corrupted { page, what, expected, found } => {
                Error::Corrupted { page, what, expected, found }
            }
            &Error::DiskFull { pages } => Error::DiskFull { pages },
            Error::CacheFull => Error::CacheFull,
            Error::Poisoned { cause } => Error::Poisoned { cause: cause.clone() },
            Error::InvalidArgument(what) => Error::InvalidArgument(what.clone()),
            other => Error::Poisoned { cause: other.to_string() },
        }
    }

    pub(crate) fn corrupted(page: u64, what: &'static str, expected: u64, found: u64) -> Error {
        Error::Corrupted { page, what, expected, found }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { operation, offset: Some(offset), source } => {
                write!(f, "{operation} at byte {offset} failed: {source}")
            }
            Error::Io { operation, offset: None, source } => {
                write!(f, "{operation} failed: {source}")
            }
            Error::Corrupted { page, what, expected, found } => write!(
                f,
                "page {page} is damaged: {what} should be {expected:#x}, found {found:#x}"
            ),
            Error::NotADatabase => write!(f, "the file is not a Cowslip database"),
            Error::NewerFormat { found, supported } => write!(
                f,
                "the file needs format or features {found:#x}; this version knows {supported:#x}"
            ),
            Error::Locked => write!(f, "the database is in use by another process or handle"),
            Error::ReadOnly => write!(f, "the database is open for reading only"),
            Error::DiskFull { pages } => write!(
                f,
                "no space left for {pages} more pages (disk full, or the maximum size); nothing was lost"
            ),
            Error::CacheFull => write!(
                f,
                "every frame of the page cache is in use; use a larger cache or drop some values"
            ),
            Error::KeyTooLarge { length, limit } => {
                write!(f, "a key of {length} bytes is over the limit of {limit}")
            }
            Error::ValueTooLarge { length, limit } => {
                write!(
                    f,
                    "a value of {length} bytes is over the limit of {limit} for this operation"
                )
            }
            Error::TableNotFound(name) => write!(f, "no table named {name:?}"),
            Error::NotATable(name) => write!(f, "{name:?} is a stored machine, not a table"),
            Error::MachineNotFound(name) => write!(f, "no stored machine named {name:?}"),
            Error::MachineNotSent(name) => {
                write!(f, "streams do not carry machines: {name:?} is a stored machine")
            }
            Error::SnapshotNotFound(name) => write!(f, "no snapshot named {name:?}"),
            Error::BranchNotFound(name) => write!(f, "no branch named {name:?}"),
            Error::BookmarkNotFound(name) => write!(f, "no bookmark named {name:?}"),
            Error::AlreadyExists(name) => write!(f, "{name:?} exists already"),
            Error::Held(name) => write!(f, "snapshot {name:?} is held"),
            Error::BaseNotFound { name, id } => {
                write!(
                    f,
                    "wrong base: the stream builds on snapshot {name:?} (id {id:#x}), which is not here"
                )
            }
            Error::NoAncestor { bookmark, snapshot } => write!(
                f,
                "wrong base: bookmark {bookmark:?} is no ancestor of snapshot {snapshot:?}"
            ),
            Error::BranchNotAtBase { branch, snapshot, base: Some(base) } => write!(
                f,
                "wrong base: branch {branch:?} does not stand at {base:?}, the base of snapshot {snapshot:?}"
            ),
            Error::BranchNotAtBase { branch, snapshot, base: None } => write!(
                f,
                "wrong base: branch {branch:?} is not empty, and snapshot {snapshot:?} comes without a base"
            ),
            Error::WrongBase(what) => write!(f, "wrong base: {what}"),
            Error::StreamEnded { at } => {
                write!(f, "the stream ends after {at} bytes, before its end mark")
            }
            Error::DamagedStream { at, what, expected, found } => write!(
                f,
                "the stream is damaged in the frame at byte {at}: {what} should be {expected:#x}, found {found:#x}"
            ),
            Error::NestedTransaction => {
                write!(f, "this thread already holds the write transaction")
            }
            Error::TableAlreadyOpen(name) => {
                write!(f, "table {name:?} is open already in this transaction")
            }
            Error::Poisoned { cause } => write!(f, "an earlier failure stopped writing: {cause}"),
            Error::InvalidArgument(what) => write!(f, "invalid argument: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
