//! A storage that keeps what is written to it in memory, above another one that stays as it is.
//!
//! Opening a store for reading uses it when the log holds transactions: recovery then works as
//! always, spills and checkpoints included, and the file is not touched. It takes as much memory as
//! the replay of one log writes, which the log's size bounds.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;

use super::{BLOCK, Storage};

/// Memory above a storage that is only read.
#[derive(Debug)]
pub struct OverlayStorage {
    base: Arc<dyn Storage>,
    length: AtomicU64,
    blocks: RwLock<HashMap<u64, Box<[u8; BLOCK]>>>,
}

const B: u64 = BLOCK as u64;

impl OverlayStorage {
    /// An overlay without any block of its own.
    pub fn new(base: Arc<dyn Storage>) -> io::Result<OverlayStorage> {
        let length = AtomicU64::new(base.len()?);
        Ok(OverlayStorage { base, length, blocks: RwLock::new(HashMap::new()) })
    }

    /// Reads from below; zeros where the base ends.
    fn read_base(&self, out: &mut [u8], offset: u64, direct: bool) -> io::Result<()> {
        let there = self.base.len()?.saturating_sub(offset).min(out.len() as u64) as usize;
        match direct {
            true => self.base.read_direct(&mut out[..there], offset)?,
            false => self.base.read_at(&mut out[..there], offset)?,
        }
        out[there..].fill(0);
        Ok(())
    }

    fn read(&self, buf: &mut [u8], offset: u64, direct: bool) -> io::Result<()> {
        if offset + buf.len() as u64 > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_base(buf, offset, direct)?;
        let blocks = self.blocks.read();
        if blocks.is_empty() || buf.is_empty() {
            return Ok(());
        }
        let end = offset + buf.len() as u64;
        for number in offset / B..end.div_ceil(B) {
            let Some(block) = blocks.get(&number) else { continue };
            let from = offset.max(number * B);
            let to = end.min((number + 1) * B);
            buf[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&block[(from % B) as usize..][..(to - from) as usize]);
        }
        Ok(())
    }
}

impl Storage for OverlayStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length.load(Ordering::Acquire))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.length.store(len, Ordering::Release);
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read(buf, offset, false)
    }

    fn read_direct(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read(buf, offset, true)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        self.length.fetch_max(end, Ordering::AcqRel);
        let mut blocks = self.blocks.write();
        let mut at = offset;
        while at < end {
            let number = at / B;
            let to = end.min((number + 1) * B);
            let block = match blocks.entry(number) {
                Entry::Occupied(block) => block.into_mut(),
                Entry::Vacant(place) => {
                    let mut block = Box::new([0; BLOCK]);
                    self.read_base(&mut block[..], number * B, false)?;
                    place.insert(block)
                }
            };
            block[(at % B) as usize..][..(to - at) as usize]
                .copy_from_slice(&buf[(at - offset) as usize..(to - offset) as usize]);
            at = to;
        }
        Ok(())
    }

    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(buf, offset)
    }

    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
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
    use crate::storage::MemoryStorage;

    #[test]
    fn the_base_stays_as_it_is_and_the_overlay_reads_as_written() {
        let base = Arc::new(MemoryStorage::new());
        base.write_at(&[1; 10_000], 0).unwrap();
        let overlay = OverlayStorage::new(base.clone()).unwrap();
        overlay.write_at(&[2; 5000], 3000).unwrap();
        overlay.set_len(20_000).unwrap();
        overlay.write_at(&[3; 10], 19_990).unwrap();
        let mut expected = vec![1; 10_000];
        expected[3000..8000].fill(2);
        expected.resize(20_000, 0);
        expected[19_990..].fill(3);
        let mut found = vec![9; 20_000];
        overlay.read_at(&mut found, 0).unwrap();
        assert_eq!(found, expected);
        let mut part = vec![9; 300];
        overlay.read_at(&mut part, 2900).unwrap();
        assert_eq!(part, expected[2900..3200]);
        assert!(overlay.read_at(&mut part, 19_900).is_err());
        let mut below = vec![0; 10_000];
        base.read_at(&mut below, 0).unwrap();
        assert_eq!(below, vec![1; 10_000]);
        assert_eq!(base.len().unwrap(), 10_000);
    }
}
