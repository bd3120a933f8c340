//! Compaction: pages from the end of the file move to free places at its front, and the file is cut.
//!
//! Each tree is copied with a memo `old -> new`, so that what was shared stays shared: a node is
//! copied if it lies behind the target or if something below it moved; everything else is shared
//! between the old tree and the new one until the old root is dropped. No page is written in
//! place, so a crash at any moment leaves the old state or the new one.
//!
//! ```text
//!  before  [a][ ][b][ ][ ][c][d]          after  [a][d'][b][c'] | cut here
//! ```
//!
//! On the way leaves that are not full are packed into fewer (`pack.rs`), so a copy of a node may hold other
//! nodes than the old one; its sums are taken anew.
//!
//! Moved pages carry the stamp of the compaction; each branch's `shared_at` is raised to it, so that
//! counts, not births, tell who shares them (R3).

mod pack;

use std::collections::HashMap;

use cowslip_pager::{Child, Extent, PageId, Pointer, Raw, mutant, page::u64_at};

use crate::{
    draft::Draft,
    error::{Error, Result},
    kinds::{CATALOG, Sums, TABLE, child_bytes},
    meta::{BRANCH, BranchRecord, SNAPSHOT, SnapshotRecord, TableRecord},
    node::{HEADER, Node, NodeMut},
    tree::Tree,
};

/// Rounds after which compaction stops even if another one might still gain something.
pub(crate) const ROUNDS_MAX: usize = 5;

/// What a round has done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    /// Pages written anew.
    pub(crate) pages: u64,
    /// Leaves there are fewer than before.
    pub(crate) saved: u64,
}

/// Copies below `target` whatever lies behind it.
pub(crate) struct Mover<'d> {
    draft: &'d mut Draft,
    target: u64,
    pack: bool,
    nodes: HashMap<PageId, Pointer>,
    extents: HashMap<PageId, Extent>,
    raw: HashMap<PageId, PageId>,
    moved: u64,
    /// Leaves that packing has saved.
    saved: u64,
    /// Nodes looked at: more than the file has pages means that a damaged tree leads in circles.
    visited: u64,
    pages: u64,
}

