//! Reading large values: straight from the file, or from memory where they are kept.
//!
//! Promises that no byte is given out whose page does not have the checksum that the map says; of a value as a whole
//! also that the map's checksums are those that its pointer speaks of.

use std::sync::Arc;

use super::{Inner, Pager};
use crate::{
    error::{Error, Result},
    extent::Extent,
    mutant,
    page::PageId,
};

impl Pager {
    /// Reads `out.len()` bytes of an extent from `offset` on; every page is verified.
    pub fn read_extent(&self, extent: &Extent, offset: u64, out: &mut [u8]) -> Result<()> {
        self.inner.read_extent(extent, offset, out)
    }

    /// A large value, whole and verified: from memory, or from the file, and then kept in memory if there is
    /// room. It has to be one that memory can hold: nothing here bounds it.
    pub fn value(&self, extent: &Extent) -> Result<Arc<Vec<u8>>> {
        let cache = &self.inner.cache;
        if let Some(bytes) = cache.values().get(extent) {
            return Ok(bytes);
        }
        let bytes = Arc::new(self.inner.read_value(extent)?);
        cache.keep_value(extent, &bytes);
        Ok(bytes)
    }

    /// The same, and not kept: for whoever passes by once.
    pub fn value_in_passing(&self, extent: &Extent) -> Result<Vec<u8>> {
        self.inner.read_value(extent)
    }

    /// Verifies an extent as a whole: the crc over its pages' crcs.
    pub fn verify_extent(&self, extent: &Extent) -> Result<()> {
        self.inner.verify_extent(extent)
    }
}

impl Inner {
    pub(crate) fn read_extent(&self, extent: &Extent, offset: u64, out: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > extent.length) {
            return Err(Error::InvalidArgument(format!(
                "bytes {offset}.. of a value of {} bytes",
                extent.length
            )));
        }
        let size = self.geometry.page_size;
        // Up to 1 MiB at a time, from the page that `offset` lies in.
        let batch = ((1 << 20) / size).max(1);
        let mut buffer = Vec::new();
        let mut crcs = Vec::new();
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let first = at / size as u64;
            let within = (at % size as u64) as usize;
            let left_pages = (within + out.len() - done).div_ceil(size);
            let (start, run_left) = locate(extent, first);
            let pages = left_pages.min(batch).min(run_left as usize);
            crcs.clear();
            {
                let mut space = self.space.lock();
                for i in 0..pages as u64 {
                    let page = PageId(start.0 + i);
                    crcs.push(space.entry(page)?.crc);
                }
            }
            // Whole pages go straight to the caller's memory.
            let bytes = pages * size;
            let direct = within == 0 && out.len() - done >= bytes;
            let target = if direct {
                &mut out[done..done + bytes]
            } else {
                buffer.resize(bytes, 0);
                &mut buffer[..]
            };
            self.read_page(start, target)?;
            for (i, page) in target.chunks_exact(size).enumerate() {
                let crc = crc32fast::hash(page);
                if crc != crcs[i] && !mutant!(RawPageChecksumUnchecked) {
                    return Err(Error::corrupted(
                        start.0 + i as u64,
                        "checksum of a large value's page",
                        crcs[i].into(),
                        crc.into(),
                    ));
                }
            }
            let got = (bytes - within).min(out.len() - done);
            if !direct {
                out[done..done + got].copy_from_slice(&buffer[within..within + got]);
            }
            done += got;
        }
        Ok(())
    }

    fn read_value(&self, extent: &Extent) -> Result<Vec<u8>> {
        self.verify_extent(extent)?;
        let mut bytes = vec![0; extent.length as usize];
        self.read_extent(extent, 0, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn verify_extent(&self, extent: &Extent) -> Result<()> {
        let mut crc = crc32fast::Hasher::new();
        for run in &extent.runs {
            // The lock is let go now and then: a writer may be waiting for it.
            let mut page = run.start.0;
            while page < run.end() {
                let mut space = self.space.lock();
                for page in page..run.end().min(page + 4096) {
                    crc.update(&space.entry(PageId(page))?.crc.to_le_bytes());
                }
                page += 4096;
            }
        }
        extent.check_crc(crc.finalize())
    }
}

/// The place of the extent's page number `index`, and the pages left in its run.
fn locate(extent: &Extent, index: u64) -> (PageId, u64) {
    let mut left = index;
    for run in &extent.runs {
        if left < run.length {
            return (PageId(run.start.0 + left), run.length - left);
        }
        left -= run.length;
    }
    // The caller has compared with the length, and decoding the pages with the length.
    (PageId::NONE, 1)
}
