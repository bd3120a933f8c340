//! A deterministic disk that remembers every call and shows what a power cut could leave behind.
//!
//! [`SimulatedStorage`] is used like any other [`Storage`]. Its [`History`] is then walked by a
//! [`CrashExplorer`], which stops at every point between two calls; there a [`PowerCut`] yields
//! images of the disk, one for each [`Plan`] of what happened to survive:
//!
//! ```text
//!   history:   W₀   W₁   SetLen   sync   W₂   W₃   note 1   D₄   ...
//!                                            ▲
//!                                            cut here: W₂ is pending, W₃ not yet begun,
//!                                            everything up to the sync is durable
//! ```
//!
//! # The rules
//!
//! The disk is its **durable** bytes plus an ordered list of **pending** changes: writes and
//! changes of length. Reads see the pending changes as if they had happened.
//!
//! 1. `sync` makes every pending change durable.
//! 2. `write_durable` makes its own range durable. It supersedes what older pending writes had put
//!    into that range; the rest of them, and every other pending write, stays pending. The length
//!    is durable at least up to the end of the range, or the range would not be.
//! 3. A power cut keeps any subset of the pending writes, in any order. More than that, it tears
//!    them: each sector is, independently of all others, what it durably was, or what it was
//!    after any one of the pending writes that touched it. A sector that a write covers only in
//!    part goes to the disk with its neighbouring bytes as they were at that moment.
//! 4. On request ([`Plan::Garbage`]) a sector that some pending write touched may hold anything.
//! 5. The length goes its own way: the old one, or any that was pending. Data beyond it is lost;
//!    if it lies beyond the data, there are zeros in between.
//! 6. A cut *during* a sync is a cut before it. A cut during a `write_durable` finds its write
//!    pending. Any other write is pending as soon as it begins, so a cut during it adds nothing to
//!    the cut after it.
//! 7. A disk that began without a byte is a file whose name is durable only with the first sync:
//!    until then a cut may leave nothing at all.
//! 8. A call that is made to fail ([`SimulatedStorage::fail_at`]) does what [`FaultKind`] says. A
//!    failed write leaves a prefix of itself, in whole sectors, pending. A failed sync makes an
//!    arbitrary part of what was pending durable and **forgets the rest**, which is still read but
//!    which no later sync will write: this is what operating systems do. Changes of length, being
//!    metadata, stay pending at worst.
//! 9. With [`weaken_growth`](SimulatedStorage::weaken_growth) a change of length is durable only with
//!    the *second* sync after it: file systems whose journal lags behind have been seen.
//!
//! Everything random is drawn from seeds, so equal calls make equal histories and images.

use std::{collections::HashSet, io};

use parking_lot::Mutex;

use super::{BLOCK, Storage, check_durable, end_of};
use fault::Calls;

mod cut;
mod fault;
mod history;
mod image;
#[cfg(test)]
mod tests;

pub use cut::{Plan, PowerCut, Sector, Survive, Torn, plans};
pub use fault::FaultKind;
pub use history::{CrashExplorer, Event, History, SectorSize};
pub use image::{Block, Image};

/// A [`Storage`] that records everything; see the [module documentation](self).
pub struct SimulatedStorage {
    state: Mutex<State>,
}

struct State {
    start: Image,
    /// What a reader sees.
    visible: Image,
    events: Vec<Event>,
    /// Events are kept.
    records: bool,
    weak_growth: bool,
    changes: Calls,
    reads: Calls,
    bytes_read: u64,
    limit: u64,
    /// What stale reads find.
    older: Option<Image>,
    watch: Option<Watch>,
}

/// Which blocks of the first image a reader's knowledge depends on.
#[derive(Default)]
struct Watch {
    read: Vec<usize>,
    /// Read already, or written over as a whole.
    settled: HashSet<usize>,
}

impl SimulatedStorage {
    /// An empty disk.
    pub fn new() -> Self {
        Self::from_image(Image::new())
    }

    /// A disk with these bytes on it, all of them durable.
    pub fn from_image(image: impl Into<Image>) -> Self {
        let image = image.into();
        Self {
            state: Mutex::new(State {
                start: image.clone(),
                visible: image,
                events: Vec::new(),
                records: true,
                weak_growth: false,
                changes: Calls::default(),
                reads: Calls::default(),
                bytes_read: 0,
                limit: u64::MAX,
                older: None,
                watch: None,
            }),
        }
    }

