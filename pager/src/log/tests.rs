//! A record that is wrong in one thing, whatever else is right, ends the valid prefix (R8).

use super::*;
use crate::{geometry::Geometry, page::PageId, storage::MemoryStorage};

const STORE: u64 = 77;

fn start() -> LogStart {
    LogStart { page: PageId(16), blocks: 4, at: 0, sequence: 5, chain: 9, generation: 3 }
}

fn records() -> Vec<Record> {
    (0..3)
        .map(|n| Record {
            crc: 0,
            length: 10,
            chain: 0,
            kind: KIND_TRANSACTION,
            sequence: 5 + n,
            generation: 3,
            durable_block: 0,
            durable_checkpoint: 1,
            store: STORE,
            stamp: 100 + n,
        })
        .collect()
}

/// Writes the records one behind the other, chained; `change` may then spoil one of them, whose
/// checksum is right nevertheless.
fn log_of(change: impl Fn(usize, &mut Record)) -> (MemoryStorage, Geometry) {
    let geometry = Geometry::new(4096).unwrap();
    let storage = MemoryStorage::new();
    storage.set_len(geometry.offset(PageId(32))).unwrap();
    let mut bytes = Vec::new();
    let mut chain = start().chain;
    for (number, mut record) in records().into_iter().enumerate() {
        record.chain = chain;
        change(number, &mut record);
        chain = record.append(&[number as u8; 10], &mut bytes);
    }
    storage.write_at(&bytes, geometry.offset(start().page)).unwrap();
    (storage, geometry)
}

fn found(storage: &MemoryStorage, geometry: &Geometry) -> usize {
    let mut scan = Scan::new(storage, geometry, &start(), STORE, 1);
    let mut body = Vec::new();
    std::iter::from_fn(|| scan.next(&mut body).unwrap()).count()
}

#[test]
fn a_log_without_a_fault_is_found_whole() {
    let (storage, geometry) = log_of(|_, _| {});
    assert_eq!(found(&storage, &geometry), 3);
    let (storage, geometry) = log_of(|number, record| record.generation += number as u64);
    assert_eq!(found(&storage, &geometry), 3, "a generation may grow");
}

#[test]
fn each_single_fault_ends_the_prefix() {
    type Spoil = fn(&mut Record);
    let faults: [(&str, Spoil); 9] = [
        ("chain", |record| record.chain ^= 1),
        ("sequence too low", |record| record.sequence -= 1),
        ("sequence too high", |record| record.sequence += 1),
        ("older generation", |record| record.generation -= 1),
        ("store", |record| record.store += 1),
        ("kind", |record| record.kind = 3),
        ("no length", |record| record.length = 0),
        ("stamp that leaves no room", |record| record.stamp = u64::MAX),
        ("generation that leaves no room", |record| record.generation = u64::MAX),
    ];
    for at in 0..3 {
        for (what, spoil) in faults {
            let (storage, geometry) = log_of(|number, record| {
                if number == at {
                    spoil(record);
                }
            });
            assert_eq!(found(&storage, &geometry), at, "{what} of record {at}");
        }
    }
}

#[test]
fn any_bit_flipped_ends_the_prefix() {
    let (storage, geometry) = log_of(|_, _| {});
    let offset = geometry.offset(start().page);
    let size = Record::size(10) as u64;
    for byte in 0..(RECORD_HEADER as u64 + 10) {
        let at = offset + size + byte;
        let mut old = [0];
        storage.read_at(&mut old, at).unwrap();
        storage.write_at(&[old[0] ^ 1 << (byte % 8)], at).unwrap();
        assert_eq!(found(&storage, &geometry), 1, "byte {byte} of the second record");
        storage.write_at(&old, at).unwrap();
    }
}

#[test]
fn a_record_that_proves_a_newer_checkpoint_is_an_error() {
    let (storage, geometry) = log_of(|number, record| {
        record.durable_checkpoint += u64::from(number == 2);
    });
    let mut scan = Scan::new(&storage, &geometry, &start(), STORE, 1);
    let mut body = Vec::new();
    assert!(scan.next(&mut body).unwrap().is_some() && scan.next(&mut body).unwrap().is_some());
    assert!(matches!(scan.next(&mut body), Err(Error::Corrupted { .. })));
}

