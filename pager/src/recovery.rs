//! Creating a store, opening one, and what a power cut left in the log.
//!
//! Opening reads the newest valid superblock, the map's directory, and the valid prefix of the
//! log; its cost is bounded by the log, not by the store. Replay runs through the owner's ordinary
//! write path, from memory to memory: nothing is repaired in place, so a crash during recovery
//! changes nothing (but for a raised stamp ceiling).
//!
//! - What recovery accepts it first makes durable (R9): bytes of the log may have survived a dying
//!   process in the system's cache only.
//! - Stamps start above the durable ceiling (R12): no page of the lost past passes for a new one.
//!
//! Creation first writes a mark (the magic and nothing else), so that a half-made store is told from
//! somebody else's file; the superblock comes last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use crate::{
    aligned::Aligned,
    background::Background,
    cache::Cache,
    checkpoint::{self, CheckpointState, Scope},
    counters::Counters,
    error::{Error, Result},
    geometry::{Geometry, SUPERBLOCK_AREA},
    lock::WriterLock,
    log::{BLOCKS_MIN, KIND_TRANSACTION, Ring, Scan, Tail},
    log_writer::LogWriter,
    map::Map,
    mutant,
    page::{PageId, Pointer},
    pager::{Config, Head, Inner, Kinds},
    poison::Poison,
    readers::{Readers, Version},
    scrub::{Scrub, ScrubRecord},
    space::{Run, Space},
    storage::{BLOCK, OverlayStorage, Storage},
    superblock::{self, LogStart, MAGIC, SUPERBLOCK_SIZE, Superblock},
    transaction::Transaction,
};

/// The valid prefix of the log that opening found; see [`crate::Pager::recover`].
#[derive(Debug)]
pub struct Replay {
    start: LogStart,
    checkpoint: u64,
    records: u64,
    transactions: u64,
    end: Tail,
    generation: u64,
    synced: bool,
    bodies: Option<Bodies>,
}

impl Replay {
    /// Transactions that the log has.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// The bodies of the log's transactions, for who answers from them while they are replayed. `None`: there are
    /// more of them than an eighth of the cache's size, there are to be no background threads, or they were
    /// taken already.
    pub fn take_bodies(&mut self) -> Option<Bodies> {
        self.bodies.take()
    }

    /// Makes durable what was accepted (R9): before anything is written that builds on it, and before anybody is
    /// told what is not known to be.
    pub(crate) fn sync(&mut self, storage: &dyn Storage) -> Result<()> {
        if self.transactions > 0 && !self.synced && !mutant!(RecoveryDoesNotSync) {
            storage.sync().map_err(|e| Error::io("syncing the log before replay", None, e))?;
        }
        self.synced = true;
        Ok(())
    }
}

/// Bodies of log records, in their order.
#[derive(Debug, Default)]
pub struct Bodies {
    /// One behind the other.
    pub bytes: Vec<u8>,
    /// Where each of them ends.
    pub ends: Vec<usize>,
    /// How many of them are durable, as records of the log prove; the others are after [`crate::Pager::sync_replay`].
    pub durable: usize,
    /// The logical position behind each record.
    behind: Vec<u64>,
}

impl Bodies {
    /// Takes one more, if all of them then take at most `limit` bytes, the lists included.
    fn push(mut self, body: &[u8], behind: u64, limit: usize) -> Option<Bodies> {
        let lists = 2 * size_of::<u64>() * (self.ends.len() + 1);
        if self.bytes.len() + body.len() + lists > limit {
            return None;
        }
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
        self.behind.push(behind);
        Some(self)
    }

    /// A record says that everything below `position` was durable when it was written.
    fn set_durable_below(&mut self, position: u64) {
        while self.behind.get(self.durable).is_some_and(|&behind| behind <= position) {
            self.durable += 1;
        }
    }
}

/// The part of the cache's size that the log's bodies may take while they are replayed.
const BODIES_PART: usize = 8;

