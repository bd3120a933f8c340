//! One moment at which the power fails, and what it can leave behind.

use std::{ops::Range, sync::Arc};

use fastrand::Rng;

use super::{
    history::{CrashExplorer, Event, Piece},
    image::{Block, Image},
    index,
};
use crate::storage::BLOCK;

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
    /// It holds zeros.
    Zero,
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

impl<'a> PowerCut<'a> {
    pub(super) fn new(explorer: &'a CrashExplorer) -> Self {
        let mut writes = explorer.writes.clone();
        if let Some(Event::WriteDurable { offset, data }) = explorer.event() {
            writes.push(Piece::new(*offset, data.clone(), explorer.position()));
        }
        let mut touches: Vec<(u64, usize)> = Vec::new();
        for (i, write) in writes.iter().enumerate() {
            let sectors = write.offset / explorer.sector..write.end().div_ceil(explorer.sector);
            touches.extend(sectors.map(|sector| (sector, i)));
        }
        // Already in the order of the writes, so this leaves that order within each sector.
        touches.sort();
        PowerCut { explorer, writes, touches }
    }

    /// How many writes are pending. A write that a later durable one cut in two counts as two.
    pub fn pending(&self) -> usize {
        self.writes.len()
    }

    /// The range of the disk that a pending write covers, and the number of the event that made it.
    ///
    /// # Panics
    ///
    /// If there is no such write.
    pub fn write(&self, number: usize) -> (Range<u64>, usize) {
        let write = &self.writes[number];
        (write.offset..write.end(), write.event)
    }

    /// The pending writes that touch a block, oldest first.
    pub fn writes_to(&self, block: usize) -> impl Iterator<Item = usize> + '_ {
        let start = (block * BLOCK) as u64;
        let range = start..start + BLOCK as u64;
        let touches = move |w: &Piece| w.offset < range.end && w.end() > range.start;
        self.writes.iter().enumerate().filter(move |(_, w)| touches(w)).map(|(i, _)| i)
    }

    /// What is durable, with this length.
    pub fn durable(&self, length: u64) -> Image {
        let mut image = self.explorer.durable.clone();
        image.set_len(length);
        image
    }

    /// What a block holds if of the pending writes exactly those survive that `survives` names; none
    /// past the `length`.
    pub fn block(
        &self,
        block: usize,
        length: u64,
        survives: impl Fn(usize) -> bool,
    ) -> Option<Arc<Block>> {
        let start = (block * BLOCK) as u64;
        if start >= length {
            return None;
        }
        let durable = self.explorer.durable.block(block);
        let writes: Vec<usize> = self.writes_to(block).collect();
        let end = (start + BLOCK as u64).min(length);
        if end - start == BLOCK as u64 && !writes.iter().any(|&w| survives(w)) {
            return Some(durable.cloned().unwrap_or_else(Block::zero));
        }
        let mut single = Image::new();
        single.set_len(BLOCK as u64);
        if let Some(durable) = durable {
            single.set_block(0, durable.clone());
        }
        let sector = self.explorer.sector;
        for first in (start..end).step_by(index(sector)) {
            let range = first..first + sector;
            let touches = |&w: &usize| {
                self.writes[w].offset < range.end && self.writes[w].end() > range.start
            };
            let newest = writes.iter().copied().filter(touches).rfind(|&w| survives(w));
            for &write in writes.iter().take_while(|&&write| newest.is_some_and(|n| write <= n)) {
                self.writes[write].lay_over_at(&mut single, range.clone(), start);
            }
        }
        single.set_len(end - start);
        single.block(0).cloned()
    }

    /// The lengths that the disk may have afterwards, without repetition, the newest last.
    pub fn lengths(&self) -> Vec<u64> {
        let mut lengths = vec![self.explorer.length];
        if !self.explorer.named {
            lengths.push(0);
        }
        for &(length, _) in &self.explorer.lengths {
            lengths.push(length);
        }
        let last = self.explorer.len();
        lengths.retain(|&length| length != last);
        lengths.sort_unstable();
        lengths.dedup();
        lengths.push(last);
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
        self.disk(plan, self.implied_length(plan)).to_vec()
    }

    /// The length that a plan implies.
    pub fn implied_length(&self, plan: &Plan) -> u64 {
        match *plan {
            Plan::None => self.explorer.length,
            // Not the generator of the sectors, which is not to depend on the lengths.
            Plan::Seeded(seed) | Plan::Garbage(seed) => {
                let lengths = self.lengths();
                lengths[Rng::with_seed(!seed).usize(..lengths.len())]
            }
            _ => self.explorer.len(),
        }
    }

    /// The image that a plan makes, with one of the [`lengths`](Self::lengths).
    pub fn image_of_length(&self, plan: &Plan, length: u64) -> Vec<u8> {
        self.disk(plan, length).to_vec()
    }

    /// The same, sharing its blocks with what is durable.
    pub fn disk(&self, plan: &Plan, length: u64) -> Image {
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
    pub fn image_with(&self, length: u64, choice: &mut dyn FnMut(Sector<'_>) -> Survive) -> Image {
        // Long enough for all that is pending; the surplus is cut off again at the end.
        let filled = self.writes.iter().map(Piece::end).fold(self.explorer.durable.len(), u64::max);
        let mut image = self.explorer.durable.clone();
        image.set_len(filled);
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
                Survive::Zero => {
                    image.write(&vec![0; index(range.end - range.start)], range.start);
                }
                Survive::Garbage(seed) => {
                    let mut garbage = vec![0; index(range.end - range.start)];
                    Rng::with_seed(seed).fill(&mut garbage);
                    image.write(&garbage, range.start);
                }
            }
        }
        image.set_len(length);
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
            .field("position", &self.explorer.position())
            .field("pending", &self.writes.len())
            .field("lengths", &self.lengths())
            .finish_non_exhaustive()
    }
}
