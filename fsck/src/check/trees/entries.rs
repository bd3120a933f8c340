//! What the leaves hold: records of names and of tables, and what they lead to.

use std::rc::Rc;

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::TableRecord,
};
use cowslip_pager::page::Header;

use super::{
    Walk,
    item::{Item, Owner, Step, child},
};
use crate::{
    check::records::{Name, Named, Released, table_name},
    problem::Kind,
    report::Problem,
    walk::EntryReader,
};

impl Walk<'_, '_> {
    pub(super) fn leaf_entry(
        &mut self,
        item: &Item,
        header: &Header,
        key: &[u8],
        entry: &EntryReader<'_>,
        way: Rc<Step>,
        children: &mut Vec<Item>,
    ) {
        let here = header.pointer.page;
        if entry.extent && header.pointer.kind != TABLE {
            let problem = Problem::new(Kind::Record, "a record is marked as a large value");
            return self.lost(item, problem);
        }
        match header.pointer.kind {
            TABLE if entry.extent => self.extent(item, entry.value, here),
            TABLE => {}
            CATALOG => {
                let (name, fault) = table_name(key);
                if let Some(fault) = fault {
                    self.problem(item, fault);
                }
                match TableRecord::decode(entry.value, here) {
                    Err(error) => self.lost(item, Problem::new(Kind::Record, error.to_string())),
                    Ok(record) if record.root.is_none() => {}
                    Ok(record) if record.is_machine() => self.machine(item, &record),
                    Ok(record) => {
                        let owner = Owner {
                            line: item.owner.line.clone(),
                            table: Some(name),
                            shared_at: item.owner.shared_at,
                        };
                        let kind = Some(TABLE);
                        let table = child(item, record.root, kind, Some(record.id), owner, way);
                        children.push(Item { pages: Some(record.pages), ..table });
                    }
                }
            }
            META => self.name(item, key, entry.value, way, children),
            other => {
                let problem = Problem::new(Kind::ChildLevel, "kind of a node (at most)");
                self.lost(item, problem.values(TABLE, other));
            }
        }
    }

    /// An entry of the tree of names.
    pub(super) fn name(
        &mut self,
        item: &Item,
        key: &[u8],
        value: &[u8],
        way: Rc<Step>,
        children: &mut Vec<Item>,
    ) {
        let newest = self.check.superblock.stamp;
        let Name { text: name, fault, says } = Name::read(key, value, item.pointer.page);
        if let Some(fault) = fault {
            self.problem(item, fault);
        }
        for problem in says.iter().flat_map(|says| says.wrong_stamps(&name, newest)) {
            self.problem(item, problem);
        }
        let (catalog, owner) = match says {
            Err(problem) => return self.lost(item, problem),
            Ok(Named::Branch(record)) => {
                self.check.report.branches += u64::from(!record.incoming);
                self.branches.insert(name.clone());
                if record.incoming {
                    self.arriving.mark(name.clone(), record.catalog, item.pointer.page.0);
                }
                let line = format!("branch {name}");
                (record.catalog, Owner { line, table: None, shared_at: Some(record.shared_at) })
            }
            Ok(Named::Snapshot(record)) => {
                self.check.report.snapshots += 1;
                if self.branches.contains(&name) {
                    self.problem(item, Problem::new(Kind::NameTwice, format!("name {name:?}")));
                }
                let line = format!("snapshot {name}");
                (record.catalog, Owner { line, table: None, shared_at: None })
            }
            Ok(Named::Bookmark(_)) => return,
            Ok(Named::Incoming(record)) => {
                return self.arriving.record(name, record, item.pointer.page.0);
            }
            Ok(Named::Release(released)) => {
                self.check.report.releases += 1;
                let owner =
                    Owner { line: "the release queue".into(), table: None, shared_at: None };
                match released {
                    Released::Node(pointer) => {
                        let mut child = child(item, pointer, None, None, owner, way);
                        child.bounds.unknown = true;
                        children.push(child);
                    }
                    Released::Extent(extent) => self.extent(item, extent, item.pointer.page),
                    Released::Raw(raw) => {
                        self.raw(item, raw);
                    }
                }
                return;
            }
        };
        if !catalog.is_none() {
            children.push(child(item, catalog, Some(CATALOG), Some(0), owner, way));
        }
    }
}
