//! The front door: open or create a store, read a version of it, begin a transaction.

mod extents;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    aligned::Aligned,
    background::{self, Background},
    cache::{Cache, CacheStats, PageRef},
    checkpoint::{self, CheckpointState, ReadyRing, Scope},
    counters::{BytesWritten, Counters},
    epoch,
    error::{Corruption, Error, Result},
    extent::Extent,
    geometry::Geometry,
    lock::WriterLock,
    log_writer::LogWriter,
    mutant,
    page::{PageId, Pointer, verify_node},
    poison::Poison,
    raw::Raw,
    readers::{Readers, Ticket, Version},
    recovery::{self, Replay},
    scrub::{self, Scrub, ScrubFinding, ScrubState, ScrubStep},
    space::Space,
    storage::Storage,
    superblock::Superblock,
    transaction::Transaction,
    view::{View, check_place},
};

/// What a node points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Child {
    /// Another node.
    Node(Pointer),
    /// A large value.
    Extent(Extent),
    /// A raw page.
    Raw(Raw),
}

impl Child {
    /// The page at which its owners are counted.
    pub fn page(&self) -> PageId {
        match self {
            Child::Node(pointer) => pointer.page,
            Child::Extent(extent) => extent.head(),
            Child::Raw(raw) => raw.page,
        }
    }
}

/// The owner's knowledge of its pages, so that the pager can verify, share and release them
/// without knowing what they mean.
pub trait Kinds: Send + Sync {
    /// Checks the structure of a node page read from the file. After `Ok`, the owner's code relies
    /// on it: a right checksum proves nothing about a file made by somebody else.
    fn validate(&self, page: &[u8]) -> std::result::Result<(), Corruption>;

    /// Calls `visit` for each pointer that stands in a (valid) node page.
    fn children(&self, page: &[u8], visit: &mut dyn FnMut(Child) -> Result<()>) -> Result<()>;

    /// Adds to `pages` where each pointer of a (valid) node page leads: for an extent its first
    /// page. An owner of nodes with many children has a faster way to say so.
    fn child_pages(&self, page: &[u8], pages: &mut Vec<PageId>) -> Result<()> {
        self.children(page, &mut |child| {
            pages.push(child.page());
            Ok(())
        })
    }
}

/// For tests: pages without meaning.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Opaque;

#[cfg(test)]
impl Kinds for Opaque {
    fn validate(&self, _: &[u8]) -> std::result::Result<(), Corruption> {
        Ok(())
    }
    fn children(&self, _: &[u8], _: &mut dyn FnMut(Child) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

/// How a store is opened or created.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes of memory for pages and map groups.
    pub cache_size: usize,
    /// Bytes of a page, for new stores: a power of two from 4 KiB to 64 KiB.
    pub page_size: usize,
    /// Most bytes that the file may grow to.
    pub max_size: u64,
    /// Checkpoints in a thread of their own. Without it they run inside the commit that calls for
    /// one, which makes every write happen at a reproducible moment (tests on a simulated disk).
    pub background: bool,
    /// Bytes a second that the scrub reads in the background (`u64::MAX`: no limit); 0: it does so only
    /// when it is started.
    pub scrub_rate: u64,
    /// From the end of a pass of the scrub to the beginning of the next one.
    pub scrub_interval: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cache_size: 256 << 20,
            page_size: 4096,
            max_size: u64::MAX,
            background: true,
            scrub_rate: 0,
            scrub_interval: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Figures about a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages of the file.
    pub pages_total: u64,
    /// Pages that are free, or will be when their last reader or checkpoint has ended.
    pub pages_free: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Stamp of the oldest version that a reader holds.
    pub oldest_reader: Option<u64>,
    /// Number of the newest durable checkpoint.
    pub checkpoint: u64,
    /// Bytes of log that a recovery would replay.
    pub log_bytes: u64,
    /// Bytes that the log ring takes.
    pub log_capacity: u64,
    /// Durable log writes since the store was opened.
    pub log_syncs: u64,
    /// Bytes written since the store was opened.
    pub written: BytesWritten,
    /// Bytes of settled pages among them, which were written before a checkpoint needed them.
    pub written_behind: u64,
    /// Commits that went on with the version before them in place, instead of copying pages.
    pub continued: u64,
    /// Pages whose number of owners commits have changed since the store was opened, each time that
    /// one did; new pages do not count, and a large value is one page.
    pub count_changes: u64,
    /// The page cache.
    pub cache: CacheStats,
    /// The scrub.
    pub scrub: ScrubState,
}

/// What a version that can be continued is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Continuable {
    /// The stamp of its pages.
    pub(crate) stamp: u64,
    /// The line that all of them were written for.
    pub(crate) line: u64,
}

