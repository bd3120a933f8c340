//! What snapshots and branches cost: which pages they refer to, which are theirs alone, which were
//! written for them.
//!
//! ```text
//! referenced   the sum of pages that the top of the catalog carries: one page is read
//! unique       a deletion that is only tried: down from the root as long as a page has one owner,
//!              the counts of the others lowered in a table of this walk's own
//! written      the pages younger than the snapshot before; a page's parent is never older than it
//!              (I5), so only young ones are looked into; raw pages, that have no stamp, are
//!              compared where a machine differs
//! ```
//!
//! All three are exact and cost writers nothing while nobody asks. Who asks for `unique` first helps
//! to take apart what was deleted before, which would be in the way of every later question as well;
//! then writers wait while it walks, since counts and trees must be of one moment.

use std::collections::{BTreeMap, HashMap, HashSet};

use cowslip_pager::{Child, Extent, PageId, Pager, Pointer, Raw, View};

use crate::{
    Database,
    database::find_either,
    draft::{self, Draft},
    error::{Error, Result},
    kinds::{CATALOG, TABLE, check_level, is_plain_leaf, same_kind},
    meta::{
        self, BRANCH, BranchRecord, Lineage, RELEASE, SNAPSHOT, SnapshotRecord, TableRecord,
        decode_release,
    },
    node::Node,
    tree::Tree,
    value::{self, Stored},
};

/// Bytes of a snapshot or branch, in whole pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// What can be reached from it.
    pub referenced_bytes: u64,
    /// What deleting it would free: nothing else leads there.
    pub unique_bytes: u64,
    /// What was written for it since the newest of its ancestors that is still a snapshot; if there
    /// is none, all that it refers to.
    pub written_bytes: u64,
}

impl Database {
    /// What a snapshot or branch costs.
    pub fn usage(&self, name: &str) -> Result<Usage> {
        self.usages(&[name]).map(|usages| usages[0])
    }

    /// What each of several snapshots and branches costs, all of one moment.
    pub fn usages(&self, names: &[&str]) -> Result<Vec<Usage>> {
        self.at_one_moment(|pager, view, root| {
            let history = History::read(view, root)?;
            let waiting = Trial::of_releases(pager, view, root)?;
            let (page_size, limit) = (pager.page_size() as u64, pager.stats().pages_total);
            let one = |name: &&str| {
                let catalog = Tree::new(CATALOG, 0, find_either(view, root, name)?).checked(0)?;
                let referenced = catalog.sums(view)?.pages;
                if referenced > limit {
                    let (page, what) = (catalog.root.page.0, "pages of a state (at most)");
                    return Err(Error::corrupted(page, what, limit, referenced));
                }
                let unique = waiting.clone().pages_of(&[catalog.root])?;
                let written = match history.predecessor(&lineage(view, root, name)?, name) {
                    Some(before) => written(view, catalog.root, before)?,
                    None => referenced,
                };
                Ok(Usage {
                    referenced_bytes: referenced * page_size,
                    unique_bytes: unique * page_size,
                    written_bytes: written * page_size,
                })
            };
            names.iter().map(one).collect()
        })
    }

    /// What deleting all these snapshots and branches together would free, in bytes: also what only
    /// they share among them.
    pub fn unique_bytes_of(&self, names: &[&str]) -> Result<u64> {
        self.at_one_moment(|pager, view, root| {
            let distinct: HashSet<&str> = names.iter().copied().collect();
            let catalogs: Result<Vec<Pointer>> =
                distinct.into_iter().map(|name| find_either(view, root, name)).collect();
            let pages = Trial::of_releases(pager, view, root)?.pages_of(&catalogs?)?;
            Ok(pages * pager.page_size() as u64)
        })
    }

    /// Runs a walk that compares trees with counts, which change with every commit.
    fn at_one_moment<R>(
        &self,
        walk: impl FnOnce(&Pager, View<'_>, Pointer) -> Result<R>,
    ) -> Result<R> {
        let pager = self.shared.pager()?;
        if pager.is_read_only() {
            let reader = pager.begin_read();
            return walk(pager, reader.view(), reader.version().root);
        }
        self.wait_for_releases()?;
        let draft = Draft::new(pager.begin_write()?)?;
        walk(pager, draft.txn.view(), draft.names_root())
    }
}

/// A deletion that changes nothing.
#[derive(Clone)]
struct Trial<'p> {
    pager: &'p Pager,
    view: View<'p>,
    /// The owners that are left of pages that have lost one, and still have others.
    left: HashMap<PageId, u32>,
    freed: u64,
    /// Pages of the file: a damaged tree that leads in circles frees more.
    limit: u64,
}

