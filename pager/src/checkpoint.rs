//! Checkpoints: a version becomes durable in the trees themselves, and the log's past dies.
//!
//! ```text
//!   writer lock held            no lock that a commit needs                    a moment
//! +-------------------+   +------------------------------------------+   +----------------+
//! | seal: version,    |   | pages, sorted, 256 KiB at a time         |   | slots toggle,  |
//! | dirty pages, map  |-->| map groups and directory (other slots)   |-->| log start moves|
//! | groups, log tail  |   | SYNC   superblock, both copies, durable  |   | pages reusable |
//! +-------------------+   +------------------------------------------+   +----------------+
//! ```
//!
//! The barrier before the superblock is the one order that matters: a superblock is written only
//! when all it reaches is durable. Commits go on during the middle part: sealed pages are
//! never written in place (their stamp is not the writer's), sealed map groups are copied before
//! they change (R6), and pages that the sealed version needs are not used again (R7b).
//!
//! An *exclusive* checkpoint keeps the writer lock to the end. Only such a one moves the log to a
//! larger ring or shortens the file, so no record can fall between two rings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    aligned::Aligned,
    cache::PageRef,
    counters::count,
    error::{Error, Result},
    hash::PageSet,
    log::{BLOCKS_MAX, BLOCKS_MIN, Record, Ring},
    log_writer::Sealed as SealedLog,
    map, mutant,
    page::{PageId, node_crc, put},
    pager::Inner,
    readers::Version,
    scrub,
    space::{Freed, InProgress, Run, Space},
    superblock::{self, LogStart, STAMP_WINDOW, SUPERBLOCK_SIZE, Superblock},
    write_behind,
};

/// Bytes written at a time: larger pieces delay the log's writes, smaller ones cost more calls.
pub(crate) const PIECE: usize = 256 << 10;
/// Pieces shorter than this are not written directly.
const DIRECT_MIN: usize = 64 << 10;
/// A ring that is too small grows by this factor at least ...
const LOG_GROWTH: u64 = 8;
/// ... and to this part of the file: a checkpoint of scattered writes costs as much as the store is large, so a
/// small store needs no large ring, and a large one should not have to grow its own step by step.
const LOG_SHARE: u64 = 4;
/// Least time that a paced checkpoint takes for each 256 KiB (about 400 MiB/s at most).
const PACE: Duration = Duration::from_micros(600);

/// An `Eventual` commit is durable after this time.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Bytes of a new ring that are cleared at a time while commits go on: one waits behind each of them.
const GENTLE_PIECE: usize = 64 << 10;

/// What a checkpoint should do besides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scope {
    /// Make the log hold a record of this size.
    pub(crate) log_for: Option<usize>,
    /// The stamp to use where a version of its own is needed: one below the stamp of the
    /// transaction that is being committed. Otherwise the next one.
    pub(crate) stamp: Option<u64>,
    /// Let the ring grow if it was the log that called for this checkpoint.
    pub(crate) grow_log: bool,
    /// Move the log to a small ring near the front (compaction).
    pub(crate) log_to_front: bool,
    /// Give free pages at the end of the file back if they are at least this many.
    pub(crate) shrink_from: Option<u64>,
}

/// A larger ring that is cleared and that nobody knows of yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadyRing {
    ring: Ring,
    run: Run,
    /// Where the ring began that it is to follow.
    follows: u64,
}

/// What the last checkpoint left, and what every checkpoint holds while it runs.
#[derive(Debug)]
pub(crate) struct CheckpointState {
    pub(crate) durable: Superblock,
    /// This opening has raised the stamp ceiling durably (R12).
    pub(crate) session: bool,
}

/// Everything a checkpoint needs, taken under the writer lock.
struct Seal {
    version: Version,
    stamp: u64,
    pages: Vec<PageId>,
    map: map::Sealed,
    file_pages: u64,
    log: SealedLog,
    new_ring: Option<(Ring, PageId)>,
    shrunk: bool,
}

