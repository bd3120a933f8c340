//! Reading: a version that stays as it is, however long it is read.
//!
//! Who begins while the log is replayed reads an *early* version: the checkpoint's trees, and what the log
//! says of single keys (`pending.rs`). For all that needs whole trees he waits, and gets the version that the
//! replay came to: the same rows.

use std::{
    ops::RangeBounds,
    sync::{Arc, OnceLock},
};

use cowslip_pager::{Pointer, Reader, View, WALKS, mutant};

use crate::{
    database::{Shared, find_branch, find_snapshot},
    draft,
    error::{Error, Result},
    iter::{Iter, prefix_span, span},
    kinds::{CATALOG, TABLE},
    meta::TableRecord,
    pending::{Pending, Word},
    redo::Operation,
    tree::{Lookup, Tree},
    value::{Key, Value, ValueReader},
};

/// A version of a branch, or a snapshot, that stays readable as long as this or a table opened from
/// it lives.
///
/// It is `'static`: it keeps the database open (and its file locked), and the pages of its version
/// from being used again.
#[derive(Clone)]
pub struct ReadTransaction {
    held: Arc<Held>,
    catalog: Tree,
}

/// What a transaction and its tables keep alive.
struct Held {
    reader: Reader,
    early: Option<Early>,
    // Declared after the readers, so that the database closes last.
    shared: Arc<Shared>,
}

/// A branch to which the log writes, of a version that was begun while the log was replayed.
struct Early {
    branch: String,
    pending: Arc<Pending>,
    /// The catalog in the version that the replay came to, once it was needed.
    catalog: OnceLock<Tree>,
}

impl Held {
    fn view(&self) -> View<'_> {
        self.reader.view()
    }

    /// The reader and the catalog of an early version when the log is replayed; waits for it.
    fn replayed<'h>(&'h self, early: &'h Early) -> Result<(&'h Reader, Tree)> {
        let reader = self.shared.replayed(&early.pending)?;
        if let Some(&catalog) = early.catalog.get() {
            return Ok((reader, catalog));
        }
        let catalog = find_branch(reader.view(), reader.version().root, &early.branch)?;
        let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
        Ok((reader, *early.catalog.get_or_init(|| catalog)))
    }
}

impl ReadTransaction {
    /// The newest version of a branch.
    pub(crate) fn of_branch(shared: &Arc<Shared>, branch: &str) -> Result<ReadTransaction> {
        let (reader, pending) = shared.begin_read();
        let catalog = find_branch(reader.view(), reader.version().root, branch)?;
        let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
        // A branch to which the log does not write is the checkpoint's.
        let early = pending.filter(|pending| pending.writes_to(branch)).map(|pending| Early {
            branch: branch.into(),
            pending,
            catalog: OnceLock::new(),
        });
        let shared = shared.clone();
        Ok(ReadTransaction { held: Arc::new(Held { reader, early, shared }), catalog })
    }

    /// A snapshot: the log that is replayed beside its readers changes none.
    pub(crate) fn of_snapshot(shared: &Arc<Shared>, snapshot: &str) -> Result<ReadTransaction> {
        let (reader, _) = shared.begin_read();
        let catalog = find_snapshot(reader.view(), reader.version().root, snapshot)?;
        let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
        let shared = shared.clone();
        Ok(ReadTransaction { held: Arc::new(Held { reader, early: None, shared }), catalog })
    }

    /// The number of the version that is read. It grows with every commit, with every step of a
    /// background deletion, and with every opening. As soon as a later commit is durable it is never
    /// given to another version; until then a crash may lose it, and it may come again.
    pub fn number(&self) -> u64 {
        self.held.reader.version().stamp
    }

    /// The reader and the catalog that have the whole version.
    fn whole(&self) -> Result<(&Reader, Tree)> {
        match &self.held.early {
            None => Ok((&self.held.reader, self.catalog)),
            Some(early) => self.held.replayed(early),
        }
    }

