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
    /// Findings of this pass that were logged, or are to be ...
    logged: usize,
    /// ... as soon as the mutex is given back: who listens may ask for the state.
    to_log: Vec<ScrubFinding>,
    /// Superblocks that were written over since this opening, and were damaged.
    overwritten: Vec<ScrubFinding>,
    /// This opening has made a step.
    stepped: bool,
    /// When this opening has last written the progress down.
    kept: Option<Instant>,
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
        // It is not known how long ago a pass was that ended in the future: the clock was put back, or
        // the record forged.
        let since = Duration::from_secs(now.checked_sub(self.record.last.ended)?);
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
            self.to_log.push(finding.clone());
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
                to_log: Vec::new(),
                overwritten: Vec::new(),
                stepped: false,
                kept: None,
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
        // The thread that was at it begins again.
        state.begin |= state.record.pass.exists();
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
            if !std::mem::replace(&mut state.stepped, true) && inner.read_only {
                // It keeps no place, so it would never come by the front.
                state.record.forget();
                state.took = Duration::ZERO;
            }
            state.record.begin(now());
            sweeper.patience = UNREADABLE_MAX.saturating_sub(state.unreadable_in_a_row);
            state.record.position.0
        };
        let slice = sweeper.slice(inner, from)?;
        let step = ScrubStep { bytes: slice.bytes, ended: slice.end };
        let (entered, to_log) = {
            let mut state = self.state.lock();
            state.add_time(begin.elapsed());
            for finding in std::mem::take(&mut state.overwritten) {
                // Unless it was found before that.
                if state.findings.iter().all(|(_, known)| known.page != finding.page) {
                    state.take_in(finding);
                }
            }
            let entered = state.enter(slice, now());
            (entered, std::mem::take(&mut state.to_log))
        };
        drop(sweeper);
        to_log.iter().for_each(ScrubFinding::log);
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
            if self.keep_due().is_zero() {
                self.keep(inner);
            }
        }
        entered.map(|()| step)
    }

    /// Has the progress written down, if there is any. That it fails is no failure of the scrub.
    fn keep(&self, inner: &Inner) {
        self.state.lock().kept = Some(Instant::now());
        match checkpoint::keep_scrub(inner) {
            Ok(()) | Err(Error::Poisoned { .. }) => {}
            Err(error) => tracing::warn!(%error, "scrub: the progress was not kept"),
        }
    }

    /// How long until the progress of a scrub that goes on may be written down again.
    fn keep_due(&self) -> Duration {
        let kept = self.state.lock().kept;
        kept.map_or(Duration::ZERO, |kept| KEEP.saturating_sub(kept.elapsed()))
    }

    /// These are about to be written over: the next slice tells of them.
    pub(crate) fn note(&self, overwritten: Vec<ScrubFinding>) {
        self.state.lock().overwritten = overwritten;
    }

    /// The store is closing.
    pub(super) fn is_stopping(&self) -> bool {
        self.state.lock().stop
    }

    /// Waits until a slice is due, and says at what rate, and whether it had to wait; None: the store is
    /// closing.
    fn wait_for_work(&self, inner: &Inner) -> Option<(u64, bool)> {
        let mut state = self.state.lock();
        let (mut kept, mut rested) = (false, false);
        loop {
            if state.stop {
                state.running = false;
                return None;
            }
            let Some(idle) = state.idle(now()) else {
                state.running = true;
                return Some((state.rate, rested));
            };
            state.running = false;
            rested = true;
            // By the rate of the options it goes on some time; else it rests for good.
            let due = match state.kept {
                Some(kept) if state.rate > 0 && state.repeats => {
                    KEEP.saturating_sub(kept.elapsed())
                }
                _ => Duration::ZERO,
            };
            if kept || !due.is_zero() {
                let time = if kept { idle } else { idle.min(due) };
                self.wake.wait_for(&mut state, time);
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
    scrub.state.lock().kept.get_or_insert(begin);
    while let Some((rate, rested)) = scrub.wait_for_work(inner) {
        if rested {
            pace.rested(begin.elapsed());
        }
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
        if scrub.keep_due().is_zero() {
            scrub.keep(inner);
        }
    }
}

#[cfg(test)]
mod tests;
