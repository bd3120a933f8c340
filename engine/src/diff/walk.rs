//! Two trees walked together, what both share skipped.
//!
//! Each side is at a *place*: before a subtree (named by its pointer, with a lower bound of its
//! keys) or before an entry. Two equal pointers at the two places are skipped unread: pages are
//! immutable, so below them nothing differs. Otherwise the higher subtree is opened, or of two
//! equally high ones the one that begins lower, so that shared subtrees meet again even where the
//! trees' heights differ. The cost follows what changed.

use std::cmp::Ordering;

use cowslip_pager::{Extent, Pager, Pointer, View, page::Header};

use crate::{
    error::{Error, Result},
    kinds::{check_level, same_kind},
    meta::TableRecord,
    node::Node,
    tree::Span,
    value::{self, Stored},
};

/// A value taken out of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    Inline(Vec<u8>),
    Extent(Extent),
}

impl Kept {
    /// Its bytes; [`Error::ValueTooLarge`] if they are too many to be had at once.
    pub(crate) fn read(self, pager: &Pager) -> Result<Vec<u8>> {
        match self {
            Kept::Inline(bytes) => Ok(bytes),
            Kept::Extent(extent) => value::read_extent(pager, &extent),
        }
    }
}

/// A key whose cells differ. Two different extents may still hold the same bytes.
pub(crate) struct Difference {
    pub(crate) key: Vec<u8>,
    pub(crate) old: Option<Kept>,
    pub(crate) new: Option<Kept>,
}

/// What stands next on a side.
pub(crate) enum Place<'w> {
    Subtree { pointer: Pointer, low: &'w [u8] },
    Entry { key: &'w [u8] },
}

/// A walk through a span of a tree that can pass by subtrees.
pub(crate) struct Walk {
    /// The root, until it is opened.
    root: Option<Pointer>,
    span: Span,
    /// The open nodes, outermost first: copies, so that nothing stays pinned between calls.
    open: Vec<Open>,
    /// The key of the entry that stands next.
    key: Vec<u8>,
}

struct Open {
    bytes: Vec<u8>,
    /// The next entry or child.
    index: usize,
    /// The lower bound of the next child's keys.
    low: Vec<u8>,
}

impl Walk {
    pub(crate) fn new(root: Pointer, span: Span) -> Walk {
        let root = Some(root).filter(|root| !root.is_none() && !span.is_empty());
        Walk { root, span, open: Vec::new(), key: Vec::new() }
    }

    /// What stands next; none at the end. Nodes that are passed through are closed.
    pub(crate) fn place(&mut self) -> Option<Place<'_>> {
        if let Some(pointer) = self.root {
            return Some(Place::Subtree { pointer, low: &[] });
        }
        while self.open.last().is_some_and(|open| open.index >= Node::new(&open.bytes).count()) {
            self.open.pop();
        }
        let open = self.open.last()?;
        let node = Node::new(&open.bytes);
        let leaf = node.is_leaf();
        if leaf {
            node.write_key(open.index, &mut self.key);
        }
        let at = if leaf { &self.key } else { &open.low };
        if self.span.to.as_ref().is_some_and(|to| at >= to) {
            self.open.clear();
            return None;
        }
        let open = self.open.last()?;
        if leaf {
            return Some(Place::Entry { key: &self.key });
        }
        let pointer = Pointer::decode(Node::new(&open.bytes).child(open.index));
        Some(Place::Subtree { pointer, low: &open.low })
    }

    /// The key behind which the subtree that stands next ends; none: it has no end.
    pub(crate) fn high(&self) -> Option<Vec<u8>> {
        let (last, above) = self.open.split_last()?;
        let node = Node::new(&last.bytes);
        if last.index + 1 < node.count() {
            let mut key = Vec::new();
            node.write_key(last.index + 1, &mut key);
            return Some(key);
        }
        // These stand behind the child that is open.
        let more = |open: &&Open| open.index < Node::new(&open.bytes).count();
        above.iter().rev().find(more).map(|open| open.low.clone())
    }

    /// Passes by the next subtree or entry.
    pub(crate) fn skip(&mut self) {
        if self.root.take().is_some() {
            return;
        }
        let Some(open) = self.open.last_mut() else { return };
        open.index += 1;
        let node = Node::new(&open.bytes);
        if !node.is_leaf() && open.index < node.count() {
            node.write_key(open.index, &mut open.low);
        }
    }

    /// Opens the next subtree.
    pub(crate) fn open(&mut self, view: View<'_>) -> Result<()> {
        let (pointer, mut low) = match (self.root, self.open.last()) {
            (Some(root), _) => (root, Vec::new()),
            (None, Some(open)) => {
                let child = Pointer::decode(Node::new(&open.bytes).child(open.index));
                check_level(&Header::read(&open.bytes).pointer, &child)?;
                (same_kind(&open.bytes, child)?, open.low.clone())
            }
            (None, None) => return Ok(()),
        };
        let bytes = view.pin(&pointer)?.to_vec();
        self.root = None;
        // What is below is visited before what comes next here.
        if let Some(open) = self.open.last_mut() {
            open.index += 1;
            let node = Node::new(&open.bytes);
            if open.index < node.count() {
                node.write_key(open.index, &mut open.low);
            }
        }
        let node = Node::new(&bytes);
        let index = if self.span.from.is_empty() {
            0
        } else if node.is_leaf() {
            node.search(&self.span.from).unwrap_or_else(|index| index)
        } else {
            node.child_index(&self.span.from)
        };
        if index > 0 && index < node.count() && !node.is_leaf() {
            node.write_key(index, &mut low);
        }
        self.open.push(Open { bytes, index, low });
        Ok(())
    }

    /// The next entry's value as it stands in the leaf.
    fn cell(&self) -> Option<(&[u8], bool)> {
        self.open.last().map(|open| Node::new(&open.bytes).value(open.index))
    }

    /// The next entry's value.
    pub(crate) fn value(&self) -> Result<Kept> {
        let Some(open) = self.open.last() else { return Ok(Kept::Inline(Vec::new())) };
        Ok(match value::stored(&open.bytes, open.index)? {
            Stored::Inline(bytes) => Kept::Inline(bytes.to_vec()),
            Stored::Extent(extent) => Kept::Extent(extent),
        })
    }

    /// Takes the next entry.
    fn take(&mut self) -> Result<(Vec<u8>, Kept)> {
        let value = self.value()?;
        let key = std::mem::take(&mut self.key);
        self.skip();
        Ok((key, value))
    }
}

