//! The database: opening and creating, and what is done to it as a whole.

mod builder;
mod names;
mod recovery;
mod releases;
mod scrubbing;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip_pager::{
    BytesWritten, CacheStats, Durability, Pager, Reader, storage::Storage, superblock::Superblock,
};

pub use builder::Builder;
pub use names::{BookmarkInfo, BranchInfo, SnapshotInfo};
pub(crate) use names::{find_branch, find_either, find_snapshot, new_id};
use recovery::Recovery;
pub use releases::Releases;
use releases::Releasing;
pub use scrubbing::{ScrubFinding, ScrubPass, ScrubStats, ScrubStep};

use crate::{
    compact,
    draft::Draft,
    error::{Error, Result},
    meta::{BRANCH, INCOMING, MAIN, SNAPSHOT},
    read::ReadTransaction,
    scrub::{self, ScrubReport},
    write::WriteTransaction,
};

/// An open database. Cheap to clone; all methods take `&self`; dropping the last handle (and the
/// last transaction) closes it.
///
/// ```
/// use cowslip::Database;
///
/// let db = Database::in_memory()?;
/// let tx = db.begin_write()?;
/// tx.open_table("users")?.insert(b"ada", b"1815")?;
/// tx.commit()?;
///
/// db.create_snapshot("monday")?;
/// let tx = db.begin_write()?;
/// tx.open_table("users")?.remove(b"ada")?;
/// tx.commit()?;
///
/// let monday = db.begin_read_at("monday")?.open_table("users")?;
/// assert_eq!(monday.get(b"ada")?.unwrap(), b"1815");
/// assert_eq!(db.begin_read()?.open_table("users")?.len()?, 0);
/// # Ok::<(), cowslip::Error>(())
/// ```
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
}

/// What all handles and transactions of a database share.
pub(crate) struct Shared {
    /// For others [`Shared::pager`], which waits until it has all that the log has.
    pager: Arc<Pager>,
    pub(crate) durability: Durability,
    path: Option<PathBuf>,
    recovery: Arc<Recovery>,
    releasing: Arc<Releasing>,
}

/// A checkpoint whose trees stay in the file as they are as long as this lives.
pub struct PinnedCheckpoint {
    reader: Reader,
    superblock: Superblock,
    // Declared after the reader, so that the database closes last.
    _shared: Arc<Shared>,
}

impl PinnedCheckpoint {
    /// Its superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// What the database stands on.
    pub fn storage(&self) -> &dyn Storage {
        &**self.reader.pager().storage()
    }
}

/// Figures about a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages of the file.
    pub pages_total: u64,
    /// Pages in use.
    pub pages_used: u64,
    /// Pages that are free, or will be when their last reader or checkpoint has ended.
    pub pages_free: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// A reader holds a version older than the newest: its number, as transactions are counted.
    pub oldest_reader: Option<u64>,
    /// Number of the newest checkpoint.
    pub checkpoint: u64,
    /// Bytes of log that a recovery would replay.
    pub log_bytes: u64,
    /// Bytes that the log takes in the file.
    pub log_capacity: u64,
    /// Durable log writes since the database was opened.
    pub log_syncs: u64,
    /// Bytes written since the database was opened, by what they are.
    pub written: BytesWritten,
    /// Pages whose number of owners commits have changed since the database was opened, each time
    /// that one did: what copying shared pages costs besides the copies.
    pub count_changes: u64,
    /// Bytes of what snapshots and branches have got that were written before a checkpoint needed them; they are in
    /// `written`, too.
    pub written_behind: u64,
    /// Commits that went on with the version before them in place, instead of copying pages.
    pub continued: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Branches.
    pub branches: u64,
    /// The page cache.
    pub cache: CacheStats,
    /// The scrub in the background.
    pub scrub: ScrubStats,
}

impl Database {
    /// Options for opening and creating.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Creates a new database file; [`Error::AlreadyExists`] if there is a file.
    pub fn create(path: impl AsRef<Path>) -> Result<Database> {
        Builder::default().create(path)
    }

    /// Opens an existing database file.
    pub fn open(path: impl AsRef<Path>) -> Result<Database> {
        Builder::default().open(path)
    }

