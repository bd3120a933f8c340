//! What a superblock reaches, worked out from the bytes of the map that it names.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cowslip_pager::{
    geometry::Geometry,
    map::DirectoryEntry,
    page::{PageId, u32_at},
    storage::BLOCK,
    superblock::Superblock,
};

/// The contents of a page, if it is known.
pub(super) type Look<'l> = &'l dyn Fn(u64) -> Option<Vec<u8>>;

/// A superblock and everything below it.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    pub(super) superblock: Superblock,
    pub(super) geometry: Geometry,
    /// Reserved pages of the first region.
    reserved: u64,
    map: Arc<Map>,
}

#[derive(Debug, Default)]
struct Map {
    groups: HashMap<u64, Group>,
    /// The pages of the slots that hold the map.
    slots: HashSet<u64>,
}

/// A group that was written at least once.
#[derive(Clone, Debug)]
struct Group {
    entry: DirectoryEntry,
    /// A bit for each page that has an owner, before the delta list. `None`: damaged when it was first seen, so nothing is
    /// known of its pages until it is written anew.
    owned: Option<Arc<[u64]>>,
}

/// What a page is to a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It may be written.
    Nothing,
    /// A slot of the map that is named.
    Slot,
    /// Of the log ring.
    Log,
    /// It has an owner.
    Owned,
}

impl Reach {
    /// What `superblock` reaches, and the first page of the map that is not what it should be.
    /// What `before` knew of groups that are the same is taken from there.
    pub(super) fn of(
        superblock: Superblock,
        look: Look<'_>,
        before: Option<&Reach>,
    ) -> (Reach, Option<String>) {
        let geometry =
            Geometry::new(superblock.page_size as usize).expect("a superblock that was decoded");
        if let Some(before) = before
            && before.superblock.map == superblock.map
            && before.superblock.delta == superblock.delta
            && before.superblock.pages == superblock.pages
        {
            return (Reach { superblock, ..before.clone() }, None);
        }
        let mut map = Map::default();
        let mut fault = None;
        let mut read = |what: &str, page: u64, crc: u32| {
            let bytes = look(page).filter(|bytes| crc32fast::hash(bytes) == crc);
            if bytes.is_none() {
                fault.get_or_insert(format!("page {page} does not hold {what} that it names"));
            }
            bytes
        };
        let depth = superblock.map.depth;
        let groups = geometry.groups(superblock.pages);
        let top = DirectoryEntry {
            crc: superblock.map.crc,
            free: 0,
            slot: superblock.map.slot,
            present: true,
        };
        // By index; what is missing was never written, or cannot be read.
        let mut level_entries = vec![(0, top)];
        for level in (1..=depth).rev() {
            let wanted = groups.div_ceil(geometry.fanout.saturating_pow(level - 1));
            let mut below = Vec::new();
            for (index, entry) in level_entries {
                let mut page = None;
                for place in 0..if level == depth { 2 } else { 1 } {
                    let slot = geometry.directory_slot(level, index, entry.slot, place).0;
                    map.slots.insert(slot);
                    page = read("the directory page", slot, entry.crc).or(page);
                }
                let Some(page) = page else { continue };
                let first = index * geometry.fanout;
                for child in first..wanted.min(first + geometry.fanout) {
                    match DirectoryEntry::decode(&page, (child - first) as usize) {
                        Ok(entry) if entry.present => below.push((child, entry)),
                        _ => {}
                    }
                }
            }
            level_entries = below;
        }
        for (number, entry) in level_entries {
            let slot = geometry.group_slot(number, entry.slot).0;
            map.slots.insert(slot);
            let known = before.and_then(|before| before.map.groups.get(&number));
            let group = match known {
                Some(Group { entry: old, owned })
                    if (old.slot, old.crc) == (entry.slot, entry.crc) =>
                {
                    Group { entry, owned: owned.clone() }
                }
                _ => {
                    let bytes = read("the map group", slot, entry.crc);
                    Group { entry, owned: bytes.map(|bytes| owned(&bytes)) }
                }
            };
            map.groups.insert(number, group);
        }
        let stray = (superblock.delta.pages().map(|page| geometry.group_of(page)))
            .find(|group| !map.groups.contains_key(group));
        if let Some(stray) = stray {
            fault.get_or_insert(format!("the delta list is about group {stray}, never written"));
        }
        let reserved = geometry.reserved(0);
        (Reach { superblock, geometry, reserved, map: Arc::new(map) }, fault)
    }

    /// The slots in use that hold pages of the directory.
    pub(super) fn directory_slots(&self) -> impl Iterator<Item = u64> + '_ {
        let groups = self.map.groups.iter();
        let groups: HashSet<u64> =
            groups.map(|(number, g)| self.geometry.group_slot(*number, g.entry.slot).0).collect();
        self.map.slots.iter().copied().filter(move |slot| !groups.contains(slot))
    }

    /// Bytes that the file must have.
    pub(super) fn length(&self) -> u64 {
        self.superblock.pages * self.geometry.page_size as u64
    }

    /// Does a page belong to superblocks or map?
    pub(super) fn is_reserved(&self, page: u64) -> bool {
        match page < self.geometry.region_pages {
            true => page < self.reserved,
            false => self.geometry.is_reserved(PageId(page)),
        }
    }

    /// What is a page to this superblock?
    pub(super) fn part(&self, page: u64) -> Part {
        if self.is_reserved(page) {
            return if self.map.slots.contains(&page) { Part::Slot } else { Part::Nothing };
        }
        let log = &self.superblock.log;
        let pages = (log.blocks * BLOCK as u64).div_ceil(self.geometry.page_size as u64);
        if (log.page.0..log.page.0 + pages).contains(&page) {
            return Part::Log;
        }
        // What the list says is newer than the group.
        match self.superblock.delta.count(PageId(page)) {
            Some(0) => return Part::Nothing,
            Some(_) => return Part::Owned,
            None => {}
        }
        let group = self.map.groups.get(&self.geometry.group_of(PageId(page)));
        let index = (page % self.geometry.group_pages) as usize;
        match group.and_then(|group| group.owned.as_ref()) {
            Some(owned) if owned[index / 64] & 1 << (index % 64) != 0 => Part::Owned,
            _ => Part::Nothing,
        }
    }
}

/// A bit for each entry whose count is not zero.
fn owned(group: &[u8]) -> Arc<[u64]> {
    let bits = |entries: &[u8]| {
        let entries = entries.chunks_exact(8).enumerate();
        entries.fold(0, |bits, (i, entry)| bits | u64::from(u32_at(entry, 0) != 0) << i)
    };
    group.chunks(64 * 8).map(bits).collect()
}
