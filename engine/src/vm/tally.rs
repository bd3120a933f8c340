//! What happened, counted: faults by kind, pages dropped, merged and swapped.

use super::fault::{Action, Fault};

/// Counts of one process, one call, or a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Faults solved without reading.
    pub minor: u64,
    /// Faults that had to read from swap.
    pub major: u64,
    /// Untouched anonymous pages written.
    pub zero_filled: u64,
    /// Untouched anonymous pages read: the zero frame was mapped.
    pub zero_mapped: u64,
    /// Zero pages written.
    pub zero_broken: u64,
    /// Shared pages copied.
    pub copied: u64,
    /// Merged pages copied.
    pub merged_copied: u64,
    /// File pages mapped.
    pub file_mapped: u64,
    /// Absent pages of private file mappings written.
    pub file_copied: u64,
    /// Mapped pages of private file mappings written.
    pub file_broken: u64,
    /// Pages that were unmapped.
    pub dropped: u64,
    /// Pages that were merged with others.
    pub merged: u64,
    /// Pages that came back from swap.
    pub swapped_in: u64,
    /// Pages that went to swap.
    pub swapped_out: u64,
    /// Writes solved without a copy.
    pub reused: u64,
    /// Faults that mapped file pages around.
    pub around: u64,
    /// First writes to shared file pages mapped by a read.
    pub made_writable: u64,
    /// Faults that found only the tables shared.
    pub own_tables: u64,
    /// Shared page tables copied.
    pub table_copies: u64,
}

impl Tally {
    /// Counts a fault.
    pub(crate) fn add_fault(&mut self, fault: &Fault) {
        *if fault.read { &mut self.major } else { &mut self.minor } += 1;
        self.table_copies += fault.shadows;
        match fault.action {
            Action::ZeroFill { pages } => self.zero_filled += pages,
            Action::MapZero { pages } => self.zero_mapped += pages,
            Action::BreakZero { pages } => self.zero_broken += pages,
            Action::Copy => self.copied += 1,
            Action::CopyMerged => self.merged_copied += 1,
            Action::Reuse => self.reused += 1,
            Action::MapFile { pages, around } => {
                self.file_mapped += pages;
                self.around += u64::from(around);
            }
            Action::CopyFile => self.file_copied += 1,
            Action::BreakFile => self.file_broken += 1,
            Action::MakeWritable => self.made_writable += 1,
            Action::OwnTables => self.own_tables += 1,
            Action::SwapIn { .. } => self.swapped_in += 1,
        }
    }

    /// Counts pages that a fault mapped which was then refused.
    pub(crate) fn map_around(&mut self, pages: u64) {
        self.file_mapped += pages;
    }

    /// All of them, to be stored.
    pub(crate) fn counts(&mut self) -> [&mut u64; 19] {
        [
            &mut self.minor,
            &mut self.major,
            &mut self.zero_filled,
            &mut self.zero_mapped,
            &mut self.zero_broken,
            &mut self.copied,
            &mut self.merged_copied,
            &mut self.file_mapped,
            &mut self.file_copied,
            &mut self.file_broken,
            &mut self.dropped,
            &mut self.merged,
            &mut self.swapped_in,
            &mut self.swapped_out,
            &mut self.reused,
            &mut self.around,
            &mut self.made_writable,
            &mut self.own_tables,
            &mut self.table_copies,
        ]
    }

    /// The counts with their short names, in the order in which they are printed.
    pub fn named(&self) -> [(&'static str, u64); 15] {
        [
            ("zfill", self.zero_filled),
            ("zmap", self.zero_mapped),
            ("zbreak", self.zero_broken),
            ("copy", self.copied),
            ("kcopy", self.merged_copied),
            ("fmap", self.file_mapped),
            ("fcow", self.file_copied),
            ("fbreak", self.file_broken),
            ("drop", self.dropped),
            ("merged", self.merged),
            ("swapin", self.swapped_in),
            ("swapout", self.swapped_out),
            ("reuse", self.reused),
            ("ffault", self.around),
            ("mkwrite", self.made_writable),
        ]
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        *self = combine(*self, other, u64::wrapping_add);
    }
}

impl std::ops::Sub for Tally {
    type Output = Tally;

    fn sub(self, other: Tally) -> Tally {
        combine(self, other, u64::wrapping_sub)
    }
}

fn combine(a: Tally, b: Tally, f: impl Fn(u64, u64) -> u64) -> Tally {
    Tally {
        minor: f(a.minor, b.minor),
        major: f(a.major, b.major),
        zero_filled: f(a.zero_filled, b.zero_filled),
        zero_mapped: f(a.zero_mapped, b.zero_mapped),
        zero_broken: f(a.zero_broken, b.zero_broken),
        copied: f(a.copied, b.copied),
        merged_copied: f(a.merged_copied, b.merged_copied),
        file_mapped: f(a.file_mapped, b.file_mapped),
        file_copied: f(a.file_copied, b.file_copied),
        file_broken: f(a.file_broken, b.file_broken),
        dropped: f(a.dropped, b.dropped),
        merged: f(a.merged, b.merged),
        swapped_in: f(a.swapped_in, b.swapped_in),
        swapped_out: f(a.swapped_out, b.swapped_out),
        reused: f(a.reused, b.reused),
        around: f(a.around, b.around),
        made_writable: f(a.made_writable, b.made_writable),
        own_tables: f(a.own_tables, b.own_tables),
        table_copies: f(a.table_copies, b.table_copies),
    }
}
