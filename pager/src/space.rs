//! Space: which pages are free, which of them may be used again now, and where the file ends.
//!
//! A page passes through these states:
//!
//! ```text
//!           take                 commit                       release
//! available ----> the transaction's ----> in use (count > 0) ----------> freed, waiting (count 0)
//!     ^             |  abort                                                   |
//!     +-------------+----------------------------------------------------------+
//!                                  nobody can need it any more (R7)
//! ```
//!
//! A freed page, born at `birth` and dead from `death` on, waits as long as
//! - a reader's version `v` has `birth <= v < death` (R7a): it is parked under that version;
//! - its death is younger than the visible version: commits that are not acknowledged yet will each
//!   become visible in turn, and their readers may need it (R7a as well);
//! - the durable checkpoint, or the one in progress, of stamp `c` has `birth <= c < death`, or the
//!   checkpoint in progress is still to write the page (R7b): it is parked until the next one
//!   ends.
//!
//! The log names no page (values are logged by their bytes), so R7c holds by itself.

mod runs;
mod settled;
mod written;

use settled::Settled;
pub(crate) use written::Written;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Error, Result},
    geometry::Geometry,
    hash::NumberMap,
    map::Map,
    mutant,
    page::PageId,
    storage::Storage,
};

/// A run of pages that one owner freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) start: PageId,
    pub(crate) length: u64,
    pub(crate) birth: u64,
    pub(crate) death: u64,
}

/// A run of consecutive pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// First page.
    pub start: PageId,
    /// Pages in it.
    pub length: u64,
}

impl Run {
    /// The position behind the last page.
    pub fn end(&self) -> u64 {
        self.start.0 + self.length
    }
}

/// Whether a checkpoint is being written, and what it still needs.
#[derive(Debug, Default)]
pub(crate) struct InProgress {
    pub(crate) stamp: u64,
    /// Dirty pages that it is to write, with their birth.
    pub(crate) pages: Arc<NumberMap<PageId, u64>>,
}

/// Free pages kept back for transactions that only delete, so that a full store can be emptied: at
/// most this many, fewer in a small file.
const SLOP_MAX: u64 = 64;
/// Runs shorter than this are passed over at first: scattered writes cost several times as much.
const GOOD_RUN: u64 = 16;
/// Pages that a transaction takes at a time, so that siblings stand together.
const BATCH_MAX: u64 = 64;
const GROWTH_MIN_BYTES: u64 = 128 << 10;
const GROWTH_MAX_BYTES: u64 = 64 << 20;

pub(crate) struct Space {
    pub(crate) map: Map,
    geometry: Geometry,
    storage: Arc<dyn Storage>,
    /// Pages of the file.
    pages: u64,
    max_pages: u64,
    /// Where the log's ring stands.
    ring: Run,
    /// By group: a bit for each page that may be taken now; made when the group is first touched.
    available: Vec<Option<Box<[u64]>>>,
    /// By group: bits set, or the map's word for groups not touched yet.
    available_count: Vec<u32>,
    /// By group: no run of available pages is longer. A search that fails need not be made again.
    longest: Vec<u32>,
    total_available: u64,
    cursor: u64,
    /// No good run was found since one last became available.
    short_of_runs: bool,
    front_first: bool,
    /// Growing was refused since the last release.
    denied: bool,
    parked_readers: BTreeMap<u64, Vec<Freed>>,
    parked_checkpoint: Vec<Freed>,
    /// Died in a version that is not visible yet; looked at again when another one is.
    parked_unseen: Vec<Freed>,
    last_visible: u64,
    /// Freed since the last look.
    fresh: Vec<Freed>,
    /// A checkpoint became durable since the last look.
    checkpoint_ended: bool,
    waiting_pages: u64,
    pub(crate) durable_stamp: u64,
    pub(crate) in_progress: Option<InProgress>,
    /// Pages changed since the last seal, with their birth: what the next checkpoint writes.
    pub(crate) dirty: NumberMap<PageId, u64>,
    settled: Settled,
}

