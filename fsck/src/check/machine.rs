//! A stored machine as one: do its pages make a machine that can be resumed?
//!
//! The engine's own code tries, on pages that are all there and match their checksums. Words, numbers and lists are
//! checked as they are read, owners of frames are counted, and the machine's own check has the last word. Its memory
//! is taken meanwhile, so machines of more than [`FRAMES_MAX`] pages are passed over.

use cowslip::{Error, meta::TableRecord, vm};
use cowslip_pager::{PageId, Raw};

use crate::{problem::Kind, report::Problem};

/// Frames, and pages, of a machine that is tried: 256 MiB.
const FRAMES_MAX: u32 = 1 << 16;

/// Pages of a store, by number. False: one cannot be read.
pub(crate) type Read<'r> = dyn Fn(u64, &mut [u8]) -> bool + 'r;

/// What came of a machine.
pub(crate) enum Tried {
    Well,
    Wrong(Problem),
    TooLarge,
}

/// Tries to resume a machine of so many pages.
pub(crate) fn try_machine(record: &TableRecord, pages: u64, read: &Read<'_>) -> Tried {
    if pages > FRAMES_MAX.into() {
        return Tried::TooLarge;
    }
    let read = |first: PageId, out: &mut [u8]| {
        let mut pages = (first.0..).zip(out.chunks_mut(vm::PAGE));
        match pages.find_map(|(page, bytes)| (!read(page, bytes)).then_some(page)) {
            None => Ok(()),
            Some(page) => {
                let what = "a page of a stored machine";
                Err(cowslip_pager::Error::corrupted(page, what, 1, 0))
            }
        }
    };
    match vm::try_stored(record, FRAMES_MAX, &read) {
        Ok(()) => Tried::Well,
        Err(Error::Corrupted { page, what, expected, found }) => Tried::Wrong(
            Problem::new(Kind::MachineState, what)
                .page(page)
                .values(format!("{expected:#x}"), format!("{found:#x}")),
        ),
        Err(_) => Tried::TooLarge,
    }
}

/// How many pages a machine of a store of `pages` pages has, each once. `None`: not all tables can be read.
pub(crate) fn distinct(root: Raw, pages: u64, read: &Read<'_>) -> Option<u64> {
    let mut seen = Vec::new();
    seen.try_reserve_exact(pages.div_ceil(64) as usize).ok()?;
    seen.resize(pages.div_ceil(64) as usize, 0u64);
    let mut bytes = vec![0; vm::PAGE];
    let mut waiting = vec![root];
    let mut count = 0;
    while let Some(raw) = waiting.pop() {
        let word = seen.get_mut(raw.page.0 as usize / 64)?;
        let bit = 1 << (raw.page.0 % 64);
        if *word & bit != 0 {
            continue;
        }
        *word |= bit;
        count += 1;
        if raw.height == 0 {
            continue;
        }
        if !read(raw.page.0, &mut bytes) {
            return None;
        }
        let mut visit = |_, child| {
            waiting.push(child);
            Ok(())
        };
        raw.children(&bytes, &mut visit).ok()?;
    }
    Some(count)
}
