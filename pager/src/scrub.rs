//! Scrub: every used page of the file is read and compared with what the map says of it, in the order
//! of the file, while the store is in use.
//!
//! ```text
//!  page       superblocks | directory | group g | its pages ...           | group g + 1 | ...
//!  is judged  by itself   | by the    | by the  | by the group's entries  |
//!                           superblock  directory  (in memory, or in the file and the delta list)
//! ```
//!
//! It promises that
//! - what it calls damage is damage, whatever is written meanwhile: a first difference only makes it
//!   look again with the space mutex held, when no page in use can become anything else (S2 in
//!   `docs/design.md`);
//! - it pins nothing and holds no lock while it reads, but for that second look;
//! - what cannot be read is part of the account of a slice, and not its end.
//!
//! [`record`] is what is known of passes, [`pace`] how fast it goes, [`control`] who makes it go.

mod control;
mod finding;
mod meta;
mod pace;
mod record;

use std::ops::Range;

use crate::{
    aligned::Aligned,
    error::{Corruption, Error, Result},
    map::{DirectoryEntry, Entry},
    mutant,
    page::{Header, PageId, node_crc},
    pager::{Child, Inner},
    space::Written,
};

pub(crate) use control::{Scrub, background};
pub use control::{ScrubState, ScrubStep};
pub use finding::{ScrubFault, ScrubFinding};
pub(crate) use meta::overwritten;
pub use record::{ScrubPass, ScrubRecord};

/// Bytes read at a time.
const SLICE: usize = 256 << 10;
/// Free pages between two used ones that are read along: cheaper than a second call.
const GAP: u64 = 8;

/// What a slice came to.
#[derive(Default)]
struct Slice {
    /// The next one begins here.
    next: u64,
    /// That is the end of the file.
    end: bool,
    bytes: u64,
    verified: u64,
    unwritten: u64,
    /// Pages that nothing can be said of, since their group's page cannot be read ...
    unjudged: u64,
    /// ... by a failure of the device.
    failed: bool,
    findings: Vec<ScrubFinding>,
    /// Pages in a row, up to here, that the device could not read.
    failed_in_a_row: u64,
}

/// Goes through the file; keeps what it needs from one slice to the next.
#[derive(Default)]
struct Sweeper {
    buffer: Aligned,
    /// The group that the last slice lay in, with the words of its page in the file.
    group: Option<u64>,
    stored: Option<(DirectoryEntry, Vec<u64>)>,
    /// The device could not read them.
    failed: bool,
    group_buffer: Aligned,
    /// A slice ends early after so many pages in a row that the device could not read.
    patience: u64,
    /// They are judged as soon as no checkpoint is being written.
    superblocks: Superblocks,
}

/// How far the superblocks are judged.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Superblocks {
    /// This opening has not looked at them, and may soon write over what is wrong.
    #[default]
    Unseen,
    /// They belong to the part of the pass that has begun.
    Due,
    Judged,
}

impl Sweeper {
    /// Verifies what comes next from page `from` on: at most [`SLICE`] bytes of pages.
    fn slice(&mut self, inner: &Inner, from: u64) -> Result<Slice> {
        let geometry = inner.geometry;
        let pages = inner.space.lock().pages();
        let mut slice = Slice { next: from, ..Slice::default() };
        let reserved = self.buffer.reserve(SLICE.max(geometry.page_size));
        let reserved = reserved.and_then(|()| self.group_buffer.reserve(geometry.page_size));
        reserved.map_err(|e| Error::io("reserving a buffer", None, e))?;
        if from == 0 {
            self.superblocks = Superblocks::Due;
        }
        if self.superblocks != Superblocks::Judged {
            let counted = self.superblocks == Superblocks::Due;
            if meta::verify_superblocks(inner, counted, &mut slice) {
                self.superblocks = Superblocks::Judged;
            }
        }
        if from >= pages {
            slice.end = true;
            return Ok(slice);
        }
        let group = geometry.group_of(PageId(from));
        if from == geometry.group_start(group) || self.group != Some(group) {
            self.begin_group(inner, group, from == geometry.group_start(group), &mut slice);
        }
        let end = (from + (SLICE / geometry.page_size) as u64)
            .min(geometry.group_start(group) + geometry.group_pages)
            .min(pages);
        slice.next = end;
        slice.end = end >= pages;
        let Some(written) = self.written(inner, from..end) else {
            slice.unjudged = end - from;
            slice.failed = self.failed;
            return Ok(slice);
        };
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (at, written) in written.iter().enumerate() {
            match written {
                Written::No => {}
                Written::NotYet => {}
                Written::Yes(_) => match runs.last_mut() {
                    Some(run) if (at - run.end) as u64 <= GAP => run.end = at + 1,
                    _ => runs.push(at..at + 1),
                },
            }
        }
        for run in runs {
            let start = from + run.start as u64;
            if !self.verify_run(inner, start, &written[run], &mut slice) {
                slice.end = false;
                break;
            }
        }
        let through = written.iter().take((slice.next - from) as usize);
        slice.unwritten = through.filter(|written| **written == Written::NotYet).count() as u64;
        Ok(slice)
    }

