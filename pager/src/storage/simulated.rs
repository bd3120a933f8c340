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
//! 7. A call that is made to fail ([`SimulatedStorage::fail_at`]) returns an error, and: `set_len`
//!    does nothing; a write leaves a prefix of itself, in whole sectors, pending (with
//!    [`FaultKind::Enospc`], nothing); `sync` makes an arbitrary part of what was pending durable
//!    and **forgets the rest**, which is still read but which no later sync will write: this is
//!    what operating systems do. Changes of length, being metadata, stay pending at worst.
//!
//! Everything random is drawn from seeds, so equal calls make equal histories and images.

use super::{Storage, check_durable, end_of};
use fastrand::Rng;
use parking_lot::RwLock;
use std::{io, ops::Range, sync::Arc};

/// One entry of a [`History`].
#[derive(Clone, Debug)]
pub enum Event {
    /// `write_at` or `write_direct`: pending from now on.
    Write {
        /// Where it begins.
        offset: u64,
        /// What it writes.
        data: Arc<[u8]>,
    },
    /// `write_durable`.
    WriteDurable {
        /// Where it begins.
        offset: u64,
        /// What it writes.
        data: Arc<[u8]>,
    },
    /// `set_len`, or a write past the end just before that write: pending from now on.
    SetLen(u64),
    /// A sync that succeeded.
    Sync,
    /// A sync that failed; the seed decides what it persisted nevertheless.
    FailedSync(u64),
    /// A mark left by [`SimulatedStorage::note`].
    Note(u64),
}

/// The error that an injected fault reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The device failed; [`io::ErrorKind::Other`].
    Eio,
    /// The disk is full; [`io::ErrorKind::StorageFull`].
    Enospc,
}

impl From<FaultKind> for io::Error {
    fn from(kind: FaultKind) -> Self {
        match kind {
            FaultKind::Eio => Self::other("injected I/O error"),
            FaultKind::Enospc => io::ErrorKind::StorageFull.into(),
        }
    }
}

/// A [`Storage`] that records everything; see the [module documentation](self).
pub struct SimulatedStorage {
    state: RwLock<State>,
}

struct State {
    start: Arc<[u8]>,
    /// What a reader sees.
    visible: Vec<u8>,
    events: Vec<Event>,
    calls: u64,
    faults: Vec<Fault>,
    limit: u64,
}

struct Fault {
    call: u64,
    kind: FaultKind,
    sticky: bool,
}

impl SimulatedStorage {
    /// An empty disk.
    pub fn new() -> Self {
        Self::from_image(Vec::new())
    }

    /// A disk with these bytes on it, all of them durable.
    pub fn from_image(image: Vec<u8>) -> Self {
        Self {
            state: RwLock::new(State {
                start: image.as_slice().into(),
                visible: image,
                events: Vec::new(),
                calls: 0,
                faults: Vec::new(),
                limit: u64::MAX,
            }),
        }
    }

    /// A copy of what a reader sees now.
    pub fn image(&self) -> Vec<u8> {
        self.state.read().visible.clone()
    }

    /// Everything that has happened so far.
    pub fn history(&self) -> History {
        let state = self.state.read();
        History { start: state.start.clone(), events: state.events.as_slice().into() }
    }

    /// Leaves a mark in the history, such as "commit `n` has been acknowledged", for
    /// [`CrashExplorer::notes`] to report at every later point.
    pub fn note(&self, n: u64) {
        self.state.write().events.push(Event::Note(n));
    }

    /// How many calls there were that change something (`set_len`, the writes and `sync`), failed
    /// ones included: the number that the next such call will have.
    pub fn calls(&self) -> u64 {
        self.state.read().calls
    }

    /// Makes the state-changing call number `call` fail, counted from 0, as [`calls`] does; if
    /// `sticky`, every later one as well.
    ///
    /// [`calls`]: Self::calls
    pub fn fail_at(&self, call: u64, kind: FaultKind, sticky: bool) {
        self.state.write().faults.push(Fault { call, kind, sticky });
    }

    /// Forgets every fault that was to be injected; the disk is well again.
    pub fn clear_faults(&self) {
        self.state.write().faults.clear();
    }

    /// Makes the disk full at `bytes`: growing beyond fails with [`io::ErrorKind::StorageFull`].
    pub fn set_limit(&self, bytes: u64) {
        self.state.write().limit = bytes;
    }

