//! A write transaction's state: the trees it changes, what it released, what the log will say.
//!
//! The same functions serve the user's calls and the replay of the log, so that both do exactly the
//! same. A failure in the middle of an operation may leave trees half changed: the draft then
//! refuses everything but being dropped.

use std::{
    collections::{HashMap, VecDeque},
    time::{SystemTime, UNIX_EPOCH},
};

use cowslip_pager::{Child, Durability, ExtentWriter, Pager, Pointer, Transaction};

use crate::{
    error::{Error, Result},
    kinds::{CATALOG, META, TABLE},
    meta::{self, BRANCH, BranchRecord, MAIN, RELEASE, SNAPSHOT, SnapshotRecord, TableRecord},
    node::{self, Node},
    redo::{LOGGED_VALUE_MAX, Operation, Record, Redo},
    tree::{Cell, Cursor, End, Span, Tree, Writer},
};

/// Longest name of a table, in bytes.
pub(crate) const TABLE_NAME_MAX: usize = 512;

pub(crate) struct Draft {
    pub(crate) txn: Transaction,
    meta: Tree,
    /// The branch that is written, once one is.
    branch: Option<OpenBranch>,
    released: VecDeque<Child>,
    failure: Option<String>,
    ids: u64,
    queued: u32,
}

struct OpenBranch {
    name: String,
    record: BranchRecord,
    catalog: Tree,
    tables: HashMap<String, OpenTable>,
    redo: Redo,
}

/// A table that this transaction has touched.
struct OpenTable {
    tree: Tree,
    saved: Tree,
    /// The way to its entry in the catalog is the transaction's own: only then do the counts below
    /// tell the truth (shadowing goes strictly top-down).
    owned: bool,
    open: bool,
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// Looks up a name in the tree of names below `root`.
pub(crate) fn lookup(
    view: cowslip_pager::View<'_>,
    root: Pointer,
    key: &[u8],
) -> Result<Option<(Vec<u8>, cowslip_pager::PageId)>> {
    let meta = Tree::new(META, 0, root).checked(0)?;
    Ok(meta.get(view, key)?.map(|found| {
        let page = cowslip_pager::page::Header::read(&found.leaf).pointer.page;
        (Node::new(&found.leaf).value(found.index).0.to_vec(), page)
    }))
}

impl Draft {
    pub(crate) fn new(txn: Transaction) -> Result<Draft> {
        let meta = Tree::new(META, 0, txn.root()).checked(0)?;
        Ok(Draft {
            txn,
            meta,
            branch: None,
            released: VecDeque::new(),
            failure: None,
            ids: 0,
            queued: 0,
        })
    }

    /// The top of the tree of names.
    pub(crate) fn names_root(&self) -> Pointer {
        self.meta.root
    }

    /// Replaces the record of a name, for compaction.
    pub(crate) fn put_record(&mut self, prefix: u8, name: &str, record: &[u8]) -> Result<()> {
        self.run(|draft| draft.put_name(&meta::key(prefix, name), record))
    }

    /// Drops an owner of a tree, for compaction.
    pub(crate) fn drop_root(&mut self, root: Pointer) -> Result<()> {
        self.run(|draft| draft.unshare(root))
    }

    /// Runs an operation that may leave things half done when it fails.
    fn run<R>(&mut self, operation: impl FnOnce(&mut Draft) -> Result<R>) -> Result<R> {
        if let Some(cause) = &self.failure {
            return Err(Error::Poisoned { cause: cause.clone() });
        }
        let result = operation(self);
        if let Err(error) = &result {
            self.failure = Some(error.to_string());
        }
        result
    }

    /// A tree id that was never used before.
    fn fresh_id(&mut self) -> u64 {
        self.ids += 1;
        self.txn.stamp() << 16 | (self.ids & 0xFFFF)
    }

    // ---- names ---------------------------------------------------------------------------

    fn get_name(&self, prefix: u8, name: &str) -> Result<Option<(Vec<u8>, cowslip_pager::PageId)>> {
        lookup(self.txn.view(), self.meta.root, &meta::key(prefix, name))
    }