impl Space {
    pub(crate) fn new(
        map: Map,
        geometry: Geometry,
        storage: Arc<dyn Storage>,
        pages: u64,
        max_pages: u64,
        durable_stamp: u64,
    ) -> Space {
        let mut space = Space {
            map,
            geometry,
            storage,
            pages: 0,
            max_pages: max_pages.min(PageId::LIMIT),
            ring: Run { start: PageId::NONE, length: 0 },
            available: Vec::new(),
            available_count: Vec::new(),
            longest: Vec::new(),
            total_available: 0,
            cursor: 0,
            short_of_runs: false,
            front_first: false,
            denied: false,
            parked_readers: BTreeMap::new(),
            parked_checkpoint: Vec::new(),
            parked_unseen: Vec::new(),
            last_visible: 0,
            fresh: Vec::new(),
            checkpoint_ended: false,
            waiting_pages: 0,
            durable_stamp,
            in_progress: None,
            dirty: NumberMap::default(),
            settled: Settled::default(),
        };
        space.pages = pages;
        for group in 0..geometry.groups(pages) {
            // The map's word counts what lies behind the end of the file, too.
            let end = geometry.group_start(group) + geometry.group_pages;
            let free =
                u64::from(space.map.free_hint(group)).saturating_sub(end.saturating_sub(pages));
            let hint = space.group_limit(group).min(free);
            space.available.push(None);
            space.available_count.push(hint as u32);
            space.longest.push(u32::MAX);
            space.total_available += hint;
        }
        space
    }

    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages that are free or will be as soon as nobody needs them.
    pub(crate) fn free_pages(&self) -> u64 {
        self.total_available + self.waiting_pages
    }

    /// Is no page used but for superblocks, the map and the log's ring?
    pub(crate) fn is_blank(&self) -> bool {
        let usable: u64 =
            (0..self.geometry.groups(self.pages)).map(|group| self.group_limit(group)).sum();
        usable.saturating_sub(self.ring.length) <= self.free_pages()
    }

    /// Pages of `group` that exist and are not reserved for the map.
    fn group_limit(&self, group: u64) -> u64 {
        let start = self.geometry.group_start(group);
        let end = (start + self.geometry.group_pages).min(self.pages);
        let region = start / self.geometry.region_pages;
        let reserved_end = region * self.geometry.region_pages + self.geometry.reserved(region);
        end.saturating_sub(start.max(reserved_end.min(end)))
    }

    /// Loads a group and its bits before anything of it is changed.
    fn touch(&mut self, group: u64) -> Result<()> {
        let index = group as usize;
        if self.available[index].is_some() {
            return self.map.prepare(&*self.storage, PageId(self.geometry.group_start(group)));
        }
        let start = self.geometry.group_start(group);
        let words = self.map.group(&*self.storage, group)?;
        let mut bits = vec![0u64; words.len() / 64].into_boxed_slice();
        let mut count = 0;
        for (i, &word) in words.iter().enumerate() {
            let page = start + i as u64;
            if word as u32 == 0 && page < self.pages && !self.geometry.is_reserved(PageId(page)) {
                bits[i / 64] |= 1 << (i % 64);
                count += 1;
            }
        }
        self.total_available += u64::from(count);
        self.total_available -= u64::from(self.available_count[index]);
        self.available_count[index] = count;
        self.available[index] = Some(bits);
        self.map.prepare(&*self.storage, PageId(start))
    }

    /// Makes sure that the entry of `page` can be changed at commit.
    pub(crate) fn prepare(&mut self, page: PageId) -> Result<()> {
        self.check_place(page)?;
        self.touch(self.geometry.group_of(page))
    }

    /// The count of a page.
    pub(crate) fn count(&mut self, page: PageId) -> Result<u32> {
        self.prepare(page)?;
        Ok(self.map.get(&*self.storage, page)?.count)
    }