    /// Opens a table; [`Error::TableNotFound`] if there is none of this name.
    pub fn open_table(&self, name: &str) -> Result<ReadTable> {
        let found = draft::find_table(self.held.view(), &self.catalog, name)?;
        let early = self.held.early.as_ref();
        let changed = early.and_then(|early| early.pending.table(&early.branch, name));
        let tree = match found {
            Some((tree, _)) => tree,
            None => match (early, changed) {
                (Some(early), Some(number)) => {
                    // The log makes it.
                    if early.pending.is_uncertain(number) && !mutant!(UnsyncedTableTold) {
                        self.held.shared.wait_for_certainty()?;
                    }
                    Tree::new(TABLE, 0, Pointer::NONE)
                }
                _ => return Err(Error::TableNotFound(name.into())),
            },
        };
        let early = changed.map(|number| {
            Arc::new(EarlyTable { name: name.into(), number, replayed: OnceLock::new() })
        });
        Ok(ReadTable { held: self.held.clone(), tree, early })
    }

    pub(crate) fn machine_names(&self) -> Result<Vec<String>> {
        let (reader, catalog) = self.whole()?;
        draft::machine_names(reader.view(), &catalog)
    }

    /// The record of a machine, and the reader that sees it.
    pub(crate) fn machine_record(&self, name: &str) -> Result<(&Reader, TableRecord)> {
        let (reader, catalog) = self.whole()?;
        match draft::find_record(reader.view(), &catalog, name)? {
            Some((record, page)) if record.is_machine() => {
                record.child(page)?;
                Ok((reader, record))
            }
            _ => Err(Error::MachineNotFound(name.into())),
        }
    }

    /// The names of all tables, ascending.
    pub fn tables(&self) -> Result<Vec<String>> {
        let (reader, catalog) = self.whole()?;
        draft::table_names(reader.view(), &catalog)
    }
}

impl std::fmt::Debug for ReadTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTransaction")
            .field("version", &self.held.reader.version().stamp)
            .finish_non_exhaustive()
    }
}

/// A table of a version. `'static`, like the [`ReadTransaction`] it came from.
#[derive(Clone)]
pub struct ReadTable {
    held: Arc<Held>,
    tree: Tree,
    early: Option<Arc<EarlyTable>>,
}

/// A table to which the log writes, of an early version.
struct EarlyTable {
    name: String,
    /// Which of the log's tables it is.
    number: usize,
    /// Its tree in the version that the replay came to, once it was needed.
    replayed: OnceLock<Tree>,
}

impl ReadTable {
    /// The tree that has all rows, and the reader that sees it. While the log is replayed: waits.
    #[inline]
    fn whole(&self) -> Result<(&Reader, Tree)> {
        match (&self.early, &self.held.early) {
            (Some(table), Some(early)) => self.replayed(table, early),
            _ => Ok((&self.held.reader, self.tree)),
        }
    }

