//! What is written and not yet durable.
//!
//! ```text
//!              write_at, write_direct ends        a sync that began later ends
//!   in flight ---------------------------> written ----------------------------> durable
//!       |  \                                  |
//!       |   +-- write_durable ends: durable   | a sync fails
//!       | the write fails                     v
//!       +-----------------------------------> lost: only another write helps
//! ```

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
};

use cowslip_pager::storage::BLOCK;

const B: u64 = BLOCK as u64;

/// Blocks of 4 KiB that are not known durable, and the length that is.
#[derive(Debug)]
pub(super) struct Ledger {
    blocks: HashMap<u64, Pending, BuildHasherDefault<ByNumber>>,
    /// Counts the ends of writes.
    clock: u64,
    length: u64,
    /// The shortest that the file was since the last sync began.
    shortest: u64,
    /// No power cut leaves the file shorter.
    assured: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Flight,
    Written(u64),
    Lost,
}

/// Hashes a number: each block of each write is looked up.
#[derive(Debug, Default)]
pub(super) struct ByNumber(u64);

impl Hasher for ByNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0 ^ u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

/// A moment when a sync began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sync(u64);

impl Ledger {
    /// Everything is durable, and of the file's length so much.
    pub(super) fn new(length: u64, assured: u64) -> Ledger {
        Ledger { blocks: HashMap::default(), clock: 0, length, shortest: length, assured }
    }

    /// A block that was found, and that only a sync makes durable.
    pub(super) fn doubt(&mut self, block: u64) {
        self.blocks.insert(block, Pending::Written(0));
    }

    pub(super) fn begin_write(&mut self, blocks: Range<u64>) {
        self.blocks.extend(blocks.map(|block| (block, Pending::Flight)));
    }

    pub(super) fn end_write(&mut self, blocks: Range<u64>, end: u64, durable: bool, well: bool) {
        self.clock += 1;
        for block in blocks {
            match (well, durable) {
                (true, true) => self.blocks.remove(&block),
                (true, false) => self.blocks.insert(block, Pending::Written(self.clock)),
                (false, _) => self.blocks.insert(block, Pending::Lost),
            };
        }
        if well {
            self.length = self.length.max(end);
        }
    }

    pub(super) fn set_len(&mut self, length: u64) {
        if length < self.length {
            // What is added later is zeros, of which nothing was promised.
            self.blocks.retain(|block, _| *block < length.div_ceil(B));
        }
        self.length = length;
        self.shortest = self.shortest.min(length);
        self.assured = self.assured.min(length);
    }

    pub(super) fn begin_sync(&mut self) -> Sync {
        self.shortest = self.length;
        Sync(self.clock)
    }

    pub(super) fn end_sync(&mut self, begun: Sync, well: bool) {
        if well {
            self.assured = self.shortest;
            self.blocks.retain(|_, pending| match pending {
                Pending::Written(at) => *at > begun.0,
                Pending::Flight | Pending::Lost => true,
            });
        } else {
            self.blocks.values_mut().for_each(|pending| *pending = Pending::Lost);
        }
    }

    /// No power cut leaves the file shorter.
    pub(super) fn assured(&self) -> u64 {
        self.assured
    }

    /// Is the block as it was last written, whatever happens?
    pub(super) fn is_durable(&self, block: u64) -> bool {
        !self.blocks.contains_key(&block)
    }

    /// The blocks that are not known durable.
    pub(super) fn unsynced(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.keys().copied()
    }
}
