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

use std::path::Path;

use anyhow::Result;

/// A store: a directory with whatever files it likes in it.
pub trait Peer: Sized + Sync {
    /// What a read transaction gives.
    type Reader<'tx>: Reader;
    /// What a write transaction gives.
    type Writer<'tx>: Writer;

    /// How the store is set up, in words, for the report.
    fn configuration() -> String;

    /// Opens the store in `directory`, which exists; makes the store if there is none.
    fn open(directory: &Path) -> Result<Self>;

    /// Does `work` in one read transaction.
    fn read<T>(&self, work: impl FnOnce(&Self::Reader<'_>) -> Result<T>) -> Result<T>;

    /// Does `work` in one write transaction and commits it, so that it survives a loss of power by
    /// the time this returns. After an error nothing is committed.
    fn write<T>(&self, work: impl FnOnce(&mut Self::Writer<'_>) -> Result<T>) -> Result<T>;

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