pub(crate) fn is_unfinished(storage: &dyn Storage) -> Result<bool> {
    let length = storage.len().map_err(|e| Error::io("reading the file's length", None, e))?;
    if length == 0 {
        return Ok(true);
    }
    if length == SUPERBLOCK_AREA {
        // A power cut during creation may keep the new length and lose the mark.
        let mut bytes = vec![0; SUPERBLOCK_AREA as usize];
        storage.read_at(&mut bytes, 0).map_err(|e| Error::io("reading the superblock", 0, e))?;
        if bytes.iter().all(|&byte| byte == 0) {
            return Ok(true);
        }
    }
    let mut bytes = vec![0; SUPERBLOCK_SIZE];
    if length < SUPERBLOCK_SIZE as u64 {
        return Ok(false);
    }
    storage.read_at(&mut bytes, 0).map_err(|e| Error::io("reading the superblock", 0, e))?;
    if bytes != creation_mark() {
        return Ok(false);
    }
    Ok(superblock::read_all(storage)?
        .iter()
        .all(|copy| matches!(copy, Err(Error::NotADatabase | Error::Corrupted(_)))))
}

fn creation_mark() -> Vec<u8> {
    let mut bytes = vec![0; SUPERBLOCK_SIZE];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes
}

pub(crate) fn create(
    storage: Arc<dyn Storage>,
    config: Config,
    kinds: Arc<dyn Kinds>,
) -> Result<Inner> {
    if storage.is_read_only() {
        return Err(Error::ReadOnly);
    }
    let Some(geometry) = Geometry::new(config.page_size) else {
        return Err(Error::InvalidArgument(format!(
            "page size {} (a power of two from 4096 to 65536)",
            config.page_size
        )));
    };
    let write =
        |operation, result: std::io::Result<()>| result.map_err(|e| Error::io(operation, None, e));
    write("creating the file", storage.set_len(SUPERBLOCK_AREA))?;
    let mut mark = Aligned::default();
    write("creating the file", mark.reserve(SUPERBLOCK_SIZE))?;
    mark.extend(&creation_mark());
    if !mutant!(CrashDuringFirstInitialisation) {
        write("creating the file", storage.write_durable(&mark, 0))?;
    }
    write("creating the file", storage.sync())?;

    let page_size = geometry.page_size as u64;
    let ring_pages = (BLOCKS_MIN * 4096).div_ceil(page_size);
    let pages = geometry.reserved(0) + ring_pages;
    if pages * page_size > config.max_size {
        return Err(Error::DiskFull { pages });
    }
    write("creating the file", storage.set_len(pages * page_size))?;
    let map = Map::new(geometry, config.cache_size / 8);
    let max_pages = config.max_size / page_size;
    let mut space = Space::new(map, geometry, storage.clone(), 0, max_pages, 0);
    space.extend(pages)?;
    let ring_run = Run { start: PageId(geometry.reserved(0)), length: ring_pages };
    space.take_exactly(ring_run);
    space.set_ring(ring_run);
    for page in ring_run.start.0..ring_run.end() {
        space.map.set_count(PageId(page), 1);
    }
    let ring = Ring { offset: geometry.offset(ring_run.start), blocks: BLOCKS_MIN };
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let start = Tail { at: BLOCKS_MIN * 4096, sequence: 1, chain: 0 };
    let store = fastrand::u64(1..);
    let inner = Inner {
        cache: Cache::new(config.cache_size, geometry.page_size)?,
        log: LogWriter::new(storage.clone(), store, ring, start, 1, 0),
        readers: Readers::new(Version { stamp: 1, root: Pointer::NONE }),
        head: Mutex::new(Head {
            version: Version { stamp: 1, root: Pointer::NONE },
            next_stamp: 2,
            continuable: None,
        }),
        space: Mutex::new(space),
        checkpoint: Mutex::new(CheckpointState {
            durable: Superblock::default_for(
                geometry.page_size,
                store,
                created,
                ring_run,
                BLOCKS_MIN,
            ),
            session: true,
        }),
        checkpoint_number: AtomicU64::new(0),
        stamp_ceiling: AtomicU64::new(u64::MAX),
        poison: Poison::default(),
        counters: Counters::default(),
        value_buffer: Mutex::default(),
        ready_ring: Mutex::default(),
        checkpoint_waiters: AtomicUsize::default(),
        ring_waiters: AtomicUsize::default(),
        scrub: Scrub::new(&config, ScrubRecord::default()),
        background: Background::default(),
        writer: WriterLock::default(),
        read_only: false,
        geometry,
        store,
        created,
        storage,
        config,
        kinds,
    };
    checkpoint::zero_ring(&inner, &ring)?;
    checkpoint::exclusive(&inner, Scope::default())?;
    Ok(inner)
}

