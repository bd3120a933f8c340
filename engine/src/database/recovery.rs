//! The replay of the log in the background: who waits for it, and what he is told.
//!
//! ```text
//!  open ---- verifies the log, looks at its records -------> returns
//!            |                                              gets: the log's word on a key, else the checkpoint's
//!            '-- thread: index, replay, ... ----------.     all else waits
//!                                                     |
//!                        ended: everything as always <+> failed: who waits gets the error, gets go on
//! ```
//!
//! Nothing is acknowledged before the end, so a replay may stop or fail at any moment: the file is as
//! recoverable as before (11 in `docs/design.md`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use cowslip_pager::{Pager, Reader, Replay, mutant};
use parking_lot::{Condvar, Mutex};

use super::{Shared, releases::Releasing};
use crate::{
    draft,
    error::{Error, Result},
    pending::Pending,
};

/// How far the log is replayed.
pub(super) struct Recovery {
    /// `state` is [`State::Ended`]: asked for at each beginning.
    ended: AtomicBool,
    /// What the log has is durable: changes, like the state, while that is locked.
    certain: AtomicBool,
    state: Mutex<State>,
    /// One of these has changed.
    change: Condvar,
    /// The database is being dropped.
    stop: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum State {
    Running(Arc<Pending>),
    Ended,
    /// For good, until the next opening.
    Failed(Arc<Pending>, Error),
}

/// What the thread has to do.
struct Work {
    pager: Arc<Pager>,
    replay: Replay,
    pending: Arc<Pending>,
    releasing: Arc<Releasing>,
}

impl Recovery {
    /// There is nothing to wait for.
    pub(super) fn ended() -> Recovery {
        Recovery::new(State::Ended)
    }

    /// A replay is to begin.
    pub(super) fn of(pending: Pending) -> Recovery {
        Recovery::new(State::Running(Arc::new(pending)))
    }

    fn new(state: State) -> Recovery {
        Recovery {
            ended: AtomicBool::new(matches!(state, State::Ended)),
            certain: AtomicBool::new(false),
            state: Mutex::new(state),
            change: Condvar::new(),
            stop: AtomicBool::new(false),
            thread: Mutex::new(None),
        }
    }

    /// Begins the replay in a thread; without one it is done here.
    pub(super) fn begin(
        self: &Arc<Recovery>,
        pager: &Arc<Pager>,
        replay: Replay,
        releasing: &Arc<Releasing>,
    ) -> Result<()> {
        let pending = match &*self.state.lock() {
            State::Running(pending) => pending.clone(),
            State::Ended | State::Failed(..) => return Ok(()),
        };
        let work = Work { pager: pager.clone(), replay, pending, releasing: releasing.clone() };
        // A thread that is not made must not take the work with it.
        let work = Arc::new(Mutex::new(Some(work)));
        let (recovery, its_work) = (self.clone(), work.clone());
        let spawned =
            std::thread::Builder::new().name("cowslip-recovery".into()).spawn(move || {
                let work = its_work.lock().take();
                if let Some(work) = work {
                    recovery.run(work);
                }
            });
        match spawned {
            Ok(thread) => *self.thread.lock() = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for the replay of the log");
                let work = work.lock().take();
                if let Some(work) = work {
                    self.run(work);
                }
                self.wait()?;
            }
        }
        Ok(())
    }

    fn run(&self, work: Work) {
        let unwinding = Unwinding(self);
        let Work { pager, mut replay, pending, releasing } = work;
        let go_on = || self.go_on();
        let result = pager
            .sync_replay(&mut replay)
            .map_err(Error::from)
            .inspect(|()| self.set_certain())
            .and_then(|()| pending.make_index(go_on))
            .and_then(|()| draft::replay(&pager, replay, true, go_on))
            .inspect(|()| {
                if !mutant!(ReplayedVersionPinnedLate) {
                    pending.set_replayed(pager.begin_read());
                }
            });
        std::mem::forget(unwinding);
        let ended = result.is_ok();
        self.end(result);
        // It pins what the replay came to.
        drop(pending);
        if ended && let Err(error) = releasing.begin_if_needed() {
            tracing::warn!(%error, "the queue of releases could not be read");
        }
    }

