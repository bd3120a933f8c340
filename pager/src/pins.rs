//! How many claims keep a frame in memory: one atomic word, compare-and-swap, no lock.
//!
//! ```text
//!             try_pin / unpin
//!               +-------+
//!               v       |
//!   idle (0) --> pinned (n) -----retire-----> retired, pinned (R|n) --last unpin--> R|0: freed
//!      |                                                                              ^
//!      +------------------------retire or try_retire_idle----------------------------+
//! ```
//!
//! Whoever brings the word to `R|0` (retired, no pins) owns the frame from then on, and is told so
//! by the return value: exactly one caller frees it. [`Pins::reset`] starts the next life.

use crate::primitive::{AtomicU32, Ordering};

const RETIRED: u32 = 1 << 31;

/// The pin count of a frame.
#[derive(Debug)]
pub(crate) struct Pins(AtomicU32);

impl Pins {
    /// A frame in nobody's use.
    pub(crate) fn new() -> Pins {
        Pins(AtomicU32::new(RETIRED))
    }

    /// Adds a pin, unless the frame is retired.
    pub(crate) fn try_pin(&self) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            // Half the range is left unused so that a count can never run into the flag.
            if word & RETIRED != 0 || word >= RETIRED / 2 {
                return false;
            }
            match self.0.compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Adds a pin for a caller that holds one already (a retired frame lives on under its pins).
    pub(crate) fn add_to_held(&self) {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        debug_assert!(before & !RETIRED > 0, "cloned without a pin");
    }

    /// Drops a pin. True: the frame was retired and this was the last pin; the caller frees it.
    #[must_use]
    pub(crate) fn unpin(&self) -> bool {
        let before = self.0.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before & !RETIRED > 0, "unpin without a pin");
        before == RETIRED | 1
    }

    /// Retires an idle frame. False: it is pinned or retired already.
    #[must_use]
    pub(crate) fn try_retire_idle(&self) -> bool {
        self.0.compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Retires a frame, pinned or not. True: no pin was left; the caller frees it.
    #[must_use]
    pub(crate) fn retire(&self) -> bool {
        let before = self.0.fetch_or(RETIRED, Ordering::AcqRel);
        before == 0
    }

    /// Begins a new life with `pins` pins. Only for the owner of a freed frame.
    pub(crate) fn reset(&self, pins: u32) {
        self.0.store(pins, Ordering::Release);
    }

    /// The pins right now (a hint, unless the caller knows that nobody else can pin).
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire) & !RETIRED
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_out_frees_a_retired_frame() {
        let pins = Pins::new();
        assert!(!pins.try_pin());
        pins.reset(1);
        assert!(pins.try_pin());
        assert!(!pins.try_retire_idle());
        assert!(!pins.retire());
        assert!(!pins.try_pin());
        assert!(!pins.unpin());
        assert!(pins.unpin());
    }

    #[test]
    fn an_idle_frame_is_freed_by_whoever_retires_it() {
        let pins = Pins::new();
        pins.reset(0);
        assert!(pins.try_retire_idle());
        assert!(!pins.try_retire_idle());
        assert!(!pins.retire());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::{sync::Arc, sync::atomic::AtomicU32, thread};

    /// A reader that pins and unpins, an evictor and a discarder race: the frame is freed once.
    #[test]
    fn exactly_one_of_three_threads_frees_the_frame() {
        loom::model(|| {
            let pins = Arc::new(Pins::new());
            pins.reset(0);
            let freed = Arc::new(AtomicU32::new(0));
            let spawn = |work: fn(&Pins) -> bool| {
                let (pins, freed) = (pins.clone(), freed.clone());
                thread::spawn(move || {
                    if work(&pins) {
                        freed.fetch_add(1, Ordering::Relaxed);
                    }
                })
            };
            let reader = spawn(|pins| pins.try_pin() && pins.unpin());
            let evictor = spawn(|pins| pins.try_retire_idle());
            let discarder = spawn(|pins| pins.retire());
            reader.join().unwrap();
            evictor.join().unwrap();
            discarder.join().unwrap();
            assert_eq!(freed.load(Ordering::Relaxed), 1);
        });
    }

    /// While a pin is held, nobody is told to free the frame.
    #[test]
    fn a_pinned_frame_is_never_freed() {
        loom::model(|| {
            let pins = Arc::new(Pins::new());
            pins.reset(0);
            let other = pins.clone();
            let evictor = thread::spawn(move || other.try_retire_idle());
            if pins.try_pin() {
                // The evictor may only have lost.
                assert!(!evictor.join().unwrap());
                assert!(!pins.unpin());
            } else {
                assert!(evictor.join().unwrap());
            }
        });
    }
}
