//! What a store must offer to be measured.
//!
//! The rows of the race are written once, in [`crate::stages`], in terms of these traits; an adapter
//! only translates. Everything is generic, not `dyn`: a virtual call in each get would be a few per
//! cent of it.
//!
//! | figure | in terms of the traits |
//! |---|---|
//! | bulk load, removals | one [`Peer::write`] around all of them |
//! | durable single put, batch of 1000 | one [`Peer::write`] each |
//! | gets, ranges, scans | one [`Peer::read`] around all of them, in each thread |
//! | reopening, opening after a kill | [`Peer::open`], then one get |
//! | puts with weaker promises | [`Peer::open_as`], if the store [`Peer::supports`] them |
//! | puts while the store is busy | [`Peer::write_out`] in another thread |
//! | compacted file | [`Peer::compact`] |
//!
//! What a store has not, it says by the defaults of these methods; its cell stays empty then.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::peers::CACHE_BYTES;

/// What a commit has come to when it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Promise {
    /// It survives a loss of power.
    #[default]
    Durable,
    /// It survives the death of the process, not a loss of power.
    Eventual,
    /// The least that the store has to offer: less than the other two.
    None,
}

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Bytes of the store's own cache, if it has one.
    pub cache_bytes: usize,
    /// What its commits promise.
    pub promise: Promise,
}

impl Default for Setup {
    fn default() -> Self {
        Self { cache_bytes: CACHE_BYTES, promise: Promise::Durable }
    }
}

/// A store: a directory with whatever files it likes in it.
pub trait Peer: Sized + Sync {
    /// What a read transaction gives.
    type Reader<'tx>: Reader;
    /// What a write transaction gives.
    type Writer<'tx>: Writer;

    /// Longest value that fits into a row.
    const VALUE_BYTES_MAX: usize = usize::MAX;

    /// Whether writers go on, commit after commit, beside readers, new ones and such as hold an old
    /// version.
    const WRITES_BESIDE_READERS: bool = true;

    /// Whether there is anything that a commit puts off and [`Peer::write_out`] does.
    const PUTS_OFF: bool = false;

    /// How the store is set up, in words, for the report.
    fn configuration() -> String;

    /// Opens the store in `directory`, which exists; makes the store if there is none.
    fn open_as(directory: &Path, setup: Setup) -> Result<Self>;

    /// Opens it as the table has it, durable and with a large cache.
    fn open(directory: &Path) -> Result<Self> {
        Self::open_as(directory, Setup::default())
    }

    /// Whether the store has this promise, as something of its own.
    fn supports(promise: Promise) -> bool {
        promise == Promise::Durable
    }

    /// Does `work` in one read transaction.
    fn read<T>(&self, work: impl FnOnce(&Self::Reader<'_>) -> Result<T>) -> Result<T>;

    /// Does `work` in one write transaction and commits it, so that the promise that the store was
    /// opened with holds by the time this returns. After an error nothing is committed.
    fn write<T>(&self, work: impl FnOnce(&mut Self::Writer<'_>) -> Result<T>) -> Result<T>;

    /// Makes everything durable that was committed with a weaker promise.
    fn make_durable(&self) -> Result<()> {
        Ok(())
    }

    /// Does what commits put off (a checkpoint, the writing of a table), while others go on.
    fn write_out(&self) -> Result<()> {
        Ok(())
    }

    /// Makes a durable snapshot of this name; `false` if the store has no such thing.
    fn snapshot(&self, _name: &str) -> Result<bool> {
        Ok(false)
    }

    /// Makes the closed store in `directory` as small as its own means can; `false` if it has none.
    fn compact(_directory: &Path) -> Result<bool> {
        Ok(false)
    }

    /// Closes the store cleanly.
    fn close(self) -> Result<()>;
}

/// One version of the store, for reading.
pub trait Reader {
    /// Gives the value of `key` to `look`, in place where the store can do so.
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>>;

    /// Gives the rows from `from` (or from the first) on, at most `limit`, in order to `look`;
    /// returns how many there were.
    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64>;

    /// Number of rows, by the store's own account.
    fn rows(&self) -> Result<u64>;
}

/// One write transaction.
pub trait Writer {
    /// Inserts or overwrites a row.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Removes a row; whether it was there.
    fn remove(&mut self, key: &[u8]) -> Result<bool>;
}
