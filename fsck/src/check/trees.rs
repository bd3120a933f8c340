//! Every tree, from the superblock's root down. Verifies each node by itself (checksum, identity,
//! structure, order), against its parent (level, stamp, bounds, sums) and against the map's
//! checksum; each large value; each name. Meets every owner of every page, and leaves the counts
//! to the last pass.
//!
//! A page that several own is read once. What the first owner's side knew of it is kept until all
//! owners that the map counts were met, and compared with what the others know.

mod entries;
mod extents;
mod item;
mod node;
mod raw;

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use cowslip::kinds::META;
use cowslip_pager::Pointer;

use super::{Check, arriving::Arriving, hex, map::PageMap};
use crate::{
    problem::Kind,
    report::{Problem, Range, owner_text},
    walk::{Role, Roles},
};
pub(crate) use item::Sums;
use item::{Bounds, Item, Owner, Shared};

/// Levels that a tree can have.
pub(super) const LEVELS_MAX: u8 = 24;
pub(super) const CHILD: usize = 26;
/// Owners that are listed for a problem.
const AFFECTS_MAX: usize = 100;

/// Walks everything. False: some part could not be seen, so pages without an owner prove nothing.
pub(super) fn run(check: &mut Check<'_>, map: &mut PageMap, roles: &mut Roles) -> bool {
    let root = check.superblock.root;
    if root.is_none() {
        let fresh = is_fresh(check, map, roles);
        if !fresh {
            let problem = Problem::new(Kind::RootMissing, "root in the superblock");
            check.report.add(problem.page(0).values("a page", root.page.0));
        }
        return fresh;
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
        machines: HashMap::new(),
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

/// Was there never a commit? Then the map counts no page of a tree, and the log has nothing.
fn is_fresh(check: &mut Check<'_>, map: &mut PageMap, roles: &Roles) -> bool {
    check.report.log_transactions == 0
        && (0..roles.pages()).all(|page| {
            roles.get(page).0 == Role::Fixed
                || map.entry(check, page).is_some_and(|entry| entry.count == 0)
        })
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
    /// The pages of each machine that was met, and what is wrong with it, by its root.
    machines: HashMap<u64, (u64, Option<Problem>)>,
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
}

fn identity(pointer: &Pointer) -> String {
    format!("kind {} level {} stamp {:#x}", pointer.kind, pointer.level, pointer.stamp)
}