    /// What may be said of these pages' bytes; None if the map cannot be read.
    fn written(&mut self, inner: &Inner, pages: Range<u64>) -> Option<Vec<Written>> {
        let group = inner.geometry.group_of(PageId(pages.start));
        for _ in 0..4 {
            let known = inner.space.lock().pages_written(pages.clone(), self.stored.as_ref());
            if known.is_some() {
                return known;
            }
            // Written anew since, by a checkpoint, and dropped from memory.
            self.read_group(inner, group);
            self.stored.as_ref()?;
        }
        None
    }

    fn read_group(&mut self, inner: &Inner, group: u64) -> Option<ScrubFinding> {
        let (stored, finding) = meta::read_group(inner, group, &mut self.group_buffer);
        self.failed = finding.as_ref().is_some_and(|finding| !finding.is_damage());
        self.stored = stored;
        finding
    }

    /// Verifies the group's own page, and before it what stands with the group, if it is entered at its
    /// start.
    fn begin_group(&mut self, inner: &Inner, group: u64, at_start: bool, slice: &mut Slice) {
        self.group = Some(group);
        if at_start {
            meta::verify_directory(inner, group, &mut self.buffer, slice);
        }
        let finding = self.read_group(inner, group);
        if at_start {
            let present = self.stored.as_ref().is_some_and(|(entry, _)| entry.present);
            slice.bytes += inner.geometry.page_size as u64;
            slice.verified += u64::from(present);
            slice.findings.extend(finding);
        }
    }

    /// Reads pages that stand side by side and judges those that are written. False: it has stopped
    /// before the end, at the slice's `next`.
    fn verify_run(
        &mut self,
        inner: &Inner,
        start: u64,
        written: &[Written],
        slice: &mut Slice,
    ) -> bool {
        let size = inner.geometry.page_size;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(written.len() * size);
        slice.bytes += buffer.len() as u64;
        let whole = read_stored(inner, PageId(start), &mut buffer).is_ok();
        let mut complete = true;
        for (i, written) in written.iter().enumerate() {
            let Written::Yes(entry) = written else { continue };
            let page = PageId(start + i as u64);
            // Each of these reads may take the device its time.
            if !whole && (slice.failed_in_a_row >= self.patience || inner.scrub.is_stopping()) {
                slice.next = page.0;
                complete = false;
                break;
            }
            self.verify_page(inner, page, entry.crc, whole, &mut buffer[i * size..][..size], slice);
        }
        self.buffer = buffer;
        complete
    }

    /// Judges a page; `read`: its bytes are there.
    fn verify_page(
        &mut self,
        inner: &Inner,
        page: PageId,
        crc: u32,
        read: bool,
        bytes: &mut [u8],
        slice: &mut Slice,
    ) {
        let looked = match if read { Ok(()) } else { read_stored(inner, page, bytes) } {
            Ok(()) if judge(inner, bytes, page, crc).is_ok() => {
                slice.findings.extend(verify_extents(inner, bytes, page, crc));
                Second::Right
            }
            // What a device takes its time to fail is not tried again under the mutex.
            Err(error @ Error::Io { .. }) => {
                slice.failed_in_a_row += 1;
                self.confirm(inner, page, |entry| Err((entry, error)))
            }
            _ => self.confirm(inner, page, |entry| {
                let read = read_stored(inner, page, bytes);
                let judged = read.and_then(|()| judge(inner, bytes, page, entry.crc));
                judged.map_err(|error| (entry, error))
            }),
        };
        match looked {
            Second::Gone => {}
            Second::Untold => {
                slice.unjudged += 1;
                slice.failed |= self.failed;
            }
            Second::Right => {
                slice.verified += 1;
                slice.failed_in_a_row = 0;
            }
            Second::Wrong(finding) => slice.findings.push(finding),
        }
    }

