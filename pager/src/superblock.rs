//! The superblock: the fixed place that says where everything is.
//!
//! Two slots, each written twice, 16 KiB apart, so that no single torn or failed write and no
//! single bad 4 KiB page can hide the newest checkpoint:
//!
//! ```text
//! byte 0        16 KiB       32 KiB       48 KiB
//! slot 0, copy 0 | slot 1, copy 0 | slot 0, copy 1 | slot 1, copy 1
//!
//!    0  8 B  magic "COWSLIP\n"      64  u64  stamp (newest handed out at the seal)
//!    8  u32  format version         72  u64  stamp ceiling
//!   12  u32  page size              80 16 B  root pointer (never followed by the pager)
//!   16  u64  incompatible features  96  u64  pages of the file
//!   24  u64  read-only features    104  u64  free pages
//!   32  u64  compatible features   112  u32  map depth, u8 slot, 3 zero
//!   40  u64  store id              120  u32  map root crc, u32 zero
//!   48  u64  checkpoint number     128  u64  log first page, u64 log blocks
//!   56  u64  created, unix seconds 144  u64  log start (logical byte), u64 log sequence
//!                                  160  u32  log chain crc, u32 zero, u64 log generation
//!  176  u32  counts of the delta list, u32  its checksums
//!  184 128 B  how far the scrub is
//!  512 .. 4092  the map's delta list; then zero
//! 4092  u32  crc32 of bytes 0..4092
//! ```
//!
//! Checkpoint *n* goes to slot *n mod 2*. The newest valid copy wins; there is no falling back to
//! an older checkpoint, whose pages may be in use again.

use crate::{
    aligned::Aligned,
    error::{Error, Result},
    geometry::Geometry,
    map::DeltaList,
    mutant,
    page::{PageId, Pointer, put, u32_at, u64_at},
    scrub::ScrubRecord,
    space::Run,
    storage::Storage,
};

/// The first bytes of every Cowslip file.
pub const MAGIC: [u8; 8] = *b"COWSLIP\n";
/// The format version that this library writes.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of a superblock copy.
pub const SUPERBLOCK_SIZE: usize = 4096;
/// Where the delta list stands in a superblock.
pub const DELTA_AT: usize = 512;
/// Where the progress of the scrub stands in a superblock.
const SCRUB_AT: usize = 184;
const _: () = assert!(SCRUB_AT + ScrubRecord::SIZE <= DELTA_AT);
/// No stamp in a file is larger, so that there is always room above.
pub const STAMP_MAX: u64 = u64::MAX / 2;
/// The highest checkpoint, sequence number and generation: none is ever reached by counting, and whoever adds to one
/// need not fear that it overflows.
pub const NUMBER_MAX: u64 = 1 << 62;
/// How far the stamp ceiling is raised above the newest stamp.
pub(crate) const STAMP_WINDOW: u64 = 1 << 32;

/// Where the top directory page of the page map stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapRoot {
    /// Directory levels.
    pub depth: u32,
    /// Which slot of the top directory page is current.
    pub slot: u8,
    /// crc32 of the top directory page.
    pub crc: u32,
}

/// Where the intent log stands and where its live part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStart {
    /// First page of the ring.
    pub page: PageId,
    /// 4 KiB blocks in the ring.
    pub blocks: u64,
    /// Logical byte position where replay begins (its place is this modulo the ring's bytes).
    pub at: u64,
    /// Sequence number of the first record to replay.
    pub sequence: u64,
    /// The crc of the record before it.
    pub chain: u32,
    /// Records of an older generation are not replayed.
    pub generation: u64,
}

/// The contents of a superblock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// Bytes of a page.
    pub page_size: u32,
    /// A random number given at creation.
    pub store: u64,
    /// Number of the checkpoint that this superblock makes durable.
    pub checkpoint: u64,
    /// Creation time in seconds since 1970.
    pub created: u64,
    /// The newest stamp handed out when the checkpoint was sealed.
    pub stamp: u64,
    /// No stamp above this was handed out before a newer superblock was durable.
    pub stamp_ceiling: u64,
    /// The owner's root.
    pub root: Pointer,
    /// Pages of the file that the map describes.
    pub pages: u64,
    /// Pages with refcount 0.
    pub free: u64,
    /// The page map.
    pub map: MapRoot,
    /// Counts and checksums that are newer than the pages of the map.
    pub delta: DeltaList,
    /// The intent log.
    pub log: LogStart,
    /// How far the scrub is.
    pub scrub: ScrubRecord,
}

