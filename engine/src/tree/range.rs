//! Removing a range of keys: whole subtrees inside it are dropped unread.

use cowslip_pager::{Child, Extent, Pointer};

use super::{Tree, Writer, insert::add_sums};
use crate::{
    error::Result,
    kinds::{Sums, check_level, same_kind, value_pages},
    node::{Node, NodeMut},
};

/// `from` inclusive, `to` exclusive; `None` = no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Option<Vec<u8>>,
}

impl Span {
    /// All keys.
    pub(crate) fn all() -> Span {
        Span { from: Vec::new(), to: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }
}

/// What is known about a node's own bounds.
#[derive(Clone, Copy)]
struct Inside {
    /// No key of the node lies below the span.
    from: bool,
    /// No key of the node lies above the span.
    to: bool,
}

impl Tree {
    /// Removes all keys of `span`; returns how many there were.
    pub(crate) fn remove_range(&mut self, writer: &mut Writer<'_>, span: &Span) -> Result<u64> {
        if self.root.is_none() || span.is_empty() {
            return Ok(0);
        }
        let whole = Inside { from: span.from.is_empty(), to: span.to.is_none() };
        if whole.from && whole.to {
            let removed = self.len(writer.txn.view())?;
            let root = std::mem::take(&mut self.root);
            writer.drop_child(Child::Node(root))?;
            return Ok(removed);
        }
        let root = writer.txn.shadow(&self.root, writer.shared_at)?;
        self.root = root;
        let removed = prune(writer, &root, span, whole)?.entries;
        let empty = writer.read(&root, |node| node.count() == 0)?;
        if empty {
            writer.txn.release(&root)?;
            self.root = Pointer::NONE;
            return Ok(removed);
        }
        // The nodes at the two edges may have run low.
        if removed > 0 {
            for edge in [Some(&span.from), span.to.as_ref()].into_iter().flatten() {
                if !self.root.is_none() {
                    let (steps, leaf) = writer.descend(self, edge)?;
                    // The leaves that inherit the range are new by this: I11.
                    self.mend(writer, &steps, leaf, edge)?;
                }
            }
        }
        Ok(removed)
    }
}

/// Removes the span's keys below a node of the transaction; the node may become empty.
/// Returns what is gone from in and below it, itself not counted.
fn prune(writer: &mut Writer<'_>, node: &Pointer, span: &Span, inside: Inside) -> Result<Sums> {
    if node.level == 0 {
        return prune_leaf(writer, node, span);
    }
    // First and last child that can hold keys of the span.
    let (first, last, count) = writer.read(node, |node| {
        let last = match &span.to {
            None => node.count() - 1,
            Some(to) => node.child_index(to),
        };
        (node.child_index(&span.from), last, node.count())
    })?;
    let at = *node;
    let mut removed = Sums::NONE;
    let mut gone = Vec::new();
    for index in first..=last {
        let (child, sums, whole) = {
            let page = writer.txn.view().pin(node)?;
            let node = Node::new(&page);
            let mut key = Vec::new();
            let from = if index == 0 {
                inside.from
            } else {
                node.write_key(index, &mut key);
                key >= span.from
            };
            let to = match &span.to {
                None => true,
                Some(_) if index + 1 == count => inside.to,
                Some(to) => {
                    node.write_key(index + 1, &mut key);
                    key <= *to
                }
            };
            let child = node.child(index);
            let pointer = same_kind(&page, Pointer::decode(child))?;
            check_level(&at, &pointer)?;
            (pointer, Sums::of_child(child), Inside { from, to })
        };
        if whole.from && whole.to {
            writer.drop_child(Child::Node(child))?;
            removed = removed.plus(sums);
            gone.push(index);
            continue;
        }
        let own = writer.shadow_child(node, index, &child)?;
        let below = prune(writer, &own, span, whole)?;
        if writer.read(&own, |node| node.count() == 0)? {
            writer.txn.release(&own)?;
            removed = removed.plus(sums);
            gone.push(index);
        } else if below != Sums::NONE {
            removed = removed.plus(below);
            writer.txn.edit(node, |page| add_sums(page, index, below.negative()))?;
        }
    }
    if !gone.is_empty() {
        writer.txn.edit(node, |page| {
            let mut node = NodeMut::new(page);
            for index in gone.into_iter().rev() {
                node.remove(index);
            }
        })?;
    }
    Ok(removed)
}

fn prune_leaf(writer: &mut Writer<'_>, leaf: &Pointer, span: &Span) -> Result<Sums> {
    let page_size = writer.page_size();
    let mut extents = Vec::new();
    let mut pages = 0u64;
    let entries = writer.txn.edit(leaf, |page| {
        let node = Node::new(page);
        let at = |key: &[u8]| node.search(key).unwrap_or_else(|index| index);
        let from = at(&span.from);
        let to = span.to.as_ref().map_or(node.count(), |to| at(to)).max(from);
        for index in from..to {
            let (value, extent) = node.value(index);
            pages = pages.wrapping_add(value_pages(leaf.kind, value, extent, page_size));
            if extent {
                extents.push(value.to_vec());
            }
        }
        NodeMut::new(page).remove_range(from..to);
        (to - from) as u64
    })?;
    for bytes in extents {
        let extent = Extent::decode(&bytes, leaf.page, page_size)?;
        writer.drop_child(Child::Extent(extent))?;
    }
    Ok(Sums { entries, pages })
}
