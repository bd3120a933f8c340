//! Physical memory: frames of 4 KiB, each with the number of its owners.
//!
//! Data and page tables are the same thing here, 512 words of 64 bits; what differs is who reads
//! them. A frame's owners are the entries that name it (one for each *table*, however many
//! processes share that table) and the caches that keep it. It promises:
//!
//! - **V1** A frame is free exactly when it has no owner; [`Frames::release`] says who was the last.
//! - **V2** A frame is written only by its sole owner, or, as a table, by whoever holds its only
//!   path (the accessed and dirty bits excepted, which anyone may set).
//! - **V3** The zero frame is never written, never counted and never freed.
//!
//! Counts are atomic (`owners`), so faults of several processes run side by side.
//!
//! Memory is taken in chunks as frames are first used, so a machine costs what it touched, not
//! what it was given.

use std::{
    ops::Range,
    sync::{
        OnceLock,
        atomic::{
            AtomicU8, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed},
        },
    },
};

use cowslip_pager::mutant;

use super::{entry::Entry, owners::Owners, pool::Pool};

/// Words of a page: entries of a table.
pub(super) const WORDS: usize = 512;
/// Bytes of a page.
pub const PAGE: usize = WORDS * 8;

/// The number of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(pub u32);

impl Frame {
    /// The one frame of zeros that all untouched memory is read from.
    pub const ZERO: Frame = Frame(0);
}

/// What a frame is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Use {
    /// Nobody's.
    Free = 0,
    /// A page table.
    Table = 1,
    /// Private memory of one or more processes.
    Anonymous = 2,
    /// A page of a file, or of anonymous memory that is shared by design.
    File = 3,
    /// Private memory that same-page merging keeps for all who have these contents.
    Merged = 4,
}

impl Use {
    pub(crate) fn of(number: u8) -> Use {
        match number {
            1 => Use::Table,
            2 => Use::Anonymous,
            3 => Use::File,
            4 => Use::Merged,
            _ => Use::Free,
        }
    }
}

/// What is kept of a frame besides its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) used: Use,
    pub(crate) marks: u8,
    pub(crate) huge: u32,
}

/// No frame is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFrame;

struct Slot {
    owners: Owners,
    used: AtomicU8,
    marks: AtomicU8,
    /// The huge page it was made as a part of; 0: none.
    huge: AtomicU32,
    /// The page of a database that has the contents; 0: none. Of a table, the one that had them when
    /// the machine was stored last.
    stored: AtomicU32,
}

const LAZY: u8 = 1;
const DIRTY: u8 = 2;

const CHUNK: usize = 256;

struct Chunk {
    words: Box<[AtomicU64]>,
    slots: Box<[Slot]>,
}

impl Chunk {
    fn new() -> Chunk {
        let slot = || Slot {
            owners: Owners::new(0),
            used: AtomicU8::new(Use::Free as u8),
            marks: AtomicU8::new(0),
            huge: AtomicU32::new(0),
            stored: AtomicU32::new(0),
        };
        Chunk {
            words: (0..CHUNK * WORDS).map(|_| AtomicU64::new(0)).collect(),
            slots: (0..CHUNK).map(|_| slot()).collect(),
        }
    }
}

/// All frames of a machine.
pub struct Frames {
    chunks: Box<[OnceLock<Chunk>]>,
    pool: Pool,
    copies: AtomicU64,
}

impl Frames {
    /// Memory of so many frames, the zero frame not counted, of which no more than `modelled` are
    /// ever taken.
    pub(crate) fn new(limit: u32, modelled: u32) -> Frames {
        let chunks = (limit.min(modelled) as usize + 1).div_ceil(CHUNK);
        Frames {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
            pool: Pool::new(limit, modelled),
            copies: AtomicU64::new(0),
        }
    }

    /// Frames in use.
    pub fn used(&self) -> u32 {
        self.pool.used()
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.pool.is_exhausted()
    }

    /// Frames that there are, the zero frame not counted.
    pub fn limit(&self) -> u32 {
        self.pool.limit()
    }

    /// The frames that were given back, and those that were never used.
    pub(crate) fn free(&self) -> (Vec<Frame>, Range<u64>) {
        self.pool.free()
    }

    /// Pages of data copied so far.
    pub fn copies(&self) -> u64 {
        self.copies.load(Relaxed)
    }

