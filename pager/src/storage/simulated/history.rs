//! What happened to a disk, and a walk through it that knows what is durable at each point.

use std::{ops::Range, sync::Arc};

use fastrand::Rng;

use super::{
    cut::{Plan, PowerCut, Survive},
    image::Image,
    index,
};

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
    /// A mark left by [`SimulatedStorage::note`](super::SimulatedStorage::note).
    Note(u64),
}

/// What happened to a [`SimulatedStorage`](super::SimulatedStorage), from the image it started with.
/// Cheap to clone.
#[derive(Clone)]
pub struct History {
    start: Image,
    events: Arc<[Event]>,
    weak_growth: bool,
}

impl History {
    pub(super) fn new(start: Image, events: Arc<[Event]>, weak_growth: bool) -> History {
        History { start, events, weak_growth }
    }

    /// The image it began with.
    pub fn start(&self) -> &Image {
        &self.start
    }

    /// The events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What a reader sees at its end.
    pub fn end(&self) -> Image {
        let mut image = self.start.clone();
        for event in self.events.iter() {
            match event {
                Event::Write { offset, data } | Event::WriteDurable { offset, data } => {
                    image.write(data, *offset);
                }
                Event::SetLen(length) => image.set_len(*length),
                Event::Sync | Event::FailedSync(_) | Event::Note(_) => {}
            }
        }
        image
    }

    /// Walks through the history, from its start.
    pub fn explore(&self, sector: SectorSize) -> CrashExplorer {
        CrashExplorer {
            history: self.clone(),
            sector: sector as u64,
            position: 0,
            durable: self.start.clone(),
            length: self.start.len(),
            named: !self.start.is_empty(),
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
    /// More pessimistic than any drive: every 8 bytes for themselves. For engines that say they need no
    /// more than whole bytes.
    B8 = 8,
    /// The most pessimistic of drives: every 512 bytes for themselves.
    B512 = 512,
    /// Drives with 4 KiB sectors, which never tear a block.
    B4096 = 4096,
}

/// A part of a pending write that no durable write has superseded.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) offset: u64,
    data: Arc<[u8]>,
    /// The bytes of `data` that it consists of; `offset` is where the first of *these* goes.
    part: Range<usize>,
    /// The number of the event that wrote it.
    pub(super) event: usize,
}

impl Piece {
    pub(super) fn new(offset: u64, data: Arc<[u8]>, event: usize) -> Self {
        Self { offset, part: 0..data.len(), data, event }
    }

    pub(super) fn end(&self) -> u64 {
        self.offset + self.part.len() as u64
    }

    fn clip(&self, range: Range<u64>) -> Option<Self> {
        let (start, end) = (range.start.max(self.offset), range.end.min(self.end()));
        let first = self.part.start + index(start.saturating_sub(self.offset));
        (start < end).then(|| Self {
            offset: start,
            data: self.data.clone(),
            part: first..first + index(end - start),
            event: self.event,
        })
    }

    /// What is left of it outside of `range`.
    fn without(&self, range: Range<u64>) -> impl Iterator<Item = Self> + use<> {
        [self.clip(0..range.start), self.clip(range.end..u64::MAX)].into_iter().flatten()
    }

    /// Puts the bytes that belong into `range` of the image there.
    pub(super) fn lay_over(&self, image: &mut Image, range: Range<u64>) {
        self.lay_over_at(image, range, 0);
    }

    /// The same for an image that begins at `base` of the disk.
    pub(super) fn lay_over_at(&self, image: &mut Image, range: Range<u64>, base: u64) {
        let (start, end) = (range.start.max(self.offset), range.end.min(self.end()));
        if start < end {
            let first = self.part.start + index(start - self.offset);
            image.write(&self.data[first..first + index(end - start)], start - base);
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
    pub(super) history: History,
    pub(super) sector: u64,
    position: usize,
    /// At least as long as `length`.
    pub(super) durable: Image,
    /// The durable length.
    pub(super) length: u64,
    /// The file's name is durable.
    pub(super) named: bool,
    pub(super) writes: Vec<Piece>,
    /// The pending lengths, oldest first, and whether a sync has passed over them in vain.
    pub(super) lengths: Vec<(u64, bool)>,
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
            Event::Write { offset, data } => {
                self.writes.push(Piece::new(offset, data, self.position));
            }
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
        PowerCut::new(self)
    }

    /// The length that a reader sees.
    pub(super) fn len(&self) -> u64 {
        self.lengths.last().map_or(self.length, |&(length, _)| length)
    }

    /// The end of all that is durable or pending.
    pub(super) fn filled(&self) -> u64 {
        self.writes.iter().map(Piece::end).fold(self.length, u64::max)
    }

    fn set_len(&mut self, len: u64) {
        let old = self.len();
        // Shrinking and growing again, with no sync in between, leaves zeros where there were
        // bytes: a write like any other, and as likely to be lost.
        let filled = self.filled();
        if old < len.min(filled) {
            let zeros = vec![0; index(len.min(filled) - old)].into();
            self.writes.push(Piece::new(old, zeros, self.position));
        }
        self.lengths.push((len, false));
    }

    fn write_durable(&mut self, offset: u64, data: &[u8]) {
        let range = offset..offset + data.len() as u64;
        self.writes = self.writes.iter().flat_map(|w| w.without(range.clone())).collect();
        if !self.history.weak_growth {
            self.lengths.retain(|&(length, _)| length >= range.end);
            self.length = self.length.max(range.end);
        }
        self.durable.write(data, offset);
    }

    fn sync(&mut self) {
        let length = self.len();
        for write in self.writes.drain(..) {
            write.lay_over(&mut self.durable, 0..u64::MAX);
        }
        self.named = true;
        if self.history.weak_growth {
            if let Some(late) = self.lengths.iter().rposition(|&(_, late)| late) {
                self.length = self.lengths[late].0;
                self.lengths.drain(..=late);
            }
            self.lengths.iter_mut().for_each(|(_, late)| *late = true);
        } else {
            self.length = length;
            self.lengths.clear();
        }
        if self.lengths.is_empty() {
            self.durable.set_len(self.length);
        }
    }

    fn fail_sync(&mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let grown = self.lengths.is_empty() || rng.bool();
        let length = if grown { self.len() } else { self.length };
        self.durable = self.cut().image_with(length, &mut |sector| {
            if rng.bool() { sector.newest() } else { Survive::Old }
        });
        self.length = length;
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
