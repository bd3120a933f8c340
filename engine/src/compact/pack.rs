//! Leaves of a table that are not full, packed into fewer.
//!
//! ```text
//!        parent                       parent'
//!      /   |   |  \                   /    \
//!  [## ] [#  ] [## ] [# ]   ->    [#####] [#  ]
//! ```
//!
//! One parent's leaves at a time, and only where nobody shares any of them: a packed leaf equals none of those
//! that a snapshot has. Leaves that hold large values are left as they are; they are small beside these.

use cowslip_pager::Pointer;

use super::Mover;
use crate::{
    error::Result,
    kinds::{Sums, TABLE, check_level, child_bytes, same_kind},
    node::{self, HEADER, Node, NodeMut},
};

/// Bytes of leaves that are packed together.
const TOGETHER: usize = 8 << 20;

/// Rows of several leaves, in order.
#[derive(Default)]
struct Rows {
    bytes: Vec<u8>,
    /// Where each key begins, where its value does, and where that ends.
    places: Vec<[usize; 3]>,
}

impl Rows {
    fn take(&mut self, leaf: &Node<'_>) {
        let mut key = Vec::new();
        for i in 0..leaf.count() {
            leaf.write_key(i, &mut key);
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&key);
            let middle = self.bytes.len();
            self.bytes.extend_from_slice(leaf.value(i).0);
            self.places.push([start, middle, self.bytes.len()]);
        }
    }

    fn row(&self, i: usize) -> (&[u8], &[u8]) {
        let [start, middle, end] = self.places[i];
        (&self.bytes[start..middle], &self.bytes[middle..end])
    }
}

impl Mover<'_> {
    /// A copy of the inner node that `pointer` names, just above the leaves, with fewer and fuller ones.
    /// None: nothing would be gained, or somebody shares them; nothing was changed.
    pub(super) fn packed(&mut self, pointer: &Pointer, bytes: &[u8]) -> Result<Option<Pointer>> {
        if !self.pack || pointer.kind != TABLE || pointer.level != 1 {
            return Ok(None);
        }
        let parent = Node::new(bytes);
        let together = (TOGETHER / bytes.len()).max(2);
        if !self.is_worth_packing(pointer, bytes, together)? {
            return Ok(None);
        }
        let tree = cowslip_pager::page::Header::read(bytes).tree;
        let mut cells: Vec<(Vec<u8>, Pointer, Sums)> = Vec::new();
        for from in (0..parent.count()).step_by(together) {
            let to = (from + together).min(parent.count());
            let mut rows = Rows::default();
            for index in from..to {
                let leaf = self.draft.txn.view().pin(&child(pointer, bytes, index)?)?;
                rows.take(&Node::new(&leaf));
            }
            let mut separator = Vec::new();
            parent.write_key(from, &mut separator);
            let mut done = 0;
            while done < rows.places.len() {
                self.visit(pointer.page)?;
                let leaf = self.draft.txn.allocate(TABLE, 0, tree)?;
                let left = rows.places.len() - done;
                let sums = self.draft.txn.edit(&leaf, |page| {
                    done += node::fill(page, None, left, &|i| rows.row(done + i));
                    Sums::of_node(page)
                })?;
                cells.push((std::mem::take(&mut separator), leaf, sums));
                if done < rows.places.len() {
                    node::separate(rows.row(done - 1).0, rows.row(done).0, &mut separator);
                }
            }
        }
        let new = self.draft.txn.allocate(TABLE, 1, tree)?;
        let fits = self.draft.txn.edit(&new, |page| {
            let mut node = NodeMut::init(page);
            cells.iter().enumerate().all(|(index, (key, leaf, sums))| {
                node.insert(index, key, &child_bytes(leaf, *sums), false)
            })
        })?;
        if !fits {
            // Separators between other rows may be longer than those that were here.
            for (_, leaf, _) in &cells {
                self.draft.txn.release(leaf)?;
            }
            self.draft.txn.release(&new)?;
            return Ok(None);
        }
        self.moved += 1 + cells.len() as u64;
        self.saved += (parent.count() - cells.len()) as u64;
        Ok(Some(new))
    }

    /// Would the leaves below fit fewer, and does nobody share them?
    fn is_worth_packing(
        &mut self,
        pointer: &Pointer,
        bytes: &[u8],
        together: usize,
    ) -> Result<bool> {
        if self.draft.txn.count(pointer.page)? > 1 {
            return Ok(false);
        }
        let count = Node::new(bytes).count();
        let room = bytes.len() - HEADER;
        let (mut needed, mut used) = (0, 0);
        for index in 0..count {
            let leaf = child(pointer, bytes, index)?;
            if self.draft.txn.count(leaf.page)? > 1 {
                return Ok(false);
            }
            let page = self.draft.txn.view().pin(&leaf)?;
            let node = Node::new(&page);
            if node.count() == 0 || (0..node.count()).any(|i| node.value(i).1) {
                return Ok(false);
            }
            used += node.used() - HEADER;
            if (index + 1) % together == 0 || index + 1 == count {
                // What is left over at a page's end is less than half an entry, on average.
                let waste = used / (2 * node.count().max(8));
                needed += (used + waste).div_ceil(room);
                used = 0;
            }
        }
        Ok(needed < count)
    }
}

fn child(parent: &Pointer, bytes: &[u8], index: usize) -> Result<Pointer> {
    let child = same_kind(bytes, Pointer::decode(Node::new(bytes).child(index)))?;
    check_level(parent, &child)?;
    Ok(child)
}
