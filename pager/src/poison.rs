//! What happens after a failed write or sync: nothing more is written until the store is reopened.
//!
//! The kernel may have dropped the data and marked its pages clean, so a retry that succeeds proves
//! nothing. Reads go on; every later write gets the first failure as its cause. A panic in the middle
//! of a commit or a checkpoint counts as a failure: what it interrupted is half done in memory.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    error::{Error, Result},
    mutant,
};

#[derive(Debug, Default)]
pub(crate) struct Poison {
    set: AtomicBool,
    cause: Mutex<Option<String>>,
}

impl Poison {
    /// An error if the store is poisoned.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.set.load(Ordering::Acquire) {
            return Ok(());
        }
        let cause = self.cause.lock().clone().unwrap_or_default();
        Err(Error::Poisoned { cause })
    }

    /// Poisons the store if `result` is a failure, and passes it on.
    pub(crate) fn on_failure<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.set(error.to_string());
        }
        result
    }

    /// Poisons the store.
    pub(crate) fn set(&self, cause: String) {
        if mutant!(PoisoningForgotten) {
            return;
        }
        tracing::error!(%cause, "writing failed; the store must be reopened to be written again");
        self.refuse(cause);
    }

    /// While this lives, a panic poisons the store.
    pub(crate) fn on_panic(&self) -> OnPanic<'_> {
        OnPanic(self)
    }

    /// Refuses writes from here on without anything having failed (the store was closed).
    pub(crate) fn refuse(&self, cause: String) {
        self.cause.lock().get_or_insert(cause);
        self.set.store(true, Ordering::Release);
    }
}

/// See [`Poison::on_panic`].
pub(crate) struct OnPanic<'p>(&'p Poison);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set("a panic has interrupted writing".into());
        }
    }
}
