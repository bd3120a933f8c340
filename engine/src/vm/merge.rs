//! Same-page merging: pages with equal contents, of areas that allow it, share one frame.
//!
//! ```text
//! stable     contents -> merged frames, each for at most `most` entries, never written
//! unstable   contents -> one candidate each, forgotten after a pass
//! ```
//!
//! A page that equals a merged one joins it; two candidates that are equal become a merged frame.
//! A write to a merged page always copies, even for the last entry (Linux: `mm/ksm.c`).

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    entry::Entry,
    fault::Refusal,
    frames::{Frame, Use},
    machine::{Errno, Machine, Pid, lock},
    tally::Tally,
};

/// How merging is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merging {
    /// Pages of zeros become the zero frame (`use_zero_pages`).
    pub zero: bool,
    /// Most entries of one merged frame (`max_page_sharing`).
    pub most: u32,
}

impl Default for Merging {
    fn default() -> Merging {
        Merging { zero: false, most: 256 }
    }
}

/// What is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// Merged frames.
    pub shared: u64,
    /// Entries that name one of them, but for one of each: pages saved.
    pub sharing: u64,
    /// Pages that became the zero frame.
    pub zeros: u64,
}

/// Where a candidate is.
type Place = (Pid, u64);

impl Machine {
    /// How merging is done from now on: whether pages of zeros become the zero frame, and how many
    /// entries a merged frame may have (none: as before).
    pub fn set_merging(&mut self, zero: bool, most: Option<u32>) {
        self.merging = Merging { zero, most: most.unwrap_or(self.merging.most).max(2) };
    }

    /// Scans all areas that allow it until nothing is left to merge.
    pub fn merge_pages(&mut self) -> Result<Merged, Errno> {
        let places = self.mergeable();
        let mut stable: HashMap<Vec<u64>, Vec<Frame>> = HashMap::new();
        let mut known = HashSet::new();
        for &(pid, page) in &places {
            if let Some(frame) = self.entry(pid, page).mapped()
                && self.memory.frames.used_for(frame) == Use::Merged
                && known.insert(frame)
            {
                stable.entry(self.memory.frames.contents(frame)).or_default().push(frame);
            }
        }
        let mut unstable: HashMap<Vec<u64>, Place> = HashMap::new();
        for &(pid, page) in &places {
            let Some(frame) = self.candidate(pid, page) else { continue };
            let contents = self.memory.frames.contents(frame);
            if self.merging.zero && contents.iter().all(|word| *word == 0) {
                self.merge_into(pid, page, Frame::ZERO)?;
                continue;
            }
            let room = |frame: &&Frame| self.memory.frames.owners(**frame) < self.merging.most;
            if let Some(into) = stable.get(&contents).and_then(|all| all.iter().find(room)).copied()
            {
                self.merge_into(pid, page, into)?;
                continue;
            }
            let twin = unstable.get(&contents).copied();
            let other = twin.and_then(|(pid, page)| self.candidate(pid, page));
            match (twin, other) {
                // The same frame in two processes is shared as it is.
                (Some(_), Some(other)) if other == frame => {}
                (Some((twin_pid, twin_page)), Some(_)) => {
                    // The frame found last becomes the merged one, for all who have it.
                    self.memory.frames.set_use(frame, Use::Merged);
                    self.write_protect(pid, page)?;
                    stable.entry(contents).or_default().push(frame);
                    self.merge_into(twin_pid, twin_page, frame)?;
                    self.count(pid, |tally| tally.merged += 1);
                }
                _ => {
                    unstable.insert(contents, (pid, page));
                }
            }
        }
        Ok(self.merged())
    }

    /// Takes all merged pages apart.
    pub fn unmerge_pages(&mut self) -> Result<Merged, Errno> {
        for (pid, page) in self.mergeable() {
            self.unmerge_page(pid, page, &mut Tally::default())?;
        }
        Ok(self.merged())
    }

