//! The page map: one entry for each page of the file, `{refcount u32, crc32 u32}`.
//!
//! Entries are loaded a group at a time and changed in memory under the writer lock, at commit
//! boundaries only (R2). A checkpoint *seals* the dirty groups: it takes a shared handle to each, and
//! a commit that changes a sealed group copies it first (R6, by `Arc::make_mut`). Sealed groups
//! are written to the slot that the last durable directory does **not** name (R5); which slot is
//! durable toggles in memory only when the superblock is. Where only a few entries of a group
//! changed they go to the superblock's [delta list](DeltaList) instead, and the group's page stays as it is.
//!
//! A directory entry for each group stays in memory (16 bytes for each 512 pages at 4 KiB);
//! groups come and go within a budget.

mod delta;
mod directory;
mod plan;
mod stored;

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    geometry::Geometry,
    hash::NumberMap,
    mutant,
    page::{PageId, u32_at},
    storage::Storage,
    superblock::MapRoot,
};

pub use delta::{DeltaChecksum, DeltaEntry, DeltaList};
pub(crate) use directory::Directory;
pub use directory::{DirectoryEntry, read_directory, read_group};
use plan::SealedGroup;
pub(crate) use plan::{Plan, Sealed};

/// What the map says about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// How many parents point straight at the page; 0 = free.
    pub count: u32,
    /// crc32 of the page: of a raw page's bytes, of a node page's bytes from 4 on.
    pub crc: u32,
}

impl Entry {
    fn unpack(word: u64) -> Entry {
        Entry { count: word as u32, crc: (word >> 32) as u32 }
    }

    fn pack(self) -> u64 {
        u64::from(self.count) | u64::from(self.crc) << 32
    }

    /// Reads entry `index` of a group's page.
    pub fn decode(group: &[u8], index: usize) -> Entry {
        Entry { count: u32_at(group, 8 * index), crc: u32_at(group, 8 * index + 4) }
    }
}

type Words = Arc<Vec<u64>>;

struct Group {
    words: Words,
    /// As they stand in the current slot: shared with `words` as long as nothing differs. What
    /// differs and is not dirty is in the delta list.
    stored: Words,
    /// Changed since the last seal.
    dirty: bool,
    /// A checkpoint in progress decides about it: the file has only an older state.
    sealed: bool,
    /// The transaction that last prepared it: while that one runs, the group stays.
    held_by: u64,
    recent: bool,
}

/// The map as of the newest commit.
pub(crate) struct Map {
    geometry: Geometry,
    /// Of the last durable superblock.
    durable: Arc<Directory>,
    groups: NumberMap<u64, Group>,
    budget: usize,
    /// Number of the running transaction, or of the last one.
    transaction: u64,
}

impl Map {
    /// The map of a new file: everything free.
    pub(crate) fn new(geometry: Geometry, budget_bytes: usize) -> Map {
        Map {
            geometry,
            durable: Arc::default(),
            groups: NumberMap::default(),
            budget: (budget_bytes / geometry.page_size).max(64),
            // Not 0, which marks groups that no transaction has prepared.
            transaction: 1,
        }
    }

    /// Reads the directory that a superblock names; groups are read when they are needed.
    pub(crate) fn open(
        geometry: Geometry,
        storage: &dyn Storage,
        root: &MapRoot,
        delta: &DeltaList,
        pages: u64,
        budget_bytes: usize,
    ) -> Result<Map> {
        let mut durable = Directory { delta: delta.clone(), ..Directory::default() };
        let mut visit = |level: u32, entries: Vec<DirectoryEntry>| {
            if level == 0 {
                durable.groups = entries;
            } else {
                durable.upper.insert(0, entries);
            }
        };
        read_directory(geometry, storage, root, pages, &mut visit)?;
        for page in delta.pages() {
            let group = geometry.group_of(page) as usize;
            if !durable.groups.get(group).is_some_and(|group| group.present) {
                let what = "page of the delta list, in a group never written";
                return Err(Error::corrupted(0, what, 0, page.0));
            }
        }
        Ok(Map { durable: Arc::new(durable), ..Map::new(geometry, budget_bytes) })
    }