/// The next key whose cells differ.
pub(crate) fn next_difference(
    view: View<'_>,
    old: &mut Walk,
    new: &mut Walk,
) -> Result<Option<Difference>> {
    let removed = |old: &mut Walk| {
        let (key, value) = old.take()?;
        Ok(Some(Difference { key, old: Some(value), new: None }))
    };
    let added = |new: &mut Walk| {
        let (key, value) = new.take()?;
        Ok(Some(Difference { key, old: None, new: Some(value) }))
    };
    loop {
        match (old.place(), new.place()) {
            (None, None) => return Ok(None),
            (Some(Place::Subtree { .. }), None) => old.open(view)?,
            (None, Some(Place::Subtree { .. })) => new.open(view)?,
            (Some(Place::Entry { .. }), None) => return removed(old),
            (None, Some(Place::Entry { .. })) => return added(new),
            (
                Some(Place::Subtree { pointer: a, low: low_a }),
                Some(Place::Subtree { pointer: b, low: low_b }),
            ) => {
                if a == b {
                    old.skip();
                    new.skip();
                    continue;
                }
                match b.level.cmp(&a.level).then_with(|| low_a.cmp(low_b)) {
                    Ordering::Less => old.open(view)?,
                    Ordering::Greater => new.open(view)?,
                    Ordering::Equal => {
                        old.open(view)?;
                        new.open(view)?;
                    }
                }
            }
            (Some(Place::Entry { key }), Some(Place::Subtree { low, .. })) => {
                if key < low {
                    return removed(old);
                }
                new.open(view)?;
            }
            (Some(Place::Subtree { low, .. }), Some(Place::Entry { key })) => {
                if key < low {
                    return added(new);
                }
                old.open(view)?;
            }
            (Some(Place::Entry { key: a }), Some(Place::Entry { key: b })) => match a.cmp(b) {
                Ordering::Less => return removed(old),
                Ordering::Greater => return added(new),
                Ordering::Equal => {
                    // The same extent is the same value, unread.
                    if old.cell() == new.cell() {
                        old.skip();
                        new.skip();
                        continue;
                    }
                    let ((key, before), (_, after)) = (old.take()?, new.take()?);
                    return Ok(Some(Difference { key, old: Some(before), new: Some(after) }));
                }
            },
        }
    }
}

/// The record of a machine, from an entry of a catalog; none of a table.
pub(crate) fn machine_of(value: Option<&Kept>) -> Result<Option<TableRecord>> {
    match value {
        Some(Kept::Inline(bytes)) => {
            let record = TableRecord::decode(bytes, cowslip_pager::PageId::NONE)?;
            Ok(record.is_machine().then_some(record))
        }
        _ => Ok(None),
    }
}

/// A table's tree, from an entry of a catalog; of a machine, which has none, as if nothing were
/// there.
pub(crate) fn table_of(value: Option<&Kept>) -> Result<Option<Pointer>> {
    match value {
        None => Ok(None),
        Some(Kept::Inline(bytes)) => {
            let record = TableRecord::decode(bytes, cowslip_pager::PageId::NONE)?;
            if record.is_machine() {
                return Ok(None);
            }
            let tree = crate::tree::Tree::new(crate::kinds::TABLE, record.id, record.root);
            Ok(Some(tree.checked(0)?.root))
        }
        Some(Kept::Extent(extent)) => {
            Err(Error::corrupted(extent.head().0, "a record as a large value", 0, 1))
        }
    }
}
