//! The undo file: what stood where a repair wrote (`docs/format.md` §15).
//!
//! ```text
//! "COWUNDO\n" | version | store | length | blocks | repaired state | wreck's state | crc
//! block number | crc | 4096 bytes          for each block, ascending
//! ```
//!
//! It is whole and synced before the first byte of the store is changed.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, ErrorKind, Read, Write},
    path::Path,
};

use cowslip_pager::{
    geometry::Geometry,
    log::Scan,
    page::{u32_at, u64_at},
    storage::{BLOCK, FileStorage, Storage},
    superblock::{self, SUPERBLOCK_SIZE, Superblock},
};

use crate::{Error, opened};

const MAGIC: [u8; 8] = *b"COWUNDO\n";
const VERSION: u32 = 1;
const HEADER: usize = 64;
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

/// What tells whether anything was written to a store: its newest superblock, by checksum, and how many records
/// its log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    superblock: u32,
    records: u64,
}

impl State {
    const SIZE: usize = 12;

    /// With the newest superblock.
    fn of(storage: &dyn Storage) -> Result<(Superblock, State), Error> {
        let copies = superblock::read_all(storage).map_err(|_| Error::NotADatabase)?;
        let found = (0..4u64).zip(copies).filter_map(|(index, copy)| Some((index, copy.ok()?)));
        let newest = found.max_by_key(|(_, block)| block.checkpoint);
        let (index, block) = newest.ok_or(Error::NotADatabase)?;
        let mut bytes = [0; SUPERBLOCK_SIZE];
        storage.read_at(&mut bytes, Superblock::offset(index % 2, index / 2)).map_err(Error::Io)?;
        let geometry = Geometry::new(block.page_size as usize).ok_or(Error::NotADatabase)?;
        let mut scan = Scan::new(storage, &geometry, &block.log, block.store, block.checkpoint);
        let (mut body, mut records) = (Vec::new(), 0);
        // Damage ends it as well, in the same place each time.
        while let Ok(Some(_)) = scan.next(&mut body) {
            records += 1;
        }
        let superblock = u32_at(&bytes, SUPERBLOCK_SIZE - 4);
        Ok((block, State { superblock, records }))
    }

    fn encode(self) -> [u8; State::SIZE] {
        let mut bytes = [0; State::SIZE];
        bytes[..4].copy_from_slice(&self.superblock.to_le_bytes());
        bytes[4..].copy_from_slice(&self.records.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> State {
        State { superblock: u32_at(bytes, 0), records: u64_at(bytes, 4) }
    }
}

/// Keeps what stands in these blocks of a store that is about to be `repaired`.
pub(crate) fn save(
    path: &Path,
    storage: &dyn Storage,
    repaired: &dyn Storage,
    blocks: &[u64],
) -> Result<(), Error> {
    let length = storage.len().map_err(Error::Io)?;
    let (_, wreck) = State::of(storage)?;
    let (block, repaired) = State::of(repaired)?;
    let kept: Vec<u64> =
        blocks.iter().copied().filter(|block| block * (BLOCK as u64) < length).collect();
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&block.store.to_le_bytes());
    header[20..28].copy_from_slice(&length.to_le_bytes());
    header[28..36].copy_from_slice(&(kept.len() as u64).to_le_bytes());
    header[36..48].copy_from_slice(&repaired.encode());
    header[48..60].copy_from_slice(&wreck.encode());
    let crc = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    let file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::UndoFile)?;
    let mut out = std::io::BufWriter::new(&file);
    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(Error::UndoFile);
    write(&header)?;
    for block in kept {
        let mut bytes = [0; BLOCK];
        let at = block * BLOCK as u64;
        // The last one may not be whole.
        let there = (length - at).min(BLOCK as u64) as usize;
        // What cannot be read cannot be kept; zeros stand for it.
        if storage.read_at(&mut bytes[..there], at).is_err() {
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
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(Error::UndoFile)?;
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

/// What an undo file says at its beginning.
struct Head {
    store: u64,
    length: u64,
    blocks: u64,
    repaired: State,
    wreck: State,
}

impl Head {
    fn read(input: &mut dyn Read) -> Result<Head, Error> {
        let mut bytes = [0; HEADER];
        fill(input, &mut bytes)?;
        let whole = bytes[..8] == MAGIC
            && u32_at(&bytes, 8) == VERSION
            && u32_at(&bytes, 60) == crc32fast::hash(&bytes[..60]);
        let head = Head {
            store: u64_at(&bytes, 12),
            length: u64_at(&bytes, 20),
            blocks: u64_at(&bytes, 28),
            repaired: State::decode(&bytes[36..]),
            wreck: State::decode(&bytes[48..]),
        };
        whole.then_some(head).ok_or(Error::NotAnUndoFile)
    }

    /// All blocks, verified. They ascend, so there are no more of them than the store has.
    fn blocks(&self, input: &mut dyn Read) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let mut blocks = Vec::new();
        let mut entry = [0; ENTRY + BLOCK];
        let (mut next, end) = (0, self.length.div_ceil(BLOCK as u64));
        for _ in 0..self.blocks {
            fill(input, &mut entry)?;
            let (block, content) = (u64_at(&entry, 0), &entry[ENTRY..]);
            let right = crc_of(block, content) == u32_at(&entry, 8) && u32_at(&entry, 12) == 0;
            if !(next..end).contains(&block) || !right {
                return Err(Error::NotAnUndoFile);
            }
            next = block + 1;
            blocks.push((block, content.to_vec()));
        }
        match fill(input, &mut [0]) {
            Err(Error::NotAnUndoFile) => Ok(blocks),
            Err(error) => Err(error),
            Ok(()) => Err(Error::NotAnUndoFile),
        }
    }
}

fn fill(input: &mut dyn Read, bytes: &mut [u8]) -> Result<(), Error> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Error::NotAnUndoFile,
        _ => Error::UndoFile(error),
    })
}

