//! Rows by the hash of their keys, where the rows themselves stand in somebody else's bytes.
//!
//! ```text
//!  hash of a key -> place | hash, row + 1 | 0 | hash, row + 1 | ...      open addressing, at most half full
//!                            the row's key is looked at in the owner's bytes; where it differs: the next place
//! ```
//!
//! The hash is keyed, since keys may be chosen by somebody who wishes ill.

use std::hash::{BuildHasher, RandomState};

/// The numbers of rows, to be found by their keys.
pub(crate) struct KeyIndex {
    hash: RandomState,
    /// Upper half: a hash. Lower half: a row's number and one; 0 if the place is free.
    entries: Vec<u64>,
    used: usize,
}

/// A free place, and the hash that belongs there.
pub(crate) struct Place {
    at: usize,
    hash: u32,
}

impl KeyIndex {
    fn places_for(rows: usize) -> usize {
        (2 * rows).next_power_of_two().max(1024)
    }

    /// Bytes that an index for so many rows takes.
    pub(crate) fn memory_for(rows: usize) -> usize {
        8 * KeyIndex::places_for(rows)
    }

    /// Bytes that it takes.
    pub(crate) fn memory(&self) -> usize {
        8 * self.entries.len()
    }

    /// An index that takes so many rows, less one, without growing.
    pub(crate) fn for_rows(rows: usize) -> KeyIndex {
        let entries = vec![0; KeyIndex::places_for(rows)];
        KeyIndex { hash: RandomState::new(), entries, used: 0 }
    }

    /// Bytes that looking up one key more may add, while old and new places stand side by side.
    pub(crate) fn growth(&self) -> usize {
        if self.is_half_full() { 16 * self.entries.len() } else { 0 }
    }

    fn is_half_full(&self) -> bool {
        2 * (self.used + 1) > self.entries.len()
    }

    /// The row that has this key, or where a new one belongs.
    pub(crate) fn place_of<'k>(
        &mut self,
        key: &[u8],
        key_of: impl Fn(usize) -> &'k [u8],
    ) -> Result<usize, Place> {
        if self.is_half_full() {
            self.double();
        }
        self.search(key, key_of)
    }

    /// The row that has this key.
    pub(crate) fn find<'k>(&self, key: &[u8], key_of: impl Fn(usize) -> &'k [u8]) -> Option<usize> {
        self.search(key, key_of).ok()
    }

    fn search<'k>(&self, key: &[u8], key_of: impl Fn(usize) -> &'k [u8]) -> Result<usize, Place> {
        let hash = (self.hash.hash_one(key) >> 32) as u32;
        let mut at = self.home(hash);
        loop {
            let entry = self.entries[at];
            match (entry as u32).checked_sub(1) {
                None => return Err(Place { at, hash }),
                Some(row) if (entry >> 32) as u32 == hash && key_of(row as usize) == key => {
                    return Ok(row as usize);
                }
                Some(_) => at = (at + 1) % self.entries.len(),
            }
        }
    }

    /// Enters a row whose key was not there.
    pub(crate) fn enter(&mut self, place: Place, row: usize) {
        self.entries[place.at] = u64::from(place.hash) << 32 | (row as u64 + 1);
        self.used += 1;
    }

    /// Where the search for a hash begins.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.entries.len() as u64) >> 32) as usize
    }

    fn double(&mut self) {
        let twice = 2 * self.entries.len();
        for entry in std::mem::replace(&mut self.entries, vec![0; twice]) {
            if entry != 0 {
                let mut at = self.home((entry >> 32) as u32);
                while self.entries[at] != 0 {
                    at = (at + 1) % twice;
                }
                self.entries[at] = entry;
            }
        }
    }
}
