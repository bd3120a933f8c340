//! Streams that are being received: a hidden branch, and a record of the same name that says how far it is.
//!
//! ```text
//! "b" + name   catalog .. incoming 1         what has come, seen by nobody
//! "i" + name   snapshot, base, position      where the stream goes on
//!
//!   tables of the hidden branch, keys ascending:   a: 1 2 3   b: 1 2 |
//!   position, of a stream without a base           at most here ------'
//! ```
//!
//! Verifies that both are there or neither, that the branch is not `main`, and that the stream goes on no further
//! than where its branch ends. Where it would go on with changes of a base, any place may be right.

use std::{cmp::Ordering, collections::BTreeMap};

use cowslip::{
    kinds::{CATALOG, TABLE},
    meta::{Incoming, TableRecord},
};
use cowslip_pager::Pointer;

use super::{Check, trees::LEVELS_MAX};
use crate::{problem::Kind, report::Problem, walk::NodeReader};

/// A table, and a key of it; none: before its first.
type Place = (String, Option<Vec<u8>>);

/// What the tree of names says of streams.
#[derive(Debug, Default)]
pub(crate) struct Arriving {
    /// Branches that are marked: their catalogs, and the pages that say so.
    marked: BTreeMap<String, (Pointer, u64)>,
    records: BTreeMap<String, (Incoming, u64)>,
}

impl Arriving {
    /// The branch `name` is marked, in `page`.
    pub(super) fn mark(&mut self, name: String, catalog: Pointer, page: u64) {
        self.marked.insert(name, (catalog, page));
    }

    /// There is a record of `name`, in `page`.
    pub(super) fn record(&mut self, name: String, record: Incoming, page: u64) {
        self.records.insert(name, (record, page));
    }

    pub(super) fn add(&mut self, other: Arriving) {
        self.marked.extend(other.marked);
        self.records.extend(other.records);
    }

    /// What is wrong, if all names were seen.
    pub(super) fn judge(
        &self,
        check: &mut Check<'_>,
        is_branch: impl Fn(&str) -> bool,
    ) -> Vec<Problem> {
        let mut wrong = Vec::new();
        for (name, &(_, page)) in &self.marked {
            if !self.records.contains_key(name) || !may_arrive(name) {
                let what = format!("mark of branch {name:?}, of which no stream is being received");
                wrong.push(about(Kind::Incoming, what, name, page).values(0, 1));
            }
        }
        for (name, (record, page)) in &self.records {
            let Some(&(catalog, _)) = self.marked.get(name).filter(|_| may_arrive(name)) else {
                let what = match is_branch(name) {
                    true => format!("mark of branch {name:?}, of which a stream is being received"),
                    false => format!("branch of the stream {name:?}, which is being received"),
                };
                wrong.push(about(Kind::Incoming, what, name, *page).values(1, 0));
                continue;
            };
            let mut read = |pointer: &Pointer| {
                let mut bytes = vec![0; check.geometry.page_size];
                check.read(pointer.page.0, &mut bytes).is_ok().then_some(bytes)
            };
            if !can_be_there(record, catalog, &mut read) {
                let what = format!("position of the stream {name:?}");
                wrong.push(about(Kind::StreamPosition, what, name, *page));
            }
        }
        wrong
    }
}

fn about(kind: Kind, what: String, name: &str, page: u64) -> Problem {
    let mut problem = Problem::new(kind, what).page(page);
    problem.affects = vec![format!("branch {name}")];
    problem
}

/// May what is received have this name? `main` is always somebody's.
pub(crate) fn may_arrive(name: &str) -> bool {
    name != "main"
}

/// Can a stream be where its record says, if its branch has this catalog? `read` has the nodes.
pub(crate) fn can_be_there(
    record: &Incoming,
    catalog: Pointer,
    read: &mut dyn FnMut(&Pointer) -> Option<Vec<u8>>,
) -> bool {
    let Some(place) = record.place() else { return false };
    if record.base != 0 {
        return true;
    }
    if catalog.is_none() {
        // Before a table that has not come yet.
        return place.1.is_none();
    }
    // What cannot be read is told elsewhere.
    end(catalog, read).is_none_or(|end| place.cmp(&end) != Ordering::Greater)
}

/// The last table of a catalog, and its last key.
fn end(catalog: Pointer, read: &mut dyn FnMut(&Pointer) -> Option<Vec<u8>>) -> Option<Place> {
    let (name, value) = last(catalog, CATALOG, read)?;
    let name = String::from_utf8(name).ok()?;
    let record = TableRecord::decode(&value, catalog.page).ok()?;
    if record.root.is_none() || record.is_machine() {
        return Some((name, None));
    }
    let (key, _) = last(record.root, TABLE, read)?;
    Some((name, Some(key)))
}

/// The last entry of a tree.
fn last(
    root: Pointer,
    kind: u8,
    read: &mut dyn FnMut(&Pointer) -> Option<Vec<u8>>,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut at = root;
    let mut key = Vec::new();
    for _ in 0..=LEVELS_MAX {
        if at.kind != kind {
            return None;
        }
        let bytes = read(&at)?;
        let node = NodeReader::new(&bytes).ok()?;
        let entry = node.entry(node.count().checked_sub(1)?).ok()?;
        if node.is_leaf() {
            entry.key(&mut key);
            return Some((key, entry.value.to_vec()));
        }
        let below = Pointer::decode(entry.value.get(..Pointer::SIZE)?);
        if below.level >= at.level {
            return None;
        }
        at = below;
    }
    None
}
