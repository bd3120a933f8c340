//! A place between two entries of a tree, that moves in both directions.
//!
//! The cursor pins its leaf and remembers the way to it by pointers; inner nodes are looked up
//! again when it passes from one leaf to the next. No epoch is held between calls (R4).

use std::rc::Rc;

use cowslip_pager::{PageId, PageRef, Pointer, View};

use super::Tree;
use crate::{error::Result, kinds::same_kind, node::Node};

/// Where a cursor begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End<'k> {
    /// Before the first entry.
    First,
    /// Behind the last entry.
    Last,
    /// Before the first entry whose key is at least this.
    At(&'k [u8]),
}

pub(crate) struct Cursor<'p> {
    view: View<'p>,
    steps: Vec<(Pointer, usize)>,
    leaf: Rc<PageRef<'p>>,
    leaf_id: PageId,
    /// The gap before the entry of this index.
    index: usize,
}

impl<'p> Cursor<'p> {
    /// A cursor in `tree`; none if the tree is empty.
    pub(crate) fn new(view: View<'p>, tree: &Tree, end: End<'_>) -> Result<Option<Cursor<'p>>> {
        if tree.root.is_none() {
            return Ok(None);
        }
        let mut steps = Vec::with_capacity(4);
        let (leaf, leaf_id) = descend(view, &mut steps, tree.root, end)?;
        let node = Node::new(&leaf);
        let index = match end {
            End::First => 0,
            End::Last => node.count(),
            End::At(key) => node.search(key).unwrap_or_else(|index| index),
        };
        Ok(Some(Cursor { view, steps, leaf, leaf_id, index }))
    }

    /// The leaf that the cursor stands in. One pin serves all values that are taken from it, and is
    /// shared without an atomic operation for each (which would make a scan wait for every row's
    /// cache miss in turn).
    pub(crate) fn leaf(&self) -> &Rc<PageRef<'p>> {
        &self.leaf
    }

    pub(crate) fn leaf_id(&self) -> PageId {
        self.leaf_id
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The entry behind the gap, going to the next leaf where this one ends: its index in
    /// [`Cursor::leaf`]. None: the tree ends here.
    pub(crate) fn peek_next(&mut self) -> Result<Option<usize>> {
        while self.index >= Node::new(&self.leaf).count() {
            if !self.next_leaf()? {
                return Ok(None);
            }
        }
        Ok(Some(self.index))
    }

    /// Moves over the entry that [`Cursor::peek_next`] showed.
    pub(crate) fn advance(&mut self) {
        self.index += 1;
    }

    /// The entry before the gap, going to the leaf before where this one begins.
    pub(crate) fn peek_back(&mut self) -> Result<Option<usize>> {
        while self.index == 0 {
            if !self.previous_leaf()? {
                return Ok(None);
            }
        }
        Ok(Some(self.index - 1))
    }

    /// Moves over the entry that [`Cursor::peek_back`] showed.
    pub(crate) fn retreat(&mut self) {
        self.index -= 1;
    }

    fn next_leaf(&mut self) -> Result<bool> {
        let depth = self.steps.len();
        for level in (0..depth).rev() {
            let (pointer, index) = self.steps[level];
            let child = {
                let page = self.view.pin(&pointer)?;
                let node = Node::new(&page);
                if index + 1 >= node.count() {
                    continue;
                }
                same_kind(&page, Pointer::decode(node.child(index + 1)))?
            };
            self.steps.truncate(level);
            self.steps.push((pointer, index + 1));
            (self.leaf, self.leaf_id) = descend(self.view, &mut self.steps, child, End::First)?;
            self.index = 0;
            return Ok(true);
        }
        Ok(false)
    }

    fn previous_leaf(&mut self) -> Result<bool> {
        let depth = self.steps.len();
        for level in (0..depth).rev() {
            let (pointer, index) = self.steps[level];
            if index == 0 {
                continue;
            }
            let child = {
                let page = self.view.pin(&pointer)?;
                same_kind(&page, Pointer::decode(Node::new(&page).child(index - 1)))?
            };
            self.steps.truncate(level);
            self.steps.push((pointer, index - 1));
            (self.leaf, self.leaf_id) = descend(self.view, &mut self.steps, child, End::Last)?;
            self.index = Node::new(&self.leaf).count();
            return Ok(true);
        }
        Ok(false)
    }
}

/// Goes down from `from` to a leaf, noting the inner nodes on the way.
fn descend<'p>(
    view: View<'p>,
    steps: &mut Vec<(Pointer, usize)>,
    from: Pointer,
    end: End<'_>,
) -> Result<(Rc<PageRef<'p>>, PageId)> {
    let mut at = from;
    let leaf = view.walk(&from, |page| {
        let node = Node::new(page);
        if node.is_leaf() {
            return Ok(None);
        }
        let index = match end {
            End::First => 0,
            End::Last => node.count() - 1,
            End::At(key) => node.child_index(key),
        };
        steps.push((at, index));
        at = same_kind(page, Pointer::decode(node.child(index)))?;
        Ok(Some(at))
    })?;
    Ok((Rc::new(leaf), at.page))
}