    fn put_name(&mut self, key: &[u8], record: &[u8]) -> Result<()> {
        let mut writer = Writer { txn: &mut self.txn, shared_at: 0, released: &mut self.released };
        self.meta.insert(&mut writer, key, Cell { bytes: record, extent: false })?;
        Ok(())
    }

    fn remove_name(&mut self, key: &[u8]) -> Result<()> {
        let mut writer = Writer { txn: &mut self.txn, shared_at: 0, released: &mut self.released };
        self.meta.remove(&mut writer, key)?;
        Ok(())
    }

    pub(crate) fn branch_record(&self, name: &str) -> Result<BranchRecord> {
        match self.get_name(BRANCH, name)? {
            Some((bytes, page)) => Ok(BranchRecord::decode(&bytes, page)?),
            None => Err(Error::BranchNotFound(name.into())),
        }
    }

    pub(crate) fn snapshot_record(&self, name: &str) -> Result<SnapshotRecord> {
        match self.get_name(SNAPSHOT, name)? {
            Some((bytes, page)) => Ok(SnapshotRecord::decode(&bytes, page)?),
            None => Err(Error::SnapshotNotFound(name.into())),
        }
    }

    fn check_free(&self, name: &str) -> Result<()> {
        meta::check_name(name)?;
        if self.get_name(SNAPSHOT, name)?.is_some() || self.get_name(BRANCH, name)?.is_some() {
            return Err(Error::AlreadyExists(name.into()));
        }
        Ok(())
    }

    /// Makes the branch `main` in a store without any name.
    pub(crate) fn initialise(&mut self) -> Result<()> {
        let record = BranchRecord { created: now(), ..BranchRecord::default() };
        self.run(|draft| draft.put_name(&meta::key(BRANCH, MAIN), &record.encode()))
    }

    /// How many names have this prefix; reads one path of the tree twice.
    pub(crate) fn count_names(
        view: cowslip_pager::View<'_>,
        root: Pointer,
        prefix: u8,
    ) -> Result<u64> {
        let meta = Tree::new(META, 0, root).checked(0)?;
        Ok(meta.rank(view, &[prefix + 1])?.saturating_sub(meta.rank(view, &[prefix])?))
    }

    /// The names with this prefix, and their records.
    pub(crate) fn names(
        view: cowslip_pager::View<'_>,
        root: Pointer,
        prefix: u8,
    ) -> Result<Vec<(String, Vec<u8>, cowslip_pager::PageId)>> {
        let meta = Tree::new(META, 0, root).checked(0)?;
        let mut out = Vec::new();
        let mut key = Vec::new();
        let Some(mut cursor) = Cursor::new(view, &meta, End::At(&[prefix]))? else {
            return Ok(out);
        };
        while let Some(index) = cursor.peek_next()? {
            let node = Node::new(cursor.leaf());
            node.write_key(index, &mut key);
            if key.first() != Some(&prefix) {
                break;
            }
            let Ok(name) = String::from_utf8(key[1..].to_vec()) else {
                let page = cursor.leaf_id().0;
                return Err(Error::corrupted(page, "name (UTF-8)", 0, index as u64));
            };
            out.push((name, node.value(index).0.to_vec(), cursor.leaf_id()));
            cursor.advance();
        }
        Ok(out)
    }

    // ---- tables --------------------------------------------------------------------------

    /// Begins to write a branch.
    pub(crate) fn open_branch(&mut self, name: &str) -> Result<()> {
        let record = self.branch_record(name)?;
        let catalog = Tree::new(CATALOG, 0, record.catalog).checked(0)?;
        self.branch = Some(OpenBranch {
            name: name.into(),
            record,
            catalog,
            tables: HashMap::new(),
            redo: Redo::new(name),
        });
        Ok(())
    }

    fn branch(&mut self) -> Result<&mut OpenBranch> {
        self.branch.as_mut().ok_or_else(|| Error::InvalidArgument("no branch is open".into()))
    }

