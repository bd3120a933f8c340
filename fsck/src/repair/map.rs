//! The page map, made anew from the trees: every owner of every page of the new state is counted, and each
//! group whose entries differ is written to the slot that the durable directory does not name.

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::{BranchRecord, SnapshotRecord, TableRecord},
};
use cowslip_pager::{
    Extent, PageId, Pointer, Raw,
    map::{DeltaList, DirectoryEntry, Entry},
    page::{Header, node_crc, u32_at},
    superblock::{MapRoot, Superblock},
};

use super::{
    content::children,
    node::{self, Entry as Cell},
    trees::Rebuild,
    work::Halt,
};
use crate::walk::{NodeReader, Role, Roles};

/// The owners that the new state's pages have.
struct Owners {
    roles: Roles,
    crcs: Vec<Option<u32>>,
    /// Some part could not be seen: pages without an owner prove nothing.
    complete: bool,
    stack: Vec<Pointer>,
    raws: Vec<Raw>,
}

impl Rebuild<'_, '_, '_> {
    /// Counts all owners of the state that the superblock names, and writes the map; the superblock has
    /// then what the map says.
    pub(super) fn write_map(&mut self, superblock: &mut Superblock) -> Result<(), Halt> {
        let geometry = self.work.geometry;
        let pages = self.work.pages();
        let roles = Roles::new(pages).ok_or(Halt::NoRoom)?;
        let mut owners = Owners {
            roles,
            crcs: self.proven.clone(),
            complete: true,
            stack: vec![superblock.root],
            raws: Vec::new(),
        };
        for region in 0..pages.div_ceil(geometry.region_pages) {
            let start = region * geometry.region_pages;
            for page in start..(start + geometry.reserved(region)).min(pages) {
                owners.roles.claim(page, Role::Fixed);
            }
        }
        let ring = superblock.log.page.0;
        let ring_pages = (superblock.log.blocks * 4096).div_ceil(geometry.page_size as u64);
        for page in ring..(ring + ring_pages).min(pages) {
            owners.roles.claim(page, Role::Fixed);
        }
        owners.crcs.resize(pages as usize, None);
        while let Some(pointer) = owners.stack.pop() {
            if !pointer.is_none() {
                self.count_node(pointer, &mut owners)?;
            }
            while let Some(raw) = owners.raws.pop() {
                self.count_raw(raw, &mut owners)?;
            }
        }
        self.write_groups(superblock, &owners)
    }

    fn count_node(&mut self, pointer: Pointer, owners: &mut Owners) -> Result<(), Halt> {
        let page = pointer.page.0;
        match owners.roles.claim(page, Role::Node) {
            Role::None => {}
            Role::Node => return Ok(()),
            _ if self.lossy => return Err(Halt::Unsound),
            _ => {
                owners.complete = false;
                return Ok(());
            }
        }
        let known = self.work.read(page).filter(|bytes| {
            let header = Header::read(bytes);
            header.crc == node_crc(bytes) && header.pointer == pointer
        });
        let Some((bytes, entries)) = known.and_then(|bytes| {
            let entries = owning(&bytes)?;
            Some((bytes, entries))
        }) else {
            if self.lossy {
                return Err(Halt::Unsound);
            }
            owners.complete = false;
            return Ok(());
        };
        owners.crcs[page as usize] = Some(Header::read(&bytes).crc);
        for entry in &entries {
            if pointer.level > 0 {
                let child = Pointer::decode(&entry.value);
                if child.level >= pointer.level {
                    owners.complete = false;
                } else {
                    owners.stack.push(child);
                }
            } else {
                self.count_entry(pointer, entry, owners)?;
            }
        }
        Ok(())
    }

    fn count_entry(
        &mut self,
        leaf: Pointer,
        entry: &Cell,
        owners: &mut Owners,
    ) -> Result<(), Halt> {
        let page = leaf.page;
        let value = &entry.value[..];
        let first = entry.key.first();
        match leaf.kind {
            TABLE if entry.extent => return self.count_extent(value, page, owners),
            CATALOG => match TableRecord::decode(value, page) {
                Ok(record) if record.is_machine() => {
                    owners.raws.push(Raw { page: record.root.page, height: record.root.level });
                }
                Ok(record) => owners.stack.push(record.root),
                Err(_) => owners.complete = false,
            },
            META if first == Some(&b'b') => match BranchRecord::decode(value, page) {
                Ok(record) => owners.stack.push(record.catalog),
                Err(_) => owners.complete = false,
            },
            META if first == Some(&b's') => match SnapshotRecord::decode(value, page) {
                Ok(record) => owners.stack.push(record.catalog),
                Err(_) => owners.complete = false,
            },
            META if first == Some(&b'r') => match value.split_first() {
                Some((0, rest)) if rest.len() == Pointer::SIZE => {
                    owners.stack.push(Pointer::decode(rest));
                }
                Some((1, extent)) => return self.count_extent(extent, page, owners),
                Some((2, rest)) if rest.len() == Pointer::SIZE => {
                    let pointer = Pointer::decode(rest);
                    owners.raws.push(Raw { page: pointer.page, height: pointer.level });
                }
                _ => owners.complete = false,
            },
            _ => {}
        }
        Ok(())
    }

    fn count_extent(
        &mut self,
        encoded: &[u8],
        page: PageId,
        owners: &mut Owners,
    ) -> Result<(), Halt> {
        let Ok(extent) = Extent::decode(encoded, page, self.work.geometry.page_size) else {
            owners.complete = false;
            return Ok(());
        };
        let head = extent.head();
        for page in extent.pages() {
            let role = if page == head { Role::Extent } else { Role::ExtentBody };
            match owners.roles.claim(page.0, role) {
                Role::None => {}
                Role::Extent if page == head => return Ok(()),
                _ if self.lossy => return Err(Halt::Unsound),
                _ => owners.complete = false,
            }
        }
        Ok(())
    }

    fn count_raw(&mut self, raw: Raw, owners: &mut Owners) -> Result<(), Halt> {
        match owners.roles.claim(raw.page.0, Role::Raw) {
            Role::None => {}
            Role::Raw => return Ok(()),
            _ if self.lossy => return Err(Halt::Unsound),
            _ => owners.complete = false,
        }
        if raw.height == 0 {
            return Ok(());
        }
        match self.work.read(raw.page.0).and_then(|bytes| children(raw, &bytes).ok()) {
            // A damaged table names anything; its children's owners are kept as they are.
            Some(children) if self.is_proven(raw.page) => {
                owners.raws.extend(children);
            }
            _ => owners.complete = false,
        }
        Ok(())
    }

    fn is_proven(&self, page: PageId) -> bool {
        self.proven.get(page.0 as usize).copied().flatten().is_some()
    }

    fn write_groups(&mut self, superblock: &mut Superblock, owners: &Owners) -> Result<(), Halt> {
        let geometry = self.work.geometry;
        let pages = self.work.pages();
        let groups = geometry.groups(pages);
        let mut words = Vec::new();
        for group in 0..groups {
            let start = geometry.group_start(group);
            let old = self.map.group(self.check, group).map(<[u8]>::to_vec);
            let durable = self.map.word(0, group);
            let stored = (0..2u8).map(|slot| self.work.read(geometry.group_slot(group, slot).0));
            let stored: Vec<_> = stored.collect();
            let mut bytes = vec![0; geometry.page_size];
            let mut free = 0;
            for index in 0..geometry.group_pages {
                let page = start + index;
                let before = match &old {
                    Some(bytes) => Entry::decode(bytes, index as usize),
                    // Of a damaged group nothing is believed but what the delta list says of it; where a
                    // checksum has no other proof, what stands there is better than a new one.
                    None => {
                        let slot = durable.map_or(0, |word| word.slot);
                        let bytes = stored[usize::from(slot)].as_deref();
                        let crc = bytes.map_or(0, |bytes| u32_at(bytes, 8 * index as usize + 4));
                        let list = &self.check.superblock.delta;
                        list.newest(PageId(page), Entry { count: 1, crc })
                    }
                };
                let (role, met) = owners.roles.get(page);
                let keep = !owners.complete && role != Role::Fixed && page < self.work.old.pages;
                let count = match () {
                    () if page >= pages => 0,
                    () if keep => met.max(before.count),
                    () => met,
                };
                let crc = owners.crcs.get(page as usize).copied().flatten().unwrap_or(before.crc);
                free += u32::from(count == 0);
                let at = 8 * index as usize;
                bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
                bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
            }
            let crc = crc32fast::hash(&bytes);
            let current = durable.filter(|word| {
                word.present
                    && word.crc == crc
                    && stored[usize::from(word.slot)].as_ref() == Some(&bytes)
            });
            let slot = match (current, durable) {
                (Some(word), _) => word.slot,
                (None, Some(word)) if word.present => 1 - word.slot,
                (None, _) => 0,
            };
            if current.is_none() {
                self.work.write_page(geometry.group_slot(group, slot), &bytes);
            }
            words.push(DirectoryEntry { crc, free, slot, present: true });
        }
        superblock.pages = pages;
        superblock.free = words.iter().map(|word| u64::from(word.free)).sum();
        superblock.delta = DeltaList::default();
        superblock.map = self.write_directory(words);
        Ok(())
    }

    fn write_directory(&mut self, mut words: Vec<DirectoryEntry>) -> MapRoot {
        let geometry = self.work.geometry;
        let depth = geometry.depth(self.work.pages());
        for level in 1..=depth {
            let mut above = Vec::new();
            for (index, part) in words.chunks(geometry.fanout as usize).enumerate() {
                let mut bytes = vec![0; geometry.page_size];
                for (i, word) in part.iter().enumerate() {
                    let at = DirectoryEntry::SIZE * i;
                    bytes[at..at + 4].copy_from_slice(&word.crc.to_le_bytes());
                    bytes[at + 4..at + 8].copy_from_slice(&word.free.to_le_bytes());
                    bytes[at + 8] = word.slot;
                    bytes[at + 9] = u8::from(word.present);
                }
                let old = self.map.word(level, index as u64);
                let slot = old.filter(|word| word.present).map_or(0, |word| 1 - word.slot);
                for copy in 0..if level == depth { 2 } else { 1 } {
                    let page = geometry.directory_slot(level, index as u64, slot, copy);
                    self.work.write_page(page, &bytes);
                }
                let free: u64 = part.iter().map(|word| u64::from(word.free)).sum();
                above.push(DirectoryEntry {
                    crc: crc32fast::hash(&bytes),
                    free: free.min(u32::MAX.into()) as u32,
                    slot,
                    present: true,
                });
            }
            words = above;
        }
        MapRoot { depth, slot: words[0].slot, crc: words[0].crc }
    }
}

/// The entries of a node that may lead to a page.
fn owning(bytes: &[u8]) -> Option<Vec<Cell>> {
    let node = NodeReader::new(bytes).ok()?;
    let values = node.is_leaf() && bytes[4] == TABLE;
    if values && !(0..node.count()).any(|i| node.entry(i).is_ok_and(|entry| entry.extent)) {
        return Some(Vec::new());
    }
    node::entries(bytes)
}
