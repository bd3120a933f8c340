//! A log, put together from an input: records of all kinds, their headers right unless the input says otherwise.
//!
//! ```text
//! u8 image | u8 flags | items to the end of the input, at most ITEMS_MAX       bit 0 of flags: leave checksums as they are
//!
//! item:  0..=3 a transaction     body, see below
//!        4     a mark
//!        5     any bytes         u8 n, n bytes, a record's body
//!        6     field             u8 field, u64 value, of the header of the next record
//!        7     to the next block
//!        8     gap               u8 n, 8 n zero bytes
//!        9     flip              u16 at, u8 bits, of what there is so far
//!
//! body:  u8 kind % 11, then its parts (`docs/format.md` §9)
//! text:  u8 n: below 64 one of the names that the images have, else n - 64 bytes
//! bytes: u8 n: below 64 a key of the images, below 128 so many times 100 bytes that are equal, else n - 128 bytes
//! ```

use arbitrary::{Arbitrary, Result, Unstructured};
use cowslip_pager::{
    log::{KIND_MARK, RECORD_HEADER, Record},
    storage::{BLOCK, simulated::Image},
};

use crate::{
    image::{SEEDS, Seed, next_record},
    script::near_the_end,
};

/// Most items of a log.
pub const ITEMS_MAX: usize = 48;
/// Most bytes of a log: half the ring.
const LOG_MAX: usize = 128 << 10;
/// Most operations of a transaction.
const OPERATIONS_MAX: u8 = 12;

const NAMES: [&str; 16] = [
    "main",
    "side",
    "monday",
    "wednesday",
    "first",
    "second",
    "films",
    "machine",
    "marked",
    "new",
    "newer",
    "",
    "cowslip.repair",
    "a/b",
    "first\n",
    "held",
];

/// A store with a log.
pub struct Log {
    /// The store.
    pub seed: &'static Seed,
    /// Its image.
    pub image: Image,
}

struct Writer {
    bytes: Vec<u8>,
    next: Record,
    sealed: bool,
}

