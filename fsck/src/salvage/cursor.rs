//! The rows of a tree as salvage sees it, holes filled; and what differs between two such trees.
//!
//! ```text
//! stack:  Sub (pointer, bounds)  a subtree that was not opened yet: skipped whole if the other tree has it
//!         Piece                  of a hole: some keys of a leaf that was found
//! rows:   of the leaf that was opened last
//! ```

use std::cmp::Ordering;

use cowslip::{ReadTable, kinds::TABLE, meta::Lineage};
use cowslip_pager::Extent;

use super::{
    fill::{Fills, Origin, Piece},
    wreck::{Item, Opened, Tree, Value, Wreck},
};
use crate::repair::node::Entry;

enum Pending {
    Sub(Item),
    Piece(Piece),
}

/// A row, and where it comes from if not by its own pointers.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) entry: Entry,
    pub(super) origin: Option<Origin>,
    /// Its large value, which was proved.
    pub(super) extent: Option<Extent>,
    /// Bytes of it in its leaf: what all keys there begin with is the first one's.
    pub(super) weight: u64,
}

impl Row {
    fn is_same(&self, other: &Row) -> bool {
        (&self.entry, self.origin) == (&other.entry, other.origin)
    }
}

/// A hole that was met.
#[derive(Debug, Clone)]
pub(super) struct Hole {
    pub(super) low: Vec<u8>,
    pub(super) high: Option<Vec<u8>>,
    pub(super) entries: Option<u64>,
    pub(super) pieces: Vec<Piece>,
    /// Not all that might be in it was looked at.
    pub(super) cut_short: bool,
}

/// What one looks for and with.
#[derive(Clone, Copy)]
pub(super) struct Look<'w> {
    pub(super) wreck: &'w Wreck<'w>,
    pub(super) fills: &'w Fills,
    pub(super) lineage: &'w Lineage,
}

pub(super) struct Cursor<'w> {
    look: Look<'w>,
    tree: Tree,
    stack: Vec<Pending>,
    /// The next one last.
    rows: Vec<Row>,
    pub(super) holes: Vec<Hole>,
    /// Keys whose large values are lost.
    pub(super) lost: Vec<Vec<u8>>,
    /// How many there are.
    pub(super) lost_count: u64,
    /// Holes that were met and are not kept.
    pub(super) unkept: u64,
    /// Something was not looked at (W14).
    pub(super) cut_short: bool,
    /// Holes and lost values that are kept.
    keep: usize,
    /// The table as it was written: a large value that could not be read again is lost if it is not in it.
    written: Option<ReadTable>,
}

impl<'w> Cursor<'w> {
    /// Of a tree; `None`: it is empty. Lists at most `keep` holes.
    pub(super) fn new(look: Look<'w>, tree: Tree, root: Option<Item>, keep: usize) -> Cursor<'w> {
        let stack = root.into_iter().filter(|item| !item.pointer.is_none()).map(Pending::Sub);
        Cursor {
            look,
            tree,
            stack: stack.collect(),
            rows: Vec::new(),
            holes: Vec::new(),
            lost: Vec::new(),
            lost_count: 0,
            unkept: 0,
            cut_short: false,
            keep,
            written: None,
        }
    }

    /// For the account: what of these rows was not written is lost.
    pub(super) fn with_written(self, written: Option<ReadTable>) -> Cursor<'w> {
        Cursor { written, ..self }
    }

    /// Is this the row of a large value that could be read once, and not when it was to be written?
    fn is_unwritten(&self, entry: &Entry) -> bool {
        self.look.wreck.is_unread(&entry.value)
            && self
                .written
                .as_ref()
                .is_some_and(|table| !matches!(table.reader(&entry.key), Ok(Some(_))))
    }

    /// Opens pieces, so that a row or a subtree is next, or nothing.
    fn settle(&mut self) {
        while self.rows.is_empty() {
            match self.stack.pop() {
                Some(Pending::Piece(piece)) => self.open_piece(piece),
                Some(sub) => {
                    self.stack.push(sub);
                    return;
                }
                None => return,
            }
        }
    }

