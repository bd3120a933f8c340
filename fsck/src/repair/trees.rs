//! The trees, from the bottom up: each node of the wreck is verified once, and only what must change is
//! written anew, as high as the change goes.
//!
//! ```text
//!            root'                 a child that is sound keeps its page, and so do all its owners;
//!           /  |                   one that is not gives way to nodes of its keys in another state,
//!   root   a   b'                  or to nothing; who is above gets a new page
//!    |         | \
//!    b        c   x'  <- keys of x, as the nearest state has them
//!   / \
//!  c   x (damaged)
//! ```
//!
//! A page that several own is replaced once, for all of them. With `lossy` off damage stays where it is,
//! and only what needs no data is put right.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
};

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::TableRecord,
};
use cowslip_pager::{PageId, Pointer, page::u64_at};

use super::{
    adopt::Lost,
    loss::Loss,
    node::{self, Cell, Entry, Tree, pages_of},
    sources::Version,
    work::{Halt, Work},
};
use crate::{
    check::{Check, PageMap, Sums},
    problem::Kind,
    walk::{NodeReader, Role, Roles},
};

/// Levels that a tree can have.
const LEVELS_MAX: u8 = 24;

/// Where a node stands, and whose it is.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) tree: Tree,
    /// `None`: the root of a tree.
    pub(super) level: Option<u8>,
    pub(super) low: Vec<u8>,
    pub(super) high: Option<Vec<u8>>,
    /// Such as `branch main`.
    pub(super) state: Rc<str>,
    pub(super) table: Option<Rc<str>>,
}

impl Context {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.low, &self.high).hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        key >= &self.low[..] && self.high.as_ref().is_none_or(|high| key < &high[..])
    }
}

/// What becomes of an entry.
pub(super) enum Verdict {
    Keep,
    Replace(Vec<u8>),
    /// Nothing is lost without it.
    Drop,
    Hole(Kind),
}

pub(super) struct Rebuild<'r, 'a, 'c> {
    pub(super) work: &'r mut Work<'a>,
    pub(super) check: &'r mut Check<'c>,
    pub(super) map: &'r mut PageMap,
    pub(super) lossy: bool,
    /// All branches' pages may have got owners.
    pub(super) raise: bool,
    pub(super) roles: Roles,
    /// Checksums of raw pages that something else than the map proves, or the map itself.
    pub(super) proven: Vec<Option<u32>>,
    /// What replaces a page, by the bounds that its parent sets.
    changed: HashMap<u64, Vec<(u64, Vec<Cell>)>>,
    /// Losses at or below a page.
    pub(super) below: HashMap<u64, Vec<usize>>,
    pub(super) way: Vec<u64>,
    pub(super) extents: HashMap<u64, (u64, Result<(), Kind>)>,
    pub(super) raws: HashMap<u64, (u8, Result<u64, Kind>)>,
    /// The pages of each machine, by its root, or what is wrong with it.
    pub(super) machines: HashMap<u64, Result<u64, Kind>>,
    pub(super) losses: Vec<Loss>,
    /// Raw pages that nothing proves, and that were believed.
    pub(super) unverifiable: Vec<u64>,
    /// Nodes that nobody names any more.
    pub(super) lost: Lost,
    /// For each loss the states that have it.
    pub(super) states: Vec<HashSet<Rc<str>>>,
    pub(super) versions: Vec<Version>,
    pub(super) tables: HashMap<(usize, Rc<str>), Option<TableRecord>>,
    pub(super) names: HashSet<String>,
    /// Of what streams there are records, as far as they can be read.
    pub(super) streams: HashSet<String>,
    /// All names can be read.
    pub(super) names_whole: bool,
    /// The branches of streams that are being received: their new catalogs.
    pub(super) arriving: HashMap<String, Pointer>,
    pub(super) has_main: bool,
}

