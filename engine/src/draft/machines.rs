//! The draft's stored machines: roots of raw pages, in the place of a table's tree.

use cowslip_pager::{Child, Pointer, Raw};

use super::{Draft, OpenBranch, find_record, machine_names};
use crate::{
    database::new_id,
    error::{Error, Result},
    kinds::RAW,
    meta::TableRecord,
    tree::{Cell, Writer},
};

impl Draft {
    fn branch_of_machines(&self) -> Result<&OpenBranch> {
        self.branch.as_ref().ok_or_else(|| Error::InvalidArgument("no branch is open".into()))
    }

    /// The record of a machine of the branch.
    pub(crate) fn find_machine(&self, name: &str) -> Result<Option<TableRecord>> {
        let branch = self.branch_of_machines()?;
        if branch.tables.contains_key(name) {
            return Err(Error::AlreadyExists(name.into()));
        }
        match find_record(self.txn.view(), &branch.catalog, name)? {
            Some((record, _)) if !record.is_machine() => Err(Error::AlreadyExists(name.into())),
            Some((record, page)) => record.child(page).map(|_| Some(record)).map_err(Error::from),
            None => Ok(None),
        }
    }

    /// The names of the branch's machines.
    pub(crate) fn machines(&self) -> Result<Vec<String>> {
        machine_names(self.txn.view(), &self.branch_of_machines()?.catalog)
    }

    /// Stores a machine in the place of an older one, if there is one. `write` is given that and
    /// writes the new one; it owns the old root once, and says what it gives up. What the catalog says
    /// of it then, and what `write` reports.
    pub(crate) fn put_machine<R>(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut Writer<'_>, Option<TableRecord>) -> Result<Stored<R>>,
    ) -> Result<(TableRecord, R)> {
        super::tables::check_table_name(name)?;
        let old = self.find_machine(name)?;
        // Pages and stamps may come again, in a copy of the file or within this transaction; this not.
        let id = new_id();
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let Some(branch) = &mut draft.branch else {
                return Err(Error::InvalidArgument("no branch is open".into()));
            };
            let mut writer = Writer {
                txn: &mut draft.txn,
                shared_at: branch.record.shared_at,
                released: &mut draft.released,
            };
            // Only then do the counts below tell the truth: shadowing goes strictly top-down.
            branch.catalog.own(&mut writer, name.as_bytes())?;
            let stored = write(&mut writer, old)?;
            if let Some(old) = old.filter(|old| old.root.page == stored.root.page) {
                debug_assert!(stored.dropped.is_empty() && old.pages == stored.pages);
                return Ok((old, stored.report));
            }
            let Raw { page, height } = stored.root;
            let root = Pointer { page, kind: RAW, level: height, stamp };
            let record = TableRecord { root, id, pages: stored.pages };
            let cell = Cell { bytes: &record.encode(), extent: false };
            branch.catalog.insert(&mut writer, name.as_bytes(), cell)?;
            for raw in stored.dropped {
                writer.drop_child(Child::Raw(raw))?;
            }
            branch.redo.overflow();
            Ok((record, stored.report))
        })
    }
}

/// What was written of a machine.
pub(crate) struct Stored<R> {
    /// Its highest page, with an owner for the catalog; that of the old one if nothing changed.
    pub(crate) root: Raw,
    /// Raw pages, each once.
    pub(crate) pages: u64,
    /// Old pages that lose an owner.
    pub(crate) dropped: Vec<Raw>,
    pub(crate) report: R,
}