    fn write(&self, buf: &[u8], offset: u64, durable: bool) -> io::Result<()> {
        let state = &mut *self.state.write();
        if durable {
            check_durable(buf, offset, state.visible.len() as u64)?;
        }
        let end = end_of(buf, offset)?;
        let call = state.calls;
        match state.next_call() {
            Some(FaultKind::Eio) => {
                let kept = Rng::with_seed(call).usize(..=buf.len() / 512) * 512;
                if offset + kept as u64 <= state.limit {
                    state.write(&buf[..kept], offset, false);
                }
                Err(FaultKind::Eio.into())
            }
            Some(kind) => Err(kind.into()),
            None if end > state.limit && end > state.visible.len() as u64 => {
                Err(FaultKind::Enospc.into())
            }
            None => {
                state.write(buf, offset, durable);
                Ok(())
            }
        }
    }
}

impl State {
    /// Counts a state-changing call, and says whether it is to fail.
    fn next_call(&mut self) -> Option<FaultKind> {
        let call = self.calls;
        self.calls += 1;
        let due = |f: &&Fault| f.call == call || f.sticky && f.call < call;
        self.faults.iter().find(due).map(|f| f.kind)
    }

    fn set_len(&mut self, len: u64) {
        self.visible.resize(index(len), 0);
        self.events.push(Event::SetLen(len));
    }

    fn write(&mut self, buf: &[u8], offset: u64, durable: bool) {
        if buf.is_empty() {
            return;
        }
        let end = offset + buf.len() as u64;
        if end > self.visible.len() as u64 {
            self.set_len(end);
        }
        self.visible[index(offset)..index(end)].copy_from_slice(buf);
        let data = buf.into();
        self.events.push(match durable {
            false => Event::Write { offset, data },
            true => Event::WriteDurable { offset, data },
        });
    }
}

impl Default for SimulatedStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SimulatedStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.read();
        f.debug_struct("SimulatedStorage")
            .field("len", &state.visible.len())
            .field("events", &state.events.len())
            .field("calls", &state.calls)
            .finish_non_exhaustive()
    }
}

impl Storage for SimulatedStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.read().visible.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.write();
        if let Some(kind) = state.next_call() {
            return Err(kind.into());
        }
        if len > state.limit && len > state.visible.len() as u64 {
            return Err(FaultKind::Enospc.into());
        }
        if len != state.visible.len() as u64 {
            state.set_len(len);
        }
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        let end = end_of(buf, offset)?;
        let state = self.state.read();
        if end > state.visible.len() as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.copy_from_slice(&state.visible[index(offset)..index(end)]);
        Ok(())
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
        let mut state = self.state.write();
        let call = state.calls;
        match state.next_call() {
            Some(kind) => {
                state.events.push(Event::FailedSync(call));
                Err(kind.into())
            }
            None => {
                state.events.push(Event::Sync);
                Ok(())
            }
        }
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

/// What happened to a [`SimulatedStorage`], from the image it started with. Cheap to clone.
#[derive(Clone)]
pub struct History {
    start: Arc<[u8]>,
    events: Arc<[Event]>,
}