pub(crate) struct Head {
    /// The newest committed version, acknowledged or not.
    pub(crate) version: Version,
    pub(crate) next_stamp: u64,
    /// The pages in `version` that no checkpoint has, none of which has a second owner: a transaction of the
    /// same line may edit them in place while nobody reads them (R13).
    pub(crate) continuable: Option<Continuable>,
}

pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) geometry: Geometry,
    pub(crate) store: u64,
    pub(crate) config: Config,
    pub(crate) read_only: bool,
    pub(crate) kinds: Arc<dyn Kinds>,
    pub(crate) cache: Cache,
    pub(crate) space: Mutex<Space>,
    pub(crate) log: LogWriter,
    pub(crate) readers: Readers,
    pub(crate) head: Mutex<Head>,
    pub(crate) writer: WriterLock,
    pub(crate) checkpoint: Mutex<CheckpointState>,
    /// How many wait for that with the writer lock.
    pub(crate) checkpoint_waiters: AtomicUsize,
    /// Locked while a ring is cleared.
    pub(crate) ready_ring: Mutex<Option<ReadyRing>>,
    /// How many wait for that.
    pub(crate) ring_waiters: AtomicUsize,
    /// Number of the newest durable checkpoint, readable while one is being written.
    pub(crate) checkpoint_number: AtomicU64,
    pub(crate) stamp_ceiling: AtomicU64,
    pub(crate) poison: Poison,
    pub(crate) counters: Counters,
    /// Empty; taken by whoever writes a large value, and put back.
    pub(crate) value_buffer: Mutex<Aligned>,
    pub(crate) scrub: Scrub,
    pub(crate) background: Background,
    pub(crate) created: u64,
}

/// An open store. Dropping it writes a last checkpoint; [`Pager::close`] also tells whether that
/// worked.
pub struct Pager {
    inner: Arc<Inner>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    scrub_thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    closed: Mutex<bool>,
}

impl Pager {
    /// Makes a new store on empty storage.
    pub fn create(
        storage: Arc<dyn Storage>,
        config: Config,
        kinds: Arc<dyn Kinds>,
    ) -> Result<Pager> {
        let inner = recovery::create(storage, config, kinds)?;
        let pager = Pager::over(inner);
        pager.start_background();
        Ok(pager)
    }

    /// Opens a store. The caller must then pass the [`Replay`] to [`Pager::recover`].
    pub fn open(
        storage: Arc<dyn Storage>,
        config: Config,
        kinds: Arc<dyn Kinds>,
    ) -> Result<(Pager, Replay)> {
        let (inner, replay) = recovery::open(storage, config, kinds)?;
        Ok((Pager::over(inner), replay))
    }

    /// Is this storage empty, or the trace of a creation that the power cut short? Then a store may
    /// be created on it without overwriting anybody's bytes.
    pub fn is_unfinished(storage: &dyn Storage) -> Result<bool> {
        recovery::is_unfinished(storage)
    }

    fn over(inner: Inner) -> Pager {
        Pager {
            inner: Arc::new(inner),
            thread: Mutex::new(None),
            scrub_thread: Mutex::new(None),
            closed: Mutex::new(false),
        }
    }

    /// Makes durable what was found in the log. [`Pager::recover`] begins with it; who answers from the log's records
    /// before may tell only then of those that are not known to be durable.
    pub fn sync_replay(&self, replay: &mut Replay) -> Result<()> {
        replay.sync(&*self.inner.storage)
    }

