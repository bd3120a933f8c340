//! The intent log: redo records of the transactions committed since the last checkpoint.
//!
//! A ring of 4 KiB blocks in the file. Blocks have *logical* numbers that only grow; block `n`
//! stands at place `n mod blocks`. A durable write always starts on a fresh block, so no durable
//! block is ever written again while it is live (R8).
//!
//! ```text
//! record: 64 bytes, then the body; consecutive records follow each other at multiples of 8
//!   0  u32  crc32 of bytes 4..64 and the body
//!   4  u32  length of the body
//!   8  u32  crc of the record before it (the chain)
//!  12  u8   kind (1 transaction, 2 mark), 3 zero
//!  16  u64  sequence number
//!  24  u64  generation: grows with every seal and every opening, never falls along the chain
//!  32  u64  logical block below which all was known durable when this was written
//!  40  u64  number of the newest checkpoint known durable when this was written
//!  48  u64  store id
//!  56  u64  stamp of the transaction, 0 in a mark
//! ```
//!
//! Where the length of the next record reads zero, the rest of the block is padding. What ends the
//! valid prefix is the first record that fails its crc, its chain, its sequence, its generation or
//! its store (a torn tail, or a record of an earlier lap). Two things tell a torn tail from damage,
//! and both are errors: a later valid record whose watermark lies above the failing place, and a
//! record that names a newer durable checkpoint than the superblock that was found.

use crate::{
    error::{Error, Result},
    geometry::Geometry,
    mutant,
    page::{put, u32_at, u64_at},
    storage::{BLOCK, Storage},
    superblock::{LogStart, NUMBER_MAX, STAMP_MAX},
};

/// Bytes before a record's body.
pub const RECORD_HEADER: usize = 64;
/// A record of a committed transaction.
pub const KIND_TRANSACTION: u8 = 1;
/// A record without content, written to let later readers know what was durable.
pub const KIND_MARK: u8 = 2;

/// Blocks that a ring has at first and at most.
pub(crate) const BLOCKS_MIN: u64 = 64;
pub(crate) const BLOCKS_MAX: u64 = (32 << 20) / BLOCK as u64;

const B: u64 = BLOCK as u64;
/// Blocks read at a time behind the end of the log.
const SCAN_CHUNK: usize = 16;
/// Blocks behind the end that are read whole, many at a time: few calls. Copying the whole of a large ring takes
/// longer than a call for each block's first bytes.
const NEAR_BLOCKS: u64 = BLOCKS_MIN;

/// Where the next record goes, and what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Logical byte position (block × 4096 + offset within it).
    pub at: u64,
    /// Sequence number of the next record.
    pub sequence: u64,
    /// crc of the record before it.
    pub chain: u32,
}

impl Tail {
    pub(crate) fn start(start: &LogStart) -> Tail {
        Tail { at: start.at, sequence: start.sequence, chain: start.chain }
    }

    /// The same, moved up to the next block boundary.
    pub(crate) fn padded(self) -> Tail {
        Tail { at: self.at.next_multiple_of(BLOCK as u64), ..self }
    }
}

/// What a record says besides its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// crc of the record.
    pub crc: u32,
    /// Length of the body in bytes.
    pub length: u32,
    /// crc of the record before it.
    pub chain: u32,
    /// [`KIND_TRANSACTION`] or [`KIND_MARK`].
    pub kind: u8,
    /// Sequence number.
    pub sequence: u64,
    /// Grows with every seal and every opening.
    pub generation: u64,
    /// Logical block below which everything was known durable.
    pub durable_block: u64,
    /// Newest checkpoint known durable.
    pub durable_checkpoint: u64,
    /// The store it belongs to.
    pub store: u64,
    /// The stamp of the transaction, which no later one may be given; 0 in a mark.
    pub stamp: u64,
}

impl Record {
    /// Appends the record with `body` to `out`, padded to a multiple of 8; returns its crc.
    pub(crate) fn append(&self, body: &[u8], out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        let mut header = [0; RECORD_HEADER];
        put(&mut header, 4, &self.length.to_le_bytes());
        put(&mut header, 8, &self.chain.to_le_bytes());
        header[12] = self.kind;
        put(&mut header, 16, &self.sequence.to_le_bytes());
        put(&mut header, 24, &self.generation.to_le_bytes());
        put(&mut header, 32, &self.durable_block.to_le_bytes());
        put(&mut header, 40, &self.durable_checkpoint.to_le_bytes());
        put(&mut header, 48, &self.store.to_le_bytes());
        put(&mut header, 56, &self.stamp.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(body);
        let crc = crc32fast::hash(&out[start + 4..]);
        put(out, start, &crc.to_le_bytes());
        out.resize(out.len().next_multiple_of(8), 0);
        crc
    }

    /// Reads a record's header.
    pub fn decode(header: &[u8]) -> Record {
        Record {
            crc: u32_at(header, 0),
            length: u32_at(header, 4),
            chain: u32_at(header, 8),
            kind: header[12],
            sequence: u64_at(header, 16),
            generation: u64_at(header, 24),
            durable_block: u64_at(header, 32),
            durable_checkpoint: u64_at(header, 40),
            store: u64_at(header, 48),
            stamp: u64_at(header, 56),
        }
    }

    /// Bytes that a record with a body of `length` bytes takes.
    pub(crate) fn size(length: usize) -> usize {
        (RECORD_HEADER + length).next_multiple_of(8)
    }
}

/// Where the ring stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Byte offset of the ring in the file.
    pub offset: u64,
    /// Blocks in it.
    pub blocks: u64,
}

