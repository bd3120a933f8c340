//! Copies of inner nodes: what a copy has in common with the last one that was met at its place is not
//! looked at again.
//!
//! A write below a snapshot copies the nodes on its way and changes one child in each, so the copies of
//! one place (tree, level, bounds) differ in few children:
//!
//! ```text
//!   place  ->  the last copy    a  b  c  d  e     2 more were met since the first
//!                     since     0  0  2  0  0
//!
//!   one more                    a  b  c  X  e     3 more
//!                               |  |  |  '------- another cell: d is owed 2 - 0 owners, X is met
//!                               '--'--'---- '---- the same bytes between the same keys: owed one owner more
//! ```
//!
//! What is owed is claimed when the cell changes, when the place goes to another, and in the end. Such a claim would
//! have found the same print, since it is made of the same bytes; and that the map counts too few owners
//! shows as well when they are claimed together.
//!
//! Memory: up to [`COPIES_BYTES`] of pages, and four bytes for each of their children. Nodes of which few
//! children are shared are not kept: other copies would have other children.

use std::sync::{Mutex, MutexGuard};

use cowslip_pager::Pointer;

use super::{
    Room, Sweep,
    node::{Meeting, Parent},
};
use crate::{
    check::trees::{CHILD, Sums as Below},
    walk::NodeReader,
};

/// All copies that are kept.
const COPIES_BYTES: usize = 64 << 20;

pub(super) struct Copies(Vec<Mutex<Option<Copy>>>);

/// The last copy that was met at a place.
struct Copy {
    place: u64,
    bytes: Vec<u8>,
    /// Copies that were met since the first.
    more: u32,
    /// For each child: what `more` was when it was met.
    since: Vec<u32>,
}

/// A place, and nobody else's as long as this is held.
pub(super) struct Held<'s> {
    place: u64,
    slot: MutexGuard<'s, Option<Copy>>,
}

impl Copies {
    /// For a store of so many pages.
    pub(super) fn new(page_size: usize, pages: usize) -> Copies {
        let mut copies = Vec::new();
        copies.resize_with(pages.clamp(1, COPIES_BYTES / page_size), Mutex::default);
        Copies(copies)
    }

    /// The place of a node. `None`: another thread has it, or its copies may not be taken for each other.
    pub(super) fn hold(&self, parent: &Parent<'_>) -> Option<Held<'_>> {
        let children = &parent.children;
        // Below a node that is not young no child is; of those that are the map may count one owner only.
        if children.second || parent.header.pointer.stamp > children.shared_at {
            return None;
        }
        let place = children.print().word(parent.low.print).word(parent.high.print).value();
        let slot = self.0.get((place >> 16) as usize % self.0.len())?.try_lock().ok()?;
        Some(Held { place, slot })
    }

    /// Claims all that is owed. `None`: the map does not count so many owners.
    pub(super) fn settle(&self, sweep: &Sweep<'_>) -> Option<()> {
        self.0.iter().try_for_each(|slot| match slot.lock().ok()?.take() {
            Some(copy) => copy.settle(sweep),
            None => Some(()),
        })
    }
}

impl Copy {
    /// Claims the owners that child `i` is owed.
    fn pay(&self, sweep: &Sweep<'_>, node: &NodeReader<'_>, i: usize) -> Option<()> {
        let owed = self.more - self.since[i];
        let page = Pointer::decode(node.child(i)?.0).page.0;
        (owed == 0 || sweep.ledger.claim_more(page, owed)).then_some(())
    }

    fn settle(&self, sweep: &Sweep<'_>) -> Option<()> {
        if self.more == 0 {
            return Some(());
        }
        let node = NodeReader::new(&self.bytes).ok()?;
        (0..node.count()).try_for_each(|i| self.pay(sweep, &node, i))
    }
}

impl Held<'_> {
    /// If a copy of the node was met here: meets the children that are new, and says what is in and below
    /// all. `Some(None)`: it is no copy. `None`: something is suspect.
    pub(super) fn meet(
        &mut self,
        sweep: &Sweep<'_>,
        node: &NodeReader<'_>,
        parent: &Parent<'_>,
        meeting: &mut Meeting<'_, '_>,
        room: &mut Room,
    ) -> Option<Option<Below>> {
        let Some(copy) = self.slot.as_mut().filter(|copy| copy.place == self.place) else {
            return Some(None);
        };
        let before = NodeReader::new(&copy.bytes).ok()?;
        if !node.has_layout_of(&before) {
            return Some(None);
        }
        let mut below = Below { entries: 0, pages: 1 };
        room.changed.clear();
        for i in 0..node.count() {
            let (cell, _) = node.child(i)?;
            below = below.plus(parent.cell(cell)?.1)?;
            let was = before.child(i)?.0;
            // Of a length that is known, so that no call is needed.
            if cell.first_chunk::<CHILD>()? != was.first_chunk::<CHILD>()? {
                sweep.ledger.expect(Pointer::decode(cell).page.0);
                sweep.ledger.expect(Pointer::decode(was).page.0);
                room.changed.push(i);
            }
        }
        for &i in &room.changed {
            copy.pay(sweep, &before, i)?;
            meeting.meet(&parent.child(node, i, [&mut room.key, &mut room.next])?)?;
        }
        copy.more += 1;
        for &i in &room.changed {
            copy.since[i] = copy.more;
        }
        if !room.changed.is_empty() {
            copy.bytes.copy_from_slice(node.bytes());
        }
        Some(Some(below))
    }

    /// Keeps a node all of whose children were met.
    pub(super) fn keep(&mut self, sweep: &Sweep<'_>, node: &NodeReader<'_>) -> Option<()> {
        let mut copy = match self.slot.take() {
            None => Copy { place: 0, bytes: Vec::new(), more: 0, since: Vec::new() },
            Some(copy) => copy,
        };
        copy.settle(sweep)?;
        copy.place = self.place;
        copy.bytes.clear();
        copy.bytes.extend_from_slice(node.bytes());
        copy.more = 0;
        copy.since.clear();
        copy.since.resize(node.count(), 0);
        *self.slot = Some(copy);
        Some(())
    }
}
