//! Pages and how they are named: [`PageId`], [`Pointer`], and the header that a node page carries.
//!
//! ```text
//! node page header, 64 bytes, little-endian
//!   0  u32  crc32 of bytes 4..page size
//!   4  u8   kind          5  u8  level        6  u16  (owner's)
//!   8  u64  page id, the page's own position
//!  16  u64  stamp, equal to the stamp in every pointer to it
//!  24  u64  tree id
//!  32  u64  store id
//!  40  24 bytes that belong to the page's owner
//! ```
//!
//! A node page verifies itself: a torn, stale, misplaced or foreign page fails at least one of
//! crc, page id, stamp and store id. A *raw* page has no header; its crc stands in the page map.

use crate::{
    error::{Corruption, Result},
    mutant,
};

/// Bytes of the header of a node page.
pub const HEADER: usize = 64;
/// Bytes of the header that the pager writes; the rest is the owner's.
pub const PAGER_HEADER: usize = 40;
/// The smallest page size, in bytes.
pub const PAGE_SIZE_MIN: usize = 4096;
/// The largest page size, in bytes.
pub const PAGE_SIZE_MAX: usize = 65536;

/// The position of a page in the file, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PageId(pub u64);

impl PageId {
    /// No page: position 0 holds a superblock, so no pointer ever names it.
    pub const NONE: PageId = PageId(0);
    /// Positions stop here: a page map entry is found by a 32-bit number.
    pub const LIMIT: u64 = 1 << 32;
}

impl std::fmt::Display for PageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A typed pointer to a node page: where it is, what it must be, and when it was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pointer {
    /// Position.
    pub page: PageId,
    /// What kind of node stands there (the owner's number).
    pub kind: u8,
    /// Height above the leaves.
    pub level: u8,
    /// The stamp of the transaction that made the page.
    pub stamp: u64,
}

impl Pointer {
    /// Bytes of an encoded pointer.
    pub const SIZE: usize = 16;
    /// Points nowhere (an empty tree).
    pub const NONE: Pointer = Pointer { page: PageId::NONE, kind: 0, level: 0, stamp: 0 };

    /// Does it point nowhere?
    pub fn is_none(&self) -> bool {
        self.page == PageId::NONE
    }

    /// `{page u48, kind u8, level u8, stamp u64}`, little-endian.
    pub fn encode(&self) -> [u8; Pointer::SIZE] {
        let mut out = [0; Pointer::SIZE];
        let word = self.page.0 & 0xFFFF_FFFF_FFFF
            | u64::from(self.kind) << 48
            | u64::from(self.level) << 56;
        out[..8].copy_from_slice(&word.to_le_bytes());
        out[8..].copy_from_slice(&self.stamp.to_le_bytes());
        out
    }

    /// The inverse of [`Pointer::encode`]; reads the first 16 bytes.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Pointer {
        let word = u64_at(bytes, 0);
        Pointer {
            page: PageId(word & 0xFFFF_FFFF_FFFF),
            kind: (word >> 48) as u8,
            level: (word >> 56) as u8,
            stamp: u64_at(bytes, 8),
        }
    }
}

/// Reads a little-endian `u64` at `at`.
#[inline]
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Reads a little-endian `u32` at `at`.
#[inline]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// Reads a little-endian `u16` at `at`.
#[inline]
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The header of a node page, without its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The checksum that stands in the page.
    pub crc: u32,
    /// What the page says it is, in the shape of the pointer that must lead to it.
    pub pointer: Pointer,
    /// The tree it belongs to.
    pub tree: u64,
    /// The store it belongs to.
    pub store: u64,
}

impl Header {
    /// Reads the header of a node page.
    pub fn read(page: &[u8]) -> Header {
        Header {
            crc: u32_at(page, 0),
            pointer: Pointer {
                page: PageId(u64_at(page, 8)),
                kind: page[4],
                level: page[5],
                stamp: u64_at(page, 16),
            },
            tree: u64_at(page, 24),
            store: u64_at(page, 32),
        }
    }

    /// Writes everything but the checksum, which is added in the I/O buffer.
    pub(crate) fn write(&self, page: &mut [u8]) {
        page[4] = self.pointer.kind;
        page[5] = self.pointer.level;
        put(page, 8, &self.pointer.page.0.to_le_bytes());
        put(page, 16, &self.pointer.stamp.to_le_bytes());
        put(page, 24, &self.tree.to_le_bytes());
        put(page, 32, &self.store.to_le_bytes());
    }
}

/// The kind that stands in the header of a node page.
#[inline]
pub fn kind(page: &[u8]) -> u8 {
    page[4]
}

/// Computes the checksum of a node page.
pub fn node_crc(page: &[u8]) -> u32 {
    crc32fast::hash(&page[4..])
}

/// Is `page` what `pointer` says, whole and of this store? The first difference is the error.
pub fn verify_node(page: &[u8], pointer: &Pointer, store: u64) -> Result<()> {
    let header = Header::read(page);
    let at = pointer.page.0;
    let check = |what, expected: u64, found: u64| {
        if expected == found { Ok(()) } else { Err(Corruption { page: at, what, expected, found }) }
    };
    if !mutant!(NodeChecksumUnchecked) {
        check("page checksum", u64::from(node_crc(page)), u64::from(header.crc))?;
    }
    if !mutant!(PageIdUnchecked) {
        check("page id in the header", at, header.pointer.page.0)?;
    }
    if !mutant!(NodeStoreUnchecked) {
        check("store id in the header", store, header.store)?;
    }
    check("page kind", u64::from(pointer.kind), u64::from(header.pointer.kind))?;
    check("page level", u64::from(pointer.level), u64::from(header.pointer.level))?;
    if !mutant!(NodeStampUnchecked) {
        check("page stamp", pointer.stamp, header.pointer.stamp)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_survives_its_encoding() {
        let pointer =
            Pointer { page: PageId(0x1234_5678_9ABC), kind: 7, level: 3, stamp: u64::MAX - 1 };
        assert_eq!(Pointer::decode(&pointer.encode()), pointer);
    }

    #[test]
    fn a_page_is_refused_when_any_byte_of_it_differs() {
        let pointer = Pointer { page: PageId(9), kind: 1, level: 0, stamp: 4 };
        let mut page = vec![0; PAGE_SIZE_MIN];
        Header { crc: 0, pointer, tree: 2, store: 77 }.write(&mut page);
        let crc = node_crc(&page);
        put(&mut page, 0, &crc.to_le_bytes());
        verify_node(&page, &pointer, 77).unwrap();
        for at in 0..page.len() {
            page[at] ^= 1;
            assert!(verify_node(&page, &pointer, 77).is_err(), "byte {at}");
            page[at] ^= 1;
        }
        assert!(verify_node(&page, &Pointer { stamp: 5, ..pointer }, 77).is_err());
        assert!(verify_node(&page, &Pointer { page: PageId(8), ..pointer }, 77).is_err());
        assert!(verify_node(&page, &pointer, 78).is_err());
    }
}
