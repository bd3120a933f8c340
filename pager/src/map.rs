//! The page map: one entry for each page of the file, `{refcount u32, crc32 u32}`.
//!
//! Entries are loaded a group at a time and changed in memory under the writer lock, at commit
//! boundaries only (R2). A checkpoint *seals* the dirty groups: it takes a shared handle to each, and
//! a commit that changes a sealed group copies it first (R6, by `Arc::make_mut`). Sealed groups
//! are written to the slot that the last durable directory does **not** name (R5); which slot is
//! durable toggles in memory only when the superblock is.
//!
//! A directory entry for each group stays in memory (16 bytes for each 512 pages at 4 KiB);
//! groups come and go within a budget.

use std::{collections::HashMap, sync::Arc};

use crate::{
    error::{Error, Result},
    geometry::Geometry,
    mutant,
    page::{PageId, put, u32_at},
    storage::Storage,
    superblock::MapRoot,
};

/// The directory's word about a child: a group, or a lower directory page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryEntry {
    /// crc32 of the child's current slot.
    pub crc: u32,
    /// Pages with refcount 0 below it.
    pub free: u32,
    /// The current slot.
    pub slot: u8,
    /// False: never written; all its entries are zero.
    pub present: bool,
}

impl DirectoryEntry {
    /// Bytes of an encoded entry.
    pub const SIZE: usize = 16;

    /// Reads entry `index` of a directory page.
    pub fn decode(page: &[u8], index: usize) -> Result<DirectoryEntry> {
        let at = index * DirectoryEntry::SIZE;
        let entry = DirectoryEntry {
            crc: u32_at(page, at),
            free: u32_at(page, at + 4),
            slot: page[at + 8],
            present: page[at + 9] == 1,
        };
        if entry.slot > 1 || page[at + 9] > 1 || page[at + 10..at + 16] != [0; 6] {
            return Err(Error::corrupted(0, "map directory entry", 0, entry.slot.into()));
        }
        Ok(entry)
    }

    fn encode(&self, page: &mut [u8], index: usize) {
        let at = index * DirectoryEntry::SIZE;
        put(page, at, &self.crc.to_le_bytes());
        put(page, at + 4, &self.free.to_le_bytes());
        page[at + 8] = self.slot;
        page[at + 9] = u8::from(self.present);
    }
}

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
    dirty: bool,
    /// A checkpoint in progress is to write it: the file has only an older state.
    sealed: bool,
    /// The transaction that last prepared it: while that one runs, the group stays.
    held_by: u64,
    recent: bool,
}

/// The map as of the newest commit.
pub(crate) struct Map {
    geometry: Geometry,
    /// As of the last durable directory, but for `crc` and `free` of nothing newer.
    durable: Vec<DirectoryEntry>,
    /// The same for directory pages, by level (index 0 = level 1).
    upper: Vec<Vec<DirectoryEntry>>,
    groups: HashMap<u64, Group>,
    budget: usize,
    /// Number of the running transaction, or of the last one.
    transaction: u64,
}