    /// A copy of what a reader sees now.
    pub fn image(&self) -> Vec<u8> {
        self.freeze().to_vec()
    }

    /// The same, sharing its blocks with the disk.
    pub fn freeze(&self) -> Image {
        self.state.lock().visible.clone()
    }

    /// Everything that has happened so far.
    pub fn history(&self) -> History {
        let state = self.state.lock();
        History::new(state.start.clone(), state.events.as_slice().into(), state.weak_growth)
    }

    /// How many events have happened so far.
    pub fn events(&self) -> usize {
        self.state.lock().events.len()
    }

    /// Keeps no events from now on: where only the bytes matter, this is faster.
    pub fn without_history(self) -> Self {
        self.state.lock().records = false;
        self
    }

    /// From now on a change of length is durable only with the second sync after it.
    pub fn weaken_growth(&self) {
        self.state.lock().weak_growth = true;
    }

    /// Leaves a mark in the history, such as "commit `n` has been acknowledged", for
    /// [`CrashExplorer::notes`] to report at every later point.
    pub fn note(&self, n: u64) {
        self.state.lock().record(Event::Note(n));
    }

    /// How many calls there were that change something (`set_len`, the writes and `sync`), failed
    /// ones included: the number that the next such call will have.
    pub fn calls(&self) -> u64 {
        self.state.lock().changes.count
    }

    /// How many calls of `read_at` there were.
    pub fn reads(&self) -> u64 {
        self.state.lock().reads.count
    }

    /// How many bytes were asked for by `read_at`.
    pub fn bytes_read(&self) -> u64 {
        self.state.lock().bytes_read
    }

    /// Makes the state-changing call number `call` fail, counted from 0, as [`calls`] does; if
    /// `sticky`, every later one as well.
    ///
    /// [`calls`]: Self::calls
    pub fn fail_at(&self, call: u64, kind: FaultKind, sticky: bool) {
        self.state.lock().changes.fail_at(call, kind, sticky);
    }

    /// Makes the read number `read` fail, counted from 0, as [`reads`](Self::reads) does; if
    /// `sticky`, every later one as well.
    pub fn fail_read_at(&self, read: u64, kind: FaultKind, sticky: bool) {
        self.state.lock().reads.fail_at(read, kind, sticky);
    }

    /// What [`FaultKind::Stale`] finds; without it, what the disk held at first.
    pub fn set_older(&self, image: Image) {
        self.state.lock().older = Some(image);
    }

    /// Forgets every fault that was to be injected; the disk is well again.
    pub fn clear_faults(&self) {
        let state = &mut *self.state.lock();
        state.changes.clear();
        state.reads.clear();
    }

    /// Whether every fault that is to be injected will be reported.
    pub fn is_honest(&self) -> bool {
        let state = self.state.lock();
        state.changes.are_honest() && state.reads.are_honest()
    }

    /// Makes the disk full at `bytes`: growing beyond fails with [`io::ErrorKind::StorageFull`].
    pub fn set_limit(&self, bytes: u64) {
        self.state.lock().limit = bytes;
    }

    /// From now on remembers which blocks are read that nobody wrote since.
    pub fn watch_reads(&self) {
        self.state.lock().watch = Some(Watch::default());
    }

    /// The numbers of the blocks read since [`watch_reads`](Self::watch_reads) as they were then, in
    /// the order of their first reading. Whoever did only what he did since then cannot tell this
    /// disk from another of the same length that has the same bytes in these blocks.
    pub fn blocks_read(&self) -> Vec<usize> {
        self.state.lock().watch.as_ref().map_or_else(Vec::new, |watch| watch.read.clone())
    }

    fn write(&self, buf: &[u8], mut offset: u64, durable: bool) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let length = state.visible.len();
        if durable {
            check_durable(buf, offset, length)?;
        }
        let end = end_of(buf, offset)?;
        let call = state.changes.count;
        let fault = state.changes.next();
        match fault {
            None => {}
            Some(FaultKind::Lost) => return Ok(()),
            Some(FaultKind::Misdirected) => {
                offset += BLOCK as u64;
                if offset + buf.len() as u64 > length {
                    return Ok(());
                }
            }
            Some(FaultKind::Rot) => {
                let mut rotten = buf.to_vec();
                flip(&mut rotten, call);
                state.write(&rotten, offset, durable);
                return Ok(());
            }
            Some(kind) => {
                let Some(error) = kind.error() else {
                    state.write(buf, offset, durable);
                    return Ok(());
                };
                let mut rng = fastrand::Rng::with_seed(call);
                let kept = rng.usize(..=buf.len() / 512) * 512;
                if kind == FaultKind::Eio && offset + kept as u64 <= state.limit {
                    state.write(&buf[..kept], offset, false);
                }
                return Err(error);
            }
        }
        if end > state.limit && end > length {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.write(buf, offset, durable);
        Ok(())
    }
}