    /// A frame of zeros with one owner.
    pub(crate) fn allocate(&self, used: Use) -> Result<Frame, NoFrame> {
        let (frame, clean) = self.pool.take()?;
        if !clean {
            self.words(frame).iter().for_each(|word| word.store(0, Relaxed));
        }
        self.claim(frame, used);
        Ok(frame)
    }

    /// A copy of `original`, with one owner.
    pub(crate) fn duplicate(&self, original: Frame, used: Use) -> Result<Frame, NoFrame> {
        let (frame, _) = self.pool.take()?;
        for (to, from) in self.words(frame).iter().zip(self.words(original)) {
            to.store(from.load(Relaxed), Relaxed);
        }
        self.claim(frame, used);
        self.copies.fetch_add(1, Relaxed);
        Ok(frame)
    }

    fn claim(&self, frame: Frame, used: Use) {
        let slot = self.slot(frame);
        slot.used.store(used as u8, Relaxed);
        slot.marks.store(0, Relaxed);
        slot.huge.store(0, Relaxed);
        slot.stored.store(0, Relaxed);
        slot.owners.reset();
    }

    /// One owner more; for who owns it already, or has it from one who does.
    pub(crate) fn retain(&self, frame: Frame) {
        if frame != Frame::ZERO {
            self.slot(frame).owners.retain();
        }
    }

    /// One owner less. True: it was the last, and the frame is the caller's to [give
    /// back](Frames::give_back) when it has released what it names.
    #[must_use]
    pub(crate) fn release(&self, frame: Frame) -> bool {
        frame != Frame::ZERO && self.slot(frame).owners.release()
    }

    /// Frees a frame without owners.
    pub(crate) fn give_back(&self, frame: Frame) {
        self.slot(frame).used.store(Use::Free as u8, Relaxed);
        self.pool.give_back(frame);
    }

    /// Drops an owner of a frame of data.
    pub(crate) fn drop_data(&self, frame: Frame) {
        if self.release(frame) {
            self.give_back(frame);
        }
    }

    /// How many owners a frame has.
    pub fn owners(&self, frame: Frame) -> u32 {
        if frame == Frame::ZERO { 0 } else { self.slot(frame).owners.count() }
    }

    /// What a frame is used for.
    pub fn used_for(&self, frame: Frame) -> Use {
        Use::of(self.slot(frame).used.load(Relaxed))
    }

    pub(crate) fn set_use(&self, frame: Frame, used: Use) {
        self.slot(frame).used.store(used as u8, Relaxed);
    }

    /// Offered by `madvise(FREE)`: it may be dropped instead of swapped while it stays clean.
    pub(crate) fn set_lazy(&self, frame: Frame) {
        self.slot(frame).marks.fetch_or(LAZY, Relaxed);
    }

    pub(crate) fn is_lazy(&self, frame: Frame) -> bool {
        self.slot(frame).marks.load(Relaxed) & LAZY != 0
    }

    /// Differs from what its file says: written through a shared mapping.
    pub(crate) fn set_dirty(&self, frame: Frame) {
        self.slot(frame).marks.fetch_or(DIRTY, Relaxed);
    }

    pub(crate) fn is_dirty(&self, frame: Frame) -> bool {
        self.slot(frame).marks.load(Relaxed) & DIRTY != 0
    }

    /// Says that a frame was made as a part of a huge page.
    pub(crate) fn set_huge(&self, frame: Frame, huge: u32) {
        self.slot(frame).huge.store(huge, Relaxed);
    }

    /// The huge page that a frame was made as a part of.
    pub(crate) fn huge(&self, frame: Frame) -> Option<u32> {
        Some(self.slot(frame).huge.load(Relaxed)).filter(|huge| *huge != 0)
    }

    /// The words of a frame.
    pub(crate) fn words(&self, frame: Frame) -> &[AtomicU64] {
        let (chunk, at) = self.find(frame);
        &chunk.words[at * WORDS..(at + 1) * WORDS]
    }

    fn slot(&self, frame: Frame) -> &Slot {
        let (chunk, at) = self.find(frame);
        &chunk.slots[at]
    }

    #[inline]
    fn find(&self, frame: Frame) -> (&Chunk, usize) {
        let number = frame.0 as usize;
        (self.chunks[number / CHUNK].get_or_init(Chunk::new), number % CHUNK)
    }

    // ---- stored --------------------------------------------------------------------------

