//! The bytes of a whole disk, in blocks that images share until one of them writes.

use std::{
    io,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::index;
use crate::storage::BLOCK;

/// The bytes of a whole disk. Cloning costs one count a block; a write copies what it touches.
///
/// Bytes of the last block that lie past the end are zero.
#[derive(Clone, Debug, Default)]
pub struct Image {
    blocks: Vec<Arc<Block>>,
    length: u64,
}

/// 4 KiB of an [`Image`], with a hash that is computed when first asked for.
#[derive(Debug)]
pub struct Block {
    bytes: [u8; BLOCK],
    /// 0: not known yet.
    hash: AtomicU64,
}

static ZERO: LazyLock<Arc<Block>> = LazyLock::new(|| Arc::new(Block::new([0; BLOCK])));

impl Block {
    fn new(bytes: [u8; BLOCK]) -> Block {
        Block { bytes, hash: AtomicU64::new(0) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; BLOCK] {
        &self.bytes
    }

    /// A hash of its bytes: not against malice, but good enough to tell billions of blocks apart.
    pub fn hash(&self) -> u64 {
        match self.hash.load(Ordering::Relaxed) {
            0 => {
                let hash = hash(&self.bytes).max(1);
                self.hash.store(hash, Ordering::Relaxed);
                hash
            }
            known => known,
        }
    }
}

impl Block {
    /// A block of zeros.
    pub fn zero() -> Arc<Block> {
        ZERO.clone()
    }
}

impl Clone for Block {
    /// For a writer: the hash is not taken along.
    fn clone(&self) -> Block {
        Block::new(self.bytes)
    }
}

impl Image {
    /// No bytes at all.
    pub fn new() -> Image {
        Image::default()
    }

    /// Bytes from the first to the end.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bytes in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(index(self.length));
        for block in &self.blocks {
            bytes.extend_from_slice(&block.bytes);
        }
        bytes.truncate(index(self.length));
        bytes
    }

    /// How many blocks it has, the last of them perhaps not full.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// A block by its number; none past the end.
    pub fn block(&self, number: usize) -> Option<&Arc<Block>> {
        self.blocks.get(number)
    }

    /// Puts a block in the place of another.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    pub fn set_block(&mut self, number: usize, block: Arc<Block>) {
        self.blocks[number] = block;
        if number + 1 == self.blocks.len() {
            self.clear_tail();
        }
    }

    /// A hash of everything, the length included.
    pub fn fingerprint(&self) -> u64 {
        let start = mix(self.length);
        self.blocks.iter().fold(start, |all, block| mix(all ^ block.hash()))
    }

    /// Cuts it off, or adds zeros.
    pub fn set_len(&mut self, length: u64) {
        self.blocks.resize(index(length.div_ceil(BLOCK as u64)), ZERO.clone());
        self.length = length;
        self.clear_tail();
    }

    /// Keeps the promise about bytes past the end.
    fn clear_tail(&mut self) {
        let used = index(self.length % BLOCK as u64);
        if let Some(last) = self.blocks.last_mut().filter(|_| used > 0)
            && last.bytes[used..].iter().any(|&byte| byte != 0)
        {
            let last = Arc::make_mut(last);
            last.bytes[used..].fill(0);
            last.hash = AtomicU64::new(0);
        }
    }

    /// Fills `buf` from `offset`; [`io::ErrorKind::UnexpectedEof`] if there are not enough bytes.
    pub fn read(&self, mut buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = index(offset);
        while !buf.is_empty() {
            let within = at % BLOCK;
            let count = (BLOCK - within).min(buf.len());
            let (piece, rest) = buf.split_at_mut(count);
            piece.copy_from_slice(&self.blocks[at / BLOCK].bytes[within..within + count]);
            (buf, at) = (rest, at + count);
        }
        Ok(())
    }

    /// Writes `data` at `offset`, growing where needed.
    pub fn write(&mut self, mut data: &[u8], offset: u64) {
        let end = offset + data.len() as u64;
        if end > self.length {
            self.set_len(end);
        }
        let mut at = index(offset);
        while !data.is_empty() {
            let within = at % BLOCK;
            let (piece, rest) = data.split_at((BLOCK - within).min(data.len()));
            let block = &mut self.blocks[at / BLOCK];
            match <&[u8; BLOCK]>::try_from(piece) {
                Ok(whole) => *block = Arc::new(Block::new(*whole)),
                Err(_) => {
                    let block = Arc::make_mut(block);
                    block.bytes[within..within + piece.len()].copy_from_slice(piece);
                    block.hash = AtomicU64::new(0);
                }
            }
            at += piece.len();
            data = rest;
        }
    }
}

impl From<&[u8]> for Image {
    fn from(bytes: &[u8]) -> Image {
        let mut image = Image::new();
        image.write(bytes, 0);
        image
    }
}

impl From<Vec<u8>> for Image {
    fn from(bytes: Vec<u8>) -> Image {
        Image::from(&bytes[..])
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Image) -> bool {
        let same = |(a, b): (&Arc<Block>, &Arc<Block>)| Arc::ptr_eq(a, b) || a.bytes == b.bytes;
        self.length == other.length && self.blocks.iter().zip(&other.blocks).all(same)
    }
}

impl Eq for Image {}

const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(PRIME);
    (word ^ word >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ word >> 31
}

/// Four lanes, so that the multiplications overlap.
fn hash(bytes: &[u8; BLOCK]) -> u64 {
    let mut lanes = [1u64, 2, 3, 4];
    for chunk in bytes.chunks_exact(32) {
        for (lane, word) in lanes.iter_mut().zip(chunk.chunks_exact(8)) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            *lane = (*lane ^ word).wrapping_mul(PRIME).rotate_left(29);
        }
    }
    lanes.iter().fold(0, |all, &lane| mix(all ^ lane))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_share_until_one_of_them_writes() {
        let mut image = Image::from(vec![1; 3 * BLOCK]);
        let before = image.clone();
        image.write(&[2; 10], BLOCK as u64 + 5);
        assert!(Arc::ptr_eq(&image.blocks[0], &before.blocks[0]));
        assert!(!Arc::ptr_eq(&image.blocks[1], &before.blocks[1]));
        assert_eq!(before.to_vec(), vec![1; 3 * BLOCK]);
        assert_ne!(image, before);
        assert_ne!(image.fingerprint(), before.fingerprint());
        image.write(&[1; 10], BLOCK as u64 + 5);
        assert_eq!(image, before);
        assert_eq!(image.fingerprint(), before.fingerprint());
    }

    #[test]
    fn what_was_cut_off_comes_back_as_zeros() {
        let mut image = Image::from(vec![7; BLOCK + 100]);
        image.set_len(50);
        image.set_len(60);
        assert_eq!(image.to_vec(), [vec![7; 50], vec![0; 10]].concat());
        let mut two = [0; 2];
        image.read(&mut two, 49).unwrap();
        assert_eq!(two, [7, 0]);
        assert!(image.read(&mut two, 59).is_err());
        assert!(image.read(&mut two, u64::MAX).is_err());
    }

    #[test]
    fn writes_meet_at_block_borders() {
        let mut image = Image::new();
        let data: Vec<u8> = (0..3 * BLOCK).map(|i| (i % 251) as u8).collect();
        image.write(&data, 1000);
        let mut back = vec![0; data.len()];
        image.read(&mut back, 1000).unwrap();
        assert_eq!(back, data);
        assert_eq!(image.len(), 1000 + data.len() as u64);
        assert_eq!(Image::from(image.to_vec()), image);
    }
}
