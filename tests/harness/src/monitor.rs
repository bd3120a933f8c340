//! The ordering monitor: a storage over any other that judges every call as it happens.
//!
//! Crash exploration finds what a wrong order of writes leads to; this finds the wrong order itself,
//! in every test, whether or not the power fails there (in the spirit of the journal-test VFS of
//! SQLite). What it knows of the store comes from the bytes that pass through it, read by the format.
//!
//! ```text
//!   engine ---> Monitor ---> disk          before a call: may it be made?   no: the call fails,
//!                 |                                                         and the verdict is kept
//!                 +-- Ledger   what is written and not yet durable
//!                 +-- Reach    what the newest durable superblock reaches, and the one being written
//!                 +-- Log      which blocks of the ring are live, which were written durably
//! ```
//!
//! | rule | what it says |
//! |---|---|
//! | I1 | no page that counts an owner in the durable map is written |
//! | I2 | a superblock is written only when all it reaches is durable: pages, map, the file's length |
//! | R5 | no map slot that the durable superblock names is written |
//! | R8 | no live block of the log is written over, nor one that a durable write has written |
//! | R9 | a durable write of the log leaves nothing before it that is not durable; and a commit is acknowledged as durable only when its records are |
//! | slots | the newest superblock is never the one written over; its two copies are made one after the other, each durable before the next |
//! | cut | the file is never shorter than the durable superblock says |
//!
//! The engine turns a panic of its background threads into a poisoned store. So a violation is
//! kept, makes the offending call fail, and [`Watch::assert_content`] panics with it: the
//! fixtures ask at every step.
//!
//! A write that failed, and everything unsynced when a sync failed, counts as lost: not durable,
//! whatever later syncs say, until it is written again.

mod ledger;
mod log;
mod reach;
mod rules;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use cowslip_pager::storage::{SimulatedStorage, Storage};
use parking_lot::Mutex;

use rules::State;

/// A storage that watches another one; see the [module documentation](self).
#[derive(Debug)]
pub struct Monitor {
    inner: Arc<dyn Storage>,
    watch: Watch,
}

/// Whom to ask what a monitor has seen. It does not keep the storage open.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Mutex<Seen>>);

#[derive(Debug)]
struct Seen {
    state: State,
    verdict: Option<String>,
}

/// Durable events up to some moment; see [`Watch::moment`].
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

/// Reads bytes of the storage without anybody noticing.
type Peek<'p> = &'p dyn Fn(&mut [u8], u64) -> io::Result<()>;

impl Monitor {
    /// Over any storage. What it finds there counts as durable, but for the records of the log.
    pub fn over(inner: Arc<dyn Storage>) -> (Arc<Monitor>, Watch) {
        let length = inner.len().unwrap_or(0);
        let state = State::read(&|bytes, offset| inner.read_at(bytes, offset), length);
        Monitor::with(inner, state)
    }

    /// Over a simulated disk, whose count of reads does not change by it.
    pub fn over_disk(disk: &Arc<SimulatedStorage>) -> (Arc<Monitor>, Watch) {
        let image = disk.freeze();
        let state = State::read(&|bytes, offset| image.read(bytes, offset), image.len());
        Monitor::with(disk.clone(), state)
    }

    fn with(inner: Arc<dyn Storage>, state: State) -> (Arc<Monitor>, Watch) {
        let watch = Watch(Arc::new(Mutex::new(Seen { state, verdict: None })));
        (Arc::new(Monitor { inner, watch: watch.clone() }), watch)
    }

    /// The lock is not held while the disk works: others go on meanwhile.
    fn write(
        &self,
        buf: &[u8],
        offset: u64,
        call: &'static str,
        write: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let durable = call == "write_durable";
        self.watch.judge(|state| state.begin_write(buf, offset, call))?;
        let result = write();
        let well = result.is_ok();
        self.watch.0.lock().state.end_write(offset, buf.len() as u64, durable, well);
        result
    }
}

impl Watch {
    /// The first violation.
    pub fn verdict(&self) -> Option<String> {
        self.0.lock().verdict.clone()
    }

    /// Panics if there was a violation.
    #[track_caller]
    pub fn assert_content(&self) {
        if let Some(what) = self.verdict() {
            panic!("the ordering monitor: {what}");
        }
    }

    /// Now: a commit begins.
    pub fn moment(&self) -> Moment {
        Moment(self.0.lock().state.durable_events())
    }

    /// A durable commit, begun at `since`, was acknowledged; `wrote` if it changed something. Nobody
    /// else may be writing.
    ///
    /// Then there is no transaction in the log that is not durable, and if the commit wrote
    /// something, at least one durable write or checkpoint has happened meanwhile.
    ///
    /// # Panics
    ///
    /// If that is not so, or after an earlier violation.
    #[track_caller]
    pub fn acknowledged(&self, since: Moment, wrote: bool) {
        let _ = self.judge(|state| state.acknowledged(wrote.then_some(since.0)));
        self.assert_content();
    }

    /// Lets a call pass, or makes it fail and keeps the first reason.
    fn judge(&self, rule: impl FnOnce(&mut State) -> Result<(), String>) -> io::Result<()> {
        let seen = &mut *self.0.lock();
        rule(&mut seen.state).map_err(|what| {
            let error = io::Error::other(format!("the ordering monitor: {what}"));
            seen.verdict.get_or_insert(what);
            error
        })
    }
}

impl Storage for Monitor {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch.judge(|state| state.may_set_len(len))?;
        self.inner.set_len(len)?;
        self.watch.0.lock().state.ledger.set_len(len);
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(buf, offset, "write_at", || self.inner.write_at(buf, offset))
    }

    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(buf, offset, "write_direct", || self.inner.write_direct(buf, offset))
    }

    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(buf, offset, "write_durable", || self.inner.write_durable(buf, offset))
    }

    fn sync(&self) -> io::Result<()> {
        let begun = self.watch.0.lock().state.ledger.begin_sync();
        let result = self.inner.sync();
        self.watch.0.lock().state.end_sync(begun, result.is_ok());
        result
    }

    fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }
}
