//! The differences between two versions: two trees walked together, what both share skipped.
//!
//! Each side is at a *place*: before a subtree (named by its pointer, with a lower bound of its
//! keys) or before an entry. Two equal pointers at the two places are skipped unread: pages are
//! immutable, so below them nothing differs. Otherwise the higher subtree is opened, or of two
//! equally high ones the one that begins lower, so that shared subtrees meet again even where the
//! trees' heights differ. The cost follows what changed.

use std::{cmp::Ordering, collections::VecDeque, iter::Peekable, vec};

use cowslip_pager::{Extent, Pager, Pointer, Reader, View};

use crate::{
    draft,
    error::Result,
    kinds::{CATALOG, same_kind},
    node::Node,
    tree::Tree,
    value,
};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: String,
    /// The key.
    pub key: Vec<u8>,
    /// The value on the first side; none if the key was added.
    pub old: Option<Vec<u8>>,
    /// The value on the second side; none if the key was removed.
    pub new: Option<Vec<u8>>,
}

/// An iterator over the differences, by table and key. It keeps the version that it reads from
/// being used again, and holds one page for each level of the trees.
pub struct Diff {
    reader: Reader,
    tables: Peekable<vec::IntoIter<Pair>>,
    current: Option<(String, Walk, Walk)>,
    done: bool,
}

/// A table with its trees on both sides.
struct Pair {
    name: String,
    old: Option<Tree>,
    new: Option<Tree>,
}

impl Diff {
    pub(crate) fn new(reader: Reader, from: Pointer, to: Pointer) -> Result<Diff> {
        let mut pairs = Vec::new();
        if from != to {
            let view = reader.view();
            let from = Tree::new(CATALOG, 0, from).checked(0)?;
            let to = Tree::new(CATALOG, 0, to).checked(0)?;
            let mut names = draft::table_names(view, &from)?;
            names.extend(draft::table_names(view, &to)?);
            names.sort_unstable();
            names.dedup();
            for name in names {
                let old = draft::find_table(view, &from, &name)?;
                let new = draft::find_table(view, &to, &name)?;
                if old.map(|tree| tree.root) != new.map(|tree| tree.root) {
                    pairs.push(Pair { name, old, new });
                }
            }
        }
        Ok(Diff { reader, tables: pairs.into_iter().peekable(), current: None, done: false })
    }

    fn step(&mut self) -> Result<Option<Change>> {
        loop {
            let Some((table, old, new)) = &mut self.current else {
                let Some(pair) = self.tables.next() else { return Ok(None) };
                let walk = |tree: Option<Tree>| Walk::new(tree.map(|tree| tree.root));
                self.current = Some((pair.name, walk(pair.old), walk(pair.new)));
                continue;
            };
            match next_difference(&self.reader, old, new)? {
                Some((key, old, new)) => {
                    return Ok(Some(Change { table: table.clone(), key, old, new }));
                }
                None => self.current = None,
            }
        }
    }
}

impl Iterator for Diff {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let result = self.step().transpose();
        // A value too large to be read whole is passed by; what is behind it can still be had.
        if !matches!(result, Some(Ok(_) | Err(crate::Error::ValueTooLarge { .. }))) {
            self.done = true;
        }
        result
    }
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diff").finish_non_exhaustive()
    }
}

type Difference = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

fn next_difference(reader: &Reader, old: &mut Walk, new: &mut Walk) -> Result<Option<Difference>> {
    let (view, pager) = (reader.view(), reader.pager());
    loop {
        let (left, right) = (old.place(), new.place());
        match (left, right) {
            (None, None) => return Ok(None),
            (Some(Place::Subtree { .. }), None) => old.open(view)?,
            (None, Some(Place::Subtree { .. })) => new.open(view)?,
            (Some(Place::Entry { .. }), None) => {
                let (key, value) = old.take(pager)?;
                return Ok(Some((key, Some(value), None)));
            }
            (None, Some(Place::Entry { .. })) => {
                let (key, value) = new.take(pager)?;
                return Ok(Some((key, None, Some(value))));
            }
            (
                Some(Place::Subtree { pointer: a, low: low_a }),
                Some(Place::Subtree { pointer: b, low: low_b }),
            ) => {
                if a == b {
                    old.skip();
                    new.skip();
                    continue;
                }
                let order = b.level.cmp(&a.level).then_with(|| low_a.cmp(low_b));
                match order {
                    Ordering::Less => old.open(view)?,
                    Ordering::Greater => new.open(view)?,
                    Ordering::Equal => {
                        old.open(view)?;
                        new.open(view)?;
                    }
                }
            }
            (Some(Place::Entry { key }), Some(Place::Subtree { low, .. })) => {
                if key.as_slice() < low {
                    let (key, value) = old.take(pager)?;
                    return Ok(Some((key, Some(value), None)));
                }
                new.open(view)?;
            }
            (Some(Place::Subtree { low, .. }), Some(Place::Entry { key })) => {
                if key.as_slice() < low {
                    let (key, value) = new.take(pager)?;
                    return Ok(Some((key, None, Some(value))));
                }
                old.open(view)?;
            }
            (Some(Place::Entry { key: a }), Some(Place::Entry { key: b })) => match a.cmp(&b) {
                Ordering::Less => {
                    let (key, value) = old.take(pager)?;
                    return Ok(Some((key, Some(value), None)));
                }
                Ordering::Greater => {
                    let (key, value) = new.take(pager)?;
                    return Ok(Some((key, None, Some(value))));
                }
                Ordering::Equal => {
                    // The same extent is the same value, unread.
                    if old.cell() == new.cell() {
                        old.skip();
                        new.skip();
                        continue;
                    }
                    let (before, after) = (old.take(pager), new.take(pager));
                    let ((key, before), (_, after)) = (before?, after?);
                    if before != after {
                        return Ok(Some((key, Some(before), Some(after))));
                    }
                }
            },
        }
    }
}

