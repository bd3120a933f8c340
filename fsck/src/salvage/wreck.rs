//! The wreck, as the survey knows it: nodes by pointer, what is whole, large values by their checksum.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
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

use super::survey::{Node, Proof};
use crate::repair::node::{self, Entry};

/// Pages that are read to prove large values, for each page of the wreck.
const VALUES_FACTOR: u64 = 8;

/// A tree: its kind, and of a table its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tree {
    pub(super) kind: u8,
    pub(super) id: u64,
}

pub(super) const NAMES: Tree = Tree { kind: META, id: 0 };
pub(super) const TABLES: Tree = Tree { kind: CATALOG, id: 0 };

/// What is known of a node and all that is below it, within bounds of which this is a hash: states that share a
/// node may have it within different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Unknown,
    Yes(u64),
    No(u64),
}

/// What is known of a large value.
pub(super) enum Value {
    /// Its bytes are those that were written.
    Right(Extent),
    Wrong,
    /// Nobody looked: enough was read (W14).
    CutShort,
}

/// A subtree, as its parent names it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) pointer: Pointer,
    pub(super) low: Vec<u8>,
    pub(super) high: Option<Vec<u8>>,
    /// Entries that its parent counts in it.
    pub(super) entries: Option<u64>,
}

impl Item {
    /// A whole tree.
    pub(super) fn root(pointer: Pointer) -> Item {
        Item { pointer, low: Vec::new(), high: None, entries: None }
    }

    fn has(&self, key: &[u8]) -> bool {
        key >= &self.low[..] && self.high.as_ref().is_none_or(|high| key < &high[..])
    }
}

/// What is in a node that is there, proves itself, and belongs where it stands.
pub(super) enum Opened {
    Leaf(Vec<Entry>),
    Inner(Vec<Item>),
}