impl History {
    /// The events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Walks through the history, from its start.
    pub fn explore(&self, sector: SectorSize) -> CrashExplorer {
        CrashExplorer {
            history: self.clone(),
            sector: sector as u64,
            position: 0,
            durable: self.start.to_vec(),
            writes: Vec::new(),
            lengths: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The image left by a cut during the event number `event` (or after the last, if there is no
    /// such event), for a single look; to see many, [`explore`](Self::explore).
    pub fn crash_at(&self, event: usize, sector: SectorSize, plan: &Plan) -> Vec<u8> {
        let mut explorer = self.explore(sector);
        while explorer.position < event && explorer.advance() {}
        explorer.cut().image(plan)
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History({} events)", self.events.len())
    }
}

/// What the disk writes atomically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectorSize {
    /// The most pessimistic: every 512 bytes for themselves.
    B512 = 512,
    /// Drives with 4 KiB sectors, which never tear a block.
    B4096 = 4096,
}

/// A part of a pending write that no durable write has superseded.
#[derive(Clone)]
struct Piece {
    offset: u64,
    data: Arc<[u8]>,
    /// The bytes of `data` that it consists of; `offset` is where the first of *these* goes.
    part: Range<usize>,
}

impl Piece {
    fn new(offset: u64, data: Arc<[u8]>) -> Self {
        Self { offset, part: 0..data.len(), data }
    }

    fn end(&self) -> u64 {
        self.offset + self.part.len() as u64
    }

    fn clip(&self, range: Range<u64>) -> Option<Self> {
        let (start, end) = (range.start.max(self.offset), range.end.min(self.end()));
        let first = self.part.start + index(start.saturating_sub(self.offset));
        (start < end).then(|| Self {
            offset: start,
            data: self.data.clone(),
            part: first..first + index(end - start),
        })
    }

    /// What is left of it outside of `range`.
    fn without(&self, range: Range<u64>) -> impl Iterator<Item = Self> + use<> {
        [self.clip(0..range.start), self.clip(range.end..u64::MAX)].into_iter().flatten()
    }

    /// Puts the bytes that belong into `range` of the image there.
    fn lay_over(&self, image: &mut [u8], range: Range<u64>) {
        let (start, end) = (range.start.max(self.offset), range.end.min(self.end()));
        if start < end {
            let first = self.part.start + index(start - self.offset);
            image[index(start)..index(end)]
                .copy_from_slice(&self.data[first..first + index(end - start)]);
        }
    }
}

/// A cursor over a [`History`] that keeps the durable bytes and the pending changes.
///
/// ```ignore
/// let mut explorer = storage.history().explore(SectorSize::B512);
/// loop {
///     for (plan, length, image) in explorer.cut().images() {
///         // Recover from `image`; it must contain what `explorer.notes()` says.
///     }
///     if !explorer.advance() {
///         break;
///     }
/// }
/// ```
#[derive(Clone)]
pub struct CrashExplorer {
    history: History,
    sector: u64,
    position: usize,
    durable: Vec<u8>,
    writes: Vec<Piece>,
    /// The pending lengths, oldest first; the durable one is `durable.len()`.
    lengths: Vec<u64>,
    notes: Vec<u64>,
}

impl CrashExplorer {
    /// How many events lie behind: the number of the event in progress.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The event in progress, which a cut here strikes; `None` at the end.
    pub fn event(&self) -> Option<&Event> {
        self.history.events.get(self.position)
    }

    /// The marks passed so far, oldest first.
    pub fn notes(&self) -> &[u64] {
        &self.notes
    }

    /// Completes the event in progress; `false` if there is none left.
    pub fn advance(&mut self) -> bool {
        let Some(event) = self.event().cloned() else { return false };
        match event {
            Event::Write { offset, data } => self.writes.push(Piece::new(offset, data)),
            Event::WriteDurable { offset, data } => self.write_durable(offset, &data),
            Event::SetLen(len) => self.set_len(len),
            Event::Sync => self.sync(),
            Event::FailedSync(seed) => self.fail_sync(seed),
            Event::Note(n) => self.notes.push(n),
        }
        self.position += 1;
        true
    }

    /// The power fails now.
    pub fn cut(&self) -> PowerCut<'_> {
        let mut writes = self.writes.clone();
        if let Some(Event::WriteDurable { offset, data }) = self.event() {
            writes.push(Piece::new(*offset, data.clone()));
        }
        let mut touches: Vec<(u64, usize)> = Vec::new();
        for (i, write) in writes.iter().enumerate() {
            let sectors = write.offset / self.sector..write.end().div_ceil(self.sector);
            touches.extend(sectors.map(|sector| (sector, i)));
        }
        // Already in the order of the writes, so this leaves that order within each sector.
        touches.sort();
        PowerCut { explorer: self, writes, touches }
    }

    /// The length that a reader sees.
    fn len(&self) -> u64 {
        self.lengths.last().copied().unwrap_or(self.durable.len() as u64)
    }

    fn set_len(&mut self, len: u64) {
        let old = self.len();
        // Shrinking and growing again, with no sync in between, leaves zeros where there were
        // bytes: a write like any other, and as likely to be lost.
        let filled = self.writes.iter().map(Piece::end).fold(self.durable.len() as u64, u64::max);
        if old < len.min(filled) {
            self.writes.push(Piece::new(old, vec![0; index(len.min(filled) - old)].into()));
        }
        self.lengths.push(len);
    }

    fn write_durable(&mut self, offset: u64, data: &[u8]) {
        let range = offset..offset + data.len() as u64;
        self.writes = self.writes.iter().flat_map(|w| w.without(range.clone())).collect();
        self.lengths.retain(|&len| len >= range.end);
        if range.end > self.durable.len() as u64 {
            self.durable.resize(index(range.end), 0);
        }
        self.durable[index(range.start)..index(range.end)].copy_from_slice(data);
    }

    fn sync(&mut self) {
        let len = self.len();
        let filled = self.writes.iter().map(Piece::end).fold(self.durable.len() as u64, u64::max);
        self.durable.resize(index(filled), 0);
        for write in self.writes.drain(..) {
            write.lay_over(&mut self.durable, 0..u64::MAX);
        }
        self.durable.resize(index(len), 0);
        self.lengths.clear();
    }

    fn fail_sync(&mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let grown = self.lengths.is_empty() || rng.bool();
        let length = if grown { self.len() } else { self.durable.len() as u64 };
        self.durable = self.cut().image_with(length, &mut |sector| {
            if rng.bool() { sector.newest() } else { Survive::Old }
        });
        self.writes.clear();
        if grown {
            self.lengths.clear();
        }
    }
}

impl std::fmt::Debug for CrashExplorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrashExplorer")
            .field("position", &self.position)
            .field("pending", &self.writes.len())
            .field("notes", &self.notes.len())
            .finish_non_exhaustive()
    }
}

