//! Cowslip: an embedded storage engine. One idea carries all of it: **share until written**.
//!
//! A database is a file with ordered tables of keys and values. Transactions are whole or not at
//! all, and what a commit acknowledged survives a power cut; any number of readers keep their own
//! version while one writer works. A snapshot names a version at the cost of one small commit,
//! whatever the size; snapshots can be read, compared, rolled back to, branched from, and deleted
//! in any order.
//!
//! Start at [`Database`]. How it works is told in `docs/design.md`; every byte of the file is in
//! `docs/format.md`.

// Loom's cells, in whose tests a race is an error, can only be opened with `unsafe`.
#![cfg_attr(not(all(test, loom)), forbid(unsafe_code))]

mod compact;
mod database;
mod diff;
mod digest;
mod draft;
mod error;
mod iter;
mod key_index;
pub mod kinds;
pub mod meta;
mod node;
mod pending;
mod read;
mod redo;
mod retention;
mod scrub;
mod stream;
mod tree;
mod usage;
mod value;
pub mod vm;
mod write;

pub use cowslip_pager::{BytesWritten, CacheStats, Durability, storage, storage::Storage};
pub use database::{
    BookmarkInfo, BranchInfo, Builder, Database, PinnedCheckpoint, Releases, ScrubFinding,
    ScrubPass, ScrubStats, ScrubStep, SnapshotInfo, Stats,
};
pub use diff::{Change, Diff};
pub use digest::Digest;
pub use error::{Error, Result};
pub use iter::Iter;
pub use read::{ReadTable, ReadTransaction};
pub use retention::{Retention, Verdict};
pub use scrub::ScrubReport;
pub use stream::{ReceiveOptions, ReceiveReport, SendReport};
pub use usage::Usage;
pub use value::{Key, Value, ValueReader};
pub use write::{Table, WriteTransaction};

/// The README's example is compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// And those of the cookbook are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/cookbook.md")]
struct Cookbook;