impl Superblock {
    /// What a new store begins with, before its first checkpoint.
    pub(crate) fn default_for(
        page_size: usize,
        store: u64,
        created: u64,
        ring: Run,
        blocks: u64,
    ) -> Superblock {
        Superblock {
            page_size: page_size as u32,
            store,
            checkpoint: 0,
            created,
            stamp: 0,
            stamp_ceiling: STAMP_WINDOW,
            root: Pointer::NONE,
            pages: 0,
            free: 0,
            map: MapRoot::default(),
            delta: DeltaList::default(),
            log: LogStart {
                page: ring.start,
                blocks,
                at: blocks * 4096,
                sequence: 1,
                chain: 0,
                generation: 1,
            },
            scrub: ScrubRecord::default(),
        }
    }

    /// Byte offset of a copy.
    pub fn offset(slot: u64, copy: u64) -> u64 {
        (slot + 2 * copy) * (16 << 10)
    }

    /// The 4 KiB that stand in the file.
    pub fn encode(&self) -> [u8; SUPERBLOCK_SIZE] {
        let mut b = [0; SUPERBLOCK_SIZE];
        put(&mut b, 0, &MAGIC);
        put(&mut b, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut b, 12, &self.page_size.to_le_bytes());
        put(&mut b, 40, &self.store.to_le_bytes());
        put(&mut b, 48, &self.checkpoint.to_le_bytes());
        put(&mut b, 56, &self.created.to_le_bytes());
        put(&mut b, 64, &self.stamp.to_le_bytes());
        put(&mut b, 72, &self.stamp_ceiling.to_le_bytes());
        put(&mut b, 80, &self.root.encode());
        put(&mut b, 96, &self.pages.to_le_bytes());
        put(&mut b, 104, &self.free.to_le_bytes());
        put(&mut b, 112, &self.map.depth.to_le_bytes());
        b[116] = self.map.slot;
        put(&mut b, 120, &self.map.crc.to_le_bytes());
        put(&mut b, 128, &self.log.page.0.to_le_bytes());
        put(&mut b, 136, &self.log.blocks.to_le_bytes());
        put(&mut b, 144, &self.log.at.to_le_bytes());
        put(&mut b, 152, &self.log.sequence.to_le_bytes());
        put(&mut b, 160, &self.log.chain.to_le_bytes());
        put(&mut b, 168, &self.log.generation.to_le_bytes());
        put(&mut b, 176, &(self.delta.entries().len() as u32).to_le_bytes());
        put(&mut b, 180, &(self.delta.checksums().len() as u32).to_le_bytes());
        self.scrub.encode(&mut b[SCRUB_AT..SCRUB_AT + ScrubRecord::SIZE]);
        self.delta.encode(&mut b[DELTA_AT..DELTA_AT + DeltaList::BYTES]);
        let crc = crc32fast::hash(&b[..SUPERBLOCK_SIZE - 4]);
        put(&mut b, SUPERBLOCK_SIZE - 4, &crc.to_le_bytes());
        b
    }

