//! Appending to the intent log, and group commit.
//!
//! Records are appended in commit order under the writer lock; a durable commit then asks for its
//! position to be durable. The first who asks becomes the *leader*: it takes everything that is
//! not known durable, and writes it in one durable, range-limited write; whoever asks meanwhile
//! waits and is served by the next leader, all in one write. When the last write served several,
//! a leader first gathers for up to half the time of a write.
//!
//! ```text
//!  logical bytes:   live_from          durable      pending_at   written      tail
//!        ... free ...|-- durable ---------|-- in flight --|-- plain --|-- memory --|
//! ```
//!
//! `Eventual` records go out by a plain write at once and are written once more, direct, by the
//! next durable write or by [`LogWriter::sync`]; a durable write starts on a fresh block, so a
//! plain write never touches a block that a direct write has touched. `None` records stay in
//! memory until a durable write takes them along.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    aligned::Aligned,
    error::{Error, Result},
    log::{KIND_MARK, KIND_TRANSACTION, Record, Ring, Tail},
    mutant,
    poison::Poison,
    storage::{BLOCK, Storage},
};

const B: u64 = BLOCK as u64;
/// `None` records beyond this many bytes go out by a plain write, so that memory stays bounded.
const PENDING_MAX: usize = 1 << 20;

pub(crate) struct LogWriter {
    storage: Arc<dyn Storage>,
    store: u64,
    state: Mutex<State>,
    /// The durable position moved, or a leader ended.
    progress: Condvar,
    /// Somebody asked for durability.
    arrival: Condvar,
}

struct State {
    ring: Ring,
    live_from: u64,
    tail: Tail,
    pending: Aligned,
    spare: Aligned,
    pending_at: u64,
    written: u64,
    durable: u64,
    /// The highest position whose durability somebody was promised.
    promised: u64,
    generation: u64,
    durable_checkpoint: u64,
    /// Recovery is reading the ring: nothing may be appended, and the tail is a reader's place.
    replaying: bool,
    /// The tail stands behind marks that may have survived in the system's cache only: what is written
    /// durably behind them would be lost with them.
    owes_sync: bool,
    leading: bool,
    /// Where the write of the current leader begins.
    leading_from: u64,
    /// Transactions appended so far, and how many of them no recovery needs any more.
    appended: u64,
    retired: u64,
    waiting: usize,
    last_group: usize,
    sync_time: Duration,
    scratch: Vec<u8>,
    syncs: u64,
    bytes_written: u64,
}

/// Where a sealed checkpoint's log begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    pub(crate) tail: Tail,
    pub(crate) generation: u64,
    /// Transactions that it covers.
    appended: u64,
}

/// Whoever makes a durable write for all. Dropped only by a panic: others must not wait for it.
struct Leader<'l> {
    log: &'l LogWriter,
    poison: &'l Poison,
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.poison.set("a panic has interrupted a durable write of the log".into());
        self.log.state.lock().leading = false;
        self.log.progress.notify_all();
    }
}