    fn sub(&self) -> Option<&Item> {
        match (self.rows.is_empty(), self.stack.last()) {
            (true, Some(Pending::Sub(item))) => Some(item),
            _ => None,
        }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Option<Row> {
        loop {
            self.settle();
            if let Some(row) = self.rows.pop() {
                return Some(row);
            }
            self.sub()?;
            self.open();
        }
    }

    /// The next row that stands in a node which is not whole, or comes from a hole.
    pub(super) fn next_unsure(&mut self) -> Option<Row> {
        loop {
            self.settle();
            if let Some(row) = self.rows.pop() {
                return Some(row);
            }
            let whole = self.look.wreck.is_whole(self.sub()?, self.tree);
            if whole {
                self.stack.pop();
            } else {
                self.open();
            }
        }
    }

    /// Passes by what is whole, and ends with all holes known.
    pub(super) fn find_holes(&mut self) {
        loop {
            self.rows.clear();
            match self.stack.pop() {
                None => return,
                // The pieces are in the hole.
                Some(Pending::Piece(_)) => {}
                Some(Pending::Sub(item)) => {
                    if !self.look.wreck.is_whole(&item, self.tree) {
                        self.stack.push(Pending::Sub(item));
                        self.open();
                    }
                }
            }
        }
    }

    /// Opens the subtree that is next.
    fn open(&mut self) {
        let Some(Pending::Sub(item)) = self.stack.pop() else { return };
        if !self.try_open(&item) {
            let Look { wreck, fills, lineage } = self.look;
            let fill = fills.fill(wreck, &item, self.tree, lineage);
            let (pieces, cut_short) = (&fill.pieces, fill.cut_short);
            self.cut_short |= cut_short;
            if self.holes.len() < self.keep {
                let Item { low, high, entries, .. } = item;
                self.holes.push(Hole { low, high, entries, pieces: pieces.clone(), cut_short });
            } else {
                self.unkept += 1;
            }
            self.stack.extend(pieces.iter().rev().cloned().map(Pending::Piece));
        }
    }

    fn try_open(&mut self, item: &Item) -> bool {
        match self.look.wreck.open(item, self.tree) {
            Some(Opened::Leaf(entries)) => self.take(entries, None),
            Some(Opened::Inner(children)) => {
                self.stack.extend(children.into_iter().rev().map(Pending::Sub));
            }
            None => return false,
        }
        true
    }

    fn open_piece(&mut self, piece: Piece) {
        let mut entries = self.look.wreck.entries(piece.node).unwrap_or_default();
        entries.retain(|entry| entry.key >= piece.from && entry.key < piece.to);
        self.take(entries, Some(piece.origin));
    }

    /// Makes these the next rows, but for those whose large values are lost.
    fn take(&mut self, entries: Vec<Entry>, origin: Option<Origin>) {
        let shared = match (entries.first(), entries.last()) {
            (Some(first), Some(last)) => shared(&first.key, &last.key),
            _ => 0,
        };
        for (i, entry) in entries.into_iter().enumerate().rev() {
            let extent = match entry.extent {
                false => None,
                true if self.tree.kind != TABLE => Some(Value::Wrong),
                true if self.is_unwritten(&entry) => Some(Value::Wrong),
                true => Some(self.look.wreck.value(&entry.value)),
            };
            let extent = match extent {
                None => None,
                Some(Value::Right(extent)) => Some(extent),
                Some(Value::CutShort) => {
                    self.cut_short = true;
                    continue;
                }
                Some(Value::Wrong) => {
                    self.lost_count += 1;
                    if self.lost.len() < self.keep {
                        self.lost.push(entry.key);
                    }
                    continue;
                }
            };
            let key = entry.key.len() - if i > 0 { shared } else { 0 };
            let weight = (key + entry.value.len()) as u64;
            self.rows.push(Row { entry, origin, extent, weight });
        }
    }
}

/// Bytes that both begin with.
fn shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// What differs.
pub(super) enum Change<'r> {
    /// A row that is new, or other than before.
    Put {
        new: &'r Row,
        old: Option<&'r Row>,
    },
    Remove(&'r Row),
}

/// Tells what makes `to` of `from`. Subtrees that both have are not opened, unless something is missing there: what
/// fills a hole, and which root stands for a lost one, depends on the lineage. So where those differ, rows that
/// are the same are told as well.
pub(super) fn differences<E>(
    from: &mut Cursor<'_>,
    to: &mut Cursor<'_>,
    each: &mut dyn FnMut(Change<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let same_tree = from.tree == to.tree;
    let same_fill = from.look.lineage == to.look.lineage;
    loop {
        from.settle();
        to.settle();
        let before = |item: &Item, row: &Row| row.entry.key < item.low;
        match (from.sub(), to.sub()) {
            (Some(a), Some(b)) => {
                if same_tree
                    && (a.pointer, &a.low, &a.high) == (b.pointer, &b.low, &b.high)
                    && (same_fill || to.look.wreck.is_whole(b, to.tree))
                {
                    from.stack.pop();
                    to.stack.pop();
                    continue;
                }
                match a.low.cmp(&b.low) {
                    Ordering::Less => from.open(),
                    Ordering::Greater => to.open(),
                    Ordering::Equal if a.pointer.level >= b.pointer.level => from.open(),
                    Ordering::Equal => to.open(),
                }
            }
            (Some(a), None) => match to.rows.last() {
                Some(row) if before(a, row) => {
                    each(Change::Put { new: row, old: None })?;
                    to.rows.pop();
                }
                _ => from.open(),
            },
            (None, Some(b)) => match from.rows.last() {
                Some(row) if before(b, row) => {
                    each(Change::Remove(row))?;
                    from.rows.pop();
                }
                _ => to.open(),
            },
            (None, None) => {
                let (a, b) = (from.rows.last(), to.rows.last());
                let order = match (a, b) {
                    (None, None) => return Ok(()),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(a), Some(b)) => a.entry.key.cmp(&b.entry.key),
                };
                match (order, a, b) {
                    (Ordering::Equal, Some(old), Some(new)) if !same_fill || !old.is_same(new) => {
                        each(Change::Put { new, old: Some(old) })?;
                    }
                    (Ordering::Less, Some(old), _) => each(Change::Remove(old))?,
                    (Ordering::Greater, _, Some(new)) => each(Change::Put { new, old: None })?,
                    _ => {}
                }
                if order != Ordering::Greater {
                    from.rows.pop();
                }
                if order != Ordering::Less {
                    to.rows.pop();
                }
            }
        }
    }
}
