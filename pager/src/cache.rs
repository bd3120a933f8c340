//! The page cache: a bounded set of frames that hold pages, found by position.
//!
//! It promises that
//! - memory is bounded by the configured size, whatever a transaction or a reader does;
//! - the read path takes no lock and writes nothing that other threads read, but for the pin on
//!   the one page that is handed out;
//! - bytes behind a [`PageRef`] or inside an epoch never change and never move.
//!
//! The life of a frame:
//!
//! ```text
//!        acquire            fill, verify / write          publish
//! free ----------> owned --------------------------> mapped, pinned ... idle
//!  ^                                                                      |
//!  |   oldest epoch > tag                                    retire, unmap |
//!  +---------------------------- limbo <------------------------------------+
//! ```
//!
//! **Dirty** pages (not yet in the file) carry one pin of the cache's own, so that eviction passes
//! them by. **Hidden** pages belong to a transaction that is editing them right now: their
//! frame's stamp reads [`HIDDEN`], which equals no pointer's stamp, so nobody else finds them.

#![expect(unsafe_code, reason = "calls the arena's two functions; each call says why it may")]

use std::{
    collections::VecDeque,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

mod superseded;

use superseded::Superseded;

use crate::{
    arena::{self, Arena},
    epoch::{self, Guard},
    error::{Error, Result},
    extent::Extent,
    mutant,
    page::Pointer,
    pins::Pins,
    translation::Translation,
    values::Values,
};

const STRIPES: usize = 64;
const HIDDEN: u64 = u64::MAX;
const EVICTION_BATCH: usize = 64;
/// Fewer frames than this could not hold a tree's path for a reader and the writer.
pub(crate) const FRAMES_MIN: usize = 256;

/// What is known about a frame.
struct Meta {
    pins: Pins,
    recent: AtomicBool,
    dirty: AtomicBool,
    /// The newest tree has left the page behind.
    superseded: AtomicBool,
    page: AtomicU64,
    stamp: AtomicU64,
}

impl Meta {
    fn new() -> Meta {
        Meta {
            pins: Pins::new(),
            recent: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            page: AtomicU64::new(0),
            stamp: AtomicU64::new(HIDDEN),
        }
    }
}

/// Bytes at a page's start that a search in it reads: of a node its header, and the heads and slots of
/// some two dozen entries.
const FIRST_LOOK: usize = 384;

/// Frames whose metadata are made together, on first use: opening a store with a large cache costs
/// nothing.
const META_CHUNK: usize = 1024;

#[derive(Default)]
struct Pool {
    /// Frames from this one on were never used.
    fresh: u32,
    free: Vec<u32>,
    /// Retired frames with the tag of their retirement, oldest first.
    limbo: VecDeque<(u64, u32)>,
    hand: usize,
    superseded: Superseded,
}

#[repr(align(128))]
#[derive(Default)]
struct Counter(AtomicU64);

/// What the page cache did since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Frames in all.
    pub frames: u64,
    /// Frames that hold changes which are not in the file yet.
    pub dirty: u64,
    /// Pages found in memory.
    pub hits: u64,
    /// Pages read from the file.
    pub misses: u64,
    /// Pages dropped to make room.
    pub evictions: u64,
    /// Pages copied because a transaction wrote to them.
    pub copies: u64,
}

pub(crate) struct Cache {
    arena: Arena,
    meta: Box<[OnceLock<Box<[Meta]>>]>,
    table: Translation,
    stripes: Box<[Mutex<()>]>,
    pool: Mutex<Pool>,
    /// In the memory of frames that were never used.
    values: Values,
    dirty: AtomicUsize,
    /// Set while pinned pages crowd the arena: callers then copy values instead of pinning them.
    pressure: AtomicBool,
    hits: Box<[Counter]>,
    misses: AtomicU64,
    evictions: AtomicU64,
    pub(crate) copies: AtomicU64,
}

impl Cache {
    pub(crate) fn new(bytes: usize, page_size: usize) -> Result<Cache> {
        let frames = (bytes / page_size).clamp(FRAMES_MIN, u32::MAX as usize / 2);
        let arena =
            Arena::new(frames, page_size).map_err(|e| Error::io("reserving the cache", None, e))?;
        let meta = (0..frames.div_ceil(META_CHUNK)).map(|_| OnceLock::new()).collect();
        Ok(Cache {
            arena,
            meta,
            table: Translation::new(),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            pool: Mutex::new(Pool::default()),
            values: Values::default(),
            dirty: AtomicUsize::new(0),
            pressure: AtomicBool::new(false),
            hits: (0..64).map(|_| Counter::default()).collect(),
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            copies: AtomicU64::new(0),
        })
    }