pub(crate) fn open(
    storage: Arc<dyn Storage>,
    mut config: Config,
    kinds: Arc<dyn Kinds>,
) -> Result<(Inner, Replay)> {
    let copies = superblock::read_all(&*storage)?;
    let torn = copies.iter().any(std::result::Result::is_err);
    let found = superblock::newest_of(copies)?;
    let Some(geometry) = Geometry::new(found.page_size as usize) else {
        return Err(Error::corrupted(0, "page size", 4096, found.page_size.into()));
    };
    config.page_size = geometry.page_size;
    let page_size = geometry.page_size as u64;
    let length = storage.len().map_err(|e| Error::io("reading the file's length", None, e))?;
    if length < found.pages * page_size {
        return Err(Error::corrupted(0, "file length", found.pages * page_size, length));
    }
    let read_only = storage.is_read_only();
    // What is written while a store is open for reading (by replay) stays in memory.
    let storage: Arc<dyn Storage> = if read_only {
        let overlay = OverlayStorage::new(storage)
            .map_err(|e| Error::io("reading the file's length", None, e))?;
        Arc::new(overlay)
    } else {
        storage
    };
    let budget = config.cache_size / 8;
    let map = Map::open(geometry, &*storage, &found.map, &found.delta, found.pages, budget)?;
    let max_pages = config.max_size / page_size;
    let mut space = Space::new(map, geometry, storage.clone(), found.pages, max_pages, found.stamp);
    let ring_pages = (found.log.blocks * 4096).div_ceil(page_size);
    space.set_ring(Run { start: found.log.page, length: ring_pages });

    let scan = || Scan::new(&*storage, &geometry, &found.log, found.store, found.checkpoint);
    let mut first = scan();
    let mut body = Vec::new();
    let mut replay = Replay {
        start: found.log,
        checkpoint: found.checkpoint,
        records: 0,
        transactions: 0,
        end: first.tail(),
        generation: found.log.generation,
        synced: false,
        bodies: config.background.then(Bodies::default),
    };
    let mut newest_stamp = 0;
    while let Some(record) = first.next(&mut body)? {
        newest_stamp = newest_stamp.max(record.stamp);
        replay.records += 1;
        if record.kind == KIND_TRANSACTION {
            replay.transactions += 1;
            let limit = config.cache_size / BODIES_PART;
            let behind = first.tail().at;
            replay.bodies = replay.bodies.take().and_then(|kept| kept.push(&body, behind, limit));
        }
        if let Some(bodies) = &mut replay.bodies {
            bodies.set_durable_below(record.durable_block.saturating_mul(BLOCK as u64));
        }
        replay.end = first.tail();
        replay.generation = record.generation;
    }
    // Above every stamp that the past may have given to a page (R12) or to a transaction of the log;
    // the root's own stamp stays readable.
    let stamp = found.stamp_ceiling.max(newest_stamp);
    let mut version = Version { stamp, root: found.root };
    if mutant!(StampsStartAtSuperblock)
        || mutant!(TransactionIdReusedAfterRepair) && replay.transactions > 0
    {
        version.stamp = found.stamp;
    }
    let inner = Inner {
        cache: Cache::new(config.cache_size, geometry.page_size)?,
        log: LogWriter::new(
            storage.clone(),
            found.store,
            Ring::new(&found.log, &geometry),
            Tail::start(&found.log),
            found.log.generation,
            found.checkpoint,
        ),
        readers: Readers::new(version),
        head: Mutex::new(Head { version, next_stamp: version.stamp + 1, continuable: None }),
        space: Mutex::new(space),
        checkpoint: Mutex::new(CheckpointState { durable: found.clone(), session: false }),
        checkpoint_number: AtomicU64::new(found.checkpoint),
        stamp_ceiling: AtomicU64::new(u64::MAX),
        poison: Poison::default(),
        counters: Counters::default(),
        value_buffer: Mutex::default(),
        ready_ring: Mutex::default(),
        checkpoint_waiters: AtomicUsize::default(),
        ring_waiters: AtomicUsize::default(),
        scrub: Scrub::new(&config, found.scrub.or_none()),
        background: Background::default(),
        writer: WriterLock::default(),
        read_only,
        geometry,
        store: found.store,
        created: found.created,
        storage,
        config,
        kinds,
    };
    inner.log.begin_replay();
    if !read_only && torn {
        replay.sync(&*inner.storage)?;
        // A torn copy is made good before anything else is written. It may be that of a checkpoint
        // that never was, whole but for sectors that a second torn write of the slot could heal; until
        // here that checkpoint is still true.
        checkpoint::ensure_session(&inner)?;
    }
    Ok((inner, replay))
}

