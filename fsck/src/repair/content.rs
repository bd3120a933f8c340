//! Large values and stored machines: raw pages, and what proves them.
//!
//! A large value carries a checksum over its pages' checksums, so its bytes prove themselves, whatever the
//! map says. A machine's page has its checksum in the map only; where a group is damaged, either of its two
//! slots may still have the entry. A page that neither proves is *unverifiable*.

use std::hash::{DefaultHasher, Hash, Hasher};

use cowslip::meta::TableRecord;
use cowslip_pager::{
    Extent, PageId, Raw,
    page::{u32_at, u64_at},
};

use super::trees::Rebuild;
use crate::{
    check::machine::{Tried, distinct, try_machine},
    problem::Kind,
    walk::Role,
};

impl Rebuild<'_, '_, '_> {
    /// Is a large value whole?
    pub(super) fn extent(&mut self, encoded: &[u8], page: PageId) -> Result<(), Kind> {
        let extent = Extent::decode(encoded, page, self.work.geometry.page_size)
            .map_err(|_| Kind::ExtentPointer)?;
        if extent.runs.is_empty() || extent.stamp > self.work.stamp {
            return Err(Kind::ExtentPointer);
        }
        let mut hasher = DefaultHasher::new();
        encoded.hash(&mut hasher);
        let (head, identity) = (extent.head().0, hasher.finish());
        if let Some((known, whole)) = self.extents.get(&head) {
            return if *known == identity { *whole } else { Err(Kind::DoubleUse) };
        }
        let whole = self.read_extent(&extent);
        self.extents.insert(head, (identity, whole));
        whole
    }

    fn read_extent(&mut self, extent: &Extent) -> Result<(), Kind> {
        let head = extent.head();
        let mut crcs = Vec::new();
        let mut whole = crc32fast::Hasher::new();
        for page in extent.pages() {
            if !self.work.usable(page.0) || page.0 >= self.roles.pages() {
                return Err(Kind::ExtentPointer);
            }
            let bytes = self.work.read(page.0).ok_or(Kind::PageUnreadable)?;
            let crc = crc32fast::hash(&bytes);
            whole.update(&crc.to_le_bytes());
            crcs.push((page.0, crc));
        }
        if whole.finalize() != extent.crc {
            return Err(Kind::ExtentPage);
        }
        for page in extent.pages() {
            let role = if page == head { Role::Extent } else { Role::ExtentBody };
            if self.roles.claim(page.0, role) != Role::None {
                return Err(Kind::DoubleUse);
            }
        }
        for (page, crc) in crcs {
            self.proven[page as usize] = Some(crc);
        }
        Ok(())
    }

    /// Is a machine whole? Its pages, as its record should count them.
    pub(super) fn machine(&mut self, record: &TableRecord) -> Result<u64, Kind> {
        let root = Raw { page: record.root.page, height: record.root.level };
        if root.height != Raw::HEIGHT_MAX {
            return Err(Kind::RawPointer);
        }
        if record.root.stamp > self.work.stamp {
            return Err(Kind::ChildStamp);
        }
        let before = self.raws.len() as u64;
        let most = self.raw(root)?;
        if let Some(known) = self.machines.get(&root.page.0) {
            return *known;
        }
        let work = &*self.work;
        let read = |page, out: &mut [u8]| {
            work.read(page).is_some_and(|bytes| {
                out.copy_from_slice(&bytes);
                true
            })
        };
        let pages = match self.raws.len() as u64 - before == most {
            true => Some(most),
            false => distinct(root, self.roles.pages(), &read),
        };
        let pages = pages.ok_or(Kind::PageUnreadable);
        let tried = pages.and_then(|pages| match try_machine(record, pages, &read) {
            Tried::Wrong(_) => Err(Kind::MachineState),
            Tried::Well | Tried::TooLarge => Ok(pages),
        });
        self.machines.insert(root.page.0, tried);
        tried
    }

    /// A raw page and what is below it: how many pages, each once for every way that leads to it.
    fn raw(&mut self, raw: Raw) -> Result<u64, Kind> {
        let page = raw.page.0;
        if !self.work.usable(page) || page >= self.roles.pages() {
            return Err(Kind::RawPointer);
        }
        if let Some((height, below)) = self.raws.get(&page) {
            return if *height == raw.height { *below } else { Err(Kind::RawPointer) };
        }
        if self.roles.claim(page, Role::Raw) != Role::None {
            return Err(Kind::DoubleUse);
        }
        let below = self.read_raw(raw);
        self.raws.insert(page, (raw.height, below));
        below
    }

    fn read_raw(&mut self, raw: Raw) -> Result<u64, Kind> {
        let page = raw.page.0;
        let bytes = self.work.read(page).ok_or(Kind::PageUnreadable)?;
        let crc = crc32fast::hash(&bytes);
        let proven = match self.map.entry(self.check, page) {
            Some(entry) => entry.crc == crc,
            None if self.elsewhere(page, crc) => true,
            None if self.lossy => {
                self.unverifiable.push(page);
                true
            }
            None => false,
        };
        if !proven {
            return Err(Kind::RawPage);
        }
        self.proven[page as usize] = Some(crc);
        let mut sum = 1u64;
        for child in children(raw, &bytes)? {
            sum = sum.saturating_add(self.raw(child)?);
        }
        Ok(sum)
    }

    /// Does the delta list, or a slot of the page's damaged group, have this checksum for it?
    fn elsewhere(&self, page: u64, crc: u32) -> bool {
        if let Some(listed) = self.check.superblock.delta.checksum(PageId(page)) {
            return listed == crc;
        }
        let geometry = self.work.geometry;
        let group = geometry.group_of(PageId(page));
        let at = 8 * (page % geometry.group_pages) as usize;
        (0..2).any(|slot| {
            let bytes = self.work.read(geometry.group_slot(group, slot).0);
            bytes.is_some_and(|bytes| u64_at(&bytes, at) != 0 && u32_at(&bytes, at + 4) == crc)
        })
    }
}

/// What a raw page names.
pub(super) fn children(raw: Raw, bytes: &[u8]) -> Result<Vec<Raw>, Kind> {
    let mut children = Vec::new();
    let named = raw.children(bytes, &mut |_, child| {
        children.push(child);
        Ok(())
    });
    named.map(|()| children).map_err(|_| Kind::RawPointer)
}
