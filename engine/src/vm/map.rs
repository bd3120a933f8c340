//! The calls that change what is mapped: mmap, munmap, mprotect, mremap, brk, mlock.

use std::{ops::Range, sync::Arc};

use super::{
    area::{Advice, Area, Backing, FileId, Protection},
    entry::Entry,
    fault::Refusal,
    file::Contents,
    frames::{Frame, Use},
    machine::{Errno, Machine, Pid, lock},
    reclaim::Attempts,
    space::Space,
    tables::{LEAF, PAGES},
    tally::Tally,
};

/// A request for a mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// First page; none: wherever there is room.
    pub at: Option<u64>,
    /// Pages.
    pub pages: u64,
    /// What may be done.
    pub protection: Protection,
    /// Writes are seen by all who map it.
    pub shared: bool,
    /// A file, from this page of it on.
    pub file: Option<(FileId, u64)>,
    /// Fault the pages in at once (`MAP_POPULATE`).
    pub populate: bool,
    /// Do not charge (`MAP_NORESERVE`).
    pub unreserved: bool,
    /// Use huge pages.
    pub huge: bool,
    /// Grows downwards.
    pub stack: bool,
    /// What it is, for people.
    pub name: Option<Arc<str>>,
}

impl Mapping {
    /// Private anonymous memory, readable and writable.
    pub fn anonymous(pages: u64) -> Mapping {
        Mapping {
            at: None,
            pages,
            protection: Protection::READ_WRITE,
            shared: false,
            file: None,
            populate: false,
            unreserved: false,
            huge: false,
            stack: false,
            name: None,
        }
    }
}

/// The lowest page that `mmap` gives away, and the end of what it searches from the top.
const LOWEST: u64 = 16;
/// Pages that stay free below a stack.
const STACK_GAP: u64 = 256;
/// Pages that a stack may grow to: 8 MiB.
const STACK: u64 = 2048;