/// A sector that pending writes have touched, and whose fate is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Sector<'a> {
    number: u64,
    touches: &'a [(u64, usize)],
}

impl Sector<'_> {
    /// Its number on the disk, in sectors from the start.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The pending writes that touched it, oldest first; never empty.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + '_ {
        self.touches.iter().map(|&(_, write)| write)
    }

    /// The fate of having survived all pending writes.
    pub fn newest(&self) -> Survive {
        Survive::Version(self.touches.len() - 1)
    }

    /// What the newest of those writes left that `survived` picks, or else the old content.
    fn newest_of(&self, survived: impl Fn(usize) -> bool) -> Survive {
        let version = self.touches.iter().rposition(|&(_, write)| survived(write));
        version.map_or(Survive::Old, Survive::Version)
    }
}

/// The fate of one sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survive {
    /// It holds what was durable.
    Old,
    /// It holds what it did right after this one of [`Sector::writes`], counted from 0.
    Version(usize),
    /// It holds random bytes, drawn from this seed.
    Garbage(u64),
}

/// Which sectors of a torn write have survived, counted from its own first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// The first so many.
    First(u64),
    /// The last so many.
    Last(u64),
    /// The second, the fourth, ...
    Odd,
    /// The first, the third, ...
    Even,
    /// Each with even odds.
    Seeded(u64),
}

/// What survives a power cut. Writes are numbered as they are pending, oldest first, from 0.
///
/// The length is the newest, except where it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// All that is pending.
    All,
    /// Nothing that is pending, and the old length.
    None,
    /// All but this write.
    DropOne(usize),
    /// This write only.
    OnlyOne(usize),
    /// The first so many writes.
    Prefix(usize),
    /// The writes whose bit is set; those from 64 on are lost.
    Subset(u64),
    /// All writes before this one, none after it, and this one torn.
    TornAt {
        /// The torn write.
        write: usize,
        /// Its surviving sectors.
        kept: Torn,
    },
    /// Each sector, and the length, at random.
    Seeded(u64),
    /// Like `Seeded`, with garbage among what a sector may hold.
    Garbage(u64),
}

/// So many pending writes are explored exhaustively.
const EXHAUSTIVE: usize = 10;
/// So many random samples are taken.
const SAMPLES: u64 = 32;

/// The plans worth trying with so many writes pending.
///
/// Up to ten, that is every subset and every way to tear each of them; beyond, everything,
/// nothing, all but one, only one, each prefix, and the newest torn. Random samples in any case,
/// unless nothing is pending. Garbage is never among them.
pub fn plans(pending: usize) -> Box<dyn Iterator<Item = Plan> + Send> {
    const KEPT: [Torn; 5] =
        [Torn::First(1), Torn::Last(1), Torn::Odd, Torn::Even, Torn::Seeded(0x5eed)];
    let torn = |writes: Range<usize>| {
        writes.flat_map(|write| KEPT.map(|kept| Plan::TornAt { write, kept }))
    };
    let seeded = (0..SAMPLES).map(Plan::Seeded);
    if pending == 0 {
        // Only the length is left to differ.
        Box::new([Plan::None, Plan::All].into_iter())
    } else if pending <= EXHAUSTIVE {
        let subsets = (0..1 << pending).map(Plan::Subset);
        Box::new(subsets.chain(torn(0..pending)).chain(seeded))
    } else {
        Box::new(
            [Plan::All, Plan::None]
                .into_iter()
                .chain((0..pending).map(Plan::DropOne))
                .chain((0..pending).map(Plan::OnlyOne))
                .chain((1..pending).map(Plan::Prefix))
                .chain(torn(pending - 1..pending))
                .chain(seeded),
        )
    }
}

