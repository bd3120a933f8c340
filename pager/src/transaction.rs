//! The one writer: new pages, shadowed pages, owners added and dropped, commit.
//!
//! [`Transaction::shadow`] is the whole idea of the store. Count changes are an overlay of the
//! transaction (R2): the page map learns of them at commit, and an abort leaves no trace but the
//! stamp, which is never given twice.
//!
//! ```text
//! shadow(page)   stamp of this transaction        -> the page itself, written in place
//!                one owner                        -> copy; the old page is freed
//!                several owners                   -> copy; old count - 1, each child's count + 1
//! ```
//!
//! Positions of new pages are free in the durable state, so a transaction larger than the cache
//! writes ("spills") its pages early, and a crash forgets them.

mod continued;
mod counts;
mod edit;
mod raw;
mod values;

use std::sync::{Arc, atomic::Ordering};

use crate::{
    checkpoint::{self, Scope},
    error::{Error, Result},
    extent::Extent,
    hash::{NumberMap, PageSet},
    log::Tail,
    mutant,
    page::{Header, PageId, Pointer},
    pager::{Continuable, Inner},
    readers::Version,
    space::{Freed, Run},
    view::View,
    write_behind,
};

use counts::Counts;
pub use values::ExtentWriter;

/// When a commit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Durability {
    /// At once: the transaction is in memory only, until a later durable commit or a checkpoint.
    None,
    /// When the operating system has it: it survives a crash of the process, not of the machine.
    Eventual,
    /// When it is on the disk: it survives a power cut.
    #[default]
    Immediate,
}

/// A transaction with more new pages than this part of the cache gives up the memory of those that it has
/// replaced.
const LARGE_PART: usize = 16;

/// Bytes from which on a record may be worth more than a checkpoint's own writes and syncs.
const LONG_RECORD: usize = 2 << 20;

/// A transaction. Dropping it aborts.
pub struct Transaction {
    inner: Arc<Inner>,
    /// What this transaction's pages carry: its version's stamp, or that of the version it continues.
    page_stamp: u64,
    /// The stamp of the version that the commit will make.
    stamp: u64,
    /// Set while it goes on with the newest version in place.
    continued: Option<continued::Before>,
    /// Later transactions of this line may go on with its version.
    continuable: Option<u64>,
    /// A stamp just below, for a version without changes that a checkpoint inside the commit may
    /// have to make: versions must stay in the order of their stamps.
    spare_stamp: u64,
    root: Pointer,
    /// The rest of the last run taken.
    reserve: Option<Run>,
    /// Node pages of this transaction that were dropped again.
    recycled: Vec<PageId>,
    /// Node pages of this transaction, in memory and not written.
    dirty: PageSet,
    /// Node pages of this transaction that are in the file already.
    spilled: PageSet,
    /// Runs of this transaction's extents, by head.
    extents: NumberMap<PageId, Vec<Run>>,
    /// Raw pages of this transaction.
    raw: PageSet,
    /// Those among them that are not in the file yet.
    gathered: raw::Gathered,
    /// Committed pages that this transaction freed.
    freed: Vec<Freed>,
    /// New counts of pages, where sharing changed.
    counts: Counts,
    /// The children of the node that was copied last: the list keeps its memory.
    children: Vec<PageId>,
    privileged: bool,
    /// What is committed with it and before it is settled.
    settles: bool,
    changed: bool,
    /// The writer lock was given back.
    done: bool,
}

