//! What the file has of the map, for those who verify it without bringing it into memory.

use super::{DirectoryEntry, Entry, Map};
use crate::page::PageId;

impl Map {
    /// What the durable directory says about a group.
    pub(crate) fn directory_entry(&self, group: u64) -> DirectoryEntry {
        self.durable.groups.get(group as usize).copied().unwrap_or_default()
    }

    /// What is said about directory page `index` of `level` by the one above it, or by the superblock.
    pub(crate) fn upper_entry(&self, level: u32, index: u64) -> DirectoryEntry {
        let entries = (level as usize).checked_sub(1).and_then(|at| self.durable.upper.get(at));
        entries.and_then(|entries| entries.get(index as usize)).copied().unwrap_or_default()
    }

    /// Levels of the durable directory.
    pub(crate) fn depth(&self) -> u32 {
        self.durable.upper.len() as u32
    }

    /// The entry of a page of `group`: from memory if the group is there, else from `stored`, the words
    /// of the slot that a directory entry names, if that is the current one.
    pub(crate) fn entry_in(
        &self,
        group: u64,
        page: PageId,
        stored: Option<&(DirectoryEntry, Vec<u64>)>,
    ) -> Option<Entry> {
        let index = (page.0 % self.geometry.group_pages) as usize;
        if let Some(group) = self.groups.get(&group) {
            return group.words.get(index).map(|&word| Entry::unpack(word));
        }
        let (entry, words) = stored?;
        if *entry != self.directory_entry(group) {
            return None;
        }
        Some(self.durable.delta.newest(page, Entry::unpack(*words.get(index)?)))
    }
}
