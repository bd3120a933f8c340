//! The number of owners of a frame: the whole protocol by which processes share one.
//!
//! ```text
//! who owns it      may read it; may add an owner
//! the last to go   frees it
//! the only owner   may write it in place (reuse); everyone else copies, then lets go (break)
//! ```
//!
//! Letting go *releases* what its owner did, and finding oneself alone *acquires* it: so whoever
//! writes in place comes after everyone who read the frame to copy it, though no lock is taken. That
//! is all the break and the reuse of a shared page need; every interleaving is tried under loom.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// A number of owners.
#[derive(Debug)]
pub(crate) struct Owners(AtomicU32);

impl Owners {
    pub(crate) fn new(count: u32) -> Owners {
        Owners(AtomicU32::new(count))
    }

    /// Begins anew with one owner; nobody else knows of the frame.
    pub(crate) fn reset(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    /// One owner more; for who owns it already, or has it from one who does.
    pub(crate) fn retain(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One owner less. True: it was the last, and the frame is the caller's to free.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// How many there are. Who owns the frame and finds 1 is alone, and stays so until it shares.
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "loom's cells, in which a race is an error, have no safe way in")]
mod loom_tests {
    use loom::{cell::UnsafeCell, sync::Arc, thread};

    use super::*;

    /// A frame that two own, as the two sides of a fork: its contents, and how often it was freed.
    struct Shared {
        owners: Owners,
        contents: UnsafeCell<u32>,
        freed: AtomicU32,
    }

    /// A write fault: reuse if alone, else copy and let go. What this process reads afterwards.
    fn write(frame: &Shared, value: u32) -> (u32, bool) {
        if frame.owners.count() == 1 {
            // Loom fails here if anybody's read could come at the same time.
            frame.contents.with_mut(|contents| {
                // SAFETY: loom checks that no other access overlaps; that is what is tested.
                unsafe { *contents = value }
            });
            return (value, true);
        }
        // SAFETY: as above; this process still owns the frame while it copies.
        let copy = frame.contents.with(|contents| unsafe { *contents });
        assert_eq!(copy, 7, "a copy is of what was shared");
        if frame.owners.release() {
            frame.freed.fetch_add(1, Ordering::Relaxed);
        }
        (value, false)
    }

    #[test]
    fn two_processes_write_the_page_they_share() {
        loom::model(|| {
            let frame = Arc::new(Shared {
                owners: Owners::new(2),
                contents: UnsafeCell::new(7),
                freed: AtomicU32::new(0),
            });
            let other = frame.clone();
            let child = thread::spawn(move || write(&other, 2));
            let (parent, parent_reused) = write(&frame, 1);
            let (child, child_reused) = child.join().unwrap();
            assert_eq!((parent, child), (1, 2));
            // At most one reuses; if both copied, the last to let go has freed the frame.
            assert!(!(parent_reused && child_reused));
            let freed = frame.freed.load(Ordering::Relaxed);
            assert_eq!(freed, u32::from(!parent_reused && !child_reused));
        });
    }

    #[test]
    fn a_third_process_that_exits_leaves_the_page_to_the_others() {
        loom::model(|| {
            let frame = Arc::new(Shared {
                owners: Owners::new(3),
                contents: UnsafeCell::new(7),
                freed: AtomicU32::new(0),
            });
            let (writer, exiting) = (frame.clone(), frame.clone());
            let writer = thread::spawn(move || write(&writer, 2));
            let exiting = thread::spawn(move || {
                if exiting.owners.release() {
                    exiting.freed.fetch_add(1, Ordering::Relaxed);
                }
            });
            let (_, reused) = write(&frame, 1);
            let (_, also) = writer.join().unwrap();
            exiting.join().unwrap();
            let freed = frame.freed.load(Ordering::Relaxed);
            assert!(!(reused && also));
            assert_eq!(freed, u32::from(!reused && !also));
        });
    }
}