impl Transaction {
    /// Begins; the caller has taken the writer lock, which passes to the transaction.
    pub(crate) fn begin(inner: &Arc<Inner>) -> Result<Transaction> {
        let prepare = || -> Result<()> {
            inner.poison.check()?;
            let is_crowded = || inner.cache.dirty() > inner.cache.frames() / 2;
            if is_crowded() {
                checkpoint::await_running(inner);
            }
            let crowded = is_crowded();
            let out_of_stamps =
                inner.head.lock().next_stamp >= inner.stamp_ceiling.load(Ordering::Relaxed);
            if crowded {
                checkpoint::exclusive(inner, Scope::default())?;
            }
            if out_of_stamps {
                checkpoint::raise_stamp_ceiling(inner)?;
            }
            inner.reclaim();
            if inner.space.lock().wants_checkpoint() {
                checkpoint::exclusive(inner, Scope::default())?;
                inner.reclaim();
            }
            inner.space.lock().map.begin_transaction();
            Ok(())
        };
        // Gives the lock back whatever happens, a panic included, until the transaction has it.
        let unlock = inner.writer.unlock_later();
        prepare()?;
        inner.space.lock().set_front_first(false);
        let mut head = inner.head.lock();
        let spare_stamp = head.next_stamp;
        let stamp = spare_stamp + 1;
        head.next_stamp += 2;
        let base = head.version;
        drop(head);
        std::mem::forget(unlock);
        Ok(Transaction {
            inner: inner.clone(),
            page_stamp: stamp,
            stamp,
            continued: None,
            continuable: None,
            spare_stamp,
            root: base.root,
            reserve: None,
            recycled: Vec::new(),
            dirty: PageSet::default(),
            spilled: PageSet::default(),
            extents: NumberMap::default(),
            raw: PageSet::default(),
            gathered: raw::Gathered::default(),
            freed: Vec::new(),
            counts: Counts::new(&inner.geometry),
            children: Vec::new(),
            privileged: false,
            settles: false,
            changed: false,
            done: false,
        })
    }

    /// The random number that the store got at its creation.
    pub fn store_id(&self) -> u64 {
        self.inner.store
    }

    /// The stamp of the version that the commit will make: no other transaction has it.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Lets later transactions go on with this one's version in place (R13), if they write the same `line`, which is
    /// the owner's number for whatever is written: all pages of one stamp belong to one. Only for a transaction
    /// that gives no page of its own a second owner.
    pub fn set_continuable(&mut self, line: u64) {
        self.continuable = Some(line);
    }

    /// The owner's root: at first that of the version the transaction began with.
    pub fn root(&self) -> Pointer {
        self.root
    }

    /// Sets the root that the commit will publish.
    pub fn set_root(&mut self, root: Pointer) {
        self.changed |= root != self.root;
        self.root = root;
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> usize {
        self.inner.geometry.page_size
    }

    /// Bytes of all frames of the cache.
    pub fn cache_bytes(&self) -> usize {
        self.inner.cache.frames() * self.inner.geometry.page_size
    }

    /// Lets the transaction use the last few free pages: for those that delete, so that a full
    /// store can be emptied.
    pub fn set_privileged(&mut self, privileged: bool) {
        self.privileged = privileged;
    }

    /// Says that what this transaction and those before it leave will stay for long, since it has another owner now:
    /// it may be written before a checkpoint needs it (R14).
    pub fn set_settles(&mut self) {
        self.settles = true;
    }

    /// From here on this transaction takes the free pages nearest to the front of the file.
    pub fn prefer_front(&mut self) {
        self.inner.space.lock().set_front_first(true);
    }

    /// Nodes as this transaction sees them.
    pub fn view(&self) -> View<'_> {
        View::new(&self.inner, self.page_stamp)
    }

    // ---- node pages ----------------------------------------------------------------------

    fn take_page(&mut self) -> Result<PageId> {
        self.changed = true;
        if let Some(page) = self.recycled.pop() {
            return Ok(page);
        }
        let run = match self.reserve.take() {
            Some(run) => run,
            None => {
                let mut space = self.inner.space.lock();
                let batch = space.batch();
                space.take(batch, self.privileged)?
            }
        };
        if run.length > 1 {
            self.reserve = Some(Run { start: PageId(run.start.0 + 1), length: run.length - 1 });
        }
        Ok(run.start)
    }