/// One moment at which the power fails, and all that it can leave behind.
pub struct PowerCut<'a> {
    explorer: &'a CrashExplorer,
    writes: Vec<Piece>,
    /// Each sector touched with each write that did, by sector, then by age of the write.
    touches: Vec<(u64, usize)>,
}

impl PowerCut<'_> {
    /// How many writes are pending. A write that a later durable one cut in two counts as two.
    pub fn pending(&self) -> usize {
        self.writes.len()
    }

    /// The lengths that the disk may have afterwards, without repetition, the newest last.
    pub fn lengths(&self) -> Vec<u64> {
        let mut lengths = vec![self.explorer.durable.len() as u64];
        for &len in &self.explorer.lengths {
            lengths.retain(|&known| known != len);
            lengths.push(len);
        }
        lengths
    }

    /// The [`plans`] for what is pending here.
    pub fn plans(&self) -> Box<dyn Iterator<Item = Plan> + Send> {
        plans(self.pending())
    }

    /// Every plan with every length, and the image that they make.
    pub fn images(&self) -> impl Iterator<Item = (Plan, u64, Vec<u8>)> + '_ {
        let lengths = self.lengths();
        self.plans().flat_map(move |plan| {
            let lengths = lengths.clone();
            lengths.into_iter().map(move |len| (plan, len, self.image_of_length(&plan, len)))
        })
    }

    /// The image that a plan makes, with the length that it implies.
    pub fn image(&self, plan: &Plan) -> Vec<u8> {
        let lengths = self.lengths();
        let length = match *plan {
            Plan::None => self.explorer.durable.len() as u64,
            // Not the generator of the sectors, which is not to depend on the lengths.
            Plan::Seeded(seed) | Plan::Garbage(seed) => {
                lengths[Rng::with_seed(!seed).usize(..lengths.len())]
            }
            _ => self.explorer.len(),
        };
        self.image_of_length(plan, length)
    }

    /// The image that a plan makes, with one of the [`lengths`](Self::lengths).
    pub fn image_of_length(&self, plan: &Plan, length: u64) -> Vec<u8> {
        let mut rng = Rng::new();
        let garbage = matches!(plan, Plan::Garbage(_));
        if let Plan::Seeded(seed)
        | Plan::Garbage(seed)
        | Plan::TornAt { kept: Torn::Seeded(seed), .. } = *plan
        {
            rng.seed(seed);
        }
        self.image_with(length, &mut |sector| match *plan {
            Plan::All => sector.newest(),
            Plan::None => Survive::Old,
            Plan::DropOne(lost) => sector.newest_of(|write| write != lost),
            Plan::OnlyOne(kept) => sector.newest_of(|write| write == kept),
            Plan::Prefix(count) => sector.newest_of(|write| write < count),
            Plan::Subset(bits) => sector.newest_of(|write| write < 64 && bits >> write & 1 == 1),
            Plan::TornAt { write: torn, kept } => {
                // Drawn for every sector, so that the pattern depends on nothing else.
                let coin = rng.bool();
                let kept = self.writes.get(torn).is_some_and(|w| self.keeps(w, kept, sector, coin));
                sector.newest_of(|write| write < torn || write == torn && kept)
            }
            Plan::Seeded(_) | Plan::Garbage(_) => {
                let versions = sector.touches.len();
                match rng.usize(..=versions + usize::from(garbage)) {
                    0 => Survive::Old,
                    n if n <= versions => Survive::Version(n - 1),
                    _ => Survive::Garbage(rng.u64(..)),
                }
            }
        })
    }

    /// The image of this length, after deciding the fate of each sector touched, in order.
    ///
    /// # Panics
    ///
    /// If `choice` answers with a version that the sector never had.
    pub fn image_with(
        &self,
        length: u64,
        choice: &mut dyn FnMut(Sector<'_>) -> Survive,
    ) -> Vec<u8> {
        let durable = &self.explorer.durable;
        // Long enough for all that is pending; the surplus is cut off again at the end.
        let filled = self.writes.iter().map(Piece::end).fold(durable.len() as u64, u64::max);
        let mut image = Vec::with_capacity(index(filled.max(length)));
        image.extend_from_slice(durable);
        image.resize(index(filled), 0);
        for touches in self.touches.chunk_by(|a, b| a.0 == b.0) {
            let number = touches[0].0;
            let start = number * self.explorer.sector;
            let range = start..(start + self.explorer.sector).min(filled);
            match choice(Sector { number, touches }) {
                Survive::Old => {}
                Survive::Version(version) => {
                    for &(_, write) in &touches[..=version] {
                        self.writes[write].lay_over(&mut image, range.clone());
                    }
                }
                Survive::Garbage(seed) => {
                    Rng::with_seed(seed).fill(&mut image[index(range.start)..index(range.end)]);
                }
            }
        }
        image.resize(index(length), 0);
        image
    }

    /// Whether a torn write keeps a sector; if it has not touched that one, no matter.
    fn keeps(&self, write: &Piece, kept: Torn, sector: Sector<'_>, coin: bool) -> bool {
        let size = self.explorer.sector;
        let first = write.offset / size;
        let count = write.end().div_ceil(size) - first;
        let nth = sector.number.wrapping_sub(first);
        match kept {
            Torn::First(k) => nth < k,
            Torn::Last(k) => nth >= count.saturating_sub(k),
            Torn::Odd => nth % 2 == 1,
            Torn::Even => nth.is_multiple_of(2),
            Torn::Seeded(_) => coin,
        }
    }
}

