//! A small weak transaction's changes, postponed until its commit.
//!
//! Until then nobody knows whether the newest version can be continued in place (R13 of the design): that
//! is decided in a moment, in which readers wait, so what is to be changed must be known before. Each
//! change is looked up when it is asked for, which answers "was it there?" and brings its pages into
//! memory, and is done at the commit; or at once, when anything else is asked of the transaction.
//!
//! ```text
//!  insert, remove -> | table  key  value | table  key | ...      at most `CHANGES_MAX`
//!                         commit:  the newest version in place, else a version of its own
//!                         anything else:                             a version of its own
//! ```

use std::ops::Range;

use super::{Draft, OpenBranch};
use crate::{error::Result, node::Node, tree::Cell};

/// More changes make a version of their own: readers wait while they are made, and copying a page once for
/// many of them costs little.
const CHANGES_MAX: usize = 32;
/// Bytes of keys and values that are postponed at most.
const BYTES_MAX: usize = 16 << 10;

/// Pages that one change of a tree of usual depth makes, with splits.
const WAY_MAX: usize = 10;

/// The changes.
#[derive(Default)]
pub(super) struct Postponed {
    /// May changes be postponed? Not once one was made.
    pub(super) open: bool,
    changes: Vec<Change>,
    /// Keys and values, one behind the other.
    bytes: Vec<u8>,
    /// Tables that are changed.
    tables: Vec<String>,
}

struct Change {
    /// Which of the tables.
    table: usize,
    key: Range<usize>,
    /// None: the key is removed.
    value: Option<Range<usize>>,
}

impl Postponed {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// So many new pages the changes may take: the way to a leaf each, half of it split, and the catalog's.
    pub(super) fn pages_max(&self) -> usize {
        WAY_MAX * (self.changes.len() + self.tables.len())
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.open && self.changes.len() < CHANGES_MAX && self.bytes.len() + bytes <= BYTES_MAX
    }

    /// Is the key there after what is postponed? None: nothing is known of it.
    fn is_there(&self, table: &str, key: &[u8]) -> Option<bool> {
        let of_key = |change: &&Change| {
            self.bytes[change.key.clone()] == *key && self.tables[change.table] == table
        };
        self.changes.iter().rev().find(of_key).map(|change| change.value.is_some())
    }

    fn push(&mut self, table: &str, key: &[u8], value: Option<&[u8]>) {
        let table = self.tables.iter().position(|name| name == table).unwrap_or_else(|| {
            self.tables.push(table.to_owned());
            self.tables.len() - 1
        });
        let mut put = |bytes: &[u8]| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            start..self.bytes.len()
        };
        self.changes.push(Change { table, key: put(key), value: value.map(put) });
    }
}

impl Draft {
    /// Postpones changes from now on, if they may be made in place later.
    pub(crate) fn postpone_from_now(&mut self, weak: bool) {
        let nothing_yet = !self.txn.is_changed()
            && self.branch.as_ref().is_none_or(|branch| branch.held_back == 0);
        let line = self.branch.as_ref().and_then(OpenBranch::line);
        self.postponed.open =
            weak && nothing_yet && line.is_some_and(|line| self.txn.may_continue(line));
    }

    /// Postpones a change: tells whether the key was there. None: it must be made at once. `value` fits a
    /// leaf.
    pub(super) fn postpone(
        &mut self,
        table: &str,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<Option<bool>> {
        if !self.postponed.has_room(key.len() + value.map_or(0, <[u8]>::len)) {
            return Ok(None);
        }
        let Some(branch) = &mut self.branch else { return Ok(None) };
        let Some(open) = branch.tables.get(table) else { return Ok(None) };
        if open.tree.root.is_none() || open.tree != open.saved {
            return Ok(None);
        }
        let there = match self.postponed.is_there(table, key) {
            Some(there) => there,
            None => match open.tree.get(self.txn.view(), key)? {
                // Its pages are taken apart by rules of their own.
                Some(found) if Node::new(&found.leaf).value(found.index).1 => return Ok(None),
                found => found.is_some(),
            },
        };
        match value {
            Some(value) => branch.redo.insert(table, key, value),
            None if there => branch.redo.remove(table, key),
            None => return Ok(Some(false)),
        }
        self.postponed.push(table, key, value);
        Ok(Some(there))
    }

    /// Makes the changes that were postponed. No more are.
    pub(super) fn make_postponed(&mut self) -> Result<()> {
        self.postponed.open = false;
        if self.postponed.is_empty() {
            return Ok(());
        }
        let postponed = std::mem::take(&mut self.postponed);
        for change in &postponed.changes {
            let key = &postponed.bytes[change.key.clone()];
            let value = change.value.clone().map(|value| &postponed.bytes[value]);
            // What removes may use the last pages: a full store can be emptied.
            self.txn.set_privileged(value.is_none());
            let made =
                self.change_tree(&postponed.tables[change.table], |tree, writer, _| match value {
                    Some(bytes) => tree.insert(writer, key, Cell { bytes, extent: false }),
                    None => tree.remove(writer, key),
                });
            self.txn.set_privileged(false);
            made?;
        }
        Ok(())
    }
}
