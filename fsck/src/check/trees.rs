//! Every tree, from the superblock's root down. Verifies each node by itself (checksum, identity,
//! structure, order), against its parent (level, stamp, bounds, sums) and against the map's
//! checksum; each large value; each name. Meets every owner of every page, and leaves the counts
//! to the last pass.
//!
//! A page that several own is read once. What the first owner's side knew of it is kept until all
//! owners that the map counts were met, and compared with what the others know.

mod extents;
mod raw;

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
};

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::TableRecord,
};
use cowslip_pager::{
    Pointer,
    page::{Header, node_crc, u32_at, u64_at},
};

use super::{
    Check,
    arriving::Arriving,
    hex,
    map::PageMap,
    records::{Name, Named, Released, table_name},
};
use crate::{
    problem::Kind,
    report::{Problem, Range, keys_text, owner_text},
    walk::{NodeReader, Role, Roles},
};

/// Levels that a tree can have.
pub(super) const LEVELS_MAX: u8 = 24;
pub(super) const CHILD: usize = 26;
/// Owners that are listed for a problem.
const AFFECTS_MAX: usize = 100;

/// What is in and below a node, as its parent says or as was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) entries: u64,
    pub(crate) pages: u64,
}

impl Sums {
    pub(crate) fn of_child(cell: &[u8]) -> Sums {
        let entries = u64_at(cell, Pointer::SIZE) & 0xFFFF_FFFF_FFFF;
        Sums { entries, pages: u32_at(cell, Pointer::SIZE + 6).into() }
    }

    /// `None`: more than a word holds.
    pub(crate) fn plus(self, other: Sums) -> Option<Sums> {
        Some(Sums {
            entries: self.entries.checked_add(other.entries)?,
            pages: self.pages.checked_add(other.pages)?,
        })
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} entries on {} pages", self.entries, self.pages)
    }
}

/// Walks everything. False: some part could not be seen, so pages without an owner prove nothing.
pub(super) fn run(check: &mut Check<'_>, map: &mut PageMap, roles: &mut Roles) -> bool {
    let root = check.superblock.root;
    if root.is_none() {
        return true;
    }
    let page = vec![0; check.geometry.page_size];
    let mut walk = Walk {
        check,
        map,
        roles,
        stack: Vec::new(),
        shared: HashMap::new(),
        extents: HashMap::new(),
        raw: HashMap::new(),
        damaged: HashMap::new(),
        branches: HashSet::new(),
        arriving: Arriving::default(),
        complete: true,
        page,
        spans: Vec::new(),
    };
    let stamp = walk.check.superblock.stamp;
    walk.stack.push(Item {
        pointer: root,
        parent: 0,
        parent_stamp: stamp,
        kind: Some(META),
        level: None,
        tree: Some(0),
        sums: None,
        pages: None,
        bounds: Bounds::default(),
        owner: Rc::new(Owner { line: "the names".into(), table: None, shared_at: None }),
        way: None,
    });
    while let Some(item) = walk.stack.pop() {
        walk.visit(item);
    }
    if walk.complete && !walk.branches.contains("main") {
        walk.check.report.add(Problem::new(Kind::NoMain, "branch main").page(root.page.0));
    }
    if walk.complete {
        let arriving = std::mem::take(&mut walk.arriving);
        for problem in arriving.judge(walk.check, |name| walk.branches.contains(name)) {
            walk.check.report.add(problem);
        }
    }
    walk.complete
}

/// Who leads to a page.
struct Owner {
    /// Such as `branch main`.
    line: String,
    table: Option<String>,
    /// A branch's promise that what is younger has one owner.
    shared_at: Option<u64>,
}

impl Owner {
    fn name(&self) -> String {
        owner_text(&self.line, self.table.as_deref())
    }
}

/// Inclusive, and exclusive; `None`: no bound.
#[derive(Clone, Default)]
struct Bounds {
    low: Option<Rc<[u8]>>,
    high: Option<Rc<[u8]>>,
    /// Nothing is known: the tree is reached from its middle.
    unknown: bool,
}

impl Bounds {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.low, &self.high, self.unknown).hash(&mut hasher);
        hasher.finish()
    }

    fn text(&self) -> Option<String> {
        (!self.unknown).then(|| keys_text(self.low.as_deref(), self.high.as_deref()))
    }
}

/// A step on the way from the root.
struct Step {
    page: u64,
    index: usize,
    above: Option<Rc<Step>>,
}

