//! Hash tables by the number of a page or a group.
//!
//! The general hash of the standard library is for keys that somebody may choose; it costs more than
//! all else that is done with a count. Numbers of pages are chosen by the store itself.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

use crate::page::PageId;

/// A table by number.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;
/// A set of pages.
pub(crate) type PageSet = HashSet<PageId, BuildHasherDefault<NumberHasher>>;

/// Multiplies, and puts the bits that depend on all of the number where the tables look.
#[derive(Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio's: Knuth's multiplicative hash.
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}
