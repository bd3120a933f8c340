//! The wreck, as the survey knows it: nodes by pointer, what is whole, large values by their checksum.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io,
};

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::{BranchRecord, SnapshotRecord, TableRecord},
};
use cowslip_pager::{
    Extent, PageId, Pointer,
    geometry::Geometry,
    page::{Header, node_crc},
    storage::Storage,
};

use super::survey::Node;
use crate::repair::node::{self, Entry};

/// A tree: its kind, and of a table its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tree {
    pub(super) kind: u8,
    pub(super) id: u64,
}

pub(super) const NAMES: Tree = Tree { kind: META, id: 0 };
pub(super) const TABLES: Tree = Tree { kind: CATALOG, id: 0 };

/// What is known of a node and all that is below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Unknown,
    Yes,
    No,
}

pub(super) struct Wreck<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) geometry: Geometry,
    pub(super) length: u64,
    pub(super) store: u64,
    /// The newest stamp that is proved (W3).
    pub(super) limit: u64,
    /// By page, ascending.
    pub(super) nodes: Vec<Node>,
    /// Nodes that no inner node names.
    tops: HashMap<Tree, Vec<usize>>,
    whole: RefCell<Vec<Whole>>,
    /// Large values that were looked at, by a hash of their encoding: are they right?
    values: RefCell<HashMap<u64, bool>>,
}

impl<'a> Wreck<'a> {
    pub(super) fn new(
        storage: &'a dyn Storage,
        length: u64,
        geometry: Geometry,
        store: u64,
        nodes: Vec<Node>,
    ) -> Wreck<'a> {
        let whole = RefCell::new(vec![Whole::Unknown; nodes.len()]);
        let values = RefCell::default();
        let (limit, tops) = (u64::MAX, HashMap::new());
        let mut wreck =
            Wreck { storage, geometry, length, store, limit, nodes, tops, whole, values };
        wreck.find_children();
        for (at, node) in wreck.nodes.iter().enumerate().filter(|(_, node)| !node.child) {
            let tree = Tree { kind: node.kind, id: node.tree };
            wreck.tops.entry(tree).or_default().push(at);
        }
        wreck
    }

    /// Marks what inner nodes name.
    fn find_children(&mut self) {
        for at in 0..self.nodes.len() {
            let node = self.nodes[at];
            if node.level == 0 {
                continue;
            }
            for entry in self.entries(at).unwrap_or_default() {
                let child = Pointer::decode(&entry.value);
                let tree = Tree { kind: node.kind, id: node.tree };
                if let Some(child) = self.find(&child, tree) {
                    self.nodes[child].child = true;
                }
            }
        }
    }

    /// Nodes of a tree that no inner node names.
    pub(super) fn tops(&self, tree: Tree) -> &[usize] {
        self.tops.get(&tree).map_or(&[], Vec::as_slice)
    }

    /// The number of the node that a pointer names, if it is there and proves itself.
    pub(super) fn find(&self, pointer: &Pointer, tree: Tree) -> Option<usize> {
        let page = u32::try_from(pointer.page.0).ok()?;
        let at = self.nodes.binary_search_by_key(&page, |node| node.page).ok()?;
        let node = &self.nodes[at];
        let same = (node.kind, node.level, node.stamp, node.tree)
            == (pointer.kind, pointer.level, pointer.stamp, tree.id);
        (same && node.kind == tree.kind).then_some(at)
    }

    pub(super) fn pointer(&self, at: usize) -> Pointer {
        let node = &self.nodes[at];
        Pointer {
            page: PageId(node.page.into()),
            kind: node.kind,
            level: node.level,
            stamp: node.stamp,
        }
    }

    /// The entries of a node; none, if it cannot be read any more.
    pub(super) fn entries(&self, at: usize) -> Option<Vec<Entry>> {
        let bytes = self.page(self.nodes[at].page.into())?;
        let header = Header::read(&bytes);
        (header.crc == node_crc(&bytes)).then(|| node::entries(&bytes)).flatten()
    }

    fn page(&self, page: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.geometry.page_size];
        self.storage.read_at(&mut bytes, self.geometry.offset(PageId(page))).ok()?;
        Some(bytes)
    }

    /// Can all be read that is in and below what a pointer names, large values and what names lead to
    /// included?
    pub(super) fn is_whole(&self, pointer: &Pointer, tree: Tree) -> bool {
        if pointer.is_none() {
            return true;
        }
        let Some(at) = self.find(pointer, tree) else { return false };
        let known = self.whole.borrow()[at];
        if known != Whole::Unknown {
            return known == Whole::Yes;
        }
        // Levels fall and kinds rise on the way down, so this comes to an end.
        let whole = self.entries(at).is_some_and(|entries| {
            // All children are looked at, whatever the first ones are.
            entries.iter().filter(|entry| !self.is_entry_whole(pointer, tree, entry)).count() == 0
        });
        self.whole.borrow_mut()[at] = if whole { Whole::Yes } else { Whole::No };
        whole
    }

    fn is_entry_whole(&self, pointer: &Pointer, tree: Tree, entry: &Entry) -> bool {
        if pointer.level > 0 {
            return self.child(pointer, entry).is_some_and(|child| self.is_whole(&child, tree));
        }
        match tree.kind {
            TABLE => !entry.extent || self.value(&entry.value).is_some(),
            CATALOG => table_of(entry, pointer.page).is_some_and(|record| {
                record.is_machine()
                    || self.is_whole(&record.root, Tree { kind: TABLE, id: record.id })
            }),
            _ => match catalog_of(entry, pointer.page) {
                Some(Some(catalog)) => self.is_whole(&catalog, TABLES),
                other => other.is_some(),
            },
        }
    }

    /// What a cell of an inner node names, if it can be a child of it.
    pub(super) fn child(&self, parent: &Pointer, cell: &Entry) -> Option<Pointer> {
        let child = Pointer::decode(&cell.value);
        (child.kind == parent.kind
            && child.level.checked_add(1) == Some(parent.level)
            && child.stamp <= parent.stamp)
            .then_some(child)
    }

    /// A large value that is right, pages and all.
    pub(super) fn value(&self, encoded: &[u8]) -> Option<Extent> {
        let extent = Extent::decode(encoded, PageId::NONE, self.geometry.page_size).ok()?;
        let pages = self.length / self.geometry.page_size as u64;
        if extent.runs.is_empty() || extent.runs.iter().any(|run| run.end() > pages) {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        encoded.hash(&mut hasher);
        let key = hasher.finish();
        let known = self.values.borrow().get(&key).copied();
        let right = known.unwrap_or_else(|| {
            let mut reader = self.reader(extent.clone());
            let right = io::copy(&mut reader, &mut io::sink()).is_ok();
            self.values.borrow_mut().insert(key, right);
            right
        });
        right.then_some(extent)
    }

    /// The bytes of a large value; an error at the end if they are not those that were written.
    pub(super) fn reader(&self, extent: Extent) -> ValueReader<'_> {
        let pages: Box<dyn Iterator<Item = u64>> =
            Box::new(extent.runs.clone().into_iter().flat_map(|run| run.start.0..run.end()));
        ValueReader {
            wreck: self,
            left: extent.length,
            crc: extent.crc,
            whole: crc32fast::Hasher::new(),
            pages,
            page: Vec::new(),
            at: 0,
            done: false,
        }
    }
}

