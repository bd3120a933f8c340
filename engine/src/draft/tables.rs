//! The draft's tables: opening them, and what is done to their trees.

use std::{cell::Cell, collections::HashMap};

use cowslip_pager::{Child, ExtentWriter, Pointer, mutant};

use super::{
    Draft, OpenBranch, OpenTable, TABLE_NAME_MAX, find_record, find_table,
    gather::{Entered, Gathered},
    table_names,
};
use crate::{
    error::{Error, Result},
    kinds::{CATALOG, TABLE},
    meta::{BranchRecord, TableRecord},
    node::{self, Node},
    redo::{LOGGED_VALUE_MAX, Redo},
    tree::{self, Cursor, End, Span, Tree, Writer},
};

/// The part of the cache's size that rows may take which are held back, those of all tables together.
const GATHERED_PART: usize = 4;

/// Rows whose memory is asked for before they are met.
const ROWS_AHEAD: usize = 16;

/// So many rows must ascend before the next ones are held back: looking whether there is anything behind
/// them costs as much as an insertion.
const ASCENDING_MIN: usize = 64;

pub(crate) fn check_table_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > TABLE_NAME_MAX {
        return Err(Error::InvalidArgument(format!(
            "a table name of {} bytes (1 to {TABLE_NAME_MAX})",
            name.len()
        )));
    }
    Ok(())
}

impl Draft {
    /// Begins to write a branch.
    pub(crate) fn open_branch(&mut self, name: &str) -> Result<()> {
        let record = self.usable_branch(name)?;
        self.open_record(name, record)
    }

    /// Begins to write the branch of this record, also one that is being received.
    pub(crate) fn open_record(&mut self, name: &str, record: BranchRecord) -> Result<()> {
        let catalog = Tree::new(CATALOG, 0, record.catalog).checked(0)?;
        self.branch = Some(OpenBranch {
            name: name.into(),
            record,
            catalog,
            tables: HashMap::new(),
            held_back: 0,
            redo: Redo::new(name),
        });
        Ok(())
    }

    fn branch(&mut self) -> Result<&mut OpenBranch> {
        self.branch.as_mut().ok_or_else(|| Error::InvalidArgument("no branch is open".into()))
    }

    /// Opens a table for writing; makes it on first use.
    pub(crate) fn open_table(&mut self, name: &str) -> Result<()> {
        check_table_name(name)?;
        if let Some(table) = self.branch()?.tables.get_mut(name) {
            if table.open {
                return Err(Error::TableAlreadyOpen(name.into()));
            }
            table.open = true;
            return Ok(());
        }
        let catalog = self.branch()?.catalog;
        let known = find_table(self.txn.view(), &catalog, name)?;
        self.run(|draft| draft.load_table(name, known))
    }

    fn load_table(&mut self, name: &str, known: Option<(Tree, u64)>) -> Result<()> {
        let owned = known.is_none();
        let (tree, pages) = match known {
            Some(known) => known,
            None => {
                self.make_postponed()?;
                let tree = Tree::new(TABLE, self.fresh_id(), Pointer::NONE);
                self.save_table(name, &tree)?;
                self.branch()?.redo.open(name);
                (tree, 0)
            }
        };
        self.branch()?.tables.insert(name.into(), OpenTable::new(tree, pages, owned));
        Ok(())
    }

    pub(super) fn save_table(&mut self, name: &str, tree: &Tree) -> Result<()> {
        let pages = tree.sums(self.txn.view())?.pages;
        let record = TableRecord { root: tree.root, id: tree.id, pages }.encode();
        let Some(branch) = &mut self.branch else { return Ok(()) };
        let mut writer = Writer {
            txn: &mut self.txn,
            shared_at: branch.record.shared_at,
            released: &mut self.released,
        };
        let cell = tree::Cell { bytes: &record, extent: false };
        branch.catalog.insert(&mut writer, name.as_bytes(), cell)?;
        Ok(())
    }

    /// A table object was dropped: it may be opened again.
    pub(crate) fn close_table(&mut self, name: &str) {
        if let Some(branch) = &mut self.branch
            && let Some(table) = branch.tables.get_mut(name)
        {
            table.open = false;
        }
    }

    /// The tree of an open table, with all that was inserted.
    pub(crate) fn table(&mut self, name: &str) -> Result<Tree> {
        self.settle(name)?;
        self.branch
            .as_ref()
            .and_then(|branch| branch.tables.get(name))
            .map(|table| table.tree)
            .ok_or_else(|| Error::TableNotFound(name.into()))
    }

    /// Enters in a table's tree what was held back.
    fn settle(&mut self, name: &str) -> Result<()> {
        self.make_postponed()?;
        let Some(branch) = &mut self.branch else { return Ok(()) };
        let table = branch.tables.get_mut(name);
        let Some(mut gathered) = table.and_then(|table| table.gathered.take()) else {
            return Ok(());
        };
        branch.held_back -= gathered.memory();
        gathered.sort();
        // Rows are met in order, each several times.
        let asked_for = Cell::new(0);
        let row = |i: usize| {
            while asked_for.get() <= i + ROWS_AHEAD {
                gathered.prefetch(asked_for.get());
                asked_for.set(asked_for.get() + 1);
            }
            gathered.row(i)
        };
        self.change_tree(name, |tree, writer, _| tree.append(writer, gathered.len(), &row))
    }

