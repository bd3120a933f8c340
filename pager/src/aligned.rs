//! A growable byte buffer whose start is aligned to a page, as direct I/O needs it.

use std::{
    io,
    ops::{Deref, DerefMut},
};

/// What the start of the bytes is a multiple of.
const ALIGNMENT: usize = 4096;

/// Bytes at a page-aligned address.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    /// Longer than the capacity by what the alignment may take.
    memory: Vec<u8>,
    /// Where the bytes begin in it.
    start: usize,
    length: usize,
}

impl Aligned {
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.len().saturating_sub(ALIGNMENT)
    }

    /// Makes room for `capacity` bytes in all.
    pub(crate) fn reserve(&mut self, capacity: usize) -> io::Result<()> {
        if capacity <= self.capacity() {
            return Ok(());
        }
        let capacity = capacity.next_power_of_two().max(64 << 10);
        let mut memory = Vec::new();
        memory.try_reserve_exact(capacity + ALIGNMENT).map_err(io::Error::other)?;
        memory.resize(capacity + ALIGNMENT, 0);
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        memory[start..start + self.length].copy_from_slice(self);
        (self.memory, self.start) = (memory, start);
        Ok(())
    }

    /// Appends bytes; room must have been reserved.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let start = self.length;
        self.length += bytes.len();
        self[start..].copy_from_slice(bytes);
    }

    /// Fills up with zeros to `length` bytes, or cuts off what is beyond; room must be there.
    pub(crate) fn resize(&mut self, length: usize) {
        let old = self.length;
        self.length = length;
        if length > old {
            self[old..].fill(0);
        }
    }

    /// Removes the first `count` bytes.
    pub(crate) fn drain_front(&mut self, count: usize) {
        let length = self.length;
        self[..].copy_within(count..length, 0);
        self.length -= count;
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}