impl<'p> Trial<'p> {
    /// What was deleted and still waits to be taken apart (in a store that is open for reading, or since
    /// a moment ago): it owns nothing any more.
    fn of_releases(pager: &'p Pager, view: View<'p>, root: Pointer) -> Result<Trial<'p>> {
        let limit = pager.stats().pages_total;
        let mut trial = Trial { pager, view, left: HashMap::new(), freed: 0, limit };
        for (_, value, page) in Draft::entries(view, root, RELEASE)? {
            trial.release(decode_release(&value, page, pager.page_size())?)?;
        }
        Ok(trial)
    }

    /// Pages that would be freed if each of `catalogs` lost an owner as well.
    fn pages_of(mut self, catalogs: &[Pointer]) -> Result<u64> {
        let before = self.freed;
        for &catalog in catalogs.iter().filter(|catalog| !catalog.is_none()) {
            self.release(Child::Node(catalog))?;
        }
        Ok(self.freed - before)
    }
}

impl Trial<'_> {
    /// One owner of `child` less.
    fn release(&mut self, child: Child) -> Result<()> {
        let mut waiting = vec![child];
        while let Some(child) = waiting.pop() {
            match child {
                Child::Extent(extent) => {
                    if self.last_owner(extent.head())? {
                        self.freed += extent.runs.iter().map(|run| run.length).sum::<u64>();
                    }
                }
                Child::Raw(raw) => {
                    if self.last_owner(raw.page)? {
                        self.freed += 1;
                        raw_children(self.view, raw, &mut |child| waiting.push(Child::Raw(child)))?;
                    }
                }
                Child::Node(node) => {
                    if self.last_owner(node.page)? {
                        self.freed += 1;
                        self.look_into(&node, &mut waiting)?;
                    }
                }
            }
            if self.freed > self.limit {
                return Err(Error::corrupted(
                    0,
                    "pages of a tree (at most)",
                    self.limit,
                    self.freed,
                ));
            }
        }
        Ok(())
    }

    /// Does the page lose its last owner?
    fn last_owner(&mut self, page: PageId) -> Result<bool> {
        let count = match self.left.get(&page) {
            Some(&left) => left,
            None => self.pager.count(page)?,
        };
        if count == 0 {
            return Err(Error::corrupted(page.0, "refcount of a page in use", 1, 0));
        }
        if count > 1 {
            self.left.insert(page, count - 1);
        }
        Ok(count == 1)
    }

    fn look_into(&mut self, node: &Pointer, waiting: &mut Vec<Child>) -> Result<()> {
        let page = self.view.pin(node)?;
        if node.level > 0 {
            let inner = Node::new(&page);
            for index in 0..inner.count() {
                let cell = inner.child(index);
                let child = same_kind(&page, Pointer::decode(cell))?;
                check_level(node, &child)?;
                if is_plain_leaf(&child, cell) {
                    // Nothing below it: its count tells all.
                    self.freed += u64::from(self.last_owner(child.page)?);
                } else {
                    waiting.push(Child::Node(child));
                }
            }
            return Ok(());
        }
        self.pager.children(&page, &mut |child| {
            waiting.push(child);
            Ok(())
        })?;
        Ok(())
    }
}

fn raw_children(view: View<'_>, raw: Raw, visit: &mut dyn FnMut(Raw)) -> Result<()> {
    if raw.height > 0 {
        let mut bytes = vec![0; view.page_size()];
        view.read_raw(raw.page, &mut bytes)?;
        raw.children(&bytes, &mut |_, child| {
            visit(child);
            Ok(())
        })?;
    }
    Ok(())
}

/// The snapshots by the line they are on.
struct History(HashMap<u64, BTreeMap<(u64, String), Pointer>>);

/// An ancestor.
struct Before {
    catalog: Pointer,
    stamp: u64,
}

impl History {
    fn read(view: View<'_>, root: Pointer) -> Result<History> {
        let mut lines: HashMap<u64, BTreeMap<(u64, String), Pointer>> = HashMap::new();
        for (name, bytes, page) in Draft::names(view, root, SNAPSHOT)? {
            let record = SnapshotRecord::decode(&bytes, page)?;
            if let Some(place) = record.lineage.tip() {
                let line = lines.entry(place.line).or_default();
                line.insert((place.stamp, name), record.catalog);
            }
        }
        Ok(History(lines))
    }

