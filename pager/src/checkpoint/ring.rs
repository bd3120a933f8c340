//! The log's ring: where it goes when it is to be larger or nearer to the front, and its clearing.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{PIECE, Scope, exclusive, make};
use crate::{
    aligned::Aligned,
    counters::count,
    error::{Error, Result},
    log::{BLOCKS_MAX, Record, Ring},
    pager::Inner,
    space::{Run, Space},
};

/// A ring that is too small grows by this factor at least ...
const LOG_GROWTH: u64 = 8;
/// ... and to this part of the file: a checkpoint of scattered writes costs as much as the store is large, so a
/// small store needs no large ring, and a large one should not have to grow its own step by step.
const LOG_SHARE: u64 = 4;
/// Bytes of a new ring that are cleared at a time while commits go on: one waits behind each of them.
const GENTLE_PIECE: usize = 64 << 10;

/// A larger ring that is cleared and that nobody knows of yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadyRing {
    pub(super) ring: Ring,
    pub(super) run: Run,
    /// Where the ring began that it is to follow.
    pub(super) follows: u64,
}

/// Moves the log to a larger ring. That needs the writer lock until the superblock is durable, so what
/// takes long is done before, while commits go on: the new ring is cleared, and what is dirty written.
pub(crate) fn grow_log(inner: &Inner) -> Result<()> {
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
    let result = make(inner).and_then(|()| inner.writer.lock()).and_then(|()| {
        let _unlock = inner.writer.unlock_later();
        exclusive(inner, grow)
    });
    if let Some(unused) = inner.ready_ring.lock().take() {
        inner.space.lock().give_back(unused.run);
    }
    result
}

/// The ring that stands ready, if the log is still where it was then.
pub(super) fn ready_ring(
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
pub(super) fn take_ring(
    inner: &Inner,
    space: &mut Space,
    blocks: u64,
) -> Result<Option<(Ring, Run)>> {
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

pub(super) fn log_pages(inner: &Inner, blocks: u64) -> u64 {
    (blocks * 4096).div_ceil(inner.geometry.page_size as u64)
}

pub(super) fn wanted_log_blocks(
    inner: &Inner,
    scope: &Scope,
    used: u64,
    file_pages: u64,
) -> Option<u64> {
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
    let hurry = || inner.ring_waiters.load(Ordering::Relaxed) > 0 || inner.background.is_stopping();
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