impl<'d> Mover<'d> {
    /// `pages` are all that there are; with `pack`, leaves that are not full are packed.
    pub(crate) fn new(draft: &'d mut Draft, target: u64, pages: u64, pack: bool) -> Mover<'d> {
        Mover {
            draft,
            target,
            pack,
            nodes: HashMap::new(),
            extents: HashMap::new(),
            raw: HashMap::new(),
            moved: 0,
            saved: 0,
            visited: 0,
            pages,
        }
    }

    /// Moves everything below all names.
    pub(crate) fn run(mut self) -> Result<Moved> {
        let (view, root) = (self.draft.txn.view(), self.draft.names_root());
        let branches = Draft::names(view, root, BRANCH)?;
        let snapshots = Draft::names(view, root, SNAPSHOT)?;
        for (name, bytes, page) in branches {
            let record = BranchRecord::decode(&bytes, page)?;
            let catalog = self.owned(&record.catalog)?;
            let mut new = BranchRecord { catalog, ..record.clone() };
            if !mutant!(SharedAtNotRaisedByCompaction) {
                new.shared_at = self.draft.txn.stamp();
            }
            self.draft.put_record(BRANCH, &name, &new.encode())?;
            self.draft.drop_root(record.catalog)?;
        }
        for (name, bytes, page) in snapshots {
            let record = SnapshotRecord::decode(&bytes, page)?;
            let catalog = self.owned(&record.catalog)?;
            let new = SnapshotRecord { catalog, ..record.clone() };
            self.draft.put_record(SNAPSHOT, &name, &new.encode())?;
            self.draft.drop_root(record.catalog)?;
        }
        Ok(Moved { pages: self.moved, saved: self.saved })
    }

    /// The tree below `pointer` in its new place, with one more owner: the caller.
    fn owned(&mut self, pointer: &Pointer) -> Result<Pointer> {
        if pointer.is_none() {
            return Ok(*pointer);
        }
        if let Some(new) = self.nodes.get(&pointer.page) {
            let new = *new;
            self.draft.txn.retain(new.page)?;
            return Ok(new);
        }
        let shared = self.draft.txn.count(pointer.page)? > 1;
        let new = self.copy(pointer)?;
        if shared && !mutant!(CompactionForgetsSharing) {
            self.nodes.insert(pointer.page, new);
        }
        Ok(new)
    }

    /// A page more was looked at.
    fn visit(&mut self, page: PageId) -> Result<()> {
        self.visited += 1;
        if self.visited > self.pages {
            let what = "nodes of all trees (at most)";
            return Err(Error::corrupted(page.0, what, self.pages, self.visited));
        }
        Ok(())
    }

    fn copy(&mut self, pointer: &Pointer) -> Result<Pointer> {
        self.visit(pointer.page)?;
        let bytes = self.draft.txn.view().pin(pointer)?.to_vec();
        if let Some(new) = self.packed(pointer, &bytes)? {
            return Ok(new);
        }
        let node = Node::new(&bytes);
        // The new content of each entry that points somewhere else now.
        let mut changes: Vec<(usize, Vec<u8>)> = Vec::new();
        // What the copy will point to: each has been given an owner for it already.
        let mut owned: Vec<Child> = Vec::new();
        for index in 0..node.count() {
            if pointer.level > 0 {
                let old = Pointer::decode(node.child(index));
                crate::kinds::check_level(pointer, &old)?;
                let new = self.owned(&crate::kinds::same_kind(&bytes, old)?)?;
                if new != old {
                    let sums = Sums::of_node(&self.draft.txn.view().pin(&new)?);
                    changes.push((index, child_bytes(&new, sums).to_vec()));
                }
                owned.push(Child::Node(new));
                continue;
            }
            let (value, extent) = node.value(index);
            if pointer.kind == CATALOG {
                let record = TableRecord::decode(value, pointer.page)?;
                if record.root.is_none() {
                    continue;
                }
                if let Some(Child::Raw(old)) = record.child(pointer.page)? {
                    let new = self.owned_raw(old)?;
                    if new != old {
                        // Whoever remembers the old one finds another, wherever it went.
                        let stamp = self.draft.txn.stamp();
                        let root = Pointer { page: new.page, stamp, ..record.root };
                        changes.push((index, TableRecord { root, ..record }.encode()));
                    }
                    owned.push(Child::Raw(new));
                    continue;
                }
                let table = Tree::new(TABLE, record.id, record.root).checked(pointer.page.0)?;
                let root = self.owned(&table.root)?;
                if root != record.root {
                    let pages = Tree { root, ..table }.sums(self.draft.txn.view())?.pages;
                    changes.push((index, TableRecord { root, pages, ..record }.encode()));
                }
                owned.push(Child::Node(root));
            } else if pointer.kind == TABLE && extent {
                let old = Extent::decode(value, pointer.page, bytes.len())?;
                let new = self.owned_extent(&old)?;
                if new != old {
                    changes.push((index, new.encode()));
                }
                owned.push(Child::Extent(new));
            }
        }
        if changes.is_empty() && pointer.page.0 < self.target {
            // The node stays; it owns its children already.
            for child in owned {
                match child {
                    Child::Node(pointer) => self.draft.txn.release(&pointer)?,
                    Child::Extent(extent) => self.draft.txn.release_extent(&extent)?,
                    Child::Raw(raw) => self.draft.txn.release_raw(raw)?,
                };
            }
            self.draft.txn.retain(pointer.page)?;
            return Ok(*pointer);
        }
        self.moved += 1;
        let tree = cowslip_pager::page::Header::read(&bytes).tree;
        let new = self.draft.txn.allocate(pointer.kind, pointer.level, tree)?;
        let fits = self.draft.txn.edit(&new, |page| {
            page[6..8].copy_from_slice(&bytes[6..8]);
            page[40..HEADER].copy_from_slice(&bytes[40..HEADER]);
            page[HEADER..].copy_from_slice(&bytes[HEADER..]);
            changes.iter().all(|(index, value)| {
                let mut node = NodeMut::new(page);
                if pointer.level > 0 {
                    node.child_mut(*index).copy_from_slice(value);
                    true
                } else {
                    node.set_value(*index, value, pointer.kind == TABLE)
                }
            })
        })?;
        if !fits {
            // An extent may come out in more runs than before, in a leaf that is full to the brim.
            return Err(Error::DiskFull { pages: 1 });
        }
        Ok(new)
    }

    /// A raw page and what is below it in their new places, with one more owner: the caller.
    fn owned_raw(&mut self, raw: Raw) -> Result<Raw> {
        if let Some(&page) = self.raw.get(&raw.page) {
            self.draft.txn.retain(page)?;
            return Ok(Raw { page, ..raw });
        }
        let shared = self.draft.txn.count(raw.page)? > 1;
        let page = self.copy_raw(raw)?;
        if shared {
            self.raw.insert(raw.page, page);
        }
        Ok(Raw { page, ..raw })
    }

    fn copy_raw(&mut self, raw: Raw) -> Result<PageId> {
        let stays = raw.page.0 < self.target;
        if stays && raw.height == 0 {
            self.draft.txn.retain(raw.page)?;
            return Ok(raw.page);
        }
        self.visit(raw.page)?;
        let mut bytes = vec![0; self.draft.txn.page_size()];
        self.draft.txn.read_raw(raw.page, &mut bytes)?;
        let mut children = Vec::new();
        raw.children(&bytes, &mut |index, child| {
            children.push((index, child));
            Ok(())
        })?;
        let mut owned = Vec::with_capacity(children.len());
        let mut changed = false;
        for (index, old) in children {
            let new = self.owned_raw(old)?;
            if new != old {
                changed = true;
                let word = &mut bytes[8 * index..8 * index + 8];
                let others = u64_at(word, 0) & !Raw::PAGE_BITS;
                word.copy_from_slice(&(others | new.page.0 << Raw::SHIFT).to_le_bytes());
            }
            owned.push(new);
        }
        if stays && !changed {
            // It owns its children already.
            for child in owned {
                self.draft.txn.release_raw(child)?;
            }
            self.draft.txn.retain(raw.page)?;
            return Ok(raw.page);
        }
        self.moved += 1;
        Ok(self.draft.txn.write_raw(&bytes)?)
    }

    fn owned_extent(&mut self, extent: &Extent) -> Result<Extent> {
        if let Some(new) = self.extents.get(&extent.head()) {
            let new = new.clone();
            self.draft.txn.retain(new.head())?;
            return Ok(new);
        }
        let behind = extent.runs.iter().any(|run| run.end() > self.target);
        if !behind {
            self.draft.txn.retain(extent.head())?;
            return Ok(extent.clone());
        }
        let shared = self.draft.txn.count(extent.head())? > 1;
        let mut writer = self.draft.txn.write_extent(extent.length)?;
        let mut part = vec![0; 1 << 20];
        let mut done = 0;
        while done < extent.length {
            let length = (extent.length - done).min(part.len() as u64) as usize;
            let copied = self
                .draft
                .txn
                .read_extent(extent, done, &mut part[..length])
                .and_then(|()| self.draft.txn.extend_extent(&mut writer, &part[..length]));
            if let Err(error) = copied {
                self.draft.txn.abandon_extent(writer);
                return Err(error.into());
            }
            done += length as u64;
        }
        let new = self.draft.txn.finish_extent(writer)?;
        if new.encode().len() > extent.encode().len() || new.crc != extent.crc {
            // More runs than before would not fit its leaf: it stays where it is, for all its owners. Tried
            // again for the next one it might come out in fewer, and each would have a value of its own.
            self.draft.txn.release_extent(&new)?;
            self.draft.txn.retain(extent.head())?;
            if shared {
                self.extents.insert(extent.head(), extent.clone());
            }
            return Ok(extent.clone());
        }
        self.moved += new.runs.iter().map(|run| run.length).sum::<u64>();
        if shared {
            self.extents.insert(extent.head(), new.clone());
        }
        Ok(new)
    }
}