impl State {
    fn record(&mut self, event: Event) {
        if self.records {
            self.events.push(event);
        }
    }

    fn set_len(&mut self, length: u64) {
        let old = self.visible.len();
        self.visible.set_len(length);
        if let Some(watch) = &mut self.watch {
            // What is cut off, and what is added, does not depend on the first image any more.
            let (low, high) = (old.min(length).div_ceil(BLOCK as u64), old.max(length));
            watch.settled.extend(index(low)..index(high.div_ceil(BLOCK as u64)));
        }
        self.record(Event::SetLen(length));
    }

    fn write(&mut self, buf: &[u8], offset: u64, durable: bool) {
        if buf.is_empty() {
            return;
        }
        let end = offset + buf.len() as u64;
        if end > self.visible.len() {
            self.set_len(end);
        }
        self.visible.write(buf, offset);
        if let Some(watch) = &mut self.watch {
            let whole = index(offset).div_ceil(BLOCK)..index(end) / BLOCK;
            watch.settled.extend(whole);
        }
        if self.records {
            let data = buf.into();
            self.events.push(match durable {
                false => Event::Write { offset, data },
                true => Event::WriteDurable { offset, data },
            });
        }
    }

    fn read(&mut self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = end_of(buf, offset)?;
        self.bytes_read += buf.len() as u64;
        let read = self.reads.count;
        let fault = self.reads.next();
        if let Some(error) = fault.and_then(FaultKind::error) {
            return Err(error);
        }
        self.visible.read(buf, offset)?;
        if let Some(watch) = &mut self.watch {
            for block in index(offset) / BLOCK..index(end).div_ceil(BLOCK) {
                if watch.settled.insert(block) {
                    watch.read.push(block);
                }
            }
        }
        match fault {
            Some(FaultKind::Lost) => buf.fill(0),
            Some(FaultKind::Stale) => {
                let mut older = self.older.as_ref().unwrap_or(&self.start).clone();
                older.set_len(older.len().max(end));
                older.read(buf, offset)?;
            }
            Some(FaultKind::Misdirected) => {
                let mut all = self.visible.clone();
                all.set_len(all.len().max(end + BLOCK as u64));
                all.read(buf, offset + BLOCK as u64)?;
            }
            Some(FaultKind::Rot) => flip(buf, read),
            _ => {}
        }
        Ok(())
    }
}

/// Flips one bit, drawn from the number of the call.
fn flip(bytes: &mut [u8], call: u64) {
    let bit = fastrand::Rng::with_seed(call).usize(..bytes.len().max(1) * 8);
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

impl Default for SimulatedStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SimulatedStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.lock();
        f.debug_struct("SimulatedStorage")
            .field("len", &state.visible.len())
            .field("events", &state.events.len())
            .field("calls", &state.changes.count)
            .finish_non_exhaustive()
    }
}

impl Storage for SimulatedStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().visible.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let state = &mut *self.state.lock();
        match state.changes.next() {
            None => {}
            Some(FaultKind::Lost) => return Ok(()),
            Some(kind) => kind.error().map_or(Ok(()), Err)?,
        }
        if len > state.limit && len > state.visible.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if len != state.visible.len() {
            state.set_len(len);
        }
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        self.state.lock().read(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(buf, offset, false)
    }

    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(buf, offset, false)
    }

    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write(buf, offset, true)
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let call = state.changes.count;
        match state.changes.next() {
            None => state.record(Event::Sync),
            Some(FaultKind::Lost) => {}
            Some(kind) => {
                if let Some(error) = kind.error() {
                    state.record(Event::FailedSync(call));
                    return Err(error);
                }
                state.record(Event::Sync);
            }
        }
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

/// An offset as an index: images live in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated disk fits into memory")
}