impl std::fmt::Debug for PowerCut<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PowerCut")
            .field("position", &self.explorer.position)
            .field("pending", &self.writes.len())
            .field("lengths", &self.lengths())
            .finish_non_exhaustive()
    }
}

/// An offset as an index: images live in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated disk fits into memory")
}

#[cfg(test)]
mod tests {
    use super::{Plan::*, SectorSize::*, *};
    use std::collections::HashSet;

    /// A disk of so many blocks, all zero and durable.
    fn disk(blocks: usize) -> SimulatedStorage {
        SimulatedStorage::from_image(vec![0; blocks * 4096])
    }

    fn at_end(storage: &SimulatedStorage) -> CrashExplorer {
        let mut explorer = storage.history().explore(B512);
        while explorer.advance() {}
        explorer
    }

    /// The first byte of each sector.
    fn sectors(image: &[u8]) -> Vec<u8> {
        image.iter().step_by(512).copied().collect()
    }

    #[test]
    fn what_is_synced_survives_and_what_is_not_may_not() {
        let storage = disk(2);
        storage.write_at(&[1; 4096], 0).unwrap();
        storage.sync().unwrap();
        storage.write_direct(&[2; 4096], 4096).unwrap();
        let explorer = at_end(&storage);
        let cut = explorer.cut();
        assert_eq!(cut.pending(), 1);
        assert_eq!(sectors(&cut.image(&None)), [[1; 8], [0; 8]].concat());
        assert_eq!(cut.image(&All), storage.image());
        let torn = |kept| sectors(&cut.image(&TornAt { write: 0, kept }))[8..].to_vec();
        assert_eq!(torn(Torn::First(3)), [2, 2, 2, 0, 0, 0, 0, 0]);
        assert_eq!(torn(Torn::Last(2)), [0, 0, 0, 0, 0, 0, 2, 2]);
        assert_eq!(torn(Torn::Odd), [0, 2, 0, 2, 0, 2, 0, 2]);
        assert_eq!(torn(Torn::Even), [2, 0, 2, 0, 2, 0, 2, 0]);
        let seeded = torn(Torn::Seeded(1));
        assert!(seeded.contains(&0) && seeded.contains(&2));
    }

    #[test]
    fn a_cut_during_a_sync_is_a_cut_before_it() {
        let storage = disk(1);
        storage.write_at(&[1; 4096], 0).unwrap();
        storage.sync().unwrap();
        let history = storage.history();
        assert_eq!(history.crash_at(1, B512, &None), vec![0; 4096]);
        assert_eq!(history.crash_at(2, B512, &None), vec![1; 4096]);
        assert_eq!(history.crash_at(99, B512, &None), vec![1; 4096]);
    }