/// What was lost stood before padding, in the block of the last record that is left; what proves it is
/// the very next record, which says that all before its own block was durable.
#[test]
fn a_record_lost_before_the_padding_is_damage_and_not_a_torn_tail() {
    let geometry = Geometry::new(4096).unwrap();
    let storage = MemoryStorage::new();
    storage.set_len(geometry.offset(PageId(32))).unwrap();
    let mut bytes = Vec::new();
    let mut chain = start().chain;
    let mut begins = Vec::new();
    for (number, record) in records().into_iter().enumerate() {
        // The third is in a durable write of its own, on a fresh block.
        let durable_block = u64::from(number == 2);
        bytes.resize(bytes.len().max(BLOCK * durable_block as usize), 0);
        begins.push(bytes.len());
        chain = Record { chain, durable_block, ..record }.append(&[number as u8; 10], &mut bytes);
    }
    let whole = bytes.clone();
    bytes[begins[1]..begins[2]].fill(0);
    let offset = geometry.offset(start().page);
    for (bytes, lost) in [(whole, false), (bytes, true)] {
        storage.write_at(&bytes, offset).unwrap();
        let mut scan = Scan::new(&storage, &geometry, &start(), STORE, 1);
        let mut body = Vec::new();
        let result: Result<Vec<_>> =
            std::iter::from_fn(|| scan.next(&mut body).transpose()).collect();
        match result {
            Ok(records) => assert_eq!((records.len(), lost), (3, false)),
            Err(error) => assert!(lost && matches!(error, Error::Corrupted { .. }), "{error:?}"),
        }
    }
}

/// What stands at the end of a log's prefix, and what a record behind it says of it.
struct Behind {
    /// The body of the first record, which fills blocks.
    first: usize,
    /// What stands where the next record should: nothing (padding), or the rest of a torn one.
    torn: bool,
    /// The block in which the witness stands, and the block below which it says all was durable.
    block: u64,
    durable_block: u64,
    change: fn(&mut Record),
}

impl Default for Behind {
    fn default() -> Self {
        Behind { first: 10, torn: false, block: 2, durable_block: 2, change: |_| {} }
    }
}

