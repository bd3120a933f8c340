//! The radix of page tables below a root: four levels of 512 entries, 36 bits of page number.
//!
//! ```text
//!        page number   | 9 bits | 9 bits | 9 bits | 9 bits |
//!   root (level 3) ----+        |        |        |
//!          level 2 -------------+        |        |
//!          level 1 ----------------------+        |
//!     leaf level 0 -------------------------------+--> frame of data
//! ```
//!
//! A table may have several owners, each an entry of another table or a root (fork with shared
//! tables). It then counts as *one* owner of all it names, and it is read only: whoever wants to
//! change it is given a copy on the way down, by [`Tables::shadow`]. That is the pager's one
//! operation again, and here too sharing above implies sharing below.
//!
//! - **V4** A change is made only through a path of tables with one owner each.
//! - **V5** In a leaf table, *writable* and *exclusive* hold only while the whole path has one owner.

use std::ops::Range;

use super::{
    entry::Entry,
    frames::{Frame, Frames, NoFrame, Use, WORDS},
    swap::Swap,
};

/// Pages of the address space: 47 bits of bytes.
pub const PAGES: u64 = 1 << 35;
/// Pages that a leaf table spans.
pub(super) const LEAF: u64 = WORDS as u64;

const TOP: u32 = 3;

/// Pages that one entry of a table of this level spans.
fn span(level: u32) -> u64 {
    1 << (9 * level)
}

fn index(page: u64, level: u32) -> usize {
    (page >> (9 * level)) as usize % WORDS
}

/// Frames and swap: what entries name.
pub(crate) struct Memory {
    pub(crate) frames: Frames,
    pub(crate) swap: Swap,
}

impl Memory {
    /// Drops what an entry of a leaf table names.
    pub(crate) fn release_entry(&self, entry: Entry) {
        if let Some(frame) = entry.mapped() {
            self.frames.drop_data(frame);
        } else if let Some(slot) = entry.slot() {
            self.swap.release(slot, &self.frames);
        }
    }

    /// Drops an owner of a table; the last one frees it and drops what it names.
    pub(crate) fn release_table(&self, table: Frame, level: u32) {
        if !self.frames.release(table) {
            return;
        }
        for index in 0..WORDS {
            let entry = self.frames.entry(table, index);
            match entry.mapped() {
                Some(below) if level > 0 => self.release_table(below, level - 1),
                _ => self.release_entry(entry),
            }
        }
        self.frames.give_back(table);
    }

    /// An entry of a leaf table gets a second place: it and its twin, and both write-protected if
    /// the page is private.
    pub(crate) fn share_entry(&self, table: Frame, index: usize) -> Entry {
        let entry = self.frames.entry(table, index);
        if let Some(frame) = entry.mapped() {
            self.frames.retain(frame);
            if frame != Frame::ZERO && self.frames.used_for(frame) != Use::File {
                return self.protect(table, index);
            }
        } else if let Some(slot) = entry.slot() {
            self.swap.retain(slot);
            return self.protect(table, index);
        }
        entry
    }

    /// Takes *writable* and *exclusive* from an entry, without losing a mark that is set meanwhile.
    fn protect(&self, table: Frame, index: usize) -> Entry {
        let bits = Entry::WRITABLE | Entry::EXCLUSIVE;
        let word = &self.frames.words(table)[index];
        Entry(word.fetch_and(!bits, std::sync::atomic::Ordering::AcqRel)).without(bits)
    }
}

/// The tables of one address space.
pub(crate) struct Tables {
    root: Frame,
    /// Tables in it, the root not counted, shared ones included.
    pub(crate) count: u64,
    /// Shared tables that a change had to copy.
    pub(crate) shadows: u64,
}

/// A leaf table on the way to a page.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) table: Frame,
    /// Has every table of the path one owner?
    pub(crate) sole: bool,
    /// Is it the table of a huge page?
    pub(crate) huge: bool,
}

/// What stands in one leaf table, of a range of pages.
pub(crate) struct Part {
    pub(crate) table: Frame,
    pub(crate) pages: Range<u64>,
}

impl Tables {
    pub(crate) fn new(memory: &Memory) -> Result<Tables, NoFrame> {
        Ok(Tables { root: memory.frames.allocate(Use::Table)?, count: 0, shadows: 0 })
    }

    /// Tables that are there already, below `root`, as a machine was stored with them.
    pub(crate) fn restored(root: Frame, count: u64, shadows: u64) -> Tables {
        Tables { root, count, shadows }
    }

    /// The same tables for another address space, in constant time: the root has one owner more.
    pub(crate) fn share(&self, memory: &Memory) -> Tables {
        memory.frames.retain(self.root);
        Tables { root: self.root, count: self.count, shadows: 0 }
    }

    pub(crate) fn root(&self) -> Frame {
        self.root
    }

    /// Drops all of it.
    pub(crate) fn release(self, memory: &Memory) {
        memory.release_table(self.root, TOP);
    }