/// A pointer to follow, and what is known of its target.
struct Item {
    pointer: Pointer,
    parent: u64,
    parent_stamp: u64,
    /// `None`: any.
    kind: Option<u8>,
    /// `None`: the root of a tree.
    level: Option<u8>,
    tree: Option<u64>,
    /// In a cell of an inner node.
    sums: Option<Sums>,
    /// In the record of a table.
    pages: Option<u64>,
    bounds: Bounds,
    owner: Rc<Owner>,
    way: Option<Rc<Step>>,
}

impl Item {
    fn path(&self) -> String {
        let mut steps = vec![self.pointer.page.0.to_string()];
        let mut at = self.way.as_ref();
        while let Some(step) = at {
            if steps.len() > 80 {
                steps.push("…".into());
                break;
            }
            steps.push(format!("{}:{}", step.page, step.index));
            at = step.above.as_ref();
        }
        steps.reverse();
        steps.join(" > ")
    }
}

/// What is known of a page with several owners.
struct Shared {
    pointer: Pointer,
    tree: u64,
    sums: Option<Sums>,
    bounds: u64,
    owners_left: u32,
}

struct Walk<'w, 'c> {
    check: &'w mut Check<'c>,
    map: &'w mut PageMap,
    roles: &'w mut Roles,
    stack: Vec<Item>,
    shared: HashMap<u64, Shared>,
    /// Large values with several owners, by head: a hash of the encoding.
    extents: HashMap<u64, u64>,
    /// Raw pages above the data: their height, and the pages in and below them if all could be read.
    raw: HashMap<u64, (u8, Option<u64>)>,
    /// Where problems stand in the report that are of a page, or of something below it.
    damaged: HashMap<u64, Vec<usize>>,
    branches: HashSet<String>,
    arriving: Arriving,
    complete: bool,
    page: Vec<u8>,
    spans: Vec<(usize, usize)>,
}

impl Walk<'_, '_> {
    fn problem(&mut self, item: &Item, problem: Problem) {
        let page = item.pointer.page.0;
        let mut problem = if problem.page.is_none() { problem.page(page) } else { problem };
        problem.path = Some(item.path());
        problem.affects = vec![item.owner.name()];
        problem.keys = item.bounds.text();
        if !item.bounds.unknown {
            problem.ranges = vec![Range {
                state: item.owner.line.clone(),
                table: item.owner.table.clone(),
                from: item.bounds.low.as_deref().map(<[u8]>::to_vec),
                to: item.bounds.high.as_deref().map(<[u8]>::to_vec),
            }];
        }
        let listed = self.check.report.problems.len();
        self.check.report.add(problem);
        if self.check.report.problems.len() > listed {
            self.damaged.entry(page).or_default().push(listed);
            let mut above = item.way.as_ref();
            while let Some(step) = above {
                self.damaged.entry(step.page).or_default().push(listed);
                above = step.above.as_ref();
            }
        }
    }

    /// A page is met again that has problems, or has some below it: they affect this owner as well.
    fn affected(&mut self, item: &Item) {
        let Some(problems) = self.damaged.get(&item.pointer.page.0) else { return };
        for &at in problems {
            let problem = &mut self.check.report.problems[at];
            let Some(first) = problem.ranges.first() else {
                let name = item.owner.name();
                if problem.affects.len() < AFFECTS_MAX && !problem.affects.contains(&name) {
                    problem.affects.push(name);
                }
                continue;
            };
            // What is met may be a catalog, above the table.
            let table = item.owner.table.clone().or_else(|| first.table.clone());
            let range = Range { state: item.owner.line.clone(), table, ..first.clone() };
            if problem.ranges.len() < AFFECTS_MAX && !problem.ranges.contains(&range) {
                problem.affects.push(owner_text(&range.state, range.table.as_deref()));
                problem.ranges.push(range);
            }
        }
    }

    /// Reports that what `item` points to cannot be followed.
    fn lost(&mut self, item: &Item, problem: Problem) {
        self.complete = false;
        self.problem(item, problem);
    }

