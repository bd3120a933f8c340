//! Removing a key; and mending: nodes that ran low are merged with a neighbour, empty ones go.

use cowslip_pager::{Child, Extent, Pointer, mutant};

use super::{Step, Tree, Writer, insert::add_sums};
use crate::{
    error::Result,
    kinds::{Sums, check_level, same_kind, value_pages},
    node::{self, HEADER, Node, NodeMut},
};

impl Tree {
    /// Removes `key`. True: it was there.
    pub(crate) fn remove(&mut self, writer: &mut Writer<'_>, key: &[u8]) -> Result<bool> {
        if self.root.is_none() {
            return Ok(false);
        }
        // Look before shadowing: removing what is not there must copy nothing.
        let way = writer.find(self, key)?;
        let Ok(index) = way.place else { return Ok(false) };
        let (steps, leaf) = writer.own_way(self, way)?;
        let page_size = writer.page_size();
        let mut old = None;
        let mut gone = Sums { entries: 1, pages: 0 };
        let used = writer.txn.edit(&leaf, |page| {
            let node = Node::new(page);
            let (value, extent) = node.value(index);
            gone.pages = value_pages(self.kind, value, extent, page_size);
            if extent {
                old = Some(value.to_vec());
            }
            let mut node = NodeMut::new(page);
            node.remove(index);
            node.view().used()
        })?;
        for step in &steps {
            writer.txn.edit(&step.node, |page| add_sums(page, step.index, gone.negative()))?;
        }
        if used < low_mark(page_size) {
            self.mend(writer, &steps, leaf, key)?;
        }
        if let Some(old) = old {
            let extent = Extent::decode(&old, leaf.page, page_size)?;
            writer.drop_child(Child::Extent(extent))?;
        }
        Ok(true)
    }

    /// Walks the writable way to `key` from the bottom up: drops empty nodes, merges low ones, and at
    /// the top takes off roots with a single child.
    pub(super) fn mend(
        &mut self,
        writer: &mut Writer<'_>,
        steps: &[Step],
        lowest: Pointer,
        key: &[u8],
    ) -> Result<()> {
        let mut node = lowest;
        // Nodes below that are gone, and still counted in the cells above.
        let mut gone = 0u64;
        let mut emptied = false;
        let mut low = true;
        for step in steps.iter().rev() {
            if gone > 0 && !mutant!(GoneNodeStaysCounted) {
                let lost = Sums::pages(gone).negative();
                writer.txn.edit(&step.node, |page| add_sums(page, step.index, lost))?;
            } else if !low {
                break;
            }
            if low {
                let (count, used) = writer.read(&node, |node| (node.count(), node.used()))?;
                if count == 0 {
                    writer.txn.edit(&step.node, |page| NodeMut::new(page).remove(step.index))?;
                    writer.txn.release(&node)?;
                    gone += 1;
                    emptied = true;
                } else if used < low_mark(writer.page_size()) {
                    let merged = self.merge_with_neighbour(writer, step, &node, used)?;
                    gone += u64::from(merged);
                } else {
                    // What is above has changed by its sums only.
                    low = false;
                }
            }
            node = step.node;
        }
        if writer.read(&self.root, |node| node.count())? == 0 {
            writer.txn.release(&self.root)?;
            self.root = Pointer::NONE;
            return Ok(());
        }
        self.take_off_root(writer)?;
        if emptied && !mutant!(InheritorNotRewritten) {
            // The keys of the node that went belong to its neighbour now: I11.
            self.own(writer, key)?;
        }
        Ok(())
    }

    /// Merges a low node with the neighbour on its right, or else on its left, if they fit. True:
    /// one node is gone.
    fn merge_with_neighbour(
        &mut self,
        writer: &mut Writer<'_>,
        step: &Step,
        node: &Pointer,
        used: usize,
    ) -> Result<bool> {
        let siblings = writer.read(&step.node, |parent| parent.count())?;
        for right_index in [step.index + 1, step.index] {
            if right_index == 0 || right_index >= siblings {
                continue;
            }
            let other_index = if right_index == step.index { step.index - 1 } else { right_index };
            let (other, separator) = {
                let page = writer.txn.view().pin(&step.node)?;
                let parent = Node::new(&page);
                let mut separator = Vec::new();
                parent.write_key(right_index, &mut separator);
                let other = Pointer::decode(parent.child(other_index));
                check_level(&step.node, &other)?;
                (same_kind(&page, other)?, separator)
            };
            let other_used = writer.read(&other, |node| node.used())?;
            if used + other_used - HEADER > writer.page_size() / 8 * 7 {
                continue;
            }
            let other = writer.shadow_child(&step.node, other_index, &other)?;
            let (left, right) =
                if other_index > step.index { (*node, other) } else { (other, *node) };
            let merged = writer
                .txn
                .edit_two(&left, &right, |left, right| node::merge(left, right, &separator))?;
            if merged {
                writer.txn.edit(&step.node, |page| {
                    let mut parent = NodeMut::new(page);
                    let moved = Sums::of_child(parent.child_mut(right_index));
                    parent.remove(right_index);
                    add_sums(page, right_index - 1, moved.plus(Sums::pages(1).negative()));
                })?;
                writer.txn.release(&right)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A root with one child gives way to the child.
    fn take_off_root(&mut self, writer: &mut Writer<'_>) -> Result<()> {
        while self.root.level > 0 {
            let only = {
                let page = writer.txn.view().pin(&self.root)?;
                let node = Node::new(&page);
                if node.count() != 1 {
                    return Ok(());
                }
                same_kind(&page, Pointer::decode(node.child(0)))?
            };
            // The root is the transaction's own; its count of the child passes to the tree.
            let root = self.root;
            writer.txn.release(&root)?;
            self.root = only;
        }
        Ok(())
    }
}

/// A node that uses fewer bytes is merged with a neighbour, if both fit one page.
fn low_mark(page_size: usize) -> usize {
    page_size / 3
}
