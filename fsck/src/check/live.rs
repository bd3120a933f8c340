//! A store in use: one checkpoint of it, while others go on writing.
//!
//! ```text
//!   superblock n -> copy of its map -> is n still the newest?  no: again
//!                                      yes: nobody has written to the map of n (R5)
//!   sweep, or walk, with the copy; all is as at an offline check but for
//!       the superblock's copies and the log, which change meanwhile: not judged
//! ```
//!
//! What the map and the trees of a checkpoint say, they say of one moment; so counts, leaks and numbers of
//! free pages are judged as well. The pages of the trees must stay where they are until they were read:
//!
//! - With a *pin* (a reader of that very version, in the process that writes) they do.
//! - Without one they do until the next checkpoint is durable (R7b), which shows in the file. What is found
//!   to be right is right all the same: a page that was used again has another stamp or checksum. What is
//!   found to be wrong counts only if the checkpoint is still the newest afterwards; else it is tried again.

use cowslip::Database;
use cowslip_pager::{storage::Storage, superblock};

use super::{Check, PageMap, begin, sweep, walk};
use crate::{Error, Options, Report};

/// Checkpoints that are tried before the writer is too fast.
const TRIES: u32 = 16;

/// Checks an open database at a checkpoint that is made for it.
pub(crate) fn pinned(database: &Database, options: &Options<'_>) -> Result<Report, Error> {
    for _ in 0..TRIES {
        let pin = database.pin_checkpoint().map_err(Error::Database)?;
        let wanted = Some(pin.superblock().checkpoint);
        if let Some(report) = attempt(pin.storage(), options, wanted)? {
            return Ok(report);
        }
    }
    Err(Error::WrittenTooFast { tries: TRIES })
}

/// Checks what somebody else may be writing to.
pub(crate) fn unpinned(storage: &dyn Storage, options: &Options<'_>) -> Result<Report, Error> {
    for _ in 0..TRIES {
        if let Some(report) = attempt(storage, options, None)? {
            return Ok(report);
        }
    }
    Err(Error::WrittenTooFast { tries: TRIES })
}

/// Checks the newest checkpoint, which is to be the one that is pinned. `None`: the store went on
/// before that was done.
fn attempt(
    storage: &dyn Storage,
    options: &Options<'_>,
    pinned: Option<u64>,
) -> Result<Option<Report>, Error> {
    // The copies of the superblock may be in motion: what is said about them does not count.
    let Some(mut check) = begin(storage, options)? else { return Ok(None) };
    let checkpoint = check.superblock.checkpoint;
    if pinned.is_some_and(|pinned| pinned != checkpoint) {
        return Ok(None);
    }
    check.report.forget_problems();
    // It grows before a superblock says so, and is cut after: so it is asked for behind the superblock, and
    // before that is asked for once more.
    check.length = storage.len().map_err(Error::Io)?;
    check.judge_length();
    let mut map = PageMap::copy(&mut check);
    if !is_newest(storage, checkpoint) {
        return Ok(None);
    }
    let swept = options.sweep && check.report.is_clean() && sweep::run(&mut check, &mut map);
    let mut check: Check<'_> = if swept { check } else { walk(check, map)? };
    if pinned.is_none() && !check.report.is_clean() && !is_newest(storage, checkpoint) {
        return Ok(None);
    }
    check.report.note(
        "checked while in use: not judged are the copies of the superblock, the log, and what was \
         written since this checkpoint",
    );
    Ok(Some(check.report))
}

fn is_newest(storage: &dyn Storage, checkpoint: u64) -> bool {
    superblock::newest(storage).is_ok_and(|newest| newest.checkpoint == checkpoint)
}
