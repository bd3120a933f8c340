//! The superblock: both copies of a new one, and the one that begins a session.

use std::sync::atomic::Ordering;

use super::CheckpointState;
use crate::{
    aligned::Aligned,
    counters::count,
    error::{Error, Result},
    mutant,
    pager::Inner,
    scrub,
    superblock::{self, STAMP_WINDOW, SUPERBLOCK_SIZE, Superblock},
};

/// Before this opening writes its first page, a superblock with a raised stamp ceiling is durable:
/// should the power fail, the next opening starts above every stamp given here (R12).
pub(crate) fn ensure_session(inner: &Inner) -> Result<()> {
    let mut state = super::lock(inner);
    let result = begin_session(inner, &mut state);
    inner.poison.on_failure(result)
}

/// All stamps below the durable ceiling were given out: a superblock with a higher one comes first.
pub(crate) fn raise_stamp_ceiling(inner: &Inner) -> Result<()> {
    let mut state = super::lock(inner);
    state.session = false;
    let result = begin_session(inner, &mut state);
    inner.poison.on_failure(result)
}

pub(crate) fn begin_session(inner: &Inner, state: &mut CheckpointState) -> Result<()> {
    if state.session || mutant!(NoSessionSuperblock) {
        return Ok(());
    }
    // A power cut may have torn the second copy, or left the one before it. It is made good before
    // the other slot is written, or a second cut could leave this slot without any copy of its own.
    let slot = state.durable.checkpoint % 2;
    let copies = superblock::read_all(&*inner.storage)?;
    inner.scrub.note(scrub::overwritten(inner, &copies, &state.durable));
    for (index, found) in (0u64..).zip(copies) {
        if index % 2 != slot || mutant!(TornCopyNotMended) {
            continue;
        }
        match found {
            // Never the whole one: it is the only one there is.
            Ok(found) if found == state.durable => {}
            // It may be that.
            Err(error @ Error::Io { .. }) => return Err(error),
            _ => write_copy(inner, &state.durable, index / 2)?,
        }
    }
    let stamp = inner.head.lock().next_stamp;
    let superblock = Superblock {
        checkpoint: state.durable.checkpoint + 1,
        stamp_ceiling: stamp + STAMP_WINDOW,
        scrub: inner.scrub.record(),
        ..state.durable.clone()
    };
    let torn = if mutant!(TornSlotReblessedByRecovery) {
        superblock::torn(&*inner.storage)?
    } else {
        [const { None }; 4]
    };
    write_superblock(inner, &superblock)?;
    for (index, torn) in torn.iter().enumerate() {
        if let Some(torn) = torn {
            write_copy(inner, torn, index as u64 / 2)?;
        }
    }
    adopt(inner, state, superblock);
    state.session = true;
    Ok(())
}

/// A superblock that names the same checkpoint as the one before is durable.
fn adopt(inner: &Inner, state: &mut CheckpointState, superblock: Superblock) {
    inner.log.set_durable_checkpoint(superblock.checkpoint);
    inner.stamp_ceiling.store(superblock.stamp_ceiling, Ordering::Relaxed);
    inner.checkpoint_number.store(superblock.checkpoint, Ordering::Relaxed);
    state.durable = superblock;
}

/// Writes down how far the scrub is, if the durable superblock does not say so already.
pub(crate) fn keep_scrub(inner: &Inner) -> Result<()> {
    if inner.read_only || mutant!(ScrubProgressNotKept) {
        return Ok(());
    }
    let mut state = inner.checkpoint.lock();
    inner.poison.check()?;
    let _poisoned = inner.poison.on_panic();
    let scrub = inner.scrub.record();
    if state.durable.scrub == scrub {
        return Ok(());
    }
    let result = if state.session {
        let checkpoint = state.durable.checkpoint + 1;
        let superblock = Superblock { checkpoint, scrub, ..state.durable.clone() };
        write_superblock(inner, &superblock).map(|()| adopt(inner, &mut state, superblock))
    } else {
        begin_session(inner, &mut state)
    };
    inner.poison.on_failure(result)
}

/// Both copies, one after the other, each durable before the next begins.
pub(crate) fn write_superblock(inner: &Inner, superblock: &Superblock) -> Result<()> {
    let copies = if mutant!(SuperblockWrittenOnce) { 1 } else { 2 };
    (0..copies).try_for_each(|copy| write_copy(inner, superblock, copy))?;
    if mutant!(SuperblockCopiesAtOnce) {
        inner.storage.sync().map_err(|e| Error::io("syncing the superblock", None, e))?;
    }
    Ok(())
}

fn write_copy(inner: &Inner, superblock: &Superblock, copy: u64) -> Result<()> {
    let mut bytes = Aligned::default();
    bytes.reserve(SUPERBLOCK_SIZE).map_err(|e| Error::io("reserving a buffer", None, e))?;
    bytes.extend(&superblock.encode());
    let offset = Superblock::offset(superblock.checkpoint % 2, copy);
    let written = if mutant!(SuperblockNotDurable | SuperblockCopiesAtOnce) {
        inner.storage.write_at(&bytes, offset)
    } else {
        inner.storage.write_durable(&bytes, offset)
    };
    written.map_err(|e| Error::io("writing the superblock", offset, e))?;
    count(&inner.counters.superblock, SUPERBLOCK_SIZE);
    Ok(())
}