impl Ring {
    /// The ring that a superblock names.
    pub fn new(start: &LogStart, geometry: &Geometry) -> Ring {
        Ring { offset: geometry.offset(start.page), blocks: start.blocks }
    }

    /// The contiguous pieces of the file that hold `length` bytes from logical position `at`:
    /// (offset in the file, length).
    fn pieces(&self, at: u64, length: u64) -> impl Iterator<Item = (u64, u64)> + use<> {
        let size = self.blocks * BLOCK as u64;
        let offset = self.offset;
        let mut at = at;
        let mut left = length;
        std::iter::from_fn(move || {
            let place = at % size;
            let piece = left.min(size - place);
            at += piece;
            left -= piece;
            (piece > 0).then_some((offset + place, piece))
        })
    }

    /// Reads from logical position `at`.
    pub fn read(&self, storage: &dyn Storage, at: u64, out: &mut [u8]) -> Result<()> {
        let mut done = 0;
        for (offset, length) in self.pieces(at, out.len() as u64) {
            let piece = &mut out[done..done + length as usize];
            storage.read_at(piece, offset).map_err(|e| Error::io("reading the log", offset, e))?;
            done += length as usize;
        }
        Ok(())
    }

    /// Writes at logical position `at`; durable on return if `durable`.
    pub(crate) fn write(
        &self,
        storage: &dyn Storage,
        at: u64,
        bytes: &[u8],
        durable: bool,
    ) -> Result<()> {
        let mut done = 0;
        for (offset, length) in self.pieces(at, bytes.len() as u64) {
            let piece = &bytes[done..done + length as usize];
            let result = if durable {
                storage.write_durable(piece, offset)
            } else {
                storage.write_at(piece, offset)
            };
            result.map_err(|e| Error::io("writing the log", offset, e))?;
            done += length as usize;
        }
        Ok(())
    }
}

/// Walks the valid prefix of a log.
pub struct Scan<'s> {
    storage: &'s dyn Storage,
    ring: Ring,
    store: u64,
    first_block: u64,
    checkpoint: u64,
    generation: u64,
    tail: Tail,
    /// The place where the next record must stand, which may lie behind padding.
    ended: bool,
    /// Bytes of the log that were read in advance, and their logical position.
    ahead: Vec<u8>,
    ahead_at: u64,
}

/// Bytes read at a time: records are mostly small.
const AHEAD: u64 = 64 << 10;

