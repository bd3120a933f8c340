//! The four copies of the superblock. Verifies each by itself and against the others; leaves to the
//! later passes whether what it names is there.
//!
//! Not every copy must be readable. A power cut tears the one that is just being written, and its
//! twin is written only after it; so a copy of which each 512-byte sector is either the new one's
//! or an older one's is an interrupted write, and no problem.

use cowslip_pager::{
    Error as PagerError,
    geometry::Geometry,
    page::{u32_at, u64_at},
    storage::Storage,
    superblock::{MAGIC, SUPERBLOCK_SIZE, Superblock},
};

use crate::{Error, Report, problem::Kind, report::Problem};

struct Copy {
    bytes: Vec<u8>,
    block: Result<Superblock, String>,
    field: bool,
}

/// The newest readable superblock; `None` if there is none in a file that is ours all the same.
pub(super) fn run(
    storage: &dyn Storage,
    length: u64,
    report: &mut Report,
) -> Result<Option<(Geometry, Superblock)>, Error> {
    let mut copies = Vec::new();
    for index in 0..4 {
        copies.push(read(storage, length, index)?);
    }
    let ours = copies.iter().any(|copy| copy.bytes.starts_with(&MAGIC));
    // Of two that contradict each other, the one from which something can be read.
    let rank = |block: &&Superblock| (block.checkpoint, !block.root.is_none());
    let newest = copies.iter().filter_map(|copy| copy.block.as_ref().ok()).max_by_key(rank);
    let Some(newest) = newest.cloned() else {
        if !ours || unfinished(&copies) {
            return Err(Error::NotADatabase);
        }
        return Ok(None);
    };
    let Some(geometry) = Geometry::new(newest.page_size as usize) else { return Ok(None) };
    for slot in 0..2 {
        judge_slot(&copies[slot], &copies[slot + 2], slot as u64, (&newest, length), report);
    }
    for copy in &copies {
        let Ok(block) = &copy.block else { continue };
        if block.store != newest.store || block.page_size != newest.page_size {
            report.add(
                Problem::new(Kind::SuperblocksDisagree, "store id of a superblock")
                    .page(0)
                    .values(super::hex(newest.store), super::hex(block.store)),
            );
        }
        if block.checkpoint == newest.checkpoint && *block != newest {
            report.add(Problem::new(
                Kind::SuperblocksDisagree,
                format!("two superblocks of checkpoint {} differ", block.checkpoint),
            ));
        }
        if block.checkpoint + 1 < newest.checkpoint && block.checkpoint % 2 != newest.checkpoint % 2
        {
            report.add(
                Problem::new(Kind::SuperblocksDisagree, "checkpoint before the newest")
                    .values(newest.checkpoint - 1, block.checkpoint),
            );
        }
    }
    Ok(Some((geometry, newest)))
}

fn read(storage: &dyn Storage, length: u64, index: u64) -> Result<Copy, Error> {
    let offset = Superblock::offset(index % 2, index / 2);
    let there = length.saturating_sub(offset).min(SUPERBLOCK_SIZE as u64) as usize;
    let mut bytes = vec![0; SUPERBLOCK_SIZE];
    let fault = |bytes, what: String| Ok(Copy { bytes, block: Err(what), field: false });
    if let Err(error) = storage.read_at(&mut bytes[..there], offset) {
        return fault(bytes, error.to_string());
    }
    if there < SUPERBLOCK_SIZE {
        return fault(bytes, "behind the end of the file".into());
    }
    if !bytes.starts_with(&MAGIC) {
        return fault(bytes, "no magic".into());
    }
    let crc = crc32fast::hash(&bytes[..SUPERBLOCK_SIZE - 4]);
    let stored = u32_at(&bytes, SUPERBLOCK_SIZE - 4);
    if crc != stored {
        return fault(bytes, format!("checksum should be {crc:#x}, found {stored:#x}"));
    }
    // The decoder multiplies these; a superblock made by somebody else may hold anything.
    for (at, limit) in [
        (96, 1 << 32),
        (128, 1 << 32),
        (136, 1 << 36),
        (144, 1 << 60),
        (152, 1 << 62),
        (48, 1 << 62),
        (168, 1 << 62),
    ] {
        let value = u64_at(&bytes, at);
        if value > limit {
            return Ok(Copy {
                block: Err(format!("field at byte {at} is {value:#x}")),
                bytes,
                field: true,
            });
        }
    }
    let block = match Superblock::decode(&bytes) {
        Ok(block) if block.checkpoint % 2 != index % 2 => {
            Err(format!("checkpoint {} in slot {}", block.checkpoint, index % 2))
        }
        Ok(block) => Ok(block),
        Err(PagerError::NewerFormat { found, .. }) => return Err(Error::NewerFormat { found }),
        Err(error) => Err(error.to_string()),
    };
    Ok(Copy { bytes, field: block.is_err(), block })
}

/// A creation that never ended: the mark still stands where checkpoint 2 goes, and checkpoint 1 was
/// not written whole.
fn unfinished(copies: &[Copy]) -> bool {
    copies[0].bytes.starts_with(&MAGIC) && copies[0].bytes[MAGIC.len()..].iter().all(|&b| b == 0)
}

