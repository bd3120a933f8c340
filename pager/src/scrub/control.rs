//! Who makes the scrub go: a thread at a limited rate, or a caller step by step. Both go on with the one
//! pass that is under way.
//!
//! ```text
//!            start, or the interval has passed            the end of the file
//!  at rest ------------------------------------> a pass ---------------------> at rest
//!     ^                                            |  ^                       (start: for good;
//!     |  pause, 256 unreadable pages in a row      |  | a slice, a wait         by rate: for the interval)
//!     +--------------------------------------------+  +--+
//! ```

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::{Condvar, Mutex};

use super::{ScrubFinding, ScrubRecord, Slice, Sweeper, pace::Pace};
use crate::{
    checkpoint,
    error::{Error, Result},
    page::PageId,
    pager::{Config, Inner},
};

/// Findings that are kept, and logged one by one, in a pass.
const KEPT: usize = 64;
/// So many unreadable pages in a row mean that the device is gone, and not a few of its blocks.
const UNREADABLE_MAX: u64 = 256;
/// Least time between two superblocks that are written for the progress alone.
const KEEP: Duration = Duration::from_secs(300);
/// How long the thread sleeps where nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// What the scrub is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubState {
    /// The thread has a pass under way, and is not paused.
    pub running: bool,
    /// Bytes a second that the thread may read; 0: it is paused, or there is none.
    pub rate: u64,
    /// How far it is.
    pub record: ScrubRecord,
}

/// What one step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubStep {
    /// Bytes read.
    pub bytes: u64,
    /// It was the last one of its pass.
    pub ended: bool,
}

struct State {
    record: ScrubRecord,
    /// The finer `record.pass.took`.
    took: Duration,
    rate: u64,
    /// Begin the next pass when the interval has passed.
    repeats: bool,
    interval: Duration,
    /// Begin a pass whatever the interval.
    begin: bool,
    running: bool,
    stop: bool,
    /// With the number of the pass.
    findings: VecDeque<(u64, ScrubFinding)>,
    /// Findings of this pass that were logged.
    logged: usize,
    unreadable_in_a_row: u64,
    /// The last of them.
    failure: Option<ScrubFinding>,
}

/// The scrub of a store.
pub(crate) struct Scrub {
    state: Mutex<State>,
    wake: Condvar,
    sweeper: Mutex<Sweeper>,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl State {
    /// How long there is nothing to do for the thread; None: a slice is due.
    fn idle(&self, now: u64) -> Option<Duration> {
        if self.rate == 0 {
            return Some(IDLE);
        }
        if self.record.pass.exists() || self.begin {
            return None;
        }
        if !self.repeats {
            return Some(IDLE);
        }
        if self.record.passes == 0 {
            return None;
        }
        // A clock that was put back makes nobody wait for longer than the interval.
        let since = Duration::from_secs(now.saturating_sub(self.record.last.ended));
        let left = self.interval.saturating_sub(since);
        (!left.is_zero()).then_some(left.min(IDLE))
    }

    fn add_time(&mut self, time: Duration) {
        self.took = self.took.saturating_add(time);
        self.record.pass.took = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
    }

    fn take_in(&mut self, finding: ScrubFinding) {
        let pass = &mut self.record.pass;
        let count = match finding.is_damage() {
            true => &mut pass.pages_damaged,
            false => &mut pass.pages_unreadable,
        };
        *count = count.saturating_add(1);
        if self.logged < KEPT {
            self.logged += 1;
            finding.log();
        }
        let number = self.record.passes;
        self.findings.retain(|(_, known)| known.page != finding.page);
        if self.findings.len() == KEPT && self.findings.front().is_some_and(|(n, _)| *n != number) {
            self.findings.pop_front();
        }
        if self.findings.len() < KEPT {
            self.findings.push_back((number, finding));
        }
    }

    /// Enters what a slice came to. An error: the device does not read any more.
    fn enter(&mut self, slice: Slice, now: u64) -> Result<()> {
        let pass = &mut self.record.pass;
        pass.pages_verified = pass.pages_verified.saturating_add(slice.verified);
        pass.pages_unwritten = pass.pages_unwritten.saturating_add(slice.unwritten);
        pass.pages_unreadable = pass.pages_unreadable.saturating_add(slice.unjudged);
        self.record.position = PageId(slice.next);
        if slice.verified > 0 {
            self.unreadable_in_a_row = 0;
        }
        if slice.failed {
            self.unreadable_in_a_row += slice.unjudged;
        }
        for finding in slice.findings {
            if !finding.is_damage() {
                self.unreadable_in_a_row += 1;
                self.failure = Some(finding.clone());
            }
            self.take_in(finding);
        }
        if slice.end {
            let number = self.record.passes;
            self.findings.retain(|(pass, _)| *pass == number);
            self.record.end(now);
            self.took = Duration::ZERO;
            self.logged = 0;
            self.begin = false;
            if !self.repeats {
                self.rate = 0;
            }
        }
        match &self.failure {
            Some(failure) if self.unreadable_in_a_row >= UNREADABLE_MAX => {
                self.unreadable_in_a_row = 0;
                Err(failure.error())
            }
            _ => Ok(()),
        }
    }
}

impl Scrub {
    /// The scrub of a store that is being opened, where the superblock left it.
    pub(crate) fn new(config: &Config, record: ScrubRecord) -> Scrub {
        Scrub {
            state: Mutex::new(State {
                record,
                took: Duration::from_millis(record.pass.took),
                rate: config.scrub_rate,
                repeats: config.scrub_rate > 0,
                interval: config.scrub_interval,
                begin: false,
                running: false,
                stop: false,
                findings: VecDeque::new(),
                logged: 0,
                unreadable_in_a_row: 0,
                failure: None,
            }),
            wake: Condvar::new(),
            sweeper: Mutex::new(Sweeper::default()),
        }
    }