    /// Replays the log: `apply` gets a transaction and the bodies of records, one or more in their order,
    /// and gives the transaction back when it has done what they say; if it fails for several at once, it
    /// gets them one by one. `joins` says of a record's body whether it may come in one transaction with
    /// the body before it. Then the store is ready.
    pub fn recover<E: From<Error>>(
        &self,
        replay: Replay,
        joins: impl Fn(&[u8], &[u8]) -> bool,
        apply: impl FnMut(Transaction, &[Vec<u8>]) -> std::result::Result<Transaction, E>,
    ) -> std::result::Result<(), E> {
        recovery::replay(&self.inner, replay, joins, apply)?;
        self.start_background();
        Ok(())
    }

    fn start_background(&self) {
        if self.inner.config.background && !self.inner.read_only {
            let inner = self.inner.clone();
            let spawned = std::thread::Builder::new()
                .name("cowslip-checkpoint".into())
                .spawn(move || background::run(&inner));
            match spawned {
                Ok(handle) => *self.thread.lock() = Some(handle),
                // Without the thread, commits write the checkpoints themselves when the log is full.
                Err(error) => tracing::warn!(%error, "no thread for background checkpoints"),
            }
        }
        if self.inner.config.background
            && self.inner.config.scrub_rate > 0
            && let Err(error) = self.start_scrub_thread()
        {
            tracing::warn!(%error, "no thread for the scrub");
        }
    }

    fn start_scrub_thread(&self) -> Result<()> {
        let closed = self.closed.lock();
        if *closed {
            return Err(Error::Poisoned { cause: "the store was closed".into() });
        }
        let mut thread = self.scrub_thread.lock();
        if thread.as_ref().is_none_or(std::thread::JoinHandle::is_finished) {
            let inner = self.inner.clone();
            let spawned = std::thread::Builder::new()
                .name("cowslip-scrub".into())
                .spawn(move || scrub::background(&inner));
            *thread = Some(spawned.map_err(|e| Error::io("starting a thread", None, e))?);
        }
        Ok(())
    }

    /// Verifies all used pages in a thread of its own, at most `rate` bytes a second (`u64::MAX`: as fast
    /// as it can): goes on with the pass under way, or begins one.
    pub fn scrub_start(&self, rate: u64) -> Result<()> {
        if rate == 0 {
            return Err(Error::InvalidArgument("a scrub at 0 bytes a second".into()));
        }
        if !self.inner.config.background {
            let what = "a scrub in the background, where there are to be no background threads";
            return Err(Error::InvalidArgument(what.into()));
        }
        self.start_scrub_thread()?;
        self.inner.scrub.start(rate);
        Ok(())
    }

    /// The scrub's thread rests when it is through with its slice, until it is started again.
    pub fn scrub_pause(&self) {
        self.inner.scrub.pause();
    }

    /// Forgets the pass of the scrub that is under way.
    pub fn scrub_restart(&self) {
        self.inner.scrub.restart();
    }

    /// Verifies the next slice of the pass under way, or the first one of a new pass.
    pub fn scrub_step(&self) -> Result<ScrubStep> {
        self.inner.scrub.step(&self.inner)
    }

    /// What the pass under way, and the last one, have found: so much as is kept of it.
    pub fn scrub_findings(&self) -> Vec<ScrubFinding> {
        self.inner.scrub.findings()
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> usize {
        self.inner.geometry.page_size
    }

    /// Bytes of memory for pages and map groups, as configured.
    pub fn cache_size(&self) -> usize {
        self.inner.config.cache_size
    }

    /// Is there no root, though there was a commit? Without one no page is used but for superblocks, the map and the
    /// log's ring, and there is nothing to replay.
    pub fn lacks_root(&self, replay: &Replay) -> bool {
        let root = self.inner.head.lock().version.root;
        root.is_none() && !(self.inner.space.lock().is_blank() && replay.transactions() == 0)
    }

    /// The random number that the store got at its creation.
    pub fn store_id(&self) -> u64 {
        self.inner.store
    }

    /// Creation time in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.inner.created
    }

