//! One entry of a page table: 64 bits, laid out as x86-64 does where it has a bit for it.
//!
//! ```text
//!  63        52 51                12 11 10  9  8  7  6  5  4  3  2  1  0
//! +------------+--------------------+--+--+--+--+--+--+--+--+--+--+--+--+
//! |     0      |  frame, or swap    |G |S |E |  |H |D |A |     |U |W |P |
//! |            |  slot when S       |  |  |  |  |  |  |  |     |  |  |  |
//! +------------+--------------------+--+--+--+--+--+--+--+--+--+--+--+--+
//! P present   W writable   U user (clear: mapped, but no access)   A accessed   D dirty
//! H a leaf table whose 512 pages are one huge page (in an entry of the level above)
//! E exclusive: the only entry for its anonymous frame    S swapped    G guard
//! ```
//!
//! Entries of the upper levels name the frame of a table and carry P, and H at most.

use super::frames::Frame;

/// An entry of a page table. The default is none: nothing is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry(pub(crate) u64);

impl Entry {
    /// Nothing is mapped.
    pub const NONE: Entry = Entry(0);
    /// A guard: any access is refused.
    pub(crate) const GUARD: Entry = Entry(1 << 11);

    pub(crate) const PRESENT: u64 = 1;
    pub(crate) const WRITABLE: u64 = 1 << 1;
    pub(crate) const USER: u64 = 1 << 2;
    pub(crate) const ACCESSED: u64 = 1 << 5;
    pub(crate) const DIRTY: u64 = 1 << 6;
    pub(crate) const HUGE: u64 = 1 << 7;
    pub(crate) const EXCLUSIVE: u64 = 1 << 9;
    pub(crate) const SWAPPED: u64 = 1 << 10;
    const NUMBER: u32 = 12;

    /// A mapped frame, with the bits of `flags`.
    pub(crate) fn frame(frame: Frame, flags: u64) -> Entry {
        Entry(u64::from(frame.0) << Entry::NUMBER | Entry::PRESENT | flags)
    }

    /// A page that is in a slot of the swap.
    pub(crate) fn swap(slot: u32, flags: u64) -> Entry {
        Entry(u64::from(slot) << Entry::NUMBER | Entry::SWAPPED | flags)
    }

    /// Its bits, without the number.
    pub(crate) fn bits(self) -> u64 {
        self.0 & ((1 << Entry::NUMBER) - 1)
    }

    pub(crate) fn has(self, flags: u64) -> bool {
        self.0 & flags == flags
    }

    pub(crate) fn with(self, flags: u64) -> Entry {
        Entry(self.0 | flags)
    }

    pub(crate) fn without(self, flags: u64) -> Entry {
        Entry(self.0 & !flags)
    }

    /// Is nothing there, not even a guard?
    pub fn is_none(self) -> bool {
        self == Entry::NONE
    }

    /// Is a frame mapped?
    pub fn is_present(self) -> bool {
        self.has(Entry::PRESENT)
    }

    /// Is it a guard?
    pub fn is_guard(self) -> bool {
        self == Entry::GUARD
    }

    /// The slot of a page that was swapped out.
    pub fn slot(self) -> Option<u32> {
        self.has(Entry::SWAPPED).then_some((self.0 >> Entry::NUMBER) as u32)
    }

    /// The frame that is mapped.
    pub fn mapped(self) -> Option<Frame> {
        self.is_present().then_some(Frame((self.0 >> Entry::NUMBER) as u32))
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let names = [
            (Entry::PRESENT, 'P'),
            (Entry::WRITABLE, 'W'),
            (Entry::USER, 'U'),
            (Entry::ACCESSED, 'A'),
            (Entry::DIRTY, 'D'),
            (Entry::HUGE, 'H'),
            (Entry::EXCLUSIVE, 'E'),
            (Entry::SWAPPED, 'S'),
            (Entry::GUARD.0, 'G'),
        ];
        write!(f, "{} ", self.0 >> Entry::NUMBER)?;
        names.iter().filter(|(bit, _)| self.has(*bit)).try_for_each(|(_, c)| write!(f, "{c}"))
    }
}
