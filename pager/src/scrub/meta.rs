//! The places by which all others are found: superblocks, the map's directory, the map's groups.
//!
//! The slot that the durable directory names is not written, and another one becomes the durable one
//! only under the space mutex (R5); so what differs is looked at again with the mutex held, as pages are.

use super::{ScrubFinding, Slice, read_stored};
use crate::{
    aligned::Aligned,
    error::{Error, Result},
    map::DirectoryEntry,
    page::{PageId, u64_at},
    pager::Inner,
    superblock::{self, Superblock},
};

/// The words of a group's page in its current slot, and which slot that was; or what is wrong with it.
pub(super) fn read_group(
    inner: &Inner,
    group: u64,
    buffer: &mut Aligned,
) -> (Option<(DirectoryEntry, Vec<u64>)>, Option<ScrubFinding>) {
    let geometry = inner.geometry;
    let current = || inner.space.lock().map.directory_entry(group);
    let place = |entry: &DirectoryEntry| geometry.group_slot(group, entry.slot);
    let what = "page map group checksum";
    for _ in 0..4 {
        let entry = current();
        if !entry.present {
            return (Some((entry, vec![0; geometry.group_pages as usize])), None);
        }
        buffer.resize(geometry.page_size);
        if read_child(inner, &entry, place(&entry), what, buffer).is_ok() {
            let words = buffer.chunks_exact(8).map(|word| u64_at(word, 0)).collect();
            return (Some((entry, words)), None);
        }
        let space = inner.space.lock();
        if space.map.directory_entry(group) != entry {
            continue;
        }
        match read_child(inner, &entry, place(&entry), what, buffer) {
            Ok(()) => {}
            Err(error) => return (None, Some(ScrubFinding::new(place(&entry).0, 1, error))),
        }
    }
    (None, None)
}

/// Verifies the directory pages that stand with a group: those that begin with it.
pub(super) fn verify_directory(
    inner: &Inner,
    group: u64,
    buffer: &mut Aligned,
    slice: &mut Slice,
) {
    let geometry = inner.geometry;
    let what = "page map directory checksum";
    let depth = inner.space.lock().map.depth();
    buffer.resize(geometry.page_size);
    for level in 1..=depth {
        let below = geometry.fanout.saturating_pow(level);
        if !group.is_multiple_of(below) {
            break;
        }
        let index = group / below;
        // The top page stands there twice.
        for copy in 0..if level == depth { 2 } else { 1 } {
            let entry = inner.space.lock().map.upper_entry(level, index);
            if !entry.present {
                continue;
            }
            slice.bytes += geometry.page_size as u64;
            let page = geometry.directory_slot(level, index, entry.slot, copy);
            if read_child(inner, &entry, page, what, buffer).is_ok() {
                slice.verified += 1;
                continue;
            }
            let space = inner.space.lock();
            if space.map.depth() != depth || space.map.upper_entry(level, index) != entry {
                continue;
            }
            match read_child(inner, &entry, page, what, buffer) {
                Ok(()) => slice.verified += 1,
                Err(error) => slice.findings.push(ScrubFinding::new(page.0, 1, error)),
            }
        }
    }
}

/// Reads a page of the map and compares it with what the page above says.
fn read_child(
    inner: &Inner,
    entry: &DirectoryEntry,
    page: PageId,
    what: &'static str,
    bytes: &mut [u8],
) -> Result<()> {
    read_stored(inner, page, bytes)?;
    let crc = crc32fast::hash(bytes);
    if crc != entry.crc {
        return Err(Error::corrupted(page.0, what, entry.crc.into(), crc.into()));
    }
    Ok(())
}

/// Verifies all four copies of the superblocks, with the first group, once this opening has written one:
/// until then a copy may be torn by a power cut. Does not wait for a checkpoint that is being written.
pub(super) fn verify_superblocks(inner: &Inner, group: u64, slice: &mut Slice) {
    if group > 0 {
        return;
    }
    let Some(state) = inner.checkpoint.try_lock() else { return };
    // The first checkpoint has nothing beside it.
    if !state.session || state.durable.checkpoint < 2 || inner.poison.check().is_err() {
        return;
    }
    let copies = match superblock::read_all(&*inner.storage) {
        Ok(copies) => copies,
        Err(error) => return slice.findings.push(ScrubFinding::new(0, 1, error)),
    };
    for (index, copy) in (0u64..).zip(copies) {
        let newest = &state.durable;
        let offset = Superblock::offset(index % 2, index / 2);
        let page = offset / inner.geometry.page_size as u64;
        slice.bytes += superblock::SUPERBLOCK_SIZE as u64;
        let judged = match copy {
            Ok(copy) if index % 2 == newest.checkpoint % 2 && copy != *newest => {
                let what = "superblock, checkpoint";
                Err(Error::corrupted(page, what, newest.checkpoint, copy.checkpoint))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        match judged {
            Ok(()) => slice.verified += 1,
            Err(error) => slice.findings.push(ScrubFinding::new(page, 1, error)),
        }
    }
}