    /// Was the store opened for reading only?
    pub fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    /// Begins to read the newest acknowledged version.
    pub fn begin_read(self: &Arc<Self>) -> Reader {
        let (ticket, version) = self.inner.readers.enter();
        Reader { pager: self.clone(), ticket, version }
    }

    /// Begins a transaction; waits for the one that is running.
    pub fn begin_write(&self) -> Result<Transaction> {
        if self.inner.read_only {
            return Err(Error::ReadOnly);
        }
        self.inner.writer.lock()?;
        Transaction::begin(&self.inner)
    }

    /// The same for work that nobody waits for: lets all others who wait go first, for some milliseconds.
    pub fn begin_write_behind_others(&self) -> Result<Transaction> {
        if self.inner.read_only {
            return Err(Error::ReadOnly);
        }
        self.inner.writer.lock_behind_others()?;
        Transaction::begin(&self.inner)
    }

    /// Begins a transaction, or returns `None` if one is running.
    pub fn try_begin_write(&self) -> Result<Option<Transaction>> {
        if self.inner.read_only {
            return Err(Error::ReadOnly);
        }
        if !self.inner.writer.try_lock()? {
            return Ok(None);
        }
        Transaction::begin(&self.inner).map(Some)
    }

    /// A view of nodes up to `newest`: the stamp of the version or transaction that reads.
    pub fn view(&self, newest: u64) -> View<'_> {
        View::new(&self.inner, newest)
    }

    /// Should callers copy values instead of keeping pages pinned?
    pub fn under_pressure(&self) -> bool {
        self.inner.cache.under_pressure()
    }

    /// Calls `visit` for each pointer in a node page.
    pub fn children(&self, page: &[u8], visit: &mut dyn FnMut(Child) -> Result<()>) -> Result<()> {
        self.inner.kinds.children(page, visit)
    }

    /// How many owners a page has as of the newest commit. Comparing that with a tree makes sense only
    /// while no transaction commits: in one's own, or in a store that is open for reading.
    pub fn count(&self, page: PageId) -> Result<u32> {
        Ok(self.inner.space.lock().entry(page)?.count)
    }

    /// Makes all that was committed so far durable.
    pub fn sync(&self) -> Result<()> {
        if !self.inner.read_only && self.inner.log.has_unsynced() {
            self.inner.log.sync(&self.inner.poison)?;
        }
        Ok(())
    }

    /// Makes the newest version durable in the trees themselves, so that opening replays nothing.
    pub fn checkpoint(&self) -> Result<()> {
        if self.inner.read_only {
            return Err(Error::ReadOnly);
        }
        checkpoint::make(&self.inner)
    }

    /// Makes a checkpoint, and begins to read the very version that it holds: as long as the reader lives,
    /// all that the superblock's root reaches stays where it is in the file. The page map and the log
    /// that the superblock names go on changing: their places are used again by later checkpoints.
    pub fn pin_checkpoint(self: &Arc<Self>) -> Result<(Reader, Superblock)> {
        // Most of the work, while others write.
        self.checkpoint()?;
        self.inner.writer.lock()?;
        let _unlock = self.inner.writer.unlock_later();
        checkpoint::exclusive(&self.inner, Scope::default())?;
        let durable = self.inner.checkpoint.lock().durable.clone();
        loop {
            let reader = self.begin_read();
            if reader.version().root == durable.root {
                return Ok((reader, durable));
            }
            // Nobody can commit now; the last one who did is about to make his version visible.
            self.inner.poison.check()?;
            std::thread::yield_now();
        }
    }

    /// What it stands on, for tools.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.inner.storage
    }

    /// A checkpoint that also gives free pages at the end of the file back to the file system.
    pub fn checkpoint_and_shrink(&self) -> Result<()> {
        if self.inner.read_only {
            return Err(Error::ReadOnly);
        }
        self.inner.writer.lock()?;
        let _unlock = self.inner.writer.unlock_later();
        checkpoint::exclusive(&self.inner, Scope { shrink_from: Some(1), ..Scope::default() })
    }

    /// Moves the log to a small ring near the front of the file.
    pub fn compact_log(&self) -> Result<()> {
        if self.inner.read_only {
            return Err(Error::ReadOnly);
        }
        self.inner.writer.lock()?;
        let _unlock = self.inner.writer.unlock_later();
        let scope = Scope { log_to_front: true, ..Scope::default() };
        checkpoint::exclusive(&self.inner, scope)
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        let inner = &self.inner;
        let active = inner.readers.active();
        let visible = inner.readers.visible().stamp;
        let (pages_total, pages_free) = {
            let space = inner.space.lock();
            (space.pages(), space.free_pages())
        };
        let mut written = inner.counters.bytes_written();
        written.log += inner.log.bytes_written();
        Stats {
            page_size: inner.geometry.page_size as u64,
            pages_total,
            pages_free,
            file_bytes: inner.storage.len().unwrap_or(0),
            oldest_reader: active.first().copied().filter(|&stamp| stamp < visible),
            checkpoint: inner.checkpoint_number.load(Ordering::Relaxed),
            log_bytes: inner.log.used(),
            log_capacity: inner.log.blocks() * 4096,
            log_syncs: inner.log.syncs(),
            written,
            written_behind: inner.counters.written_behind.load(Ordering::Relaxed),
            continued: inner.counters.continued.load(Ordering::Relaxed),
            count_changes: inner.counters.count_changes.load(Ordering::Relaxed),
            cache: inner.cache.stats(),
            scrub: inner.scrub.state(),
        }
    }

    /// Does the calling thread hold the write transaction?
    pub fn writing_here(&self) -> bool {
        self.inner.writer.held_here()
    }

    /// Ends background work and writes a last checkpoint. Idempotent; readers may go on.
    pub fn close(&self) -> Result<()> {
        if self.inner.writer.held_here() {
            // Waiting for a transaction of this very thread would never end.
            return Err(Error::NestedTransaction);
        }
        let mut closed = self.closed.lock();
        if *closed {
            return Ok(());
        }
        *closed = true;
        self.inner.background.stop();
        self.inner.scrub.stop();
        for thread in [&self.thread, &self.scrub_thread] {
            if let Some(thread) = thread.lock().take() {
                let _ = thread.join();
            }
        }
        if self.inner.read_only {
            return Ok(());
        }
        if self.inner.log.is_replaying() && !mutant!(FailedRecoveryIsClosed) {
            // Recovery has failed. What it has replayed so far is a part of the history, and stays in
            // the log with the rest.
            return Ok(());
        }
        if !mutant!(TransientIoErrorCorruptsLater) {
            self.inner.poison.check()?;
        }
        self.inner.writer.lock()?;
        let unlock = self.inner.writer.unlock_later();
        // Cutting a file costs the file system time, and the next opening would let it grow again. A
        // small log makes the next opening fast.
        let pages = self.inner.space.lock().pages();
        let worth = (pages / 64).max((pages / 8).min(CUT_MIN_BYTES / self.page_size() as u64));
        let scope = Scope { shrink_from: Some(worth), log_to_front: true, ..Scope::default() };
        let result = checkpoint::exclusive(&self.inner, scope)
            .and_then(|()| checkpoint::keep_scrub(&self.inner))
            // The mark of the last checkpoint, which nothing else would take along.
            .and_then(|()| self.inner.log.write_plain(&self.inner.poison));
        drop(unlock);
        // From here on a transaction would be lost without a word.
        self.inner.poison.refuse("the store was closed".into());
        result
    }

    /// The newest superblock of a storage, for tools.
    pub fn superblock(storage: &dyn Storage) -> Result<Superblock> {
        crate::superblock::newest(storage)
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "closing failed; the log holds what was acknowledged");
        }
    }
}