/// Writes a checkpoint while the caller keeps the writer lock.
pub(crate) fn exclusive(inner: &Inner, scope: Scope) -> Result<()> {
    if !mutant!(TransientIoErrorCorruptsLater) {
        inner.poison.check()?;
    }
    let _poisoned = inner.poison.on_panic();
    let mut state = inner.checkpoint.lock();
    let sealed = inner.poison.on_failure(seal(inner, &state, scope))?;
    let Some(seal) = sealed else { return Ok(()) };
    let result = write(inner, &mut state, seal, false);
    inner.poison.on_failure(result)
}

/// Waits for the checkpoint that is being written, if one is: it makes room, and may spare another one.
pub(crate) fn await_running(inner: &Inner) {
    drop(inner.checkpoint.lock());
}

/// Seals under the writer lock, which the caller holds and this gives back, then writes.
pub(crate) fn seal_release_write(inner: &Inner, scope: Scope) -> Result<()> {
    let unlock = inner.writer.unlock_later();
    let _poisoned = inner.poison.on_panic();
    let mut state = inner.checkpoint.lock();
    let sealed =
        inner.poison.check().and_then(|()| inner.poison.on_failure(seal(inner, &state, scope)));
    drop(unlock);
    let Some(sealed) = sealed? else { return Ok(()) };
    let result = write(inner, &mut state, sealed, inner.config.background);
    inner.poison.on_failure(result)
}

/// The background thread: a checkpoint when one is called for, settled pages (R14), and once a second the durable write
/// that `Eventual` commits were promised.
pub(crate) fn background(inner: &Inner) {
    let mut synced = Instant::now();
    loop {
        let Some(work) = inner.wait_for_work(synced + SYNC_EVERY) else { return };
        let result = if work.checkpoint {
            let small =
                inner.log.blocks() < BLOCKS_MAX && inner.log.used() > inner.log.blocks() * 4096 / 2;
            if small {
                grow_log(inner)
            } else {
                inner.writer.lock().and_then(|()| seal_release_write(inner, Scope::default()))
            }
        } else if work.write_behind {
            write_behind::write_settled(inner)
        } else {
            Ok(())
        };
        let result = result.and_then(|()| {
            if synced.elapsed() < SYNC_EVERY {
                return Ok(());
            }
            synced = Instant::now();
            if inner.log.has_unsynced() && !mutant!(EventualNeverSynced) {
                inner.log.sync(&inner.poison)
            } else {
                Ok(())
            }
        });
        if let Err(error) = result
            && !matches!(error, Error::Poisoned { .. })
        {
            tracing::error!(%error, "background checkpoint failed");
        }
    }
}

/// Moves the log to a larger ring. That needs the writer lock until the superblock is durable, so what
/// takes long is done before, while commits go on: the new ring is cleared, and what is dirty written.
fn grow_log(inner: &Inner) -> Result<()> {
    let grow = Scope { grow_log: true, ..Scope::default() };
    {
        // Who finds the log full meanwhile waits for this ring, and clears none of his own.
        let mut place = inner.ready_ring.lock();
        let follows = inner.log.ring().offset;
        let mut space = inner.space.lock();
        let wanted = wanted_log_blocks(inner, &grow, inner.log.used(), space.pages());
        let taken = match wanted {
            Some(blocks) => take_ring(inner, &mut space, blocks),
            None => Ok(None),
        };
        drop(space);
        if let Some((ring, run)) = inner.poison.on_failure(taken)? {
            inner.poison.on_failure(zero_gently(inner, &ring))?;
            *place = Some(ReadyRing { ring, run, follows });
        }
    }
    let lock = || inner.writer.lock();
    let result = lock()
        .and_then(|()| seal_release_write(inner, Scope::default()))
        .and_then(|()| lock())
        .and_then(|()| {
            let _unlock = inner.writer.unlock_later();
            exclusive(inner, grow)
        });
    if let Some(unused) = inner.ready_ring.lock().take() {
        inner.space.lock().give_back(unused.run);
    }
    result
}

/// The ring that stands ready, if the log is still where it was then.
fn ready_ring(
    inner: &Inner,
    space: &mut Space,
    place: &mut Option<ReadyRing>,
) -> Option<(Ring, Run)> {
    let ready = place.take()?;
    if ready.follows == inner.log.ring().offset {
        return Some((ready.ring, ready.run));
    }
    space.give_back(ready.run);
    None
}