    /// A frame as it was stored, in the place that it had, with one owner.
    pub(crate) fn restore(&self, frame: Frame, state: &Kept) {
        self.claim(frame, state.used);
        let slot = self.slot(frame);
        slot.marks.store(state.marks & (LAZY | DIRTY), Relaxed);
        slot.huge.store(state.huge, Relaxed);
    }

    /// What there is to know of a frame but its contents and owners.
    pub(crate) fn kept(&self, frame: Frame) -> Kept {
        let slot = self.slot(frame);
        Kept {
            used: self.used_for(frame),
            marks: slot.marks.load(Relaxed),
            huge: slot.huge.load(Relaxed),
        }
    }

    /// The free frames of a machine as it was stored, and how many are in use.
    pub(crate) fn restore_pool(&mut self, free: Vec<Frame>, next: u32, used: u32, copies: u64) {
        self.pool.restore(free, next, used);
        self.copies.store(copies, Relaxed);
    }

    /// The page that has the contents of a frame.
    pub(crate) fn stored(&self, frame: Frame) -> Option<u32> {
        Some(self.slot(frame).stored.load(Relaxed)).filter(|page| *page != 0)
    }

    /// Remembers the page that has the contents of a frame.
    pub(crate) fn set_stored(&self, frame: Frame, page: u32) {
        self.slot(frame).stored.store(page, Relaxed);
    }

    /// No page of a database has the contents any more.
    fn unstore(&self, frame: Frame) {
        let stored = &self.slot(frame).stored;
        if stored.load(Relaxed) != 0 && !mutant!(WrittenFrameStaysStored) {
            stored.store(0, Relaxed);
        }
    }

    /// Forgets which page has the contents of a frame: somebody else remembers it.
    pub(crate) fn take_stored(&self, frame: Frame) -> u32 {
        self.slot(frame).stored.swap(0, Relaxed)
    }

    /// Forgets all such pages.
    pub(crate) fn forget_stored(&self) {
        for chunk in self.chunks.iter().filter_map(OnceLock::get) {
            chunk.slots.iter().for_each(|slot| slot.stored.store(0, Relaxed));
        }
    }

    // ---- as tables -----------------------------------------------------------------------

    #[inline]
    pub(crate) fn entry(&self, table: Frame, index: usize) -> Entry {
        Entry(self.words(table)[index].load(Acquire))
    }

    #[inline]
    pub(crate) fn set_entry(&self, table: Frame, index: usize, entry: Entry) {
        self.words(table)[index].store(entry.0, std::sync::atomic::Ordering::Release);
    }

    /// Sets bits of an entry, as the processor does for accessed and dirty.
    #[inline]
    pub(crate) fn mark(&self, table: Frame, index: usize, flags: u64) {
        self.words(table)[index].fetch_or(flags, Relaxed);
    }

    /// Takes such bits away again.
    pub(crate) fn unmark(&self, table: Frame, index: usize, flags: u64) {
        self.words(table)[index].fetch_and(!flags, Relaxed);
    }

    // ---- as data -------------------------------------------------------------------------

    /// The byte of a frame at `offset`, which is below 4096.
    pub fn byte(&self, frame: Frame, offset: usize) -> u8 {
        (self.words(frame)[offset / 8].load(Relaxed) >> (offset % 8 * 8)) as u8
    }

    /// Changes the byte at `offset`; for the sole owner, or of a file's page.
    pub(crate) fn set_byte(&self, frame: Frame, offset: usize, value: u8) {
        let shift = offset % 8 * 8;
        let change = |old: u64| Some(old & !(0xFF << shift) | u64::from(value) << shift);
        let word = &self.words(frame)[offset / 8];
        self.unstore(frame);
        // Several processes may write to a file's page at once; the change is never refused.
        let _ = word.fetch_update(Relaxed, Relaxed, change);
    }

    /// Fills a frame from its start with `bytes`.
    pub(crate) fn fill(&self, frame: Frame, bytes: &[u8]) {
        self.unstore(frame);
        for (word, bytes) in self.words(frame).iter().zip(bytes.chunks(8)) {
            let mut value = [0; 8];
            value[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(value), Relaxed);
        }
    }

    /// The contents of a frame.
    pub(crate) fn contents(&self, frame: Frame) -> Vec<u64> {
        self.words(frame).iter().map(|word| word.load(Relaxed)).collect()
    }
}
