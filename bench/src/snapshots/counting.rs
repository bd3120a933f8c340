//! A storage that counts what is written to it, told apart by where it stands in the file.

use std::io;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cowslip::Storage;
use cowslip::storage::FileStorage;
use cowslip_pager::PageId;
use cowslip_pager::geometry::{Geometry, SUPERBLOCK_AREA};

/// Bytes that were written since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// All of them.
    pub(super) total: u64,
    /// Those of superblocks and page map: what keeping counts costs. 0 of a store without such.
    pub(super) counts: u64,
}

impl Sub for Written {
    type Output = Written;

    fn sub(self, before: Written) -> Written {
        Written { total: self.total - before.total, counts: self.counts - before.counts }
    }
}

/// The counters of one storage.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    total: AtomicU64,
    counts: AtomicU64,
}

impl Traffic {
    pub(super) fn written(&self) -> Written {
        Written {
            total: self.total.load(Ordering::Relaxed),
            counts: self.counts.load(Ordering::Relaxed),
        }
    }

    /// So many bytes were written; `counts`: to superblocks or page map.
    pub(super) fn add(&self, bytes: usize, counts: bool) {
        self.total.fetch_add(bytes as u64, Ordering::Relaxed);
        if counts {
            self.counts.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

/// A file of Cowslip's, counted.
#[derive(Debug)]
pub(super) struct Counting {
    file: FileStorage,
    geometry: Geometry,
    traffic: Arc<Traffic>,
}

impl Counting {
    pub(super) fn new(file: FileStorage, page_size: usize, traffic: Arc<Traffic>) -> Option<Self> {
        Some(Counting { file, geometry: Geometry::new(page_size)?, traffic })
    }

    fn count(&self, bytes: usize, offset: u64) {
        // One write never spans the map and something else: the reserved places have an end of their
        // own in each region, and are written page by page.
        let page = PageId(offset / self.geometry.page_size as u64);
        self.traffic.add(bytes, offset < SUPERBLOCK_AREA || self.geometry.is_reserved(page));
    }
}

impl Storage for Counting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.count(buf.len(), offset);
        self.file.write_at(buf, offset)
    }

    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.count(buf.len(), offset);
        self.file.write_direct(buf, offset)
    }

    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.count(buf.len(), offset);
        self.file.write_durable(buf, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn is_read_only(&self) -> bool {
        self.file.is_read_only()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_told_from_pages() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let traffic = Arc::new(Traffic::default());
        let file = FileStorage::create(directory.path().join("file"))?;
        let storage = Counting::new(file, 4096, traffic.clone()).expect("a page size");
        storage.set_len(1 << 20)?;
        storage.write_durable(&[0; 4096], 0)?;
        storage.write_at(&[0; 4096], SUPERBLOCK_AREA)?;
        storage.write_direct(&[0; 8192], (1 << 20) - 8192)?;
        assert_eq!(traffic.written(), Written { total: 16384, counts: 8192 });
        Ok(())
    }
}