    #[inline]
    fn meta(&self, frame: u32) -> &Meta {
        let chunk = self.meta[frame as usize / META_CHUNK]
            .get_or_init(|| (0..META_CHUNK).map(|_| Meta::new()).collect());
        &chunk[frame as usize % META_CHUNK]
    }

    pub(crate) fn frames(&self) -> usize {
        self.arena.frames()
    }

    pub(crate) fn dirty(&self) -> usize {
        self.dirty.load(Ordering::Relaxed)
    }

    pub(crate) fn under_pressure(&self) -> bool {
        self.pressure.load(Ordering::Relaxed)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats {
            frames: self.frames() as u64,
            dirty: self.dirty() as u64,
            hits: self.hits.iter().map(|c| c.0.load(Ordering::Relaxed)).sum(),
            misses: self.misses.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
            copies: self.copies.load(Ordering::Relaxed),
        }
    }

    // ---- reading -------------------------------------------------------------------------

    /// The page that `pointer` names, if it is in memory; valid while the guard lives.
    #[inline]
    pub(crate) fn peek<'g>(&'g self, guard: &'g Guard, pointer: &Pointer) -> Option<&'g [u8]> {
        let frame = self.table.get(pointer.page.0)?;
        // What is looked at first, on its way from memory while the frame is judged.
        self.arena.prefetch(frame, 0, FIRST_LOOK);
        let meta = self.meta(frame);
        if meta.stamp.load(Ordering::Acquire) != pointer.stamp
            || meta.page.load(Ordering::Relaxed) != pointer.page.0
        {
            return None;
        }
        self.note_hit(guard, meta);
        // SAFETY: the frame was mapped inside this epoch, so it gets no new owner before the guard
        // is dropped; its stamp equals the pointer's, so it is not hidden for an edit.
        Some(unsafe { self.arena.bytes(frame) })
    }

    /// Asks for the memory that [`Cache::prefetch`] will need.
    #[inline]
    pub(crate) fn prefetch_translation(&self, pointer: &Pointer) {
        self.table.prefetch(pointer.page.0);
    }

    /// Asks for the memory that [`Cache::peek`] and a search in the page will need, if the page is there.
    #[inline]
    pub(crate) fn prefetch(&self, pointer: &Pointer) {
        if let Some(frame) = self.table.get(pointer.page.0) {
            self.arena.prefetch(frame, 0, FIRST_LOOK);
            arena::prefetch(self.meta(frame));
        }
    }

    #[inline]
    fn note_hit(&self, guard: &Guard, meta: &Meta) {
        if !meta.recent.load(Ordering::Relaxed) {
            meta.recent.store(true, Ordering::Relaxed);
        }
        // Not a read-modify-write: two threads that share a counter may lose a count, not time.
        let counter = &self.hits[guard.thread_number() % 64].0;
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Pins the page that `pointer` names, if it is in memory.
    #[inline]
    pub(crate) fn pin(&self, guard: &Guard, pointer: &Pointer) -> Option<PageRef<'_>> {
        let frame = self.table.get(pointer.page.0)?;
        let meta = self.meta(frame);
        if !meta.pins.try_pin() {
            return None;
        }
        let page = PageRef { cache: self, frame };
        if meta.stamp.load(Ordering::Acquire) != pointer.stamp
            || meta.page.load(Ordering::Relaxed) != pointer.page.0
        {
            return None;
        }
        self.note_hit(guard, meta);
        Some(page)
    }

