//! Epochs: how a descent is protected from eviction without touching a shared counter.
//!
//! A reader *enters* before it looks at frames and *leaves* after: one store to a slot of its own
//! thread each. Whoever takes a frame out of the translation *retires* it with the current epoch
//! and hands it out again only when every slot is idle or entered later ([`oldest`]).
//!
//! ```text
//!  reader:    slot = epoch ; fence ; read translation ; read frame ; slot = idle
//!  evictor:   translation = none ; fence ; tag = epoch++ ; ... reuse when oldest() > tag
//! ```
//!
//! By the two fences either the reader sees that the frame is gone, or the evictor sees the
//! reader. Inside an epoch there is no I/O, no waiting and no parking (R4), so a retired frame
//! comes back within microseconds; a thread that is descheduled inside one delays reuse only.
//!
//! One domain serves the whole process: slots belong to threads, not to databases.

use std::{
    cell::Cell,
    marker::PhantomData,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
};

const SLOTS: usize = 64;
const IDLE: u64 = u64::MAX;

/// Alone on its cache lines (two, because processors fetch pairs), so that threads do not disturb
/// each other.
#[repr(align(128))]
struct Slot {
    epoch: AtomicU64,
    taken: AtomicBool,
}

struct Block {
    slots: [Slot; SLOTS],
    next: OnceLock<Box<Block>>,
}

impl Block {
    const fn new() -> Block {
        Block {
            slots: [const { Slot { epoch: AtomicU64::new(IDLE), taken: AtomicBool::new(false) } };
                SLOTS],
            next: OnceLock::new(),
        }
    }
}

static EPOCH: AtomicU64 = AtomicU64::new(1);
static SLOT_BLOCKS: Block = Block::new();

/// A thread's slot; given back when the thread ends.
struct Registration {
    slot: &'static Slot,
    number: usize,
    depth: Cell<u32>,
}

impl Registration {
    fn new() -> Registration {
        let mut block = &SLOT_BLOCKS;
        let mut base = 0;
        loop {
            for (i, slot) in block.slots.iter().enumerate() {
                if slot
                    .taken
                    .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
                {
                    return Registration { slot, number: base + i, depth: Cell::new(0) };
                }
            }
            block = block.next.get_or_init(|| Box::new(Block::new()));
            base += SLOTS;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.slot.epoch.store(IDLE, Ordering::Release);
        self.slot.taken.store(false, Ordering::Release);
    }
}

thread_local! {
    static REGISTRATION: Registration = Registration::new();
}

/// Proof that the thread is inside an epoch; leaving is dropping it.
pub(crate) struct Guard {
    slot: &'static Slot,
    number: usize,
    // Bound to the thread whose slot it holds.
    _not_send: PhantomData<*const ()>,
}

impl Guard {
    /// A small number that differs between running threads.
    pub(crate) fn thread_number(&self) -> usize {
        self.number
    }
}

/// Enters an epoch. Guards of one thread may nest.
#[inline]
pub(crate) fn enter() -> Guard {
    REGISTRATION.with(|registration| {
        let depth = registration.depth.get();
        registration.depth.set(depth + 1);
        if depth == 0 {
            registration.slot.epoch.store(EPOCH.load(Ordering::Relaxed), Ordering::Relaxed);
            fence(Ordering::SeqCst);
        }
        Guard { slot: registration.slot, number: registration.number, _not_send: PhantomData }
    })
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // Thread-local destructors may have run already when a thread ends inside a guard; the slot
        // was then reset by the registration itself.
        let _ = REGISTRATION.try_with(|registration| {
            let depth = registration.depth.get() - 1;
            registration.depth.set(depth);
            if depth == 0 {
                self.slot.epoch.store(IDLE, Ordering::Release);
            }
        });
    }
}

/// Begins a new epoch and returns the tag for what was made unreachable before the call.
pub(crate) fn retire() -> u64 {
    fence(Ordering::SeqCst);
    EPOCH.fetch_add(1, Ordering::SeqCst)
}

/// The oldest epoch that a thread is in: what was retired with a tag below it is in nobody's use.
pub(crate) fn oldest() -> u64 {
    fence(Ordering::SeqCst);
    let mut oldest = EPOCH.load(Ordering::SeqCst);
    let mut block = Some(&SLOT_BLOCKS);
    while let Some(b) = block {
        for slot in &b.slots {
            oldest = oldest.min(slot.epoch.load(Ordering::Acquire));
        }
        block = b.next.get().map(|next| &**next);
    }
    oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_retired_waits_for_those_who_were_inside() {
        let guard = enter();
        let tag = retire();
        assert!(oldest() <= tag);
        let inner = enter();
        drop(inner);
        assert!(oldest() <= tag, "the outer guard still counts");
        drop(guard);
        // Other tests of this process may be inside an epoch for a moment.
        while oldest() <= tag {
            std::thread::yield_now();
        }
    }
}