    /// The newest ancestor that is still a snapshot. Two may have been made at one moment: then the
    /// names tell which is the first.
    fn predecessor(&self, lineage: &Lineage, name: &str) -> Option<Before> {
        let mut end = name.to_owned();
        lineage.stretches().rev().find_map(|stretch| {
            let until = (stretch.stamp, std::mem::replace(&mut end, String::from(char::MAX)));
            let ((stamp, _), catalog) = self.0.get(&stretch.line)?.range(..until).next_back()?;
            Some(Before { catalog: *catalog, stamp: *stamp })
        })
    }
}

fn lineage(view: View<'_>, root: Pointer, name: &str) -> Result<Lineage> {
    if let Some((bytes, page)) = draft::lookup(view, root, &meta::key(SNAPSHOT, name))? {
        return Ok(SnapshotRecord::decode(&bytes, page)?.lineage);
    }
    match draft::lookup(view, root, &meta::key(BRANCH, name))? {
        Some((bytes, page)) => Ok(BranchRecord::decode(&bytes, page)?.lineage),
        None => Err(Error::SnapshotNotFound(name.into())),
    }
}

/// Pages below `catalog` that are not below the ancestor `before`.
fn written(view: View<'_>, catalog: Pointer, before: Before) -> Result<u64> {
    // Compaction gives moved pages new stamps, also the ones that both have.
    let mut moved = Young { view, since: before.stamp, known: HashSet::new(), count: 0 };
    moved.walk(before.catalog)?;
    let mut young = Young { count: 0, ..moved };
    young.walk(catalog)?;
    Ok(young.count + written_raw(view, catalog, before.catalog)?)
}

/// Raw pages of the machines below `catalog` that are not below `before`. They have no stamps: those
/// of `before` are told apart by being found, where the machines differ.
fn written_raw(view: View<'_>, catalog: Pointer, before: Pointer) -> Result<u64> {
    let (roots, before) = (machines(view, catalog)?, machines(view, before)?);
    let differ = |these: &[Raw], those: &[Raw]| -> Vec<Raw> {
        these.iter().filter(|root| !those.contains(root)).copied().collect()
    };
    let mut known = HashSet::new();
    let mut walk = |mut waiting: Vec<Raw>| -> Result<u64> {
        let mut count = 0;
        while let Some(raw) = waiting.pop() {
            if known.insert(raw) {
                count += 1;
                raw_children(view, raw, &mut |child| waiting.push(child))?;
            }
        }
        Ok(count)
    };
    let (old, new) = (differ(&before, &roots), differ(&roots, &before));
    if new.is_empty() {
        return Ok(0);
    }
    walk(old)?;
    walk(new)
}

/// The roots of a catalog's machines.
fn machines(view: View<'_>, catalog: Pointer) -> Result<Vec<Raw>> {
    let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
    let mut roots = Vec::new();
    for name in draft::machine_names(view, &catalog)? {
        if let Some((record, page)) = draft::find_record(view, &catalog, &name)?
            && let Some(Child::Raw(root)) = record.child(page)?
        {
            roots.push(root);
        }
    }
    Ok(roots)
}

/// A walk through the pages that are younger than a stamp.
struct Young<'p> {
    view: View<'p>,
    since: u64,
    /// Heads of what was met.
    known: HashSet<PageId>,
    /// Pages that were not known.
    count: u64,
}

impl Young<'_> {
    fn walk(&mut self, root: Pointer) -> Result<()> {
        let mut waiting = vec![root];
        while let Some(node) = waiting.pop() {
            if node.is_none() || node.stamp <= self.since || !self.known.insert(node.page) {
                continue;
            }
            self.count += 1;
            let page = self.view.pin(&node)?;
            let content = Node::new(&page);
            for index in 0..content.count() {
                if node.level > 0 {
                    let cell = content.child(index);
                    let child = same_kind(&page, Pointer::decode(cell))?;
                    check_level(&node, &child)?;
                    if !is_plain_leaf(&child, cell) {
                        waiting.push(child);
                    } else if child.stamp > self.since && self.known.insert(child.page) {
                        self.count += 1;
                    }
                } else if node.kind == CATALOG {
                    let record = TableRecord::decode(content.value(index).0, node.page)?;
                    if record.is_machine() {
                        continue;
                    }
                    waiting
                        .push(Tree::new(TABLE, record.id, record.root).checked(node.page.0)?.root);
                } else if let Stored::Extent(extent) = value::stored(&page, index)?
                    && extent.stamp > self.since
                    && self.known.insert(extent.head())
                {
                    self.count += Extent::pages_for(extent.length, page.len());
                }
            }
        }
        Ok(())
    }
}
