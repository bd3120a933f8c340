//! Reading: a version that stays as it is, however long it is read.

use std::{ops::RangeBounds, sync::Arc};

use cowslip_pager::{Pointer, Reader, View, WALKS};

use crate::{
    database::Shared,
    draft,
    error::{Error, Result},
    iter::{Iter, prefix_span, span},
    kinds::CATALOG,
    meta::TableRecord,
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
    // Declared after the reader, so that the database closes last.
    _shared: Arc<Shared>,
}

impl ReadTransaction {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        find: impl FnOnce(View<'_>, Pointer) -> Result<Pointer>,
    ) -> Result<ReadTransaction> {
        let reader = shared.pager.begin_read();
        let catalog = find(reader.view(), reader.version().root)?;
        let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
        Ok(ReadTransaction { held: Arc::new(Held { reader, _shared: shared.clone() }), catalog })
    }

    /// The number of the version that is read. It grows with every commit, with every step of a
    /// background deletion, and with every opening. As soon as a later commit is durable it is never
    /// given to another version; until then a crash may lose it, and it may come again.
    pub fn number(&self) -> u64 {
        self.held.reader.version().stamp
    }

    /// Opens a table; [`Error::TableNotFound`] if there is none of this name.
    pub fn open_table(&self, name: &str) -> Result<ReadTable> {
        let (tree, _) = draft::find_table(self.held.reader.view(), &self.catalog, name)?
            .ok_or_else(|| Error::TableNotFound(name.into()))?;
        Ok(ReadTable { held: self.held.clone(), tree })
    }

    pub(crate) fn machine_names(&self) -> Result<Vec<String>> {
        draft::machine_names(self.held.reader.view(), &self.catalog)
    }

    /// The record of a machine, and the reader that sees it.
    pub(crate) fn machine_record(&self, name: &str) -> Result<(&Reader, TableRecord)> {
        let reader = &self.held.reader;
        match draft::find_record(reader.view(), &self.catalog, name)? {
            Some((record, page)) if record.is_machine() => {
                record.child(page)?;
                Ok((reader, record))
            }
            _ => Err(Error::MachineNotFound(name.into())),
        }
    }

    /// The names of all tables, ascending.
    pub fn tables(&self) -> Result<Vec<String>> {
        draft::table_names(self.held.reader.view(), &self.catalog)
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
}

impl ReadTable {
    fn view(&self) -> View<'_> {
        self.held.reader.view()
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>> {
        get(self.held.reader.pager(), self.view(), &self.tree, key)
    }

    /// The values of many keys, in their order. Faster than one [`ReadTable::get`] after another: the
    /// memory that one key needs is fetched while others are looked up.
    pub fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value<'_>>>> {
        get_many(self.held.reader.pager(), self.view(), &self.tree, keys)
    }

    /// The entries of a range of keys, ascending; double-ended.
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<Iter<'_>> {
        Ok(Iter::new(self.held.reader.pager(), self.view(), self.tree, span(&range)))
    }

    /// The entries whose keys begin with `prefix`.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Iter<'_>> {
        Ok(Iter::new(self.held.reader.pager(), self.view(), self.tree, prefix_span(prefix)))
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
        self.tree.len(self.view())
    }

    /// Is the table empty?
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.tree.root.is_none())
    }

    /// Reads a value of any size in parts.
    pub fn reader(&self, key: &[u8]) -> Result<Option<ValueReader<'_>>> {
        reader(self.held.reader.pager(), self.view(), &self.tree, key)
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

pub(crate) fn reader<'p>(
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
