//! Extents: large values, in runs of raw pages outside the trees.
//!
//! An extent is owned and counted as one, at its first page. Its bytes go straight to the file, in
//! page-sized pieces as they arrive, so a value of any size takes no memory; the last page is filled
//! up with zeros. Each page's crc stands in the page map, and a crc over those crcs in the extent
//! itself.
//!
//! ```text
//! encoded: length u64 | stamp u64 | crc u32 | runs u16 | zero u16 | runs x { start u48, pages u32 }
//! ```

use crate::{
    error::{Error, Result},
    page::{PageId, put, u16_at, u32_at, u64_at},
    space::{Run, Space},
};

/// A large value: where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the value.
    pub length: u64,
    /// Stamp of the transaction that wrote it.
    pub stamp: u64,
    /// crc32 over the little-endian crc32s of its pages, in order.
    pub crc: u32,
    /// Its pages, in order.
    pub runs: Vec<Run>,
}

impl Extent {
    /// Most runs that an extent may have: its encoding then fits a quarter of the smallest page.
    pub const RUNS_MAX: usize = 90;
    const FIXED: usize = 24;
    const RUN: usize = 10;

    /// The page at which its owners are counted.
    pub fn head(&self) -> PageId {
        self.runs.first().map_or(PageId::NONE, |run| run.start)
    }

    /// Its pages in order.
    pub fn pages(&self) -> impl Iterator<Item = PageId> + '_ {
        self.runs.iter().flat_map(|run| (run.start.0..run.end()).map(PageId))
    }

    /// The crc over its pages' crcs as the map has them at one moment.
    pub(crate) fn crc_in_map(&self, space: &mut Space) -> Result<u32> {
        let mut crc = crc32fast::Hasher::new();
        for page in self.pages() {
            crc.update(&space.entry(page)?.crc.to_le_bytes());
        }
        Ok(crc.finalize())
    }

    /// Compares it with what such a crc has come to.
    pub(crate) fn check_crc(&self, found: u32) -> Result<()> {
        if found == self.crc {
            return Ok(());
        }
        let what = "checksum of a large value";
        Err(Error::corrupted(self.head().0, what, self.crc.into(), found.into()))
    }

    /// Pages that a value of `length` bytes takes (at least one, so that it has a head).
    pub fn pages_for(length: u64, page_size: usize) -> u64 {
        length.div_ceil(page_size as u64).max(1)
    }

    /// The bytes that stand in a leaf.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; Extent::FIXED + Extent::RUN * self.runs.len()];
        put(&mut out, 0, &self.length.to_le_bytes());
        put(&mut out, 8, &self.stamp.to_le_bytes());
        put(&mut out, 16, &self.crc.to_le_bytes());
        put(&mut out, 20, &(self.runs.len() as u16).to_le_bytes());
        for (i, run) in self.runs.iter().enumerate() {
            let at = Extent::FIXED + Extent::RUN * i;
            put(&mut out, at, &run.start.0.to_le_bytes()[..6]);
            put(&mut out, at + 6, &(run.length as u32).to_le_bytes());
        }
        out
    }

    /// The inverse of [`Extent::encode`]; bytes from a file, so everything is checked. `page` is
    /// where they stand, for the error.
    pub fn decode(bytes: &[u8], page: PageId, page_size: usize) -> Result<Extent> {
        let fault = |what, expected, found| Err(Error::corrupted(page.0, what, expected, found));
        if bytes.len() < Extent::FIXED {
            return fault("extent size", Extent::FIXED as u64, bytes.len() as u64);
        }
        let count = usize::from(u16_at(bytes, 20));
        let size = Extent::FIXED + Extent::RUN * count;
        if bytes.len() != size || count > Extent::RUNS_MAX || u16_at(bytes, 22) != 0 {
            return fault("extent size", size as u64, bytes.len() as u64);
        }
        let extent = Extent {
            length: u64_at(bytes, 0),
            stamp: u64_at(bytes, 8),
            crc: u32_at(bytes, 16),
            runs: (0..count)
                .map(|i| {
                    let at = Extent::FIXED + Extent::RUN * i;
                    let mut start = [0; 8];
                    start[..6].copy_from_slice(&bytes[at..at + 6]);
                    Run {
                        start: PageId(u64::from_le_bytes(start)),
                        length: u32_at(bytes, at + 6).into(),
                    }
                })
                .collect(),
        };
        let pages: u64 = extent.runs.iter().map(|run| run.length).sum();
        let wanted = Extent::pages_for(extent.length, page_size);
        if pages != wanted || extent.runs.iter().any(|r| r.length == 0 || r.end() > PageId::LIMIT) {
            return fault("pages of an extent", wanted, pages);
        }
        Ok(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_survives_its_encoding_and_nothing_shorter_does() {
        let extent = Extent {
            length: 3 * 4096 + 1,
            stamp: 8,
            crc: 77,
            runs: vec![
                Run { start: PageId(900), length: 3 },
                Run { start: PageId(0xFFFF_0000), length: 1 },
            ],
        };
        let bytes = extent.encode();
        assert_eq!(Extent::decode(&bytes, PageId(1), 4096).unwrap(), extent);
        for cut in 0..bytes.len() {
            assert!(Extent::decode(&bytes[..cut], PageId(1), 4096).is_err());
        }
        assert!(Extent::decode(&bytes, PageId(1), 8192).is_err(), "too many pages");
    }
}
