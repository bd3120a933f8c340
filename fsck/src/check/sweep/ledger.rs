//! What the sweep keeps of each page: sixteen bytes.
//!
//! ```text
//! left   u32   owners that the map counts and that were not met yet; the highest bit: it counted several
//! crc    u32   the map's checksum
//! print  u64   a hash of all that the first owner knew of the page; 0: nobody was met yet
//! ```
//!
//! Owners are met by several threads in any order. Whoever is first reads the page; the others know
//! the same of it if their hash is the same.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use cowslip_pager::{map::Entry, prefetch};

use crate::check::{Check, PageMap};

/// The map counted several owners.
const SHARED: u32 = 1 << 31;

struct Page {
    left: AtomicU32,
    crc: u32,
    print: AtomicU64,
}

pub(super) struct Ledger(Vec<Page>);

/// What a page is used as: the lowest bits of its print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Node = 0,
    /// The first page of a large value.
    Extent = 1,
    /// Another page of one.
    Body = 2,
    /// Superblocks, map, log.
    Fixed = 3,
}

const USE_BITS: u64 = 3;

/// What was known of a page when one more owner was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: it is to be read.
    First,
    /// The same.
    Again,
    /// Something else of the same use, which may be right as well.
    Other,
    /// There is no such page, it has another use, the map counts fewer owners, or a young page has several.
    Wrong,
}

impl Ledger {
    /// Of the whole map. `None`: it is not readable, or there is not enough memory.
    pub(super) fn read(check: &mut Check<'_>, map: &mut PageMap, pages: u64) -> Option<Ledger> {
        let count = usize::try_from(pages).ok()?;
        let mut ledger = Vec::new();
        ledger.try_reserve_exact(count).ok()?;
        for group in 0..check.geometry.groups(pages) {
            let bytes = map.group(check, group)?;
            let there = (count - ledger.len()).min(check.geometry.group_pages as usize);
            for index in 0..there {
                let Entry { count, crc } = Entry::decode(bytes, index);
                if count >= SHARED {
                    return None;
                }
                let shared = if count > 1 { SHARED } else { 0 };
                let left = AtomicU32::new(count | shared);
                ledger.push(Page { left, crc, print: AtomicU64::new(0) });
            }
        }
        Some(Ledger(ledger))
    }

    pub(super) fn pages(&self) -> usize {
        self.0.len()
    }

    fn page(&self, page: u64) -> Option<&Page> {
        self.0.get(usize::try_from(page).ok()?)
    }

    /// The page will be claimed soon.
    #[inline]
    pub(super) fn expect(&self, page: u64) {
        if let Some(page) = self.page(page) {
            prefetch(page);
        }
    }

    /// One more owner, who knows `print` of the page, and if it is `young` that nobody else has it.
    #[inline]
    pub(super) fn claim(&self, page: u64, used: Use, print: u64, young: bool) -> Claim {
        // Not 0.
        let print = (print | 1 << 63) & !USE_BITS | used as u64;
        let Some(page) = self.page(page) else { return Claim::Wrong };
        let before = page.left.fetch_sub(1, Relaxed);
        if before & !SHARED == 0 || young && before & SHARED != 0 {
            return Claim::Wrong;
        }
        let mut there = page.print.load(Relaxed);
        if there == 0 {
            match page.print.compare_exchange(0, print, Relaxed, Relaxed) {
                Ok(_) => return Claim::First,
                Err(other) => there = other,
            }
        }
        match there ^ print {
            0 => Claim::Again,
            differs if differs & USE_BITS == 0 => Claim::Other,
            _ => Claim::Wrong,
        }
    }

    /// So many more owners, who know of the page what one did who was met. False: the map counts fewer.
    pub(super) fn claim_more(&self, page: u64, owners: u32) -> bool {
        let before = self.page(page).map_or(0, |page| page.left.fetch_sub(owners, Relaxed));
        before & !SHARED >= owners
    }

    /// Does the map count several owners?
    #[inline]
    pub(super) fn is_shared(&self, page: u64) -> bool {
        self.page(page).is_some_and(|page| page.left.load(Relaxed) & SHARED != 0)
    }

    /// Owners that were not met.
    pub(super) fn left(&self, page: u64) -> u32 {
        self.page(page).map_or(0, |page| page.left.load(Relaxed) & !SHARED)
    }

    /// The map's checksum of a page; of none: 0.
    pub(super) fn crc(&self, page: u64) -> u32 {
        self.page(page).map_or(0, |page| page.crc)
    }
}

/// A hash of 64 bits for what no chance makes equal; not against people who look for collisions, who
/// could as well write a store that is sound.
#[derive(Clone, Copy)]
pub(super) struct Print(u64);

impl Print {
    pub(super) fn new(seed: u64) -> Print {
        Print(seed ^ 0x243F_6A88_85A3_08D3)
    }

    #[inline]
    #[must_use]
    pub(super) fn word(self, word: u64) -> Print {
        // Each step can be undone: two prints that differ in one word are never equal.
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Print(mixed ^ mixed >> 32)
    }

    #[inline]
    #[must_use]
    pub(super) fn bytes(self, bytes: &[u8]) -> Print {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut print = self.word(bytes.len() as u64);
        for &word in words {
            print = print.word(u64::from_le_bytes(word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            print = print.word(u64::from_le_bytes(word));
        }
        print
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }
}