impl std::fmt::Debug for Pager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pager").field("storage", &self.inner.storage).finish_non_exhaustive()
    }
}

/// A version that stays readable as long as this lives.
#[derive(Debug)]
pub struct Reader {
    pager: Arc<Pager>,
    ticket: Ticket,
    version: Version,
}

impl Reader {
    /// What is read.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The pages of the version.
    pub fn view(&self) -> View<'_> {
        self.pager.view(self.version.stamp)
    }

    /// The pager it reads from.
    pub fn pager(&self) -> &Arc<Pager> {
        &self.pager
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.pager.inner.readers.leave(&self.ticket);
    }
}

/// A file that is closed is not cut for less, if that is no eighth of it.
const CUT_MIN_BYTES: u64 = 1 << 20;

impl Inner {
    #[inline]
    pub(crate) fn check_pointer(&self, pointer: &Pointer, newest: u64) -> Result<()> {
        #[cold]
        fn out_of_bounds(pointer: &Pointer, newest: u64) -> Error {
            Error::corrupted(
                pointer.page.0,
                "stamp of a pointer (at most the reader's)",
                newest,
                pointer.stamp,
            )
        }
        if pointer.stamp > newest || pointer.page.0 >= PageId::LIMIT {
            return Err(out_of_bounds(pointer, newest));
        }
        Ok(())
    }

