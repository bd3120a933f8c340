//! Files as a machine maps them: a size, contents, and the page cache.
//!
//! The cache owns one place of each frame in it. The pages of a disk file count as cached from the
//! start (a fault brings none in by I/O), but take a frame only when they are first mapped; those of
//! shared anonymous memory exist once someone has touched them.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::frames::{Frame, Frames, NoFrame, PAGE, Use};

/// What stands in a file's pages at first.
#[derive(Debug, Clone)]
pub enum Contents {
    /// This byte everywhere.
    Fill(u8),
    /// These bytes, and zeros behind them.
    Bytes(Arc<[u8]>),
    /// Zeros, in pages that do not exist before they are touched: shared anonymous memory.
    Shared,
}

/// Pages read from a disk for one that is needed: 128 KiB.
const READ_AROUND: u64 = 32;

/// A file.
pub struct File {
    /// Its name in traces and pictures.
    pub name: String,
    /// Pages in it; an access behind them is a bus error.
    pub pages: u64,
    contents: Contents,
    /// Pages that were promised for it: shared memory, once, whoever maps it.
    pub(crate) promised: u64,
    cache: Mutex<HashMap<u64, Page>>,
}

/// A page in the cache.
struct Page {
    frame: Frame,
    /// It went to swap or back to its disk. The model keeps it here, but no fault maps it around
    /// another, and a disk has to be read.
    away: bool,
}

impl File {
    pub(crate) fn new(name: &str, pages: u64, contents: Contents) -> File {
        File {
            name: name.to_owned(),
            pages,
            contents,
            promised: 0,
            cache: Mutex::new(HashMap::new()),
        }
    }

    /// Is it a file of a disk? Its shared pages are written only after a fault that says so.
    pub(crate) fn is_on_disk(&self) -> bool {
        !matches!(self.contents, Contents::Shared)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Page>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Could this page be mapped around a fault of another? It must exist.
    pub(crate) fn is_cached(&self, page: u64) -> bool {
        let here = self.cache().get(&page).map_or(self.is_on_disk(), |page| !page.away);
        page < self.pages && here
    }

    /// The frame of a page, with one owner more, for the caller.
    pub(crate) fn frame(&self, page: u64, frames: &Frames) -> Result<Frame, NoFrame> {
        let mut cache = self.cache();
        if let Some(page) = cache.get_mut(&page) {
            page.away = false;
            frames.retain(page.frame);
            return Ok(page.frame);
        }
        let frame = frames.allocate(Use::File)?;
        match &self.contents {
            Contents::Fill(0) | Contents::Shared => {}
            Contents::Fill(byte) => frames.fill(frame, &[*byte; PAGE]),
            Contents::Bytes(bytes) => {
                let start = (page as usize * PAGE).min(bytes.len());
                frames.fill(frame, &bytes[start..(start + PAGE).min(bytes.len())]);
            }
        }
        frames.retain(frame);
        cache.insert(page, Page { frame, away: false });
        Ok(frame)
    }

    /// A page goes to swap, or is let go of since the disk has it.
    pub(crate) fn put_away(&self, page: u64) {
        if let Some(page) = self.cache().get_mut(&page) {
            page.away = true;
        }
    }

    /// A page is needed. True: it has to be read from the disk, and those around it are as well.
    pub(crate) fn bring_back(&self, page: u64) -> bool {
        let mut cache = self.cache();
        if !self.is_on_disk() || cache.get(&page).is_none_or(|page| !page.away) {
            return false;
        }
        for near in page.saturating_sub(READ_AROUND / 2)..page + READ_AROUND / 2 {
            if let Some(page) = cache.get_mut(&near) {
                page.away = false;
            }
        }
        true
    }

    /// Takes pages out of it: they read as zeros.
    pub(crate) fn remove(&self, pages: Range<u64>, frames: &Frames) {
        self.cache().retain(|page, cached| {
            let gone = pages.contains(page);
            if gone && self.is_on_disk() {
                // There is no disk to write the hole to: the page stays, as zeros that a fault reads.
                cached.away = true;
                frames.fill(cached.frame, &[0; PAGE]);
                frames.set_dirty(cached.frame);
                return true;
            }
            if gone {
                frames.drop_data(cached.frame);
            }
            !gone
        });
    }

    /// Pages that have a frame.
    pub fn cached(&self) -> u64 {
        self.cache().len() as u64
    }

    /// Lets go of the frames of pages that nobody maps and that can be read again.
    pub(crate) fn shrink(&self, frames: &Frames) {
        if self.is_on_disk() {
            self.cache().retain(|_, Page { frame, .. }| {
                // A page that was written through a shared mapping is kept: there is no disk here.
                let idle = frames.owners(*frame) == 1 && !frames.is_dirty(*frame);
                if idle {
                    frames.drop_data(*frame);
                }
                !idle
            });
        }
    }

    /// Lets go of everything: shared memory that nobody maps any more.
    pub(crate) fn clear(&self, frames: &Frames) {
        self.cache().drain().for_each(|(_, page)| frames.drop_data(page.frame));
    }

    pub(crate) fn each_frame(&self, visit: impl FnMut(Frame)) {
        self.cache().values().map(|page| page.frame).for_each(visit);
    }

    // ---- stored --------------------------------------------------------------------------

    /// Where untouched pages come from.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The pages in the cache: number, frame, and whether it is away. In order.
    pub(crate) fn cached_pages(&self) -> Vec<(u64, Frame, bool)> {
        let cache = self.cache();
        let mut pages: Vec<_> =
            cache.iter().map(|(&number, page)| (number, page.frame, page.away)).collect();
        pages.sort_unstable_by_key(|(number, ..)| *number);
        pages
    }

    /// Puts pages into the cache, which owns their frames already.
    pub(crate) fn restore(&self, pages: Vec<(u64, Frame, bool)>) {
        let pages = pages.into_iter();
        self.cache().extend(pages.map(|(number, frame, away)| (number, Page { frame, away })));
    }
}
