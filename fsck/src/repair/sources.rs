//! Where lost keys are found again: the other branches and snapshots that have them.
//!
//! Asked first are the ancestors of the state that lost the keys, the newest first; then all others, the
//! nearest in time first. One that has none of the keys, or cannot be read there, is passed by; of one that
//! can be read in part the rest is asked of the next.

use std::{collections::HashSet, rc::Rc};

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::{BranchRecord, Incoming, Lineage, SnapshotRecord, TableRecord},
};
use cowslip_pager::Pointer;

use crate::check::{Sums, arriving::may_arrive};

use super::{
    loss::Refill,
    node::{self, Cell, Entry, Tree},
    trees::{Context, Rebuild, Verdict, after, sums_of},
    work::Halt,
};

/// A branch or snapshot, as the wreck has it.
pub(super) struct Version {
    pub(super) state: Rc<str>,
    pub(super) catalog: Pointer,
    /// When its content was last changed.
    stamp: u64,
    lineage: Lineage,
}

/// What a source has of a range.
pub(super) enum Piece {
    /// A leaf that lies in it as a whole.
    Leaf(Cell),
    Entries(Vec<u8>, Vec<Entry>),
}

impl Piece {
    fn low(&self) -> &[u8] {
        match self {
            Piece::Leaf(cell) => &cell.low,
            Piece::Entries(low, _) => low,
        }
    }

    pub(super) fn count(&self) -> u64 {
        match self {
            Piece::Leaf(cell) => cell.sums.entries,
            Piece::Entries(_, entries) => entries.len() as u64,
        }
    }
}

pub(super) type Span = (Vec<u8>, Option<Vec<u8>>);

/// What is gathered from one source.
pub(super) struct Found {
    pub(super) pieces: Vec<Piece>,
    pub(super) holes: Vec<Span>,
    /// Whole leaves may be taken as they are.
    pub(super) share: bool,
}