impl Behind {
    /// The page that the error names, if it is damage.
    fn damaged(self) -> Option<u64> {
        let geometry = Geometry::new(4096).unwrap();
        let storage = MemoryStorage::new();
        storage.set_len(geometry.offset(PageId(32))).unwrap();
        let first = records()[0];
        let mut bytes = Vec::new();
        let body = vec![1; self.first];
        let first = Record { length: self.first as u32, chain: start().chain, ..first };
        let chain = first.append(&body, &mut bytes);
        if self.torn {
            Record { chain, ..records()[1] }.append(&[2; 10], &mut bytes);
            // Its last bytes have not come through.
            let end = bytes.len();
            bytes[end - 16..].fill(0xEE);
        }
        bytes.resize(self.block as usize * BLOCK, 0);
        // Two were lost, unless `change` says otherwise; what it follows cannot be seen.
        let mut witness = Record { durable_block: self.durable_block, chain: 55, ..records()[2] };
        (self.change)(&mut witness);
        witness.append(&[3; 10], &mut bytes);
        storage.write_at(&bytes, geometry.offset(start().page)).unwrap();
        let mut scan = Scan::new(&storage, &geometry, &start(), STORE, 1);
        let mut body = Vec::new();
        assert!(scan.next(&mut body).unwrap().is_some());
        match scan.next(&mut body) {
            Ok(None) => None,
            Ok(Some(record)) => panic!("{record:?}"),
            Err(Error::Corrupted(found)) => Some(found.page),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A record is lost if it stood in a block that a later one knows to be durable; the error names the
/// block.
#[test]
fn a_later_record_that_knows_the_place_to_be_durable_proves_damage() {
    let page = start().page.0;
    let torn = |block, durable_block| Behind { torn: true, block, durable_block, ..<_>::default() };
    assert_eq!(torn(1, 1).damaged(), Some(page));
    assert_eq!(torn(2, 1).damaged(), Some(page), "what is torn stands in block 0");
    assert_eq!(torn(3, 3).damaged(), Some(page), "the last block of the ring is looked at");
    assert_eq!(torn(2, 0).damaged(), None, "nothing was known of block 0");
    // Behind padding the next block is the place.
    let padded = |block, durable_block| Behind { block, durable_block, ..<_>::default() };
    assert_eq!(padded(2, 2).damaged(), Some(page + 1));
    assert_eq!(padded(2, 1).damaged(), None);
    // The record that stands there itself, of a later sequence, knows what stood before it.
    assert_eq!(padded(1, 1).damaged(), Some(page + 1));
    assert_eq!(padded(1, 0).damaged(), None);
    // In a later block of the prefix.
    let far = |durable_block| Behind {
        first: 9000,
        torn: true,
        block: 3,
        durable_block,
        ..<_>::default()
    };
    assert_eq!(far(3).damaged(), Some(page + 2));
    assert_eq!(far(2).damaged(), None, "that block was not durable yet");
}

/// The scan reads in advance; a disk that did not tell all then may tell it now.
#[test]
fn the_proof_reads_the_log_anew() {
    let geometry = Geometry::new(4096).unwrap();
    let storage = MemoryStorage::new();
    storage.set_len(geometry.offset(PageId(32))).unwrap();
    let at = geometry.offset(start().page);
    let [mut first, _, mut third] = <[Record; 3]>::try_from(records()).ok().unwrap();
    let mut bytes = Vec::new();
    first.chain = start().chain;
    first.append(&[1; 10], &mut bytes);
    storage.write_at(&bytes, at).unwrap();
    let mut scan = Scan::new(&storage, &geometry, &start(), STORE, 1);
    let mut body = Vec::new();
    scan.next(&mut body).unwrap().unwrap();
    // The second one is gone; the third knows that its block was durable.
    bytes.clear();
    third.durable_block = 2;
    third.append(&[3; 10], &mut bytes);
    storage.write_at(&bytes, at + 2 * BLOCK as u64).unwrap();
    assert!(matches!(scan.next(&mut body), Err(Error::Corrupted { .. })));
}

#[test]
fn a_record_of_another_life_proves_nothing() {
    let behind = |change| Behind { change, ..<_>::default() }.damaged();
    assert!(behind(|_| {}).is_some());
    assert_eq!(behind(|record| record.store += 1), None);
    assert_eq!(behind(|record| record.generation -= 1), None);
    assert_eq!(behind(|record| record.sequence = start().sequence), None);
    assert_eq!(behind(|record| record.kind = 9), None);
    // The expected sequence, but after something else: one that another life wrote there.
    let next = |change| Behind { block: 1, durable_block: 1, change, ..<_>::default() }.damaged();
    assert_eq!(next(|record| record.sequence = start().sequence + 1), None);
    assert!(next(|record| record.sequence = start().sequence + 2).is_some());
}

/// A record may lie on both sides of the ring's end, and its bytes come back in order.
#[test]
fn a_ring_is_read_and_written_around_its_end() {
    let storage = MemoryStorage::new();
    storage.set_len(8 * B).unwrap();
    let ring = Ring { offset: 2 * B, blocks: 4 };
    let bytes: Vec<u8> = (0..3 * BLOCK).map(|i| (i / 7) as u8).collect();
    for durable in [false, true] {
        ring.write(&storage, 4 * B * 5 + 2 * B, &bytes, durable).unwrap();
        let mut read = vec![0; bytes.len()];
        ring.read(&storage, 4 * B * 5 + 2 * B, &mut read).unwrap();
        assert_eq!(read, bytes);
        let mut front = vec![0; BLOCK];
        storage.read_at(&mut front, 2 * B).unwrap();
        assert_eq!(front, bytes[2 * BLOCK..], "the third block stands at the front");
        ring.write(&storage, 0, &vec![0; 4 * BLOCK], false).unwrap();
    }
}
