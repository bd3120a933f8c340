//! The differences between two versions: by table, then by key.

mod walk;

use std::ops::RangeBounds;

use cowslip_pager::{Pointer, Reader, View};

use walk::machine_of;
pub(crate) use walk::{Difference, Kept, Place, Walk, next_difference, table_of};

use crate::{
    error::{Error, Result},
    iter::span,
    kinds::CATALOG,
    meta::TableRecord,
    tree::{Span, Tree},
};

/// One difference: of an entry, or of a stored machine, which has no key and for values words about
/// the two machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: String,
    /// The key.
    pub key: Vec<u8>,
    /// The value on the first side; none if the key was added.
    pub old: Option<Vec<u8>>,
    /// The value on the second side; none if the key was removed.
    pub new: Option<Vec<u8>>,
}

/// An iterator over the differences, by table and key. It keeps the version that it reads from
/// being used again, and holds one page for each level of the trees.
pub struct Diff {
    reader: Reader,
    differences: Differences,
    table: String,
    done: bool,
}

impl Diff {
    pub(crate) fn new(reader: Reader, from: Pointer, to: Pointer) -> Result<Diff> {
        let differences = Differences::new(from, to, Span::all(), Span::all())?;
        Ok(Diff { reader, differences, table: String::new(), done: false })
    }

    /// Only those of one table. To be said before the first is taken.
    pub fn only(self, table: &str) -> Diff {
        let mut behind = table.as_bytes().to_vec();
        behind.push(0);
        let span = Span { from: table.as_bytes().to_vec(), to: Some(behind) };
        Diff { differences: self.differences.within_tables(span), ..self }
    }

    /// Only those with keys in a range, of whatever table. To be said before the first is taken.
    pub fn within<K: AsRef<[u8]>>(mut self, keys: impl RangeBounds<K>) -> Diff {
        self.differences.keys = span(&keys);
        self
    }

    fn step(&mut self) -> Result<Option<Change>> {
        let pager = self.reader.pager();
        while let Some(event) = self.differences.next(self.reader.view())? {
            match event {
                Event::Table { name, .. } => self.table = name,
                Event::Machine { name, old, new } => {
                    let say = |record: TableRecord| {
                        let (pages, stamp) = (record.pages, record.root.stamp);
                        format!("machine pages={pages} stored={stamp}").into_bytes()
                    };
                    let (old, new) = (old.map(say), new.map(say));
                    return Ok(Some(Change { table: name, key: Vec::new(), old, new }));
                }
                Event::Entry(Difference { key, old, new }) => {
                    let read = |value: Option<Kept>| value.map(|v| v.read(pager)).transpose();
                    let (old, new) = (read(old)?, read(new)?);
                    if old != new {
                        return Ok(Some(Change { table: self.table.clone(), key, old, new }));
                    }
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for Diff {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let result = self.step().transpose();
        // A value too large to be read whole is passed by; what is behind it can still be had.
        if !matches!(result, Some(Ok(_) | Err(Error::ValueTooLarge { .. }))) {
            self.done = true;
        }
        result
    }
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diff").finish_non_exhaustive()
    }
}

/// What differs between two catalogs and the tables in them.
pub(crate) struct Differences {
    from: Pointer,
    to: Pointer,
    catalogs: (Walk, Walk),
    tables: Option<(Walk, Walk)>,
    /// A table that comes after the machine whose name it has.
    behind: Option<Event>,
    /// Which keys of the tables.
    keys: Span,
    /// Which keys of the first table, if not the same.
    first: Option<(String, Span)>,
}

/// A step through the differences.
pub(crate) enum Event {
    /// What follows is of this table, which may have come or gone.
    Table { name: String, old: Option<Pointer>, new: Option<Pointer> },
    /// A stored machine that came, went or changed.
    Machine { name: String, old: Option<TableRecord>, new: Option<TableRecord> },
    /// An entry that was added, removed or replaced.
    Entry(Difference),
}

impl Differences {
    /// Between two catalogs: tables whose names are in `tables`, entries whose keys are in `keys`.
    pub(crate) fn new(from: Pointer, to: Pointer, tables: Span, keys: Span) -> Result<Differences> {
        let checked = |root| Tree::new(CATALOG, 0, root).checked(0).map(|tree| tree.root);
        let (from, to) = (checked(from)?, checked(to)?);
        let catalogs = (Walk::new(from, tables.clone()), Walk::new(to, tables));
        Ok(Differences { from, to, catalogs, tables: None, behind: None, keys, first: None })
    }

    fn within_tables(mut self, tables: Span) -> Differences {
        self.catalogs = (Walk::new(self.from, tables.clone()), Walk::new(self.to, tables));
        self
    }

    /// Of this table other keys than of the rest.
    pub(crate) fn with_first(mut self, table: &str, keys: Span) -> Differences {
        self.first = Some((table.to_owned(), keys));
        self
    }

    /// Passes by the rest of the table.
    pub(crate) fn skip_table(&mut self) {
        self.tables = None;
    }

    pub(crate) fn next(&mut self, view: View<'_>) -> Result<Option<Event>> {
        if let Some(event) = self.behind.take() {
            return Ok(Some(event));
        }
        loop {
            if let Some((old, new)) = &mut self.tables {
                if let Some(difference) = next_difference(view, old, new)? {
                    return Ok(Some(Event::Entry(difference)));
                }
                self.tables = None;
            }
            let (old, new) = &mut self.catalogs;
            let Some(difference) = next_difference(view, old, new)? else { return Ok(None) };
            let (old, new) =
                (table_of(difference.old.as_ref())?, table_of(difference.new.as_ref())?);
            let name = String::from_utf8_lossy(&difference.key).into_owned();
            let machines =
                (machine_of(difference.old.as_ref())?, machine_of(difference.new.as_ref())?);
            let machine = (machines.0 != machines.1).then(|| Event::Machine {
                name: name.clone(),
                old: machines.0,
                new: machines.1,
            });
            if old == new {
                match machine {
                    Some(machine) => return Ok(Some(machine)),
                    None => continue,
                }
            }
            let keys = match self.first.take() {
                Some((first, keys)) if first == name => keys,
                _ => self.keys.clone(),
            };
            let walk = |root: Option<Pointer>| Walk::new(root.unwrap_or_default(), keys.clone());
            self.tables = Some((walk(old), walk(new)));
            let table = Event::Table { name, old, new };
            let Some(machine) = machine else { return Ok(Some(table)) };
            self.behind = Some(table);
            return Ok(Some(machine));
        }
    }
}