    /// Looks at a page again that seemed damaged, or could not be read. As long as the space mutex is
    /// held nothing can free it, and a page in use is not written (I1). The map's groups are not read
    /// under the mutex.
    fn confirm(
        &mut self,
        inner: &Inner,
        page: PageId,
        look: impl FnOnce(Entry) -> std::result::Result<(), (Entry, Error)>,
    ) -> Second {
        if mutant!(ScrubBelievesFirstLook) {
            let error = Error::corrupted(page.0, "page checksum in the map", 0, 0);
            return Second::Wrong(ScrubFinding::new(page.0, 1, error));
        }
        for _ in 0..4 {
            let space = inner.space.lock();
            let known = space.pages_written(page.0..page.0 + 1, self.stored.as_ref());
            let Some(known) = known else {
                drop(space);
                self.read_group(inner, inner.geometry.group_of(page));
                if self.stored.is_none() {
                    break;
                }
                continue;
            };
            // Without an entry the page is behind the end of the file.
            let Some(Written::Yes(entry)) = known.first() else { return Second::Gone };
            return match look(*entry) {
                Ok(()) => Second::Right,
                Err((entry, error)) => Second::Wrong(ScrubFinding::new(page.0, entry.count, error)),
            };
        }
        Second::Untold
    }
}

/// What a second look at a page has shown.
enum Second {
    /// It is not in use any more, or somebody else's, and not written yet.
    Gone,
    /// The map's group cannot be read.
    Untold,
    Right,
    Wrong(ScrubFinding),
}

/// Are these the bytes that the map's checksum is of? The map does not say whether a page is raw; a node
/// has its own checksum besides, and its structure is checked as when it is read.
fn judge(inner: &Inner, bytes: &[u8], page: PageId, crc: u32) -> Result<()> {
    let differs = |what, expected: u64, found: u64| {
        if expected == found {
            return Ok(());
        }
        Err(Error::Corrupted(Corruption { page: page.0, what, expected, found }))
    };
    let body = node_crc(bytes);
    let header = Header::read(bytes);
    if body == crc && header.crc == crc {
        let node = differs("page id in the header", page.0, header.pointer.page.0)
            .and_then(|()| differs("store id in the header", inner.store, header.store))
            .and_then(|()| Ok(inner.kinds.validate(bytes)?));
        // A value may have been made up so that both checksums are the same.
        return if crc32fast::hash(bytes) == crc { Ok(()) } else { node };
    }
    let whole = crc32fast::hash(bytes);
    if whole == crc {
        return Ok(());
    }
    if body == crc {
        return differs("checksum in the header", crc.into(), header.crc.into());
    }
    // As a node, if it says that it is this one; else as a raw page.
    let node = header.pointer.page == page && header.store == inner.store;
    differs("page checksum in the map", crc.into(), if node { body } else { whole }.into())
}

/// If this page is a leaf: do the map's checksums of each large value's pages add up to the one that
/// stands beside its pointer?
fn verify_extents(inner: &Inner, bytes: &[u8], page: PageId, crc: u32) -> Vec<ScrubFinding> {
    let mut findings = Vec::new();
    let header = Header::read(bytes);
    if header.crc != crc || header.pointer.page != page || header.pointer.level > 0 {
        return findings;
    }
    let mut suspect = Vec::new();
    // A leaf that passed for sound has no child that cannot be told.
    let _ = inner.kinds.children(bytes, &mut |child| {
        if let Child::Extent(extent) = child
            && matches!(inner.verify_extent(&extent), Err(Error::Corrupted(_)))
        {
            suspect.push(extent);
        }
        Ok(())
    });
    for extent in suspect {
        // As long as the leaf is in use, so is what it names.
        let mut space = inner.space.lock();
        if !matches!(space.page_written(page), Written::Yes(entry) if entry.crc == crc) {
            break;
        }
        // A group of the map that cannot be read is told at its own place.
        let wrong = match extent.crc_in_map(&mut space) {
            Ok(found) => extent.check_crc(found),
            // It lies outside the file.
            Err(error @ Error::Corrupted(Corruption { what: "page position", .. })) => Err(error),
            Err(_) => continue,
        };
        if let Err(error) = wrong {
            findings.push(ScrubFinding::new(extent.head().0, 1, error));
        }
    }
    findings
}

/// Reads pages as the device has them.
fn read_stored(inner: &Inner, page: PageId, bytes: &mut [u8]) -> Result<()> {
    let offset = inner.geometry.offset(page);
    inner.storage.read_direct(bytes, offset).map_err(|e| inner.reading_failed(page, e))
}