fn judge_slot(
    first: &Copy,
    second: &Copy,
    slot: u64,
    (newest, length): (&Superblock, u64),
    report: &mut Report,
) {
    let page = |copy: u64| Superblock::offset(slot, copy) / u64::from(newest.page_size);
    for (copy, which) in [(first, 0), (second, 1)] {
        if let (Err(what), true) = (&copy.block, copy.field) {
            report.add(
                Problem::new(Kind::SuperblockField, format!("superblock slot {slot}: {what}"))
                    .page(page(which)),
            );
        }
    }
    match (&first.block, &second.block) {
        (Ok(a), Ok(b)) => {
            let (older, newer) = (a.checkpoint.min(b.checkpoint), a.checkpoint.max(b.checkpoint));
            if older == newer {
                return;
            }
            // The second copy is written when the first is durable.
            if a.checkpoint == b.checkpoint + 2 {
                report
                    .note(format!("writing checkpoint {newer} was interrupted between its copies"));
            } else {
                report.add(
                    Problem::new(Kind::SuperblockCopy, "checkpoint of a superblock's twin")
                        .page(page(if a.checkpoint == older { 0 } else { 1 }))
                        .values(newer, older),
                );
            }
        }
        (Err(_), Err(_)) => {
            let empty = |copy: &Copy| copy.bytes.iter().all(|&b| b == 0);
            // The first checkpoint of all leaves the other slot empty, but for the creation mark.
            if newest.checkpoint == 1 && empty(second) && !first.field {
                return;
            }
            report.add(
                Problem::new(
                    Kind::SuperblockSlot,
                    format!("both superblock copies of slot {slot}"),
                )
                .page(page(0)),
            );
        }
        (Ok(whole), Err(what)) | (Err(what), Ok(whole)) => {
            let (hurt, which) = if first.block.is_ok() { (second, 1) } else { (first, 0) };
            if hurt.field {
                return;
            }
            let not_yet = which == 1 && whole.checkpoint <= 2 && hurt.bytes.iter().all(|&b| b == 0);
            if not_yet || torn(&hurt.bytes, whole, which, newest, length) {
                report.note(format!("writing a superblock was interrupted (slot {slot})"));
                return;
            }
            report.add(
                Problem::new(
                    Kind::SuperblockCopy,
                    format!("superblock slot {slot} copy {which}: {what}"),
                )
                .page(page(which)),
            );
        }
    }
}

/// Is this copy a mixture of sectors of an older and a newer superblock? One of them is in the twin;
/// of the other it is known what its sectors could hold.
fn torn(bytes: &[u8], whole: &Superblock, which: u64, newest: &Superblock, length: u64) -> bool {
    // The file is cut only when both copies that say so are durable, and grows before.
    let pages = length / u64::from(newest.page_size);
    let encoded = whole.encode();
    // The twin that is whole is the newer one when the second copy was being written, and the older
    // one when the first was.
    let other =
        if which == 1 { whole.checkpoint.checked_sub(2) } else { Some(whole.checkpoint + 2) };
    // A first copy is being written only while its checkpoint is the next one.
    if which == 0 && whole.checkpoint + 1 != newest.checkpoint {
        return false;
    }
    let never_written = whole.checkpoint <= 2;
    let mut of_twin = 0;
    let sectors = bytes.chunks_exact(SECTOR).zip(encoded.chunks_exact(SECTOR));
    for (index, (sector, same)) in sectors.enumerate() {
        if sector == same {
            of_twin += 1;
            continue;
        }
        let blank = never_written && sector.iter().all(|&b| b == 0);
        let plausible = match index {
            0 => {
                sector.starts_with(&MAGIC)
                    && u64_at(sector, 40) == whole.store
                    && Some(u64_at(sector, 48)) == other
            }
            // The last one ends with the checksum.
            LAST_SECTOR => could_be_of_a_list(&sector[..SECTOR - 4], pages),
            _ => could_be_of_a_list(sector, pages),
        };
        if !blank && !plausible {
            return false;
        }
    }
    (1..=LAST_SECTOR).contains(&of_twin)
}

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
const LAST_SECTOR: usize = SUPERBLOCK_SIZE / SECTOR - 1;

/// Could these bytes be a part of a delta list: ascending pages of the file, perhaps once more from the
/// beginning, then zeros?
fn could_be_of_a_list(bytes: &[u8], pages: u64) -> bool {
    let mut before = 0;
    let mut lists = 1;
    let mut entries = bytes.chunks(8);
    for entry in entries.by_ref() {
        if entry.iter().all(|&b| b == 0) {
            break;
        }
        // Page 0, and so the first of these, is in no list.
        let page = if entry.len() == 8 { u32_at(entry, 0) } else { 0 };
        lists += usize::from(page <= before);
        if page == 0 || lists > 2 || u64::from(page) >= pages {
            return false;
        }
        before = page;
    }
    entries.all(|entry| entry.iter().all(|&b| b == 0))
}