    #[cold]
    fn replayed<'t>(&'t self, table: &EarlyTable, early: &'t Early) -> Result<(&'t Reader, Tree)> {
        let (reader, catalog) = self.held.replayed(early)?;
        if let Some(&tree) = table.replayed.get() {
            return Ok((reader, tree));
        }
        let (tree, _) = draft::find_table(reader.view(), &catalog, &table.name)?
            .ok_or_else(|| Error::TableNotFound(table.name.clone()))?;
        Ok((reader, *table.replayed.get_or_init(|| tree)))
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>> {
        match (&self.early, &self.held.early) {
            (Some(table), Some(early)) => self.get_early(table, early, key),
            _ => get(self.held.reader.pager(), self.held.view(), &self.tree, key),
        }
    }

    /// The same while the log is replayed: what it says of the key, else what the checkpoint says.
    #[cold]
    fn get_early<'t>(
        &'t self,
        table: &EarlyTable,
        early: &'t Early,
        key: &[u8],
    ) -> Result<Option<Value<'t>>> {
        let pager = self.held.reader.pager();
        if early.pending.replayed().is_some() {
            let (reader, tree) = self.replayed(table, early)?;
            return get(pager, reader.view(), &tree, key);
        }
        let Some(Word { operation, uncertain }) = early.pending.find(table.number, key)? else {
            return get(pager, self.held.view(), &self.tree, key);
        };
        if uncertain && !mutant!(UnsyncedWordTold) {
            self.held.shared.wait_for_certainty()?;
        }
        Ok(match operation {
            Operation::Insert(_, value) => Some(Value::owned(value.to_vec())),
            _ => None,
        })
    }

    /// The values of many keys, in their order. Faster than one [`ReadTable::get`] after another: the
    /// memory that one key needs is fetched while others are looked up.
    pub fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value<'_>>>> {
        if let (Some(table), Some(early)) = (&self.early, &self.held.early)
            && early.pending.replayed().is_none()
        {
            return keys.iter().map(|key| self.get_early(table, early, key)).collect();
        }
        let (reader, tree) = self.whole()?;
        get_many(reader.pager(), reader.view(), &tree, keys)
    }

    /// The entries of a range of keys, ascending; double-ended.
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<Iter<'_>> {
        let (reader, tree) = self.whole()?;
        Ok(Iter::new(reader.pager(), reader.view(), tree, span(&range)))
    }

    /// The entries whose keys begin with `prefix`.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Iter<'_>> {
        let (reader, tree) = self.whole()?;
        Ok(Iter::new(reader.pager(), reader.view(), tree, prefix_span(prefix)))
    }

    /// The entry of the smallest key.
    pub fn first(&self) -> Result<Option<(Key, Value<'_>)>> {
        self.range::<&[u8]>(..)?.next().transpose()
    }

    /// The entry of the largest key.
    pub fn last(&self) -> Result<Option<(Key, Value<'_>)>> {
        self.range::<&[u8]>(..)?.next_back().transpose()
    }

    /// Entries of the table; reads one page.
    pub fn len(&self) -> Result<u64> {
        let (reader, tree) = self.whole()?;
        tree.len(reader.view())
    }

    /// Is the table empty?
    pub fn is_empty(&self) -> Result<bool> {
        let (_, tree) = self.whole()?;
        Ok(tree.root.is_none())
    }

    /// Reads a value of any size in parts.
    pub fn reader(&self, key: &[u8]) -> Result<Option<ValueReader<'_>>> {
        let (reader, tree) = self.whole()?;
        value_reader(reader.pager(), reader.view(), &tree, key)
    }
}

impl std::fmt::Debug for ReadTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTable").field("id", &self.tree.id).finish_non_exhaustive()
    }
}

#[inline]
pub(crate) fn get<'p>(
    pager: &'p cowslip_pager::Pager,
    view: View<'p>,
    tree: &Tree,
    key: &[u8],
) -> Result<Option<Value<'p>>> {
    match tree.get(view, key)? {
        Some(found) => Value::of(pager, found.leaf, found.index).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn get_many<'p>(
    pager: &'p cowslip_pager::Pager,
    view: View<'p>,
    tree: &Tree,
    keys: &[&[u8]],
) -> Result<Vec<Option<Value<'p>>>> {
    let mut values = Vec::with_capacity(keys.len());
    for keys in keys.chunks(WALKS) {
        for (found, key) in tree.find_together(view, keys)?.into_iter().zip(keys) {
            values.push(match found {
                Lookup::Found(found) => Some(Value::of(pager, found.leaf, found.index)?),
                Lookup::Missing => None,
                Lookup::NotInMemory => get(pager, view, tree, key)?,
            });
        }
    }
    Ok(values)
}

pub(crate) fn value_reader<'p>(
    pager: &'p Arc<cowslip_pager::Pager>,
    view: View<'p>,
    tree: &Tree,
    key: &[u8],
) -> Result<Option<ValueReader<'p>>> {
    match tree.get(view, key)? {
        Some(found) => ValueReader::of(pager, found.leaf, found.index).map(Some),
        None => Ok(None),
    }
}