    /// Reads one copy; every field is checked before anyone relies on it.
    pub fn decode(b: &[u8]) -> Result<Superblock> {
        let fault = |what, expected, found| Err(Error::corrupted(0, what, expected, found));
        if b[..8] != MAGIC {
            return Err(Error::NotADatabase);
        }
        let crc = crc32fast::hash(&b[..SUPERBLOCK_SIZE - 4]);
        let stored = u32_at(b, SUPERBLOCK_SIZE - 4);
        if crc != stored && !mutant!(SuperblockChecksumUnchecked) {
            return fault("superblock checksum", crc.into(), stored.into());
        }
        let version = u32_at(b, 8);
        if version != FORMAT_VERSION {
            return Err(Error::NewerFormat {
                found: version.into(),
                supported: FORMAT_VERSION.into(),
            });
        }
        for at in [16, 24] {
            if u64_at(b, at) != 0 {
                return Err(Error::NewerFormat { found: u64_at(b, at), supported: 0 });
            }
        }
        let mut block = Superblock {
            page_size: u32_at(b, 12),
            store: u64_at(b, 40),
            checkpoint: u64_at(b, 48),
            created: u64_at(b, 56),
            stamp: u64_at(b, 64),
            stamp_ceiling: u64_at(b, 72),
            root: Pointer::decode(&b[80..96]),
            pages: u64_at(b, 96),
            free: u64_at(b, 104),
            map: MapRoot { depth: u32_at(b, 112), slot: b[116], crc: u32_at(b, 120) },
            delta: DeltaList::default(),
            log: LogStart {
                page: PageId(u64_at(b, 128)),
                blocks: u64_at(b, 136),
                at: u64_at(b, 144),
                sequence: u64_at(b, 152),
                chain: u32_at(b, 160),
                generation: u64_at(b, 168),
            },
            scrub: ScrubRecord::decode(&b[SCRUB_AT..SCRUB_AT + ScrubRecord::SIZE]),
        };
        let Some(geometry) = Geometry::new(block.page_size as usize) else {
            return fault("page size in the superblock", 4096, block.page_size.into());
        };
        if block.pages > PageId::LIMIT || block.pages < geometry.reserved(0) {
            return fault("pages in the superblock", geometry.reserved(0), block.pages);
        }
        if block.map.depth != geometry.depth(block.pages) || block.map.slot > 1 {
            return fault(
                "map depth in the superblock",
                geometry.depth(block.pages).into(),
                block.map.depth.into(),
            );
        }
        // Bounds before products, so that no field of a forged superblock can overflow.
        let file_bytes = block.pages * geometry.page_size as u64;
        if block.log.blocks == 0 || block.log.blocks > file_bytes / 4096 {
            return fault("log blocks in the superblock", file_bytes / 4096, block.log.blocks);
        }
        let log_pages = (block.log.blocks * 4096).div_ceil(geometry.page_size as u64);
        if block.log.page.0 < geometry.reserved(0) || block.log.page.0 > block.pages - log_pages {
            return fault("log position in the superblock", block.pages, block.log.page.0);
        }
        if block.log.at > u64::MAX / 4 || !block.log.at.is_multiple_of(8) {
            return fault("log start in the superblock", 0, block.log.at);
        }
        for (what, number) in [
            ("checkpoint in the superblock", block.checkpoint),
            ("log sequence in the superblock", block.log.sequence),
            ("log generation in the superblock", block.log.generation),
        ] {
            if number > NUMBER_MAX {
                return fault(what, NUMBER_MAX, number);
            }
        }
        if block.stamp > block.stamp_ceiling || block.stamp_ceiling > STAMP_MAX {
            return fault("stamp in the superblock", block.stamp_ceiling, block.stamp);
        }
        if block.root.page.0 >= block.pages {
            return fault("root page in the superblock", block.pages, block.root.page.0);
        }
        let place = &b[DELTA_AT..DELTA_AT + DeltaList::BYTES];
        block.delta = DeltaList::decode(place, u32_at(b, 176), u32_at(b, 180), block.pages)?;
        Ok(block)
    }
}

/// What stands in the four copies, in the order slot 0 copy 0, slot 1 copy 0, slot 0 copy 1,
/// slot 1 copy 1.
pub fn read_all(storage: &dyn Storage) -> Result<[Result<Superblock>; 4]> {
    read_copies(storage, |bytes, offset| storage.read_at(bytes, offset))
}

/// The same, as the device has them.
pub(crate) fn read_all_direct(storage: &dyn Storage) -> Result<[Result<Superblock>; 4]> {
    read_copies(storage, |bytes, offset| storage.read_direct(bytes, offset))
}

fn read_copies(
    storage: &dyn Storage,
    read_bytes: impl Fn(&mut [u8], u64) -> std::io::Result<()>,
) -> Result<[Result<Superblock>; 4]> {
    let length = storage.len().map_err(|e| Error::io("reading the file's length", None, e))?;
    let read = |index: u64| -> Result<Superblock> {
        let offset = Superblock::offset(index % 2, index / 2);
        if offset + SUPERBLOCK_SIZE as u64 > length {
            if index == 0 {
                return Err(Error::NotADatabase);
            }
            return Err(Error::corrupted(0, "file length", offset + 4096, length));
        }
        let mut bytes = Aligned::default();
        bytes.reserve(SUPERBLOCK_SIZE).map_err(|e| Error::io("reserving a buffer", None, e))?;
        bytes.resize(SUPERBLOCK_SIZE);
        read_bytes(&mut bytes, offset)
            .map_err(|e| Error::io("reading the superblock", offset, e))?;
        let block = Superblock::decode(&bytes)?;
        if block.checkpoint % 2 != index % 2 {
            return Err(Error::corrupted(0, "superblock slot", block.checkpoint % 2, index % 2));
        }
        Ok(block)
    };
    Ok([read(0), read(1), read(2), read(3)])
}

