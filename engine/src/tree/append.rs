//! Entering many ascending rows at the end of a tree, in full leaves.
//!
//! ```text
//!            root                     root'
//!           /    \                  /  |   \
//!         ..     last   rows  ->  .. last' [###][##   ]
//! ```
//!
//! The last leaf is filled up, and the rest of the rows come in new ones, each entered in its parent like
//! the right half of a split.

use super::{Tree, Writer, insert::Split};
use crate::{
    error::{Error, Result},
    kinds::Sums,
    node::{self, Node},
};

impl Tree {
    /// Enters `count` rows, ascending and all behind the last one of the tree; no value is an extent.
    pub(crate) fn append<'r>(
        &mut self,
        writer: &mut Writer<'_>,
        count: usize,
        row: &impl Fn(usize) -> (&'r [u8], &'r [u8]),
    ) -> Result<()> {
        let mut done = self.fill_last(writer, count, row)?;
        let mut separator = Vec::new();
        while done < count {
            let (steps, last) = writer.descend(self, row(done).0)?;
            let right = writer.txn.allocate(self.kind, 0, self.id)?;
            let (taken, right_sums) = writer.txn.edit(&right, |page| {
                let taken = node::fill(page, None, count - done, &|i| row(done + i));
                (taken, Sums::of_node(page))
            })?;
            let left_sums = {
                let page = writer.txn.view().pin(&last)?;
                if !Node::new(&page).separate_last(row(done).0, &mut separator) {
                    return Err(Error::corrupted(last.page.0, "entries of the last leaf", 1, 0));
                }
                Sums::of_node(&page)
            };
            let split = Split { separator: separator.clone(), right, left_sums, right_sums };
            let added = Sums { entries: taken as u64, pages: 0 };
            self.ascend(writer, &steps, added, Some(split))?;
            done += taken;
        }
        Ok(())
    }

    /// Fills the last leaf up; how many rows it took.
    fn fill_last<'r>(
        &mut self,
        writer: &mut Writer<'_>,
        count: usize,
        row: &impl Fn(usize) -> (&'r [u8], &'r [u8]),
    ) -> Result<usize> {
        if count == 0 {
            return Ok(0);
        }
        if self.root.is_none() {
            self.root = writer.txn.allocate(self.kind, 0, self.id)?;
            return Ok(writer.txn.edit(&self.root, |page| node::fill(page, None, count, row))?);
        }
        let (steps, leaf) = writer.descend(self, row(0).0)?;
        let old = writer.txn.view().pin(&leaf)?.to_vec();
        let taken =
            writer.txn.edit(&leaf, |page| node::fill(page, Some(&old), count, &|i| row(i)))?;
        self.ascend(writer, &steps, Sums { entries: taken as u64, pages: 0 }, None)?;
        Ok(taken)
    }
}