impl Writer {
    fn record(&mut self, kind: u8, body: &[u8], changed: &[(u8, u64)]) {
        let mut record = Record { kind, length: body.len() as u32, ..self.next };
        if kind == KIND_MARK {
            record.stamp = 0;
        }
        for &(field, value) in changed {
            match field % 9 {
                0 => record.length = value as u32,
                1 => record.chain = value as u32,
                2 => record.kind = value as u8,
                3 => record.sequence = value,
                4 if near_the_end(value) => {}
                4 => record.generation = value,
                5 => record.durable_block = value,
                6 => record.durable_checkpoint = value,
                7 => record.store = value,
                _ => record.stamp = value,
            }
        }
        let mut header = [0; RECORD_HEADER];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(4, &record.length.to_le_bytes());
        put(8, &record.chain.to_le_bytes());
        put(12, &[record.kind]);
        put(16, &record.sequence.to_le_bytes());
        put(24, &record.generation.to_le_bytes());
        put(32, &record.durable_block.to_le_bytes());
        put(40, &record.durable_checkpoint.to_le_bytes());
        put(48, &record.store.to_le_bytes());
        put(56, &record.stamp.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header[4..]);
        crc.update(body);
        let crc = if self.sealed { crc.finalize() } else { 0 };
        header[..4].copy_from_slice(&crc.to_le_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.next = Record {
            chain: crc,
            sequence: record.sequence.wrapping_add(1),
            generation: record.generation,
            stamp: self.next.stamp + 1,
            ..self.next
        };
    }
}

impl<'a> Arbitrary<'a> for Log {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Log> {
        let seed = &SEEDS[usize::from(u.arbitrary::<u8>()?) % SEEDS.len()];
        let sealed = u.arbitrary::<u8>()? & 1 == 0;
        let mut log = Writer { bytes: Vec::new(), next: next_record(seed), sealed };
        let mut changed = Vec::new();
        for _ in 0..ITEMS_MAX {
            if u.is_empty() || log.bytes.len() > LOG_MAX {
                break;
            }
            match u.arbitrary::<u8>()? % 10 {
                0..=3 => {
                    let mut body = Vec::new();
                    transaction(u, &mut body)?;
                    log.record(1, &body, &changed);
                    changed.clear();
                }
                4 => {
                    log.record(KIND_MARK, &[0; 8], &changed);
                    changed.clear();
                }
                5 => {
                    let count = usize::from(u.arbitrary::<u8>()?).min(u.len());
                    let body = u.bytes(count)?.to_vec();
                    log.record(1, &body, &changed);
                    changed.clear();
                }
                6 => changed.push((u.arbitrary()?, u.arbitrary()?)),
                7 => log.bytes.resize(log.bytes.len().next_multiple_of(BLOCK), 0),
                8 => {
                    let gap = 8 * usize::from(u.arbitrary::<u8>()?);
                    log.bytes.resize(log.bytes.len() + gap, 0);
                }
                _ => {
                    let (at, bits) = (u.arbitrary::<u16>()?, u.arbitrary::<u8>()?);
                    let at = usize::from(at).checked_rem(log.bytes.len());
                    if let Some(at) = at {
                        log.bytes[at] ^= bits;
                    }
                }
            }
        }
        let mut image = seed.image.clone();
        let start = seed.superblock.log.at;
        for (index, block) in log.bytes.chunks(8).enumerate() {
            image.write(block, seed.ring_offset(start + 8 * index as u64));
        }
        Ok(Log { seed, image })
    }
}

fn transaction(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let kind = u.arbitrary::<u8>()? % 11;
    out.push(kind);
    match kind {
        0 => {
            text(u, out)?;
            for _ in 0..u.arbitrary::<u8>()? % OPERATIONS_MAX {
                operation(u, out)?;
            }
            Ok(())
        }
        8 => {
            for _ in 0..u.arbitrary::<u8>()? % OPERATIONS_MAX {
                let mut record = Vec::new();
                let kind = u.arbitrary::<u8>()? % 11;
                named(u, kind, &mut record)?;
                length(record.len(), out);
                out.extend_from_slice(&record);
            }
            Ok(())
        }
        kind => {
            out.pop();
            named(u, kind, out)
        }
    }
}

/// What is done to names.
fn named(u: &mut Unstructured<'_>, kind: u8, out: &mut Vec<u8>) -> Result<()> {
    out.push(kind);
    let word = |u: &mut Unstructured<'_>, out: &mut Vec<u8>| {
        u.arbitrary::<u64>().map(|word| out.extend_from_slice(&word.to_le_bytes()))
    };
    match kind {
        1 => {
            text(u, out)?;
            text(u, out)?;
            word(u, out)?;
            text(u, out)?;
            word(u, out)
        }
        3 | 9 => {
            text(u, out)?;
            text(u, out)
        }
        4 => {
            text(u, out)?;
            text(u, out)?;
            word(u, out)
        }
        7 => {
            text(u, out)?;
            out.push(u.arbitrary()?);
            Ok(())
        }
        _ => text(u, out),
    }
}

fn operation(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let kind = u.arbitrary::<u8>()? % 6;
    out.push(kind);
    match kind {
        2 => {
            bytes(u, out)?;
            bytes(u, out)
        }
        3 => bytes(u, out),
        4 => {
            bytes(u, out)?;
            let bounded = u.arbitrary::<u8>()? % 2;
            out.push(bounded);
            if bounded == 1 { bytes(u, out) } else { Ok(()) }
        }
        _ => text(u, out),
    }
}

fn length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn literal(u: &mut Unstructured<'_>, count: u8, out: &mut Vec<u8>) -> Result<()> {
    let count = usize::from(count).min(u.len());
    length(count, out);
    out.extend_from_slice(u.bytes(count)?);
    Ok(())
}

fn text(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    match u.arbitrary::<u8>()? {
        number @ 0..64 => {
            let name = NAMES[usize::from(number) % NAMES.len()];
            length(name.len(), out);
            out.extend_from_slice(name.as_bytes());
            Ok(())
        }
        count => literal(u, count - 64, out),
    }
}

fn bytes(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    match u.arbitrary::<u8>()? {
        number @ 0..64 => {
            let key = format!("key {number:06}");
            length(key.len(), out);
            out.extend_from_slice(key.as_bytes());
            Ok(())
        }
        number @ 64..128 => {
            let count = 100 * usize::from(number - 64);
            length(count, out);
            out.resize(out.len() + count, number);
            Ok(())
        }
        count => literal(u, count - 128, out),
    }
}
