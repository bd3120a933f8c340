//! How a verb ends: the exit statuses, and the one line that says why.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What was asked for is not there, or `diff` found differences.
pub(crate) const NOT_FOUND: u8 = 1;
/// The arguments make no sense.
pub(crate) const USAGE: u8 = 2;
/// Any other error.
pub(crate) const OTHER: u8 = 3;

/// The end of a verb: an exit status, or what went wrong.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// A verb that did not get through.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A key, or something with a name, is missing (status 1).
    NotFound(String),
    /// The arguments make no sense together (status 2).
    Usage(String),
    /// Anything else (status 3).
    Other(String),
    /// The reader of our output went away: no error, but the end.
    ReaderGone,
}

impl Failure {
    /// An error of the library, with the file it concerns in front.
    pub(crate) fn of_file(path: &Path, error: cowslip::Error) -> Failure {
        match Failure::from(error) {
            Failure::Other(what) => Failure::Other(format!("{}: {what}", path.display())),
            Failure::NotFound(what) => Failure::NotFound(format!("{}: {what}", path.display())),
            failure => failure,
        }
    }

    /// The same failure, preceded by what was being done.
    pub(crate) fn during(self, doing: impl Display) -> Failure {
        match self {
            Failure::NotFound(what) => Failure::NotFound(format!("{doing}: {what}")),
            Failure::Other(what) => Failure::Other(format!("{doing}: {what}")),
            Failure::Usage(what) => Failure::Usage(format!("{doing}: {what}")),
            Failure::ReaderGone => Failure::ReaderGone,
        }
    }

    /// The same failure where status 1 would be mistaken for an answer.
    pub(crate) fn never_found(self) -> Failure {
        match self {
            Failure::NotFound(what) => Failure::Other(what),
            failure => failure,
        }
    }

    /// Says what went wrong and gives the exit status.
    pub(crate) fn report(self) -> ExitCode {
        let (status, what) = match self {
            Failure::NotFound(what) => (NOT_FOUND, what),
            Failure::Usage(what) => (USAGE, what),
            Failure::Other(what) => (OTHER, what),
            Failure::ReaderGone => return ExitCode::SUCCESS,
        };
        complain(&what);
        ExitCode::from(status)
    }
}

/// Writes one complaint to standard error. There is nobody to tell if that fails.
pub(crate) fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "cowslip: {what}");
}

impl From<cowslip::Error> for Failure {
    fn from(error: cowslip::Error) -> Failure {
        match error {
            cowslip::Error::TableNotFound { .. }
            | cowslip::Error::MachineNotFound { .. }
            | cowslip::Error::SnapshotNotFound { .. }
            | cowslip::Error::BranchNotFound { .. }
            | cowslip::Error::BookmarkNotFound { .. } => Failure::NotFound(error.to_string()),
            cowslip::Error::Held(_) => Failure::Other(format!(
                "{error}; nothing was changed (`cowslip snapshot release` lets it go)"
            )),
            _ => Failure::Other(error.to_string()),
        }
    }
}

/// Errors of standard output; those of standard input are `InputError`s.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        // A long value is read while it is written: that error is the library's.
        if let Some(error) =
            error.get_ref().and_then(|inner| inner.downcast_ref::<cowslip::Error>())
        {
            return Failure::Other(error.to_string());
        }
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            // What a format cannot express.
            io::ErrorKind::InvalidInput => Failure::Other(error.to_string()),
            _ => Failure::Other(format!("writing the output: {error}")),
        }
    }
}
