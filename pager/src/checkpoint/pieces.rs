//! How pages get to the file: sorted, in long pieces, and not faster than commits beside them can bear.

use std::sync::atomic::AtomicU64;

use super::pace::Pace;
use crate::{
    aligned::Aligned,
    cache::PageRef,
    counters::count,
    error::{Error, Result},
    page::{PageId, node_crc, put},
    pager::Inner,
};

/// Bytes written at a time: larger pieces delay the log's writes, smaller ones cost more calls.
pub(crate) const PIECE: usize = 256 << 10;
/// Pieces shorter than this are not written directly.
pub(super) const DIRECT_MIN: usize = 64 << 10;

pub(super) fn write_map(
    inner: &Inner,
    writes: &[(PageId, Vec<u8>)],
    pace: Option<Pace>,
) -> Result<()> {
    let mut out = Pieces::new(inner, pace, &inner.counters.map)?;
    for (page, bytes) in writes {
        out.push(*page)?.copy_from_slice(bytes);
    }
    out.flush()
}

/// Writes node pages, coalescing neighbours; checksums are put into the I/O buffer, never into a
/// frame that readers share.
pub(crate) struct PageWriter<'i> {
    out: Pieces<'i>,
    crcs: Vec<(PageId, u32)>,
}

impl<'i> PageWriter<'i> {
    /// As fast as it goes, or at a pace.
    pub(crate) fn new(inner: &'i Inner, pace: Option<Pace>) -> Result<PageWriter<'i>> {
        Ok(PageWriter { out: Pieces::new(inner, pace, &inner.counters.pages)?, crcs: Vec::new() })
    }

    pub(crate) fn push(&mut self, page: PageId, bytes: &PageRef<'_>) -> Result<()> {
        let target = self.out.push(page)?;
        target.copy_from_slice(bytes);
        let crc = node_crc(target);
        put(target, 0, &crc.to_le_bytes());
        self.crcs.push((page, crc));
        Ok(())
    }

    /// Writes the rest; returns the checksum of each page.
    pub(crate) fn finish(&mut self) -> Result<Vec<(PageId, u32)>> {
        let result = self.out.flush();
        self.out.inner.poison.on_failure(result)?;
        Ok(std::mem::take(&mut self.crcs))
    }
}

/// Collects neighbouring pages into pieces of 256 KiB.
struct Pieces<'i> {
    inner: &'i Inner,
    buffer: Aligned,
    start: PageId,
    /// Where the bytes are counted.
    written: &'i AtomicU64,
    pace: Option<Pace>,
}

impl<'i> Pieces<'i> {
    fn new(inner: &'i Inner, pace: Option<Pace>, written: &'i AtomicU64) -> Result<Pieces<'i>> {
        let mut buffer = Aligned::default();
        buffer.reserve(PIECE).map_err(|e| Error::io("reserving a buffer", None, e))?;
        Ok(Pieces { inner, buffer, start: PageId::NONE, written, pace })
    }

    /// Room for `page` in the buffer; writes what is there if the page does not continue it.
    fn push(&mut self, page: PageId) -> Result<&mut [u8]> {
        let size = self.inner.geometry.page_size;
        let pages = (self.buffer.len() / size) as u64;
        let piece = self.pace.as_ref().map_or(PIECE, Pace::piece);
        if pages > 0 && (self.start.0 + pages != page.0 || self.buffer.len() + size > piece) {
            self.flush()?;
        }
        if self.buffer.is_empty() {
            self.start = page;
        }
        let at = self.buffer.len();
        self.buffer.resize(at + size);
        Ok(&mut self.buffer[at..])
    }

    fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let _poisoned = self.inner.poison.on_panic();
        let offset = self.inner.geometry.offset(self.start);
        // Direct writes wait for the disk each: worth it for long pieces only. Short ones go through
        // the system's cache, which the barrier before the superblock empties.
        let result = if self.buffer.len() >= DIRECT_MIN {
            self.inner.storage.write_direct(&self.buffer, offset)
        } else {
            self.inner.storage.write_at(&self.buffer, offset)
        };
        let result = result.map_err(|e| Error::io("writing pages", offset, e));
        self.inner.poison.on_failure(result)?;
        count(self.written, self.buffer.len());
        let length = self.buffer.len();
        self.buffer.clear();
        if let Some(pace) = &mut self.pace {
            if pace.wrote(length) {
                let synced = self.inner.storage.sync();
                let synced = synced.map_err(|e| Error::io("syncing pages", None, e));
                self.inner.poison.on_failure(synced)?;
            }
            pace.pause(self.inner);
        }
        Ok(())
    }
}
