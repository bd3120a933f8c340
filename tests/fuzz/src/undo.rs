//! An undo file, put together from an input: a real one, changed.
//!
//! ```text
//! u8 image | u8 flags | edits to the end of the input
//!
//! flags: bit 0: the rest of the input is the file, as it stands;  bit 1: leave the checksums as they are
//! edit:  0  u16 entry, u16 place in it, u8 byte        1  u8 place in the header, u64 to be there
//!        2  u16 entry: it goes                         3  u16 entry: it comes twice
//!        4  u16 bytes from the end: they go            5  u16 entry, u64: its number
//! ```

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use cowslip_fsck::{RepairOptions, repair_storage};
use cowslip_pager::storage::simulated::Image;

use crate::{
    image::{Role, SEEDS, Seed},
    store::{self, TemporaryFile},
};

/// Bytes before the entries.
pub const HEADER: usize = 64;
/// Bytes of an entry: number, checksum, and a block.
pub const ENTRY: usize = 16 + 4096;

/// A store that was repaired.
pub struct Repaired {
    /// Before.
    pub wreck: Image,
    /// After.
    pub image: Image,
    /// The undo file.
    pub undo: Vec<u8>,
}

/// One of each committed image, with a damaged page of its map.
pub static REPAIRED: LazyLock<Vec<Repaired>> =
    LazyLock::new(|| SEEDS.iter().map(Repaired::of).collect());

impl Repaired {
    fn of(seed: &Seed) -> Repaired {
        let maps = seed.pages.iter().filter(|&&page| seed.roles[page as usize] == Role::Map);
        // Of two slots one is not in use: damage there is none.
        let repaired = maps.rev().find_map(|map| {
            let mut wreck = seed.image.clone();
            wreck.write(&[0xA5; 64], map * seed.geometry.page_size as u64);
            let disk = store::disk(wreck.clone());
            let undo = TemporaryFile::create();
            let options = RepairOptions { undo: Some(undo.path()), ..RepairOptions::default() };
            let done = repair_storage(&*disk, &options).ok()?;
            (done.exit_code() == 1 && done.blocks_written > 0).then(|| Repaired {
                wreck,
                image: disk.freeze(),
                undo: std::fs::read(undo.path()).expect("an undo file"),
            })
        });
        repaired.expect("a damaged map can be repaired")
    }
}

/// An undo file and the store that it is applied to.
pub struct Undo {
    /// The store.
    pub of: &'static Repaired,
    /// The file.
    pub bytes: Vec<u8>,
}

impl<'a> Arbitrary<'a> for Undo {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Undo> {
        let of = &REPAIRED[usize::from(u.arbitrary::<u8>()?) % SEEDS.len()];
        let flags = u.arbitrary::<u8>()?;
        if flags & 1 != 0 {
            return Ok(Undo { of, bytes: u.bytes(u.len())?.to_vec() });
        }
        let mut bytes = of.undo.clone();
        while !u.is_empty() {
            edit(u, &mut bytes)?;
        }
        if flags & 2 == 0 {
            seal(&mut bytes);
        }
        Ok(Undo { of, bytes })
    }
}

fn edit(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    let kind = u.arbitrary::<u8>()? % 6;
    if kind == 1 {
        let at = usize::from(u.arbitrary::<u8>()?) % (HEADER - 8);
        let word = u.arbitrary::<u64>()?.to_le_bytes();
        if let Some(place) = bytes.get_mut(at..at + 8) {
            place.copy_from_slice(&word);
        }
        return Ok(());
    }
    let number = usize::from(u.arbitrary::<u16>()?);
    if kind == 4 {
        bytes.truncate(bytes.len().saturating_sub(number));
        return Ok(());
    }
    let entries = bytes.len().saturating_sub(HEADER) / ENTRY;
    let start = HEADER + number.checked_rem(entries).unwrap_or(0) * ENTRY;
    match kind {
        0 => {
            let at = start + usize::from(u.arbitrary::<u16>()?) % ENTRY;
            let byte = u.arbitrary::<u8>()?;
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        5 => {
            let block = u.arbitrary::<u64>()?.to_le_bytes();
            if let Some(place) = bytes.get_mut(start..start + 8) {
                place.copy_from_slice(&block);
            }
        }
        2 if entries > 0 => drop(bytes.drain(start..start + ENTRY)),
        3 if entries > 0 && bytes.len() < store::FILE_MAX as usize => {
            let entry = bytes[start..start + ENTRY].to_vec();
            drop(bytes.splice(start..start, entry));
        }
        _ => {}
    }
    Ok(())
}

/// Makes the checksums right.
fn seal(bytes: &mut [u8]) {
    if bytes.len() < HEADER {
        return;
    }
    let crc = crc32fast::hash(&bytes[..60]).to_le_bytes();
    bytes[60..HEADER].copy_from_slice(&crc);
    for entry in bytes[HEADER..].chunks_exact_mut(ENTRY) {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&entry[..8]);
        crc.update(&entry[16..]);
        let crc = crc.finalize().to_le_bytes();
        entry[8..12].copy_from_slice(&crc);
    }
}