    /// Opens an existing database file for reading, beside other readers; nothing is written.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Database> {
        Builder::default().open_read_only(path)
    }

    /// A database in memory only.
    pub fn in_memory() -> Result<Database> {
        Builder::default().in_memory()
    }

    // ---- transactions --------------------------------------------------------------------

    /// Begins to write on the branch `main`; waits for the transaction that is running.
    /// [`Error::NestedTransaction`] if this thread holds it.
    pub fn begin_write(&self) -> Result<WriteTransaction> {
        self.begin_write_on(MAIN)
    }

    /// Begins to write on a branch.
    pub fn begin_write_on(&self, branch: &str) -> Result<WriteTransaction> {
        let txn = self.shared.pager()?.begin_write()?;
        WriteTransaction::new(&self.shared, txn, branch)
    }

    /// Begins to write on `main`, or returns `None` if a transaction is running, or the log is still
    /// replayed.
    pub fn try_begin_write(&self) -> Result<Option<WriteTransaction>> {
        if !self.shared.recovery.is_over()? {
            return Ok(None);
        }
        match self.shared.pager.try_begin_write()? {
            Some(txn) => WriteTransaction::new(&self.shared, txn, MAIN).map(Some),
            None => Ok(None),
        }
    }

    /// Begins to read the newest version of `main`.
    pub fn begin_read(&self) -> Result<ReadTransaction> {
        self.begin_read_on(MAIN)
    }

    /// Begins to read the newest version of a branch.
    pub fn begin_read_on(&self, branch: &str) -> Result<ReadTransaction> {
        ReadTransaction::of_branch(&self.shared, branch)
    }

    /// Begins to read a snapshot.
    pub fn begin_read_at(&self, snapshot: &str) -> Result<ReadTransaction> {
        ReadTransaction::of_snapshot(&self.shared, snapshot)
    }

    // ---- the whole -----------------------------------------------------------------------

    /// Figures.
    pub fn stats(&self) -> Stats {
        // Where the log could not be replayed they are those of the checkpoint.
        let _ = self.shared.recovery.wait();
        let stats = self.shared.pager.stats();
        let count = |prefix| {
            let reader = self.shared.pager.begin_read();
            Draft::count_names(reader.view(), reader.version().root, prefix).unwrap_or(0)
        };
        Stats {
            page_size: stats.page_size,
            pages_total: stats.pages_total,
            pages_used: stats.pages_total.saturating_sub(stats.pages_free),
            pages_free: stats.pages_free,
            file_bytes: stats.file_bytes,
            oldest_reader: stats.oldest_reader,
            checkpoint: stats.checkpoint,
            log_bytes: stats.log_bytes,
            log_capacity: stats.log_capacity,
            log_syncs: stats.log_syncs,
            written: stats.written,
            count_changes: stats.count_changes,
            written_behind: stats.written_behind,
            continued: stats.continued,
            snapshots: count(SNAPSHOT),
            branches: count(BRANCH).saturating_sub(count(INCOMING)),
            cache: stats.cache,
            scrub: stats.scrub.into(),
        }
    }

    /// Writes all that is committed into the trees, so that opening replays nothing.
    pub fn checkpoint(&self) -> Result<()> {
        Ok(self.shared.pager()?.checkpoint()?)
    }

    /// Makes a checkpoint, and keeps the pages of the version that it holds where they are in the file, for
    /// a checker that reads the file itself. Writers wait for the end of the checkpoint, and go on beside
    /// the checker.
    pub fn pin_checkpoint(&self) -> Result<PinnedCheckpoint> {
        let (reader, superblock) = self.shared.pager()?.pin_checkpoint()?;
        Ok(PinnedCheckpoint { reader, superblock, _shared: self.shared.clone() })
    }

    /// Packs leaves that nobody shares and that are not full, moves pages from the end of the file to free
    /// places at its front, and gives the space behind them back. What was shared stays shared. Readers may go on, writers wait; the space of
    /// versions that are still read comes back only later.
    pub fn compact(&self) -> Result<()> {
        let pager = self.shared.pager()?;
        let mut pack = true;
        for _ in 0..compact::ROUNDS_MAX {
            self.wait_for_releases()?;
            pager.checkpoint_and_shrink()?;
            let before = pager.stats();
            let used = before.pages_total.saturating_sub(before.pages_free);
            // Copies of the inner nodes above what moves need some room as well.
            let target = used + used / 64 + 16;
            let mut txn = pager.begin_write()?;
            txn.prefer_front();
            let mut draft = Draft::new(txn)?;
            // Names are written anew in each round, which may be all that is left to be moved.
            let names_behind = draft.names_root().page.0 >= target;
            let mover = compact::Mover::new(&mut draft, target, before.pages_total, pack);
            let moved = match mover.run() {
                // Packing needs room for new leaves beside the old ones; moving does with less.
                Err(Error::DiskFull { .. }) if pack => {
                    pack = false;
                    continue;
                }
                moved => moved?,
            };
            if moved.pages > 0 || names_behind {
                draft.commit_by_checkpoint()?;
            } else {
                drop(draft);
            }
            self.wait_for_releases()?;
            pager.compact_log()?;
            pager.checkpoint_and_shrink()?;
            pager.checkpoint_and_shrink()?;
            // A round that packs needs room for the new leaves while the old ones are still there.
            if moved.saved == 0 && pager.stats().pages_total >= before.pages_total {
                break;
            }
        }
        Ok(())
    }

    /// Reads everything that the newest version can reach from the file and verifies it, at once and
    /// along the trees: each page, and whether it is the one that its parent names.
    pub fn scrub(&self) -> Result<ScrubReport> {
        scrub::scrub(&self.shared.pager()?.begin_read())
    }

    /// The file, if the database has one.
    pub fn path(&self) -> Option<&Path> {
        self.shared.path.as_deref()
    }

    /// Was it opened for reading only?
    pub fn is_read_only(&self) -> bool {
        self.shared.pager.is_read_only()
    }

    /// Closes the database, when its log is replayed, and reports what went wrong on the way. Other handles
    /// can only read from here on.
    pub fn close(self) -> Result<()> {
        if self.shared.pager.writing_here() {
            return Err(Error::NestedTransaction);
        }
        let replayed = self.shared.recovery.wait();
        self.shared.recovery.stop();
        self.shared.stop_releaser();
        self.shared.pager.close()?;
        replayed
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.shared.path).finish_non_exhaustive()
    }
}
