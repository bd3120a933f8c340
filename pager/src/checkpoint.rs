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

mod pace;
mod pieces;
mod ring;
mod session;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use parking_lot::MutexGuard;

use crate::{
    error::{Error, Result},
    hash::NumberMap,
    log::{BLOCKS_MIN, Ring},
    log_writer::Sealed as SealedLog,
    map, mutant,
    page::PageId,
    pager::Inner,
    readers::Version,
    space::{Freed, InProgress},
    superblock::{LogStart, STAMP_WINDOW, Superblock},
};

use pace::Pace;
use pieces::{DIRECT_MIN, write_map};
pub(crate) use pieces::{PIECE, PageWriter};
pub(crate) use ring::{ReadyRing, grow_log, zero_ring};
use ring::{log_pages, ready_ring, take_ring, wanted_log_blocks};
pub(crate) use session::{
    begin_session, ensure_session, keep_scrub, raise_stamp_ceiling, write_superblock,
};

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
    /// What was dirty.
    pages: Arc<NumberMap<PageId, u64>>,
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
    let mut state = lock(inner);
    let sealed = inner.poison.on_failure(seal(inner, &state, scope))?;
    let Some(seal) = sealed else { return Ok(()) };
    let result = write(inner, &mut state, seal, false);
    inner.poison.on_failure(result)
}

/// Waits, in place of a writer, for the checkpoint that is being written, if one is: it makes room, and may
/// spare another one.
pub(crate) fn await_running(inner: &Inner) {
    drop(lock(inner));
}

/// The checkpoint mutex, for those who keep writers waiting: a checkpoint that is being written makes
/// haste then.
fn lock(inner: &Inner) -> MutexGuard<'_, CheckpointState> {
    inner.checkpoint.try_lock().unwrap_or_else(|| {
        inner.checkpoint_waiters.fetch_add(1, Ordering::Relaxed);
        let state = inner.checkpoint.lock();
        inner.checkpoint_waiters.fetch_sub(1, Ordering::Relaxed);
        state
    })
}

/// Makes a checkpoint while others write; the caller does not hold the writer lock.
pub(crate) fn make(inner: &Inner) -> Result<()> {
    loop {
        // Whoever waited for one with the writer lock would keep all writers waiting.
        drop(inner.checkpoint.lock());
        inner.writer.lock()?;
        if let Some(state) = inner.checkpoint.try_lock() {
            drop(state);
            return seal_release_write(inner, Scope::default());
        }
        inner.writer.unlock();
    }
}

/// Seals under the writer lock, which the caller holds and this gives back, then writes.
pub(crate) fn seal_release_write(inner: &Inner, scope: Scope) -> Result<()> {
    let unlock = inner.writer.unlock_later();
    let _poisoned = inner.poison.on_panic();
    let mut state = lock(inner);
    let sealed =
        inner.poison.check().and_then(|()| inner.poison.on_failure(seal(inner, &state, scope)));
    drop(unlock);
    let Some(sealed) = sealed? else { return Ok(()) };
    let result = write(inner, &mut state, sealed, inner.config.background);
    inner.poison.on_failure(result)
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
    let pages = Arc::new(dirty);
    space.in_progress = Some(InProgress { stamp: head.version.stamp, pages: pages.clone() });
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
        pages,
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

fn write(inner: &Inner, state: &mut CheckpointState, seal: Seal, paced: bool) -> Result<()> {
    let begin = Instant::now();
    begin_session(inner, state)?;
    if mutant!(LogStartMovedEarly) && seal.new_ring.is_none() {
        inner.log.retire(&seal.log, state.durable.checkpoint);
    }
    let page_size = inner.geometry.page_size as u64;
    let pace = |pages: usize| paced.then(|| Pace::new(inner, pages as u64 * page_size));
    let mut pages: Vec<PageId> = seal.pages.keys().copied().collect();
    pages.sort_unstable();
    let mut writer = PageWriter::new(inner, pace(pages.len()))?;
    for &page in &pages {
        if let Some(bytes) = inner.cache.dirty_page(page.0) {
            writer.push(page, &bytes)?;
        } else {
            debug_assert!(false, "sealed page {page} is not in memory");
        }
    }
    let crcs = writer.finish()?;
    for &page in &pages {
        if let Some(written) = inner.cache.dirty_page(page.0) {
            inner.cache.clean(written);
        }
    }
    let mut map = seal.map;
    let directory = {
        let mut space = inner.space.lock();
        space.map.set_sealed_crcs(&mut map, &crcs);
        space.map.directory()
    };
    let plan = directory.plan(inner.geometry, &map, seal.file_pages);
    let old_log = state.durable.log;
    let superblock = Superblock {
        checkpoint: state.durable.checkpoint + 1,
        stamp: seal.stamp,
        stamp_ceiling: seal.stamp + STAMP_WINDOW,
        root: seal.version.root,
        pages: seal.file_pages,
        free: plan.free,
        map: plan.root,
        delta: plan.directory.delta.clone(),
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
    let length = superblock.pages * page_size;
    let cut = || {
        let cut = inner.storage.set_len(length);
        cut.map_err(|e| Error::io("shortening the file", length, e))
    };
    if mutant!(MapWrittenAfterSync) {
        barrier(inner)?;
    }
    write_map(inner, &plan.writes, pace(plan.writes.len()))?;
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
        pages = pages.len(),
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

#[cfg(test)]
mod tests;