    fn load(&mut self, storage: &dyn Storage, group: u64) -> Result<()> {
        if let Some(loaded) = self.groups.get_mut(&group) {
            loaded.recent = true;
            return Ok(());
        }
        let entry = self.durable.groups.get(group as usize).copied().unwrap_or_default();
        let stored = Arc::new(read_group(self.geometry, storage, group, &entry)?);
        let mut words = stored.clone();
        let listed = !self.durable.delta.of_group(self.geometry, group).is_empty()
            || !self.durable.delta.checksums_of_group(self.geometry, group).is_empty();
        if listed && !mutant!(DeltaListNotApplied) {
            self.durable.delta.apply(
                self.geometry,
                group,
                Arc::make_mut(&mut words).as_mut_slice(),
            );
        }
        self.groups.insert(
            group,
            Group { words, stored, dirty: false, sealed: false, held_by: 0, recent: true },
        );
        Ok(())
    }

    /// A transaction begins: what earlier ones prepared may go.
    pub(crate) fn begin_transaction(&mut self) {
        self.transaction += 1;
        self.shrink();
    }

    /// Drops clean groups that were not used lately, down to the budget, but for those that the
    /// running transaction has prepared.
    pub(crate) fn shrink(&mut self) {
        if self.groups.len() <= self.budget {
            return;
        }
        let running = self.transaction;
        let unwritten = |group: &Group| {
            group.dirty || group.sealed && !mutant!(SealedGroupEvicted) || group.held_by == running
        };
        self.groups.retain(|_, group| unwritten(group) || std::mem::take(&mut group.recent));
        if self.groups.len() > self.budget {
            self.groups.retain(|_, group| unwritten(group));
        }
    }

    /// The entry of a page.
    pub(crate) fn get(&mut self, storage: &dyn Storage, page: PageId) -> Result<Entry> {
        self.load(storage, self.geometry.group_of(page))?;
        Ok(self.loaded(page))
    }

    /// The entry of a page whose group has been loaded.
    fn loaded(&self, page: PageId) -> Entry {
        let index = (page.0 % self.geometry.group_pages) as usize;
        let group = &self.groups[&self.geometry.group_of(page)];
        Entry::unpack(group.words[index])
    }

    /// All entries of a group.
    pub(crate) fn group(&mut self, storage: &dyn Storage, group: u64) -> Result<&[u64]> {
        self.load(storage, group)?;
        Ok(&self.groups[&group].words)
    }

    /// The entry of a page, for a reader: groups that only readers need stay within the budget.
    pub(crate) fn read(&mut self, storage: &dyn Storage, page: PageId) -> Result<Entry> {
        let entry = self.get(storage, page)?;
        if self.groups.len() > 2 * self.budget {
            self.shrink();
        }
        Ok(entry)
    }

    /// Makes sure that a later [`Map::set_count`] of this page, by the same transaction, cannot fail.
    pub(crate) fn prepare(&mut self, storage: &dyn Storage, page: PageId) -> Result<()> {
        let number = self.geometry.group_of(page);
        self.load(storage, number)?;
        let running = self.transaction;
        if let Some(group) = self.groups.get_mut(&number) {
            group.held_by = running;
        }
        Ok(())
    }

    /// The words of a prepared group, to be changed.
    fn change(&mut self, group: u64) -> &mut [u64] {
        let group = self.groups.get_mut(&group).expect("the group was prepared by the transaction");
        group.dirty = !(mutant!(ChangeOfSealedGroupForgotten) && group.sealed);
        group.recent = true;
        Arc::make_mut(&mut group.words).as_mut_slice()
    }

    fn change_entry(&mut self, page: PageId, change: impl FnOnce(&mut Entry)) {
        let index = (page.0 % self.geometry.group_pages) as usize;
        let word = &mut self.change(self.geometry.group_of(page))[index];
        let mut entry = Entry::unpack(*word);
        change(&mut entry);
        *word = entry.pack();
    }

    /// Sets counts of a prepared group, by index; returns how many.
    pub(crate) fn set_counts(
        &mut self,
        group: u64,
        counts: impl Iterator<Item = (usize, u32)>,
    ) -> u64 {
        let mut counts = counts.peekable();
        if counts.peek().is_none() {
            return 0;
        }
        let words = self.change(group);
        let mut changes = 0;
        for (index, count) in counts {
            words[index] = words[index] & !0xFFFF_FFFF | u64::from(count);
            changes += 1;
        }
        changes
    }

    /// Sets the count of a prepared page.
    pub(crate) fn set_count(&mut self, page: PageId, count: u32) {
        self.change_entry(page, |entry| entry.count = count);
    }

