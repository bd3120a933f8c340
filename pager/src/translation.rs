//! `PageId -> frame`: three levels of flat arrays, read without a lock.
//!
//! ```text
//! page id:  [ 10 bits ][ 10 bits ][ 12 bits ]
//!              root  ->   middle ->   chunk of 4096 words: frame + 1, or 0
//! ```
//!
//! Middles and chunks are made on first use and kept: 4 bytes for each page of those 16 MiB pieces
//! of the file (at 4 KiB pages) that were ever touched, 0.1 % of the data at most.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use crate::arena::prefetch;

const CHUNK_BITS: u32 = 12;
const MIDDLE_BITS: u32 = 10;

type Chunk = Box<[AtomicU32]>;
type Middle = Box<[OnceLock<Chunk>]>;

pub(crate) struct Translation {
    root: Box<[OnceLock<Middle>]>,
}

impl Translation {
    pub(crate) fn new() -> Translation {
        Translation {
            root: (0..1 << (32 - CHUNK_BITS - MIDDLE_BITS)).map(|_| OnceLock::new()).collect(),
        }
    }

    #[inline]
    fn split(page: u64) -> (usize, usize, usize) {
        (
            (page >> (CHUNK_BITS + MIDDLE_BITS)) as usize,
            (page >> CHUNK_BITS) as usize & ((1 << MIDDLE_BITS) - 1),
            page as usize & ((1 << CHUNK_BITS) - 1),
        )
    }

    /// The frame that holds `page`, if any. Positions past the limit have none.
    #[inline]
    pub(crate) fn get(&self, page: u64) -> Option<u32> {
        self.place(page)?.load(Ordering::Acquire).checked_sub(1)
    }

    /// Asks for the memory that [`Translation::get`] will read.
    #[inline]
    pub(crate) fn prefetch(&self, page: u64) {
        if let Some(word) = self.place(page) {
            prefetch(word);
        }
    }

    #[inline]
    fn place(&self, page: u64) -> Option<&AtomicU32> {
        let (root, middle, chunk) = Translation::split(page);
        Some(&self.root.get(root)?.get()?[middle].get()?[chunk])
    }

    fn word(&self, page: u64) -> &AtomicU32 {
        let (root, middle, chunk) = Translation::split(page);
        let middles = self.root[root]
            .get_or_init(|| (0..1 << MIDDLE_BITS).map(|_| OnceLock::new()).collect());
        let chunks = middles[middle]
            .get_or_init(|| (0..1 << CHUNK_BITS).map(|_| AtomicU32::new(0)).collect());
        &chunks[chunk]
    }

    /// Maps `page` to `frame`; returns the frame it was mapped to before.
    pub(crate) fn set(&self, page: u64, frame: u32) -> Option<u32> {
        self.word(page).swap(frame + 1, Ordering::AcqRel).checked_sub(1)
    }

    /// Unmaps `page`; returns the frame it was mapped to.
    pub(crate) fn clear(&self, page: u64) -> Option<u32> {
        self.get(page)?;
        self.word(page).swap(0, Ordering::AcqRel).checked_sub(1)
    }

    /// Unmaps `page` if it is still mapped to `frame`.
    pub(crate) fn clear_if(&self, page: u64, frame: u32) {
        let _ = self.word(page).compare_exchange(frame + 1, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}
