//! Write-behind: pages that nothing will change any more are written before a checkpoint asks for them (R14).
//!
//! What a snapshot has got stays, so each of its pages has to be written some time; those of a tree that
//! nobody shares may be replaced before a checkpoint sees them. Written early they go out in long pieces, as they
//! were made, while the processor has other work; the checkpoint has less to do; and the frame of one that a
//! later version replaces is free at once.
//!
//! ```text
//!  commits     snapshot              here                             checkpoint
//!  dirty ----> settled ----> in the file, checksum in the map ----> the rest, SYNC, superblock
//! ```
//!
//! Like spilled pages they lie where the durable state has nothing, and a crash forgets them.

use crate::{
    checkpoint::{self, PIECE, PageWriter},
    counters::count,
    error::{Error, Result},
    mutant,
    page::PageId,
    pager::Inner,
};

/// Pieces that are written without giving way to a checkpoint, and then synced: a disk with a cache of its own does
/// nothing before it is told to, and the next durable commit would have to wait for all of it.
const PIECES: usize = 4;

/// Has settled pages written, if there may be enough of them for a long piece.
pub(crate) fn call(inner: &Inner) {
    if inner.space.lock().dirty.len() < least(inner) {
        return;
    }
    if inner.config.background {
        inner.background.want_write_behind();
    } else if let Err(error) = write_settled(inner) {
        // The commit is what it was promised to be; the store is poisoned, as the next write will tell.
        tracing::warn!(%error, "writing settled pages failed after a commit");
    }
}

/// Pages of a long piece.
fn least(inner: &Inner) -> usize {
    PIECE / inner.geometry.page_size
}

/// Writes all settled pages, unless a checkpoint is called for meanwhile, which will do it.
pub(crate) fn write_settled(inner: &Inner) -> Result<()> {
    let mut pages = inner.space.lock().settled();
    if pages.len() < least(inner) {
        return Ok(());
    }
    pages.sort_unstable();
    let mut writer = PageWriter::new(inner, None)?;
    for slice in pages.chunks(PIECES * least(inner)) {
        if inner.background.is_called() {
            break;
        }
        let written = write_slice(inner, &mut writer, slice)?;
        if written && inner.config.background {
            let synced = inner.storage.sync();
            let synced = synced.map_err(|e| Error::io("syncing settled pages", None, e));
            inner.poison.on_failure(synced)?;
        }
    }
    Ok(())
}

/// Writes those of these pages that are settled still; false if none is.
fn write_slice(inner: &Inner, writer: &mut PageWriter<'_>, slice: &[PageId]) -> Result<bool> {
    // No checkpoint takes them meanwhile.
    let mut state = inner.checkpoint.lock();
    inner.poison.check()?;
    let _poisoned = inner.poison.on_panic();
    if !mutant!(WriteBehindBeforeSession) {
        inner.poison.on_failure(checkpoint::begin_session(inner, &mut state))?;
    }
    let pages = inner.space.lock().begin_writing(slice);
    for &page in &pages {
        if let Some(bytes) = inner.cache.dirty_page(page.0) {
            writer.push(page, &bytes)?;
        }
    }
    let crcs = writer.finish()?;
    count(&inner.counters.written_behind, crcs.len() * inner.geometry.page_size);
    // While their places are still kept: no other page can be there.
    for &(page, _) in &crcs {
        if let Some(written) = inner.cache.dirty_page(page.0) {
            inner.cache.clean(written);
        }
    }
    inner.space.lock().end_writing(&crcs);
    Ok(!crcs.is_empty())
}