/// Space for a ring of so many blocks, or of as many as fit a disk that is nearly full. None: the log
/// stays as it is.
fn take_ring(inner: &Inner, space: &mut Space, blocks: u64) -> Result<Option<(Ring, Run)>> {
    let mut blocks = blocks;
    while blocks > inner.log.blocks() {
        match space.take_at_end(log_pages(inner, blocks)) {
            Ok(run) => {
                let ring = Ring { offset: inner.geometry.offset(run.start), blocks };
                return Ok(Some((ring, run)));
            }
            Err(Error::DiskFull { .. }) => blocks /= 2,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn seal(inner: &Inner, state: &CheckpointState, scope: Scope) -> Result<Option<Seal>> {
    inner.reclaim();
    // Before the space is locked: whoever makes a ring takes its space.
    let grows = scope.grow_log || scope.log_for.is_some();
    let ready = grows.then(|| {
        inner.ring_waiters.fetch_add(1, Ordering::Relaxed);
        let ready = inner.ready_ring.lock();
        inner.ring_waiters.fetch_sub(1, Ordering::Relaxed);
        ready
    });
    let log_used = inner.log.used();
    let mut space = inner.space.lock();
    let wanted_blocks = wanted_log_blocks(inner, &scope, log_used, space.pages());
    let mut shrunk = false;
    if let Some(worth) = scope.shrink_from {
        let target = space.shrinkable_to()?;
        if target + worth.max(1) <= space.pages() {
            space.cut(target)?;
            shrunk = true;
        }
    }
    let mut new_ring = ready.and_then(|mut place| ready_ring(inner, &mut space, &mut place));
    let blocks = new_ring.map_or(0, |(ring, _)| ring.blocks);
    if let Some(wanted) = wanted_blocks.filter(|&wanted| wanted > blocks)
        && let Some((ring, run)) = take_ring(inner, &mut space, wanted)?
    {
        zero_ring(inner, &ring)?;
        new_ring.replace((ring, run)).inspect(|&(_, unused)| space.give_back(unused));
    }
    if scope.log_to_front
        && let Some(run) = space.take_at_front(log_pages(inner, BLOCKS_MIN))?
    {
        let old = &state.durable.log;
        if old.blocks > BLOCKS_MIN || run.start < old.page {
            let ring = Ring { offset: inner.geometry.offset(run.start), blocks: BLOCKS_MIN };
            zero_ring(inner, &ring)?;
            new_ring = Some((ring, run));
        } else {
            space.give_back(run);
        }
    }
    if let Some((_, run)) = new_ring {
        // The old ring dies with a version of its own, so that R7b keeps it until the superblock
        // that names the new one is durable.
        let stamp = take_stamp(inner, scope.stamp);
        for page in run.start.0..run.end() {
            space.prepare(PageId(page))?;
            space.map.set_count(PageId(page), 1);
        }
        space.set_ring(run);
        let old = &state.durable.log;
        for page in old.page.0..old.page.0 + log_pages(inner, old.blocks) {
            space.prepare(PageId(page))?;
        }
        let length = log_pages(inner, old.blocks);
        if !mutant!(OldRingNotFreed) {
            space.free(&[Freed { start: old.page, length, birth: 0, death: stamp }]);
        }
    }
    let mut head = inner.head.lock();
    if !mutant!(SealedVersionContinued) {
        head.continuable = None;
    }
    let map = space.map.seal();
    let unchanged = map.is_empty()
        && space.dirty.is_empty()
        && head.version.root == state.durable.root
        && !inner.log.has_transactions()
        && !shrunk;
    if unchanged {
        return Ok(None);
    }
    let dirty = std::mem::take(&mut space.dirty);
    let pages: PageSet = dirty.into_keys().collect();
    let mut sorted: Vec<PageId> = pages.iter().copied().collect();
    sorted.sort_unstable();
    space.in_progress = Some(InProgress { stamp: head.version.stamp, pages: Arc::new(pages) });
    let log = match new_ring {
        Some((ring, _)) => {
            inner.log.seal()?;
            inner.log.relocate(ring)
        }
        None => inner.log.seal()?,
    };
    Ok(Some(Seal {
        version: head.version,
        stamp: head.next_stamp - 1,
        pages: sorted,
        map,
        file_pages: space.pages(),
        log,
        new_ring: new_ring.map(|(ring, run)| (ring, run.start)),
        shrunk,
    }))
}

/// Gives the head version a stamp of its own; no tree changes.
fn take_stamp(inner: &Inner, given: Option<u64>) -> u64 {
    let mut head = inner.head.lock();
    let stamp = given.unwrap_or(head.next_stamp);
    head.next_stamp = head.next_stamp.max(stamp + 1);
    debug_assert!(stamp > head.version.stamp);
    head.version.stamp = stamp;
    let version = head.version;
    drop(head);
    // Same root, so readers may have it at once unless an unacknowledged commit stands before it.
    if inner.readers.visible().root == version.root {
        inner.readers.publish(&version);
    }
    stamp
}

fn log_pages(inner: &Inner, blocks: u64) -> u64 {
    (blocks * 4096).div_ceil(inner.geometry.page_size as u64)
}

fn wanted_log_blocks(inner: &Inner, scope: &Scope, used: u64, file_pages: u64) -> Option<u64> {
    let blocks = inner.log.blocks();
    let mut wanted = blocks;
    if let Some(body) = scope.log_for {
        let record = Record::size(body) as u64 / 4096 + 4;
        while wanted < 4 * record && wanted < BLOCKS_MAX {
            wanted *= 2;
        }
    }
    if (scope.grow_log || scope.log_for.is_some()) && used > blocks * 4096 / 2 {
        let share = file_pages * inner.geometry.page_size as u64 / LOG_SHARE / 4096;
        wanted = wanted.max(LOG_GROWTH * blocks).max(share.next_power_of_two());
    }
    let wanted = wanted.min(BLOCKS_MAX).max(blocks);
    (wanted > blocks).then_some(wanted)
}

/// Space that was written once takes a durable write at half the cost of space that never was.
pub(crate) fn zero_ring(inner: &Inner, ring: &Ring) -> Result<()> {
    zero_pieces(inner, ring, || PIECE, |_| ())
}

/// The same, with as long a pause after each piece as it took, until somebody waits for the ring.
fn zero_gently(inner: &Inner, ring: &Ring) -> Result<()> {
    let hurry = || inner.ring_waiters.load(Ordering::Relaxed) > 0 || inner.background.lock().stop;
    let piece = || if hurry() { PIECE } else { GENTLE_PIECE };
    zero_pieces(inner, ring, piece, |took| {
        if !hurry() {
            std::thread::sleep(took);
        }
    })
}

/// `piece` says how many bytes are next, at most [`PIECE`]; `written` hears how long they took.
fn zero_pieces(
    inner: &Inner,
    ring: &Ring,
    piece: impl Fn() -> usize,
    written: impl Fn(Duration),
) -> Result<()> {
    let mut zeros = Aligned::default();
    zeros.reserve(PIECE).map_err(|e| Error::io("reserving a buffer", None, e))?;
    zeros.resize(PIECE);
    let mut done = 0;
    while done < ring.blocks * 4096 {
        let begin = Instant::now();
        let length = (ring.blocks * 4096 - done).min(piece() as u64);
        let offset = ring.offset + done;
        inner
            .storage
            .write_direct(&zeros[..length as usize], offset)
            .map_err(|e| Error::io("clearing the log", offset, e))?;
        count(&inner.counters.log, length as usize);
        done += length;
        written(begin.elapsed());
    }
    Ok(())
}

fn write(inner: &Inner, state: &mut CheckpointState, seal: Seal, paced: bool) -> Result<()> {
    let begin = Instant::now();
    begin_session(inner, state)?;
    if mutant!(LogStartMovedEarly) && seal.new_ring.is_none() {
        inner.log.retire(&seal.log, state.durable.checkpoint);
    }
    let mut writer = PageWriter::new(inner, paced)?;
    for &page in &seal.pages {
        if let Some(bytes) = inner.cache.dirty_page(page.0) {
            writer.push(page, &bytes)?;
        } else {
            debug_assert!(false, "sealed page {page} is not in memory");
        }
    }
    let crcs = writer.finish()?;
    for &page in &seal.pages {
        if let Some(written) = inner.cache.dirty_page(page.0) {
            inner.cache.clean(written);
        }
    }
    let mut map = seal.map;
    let plan = {
        let mut space = inner.space.lock();
        space.map.set_sealed_crcs(&mut map, &crcs);
        space.map.plan(&map, seal.file_pages)
    };
    let old_log = state.durable.log;
    let superblock = Superblock {
        checkpoint: state.durable.checkpoint + 1,
        stamp: seal.stamp,
        stamp_ceiling: seal.stamp + STAMP_WINDOW,
        root: seal.version.root,
        pages: seal.file_pages,
        free: plan.free,
        map: plan.root,
        delta: plan.delta.clone(),
        log: LogStart {
            page: seal.new_ring.map_or(old_log.page, |(_, page)| page),
            blocks: seal.new_ring.map_or(old_log.blocks, |(ring, _)| ring.blocks),
            at: seal.log.tail.at,
            sequence: seal.log.tail.sequence,
            chain: seal.log.tail.chain,
            generation: seal.log.generation,
        },
        scrub: inner.scrub.record(),
        ..state.durable.clone()
    };
    let length = superblock.pages * inner.geometry.page_size as u64;
    let cut = || {
        let cut = inner.storage.set_len(length);
        cut.map_err(|e| Error::io("shortening the file", length, e))
    };
    if mutant!(MapWrittenAfterSync) {
        barrier(inner)?;
    }
    write_map(inner, &plan.writes, paced)?;
    if mutant!(MetaBeforeData) {
        write_superblock(inner, &superblock)?;
    }
    if !mutant!(MapWrittenAfterSync) {
        barrier(inner)?;
    }
    if mutant!(FileCutEarly) && seal.shrunk {
        cut()?;
    }
    write_superblock(inner, &superblock)?;
    if mutant!(GrowthNotSyncedBeforeHeader) && inner.storage.len().is_ok_and(|now| now < length) {
        cut()?;
    }
    state.durable = superblock.clone();
    inner.checkpoint_number.store(superblock.checkpoint, Ordering::Relaxed);
    inner.stamp_ceiling.store(superblock.stamp_ceiling, Ordering::Relaxed);
    if let Some((ring, _)) = seal.new_ring {
        inner.log.adopt(ring);
    }
    inner.log.retire(&seal.log, superblock.checkpoint);
    {
        let mut space = inner.space.lock();
        space.map.adopt(plan);
        space.checkpoint_is_durable(seal.version.stamp);
    }
    if seal.shrunk {
        cut()?;
    }
    inner.log.mark()?;
    tracing::debug!(
        checkpoint = superblock.checkpoint,
        pages = seal.pages.len(),
        took = ?begin.elapsed(),
        "checkpoint"
    );
    Ok(())
}

/// Makes durable all that the superblock will name (I2).
fn barrier(inner: &Inner) -> Result<()> {
    if mutant!(SyncDropped) {
        return Ok(());
    }
    let mut synced = inner.storage.sync();
    if mutant!(FailedSyncRetried) && synced.is_err() {
        synced = inner.storage.sync();
    }
    if mutant!(FailedSyncIgnored) {
        return Ok(());
    }
    synced.map_err(|e| Error::io("syncing the checkpoint", None, e))
}

/// Before this opening writes its first page, a superblock with a raised stamp ceiling is durable:
/// should the power fail, the next opening starts above every stamp given here (R12).
pub(crate) fn ensure_session(inner: &Inner) -> Result<()> {
    let mut state = inner.checkpoint.lock();
    let result = begin_session(inner, &mut state);
    inner.poison.on_failure(result)
}

/// All stamps below the durable ceiling were given out: a superblock with a higher one comes first.
pub(crate) fn raise_stamp_ceiling(inner: &Inner) -> Result<()> {
    let mut state = inner.checkpoint.lock();
    state.session = false;
    let result = begin_session(inner, &mut state);
    inner.poison.on_failure(result)
}

pub(crate) fn begin_session(inner: &Inner, state: &mut CheckpointState) -> Result<()> {
    if state.session || mutant!(NoSessionSuperblock) {
        return Ok(());
    }
    // A power cut may have torn the second copy, or left the one before it. It is made good before
    // the other slot is written, or a second cut could leave this slot without any copy of its own.
    let slot = state.durable.checkpoint % 2;
    let copies = superblock::read_all(&*inner.storage)?;
    inner.scrub.note(scrub::overwritten(inner, &copies, &state.durable));
    for (index, found) in (0u64..).zip(copies) {
        if index % 2 != slot || mutant!(TornCopyNotMended) {
            continue;
        }
        match found {
            // Never the whole one: it is the only one there is.
            Ok(found) if found == state.durable => {}
            // It may be that.
            Err(error @ Error::Io { .. }) => return Err(error),
            _ => write_copy(inner, &state.durable, index / 2)?,
        }
    }
    let stamp = inner.head.lock().next_stamp;
    let superblock = Superblock {
        checkpoint: state.durable.checkpoint + 1,
        stamp_ceiling: stamp + STAMP_WINDOW,
        scrub: inner.scrub.record(),
        ..state.durable.clone()
    };
    let torn = if mutant!(TornSlotReblessedByRecovery) {
        superblock::torn(&*inner.storage)?
    } else {
        [const { None }; 4]
    };
    write_superblock(inner, &superblock)?;
    for (index, torn) in torn.iter().enumerate() {
        if let Some(torn) = torn {
            write_copy(inner, torn, index as u64 / 2)?;
        }
    }
    adopt(inner, state, superblock);
    state.session = true;
    Ok(())
}

/// A superblock that names the same checkpoint as the one before is durable.
fn adopt(inner: &Inner, state: &mut CheckpointState, superblock: Superblock) {
    inner.log.set_durable_checkpoint(superblock.checkpoint);
    inner.stamp_ceiling.store(superblock.stamp_ceiling, Ordering::Relaxed);
    inner.checkpoint_number.store(superblock.checkpoint, Ordering::Relaxed);
    state.durable = superblock;
}

/// Writes down how far the scrub is, if the durable superblock does not say so already.
pub(crate) fn keep_scrub(inner: &Inner) -> Result<()> {
    if inner.read_only || mutant!(ScrubProgressNotKept) {
        return Ok(());
    }
    let mut state = inner.checkpoint.lock();
    inner.poison.check()?;
    let _poisoned = inner.poison.on_panic();
    let scrub = inner.scrub.record();
    if state.durable.scrub == scrub {
        return Ok(());
    }
    let result = if state.session {
        let checkpoint = state.durable.checkpoint + 1;
        let superblock = Superblock { checkpoint, scrub, ..state.durable.clone() };
        write_superblock(inner, &superblock).map(|()| adopt(inner, &mut state, superblock))
    } else {
        begin_session(inner, &mut state)
    };
    inner.poison.on_failure(result)
}

/// Both copies, one after the other, each durable before the next begins.
pub(crate) fn write_superblock(inner: &Inner, superblock: &Superblock) -> Result<()> {
    let copies = if mutant!(SuperblockWrittenOnce) { 1 } else { 2 };
    (0..copies).try_for_each(|copy| write_copy(inner, superblock, copy))?;
    if mutant!(SuperblockCopiesAtOnce) {
        inner.storage.sync().map_err(|e| Error::io("syncing the superblock", None, e))?;
    }
    Ok(())
}

fn write_copy(inner: &Inner, superblock: &Superblock, copy: u64) -> Result<()> {
    let mut bytes = Aligned::default();
    bytes.reserve(SUPERBLOCK_SIZE).map_err(|e| Error::io("reserving a buffer", None, e))?;
    bytes.extend(&superblock.encode());
    let offset = Superblock::offset(superblock.checkpoint % 2, copy);
    let written = if mutant!(SuperblockNotDurable | SuperblockCopiesAtOnce) {
        inner.storage.write_at(&bytes, offset)
    } else {
        inner.storage.write_durable(&bytes, offset)
    };
    written.map_err(|e| Error::io("writing the superblock", offset, e))?;
    count(&inner.counters.superblock, SUPERBLOCK_SIZE);
    Ok(())
}

fn write_map(inner: &Inner, writes: &[(PageId, Vec<u8>)], paced: bool) -> Result<()> {
    let mut out = Pieces::new(inner, paced, &inner.counters.map)?;
    for (page, bytes) in writes {
        out.push(*page)?.copy_from_slice(bytes);
    }
    out.flush()
}

/// Writes node pages, coalescing neighbours; checksums are put into the I/O buffer, never into a
/// frame that readers share.
pub(crate) struct PageWriter<'i> {
    out: Pieces<'i>,
    crcs: Vec<(PageId, u32)>,
}

impl<'i> PageWriter<'i> {
    pub(crate) fn new(inner: &'i Inner, paced: bool) -> Result<PageWriter<'i>> {
        Ok(PageWriter { out: Pieces::new(inner, paced, &inner.counters.pages)?, crcs: Vec::new() })
    }

    pub(crate) fn push(&mut self, page: PageId, bytes: &PageRef<'_>) -> Result<()> {
        let target = self.out.push(page)?;
        target.copy_from_slice(bytes);
        let crc = node_crc(target);
        put(target, 0, &crc.to_le_bytes());
        self.crcs.push((page, crc));
        Ok(())
    }

    /// Writes the rest; returns the checksum of each page.
    pub(crate) fn finish(&mut self) -> Result<Vec<(PageId, u32)>> {
        let result = self.out.flush();
        self.out.inner.poison.on_failure(result)?;
        Ok(std::mem::take(&mut self.crcs))
    }
}

/// Collects neighbouring pages into pieces of 256 KiB.
struct Pieces<'i> {
    inner: &'i Inner,
    buffer: Aligned,
    start: PageId,
    /// Where the bytes are counted.
    written: &'i AtomicU64,
    paced: bool,
    /// Bytes written since the last pause, and when that was.
    unpaced: usize,
    last: Instant,
}

impl<'i> Pieces<'i> {
    fn new(inner: &'i Inner, paced: bool, written: &'i AtomicU64) -> Result<Pieces<'i>> {
        let mut buffer = Aligned::default();
        buffer.reserve(PIECE).map_err(|e| Error::io("reserving a buffer", None, e))?;
        let start = PageId::NONE;
        Ok(Pieces { inner, buffer, start, written, paced, unpaced: 0, last: Instant::now() })
    }

    /// Room for `page` in the buffer; writes what is there if the page does not continue it.
    fn push(&mut self, page: PageId) -> Result<&mut [u8]> {
        let size = self.inner.geometry.page_size;
        let pages = (self.buffer.len() / size) as u64;
        if pages > 0 && (self.start.0 + pages != page.0 || self.buffer.len() + size > PIECE) {
            self.flush()?;
        }
        if self.buffer.is_empty() {
            self.start = page;
        }
        let at = self.buffer.len();
        self.buffer.resize(at + size);
        Ok(&mut self.buffer[at..])
    }

    fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let _poisoned = self.inner.poison.on_panic();
        let offset = self.inner.geometry.offset(self.start);
        // Direct writes wait for the disk each: worth it for long pieces only. Short ones go through
        // the system's cache, which the barrier before the superblock empties.
        let result = if self.buffer.len() >= DIRECT_MIN {
            self.inner.storage.write_direct(&self.buffer, offset)
        } else {
            self.inner.storage.write_at(&self.buffer, offset)
        };
        let result = result.map_err(|e| Error::io("writing pages", offset, e));
        self.inner.poison.on_failure(result)?;
        count(self.written, self.buffer.len());
        self.unpaced += self.buffer.len();
        self.buffer.clear();
        if self.paced && self.unpaced >= PIECE {
            self.unpaced = 0;
            // Commits would wait for the log's space longer than they wait for the disk.
            let hurried = self.inner.log.used() > self.inner.log.blocks() * 4096 / 4 * 3;
            let due = self.last + PACE;
            let now = Instant::now();
            if now < due && !hurried {
                std::thread::sleep(due - now);
            }
            self.last = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