impl<'s> Scan<'s> {
    /// A scan of the log of the superblock with this `store` id and `checkpoint` number.
    pub fn new(
        storage: &'s dyn Storage,
        geometry: &Geometry,
        start: &LogStart,
        store: u64,
        checkpoint: u64,
    ) -> Scan<'s> {
        Scan {
            storage,
            ring: Ring::new(start, geometry),
            store,
            first_block: start.at / BLOCK as u64,
            checkpoint,
            generation: start.generation,
            tail: Tail::start(start),
            ended: false,
            ahead: Vec::new(),
            ahead_at: 0,
        }
    }

    /// Where the next record stands or will stand.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// The next record of the valid prefix, its body put into `body`; `None` at its end.
    pub fn next(&mut self, body: &mut Vec<u8>) -> Result<Option<Record>> {
        if self.ended {
            return Ok(None);
        }
        let tail = self.tail;
        if let Some(record) = self.try_at(tail.at, body, Some(&tail))? {
            return Ok(Some(self.accept(record)));
        }
        let next_block = self.tail.padded();
        if next_block.at != self.tail.at
            && let Some(record) = self.try_at(next_block.at, body, Some(&next_block))?
        {
            self.tail = next_block;
            return Ok(Some(self.accept(record)));
        }
        self.ended = true;
        self.prove_torn(body)?;
        Ok(None)
    }

    fn accept(&mut self, record: Record) -> Record {
        self.generation = record.generation;
        self.tail = Tail {
            at: self.tail.at + Record::size(record.length as usize) as u64,
            sequence: self.tail.sequence + 1,
            chain: record.crc,
        };
        record
    }

    /// A whole record of this store at logical position `at`; with `follows`, one that continues
    /// the chain there.
    fn try_at(
        &mut self,
        at: u64,
        body: &mut Vec<u8>,
        follows: Option<&Tail>,
    ) -> Result<Option<Record>> {
        let end = (self.first_block + self.ring.blocks) * BLOCK as u64;
        if at + RECORD_HEADER as u64 > end {
            return Ok(None);
        }
        let mut header = [0; RECORD_HEADER];
        self.read(at, &mut header)?;
        let record = Record::decode(&header);
        let plausible = record.length > 0
            && at + RECORD_HEADER as u64 + u64::from(record.length) <= end
            && (record.store == self.store || mutant!(StoreUnchecked | OnlyRecordChecksumChecked))
            && matches!(record.kind, KIND_TRANSACTION | KIND_MARK)
            && header[13..16] == [0; 3]
            && record.generation <= NUMBER_MAX
            && record.stamp <= STAMP_MAX;
        let continues = follows.is_none_or(|tail| {
            let any = mutant!(OnlyRecordChecksumChecked);
            (record.sequence == tail.sequence || any || mutant!(SequenceUnchecked))
                && (record.chain == tail.chain || any || mutant!(ChainUnchecked))
                && (record.generation >= self.generation || any || mutant!(GenerationUnchecked))
        });
        if !plausible || !continues {
            return Ok(None);
        }
        body.resize(record.length as usize, 0);
        self.read(at + RECORD_HEADER as u64, body)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header[4..]);
        crc.update(body);
        if crc.finalize() != record.crc && !mutant!(RecordChecksumUnchecked) {
            return Ok(None);
        }
        if record.durable_checkpoint > self.checkpoint && !mutant!(NewerCheckpointOverlooked) {
            // A newer superblock was durable and cannot be read any more: what this one reaches may
            // have been used again.
            return Err(Error::corrupted(
                0,
                "newest superblock (a log record proves a newer checkpoint)",
                record.durable_checkpoint,
                self.checkpoint,
            ));
        }
        Ok(Some(record))
    }

    /// Reads bytes of the ring; nothing is written to it meanwhile.
    fn read(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        let length = out.len() as u64;
        if at < self.ahead_at || at + length > self.ahead_at + self.ahead.len() as u64 {
            let end = (self.first_block + self.ring.blocks) * BLOCK as u64;
            self.ahead_at = at;
            self.ahead.resize(AHEAD.min(end.saturating_sub(at)) as usize, 0);
            // What cannot be read there may lie behind all that is needed.
            if length > self.ahead.len() as u64
                || self.ring.read(self.storage, at, &mut self.ahead).is_err()
            {
                self.ahead.clear();
                return self.ring.read(self.storage, at, out);
            }
        }
        let from = (at - self.ahead_at) as usize;
        out.copy_from_slice(&self.ahead[from..from + out.len()]);
        Ok(())
    }

    /// Looks beyond the end of the prefix for a record that proves that what stands at the end was
    /// durable once: then this is damage and not a torn tail.
    fn prove_torn(&mut self, body: &mut Vec<u8>) -> Result<()> {
        if mutant!(NoWatermark) {
            return Ok(());
        }
        // What was read in advance may be what a disk should not have said: the proof is read anew.
        self.ahead.clear();
        // The record that is missing stands behind the last one, or behind padding in the next block.
        let mut length = [0; 4];
        let padded = !self.tail.at.is_multiple_of(B) && {
            self.ring.read(self.storage, self.tail.at + 4, &mut length)?;
            length == [0; 4] && !mutant!(PaddingOverlooked)
        };
        let end_block = self.tail.at / B + u64::from(padded);
        let last = self.first_block + self.ring.blocks;
        let mut chunk = vec![0; SCAN_CHUNK * BLOCK];
        let mut number = self.tail.at / B + 1;
        let near = number + NEAR_BLOCKS;
        while number < last {
            // What is looked at is the beginning of a block, and most of a large ring lies far behind.
            let (count, length) = if number < near {
                ((last - number).min(SCAN_CHUNK as u64), BLOCK)
            } else {
                (1, RECORD_HEADER)
            };
            let bytes = &mut chunk[..count as usize * length];
            self.ring.read(self.storage, number * B, bytes)?;
            for (i, block) in bytes.chunks_exact(length).enumerate() {
                let record = Record::decode(block);
                let place = number + i as u64;
                // A record right behind the padding, of a later sequence, whose watermark is its own
                // place: then what is missing stood before it and was durable.
                let gap = !mutant!(GapBehindPaddingOverlooked)
                    && padded
                    && place == end_block
                    && record.durable_block == place
                    && record.sequence > self.tail.sequence;
                let proves = record.store == self.store
                    && record.sequence >= self.tail.sequence
                    && (record.durable_block > end_block || gap)
                    && record.generation >= self.generation;
                if proves && self.try_at(place * B, body, None)?.is_some() {
                    return Err(Error::corrupted(
                        (self.ring.offset + end_block % self.ring.blocks * B) / 4096,
                        "log record below a durable watermark (4 KiB block)",
                        self.tail.sequence,
                        record.sequence,
                    ));
                }
            }
            number += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
