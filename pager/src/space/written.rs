//! Which pages of the file hold what the map says of them, for those who compare the two (S1 in
//! `docs/design.md`).

use super::{Run, Space};
use crate::{
    map::{DirectoryEntry, Entry},
    mutant,
    page::PageId,
};

/// What may be said of a page's bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing: it is free, or of the map or the log.
    No,
    /// It is committed, and in memory only.
    NotYet,
    /// They are what has this checksum, until the space mutex is given back.
    Yes(Entry),
}

impl Space {
    /// The log's ring stands here from now on: its pages are used and have no checksum.
    pub(crate) fn set_ring(&mut self, ring: Run) {
        self.ring = ring;
    }

    fn written(&self, page: PageId, entry: Entry) -> Written {
        let in_ring = (self.ring.start.0..self.ring.end()).contains(&page.0);
        let in_ring = in_ring && !mutant!(ScrubJudgesLog);
        if entry.count == 0 || in_ring || self.geometry.is_reserved(page) {
            return Written::No;
        }
        let sealed = || self.in_progress.as_ref().is_some_and(|c| c.pages.contains_key(&page));
        if (self.dirty.contains_key(&page) || sealed()) && !mutant!(ScrubJudgesUnwritten) {
            return Written::NotYet;
        }
        Written::Yes(entry)
    }

    /// The same of a page, whose group is read if need be. A group that cannot be read says nothing.
    pub(crate) fn page_written(&mut self, page: PageId) -> Written {
        match self.entry(page) {
            Ok(entry) => self.written(page, entry),
            Err(_) => Written::No,
        }
    }

    /// The same of several pages of one group, without reading from the file. `stored` are the words of the group's page in the slot
    /// that this directory entry names; None: it is not the current one any more, and the group is not
    /// in memory.
    pub(crate) fn pages_written(
        &self,
        pages: std::ops::Range<u64>,
        stored: Option<&(DirectoryEntry, Vec<u64>)>,
    ) -> Option<Vec<Written>> {
        let group = self.geometry.group_of(PageId(pages.start));
        let pages = pages.start..pages.end.min(self.pages);
        let entry = |page| self.map.entry_in(group, PageId(page), stored);
        pages.map(|page| Some(self.written(PageId(page), entry(page)?))).collect()
    }
}
