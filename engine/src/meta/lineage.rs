//! Where a version comes from: the lines of versions that lead to it.
//!
//! A *line* is what a branch writes until it is rolled back; a branch that is made, or rolled back,
//! begins a new one at the version that it starts from:
//!
//! ```text
//! line 1 ---- 10 ---- 20 ---- 30 ...          main's, until it was rolled back to 20
//!              \        \--- line 3 ---- ...   main since then:   (1, 20) (3, -)
//!               \-- line 2 ---- 40 ...         a branch from 10:  (1, 10) (2, -)
//! ```
//!
//! The version (1, 10) is an ancestor of both: each has a stretch of line 1 that goes that far. This
//! is what tells whether the pages younger than a bookmark are all that changed since.
//!
//! Only the last [`STRETCHES_MAX`] stretches are kept, so that no record grows without bound. What
//! lies before is no ancestor that could be proved.

use cowslip_pager::{PageId, page::u64_at};

/// Stretches that a record keeps.
const STRETCHES_MAX: usize = 16;

/// The end of a stretch that still grows.
const OPEN: u64 = u64::MAX;

/// A version's place in history: a line, and the stamp on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// Stamp of the transaction that made the version.
    pub stamp: u64,
}

/// The stretches of lines that lead to a version, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage(Vec<Place>);

impl Lineage {
    /// The lineage of a branch that begins `line` where this one ends.
    pub fn fork(mut self, line: u64) -> Lineage {
        if self.0.len() == STRETCHES_MAX {
            self.0.remove(0);
        }
        self.0.push(Place { line, stamp: OPEN });
        self
    }

    /// The lineage of the version that the transaction `stamp` makes, or finds, on a branch.
    pub fn until(mut self, stamp: u64) -> Lineage {
        if let Some(last) = self.0.last_mut() {
            last.stamp = last.stamp.min(stamp);
        }
        self
    }

    /// The version's own place; none in a record that has no history.
    pub fn tip(&self) -> Option<Place> {
        self.0.last().copied()
    }

    /// Does it end with a version that `stamp` made? So it is with what does not change any more. One that has no
    /// history ends anywhere.
    pub fn ends_at(&self, stamp: u64) -> bool {
        self.tip().is_none_or(|tip| tip.stamp == stamp)
    }

    /// Does its last stretch still grow? So it is with branches.
    pub fn is_open(&self) -> bool {
        self.ends_at(OPEN)
    }

    /// The stretches, oldest first.
    pub fn stretches(&self) -> impl DoubleEndedIterator<Item = Place> + '_ {
        self.0.iter().copied()
    }

    /// Is `version` an ancestor of this one, or this one itself?
    pub fn descends_from(&self, version: &Lineage) -> bool {
        let Some(place) = version.tip() else { return false };
        self.0.iter().any(|stretch| stretch.line == place.line && place.stamp <= stretch.stamp)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        for place in &self.0 {
            out.extend_from_slice(&place.line.to_le_bytes());
            out.extend_from_slice(&place.stamp.to_le_bytes());
        }
    }

    pub(super) fn decode(from: &mut super::In<'_>) -> cowslip_pager::Result<Lineage> {
        let count = usize::from(from.take(1)?[0]);
        if count > STRETCHES_MAX {
            let PageId(page) = from.page;
            return Err(cowslip_pager::Error::corrupted(
                page,
                "stretches of a lineage (at most)",
                STRETCHES_MAX as u64,
                count as u64,
            ));
        }
        let bytes = from.take(16 * count)?;
        let place = |b: &[u8]| Place { line: u64_at(b, 0), stamp: u64_at(b, 8) };
        Ok(Lineage(bytes.chunks_exact(16).map(place).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ancestor_is_what_the_line_passed_before_it_was_left() {
        let main = Lineage::default().fork(1);
        let ten = main.clone().until(10);
        let thirty = main.clone().until(30);
        let branch = ten.clone().fork(2);
        let back = main.clone().until(20).fork(3);
        assert!(branch.descends_from(&ten) && back.descends_from(&ten));
        assert!(!branch.descends_from(&thirty) && !back.descends_from(&thirty));
        assert!(main.descends_from(&thirty));
        assert!(!main.descends_from(&branch.clone().until(40)));
        assert!(thirty.descends_from(&thirty));
        assert!(!ten.descends_from(&thirty));
    }

    #[test]
    fn a_long_history_forgets_its_beginning_and_nothing_else() {
        let first = Lineage::default().fork(1).until(1);
        let mut lineage = first.clone();
        for line in 2..=16 {
            lineage = lineage.fork(line).until(line);
        }
        assert!(lineage.descends_from(&first));
        let lineage = lineage.fork(17);
        assert!(!lineage.descends_from(&first));
        assert!(lineage.descends_from(&Lineage::default().fork(2).until(2)));
    }
}
