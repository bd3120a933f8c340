//! The scrub in the background: what a caller may ask of it, and what it tells.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cowslip_pager as pager;

use super::Database;
use crate::error::{Error, Result};

/// A pass of the scrub over all used pages of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrubPass {
    /// When it began.
    pub began: SystemTime,
    /// When it ended, if it has.
    pub ended: Option<SystemTime>,
    /// How long it ran, without the times in which it was paused.
    pub took: Duration,
    /// Pages read and found right, those of the page map among them.
    pub pages_verified: u64,
    /// Pages that were in memory only when it came by: the log has what is in them.
    pub pages_unwritten: u64,
    /// Pages whose bytes are not what was written.
    pub pages_damaged: u64,
    /// Pages that could not be read, or not be judged since their part of the page map cannot be read.
    pub pages_unreadable: u64,
}

/// How far the scrub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScrubStats {
    /// It is at work in the background.
    pub running: bool,
    /// Bytes a second that it may read in the background (`u64::MAX`: no limit); 0: none.
    pub rate: u64,
    /// Where in the file it goes on: a page, below [`Stats::pages_total`](super::Stats::pages_total).
    pub position: u64,
    /// Complete passes in the life of the database.
    pub passes: u64,
    /// The pass under way.
    pub pass: Option<ScrubPass>,
    /// The last complete one.
    pub last: Option<ScrubPass>,
}

/// A page that the scrub found damaged, or could not read.
#[derive(Debug)]
#[non_exhaustive]
pub struct ScrubFinding {
    /// The page.
    pub page: u64,
    /// How many pointers lead straight to it: snapshots, branches and trees that share it. 1 for a page
    /// of the page map.
    pub owners: u32,
    /// [`Error::Corrupted`]: it is damaged. [`Error::Io`]: it could not be read.
    pub error: Error,
}

/// What a call of [`Database::scrub_step`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrubStep {
    /// Bytes read.
    pub bytes: u64,
    /// It has ended the pass.
    pub ended: bool,
}

fn time(seconds: u64) -> SystemTime {
    // A forged time may be none.
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

fn pass(pass: &pager::ScrubPass) -> Option<ScrubPass> {
    pass.exists().then(|| ScrubPass {
        began: time(pass.began),
        ended: (pass.ended > 0).then(|| time(pass.ended)),
        took: Duration::from_millis(pass.took),
        pages_verified: pass.pages_verified,
        pages_unwritten: pass.pages_unwritten,
        pages_damaged: pass.pages_damaged,
        pages_unreadable: pass.pages_unreadable,
    })
}

impl From<pager::ScrubState> for ScrubStats {
    fn from(state: pager::ScrubState) -> ScrubStats {
        let record = state.record;
        ScrubStats {
            running: state.running,
            rate: state.rate,
            position: record.position.0,
            passes: record.passes,
            pass: pass(&record.pass),
            last: pass(&record.last),
        }
    }
}

/// The scrub in the background compares every used page of the file with its checksum, whoever it
/// belongs to, while everything else goes on. It goes through the file at a limited rate, blocks
/// nobody, and keeps its place when the database is closed. What it finds is logged, counted in
/// [`Stats::scrub`](super::Stats::scrub) and kept for [`Database::scrub_findings`].
impl Database {
    /// Scrubs in the background, at most `rate` bytes a second (`u64::MAX`: as fast as it can): goes on
    /// with the pass under way, or begins one at once. Asked again, it changes the rate.
    ///
    /// ```
    /// # let db = cowslip::Database::in_memory()?;
    /// db.scrub_start(50_000_000)?;
    /// while db.stats().scrub.passes == 0 {
    ///     std::thread::sleep(std::time::Duration::from_millis(1));
    /// }
    /// assert_eq!(db.stats().scrub.last.unwrap().pages_damaged, 0);
    /// # Ok::<(), cowslip::Error>(())
    /// ```
    pub fn scrub_start(&self, rate: u64) -> Result<()> {
        Ok(self.shared.pager()?.scrub_start(rate)?)
    }

    /// The scrub in the background rests until it is started again. It keeps its place.
    pub fn scrub_pause(&self) {
        self.shared.pager.scrub_pause();
    }

    /// Verifies, in this thread, what comes next in the pass under way, or begins one: some hundred KiB.
    /// It is for who has a pace of his own, and for databases without background threads.
    pub fn scrub_step(&self) -> Result<ScrubStep> {
        let step = self.shared.pager()?.scrub_step()?;
        Ok(ScrubStep { bytes: step.bytes, ended: step.ended })
    }

    /// Forgets the pass under way: the next one begins at the front of the file.
    pub fn scrub_restart(&self) {
        self.shared.pager.scrub_restart();
    }

    /// What the pass under way and the last one have found since the database was opened; at most 64
    /// pages, [`Stats::scrub`](super::Stats::scrub) counts all.
    pub fn scrub_findings(&self) -> Vec<ScrubFinding> {
        let finding = |found: pager::ScrubFinding| ScrubFinding {
            page: found.page,
            owners: found.owners,
            error: found.error().into(),
        };
        self.shared.pager.scrub_findings().into_iter().map(finding).collect()
    }
}
