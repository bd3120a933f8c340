//! The undo file: what stood where a repair wrote (`docs/format.md` §15).
//!
//! ```text
//! "COWUNDO\n" | version | store | checkpoint | length | blocks | crc
//! block number | crc | 4096 bytes          for each block, ascending
//! ```
//!
//! It is whole and synced before the first byte of the store is changed.

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    path::Path,
};

use cowslip_pager::{
    page::{u32_at, u64_at},
    storage::{BLOCK, FileStorage, Storage},
    superblock::{self, Superblock},
};

use crate::{Error, opened};

const MAGIC: [u8; 8] = *b"COWUNDO\n";
const VERSION: u32 = 1;
const HEADER: usize = 48;
/// Number and checksum of a block, before its bytes.
const ENTRY: usize = 16;

/// What an undo put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undone {
    /// Blocks of 4 KiB.
    pub blocks: u64,
    /// Bytes of the file now.
    pub length: u64,
}

/// Keeps what stands in these blocks of a store that is about to get `new` for its superblock.
pub(crate) fn save(
    path: &Path,
    storage: &dyn Storage,
    new: &Superblock,
    blocks: &[u64],
) -> Result<(), Error> {
    let length = storage.len().map_err(Error::Io)?;
    let kept: Vec<u64> =
        blocks.iter().copied().filter(|block| (block + 1) * BLOCK as u64 <= length).collect();
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&new.store.to_le_bytes());
    header[20..28].copy_from_slice(&new.checkpoint.to_le_bytes());
    header[28..36].copy_from_slice(&length.to_le_bytes());
    header[36..44].copy_from_slice(&(kept.len() as u64).to_le_bytes());
    let crc = crc32fast::hash(&header[..44]);
    header[44..].copy_from_slice(&crc.to_le_bytes());
    let file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::UndoFile)?;
    let mut out = std::io::BufWriter::new(&file);
    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(Error::UndoFile);
    write(&header)?;
    for block in kept {
        let mut bytes = [0; BLOCK];
        // What cannot be read cannot be kept; zeros stand for it.
        if storage.read_at(&mut bytes, block * BLOCK as u64).is_err() {
            bytes.fill(0);
        }
        let mut entry = [0; ENTRY];
        entry[..8].copy_from_slice(&block.to_le_bytes());
        entry[8..12].copy_from_slice(&crc_of(block, &bytes).to_le_bytes());
        write(&entry)?;
        write(&bytes)?;
    }
    out.flush().map_err(Error::UndoFile)?;
    drop(out);
    file.sync_all().map_err(Error::UndoFile)?;
    #[cfg(unix)]
    {
        // The name as well.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder =
            std::fs::File::open(folder.unwrap_or(Path::new("."))).map_err(Error::UndoFile)?;
        folder.sync_all().map_err(Error::UndoFile)?;
    }
    Ok(())
}

fn crc_of(block: u64, bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&block.to_le_bytes());
    crc.update(bytes);
    crc.finalize()
}

/// An undo file that was read and verified.
struct Kept {
    store: u64,
    checkpoint: u64,
    length: u64,
    blocks: Vec<(u64, Vec<u8>)>,
}

fn read(path: &Path) -> Result<Kept, Error> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path).map_err(Error::UndoFile)?;
    file.read_to_end(&mut bytes).map_err(Error::UndoFile)?;
    let whole = bytes.len() >= HEADER
        && bytes[..8] == MAGIC
        && u32_at(&bytes, 8) == VERSION
        && u32_at(&bytes, 44) == crc32fast::hash(&bytes[..44]);
    if !whole {
        return Err(Error::NotAnUndoFile);
    }
    let mut kept = Kept {
        store: u64_at(&bytes, 12),
        checkpoint: u64_at(&bytes, 20),
        length: u64_at(&bytes, 28),
        blocks: Vec::new(),
    };
    let entries = bytes[HEADER..].chunks(ENTRY + BLOCK);
    if entries.len() as u64 != u64_at(&bytes, 36) {
        return Err(Error::NotAnUndoFile);
    }
    for entry in entries {
        if entry.len() < ENTRY + BLOCK {
            return Err(Error::NotAnUndoFile);
        }
        let (block, content) = (u64_at(entry, 0), &entry[ENTRY..]);
        let inside = block < kept.length / BLOCK as u64;
        if !inside || crc_of(block, content) != u32_at(entry, 8) || u32_at(entry, 12) != 0 {
            return Err(Error::NotAnUndoFile);
        }
        kept.blocks.push((block, content.to_vec()));
    }
    Ok(kept)
}

/// Puts back what the repair that made `undo` has overwritten. Only the store of that repair is touched, and
/// only if nothing was written to it since.
pub fn undo(path: &Path, undo: &Path) -> Result<Undone, Error> {
    let kept = read(undo)?;
    let storage = FileStorage::open(path).map_err(opened)?;
    let copies = superblock::read_all(&storage).map_err(|_| Error::NotADatabase)?;
    let found = copies.into_iter().filter_map(Result::ok).max_by_key(|block| block.checkpoint);
    let Some(found) = found.filter(|block| block.store == kept.store) else {
        return Err(Error::OtherStore);
    };
    // One less: the repair, or an undo of it, was cut short.
    if found.checkpoint != kept.checkpoint && found.checkpoint + 1 != kept.checkpoint {
        return Err(Error::WrittenSince { checkpoint: found.checkpoint });
    }
    let area = cowslip_pager::geometry::SUPERBLOCK_AREA / BLOCK as u64;
    let (heads, body): (Vec<_>, Vec<_>) = kept.blocks.iter().partition(|(block, _)| *block < area);
    for part in [body, heads] {
        for (block, bytes) in part {
            storage.write_at(bytes, block * BLOCK as u64).map_err(Error::Io)?;
        }
        storage.sync().map_err(Error::Io)?;
    }
    storage.set_len(kept.length).map_err(Error::Io)?;
    storage.sync().map_err(Error::Io)?;
    Ok(Undone { blocks: kept.blocks.len() as u64, length: kept.length })
}