/// The newest valid superblock. If none is valid, the most telling of the four errors.
pub fn newest(storage: &dyn Storage) -> Result<Superblock> {
    newest_of(read_all(storage)?)
}

/// The newest of what [`read_all`] has found.
pub(crate) fn newest_of(copies: [Result<Superblock>; 4]) -> Result<Superblock> {
    let lost_slot =
        (0..2).find(|&slot| copies[slot].is_err() && copies[slot + 2].is_err()).map(|s| s as u64);
    let mut best: Option<Superblock> = None;
    let mut worst: Option<Error> = None;
    for copy in copies {
        match copy {
            Ok(block) => {
                if best.as_ref().is_none_or(|b| block.checkpoint > b.checkpoint) {
                    best = Some(block);
                }
            }
            Err(error) => {
                let weight = |e: &Error| match e {
                    Error::NewerFormat { .. } => 3,
                    Error::Io { .. } => 2,
                    Error::Corrupted(_) => 1,
                    _ => 0,
                };
                // A newer format is never second-guessed by an older copy beside it.
                if worst.as_ref().is_none_or(|w| weight(&error) > weight(w)) {
                    worst = Some(error);
                }
            }
        }
    }
    match (best, worst) {
        (_, Some(error @ Error::NewerFormat { .. })) => Err(error),
        // A copy that cannot be read may be the newest: an error, not an older state.
        (Some(_), Some(error @ Error::Io { .. })) => Err(error),
        // The copies of a slot are written one after the other, each durable before the next, so a
        // power cut leaves at least one of each slot whole. If both are gone, it is damage, and the
        // newest state may have stood there. Only the first checkpoint has no older one beside it.
        (Some(block), _)
            if lost_slot.is_some() && block.checkpoint > 1 && !mutant!(LostSlotOverlooked) =>
        {
            Err(Error::corrupted(0, "superblock slot, both copies", 1, lost_slot.unwrap_or(0)))
        }
        (Some(block), _) => Ok(block),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::NotADatabase),
    }
}

