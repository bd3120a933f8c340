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
//!
//! The packing is gone through twice: once to count, which changes nothing, and once to write, if enough is
//! gained. The count is exact, and the fewest leaves that rows in this order can have; so what was packed is
//! not packed again.

use cowslip_pager::Pointer;

use super::Mover;
use crate::{
    error::{Error, Result},
    kinds::{Sums, TABLE, check_level, child_bytes, same_kind},
    node::{self, Node, NodeMut},
};

/// Bytes of keys and values, written out, that are packed together.
const TOGETHER: usize = 8 << 20;

/// Fewer leaves than this part of all are not worth writing the others anew.
const GAIN_MIN: usize = 16;

/// Rows of several leaves, in order.
#[derive(Default)]
struct Rows {
    bytes: Vec<u8>,
    /// Where each key begins, where its value does, and where that ends.
    places: Vec<[usize; 3]>,
}

impl Rows {
    /// False, with nothing taken, if the rows would be more than fit together.
    fn take(&mut self, leaf: &Node<'_>) -> bool {
        let length: usize = (0..leaf.count()).map(|i| leaf.entry_len(i)).sum();
        if self.bytes.len() + length > TOGETHER {
            return false;
        }
        let mut key = Vec::new();
        for i in 0..leaf.count() {
            leaf.write_key(i, &mut key);
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&key);
            let middle = self.bytes.len();
            self.bytes.extend_from_slice(leaf.value(i).0);
            self.places.push([start, middle, self.bytes.len()]);
        }
        true
    }

    fn row(&self, i: usize) -> (&[u8], &[u8]) {
        let [start, middle, end] = self.places[i];
        (&self.bytes[start..middle], &self.bytes[middle..end])
    }
}

impl Mover<'_> {
    /// A copy of the inner node that `pointer` names, just above the leaves, with fewer and fuller ones.
    /// None: too little would be gained, or somebody shares them; nothing was changed.
    pub(super) fn packed(&mut self, pointer: &Pointer, bytes: &[u8]) -> Result<Option<Pointer>> {
        if !self.pack || pointer.kind != TABLE || pointer.level != 1 {
            return Ok(None);
        }
        let Some(separators) = self.plan(pointer, bytes)? else { return Ok(None) };
        let tree = cowslip_pager::page::Header::read(bytes).tree;
        let mut cells: Vec<(Pointer, Sums)> = Vec::with_capacity(separators.len());
        let mut from = 0;
        while let Some((rows, to)) = self.rows(pointer, bytes, from)? {
            let mut done = 0;
            while done < rows.places.len() {
                let leaf = self.draft.txn.allocate(TABLE, 0, tree)?;
                let left = rows.places.len() - done;
                let sums = self.draft.txn.edit(&leaf, |page| {
                    done += node::fill(page, None, left, &|i| rows.row(done + i));
                    Sums::of_node(page)
                })?;
                cells.push((leaf, sums));
            }
            from = to;
        }
        let new = self.draft.txn.allocate(TABLE, 1, tree)?;
        let cells_of = |i: usize| child_bytes(&cells[i].0, cells[i].1);
        let fits = cells.len() == separators.len()
            && self.draft.txn.edit(&new, |page| fill_parent(page, &separators, cells_of))?;
        if !fits {
            let (expected, found) = (separators.len() as u64, cells.len() as u64);
            return Err(Error::corrupted(pointer.page.0, "leaves of a plan", expected, found));
        }
        self.moved += 1 + cells.len() as u64;
        self.saved += (Node::new(bytes).count() - cells.len()) as u64;
        Ok(Some(new))
    }

    /// The separators of the leaves that packing would make. None: it is not to be done.
    fn plan(&mut self, pointer: &Pointer, bytes: &[u8]) -> Result<Option<Vec<Vec<u8>>>> {
        let parent = Node::new(bytes);
        if self.draft.txn.count(pointer.page)? > 1 {
            return Ok(None);
        }
        for index in 0..parent.count() {
            let leaf = child(pointer, bytes, index)?;
            // One owner may be left of several, while the others have the copy that the memo names.
            if self.draft.txn.count(leaf.page)? > 1 || self.nodes.contains_key(&leaf.page) {
                return Ok(None);
            }
        }
        let most = parent.count() - (parent.count() / GAIN_MIN).max(1).min(parent.count());
        let mut separators = Vec::new();
        let mut from = 0;
        while from < parent.count() {
            let Some((rows, to)) = self.rows(pointer, bytes, from)? else { return Ok(None) };
            let mut separator = Vec::new();
            parent.write_key(from, &mut separator);
            let mut done = 0;
            while done < rows.places.len() {
                let left = rows.places.len() - done;
                done += node::fitting(bytes.len(), left, &|i| rows.row(done + i));
                separators.push(std::mem::take(&mut separator));
                if separators.len() > most {
                    return Ok(None);
                }
                if done < rows.places.len() {
                    node::separate(rows.row(done - 1).0, rows.row(done).0, &mut separator);
                }
            }
            from = to;
        }
        // Separators between other rows may be longer than those that are here.
        let mut page = bytes.to_vec();
        let nowhere = child_bytes(&Pointer::NONE, Sums::NONE);
        Ok(fill_parent(&mut page, &separators, |_| nowhere).then_some(separators))
    }

    /// The rows of the leaves from number `from` on, as many as are packed together, and the number of the
    /// first leaf behind them. None: there are no more leaves, or one that is not to be packed.
    fn rows(&self, pointer: &Pointer, bytes: &[u8], from: usize) -> Result<Option<(Rows, usize)>> {
        let mut rows = Rows::default();
        let mut index = from;
        while index < Node::new(bytes).count() {
            let page = self.draft.txn.view().pin(&child(pointer, bytes, index)?)?;
            let leaf = Node::new(&page);
            if leaf.count() == 0 || (0..leaf.count()).any(|i| leaf.value(i).1) {
                return Ok(None);
            }
            if !rows.take(&leaf) {
                break;
            }
            index += 1;
        }
        Ok((index > from).then_some((rows, index)))
    }
}

/// Makes a page the inner node with these separators and cells; false if they do not fit.
fn fill_parent(
    page: &mut [u8],
    separators: &[Vec<u8>],
    cell: impl Fn(usize) -> [u8; node::CHILD],
) -> bool {
    let mut node = NodeMut::init(page);
    separators.iter().enumerate().all(|(i, key)| node.insert(i, key, &cell(i), false))
}

fn child(parent: &Pointer, bytes: &[u8], index: usize) -> Result<Pointer> {
    let child = same_kind(bytes, Pointer::decode(Node::new(bytes).child(index)))?;
    check_level(parent, &child)?;
    Ok(child)
}