    /// The entry of a page.
    pub(crate) fn entry(&self, memory: &Memory, page: u64) -> Entry {
        self.leaf(memory, page)
            .map_or(Entry::NONE, |leaf| memory.frames.entry(leaf.table, index(page, 0)))
    }

    /// The leaf table that covers a page, if there is one.
    pub(crate) fn leaf(&self, memory: &Memory, page: u64) -> Option<Leaf> {
        let frames = &memory.frames;
        let mut leaf = Leaf { table: self.root, sole: frames.owners(self.root) == 1, huge: false };
        for level in (1..=TOP).rev() {
            let entry = frames.entry(leaf.table, index(page, level));
            leaf.table = entry.mapped()?;
            leaf.sole &= frames.owners(leaf.table) == 1;
            leaf.huge = entry.has(Entry::HUGE);
        }
        Some(leaf)
    }

    /// The table of `level` over a page, to be changed: made where there is none, copied where it is
    /// shared.
    fn own(&mut self, memory: &Memory, page: u64, level: u32) -> Result<Frame, NoFrame> {
        self.root = self.shadow(memory, self.root, TOP)?;
        let mut table = self.root;
        for above in (level + 1..=TOP).rev() {
            let at = index(page, above);
            let entry = memory.frames.entry(table, at);
            let below = match entry.mapped() {
                Some(below) => self.shadow(memory, below, above - 1)?,
                None => {
                    self.count += 1;
                    memory.frames.allocate(Use::Table).inspect_err(|_| self.count -= 1)?
                }
            };
            if entry.mapped() != Some(below) {
                let flags = entry.0 & Entry::HUGE;
                memory.frames.set_entry(table, at, Entry::frame(below, flags));
            }
            table = below;
        }
        Ok(table)
    }

    /// The leaf table over a page, to be changed.
    pub(crate) fn own_leaf(&mut self, memory: &Memory, page: u64) -> Result<Frame, NoFrame> {
        self.own(memory, page, 0)
    }

    /// The tables above the leaf, as a fault makes them before it knows whether it will succeed.
    pub(crate) fn own_above(&mut self, memory: &Memory, page: u64) -> Result<(), NoFrame> {
        self.own(memory, page, 1).map(drop)
    }

    /// The table of the second level, which a move makes before it looks whether there is more.
    pub(crate) fn own_second(&mut self, memory: &Memory, page: u64) -> Result<(), NoFrame> {
        self.own(memory, page, 2).map(drop)
    }

    /// As [`Tables::own_leaf`], only if there is one.
    pub(crate) fn own_existing(
        &mut self,
        memory: &Memory,
        page: u64,
    ) -> Result<Option<Frame>, NoFrame> {
        match self.leaf(memory, page) {
            None => Ok(None),
            Some(leaf) if leaf.sole => Ok(Some(leaf.table)),
            Some(_) => self.own_leaf(memory, page).map(Some),
        }
    }

    /// Gives this address space its own copy of a shared table, whose place the caller owns.
    fn shadow(&mut self, memory: &Memory, table: Frame, level: u32) -> Result<Frame, NoFrame> {
        let frames = &memory.frames;
        if frames.owners(table) == 1 {
            return Ok(table);
        }
        let copy = frames.allocate(Use::Table)?;
        for at in 0..WORDS {
            let entry = match frames.entry(table, at) {
                entry if entry.is_none() => continue,
                entry if level > 0 => {
                    entry.mapped().into_iter().for_each(|below| frames.retain(below));
                    entry
                }
                _ => memory.share_entry(table, at),
            };
            frames.set_entry(copy, at, entry);
        }
        self.shadows += 1;
        // Whoever shared it may have let go meanwhile: then this was the last owner.
        memory.release_table(table, level);
        Ok(copy)
    }

    /// Sets an entry; what stood there is returned and is the caller's.
    pub(crate) fn set(
        &mut self,
        memory: &Memory,
        page: u64,
        entry: Entry,
    ) -> Result<Entry, NoFrame> {
        let table = self.own_leaf(memory, page)?;
        let old = memory.frames.entry(table, index(page, 0));
        memory.frames.set_entry(table, index(page, 0), entry);
        Ok(old)
    }

    /// The leaf tables that hold something of `pages`, in order.
    pub(crate) fn parts(&self, memory: &Memory, pages: Range<u64>) -> Vec<Part> {
        let mut parts = Vec::new();
        collect(&memory.frames, self.root, TOP, 0, &pages, &mut parts);
        parts
    }

    /// Marks the leaf table over `page` as that of a huge page, or as an ordinary one.
    pub(crate) fn set_huge(
        &mut self,
        memory: &Memory,
        page: u64,
        huge: bool,
    ) -> Result<(), NoFrame> {
        let table = self.own(memory, page, 1)?;
        let entry = memory.frames.entry(table, index(page, 1));
        let entry = if huge { entry.with(Entry::HUGE) } else { entry.without(Entry::HUGE) };
        memory.frames.set_entry(table, index(page, 1), entry);
        Ok(())
    }

