//! What a store must offer for the experiments that not only Cowslip can take part in.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::counting::Written;
use crate::peer::Writer;
use crate::workload::Prepared;

/// A store with snapshots, whose written bytes are counted.
pub(super) trait Subject: Sized + Sync {
    /// What names a snapshot.
    type Snapshot;
    /// What a write transaction gives.
    type Writer<'tx>: Writer;

    /// Name in the table.
    const NAME: &'static str;
    /// Snapshots can be made between commits that are not durable.
    const LAZY: bool;

    /// Opens the store in `directory`, which exists; makes the store if there is none. Snapshots are
    /// made and deleted durably, or not.
    fn open(directory: &Path, durable: bool) -> Result<Self>;

    /// Does `work` with a table in one write transaction and commits it.
    fn write(
        &self,
        table: &str,
        durable: bool,
        work: impl FnOnce(&mut Self::Writer<'_>) -> Result<()>,
    ) -> Result<()>;

    /// Makes a snapshot.
    fn create(&self, number: u64) -> Result<Self::Snapshot>;

    /// Makes many, as fast as it can be done.
    fn create_many(&self, numbers: Range<u64>) -> Result<()>;

    /// Deletes a snapshot. Its space need not be back.
    fn delete(&self, snapshot: &Self::Snapshot) -> Result<()>;

    /// Waits until nothing is deleted in the background any more.
    fn reclaim(&self) -> Result<()>;

    /// Whether something is being deleted in the background.
    fn reclaims(&self) -> Result<bool>;

    /// Goes back to a snapshot.
    fn roll_back(&self, snapshot: &Self::Snapshot) -> Result<()>;

    /// Does what a store may put off: a checkpoint.
    fn checkpoint(&self) -> Result<()>;

    /// Bytes written since it was opened.
    fn written(&self) -> Written;

    /// How many owners' counts commits have changed since it was opened, if the store counts owners.
    fn counts_touched(&self) -> Option<u64> {
        None
    }

    /// Reads all rows, which brings them into the cache.
    fn warm(&self) -> Result<()>;

    /// Bytes in use, in whole pages, without a log that is used again and again.
    fn used_bytes(&self) -> Result<u64>;

    /// Nothing is left that was put off.
    fn settle(&self) -> Result<()> {
        self.reclaim()?;
        self.checkpoint()
    }

    /// Puts prepared rows in one transaction. The microseconds it took.
    fn put(&self, table: &str, durable: bool, rows: &Prepared) -> Result<f64> {
        timed(|| {
            self.write(table, durable, |writer| {
                rows.rows().try_for_each(|(key, value)| writer.put(key, value))
            })
        })
    }
}

/// Does `work`. The microseconds it took.
pub(super) fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}
