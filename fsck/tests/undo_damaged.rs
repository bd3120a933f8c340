//! Undo files that are damaged, forged, or of another store: an error that says so, and not a byte is written.
//! `SEED` repeats, `ROUNDS` is how many (200).

mod support;

use std::io::{self, Read};

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{Error, RepairOptions, undo_from};
use support::Wreck;

const HEADER: usize = 64;
const ENTRY: usize = 16 + 4096;

/// A wreck, what a repair made of it, and the undo file.
struct Repaired {
    wreck: Vec<u8>,
    repaired: Vec<u8>,
    undo: Vec<u8>,
}

impl Repaired {
    fn new() -> Repaired {
        let mut wreck = Wreck::new();
        let group = wreck.group(0);
        wreck.flip(group, 100);
        let folder = tempfile::tempdir().unwrap();
        let undo = folder.path().join("undo");
        let storage = SimulatedStorage::from_image(wreck.bytes.clone());
        let options = RepairOptions { undo: Some(&undo), ..RepairOptions::default() };
        assert_eq!(cowslip_fsck::repair_storage(&storage, &options).unwrap().exit_code(), 1);
        let undo = std::fs::read(undo).unwrap();
        assert!(undo.len() > HEADER + 2 * ENTRY);
        Repaired { wreck: wreck.bytes, repaired: storage.image(), undo }
    }

    /// The error for this undo file, which changes nothing.
    #[track_caller]
    fn refused(&self, undo: impl Read, what: &str) -> Error {
        let storage = SimulatedStorage::from_image(self.repaired.clone());
        let error = undo_from(&storage, undo).expect_err(what);
        assert!(storage.image() == self.repaired, "{what}: {error}, and something was written");
        error
    }
}

/// Header and entries under right checksums.
fn seal(undo: &mut [u8]) {
    let crc = crc32fast::hash(&undo[..60]).to_le_bytes();
    undo[60..64].copy_from_slice(&crc);
    for entry in undo[HEADER..].chunks_exact_mut(ENTRY) {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&entry[..8]);
        crc.update(&entry[16..]);
        let crc = crc.finalize().to_le_bytes();
        entry[8..12].copy_from_slice(&crc);
    }
}

#[test]
fn an_undo_file_that_was_cut_or_changed_anywhere_changes_nothing() {
    let of = Repaired::new();
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let rounds = std::env::var("ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..rounds {
        let mut undo = of.undo.clone();
        // The header has few bytes, and all of them count.
        let at = if random.bool() { random.usize(..HEADER) } else { random.usize(..undo.len()) };
        match random.u8(..5) {
            0 => undo.truncate(at),
            1 => undo[at] ^= 1 << random.u8(..8),
            2 => undo.extend((0..random.usize(1..5000)).map(|_| random.u8(..))),
            3 => {
                let entry = HEADER + ENTRY * random.usize(..(undo.len() - HEADER) / ENTRY);
                drop(undo.drain(entry..entry + ENTRY));
            }
            _ => {
                let entry = undo[HEADER..HEADER + ENTRY].to_vec();
                undo.extend_from_slice(&entry);
            }
        }
        let what = format!("SEED={seed}, round {round}");
        let error = of.refused(&undo[..], &what);
        assert!(matches!(error, Error::NotAnUndoFile), "{what}: {error}");
    }
    let storage = SimulatedStorage::from_image(of.repaired.clone());
    undo_from(&storage, &of.undo[..]).unwrap();
    assert!(storage.image() == of.wreck, "the whole one puts back every byte");
}

/// Under right checksums.
#[test]
fn an_undo_file_that_no_repair_can_have_made_changes_nothing() {
    let of = Repaired::new();
    let forged = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut undo = of.undo.clone();
        change(&mut undo);
        seal(&mut undo);
        let error = of.refused(&undo[..], what);
        assert!(matches!(error, Error::NotAnUndoFile), "{what}: {error}");
    };
    let longer = (of.repaired.len() as u64 + 1).to_le_bytes();
    forged("longer than the store", &|undo| undo[20..28].copy_from_slice(&longer));
    forged("as long as can be", &|undo| undo[20..28].fill(0xFF));
    forged("no end of blocks", &|undo| undo[28..36].fill(0xFF));
    forged("a block more", &|undo| undo[28] += 1);
    forged("a block less", &|undo| undo[28] -= 1);
    forged("an empty file", &|undo| undo[20..28].fill(0));
    forged("another version", &|undo| undo[8] += 1);
    forged("a block behind the end", &|undo| {
        let last = undo.len() - ENTRY;
        undo[last..last + 8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    });
    forged("a block twice", &|undo| {
        let first = undo[HEADER..HEADER + ENTRY].to_vec();
        undo[HEADER + ENTRY..HEADER + 2 * ENTRY].copy_from_slice(&first);
    });
    forged("blocks that do not ascend", &|undo| {
        let first: Vec<u8> = undo[HEADER..HEADER + ENTRY].to_vec();
        undo.copy_within(HEADER + ENTRY..HEADER + 2 * ENTRY, HEADER);
        undo[HEADER + ENTRY..HEADER + 2 * ENTRY].copy_from_slice(&first);
    });
    forged("something in what is zero", &|undo| undo[HEADER + 12] = 1);
}

#[test]
fn an_undo_file_of_another_store_or_another_repair_changes_nothing() {
    let (of, other) = (Repaired::new(), Repaired::new());
    let error = of.refused(&other.undo[..], "of another store");
    assert!(matches!(error, Error::OtherStore), "{error}");
    for field in [36, 40, 48, 52] {
        let mut undo = of.undo.clone();
        // Neither the repaired state nor the wreck's.
        undo[field] ^= 1;
        undo[if field < 48 { 48 } else { 36 }] ^= 1;
        seal(&mut undo);
        let error = of.refused(&undo[..], "of another repair");
        assert!(matches!(error, Error::WrittenSince { .. }), "{error}");
    }
}

/// Neither is all of it kept in memory, nor is there a wait for its end.
#[test]
fn an_undo_file_without_an_end_is_refused_at_once() {
    let of = Repaired::new();
    let error = of.refused(of.undo.chain(io::repeat(0)), "more and more zeros");
    assert!(matches!(error, Error::NotAnUndoFile), "{error}");
    let error = of.refused(io::repeat(b'C'), "nothing but letters");
    assert!(matches!(error, Error::NotAnUndoFile), "{error}");
    let mut undo = of.undo.clone();
    undo[28..36].fill(0xFF);
    seal(&mut undo);
    let endless = undo.chain(io::repeat(0));
    assert!(matches!(of.refused(endless, "no end of blocks"), Error::NotAnUndoFile));
}

#[test]
fn an_undo_file_that_cannot_be_read_changes_nothing() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let of = Repaired::new();
    for length in [0, 10, HEADER, HEADER + 100, of.undo.len()] {
        let error = of.refused(of.undo[..length].chain(Failing), "a device that fails");
        assert!(matches!(error, Error::UndoFile(_)), "{length} bytes: {error}");
    }
}