impl<'r, 'a, 'c> Rebuild<'r, 'a, 'c> {
    pub(super) fn new(
        work: &'r mut Work<'a>,
        check: &'r mut Check<'c>,
        map: &'r mut PageMap,
        lossy: bool,
    ) -> Option<Self> {
        let pages = usize::try_from(work.old.pages).ok()?;
        let roles = Roles::new(work.old.pages)?;
        let mut proven = Vec::new();
        proven.try_reserve_exact(pages).ok()?;
        proven.resize(pages, None);
        let mut rebuild = Rebuild {
            work,
            check,
            map,
            lossy,
            raise: lossy,
            roles,
            proven,
            changed: HashMap::new(),
            below: HashMap::new(),
            way: Vec::new(),
            extents: HashMap::new(),
            raws: HashMap::new(),
            machines: HashMap::new(),
            losses: Vec::new(),
            unverifiable: Vec::new(),
            lost: Lost::default(),
            states: Vec::new(),
            versions: Vec::new(),
            tables: HashMap::new(),
            names: HashSet::new(),
            streams: HashSet::new(),
            names_whole: true,
            arriving: HashMap::new(),
            has_main: false,
        };
        rebuild.read_versions();
        Some(rebuild)
    }

    /// The tree of names: its new root.
    pub(super) fn names(&mut self) -> Result<Pointer, Halt> {
        let context = Context {
            tree: Tree { kind: META, id: 0 },
            level: None,
            low: Vec::new(),
            high: None,
            state: "the names".into(),
            table: None,
        };
        let cell = self.tree(self.work.old.root, None, &context)?;
        Ok(cell.map_or(Pointer::NONE, |cell| cell.pointer))
    }

    /// The new root of a tree, and what is below it.
    pub(super) fn tree(
        &mut self,
        root: Pointer,
        sums: Option<Sums>,
        context: &Context,
    ) -> Result<Option<Cell>, Halt> {
        if root.is_none() {
            return Ok(None);
        }
        let cells = self.subtree(root, sums, context)?;
        self.work.root(context.tree, cells)
    }

    /// What is to stand in the place of a subtree: itself, or nodes of its level.
    fn subtree(
        &mut self,
        pointer: Pointer,
        sums: Option<Sums>,
        context: &Context,
    ) -> Result<Vec<Cell>, Halt> {
        let page = pointer.page.0;
        let hash = context.hash();
        let known = self.changed.get(&page).and_then(|known| {
            known.iter().find(|(bounds, _)| *bounds == hash).map(|(_, cells)| cells.clone())
        });
        if let Some(cells) = known {
            self.affected(page, context);
            return Ok(cells);
        }
        let right_level = context.level.unwrap_or(pointer.level) == pointer.level;
        if pointer.kind != context.tree.kind || !right_level || pointer.level > LEVELS_MAX {
            return self.damaged(pointer, Kind::ChildLevel, sums, context);
        }
        let bytes = match self.work.node_at(&pointer, context.tree.id) {
            Ok(bytes) => bytes,
            Err(kind) => return self.damaged(pointer, kind, sums, context),
        };
        let known = self.changed.contains_key(&page);
        match self.roles.claim(page, Role::Node) {
            Role::None => {}
            Role::Node if known => {}
            Role::Node => {
                if !self.edges(&bytes, context) {
                    return self.damaged(pointer, Kind::NodeBounds, sums, context);
                }
                self.affected(page, context);
                let sums = sums_of(&bytes).unwrap_or(Sums { entries: 0, pages: 0 });
                return Ok(vec![Cell { low: context.low.clone(), pointer, sums }]);
            }
            _ => return self.damaged(pointer, Kind::DoubleUse, sums, context),
        }
        let Ok(node) = NodeReader::new(&bytes) else {
            return self.damaged(pointer, Kind::NodeStructure, sums, context);
        };
        let cells = if node.is_leaf() {
            self.leaf(pointer, &node, context)?
        } else {
            match self.inner(pointer, &node, &bytes, context)? {
                Ok(cells) => cells,
                Err(kind) => return self.damaged(pointer, kind, sums, context),
            }
        };
        let Some(cells) = cells else {
            let sums = sums_of(&bytes).or(sums).unwrap_or(Sums { entries: 0, pages: 0 });
            return Ok(vec![Cell { low: context.low.clone(), pointer, sums }]);
        };
        self.changed.entry(page).or_default().push((hash, cells.clone()));
        Ok(cells)
    }

