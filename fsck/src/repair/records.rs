//! Records: what branches, snapshots and tables say about themselves, and the trees that they lead to.

use std::rc::Rc;

use cowslip::{
    kinds::{CATALOG, TABLE},
    meta::{
        BookmarkRecord, BranchRecord, Incoming, Lineage, NAME_MAX, SnapshotRecord, TableRecord,
    },
};
use cowslip_pager::{PageId, Pointer};

use super::{
    node::{Entry, Tree},
    trees::{Context, Rebuild, Verdict},
    work::Halt,
};
use crate::{
    check::{Sums, arriving::can_be_there},
    problem::Kind,
};

impl Rebuild<'_, '_, '_> {
    pub(super) fn table(
        &mut self,
        page: PageId,
        entry: &Entry,
        context: &Context,
    ) -> Result<Verdict, Halt> {
        let Ok(name) = std::str::from_utf8(&entry.key) else {
            return Ok(Verdict::Hole(Kind::Name));
        };
        if name.is_empty() || name.len() > 512 {
            return Ok(Verdict::Hole(Kind::Name));
        }
        let Ok(record) = TableRecord::decode(&entry.value, page) else {
            return Ok(Verdict::Hole(Kind::Record));
        };
        let new = if record.is_machine() {
            match self.machine(&record) {
                Ok(pages) => TableRecord { pages, ..record },
                Err(kind) => return Ok(Verdict::Hole(kind)),
            }
        } else {
            let table = Context {
                tree: Tree { kind: TABLE, id: record.id },
                level: None,
                low: Vec::new(),
                high: None,
                state: context.state.clone(),
                table: Some(name.into()),
            };
            let sums = Sums { entries: 0, pages: record.pages };
            let root = self.tree(record.root, Some(sums), &table)?;
            let pages = root.as_ref().map_or(0, |root| root.sums.pages);
            let root = root.map_or(Pointer::NONE, |root| root.pointer);
            TableRecord { root, id: record.id, pages }
        };
        Ok(changed(&entry.value, new.encode()))
    }

    pub(super) fn name(&mut self, page: PageId, entry: &Entry) -> Result<Verdict, Halt> {
        let Some((&first, name)) = entry.key.split_first() else {
            return Ok(Verdict::Hole(Kind::Name));
        };
        if first == b'r' {
            // What waits to be taken apart has no name; its pages have no owner without it.
            return Ok(Verdict::Drop);
        }
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| {
            (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
        }) else {
            return Ok(Verdict::Hole(Kind::Name));
        };
        match first {
            b'b' => {
                let Ok(mut record) = BranchRecord::decode(&entry.value, page) else {
                    return Ok(Verdict::Hole(Kind::Record));
                };
                self.names.insert(name.to_owned());
                self.has_main |= name == "main";
                let state: Rc<str> = format!("branch {name}").into();
                record.catalog = self.catalog(record.catalog, &state)?;
                if self.raise || record.shared_at > self.work.stamp {
                    record.shared_at = self.work.stamp;
                }
                let touched = self.lossy && self.touched(&state);
                if self.lossy || self.names_whole {
                    // Of what lost keys nobody can say how far it is: it is a branch like others then.
                    record.incoming = self.streams.contains(name) && !touched;
                }
                if record.incoming {
                    self.arriving.insert(name.to_owned(), record.catalog);
                }
                if touched || !record.lineage.is_open() {
                    // Nobody can say any more what changed since an ancestor of it.
                    record.lineage = Lineage::default().fork(self.work.fresh_id());
                }
                Ok(changed(&entry.value, record.encode()))
            }
            b's' => {
                let Ok(mut record) = SnapshotRecord::decode(&entry.value, page) else {
                    return Ok(Verdict::Hole(Kind::Record));
                };
                if self.names.contains(name) {
                    return Ok(Verdict::Hole(Kind::NameTwice));
                }
                let state: Rc<str> = format!("snapshot {name}").into();
                record.catalog = self.catalog(record.catalog, &state)?;
                record.stamp = self.stamp(record.stamp, &record.lineage);
                if self.lossy && self.touched(&state) {
                    // It is not what was sent, or marked, under its old number.
                    record.id = self.work.fresh_id();
                    record.lineage = Lineage::default().fork(record.id).until(record.stamp);
                }
                if !record.lineage.ends_at(record.stamp) {
                    record.lineage =
                        Lineage::default().fork(self.work.fresh_id()).until(record.stamp);
                }
                Ok(changed(&entry.value, record.encode()))
            }
            b'k' => {
                let Ok(mut record) = BookmarkRecord::decode(&entry.value, page) else {
                    return Ok(Verdict::Hole(Kind::Record));
                };
                record.stamp = self.stamp(record.stamp, &record.lineage);
                if !record.lineage.ends_at(record.stamp) {
                    record.lineage =
                        Lineage::default().fork(self.work.fresh_id()).until(record.stamp);
                }
                Ok(changed(&entry.value, record.encode()))
            }
            b'i' => {
                let Ok(record) = Incoming::decode(&entry.value, page) else {
                    return Ok(Verdict::Hole(Kind::Record));
                };
                let Some(&catalog) = self.arriving.get(name) else {
                    let known = self.lossy || self.names_whole;
                    return Ok(if known { Verdict::Drop } else { Verdict::Keep });
                };
                let work = &*self.work;
                let mut read = |pointer: &Pointer| work.read(pointer.page.0);
                if can_be_there(&record, catalog, &mut read) {
                    return Ok(Verdict::Keep);
                }
                Ok(Verdict::Replace(record.from_start().encode()))
            }
            _ => Ok(Verdict::Hole(Kind::Name)),
        }
    }

    /// A record's stamp; of one that is younger than the store its lineage may still know the right one.
    fn stamp(&self, stamp: u64, lineage: &Lineage) -> u64 {
        let newest = self.work.stamp;
        let end = lineage.tip().map_or(newest, |tip| tip.stamp.min(newest));
        if stamp > newest { end } else { stamp }
    }

    fn catalog(&mut self, root: Pointer, state: &Rc<str>) -> Result<Pointer, Halt> {
        let context = Context {
            tree: Tree { kind: CATALOG, id: 0 },
            level: None,
            low: Vec::new(),
            high: None,
            state: state.clone(),
            table: None,
        };
        let cell = self.tree(root, None, &context)?;
        Ok(cell.map_or(Pointer::NONE, |cell| cell.pointer))
    }
}

fn changed(old: &[u8], new: Vec<u8>) -> Verdict {
    if old == new { Verdict::Keep } else { Verdict::Replace(new) }
}
