//! The transaction's raw pages: whole pages of somebody's data, and the tables that lead to them.
//!
//! They are written once, straight to the file, and never changed: who has new content writes a new
//! page and [releases](Transaction::release_raw) the old one, as [`Transaction::shadow`] does for
//! nodes. If that was the last owner, what the old page named has passed to the new one; if others
//! keep it, the new page is one more owner of each child that it keeps
//! ([`Transaction::retain`]).

use super::Transaction;
use crate::{
    aligned::Aligned,
    counters::count,
    error::{Error, Result},
    mutant,
    page::PageId,
    raw::Raw,
    space::Run,
};

/// Bytes gathered before they are written.
const BATCH: usize = 1 << 20;

/// Raw pages that lie side by side and are not in the file yet.
#[derive(Default)]
pub(super) struct Gathered {
    start: u64,
    bytes: Aligned,
}

impl Transaction {
    /// Writes a raw page, with one owner: the caller.
    ///
    /// The log cannot bring it back, so the transaction has to commit without a record.
    pub fn write_raw(&mut self, bytes: &[u8]) -> Result<PageId> {
        let size = self.page_size();
        if bytes.len() != size {
            return Err(Error::InvalidArgument(format!(
                "a raw page of {} bytes, where pages have {size}",
                bytes.len()
            )));
        }
        let page = self.take_page()?;
        self.raw.insert(page);
        let end = self.gathered.start + (self.gathered.bytes.len() / size) as u64;
        if end != page.0 || self.gathered.bytes.len() >= BATCH {
            self.flush_raw()?;
            self.gathered.start = page.0;
        }
        let reserved = self.gathered.bytes.reserve(BATCH);
        reserved.map_err(|e| Error::io("reserving a buffer", None, e))?;
        self.gathered.bytes.extend(bytes);
        Ok(page)
    }

    /// Writes what was gathered.
    pub(super) fn flush_raw(&mut self) -> Result<()> {
        if self.gathered.bytes.is_empty() {
            return Ok(());
        }
        let inner = &self.inner;
        let start = self.gathered.start;
        let offset = inner.geometry.offset(PageId(start));
        let written = inner.storage.write_at(&self.gathered.bytes, offset);
        let written = written.map_err(|e| Error::io("writing raw pages", offset, e));
        inner.poison.on_failure(written)?;
        count(&inner.counters.pages, self.gathered.bytes.len());
        let mut space = inner.space.lock();
        let pages = self.gathered.bytes.chunks_exact(inner.geometry.page_size);
        for (page, bytes) in (start..).zip(pages) {
            // The entry of a free page: it means nothing until a commit counts the page.
            space.prepare(PageId(page))?;
            space.map.set_crc(PageId(page), crc32fast::hash(bytes));
        }
        drop(space);
        self.gathered.bytes.clear();
        Ok(())
    }

    /// Reads a raw page and verifies it.
    pub fn read_raw(&mut self, page: PageId, out: &mut [u8]) -> Result<()> {
        if self.raw.contains(&page) {
            self.flush_raw()?;
        }
        self.inner.read_raw(page, out)
    }

    /// Drops an owner of a raw page. True: it was the last one, the page is freed, and what it
    /// [names](Raw::children) is the caller's.
    pub fn release_raw(&mut self, raw: Raw) -> Result<bool> {
        if self.raw.contains(&raw.page) {
            // Not later: the page may be somebody else's by then.
            self.flush_raw()?;
        }
        // Without a stamp it may be as old as the store.
        let birth = if mutant!(RawPageTakenForYoung) { self.page_stamp } else { 0 };
        self.release_run(&[Run { start: raw.page, length: 1 }], birth)
    }
}