    /// Detaches the leaf table over `page`: it is the caller's, with what it names.
    pub(crate) fn take_leaf(
        &mut self,
        memory: &Memory,
        page: u64,
    ) -> Result<Option<Entry>, NoFrame> {
        if self.own_existing(memory, page)?.is_none() {
            return Ok(None);
        }
        let above = self.own(memory, page, 1)?;
        let entry = memory.frames.entry(above, index(page, 1));
        memory.frames.set_entry(above, index(page, 1), Entry::NONE);
        self.count -= 1;
        Ok(Some(entry))
    }

    /// Hangs a detached leaf table in over `page`, where there is none.
    pub(crate) fn put_leaf(
        &mut self,
        memory: &Memory,
        page: u64,
        leaf: Entry,
    ) -> Result<(), NoFrame> {
        let above = self.own(memory, page, 1)?;
        memory.frames.set_entry(above, index(page, 1), leaf);
        self.count += 1;
        Ok(())
    }

    /// Is there a table of level 1 over `page`?
    pub(crate) fn has_above(&self, memory: &Memory, page: u64) -> bool {
        let mut table = self.root;
        for level in (2..=TOP).rev() {
            match memory.frames.entry(table, index(page, level)).mapped() {
                Some(below) => table = below,
                None => return false,
            }
        }
        true
    }

    /// Makes in `child` the tables that this one has over `pages`: the upper ones, and a leaf for
    /// each leaf, empty.
    pub(crate) fn copy_shape(
        &self,
        memory: &Memory,
        child: &mut Tables,
        pages: Range<u64>,
    ) -> Result<(), NoFrame> {
        // Of the lowest tables there are over each 2 MiB; the search steps over what is missing.
        let mut page = pages.start;
        while page < pages.end {
            let (level, _) = self.lowest(memory, page);
            child.own(memory, page, level)?;
            page = next(page, level.max(1));
        }
        Ok(())
    }

    /// The lowest table over a page: its level, and itself.
    fn lowest(&self, memory: &Memory, page: u64) -> (u32, Frame) {
        let mut table = self.root;
        for level in (1..=TOP).rev() {
            match memory.frames.entry(table, index(page, level)).mapped() {
                Some(below) => table = below,
                None => return (level, table),
            }
        }
        (0, table)
    }

    /// Frees every table that spans something of `pages` and whose whole span lies in `free`: what
    /// is there has been unmapped before.
    pub(crate) fn prune(
        &mut self,
        memory: &Memory,
        pages: Range<u64>,
        free: Range<u64>,
    ) -> Result<(), NoFrame> {
        for level in 0..TOP {
            let mut page = pages.start - pages.start % span(level + 1);
            while page < pages.end {
                let whole = page..page + span(level + 1);
                let (lowest, _) = self.lowest(memory, page);
                if lowest > level {
                    // Nothing is there, as far as the entry of the lowest table reaches.
                    page = next(page, lowest);
                    continue;
                }
                if free.start <= whole.start && whole.end <= free.end {
                    let above = self.own(memory, page, level + 1)?;
                    let at = index(page, level + 1);
                    if let Some(table) = memory.frames.entry(above, at).mapped() {
                        memory.frames.set_entry(above, at, Entry::NONE);
                        memory.release_table(table, level);
                        self.count -= 1;
                    }
                }
                page = whole.end;
            }
        }
        Ok(())
    }

    /// Frees the leaf table over `page` if all its entries are none.
    pub(crate) fn prune_empty_leaf(&mut self, memory: &Memory, page: u64) -> Result<(), NoFrame> {
        let Some(leaf) = self.leaf(memory, page) else { return Ok(()) };
        if (0..WORDS).all(|at| memory.frames.entry(leaf.table, at).is_none()) {
            let start = page - page % LEAF;
            self.prune_leaf(memory, start)?;
        }
        Ok(())
    }

    fn prune_leaf(&mut self, memory: &Memory, page: u64) -> Result<(), NoFrame> {
        if let Some(table) = self.take_leaf(memory, page)?.and_then(Entry::mapped) {
            memory.release_table(table, 0);
        }
        Ok(())
    }
}

/// The first page behind the entry of a table of this level.
fn next(page: u64, level: u32) -> u64 {
    page - page % span(level) + span(level)
}

fn collect(
    frames: &Frames,
    table: Frame,
    level: u32,
    base: u64,
    pages: &Range<u64>,
    parts: &mut Vec<Part>,
) {
    if level == 0 {
        let pages = base.max(pages.start)..(base + LEAF).min(pages.end);
        parts.push(Part { table, pages });
        return;
    }
    let size = span(level);
    let first = if pages.start > base { (pages.start - base) / size } else { 0 };
    for at in first..LEAF {
        let start = base + at * size;
        if start >= pages.end {
            break;
        }
        if let Some(below) = frames.entry(table, at as usize).mapped() {
            collect(frames, below, level - 1, start, pages, parts);
        }
    }
}