/// What stands next on a side.
enum Place<'w> {
    Subtree { pointer: Pointer, low: &'w [u8] },
    Entry { key: Vec<u8> },
}

/// A walk through a tree that can pass by subtrees.
struct Walk {
    /// The root, until it is opened.
    root: Option<Pointer>,
    /// The open nodes, outermost first: copies, so that nothing stays pinned between calls.
    open: VecDeque<Open>,
}

struct Open {
    bytes: Vec<u8>,
    /// The next entry or child.
    index: usize,
    /// The lower bound of the next child's keys.
    low: Vec<u8>,
}

impl Walk {
    fn new(root: Option<Pointer>) -> Walk {
        Walk { root: root.filter(|root| !root.is_none()), open: VecDeque::new() }
    }

    /// What stands next; none at the end. Nodes that are passed through are closed.
    fn place(&mut self) -> Option<Place<'_>> {
        if let Some(pointer) = self.root {
            return Some(Place::Subtree { pointer, low: &[] });
        }
        while self.open.back().is_some_and(|open| open.index >= Node::new(&open.bytes).count()) {
            self.open.pop_back();
        }
        let open = self.open.back()?;
        let node = Node::new(&open.bytes);
        if node.is_leaf() {
            let mut key = Vec::new();
            node.write_key(open.index, &mut key);
            return Some(Place::Entry { key });
        }
        let pointer = Pointer::decode(node.child(open.index));
        Some(Place::Subtree { pointer, low: &open.low })
    }

    /// Passes by the next subtree or entry.
    fn skip(&mut self) {
        if self.root.take().is_some() {
            return;
        }
        let Some(open) = self.open.back_mut() else { return };
        open.index += 1;
        let node = Node::new(&open.bytes);
        if !node.is_leaf() && open.index < node.count() {
            node.write_key(open.index, &mut open.low);
        }
    }

    /// Opens the next subtree.
    fn open(&mut self, view: View<'_>) -> Result<()> {
        let (pointer, low) = match (self.root, self.open.back()) {
            (Some(root), _) => (root, Vec::new()),
            (None, Some(open)) => {
                let child = Pointer::decode(Node::new(&open.bytes).child(open.index));
                let level = Node::new(&open.bytes).level();
                if child.level >= level {
                    return Err(crate::Error::corrupted(
                        child.page.0,
                        "level of a child",
                        u64::from(level) - 1,
                        child.level.into(),
                    ));
                }
                (same_kind(&open.bytes, child)?, open.low.clone())
            }
            (None, None) => return Ok(()),
        };
        let bytes = view.pin(&pointer)?.to_vec();
        self.skip();
        self.open.push_back(Open { bytes, index: 0, low });
        Ok(())
    }

    /// The next entry's value as it stands in the leaf.
    fn cell(&self) -> Option<(&[u8], bool)> {
        self.open.back().map(|open| Node::new(&open.bytes).value(open.index))
    }

    /// Takes the next entry.
    fn take(&mut self, pager: &Pager) -> Result<(Vec<u8>, Vec<u8>)> {
        let Some(open) = self.open.back() else { return Ok(Default::default()) };
        let node = Node::new(&open.bytes);
        let mut key = Vec::new();
        node.write_key(open.index, &mut key);
        let (cell, extent) = node.value(open.index);
        let value = if extent {
            let page = cowslip_pager::page::Header::read(&open.bytes).pointer.page;
            Extent::decode(cell, page, open.bytes.len())
                .map_err(Into::into)
                .and_then(|extent| value::read_extent(pager, &extent))
        } else {
            Ok(cell.to_vec())
        };
        self.skip();
        Ok((key, value?))
    }
}