impl LogWriter {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        store: u64,
        ring: Ring,
        tail: Tail,
        generation: u64,
        durable_checkpoint: u64,
    ) -> LogWriter {
        LogWriter {
            storage,
            store,
            state: Mutex::new(State {
                ring,
                live_from: tail.at,
                tail,
                pending: Aligned::default(),
                spare: Aligned::default(),
                pending_at: tail.at,
                written: tail.at,
                durable: tail.at,
                promised: tail.at,
                generation,
                durable_checkpoint,
                replaying: false,
                owes_sync: false,
                leading: false,
                leading_from: 0,
                appended: 0,
                retired: 0,
                waiting: 0,
                last_group: 1,
                sync_time: Duration::from_micros(100),
                scratch: Vec::new(),
                syncs: 0,
                bytes_written: 0,
            }),
            progress: Condvar::new(),
            arrival: Condvar::new(),
        }
    }

    /// Is there room for a record with a body of `length` bytes?
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.state.lock().has_room(Record::size(length) as u64)
    }

    /// Where the log is.
    pub(crate) fn ring(&self) -> Ring {
        self.state.lock().ring
    }

    /// Blocks of the ring.
    pub(crate) fn blocks(&self) -> u64 {
        self.state.lock().ring.blocks
    }

    /// Bytes that a recovery would replay now.
    pub(crate) fn used(&self) -> u64 {
        let state = self.state.lock();
        state.tail.at - state.live_from
    }

    /// Would a recovery replay anything?
    pub(crate) fn has_transactions(&self) -> bool {
        let state = self.state.lock();
        state.appended > state.retired
    }

    /// The position behind the newest record.
    pub(crate) fn end(&self) -> u64 {
        self.state.lock().tail.at
    }

    /// Durable writes so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Bytes written so far.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.state.lock().bytes_written
    }

    /// Appends a transaction's record; returns the position behind it. The caller holds the writer
    /// lock and has made sure that there is room.
    ///
    /// With `promise`, whoever commits later waits for this record to be durable before it is
    /// acknowledged (R9).
    pub(crate) fn append(&self, stamp: u64, body: &[u8], promise: bool) -> Result<u64> {
        let mut state = self.state.lock();
        let end = self.append_kind(&mut state, KIND_TRANSACTION, stamp, body)?;
        state.appended += 1;
        if promise {
            state.promised = end;
        }
        Ok(end)
    }

    fn append_kind(&self, state: &mut State, kind: u8, stamp: u64, body: &[u8]) -> Result<u64> {
        let length = u32::try_from(body.len())
            .map_err(|_| Error::InvalidArgument("log record over 4 GiB".into()))?;
        let record = Record {
            crc: 0,
            length,
            chain: state.tail.chain,
            kind,
            sequence: state.tail.sequence,
            generation: state.generation,
            durable_block: state.durable / B,
            durable_checkpoint: state.durable_checkpoint,
            store: self.store,
            stamp,
        };
        let mut scratch = std::mem::take(&mut state.scratch);
        scratch.clear();
        let crc = record.append(body, &mut scratch);
        let needed = state.pending.len() + scratch.len() + BLOCK;
        state.pending.reserve(needed).map_err(|e| Error::io("growing the log buffer", None, e))?;
        state.pending.extend(&scratch);
        state.tail.at += scratch.len() as u64;
        state.tail.sequence += 1;
        state.tail.chain = crc;
        if scratch.capacity() > PENDING_MAX {
            scratch = Vec::new();
        }
        state.scratch = scratch;
        Ok(state.tail.at)
    }

    /// Hands what is pending to the operating system, so that it survives the process.
    pub(crate) fn write_plain(&self, poison: &Poison) -> Result<()> {
        let mut state = self.state.lock();
        self.write_pending(&mut state, poison)
    }

    /// Bounds the memory that `None` commits take.
    pub(crate) fn bound_memory(&self, poison: &Poison) -> Result<()> {
        let mut state = self.state.lock();
        if state.pending.len() > PENDING_MAX {
            self.write_pending(&mut state, poison)?;
            // A fresh block from here: what was written need not be kept in memory as well, if it is
            // made durable now.
            drop(state);
            let end = self.state.lock().tail.at;
            return self.make_durable(end, poison);
        }
        Ok(())
    }

    fn write_pending(&self, state: &mut State, poison: &Poison) -> Result<()> {
        poison.check()?;
        let _poisoned = poison.on_panic();
        if state.written >= state.tail.at {
            return Ok(());
        }
        let from = state.written.max(state.pending_at) / B * B;
        let length = state.pending.len();
        let start = (from - state.pending_at) as usize;
        state.pending.resize(length.next_multiple_of(BLOCK));
        let bytes = state.pending.len() - start;
        let result = state.ring.write(&*self.storage, from, &state.pending[start..], false);
        state.pending.resize(length);
        poison.on_failure(result)?;
        state.bytes_written += bytes as u64;
        state.written = state.tail.at;
        Ok(())
    }

    /// Waits until everything below `position` is durable.
    pub(crate) fn make_durable(&self, position: u64, poison: &Poison) -> Result<()> {
        let mut state = self.state.lock();
        state.promised = state.promised.max(position);
        state.waiting += 1;
        self.arrival.notify_one();
        let result = loop {
            if state.durable >= position {
                break Ok(());
            }
            if let Err(error) = poison.check() {
                break Err(error);
            }
            if state.leading {
                self.progress.wait(&mut state);
            } else {
                state = self.lead(state, poison);
            }
        };
        state.waiting -= 1;
        result
    }

    /// Acknowledgements go in log order: waits for what was promised before `position`.
    pub(crate) fn wait_for_promises(&self, poison: &Poison) -> Result<()> {
        let promised = {
            let state = self.state.lock();
            if state.durable >= state.promised || mutant!(WeakCommitOvertakes) {
                return Ok(());
            }
            state.promised
        };
        self.make_durable(promised, poison)
    }

    /// Makes everything appended so far durable.
    pub(crate) fn sync(&self, poison: &Poison) -> Result<()> {
        let end = self.state.lock().tail.at;
        self.make_durable(end, poison)
    }

    /// Is there anything that a power cut would take?
    pub(crate) fn has_unsynced(&self) -> bool {
        let state = self.state.lock();
        state.durable < state.tail.at && !state.pending.is_empty()
    }

    fn lead<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        poison: &Poison,
    ) -> MutexGuard<'a, State> {
        state.leading = true;
        state.leading_from = u64::MAX;
        if state.last_group > 1 {
            let until = Instant::now() + state.sync_time / 2;
            while state.waiting < state.last_group
                && !self.arrival.wait_until(&mut state, until).timed_out()
            {}
        }
        let group = state.waiting;
        let bytes = std::mem::take(&mut state.spare);
        let mut bytes = std::mem::replace(&mut state.pending, bytes);
        state.pending.clear();
        let length = bytes.len();
        bytes.resize(length.next_multiple_of(BLOCK));
        let at = state.pending_at;
        state.leading_from = at;
        let known = if mutant!(OnlyNewestRecordsDurable) {
            ((state.written / B * B).saturating_sub(at) as usize).min(bytes.len())
        } else {
            0
        };
        if mutant!(DurableWriteContinuesBlock) && state.pending.reserve(BLOCK).is_ok() {
            let last = length / BLOCK * BLOCK;
            state.pending.extend(&bytes[last..length]);
            state.pending_at = at + last as u64;
        } else {
            state.tail = state.tail.padded();
            state.pending_at = state.tail.at;
        }
        state.written = state.tail.at;
        let end = state.tail.at;
        let ring = state.ring;
        let owes_sync = std::mem::take(&mut state.owes_sync);
        drop(state);
        let leader = Leader { log: self, poison };
        let synced = if owes_sync { self.storage.sync() } else { Ok(()) };
        let begin = Instant::now();
        let result = synced
            .map_err(|e| Error::io("syncing the log before it goes on", None, e))
            .and_then(|()| ring.write(&*self.storage, at + known as u64, &bytes[known..], true));
        let took = begin.elapsed();
        std::mem::forget(leader);
        let mut state = self.state.lock();
        if poison.on_failure(result).is_ok() {
            state.durable = state.durable.max(end);
            state.syncs += 1;
            state.bytes_written += (bytes.len() - known) as u64;
            state.last_group = group;
            state.sync_time = (state.sync_time * 7 + took.min(Duration::from_millis(2))) / 8;
        }
        bytes.clear();
        if bytes.capacity() <= 4 * PENDING_MAX {
            state.spare = bytes;
        }
        state.leading = false;
        self.progress.notify_all();
        state
    }

    // ---- checkpoints ---------------------------------------------------------------------

    /// Ends the part of the log that the checkpoint being sealed covers. Writer lock held.
    pub(crate) fn seal(&self) -> Result<Sealed> {
        let mut state = self.state.lock();
        if state.replaying {
            // The records behind stay where they are, and of the generation they are.
            return Ok(state.sealed());
        }
        state.generation += 1;
        let padded = state.tail.padded();
        let gap = (padded.at - state.tail.at) as usize;
        let needed = state.pending.len() + gap;
        if gap > 0 && !state.pending.is_empty() {
            state
                .pending
                .reserve(needed)
                .map_err(|e| Error::io("growing the log buffer", None, e))?;
            state.pending.resize(needed);
        }
        state.tail = padded;
        if state.pending.is_empty() {
            state.pending_at = padded.at;
        }
        Ok(state.sealed())
    }

    /// The checkpoint that was sealed at `sealed` is durable: what lies before it is dead, and
    /// acknowledged as durable.
    pub(crate) fn retire(&self, sealed: &Sealed, checkpoint: u64) {
        let mut state = self.state.lock();
        let at = sealed.tail.at;
        // Blocks below are free from here on: nobody may still be writing one.
        while state.leading && state.leading_from < at && !mutant!(StalledLogWriteNotAwaited) {
            self.progress.wait(&mut state);
        }
        state.retired = sealed.appended;
        state.live_from = at;
        state.owes_sync = false;
        state.durable_checkpoint = checkpoint;
        if state.pending_at < at {
            let dead = ((at - state.pending_at) as usize).min(state.pending.len());
            state.pending.drain_front(dead);
            state.pending_at = at;
        }
        state.written = state.written.max(at);
        state.durable = state.durable.max(at);
        self.progress.notify_all();
    }

    /// A superblock of this number is durable; the log's live part has not moved.
    pub(crate) fn set_durable_checkpoint(&self, checkpoint: u64) {
        self.state.lock().durable_checkpoint = checkpoint;
    }

    /// Moves the log to another ring. Nothing but the sealed checkpoint is in it: the writer lock is
    /// held from the seal until the superblock that names the new ring is durable.
    pub(crate) fn relocate(&self, ring: Ring) -> Sealed {
        let mut state = self.state.lock();
        let block = (state.tail.at / B).next_multiple_of(ring.blocks);
        state.tail.at = block * B;
        state.sealed()
    }

    /// The ring that [`LogWriter::relocate`] announced is named by a durable superblock.
    pub(crate) fn adopt(&self, ring: Ring) {
        let mut state = self.state.lock();
        // The old ring's pages are free from here on: nobody may still be writing to them.
        while state.leading && !mutant!(StalledLogWriteNotAwaited) {
            self.progress.wait(&mut state);
        }
        let at = state.tail.at;
        state.ring = ring;
        state.pending.clear();
        state.pending_at = at;
        state.written = at;
    }

    /// Leaves word in the log that the newest checkpoint is durable. Best effort: it only strengthens
    /// the proof that a lost superblock was the newest, so it goes out with what is written next.
    pub(crate) fn mark(&self) -> Result<()> {
        let mut state = self.state.lock();
        if mutant!(CheckpointUnmarked) {
            return Ok(());
        }
        if state.has_room(Record::size(8) as u64) && !state.replaying {
            self.append_kind(&mut state, KIND_MARK, 0, &[0; 8])?;
        }
        Ok(())
    }

    /// Recovery begins to read the ring.
    pub(crate) fn begin_replay(&self) {
        self.state.lock().replaying = true;
    }

    /// Recovery has not come to its end.
    pub(crate) fn is_replaying(&self) -> bool {
        self.state.lock().replaying
    }

    /// During recovery: the state includes everything up to `tail`.
    pub(crate) fn set_replayed(&self, tail: Tail, generation: u64) {
        let mut state = self.state.lock();
        state.tail = tail;
        state.generation = generation;
        state.durable = tail.at;
    }

    /// Recovery has read the ring up to `tail`: records of `generation` may follow, on a fresh
    /// block; the first durable one after a sync, if recovery owes it.
    pub(crate) fn end_replay(&self, tail: Tail, generation: u64, owes_sync: bool) {
        let mut state = self.state.lock();
        let tail = tail.padded();
        state.replaying = false;
        state.owes_sync = owes_sync;
        state.generation = generation;
        state.tail = tail;
        state.pending_at = tail.at;
        state.written = tail.at;
        // A record behind marks that are not durable must not say that they are.
        state.durable = if owes_sync { state.live_from } else { tail.at };
        state.promised = state.durable;
    }
}

impl State {
    fn sealed(&self) -> Sealed {
        Sealed { tail: self.tail, generation: self.generation, appended: self.appended }
    }

    fn has_room(&self, size: u64) -> bool {
        // Slack: padding at a seal, and a mark that slips in between.
        let end = (self.tail.at + size).next_multiple_of(B) + 2 * B;
        end - self.live_from / B * B <= self.ring.blocks * B
    }
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.lock();
        f.debug_struct("LogWriter")
            .field("ring", &state.ring)
            .field("tail", &state.tail)
            .field("durable", &state.durable)
            .finish()
    }
}

#[cfg(test)]
mod tests;
