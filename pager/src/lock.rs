//! The writer lock: one transaction at a time, and a thread that asks twice is told so.
//!
//! Whoever comes first when the lock is free gets it (a hand-over for each commit would cost a change
//! of threads each); but who has waited for a millisecond is next.

use std::{
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

const PATIENCE: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
pub(crate) struct WriterLock {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    holder: Option<ThreadId>,
    /// Has waited long enough: the lock is kept for it.
    next: Option<ThreadId>,
}

impl WriterLock {
    /// Waits for the lock. An error if this thread holds it already: waiting would never end.
    pub(crate) fn lock(&self) -> Result<()> {
        let me = thread::current().id();
        let mut state = self.state.lock();
        if state.holder == Some(me) {
            return Err(Error::NestedTransaction);
        }
        let begin = Instant::now();
        while state.holder.is_some() || state.next.is_some_and(|next| next != me) {
            self.released.wait_for(&mut state, PATIENCE);
            if state.next.is_none() && begin.elapsed() >= PATIENCE {
                state.next = Some(me);
            }
        }
        state.holder = Some(me);
        state.next = None;
        Ok(())
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        let me = thread::current().id();
        let mut state = self.state.lock();
        if state.holder == Some(me) {
            return Err(Error::NestedTransaction);
        }
        let free = state.holder.is_none() && state.next.is_none();
        if free {
            state.holder = Some(me);
        }
        Ok(free)
    }

    /// Does the calling thread hold it?
    pub(crate) fn held_here(&self) -> bool {
        self.state.lock().holder == Some(thread::current().id())
    }

    /// Gives the lock, which the calling thread holds, back when it is dropped, also by a panic.
    pub(crate) fn unlock_later(&self) -> UnlockLater<'_> {
        UnlockLater(self)
    }

    pub(crate) fn unlock(&self) {
        let mut state = self.state.lock();
        state.holder = None;
        if state.next.is_some() {
            self.released.notify_all();
        } else {
            self.released.notify_one();
        }
    }
}

/// See [`WriterLock::unlock_later`].
pub(crate) struct UnlockLater<'l>(&'l WriterLock);

impl Drop for UnlockLater<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}
