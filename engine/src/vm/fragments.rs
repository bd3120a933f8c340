//! Fragmentation: how much of the free memory lies together.
//!
//! Free frames are counted as a buddy allocator would have them: in aligned blocks of 2^k frames,
//! each as large as it can be. A huge page needs a block of order 9; how much of the free memory
//! cannot serve it is the *unusable index* (Gorman and Whitcroft, "The what, the why and the where
//! to of anti-fragmentation", 2006).

use std::ops::Range;

use super::machine::Machine;

/// Orders of blocks that are told apart: up to 4 MiB.
pub const ORDERS: usize = 11;

/// Free memory, by the size of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fragments {
    /// Free frames.
    pub free: u64,
    /// Aligned blocks of 2^k free frames, each counted once, as the largest that it is in.
    pub blocks: [u64; ORDERS],
}

impl Fragments {
    /// Counts a run of free frames.
    fn add(&mut self, run: Range<u64>) {
        self.free += run.end - run.start;
        let mut at = run.start;
        while at < run.end {
            let aligned = at.trailing_zeros().min(ORDERS as u32 - 1);
            let fits = (run.end - at).ilog2();
            let order = aligned.min(fits);
            self.blocks[order as usize] += 1;
            at += 1 << order;
        }
    }

    /// The part of the free memory, 0 to 1, that is in blocks too small for 2^`order` frames.
    pub fn unusable(&self, order: usize) -> f64 {
        if self.free == 0 {
            return 0.0;
        }
        let usable: u64 = (order..ORDERS).map(|order| self.blocks[order] << order).sum();
        (self.free - usable) as f64 / self.free as f64
    }
}

impl Machine {
    /// How the free memory lies.
    pub fn fragments(&self) -> Fragments {
        let (mut freed, never_used) = self.memory.frames.free();
        freed.sort_unstable();
        let mut fragments = Fragments::default();
        let numbers = freed.into_iter().map(|frame| u64::from(frame.0));
        let mut run = 0..0;
        for number in numbers {
            if number != run.end {
                fragments.add(run);
                run = number..number;
            }
            run.end += 1;
        }
        // What was never used follows what was freed last, if that was the end.
        if run.end == never_used.start {
            fragments.add(run.start..never_used.end);
        } else {
            fragments.add(run);
            fragments.add(never_used);
        }
        fragments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_as_large_as_they_can_be() {
        let mut fragments = Fragments::default();
        fragments.add(1..16);
        assert_eq!(fragments.free, 15);
        assert_eq!(fragments.blocks[..5], [1, 1, 1, 1, 0]);
        assert!((fragments.unusable(3) - 7.0 / 15.0).abs() < 1e-9);
        fragments.add(512..1536);
        assert_eq!(fragments.blocks[9], 2);
        assert_eq!(fragments.blocks[10], 0, "a block of 1024 begins at a multiple of 1024");
    }
}
