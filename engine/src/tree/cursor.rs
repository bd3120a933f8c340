//! A place between two entries of a tree, that moves in both directions.
//!
//! The cursor pins its leaf and remembers the way to it by pointers; inner nodes are looked up
//! again when it passes from one leaf to the next. No epoch is held between calls (R4).

use std::rc::Rc;

use cowslip_pager::{PageId, Pointer, View};

use super::Tree;
use crate::{
    error::Result,
    kinds::same_kind,
    node::{Node, Rows},
    value::Leaf,
};

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
    path: Path,
    leaf: Rc<Leaf<'p>>,
    leaf_id: PageId,
    rows: Rows,
    /// The gap before the entry of this index.
    index: usize,
}

impl<'p> Cursor<'p> {
    /// A cursor in `tree`; none if the tree is empty.
    pub(crate) fn new(view: View<'p>, tree: &Tree, end: End<'_>) -> Result<Option<Cursor<'p>>> {
        if tree.root.is_none() {
            return Ok(None);
        }
        let mut path = Path::new();
        let (leaf, leaf_id) = descend(view, &mut path, tree.root, end)?;
        let rows = Rows::of(&leaf);
        let index = match end {
            End::First => 0,
            End::Last => rows.count(),
            End::At(key) => Node::new(&leaf).search(key).unwrap_or_else(|index| index),
        };
        Ok(Some(Cursor { view, path, leaf, leaf_id, rows, index }))
    }

    /// The leaf that the cursor stands in.
    #[inline]
    pub(crate) fn leaf(&self) -> &Rc<Leaf<'p>> {
        &self.leaf
    }

    pub(crate) fn leaf_id(&self) -> PageId {
        self.leaf_id
    }

    /// The entries of [`Cursor::leaf`].
    #[inline]
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    #[inline]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The entry behind the gap, going to the next leaf where this one ends: its index in
    /// [`Cursor::leaf`]. None: the tree ends here.
    pub(crate) fn peek_next(&mut self) -> Result<Option<usize>> {
        while self.index >= self.rows.count() {
            if !self.next_leaf()? {
                return Ok(None);
            }
        }
        Ok(Some(self.index))
    }

    /// Moves over the entry that [`Cursor::peek_next`] showed.
    #[inline]
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
        while let Some((pointer, index)) = self.path.pop() {
            let child = {
                let page = self.view.pin(&pointer)?;
                let node = Node::new(&page);
                if index + 1 >= node.count() {
                    continue;
                }
                // The one behind the next is asked for now: it will be needed when this one is read.
                if pointer.level == 1 && index + 2 < node.count() {
                    self.view.prefetch(&Pointer::decode(node.child(index + 2)));
                }
                same_kind(&page, Pointer::decode(node.child(index + 1)))?
            };
            self.path.push((pointer, index + 1));
            self.enter(child, End::First)?;
            self.index = 0;
            return Ok(true);
        }
        Ok(false)
    }

    fn previous_leaf(&mut self) -> Result<bool> {
        while let Some((pointer, index)) = self.path.pop() {
            if index == 0 {
                continue;
            }
            let child = {
                let page = self.view.pin(&pointer)?;
                same_kind(&page, Pointer::decode(Node::new(&page).child(index - 1)))?
            };
            self.path.push((pointer, index - 1));
            self.enter(child, End::Last)?;
            self.index = self.rows.count();
            return Ok(true);
        }
        Ok(false)
    }

    /// Goes down from `from`, which the path leads to, and stands in the leaf.
    fn enter(&mut self, from: Pointer, end: End<'_>) -> Result<()> {
        let looked_at = self.leaf.was_looked_at();
        (self.leaf, self.leaf_id) = descend(self.view, &mut self.path, from, end)?;
        self.rows = Rows::of(&self.leaf);
        if looked_at {
            // Values of the last leaf were read, so these will be as well.
            self.leaf.page().prefetch(0, self.leaf.len());
        }
        Ok(())
    }
}

/// Goes down from `from` to a leaf, noting the inner nodes on the way.
fn descend<'p>(
    view: View<'p>,
    path: &mut Path,
    from: Pointer,
    end: End<'_>,
) -> Result<(Rc<Leaf<'p>>, PageId)> {
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
        path.push((at, index));
        at = same_kind(page, Pointer::decode(node.child(index)))?;
        Ok(Some(at))
    })?;
    Ok((Leaf::new(leaf), at.page))
}

/// The inner nodes on the way to a leaf, and the child that was taken in each; without an allocation
/// for trees of usual heights.
struct Path {
    first: [(Pointer, usize); Path::INLINE],
    length: usize,
    deeper: Vec<(Pointer, usize)>,
}

impl Path {
    const INLINE: usize = 6;

    fn new() -> Path {
        Path { first: [(Pointer::NONE, 0); Path::INLINE], length: 0, deeper: Vec::new() }
    }

    #[inline]
    fn push(&mut self, step: (Pointer, usize)) {
        match self.first.get_mut(self.length) {
            Some(place) => {
                *place = step;
                self.length += 1;
            }
            None => self.deeper.push(step),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<(Pointer, usize)> {
        if let Some(step) = self.deeper.pop() {
            return Some(step);
        }
        self.length = self.length.checked_sub(1)?;
        Some(self.first[self.length])
    }
}