    /// Brings the page that `pointer` names into memory and pins it. `fill` reads and verifies it.
    pub(crate) fn load(
        &self,
        pointer: &Pointer,
        fill: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<PageRef<'_>> {
        let _stripe = self.stripe(pointer.page.0).lock();
        // Somebody else may have loaded it while we waited.
        if let Some(page) = self.pin(&epoch::enter(), pointer) {
            return Ok(page);
        }
        if let Some(frame) = self.table.get(pointer.page.0) {
            let meta = self.meta(frame);
            let stamp = meta.stamp.load(Ordering::Acquire);
            if meta.pins.try_pin() {
                let here = meta.page.load(Ordering::Relaxed) == pointer.page.0;
                self.unpin(frame);
                if here && stamp != pointer.stamp {
                    return Err(Error::corrupted(
                        pointer.page.0,
                        "page stamp",
                        pointer.stamp,
                        stamp,
                    ));
                }
            }
        }
        let frame = self.acquire()?;
        // SAFETY: the frame was just acquired and is mapped nowhere: this thread is its one owner.
        let bytes = unsafe { self.arena.bytes_mut(frame) };
        if let Err(error) = fill(bytes) {
            self.pool.lock().free.push(frame);
            return Err(error);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        self.publish(frame, pointer.page.0, pointer.stamp, false);
        Ok(PageRef { cache: self, frame })
    }

    fn stripe(&self, page: u64) -> &Mutex<()> {
        &self.stripes[page as usize % STRIPES]
    }

    /// Gives an owned frame its name and one pin, and maps it. The stripe lock is held.
    fn publish(&self, frame: u32, page: u64, stamp: u64, dirty: bool) {
        let meta = self.meta(frame);
        meta.page.store(page, Ordering::Relaxed);
        meta.recent.store(true, Ordering::Relaxed);
        meta.dirty.store(dirty, Ordering::Relaxed);
        meta.superseded.store(false, Ordering::Relaxed);
        meta.stamp.store(stamp, Ordering::Release);
        meta.pins.reset(1);
        if let Some(old) = self.table.set(page, frame) {
            self.abandon(old);
        }
    }

    // ---- writing -------------------------------------------------------------------------

    /// Puts a new, dirty page into the cache; `fill` writes all of it.
    pub(crate) fn create(&self, page: u64, stamp: u64, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let frame = self.acquire()?;
        // SAFETY: just acquired and mapped nowhere: this thread is its one owner.
        fill(unsafe { self.arena.bytes_mut(frame) });
        let _stripe = self.stripe(page).lock();
        self.publish(frame, page, stamp, true);
        self.dirty.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Lets the writer change a page of its own transaction, which must be in memory and dirty
    /// (`make_dirty`). While `edit` runs, the page is hidden from everybody else.
    ///
    /// A foreign pin on the frame (R1) makes the page move to a fresh frame first; the pinned one
    /// is orphaned and freed by its last pin.
    pub(crate) fn edit<R>(
        &self,
        page: u64,
        stamp: u64,
        edit: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R> {
        // Reached without one only if a corrupt tree leads a writer to one page twice.
        let frame = self
            .own_frame(page, stamp)
            .ok_or_else(|| Error::corrupted(page, "page owned by the transaction", stamp, 0))?;
        self.edit_frame(frame, page, stamp, edit)
    }

    /// [`Cache::edit`] in the frame that [`Cache::own_frame`] has found.
    #[inline]
    pub(crate) fn edit_frame<R>(
        &self,
        mut frame: u32,
        page: u64,
        stamp: u64,
        edit: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R> {
        if self.meta(frame).pins.count() > 1 && !mutant!(PinnedPageEdited) {
            frame = self.rehome(page, stamp, frame)?;
        }
        let meta = self.meta(frame);
        meta.stamp.store(HIDDEN, Ordering::Release);
        // Restores the stamp even if `edit` panics.
        struct Reveal<'a>(&'a AtomicU64, u64);
        impl Drop for Reveal<'_> {
            fn drop(&mut self) {
                self.0.store(self.1, Ordering::Release);
            }
        }
        let _reveal = Reveal(&meta.stamp, stamp);
        // SAFETY: pages of a running transaction are known to its writer alone, who is here, and so
        // are those of a version that it continues, which nobody reads (R13); no pin but the cache's
        // own is on the frame, and it is hidden from pins and peeks until revealed.
        Ok(edit(unsafe { self.arena.bytes_mut(frame) }))
    }

    /// [`Cache::edit`] for two different pages at once.
    pub(crate) fn edit_two<R>(
        &self,
        first: u64,
        second: u64,
        stamp: u64,
        edit: impl FnOnce(&mut [u8], &mut [u8]) -> R,
    ) -> Result<R> {
        assert_ne!(first, second, "two edits of one page");
        self.edit(first, stamp, |a| self.edit(second, stamp, |b| edit(a, b)))?
    }

    /// The frame of a dirty page of this stamp.
    #[inline]
    pub(crate) fn own_frame(&self, page: u64, stamp: u64) -> Option<u32> {
        self.table.get(page).filter(|&frame| {
            let meta = self.meta(frame);
            meta.page.load(Ordering::Relaxed) == page
                && meta.stamp.load(Ordering::Relaxed) == stamp
                && meta.dirty.load(Ordering::Relaxed)
        })
    }

    fn rehome(&self, page: u64, stamp: u64, frame: u32) -> Result<u32> {
        let fresh = self.acquire()?;
        // SAFETY: `fresh` is owned by this thread alone; `frame` is only read, by us and by its pins.
        unsafe { self.arena.bytes_mut(fresh).copy_from_slice(self.arena.bytes(frame)) };
        self.meta(frame).dirty.store(false, Ordering::Relaxed);
        {
            let _stripe = self.stripe(page).lock();
            self.publish(fresh, page, stamp, true);
        }
        // The dirty pin of the old frame; `publish` has retired it.
        self.unpin(frame);
        Ok(fresh)
    }

    /// Marks a page dirty again that was spilled and is changed once more by its transaction.
    pub(crate) fn make_dirty(&self, pinned: &PageRef<'_>) {
        let meta = self.meta(pinned.frame);
        if !meta.dirty.swap(true, Ordering::Relaxed) {
            // The pin that `pinned` holds guarantees success.
            let pinned = meta.pins.try_pin();
            debug_assert!(pinned);
            self.dirty.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Is this page in memory, of this stamp, and dirty?
    pub(crate) fn is_dirty(&self, page: u64, stamp: u64) -> bool {
        self.own_frame(page, stamp).is_some()
    }

    /// A dirty page's bytes, for writing them to the file.
    pub(crate) fn dirty_page(&self, page: u64) -> Option<PageRef<'_>> {
        let frame = self.table.get(page)?;
        let meta = self.meta(frame);
        if !meta.dirty.load(Ordering::Relaxed) || !meta.pins.try_pin() {
            return None;
        }
        Some(PageRef { cache: self, frame })
    }

    /// The page is in the file now: eviction may take it.
    pub(crate) fn clean(&self, written: PageRef<'_>) {
        let meta = self.meta(written.frame);
        // SeqCst, here and in `supersede`: of two threads that do both at once, one sees what the other did.
        if meta.dirty.swap(false, Ordering::SeqCst) {
            self.dirty.fetch_sub(1, Ordering::Relaxed);
            if meta.superseded.load(Ordering::SeqCst) {
                self.pool.lock().superseded.push(written.frame, self.frames());
            }
            self.unpin(written.frame);
        }
    }

    /// The page is no more: drops its frame. Nobody may reach the page any longer.
    pub(crate) fn discard(&self, page: u64) {
        if let Some(frame) = self.table.clear(page) {
            self.abandon(frame);
        }
    }

    /// Drops the frame of a page that will hardly be read again, unless it is dirty or pinned. Whoever
    /// does read the page finds it in the file.
    pub(crate) fn drop_clean(&self, page: u64) {
        // While the pool is locked no frame finds another owner: what the page maps to is its own.
        let mut pool = self.pool.lock();
        let Some(frame) = self.table.get(page) else { return };
        let meta = self.meta(frame);
        if meta.dirty.load(Ordering::Relaxed)
            || meta.page.load(Ordering::Relaxed) != page
            || !meta.pins.try_retire_idle()
        {
            return;
        }
        self.table.clear_if(page, frame);
        meta.stamp.store(HIDDEN, Ordering::Release);
        let tag = epoch::retire();
        pool.limbo.push_back((tag, frame));
    }

    /// Retires a frame that is no longer mapped, and drops the cache's own pin on it.
    fn abandon(&self, frame: u32) {
        let meta = self.meta(frame);
        let dirty = meta.dirty.swap(false, Ordering::Relaxed);
        let free = meta.pins.retire();
        if free {
            self.send_to_limbo(frame);
        }
        if dirty {
            self.dirty.fetch_sub(1, Ordering::Relaxed);
            self.unpin(frame);
        }
    }

    #[inline]
    fn unpin(&self, frame: u32) {
        if self.meta(frame).pins.unpin() {
            self.send_to_limbo(frame);
        }
    }

    fn send_to_limbo(&self, frame: u32) {
        self.meta(frame).stamp.store(HIDDEN, Ordering::Release);
        let mut pool = self.pool.lock();
        let tag = epoch::retire();
        pool.limbo.push_back((tag, frame));
    }

    // ---- replacement ---------------------------------------------------------------------

    /// A frame for the caller alone: a free one, or one that CLOCK takes from an idle page.
    /// Must not be called inside an epoch.
    fn acquire(&self) -> Result<u32> {
        let mut fruitless = 0;
        loop {
            let mut pool = self.pool.lock();
            if let Some(frame) = pool.free.pop() {
                return Ok(frame);
            }
            if pool.limbo.len() < EVICTION_BATCH / 2 {
                self.retire_superseded(&mut pool);
            }
            // Frames that come back before ones never touched: their memory is there already.
            let waiting = pool.limbo.len();
            let untouched = (pool.fresh as usize) < self.frames();
            if waiting >= if untouched { EVICTION_BATCH / 2 } else { 1 } {
                let oldest = epoch::oldest();
                while pool.limbo.front().is_some_and(|&(tag, _)| tag < oldest) {
                    let (_, frame) = pool.limbo.pop_front().expect("front was just seen");
                    pool.free.push(frame);
                }
                if let Some(frame) = pool.free.pop() {
                    return Ok(frame);
                }
            }
            if untouched {
                pool.fresh += 1;
                self.values.shrink(self.untouched_bytes(&pool));
                return Ok(pool.fresh - 1);
            }
            if waiting < EVICTION_BATCH / 2 && self.evict(&mut pool) == 0 && waiting == 0 {
                fruitless += 1;
                if fruitless > 3 {
                    return Err(Error::CacheFull);
                }
            }
            drop(pool);
            // Frames in limbo come back when the readers that are inside an epoch now leave it.
            std::thread::yield_now();
        }
    }

    fn untouched_bytes(&self, pool: &Pool) -> usize {
        (self.frames() - pool.fresh as usize) * self.arena.frame_size()
    }

    /// Keeps a large value in memory that no frame has used, as long as there is some.
    pub(crate) fn keep_value(&self, extent: &Extent, bytes: &Arc<Vec<u8>>) {
        // Under the lock, so that no frame is touched meanwhile.
        let pool = self.pool.lock();
        self.values.keep(extent, bytes, self.untouched_bytes(&pool));
    }

    /// Large values in memory.
    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// CLOCK: passes pinned frames, gives recently used ones a second chance, retires idle ones.
    fn evict(&self, pool: &mut Pool) -> usize {
        let frames = self.frames();
        let mut victims = Vec::with_capacity(EVICTION_BATCH);
        let mut steps = 0;
        while victims.len() < EVICTION_BATCH && steps < 2 * frames {
            steps += 1;
            pool.hand = (pool.hand + 1) % frames;
            let meta = self.meta(pool.hand as u32);
            if meta.pins.count() != 0 || meta.recent.swap(false, Ordering::Relaxed) {
                continue;
            }
            if meta.pins.try_retire_idle() {
                let frame = pool.hand as u32;
                self.table.clear_if(meta.page.load(Ordering::Relaxed), frame);
                meta.stamp.store(HIDDEN, Ordering::Release);
                victims.push(frame);
            }
        }
        self.pressure.store(steps > frames + frames / 2, Ordering::Relaxed);
        let tag = epoch::retire();
        pool.limbo.extend(victims.iter().map(|&frame| (tag, frame)));
        self.evictions.fetch_add(victims.len() as u64, Ordering::Relaxed);
        victims.len()
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("stats", &self.stats()).finish()
    }
}

/// A pinned page: its bytes stay where and what they are until this is dropped.
pub struct PageRef<'p> {
    cache: &'p Cache,
    frame: u32,
}

impl PageRef<'_> {
    /// Asks for bytes of the page that will be read soon.
    #[inline]
    pub fn prefetch(&self, from: usize, bytes: usize) {
        self.cache.arena.prefetch(self.frame, from, bytes);
    }
}

impl Deref for PageRef<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the pin keeps the frame from getting a new owner, and an edit moves a pinned page
        // to another frame before it writes (R1).
        unsafe { self.cache.arena.bytes(self.frame) }
    }
}

impl Drop for PageRef<'_> {
    #[inline]
    fn drop(&mut self) {
        self.cache.unpin(self.frame);
    }
}

impl Clone for PageRef<'_> {
    fn clone(&self) -> Self {
        self.cache.meta(self.frame).pins.add_to_held();
        PageRef { cache: self.cache, frame: self.frame }
    }
}

impl std::fmt::Debug for PageRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let meta = self.cache.meta(self.frame);
        write!(f, "PageRef(page {})", meta.page.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
