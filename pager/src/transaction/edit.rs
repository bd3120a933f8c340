//! Editing the transaction's own node pages, and writing some of them early ("spilling") when they fill the
//! cache.

use super::Transaction;
use crate::{
    checkpoint::{self, PageWriter},
    error::{Error, Result},
    mutant,
    page::{PageId, Pointer},
};

/// Pages written by one spill.
const SPILL: usize = 1024;

impl Transaction {
    /// Changes a page of this transaction.
    pub fn edit<R>(&mut self, pointer: &Pointer, edit: impl FnOnce(&mut [u8]) -> R) -> Result<R> {
        if pointer.stamp == self.page_stamp
            && let Some(frame) = self.inner.cache.own_frame(pointer.page.0, self.page_stamp)
        {
            self.changed = true;
            self.keep_image(pointer);
            return self.inner.cache.edit_frame(frame, pointer.page.0, self.page_stamp, edit);
        }
        self.make_room_to_edit(&[pointer])?;
        self.prepare_edit(pointer)?;
        self.inner.cache.edit(pointer.page.0, self.page_stamp, edit)
    }

    /// Changes two different pages of this transaction at once.
    pub fn edit_two<R>(
        &mut self,
        first: &Pointer,
        second: &Pointer,
        edit: impl FnOnce(&mut [u8], &mut [u8]) -> R,
    ) -> Result<R> {
        // Before either is prepared, since it may spill both.
        self.make_room_to_edit(&[first, second])?;
        self.prepare_edit(first)?;
        self.prepare_edit(second)?;
        if first.page == second.page {
            return Err(Error::corrupted(first.page.0, "page used twice", 1, 2));
        }
        self.inner.cache.edit_two(first.page.0, second.page.0, self.page_stamp, edit)
    }

    /// A spilled page becomes dirty again when it is edited: room for it must be made as for a new one.
    fn make_room_to_edit(&mut self, pages: &[&Pointer]) -> Result<()> {
        if pages.iter().any(|pointer| self.spilled.contains(&pointer.page)) {
            self.make_room()?;
        }
        Ok(())
    }

    fn prepare_edit(&mut self, pointer: &Pointer) -> Result<()> {
        self.changed = true;
        if pointer.stamp != self.page_stamp {
            return Err(Error::corrupted(
                pointer.page.0,
                "stamp of a page to edit",
                self.page_stamp,
                pointer.stamp,
            ));
        }
        if self.inner.cache.is_dirty(pointer.page.0, self.page_stamp) {
            self.keep_image(pointer);
            return Ok(());
        }
        // It was spilled; take it back.
        if !self.spilled.contains(&pointer.page) {
            return Err(Error::corrupted(pointer.page.0, "page of this transaction", 1, 0));
        }
        let page = self.inner.pin(pointer, self.page_stamp)?;
        self.inner.cache.make_dirty(&page);
        self.spilled.remove(&pointer.page);
        self.dirty.insert(pointer.page);
        Ok(())
    }

    /// Writes some of this transaction's pages early when they fill three quarters of the cache.
    pub(super) fn make_room(&mut self) -> Result<()> {
        let cache = &self.inner.cache;
        // Where pinned pages crowd the cache, dirty ones must leave earlier.
        let quarters = if cache.under_pressure() { 1 } else { 3 };
        if cache.dirty() < cache.frames() / 4 * quarters
            || self.dirty.is_empty()
            // Readers wait, and room was made sure of.
            || self.is_continued()
        {
            return Ok(());
        }
        if !mutant!(SpillBeforeSession) {
            checkpoint::ensure_session(&self.inner)?;
        }
        let mut batch: Vec<PageId> = self.dirty.iter().copied().take(SPILL).collect();
        batch.sort_unstable();
        let inner = self.inner.clone();
        let mut writer = PageWriter::new(&inner, None)?;
        for &page in &batch {
            if let Some(bytes) = inner.cache.dirty_page(page.0) {
                writer.push(page, &bytes)?;
            }
        }
        let crcs = writer.finish()?;
        let mut space = inner.space.lock();
        for (page, crc) in crcs {
            if !mutant!(SpilledChecksumForgotten) {
                space.map.set_crc(page, crc);
            }
        }
        drop(space);
        for page in batch {
            if let Some(written) = inner.cache.dirty_page(page.0) {
                inner.cache.clean(written);
            }
            self.dirty.remove(&page);
            self.spilled.insert(page);
        }
        Ok(())
    }
}