/// Puts back what the repair that made `undo` has overwritten. Only the store of that repair is touched, and
/// only if nothing was written to it since.
pub fn undo(path: &Path, undo: &Path) -> Result<Undone, Error> {
    undo_storage(&FileStorage::open(path).map_err(opened)?, undo)
}

/// [`undo`] in a store that lies on any storage.
pub fn undo_storage(storage: &dyn Storage, undo: &Path) -> Result<Undone, Error> {
    let file = File::open(undo).map_err(Error::UndoFile)?;
    undo_from(storage, BufReader::new(file))
}

/// [`undo_storage`] with an undo file that comes from anywhere.
pub fn undo_from(storage: &dyn Storage, mut undo: impl Read) -> Result<Undone, Error> {
    let head = Head::read(&mut undo)?;
    let (found, state) = State::of(storage)?;
    if found.store != head.store {
        return Err(Error::OtherStore);
    }
    // The wreck's: the repair was cut short, or an undo.
    if state != head.repaired && state != head.wreck {
        return Err(Error::WrittenSince { checkpoint: found.checkpoint });
    }
    // A repair makes no file shorter.
    if head.length > storage.len().map_err(Error::Io)? {
        return Err(Error::NotAnUndoFile);
    }
    let blocks = head.blocks(&mut undo)?;
    put_back(storage, &blocks, head.length)?;
    Ok(Undone { blocks: blocks.len() as u64, length: head.length })
}

/// First the slot of the superblock that the repair has made, then the other one: from then on the wreck is what
/// an opening finds, and it needs nothing of what is still to come. Of two copies the one that was whole comes
/// first, so that one is whole while the other is written.
fn put_back(storage: &dyn Storage, kept: &[(u64, Vec<u8>)], length: u64) -> Result<(), Error> {
    let (newest, _) = State::of(storage)?;
    let slot = newest.checkpoint % 2;
    let of_slot = |slot: u64| {
        let places = [0, 1].map(|copy| Superblock::offset(slot, copy) / BLOCK as u64);
        let mut heads: Vec<_> = kept.iter().filter(|(block, _)| places.contains(block)).collect();
        heads.sort_by_key(|(_, bytes)| Superblock::decode(bytes).is_err());
        heads
    };
    let heads = [of_slot(slot), of_slot(1 - slot)].concat();
    for (block, bytes) in &heads {
        storage.write_durable(bytes, block * BLOCK as u64).map_err(Error::Io)?;
    }
    let is_head = |block: u64| heads.iter().any(|(head, _)| *head == block);
    for (block, bytes) in kept.iter().filter(|(block, _)| !is_head(*block)) {
        storage.write_at(bytes, block * BLOCK as u64).map_err(Error::Io)?;
    }
    storage.sync().map_err(Error::Io)?;
    storage.set_len(length).map_err(Error::Io)?;
    storage.sync().map_err(Error::Io)
}
