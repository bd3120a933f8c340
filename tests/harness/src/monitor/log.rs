//! Which blocks of the log ring are live, and which of them a durable write has written.
//!
//! ```text
//!   logical blocks:  ... dead ... | start ............ tail | free: start + blocks is the end
//!                                   ^ the durable superblock's log start
//! ```
//!
//! The place of a write in the file says its logical block only up to whole laps. Whoever writes
//! the log goes on where it ends or writes its end again, so it is the last such block that does not
//! lie beyond the tail.

use std::{
    collections::{BTreeSet, HashSet},
    ops::Range,
};

use cowslip_pager::{
    geometry::Geometry,
    log::{KIND_MARK, RECORD_HEADER, Record},
    storage::BLOCK,
    superblock::Superblock,
};

use super::Peek;

const B: u64 = BLOCK as u64;

/// The ring of the durable superblock, in blocks.
#[derive(Debug)]
pub(super) struct Log {
    /// Its first block in the file.
    first: u64,
    blocks: u64,
    store: u64,
    start: u64,
    tail: u64,
    /// Live blocks that a durable write has written, or that an opening has found.
    sealed: BTreeSet<u64>,
    /// Blocks that hold nothing but marks, as a plain write or an earlier life has left them.
    marks: HashSet<u64>,
}

impl Log {
    /// The ring of a superblock; nothing is in it.
    pub(super) fn new(superblock: &Superblock, geometry: &Geometry) -> Log {
        let start = superblock.log.at;
        Log {
            first: geometry.offset(superblock.log.page) / B,
            blocks: superblock.log.blocks,
            store: superblock.store,
            start: start / B,
            tail: start.div_ceil(B),
            sealed: BTreeSet::new(),
            marks: HashSet::new(),
        }
    }

    /// The ring as an opening finds it, and the blocks of the file that hold its live records.
    pub(super) fn found(
        superblock: &Superblock,
        geometry: &Geometry,
        peek: Peek<'_>,
    ) -> (Log, Vec<u64>) {
        let mut log = Log::new(superblock, geometry);
        let (found, only_marks) = log.walk(superblock, peek);
        log.sealed.extend(found.clone());
        if only_marks {
            log.marks.extend(found.clone());
        }
        log.tail = log.tail.max(found.end);
        let places = found.map(|block| log.place(block)).collect();
        (log, places)
    }

    /// The blocks of the valid prefix, and whether it holds nothing but marks.
    fn walk(&self, superblock: &Superblock, peek: Peek<'_>) -> (Range<u64>, bool) {
        let start = superblock.log;
        let end = (self.start + self.blocks) * B;
        let (mut at, mut sequence) = (start.at, start.sequence);
        let (mut chain, mut generation) = (start.chain, start.generation);
        let mut bytes = Vec::new();
        let mut record_at = |at: u64, sequence, chain, generation| {
            self.read(at, RECORD_HEADER, end, peek, &mut bytes)?;
            let record = Record::decode(&bytes);
            let right = record.length > 0
                && (record.store, record.sequence, record.chain) == (self.store, sequence, chain)
                && record.generation >= generation;
            right.then_some(())?;
            let length = RECORD_HEADER + record.length as usize;
            self.read(at, length, end, peek, &mut bytes)?;
            (crc32fast::hash(&bytes[4..]) == record.crc).then_some((at, record))
        };
        let mut behind = at;
        let mut only_marks = true;
        while let Some((place, record)) = record_at(at, sequence, chain, generation)
            .or_else(|| record_at(at.next_multiple_of(B), sequence, chain, generation))
        {
            behind = place + RECORD_HEADER as u64 + u64::from(record.length);
            at = behind.next_multiple_of(8);
            (sequence, chain, generation) = (sequence + 1, record.crc, record.generation);
            only_marks &= record.kind == KIND_MARK;
        }
        (self.start..behind.div_ceil(B).max(self.start), only_marks)
    }

    fn read(
        &self,
        at: u64,
        length: usize,
        end: u64,
        peek: Peek<'_>,
        bytes: &mut Vec<u8>,
    ) -> Option<()> {
        if at + length as u64 > end {
            return None;
        }
        bytes.resize(length, 0);
        let ring = self.blocks * B;
        let first = (ring - at % ring).min(length as u64) as usize;
        let (head, rest) = bytes.split_at_mut(first);
        peek(head, self.first * B + at % ring).ok()?;
        peek(rest, self.first * B).ok()
    }

