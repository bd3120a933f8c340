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
    let faults: [(&str, Spoil); 8] = [
        ("chain", |record| record.chain ^= 1),
        ("sequence too low", |record| record.sequence -= 1),
        ("sequence too high", |record| record.sequence += 1),
        ("older generation", |record| record.generation -= 1),
        ("store", |record| record.store += 1),
        ("kind", |record| record.kind = 3),
        ("no length", |record| record.length = 0),
        ("stamp that leaves no room", |record| record.stamp = u64::MAX),
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