    /// Opens a table for writing; makes it on first use.
    pub(crate) fn open_table(&mut self, name: &str) -> Result<()> {
        if name.is_empty() || name.len() > TABLE_NAME_MAX {
            return Err(Error::InvalidArgument(format!(
                "a table name of {} bytes (1 to {TABLE_NAME_MAX})",
                name.len()
            )));
        }
        if let Some(table) = self.branch()?.tables.get_mut(name) {
            if table.open {
                return Err(Error::TableAlreadyOpen(name.into()));
            }
            table.open = true;
            return Ok(());
        }
        self.run(|draft| draft.load_table(name))
    }

    fn load_table(&mut self, name: &str) -> Result<()> {
        let catalog = self.branch()?.catalog;
        let known = find_table(self.txn.view(), &catalog, name)?;
        let owned = known.is_none();
        let tree = match known {
            Some(tree) => tree,
            None => {
                let tree = Tree::new(TABLE, self.fresh_id(), Pointer::NONE);
                self.save_table(name, &tree)?;
                self.branch()?.redo.open(name);
                tree
            }
        };
        let table = OpenTable { tree, saved: tree, owned, open: true };
        self.branch()?.tables.insert(name.into(), table);
        Ok(())
    }

    fn save_table(&mut self, name: &str, tree: &Tree) -> Result<()> {
        let record = TableRecord { root: tree.root, id: tree.id }.encode();
        let Some(branch) = &mut self.branch else { return Ok(()) };
        let mut writer = Writer {
            txn: &mut self.txn,
            shared_at: branch.record.shared_at,
            released: &mut self.released,
        };
        let cell = Cell { bytes: &record, extent: false };
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

    /// The tree of an open table.
    pub(crate) fn table(&self, name: &str) -> Result<Tree> {
        self.branch
            .as_ref()
            .and_then(|branch| branch.tables.get(name))
            .map(|table| table.tree)
            .ok_or_else(|| Error::TableNotFound(name.into()))
    }

    /// Changes a table's tree, with its branch's context.
    fn change<R>(
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
        self.change(table, |tree, writer, redo| {
            let there = tree.insert(writer, key, Cell { bytes: value, extent: false })?;
            redo.insert(table, key, value);
            Ok(there)
        })
    }

    fn insert_large(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<bool> {
        let mut extent = self.begin_value(value.len() as u64)?;
        if let Err(error) = self.extend_value(&mut extent, value) {
            self.txn.abandon_extent(extent);
            return Err(error);
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
            let cell = Cell { bytes: &extent.encode(), extent: true };
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

    /// Deletes a table. True: there was one.
    pub(crate) fn delete_table(&mut self, name: &str) -> Result<bool> {
        let branch = self.branch()?;
        if branch.tables.get(name).is_some_and(|table| table.open) {
            return Err(Error::TableAlreadyOpen(name.into()));
        }
        let touched = branch.tables.get(name).map(|table| table.tree);
        let catalog = branch.catalog;
        self.txn.set_privileged(true);
        let result = self.run(|draft| {
            let Some(saved) = find_table(draft.txn.view(), &catalog, name)? else {
                return Ok(false);
            };
            let Some(branch) = &mut draft.branch else { return Ok(false) };
            let mut writer = Writer {
                txn: &mut draft.txn,
                shared_at: branch.record.shared_at,
                released: &mut draft.released,
            };
            // Shadowing the catalog's leaf gives this branch its own count of the root first.
            branch.catalog.remove(&mut writer, name.as_bytes())?;
            branch.tables.remove(name);
            branch.redo.delete_table(name);
            let root = touched.unwrap_or(saved).root;
            if !root.is_none() {
                writer.drop_child(Child::Node(root))?;
            }
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

    // ---- snapshots and branches ----------------------------------------------------------

    pub(crate) fn create_snapshot(
        &mut self,
        branch: &str,
        name: &str,
        created: u64,
        label: Option<&str>,
    ) -> Result<()> {
        self.check_free(name)?;
        if label.is_some_and(|label| label.len() > meta::NAME_MAX) {
            return Err(Error::InvalidArgument("a label of over 255 bytes".into()));
        }
        let mut line = self.branch_record(branch)?;
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let record = SnapshotRecord {
                catalog: line.catalog,
                stamp,
                created,
                held: false,
                branch: branch.into(),
                label: label.map(Into::into),
                parent: line.last_snapshot.take(),
            };
            draft.share(line.catalog)?;
            draft.put_name(&meta::key(SNAPSHOT, name), &record.encode())?;
            line.shared_at = stamp;
            line.last_snapshot = Some(name.into());
            draft.put_name(&meta::key(BRANCH, branch), &line.encode())
        })
    }

    /// One more owner of a catalog.
    fn share(&mut self, catalog: Pointer) -> Result<()> {
        if !catalog.is_none() {
            self.txn.retain(catalog.page)?;
        }
        Ok(())
    }

    /// One owner less; what nobody else owns goes in slices.
    fn unshare(&mut self, catalog: Pointer) -> Result<()> {
        if !catalog.is_none() {
            let mut writer =
                Writer { txn: &mut self.txn, shared_at: 0, released: &mut self.released };
            writer.drop_child(Child::Node(catalog))?;
        }
        Ok(())
    }

    pub(crate) fn delete_snapshot(&mut self, name: &str) -> Result<()> {
        let record = self.snapshot_record(name)?;
        if record.held {
            return Err(Error::Held(name.into()));
        }
        self.txn.set_privileged(true);
        self.run(|draft| {
            draft.remove_name(&meta::key(SNAPSHOT, name))?;
            draft.unshare(record.catalog)
        })
    }

    pub(crate) fn hold(&mut self, name: &str, held: bool) -> Result<()> {
        let record = SnapshotRecord { held, ..self.snapshot_record(name)? };
        self.run(|draft| draft.put_name(&meta::key(SNAPSHOT, name), &record.encode()))
    }

    pub(crate) fn rollback(&mut self, branch: &str, snapshot: &str) -> Result<()> {
        let line = self.branch_record(branch)?;
        let target = self.snapshot_record(snapshot)?;
        self.txn.set_privileged(true);
        self.run(|draft| {
            draft.share(target.catalog)?;
            let record = BranchRecord {
                catalog: target.catalog,
                shared_at: draft.txn.stamp(),
                last_snapshot: Some(snapshot.into()),
                ..line
            };
            draft.put_name(&meta::key(BRANCH, branch), &record.encode())?;
            draft.unshare(line.catalog)
        })
    }

    pub(crate) fn create_branch(&mut self, name: &str, from: &str, created: u64) -> Result<()> {
        self.check_free(name)?;
        let snapshot = match self.get_name(SNAPSHOT, from)? {
            Some((bytes, page)) => Some(SnapshotRecord::decode(&bytes, page)?),
            None => None,
        };
        let source = match &snapshot {
            Some(_) => None,
            None => Some(self.branch_record(from)?),
        };
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let (catalog, last_snapshot) = match (snapshot, source) {
                (Some(snapshot), _) => (snapshot.catalog, Some(from.to_owned())),
                (None, Some(source)) => {
                    let (catalog, last) = (source.catalog, source.last_snapshot.clone());
                    let source = BranchRecord { shared_at: stamp, ..source };
                    draft.put_name(&meta::key(BRANCH, from), &source.encode())?;
                    (catalog, last)
                }
                (None, None) => return Err(Error::SnapshotNotFound(from.into())),
            };
            draft.share(catalog)?;
            let record = BranchRecord {
                catalog,
                shared_at: stamp,
                created,
                origin: Some(from.into()),
                last_snapshot,
            };
            draft.put_name(&meta::key(BRANCH, name), &record.encode())
        })
    }

    pub(crate) fn delete_branch(&mut self, name: &str) -> Result<()> {
        if name == MAIN {
            return Err(Error::InvalidArgument("the branch main cannot be deleted".into()));
        }
        let record = self.branch_record(name)?;
        self.txn.set_privileged(true);
        self.run(|draft| {
            draft.remove_name(&meta::key(BRANCH, name))?;
            draft.unshare(record.catalog)
        })
    }

    /// `name` becomes main; the old main goes on under the name `name`.
    pub(crate) fn promote(&mut self, name: &str) -> Result<()> {
        let new = self.branch_record(name)?;
        let old = self.branch_record(MAIN)?;
        if name == MAIN {
            return Ok(());
        }
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let new = BranchRecord { shared_at: stamp, ..new };
            let old = BranchRecord { shared_at: stamp, ..old };
            draft.put_name(&meta::key(BRANCH, MAIN), &new.encode())?;
            draft.put_name(&meta::key(BRANCH, name), &old.encode())
        })
    }

    // ---- replay --------------------------------------------------------------------------

    /// Does what a log record says.
    pub(crate) fn apply(&mut self, body: &[u8]) -> Result<()> {
        match Record::decode(body)? {
            Record::Writes { branch, mut operations } => {
                self.open_branch(branch)?;
                let mut table = String::new();
                while let Some(operation) = operations.next()? {
                    match operation {
                        Operation::Table(name) => {
                            self.close_table(&table);
                            self.open_table(name)?;
                            table = name.to_owned();
                        }
                        Operation::Insert(key, value) => {
                            self.insert(&table, key, value)?;
                        }
                        Operation::Remove(key) => {
                            self.remove(&table, key)?;
                        }
                        Operation::RemoveRange(span) => {
                            self.remove_range(&table, &span)?;
                        }
                        Operation::DeleteTable(name) => {
                            self.close_table(&table);
                            table.clear();
                            self.delete_table(name)?;
                        }
                    }
                }
                Ok(())
            }
            Record::CreateSnapshot { branch, name, created, label } => {
                self.create_snapshot(branch, name, created, label)
            }
            Record::DeleteSnapshot { name } => self.delete_snapshot(name),
            Record::Rollback { branch, snapshot } => self.rollback(branch, snapshot),
            Record::CreateBranch { name, from, created } => self.create_branch(name, from, created),
            Record::DeleteBranch { name } => self.delete_branch(name),
            Record::Promote { name } => self.promote(name),
            Record::Hold { name, held } => self.hold(name, held),
        }
    }

    // ---- the end -------------------------------------------------------------------------

    /// Enters all changed roots, the release queue, and the root of names.
    fn seal(&mut self) -> Result<()> {
        // What a deletion freed with the last pages must not fail here.
        self.txn.set_privileged(true);
        let mut changed = Vec::new();
        if let Some(branch) = &self.branch {
            for (name, table) in &branch.tables {
                if table.tree != table.saved {
                    changed.push((name.clone(), table.tree));
                }
            }
        }
        for (name, tree) in &changed {
            self.save_table(name, tree)?;
        }
        if let Some(branch) = &mut self.branch
            && branch.catalog.root != branch.record.catalog
        {
            branch.record.catalog = branch.catalog.root;
            let (key, record) = (meta::key(BRANCH, &branch.name), branch.record.encode());
            self.put_name(&key, &record)?;
        }
        // Entering the queue's entries may shadow nodes of names, but releases nothing more.
        for child in std::mem::take(&mut self.released) {
            self.queued += 1;
            let mut key = vec![RELEASE];
            key.extend_from_slice(&self.txn.stamp().to_be_bytes());
            key.extend_from_slice(&self.queued.to_be_bytes());
            self.put_name(&key, &meta::encode_release(&child))?;
        }
        self.txn.set_root(self.meta.root);
        Ok(())
    }

    /// Was anything left for the release queue?
    pub(crate) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// Commits what was written to the open branch.
    pub(crate) fn commit(mut self, durability: Durability) -> Result<()> {
        self.run(Draft::seal)?;
        let Some(branch) = self.branch else { return Ok(()) };
        let record = branch.redo.finish();
        if record.is_some_and(<[u8]>::is_empty) && !self.txn.is_changed() {
            return Ok(self.txn.end_unchanged(durability)?);
        }
        Ok(self.txn.commit(record, durability)?)
    }

    /// Commits a change of names, with the record that the log replays.
    pub(crate) fn commit_record(
        mut self,
        record: &Record<'_>,
        durability: Durability,
    ) -> Result<()> {
        self.run(Draft::seal)?;
        Ok(self.txn.commit(Some(&record.encode()), durability)?)
    }

    /// Commits what replay need not bring back (`logged`), or cannot.
    pub(crate) fn commit_unlogged(mut self) -> Result<()> {
        self.run(Draft::seal)?;
        Ok(self.txn.commit(Some(&[]), Durability::None)?)
    }

    /// Commits by a checkpoint.
    pub(crate) fn commit_by_checkpoint(mut self) -> Result<()> {
        self.run(Draft::seal)?;
        Ok(self.txn.commit(None, Durability::Immediate)?)
    }

    /// Ends the replay of a record: the pager commits the transaction.
    pub(crate) fn into_replayed(mut self) -> Result<Transaction> {
        self.run(Draft::seal)?;
        Ok(self.txn)
    }

    // ---- the release queue ---------------------------------------------------------------

    /// Takes apart up to `budget` nodes of the queue. False: the queue was empty.
    pub(crate) fn release_slice(&mut self, budget: usize) -> Result<bool> {
        let page_size = self.txn.page_size();
        self.txn.set_privileged(true);
        self.run(|draft| {
            let queue = Tree { ..draft.meta };
            let mut entries = Vec::new();
            // From the newest on, so that the queue stays as short as a path is long.
            let end = End::At(&[RELEASE + 1]);
            if let Some(mut cursor) = Cursor::new(draft.txn.view(), &queue, end)? {
                while entries.len() < budget.div_ceil(4)
                    && let Some(index) = cursor.peek_back()?
                {
                    let node = Node::new(cursor.leaf());
                    let mut key = Vec::new();
                    node.write_key(index, &mut key);
                    if key.first() != Some(&RELEASE) {
                        break;
                    }
                    let (value, _) = node.value(index);
                    entries.push((key, meta::decode_release(value, cursor.leaf_id(), page_size)?));
                    cursor.retreat();
                }
            }
            if entries.is_empty() {
                return Ok(false);
            }
            for (key, child) in entries {
                draft.remove_name(&key)?;
                draft.released.push_back(child);
            }
            let mut writer =
                Writer { txn: &mut draft.txn, shared_at: 0, released: &mut draft.released };
            writer.drop_released(budget)?;
            Ok(true)
        })
    }
}

/// Is anything waiting in the release queue of this version?
pub(crate) fn has_releases(view: cowslip_pager::View<'_>, root: Pointer) -> Result<bool> {
    let meta = Tree::new(META, 0, root).checked(0)?;
    let Some(mut cursor) = Cursor::new(view, &meta, End::At(&[RELEASE]))? else {
        return Ok(false);
    };
    let mut key = Vec::new();
    Ok(match cursor.peek_next()? {
        Some(index) => {
            Node::new(cursor.leaf()).write_key(index, &mut key);
            key.first() == Some(&RELEASE)
        }
        None => false,
    })
}

/// The tree of a table.
pub(crate) fn find_table(
    view: cowslip_pager::View<'_>,
    catalog: &Tree,
    name: &str,
) -> Result<Option<Tree>> {
    let Some(found) = catalog.get(view, name.as_bytes())? else { return Ok(None) };
    let page = cowslip_pager::page::Header::read(&found.leaf).pointer.page;
    let record = TableRecord::decode(Node::new(&found.leaf).value(found.index).0, page)?;
    Ok(Some(Tree::new(TABLE, record.id, record.root).checked(page.0)?))
}

/// The names of a catalog, ascending.
pub(crate) fn table_names(view: cowslip_pager::View<'_>, catalog: &Tree) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut key = Vec::new();
    if let Some(mut cursor) = Cursor::new(view, catalog, End::First)? {
        while let Some(index) = cursor.peek_next()? {
            Node::new(cursor.leaf()).write_key(index, &mut key);
            names.push(String::from_utf8_lossy(&key).into_owned());
            cursor.advance();
        }
    }
    Ok(names)
}

/// Takes a store's log in.
pub(crate) fn replay(pager: &Pager, replay: cowslip_pager::Replay) -> Result<()> {
    pager.recover(replay, |txn, body| {
        let mut draft = Draft::new(txn)?;
        draft.apply(body)?;
        draft.into_replayed()
    })
}