impl Rebuild<'_, '_, '_> {
    /// All branches and snapshots whose records can be read.
    pub(super) fn read_versions(&mut self) {
        let root = self.work.old.root;
        self.read_names(root, root.level, &mut HashSet::new());
    }

    fn read_names(&mut self, pointer: Pointer, level: u8, seen: &mut HashSet<u64>) {
        // A forged tree may lead to a page a thousand times.
        let expected = pointer.level == level && pointer.kind == META;
        let read = (expected && seen.insert(pointer.page.0))
            .then(|| self.work.node_at(&pointer, 0).ok().and_then(|bytes| node::entries(&bytes)));
        let Some(entries) = read.flatten() else {
            self.names_whole = false;
            return;
        };
        for entry in entries {
            if let Some(below) = level.checked_sub(1) {
                self.read_names(Pointer::decode(&entry.value), below, seen);
                continue;
            }
            let name = String::from_utf8_lossy(entry.key.get(1..).unwrap_or_default()).into_owned();
            let version = match entry.key.first() {
                Some(b'b') => BranchRecord::decode(&entry.value, pointer.page)
                    .ok()
                    .filter(|record| !record.incoming)
                    .map(|record| Version {
                        state: format!("branch {name}").into(),
                        catalog: record.catalog,
                        stamp: record.catalog.stamp,
                        lineage: record.lineage,
                    }),
                Some(b's') => {
                    SnapshotRecord::decode(&entry.value, pointer.page).ok().map(|record| Version {
                        state: format!("snapshot {name}").into(),
                        catalog: record.catalog,
                        stamp: record.stamp,
                        lineage: record.lineage,
                    })
                }
                Some(b'i') => {
                    if Incoming::decode(&entry.value, pointer.page).is_ok() && may_arrive(&name) {
                        self.streams.insert(name);
                    }
                    None
                }
                _ => None,
            };
            self.versions.extend(version);
        }
    }

    /// The states to ask, the best first.
    fn order(&self, context: &Context) -> Vec<usize> {
        let own = self.versions.iter().find(|version| version.state == context.state);
        let mut order: Vec<usize> = (0..self.versions.len()).collect();
        order.sort_by_key(|&at| {
            let version = &self.versions[at];
            let Some(own) = own else { return (true, u64::MAX - version.stamp) };
            let ancestor =
                version.stamp <= own.stamp && own.lineage.descends_from(&version.lineage);
            (!ancestor, own.stamp.abs_diff(version.stamp))
        });
        order
    }

    /// Leaves for the keys of a node that was lost: its own, where they are found, and of the rest what
    /// others have.
    pub(super) fn refill(
        &mut self,
        pointer: Pointer,
        sums: Option<Sums>,
        context: &Context,
        loss: usize,
    ) -> Result<Vec<Cell>, Halt> {
        let (mut pieces, missing) = self.adopt(pointer, sums, context, loss)?;
        pieces.extend(self.pieces(context, loss, missing, context.tree.kind == TABLE)?);
        pieces.sort_by(|a, b| a.low().cmp(b.low()));
        let mut cells = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Leaf(cell) => cells.push(cell),
                Piece::Entries(low, entries) => {
                    cells.extend(self.work.leaves(context.tree, &low, &entries)?);
                }
            }
        }
        Ok(cells)
    }

    /// Entries of the keys that were lost.
    pub(super) fn refill_entries(
        &mut self,
        context: &Context,
        loss: usize,
    ) -> Result<Vec<Entry>, Halt> {
        let mut all = Vec::new();
        let missing = vec![(context.low.clone(), context.high.clone())];
        for piece in self.pieces(context, loss, missing, false)? {
            if let Piece::Entries(_, entries) = piece {
                all.extend(entries);
            }
        }
        Ok(all)
    }

    fn pieces(
        &mut self,
        context: &Context,
        loss: usize,
        mut missing: Vec<Span>,
        share: bool,
    ) -> Result<Vec<Piece>, Halt> {
        let mut pieces = Vec::new();
        let order = if context.tree.kind == META { Vec::new() } else { self.order(context) };
        for version in order {
            if missing.is_empty() {
                break;
            }
            let Some(root) = self.root_of(version, context) else { continue };
            let state = self.versions[version].state.clone();
            let source = Context { state: state.clone(), ..context.clone() };
            for span in std::mem::take(&mut missing) {
                let mut found = Found { pieces: Vec::new(), holes: Vec::new(), share };
                self.gather(root, None, (&[], None), &span, &source, &mut found)?;
                let entries = found.pieces.iter().map(Piece::count).sum();
                if entries == 0 {
                    missing.push(span);
                    continue;
                }
                // The number is of all parts together; the first one has it.
                let mut left = entries;
                for (from, to) in without(&span, &found.holes) {
                    let count = std::mem::take(&mut left);
                    self.losses[loss].refilled.push(Refill::new(&state, from, to, count));
                }
                pieces.extend(found.pieces);
                missing.extend(found.holes);
            }
        }
        self.losses[loss].dropped = missing;
        Ok(pieces)
    }

    /// The root of the same tree in another state.
    fn root_of(&mut self, version: usize, context: &Context) -> Option<Pointer> {
        let catalog = self.versions[version].catalog;
        if context.tree.kind == CATALOG {
            return Some(catalog).filter(|root| !root.is_none());
        }
        let name = context.table.clone()?;
        let known = match self.tables.get(&(version, name.clone())) {
            Some(known) => *known,
            None => {
                let found = self.look_up(catalog, &name);
                self.tables.insert((version, name), found);
                found
            }
        };
        known
            .filter(|record| record.id == context.tree.id && !record.root.is_none())
            .map(|record| record.root)
    }

    fn look_up(&self, mut at: Pointer, name: &str) -> Option<TableRecord> {
        loop {
            if at.kind != CATALOG {
                return None;
            }
            let bytes = self.work.node_at(&at, 0).ok()?;
            if at.level == 0 {
                let entries = node::entries(&bytes)?;
                let entry = entries.into_iter().find(|entry| entry.key == name.as_bytes())?;
                return TableRecord::decode(&entry.value, at.page).ok();
            }
            let cells = node::cells(&bytes, &[])?;
            let cell = cells.iter().rev().find(|cell| &cell.low[..] <= name.as_bytes())?;
            if cell.pointer.level + 1 != at.level {
                return None;
            }
            at = cell.pointer;
        }
    }

    /// What a tree has of a range; what of it cannot be read.
    pub(super) fn gather(
        &mut self,
        pointer: Pointer,
        level: Option<u8>,
        (low, high): (&[u8], Option<&[u8]>),
        span: &Span,
        source: &Context,
        found: &mut Found,
    ) -> Result<(), Halt> {
        let Tree { kind, id } = source.tree;
        let from = low.max(&span.0[..]);
        let to = match (high, span.1.as_deref()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if to.is_some_and(|to| from >= to) {
            return Ok(());
        }
        let hole = (from.to_vec(), to.map(<[u8]>::to_vec));
        let right = pointer.kind == kind && level.unwrap_or(pointer.level) == pointer.level;
        let bytes = if right { self.work.node_at(&pointer, id).ok() } else { None };
        let Some(bytes) = bytes else {
            found.holes.push(hole);
            return Ok(());
        };
        if pointer.level > 0 {
            // Within the bounds: so no page is met twice by many ways of a forged tree.
            let within =
                |cell: &Cell| &cell.low[..] >= low && high.is_none_or(|high| &cell.low[..] < high);
            let cells = node::cells(&bytes, low).filter(|cells| cells.iter().all(within));
            let Some(cells) = cells else {
                found.holes.push(hole);
                return Ok(());
            };
            for (i, cell) in cells.iter().enumerate() {
                let end = cells.get(i + 1).map(|next| &next.low[..]).or(high);
                let below = Some(pointer.level - 1);
                self.gather(cell.pointer, below, (&cell.low, end), span, source, found)?;
            }
            return Ok(());
        }
        let sound = node::entries(&bytes).filter(|entries| {
            entries.is_sorted_by(|a, b| a.key < b.key)
                && entries
                    .iter()
                    .all(|e| &e.key[..] >= low && high.is_none_or(|high| &e.key[..] < high))
        });
        let Some(entries) = sound else {
            found.holes.push(hole);
            return Ok(());
        };
        let whole = from == low && to == high;
        let (count, mut good) = (entries.len(), Vec::new());
        for mut entry in entries {
            if &entry.key[..] < from || to.is_some_and(|to| &entry.key[..] >= to) {
                continue;
            }
            match self.examine(pointer.page, &entry, source)? {
                Verdict::Keep => {}
                Verdict::Replace(value) => entry.value = value,
                Verdict::Drop => continue,
                Verdict::Hole(_) => {
                    let end = after(&entry.key);
                    found.holes.push((entry.key, Some(end)));
                    continue;
                }
            }
            good.push(entry);
        }
        let shared = found.share && whole && good.len() == count;
        if let Some(sums) = shared.then(|| sums_of(&bytes)).flatten() {
            found.pieces.push(Piece::Leaf(Cell { low: from.to_vec(), pointer, sums }));
        } else if !good.is_empty() {
            found.pieces.push(Piece::Entries(from.to_vec(), good));
        }
        Ok(())
    }
}

/// A range without others, which ascend in it.
fn without(span: &Span, holes: &[Span]) -> Vec<Span> {
    let mut parts = Vec::new();
    let mut from = span.0.clone();
    for (low, high) in holes {
        if from < *low {
            parts.push((from, Some(low.clone())));
        }
        match high {
            Some(high) => from = high.clone(),
            None => return parts,
        }
    }
    if span.1.as_ref().is_none_or(|to| from < *to) {
        parts.push((from, span.1.clone()));
    }
    parts
}