    fn visit(&mut self, item: Item) {
        let pointer = item.pointer;
        let page = pointer.page.0;
        if page >= self.check.superblock.pages || self.check.geometry.is_reserved(pointer.page) {
            let pages = self.check.superblock.pages;
            let problem = Problem::new(Kind::PointerRange, "page of a pointer (below)");
            return self.lost(&item, problem.page(item.parent).values(pages, page));
        }
        if page >= self.roles.pages() {
            let length = self.check.length;
            let what = format!("behind the end of the file ({length} bytes)");
            return self.lost(&item, Problem::new(Kind::PageUnreadable, what));
        }
        if let Some(kind) = item.kind
            && pointer.kind != kind
        {
            let problem = Problem::new(Kind::ChildLevel, "kind in a pointer").page(item.parent);
            return self.lost(&item, problem.values(kind, pointer.kind));
        }
        let level_fault = match item.level {
            Some(level) if pointer.level != level => Some(level),
            None if pointer.level > LEVELS_MAX => Some(LEVELS_MAX),
            _ => None,
        };
        if let Some(level) = level_fault {
            let problem = Problem::new(Kind::ChildLevel, "level in a pointer").page(item.parent);
            return self.lost(&item, problem.values(level, pointer.level));
        }
        if pointer.stamp > item.parent_stamp {
            let problem = Problem::new(Kind::ChildStamp, "stamp in a pointer (at most)")
                .page(item.parent)
                .values(hex(item.parent_stamp), hex(pointer.stamp));
            self.problem(&item, problem);
        }
        let count = self.map.entry(self.check, page).map(|entry| entry.count);
        self.check_young(&item, pointer.stamp, page, count);
        match self.roles.claim(page, Role::Node) {
            Role::None => self.read(item, count),
            Role::Node => self.again(&item),
            other => {
                let what = format!("a node stands on a page used as {other}");
                self.lost(&item, Problem::new(Kind::DoubleUse, what));
            }
        }
    }

    /// I11: whoever writes below a branch relies on `shared_at` and does not ask the map.
    fn check_young(&mut self, item: &Item, stamp: u64, page: u64, count: Option<u32>) {
        if let Some(shared_at) = item.owner.shared_at
            && stamp > shared_at
            && let Some(count) = count.filter(|&count| count > 1)
        {
            let what =
                format!("owners of a page of stamp {stamp:#x} under shared_at {shared_at:#x}");
            self.problem(item, Problem::new(Kind::YoungShared, what).page(page).values(1, count));
        }
    }

    /// Another owner of a page that was read.
    fn again(&mut self, item: &Item) {
        let page = item.pointer.page.0;
        self.affected(item);
        let Some(shared) = self.shared.get_mut(&page) else {
            // The map knows one owner only: the last pass reports it.
            return;
        };
        shared.owners_left = shared.owners_left.saturating_sub(1);
        let (pointer, tree, sums, bounds) =
            (shared.pointer, shared.tree, shared.sums, shared.bounds);
        if shared.owners_left == 0 {
            self.shared.remove(&page);
        }
        if pointer != item.pointer {
            let problem = Problem::new(Kind::NodeIdentity, "identity of a shared node")
                .values(identity(&item.pointer), identity(&pointer));
            return self.problem(item, problem);
        }
        if let Some(wanted) = item.tree
            && wanted != tree
        {
            let problem = Problem::new(Kind::NodeTree, "tree of a node");
            self.problem(item, problem.values(hex(wanted), hex(tree)));
        }
        if sums.is_some() {
            self.compare_sums(item, sums);
        }
        if !item.bounds.unknown && item.bounds.hash() != bounds {
            self.edges(item);
        }
    }

    /// Compares what was found in and below a node with what its parent says (I10).
    fn compare_sums(&mut self, item: &Item, found: Option<Sums>) {
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
    fn edges(&mut self, item: &Item) {
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
    fn read(&mut self, item: Item, count: Option<u32>) {
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
    fn verify(&mut self, item: &Item, page: &[u8]) -> bool {
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

    fn content(&mut self, item: &Item, page: &[u8], count: Option<u32>) {
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

    fn leaf_entry(
        &mut self,
        item: &Item,
        header: &Header,
        key: &[u8],
        entry: &crate::walk::EntryReader<'_>,
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
    fn name(
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

/// The root of a tree that an entry of a leaf names.
fn child(
    item: &Item,
    pointer: Pointer,
    kind: Option<u8>,
    tree: Option<u64>,
    owner: Owner,
    way: Rc<Step>,
) -> Item {
    Item {
        pointer,
        parent: item.pointer.page.0,
        parent_stamp: item.pointer.stamp,
        kind,
        level: None,
        tree,
        sums: None,
        pages: None,
        bounds: Bounds::default(),
        owner: Rc::new(owner),
        way: Some(way),
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

fn identity(pointer: &Pointer) -> String {
    format!("kind {} level {} stamp {:#x}", pointer.kind, pointer.level, pointer.stamp)
}
