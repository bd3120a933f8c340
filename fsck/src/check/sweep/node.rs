//! A node: what stands in it against what its parent says, and the children of an inner node.

use std::sync::atomic::Ordering::Relaxed;

use cowslip_pager::{
    Pointer,
    page::{Header, PageId, node_crc},
};

use super::{
    Room, Sweep,
    ledger::{Claim, Print, Use},
    queue::{At, Batch, Family, Found, KeyAt, Piece, Place, Sums, Task},
};
use crate::{
    check::trees::{CHILD, Sums as Below},
    walk::NodeReader,
};

/// A pointer, and what stands beside it.
pub(super) struct Child<'k> {
    pointer: Pointer,
    below: Below,
    low: Bound<'k>,
    high: Bound<'k>,
}

/// A bound of keys, and its print.
#[derive(Clone, Copy)]
pub(super) struct Bound<'k> {
    key: Option<&'k [u8]>,
    pub(super) print: u64,
}

impl<'k> Bound<'k> {
    fn new(key: Option<&'k [u8]>) -> Bound<'k> {
        let print = key.map_or(0, |key| Print::new(1).bytes(key).value());
        Bound { key, print }
    }

    /// The key before child `i`, which is not the first.
    fn before(node: &NodeReader<'_>, i: usize, key: &'k mut Vec<u8>) -> Option<Bound<'k>> {
        key.clear();
        key.extend_from_slice(node.prefix());
        node.set_key(key, node.child(i)?.1);
        Some(Bound::new(Some(key)))
    }
}

impl Family {
    /// What all its members are known by.
    pub(super) fn print(&self) -> Print {
        let place = u64::from(self.kind) << 8 | u64::from(self.level);
        let (tag, pages) = match self.expected {
            Sums::Unknown => (0, 0),
            Sums::Cell => (1, 0),
            Sums::Pages(pages) => (2, pages),
        };
        Print::new(place | tag << 16 | u64::from(self.tree.is_some()) << 24)
            .word(self.tree.unwrap_or(0))
            .word(pages)
    }
}

/// An inner node, and what is known of it and of all its children.
pub(super) struct Parent<'a> {
    pub(super) header: &'a Header,
    pub(super) children: Family,
    pub(super) low: Bound<'a>,
    pub(super) high: Bound<'a>,
}

impl Parent<'_> {
    /// What a child's cell says. `None`: nothing that may stand below this parent.
    #[inline]
    pub(super) fn cell(&self, cell: &[u8]) -> Option<(Pointer, Below)> {
        let pointer = Pointer::decode(cell);
        let right = pointer.kind == self.children.kind
            && pointer.level == self.children.level
            && pointer.stamp <= self.header.pointer.stamp;
        right.then(|| (pointer, Below::of_child(&cell[..CHILD])))
    }

    /// Child `i`, with memory for the keys around it.
    pub(super) fn child<'k>(
        &'k self,
        node: &NodeReader<'_>,
        i: usize,
        [low, high]: [&'k mut Vec<u8>; 2],
    ) -> Option<Child<'k>> {
        let (cell, _) = node.child(i)?;
        let (pointer, below) = self.cell(cell)?;
        let low = if i == 0 { self.low } else { Bound::before(node, i, low)? };
        let after = i + 1;
        let high =
            if after == node.count() { self.high } else { Bound::before(node, after, high)? };
        Some(Child { pointer, below, low, high })
    }
}

/// Meets the children of one parent, all of one family.
pub(super) struct Meeting<'s, 'p> {
    sweep: &'s Sweep<'s>,
    piece: &'p mut Piece,
    family: Family,
    print: Print,
    /// The numbers of the family, and of the same for second looks, once there are members.
    first: Option<u32>,
    second: Option<u32>,
    /// Where the last bound that was kept stands.
    kept: Option<(u64, KeyAt)>,
    /// Children met that the map counts several owners of.
    shared: usize,
}

impl<'s, 'p> Meeting<'s, 'p> {
    fn new(sweep: &'s Sweep<'s>, piece: &'p mut Piece, family: Family) -> Meeting<'s, 'p> {
        let print = family.print();
        Meeting { sweep, piece, family, print, first: None, second: None, kept: None, shared: 0 }
    }

    /// One more owner of `child`, whom it is owed to look at it, or not.
    #[inline]
    pub(super) fn meet(&mut self, child: &Child<'_>) -> Option<()> {
        let print = self
            .print
            .word(child.pointer.stamp)
            .word(child.below.entries)
            .word(child.below.pages ^ child.low.print)
            .word(child.high.print);
        let young = child.pointer.stamp > self.family.shared_at;
        let page = child.pointer.page.0;
        let claim = self.sweep.ledger.claim(page, Use::Node, print.value(), young);
        self.shared += usize::from(self.sweep.ledger.is_shared(page));
        match claim {
            Claim::Again => Some(()),
            Claim::First => self.push(child, false),
            Claim::Other => self.look_again(child),
            Claim::Wrong => None,
        }
    }

    fn look_again(&mut self, child: &Child<'_>) -> Option<()> {
        if !self.sweep.may_look_again() {
            return None;
        }
        self.push(child, true)
    }

    fn push(&mut self, child: &Child<'_>, second: bool) -> Option<()> {
        let number = if second { &mut self.second } else { &mut self.first };
        let family = match *number {
            Some(family) => family,
            None => {
                let family = self.piece.family(Family { second, ..self.family });
                *number = Some(family);
                family
            }
        };
        let low = match self.kept {
            Some((print, at)) if print == child.low.print && child.low.key.is_some() => at,
            _ => self.piece.keep(child.low.key)?,
        };
        let high = self.piece.keep(child.high.key)?;
        self.kept = Some((child.high.print, high));
        self.piece.push(Task {
            page: u32::try_from(child.pointer.page.0).ok()?,
            family,
            stamp: child.pointer.stamp,
            entries: child.below.entries,
            pages: child.below.pages as u32,
            low,
            high,
        });
        Some(())
    }
}