    fn go_on(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            let cause = "the database was closed before its log was replayed".to_owned();
            return Err(Error::Poisoned { cause });
        }
        Ok(())
    }

    fn set_certain(&self) {
        let _state = self.state.lock();
        self.certain.store(true, Ordering::Relaxed);
        self.change.notify_all();
    }

    /// Waits until what the log has is durable.
    fn wait_for_certainty(&self) -> Result<()> {
        let mut state = self.state.lock();
        while !self.certain.load(Ordering::Relaxed) {
            match &*state {
                State::Running(_) => self.change.wait(&mut state),
                State::Ended => break,
                State::Failed(_, error) => return Err(error.again()),
            }
        }
        Ok(())
    }

    /// Tells all who wait. From here on writers may change what was replayed.
    fn end(&self, result: Result<()>) {
        let mut state = self.state.lock();
        if let State::Running(pending) = &*state {
            *state = match result {
                Ok(()) => State::Ended,
                Err(_) if mutant!(FailedReplayForgotten) => State::Ended,
                Err(error) => {
                    tracing::warn!(%error, "the log could not be replayed");
                    State::Failed(pending.clone(), error)
                }
            };
        }
        self.ended.store(matches!(*state, State::Ended), Ordering::Release);
        self.change.notify_all();
    }

    /// Waits for the end of the replay.
    #[inline]
    pub(super) fn wait(&self) -> Result<()> {
        if self.ended.load(Ordering::Acquire) { Ok(()) } else { self.wait_longer() }
    }

    #[cold]
    fn wait_longer(&self) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                State::Running(_) if mutant!(WriterBeforeEnd) => return Ok(()),
                State::Running(_) => self.change.wait(&mut state),
                State::Ended => return Ok(()),
                State::Failed(_, error) => return Err(error.again()),
            }
        }
    }

    /// Is the replay over? An error if it has failed.
    pub(super) fn is_over(&self) -> Result<bool> {
        match &*self.state.lock() {
            State::Running(_) => Ok(mutant!(WriterBeforeEnd)),
            State::Ended => Ok(true),
            State::Failed(_, error) => Err(error.again()),
        }
    }

    /// Begins to read the newest version: with what the log has, unless that is replayed.
    #[inline]
    pub(super) fn begin_read(&self, pager: &Arc<Pager>) -> (Reader, Option<Arc<Pending>>) {
        if self.ended.load(Ordering::Acquire) {
            (pager.begin_read(), None)
        } else {
            self.begin_early_read(pager)
        }
    }

    #[cold]
    fn begin_early_read(&self, pager: &Arc<Pager>) -> (Reader, Option<Arc<Pending>>) {
        // While this is locked nobody writes: the version is the checkpoint's, or what the replay came to, of
        // which the log says the same.
        match &*self.state.lock() {
            State::Ended => (pager.begin_read(), None),
            State::Running(pending) | State::Failed(pending, _) => {
                (pager.begin_read(), Some(pending.clone()))
            }
        }
    }

    /// Ends the thread. What it has not replayed stays in the log.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// Dropped only by a panic: nobody must wait for ever.
struct Unwinding<'r>(&'r Recovery);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        let cause = "a panic has interrupted the replay of the log".to_owned();
        self.0.end(Err(Error::Poisoned { cause }));
    }
}

impl Shared {
    /// The pager, as soon as it has all that the log has.
    #[inline]
    pub(crate) fn pager(&self) -> Result<&Arc<Pager>> {
        self.recovery.wait()?;
        Ok(&self.pager)
    }

    /// The pager, for who has begun to write, and so has waited already.
    pub(crate) fn replayed_pager(&self) -> &Arc<Pager> {
        &self.pager
    }

    /// Begins to read the newest version, and with it, while the log is replayed, what the log has.
    #[inline]
    pub(crate) fn begin_read(&self) -> (Reader, Option<Arc<Pending>>) {
        self.recovery.begin_read(&self.pager)
    }

    /// Waits until what the log has is durable: then it may be told.
    #[cold]
    pub(crate) fn wait_for_certainty(&self) -> Result<()> {
        self.recovery.wait_for_certainty()
    }

    /// The version that the replay came to, for who began to read before its end.
    pub(crate) fn replayed<'p>(&self, pending: &'p Pending) -> Result<&'p Reader> {
        self.recovery.wait()?;
        if mutant!(ReplayedVersionPinnedLate) && pending.replayed().is_none() {
            pending.set_replayed(self.pager.begin_read());
        }
        pending.replayed().ok_or_else(|| Error::Poisoned {
            cause: "a replay that has ended without a version".into(),
        })
    }
}
