//! Storage in memory, for databases that need not outlive the process.
//!
//! The bytes lie in chunks of 1 MiB behind one reader-writer lock, so growing appends a chunk and
//! never copies what is already there:
//!
//! ```text
//!   chunks  ──► [ 1 MiB ][ 1 MiB ][ 1 MiB ]
//!   len     ─────────────────────────┘        bytes past `len` are always zero
//! ```
//!
//! Promise: it behaves as a file that is durable at every moment and reports
//! [`io::ErrorKind::StorageFull`] when it would exceed its limit.

use super::{Storage, check_durable, end_of};
use parking_lot::RwLock;
use std::{io, ops::Range};

/// Bytes in a chunk: small enough for a test, large enough for the list of chunks to stay short.
const CHUNK: usize = 1 << 20;

/// A [`Storage`] in memory; see the [module documentation](self).
pub struct MemoryStorage {
    limit: u64,
    bytes: RwLock<Bytes>,
}

#[derive(Default)]
struct Bytes {
    chunks: Vec<Box<[u8]>>,
    len: u64,
}

impl MemoryStorage {
    /// An empty storage without a limit.
    pub fn new() -> Self {
        Self::with_limit(u64::MAX)
    }

    /// An empty storage that never grows beyond `bytes`.
    pub fn with_limit(bytes: u64) -> Self {
        Self { limit: bytes, bytes: RwLock::default() }
    }

    fn resize(&self, bytes: &mut Bytes, len: u64) -> io::Result<()> {
        if len > bytes.len && len > self.limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.resize(len);
        Ok(())
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStorage").field("len", &self.bytes.read().len).finish()
    }
}

impl Bytes {
    fn resize(&mut self, len: u64) {
        let chunks = usize::try_from(len.div_ceil(CHUNK as u64)).expect("fits the address space");
        if len < self.len {
            self.chunks.truncate(chunks);
            // Growing again must find zeros.
            if let Some(last) = self.chunks.last_mut() {
                last[(len - (chunks as u64 - 1) * CHUNK as u64) as usize..].fill(0);
            }
        } else {
            self.chunks.resize_with(chunks, || vec![0; CHUNK].into_boxed_slice());
        }
        self.len = len;
    }
}

/// The pieces of a range of bytes: for each chunk touched, its number, the range inside it and
/// the matching range of the caller's buffer.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % CHUNK as u64) as usize;
        let count = (CHUNK - within).min(len - done);
        let piece = ((at / CHUNK as u64) as usize, within..within + count, done..done + count);
        done += count;
        (count > 0).then_some(piece)
    })
}

impl Storage for MemoryStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.resize(&mut self.bytes.write(), len)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.bytes.read();
        if !buf.is_empty() && end_of(buf, offset)? > bytes.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (chunk, from, to) in pieces(offset, buf.len()) {
            buf[to].copy_from_slice(&bytes.chunks[chunk][from]);
        }
        Ok(())
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let end = end_of(buf, offset)?;
        let mut bytes = self.bytes.write();
        if !buf.is_empty() && end > bytes.len {
            self.resize(&mut bytes, end)?;
        }
        for (chunk, to, from) in pieces(offset, buf.len()) {
            bytes.chunks[chunk][to].copy_from_slice(&buf[from]);
        }
        Ok(())
    }

    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(buf, offset)
    }

    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        check_durable(buf, offset, self.len()?)?;
        self.write_at(buf, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_across_chunks_are_read_back() {
        let storage = MemoryStorage::new();
        let data: Vec<u8> = (0..2 * CHUNK + 77).map(|i| i as u8 ^ (i >> 8) as u8).collect();
        storage.write_at(&data, 4000).unwrap();
        assert_eq!(storage.len().unwrap(), 4000 + data.len() as u64);
        let mut back = vec![1; data.len()];
        storage.read_at(&mut back, 4000).unwrap();
        assert!(back == data);
    }

    #[test]
    fn what_was_cut_off_comes_back_as_zeros() {
        let storage = MemoryStorage::new();
        storage.write_at(&[7; 10], 0).unwrap();
        for short in [4, 0] {
            storage.set_len(short).unwrap();
            storage.set_len(3 * CHUNK as u64).unwrap();
            let mut back = [9; 10];
            storage.read_at(&mut back, 0).unwrap();
            assert!(back[short as usize..].iter().all(|&b| b == 0));
        }
        // Shrinking to exactly a chunk's end keeps that chunk.
        storage.write_at(&[5], CHUNK as u64 - 1).unwrap();
        storage.set_len(CHUNK as u64).unwrap();
        let mut last = [0];
        storage.read_at(&mut last, CHUNK as u64 - 1).unwrap();
        assert_eq!(last, [5]);
    }

    #[test]
    fn the_limit_is_a_full_disk_and_changes_nothing() {
        let storage = MemoryStorage::with_limit(8192);
        storage.set_len(8192).unwrap();
        for full in [storage.set_len(8193), storage.write_at(&[1, 2], 8191)] {
            assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(storage.len().unwrap(), 8192);
    }

    #[test]
    fn reading_past_the_end_is_an_unexpected_end() {
        let storage = MemoryStorage::new();
        storage.set_len(10).unwrap();
        let error = storage.read_at(&mut [0; 4], 7).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        storage.read_at(&mut [], 99).unwrap();
    }

    #[test]
    fn durable_writes_keep_to_whole_blocks_inside_the_length() {
        let storage = MemoryStorage::new();
        storage.set_len(8192).unwrap();
        storage.write_durable(&[1; 4096], 4096).unwrap();
        for (len, offset) in [(4095, 0), (4096, 1), (4096, 8192)] {
            let error = storage.write_durable(&vec![0; len], offset).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