    /// Makes a new node page: its header is written, the rest is zero.
    pub fn allocate(&mut self, kind: u8, level: u8, tree: u64) -> Result<Pointer> {
        self.make_room()?;
        let page = self.take_page()?;
        let pointer = Pointer { page, kind, level, stamp: self.page_stamp };
        let header = Header { crc: 0, pointer, tree, store: self.inner.store };
        let created = self.inner.cache.create(page.0, self.page_stamp, |bytes| {
            bytes.fill(0);
            header.write(bytes);
        });
        if let Err(error) = created {
            self.recycled.push(page);
            return Err(error);
        }
        self.dirty.insert(page);
        Ok(pointer)
    }

    /// Gives the transaction its own copy of a page reached, strictly top-down, from a writable
    /// root. `shared_at` is the stamp of the last event that shared anything below that root (R3):
    /// younger pages have one owner, for older ones the count decides.
    pub fn shadow(&mut self, pointer: &Pointer, shared_at: u64) -> Result<Pointer> {
        if pointer.stamp == self.page_stamp && !self.counts.is_changed(pointer.page) {
            return Ok(*pointer);
        }
        // R3 decides; the count of a younger page only tells a damaged tree that leads here twice.
        let known = self.count(pointer.page)?;
        let unshared = pointer.stamp > shared_at || mutant!(SharingIgnoredByWriter);
        let count = if unshared { known.min(1) } else { known };
        if count == 0 {
            return Err(Error::corrupted(pointer.page.0, "refcount of a page in use", 1, 0));
        }
        self.make_room()?;
        // Before anything changes: what may fail.
        self.prepare_count(pointer.page)?;
        let inner = self.inner.clone();
        let old = inner.pin(pointer, self.page_stamp)?;
        if count > 1 && !mutant!(ChildrenOfCopyNotCounted) {
            self.own_children(&old)?;
        }
        let page = self.take_page()?;
        let copy = Pointer { page, stamp: self.page_stamp, ..*pointer };
        let created = inner.cache.create(page.0, self.page_stamp, |bytes| {
            bytes.copy_from_slice(&old);
            let header = Header::read(&old);
            Header { pointer: copy, ..header }.write(bytes);
        });
        if let Err(error) = created {
            self.recycled.push(page);
            return Err(error);
        }
        inner.cache.copies.fetch_add(1, Ordering::Relaxed);
        self.dirty.insert(page);
        if count > 1 {
            let lost = if mutant!(OldOwnerStaysCounted) { 0 } else { 1 };
            self.counts.set(pointer.page, count - lost);
            inner.cache.supersede(&old);
        } else if !mutant!(OldPageNotFreed) {
            self.free_run(Run { start: pointer.page, length: 1 }, pointer.stamp);
            drop(old);
            if self.dirty.len() > inner.cache.frames() / LARGE_PART {
                // Until the commit readers may still begin with it, and an abort brings it back: then it
                // is read again. A transaction that fills the cache by itself pays for that.
                inner.cache.drop_clean(pointer.page.0);
            }
        }
        Ok(copy)
    }

    /// A copy of a shared node has been made: each of its children has one more owner.
    fn own_children(&mut self, node: &[u8]) -> Result<()> {
        let mut children = std::mem::take(&mut self.children);
        children.clear();
        self.inner.kinds.child_pages(node, &mut children)?;
        children.iter().try_for_each(|&page| self.retain(page))?;
        self.children = children;
        Ok(())
    }

    // ---- owners --------------------------------------------------------------------------

    /// How many owners a page has, as this transaction sees it.
    pub fn count(&self, page: PageId) -> Result<u32> {
        let known = self.counts.get(page);
        if let Some(count) = known
            && (count > 0 || self.counts.is_changed(page))
        {
            return Ok(count);
        }
        // One of this transaction's: free in the map.
        if self.dirty.contains(&page)
            || self.spilled.contains(&page)
            || self.extents.contains_key(&page)
            || self.raw.contains(&page)
        {
            return Ok(1);
        }
        self.inner.space.lock().count(page)
    }

    /// Makes sure that the count of a page can be set.
    fn prepare_count(&mut self, page: PageId) -> Result<()> {
        if self.counts.get(page).is_none() {
            let mut space = self.inner.space.lock();
            self.counts.insert_group(page, space.group_of(page)?);
        }
        Ok(())
    }

