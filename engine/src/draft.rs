//! A write transaction's state: the trees it changes, what it released, what the log will say.
//!
//! The same functions serve the user's calls and the replay of the log, so that both do exactly the
//! same. A failure in the middle of an operation may leave trees half changed: the draft then
//! refuses everything but being dropped.

mod gather;
mod incoming;
mod lines;
mod machines;
mod postponed;
mod replay;
mod tables;
mod warm;

use gather::Gathered;
pub(crate) use incoming::Arrived;
pub(crate) use machines::Stored;
use postponed::Postponed;
pub(crate) use replay::replay;
pub(crate) use tables::check_table_name;

use std::{
    collections::{HashMap, VecDeque},
    time::{SystemTime, UNIX_EPOCH},
};

use cowslip_pager::{Child, Durability, PageId, Pointer, Transaction, View, mutant};

use crate::{
    error::{Error, Result},
    kinds::{META, TABLE},
    meta::{
        self, BRANCH, BranchRecord, Lineage, MAIN, RELEASE, SNAPSHOT, SnapshotRecord, TableRecord,
    },
    node::Node,
    redo::{Operation, Record, Redo},
    tree::{Cell, Cursor, End, Tree, Writer},
};

/// Longest name of a table, in bytes.
pub(crate) const TABLE_NAME_MAX: usize = 512;

/// An entry of the tree of names: its key behind the prefix, its record, and the page it stands in.
pub(crate) type NameEntry = (Vec<u8>, Vec<u8>, PageId);

pub(crate) struct Draft {
    pub(crate) txn: Transaction,
    meta: Tree,
    /// The branch that is written, once one is.
    branch: Option<OpenBranch>,
    postponed: Postponed,
    released: VecDeque<Child>,
    failure: Option<String>,
    /// Operations that have begun and not returned: after a panic that somebody caught, more than there are.
    running: u32,
    ids: u64,
    queued: u32,
}

struct OpenBranch {
    name: String,
    record: BranchRecord,
    catalog: Tree,
    tables: HashMap<String, OpenTable>,
    /// Bytes that the rows take which the tables have gathered.
    held_back: usize,
    redo: Redo,
}

impl OpenBranch {
    /// The line that is written, if the branch has a history.
    fn line(&self) -> Option<u64> {
        self.record.lineage.tip().map(|place| place.line)
    }
}

/// A table that this transaction has touched.
struct OpenTable {
    tree: Tree,
    saved: Tree,
    /// Its pages, as the catalog has it.
    saved_pages: u64,
    /// The way to its entry in the catalog is the transaction's own: only then do the counts below
    /// tell the truth (shadowing goes strictly top-down).
    owned: bool,
    open: bool,
    /// Rows that are not in the tree yet.
    gathered: Option<Gathered>,
    /// Rows that were inserted one after another in ascending order, and the last of their keys.
    ascending: usize,
    last: Vec<u8>,
}

impl OpenTable {
    fn new(tree: Tree, pages: u64, owned: bool) -> OpenTable {
        OpenTable {
            tree,
            saved: tree,
            saved_pages: pages,
            owned,
            open: true,
            gathered: None,
            ascending: 0,
            last: Vec::new(),
        }
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// Looks up a name in the tree of names below `root`.
pub(crate) fn lookup(
    view: View<'_>,
    root: Pointer,
    key: &[u8],
) -> Result<Option<(Vec<u8>, PageId)>> {
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
            postponed: Postponed::default(),
            released: VecDeque::new(),
            failure: None,
            running: 0,
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
        self.running += 1;
        let result = operation(self);
        self.running -= 1;
        if let Err(error) = &result
            && !mutant!(HalfDoneOperationCommits)
        {
            self.failure = Some(error.to_string());
        }
        result
    }

    /// An id of a tree or a line that was never used before.
    fn fresh_id(&mut self) -> u64 {
        self.ids += 1;
        self.txn.stamp() << 16 | (self.ids & 0xFFFF)
    }

    // ---- names ---------------------------------------------------------------------------

    fn get_name(&self, prefix: u8, name: &str) -> Result<Option<(Vec<u8>, PageId)>> {
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
        let lineage = Lineage::default().fork(self.fresh_id());
        let record = BranchRecord { created: now(), lineage, ..BranchRecord::default() };
        self.run(|draft| draft.put_name(&meta::key(BRANCH, MAIN), &record.encode()))
    }

    /// How many names have this prefix; reads one path of the tree twice.
    pub(crate) fn count_names(view: View<'_>, root: Pointer, prefix: u8) -> Result<u64> {
        let meta = Tree::new(META, 0, root).checked(0)?;
        Ok(meta.rank(view, &[prefix + 1])?.saturating_sub(meta.rank(view, &[prefix])?))
    }

    /// The names with this prefix, and their records.
    pub(crate) fn names(
        view: View<'_>,
        root: Pointer,
        prefix: u8,
    ) -> Result<Vec<(String, Vec<u8>, PageId)>> {
        let entries = Draft::entries(view, root, prefix)?;
        let name = |(key, record, page): NameEntry| {
            let name = String::from_utf8(key)
                .map_err(|_| Error::corrupted(page.0, "name (UTF-8)", 0, 0))?;
            Ok((name, record, page))
        };
        entries.into_iter().map(name).collect()
    }

    /// The entries whose keys begin with `prefix`.
    pub(crate) fn entries(view: View<'_>, root: Pointer, prefix: u8) -> Result<Vec<NameEntry>> {
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
            out.push((key[1..].to_vec(), node.value(index).0.to_vec(), cursor.leaf_id()));
            cursor.advance();
        }
        Ok(out)
    }

