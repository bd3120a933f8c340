//! `madvise`: what a process says of its pages, and what is done about it.

use std::ops::Range;

use super::{
    area::{Advice, Area},
    entry::Entry,
    frames::{Frame, Use},
    machine::{Errno, Machine, Pid, lock},
    space::Space,
    tables::{LEAF, PAGES},
};

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advise {
    /// Drop the pages now; they read as new ones.
    DontNeed,
    /// The same, also of locked pages.
    DontNeedLocked,
    /// Drop them when memory is short, unless they are written before.
    Free,
    /// Not for children.
    DontFork,
    /// For children again.
    DoFork,
    /// Empty in children.
    WipeOnFork,
    /// With its contents in children again.
    KeepOnFork,
    /// Equal pages may be merged.
    Mergeable,
    /// No more; merged pages are taken apart.
    Unmergeable,
    /// Fault in for reading.
    PopulateRead,
    /// Fault in for writing.
    PopulateWrite,
    /// Any access is a signal from now on; what was there is dropped.
    GuardInstall,
    /// Guards are removed.
    GuardRemove,
    /// Swap the pages out now.
    PageOut,
    /// The pages are the first to be replaced.
    Cold,
    /// Drop the pages and what stands behind them.
    Remove,
    /// Read ahead.
    WillNeed,
    /// Huge pages are wanted.
    HugePage,
    /// Huge pages are not wanted.
    NoHugePage,
    /// Usual access.
    Normal,
    /// Access at random.
    Random,
    /// Access in order.
    Sequential,
}

impl Machine {
    /// Says something of `pages`. Holes are passed over and are an error at the end.
    pub fn advise(&mut self, process: Pid, pages: Range<u64>, advise: Advise) -> Result<(), Errno> {
        if pages.end > PAGES || pages.start > pages.end {
            return Err(Errno::Invalid);
        }
        if matches!(advise, Advise::PopulateRead | Advise::PopulateWrite) {
            return self.populate(process, pages, Some(advise == Advise::PopulateWrite));
        }
        let space = self.space(process).ok_or(Errno::Invalid)?;
        let parts = space.areas.within(&pages);
        let whole = space.areas.covers(&pages);
        drop(space);
        for part in parts {
            self.advise_part(process, part, advise)?;
        }
        if whole { Ok(()) } else { Err(Errno::NoMemory) }
    }

    fn advise_part(&mut self, process: Pid, part: Range<u64>, advise: Advise) -> Result<(), Errno> {
        let mut guard = self.space(process).ok_or(Errno::Invalid)?;
        let space = &mut *guard;
        let Some(area) = space.areas.find(part.start).cloned() else { return Ok(()) };
        let file = area.file_page(part.start).is_some();
        let mut dropped = 0;
        let set = |space: &mut Space, change: &dyn Fn(&mut Advice)| {
            space.areas.change(&part, |area| change(&mut area.advice));
        };
        match advise {
            Advise::DontNeed if area.advice.locked => return Err(Errno::Invalid),
            Advise::DontNeed | Advise::DontNeedLocked => {
                dropped = self.drop_and_prune(space, part)?;
            }
            Advise::Free if area.advice.locked || file => return Err(Errno::Invalid),
            Advise::Free => {
                let zeros;
                (dropped, zeros) = self.offer(space, &part)?;
                drop(guard);
                self.count(process, |tally| {
                    tally.dropped += dropped;
                    tally.merged += zeros;
                });
                return Ok(());
            }
            Advise::DontFork => set(space, &|advice| advice.not_forked = true),
            Advise::DoFork => set(space, &|advice| advice.not_forked = false),
            Advise::WipeOnFork if file => return Err(Errno::Invalid),
            Advise::WipeOnFork => set(space, &|advice| advice.wiped_on_fork = true),
            Advise::KeepOnFork => set(space, &|advice| advice.wiped_on_fork = false),
            Advise::Mergeable if area.shared => {}
            Advise::Mergeable => set(space, &|advice| advice.mergeable = true),
            Advise::Unmergeable => {
                set(space, &|advice| advice.mergeable = false);
                drop(guard);
                return self.unmerge_part(process, part);
            }
            Advise::GuardInstall if area.advice.locked => return Err(Errno::Invalid),
            Advise::GuardInstall => {
                self.prepare_origin(space, part.start);
                dropped = self.drop_pages(space, part.clone())?;
                for page in part {
                    space.tables.set(&self.memory, page, Entry::GUARD)?;
                }
            }
            Advise::GuardRemove => {
                for tables in space.tables.parts(&self.memory, part) {
                    for page in tables.pages {
                        if space.tables.entry(&self.memory, page).is_guard() {
                            space.tables.set(&self.memory, page, Entry::NONE)?;
                        }
                    }
                }
            }
            Advise::PageOut if area.advice.locked => return Err(Errno::Invalid),
            Advise::PageOut => {
                let (out, away) = self.page_out(space, &area, &part)?;
                drop(guard);
                self.count(process, |tally| {
                    tally.swapped_out += out;
                    tally.dropped += away;
                });
                return Ok(());
            }
            Advise::Cold => {
                for tables in space.tables.parts(&self.memory, part) {
                    for page in tables.pages {
                        // Also in a table that others share: all of them find it cold.
                        let at = page as usize % 512;
                        self.memory.frames.unmark(tables.table, at, Entry::ACCESSED);
                    }
                }
            }
            Advise::HugePage => set(space, &|advice| {
                advice.huge = true;
                advice.never_huge = false;
            }),
            Advise::NoHugePage => set(space, &|advice| {
                advice.huge = false;
                advice.never_huge = true;
            }),
            Advise::Normal => set(space, &|advice| {
                advice.random = false;
                advice.sequential = false;
            }),
            Advise::Random => set(space, &|advice| {
                advice.random = true;
                advice.sequential = false;
            }),
            Advise::Sequential => set(space, &|advice| {
                advice.sequential = true;
                advice.random = false;
            }),
            Advise::Remove => {
                drop(guard);
                return self.remove_part(process, &area, &part);
            }
            // All pages of files are in the page cache as it is; anonymous memory has none.
            Advise::WillNeed | Advise::PopulateRead | Advise::PopulateWrite => {}
        }
        drop(guard);
        self.count(process, |tally| tally.dropped += dropped);
        Ok(())
    }

