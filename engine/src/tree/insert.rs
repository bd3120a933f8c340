//! Inserting and replacing: down to the leaf, and up again with counts and splits.

use cowslip_pager::{Child, Extent, Pointer};

use super::{Step, Tree, Writer};
use crate::{
    error::{Error, Result},
    kinds::{Sums, child_bytes, value_pages},
    node::{self, Halves, Node, NodeMut},
};

/// A value as it stands in a leaf: its bytes, or the encoding of the extent that holds them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) extent: bool,
}

/// A node split in two: what the parent has to learn.
pub(super) struct Split {
    pub(super) separator: Vec<u8>,
    pub(super) right: Pointer,
    pub(super) left_sums: Sums,
    pub(super) right_sums: Sums,
}

impl Tree {
    /// Puts `cell` under `key`. True: the key was there already, with another value.
    pub(crate) fn insert(
        &mut self,
        writer: &mut Writer<'_>,
        key: &[u8],
        cell: Cell<'_>,
    ) -> Result<bool> {
        if self.root.is_none() {
            let root = writer.txn.allocate(self.kind, 0, self.id)?;
            writer
                .txn
                .edit(&root, |page| NodeMut::init(page).insert(0, key, cell.bytes, cell.extent))?;
            self.root = root;
            return Ok(false);
        }
        let way = writer.find(self, key)?;
        let place = way.place;
        let (steps, leaf) = writer.own_way(self, way)?;
        let page_size = writer.page_size();
        let pages_of = |cell: Cell<'_>| value_pages(self.kind, cell.bytes, cell.extent, page_size);
        let mut old = None;
        let mut added = Sums { entries: 1, pages: pages_of(cell) };
        let (there, fits, index) = writer.txn.edit(&leaf, |page| {
            let node = Node::new(page);
            match place {
                Ok(index) => {
                    let (bytes, extent) = node.value(index);
                    added = added.plus(
                        Sums { entries: 1, pages: pages_of(Cell { bytes, extent }) }.negative(),
                    );
                    if extent {
                        old = Some(bytes.to_vec());
                    }
                    let mut node = NodeMut::new(page);
                    if node.set_value(index, cell.bytes, cell.extent) {
                        return (true, true, index);
                    }
                    node.remove(index);
                    let fits = node.insert(index, key, cell.bytes, cell.extent);
                    (true, fits, index)
                }
                Err(index) => {
                    let fits = NodeMut::new(page).insert(index, key, cell.bytes, cell.extent);
                    (false, fits, index)
                }
            }
        })?;
        if fits {
            self.ascend(writer, &steps, added, None)?;
        } else {
            let (split, entered) = self.split(writer, &leaf, index, key, cell)?;
            if entered {
                self.ascend(writer, &steps, added, Some(split))?;
            } else {
                // What was there is out, and the new entry is not in yet.
                let new = Sums { entries: 1, pages: pages_of(cell) };
                self.ascend(writer, &steps, added.plus(new.negative()), Some(split))?;
                self.insert(writer, key, cell)?;
            }
        }
        if let Some(old) = old {
            let extent = Extent::decode(&old, leaf.page, page_size)?;
            writer.drop_child(Child::Extent(extent))?;
        }
        Ok(there)
    }

    /// Splits a full node of the transaction, entering `key` at `index` on the way. False: it comes
    /// between the two halves, and is not entered yet; never in an inner node.
    fn split(
        &self,
        writer: &mut Writer<'_>,
        left: &Pointer,
        index: usize,
        key: &[u8],
        cell: Cell<'_>,
    ) -> Result<(Split, bool)> {
        let right = writer.txn.allocate(self.kind, left.level, self.id)?;
        let mut separator = Vec::new();
        let sides = writer.txn.edit_two(left, &right, |left, right| {
            let halves = node::split_insert(
                left,
                right,
                index,
                key,
                cell.bytes,
                cell.extent,
                &mut separator,
            );
            (halves, Sums::of_node(left), Sums::of_node(right))
        })?;
        let (halves, left_sums, right_sums) = sides;
        if halves == Halves::Unchanged {
            return Err(Error::corrupted(left.page.0, "order of a full node", 1, 0));
        }
        Ok((Split { separator, right, left_sums, right_sums }, halves == Halves::Entered))
    }

    /// Enters sums and splits in the inner nodes of a way down, from the leaf's parent up.
    pub(super) fn ascend(
        &mut self,
        writer: &mut Writer<'_>,
        steps: &[Step],
        mut added: Sums,
        mut split: Option<Split>,
    ) -> Result<()> {
        if added == Sums::NONE && split.is_none() {
            return Ok(());
        }
        for step in steps.iter().rev() {
            let Some(below) = split.take() else {
                writer.txn.edit(&step.node, |page| add_sums(page, step.index, added))?;
                continue;
            };
            let child = child_bytes(&below.right, below.right_sums);
            added = added.plus(Sums::pages(1));
            let fits = writer.txn.edit(&step.node, |page| {
                let mut node = NodeMut::new(page);
                below.left_sums.write(node.child_mut(step.index));
                node.insert(step.index + 1, &below.separator, &child, false)
            })?;
            if !fits {
                let cell = Cell { bytes: &child, extent: false };
                let index = step.index + 1;
                split = Some(self.split(writer, &step.node, index, &below.separator, cell)?.0);
            }
        }
        let Some(top) = split else { return Ok(()) };
        let left = self.root;
        let root = writer.txn.allocate(self.kind, left.level + 1, self.id)?;
        let children = [child_bytes(&left, top.left_sums), child_bytes(&top.right, top.right_sums)];
        let fits = writer.txn.edit(&root, |page| {
            let mut node = NodeMut::init(page);
            node.insert(0, &[], &children[0], false)
                && node.insert(1, &top.separator, &children[1], false)
        })?;
        if !fits {
            return Err(Error::corrupted(root.page.0, "room in a new root", 1, 0));
        }
        self.root = root;
        Ok(())
    }
}

/// Adds to a child's sums.
pub(super) fn add_sums(page: &mut [u8], index: usize, added: Sums) {
    let mut node = NodeMut::new(page);
    let child = node.child_mut(index);
    Sums::of_child(child).plus(added).write(child);
}