    // ---- replay --------------------------------------------------------------------------

    /// Does what a log record says.
    pub(crate) fn apply(&mut self, body: &[u8]) -> Result<()> {
        self.perform(&Record::decode(body)?)
    }

    /// Does what a record says.
    pub(crate) fn perform(&mut self, record: &Record<'_>) -> Result<()> {
        match *record {
            Record::Writes { branch, mut operations } => {
                if self.branch.as_ref().is_none_or(|open| open.name != branch) {
                    self.open_branch(branch)?;
                }
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
                self.close_table(&table);
                Ok(())
            }
            Record::CreateSnapshot { branch, name, created, label, id } => {
                self.create_snapshot(branch, name, created, label, id)
            }
            Record::DeleteSnapshot { name } => self.delete_snapshot(name),
            Record::Rollback { branch, snapshot } => self.rollback(branch, snapshot),
            Record::CreateBranch { name, from, created } => self.create_branch(name, from, created),
            Record::DeleteBranch { name } => self.delete_branch(name),
            Record::Promote { name } => self.promote(name),
            Record::Hold { name, held } => self.hold(name, held),
            Record::Several(ref records) => {
                records.iter().try_for_each(|record| self.perform(record))
            }
            Record::CreateBookmark { name, snapshot } => self.create_bookmark(name, snapshot),
            Record::DeleteBookmark { name } => self.delete_bookmark(name),
        }
    }

    // ---- the end -------------------------------------------------------------------------

    /// Ends all operations; nothing may be half done.
    fn end(&mut self) -> Result<()> {
        if self.running > 0 {
            let cause = "an operation of this transaction panicked".to_owned();
            return Err(Error::Poisoned { cause });
        }
        self.run(Draft::seal)
    }

