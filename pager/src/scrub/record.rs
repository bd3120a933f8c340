//! How far the scrub is: what `stats` tells of it, and what each superblock keeps.
//!
//! ```text
//!  position u64 | passes u64 | the pass under way | the last complete one
//!  a pass:  began u64 | ended u64 | took u64 | verified u64 | unwritten u64 | damaged u64 | unreadable u64
//! ```
//!
//! All of it zero: never scrubbed. Nothing else in a file depends on it, so what it says is taken as
//! it stands.

use crate::page::{PageId, put, u64_at};

/// A pass over all used pages of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubPass {
    /// When it began, in seconds since 1970; 0: there is no such pass.
    pub began: u64,
    /// When it ended, in seconds since 1970; 0: it has not.
    pub ended: u64,
    /// Milliseconds that it ran, without the times in which it was paused.
    pub took: u64,
    /// Pages read and found right, pages of the map among them.
    pub pages_verified: u64,
    /// Pages that were in memory only when the pass came by: the log has what is in them.
    pub pages_unwritten: u64,
    /// Pages whose bytes are not what was written.
    pub pages_damaged: u64,
    /// Pages that could not be read, and the pages of groups of the map that could not be read.
    pub pages_unreadable: u64,
}

/// How far the scrub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubRecord {
    /// The pass under way goes on with this page.
    pub position: PageId,
    /// Complete passes.
    pub passes: u64,
    /// The pass under way.
    pub pass: ScrubPass,
    /// The last complete one.
    pub last: ScrubPass,
}

impl ScrubPass {
    const WORDS: usize = 7;

    fn words(&mut self) -> [&mut u64; ScrubPass::WORDS] {
        [
            &mut self.began,
            &mut self.ended,
            &mut self.took,
            &mut self.pages_verified,
            &mut self.pages_unwritten,
            &mut self.pages_damaged,
            &mut self.pages_unreadable,
        ]
    }

    /// Is there such a pass?
    pub fn exists(&self) -> bool {
        self.began > 0
    }
}

impl ScrubRecord {
    /// Bytes of an encoded record.
    pub const SIZE: usize = 8 * (2 + 2 * ScrubPass::WORDS);

    fn words(&mut self) -> impl Iterator<Item = &mut u64> {
        let own = [&mut self.position.0, &mut self.passes];
        own.into_iter().chain(self.pass.words()).chain(self.last.words())
    }

    /// Writes the record to its place.
    pub(crate) fn encode(&self, place: &mut [u8]) {
        let mut record = *self;
        for (i, word) in record.words().enumerate() {
            put(place, 8 * i, &word.to_le_bytes());
        }
    }

    /// The inverse of [`ScrubRecord::encode`].
    pub(crate) fn decode(place: &[u8]) -> ScrubRecord {
        let mut record = ScrubRecord::default();
        for (i, word) in record.words().enumerate() {
            *word = u64_at(place, 8 * i);
        }
        record
    }

    /// The record, unless it says what none can say: then there is none.
    pub(crate) fn or_none(mut self) -> ScrubRecord {
        /// Above all page numbers, counts, and times to come.
        const BOUND: u64 = 1 << 48;
        if self.words().any(|word| *word >= BOUND) { ScrubRecord::default() } else { self }
    }

    /// Begins a pass if none is under way.
    pub(super) fn begin(&mut self, now: u64) {
        if !self.pass.exists() {
            self.position = PageId::NONE;
            self.pass = ScrubPass { began: now.max(1), ..ScrubPass::default() };
        }
    }

    /// The pass under way has come to its end.
    pub(super) fn end(&mut self, now: u64) {
        self.last = ScrubPass { ended: now.max(1), ..self.pass };
        self.passes = self.passes.saturating_add(1);
        self.forget();
    }

    /// Forgets the pass under way.
    pub(super) fn forget(&mut self) {
        self.position = PageId::NONE;
        self.pass = ScrubPass::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_encoding() {
        let mut record = ScrubRecord::default();
        for (i, word) in record.words().enumerate() {
            *word = u64::MAX - i as u64;
        }
        let mut place = [0; ScrubRecord::SIZE];
        record.encode(&mut place);
        assert_eq!(ScrubRecord::decode(&place), record);
        assert_eq!(ScrubRecord::decode(&[0; ScrubRecord::SIZE]), ScrubRecord::default());
    }
}
