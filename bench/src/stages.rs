//! How each figure is measured, in a process of its own.
//!
//! A fresh process for each stage of each store keeps them honest: peak memory is of that stage alone,
//! a store that was "reopened" has nothing left in memory, and a killed process is really killed. The
//! parent (see [`crate::race`]) gives every stage but the load its own durable copy of the loaded store,
//! so no stage sees what another one did.
//!
//! Every stage judges what it wrote: counts, and a sample of the values, after closing and reopening.

mod load;
mod open;
mod read;
mod remove;
mod stopwatch;
mod verify;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Task};
use crate::peer::Peer;
use crate::settings::Settings;

/// A group of rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Bulk load into an empty store.
    Load,
    /// Gets, ranges, scans.
    Read,
    /// The disk without a store, right before the stage that it is the yardstick of.
    Disk,
    /// Durable puts.
    Write,
    /// Removals.
    Remove,
    /// Opening after a clean close.
    Reopen,
    /// Opening after a kill.
    Kill,
}

impl Stage {
    /// All stages, in the order of measuring.
    pub const ALL: [Stage; 7] = [
        Stage::Load,
        Stage::Read,
        Stage::Disk,
        Stage::Write,
        Stage::Remove,
        Stage::Reopen,
        Stage::Kill,
    ];
}

/// What one child process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Errand {
    /// [`Stage::Load`].
    Load,
    /// [`Stage::Read`].
    Read,
    /// [`Stage::Write`].
    Write,
    /// [`Stage::Remove`].
    Remove,
    /// One opening for [`Stage::Reopen`].
    Reopen {
        /// Which one, to get another row each time.
        attempt: u64,
    },
    /// For [`Stage::Kill`]: commit batches, print the number of each, until killed.
    Victim {
        /// Number of the first transaction.
        first: u64,
    },
    /// For [`Stage::Kill`]: open what a victim left, and judge it.
    Recover {
        /// Number of the victim's first transaction.
        first: u64,
        /// Number of the last one that it acknowledged.
        last: u64,
    },
}

/// An errand with all that it needs, as the parent hands it to a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The store to measure.
    pub engine: Engine,
    /// Where its files are.
    pub directory: PathBuf,
    /// How much of everything.
    pub settings: Settings,
    /// What to do.
    pub errand: Errand,
}

/// What a child found: figures by the names of their rows.
pub type Measured = BTreeMap<String, f64>;

impl Order {
    /// Does it: in the child process.
    pub fn obey(&self) -> Result<Measured> {
        self.engine.run(self)
    }
}

impl Task for &Order {
    type Output = Measured;

    fn run<P: Peer>(self) -> Result<Measured> {
        match self.errand {
            Errand::Load => load::load::<P>(self),
            Errand::Read => read::read::<P>(self),
            Errand::Write => write::write::<P>(self),
            Errand::Remove => remove::remove::<P>(self),
            Errand::Reopen { attempt } => open::reopen::<P>(self, attempt),
            Errand::Victim { first } => open::write_until_killed::<P>(self, first),
            Errand::Recover { first, last } => open::recover::<P>(self, first, last),
        }
    }
}
