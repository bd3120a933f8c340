//! Looking at node pages: one by its pointer, or a way of them from the top down.
//!
//! ```text
//!  walk(root)            enter epoch -> [page] -> [page] -> [page], pinned -> leave
//!                                          not in memory: leave, read, verify, pin, go on
//!  walk_together(root)   the same for several ways, a step of each in turn, as far as pages are in memory
//! ```

use crate::{
    cache::PageRef,
    epoch,
    error::{Error, Result},
    mutant,
    page::{Header, PageId, Pointer, verify_node},
    pager::Inner,
};

/// Node pages as one reader or writer may see them.
#[derive(Clone, Copy)]
pub struct View<'p> {
    inner: &'p Inner,
    newest: u64,
}

impl<'p> View<'p> {
    pub(crate) fn new(inner: &'p Inner, newest: u64) -> View<'p> {
        View { inner, newest }
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> usize {
        self.inner.geometry.page_size
    }

    /// Pins the node that `pointer` names; reads and verifies it if it is not in memory.
    pub fn pin(&self, pointer: &Pointer) -> Result<PageRef<'p>> {
        self.inner.pin(pointer, self.newest)
    }

    /// Asks for the memory of a page that will be looked at soon; does nothing if it is not there.
    #[inline]
    pub fn prefetch(&self, pointer: &Pointer) {
        let _epoch = epoch::enter();
        self.inner.cache.prefetch(pointer);
    }

    /// Reads and verifies the node that `pointer` names from the file, whether it is in memory or not.
    /// False: it has not been written yet.
    pub fn verify_stored(&self, pointer: &Pointer) -> Result<bool> {
        self.inner.check_pointer(pointer, self.newest)?;
        if self.inner.cache.is_dirty(pointer.page.0, pointer.stamp) {
            return Ok(false);
        }
        let mut bytes = vec![0; self.page_size()];
        self.inner.read_page(pointer.page, &mut bytes)?;
        verify_node(&bytes, pointer, self.inner.store)?;
        self.inner.kinds.validate(&bytes)?;
        Ok(true)
    }

    /// Reads raw pages from the file, as many side by side as `out` has room for, and verifies them by
    /// the page map's checksums.
    pub fn read_raw(&self, start: PageId, out: &mut [u8]) -> Result<()> {
        self.inner.read_raw(start, out)
    }

    /// [`View::walk`] from `start` for up to [`WALKS`] walks side by side: while one is looked at, the
    /// memory of the others' next pages is on its way. `step` is told which walk it takes a step of.
    ///
    /// None in place of a page: the walk met a page that is not in memory, and [`View::walk`] has to
    /// take it.
    pub fn walk_together(
        &self,
        start: &Pointer,
        walks: usize,
        mut step: impl FnMut(usize, &[u8]) -> Result<Option<Pointer>>,
    ) -> Result<[Option<PageRef<'p>>; WALKS]> {
        let inner = self.inner;
        let mut ends = [const { None }; WALKS];
        let mut at = [Some(*start); WALKS];
        at[walks..].fill(None);
        let guard = epoch::enter();
        let mut going = walks;
        while going > 0 {
            // Three loops, so that in each one the misses of all walks are on their way together.
            for pointer in at.iter().flatten() {
                inner.cache.prefetch(pointer);
            }
            for (walk, place) in at.iter_mut().enumerate() {
                let Some(pointer) = place.take() else { continue };
                inner.check_pointer(&pointer, self.newest)?;
                let Some(page) = inner.cache.peek(&guard, &pointer) else { continue };
                check_place(page, &pointer)?;
                match step(walk, page)? {
                    Some(next) => {
                        let next = below(&pointer, next)?;
                        inner.cache.prefetch_translation(&next);
                        *place = Some(next);
                    }
                    None => ends[walk] = inner.cache.pin(&guard, &pointer),
                }
            }
            going = at.iter().flatten().count();
        }
        Ok(ends)
    }

    /// Follows pointers from `start` until `step` returns none; returns the last page, pinned.
    ///
    /// Pages on the way are protected by an epoch alone; only the last one is pinned. `step` must
    /// not do I/O or wait (R4). Levels must fall, so a corrupt cycle cannot trap anybody.
    pub fn walk(
        &self,
        start: &Pointer,
        mut step: impl FnMut(&[u8]) -> Result<Option<Pointer>>,
    ) -> Result<PageRef<'p>> {
        let inner = self.inner;
        let mut at = *start;
        let _epoch = mutant!(PageReadInsideEpoch).then(epoch::enter);
        loop {
            {
                let guard = epoch::enter();
                loop {
                    inner.check_pointer(&at, self.newest)?;
                    let Some(page) = inner.cache.peek(&guard, &at) else { break };
                    check_place(page, &at)?;
                    match step(page)? {
                        Some(next) => at = below(&at, next)?,
                        None => match inner.cache.pin(&guard, &at) {
                            Some(pinned) => return Ok(pinned),
                            None => break,
                        },
                    }
                }
            }
            // Not in memory: leave the epoch, read, pin, go on.
            let page = inner.load(&at)?;
            match step(&page)? {
                Some(next) => at = below(&at, next)?,
                None => return Ok(page),
            }
        }
    }
}

/// Walks that are taken side by side by [`View::walk_together`]: enough to hide a miss of memory, few
/// enough for their pages to stay in the nearest cache.
pub const WALKS: usize = 16;

#[inline]
fn below(parent: &Pointer, child: Pointer) -> Result<Pointer> {
    if child.level >= parent.level {
        return Err(wrong_level(parent, &child));
    }
    Ok(child)
}

#[cold]
fn wrong_level(parent: &Pointer, child: &Pointer) -> Error {
    Error::corrupted(
        parent.page.0,
        "level of a child",
        u64::from(parent.level).saturating_sub(1),
        child.level.into(),
    )
}

/// A page in memory was verified against the pointer by which it came; another one must say the same of it.
#[inline]
pub(crate) fn check_place(page: &[u8], pointer: &Pointer) -> Result<()> {
    #[cold]
    fn other(page: &[u8], pointer: &Pointer) -> Error {
        let found = Header::read(page).pointer;
        let (what, expected, found) = if found.kind != pointer.kind {
            ("page kind", pointer.kind, found.kind)
        } else {
            ("page level", pointer.level, found.level)
        };
        Error::corrupted(pointer.page.0, what, expected.into(), found.into())
    }
    if page[4..6] == [pointer.kind, pointer.level] { Ok(()) } else { Err(other(page, pointer)) }
}
