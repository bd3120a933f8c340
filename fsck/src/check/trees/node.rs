//! A node: itself (checksum, identity, structure, order of the keys), its children as its cells describe them, and its
//! sums and bounds against what its parent says.

use std::rc::Rc;

use cowslip::{
    kinds::{CATALOG, TABLE},
    meta::TableRecord,
};
use cowslip_pager::{
    Pointer,
    page::{Header, node_crc, u64_at},
};

use super::{
    CHILD, LEVELS_MAX, Walk, identity,
    item::{Bounds, Item, Shared, Step, Sums},
};
use crate::{check::hex, problem::Kind, report::Problem, walk::NodeReader};

impl Walk<'_, '_> {
    /// Compares what was found in and below a node with what its parent says (I10).
    pub(super) fn compare_sums(&mut self, item: &Item, found: Option<Sums>) {
        let text = || found.map_or("more than can be counted".into(), |sums| sums.to_string());
        if let Some(wanted) = item.sums
            && found != Some(wanted)
        {
            let problem = Problem::new(Kind::EntryCount, "what is below a child");
            self.problem(item, problem.page(item.parent).values(text(), wanted));
        }
        if let Some(wanted) = item.pages
            && found.map(|sums| sums.pages) != Some(wanted)
        {
            let problem = Problem::new(Kind::EntryCount, "pages in the record of a table");
            self.problem(item, problem.page(item.parent).values(text(), wanted));
        }
    }

    /// Compares the outermost keys of a subtree that was read with bounds that are new.
    pub(super) fn edges(&mut self, item: &Item) {
        let mut page = vec![0; self.check.geometry.page_size];
        let mut key = Vec::new();
        for last in [false, true] {
            let mut at = item.pointer;
            for _ in 0..=LEVELS_MAX {
                if self.check.read(at.page.0, &mut page).is_err() {
                    return;
                }
                let Ok(node) = NodeReader::new(&page) else { return };
                let first = if node.is_leaf() { 0 } else { 1 };
                let edge = if last { node.count() - 1 } else { first };
                if edge >= first
                    && edge < node.count()
                    && let Ok(entry) = node.entry(edge)
                {
                    entry.key(&mut key);
                    if let Some(problem) = outside(&item.bounds, &key, edge) {
                        return self.problem(item, problem.page(at.page.0));
                    }
                }
                if node.is_leaf() {
                    break;
                }
                let Ok(child) = node.entry(if last { node.count() - 1 } else { 0 }) else { return };
                let below = Pointer::decode(child.value);
                if below.level >= at.level || below.page.0 >= self.roles.pages() {
                    return;
                }
                at = below;
            }
        }
    }

    /// Reads and verifies a node, and puts what it points to on the stack.
    pub(super) fn read(&mut self, item: Item, count: Option<u32>) {
        let mut page = std::mem::take(&mut self.page);
        if page.is_empty() {
            page = vec![0; self.check.geometry.page_size];
        }
        match self.check.read(item.pointer.page.0, &mut page) {
            Err(what) => self.lost(&item, Problem::new(Kind::PageUnreadable, what)),
            Ok(()) => {
                if self.verify(&item, &page) {
                    self.content(&item, &page, count);
                }
            }
        }
        self.page = page;
    }

    /// Is the page the node that was pointed to?
    pub(super) fn verify(&mut self, item: &Item, page: &[u8]) -> bool {
        let header = Header::read(page);
        let pointer = item.pointer;
        let crc = node_crc(page);
        let store = self.check.superblock.store;
        let problem = if crc != header.crc {
            Problem::new(Kind::NodeChecksum, "checksum of a node").values(hex(crc), hex(header.crc))
        } else if header.store != store {
            Problem::new(Kind::NodeStore, "store of a node").values(hex(store), hex(header.store))
        } else if header.pointer.page != pointer.page {
            Problem::new(Kind::NodePlace, "place of a node")
                .values(pointer.page.0, header.pointer.page.0)
        } else if header.pointer != pointer {
            Problem::new(Kind::NodeIdentity, "identity of a node")
                .values(identity(&pointer), identity(&header.pointer))
        } else {
            if let Some(entry) = self.map.entry(self.check, pointer.page.0)
                && entry.count > 0
                && entry.crc != crc
            {
                let problem = Problem::new(Kind::NodeMapChecksum, "the map's checksum of a node");
                self.problem(item, problem.values(hex(crc), hex(entry.crc)));
            }
            if let Some(tree) = item.tree
                && tree != header.tree
            {
                let problem = Problem::new(Kind::NodeTree, "tree of a node");
                self.problem(item, problem.values(hex(tree), hex(header.tree)));
            }
            return true;
        };
        self.lost(item, problem);
        false
    }