    fn place(&self, block: u64) -> u64 {
        self.first + block % self.blocks
    }

    /// The last logical block, `last` at most, at a block of the file; none outside the ring.
    fn logical(&self, block: u64, last: u64) -> Option<u64> {
        let place = block.checked_sub(self.first).filter(|place| *place < self.blocks)?;
        let back = (last % self.blocks + self.blocks - place) % self.blocks;
        last.checked_sub(back)
    }

    /// The logical block that was last written at a block of the file, if it is live.
    fn live(&self, block: u64) -> Option<u64> {
        let block = self.logical(block, self.tail.checked_sub(1)?)?;
        (block >= self.start).then_some(block)
    }

    /// Does a block of the file belong to the ring?
    pub(super) fn contains(&self, block: u64) -> bool {
        (self.first..self.first + self.blocks).contains(&block)
    }

    /// A write of these blocks of the file begins, which may lie outside the ring. `unsynced` are the
    /// blocks of the file that are not known durable.
    pub(super) fn begin_write(
        &mut self,
        blocks: Range<u64>,
        buf: &[u8],
        durable: bool,
        unsynced: impl Iterator<Item = u64>,
    ) -> Result<(), String> {
        let Some(from) = self.logical(blocks.start, self.tail) else { return Ok(()) };
        let to = from + (blocks.end - blocks.start);
        if to > self.start + self.blocks && from >= self.start {
            return Err(format!(
                "R8: it goes beyond the ring, over live blocks (log blocks {from}..{to}, live from {} \
                 on, {} in the ring)",
                self.start, self.blocks,
            ));
        }
        if let Some(sealed) = self.sealed.range(from.max(self.start)..to.max(self.start)).next() {
            return Err(format!(
                "R8: log block {sealed} is live, and a durable write has written it already"
            ));
        }
        if durable {
            let mut live = unsynced.filter_map(|place| Some((place, self.live(place)?)));
            if let Some((place, block)) = live.find(|(_, block)| *block < from) {
                return Err(format!(
                    "R9: log block {block} before it (offset {:#x}) is live and not durable",
                    place * B
                ));
            }
            self.sealed.extend(from..to);
        }
        self.tail = self.tail.max(to);
        self.marks.retain(|mark| !(from..to).contains(mark));
        if !durable && holds_only_marks(buf, self.store) {
            self.marks.extend(from..to);
        }
        Ok(())
    }

    /// A superblock is durable.
    pub(super) fn adopt(&mut self, superblock: &Superblock, geometry: &Geometry) {
        let next = Log::new(superblock, geometry);
        if (next.first, next.blocks) != (self.first, self.blocks) {
            *self = next;
            return;
        }
        self.start = next.start;
        self.tail = self.tail.max(next.tail);
        self.sealed = self.sealed.split_off(&self.start);
        self.marks.retain(|mark| *mark >= next.start);
    }

    /// A live block among these of the file that holds a transaction, with its logical number.
    pub(super) fn transaction_in(
        &self,
        mut blocks: impl Iterator<Item = u64>,
    ) -> Option<(u64, u64)> {
        blocks.find_map(|place| {
            let block = self.live(place)?;
            (!self.marks.contains(&block)).then_some((place, block))
        })
    }
}

/// A write that begins with a record and holds nothing else than marks.
fn holds_only_marks(buf: &[u8], store: u64) -> bool {
    let mut at = 0;
    while at + RECORD_HEADER <= buf.len() {
        let record = Record::decode(&buf[at..at + RECORD_HEADER]);
        if record.length == 0 {
            at = (at + 1).next_multiple_of(BLOCK);
            continue;
        }
        let end = at + RECORD_HEADER + record.length as usize;
        let is_mark = record.kind == KIND_MARK
            && record.store == store
            && end <= buf.len()
            && crc32fast::hash(&buf[at + 4..end]) == record.crc;
        if !is_mark {
            return false;
        }
        at = end.next_multiple_of(8);
    }
    true
}