    #[test]
    fn a_durable_write_may_be_torn_only_while_it_runs() {
        let storage = disk(1);
        storage.write_durable(&[3; 4096], 0).unwrap();
        let mut explorer = storage.history().explore(B512);
        let torn = TornAt { write: 0, kept: Torn::First(1) };
        assert_eq!(sectors(&explorer.cut().image(&torn)), [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(explorer.cut().image(&None), vec![0; 4096]);
        explorer.advance();
        assert_eq!(explorer.cut().pending(), 0);
        for (_, _, image) in explorer.cut().images() {
            assert_eq!(image, vec![3; 4096]);
        }
    }

    #[test]
    fn a_durable_write_supersedes_its_range_and_no_more() {
        let storage = disk(4);
        storage.write_at(&[1; 3 * 4096], 0).unwrap();
        storage.write_at(&[2; 4096], 3 * 4096).unwrap();
        storage.write_durable(&[9; 4096], 4096).unwrap();
        let explorer = at_end(&storage);
        let cut = explorer.cut();
        // Two ends of the first write, and the second.
        assert_eq!(cut.pending(), 3);
        let blocks = |plan| cut.image(&plan).into_iter().step_by(4096).collect::<Vec<_>>();
        assert_eq!(blocks(None), [0, 9, 0, 0]);
        assert_eq!(blocks(All), [1, 9, 1, 2]);
        assert_eq!(blocks(DropOne(1)), [1, 9, 0, 2]);
        assert_eq!(blocks(OnlyOne(2)), [0, 9, 0, 2]);
        assert_eq!(blocks(Prefix(1)), [1, 9, 0, 0]);
        assert_eq!(blocks(Subset(0b101)), [1, 9, 0, 2]);
    }

    #[test]
    fn a_sector_may_hold_any_of_its_versions() {
        let storage = disk(1);
        for version in 1..=3 {
            storage.write_at(&[version; 512], 0).unwrap();
        }
        let explorer = at_end(&storage);
        let seen: HashSet<u8> =
            explorer.cut().plans().map(|p| explorer.cut().image(&p)[0]).collect();
        assert_eq!(seen, HashSet::from([0, 1, 2, 3]));
        let old = explorer.cut().image_with(4096, &mut |sector| {
            assert_eq!(sector.writes().collect::<Vec<_>>(), [0, 1, 2]);
            Survive::Version(1)
        });
        assert_eq!(old[0], 2);
    }

    #[test]
    fn partly_written_sectors_carry_their_earlier_bytes() {
        let storage = disk(1);
        storage.write_at(&[1; 10], 0).unwrap();
        storage.write_at(&[2; 10], 20).unwrap();
        let explorer = at_end(&storage);
        let image = explorer.cut().image(&OnlyOne(1));
        assert_eq!((image[0], image[10], image[20], image[30]), (1, 0, 2, 0));
    }

    #[test]
    fn sectors_of_a_block_never_tear() {
        let storage = disk(3);
        storage.write_at(&[1; 3 * 4096], 0).unwrap();
        let mut explorer = storage.history().explore(B4096);
        explorer.advance();
        for (_, _, image) in explorer.cut().images() {
            assert!(image.chunks(4096).all(|block| block.iter().all(|b| *b == block[0])));
        }
    }

    #[test]
    fn the_length_goes_its_own_way() {
        let storage = disk(1);
        storage.set_len(2 * 4096).unwrap();
        storage.write_at(&[5; 4096], 4096).unwrap();
        storage.set_len(3 * 4096).unwrap();
        let explorer = at_end(&storage);
        let cut = explorer.cut();
        assert_eq!(cut.lengths(), [4096, 8192, 12288]);
        assert_eq!(cut.image_of_length(&All, 4096), vec![0; 4096]);
        assert_eq!(cut.image_of_length(&None, 12288), vec![0; 12288]);
        assert_eq!(cut.image_of_length(&All, 8192)[4096..], [5; 4096]);
        assert_eq!(cut.image(&All), storage.image());
        assert_eq!(cut.images().count(), 3 * cut.plans().count());
    }

    #[test]
    fn cut_off_bytes_do_not_return_after_a_sync() {
        let storage = SimulatedStorage::from_image(vec![7; 4096]);
        storage.set_len(1000).unwrap();
        storage.set_len(4096).unwrap();
        assert_eq!(at_end(&storage).cut().image(&All), storage.image());
        storage.sync().unwrap();
        assert_eq!(at_end(&storage).cut().image(&None), storage.image());
    }

    #[test]
    fn a_durable_write_brings_its_length_along() {
        let storage = disk(0);
        storage.set_len(3 * 4096).unwrap();
        storage.write_durable(&[4; 4096], 4096).unwrap();
        let explorer = at_end(&storage);
        assert_eq!(explorer.cut().lengths(), [8192, 12288]);
        assert_eq!(explorer.cut().image(&None)[4096..], [4; 4096]);
    }

    #[test]
    fn every_walk_ends_at_what_the_reader_saw() {
        let mut rng = Rng::with_seed(7);
        for _ in 0..50 {
            let storage = disk(2);
            for _ in 0..40 {
                let len = storage.len().unwrap();
                let data = vec![rng.u8(..); rng.usize(..3000)];
                match rng.u8(..10) {
                    0 => storage.set_len(rng.u64(..20000)),
                    1 => storage.sync(),
                    2 | 3 if len >= 4096 => {
                        storage.write_durable(&[rng.u8(..); 4096], rng.u64(..len / 4096) * 4096)
                    }
                    _ => storage.write_at(&data, rng.u64(..=len)),
                }
                .unwrap();
            }
            assert!(at_end(&storage).cut().image(&All) == storage.image());
            storage.sync().unwrap();
            assert!(at_end(&storage).cut().image(&None) == storage.image());
        }
    }

    #[test]
    fn notes_tell_what_was_acknowledged() {
        let storage = disk(1);
        storage.note(1);
        storage.sync().unwrap();
        storage.note(2);
        let mut explorer = storage.history().explore(B512);
        let mut seen = vec![explorer.notes().to_vec()];
        while explorer.advance() {
            seen.push(explorer.notes().to_vec());
        }
        assert_eq!(seen, [vec![], vec![1], vec![1], vec![1, 2]]);
    }

    #[test]
    fn few_pending_writes_are_explored_exhaustively() {
        let subsets = |n| plans(n).filter(|p| matches!(p, Subset(_))).count();
        assert_eq!((subsets(1), subsets(10), subsets(11)), (2, 1024, 0));
        assert!(plans(100).count() < 400);
        assert_eq!(plans(0).count(), 2);
    }

    #[test]
    fn equal_seeds_make_equal_images() {
        let storage = disk(4);
        storage.write_at(&[1; 4 * 4096], 0).unwrap();
        let explorer = at_end(&storage);
        let image = |plan| explorer.cut().image(&plan);
        assert_eq!(image(Seeded(3)), image(Seeded(3)));
        assert_ne!(image(Seeded(3)), image(Seeded(4)));
        assert_eq!(image(Garbage(3)), image(Garbage(3)));
        assert!(image(Garbage(3)).iter().any(|&b| b > 1));
    }

    #[test]
    fn faults_strike_the_call_they_were_meant_for() {
        let storage = disk(1);
        storage.fail_at(1, FaultKind::Enospc, false);
        storage.fail_at(3, FaultKind::Eio, true);
        storage.write_at(&[1], 0).unwrap();
        let full = storage.write_at(&[2; 512], 0).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(storage.image()[0], 1);
        storage.sync().unwrap();
        for _ in 0..2 {
            assert_eq!(storage.sync().unwrap_err().kind(), io::ErrorKind::Other);
        }
        assert_eq!(storage.calls(), 5);
        storage.clear_faults();
        storage.set_limit(4096);
        storage.set_len(100).unwrap();
        assert_eq!(storage.set_len(4097).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(storage.len().unwrap(), 100);
    }

    #[test]
    fn a_failed_sync_forgets_what_it_did_not_write() {
        let storage = disk(8);
        storage.write_at(&[1; 8 * 4096], 0).unwrap();
        storage.fail_at(1, FaultKind::Eio, false);
        storage.sync().unwrap_err();
        // The reader still sees it, and the next sync succeeds, but it is lost.
        storage.sync().unwrap();
        assert_eq!(storage.image(), vec![1; 8 * 4096]);
        let explorer = at_end(&storage);
        assert_eq!(explorer.cut().pending(), 0);
        let left = sectors(&explorer.cut().image(&All));
        assert!(left.contains(&0) && left.contains(&1));
    }

    #[test]
    fn a_failed_write_leaves_a_pending_prefix() {
        let lengths: HashSet<usize> = (0..40)
            .map(|call| {
                let storage = disk(2);
                for _ in 0..call {
                    storage.sync().unwrap();
                }
                storage.fail_at(call, FaultKind::Eio, false);
                storage.write_durable(&[1; 8192], 0).unwrap_err();
                assert_eq!(at_end(&storage).cut().image(&None), vec![0; 8192]);
                let image = storage.image();
                let kept = image.iter().take_while(|b| **b == 1).count();
                assert!(kept % 512 == 0 && image[kept..].iter().all(|b| *b == 0));
                kept
            })
            .collect();
        assert!(lengths.len() > 5);
    }
}
