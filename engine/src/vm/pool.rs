//! Which frames are free: those that were given back, in several lists, and those never used.
//!
//! Each thread begins at a list of its own, so that faults on several threads seldom wait for one
//! another; when it is empty, a frame is taken that was never used, and only then one of another
//! list.

use std::{
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use super::frames::{Frame, NoFrame};

const LISTS: usize = 16;

#[derive(Default)]
struct List {
    free: Vec<Frame>,
    /// Frames taken from here, less those given back here.
    used: i64,
}

/// Alone in its cache lines, and in those that the processor fetches along with them.
#[derive(Default)]
#[repr(align(128))]
struct Padded(Mutex<List>);

pub(crate) struct Pool {
    lists: [Padded; LISTS],
    /// Never used from here on.
    next: AtomicU32,
    limit: u32,
    /// No more than so many are ever taken.
    modelled: u32,
    exhausted: AtomicBool,
}

/// The number of a thread's own list.
fn own() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: usize = THREADS.fetch_add(1, Relaxed) % LISTS);
    OWN.with(|own| *own)
}

impl Pool {
    pub(crate) fn new(limit: u32, modelled: u32) -> Pool {
        Pool {
            lists: Default::default(),
            next: AtomicU32::new(1),
            limit,
            modelled,
            exhausted: AtomicBool::new(false),
        }
    }

    fn list(&self, number: usize) -> MutexGuard<'_, List> {
        self.lists[number % LISTS].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A free frame; true: it was never used, so it is zeros.
    pub(crate) fn take(&self) -> Result<(Frame, bool), NoFrame> {
        let own = own();
        let mut list = self.list(own);
        if let Some(frame) = list.free.pop() {
            list.used += 1;
            return Ok((frame, false));
        }
        let end = self.limit.min(self.modelled);
        let fresh = |next| (next <= end).then(|| next + 1);
        if let Ok(frame) = self.next.fetch_update(Relaxed, Relaxed, fresh) {
            list.used += 1;
            return Ok((Frame(frame), true));
        }
        drop(list);
        for other in own + 1..own + LISTS {
            let mut list = self.list(other);
            if let Some(frame) = list.free.pop() {
                list.used += 1;
                return Ok((frame, false));
            }
        }
        if self.modelled < self.limit {
            self.exhausted.store(true, Relaxed);
        }
        Err(NoFrame)
    }

    pub(crate) fn give_back(&self, frame: Frame) {
        let mut list = self.list(own());
        list.used -= 1;
        list.free.push(frame);
    }

    /// Begins where a machine stood when it was stored; nothing was taken yet.
    pub(crate) fn restore(&mut self, free: Vec<Frame>, next: u32, used: u32) {
        *self.next.get_mut() = next;
        let mut list = self.list(own());
        list.free = free;
        list.used = used.into();
    }

    /// Frames in use.
    pub(crate) fn used(&self) -> u32 {
        let used: i64 = (0..LISTS).map(|number| self.list(number).used).sum();
        u32::try_from(used).unwrap_or(0)
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Were more frames wanted than may be modelled?
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Relaxed)
    }

    /// The frames that were given back, and those that were never used.
    pub(crate) fn free(&self) -> (Vec<Frame>, Range<u64>) {
        let free = (0..LISTS).flat_map(|number| self.list(number).free.clone()).collect();
        (free, self.next.load(Relaxed).into()..u64::from(self.limit) + 1)
    }
}
