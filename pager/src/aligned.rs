//! A growable byte buffer whose start is aligned to a page, as direct I/O needs it.

use std::{
    io,
    ops::{Deref, DerefMut},
};

#[cfg(not(miri))]
type Memory = memmap2::MmapMut;
#[cfg(miri)]
type Memory = Vec<u8>;

/// Bytes at a page-aligned address.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    memory: Option<Memory>,
    length: usize,
}

impl Aligned {
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.len())
    }

    /// Makes room for `capacity` bytes in all.
    pub(crate) fn reserve(&mut self, capacity: usize) -> io::Result<()> {
        if capacity <= self.capacity() {
            return Ok(());
        }
        let capacity = capacity.next_power_of_two().max(64 << 10);
        #[cfg(not(miri))]
        let mut memory = memmap2::MmapMut::map_anon(capacity)?;
        #[cfg(miri)]
        let mut memory = vec![0; capacity];
        memory[..self.length].copy_from_slice(self);
        self.memory = Some(memory);
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
        self.memory.as_ref().map_or(&[], |memory| &memory[..self.length])
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        let length = self.length;
        self.memory.as_mut().map_or(&mut [], |memory| &mut memory[..length])
    }
}
