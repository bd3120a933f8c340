//! A copy-on-write B-tree: a root, and the operations on what is below it.
//!
//! Readers follow pointers from a root that never changes. A writer reaches every page it changes
//! strictly top-down and *shadows* it on the way, so that its parent is its own already:
//!
//! ```text
//!   root        root'            a write copies the path to its leaf, once in a transaction;
//!   /  \        /  \             everything beside the path stays shared
//!  a    b  ->  a    b'
//!      / \         / \
//!     c   d       c   d'
//! ```
//!
//! Sums of entries and pages stand beside the child pointers, so `len` reads one page.

mod append;
mod cursor;
mod insert;
mod range;
mod remove;

use std::collections::VecDeque;

use cowslip_pager::{Child, PageRef, Pointer, Raw, Transaction, View, WALKS, mutant};

pub(crate) use cursor::{Cursor, End};
pub(crate) use insert::Cell;
pub(crate) use range::Span;

use crate::{
    error::{Error, Result},
    kinds::{self, Sums, same_kind},
    node::{self, Node},
};

/// A tree as its owner names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Kind of all its nodes.
    pub(crate) kind: u8,
    /// Its id, in the header of all nodes made for it.
    pub(crate) id: u64,
    /// Its top node, or none while it is empty.
    pub(crate) root: Pointer,
}

/// An entry found: the leaf, pinned, and the place in it.
pub(crate) struct Found<'p> {
    pub(crate) leaf: PageRef<'p>,
    pub(crate) index: usize,
}

/// What [`Tree::find_together`] knows of a key.
pub(crate) enum Lookup<'p> {
    Found(Found<'p>),
    Missing,
    /// A page of the way is not in memory.
    NotInMemory,
}

impl Tree {
    pub(crate) fn new(kind: u8, id: u64, root: Pointer) -> Tree {
        Tree { kind, id, root }
    }

    /// Looks a key up.
    pub(crate) fn get<'p>(&self, view: View<'p>, key: &[u8]) -> Result<Option<Found<'p>>> {
        if self.root.is_none() {
            return Ok(None);
        }
        let mut index = None;
        let leaf = view.walk(&self.root, |page| {
            let node = Node::new(page);
            if !node.is_leaf() {
                let child = Pointer::decode(node.child(node.child_index(key)));
                return same_kind(page, child).map(Some);
            }
            index = node.search(key).ok();
            Ok(None)
        })?;
        Ok(index.map(|index| Found { leaf, index }))
    }

    /// Looks up to [`WALKS`] keys up, side by side, as far as the pages are in memory.
    pub(crate) fn find_together<'p>(
        &self,
        view: View<'p>,
        keys: &[&[u8]],
    ) -> Result<[Lookup<'p>; WALKS]> {
        let mut found = [const { Lookup::Missing }; WALKS];
        if self.root.is_none() {
            return Ok(found);
        }
        let leaves = view.walk_together(&self.root, keys.len(), |walk, page| {
            let node = Node::new(page);
            if node.is_leaf() {
                return Ok(None);
            }
            let child = Pointer::decode(node.child(node.child_index(keys[walk])));
            same_kind(page, child).map(Some)
        })?;
        for (leaf, key) in leaves.iter().zip(keys) {
            if let Some(leaf) = leaf
                && let Some((rest, value)) = Node::new(leaf).guess(key)
            {
                leaf.prefetch(rest.start, rest.len());
                leaf.prefetch(value.start, value.len());
            }
        }
        for ((found, leaf), key) in found.iter_mut().zip(leaves).zip(keys) {
            *found = match leaf {
                None => Lookup::NotInMemory,
                Some(leaf) => match Node::new(&leaf).search(key) {
                    Ok(index) => Lookup::Found(Found { leaf, index }),
                    Err(_) => Lookup::Missing,
                },
            };
        }
        Ok(found)
    }

    /// Is there an entry with this key or one above?
    pub(crate) fn has_any_from(&self, view: View<'_>, key: &[u8]) -> Result<bool> {
        match Cursor::new(view, self, End::At(key))? {
            Some(mut cursor) => Ok(cursor.peek_next()?.is_some()),
            None => Ok(false),
        }
    }

    /// Makes the way to `key` the transaction's own.
    pub(crate) fn own(&mut self, writer: &mut Writer<'_>, key: &[u8]) -> Result<()> {
        if !self.root.is_none() {
            writer.descend(self, key)?;
        }
        Ok(())
    }

    /// Entries in the tree.
    pub(crate) fn len(&self, view: View<'_>) -> Result<u64> {
        Ok(self.sums(view)?.entries)
    }

    /// What is in the tree; reads its top page.
    pub(crate) fn sums(&self, view: View<'_>) -> Result<Sums> {
        if self.root.is_none() {
            return Ok(Sums::NONE);
        }
        Ok(Sums::of_node(&view.pin(&self.root)?))
    }

    /// Entries with keys below `key`.
    pub(crate) fn rank(&self, view: View<'_>, key: &[u8]) -> Result<u64> {
        if self.root.is_none() {
            return Ok(0);
        }
        // A step may be taken twice (once in memory, once after reading the page): the sum of each
        // level is kept by its own.
        let mut below = [0; kinds::LEVELS_MAX as usize + 1];
        view.walk(&self.root, |page| {
            let node = Node::new(page);
            let level = usize::from(node.level());
            if node.is_leaf() {
                below[level] = node.search(key).unwrap_or_else(|index| index) as u64;
                return Ok(None);
            }
            let index = node.child_index(key);
            let left = (0..index).map(|i| Sums::of_child(node.child(i)).entries);
            below[level] = left.fold(0, u64::wrapping_add);
            same_kind(page, Pointer::decode(node.child(index))).map(Some)
        })?;
        Ok(below.iter().fold(0, |sum: u64, level| sum.wrapping_add(*level)))
    }

    /// Checks that `root`, read from a record, is what this tree's top node must be.
    pub(crate) fn checked(self, at: u64) -> Result<Tree> {
        if !self.root.is_none() && self.root.kind != self.kind {
            return Err(Error::corrupted(
                at,
                "kind of a tree's root",
                self.kind.into(),
                self.root.kind.into(),
            ));
        }
        Ok(self)
    }
}