    /// Enters all changed roots, the release queue, and the root of names.
    fn seal(&mut self) -> Result<()> {
        // Before the last pages may be used: rows that were held back are no deletion.
        self.settle_all()?;
        // What a deletion freed with the last pages must not fail here.
        self.txn.set_privileged(true);
        self.save_tables()?;
        if let Some(branch) = &mut self.branch
            && branch.catalog.root != branch.record.catalog
        {
            branch.record.catalog = branch.catalog.root;
            let (key, record) = (meta::key(BRANCH, &branch.name), branch.record.encode());
            self.put_name(&key, &record)?;
        }
        // Entering the queue's entries may shadow nodes of names, but releases nothing more.
        if mutant!(ReleaseQueueEntryLost) {
            self.released.pop_back();
        }
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

    /// Enters the roots of all changed tables in the catalog.
    fn save_tables(&mut self) -> Result<()> {
        self.settle_all()?;
        let mut changed = Vec::new();
        if let Some(branch) = &self.branch {
            for (name, table) in &branch.tables {
                // A version that goes on keeps its roots, whatever is below them.
                if table.tree != table.saved
                    || self.txn.is_continued()
                        && table.tree.sums(self.txn.view())?.pages != table.saved_pages
                {
                    changed.push((name.clone(), table.tree));
                }
            }
        }
        changed.iter().try_for_each(|(name, tree)| self.save_table(name, tree))
    }

    /// Was anything left for the release queue?
    pub(crate) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// Commits what was written to the open branch.
    pub(crate) fn commit(mut self, durability: Durability) -> Result<()> {
        if !self.postponed.is_empty()
            && let Some(branch) = &self.branch
            && let Some(record) = branch.redo.finish()
            && let Some(line) = branch.line()
        {
            let pages = self.postponed.pages_max();
            self.txn.continue_newest(line, record.len(), pages, durability);
        }
        self.end()?;
        if let Some(line) = self.branch.as_ref().and_then(OpenBranch::line) {
            self.txn.set_continuable(line);
        }
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
        self.end()?;
        let record = if mutant!(NamesNotLogged) { Vec::new() } else { record.encode() };
        Ok(self.txn.commit(Some(&record), durability)?)
    }

    /// Commits what replay need not bring back (`logged`), or cannot.
    pub(crate) fn commit_unlogged(mut self) -> Result<()> {
        self.end()?;
        Ok(self.txn.commit(Some(&[]), Durability::None)?)
    }

    /// Commits by a checkpoint.
    pub(crate) fn commit_by_checkpoint(mut self) -> Result<()> {
        self.end()?;
        Ok(self.txn.commit(None, Durability::Immediate)?)
    }

    /// Ends the replay of a record: the pager commits the transaction.
    pub(crate) fn into_replayed(mut self) -> Result<Transaction> {
        self.end()?;
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
pub(crate) fn has_releases(view: View<'_>, root: Pointer) -> Result<bool> {
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

/// What a catalog says about a name, and the page where it says so.
pub(crate) fn find_record(
    view: View<'_>,
    catalog: &Tree,
    name: &str,
) -> Result<Option<(TableRecord, PageId)>> {
    let Some(found) = catalog.get(view, name.as_bytes())? else { return Ok(None) };
    let page = cowslip_pager::page::Header::read(&found.leaf).pointer.page;
    let record = TableRecord::decode(Node::new(&found.leaf).value(found.index).0, page)?;
    Ok(Some((record, page)))
}

/// The tree of a table, and how many pages it has.
pub(crate) fn find_table(
    view: View<'_>,
    catalog: &Tree,
    name: &str,
) -> Result<Option<(Tree, u64)>> {
    match find_record(view, catalog, name)? {
        None => Ok(None),
        Some((record, _)) if record.is_machine() => Err(Error::NotATable(name.into())),
        Some((record, page)) => {
            let tree = Tree::new(TABLE, record.id, record.root).checked(page.0)?;
            Ok(Some((tree, record.pages)))
        }
    }
}

/// The names of a catalog's tables, ascending.
pub(crate) fn table_names(view: View<'_>, catalog: &Tree) -> Result<Vec<String>> {
    names_of(view, catalog, |record| !record.is_machine())
}

/// The names of a catalog's machines, ascending.
pub(crate) fn machine_names(view: View<'_>, catalog: &Tree) -> Result<Vec<String>> {
    names_of(view, catalog, TableRecord::is_machine)
}

fn names_of(
    view: View<'_>,
    catalog: &Tree,
    wanted: impl Fn(&TableRecord) -> bool,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut key = Vec::new();
    if let Some(mut cursor) = Cursor::new(view, catalog, End::First)? {
        while let Some(index) = cursor.peek_next()? {
            let node = Node::new(cursor.leaf());
            if wanted(&TableRecord::decode(node.value(index).0, cursor.leaf_id())?) {
                node.write_key(index, &mut key);
                names.push(String::from_utf8_lossy(&key).into_owned());
            }
            cursor.advance();
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
    };

    use cowslip_pager::storage::MemoryStorage;

    use super::*;
    use crate::Database;

    #[test]
    fn what_a_caught_panic_left_half_done_is_not_committed() {
        let db = Database::builder().open_or_create_on(Arc::new(MemoryStorage::new())).unwrap();
        let tx = db.begin_write().unwrap();
        tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
        let broken = catch_unwind(AssertUnwindSafe(|| {
            tx.draft_mut().run(|_| -> Result<()> { panic!("in the middle") })
        }));
        assert!(broken.is_err());
        assert!(matches!(tx.commit(), Err(Error::Poisoned { .. })));
        let tx = db.begin_write().unwrap();
        assert!(tx.tables().unwrap().is_empty());
        tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
        tx.commit().unwrap();
        db.close().unwrap();
    }
}
