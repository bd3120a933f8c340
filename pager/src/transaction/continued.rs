//! Going on with the newest version instead of making one beside it (R13).
//!
//! Copying a way of five or six pages is what a small transaction costs. Where nobody reads the newest
//! version, no checkpoint and no snapshot has it, and nobody can begin to read it meanwhile, its pages are as
//! good as the transaction's own:
//!
//! ```text
//!  version 7 (pages of stamp 7)           version 8 (pages of stamp 7)
//!      close -> edit in place, images kept -> record in the log -> open
//!                         |                        |
//!                         +--- failure: images ----+--> version 7 again, open
//! ```
//!
//! The version gets a number of its own; its new pages carry the stamp of the version that it continues.

use std::sync::atomic::Ordering;

use super::{Durability, Transaction};
use crate::{
    error::Result,
    mutant,
    page::{PageId, Pointer},
    pager::Continuable,
    readers::Version,
};

/// What there was before: the version that is continued, and the pages of it that were edited.
pub(super) struct Before {
    version: Version,
    images: Vec<(PageId, Box<[u8]>)>,
}

impl Transaction {
    /// May this transaction, which writes this line, go on with the newest version as things stand now? Only
    /// then is it worth postponing its changes.
    pub fn may_continue(&self, line: u64) -> bool {
        self.inner.head.lock().continuable.is_some_and(|version| version.line == line)
    }

    /// Lets this transaction, which must have changed nothing yet, go on with the newest version in place.
    /// False: that cannot be, and it is the ordinary transaction that it was. From here on readers that
    /// begin wait until it ends, so it must not take long: a few changes, of pages that are in memory.
    ///
    /// `line` must be that of the version; `record` is the length of what the log will get, `pages` how many new
    /// pages it may take at most: to make room for them, something might have to be written while readers wait.
    /// Not for `Immediate`: what must not be seen before it is durable cannot be where others look.
    pub fn continue_newest(
        &mut self,
        line: u64,
        record: usize,
        pages: usize,
        durability: Durability,
    ) -> bool {
        let inner = &self.inner;
        let cache = &inner.cache;
        let head = inner.head.lock();
        let Some(Continuable { stamp, .. }) = head.continuable.filter(|v| v.line == line) else {
            return false;
        };
        let version = head.version;
        drop(head);
        let possible = durability != Durability::Immediate
            && !self.changed
            && inner.poison.check().is_ok()
            && inner.log.has_room(record)
            && cache.dirty() + pages <= cache.frames() / 2
            && !cache.under_pressure()
            && inner.readers.close(&version, stamp);
        if possible {
            self.page_stamp = stamp;
            self.continued = Some(Before { version, images: Vec::new() });
        }
        possible
    }

    /// Does this transaction go on with a version?
    pub fn is_continued(&self) -> bool {
        self.continued.is_some()
    }

    /// Keeps a page as it is, before it is edited, if it is one of the version that is continued.
    pub(super) fn keep_image(&mut self, pointer: &Pointer) {
        let Some(before) = &mut self.continued else { return };
        let page = pointer.page;
        if self.dirty.contains(&page) || before.images.iter().any(|(kept, _)| *kept == page) {
            return;
        }
        let bytes = self.inner.cache.dirty_page(page.0);
        debug_assert!(bytes.is_some(), "page {page} is edited and is not in memory");
        before.images.extend(bytes.map(|bytes| (page, Box::from(&*bytes))));
    }

    /// Puts back what was edited, and lets readers in again.
    pub(super) fn restore(&mut self) {
        let Some(before) = self.continued.take() else { return };
        for (page, image) in &before.images {
            if mutant!(ImagesNotPutBack) {
                break;
            }
            let restored = self
                .inner
                .cache
                .edit(page.0, self.page_stamp, |bytes| bytes.copy_from_slice(image));
            // Nobody but this transaction can have pinned the page, so no other frame is needed for it.
            if let Err(error) = restored {
                self.inner.poison.set(error.to_string());
            }
        }
        self.inner.readers.open(&before.version);
    }

    /// [`Transaction::commit`] of a transaction that goes on with a version.
    pub(super) fn commit_continued(
        mut self,
        record: Option<&[u8]>,
        durability: Durability,
    ) -> Result<()> {
        let inner = self.inner.clone();
        let logged = match record {
            Some(body) => inner.log.append(self.stamp, body, false).map(|_| ()),
            // Who continues a version has said how long his record is.
            None => Err(crate::error::Error::InvalidArgument("no record to log".into())),
        };
        let logged = logged.and_then(|()| match durability {
            Durability::Eventual if !mutant!(EventualNotWritten) => {
                inner.log.write_plain(&inner.poison)
            }
            _ => Ok(()),
        });
        if let Err(error) = logged {
            self.abort();
            return Err(error);
        }
        let _poisoned = inner.poison.on_panic();
        let version = Version { stamp: self.stamp, root: self.root };
        self.apply();
        inner.head.lock().version = version;
        self.continued = None;
        self.done = true;
        let unlock = inner.writer.unlock_later();
        inner.readers.open(&version);
        drop(unlock);
        inner.counters.continued.fetch_add(1, Ordering::Relaxed);
        if durability == Durability::None {
            inner.log.bound_memory(&inner.poison)?;
        }
        // All commits before it are acknowledged, but that may mean in memory; a durable write that takes them
        // along can be on its way now, and without them its record would be worth nothing (R9).
        inner.log.wait_for_promises(&inner.poison)?;
        self.call_for_checkpoint()
    }
}