    pub(crate) fn pin(&self, pointer: &Pointer, newest: u64) -> Result<PageRef<'_>> {
        self.check_pointer(pointer, newest)?;
        if let Some(page) = self.cache.pin(&epoch::enter(), pointer) {
            check_place(&page, pointer)?;
            return Ok(page);
        }
        self.load(pointer)
    }

    pub(crate) fn load(&self, pointer: &Pointer) -> Result<PageRef<'_>> {
        self.cache.load(pointer, |bytes| {
            self.read_page(pointer.page, bytes)?;
            verify_node(bytes, pointer, self.store)?;
            self.kinds.validate(bytes)?;
            Ok(())
        })
    }

    pub(crate) fn read_page(&self, page: PageId, bytes: &mut [u8]) -> Result<()> {
        let offset = self.geometry.offset(page);
        self.storage.read_at(bytes, offset).map_err(|e| self.reading_failed(page, e))
    }

    /// What it means that pages from `page` on could not be read.
    pub(crate) fn reading_failed(&self, page: PageId, error: std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            let pages = self.storage.len().unwrap_or(0) / self.geometry.page_size as u64;
            return Error::corrupted(page.0, "page inside the file", pages, page.0);
        }
        Error::io("reading a page", self.geometry.offset(page), error)
    }

    /// Reads as many raw pages, side by side, as `out` has room for.
    pub(crate) fn read_raw(&self, start: PageId, out: &mut [u8]) -> Result<()> {
        let size = self.geometry.page_size;
        let pages = start.0..start.0 + (out.len() / size) as u64;
        let crcs: Result<Vec<u32>> = {
            let mut space = self.space.lock();
            pages.clone().map(|page| Ok(space.entry(PageId(page))?.crc)).collect()
        };
        self.read_page(start, out)?;
        for ((page, bytes), crc) in pages.zip(out.chunks_exact(size)).zip(crcs?) {
            let found = crc32fast::hash(bytes);
            if found != crc && !mutant!(RawPageChecksumUnchecked) {
                let what = "checksum of a raw page";
                return Err(Error::corrupted(page, what, crc.into(), found.into()));
            }
        }
        Ok(())
    }

    /// Makes freed pages available that nobody needs any more. Writer lock held.
    pub(crate) fn reclaim(&self) {
        let active = self.readers.active();
        let (mut reclaimed, mut unread) = (Vec::new(), Vec::new());
        let mut space = self.space.lock();
        space.reclaim(&active, &mut reclaimed, &mut unread);
        drop(space);
        // Only the file has to keep these: their memory serves the next pages, while it is still in the
        // processor's caches.
        for run in unread {
            for page in run.start.0..run.end() {
                self.cache.drop_clean(page);
            }
        }
        for run in reclaimed {
            for page in run.start.0..run.end() {
                self.cache.discard(page);
            }
        }
    }
}
