//! What a lossy repair notes in the store itself: the table `cowslip.repair` of the branch `main`, a row for
//! each loss. Also the branch `main`, where the wreck has none any more.

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::{BranchRecord, Lineage, SnapshotRecord, TableRecord},
};
use cowslip_pager::Pointer;

use super::{
    REPAIR_TABLE,
    node::{self, Cell, Entry, Tree},
    trees::Rebuild,
    work::{Halt, Work},
};

const NAMES: Tree = Tree { kind: META, id: 0 };
const TABLES: Tree = Tree { kind: CATALOG, id: 0 };
const MAIN: &[u8] = b"bmain";

impl Rebuild<'_, '_, '_> {
    /// Gives the store a branch `main` again: from the newest snapshot, else from a branch, else empty.
    pub(super) fn make_main(&mut self, names: Pointer, created: u64) -> Result<Pointer, Halt> {
        let mut newest: Option<(bool, u64, Pointer)> = None;
        let rank = |(snapshot, stamp, _): (bool, u64, Pointer)| (snapshot, stamp);
        let mut all = Vec::new();
        self.work.read_all(names, NAMES, &mut all)?;
        for entry in &all {
            let found = match entry.key.first() {
                Some(b's') => SnapshotRecord::decode(&entry.value, names.page)
                    .ok()
                    .map(|record| (true, record.stamp, record.catalog)),
                Some(b'b') => BranchRecord::decode(&entry.value, names.page)
                    .ok()
                    .filter(|record| !record.incoming)
                    .map(|record| (false, record.catalog.stamp, record.catalog)),
                _ => None,
            };
            if found.map(rank) > newest.map(rank) {
                newest = found;
            }
        }
        let record = BranchRecord {
            catalog: newest.map_or(Pointer::NONE, |(_, _, catalog)| catalog),
            shared_at: self.work.stamp,
            created,
            lineage: Lineage::default().fork(self.work.fresh_id()),
            ..BranchRecord::default()
        };
        let entry = Entry { key: MAIN.to_vec(), value: record.encode(), extent: false };
        self.work.put(names, NAMES, vec![entry]).map(|cell| cell.pointer)
    }

    /// Adds rows to the table of repairs.
    pub(super) fn note(
        &mut self,
        names: Pointer,
        rows: Vec<(String, String)>,
    ) -> Result<Pointer, Halt> {
        if rows.is_empty() {
            return Ok(names);
        }
        let work = &mut *self.work;
        let main = work.find(names, NAMES, MAIN)?.ok_or(Halt::Unsound)?;
        let mut record =
            BranchRecord::decode(&main.value, names.page).map_err(|_| Halt::Unsound)?;
        let key = REPAIR_TABLE.as_bytes();
        let known = match work.find(record.catalog, TABLES, key)? {
            Some(entry) => {
                let record = TableRecord::decode(&entry.value, names.page);
                Some(record.map_err(|_| Halt::Unsound)?)
            }
            None => None,
        };
        if known.is_some_and(|known| known.is_machine()) {
            return Err(Halt::Unsound);
        }
        let known =
            known.unwrap_or_else(|| TableRecord { id: work.fresh_id(), ..Default::default() });
        let rows = rows.into_iter().map(|(key, value)| Entry {
            key: key.into_bytes(),
            value: value.into_bytes(),
            extent: false,
        });
        let tree = Tree { kind: TABLE, id: known.id };
        let table = work.put(known.root, tree, rows.collect())?;
        let pages = table.sums.pages;
        let value = TableRecord { root: table.pointer, id: known.id, pages }.encode();
        let entry = Entry { key: key.to_vec(), value, extent: false };
        record.catalog = work.put(record.catalog, TABLES, vec![entry])?.pointer;
        record.shared_at = work.stamp;
        let entry = Entry { key: MAIN.to_vec(), value: record.encode(), extent: false };
        work.put(names, NAMES, vec![entry]).map(|cell| cell.pointer)
    }
}

impl Work<'_> {
    /// The tree with these entries as well, which are few.
    fn put(&mut self, root: Pointer, tree: Tree, new: Vec<Entry>) -> Result<Cell, Halt> {
        let mut all = Vec::new();
        self.read_all(root, tree, &mut all)?;
        all.retain(|entry| !new.iter().any(|other| other.key == entry.key));
        all.extend(new);
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let leaves = self.leaves(tree, &[], &all)?;
        self.root(tree, leaves)?.ok_or(Halt::Unsound)
    }

    /// All entries of a sound tree.
    fn read_all(&self, root: Pointer, tree: Tree, all: &mut Vec<Entry>) -> Result<(), Halt> {
        if root.is_none() {
            return Ok(());
        }
        let bytes = self.node_at(&root, tree.id).map_err(|_| Halt::Unsound)?;
        let entries = node::entries(&bytes).ok_or(Halt::Unsound)?;
        if root.level == 0 {
            all.extend(entries);
            return Ok(());
        }
        for entry in entries {
            let child = Pointer::decode(&entry.value);
            if child.level >= root.level {
                return Err(Halt::Unsound);
            }
            self.read_all(child, tree, all)?;
        }
        Ok(())
    }

    fn find(&self, root: Pointer, tree: Tree, key: &[u8]) -> Result<Option<Entry>, Halt> {
        let mut at = root;
        while !at.is_none() {
            let bytes = self.node_at(&at, tree.id).map_err(|_| Halt::Unsound)?;
            if at.level == 0 {
                let entries = node::entries(&bytes).ok_or(Halt::Unsound)?;
                return Ok(entries.into_iter().find(|entry| entry.key == key));
            }
            let cells = node::cells(&bytes, &[]).ok_or(Halt::Unsound)?;
            let cell = cells.iter().rev().find(|cell| &cell.low[..] <= key);
            let child = cell.ok_or(Halt::Unsound)?.pointer;
            if child.level >= at.level {
                return Err(Halt::Unsound);
            }
            at = child;
        }
        Ok(None)
    }
}