    /// Adds an owner.
    pub fn retain(&mut self, page: PageId) -> Result<()> {
        self.changed = true;
        if !self.counts.raise(page) {
            let count = self.count(page)?;
            if count == 0 || count == u32::MAX {
                return Err(Error::corrupted(page.0, "refcount of a page in use", 1, count.into()));
            }
            self.prepare_count(page)?;
            self.counts.set(page, count + 1);
        }
        if mutant!(CountsAppliedAtOnce) {
            let mut space = self.inner.space.lock();
            space.prepare(page)?;
            space.map.set_count(page, self.counts.get(page).unwrap_or(1));
        }
        Ok(())
    }

    /// Drops an owner of a node. True: it was the last one, the page is freed, and the node's
    /// children (which the caller has read before) have lost an owner each, which is the caller's
    /// to drop.
    pub fn release(&mut self, pointer: &Pointer) -> Result<bool> {
        self.release_run(&[Run { start: pointer.page, length: 1 }], pointer.stamp)
    }

    /// Drops an owner of an extent. True: it was the last one and the pages are freed.
    pub fn release_extent(&mut self, extent: &Extent) -> Result<bool> {
        self.release_run(&extent.runs, extent.stamp)
    }

    fn release_run(&mut self, runs: &[Run], birth: u64) -> Result<bool> {
        self.changed = true;
        let Some(head) = runs.first().map(|run| run.start) else {
            return Err(Error::corrupted(0, "pages of an extent", 1, 0));
        };
        let mut count = self.count(head)?;
        if mutant!(SharedPageFreed) {
            count = count.min(1);
        }
        match count {
            0 => Err(Error::corrupted(head.0, "refcount of a page in use", 1, 0)),
            1 => {
                if self.dirty.remove(&head) || self.spilled.remove(&head) {
                    self.counts.forget(head);
                    self.inner.cache.discard(head.0);
                    self.recycled.push(head);
                } else if self.raw.remove(&head) {
                    self.counts.forget(head);
                    self.recycled.push(head);
                } else if self.extents.remove(&head).is_some() {
                    self.counts.forget(head);
                    let mut space = self.inner.space.lock();
                    runs.iter().for_each(|run| space.give_back(*run));
                } else {
                    for run in runs {
                        self.prepare_count(run.start)?;
                    }
                    let mut space = self.inner.space.lock();
                    for page in runs.iter().flat_map(|run| run.start.0..run.end()) {
                        space.prepare(PageId(page))?;
                    }
                    drop(space);
                    runs.iter().for_each(|run| self.free_run(*run, birth));
                }
                Ok(true)
            }
            _ => {
                self.prepare_count(head)?;
                self.counts.set(head, count - 1);
                Ok(false)
            }
        }
    }

    fn free_run(&mut self, run: Run, birth: u64) {
        // Not removed: a second owner that a damaged tree claims finds 0, an error.
        self.counts.set(run.start, 0);
        self.freed.push(Freed {
            start: run.start,
            length: run.length,
            birth,
            death: self.page_stamp,
        });
    }

    // ---- the end -------------------------------------------------------------------------

