//! What can go wrong in the pager: facts, not prose.
//!
//! Four families, kept apart by variant: *misuse* the caller can fix ([`Error::InvalidArgument`],
//! [`Error::ReadOnly`], [`Error::NestedTransaction`]), the *environment* ([`Error::Io`],
//! [`Error::DiskFull`], [`Error::Locked`], [`Error::CacheFull`]), *damage* ([`Error::Corrupted`],
//! [`Error::NotADatabase`], [`Error::NewerFormat`]) and the aftermath of a failed write
//! ([`Error::Poisoned`]).

use std::{fmt, io};

/// The result of a pager operation.
pub type Result<T> = std::result::Result<T, Error>;

/// One fact about damaged bytes: where, what was checked, what should stand there and what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corruption {
    /// The page that failed (its position in the file, in pages; the superblock area is page 0).
    pub page: u64,
    /// What was checked.
    pub what: &'static str,
    /// The value that should stand there.
    pub expected: u64,
    /// The value that stands there.
    pub found: u64,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "page {} is damaged: {} should be {:#x}, found {:#x}",
            self.page, self.what, self.expected, self.found
        )
    }
}

/// An error of the pager.
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
    /// Bytes of the file are not what was written.
    Corrupted(Corruption),
    /// The file does not begin as a Cowslip database does.
    NotADatabase,
    /// The file was written by a newer format, or needs a feature that this version lacks.
    NewerFormat {
        /// The format version, or the feature word, in the file.
        found: u64,
        /// The newest version, or all features, that this library understands.
        supported: u64,
    },
    /// Another handle has the file open in a way that excludes this one.
    Locked,
    /// The store was opened for reading only.
    ReadOnly,
    /// The disk, or the configured maximum size, has no room for what was asked.
    DiskFull {
        /// Pages that were asked for.
        pages: u64,
    },
    /// Every frame of the page cache is pinned or holds unwritten changes.
    CacheFull,
    /// An earlier write or sync failed; the store must be reopened before it is written again.
    Poisoned {
        /// The failure that caused it.
        cause: String,
    },
    /// The thread already holds the write transaction it asks for.
    NestedTransaction,
    /// An argument is out of its range.
    InvalidArgument(String),
}

impl Error {
    /// Wraps a system error with the operation and offset it struck.
    pub fn io(operation: &'static str, offset: impl Into<Option<u64>>, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::StorageFull
            || source.kind() == io::ErrorKind::QuotaExceeded
        {
            return Error::DiskFull { pages: 0 };
        }
        Error::Io { operation, offset: offset.into(), source }
    }

    /// Damage found on `page`.
    pub fn corrupted(page: u64, what: &'static str, expected: u64, found: u64) -> Error {
        Error::Corrupted(Corruption { page, what, expected, found })
    }
}

impl From<Corruption> for Error {
    fn from(corruption: Corruption) -> Error {
        Error::Corrupted(corruption)
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
            Error::Corrupted(corruption) => corruption.fmt(f),
            Error::NotADatabase => write!(f, "the file is not a Cowslip database"),
            Error::NewerFormat { found, supported } => write!(
                f,
                "the file needs format or features {found:#x}, this version knows {supported:#x}"
            ),
            Error::Locked => write!(f, "the database is in use by another process or handle"),
            Error::ReadOnly => write!(f, "the database was opened for reading only"),
            Error::DiskFull { pages } => {
                write!(f, "no space left for {pages} more pages (disk full, or the size limit)")
            }
            Error::CacheFull => write!(
                f,
                "every frame of the page cache is in use; use a larger cache or drop some values"
            ),
            Error::Poisoned { cause } => {
                write!(f, "an earlier write failed ({cause}); reopen the database to write again")
            }
            Error::NestedTransaction => {
                write!(f, "this thread already holds the write transaction")
            }
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