    /// Sets the crc of a prepared page.
    pub(crate) fn set_crc(&mut self, page: PageId, crc: u32) {
        self.change_entry(page, |entry| entry.crc = crc);
    }

    /// Free pages of a group: exact if loaded, else as the durable directory and list have it.
    pub(crate) fn free_hint(&self, group: u64) -> u32 {
        match self.groups.get(&group) {
            Some(loaded) => count_free(&loaded.words),
            None => match self.durable.groups.get(group as usize) {
                Some(entry) if entry.present => {
                    let free =
                        i64::from(entry.free) + self.durable.delta.frees(self.geometry, group);
                    free.clamp(0, self.geometry.group_pages as i64) as u32
                }
                _ => self.geometry.group_pages as u32,
            },
        }
    }

    /// Takes the groups that differ from their stored pages as they are now; later changes copy them
    /// first (R6).
    pub(crate) fn seal(&mut self) -> Sealed {
        let mut sealed = Sealed::default();
        for (&number, group) in &mut self.groups {
            let dirty = std::mem::take(&mut group.dirty);
            // One that is not dirty may have to be written all the same, to make room in the list.
            if dirty || !Arc::ptr_eq(&group.words, &group.stored) {
                group.sealed = true;
                let (words, stored) = (group.words.clone(), group.stored.clone());
                sealed.groups.push(SealedGroup { number, words, stored, dirty });
            }
        }
        sealed.groups.sort_unstable_by_key(|group| group.number);
        sealed
    }

    /// A written page's crc becomes known after the seal: it goes to the sealed group and, where the
    /// group was copied since, to the newer one as well.
    pub(crate) fn set_sealed_crcs(&mut self, sealed: &mut Sealed, crcs: &[(PageId, u32)]) {
        let geometry = self.geometry;
        for run in crcs.chunk_by(|a, b| geometry.group_of(a.0) == geometry.group_of(b.0)) {
            let number = geometry.group_of(run[0].0);
            let Ok(at) = sealed.groups.binary_search_by_key(&number, |group| group.number) else {
                debug_assert!(false, "a new page lies in a group that was not sealed");
                continue;
            };
            let live = self.groups.get_mut(&number);
            let shared =
                live.as_ref().is_some_and(|g| Arc::ptr_eq(&g.words, &sealed.groups[at].words));
            let put = |words: &mut Words| {
                let words = Arc::make_mut(words);
                for (page, crc) in run {
                    let word = &mut words[(page.0 % geometry.group_pages) as usize];
                    *word = *word & 0xFFFF_FFFF | u64::from(*crc) << 32;
                }
            };
            match live {
                Some(group) if shared => {
                    // One copy for both: drop the sealed handle, change, share again.
                    sealed.groups[at].words = Arc::default();
                    put(&mut group.words);
                    sealed.groups[at].words = group.words.clone();
                }
                Some(group) => {
                    if !mutant!(ChecksumOnlyInSealedGroup) {
                        put(&mut group.words);
                    }
                    put(&mut sealed.groups[at].words);
                }
                None => put(&mut sealed.groups[at].words),
            }
        }
        if mutant!(SealedGroupChanged) {
            for group in &mut sealed.groups {
                if let Some(live) = self.groups.get(&group.number) {
                    group.words = live.words.clone();
                }
            }
        }
    }

    /// What the last durable superblock says of the map: it stays so until [`Map::adopt`].
    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.durable.clone()
    }

    /// The superblock that names `plan`'s root is durable: its slots and its delta list are the
    /// current ones (R5).
    pub(crate) fn adopt(&mut self, plan: Plan) {
        let mut directory = plan.directory;
        if mutant!(DeltaListKept) {
            directory.delta = self.durable.delta.clone();
        }
        self.durable = Arc::new(directory);
        for (number, written) in plan.written {
            if let Some(group) = self.groups.get_mut(&number) {
                group.stored = written;
            }
        }
        for group in self.groups.values_mut() {
            group.sealed = false;
        }
    }

    /// Forgets the groups beyond the end of a file that shrank.
    pub(crate) fn truncate(&mut self, pages: u64) {
        let groups = self.geometry.groups(pages);
        self.groups.retain(|&number, _| number < groups);
    }
}

fn count_free(words: &[u64]) -> u32 {
    words.iter().filter(|&&word| word as u32 == 0).count() as u32
}

#[cfg(test)]
mod tests;
