//! What a scrub has found: one page, and why it is not what it should be.

use std::io;

use crate::{
    error::{Corruption, Error},
    mutant,
};

/// Why a page is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScrubFault {
    /// Its bytes are not what was written.
    Damaged(Corruption),
    /// It could not be read, so nothing is known about its bytes.
    Unreadable {
        /// What was being done.
        operation: &'static str,
        /// At which byte of the file.
        offset: Option<u64>,
        /// The system's own error: its kind ...
        kind: io::ErrorKind,
        /// ... and what it says.
        message: String,
    },
}

/// A page that is damaged, or could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubFinding {
    /// The page.
    pub page: u64,
    /// How many pointers lead straight to it; 1 for a page of the map or a superblock.
    pub owners: u32,
    /// What is the matter with it.
    pub fault: ScrubFault,
}

impl ScrubFinding {
    /// What the error says about the page.
    pub(super) fn new(page: u64, owners: u32, error: Error) -> ScrubFinding {
        let damaged =
            |what, expected, found| ScrubFault::Damaged(Corruption { page, what, expected, found });
        let fault = match error {
            // A superblock's copy does not know in which page it stands.
            Error::Corrupted(fault) => ScrubFault::Damaged(Corruption { page, ..fault }),
            // The other two that reading a superblock's copy may end in.
            Error::NotADatabase => damaged("magic of the superblock", 1, 0),
            Error::NewerFormat { found, supported } => {
                damaged("format of the superblock", supported, found)
            }
            Error::Io { .. } if mutant!(ScrubTakesFailureForDamage) => damaged("page", 1, 0),
            Error::Io { operation, offset, source } => ScrubFault::Unreadable {
                operation,
                offset,
                kind: source.kind(),
                message: source.to_string(),
            },
            other => ScrubFault::Unreadable {
                operation: "reading a page",
                offset: None,
                kind: io::ErrorKind::Other,
                message: other.to_string(),
            },
        };
        ScrubFinding { page, owners, fault }
    }

    /// Is it damage, and not a failure of the operation?
    pub fn is_damage(&self) -> bool {
        matches!(self.fault, ScrubFault::Damaged(_))
    }

    /// As the error that a read of the page would have been.
    pub fn error(&self) -> Error {
        match &self.fault {
            ScrubFault::Damaged(corruption) => Error::Corrupted(*corruption),
            ScrubFault::Unreadable { operation, offset, kind, message } => Error::Io {
                operation,
                offset: *offset,
                source: io::Error::new(*kind, message.clone()),
            },
        }
    }

    pub(super) fn log(&self) {
        let (page, owners) = (self.page, self.owners);
        match &self.fault {
            ScrubFault::Damaged(Corruption { what, expected, found, .. }) => {
                tracing::error!(page, owners, what, expected, found, "scrub: damaged page");
            }
            ScrubFault::Unreadable { message, .. } => {
                tracing::warn!(page, owners, message, "scrub: page that cannot be read");
            }
        }
    }
}