    /// The entries of a page's group, which can be changed at commit.
    pub(crate) fn group_of(&mut self, page: PageId) -> Result<&[u64]> {
        self.prepare(page)?;
        self.map.group(&*self.storage, self.geometry.group_of(page))
    }

    /// The map entry of a page, for a reader.
    pub(crate) fn entry(&mut self, page: PageId) -> Result<crate::map::Entry> {
        self.check_place(page)?;
        self.map.read(&*self.storage, page)
    }

    fn check_place(&self, page: PageId) -> Result<()> {
        if page.0 >= self.pages || self.geometry.is_reserved(page) {
            return Err(Error::corrupted(page.0, "page position", self.pages, page.0));
        }
        Ok(())
    }

    // ---- taking pages --------------------------------------------------------------------

    fn slop(&self) -> u64 {
        (self.pages / 32).clamp(8, SLOP_MAX)
    }

    /// How many pages a transaction should take at a time.
    pub(crate) fn batch(&self) -> u64 {
        (self.pages / 32).clamp(8, BATCH_MAX)
    }

    /// Takes a run of 1 to `want` pages. `privileged` callers may use the last few.
    pub(crate) fn take(&mut self, want: u64, privileged: bool) -> Result<Run> {
        self.take_from(want, GOOD_RUN.min(want), privileged)
    }

    fn take_from(&mut self, want: u64, good: u64, privileged: bool) -> Result<Run> {
        if self.front_first {
            self.cursor = 0;
            if let Some(run) = self.find(want, 1)? {
                return Ok(run);
            }
        }
        if !self.short_of_runs && self.total_available > self.slop() {
            if let Some(run) = self.find(want, good)? {
                return Ok(run);
            }
            self.short_of_runs = true;
        }
        // Rather grow than fragment, while little is free.
        let mut denied = None;
        if self.total_available < self.pages / 8 + self.slop() {
            match self.grow(want) {
                Ok(()) => {
                    self.short_of_runs = false;
                    if let Some(run) = self.find(want, good)? {
                        return Ok(run);
                    }
                }
                Err(error @ Error::DiskFull { .. }) => denied = Some(error),
                Err(error) => return Err(error),
            }
        }
        if (privileged || self.total_available > self.slop())
            && let Some(run) = self.find(want, 1)?
        {
            return Ok(run);
        }
        match denied {
            Some(error) => Err(error),
            None => {
                self.grow(want)?;
                self.find(want, 1)?.ok_or(Error::DiskFull { pages: want })
            }
        }
    }