/// Records of the log on their way into one transaction, and where the log goes on behind them.
#[derive(Default)]
struct Group {
    bodies: Vec<Vec<u8>>,
    bytes: usize,
    /// Tail and generation behind each record.
    behind: Vec<(Tail, u64)>,
}

/// Bytes of the records that are replayed in one transaction: more would copy hardly any page less often.
const GROUP_BYTES: usize = 1 << 20;

impl Group {
    fn push(&mut self, body: &[u8], tail: Tail, generation: u64) {
        self.bodies.push(body.to_vec());
        self.bytes += body.len();
        self.behind.push((tail, generation));
    }

    /// Brings all of it back, in one transaction if that is possible, else in one for each record: a store
    /// that is full may need the checkpoints between them, and a record that cannot be replayed is
    /// reported by itself.
    fn replay<E: From<Error>>(
        self,
        inner: &Arc<Inner>,
        apply: &mut impl FnMut(Transaction, &[Vec<u8>]) -> std::result::Result<Transaction, E>,
    ) -> std::result::Result<(), E> {
        let mut together = |bodies: &[Vec<u8>], &(tail, generation): &(Tail, u64)| {
            inner.writer.lock()?;
            let transaction = apply(Transaction::begin(inner)?, bodies)?;
            transaction.commit_replayed(tail, generation);
            Ok(())
        };
        let Some(end) = self.behind.last() else { return Ok(()) };
        match together(&self.bodies, end) {
            Err(_) if self.bodies.len() > 1 => self
                .bodies
                .chunks(1)
                .zip(&self.behind)
                .try_for_each(|(body, behind)| together(body, behind)),
            result => result,
        }
    }
}

/// Brings the transactions of the log back. `joins` says of a record whether it may be replayed in one
/// transaction with the one before it.
pub(crate) fn replay<E: From<Error>>(
    inner: &Arc<Inner>,
    mut replay: Replay,
    joins: impl Fn(&[u8], &[u8]) -> bool,
    mut apply: impl FnMut(Transaction, &[Vec<u8>]) -> std::result::Result<Transaction, E>,
) -> std::result::Result<(), E> {
    replay.sync(&*inner.storage)?;
    let mut scan =
        Scan::new(&*inner.storage, &inner.geometry, &replay.start, inner.store, replay.checkpoint);
    let mut body = Vec::new();
    let mut group = Group::default();
    for number in 0..replay.records {
        let Some(record) = scan.next(&mut body)? else {
            return Err(Error::corrupted(0, "log records at replay", replay.records, number).into());
        };
        if record.kind != KIND_TRANSACTION {
            match group.behind.last_mut() {
                Some(behind) => *behind = (scan.tail(), record.generation),
                None => inner.log.set_replayed(scan.tail(), record.generation),
            }
            continue;
        }
        if let Some(before) = group.bodies.last()
            && (group.bytes + body.len() > GROUP_BYTES || !joins(before, &body))
        {
            std::mem::take(&mut group).replay(inner, &mut apply)?;
        }
        group.push(&body, scan.tail(), record.generation);
    }
    group.replay(inner, &mut apply)?;
    // A generation that no lost life of this store has used: a record of one must not continue the
    // chain, even behind a record that repeats its words.
    let generation = if mutant!(GenerationReused) {
        replay.generation
    } else {
        replay.generation + 1 + u64::from(fastrand::u32(..))
    };
    // Marks alone are synced when a record is to follow them that must not be lost.
    let owes_sync = replay.transactions == 0 && replay.records > 0;
    inner.log.end_replay(replay.end, generation, owes_sync && !mutant!(RecoveryDoesNotSync));
    let page_size = inner.geometry.page_size as u64;
    inner.space.lock().set_max_pages(inner.config.max_size / page_size);
    let version = inner.head.lock().version;
    inner.readers.publish(&version);
    if replay.transactions > 0 {
        tracing::info!(transactions = replay.transactions, "recovered from the log");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
