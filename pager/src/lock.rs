//! The writer lock: one transaction at a time, and a thread that asks twice is told so.
//!
//! Whoever comes first when the lock is free gets it (a hand-over for each commit would cost a change
//! of threads each); but who has waited for a millisecond is next. Work that nobody waits for stands
//! behind all others, though not for ever.
//!
//! ```text
//!  free --lock--> held --unlock--> free      who comes next: 1. who has waited long enough (`next`)
//!                                                            2. any of those who ask with `lock`
//!                                                            3. who asks with `lock_behind_others`
//! ```

use std::{
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

const PATIENCE: Duration = Duration::from_millis(1);
/// The same for work that lets others go first: with writers that never pause it still gets its turn.
const LONG_PATIENCE: Duration = Duration::from_millis(20);

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
    /// Threads that wait, but for those that let others go first.
    waiting: usize,
    /// Threads that wait behind them.
    behind: usize,
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
        state.waiting += 1;
        while state.holder.is_some() || state.next.is_some_and(|next| next != me) {
            self.released.wait_for(&mut state, PATIENCE);
            if state.next.is_none() && begin.elapsed() >= PATIENCE {
                state.next = Some(me);
            }
        }
        state.waiting -= 1;
        state.holder = Some(me);
        state.next = None;
        Ok(())
    }

    /// Waits for the lock as long as somebody else waits for it, up to a bound.
    pub(crate) fn lock_behind_others(&self) -> Result<()> {
        let me = thread::current().id();
        let mut state = self.state.lock();
        if state.holder == Some(me) {
            return Err(Error::NestedTransaction);
        }
        let begin = Instant::now();
        state.behind += 1;
        while state.holder.is_some()
            || state.next.is_some_and(|next| next != me)
            || state.waiting > 0 && state.next.is_none()
        {
            self.released.wait_for(&mut state, PATIENCE);
            if state.next.is_none() && begin.elapsed() >= LONG_PATIENCE {
                state.next = Some(me);
            }
        }
        state.behind -= 1;
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
        // Of several kinds of waiters the right one must hear of it.
        if state.next.is_some() || state.behind > 0 {
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

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, Ordering},
        },
        thread::JoinHandle,
    };

    use super::*;

    fn waits_until(what: impl Fn() -> bool) {
        let begin = Instant::now();
        while !what() {
            assert!(begin.elapsed() < Duration::from_secs(30), "nothing happened");
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// A thread that takes the lock once and enters a number that grows with each such turn.
    fn turn(
        lock: &Arc<WriterLock>,
        turns: &Arc<AtomicU64>,
        take: fn(&WriterLock) -> Result<()>,
    ) -> JoinHandle<u64> {
        let (lock, turns) = (lock.clone(), turns.clone());
        thread::spawn(move || {
            take(&lock).expect("the lock");
            let _unlock = lock.unlock_later();
            turns.fetch_add(1, Ordering::SeqCst)
        })
    }

    #[test]
    fn who_stands_behind_others_lets_those_who_came_later_go_first() {
        for _ in 0..100 {
            let (lock, turns) = (Arc::new(WriterLock::default()), Arc::new(AtomicU64::new(0)));
            lock.lock().expect("the lock");
            let begin = Instant::now();
            let behind = turn(&lock, &turns, WriterLock::lock_behind_others);
            waits_until(|| lock.state.lock().behind == 1);
            let before = turn(&lock, &turns, WriterLock::lock);
            waits_until(|| lock.state.lock().waiting == 1);
            lock.unlock();
            let order = (before.join().expect("a turn"), behind.join().expect("a turn"));
            // On a machine that stalls it may have been its turn by then.
            if begin.elapsed() < LONG_PATIENCE {
                assert_eq!(order, (0, 1));
                return;
            }
        }
        panic!("every attempt took longer than {LONG_PATIENCE:?}");
    }

    #[test]
    fn who_stands_behind_others_gets_a_turn_beside_writers_that_never_pause() {
        let lock = Arc::new(WriterLock::default());
        let done = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (lock, done) = (lock.clone(), done.clone());
                thread::spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        lock.lock().expect("the lock");
                        let _unlock = lock.unlock_later();
                        thread::sleep(Duration::from_micros(200));
                    }
                })
            })
            .collect();
        let turns = Arc::new(AtomicU64::new(0));
        let behind = turn(&lock, &turns, WriterLock::lock_behind_others);
        waits_until(|| turns.load(Ordering::SeqCst) == 1);
        done.store(true, Ordering::Relaxed);
        behind.join().expect("a turn");
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    }
}
