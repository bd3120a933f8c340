//! What a checkpoint writes of the map: which groups whole, which as entries of the superblock's
//! delta list, and the directory above them. Nothing is read for that.

use super::{
    Directory, Entry, Words, count_free,
    delta::{DeltaChecksum, DeltaEntry, DeltaList},
    directory::DirectoryEntry,
};
use crate::{
    geometry::Geometry,
    mutant,
    page::{PageId, put},
    superblock::MapRoot,
};

impl Directory {
    /// The directory as it will be when `sealed` is durable: the map itself is not asked any more.
    pub(crate) fn plan(&self, geometry: Geometry, sealed: &Sealed, pages: u64) -> Plan {
        let count = geometry.groups(pages) as usize;
        let mut entries = self.groups.clone();
        entries.truncate(count);
        entries.resize(count, DirectoryEntry::default());
        let mut changed: Vec<u64> = Vec::new();
        let mut writes = Vec::new();
        let mut written = Vec::new();
        let (delta, whole) = self.choose(geometry, sealed, &entries, pages);
        for group in &sealed.groups {
            let Some(entry) = entries.get_mut(group.number as usize) else { continue };
            let words = &group.words;
            if whole.binary_search(&group.number).is_ok() {
                let old = *entry;
                let mut bytes = vec![0; geometry.page_size];
                for (i, word) in words.iter().enumerate() {
                    put(&mut bytes, 8 * i, &word.to_le_bytes());
                }
                entry.slot = if old.present { 1 - old.slot } else { 0 };
                if mutant!(GroupWrittenInPlace) {
                    entry.slot = old.slot;
                }
                entry.crc = crc32fast::hash(&bytes);
                entry.free = count_free(words);
                entry.present = true;
                writes.push((geometry.group_slot(group.number, entry.slot), bytes));
                written.push((group.number, words.clone()));
                changed.push(group.number);
            }
        }
        if entries.len() != self.groups.len() {
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
        let free: u64 = entries.iter().map(|entry| u64::from(entry.free)).sum();
        let free = free.saturating_add_signed(delta.frees_of_all());
        let root = MapRoot { depth, slot: top.slot, crc: top.crc };
        let directory = Directory { groups: entries, upper, delta };
        Plan { free, directory, writes, written, root }
    }

    /// The delta list to come, and the groups that are written whole, ascending. Those that differ
    /// least from their stored pages go to the list, as many as it has room for.
    fn choose(
        &self,
        geometry: Geometry,
        sealed: &Sealed,
        entries: &[DirectoryEntry],
        pages: u64,
    ) -> (DeltaList, Vec<u64>) {
        let numbers = &sealed.groups;
        let is_sealed = |number| numbers.binary_search_by_key(&number, |g| g.number).is_ok();
        // Of a group that is not in memory only the list knows what differs.
        let stays = |page: PageId| page.0 < pages && !is_sealed(geometry.group_of(page));
        let mut list = Differing {
            counts: (self.delta.entries().iter().copied()).filter(|e| stays(e.page)).collect(),
            checksums: (self.delta.checksums().iter().copied()).filter(|e| stays(e.page)).collect(),
        };
        let mut sparse = Vec::new();
        let mut whole = Vec::new();
        for group in &sealed.groups {
            let Some(entry) = entries.get(group.number as usize) else { continue };
            match differing(geometry, group.number, &group.words, &group.stored, pages) {
                Some(differing) if entry.present => sparse.push((group, differing)),
                _ => whole.push(group.number),
            }
        }
        // Among equals what changes now: it is likely to change again.
        sparse.sort_by_key(|(group, differing)| (differing.len(), !group.dirty));
        for (group, differing) in sparse {
            if list.len() + differing.len() <= DeltaList::CAPACITY {
                list.counts.extend(differing.counts);
                list.checksums.extend(differing.checksums);
            } else {
                whole.push(group.number);
            }
        }
        whole.sort_unstable();
        (DeltaList::new(list.counts, list.checksums), whole)
    }
}

/// A group as it was at the seal.
pub(super) struct SealedGroup {
    pub(super) number: u64,
    pub(super) words: Words,
    /// As the current slot has them.
    pub(super) stored: Words,
    /// Changed since the seal before.
    pub(super) dirty: bool,
}

/// The groups of a checkpoint that differ from their stored pages.
#[derive(Default)]
pub(crate) struct Sealed {
    /// Ascending by number.
    pub(super) groups: Vec<SealedGroup>,
}

impl Sealed {
    /// Has nothing changed since the seal before?
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| !group.dirty)
    }
}

/// What a checkpoint writes of the map.
pub(crate) struct Plan {
    /// Pages with refcount 0.
    pub(crate) free: u64,
    pub(crate) directory: Directory,
    /// Pages and their bytes, sorted by position.
    pub(crate) writes: Vec<(PageId, Vec<u8>)>,
    /// The groups among them, and what they contain.
    pub(super) written: Vec<(u64, Words)>,
    pub(crate) root: MapRoot,
}

/// Entries that are to go to the list.
#[derive(Default)]
struct Differing {
    counts: Vec<DeltaEntry>,
    checksums: Vec<DeltaChecksum>,
}

impl Differing {
    fn len(&self) -> usize {
        self.counts.len() + self.checksums.len()
    }
}

/// By what a group differs from its stored page. `None`: not by pages of the file alone, or by more
/// than the list could hold.
fn differing(
    geometry: Geometry,
    group: u64,
    words: &[u64],
    stored: &[u64],
    pages: u64,
) -> Option<Differing> {
    let start = geometry.group_start(group);
    let mut differing = Differing::default();
    for (page, (&word, &stored)) in (start..).zip(words.iter().zip(stored)) {
        if word == stored {
            continue;
        }
        let (now, before) = (Entry::unpack(word), Entry::unpack(stored));
        if page >= pages || now.count > DeltaEntry::COUNT_MAX {
            return None;
        }
        let page = PageId(page);
        if now.count != before.count {
            let turns = (now.count == 0) != (before.count == 0) && !mutant!(DeltaTurnForgotten);
            differing.counts.push(DeltaEntry { page, count: now.count, turns });
        }
        // The checksum of a free page means nothing.
        if now.crc != before.crc && now.count > 0 {
            differing.checksums.push(DeltaChecksum { page, crc: now.crc });
        }
        if differing.len() > DeltaList::CAPACITY {
            return None;
        }
    }
    Some(differing)
}