/// The contents of those copies that only their checksum tells to be torn, in the order of
/// [`read_all`]: for a mutant that believes them.
pub(crate) fn torn(storage: &dyn Storage) -> Result<[Option<Superblock>; 4]> {
    let mut torn = [const { None }; 4];
    for (index, copy) in read_all(storage)?.into_iter().enumerate() {
        let Err(Error::Corrupted(fault)) = copy else { continue };
        if fault.what != "superblock checksum" {
            continue;
        }
        let offset = Superblock::offset(index as u64 % 2, index as u64 / 2);
        let mut bytes = [0; SUPERBLOCK_SIZE];
        storage
            .read_at(&mut bytes, offset)
            .map_err(|e| Error::io("reading the superblock", offset, e))?;
        put(&mut bytes, SUPERBLOCK_SIZE - 4, &(fault.expected as u32).to_le_bytes());
        let block = Superblock::decode(&bytes).ok();
        torn[index] = block.filter(|block| block.checkpoint % 2 == index as u64 % 2);
    }
    Ok(torn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{DeltaChecksum, DeltaEntry};

    fn sample() -> Superblock {
        Superblock {
            page_size: 4096,
            store: 1,
            checkpoint: 6,
            created: 3,
            stamp: 10,
            stamp_ceiling: 10 + STAMP_WINDOW,
            root: Pointer { page: PageId(300), kind: 1, level: 0, stamp: 9 },
            pages: 400,
            free: 5,
            map: MapRoot { depth: 1, slot: 1, crc: 99 },
            delta: DeltaList::new(
                vec![
                    DeltaEntry { page: PageId(399), count: 0, turns: true },
                    DeltaEntry { page: PageId(300), count: DeltaEntry::COUNT_MAX, turns: false },
                ],
                vec![
                    DeltaChecksum { page: PageId(300), crc: u32::MAX },
                    DeltaChecksum { page: PageId(2), crc: 1 },
                ],
            ),
            log: LogStart {
                page: PageId(200),
                blocks: 64,
                at: 70 * 4096,
                sequence: 8,
                chain: 5,
                generation: 3,
            },
            scrub: ScrubRecord { position: PageId(77), passes: 2, ..ScrubRecord::default() },
        }
    }

    #[test]
    fn a_superblock_survives_its_encoding() {
        assert_eq!(Superblock::decode(&sample().encode()).unwrap(), sample());
    }

    #[test]
    fn a_superblock_with_any_byte_changed_is_refused() {
        let bytes = sample().encode();
        for at in 0..bytes.len() {
            let mut damaged = bytes;
            damaged[at] ^= 0x40;
            assert!(Superblock::decode(&damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_number_that_would_overflow_is_refused() {
        for at in [48, 152, 168] {
            for (value, good) in [(NUMBER_MAX, true), (NUMBER_MAX + 1, false), (u64::MAX, false)] {
                let mut bytes = sample().encode();
                put(&mut bytes, at, &value.to_le_bytes());
                let crc = crc32fast::hash(&bytes[..SUPERBLOCK_SIZE - 4]);
                put(&mut bytes, SUPERBLOCK_SIZE - 4, &crc.to_le_bytes());
                assert_eq!(Superblock::decode(&bytes).is_ok(), good, "byte {at}: {value:#x}");
            }
        }
    }

    /// A checksum that is right proves nothing about a file made by somebody else.
    #[test]
    fn a_delta_list_that_could_not_have_been_written_is_refused() {
        let both = |counts: u32, checksums: u32, entries: &[(u32, u32)], stray: Option<usize>| {
            let mut bytes = Superblock { delta: DeltaList::default(), ..sample() }.encode();
            put(&mut bytes, 176, &counts.to_le_bytes());
            put(&mut bytes, 180, &checksums.to_le_bytes());
            for (i, (page, value)) in entries.iter().enumerate() {
                put(&mut bytes, DELTA_AT + 8 * i, &page.to_le_bytes());
                put(&mut bytes, DELTA_AT + 8 * i + 4, &value.to_le_bytes());
            }
            if let Some(at) = stray {
                bytes[at] = 1;
            }
            let crc = crc32fast::hash(&bytes[..SUPERBLOCK_SIZE - 4]);
            put(&mut bytes, SUPERBLOCK_SIZE - 4, &crc.to_le_bytes());
            Superblock::decode(&bytes)
                .map(|block| (block.delta.entries().len(), block.delta.checksums().len()))
        };
        let forged = |count, entries: &[_], stray| both(count, 0, entries, stray);
        assert_eq!(forged(2, &[(398, 7), (399, 0)], None).unwrap(), (2, 0));
        assert_eq!(both(1, 1, &[(399, 7), (398, 0)], None).unwrap(), (1, 1));
        assert!(both(0, 2, &[(399, 7), (398, 0)], None).is_err(), "checksums not ascending");
        assert!(both(1, 1, &[(399, 7), (400, 0)], None).is_err(), "checksum behind the end");
        assert!(both(1, 0, &[(0, 7)], None).is_err(), "of the superblock");
        assert!(both(1, 1, &[(399, 7), (0, 7)], None).is_err(), "of the superblock");
        assert!(forged(2, &[(399, 7), (398, 0)], None).is_err(), "not ascending");
        assert!(forged(2, &[(399, 7), (399, 7)], None).is_err(), "a page twice");
        assert!(forged(1, &[(400, 1)], None).is_err(), "behind the end of the file");
        assert!(forged(1, &[(398, 7), (399, 0)], None).is_err(), "more than it says");
        assert!(forged(3, &[(398, 7), (399, 0)], None).is_err(), "fewer than it says");
        assert!(forged(1, &[(399, 7)], Some(4091)).is_err(), "something behind it");
        for count in [DeltaList::CAPACITY as u32 + 1, u32::MAX] {
            assert!(forged(count, &[(399, 7)], None).is_err(), "more than fit");
            assert!(both(1, count - 1, &[(399, 7)], None).is_err(), "more than fit together");
            assert!(both(count, count, &[(399, 7)], None).is_err(), "their sum overflows");
        }
    }

    #[test]
    fn a_full_delta_list_survives_its_encoding() {
        let capacity = DeltaList::CAPACITY as u64;
        let counts = (0..capacity / 2).map(|i| DeltaEntry {
            page: PageId(i + 3),
            count: i as u32,
            turns: i % 2 == 0,
        });
        let checksums = (capacity / 2..capacity)
            .map(|i| DeltaChecksum { page: PageId(i + 3), crc: !(i as u32) });
        let delta = DeltaList::new(counts.collect(), checksums.collect());
        let block = Superblock { delta, pages: 800, ..sample() };
        assert_eq!(Superblock::decode(&block.encode()).unwrap(), block);
    }
}