impl Map {
    /// The map of a new file: everything free.
    pub(crate) fn new(geometry: Geometry, budget_bytes: usize) -> Map {
        Map {
            geometry,
            durable: Vec::new(),
            upper: Vec::new(),
            groups: HashMap::new(),
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
        pages: u64,
        budget_bytes: usize,
    ) -> Result<Map> {
        let mut map = Map::new(geometry, budget_bytes);
        let mut visit = |level: u32, entries: Vec<DirectoryEntry>| {
            if level == 0 {
                map.durable = entries;
            } else {
                map.upper.insert(0, entries);
            }
        };
        read_directory(geometry, storage, root, pages, &mut visit)?;
        Ok(map)
    }

    fn load(&mut self, storage: &dyn Storage, group: u64) -> Result<()> {
        if let Some(loaded) = self.groups.get_mut(&group) {
            loaded.recent = true;
            return Ok(());
        }
        let entry = self.durable.get(group as usize).copied().unwrap_or_default();
        let words = read_group(self.geometry, storage, group, &entry)?;
        self.groups.insert(
            group,
            Group { words: Arc::new(words), dirty: false, sealed: false, held_by: 0, recent: true },
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

    fn change(&mut self, page: PageId, change: impl FnOnce(&mut Entry)) {
        let index = (page.0 % self.geometry.group_pages) as usize;
        let group = self
            .groups
            .get_mut(&self.geometry.group_of(page))
            .expect("the group was prepared by the transaction");
        let word = &mut Arc::make_mut(&mut group.words)[index];
        let mut entry = Entry::unpack(*word);
        change(&mut entry);
        *word = entry.pack();
        group.dirty = !(mutant!(ChangeOfSealedGroupForgotten) && group.sealed);
        group.recent = true;
    }

    /// Sets the count of a prepared page.
    pub(crate) fn set_count(&mut self, page: PageId, count: u32) {
        self.change(page, |entry| entry.count = count);
    }

    /// Sets the crc of a prepared page.
    pub(crate) fn set_crc(&mut self, page: PageId, crc: u32) {
        self.change(page, |entry| entry.crc = crc);
    }

    /// Free pages of a group: exact if loaded, else as the durable directory has it.
    pub(crate) fn free_hint(&self, group: u64) -> u32 {
        match self.groups.get(&group) {
            Some(loaded) => count_free(&loaded.words),
            None => match self.durable.get(group as usize) {
                Some(entry) if entry.present => entry.free,
                _ => self.geometry.group_pages as u32,
            },
        }
    }

    /// Takes the dirty groups as they are now; later changes copy them first (R6).
    pub(crate) fn seal(&mut self) -> Sealed {
        let mut groups = Vec::new();
        for (&number, group) in &mut self.groups {
            if std::mem::take(&mut group.dirty) {
                group.sealed = true;
                groups.push((number, group.words.clone()));
            }
        }
        groups.sort_unstable_by_key(|(number, _)| *number);
        Sealed { groups }
    }

    /// A written page's crc becomes known after the seal: it goes to the sealed group and, where the
    /// group was copied since, to the newer one as well.
    pub(crate) fn set_sealed_crcs(&mut self, sealed: &mut Sealed, crcs: &[(PageId, u32)]) {
        let geometry = self.geometry;
        for run in crcs.chunk_by(|a, b| geometry.group_of(a.0) == geometry.group_of(b.0)) {
            let number = geometry.group_of(run[0].0);
            let Ok(at) = sealed.groups.binary_search_by_key(&number, |(n, _)| *n) else {
                debug_assert!(false, "a new page lies in a group that was not sealed");
                continue;
            };
            let live = self.groups.get_mut(&number);
            let shared = live.as_ref().is_some_and(|g| Arc::ptr_eq(&g.words, &sealed.groups[at].1));
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
                    sealed.groups[at].1 = Arc::default();
                    put(&mut group.words);
                    sealed.groups[at].1 = group.words.clone();
                }
                Some(group) => {
                    if !mutant!(ChecksumOnlyInSealedGroup) {
                        put(&mut group.words);
                    }
                    put(&mut sealed.groups[at].1);
                }
                None => put(&mut sealed.groups[at].1),
            }
        }
    }

    /// The directory as it will be when `sealed` is durable.
    pub(crate) fn plan(&self, sealed: &Sealed, pages: u64) -> Plan {
        let geometry = self.geometry;
        let count = geometry.groups(pages) as usize;
        let mut entries = self.durable.clone();
        entries.truncate(count);
        entries.resize(count, DirectoryEntry::default());
        let mut changed: Vec<u64> = Vec::new();
        let mut writes = Vec::new();
        for (number, words) in &sealed.groups {
            if *number >= count as u64 {
                continue;
            }
            let words = match self.groups.get(number) {
                Some(live) if mutant!(SealedGroupChanged) => &live.words,
                _ => words,
            };
            let old = entries[*number as usize];
            let mut bytes = vec![0; geometry.page_size];
            for (i, word) in words.iter().enumerate() {
                put(&mut bytes, 8 * i, &word.to_le_bytes());
            }
            let mut slot = if old.present { 1 - old.slot } else { 0 };
            if mutant!(GroupWrittenInPlace) {
                slot = old.slot;
            }
            entries[*number as usize] = DirectoryEntry {
                crc: crc32fast::hash(&bytes),
                free: count_free(words),
                slot,
                present: true,
            };
            writes.push((geometry.group_slot(*number, slot), bytes));
            changed.push(*number);
        }
        if entries.len() != self.durable.len() {
            // Growth or shrinking changes the directory page at the end even without dirty groups.
            changed.push(count as u64 - 1);
        }
        let mut upper = Vec::new();
        let mut level_entries = &entries;
        let depth = geometry.depth(pages);
        for level in 1..=depth {
            let count = (level_entries.len() as u64).div_ceil(geometry.fanout) as usize;
            let mut own = self.upper.get(level as usize - 1).cloned().unwrap_or_default();
            own.truncate(count);
            let known = own.len();
            own.resize(count, DirectoryEntry::default());
            let mut dirty: Vec<u64> = changed.iter().map(|n| n / geometry.fanout).collect();
            dirty.extend(known as u64..count as u64);
            dirty.sort_unstable();
            dirty.dedup();
            for &index in &dirty {
                let first = (index * geometry.fanout) as usize;
                let last = (first + geometry.fanout as usize).min(level_entries.len());
                let mut bytes = vec![0; geometry.page_size];
                let mut free = 0u64;
                for (i, entry) in level_entries[first..last].iter().enumerate() {
                    entry.encode(&mut bytes, i);
                    free += u64::from(entry.free);
                }
                let old = own[index as usize];
                let mut slot = if old.present { 1 - old.slot } else { 0 };
                if mutant!(DirectoryWrittenInPlace) {
                    slot = old.slot;
                }
                own[index as usize] = DirectoryEntry {
                    crc: crc32fast::hash(&bytes),
                    free: u32::try_from(free).unwrap_or(u32::MAX),
                    slot,
                    present: true,
                };
                // The top page is written twice, as the superblock that names it.
                if level == depth && !mutant!(DirectoryTopWrittenOnce) {
                    writes.push((geometry.directory_slot(level, index, slot, 1), bytes.clone()));
                }
                writes.push((geometry.directory_slot(level, index, slot, 0), bytes));
            }
            changed = dirty;
            upper.push(own);
            level_entries = &upper[level as usize - 1];
        }
        let top = upper[depth as usize - 1][0];
        writes.sort_unstable_by_key(|(page, _)| *page);
        let free = entries.iter().map(|entry| u64::from(entry.free)).sum();
        Plan { free, entries, upper, writes, root: MapRoot { depth, slot: top.slot, crc: top.crc } }
    }

    /// The superblock that names `plan`'s root is durable: its slots are the current ones (R5).
    pub(crate) fn adopt(&mut self, plan: Plan) {
        self.durable = plan.entries;
        self.upper = plan.upper;
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

/// The dirty groups of a checkpoint.
pub(crate) struct Sealed {
    groups: Vec<(u64, Words)>,
}

impl Sealed {
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// What a checkpoint writes of the map.
pub(crate) struct Plan {
    /// Pages with refcount 0.
    pub(crate) free: u64,
    entries: Vec<DirectoryEntry>,
    upper: Vec<Vec<DirectoryEntry>>,
    /// Pages and their bytes, sorted by position.
    pub(crate) writes: Vec<(PageId, Vec<u8>)>,
    pub(crate) root: MapRoot,
}

fn count_free(words: &[u64]) -> u32 {
    words.iter().filter(|&&word| word as u32 == 0).count() as u32
}

/// Reads the entries of a group, verified by the directory's crc.
pub fn read_group(
    geometry: Geometry,
    storage: &dyn Storage,
    group: u64,
    entry: &DirectoryEntry,
) -> Result<Vec<u64>> {
    if !entry.present {
        return Ok(vec![0; geometry.group_pages as usize]);
    }
    let page = geometry.group_slot(group, entry.slot);
    let mut bytes = vec![0; geometry.page_size];
    let offset = geometry.offset(page);
    storage
        .read_at(&mut bytes, offset)
        .map_err(|e| Error::io("reading a page map group", offset, e))?;
    let crc = crc32fast::hash(&bytes);
    if crc != entry.crc && !mutant!(GroupChecksumUnchecked) {
        return Err(Error::corrupted(
            page.0,
            "page map group checksum",
            entry.crc.into(),
            crc.into(),
        ));
    }
    Ok(bytes.chunks_exact(8).map(|word| crate::page::u64_at(word, 0)).collect())
}

/// Reads all directory pages from the top down. `visit` gets, for each level from the top to 0, the
/// entries of all pages of that level (level 0 = groups).
pub fn read_directory(
    geometry: Geometry,
    storage: &dyn Storage,
    root: &MapRoot,
    pages: u64,
    visit: &mut dyn FnMut(u32, Vec<DirectoryEntry>),
) -> Result<()> {
    let mut entries =
        vec![DirectoryEntry { crc: root.crc, free: 0, slot: root.slot, present: true }];
    let groups = geometry.groups(pages);
    for level in (1..=root.depth).rev() {
        let mut below = Vec::new();
        let wanted = groups.div_ceil(geometry.fanout.saturating_pow(level - 1));
        for (index, entry) in entries.iter().enumerate() {
            let left = (wanted as usize - below.len()).min(geometry.fanout as usize);
            if !entry.present {
                below.resize(below.len() + left, DirectoryEntry::default());
                continue;
            }
            let copies = if level == root.depth { 2 } else { 1 };
            let page = read_directory_page(geometry, storage, level, index as u64, entry, copies)?;
            for i in 0..left {
                below.push(DirectoryEntry::decode(&page, i)?);
            }
        }
        visit(level, entries);
        entries = below;
    }
    visit(0, entries);
    Ok(())
}

fn read_directory_page(
    geometry: Geometry,
    storage: &dyn Storage,
    level: u32,
    index: u64,
    entry: &DirectoryEntry,
    copies: u8,
) -> Result<Vec<u8>> {
    let mut bytes = vec![0; geometry.page_size];
    let mut failure = None;
    for copy in 0..copies {
        let page = geometry.directory_slot(level, index, entry.slot, copy);
        let offset = geometry.offset(page);
        match storage.read_at(&mut bytes, offset) {
            Err(e) => failure = Some(Error::io("reading the page map directory", offset, e)),
            Ok(()) => {
                let crc = crc32fast::hash(&bytes);
                if crc == entry.crc || mutant!(DirectoryChecksumUnchecked) {
                    return Ok(bytes);
                }
                failure = Some(Error::corrupted(
                    page.0,
                    "page map directory checksum",
                    entry.crc.into(),
                    crc.into(),
                ));
            }
        }
    }
    Err(failure.unwrap_or(Error::NotADatabase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    /// A process that only reads never begins a transaction that would let groups go.
    #[test]
    fn groups_that_only_readers_need_stay_within_the_budget() {
        let geometry = Geometry::new(4096).unwrap();
        let storage = MemoryStorage::new();
        let mut map = Map::new(geometry, 0);
        for group in 0..1000 {
            map.read(&storage, PageId(geometry.group_start(group))).unwrap();
        }
        assert!(map.groups.len() <= 2 * map.budget + 1, "{} groups", map.groups.len());
    }
}
