//! How fast a checkpoint writes while commits go on: as fast as the disk takes it where writers wait
//! for its end, else so that commits hardly notice.
//!
//! A durable commit waits for what stands before it in the disk's queue. On a disk with a cache of
//! its own it waits for what that cache holds, too, since such a disk does nothing before it is
//! told to; so a checkpoint that writes beside commits tells it to, again and again.
//!
//! | gait | when | pieces | sync after | pause |
//! |---|---|---|---|---|
//! | hurried | writers wait for it, nobody waits for the disk, or the log is nearly full | 256 KiB | 1 MiB | |
//! | brisk | the log fills faster than the checkpoint gets on | 256 KiB | 256 KiB | |
//! | gentle | else | 64 KiB | 64 KiB | until 1 ms after the last one |

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{DIRECT_MIN, PIECE};
use crate::pager::Inner;

/// Least time that a gentle piece takes.
const GENTLE: Duration = Duration::from_millis(1);
/// What may be in the disk's cache in a hurry: the next who commits waits for it.
const HURRIED_UNSYNCED: usize = 4 * PIECE;
/// Who commits durably again and again does so within this time, even if the disk is slow.
const QUIET: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gait {
    Hurried,
    Brisk,
    Gentle,
}

impl Gait {
    fn piece(self) -> usize {
        match self {
            Gait::Gentle => DIRECT_MIN,
            _ => PIECE,
        }
    }

    fn unsynced_max(self) -> usize {
        match self {
            Gait::Hurried => HURRIED_UNSYNCED,
            Gait::Brisk => PIECE,
            Gait::Gentle => DIRECT_MIN,
        }
    }
}

/// The pace of one checkpoint.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes to write, about, and those written.
    total: u64,
    done: u64,
    /// Where the log was at the beginning.
    begin: u64,
    /// Durable writes of the log, and when there was a new one.
    syncs: u64,
    synced: Option<Instant>,
    /// Bytes written since the last pause and the last sync, and when the last pause ended.
    unpaused: usize,
    unsynced: usize,
    last: Instant,
    gait: Gait,
}

impl Pace {
    /// For a checkpoint of about so many bytes.
    pub(super) fn new(inner: &Inner, total: u64) -> Pace {
        Pace {
            total,
            done: 0,
            begin: inner.log.end(),
            syncs: inner.log.syncs(),
            synced: None,
            unpaused: 0,
            unsynced: 0,
            last: Instant::now(),
            gait: Gait::Gentle,
        }
    }

    /// Bytes that the next piece may have.
    pub(super) fn piece(&self) -> usize {
        self.gait.piece()
    }

    /// A piece was written; true if a sync is due.
    pub(super) fn wrote(&mut self, bytes: usize) -> bool {
        self.done += bytes as u64;
        self.unpaused += bytes;
        self.unsynced += bytes;
        let due = self.unsynced >= self.gait.unsynced_max();
        if due {
            self.unsynced = 0;
        }
        due
    }

    /// After as many bytes as a whole piece has: decides on the gait from here on, and pauses if there is
    /// time for it.
    pub(super) fn pause(&mut self, inner: &Inner) {
        if self.unpaused < self.gait.piece() {
            return;
        }
        self.unpaused = 0;
        self.gait = self.look(inner);
        if self.gait == Gait::Gentle {
            let due = self.last + GENTLE;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        self.last = Instant::now();
    }

    fn look(&mut self, inner: &Inner) -> Gait {
        let syncs = inner.log.syncs();
        if std::mem::replace(&mut self.syncs, syncs) != syncs {
            self.synced = Some(Instant::now());
        }
        let alone = self.synced.is_none_or(|synced| synced.elapsed() >= QUIET);
        let nearly_full = inner.log.blocks() * 4096 / 4 * 3;
        let used = inner.log.used();
        let waited_for = inner.checkpoint_waiters.load(Ordering::Relaxed) > 0;
        if waited_for || alone || inner.background.is_stopping() || used > nearly_full {
            return Gait::Hurried;
        }
        // What was there at the beginning stays until the end; the rest fills up meanwhile.
        let filled = inner.log.end() - self.begin;
        let room = nearly_full - used + filled;
        if u128::from(filled) * u128::from(self.total) > u128::from(self.done) * u128::from(room) {
            Gait::Brisk
        } else {
            Gait::Gentle
        }
    }
}

#[cfg(test)]
mod tests;