    /// Does this transaction change anything?
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Commits. `record` is what the log will replay; `None` means that the transaction is too large
    /// to be logged, and is made durable by a checkpoint instead, whatever the level (R10: no other
    /// transaction is acknowledged before that). An empty record is for transactions that change
    /// nothing that replay would have to bring back.
    ///
    /// After an error other than a failed write nothing was committed; after a failed write the
    /// outcome is known only when the store is reopened, until when it takes no more writes.
    pub fn commit(mut self, record: Option<&[u8]>, durability: Durability) -> Result<()> {
        let inner = self.inner.clone();
        if let Err(error) = inner.poison.check() {
            self.abort();
            return Err(error);
        }
        if self.is_continued() {
            return self.commit_continued(record, durability);
        }
        let mut record = record;
        if let Some(body) = record
            && !body.is_empty()
            && !inner.log.has_room(body.len())
        {
            checkpoint::await_running(&inner);
        }
        if durability == Durability::Immediate
            && let Some(body) = record
            && body.len() >= LONG_RECORD
            && 4 * inner.cache.dirty() * inner.geometry.page_size < body.len()
        {
            // Large values, which stand in the file already: a checkpoint has less to write than the log.
            record = None;
        }
        if let Some(body) = record
            && !body.is_empty()
            && !inner.log.has_room(body.len())
        {
            // The log is full: a checkpoint of the state without this transaction makes room.
            let scope = Scope {
                log_for: Some(body.len()),
                stamp: (!mutant!(RingMovesWithYoungerStamp)).then_some(self.spare_stamp),
                ..Scope::default()
            };
            if let Err(error) = checkpoint::exclusive(&inner, scope) {
                self.abort();
                return Err(error);
            }
            if !inner.log.has_room(body.len()) {
                record = None;
            }
        }
        if !self.raw.is_empty() {
            // No record brings them back.
            record = None;
        }
        if !mutant!(GatheredPagesForgotten)
            && let Err(error) = self.flush_raw()
        {
            self.abort();
            return Err(error);
        }
        let _poisoned = inner.poison.on_panic();
        self.apply();
        let version = Version { stamp: self.page_stamp, root: self.root };
        // A page that is in the file already is not edited there.
        let usable = record.is_some() && self.spilled.is_empty();
        let continuable = self.continuable.filter(|_| usable);
        {
            let mut head = inner.head.lock();
            head.version = version;
            head.continuable = continuable.map(|line| Continuable { stamp: self.page_stamp, line });
        }
        self.done = true;
        let unlock = inner.writer.unlock_later();
        let Some(body) = record else {
            if mutant!(UnloggedCommitNotDurable) {
                inner.readers.publish(&version);
                return Ok(());
            }
            if mutant!(UnloggedCommitLetsOthersWrite) {
                std::mem::forget(unlock);
                checkpoint::seal_release_write(&inner, Scope::default())?;
                inner.readers.publish(&version);
                return Ok(());
            }
            let result = checkpoint::exclusive(&inner, Scope::default());
            if result.is_ok() {
                inner.readers.publish(&version);
            }
            return result;
        };
        let promise = durability == Durability::Immediate;
        // Without a body there is nothing to bring back, and the version is as durable as the commits
        // before it (R9).
        let appended = if body.is_empty() {
            Ok(inner.log.end())
        } else {
            inner.log.append(self.page_stamp, body, promise)
        };
        if let Err(error) = &appended {
            inner.poison.set(error.to_string());
        }
        drop(unlock);
        let end = appended?;
        if mutant!(VisibleBeforeDurable) {
            inner.readers.publish(&version);
        }
        match durability {
            Durability::Immediate if mutant!(AcknowledgedBeforeDurable) => {}
            Durability::Immediate => inner.log.make_durable(end, &inner.poison)?,
            Durability::Eventual => {
                if !mutant!(EventualNotWritten) {
                    inner.log.write_plain(&inner.poison)?;
                }
                inner.log.wait_for_promises(&inner.poison)?;
            }
            Durability::None => {
                inner.log.bound_memory(&inner.poison)?;
                inner.log.wait_for_promises(&inner.poison)?;
            }
        }
        inner.readers.publish(&version);
        if self.settles {
            write_behind::call(&inner);
        }
        self.call_for_checkpoint()
    }

    /// Commits what recovery has replayed up to `tail`.
    pub(crate) fn commit_replayed(mut self, tail: Tail, generation: u64) {
        self.apply();
        self.inner.head.lock().version = Version { stamp: self.page_stamp, root: self.root };
        self.inner.log.set_replayed(tail, generation);
        self.done = true;
        self.inner.writer.unlock();
    }