    /// `None`: it stays.
    fn inner(
        &mut self,
        pointer: Pointer,
        node: &NodeReader<'_>,
        bytes: &[u8],
        context: &Context,
    ) -> Result<Result<Option<Vec<Cell>>, Kind>, Halt> {
        let Some(cells) = node::cells(bytes, &context.low) else {
            return Ok(Err(Kind::NodeStructure));
        };
        if !cells.iter().all(|cell| context.holds(&cell.low)) {
            return Ok(Err(Kind::NodeBounds));
        }
        let mut rewrite = node.accounts(&mut Vec::new()).is_err();
        let mut new = Vec::new();
        self.way.push(pointer.page.0);
        for (i, cell) in cells.iter().enumerate() {
            let child = Context {
                level: Some(pointer.level - 1),
                low: cell.low.clone(),
                high: cells.get(i + 1).map(|next| next.low.clone()).or(context.high.clone()),
                ..context.clone()
            };
            let got = self.subtree(cell.pointer, Some(cell.sums), &child)?;
            rewrite |= got.len() != 1 || got[0] != *cell || cell.pointer.stamp > pointer.stamp;
            new.extend(got);
        }
        self.way.pop();
        if !rewrite {
            return Ok(Ok(None));
        }
        self.work.inner(context.tree, pointer.level, &new).map(|cells| Ok(Some(cells)))
    }

    /// `None`: it stays.
    fn leaf(
        &mut self,
        pointer: Pointer,
        node: &NodeReader<'_>,
        context: &Context,
    ) -> Result<Option<Vec<Cell>>, Halt> {
        let mut rewrite = node.accounts(&mut Vec::new()).is_err();
        if !rewrite && context.tree.kind == TABLE && plain(node, context) {
            return Ok(None);
        }
        let mut kept: Vec<Entry> = Vec::new();
        let mut holes: Vec<(Vec<u8>, Option<Vec<u8>>, Kind)> = Vec::new();
        let mut open: Option<(Vec<u8>, Kind)> = None;
        let mut unreadable = false;
        let mut last: Option<Vec<u8>> = None;
        self.way.push(pointer.page.0);
        for i in 0..node.count() {
            let mut key = Vec::new();
            let read = node.entry(i).map_err(|_| Kind::NodeStructure).and_then(|entry| {
                entry.key(&mut key);
                if !context.holds(&key) {
                    return Err(Kind::NodeBounds);
                }
                if last.as_ref().is_some_and(|last| key <= *last) {
                    return Err(Kind::NodeOrder);
                }
                Ok(entry)
            });
            let entry = match read {
                Ok(entry) => entry,
                Err(kind) => {
                    unreadable = true;
                    let from = last.as_ref().map_or(context.low.clone(), |last| after(last));
                    open.get_or_insert((from, kind));
                    continue;
                }
            };
            if let Some((from, kind)) = open.take() {
                holes.push((from, Some(key.clone()), kind));
            }
            last = Some(key.clone());
            let mut entry = Entry { key, value: entry.value.to_vec(), extent: entry.extent };
            rewrite |= stamp_of(context.tree.kind, &entry) > pointer.stamp;
            match self.examine(pointer.page, &entry, context)? {
                Verdict::Keep => {}
                Verdict::Replace(value) => {
                    rewrite = true;
                    entry.value = value;
                }
                Verdict::Drop => {
                    rewrite = true;
                    continue;
                }
                Verdict::Hole(kind) => {
                    holes.push((entry.key.clone(), Some(after(&entry.key)), kind));
                    if self.lossy {
                        continue;
                    }
                }
            }
            kept.push(entry);
        }
        if let Some((from, kind)) = open.take() {
            holes.push((from, context.high.clone(), kind));
        }
        for (low, high, kind) in holes {
            let hole = Context { low, high, ..context.clone() };
            let loss = self.loss(Some(pointer.page.0), kind, &hole);
            if self.lossy {
                rewrite = true;
                let found = self.refill_entries(&hole, loss)?;
                kept.extend(found);
            }
        }
        self.way.pop();
        if !rewrite || unreadable && !self.lossy {
            return Ok(None);
        }
        kept.sort_by(|a, b| a.key.cmp(&b.key));
        self.work.leaves(context.tree, &context.low, &kept).map(Some)
    }

