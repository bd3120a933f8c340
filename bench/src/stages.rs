//! How each figure is measured, in a process of its own.
//!
//! A fresh process for each stage of each store keeps them honest: peak memory is of that stage alone,
//! a store that was "reopened" has nothing left in memory, and a killed process is really killed. The
//! parent (see [`crate::race`]) gives every stage but the load its own durable copy of the loaded store,
//! so no stage sees what another one did.
//!
//! Every stage judges what it wrote: counts, and a sample of the values, after closing and reopening.

mod beside;
mod busy;
mod cold;
mod compacted;
mod group;
mod growth;
mod held;
mod large;
mod load;
mod open;
mod read;
mod remove;
mod stopwatch;
mod verify;
mod weak;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Task};
use crate::peer::{Peer, Promise};
use crate::settings::Settings;

/// A group of rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Bulk load into an empty store.
    Load,
    /// Sorted load into an empty store.
    Append,
    /// Gets, ranges, scans.
    Read,
    /// The disk without a store, right before the stage that it is the yardstick of.
    Disk,
    /// Durable puts.
    Write,
    /// Puts that survive the process only.
    Eventual,
    /// Puts with the least promise.
    None,
    /// Durable puts while the store writes out.
    Busy,
    /// Durable puts from several threads.
    Group,
    /// Gets beside a writer.
    Beside,
    /// Large values, into an empty store.
    Large,
    /// A scan from the disk.
    Cold,
    /// Batches under a reader that stays.
    Held,
    /// Removals.
    Remove,
    /// Removals and compaction.
    Compacted,
    /// Opening after a clean close.
    Reopen,
    /// Opening after a kill.
    Kill,
}

impl Stage {
    /// All stages, in the order of measuring.
    pub const ALL: [Stage; 17] = [
        Stage::Load,
        Stage::Append,
        Stage::Read,
        Stage::Disk,
        Stage::Write,
        Stage::Eventual,
        Stage::None,
        Stage::Busy,
        Stage::Group,
        Stage::Beside,
        Stage::Large,
        Stage::Cold,
        Stage::Held,
        Stage::Remove,
        Stage::Compacted,
        Stage::Reopen,
        Stage::Kill,
    ];

    /// Whether the stage fills a store of its own; the others stand on a copy of the loaded one.
    pub fn begins_empty(self) -> bool {
        matches!(self, Stage::Load | Stage::Append | Stage::Large | Stage::Disk)
    }
}

/// What one child process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Errand {
    /// [`Stage::Load`].
    Load,
    /// [`Stage::Append`].
    Append,
    /// [`Stage::Read`].
    Read,
    /// [`Stage::Write`].
    Write,
    /// [`Stage::Eventual`] and [`Stage::None`].
    Weak(Promise),
    /// [`Stage::Busy`].
    Busy,
    /// [`Stage::Group`].
    Group,
    /// [`Stage::Beside`].
    Beside,
    /// [`Stage::Large`].
    Large,
    /// [`Stage::Cold`].
    Cold,
    /// [`Stage::Held`].
    Held,
    /// [`Stage::Remove`].
    Remove,
    /// [`Stage::Compacted`].
    Compacted,
    /// For [`crate::growth`].
    Growth,
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
            Errand::Append => load::append::<P>(self),
            Errand::Read => read::read::<P>(self),
            Errand::Write => write::write::<P>(self),
            Errand::Weak(promise) => weak::put::<P>(self, promise),
            Errand::Busy => busy::put::<P>(self),
            Errand::Group => group::put::<P>(self),
            Errand::Beside => beside::get::<P>(self),
            Errand::Large => large::put_and_get::<P>(self),
            Errand::Cold => cold::scan::<P>(self),
            Errand::Held => held::grow::<P>(self),
            Errand::Compacted => compacted::compact::<P>(self),
            Errand::Remove => remove::remove::<P>(self),
            Errand::Growth => growth::measure::<P>(self),
            Errand::Reopen { attempt } => open::reopen::<P>(self, attempt),
            Errand::Victim { first } => open::write_until_killed::<P>(self, first),
            Errand::Recover { first, last } => open::recover::<P>(self, first, last),
        }
    }
}