    pub(crate) fn state(&self) -> ScrubState {
        let state = self.state.lock();
        ScrubState { running: state.running, rate: state.rate, record: state.record }
    }

    /// What a superblock has to keep.
    pub(crate) fn record(&self) -> ScrubRecord {
        self.state.lock().record
    }

    pub(crate) fn findings(&self) -> Vec<ScrubFinding> {
        self.state.lock().findings.iter().map(|(_, finding)| finding.clone()).collect()
    }

    /// The thread may read so many bytes a second, and goes on or begins a pass.
    pub(crate) fn start(&self, rate: u64) {
        let mut state = self.state.lock();
        state.rate = rate;
        state.begin = true;
        // Before the thread has noticed: who asks now should not be told that it rests.
        state.running = true;
        drop(state);
        self.wake.notify_all();
    }

    pub(crate) fn pause(&self) {
        self.state.lock().rate = 0;
        self.wake.notify_all();
    }

    /// The thread is to end.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.wake.notify_all();
    }

    /// Forgets the pass under way.
    pub(crate) fn restart(&self) {
        // A slice of it may be under way.
        let _sweeper = self.sweeper.lock();
        let mut state = self.state.lock();
        state.record.forget();
        state.took = Duration::ZERO;
        state.logged = 0;
    }

    /// Verifies the next slice of the pass under way, or the first one of a new one.
    pub(crate) fn step(&self, inner: &Inner) -> Result<ScrubStep> {
        let mut sweeper = self.sweeper.lock();
        let begin = Instant::now();
        let from = {
            let mut state = self.state.lock();
            state.record.begin(now());
            state.record.position.0
        };
        let slice = sweeper.slice(inner, from)?;
        let step = ScrubStep { bytes: slice.bytes, ended: slice.end };
        let entered = {
            let mut state = self.state.lock();
            state.add_time(begin.elapsed());
            state.enter(slice, now())
        };
        drop(sweeper);
        if step.ended {
            let last = self.record().last;
            tracing::info!(
                pages = last.pages_verified,
                unwritten = last.pages_unwritten,
                damaged = last.pages_damaged,
                unreadable = last.pages_unreadable,
                took = ?Duration::from_millis(last.took),
                "scrub: a pass has ended"
            );
            self.keep(inner);
        }
        entered.map(|()| step)
    }

    /// Has the progress written down, if there is any. That it fails is no failure of the scrub.
    fn keep(&self, inner: &Inner) {
        match checkpoint::keep_scrub(inner) {
            Ok(()) | Err(Error::Poisoned { .. }) => {}
            Err(error) => tracing::warn!(%error, "scrub: the progress was not kept"),
        }
    }

    /// Waits until a slice is due, and says at what rate; None: the store is closing.
    fn wait_for_work(&self, inner: &Inner) -> Option<u64> {
        let mut state = self.state.lock();
        let mut kept = false;
        loop {
            if state.stop {
                state.running = false;
                return None;
            }
            let Some(idle) = state.idle(now()) else {
                state.running = true;
                return Some(state.rate);
            };
            state.running = false;
            if kept {
                self.wake.wait_for(&mut state, idle);
                continue;
            }
            // It comes to rest: what is new is kept. Meanwhile anything may be asked for.
            kept = true;
            drop(state);
            self.keep(inner);
            state = self.state.lock();
        }
    }

    /// Waits, unless something is asked for, and counts the time.
    fn wait(&self, time: Duration, rate: u64) {
        let mut state = self.state.lock();
        let begin = Instant::now();
        while !state.stop
            && state.rate == rate
            && let Some(left) = time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())
        {
            self.wake.wait_for(&mut state, left.min(IDLE));
        }
        if state.record.pass.exists() {
            state.add_time(begin.elapsed());
        }
    }
}

/// The thread: one slice after the other at the rate that is asked for.
pub(crate) fn background(inner: &Inner) {
    /// Whatever ends the thread, it does not look as if it went on.
    struct Ends<'s>(&'s Scrub);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.state.lock().running = false;
        }
    }
    let scrub = &inner.scrub;
    let _ends = Ends(scrub);
    let (begin, mut pace) = (Instant::now(), Pace::default());
    let mut kept = Instant::now();
    while let Some(rate) = scrub.wait_for_work(inner) {
        match scrub.step(inner) {
            Ok(step) => {
                let wait = pace.after(begin.elapsed(), step.bytes, rate);
                match wait.is_zero() {
                    true => std::thread::yield_now(),
                    false => scrub.wait(wait, rate),
                }
            }
            Err(error) => {
                tracing::error!(%error, "scrub: it cannot go on and is paused");
                scrub.pause();
            }
        }
        if kept.elapsed() >= KEEP {
            scrub.keep(inner);
            kept = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests;