    /// Judges an entry of a leaf, and rebuilds what it leads to.
    pub(super) fn examine(
        &mut self,
        page: PageId,
        entry: &Entry,
        context: &Context,
    ) -> Result<Verdict, Halt> {
        if entry.extent && context.tree.kind != TABLE {
            return Ok(Verdict::Hole(Kind::Record));
        }
        match context.tree.kind {
            TABLE if entry.extent => Ok(match self.extent(&entry.value, page) {
                Ok(()) => Verdict::Keep,
                Err(kind) => Verdict::Hole(kind),
            }),
            TABLE => Ok(Verdict::Keep),
            CATALOG => self.table(page, entry, context),
            _ => self.name(page, entry),
        }
    }

    /// A subtree that cannot be followed.
    fn damaged(
        &mut self,
        pointer: Pointer,
        kind: Kind,
        sums: Option<Sums>,
        context: &Context,
    ) -> Result<Vec<Cell>, Halt> {
        let page = pointer.page.0;
        let loss = self.loss(Some(page), kind, context);
        if let Some(sums) = sums.filter(|sums| sums.entries > 0) {
            self.losses[loss].entries = Some(sums.entries);
        }
        if !self.lossy {
            let sums = sums.unwrap_or(Sums { entries: 0, pages: 0 });
            return Ok(vec![Cell { low: context.low.clone(), pointer, sums }]);
        }
        if context.tree.kind == META && context.level.is_none() {
            return Err(Halt::NoNames);
        }
        let leaves = self.refill(pointer, sums, context, loss)?;
        let level = context.level.unwrap_or(0);
        let cells = self.work.raised(context.tree, leaves, level)?;
        let hash = context.hash();
        self.changed.entry(page).or_default().push((hash, cells.clone()));
        Ok(cells)
    }

    /// Do the outermost keys of a sound subtree lie in these bounds?
    fn edges(&self, bytes: &[u8], context: &Context) -> bool {
        for last in [false, true] {
            let mut page = bytes.to_vec();
            for _ in 0..=LEVELS_MAX {
                let Ok(node) = NodeReader::new(&page) else { return true };
                let leaf = node.is_leaf();
                let edge = if last { node.count() - 1 } else { 0 };
                let Ok(entry) = node.entry(edge) else { return true };
                if leaf || edge > 0 {
                    let mut key = Vec::new();
                    entry.key(&mut key);
                    if !context.holds(&key) {
                        return false;
                    }
                }
                if leaf {
                    break;
                }
                let below = Pointer::decode(entry.value);
                // Damage below is somebody else's business.
                let Ok(next) = self.work.node_at(&below, context.tree.id) else { break };
                page = next;
            }
        }
        true
    }
}

/// Is there nothing in a leaf but sound entries whose values stand in it?
fn plain(node: &NodeReader<'_>, context: &Context) -> bool {
    let (mut key, mut last) = (Vec::new(), Vec::new());
    (0..node.count()).all(|i| {
        let Ok(entry) = node.entry(i) else { return false };
        entry.key(&mut key);
        let sound = !entry.extent && context.holds(&key) && (i == 0 || key > last);
        std::mem::swap(&mut key, &mut last);
        sound
    })
}

/// The smallest key above this one.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The stamp of what an entry leads to (I5).
fn stamp_of(kind: u8, entry: &Entry) -> u64 {
    match kind {
        TABLE if entry.extent && entry.value.len() >= 16 => u64_at(&entry.value, 8),
        CATALOG if entry.value.len() >= 16 => Pointer::decode(&entry.value).stamp,
        META if matches!(entry.key.first(), Some(b'b' | b's')) && entry.value.len() >= 16 => {
            Pointer::decode(&entry.value).stamp
        }
        _ => 0,
    }
}

/// What is in and below a sound node, by its content.
pub(super) fn sums_of(bytes: &[u8]) -> Option<Sums> {
    let node = NodeReader::new(bytes).ok()?;
    let entries = node::entries(bytes)?;
    let mut sums = Sums { entries: 0, pages: 1 };
    for entry in &entries {
        if node.is_leaf() {
            let pages = pages_of(bytes[4], entry, bytes.len());
            sums = sums.plus(Sums { entries: 1, pages })?;
        } else {
            sums = sums.plus(Sums::of_child(&entry.value))?;
        }
    }
    Some(sums)
}
