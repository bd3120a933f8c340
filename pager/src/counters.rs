//! What a store has done since it was opened, in figures that anybody may read at any time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes written since the store was opened, by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BytesWritten {
    /// Records of the log, with the rest of their blocks, and rings that were cleared.
    pub log: u64,
    /// Nodes and large values.
    pub pages: u64,
    /// Groups and directory of the page map.
    pub map: u64,
    /// Superblocks.
    pub superblock: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) log: AtomicU64,
    pub(crate) pages: AtomicU64,
    pub(crate) map: AtomicU64,
    pub(crate) superblock: AtomicU64,
    /// Bytes among those of `pages` that write-behind has written.
    pub(crate) written_behind: AtomicU64,
    /// Commits that went on with a version.
    pub(crate) continued: AtomicU64,
    /// Counts that commits have entered in the map, but for new pages.
    pub(crate) count_changes: AtomicU64,
}

impl Counters {
    pub(crate) fn bytes_written(&self) -> BytesWritten {
        BytesWritten {
            log: self.log.load(Ordering::Relaxed),
            pages: self.pages.load(Ordering::Relaxed),
            map: self.map.load(Ordering::Relaxed),
            superblock: self.superblock.load(Ordering::Relaxed),
        }
    }
}

/// Adds the length of what was written.
pub(crate) fn count(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(bytes as u64, Ordering::Relaxed);
}