/// A writer's context: the transaction, what is known about sharing below the tree's root, and the
/// subtrees that lost their last owner in it and are not taken apart yet.
pub(crate) struct Writer<'t> {
    pub(crate) txn: &'t mut Transaction,
    /// R3: nothing below the root that is younger than this has more than one owner.
    pub(crate) shared_at: u64,
    /// Each entry owns one count of what it names.
    pub(crate) released: &'t mut VecDeque<Child>,
}

/// A step of a writer's way down: a page of its own, and the child that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    node: Pointer,
    index: usize,
}

/// The way to a key: the inner nodes, the leaf, and where in it the key is or else belongs.
struct Way {
    steps: Vec<Step>,
    leaf: Pointer,
    place: std::result::Result<usize, usize>,
}

impl Writer<'_> {
    pub(crate) fn page_size(&self) -> usize {
        self.txn.page_size()
    }

    /// Makes the way to the leaf that covers `key` writable. Returns the inner nodes on the way and the
    /// leaf.
    fn descend(&mut self, tree: &mut Tree, key: &[u8]) -> Result<(Vec<Step>, Pointer)> {
        let way = self.find(tree, key)?;
        self.own_way(tree, way)
    }

    /// Looks the way to `key` up, which must not be an empty tree's: nothing is changed.
    fn find(&self, tree: &Tree, key: &[u8]) -> Result<Way> {
        let mut way = Way { steps: Vec::with_capacity(4), leaf: tree.root, place: Err(0) };
        self.txn.view().walk(&tree.root, |page| {
            let node = Node::new(page);
            if node.is_leaf() {
                way.place = node.search(key);
                return Ok(None);
            }
            let index = node.child_index(key);
            let child = same_kind(page, Pointer::decode(node.child(index)))?;
            kinds::check_level(&way.leaf, &child)?;
            way.steps.push(Step { node: way.leaf, index });
            way.leaf = child;
            Ok(Some(child))
        })?;
        Ok(way)
    }

    /// Shadows all nodes of a way, from the top down, and enters each new pointer in its parent. Keys stay
    /// where they are.
    fn own_way(&mut self, tree: &mut Tree, way: Way) -> Result<(Vec<Step>, Pointer)> {
        let Way { mut steps, leaf, .. } = way;
        let mut own = self.txn.shadow(&tree.root, self.shared_at)?;
        tree.root = own;
        for i in 0..steps.len() {
            let child = steps.get(i + 1).map_or(leaf, |below| below.node);
            steps[i].node = own;
            own = self.shadow_child(&own, steps[i].index, &child)?;
        }
        Ok((steps, own))
    }

    /// Shadows a child and enters the copy in its parent, a page of the transaction.
    fn shadow_child(&mut self, parent: &Pointer, index: usize, child: &Pointer) -> Result<Pointer> {
        let own = self.txn.shadow(child, self.shared_at)?;
        if own != *child {
            self.txn.edit(parent, |page| {
                node::NodeMut::new(page).child_mut(index)[..Pointer::SIZE]
                    .copy_from_slice(&own.encode());
            })?;
        }
        Ok(own)
    }

    /// Reads a page of the transaction.
    fn read<R>(&self, pointer: &Pointer, read: impl FnOnce(&Node<'_>) -> R) -> Result<R> {
        let page = self.txn.view().pin(pointer)?;
        Ok(read(&Node::new(&page)))
    }

    /// Drops an owner of what `child` names. If it was the last one, what it pointed to follows, up
    /// to a few nodes at once; the rest is queued for later slices.
    pub(crate) fn drop_child(&mut self, child: Child) -> Result<()> {
        self.released.push_back(child);
        self.drop_released(DROP_AT_ONCE)
    }

    /// Takes apart up to `budget` nodes of the queue; plain leaves go with their parent. Either all
    /// children of a node lose this owner, or (still queued) none (R2).
    pub(crate) fn drop_released(&mut self, budget: usize) -> Result<()> {
        let mut done = 0;
        while done < budget {
            // The newest first: the queue then stays as short as a path is long.
            let Some(child) = self.released.pop_back() else { return Ok(()) };
            done += 1;
            match child {
                Child::Extent(extent) => {
                    self.txn.release_extent(&extent)?;
                }
                Child::Raw(raw) => done += self.drop_raw(raw)? / DATA_PER_NODE,
                Child::Node(pointer) => {
                    let (mut children, mut leaves) = (Vec::new(), Vec::new());
                    if self.txn.count(pointer.page)? == 1 || mutant!(ChildrenDroppedThoughShared) {
                        let page = self.txn.view().pin(&pointer)?;
                        kinds::children_to_drop(&page, &mut children, &mut leaves)?;
                    }
                    let last = self.txn.release(&pointer)?;
                    if last && !mutant!(ChildrenNotDropped) || mutant!(ChildrenDroppedThoughShared)
                    {
                        done += leaves.len() / LEAVES_PER_NODE;
                        leaves.iter().try_for_each(|leaf| self.txn.release(leaf).map(drop))?;
                        self.released.extend(children);
                    }
                }
            }
        }
        Ok(())
    }

    /// Drops an owner of a raw page. The children of the last one follow: data at once, since a page
    /// of it is nothing to take apart; tables later. How many pages of data lost an owner.
    fn drop_raw(&mut self, raw: Raw) -> Result<usize> {
        let mut bytes = Vec::new();
        if raw.height > 0 && self.txn.count(raw.page)? == 1 {
            bytes.resize(self.txn.page_size(), 0);
            self.txn.read_raw(raw.page, &mut bytes)?;
        }
        if !self.txn.release_raw(raw)? || bytes.is_empty() {
            return Ok(0);
        }
        let mut data = 0;
        let mut children = Vec::new();
        raw.children(&bytes, &mut |_, child| {
            children.push(child);
            Ok(())
        })?;
        for child in children {
            if child.height == 0 {
                self.txn.release_raw(child)?;
                data += 1;
            } else {
                self.released.push_back(Child::Raw(child));
            }
        }
        Ok(data)
    }
}

/// So many pages of data are as much work as a node.
const DATA_PER_NODE: usize = 64;

/// So many plain leaves, which need not be read, are as much work as a node.
const LEAVES_PER_NODE: usize = 3;

/// Nodes taken apart inside the transaction that dropped them.
const DROP_AT_ONCE: usize = 64;