    pub(super) fn content(&mut self, item: &Item, page: &[u8], count: Option<u32>) {
        let header = Header::read(page);
        let structure = |fault: crate::walk::Fault| {
            Problem::new(Kind::NodeStructure, fault.what).values(fault.expected, fault.found)
        };
        let node = match NodeReader::new(page) {
            Ok(node) => node,
            Err(fault) => return self.lost(item, structure(fault)),
        };
        if let Err(fault) = node.accounts(&mut self.spans) {
            self.problem(item, structure(fault));
        }
        let leaf = node.is_leaf();
        if item.way.is_none() || item.level.is_none() {
            self.check.report.trees += 1;
        }
        let (mut key, mut before) = (Vec::new(), Vec::new());
        let mut sums = Some(Sums { entries: 0, pages: 1 });
        let mut children: Vec<Item> = Vec::new();
        // The child before, whose upper bound is the next key.
        for i in 0..node.count() {
            let entry = match node.entry(i) {
                Ok(entry) => entry,
                Err(fault) => {
                    sums = None;
                    self.lost(item, structure(fault));
                    continue;
                }
            };
            entry.key(&mut key);
            if leaf || i > 0 {
                if i > usize::from(!leaf) && key <= before {
                    let what = format!("key {i} of a node is not above the one before");
                    self.problem(item, Problem::new(Kind::NodeOrder, what));
                }
                if let Some(problem) = outside(&item.bounds, &key, i) {
                    self.problem(item, problem);
                }
            }
            if leaf {
                let pages = match header.pointer.kind {
                    TABLE if entry.extent && entry.value.len() >= 8 => {
                        u64_at(entry.value, 0).div_ceil(page.len() as u64).max(1)
                    }
                    CATALOG => TableRecord::decode(entry.value, header.pointer.page)
                        .map_or(0, |record| record.pages),
                    _ => 0,
                };
                sums = sums.and_then(|sums| sums.plus(Sums { entries: 1, pages }));
                let way =
                    Rc::new(Step { page: item.pointer.page.0, index: i, above: item.way.clone() });
                self.leaf_entry(item, &header, &key, &entry, way, &mut children);
            } else {
                let below = Sums::of_child(&entry.value[..CHILD]);
                sums = sums.and_then(|sums| sums.plus(below));
                let separator: Rc<[u8]> = key.as_slice().into();
                if let Some(previous) = children.last_mut()
                    && !item.bounds.unknown
                {
                    previous.bounds.high = Some(separator.clone());
                }
                children.push(Item {
                    pointer: Pointer::decode(entry.value),
                    parent: item.pointer.page.0,
                    parent_stamp: item.pointer.stamp,
                    kind: Some(item.pointer.kind),
                    // A level of 0 is a leaf, so this is at least 1.
                    level: Some(item.pointer.level.saturating_sub(1)),
                    tree: Some(header.tree),
                    sums: Some(below),
                    pages: None,
                    bounds: Bounds {
                        low: if i == 0 { item.bounds.low.clone() } else { Some(separator) },
                        high: item.bounds.high.clone(),
                        unknown: false,
                    },
                    owner: item.owner.clone(),
                    way: Some(Rc::new(Step {
                        page: item.pointer.page.0,
                        index: i,
                        above: item.way.clone(),
                    })),
                });
            }
            std::mem::swap(&mut key, &mut before);
        }
        if leaf && header.pointer.kind == TABLE {
            self.check.report.entries += node.count() as u64;
        }
        self.compare_sums(item, sums);
        // With an unreadable count, or a wrong one, it may be met again as well.
        let owners_left = count.map_or(u32::MAX, |count| count.saturating_sub(1));
        if owners_left > 0 {
            self.shared.insert(
                item.pointer.page.0,
                Shared {
                    pointer: item.pointer,
                    tree: header.tree,
                    sums,
                    bounds: item.bounds.hash(),
                    owners_left,
                },
            );
        }
        // The first is visited first: branches before snapshots, keys as they ascend.
        self.stack.extend(children.into_iter().rev());
    }
}

fn outside(bounds: &Bounds, key: &[u8], index: usize) -> Option<Problem> {
    let low = bounds.low.as_ref().is_some_and(|low| key < &low[..]);
    let high = bounds.high.as_ref().is_some_and(|high| key >= &high[..]);
    if !low && !high {
        return None;
    }
    let side = if low { "below the lower" } else { "not below the upper" };
    Some(Problem::new(Kind::NodeBounds, format!("key {index} of a node is {side} bound")))
}
