//! Tasks: pages to be read, and what their parents say of them.
//!
//! What the children of one node have in common stands once ([`Family`]); keys stand in one heap for
//! each [`Piece`], so that a task takes few bytes and no allocation of its own.

use std::collections::BTreeMap;

use cowslip::kinds::{META, TABLE};
use cowslip_pager::prefetch;

use crate::check::{arriving::Arriving, trees::LEVELS_MAX};

/// Runs grow no longer, so that there is something for every thread.
const RUN_PAGES: u32 = 64;

/// Kind and level in one number, which grows on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

impl Place {
    const LEVELS: usize = LEVELS_MAX as usize + 1;
    pub(super) const COUNT: usize = TABLE as usize * Place::LEVELS;

    /// `None`: there are no such nodes.
    pub(super) fn of(kind: u8, level: u8) -> Option<Place> {
        let known = (META..=TABLE).contains(&kind) && level <= LEVELS_MAX;
        known.then(|| Place(usize::from(kind) * Place::LEVELS - 1 - usize::from(level)))
    }

    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// What a parent says about what is in and below its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    Unknown,
    /// Entries and pages, in the task.
    Cell,
    /// Pages, in the record of a table.
    Pages(u64),
}

/// What the tasks of one parent have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// `None`: any.
    pub(super) tree: Option<u64>,
    /// The branch's promise; above every stamp: there is none.
    pub(super) shared_at: u64,
    pub(super) kind: u8,
    pub(super) level: u8,
    /// Roots of trees.
    pub(super) root: bool,
    pub(super) expected: Sums,
    /// Their pages were read for others, who knew something else of them.
    pub(super) second: bool,
}

impl Family {
    /// The root of a tree of which nothing is known yet.
    pub(super) fn of_root(kind: u8, level: u8) -> Family {
        Family {
            tree: None,
            shared_at: u64::MAX,
            kind,
            level,
            root: true,
            expected: Sums::Unknown,
            second: false,
        }
    }
}

/// A key in a piece's heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyAt {
    at: u32,
    length: u16,
}

impl KeyAt {
    pub(super) const NONE: KeyAt = KeyAt { at: 0, length: u16::MAX };
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) page: u32,
    pub(super) family: u32,
    pub(super) stamp: u64,
    pub(super) entries: u64,
    pub(super) pages: u32,
    pub(super) low: KeyAt,
    pub(super) high: KeyAt,
}

/// Tasks with their keys.
#[derive(Debug, Default)]
pub(super) struct Piece {
    families: Vec<Family>,
    tasks: Vec<Task>,
    keys: Vec<u8>,
}

impl Piece {
    pub(super) fn family(&mut self, family: Family) -> u32 {
        self.families.push(family);
        self.families.len() as u32 - 1
    }

    pub(super) fn push(&mut self, task: Task) {
        self.tasks.push(task);
    }

    /// `None`: the heap is full.
    pub(super) fn keep(&mut self, key: Option<&[u8]>) -> Option<KeyAt> {
        let Some(key) = key else { return Some(KeyAt::NONE) };
        let at = u32::try_from(self.keys.len()).ok()?;
        let length = u16::try_from(key.len()).ok().filter(|&length| length < u16::MAX)?;
        self.keys.extend_from_slice(key);
        Some(KeyAt { at, length })
    }

    pub(super) fn key(&self, key: KeyAt) -> Option<&[u8]> {
        let at = key.at as usize;
        (key != KeyAt::NONE).then(|| &self.keys[at..at + usize::from(key.length)])
    }

    pub(super) fn family_of(&self, task: &Task) -> &Family {
        &self.families[task.family as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.families.len() * size_of::<Family>()
            + self.tasks.len() * (size_of::<Task>() + size_of::<At>())
            + self.keys.len()
    }
}

/// Where a task is, in the order of pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) page: u32,
    piece: u32,
    task: u32,
}

/// The tasks of a place, sorted.
pub(super) struct Batch {
    pieces: Vec<Piece>,
    pub(super) order: Vec<At>,
}

impl Batch {
    pub(super) fn new(pieces: Vec<Piece>) -> Batch {
        let mut order = Vec::with_capacity(pieces.iter().map(|piece| piece.tasks.len()).sum());
        for (number, piece) in pieces.iter().enumerate() {
            order.extend(piece.tasks.iter().enumerate().map(|(task, at)| At {
                page: at.page,
                piece: number as u32,
                task: task as u32,
            }));
        }
        // Mostly runs that ascend already: this sort finds them.
        order.sort_by_key(|at| at.page);
        Batch { pieces, order }
    }

    pub(super) fn get(&self, at: At) -> (&Piece, &Task) {
        let piece = &self.pieces[at.piece as usize];
        (piece, &piece.tasks[at.task as usize])
    }

    /// The task will be looked at soon.
    pub(super) fn expect(&self, at: At) {
        let (_, task) = self.get(at);
        prefetch(task);
        prefetch(&task.high);
    }

    /// The task is there by now, and what it refers to will be looked at soon.
    pub(super) fn expect_keys(&self, at: At) {
        let (piece, task) = self.get(at);
        prefetch(piece.family_of(task));
        [task.low, task.high]
            .into_iter()
            .filter_map(|key| piece.key(key)?.first())
            .for_each(prefetch);
    }

    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(Piece::bytes).sum()
    }
}

/// What a thread brings back.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Tasks, by place.
    pub(super) pieces: BTreeMap<usize, Piece>,
    /// Runs of raw pages.
    pub(super) runs: Vec<(u32, u32)>,
    pub(super) trees: u64,
    pub(super) entries: u64,
    pub(super) extents: u64,
    pub(super) releases: u64,
    /// Branches that are still being received.
    pub(super) incoming: u64,
    pub(super) arriving: Arriving,
    pub(super) branches: Vec<String>,
    pub(super) snapshots: Vec<String>,
}

impl Found {
    pub(super) fn add(&mut self, mut other: Found) {
        self.trees += other.trees;
        self.entries += other.entries;
        self.extents += other.extents;
        self.releases += other.releases;
        self.incoming += other.incoming;
        self.arriving.add(other.arriving);
        self.branches.append(&mut other.branches);
        self.snapshots.append(&mut other.snapshots);
    }

    /// Raw pages to be read: neighbours as one run.
    pub(super) fn run(&mut self, start: u64, length: u64) {
        // Positions and lengths of pages that are there: below 2^32.
        let (start, length) = (start as u32, length as u32);
        match self.runs.last_mut() {
            Some((first, before)) if *first + *before == start && *before < RUN_PAGES => {
                *before += length;
            }
            _ => self.runs.push((start, length)),
        }
    }

    pub(super) fn piece(&mut self, place: Place) -> &mut Piece {
        self.pieces.entry(place.index()).or_default()
    }
}
