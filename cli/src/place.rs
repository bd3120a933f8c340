//! What a verb reads from or writes to: a branch, or for reading also a snapshot.

use cowslip::{Database, ReadTransaction, WriteTransaction};

use crate::failure::Failure;

/// The branch that is meant where none is named.
pub(crate) const MAIN: &str = "main";

/// What a verb reads.
#[derive(clap::Args)]
pub(crate) struct At {
    /// Read from this snapshot, not from main
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "branch")]
    at: Option<String>,
    /// Read from this branch, not from main
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

impl At {
    /// The branch that is named.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// A read transaction there.
    pub(crate) fn read(&self, db: &Database) -> Result<ReadTransaction, Failure> {
        Ok(match &self.at {
            Some(snapshot) => db.begin_read_at(snapshot)?,
            None => db.begin_read_on(self.branch.as_deref().unwrap_or(MAIN))?,
        })
    }
}

/// What a verb writes to.
#[derive(clap::Args)]
pub(crate) struct On {
    /// Write to this branch, not to main
    #[arg(long, value_name = "NAME", default_value = MAIN, hide_default_value = true)]
    branch: String,
}

impl On {
    /// A write transaction there.
    pub(crate) fn write(&self, db: &Database) -> Result<WriteTransaction, Failure> {
        Ok(db.begin_write_on(&self.branch)?)
    }
}