    /// Takes pages out of shared memory, for all who have it mapped.
    fn remove_part(&self, process: Pid, area: &Area, part: &Range<u64>) -> Result<(), Errno> {
        let Some((file, first)) = area.file_page(part.start) else { return Err(Errno::Invalid) };
        if !area.shared || !area.protection.write {
            return Err(Errno::Denied);
        }
        let gone = first..first + (part.end - part.start);
        for (pid, space) in self.spaces() {
            let mut space = lock(&space);
            let mut dropped = 0;
            let areas = space.areas.clone();
            for area in areas.iter() {
                let Some((_, start)) = area.file_page(area.pages.start).filter(|of| of.0 == file)
                else {
                    continue;
                };
                let from = gone.start.max(start);
                let to = gone.end.min(start + area.len());
                if from < to {
                    let pages = area.pages.start + (from - start)..area.pages.start + (to - start);
                    dropped += self.drop_pages(&mut space, pages)?;
                }
            }
            // What others lose, they have not dropped.
            if pid == process {
                self.count(process, |tally| tally.dropped += dropped);
            }
        }
        self.file(file).remove(gone, &self.memory.frames);
        Ok(())
    }

    /// Drops pages, and leaf tables that are empty then and lie wholly in `part`.
    fn drop_and_prune(&self, space: &mut Space, part: Range<u64>) -> Result<u64, Errno> {
        let dropped = self.drop_entries(space, part.clone(), false)?;
        for tables in space.tables.parts(&self.memory, part) {
            if tables.pages.end - tables.pages.start == LEAF {
                space.tables.prune_empty_leaf(&self.memory, tables.pages.start)?;
            }
        }
        Ok(dropped)
    }

    /// Marks pages that nobody shares as ones that may be dropped. Pages in swap are dropped: how
    /// many, and how many pages of zeros became the zero frame.
    fn offer(&self, space: &mut Space, part: &Range<u64>) -> Result<(u64, u64), Errno> {
        let memory = &self.memory;
        let (mut dropped, mut zeros) = (0, 0);
        for tables in space.tables.parts(memory, part.clone()) {
            if tables.pages.end - tables.pages.start < LEAF {
                zeros += self.split_offered(space, tables.pages.start)?;
            }
            for page in tables.pages {
                let entry = space.tables.entry(memory, page);
                if entry.slot().is_some() {
                    self.replace(space, page, Entry::NONE)?;
                    dropped += 1;
                } else if let Some(frame) = entry.mapped()
                    && frame != Frame::ZERO
                    && memory.frames.used_for(frame) == Use::Anonymous
                    && memory.frames.owners(frame) == 1
                    && space.tables.leaf(memory, page).is_some_and(|leaf| leaf.sole)
                {
                    memory.frames.set_lazy(frame);
                    let clean = entry.without(Entry::DIRTY | Entry::ACCESSED);
                    space.tables.set(memory, page, clean)?;
                }
            }
        }
        Ok((dropped, zeros))
    }

    /// Swaps out the private pages that nobody shares; those of files are let go. How many went to
    /// swap, and how many were let go.
    fn page_out(
        &self,
        space: &mut Space,
        area: &Area,
        part: &Range<u64>,
    ) -> Result<(u64, u64), Errno> {
        let (mut out, mut dropped) = (0, 0);
        let memory = &self.memory;
        for tables in space.tables.parts(memory, part.clone()) {
            for page in tables.pages {
                let entry = space.tables.entry(memory, page);
                let Some(frame) = entry.mapped().filter(|frame| *frame != Frame::ZERO) else {
                    continue;
                };
                if space.tables.leaf(memory, page).is_none_or(|leaf| !leaf.sole) {
                    continue;
                }
                // The page cache is an owner of a file's page as well.
                let used = memory.frames.used_for(frame);
                let owners = if used == Use::File { 2 } else { 1 };
                if memory.frames.owners(frame) != owners {
                    continue;
                }
                let lazy = memory.frames.is_lazy(frame) && !entry.has(Entry::DIRTY);
                if used == Use::File || lazy {
                    // Dirty pages have to be written first: they stay for now.
                    if let Some((file, page)) = area.file_page(page)
                        && !(memory.frames.is_dirty(frame) && self.file(file).is_on_disk())
                    {
                        self.file(file).put_away(page);
                    }
                    self.replace(space, page, Entry::NONE)?;
                    dropped += 1;
                    continue;
                }
                if used != Use::Anonymous {
                    continue;
                }
                // The swap cache takes the entry's place as the frame's owner.
                let Ok(slot) = memory.swap.write_cached(frame) else { return Ok((out, dropped)) };
                space.tables.set_huge(memory, page, false)?;
                space.tables.set(memory, page, Entry::swap(slot, entry.0 & Entry::EXCLUSIVE))?;
                out += 1;
            }
        }
        Ok((out, dropped))
    }
}