    /// The overlay becomes part of the committed state. Nothing here can fail: every group was
    /// loaded when its page was taken, freed or counted.
    fn apply(&mut self) {
        let mut space = self.inner.space.lock();
        if let Some(run) = self.reserve.take() {
            space.give_back(run);
        }
        for page in self.recycled.drain(..) {
            space.give_back(Run { start: page, length: 1 });
        }
        for &page in self.dirty.iter().chain(&self.spilled) {
            space.map.set_count(page, 1);
        }
        for &page in &self.raw {
            space.map.set_count(page, 1);
        }
        for &page in &self.dirty {
            space.dirty.insert(page, self.page_stamp);
        }
        for page in self.extents.values().flatten().flat_map(|run| run.start.0..run.end()) {
            space.map.set_count(PageId(page), 1);
        }
        let mut changes = 0;
        for (group, counts) in self.counts.changes() {
            changes += space.map.set_counts(group, counts);
        }
        self.inner.counters.count_changes.fetch_add(changes, Ordering::Relaxed);
        space.free(&self.freed);
        if self.settles {
            space.settle(self.page_stamp);
        }
    }

    fn call_for_checkpoint(&self) -> Result<()> {
        let inner = &self.inner;
        let due = inner.log.used() > inner.log.blocks() * 4096 / 2
            || inner.cache.dirty() > inner.cache.frames() / 4;
        if !due {
            return Ok(());
        }
        if inner.config.background {
            inner.background.want_checkpoint();
            Ok(())
        } else if inner.writer.try_lock()? {
            let _unlock = inner.writer.unlock_later();
            let result = checkpoint::exclusive(inner, Scope { grow_log: true, ..Scope::default() });
            // The commit itself is durable as promised; a failed checkpoint has poisoned the store
            // and is reported by the next write.
            if let Err(error) = result {
                tracing::warn!(%error, "checkpoint failed after a commit");
            }
            Ok(())
        } else {
            Ok(())
        }
    }

    /// Ends a transaction that changed nothing. The version it leaves is the one it found, so that
    /// one gets the durability asked for (R9).
    pub fn end_unchanged(mut self, durability: Durability) -> Result<()> {
        self.undo();
        let inner = &self.inner;
        match durability {
            Durability::Immediate if mutant!(EmptyDurableCommitDoesNothing) => Ok(()),
            Durability::Immediate if inner.log.has_unsynced() => inner.log.sync(&inner.poison),
            Durability::Immediate => inner.log.wait_for_promises(&inner.poison),
            Durability::Eventual => {
                inner.log.write_plain(&inner.poison)?;
                // Records before these may be in a durable write that is on its way.
                inner.log.wait_for_promises(&inner.poison)
            }
            Durability::None => Ok(()),
        }
    }

    /// Undoes everything. Dropping the transaction does the same.
    pub fn abort(mut self) {
        self.undo();
    }

    fn undo(&mut self) {
        if self.done {
            return;
        }
        self.done = true;
        self.restore();
        for &page in self.dirty.iter().chain(&self.spilled) {
            self.inner.cache.discard(page.0);
        }
        let mut space = self.inner.space.lock();
        if mutant!(CountsAppliedByAbort) {
            for (group, counts) in self.counts.changes() {
                space.map.set_counts(group, counts);
            }
        }
        if mutant!(AbortFreesPages) {
            space.free(&self.freed);
        }
        if mutant!(FreeListNotRolledBack) {
            for &Freed { start, length, .. } in &self.freed {
                space.give_back(Run { start, length });
            }
        }
        if mutant!(AbortLeaksPages) {
            self.dirty.clear();
            self.spilled.clear();
        }
        let pages = self.dirty.drain().chain(self.spilled.drain()).chain(self.recycled.drain(..));
        for page in pages.chain(self.raw.drain()) {
            space.give_back(Run { start: page, length: 1 });
        }
        for run in self.extents.values().flatten().chain(&self.reserve.take()) {
            space.give_back(*run);
        }
        drop(space);
        self.inner.writer.unlock();
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if mutant!(PanicTakenForCleanShutdown) && std::thread::panicking() && !self.done {
            self.apply();
            let version = Version { stamp: self.stamp, root: self.root };
            self.inner.head.lock().version = version;
            self.inner.readers.publish(&version);
            self.done = true;
            self.inner.writer.unlock();
        }
        self.undo();
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("stamp", &self.page_stamp).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