/// The record in a catalog's entry.
pub(super) fn table_of(entry: &Entry, page: PageId) -> Option<TableRecord> {
    TableRecord::decode(&entry.value, page).ok().filter(|_| !entry.extent)
}

/// The catalog of a branch or snapshot; `Some(None)`: the name is of something else.
fn catalog_of(entry: &Entry, page: PageId) -> Option<Option<Pointer>> {
    match entry.key.first()? {
        b'b' => Some(Some(BranchRecord::decode(&entry.value, page).ok()?.catalog)),
        b's' => Some(Some(SnapshotRecord::decode(&entry.value, page).ok()?.catalog)),
        _ => Some(None),
    }
}

/// Reads a large value, and proves it.
pub(super) struct ValueReader<'w> {
    wreck: &'w Wreck<'w>,
    left: u64,
    crc: u32,
    whole: crc32fast::Hasher,
    pages: Box<dyn Iterator<Item = u64> + 'w>,
    page: Vec<u8>,
    at: usize,
    done: bool,
}

impl io::Read for ValueReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || self.done {
            return Ok(0);
        }
        if self.at == self.page.len() {
            match self.pages.next() {
                Some(page) => {
                    let bytes = self.wreck.page(page).ok_or(io::ErrorKind::InvalidData)?;
                    self.whole.update(&crc32fast::hash(&bytes).to_le_bytes());
                    (self.page, self.at) = (bytes, 0);
                }
                None => {
                    self.done = true;
                    let right = self.whole.clone().finalize() == self.crc && self.left == 0;
                    return if right { Ok(0) } else { Err(io::ErrorKind::InvalidData.into()) };
                }
            }
        }
        let there = &self.page[self.at..];
        let length =
            there.len().min(out.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        out[..length].copy_from_slice(&there[..length]);
        self.left -= length as u64;
        // What fills up the last page is not the value's.
        self.at = if self.left == 0 { self.page.len() } else { self.at + length };
        if length == 0 { self.read(out) } else { Ok(length) }
    }
}
