//! Runs of available pages: a bit for each page, looked for from a cursor on.
//!
//! ```text
//!  group 0             group 1             group 2         a bit: the page may be taken now
//!  0110 0011 1100 ...  1111 1111 1100 ...  1000 0000 ...
//!                      ^ cursor            longest <= 1: not looked at for a longer run
//! ```
//!
//! For each group it is known how long a run can be at most, so a search that failed costs nothing until a
//! longer run has come up there. What a transaction took last and gives back is what the next one takes.

use super::{Run, Space};
use crate::{error::Result, page::PageId};

impl Space {
    /// The next run of at least `good` pages behind the cursor, cut to `want`.
    pub(super) fn find(&mut self, want: u64, good: u64) -> Result<Option<Run>> {
        let groups = self.available.len() as u64;
        let first = self.geometry.group_of(PageId(self.cursor)).min(groups.saturating_sub(1));
        for step in 0..=groups {
            let group = (first + step) % groups;
            let index = group as usize;
            if u64::from(self.available_count[index].min(self.longest[index])) < good {
                continue;
            }
            self.touch(group)?;
            // The cursor's own group is looked at twice: from the cursor on, and at the end whole.
            let start = self.geometry.group_start(group);
            let from = if step == 0 { self.cursor.saturating_sub(start) } else { 0 };
            match self.find_in(group, from, want, good) {
                Ok((at, length)) => {
                    let run = Run { start: PageId(start + at), length };
                    self.mark(run, false);
                    self.cursor = run.end();
                    return Ok(Some(run));
                }
                Err(longest) if from == 0 => self.longest[index] = longest,
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Place and length of a run in a group from bit `from` on, or else the length of the longest there.
    fn find_in(
        &self,
        group: u64,
        from: u64,
        want: u64,
        good: u64,
    ) -> std::result::Result<(u64, u64), u32> {
        let Some(bits) = self.available[group as usize].as_ref() else { return Err(u32::MAX) };
        let end = bits.len() as u64 * 64;
        let mut at = from;
        let mut longest = 0;
        while at < end {
            let word = bits[at as usize / 64] >> (at % 64);
            if word == 0 {
                at = (at / 64 + 1) * 64;
                continue;
            }
            at += u64::from(word.trailing_zeros());
            let length = ones_from(bits, at, want);
            if length >= good {
                return Ok((at, length.min(want)));
            }
            longest = longest.max(length as u32);
            at += length.max(1);
        }
        Err(longest)
    }

    /// Says of a run whether its pages are available. The length of the longest run that it is part of then.
    pub(super) fn mark(&mut self, run: Run, available: bool) -> u64 {
        let mut page = run.start.0;
        let mut longest = 0;
        while page < run.end() {
            let group = page / self.geometry.group_pages;
            let group_end = ((group + 1) * self.geometry.group_pages).min(run.end());
            let bits = self.available[group as usize]
                .as_mut()
                .expect("a page that was in use lies in a group that was touched");
            let count = &mut self.available_count[group as usize];
            for page in page..group_end {
                let i = page % self.geometry.group_pages;
                let bit = 1 << (i % 64);
                let word = &mut bits[i as usize / 64];
                debug_assert_eq!(*word & bit == 0, available, "page {page} marked twice");
                if available {
                    *word |= bit;
                    *count += 1;
                } else {
                    *word &= !bit;
                    *count -= 1;
                }
            }
            if available {
                self.total_available += group_end - page;
                let from = page % self.geometry.group_pages;
                let before = ones_before(bits, from);
                let around = before + ones_from(bits, from, u64::MAX);
                let hint = &mut self.longest[group as usize];
                *hint = (*hint).max(around as u32);
                longest = longest.max(around);
            } else {
                self.total_available -= group_end - page;
            }
            page = group_end;
        }
        longest
    }

    /// Returns pages that were taken and never became part of a committed state.
    pub(crate) fn give_back(&mut self, run: Run) {
        self.mark(run, true);
        if self.cursor == run.end() {
            // The rest of what was taken last is taken next, so that small transactions stand together.
            self.cursor = run.start.0;
        }
    }
}

/// Bits set in a row from bit `from` on; those beyond `enough` may be left out.
fn ones_from(bits: &[u64], from: u64, enough: u64) -> u64 {
    let end = bits.len() as u64 * 64;
    let mut at = from;
    while at < end && at - from < enough {
        let ones = (bits[at as usize / 64] >> (at % 64)).trailing_ones();
        at += u64::from(ones);
        if ones == 0 || !at.is_multiple_of(64) {
            break;
        }
    }
    at - from
}

/// Bits set in a row that end before bit `end`.
fn ones_before(bits: &[u64], end: u64) -> u64 {
    let mut at = end;
    while at > 0 {
        let last = at - 1;
        let ones = (bits[last as usize / 64] << (63 - last % 64)).leading_ones();
        at -= u64::from(ones);
        if ones == 0 || !at.is_multiple_of(64) {
            break;
        }
    }
    end - at
}
