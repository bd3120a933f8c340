//! The background thread: what a store does while nobody waits for it.
//!
//! ```text
//! called for: a checkpoint     by a log that is half full, or a crowded cache; where the log is small, a larger ring
//!             write-behind     by whoever made a snapshot or a branch
//! by itself:  a durable write  once a second, if there are records that are not durable
//! ```

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{checkpoint, error::Error, log::BLOCKS_MAX, mutant, pager::Inner, write_behind};

/// An `Eventual` commit is durable after this time.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// By which the others speak to the thread.
#[derive(Debug, Default)]
pub(crate) struct Background {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    stop: bool,
}

/// What it is called for.
#[derive(Debug, Default)]
struct Work {
    checkpoint: bool,
    write_behind: bool,
}

impl Background {
    /// Calls for a checkpoint.
    pub(crate) fn want_checkpoint(&self) {
        self.state.lock().work.checkpoint = true;
        self.wake.notify_all();
    }

    /// Calls for what is settled to be written.
    pub(crate) fn want_write_behind(&self) {
        self.state.lock().work.write_behind = true;
        self.wake.notify_all();
    }

    /// The store is closing.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.wake.notify_all();
    }

    /// Is the store closing?
    pub(crate) fn is_stopping(&self) -> bool {
        self.state.lock().stop
    }

    /// Has the thread something to do that goes before write-behind?
    pub(crate) fn is_called(&self) -> bool {
        let state = self.state.lock();
        state.work.checkpoint || state.stop
    }

    /// Takes the work that there is, waiting for it until `due`; `None` when the store is closing.
    fn wait(&self, due: Instant) -> Option<Work> {
        let mut state = self.state.lock();
        if !state.work.checkpoint && !state.work.write_behind && !state.stop {
            self.wake.wait_until(&mut state, due);
        }
        (!state.stop).then(|| std::mem::take(&mut state.work))
    }
}

/// The thread, until the store is closed.
pub(crate) fn run(inner: &Inner) {
    let mut synced = Instant::now();
    loop {
        let Some(work) = inner.background.wait(synced + SYNC_EVERY) else { return };
        let result = if work.checkpoint {
            let small =
                inner.log.blocks() < BLOCKS_MAX && inner.log.used() > inner.log.blocks() * 4096 / 2;
            if small { checkpoint::grow_log(inner) } else { checkpoint::make(inner) }
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
            tracing::error!(%error, "background work failed");
        }
    }
}