    /// Takes `count` pages in as few runs as the file offers.
    pub(crate) fn take_runs(&mut self, count: u64, runs_max: usize) -> Result<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::new();
        let mut left = count;
        while left > 0 {
            let want = left.min(self.geometry.group_pages);
            // Short pieces only as long as they cannot add up to too many runs.
            let good = (count / 8).clamp(1, self.geometry.group_pages / 2).min(want);
            if self.front_first {
                self.cursor = 0;
            }
            let found =
                if self.total_available > self.slop() { self.find(want, good) } else { Ok(None) };
            let run = match found {
                Ok(Some(run)) => Ok(run),
                Ok(None) => match self.grow(left) {
                    Ok(()) => {
                        let good = want.min(self.geometry.group_pages / 4);
                        self.find(want, good).and_then(|run| match run {
                            Some(run) => Ok(run),
                            None => self.take_from(want, 1, false),
                        })
                    }
                    Err(Error::DiskFull { .. }) => self.take_from(want, 1, false),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            let run = match run {
                Ok(run) => run,
                Err(error) => {
                    runs.iter().for_each(|run| self.give_back(*run));
                    return Err(error);
                }
            };
            left -= run.length;
            match runs.last_mut() {
                Some(last) if last.end() == run.start.0 => last.length += run.length,
                _ => runs.push(run),
            }
            if runs.len() > runs_max {
                runs.iter().for_each(|run| self.give_back(*run));
                return Err(Error::DiskFull { pages: count });
            }
        }
        Ok(runs)
    }

    /// Makes the file at least `want` pages longer (ENOSPC and the quota strike here).
    fn grow(&mut self, want: u64) -> Result<()> {
        let page_size = self.geometry.page_size as u64;
        let bytes = (self.pages * page_size / 16).clamp(GROWTH_MIN_BYTES, GROWTH_MAX_BYTES);
        let generous = (bytes / page_size).max(want);
        // Region headers on the way count extra.
        let headers = |pages: u64| {
            let region = self.pages.div_ceil(self.geometry.region_pages);
            let last = (self.pages + pages).div_ceil(self.geometry.region_pages);
            (region..=last).map(|region| self.geometry.reserved(region)).sum::<u64>()
        };
        let mut denied = Error::DiskFull { pages: want };
        for add in [generous + headers(generous), want + headers(want)] {
            let mut target = (self.pages + add).min(self.max_pages);
            if target > 0 && self.geometry.is_reserved(PageId(target - 1)) {
                // A region whose header the quota would cut is not begun.
                target = target / self.geometry.region_pages * self.geometry.region_pages;
            }
            if target < self.pages + want {
                continue;
            }
            match self.set_len(target) {
                Ok(()) => {
                    self.extend(target)?;
                    return Ok(());
                }
                Err(e) => {
                    denied = match Error::io("growing the file", target * page_size, e) {
                        Error::DiskFull { .. } => Error::DiskFull { pages: want },
                        other => return Err(other),
                    }
                }
            }
        }
        self.denied = true;
        Err(denied)
    }

    /// Makes the file longer.
    fn set_len(&self, pages: u64) -> std::io::Result<()> {
        if mutant!(GrowthNotSyncedBeforeHeader) {
            return Ok(());
        }
        self.storage.set_len(pages * self.geometry.page_size as u64)
    }

    /// Is the file at its limit, and would a checkpoint let pages go?
    pub(crate) fn wants_checkpoint(&self) -> bool {
        if !self.denied {
            return false;
        }
        let parked: u64 = self.parked_checkpoint.iter().map(|freed| freed.length).sum();
        parked > 0 && self.total_available < 2 * self.slop().max(parked.min(64))
    }

    /// Takes pages up to `target` into the map.
    pub(crate) fn extend(&mut self, target: u64) -> Result<()> {
        let old = self.pages;
        let region_pages = self.geometry.region_pages;
        self.pages = target;
        for group in self.available.len() as u64..self.geometry.groups(target) {
            let _ = group;
            self.available.push(None);
            self.available_count.push(0);
            self.longest.push(u32::MAX);
        }
        // The group that the file ended in gets more bits; new ones are empty and cost no reading.
        for group in self.geometry.group_of(PageId(old))..self.geometry.groups(target) {
            self.touch(group)?;
            self.longest[group as usize] = u32::MAX;
            let start = self.geometry.group_start(group);
            for page in start.max(old)..(start + self.geometry.group_pages).min(target) {
                let i = (page - start) as usize;
                let bits = self.available[group as usize].as_mut().expect("just touched");
                let free = !self.geometry.is_reserved(PageId(page));
                if free && bits[i / 64] & 1 << (i % 64) == 0 {
                    bits[i / 64] |= 1 << (i % 64);
                    self.available_count[group as usize] += 1;
                    self.total_available += 1;
                }
            }
        }
        for region in old.div_ceil(region_pages)..target.div_ceil(region_pages) {
            for page in 0..self.geometry.reserved(region) {
                let page = PageId(region * region_pages + page);
                self.map.prepare(&*self.storage, page)?;
                self.map.set_count(page, 1);
            }
        }
        Ok(())
    }

    // ---- giving pages back ---------------------------------------------------------------

    /// A commit freed these pages: counts become zero; the pages wait until nobody needs them.
    pub(crate) fn free(&mut self, freed: &[Freed]) {
        for run in freed {
            for page in run.start.0..run.start.0 + run.length {
                self.map.set_count(PageId(page), 0);
            }
            self.waiting_pages += run.length;
            self.fresh.push(if mutant!(FreedPageReusedAtOnce) {
                Freed { birth: run.death, death: 0, ..*run }
            } else {
                *run
            });
        }
    }

    /// Makes pages available that nobody can need any more. `active` are the versions that readers
    /// have or may get; returns the runs, whose frames can be dropped.
    pub(crate) fn reclaim(
        &mut self,
        active: &[u64],
        reclaimed: &mut Vec<Run>,
        unread: &mut Vec<Run>,
    ) {
        let mut candidates = std::mem::take(&mut self.fresh);
        if std::mem::take(&mut self.checkpoint_ended) {
            candidates.append(&mut self.parked_checkpoint);
        }
        // Readers never have a newer version than the visible one.
        let visible = active.last().copied().unwrap_or(0);
        if visible != self.last_visible {
            self.last_visible = visible;
            candidates.append(&mut self.parked_unseen);
        }
        let ended: Vec<u64> = self
            .parked_readers
            .keys()
            .filter(|version| active.binary_search(version).is_err())
            .copied()
            .collect();
        for version in ended {
            candidates.extend(self.parked_readers.remove(&version).unwrap_or_default());
        }
        for freed in candidates {
            if freed.death > visible && !mutant!(UnseenVersionsIgnored) {
                self.parked_unseen.push(freed);
                continue;
            }
            // The newest version that may need the page: it will be asked about again only when that
            // one has ended.
            let next = active.partition_point(|&version| version < freed.death);
            let reader = next.checked_sub(1).map(|i| active[i]).filter(|&v| v >= freed.birth);
            let reader = reader.filter(|_| !mutant!(ReadersIgnored));
            if let Some(version) = reader {
                self.parked_readers.entry(version).or_default().push(freed);
            } else if self.needed_by_checkpoint(&freed) {
                unread.push(Run { start: freed.start, length: freed.length });
                self.parked_checkpoint.push(freed);
            } else if freed.length == 1 && self.settled.on_their_way.contains(&freed.start) {
                self.fresh.push(freed);
            } else {
                let run = Run { start: freed.start, length: freed.length };
                self.waiting_pages -= run.length;
                let longest = self.mark(run, true);
                for page in run.start.0..run.end() {
                    self.dirty.remove(&PageId(page));
                }
                self.short_of_runs &= longest < GOOD_RUN.min(self.batch());
                self.denied &= self.total_available <= 2 * self.slop();
                reclaimed.push(run);
            }
        }
    }

    fn needed_by_checkpoint(&self, freed: &Freed) -> bool {
        let within = |stamp: u64| freed.birth <= stamp && stamp < freed.death;
        within(self.durable_stamp) && !mutant!(DurableCheckpointIgnored)
            || self.in_progress.as_ref().is_some_and(|checkpoint| {
                within(checkpoint.stamp) && !mutant!(CheckpointInProgressIgnored)
                    || freed.length == 1
                        && checkpoint.pages.contains_key(&freed.start)
                        && !mutant!(UnwrittenPagesIgnored)
            })
    }

    /// The checkpoint of this stamp is durable and no other is in progress.
    pub(crate) fn checkpoint_is_durable(&mut self, stamp: u64) {
        self.durable_stamp = stamp;
        self.in_progress = None;
        self.checkpoint_ended = true;
    }

    /// Bounds the file from here on.
    pub(crate) fn set_max_pages(&mut self, max_pages: u64) {
        self.max_pages = max_pages.min(PageId::LIMIT);
    }

    /// Takes pages that are known to be available.
    pub(crate) fn take_exactly(&mut self, run: Run) {
        self.mark(run, false);
    }

    /// Takes up to `want` pages from the end of the file on, up to the end of the region: a value that
    /// grows by such pieces has one run in each region.
    pub(crate) fn take_tail(&mut self, want: u64) -> Result<Run> {
        let region_pages = self.geometry.region_pages;
        let region = self.pages / region_pages;
        let first = region * region_pages + self.geometry.reserved(region);
        let start = self.pages.max(first);
        let target = (start + want).min((region + 1) * region_pages).min(self.max_pages);
        if target <= start {
            return Err(Error::DiskFull { pages: want });
        }
        self.set_len(target).map_err(|e| match Error::io("growing the file", target, e) {
            Error::DiskFull { .. } => Error::DiskFull { pages: want },
            other => other,
        })?;
        self.extend(target)?;
        let run = Run { start: PageId(start), length: target - start };
        self.mark(run, false);
        Ok(run)
    }

    /// Takes `count` consecutive pages at the end of the file, which grows for them.
    pub(crate) fn take_at_end(&mut self, count: u64) -> Result<Run> {
        let region_pages = self.geometry.region_pages;
        let mut start = self.pages;
        if start.is_multiple_of(region_pages) || (start % region_pages) + count > region_pages {
            let region = start.div_ceil(region_pages);
            start = region * region_pages + self.geometry.reserved(region);
        }
        let target = start + count;
        let denied = Error::DiskFull { pages: count };
        if count > region_pages / 2 || target > self.max_pages {
            return Err(denied);
        }
        self.set_len(target).map_err(|e| match Error::io("growing the file", target, e) {
            Error::DiskFull { .. } => denied,
            other => other,
        })?;
        self.extend(target)?;
        let run = Run { start: PageId(start), length: count };
        self.mark(run, false);
        Ok(run)
    }

    // ---- shrinking -----------------------------------------------------------------------

    /// The number of pages that the file could be cut to: all behind them are available now.
    pub(crate) fn shrinkable_to(&mut self) -> Result<u64> {
        let mut end = self.pages;
        while end > 0 {
            let page = PageId(end - 1);
            if self.geometry.is_reserved(page) {
                // A region without pages of its own is not worth its header.
                let region = page.0 / self.geometry.region_pages;
                if region == 0
                    || page.0 + 1
                        != region * self.geometry.region_pages + self.geometry.reserved(region)
                {
                    break;
                }
                end = region * self.geometry.region_pages;
                continue;
            }
            let group = self.geometry.group_of(page);
            self.touch(group)?;
            let i = (page.0 % self.geometry.group_pages) as usize;
            let bits = self.available[group as usize].as_ref().expect("just touched");
            if bits[i / 64] & 1 << (i % 64) == 0 {
                break;
            }
            end -= 1;
        }
        Ok(end)
    }

    /// Takes the pages from `target` on out of the map; the file itself is cut when the superblock
    /// that says so is durable.
    pub(crate) fn cut(&mut self, target: u64) -> Result<()> {
        let groups = self.geometry.groups(target);
        for group in self.geometry.group_of(PageId(target))..self.available.len() as u64 {
            self.touch(group)?;
            let start = self.geometry.group_start(group);
            for page in start.max(target)..(start + self.geometry.group_pages).min(self.pages) {
                let i = (page - start) as usize;
                let bits = self.available[group as usize].as_mut().expect("just touched");
                if bits[i / 64] & 1 << (i % 64) != 0 {
                    bits[i / 64] &= !(1 << (i % 64));
                    self.available_count[group as usize] -= 1;
                    self.total_available -= 1;
                }
                if self.geometry.is_reserved(PageId(page)) {
                    self.map.set_count(PageId(page), 0);
                }
            }
        }
        self.available.truncate(groups as usize);
        self.available_count.truncate(groups as usize);
        self.longest.truncate(groups as usize);
        self.map.truncate(target);
        self.pages = target;
        self.cursor = self.cursor.min(target.saturating_sub(1));
        Ok(())
    }

    /// Whether searches begin at the front of the file (compaction) or behind the last find.
    pub(crate) fn set_front_first(&mut self, front_first: bool) {
        self.front_first = front_first;
    }

    /// Takes a run of exactly `length` pages near the front, if a group has one.
    pub(crate) fn take_at_front(&mut self, length: u64) -> Result<Option<Run>> {
        self.cursor = 0;
        self.find(length, length)
    }
}

#[cfg(test)]
mod tests;
