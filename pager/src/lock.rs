//! The writer lock: one transaction at a time, and a thread that asks twice is told so.

use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

#[derive(Debug, Default)]
pub(crate) struct WriterLock {
    holder: Mutex<Option<ThreadId>>,
    released: Condvar,
}

impl WriterLock {
    /// Waits for the lock. An error if this thread holds it already: waiting would never end.
    pub(crate) fn lock(&self) -> Result<()> {
        let mut holder = self.holder.lock();
        loop {
            match *holder {
                None => {
                    *holder = Some(thread::current().id());
                    return Ok(());
                }
                Some(thread) if thread == thread::current().id() => {
                    return Err(Error::NestedTransaction);
                }
                Some(_) => self.released.wait(&mut holder),
            }
        }
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        let mut holder = self.holder.lock();
        match *holder {
            None => {
                *holder = Some(thread::current().id());
                Ok(true)
            }
            Some(thread) if thread == thread::current().id() => Err(Error::NestedTransaction),
            Some(_) => Ok(false),
        }
    }

    /// Does the calling thread hold it?
    pub(crate) fn held_here(&self) -> bool {
        *self.holder.lock() == Some(thread::current().id())
    }

    pub(crate) fn unlock(&self) {
        *self.holder.lock() = None;
        self.released.notify_one();
    }
}