impl Machine {
    fn space_of(&self, process: Pid) -> Result<std::sync::MutexGuard<'_, Space>, Errno> {
        self.space(process).ok_or(Errno::Invalid)
    }

    /// Maps memory or a file. The first page of it is returned.
    pub fn map(&mut self, process: Pid, request: &Mapping) -> Result<u64, Errno> {
        let pages = request.pages;
        if pages == 0 {
            return Err(Errno::Invalid);
        }
        if pages > PAGES {
            return Err(Errno::NoMemory);
        }
        let space = self.space_of(process)?;
        let total = space.areas.pages();
        if space.exceeds(pages) || space.areas.len() >= self.settings.areas {
            return Err(Errno::NoMemory);
        }
        let at = match request.at {
            Some(at) => {
                let end = at.checked_add(pages).filter(|end| *end <= PAGES);
                let end = end.ok_or(Errno::NoMemory)?;
                if !space.areas.within(&(at..end)).is_empty() {
                    return Err(Errno::Invalid);
                }
                at
            }
            None => space.areas.find_gap(LOWEST..PAGES, pages).ok_or(Errno::NoMemory)?,
        };
        drop(space);
        let anonymous = request.file.is_none();
        // Private pages that can be written will be somebody's; shared memory is charged once.
        let chargeable = if request.shared { anonymous } else { request.protection.write };
        let unreserved =
            request.unreserved && !matches!(self.commit.mode, super::commit::Overcommit::Never);
        let charged = chargeable && !unreserved;
        if charged && !self.commit.charge(pages, total) {
            return Err(Errno::NoMemory);
        }
        let backing = match request.file {
            Some((file, offset)) => Backing::File { file, offset },
            None if request.shared => {
                let file = self.add_file("shared memory", pages, Contents::Shared);
                self.files[file.0 as usize].promised = if charged { pages } else { 0 };
                Backing::File { file, offset: 0 }
            }
            None => Backing::Anonymous { origin: at },
        };
        let area = Area {
            pages: at..at + pages,
            protection: request.protection,
            shared: request.shared,
            backing,
            advice: Advice {
                huge: request.huge,
                unreserved,
                // The charge of shared memory belongs to the memory, not to this mapping of it.
                charged: charged && !request.shared,
                stack: request.stack,
                ..Advice::default()
            },
            anonymous_origin: None,
            name: request.name.clone(),
        };
        self.space_of(process)?.areas.insert(area);
        if request.populate {
            // As in Linux, what cannot be faulted in now is left to later faults.
            let _ = self.populate(process, at..at + pages, None);
        }
        Ok(at)
    }

    /// Unmaps; what is not mapped is passed over. Pages dropped are counted.
    pub fn unmap(&mut self, process: Pid, pages: Range<u64>) -> Result<(), Errno> {
        if pages.is_empty() || pages.end > PAGES {
            return Err(Errno::Invalid);
        }
        let mut space = self.space_of(process)?;
        let mut dropped = 0;
        let parts = space.areas.within(&pages);
        let splits = parts.iter().filter(|part| {
            space
                .areas
                .find(part.start)
                .is_some_and(|area| area.pages.start < part.start && area.pages.end > part.end)
        });
        if space.areas.len() + splits.count() > self.settings.areas {
            return Err(Errno::NoMemory);
        }
        for part in &parts {
            dropped += self.drop_pages(&mut space, part.clone())?;
        }
        let removed = space.areas.remove(&pages);
        let free = space.areas.gap_around(&pages);
        // All of it at once: a table of an upper level goes after those below it.
        if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
            space.tables.prune(&self.memory, first.start..last.end, free)?;
        }
        drop(space);
        let charged = removed.iter().filter(|area| area.advice.charged).map(Area::len).sum();
        self.commit.uncharge(charged);
        self.count(process, |tally| tally.dropped += dropped);
        self.forget_shared(removed.iter());
        Ok(())
    }

    /// Shared memory that nobody maps any more is gone. `removed` are areas that were unmapped.
    pub(crate) fn forget_shared<'a>(&mut self, removed: impl Iterator<Item = &'a Area>) {
        for area in removed.filter(|area| area.shared) {
            let Some((file, _)) = area.file_page(area.pages.start) else { continue };
            let maps =
                |area: &Area| area.file_page(area.pages.start).is_some_and(|of| of.0 == file);
            let mapped = self.spaces().iter().any(|(_, space)| lock(space).areas.iter().any(maps));
            if mapped || self.file(file).is_on_disk() {
                continue;
            }
            self.file(file).clear(&self.memory.frames);
            let promised = std::mem::take(&mut self.files[file.0 as usize].promised);
            self.commit.uncharge(promised);
        }
    }

    /// Takes all entries from `pages`, which belong to one area. How many there were is returned.
    pub(crate) fn drop_pages(&self, space: &mut Space, pages: Range<u64>) -> Result<u64, Errno> {
        self.drop_entries(space, pages, true)
    }

    /// As [`Machine::drop_pages`]; guards are taken only if `guards` says so.
    pub(crate) fn drop_entries(
        &self,
        space: &mut Space,
        pages: Range<u64>,
        guards: bool,
    ) -> Result<u64, Errno> {
        let mut dropped = 0;
        for part in space.tables.parts(&self.memory, pages) {
            if !self.anything(part.table, &part.pages) {
                continue;
            }
            let Some(table) = space.tables.own_existing(&self.memory, part.pages.start)? else {
                continue;
            };
            if part.pages.end - part.pages.start < LEAF {
                space.tables.set_huge(&self.memory, part.pages.start, false)?;
            }
            for page in part.pages {
                let at = page as usize % 512;
                let entry = self.memory.frames.entry(table, at);
                if entry.is_none() || entry.is_guard() && !guards {
                    continue;
                }
                self.memory.frames.set_entry(table, at, Entry::NONE);
                self.memory.release_entry(entry);
                dropped += u64::from(!entry.is_guard());
            }
        }
        Ok(dropped)
    }

    fn anything(&self, table: Frame, pages: &Range<u64>) -> bool {
        pages.clone().any(|page| !self.memory.frames.entry(table, page as usize % 512).is_none())
    }

    /// Changes the protection of `pages`, up to the first hole, which is then an error.
    pub fn protect(
        &mut self,
        process: Pid,
        pages: Range<u64>,
        protection: Protection,
    ) -> Result<(), Errno> {
        if pages.is_empty() || pages.end > PAGES {
            return Err(Errno::Invalid);
        }
        let mut reached = pages.start;
        let parts = self.space_of(process)?.areas.within(&pages);
        for part in parts {
            if part.start > reached {
                return Err(Errno::NoMemory);
            }
            reached = part.end;
            self.protect_part(process, part, protection)?;
        }
        if reached < pages.end { Err(Errno::NoMemory) } else { Ok(()) }
    }

    fn protect_part(
        &mut self,
        process: Pid,
        part: Range<u64>,
        protection: Protection,
    ) -> Result<(), Errno> {
        let space = self.space_of(process)?;
        let Some(area) = space.areas.find(part.start).cloned() else {
            return Err(Errno::NoMemory);
        };
        let total = space.areas.pages();
        drop(space);
        if area.protection == protection {
            return Ok(());
        }
        let length = part.end - part.start;
        let mut charged = area.advice.charged;
        if protection.write && !area.shared && !charged && !area.protection.write {
            if !area.advice.unreserved {
                if !self.commit.charge(length, total) {
                    return Err(Errno::NoMemory);
                }
                charged = true;
            }
        } else if !protection.write
            && charged
            && area.is_anonymous()
            && area.anonymous_origin.is_none()
        {
            self.commit.uncharge(length);
            charged = false;
        }
        let mut space = self.space_of(process)?;
        space.areas.change(&part, |area| {
            area.protection = protection;
            area.advice.charged = charged;
        });
        let disk = area.file_page(part.start).is_some_and(|(file, _)| self.file(file).is_on_disk());
        for tables in space.tables.parts(&self.memory, part.clone()) {
            if !self.anything(tables.table, &tables.pages) {
                continue;
            }
            let Some(table) = space.tables.own_existing(&self.memory, tables.pages.start)? else {
                continue;
            };
            if tables.pages.end - tables.pages.start < LEAF {
                space.tables.set_huge(&self.memory, tables.pages.start, false)?;
            }
            for page in tables.pages {
                let at = page as usize % 512;
                let entry = self.memory.frames.entry(table, at);
                let Some(frame) = entry.mapped() else { continue };
                let mut entry = entry.without(Entry::WRITABLE | Entry::USER);
                if protection.any() {
                    entry = entry.with(Entry::USER);
                }
                if protection.write {
                    // Without a fault only what certainly needs none: a page that is this
                    // process's own, or one of shared memory that may be written at any time.
                    let free = if area.shared {
                        !disk || entry.has(Entry::DIRTY)
                    } else {
                        frame != Frame::ZERO
                            && self.memory.frames.used_for(frame) == Use::Anonymous
                            && entry.has(Entry::EXCLUSIVE)
                    };
                    if free {
                        entry = entry.with(Entry::WRITABLE);
                    }
                }
                self.memory.frames.set_entry(table, at, entry);
            }
        }
        drop(space);
        let was = area.protection.write || area.shared;
        if area.advice.locked && !was && protection.write {
            let _ = self.populate(process, part, None);
        }
        Ok(())
    }

    /// Moves what is mapped in `pages`, holes and all, to `to`: no faults, and what was shared stays
    /// so; only merged pages are taken apart first. The first page must be mapped.
    pub fn remap(&mut self, process: Pid, pages: Range<u64>, to: u64) -> Result<(), Errno> {
        let length = pages.end.saturating_sub(pages.start);
        let target = to..to.checked_add(length).ok_or(Errno::Invalid)?;
        let overlap = pages.start < target.end && target.start < pages.end;
        if length == 0 || pages.end > PAGES || target.end > PAGES || overlap {
            return Err(Errno::Invalid);
        }
        let space = self.space_of(process)?;
        let parts = space.areas.within(&pages);
        if parts.first().is_none_or(|part| part.start > pages.start) {
            return Err(Errno::Fault);
        }
        if space.areas.len() + 2 > self.settings.areas {
            return Err(Errno::NoMemory);
        }
        if !space.areas.within(&target).is_empty() {
            return Err(Errno::Invalid);
        }
        drop(space);
        parts.into_iter().try_for_each(|part| {
            let to = to + (part.start - pages.start);
            self.remap_part(process, part, to)
        })
    }

    /// Moves a part of one area.
    fn remap_part(&mut self, process: Pid, part: Range<u64>, to: u64) -> Result<(), Errno> {
        let area = self.space_of(process)?.areas.find(part.start).cloned();
        let area = area.ok_or(Errno::Fault)?;
        if area.advice.mergeable {
            self.unmerge_part(process, area.pages)?;
        }
        let mut space = self.space_of(process)?;
        self.move_entries(&mut space, &part, to)?;
        for mut area in space.areas.remove(&part) {
            let start = to + (area.pages.start - part.start);
            area.pages = start..start + area.len();
            if area.is_anonymous() && area.anonymous_origin.is_none() {
                area.backing = Backing::Anonymous { origin: start };
            }
            space.areas.insert(area);
        }
        let free = space.areas.gap_around(&part);
        space.tables.prune(&self.memory, part, free)?;
        Ok(())
    }

    fn move_entries(&self, space: &mut Space, pages: &Range<u64>, to: u64) -> Result<(), Errno> {
        let memory = &self.memory;
        let aligned = pages.start % LEAF == to % LEAF;
        let mut from = pages.start;
        while from < pages.end {
            let end = (from - from % LEAF + LEAF).min(pages.end);
            let target = to + (from - pages.start);
            // As much as lies in one leaf table on both sides.
            let end = end.min(from + LEAF - target % LEAF);
            if space.tables.has_above(memory, from) {
                space.tables.own_second(memory, target)?;
                let whole = aligned && end - from == LEAF;
                if whole && space.tables.leaf(memory, target).is_none() {
                    if let Some(leaf) = space.tables.take_leaf(memory, from)? {
                        space.tables.put_leaf(memory, target, leaf)?;
                    }
                } else if space.tables.leaf(memory, from).is_some() {
                    space.tables.set_huge(memory, from, false)?;
                    space.tables.own_leaf(memory, target)?;
                    // Before an entry is read: what a shared table says of it changes now.
                    space.tables.own_leaf(memory, from)?;
                    for page in from..end {
                        let entry = space.tables.entry(memory, page);
                        if !entry.is_none() {
                            space.tables.set(memory, target + (page - from), entry)?;
                            space.tables.set(memory, page, Entry::NONE)?;
                        }
                    }
                }
            }
            from = end;
        }
        Ok(())
    }

    /// Moves the end of the heap to `end` (a page number); the end it has now is returned, moved
    /// or not, as the system call does.
    pub fn brk(&mut self, process: Pid, end: u64) -> Result<u64, Errno> {
        let (start, now) = self.space_of(process)?.heap.ok_or(Errno::Invalid)?;
        if end < start {
            return Ok(now);
        }
        if end < now {
            self.unmap(process, end..now)?;
        } else if end > now {
            let request = Mapping {
                at: Some(now),
                name: Some("heap".into()),
                ..Mapping::anonymous(end - now)
            };
            if self.map(process, &request).is_err() {
                return Ok(now);
            }
        }
        self.space_of(process)?.heap = Some((start, end));
        Ok(end)
    }

    /// Says where the heap of a process begins.
    pub fn set_heap(&mut self, process: Pid, start: u64) -> Result<(), Errno> {
        self.space_of(process)?.heap = Some((start, start));
        Ok(())
    }

    /// Locks pages in memory, faulting them in, or unlocks them.
    pub fn lock_pages(
        &mut self,
        process: Pid,
        pages: Range<u64>,
        locked: bool,
    ) -> Result<(), Errno> {
        if pages.is_empty() || pages.end > PAGES {
            return Err(Errno::Invalid);
        }
        let mut space = self.space_of(process)?;
        let mut reached = pages.start;
        for part in space.areas.within(&pages) {
            if part.start > reached {
                return Err(Errno::NoMemory);
            }
            reached = part.end;
            space.areas.change(&part, |area| area.advice.locked = locked);
        }
        drop(space);
        if reached < pages.end {
            return Err(Errno::NoMemory);
        }
        if locked {
            self.populate(process, pages, None).map_err(|_| Errno::NoMemory)?;
        }
        Ok(())
    }

    /// Makes the faults of `pages` now. Without `write` it is decided for each area: private
    /// writable ones are written to, so that later writes need no fault.
    pub(crate) fn populate(
        &mut self,
        process: Pid,
        pages: Range<u64>,
        write: Option<bool>,
    ) -> Result<(), Errno> {
        let mut page = pages.start;
        let mut attempts = Attempts::default();
        while page < pages.end {
            match self.populate_from(process, page..pages.end, write)? {
                None => return Ok(()),
                Some(starved) => {
                    if !attempts.again(starved) || !self.replace_pages() {
                        return Err(Errno::NoMemory);
                    }
                    page = starved;
                }
            }
        }
        Ok(())
    }

    /// The page at which no frame was free is returned.
    fn populate_from(
        &self,
        process: Pid,
        pages: Range<u64>,
        write: Option<bool>,
    ) -> Result<Option<u64>, Errno> {
        let mut space = self.space_of(process)?;
        let mut tally = Tally::default();
        let mut result = Ok(None);
        let mut reached = pages.start;
        'parts: for part in space.areas.within(&pages) {
            if part.start > reached {
                break;
            }
            let Some(area) = space.areas.find(part.start).cloned() else { break };
            // Asked for by name, an area that does not allow it is an error.
            if write.is_some_and(|write| !area.protection.allows(write)) {
                result = Err(Errno::Invalid);
                break;
            }
            let write = write.unwrap_or(area.is_private_writable());
            for page in part.clone() {
                let entry = space.tables.entry(&self.memory, page);
                let sole = space.tables.leaf(&self.memory, page).is_some_and(|leaf| leaf.sole);
                if entry.is_present() && (!write || entry.has(Entry::WRITABLE) && sole) {
                    continue;
                }
                match self.fault(&mut space, page, write) {
                    Ok(fault) => tally.add_fault(&fault),
                    Err(Refusal::NoFrame) => {
                        result = Ok(Some(page));
                        break 'parts;
                    }
                    Err(Refusal::Signal { mapped, .. }) => {
                        tally.map_around(mapped);
                        result = Err(Errno::Fault);
                        break 'parts;
                    }
                }
            }
            reached = part.end;
        }
        if result == Ok(None) && reached < pages.end {
            result = Err(Errno::NoMemory);
        }
        drop(space);
        self.count(process, |all| *all += tally);
        result
    }

    /// A page below a stack was touched: the stack grows, if it may.
    pub(crate) fn grow_stack(&self, space: &mut Space, page: u64) -> Result<Area, Refusal> {
        let refused = Refusal::from(super::fault::Signal::NotMapped);
        let stack =
            space.areas.after(page).filter(|area| area.advice.stack).ok_or(refused)?.clone();
        let below = space.areas.gap_around(&(stack.pages.start..stack.pages.start)).start;
        if page < below + STACK_GAP || stack.pages.end - page > STACK {
            return Err(refused);
        }
        if space.exceeds(stack.pages.start - page) {
            return Err(refused);
        }
        space.areas.remove(&stack.pages);
        let grown = Area {
            backing: Backing::Anonymous { origin: page },
            pages: page..stack.pages.end,
            ..stack
        };
        space.areas.insert(grown.clone());
        Ok(grown)
    }
}