impl Sweep<'_> {
    /// The root of a tree that something of stamp `newest` names.
    pub(super) fn meet_root(
        &self,
        out: &mut Found,
        family: Family,
        pointer: &Pointer,
        newest: u64,
    ) -> Option<()> {
        let place = Place::of(family.kind, family.level)?;
        if pointer.kind != family.kind || pointer.stamp > newest {
            return None;
        }
        let none = Bound::new(None);
        let below = Below { entries: 0, pages: 0 };
        let child = Child { pointer: *pointer, below, low: none, high: none };
        Meeting::new(self, out.piece(place), family).meet(&child)
    }

    /// Verifies a node.
    pub(super) fn node(
        &self,
        batch: &Batch,
        at: At,
        bytes: &[u8],
        room: &mut Room,
        out: &mut Found,
    ) -> Option<()> {
        let (piece, task) = batch.get(at);
        let family = piece.family_of(task);
        let page = u64::from(task.page);
        let header = Header::read(bytes);
        let crc = node_crc(bytes);
        let pointer = Pointer {
            page: PageId(page),
            kind: family.kind,
            level: family.level,
            stamp: task.stamp,
        };
        if crc != header.crc
            || crc != self.ledger.crc(page)
            || header.store != self.store
            || header.pointer != pointer
            || family.tree.is_some_and(|tree| tree != header.tree)
        {
            return None;
        }
        let node = NodeReader::new(bytes).ok()?;
        let bounds = [piece.key(task.low), piece.key(task.high)];
        let below = if node.is_leaf() {
            self.content(&node, bounds, room)?;
            self.leaf(&node, &header, family, room, out)?
        } else {
            self.inner(&node, &header, family, bounds, room, out)?
        };
        if !family.second {
            self.read.fetch_add(1, Relaxed);
            out.trees += u64::from(family.root);
        }
        let expected = match family.expected {
            Sums::Unknown => true,
            Sums::Cell => below == Below { entries: task.entries, pages: task.pages.into() },
            Sums::Pages(pages) => below.pages == pages,
        };
        expected.then_some(())
    }

    /// Is the node by itself as it should be, with keys within the bounds?
    fn content(
        &self,
        node: &NodeReader<'_>,
        [low, high]: [Option<&[u8]>; 2],
        room: &mut Room,
    ) -> Option<()> {
        if !node.is_sound(&mut room.used) {
            return None;
        }
        let first = usize::from(!node.is_leaf());
        if node.count() > first {
            node.entry(first).ok()?.key(&mut room.key);
            if low.is_some_and(|low| &room.key[..] < low) {
                return None;
            }
            node.entry(node.count() - 1).ok()?.key(&mut room.key);
            if high.is_some_and(|high| &room.key[..] >= high) {
                return None;
            }
        }
        Some(())
    }

    /// The children of an inner node.
    fn inner(
        &self,
        node: &NodeReader<'_>,
        header: &Header,
        family: &Family,
        bounds: [Option<&[u8]>; 2],
        room: &mut Room,
        out: &mut Found,
    ) -> Option<Below> {
        let level = family.level.checked_sub(1)?;
        let children =
            Family { tree: Some(header.tree), level, root: false, expected: Sums::Cell, ..*family };
        let [low, high] = bounds.map(Bound::new);
        let parent = Parent { header, children, low, high };
        let mut meeting = Meeting::new(self, out.piece(Place::of(family.kind, level)?), children);
        let mut held = self.copies.hold(&parent);
        if let Some(held) = &mut held
            && let Some(below) = held.meet(self, node, &parent, &mut meeting, room)?
        {
            return Some(below);
        }
        self.content(node, bounds, room)?;
        let below = self.children(node, &parent, &mut meeting, room)?;
        match held {
            // Other copies are likely.
            Some(mut held) if meeting.shared > node.count() / 2 => held.keep(self, node)?,
            _ => {}
        }
        Some(below)
    }

    /// All children of an inner node, one by one.
    fn children(
        &self,
        node: &NodeReader<'_>,
        parent: &Parent<'_>,
        meeting: &mut Meeting<'_, '_>,
        room: &mut Room,
    ) -> Option<Below> {
        let mut below = Below { entries: 0, pages: 1 };
        let Room { key, next, .. } = room;
        for key in [&mut *key, &mut *next] {
            key.clear();
            key.extend_from_slice(node.prefix());
        }
        let mut low = parent.low;
        let last = node.count() - 1;
        for i in 0..=last {
            self.ledger.expect(Pointer::decode(node.child(i)?.0).page.0);
        }
        let mut cell = node.child(0)?.0;
        for i in 0..=last {
            let (pointer, sums) = parent.cell(cell)?;
            below = below.plus(sums)?;
            let high = match i == last {
                true => parent.high,
                false => {
                    let (after, separator) = node.child(i + 1)?;
                    cell = after;
                    node.set_key(next, separator);
                    Bound::new(Some(next))
                }
            };
            let child = Child { pointer, below: sums, low, high };
            if !parent.children.second {
                meeting.meet(&child)?;
            } else if i == 0 || i == last {
                // Only the outermost keys can be beyond the bounds.
                meeting.look_again(&child)?;
            }
            if i < last {
                let print = high.print;
                std::mem::swap(key, next);
                low = Bound { key: Some(key), print };
            }
        }
        Some(below)
    }
}