impl Opened {
    /// Entries in and below it.
    fn count(&self) -> Option<u64> {
        match self {
            Opened::Leaf(entries) => Some(entries.len() as u64),
            Opened::Inner(children) => {
                children.iter().try_fold(0u64, |sum, child| sum.checked_add(child.entries?))
            }
        }
    }
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
    /// Inner nodes.
    inner: HashMap<Tree, Vec<usize>>,
    whole: RefCell<Vec<Whole>>,
    /// Large values that were looked at, by a hash of their encoding: are they right?
    values: RefCell<HashMap<u64, bool>>,
    /// Those that were right, and could not be read once more when they were to be written.
    unread: RefCell<HashSet<u64>>,
    /// Nodes of which that is so.
    gone: RefCell<HashSet<usize>>,
    /// Pages that may still be read to prove large values.
    value_pages: Cell<u64>,
    /// There was one that would have taken more.
    values_cut: Cell<bool>,
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
        let (values, unread, gone) = (RefCell::default(), RefCell::default(), RefCell::default());
        let value_pages = Cell::default();
        let (limit, tops, inner) = (u64::MAX, HashMap::new(), HashMap::new());
        let mut wreck = Wreck {
            storage,
            geometry,
            length,
            store,
            limit,
            nodes,
            tops,
            inner,
            whole,
            values,
            unread,
            gone,
            value_pages,
            values_cut: Cell::new(false),
        };
        wreck.begin_again();
        wreck.find_children();
        let top = |node: &Node| !node.child && node.proof == Proof::Open;
        for (at, node) in wreck.nodes.iter().enumerate().filter(|(_, node)| top(node)) {
            let tree = Tree { kind: node.kind, id: node.tree };
            wreck.tops.entry(tree).or_default().push(at);
        }
        wreck
    }

    /// As if no large value had been left unproved: what is known of the others counts.
    pub(super) fn begin_again(&self) {
        let pages = self.length / self.geometry.page_size as u64;
        self.value_pages.set(pages.saturating_mul(VALUES_FACTOR));
        self.values_cut.set(false);
        self.forget_whole();
    }

    /// Was a large value not looked at, for want of time?
    pub(super) fn is_exhausted(&self) -> bool {
        self.values_cut.get()
    }

    /// Marks what inner nodes name.
    fn find_children(&mut self) {
        for at in 0..self.nodes.len() {
            let node = self.nodes[at];
            if node.level == 0 || node.proof != Proof::Open {
                continue;
            }
            let tree = Tree { kind: node.kind, id: node.tree };
            self.inner.entry(tree).or_default().push(at);
            for entry in self.entries(at).unwrap_or_default() {
                let child = Pointer::decode(&entry.value);
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

    /// Inner nodes of a tree.
    pub(super) fn inner(&self, tree: Tree) -> &[usize] {
        self.inner.get(&tree).map_or(&[], Vec::as_slice)
    }

    /// The number of the node that a pointer names, if it is there and proves itself.
    pub(super) fn find(&self, pointer: &Pointer, tree: Tree) -> Option<usize> {
        let page = u32::try_from(pointer.page.0).ok()?;
        let at = self.nodes.binary_search_by_key(&page, |node| node.page).ok()?;
        let node = &self.nodes[at];
        let same = (node.kind, node.level, node.stamp, node.tree)
            == (pointer.kind, pointer.level, pointer.stamp, tree.id);
        (same && node.kind == tree.kind && node.proof == Proof::Open).then_some(at)
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

    /// The entries of a node; none, if it cannot be read any more: that is so from then on.
    pub(super) fn entries(&self, at: usize) -> Option<Vec<Entry>> {
        if self.gone.borrow().contains(&at) {
            return None;
        }
        let entries = self.page(self.nodes[at].page.into()).and_then(|bytes| {
            let header = Header::read(&bytes);
            (header.crc == node_crc(&bytes)).then(|| node::entries(&bytes)).flatten()
        });
        if entries.is_none() {
            self.gone.borrow_mut().insert(at);
        }
        entries
    }

    /// Nodes that could be read once, and not again.
    pub(super) fn gone(&self) -> usize {
        self.gone.borrow().len()
    }

    /// What was called whole may not be so any more, or the other way round.
    pub(super) fn forget_whole(&self) {
        self.whole.borrow_mut().fill(Whole::Unknown);
    }

    fn page(&self, page: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.geometry.page_size];
        self.storage.read_at(&mut bytes, self.geometry.offset(PageId(page))).ok()?;
        Some(bytes)
    }

    /// Can all be read that is in and below what a pointer names, large values and what names lead to
    /// included?
    pub(super) fn is_whole(&self, item: &Item, tree: Tree) -> bool {
        if item.pointer.is_none() {
            return true;
        }
        let Some(at) = self.find(&item.pointer, tree) else { return false };
        let mut hasher = DefaultHasher::new();
        (&item.low, &item.high, item.entries).hash(&mut hasher);
        let within = hasher.finish();
        match self.whole.borrow()[at] {
            Whole::Yes(known) if known == within => return true,
            Whole::No(known) if known == within => return false,
            _ => {}
        }
        // Levels fall and kinds rise on the way down, so this comes to an end.
        let whole = self.open(item, tree).is_some_and(|opened| {
            let counted = item.entries.is_none_or(|entries| opened.count() == Some(entries));
            // All children are looked at, whatever the first ones are.
            let whole = match &opened {
                Opened::Inner(children) => {
                    children.iter().filter(|child| !self.is_whole(child, tree)).count() == 0
                }
                Opened::Leaf(entries) => {
                    let page = item.pointer.page;
                    entries.iter().filter(|entry| !self.is_entry_whole(tree, entry, page)).count()
                        == 0
                }
            };
            whole && counted
        });
        self.whole.borrow_mut()[at] = if whole { Whole::Yes(within) } else { Whole::No(within) };
        whole
    }

    fn is_entry_whole(&self, tree: Tree, entry: &Entry, page: PageId) -> bool {
        match tree.kind {
            TABLE => {
                let right = || matches!(self.value(&entry.value), Value::Right(_));
                !entry.extent || right() && !self.is_unread(&entry.value)
            }
            CATALOG => table_of(entry, page).is_some_and(|record| {
                let tree = Tree { kind: TABLE, id: record.id };
                record.is_machine() || self.is_whole(&Item::root(record.root), tree)
            }),
            _ => match catalog_of(entry, page) {
                Some(Some(catalog)) => self.is_whole(&Item::root(catalog), TABLES),
                other => other.is_some(),
            },
        }
    }

    /// What is in a node, unless it has keys that are out of place: then it was made to look right.
    pub(super) fn open(&self, item: &Item, tree: Tree) -> Option<Opened> {
        let entries = self.entries(self.find(&item.pointer, tree)?)?;
        if item.pointer.level == 0 {
            return entries
                .iter()
                .all(|entry| item.has(&entry.key))
                .then_some(Opened::Leaf(entries));
        }
        let mut children: Vec<Item> = Vec::with_capacity(entries.len());
        for (i, cell) in entries.iter().enumerate() {
            let pointer = self.child(&item.pointer, cell)?;
            let low = if i == 0 { item.low.clone() } else { cell.key.clone() };
            if !item.has(&low) || i > 0 && low <= children[i - 1].low {
                return None;
            }
            if let Some(before) = children.last_mut() {
                before.high = Some(low.clone());
            }
            let entries = Some(crate::check::Sums::of_child(&cell.value).entries);
            children.push(Item { pointer, low, high: item.high.clone(), entries });
        }
        Some(Opened::Inner(children))
    }

    /// What a cell of an inner node names, if it can be a child of it.
    pub(super) fn child(&self, parent: &Pointer, cell: &Entry) -> Option<Pointer> {
        let child = Pointer::decode(&cell.value);
        (child.kind == parent.kind
            && child.level.checked_add(1) == Some(parent.level)
            && child.stamp <= parent.stamp)
            .then_some(child)
    }

    /// A large value, and whether it is right, pages and all.
    pub(super) fn value(&self, encoded: &[u8]) -> Value {
        let Ok(extent) = Extent::decode(encoded, PageId::NONE, self.geometry.page_size) else {
            return Value::Wrong;
        };
        let pages = self.length / self.geometry.page_size as u64;
        if extent.runs.is_empty() || extent.runs.iter().any(|run| run.end() > pages) {
            return Value::Wrong;
        }
        let key = key_of(encoded);
        let known = self.values.borrow().get(&key).copied();
        let right = match known {
            Some(right) => right,
            None => {
                // Values that were made to overlap would be read again and again (W14). What is left falls only,
                // so who asks twice hears the same.
                let size = extent.runs.iter().map(|run| run.end() - run.start.0).sum::<u64>();
                let Some(left) = self.value_pages.get().checked_sub(size) else {
                    self.values_cut.set(true);
                    return Value::CutShort;
                };
                self.value_pages.set(left);
                let mut reader = self.reader(extent.clone());
                let right = io::copy(&mut reader, &mut io::sink()).is_ok();
                self.values.borrow_mut().insert(key, right);
                right
            }
        };
        if right { Value::Right(extent) } else { Value::Wrong }
    }

    /// A large value that was right cannot be read once more: whatever has it is not whole, by the account.
    pub(super) fn set_unread(&self, encoded: &[u8]) {
        self.unread.borrow_mut().insert(key_of(encoded));
    }

    pub(super) fn is_unread(&self, encoded: &[u8]) -> bool {
        let unread = self.unread.borrow();
        !unread.is_empty() && unread.contains(&key_of(encoded))
    }

    /// Is there any such value?
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.borrow().is_empty()
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
            failed: false,
        }
    }
}

/// What a large value is known by.
fn key_of(encoded: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    encoded.hash(&mut hasher);
    hasher.finish()
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
    /// It was not the value's fault that it could not be written, but the wreck's.
    pub(super) failed: bool,
}

impl io::Read for ValueReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = self.read_on(out);
        self.failed |= result.is_err();
        result
    }
}

impl ValueReader<'_> {
    fn read_on(&mut self, out: &mut [u8]) -> io::Result<usize> {
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
        if length == 0 { self.read_on(out) } else { Ok(length) }
    }
}
