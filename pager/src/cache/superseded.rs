//! Frames of pages that the newest tree has left behind, and that only snapshots or other branches reach.
//!
//! Such a page will hardly be read again, and at most by those who read the past: its frame serves the page that
//! takes its place, before memory that was never used is touched, and before CLOCK has to look for one. But it
//! waits in a queue at first, and whoever reads the page meanwhile keeps it:
//!
//! ```text
//!              in the file                 queue full           not read since
//! superseded -------------> at the back ---------------> front ----------------> limbo
//!      |  dirty                 ^                           |  read since
//!      +---- written -----------+                           +----------> like any other page
//! ```

use std::{collections::VecDeque, sync::atomic::Ordering};

use super::{Cache, EVICTION_BATCH, HIDDEN, PageRef, Pool};
use crate::epoch;

/// The part of the cache that may be taken up by pages that wait in the queue ...
const QUEUE_PART: usize = 64;
/// ... but no more frames than this.
const QUEUE_MAX: usize = 4096;

/// Frames of clean pages, the longest superseded first; some may have found another use since.
#[derive(Default)]
pub(super) struct Superseded(VecDeque<u32>);

impl Superseded {
    /// Adds a frame of a cache of so many.
    pub(super) fn push(&mut self, frame: u32, frames: usize) {
        if self.0.len() >= frames {
            // Nobody asked for frames for long: the oldest are left to CLOCK.
            self.0.pop_front();
        }
        self.0.push_back(frame);
    }
}

impl Cache {
    /// The newest tree of the caller has a copy of this page, which others still own.
    pub(crate) fn supersede(&self, page: &PageRef<'_>) {
        let meta = self.meta(page.frame);
        if meta.superseded.swap(true, Ordering::SeqCst) {
            return;
        }
        meta.recent.store(false, Ordering::Relaxed);
        if !meta.dirty.load(Ordering::SeqCst) {
            self.pool.lock().superseded.push(page.frame, self.frames());
        }
    }

    /// Retires the oldest frames of the queue, if it is full and there are enough of them for a batch.
    pub(super) fn retire_superseded(&self, pool: &mut Pool) {
        let full = (self.frames() / QUEUE_PART).min(QUEUE_MAX);
        let beyond = pool.superseded.0.len().saturating_sub(full);
        if beyond < EVICTION_BATCH / 2 {
            return;
        }
        let oldest = pool.superseded.0.drain(..beyond.min(EVICTION_BATCH));
        let victims: Vec<u32> = oldest
            .filter(|&frame| {
                let meta = self.meta(frame);
                let idle = meta.superseded.swap(false, Ordering::SeqCst)
                    && !meta.recent.load(Ordering::Relaxed)
                    && meta.pins.try_retire_idle();
                if idle {
                    self.table.clear_if(meta.page.load(Ordering::Relaxed), frame);
                    meta.stamp.store(HIDDEN, Ordering::Release);
                }
                idle
            })
            .collect();
        let tag = epoch::retire();
        self.evictions.fetch_add(victims.len() as u64, Ordering::Relaxed);
        pool.limbo.extend(victims.into_iter().map(|frame| (tag, frame)));
    }
}