    /// Enters all that was held back.
    pub(super) fn settle_all(&mut self) -> Result<()> {
        self.make_postponed()?;
        let Some(branch) = &self.branch else { return Ok(()) };
        let gathering = branch.tables.iter().filter(|(_, table)| table.gathered.is_some());
        let names: Vec<String> = gathering.map(|(name, _)| name.clone()).collect();
        names.iter().try_for_each(|name| self.settle(name))
    }

    /// Changes a table's tree, with its branch's context; rows that were held back come first.
    fn change<R>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Tree, &mut Writer<'_>, &mut Redo) -> Result<R>,
    ) -> Result<R> {
        self.settle(name)?;
        self.change_tree(name, change)
    }

    pub(super) fn change_tree<R>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Tree, &mut Writer<'_>, &mut Redo) -> Result<R>,
    ) -> Result<R> {
        self.run(|draft| {
            let Some(branch) = &mut draft.branch else {
                return Err(Error::InvalidArgument("no branch is open".into()));
            };
            let Some(table) = branch.tables.get_mut(name) else {
                return Err(Error::TableNotFound(name.into()));
            };
            let mut writer = Writer {
                txn: &mut draft.txn,
                shared_at: branch.record.shared_at,
                released: &mut draft.released,
            };
            if !table.owned {
                branch.catalog.own(&mut writer, name.as_bytes())?;
                table.owned = true;
            }
            change(&mut table.tree, &mut writer, &mut branch.redo)
        })
    }

    pub(crate) fn check_key(&self, key: &[u8]) -> Result<()> {
        let limit = node::max_key(self.txn.page_size());
        if key.len() > limit {
            return Err(Error::KeyTooLarge { length: key.len(), limit });
        }
        Ok(())
    }

    pub(crate) fn insert(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<bool> {
        self.check_key(key)?;
        if key.len() + value.len() > node::max_entry(self.txn.page_size()) {
            return self.insert_large(table, key, value);
        }
        if let Some(there) = self.postpone(table, key, Some(value))? {
            return Ok(there);
        }
        self.make_postponed()?;
        if let Some(there) = self.run(|draft| draft.gather(table, key, value))? {
            return Ok(there);
        }
        self.change(table, |tree, writer, redo| {
            let there = tree.insert(writer, key, tree::Cell { bytes: value, extent: false })?;
            redo.insert(table, key, value);
            Ok(there)
        })
    }

    /// Holds a row back, where that is possible: tells whether its key was there. None: it must go into
    /// the tree.
    fn gather(&mut self, name: &str, key: &[u8], value: &[u8]) -> Result<Option<bool>> {
        let limit = self.txn.cache_bytes() / GATHERED_PART;
        let Some(branch) = &mut self.branch else { return Ok(None) };
        let Some(table) = branch.tables.get_mut(name) else { return Ok(None) };
        if table.gathered.is_none() {
            if table.tree.root.is_none() {
                table.gathered = Some(Gathered::new(true));
            } else {
                table.ascending = if key > &table.last[..] { table.ascending + 1 } else { 0 };
                table.last.clear();
                table.last.extend_from_slice(key);
                if table.ascending < ASCENDING_MIN {
                    return Ok(None);
                }
                table.ascending = 0;
                if table.tree.has_any_from(self.txn.view(), key)? {
                    return Ok(None);
                }
                table.gathered = Some(Gathered::new(false));
            }
        }
        let Some(gathered) = &mut table.gathered else { return Ok(None) };
        let before = gathered.memory();
        let others = branch.held_back - before;
        let entered = gathered.insert(key, value, limit.saturating_sub(others));
        branch.held_back = others + gathered.memory();
        if entered == Entered::Refused {
            self.settle(name)?;
            return Ok(None);
        }
        branch.redo.insert(name, key, value);
        Ok(Some(entered == Entered::Replaced))
    }

    fn insert_large(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<bool> {
        let mut extent = self.begin_value(value.len() as u64)?;
        if let Err(error) = self.extend_value(&mut extent, value) {
            self.txn.abandon_extent(extent);
            return Err(error);
        }
        if mutant!(LargeValuesLoggedInPart) {
            let part = &value[..value.len().min(LOGGED_VALUE_MAX as usize)];
            return self.finish_value(table, key, extent, Some(part));
        }
        let logged = value.len() as u64 <= LOGGED_VALUE_MAX;
        self.finish_value(table, key, extent, logged.then_some(value))
    }

    /// Begins a value that comes in parts.
    pub(crate) fn begin_value(&mut self, length: u64) -> Result<ExtentWriter> {
        self.run(|draft| Ok(draft.txn.write_extent(length)?)).inspect_err(|error| {
            // Nothing was changed yet.
            if matches!(error, Error::DiskFull { .. }) {
                self.failure = None;
            }
        })
    }

    pub(crate) fn extend_value(&mut self, value: &mut ExtentWriter, part: &[u8]) -> Result<()> {
        self.run(|draft| Ok(draft.txn.extend_extent(value, part)?))
    }

    /// Enters a value that came in parts. `whole` is for the log; without it the transaction is made
    /// durable by a checkpoint.
    pub(crate) fn finish_value(
        &mut self,
        table: &str,
        key: &[u8],
        value: ExtentWriter,
        whole: Option<&[u8]>,
    ) -> Result<bool> {
        self.check_key(key)?;
        let extent = self.run(|draft| Ok(draft.txn.finish_extent(value)?))?;
        self.change(table, |tree, writer, redo| {
            let cell = tree::Cell { bytes: &extent.encode(), extent: true };
            let there = tree.insert(writer, key, cell)?;
            match whole {
                Some(bytes) => redo.insert(table, key, bytes),
                None => redo.overflow(),
            }
            Ok(there)
        })
    }

    pub(crate) fn remove(&mut self, table: &str, key: &[u8]) -> Result<bool> {
        if self.check_key(key).is_err() {
            // Nothing can be there.
            return Ok(false);
        }
        if let Some(there) = self.postpone(table, key, None)? {
            return Ok(there);
        }
        // Rows that were held back are no deletion: the last pages are not for them.
        self.settle(table)?;
        self.txn.set_privileged(true);
        let result = self.change(table, |tree, writer, redo| {
            let there = tree.remove(writer, key)?;
            if there {
                redo.remove(table, key);
            }
            Ok(there)
        });
        self.txn.set_privileged(false);
        result
    }

    pub(crate) fn remove_range(&mut self, table: &str, span: &Span) -> Result<u64> {
        self.settle(table)?;
        self.txn.set_privileged(true);
        let result = self.change(table, |tree, writer, redo| {
            let removed = tree.remove_range(writer, span)?;
            if removed > 0 {
                redo.remove_range(table, span);
            }
            Ok(removed)
        });
        self.txn.set_privileged(false);
        result
    }

    /// Deletes a table, or a machine. True: there was one.
    pub(crate) fn delete_table(&mut self, name: &str) -> Result<bool> {
        let branch = self.branch()?;
        if branch.tables.get(name).is_some_and(|table| table.open) {
            return Err(Error::TableAlreadyOpen(name.into()));
        }
        self.make_postponed()?;
        let branch = self.branch()?;
        let touched = branch.tables.get(name).map(|table| table.tree);
        let catalog = branch.catalog;
        self.txn.set_privileged(true);
        let result = self.run(|draft| {
            let Some((saved, page)) = find_record(draft.txn.view(), &catalog, name)? else {
                return Ok(false);
            };
            let child = match touched {
                Some(tree) => (!tree.root.is_none()).then_some(Child::Node(tree.root)),
                None => saved.child(page)?,
            };
            let Some(branch) = &mut draft.branch else { return Ok(false) };
            let mut writer = Writer {
                txn: &mut draft.txn,
                shared_at: branch.record.shared_at,
                released: &mut draft.released,
            };
            // Shadowing the catalog's leaf gives this branch its own count of the root first.
            branch.catalog.remove(&mut writer, name.as_bytes())?;
            if let Some(gathered) = branch.tables.remove(name).and_then(|table| table.gathered) {
                branch.held_back -= gathered.memory();
            }
            branch.redo.delete_table(name);
            child.map_or(Ok(()), |child| writer.drop_child(child))?;
            Ok(true)
        });
        self.txn.set_privileged(false);
        result
    }

    /// The names of all tables of the branch.
    pub(crate) fn tables(&self) -> Result<Vec<String>> {
        match &self.branch {
            Some(branch) => table_names(self.txn.view(), &branch.catalog),
            None => Ok(Vec::new()),
        }
    }

    /// The tables of the branch whose names lie in `span`.
    pub(crate) fn tables_in(&self, span: &Span) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let Some(branch) = &self.branch else { return Ok(names) };
        let from = End::At(&span.from);
        let mut key = Vec::new();
        if let Some(mut cursor) = Cursor::new(self.txn.view(), &branch.catalog, from)? {
            while let Some(index) = cursor.peek_next()? {
                Node::new(cursor.leaf()).write_key(index, &mut key);
                if span.to.as_ref().is_some_and(|to| key >= *to) {
                    break;
                }
                names.push(String::from_utf8_lossy(&key).into_owned());
                cursor.advance();
            }
        }
        Ok(names)
    }

    /// Does a table that was opened have a key in `span`?
    pub(crate) fn has_any(&mut self, table: &str, span: &Span) -> Result<bool> {
        let tree = self.table(table)?;
        let Some(mut cursor) = Cursor::new(self.txn.view(), &tree, End::At(&span.from))? else {
            return Ok(false);
        };
        let Some(index) = cursor.peek_next()? else { return Ok(false) };
        let mut key = Vec::new();
        Node::new(cursor.leaf()).write_key(index, &mut key);
        Ok(span.to.as_ref().is_none_or(|to| key < *to))
    }
}