    /// Takes the merged pages of a part of a process apart; the faults are the process's.
    pub(crate) fn unmerge_part(&mut self, process: Pid, part: Range<u64>) -> Result<(), Errno> {
        let mut tally = Tally::default();
        let mut pages = Vec::new();
        self.entries(process, part, |page, _| pages.push(page));
        let result =
            pages.into_iter().try_for_each(|page| self.unmerge_page(process, page, &mut tally));
        self.count(process, |all| *all += tally);
        result
    }

    fn unmerge_page(&mut self, pid: Pid, page: u64, tally: &mut Tally) -> Result<(), Errno> {
        if !self.is_merged(self.entry(pid, page)) {
            return Ok(());
        }
        let mut space = self.space(pid).ok_or(Errno::Invalid)?;
        let Some(area) = space.areas.find(page).cloned() else { return Ok(()) };
        match self.unshare(&mut space, &area, page) {
            Ok(fault) => tally.add_fault(&fault),
            Err(Refusal::NoFrame) => return Err(Errno::NoMemory),
            Err(Refusal::Signal { .. }) => {}
        }
        Ok(())
    }

    /// What is merged now.
    pub fn merged(&self) -> Merged {
        let mut entries: HashMap<Frame, u64> = HashMap::new();
        for (pid, page) in self.mergeable() {
            let entry = self.entry(pid, page);
            if let Some(frame) = entry.mapped().filter(|_| self.is_merged(entry)) {
                *entries.entry(frame).or_default() += 1;
            }
        }
        let zeros = entries.remove(&Frame::ZERO).unwrap_or(0);
        let shared = entries.len() as u64;
        let all: u64 = entries.values().sum();
        Merged { shared, sharing: all - shared, zeros }
    }

    /// Pages that may be merged and are in memory, in the order in which they are scanned.
    fn mergeable(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for (pid, space) in self.spaces() {
            let areas = lock(&space).areas.clone();
            for area in areas.iter().filter(|area| area.advice.mergeable && !area.shared) {
                self.entries(pid, area.pages.clone(), |page, entry| {
                    if entry.is_present() {
                        places.push((pid, page));
                    }
                });
            }
        }
        places
    }

    /// A merged frame, or the zero frame where merging put it: only there is its entry dirty.
    fn is_merged(&self, entry: Entry) -> bool {
        entry.mapped().is_some_and(|frame| match frame {
            Frame::ZERO => entry.has(Entry::DIRTY),
            _ => self.memory.frames.used_for(frame) == Use::Merged,
        })
    }

    /// The frame of a page, if it could be merged.
    fn candidate(&self, pid: Pid, page: u64) -> Option<Frame> {
        let frame = self.entry(pid, page).mapped()?;
        (frame != Frame::ZERO && self.memory.frames.used_for(frame) == Use::Anonymous)
            .then_some(frame)
    }

    fn write_protect(&self, pid: Pid, page: u64) -> Result<(), Errno> {
        let mut space = self.space(pid).ok_or(Errno::Invalid)?;
        let entry = space.tables.entry(&self.memory, page);
        let entry = entry.without(Entry::WRITABLE | Entry::EXCLUSIVE);
        space.tables.set_huge(&self.memory, page, false)?;
        space.tables.set(&self.memory, page, entry)?;
        Ok(())
    }

    fn merge_into(&self, pid: Pid, page: u64, into: Frame) -> Result<(), Errno> {
        let mut space = self.space(pid).ok_or(Errno::Invalid)?;
        let flags = Entry::USER | Entry::ACCESSED;
        let entry = space.tables.entry(&self.memory, page);
        self.memory.frames.retain(into);
        let mark = if into == Frame::ZERO { Entry::DIRTY } else { 0 };
        space.tables.set_huge(&self.memory, page, false)?;
        self.replace(&mut space, page, Entry::frame(into, entry.0 & flags | mark))?;
        drop(space);
        self.count(pid, |tally| tally.merged += 1);
        Ok(())
    }
}
