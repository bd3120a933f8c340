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
        let read = read_child(inner, &entry, place(&entry), what, buffer);
        let Err(error) = read else {
            let words = buffer.chunks_exact(8).map(|word| u64_at(word, 0)).collect();
            return (Some((entry, words)), None);
        };
        let space = inner.space.lock();
        if space.map.directory_entry(group) != entry {
            continue;
        }
        if let Err(error) = again(error, || read_child(inner, &entry, place(&entry), what, buffer))
        {
            return (None, Some(ScrubFinding::new(place(&entry).0, 1, error)));
        }
    }
    (None, None)
}

/// Verifies the directory pages that stand with a group: those that begin with it.
pub(super) fn verify_directory(inner: &Inner, group: u64, buffer: &mut Aligned, slice: &mut Slice) {
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
            let Err(error) = read_child(inner, &entry, page, what, buffer) else {
                slice.verified += 1;
                continue;
            };
            let space = inner.space.lock();
            if space.map.depth() != depth || space.map.upper_entry(level, index) != entry {
                continue;
            }
            match again(error, || read_child(inner, &entry, page, what, buffer)) {
                Ok(()) => slice.verified += 1,
                Err(error) => slice.findings.push(ScrubFinding::new(page.0, 1, error)),
            }
        }
    }
}

/// Looks again with the mutex held; but what a device takes its time to fail is not tried twice.
fn again(first: Error, read: impl FnOnce() -> Result<()>) -> Result<()> {
    if matches!(first, Error::Corrupted(_)) { read() } else { Err(first) }
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

/// Verifies all four copies of the superblocks, and counts them as verified if they are to be `counted`.
/// False: a checkpoint is being written, which is not waited for.
pub(super) fn verify_superblocks(inner: &Inner, counted: bool, slice: &mut Slice) -> bool {
    let Some(state) = inner.checkpoint.try_lock() else { return false };
    let (newest, session) = (state.durable.clone(), state.session);
    drop(state);
    // The first checkpoint has nothing beside it.
    if newest.checkpoint < 2 || inner.poison.check().is_err() {
        return true;
    }
    let mut judged = judge_copies(inner, &newest, session);
    if judged.iter().any(|copy| {
        matches!(copy, Err(Error::Corrupted(_) | Error::NotADatabase | Error::NewerFormat { .. }))
    }) {
        let Some(state) = inner.checkpoint.try_lock() else { return false };
        // Nobody writes them while the checkpoint mutex is held: what is wrong now is wrong.
        if inner.poison.check().is_err() {
            return true;
        }
        judged = judge_copies(inner, &state.durable, state.session);
    }
    let size = inner.geometry.page_size as u64;
    for (index, judged) in (0u64..).zip(judged) {
        let page = Superblock::offset(index % 2, index / 2) / size;
        slice.bytes += superblock::SUPERBLOCK_SIZE as u64;
        match judged {
            Err(error) => slice.findings.push(ScrubFinding::new(page, 1, error)),
            Ok(()) => slice.verified += u64::from(counted),
        }
    }
    true
}

/// Which of the copies are damaged that the first superblock of an opening writes over.
pub(crate) fn overwritten(
    inner: &Inner,
    copies: &[Result<Superblock>; 4],
    newest: &Superblock,
) -> Vec<ScrubFinding> {
    let mut findings = Vec::new();
    for (index, copy) in copies.iter().enumerate() {
        if let Err(Error::Corrupted(fault)) = copy
            && newest.checkpoint >= 2
            && !may_be_cut(index, copies, newest)
        {
            let offset = Superblock::offset(index as u64 % 2, index as u64 / 2);
            let page = offset / inner.geometry.page_size as u64;
            findings.push(ScrubFinding::new(page, 1, Error::Corrupted(*fault)));
        }
    }
    findings
}

/// May a power cut have left this copy torn, or older?
fn may_be_cut(index: usize, copies: &[Result<Superblock>; 4], newest: &Superblock) -> bool {
    let slot = (newest.checkpoint % 2) as usize;
    index == slot + 2 || index == 1 - slot && copies[3 - slot].is_ok()
}

/// What is wrong with each of the four copies. Until this opening has written one, those count as right
/// that a power cut may have left so: the second copy of the newest superblock, torn or older; and the
/// first copy of the one after it, torn, if the second is whole.
fn judge_copies(inner: &Inner, newest: &Superblock, session: bool) -> [Result<()>; 4] {
    let copies = match superblock::read_all_direct(&*inner.storage) {
        Ok(copies) => copies,
        Err(error) => {
            let error = ScrubFinding::new(0, 1, error);
            return [(); 4].map(|()| Err(error.error()));
        }
    };
    let cut = [0, 1, 2, 3].map(|index| !session && may_be_cut(index, &copies, newest));
    let mut cut = cut.into_iter();
    copies.map(|copy| {
        let cut = cut.next().unwrap_or_default();
        match copy {
            Err(Error::Io { .. }) => copy.map(drop),
            _ if !cut => match copy? {
                copy if copy.checkpoint % 2 == newest.checkpoint % 2 && copy != *newest => {
                    let what = "checkpoint of the superblock";
                    Err(Error::corrupted(0, what, newest.checkpoint, copy.checkpoint))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    })
}
