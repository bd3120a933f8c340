//! What the wreck holds: branches and snapshots by their names, and catalogs and trees that have lost theirs.

use std::collections::{BinaryHeap, HashMap, HashSet};

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::{BranchRecord, Incoming, Lineage, SnapshotRecord},
};
use cowslip_pager::{PageId, Pointer};

use super::{
    cursor::{Cursor, Look},
    fill::{Fills, MANY, Newest, Origin},
    roots,
    wreck::{Item, NAMES, TABLES, Tree, Wreck, table_of},
};
use crate::check::arriving::may_arrive;

/// Catalogs without a name that become branches, and trees that become tables.
const FOUND_MAX: usize = 1000;
/// The name of what has lost its own begins so.
const FOUND: &str = "cowslip.found.";

/// A branch or snapshot.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) snapshot: bool,
    pub(super) catalog: Pointer,
    pub(super) stamp: u64,
    pub(super) lineage: Lineage,
    /// The branch that a snapshot was made of.
    pub(super) branch: String,
    /// What it was made from, or the snapshot before it.
    pub(super) parent: Option<String>,
    pub(super) label: Option<String>,
    pub(super) held: bool,
    /// Not by its own pointers.
    pub(super) origin: Option<Origin>,
    /// Nobody names its catalog.
    pub(super) nameless: bool,
    /// Its catalog may be a part of one.
    pub(super) part: bool,
    /// Its mark says that a stream is received into it, or a record of a stream does; not both.
    pub(super) arriving: bool,
}

/// The tree of names.
#[derive(Default)]
pub(super) struct Names {
    /// Snapshots by stamp, then branches.
    pub(super) states: Vec<State>,
    /// What salvage does not take over.
    pub(super) left: Vec<String>,
    /// Nothing is missing in the tree.
    pub(super) whole: bool,
}

/// A pointer to a root that nobody names: it leads nowhere, so all its tree is a hole.
pub(super) fn nowhere(kind: u8, stamp: u64) -> Pointer {
    Pointer { page: PageId(PageId::LIMIT), kind, level: 0, stamp }
}

/// Reads the names below `root`.
pub(super) fn read(wreck: &Wreck<'_>, fills: &Fills, root: Option<Pointer>) -> Names {
    let lineage = Lineage::default();
    let look = Look { wreck, fills, lineage: &lineage };
    let item = Item::root(root.unwrap_or_else(|| nowhere(META, wreck.limit)));
    let mut cursor = Cursor::new(look, NAMES, Some(item), 1);
    let mut names = Names::default();
    let (mut damaged, mut streams) = (false, HashSet::new());
    while let Some(row) = cursor.next() {
        let (key, value) = (&row.entry.key, &row.entry.value);
        let Some((&first, name)) = key.split_first() else { continue };
        let name = String::from_utf8_lossy(name).into_owned();
        match first {
            b'b' => match BranchRecord::decode(value, PageId::NONE) {
                Ok(record) => names.states.push(State {
                    branch: name.clone(),
                    name,
                    snapshot: false,
                    catalog: record.catalog,
                    stamp: record.catalog.stamp,
                    lineage: record.lineage,
                    parent: record.last_snapshot.or(record.origin),
                    label: None,
                    held: false,
                    origin: row.origin,
                    nameless: false,
                    part: false,
                    arriving: record.incoming,
                }),
                Err(_) => damaged = true,
            },
            b's' => match SnapshotRecord::decode(value, PageId::NONE) {
                Ok(record) => names.states.push(State {
                    name,
                    snapshot: true,
                    catalog: record.catalog,
                    stamp: record.stamp,
                    lineage: record.lineage,
                    branch: record.branch,
                    parent: record.parent,
                    label: record.label,
                    held: record.held,
                    origin: row.origin,
                    nameless: false,
                    part: false,
                    arriving: false,
                }),
                Err(_) => damaged = true,
            },
            b'i' if Incoming::decode(value, PageId::NONE).is_ok() => {
                streams.insert(name);
            }
            b'k' => names.left.push(format!("bookmark {name:?}")),
            _ => {}
        }
    }
    sort_out_streams(&mut names, streams);
    names.whole = root.is_some() && cursor.holes.is_empty() && !damaged;
    sort(&mut names.states);
    names
}

/// What is being received stays behind: a branch that is marked so, if there is a record of its stream. One that only
/// the mark hides, or only the record, is somebody's (W16).
fn sort_out_streams(names: &mut Names, mut streams: HashSet<String>) {
    let snapshots: HashSet<String> = (names.states.iter().filter(|state| state.snapshot))
        .map(|state| state.name.clone())
        .collect();
    let left = &mut names.left;
    names.states.retain_mut(|state| {
        if state.snapshot {
            return true;
        }
        let is_marked = state.arriving;
        let has_record = may_arrive(&state.name) && streams.remove(&state.name);
        state.arriving = is_marked != has_record;
        // An older record of one that has come to its end.
        let has_come = is_marked && snapshots.contains(&state.name);
        let kept = !has_come && (!is_marked || state.arriving);
        if !kept {
            left.push(format!("what was received of {:?}", state.name));
        }
        kept
    });
    let mut rest: Vec<String> = streams.into_iter().collect();
    rest.sort_unstable();
    left.extend(rest.into_iter().map(|name| format!("what was received of {name:?}")));
}

fn sort(states: &mut [State]) {
    states.sort_by_key(|state| (!state.snapshot, state.stamp));
}

/// Notes what the states lead to, and which line wrote which stamp (W7).
pub(super) fn reach(
    wreck: &mut Wreck<'_>,
    fills: &mut Fills,
    root: Option<Pointer>,
    names: &Names,
) {
    let tips: HashSet<u64> = names
        .states
        .iter()
        .filter_map(|state| state.lineage.tip())
        .map(|place| place.line)
        .collect();
    (fills.several, fills.single) = (tips.len() > 1, tips.len() == 1);
    if let Some(root) = root {
        walk(wreck, fills, root, NAMES, &Lineage::default());
    }
    for state in &names.states {
        walk(wreck, fills, state.catalog, TABLES, &state.lineage);
    }
}

fn walk(wreck: &mut Wreck<'_>, fills: &mut Fills, root: Pointer, tree: Tree, lineage: &Lineage) {
    let mut stack = vec![(root, tree)];
    while let Some((pointer, tree)) = stack.pop() {
        let Some(at) = wreck.find(&pointer, tree) else { continue };
        if std::mem::replace(&mut wreck.nodes[at].reached, true) {
            continue;
        }
        if tree.kind != META && lineage.tip().is_some() {
            let writer = lineage.stretches().find(|place| place.stamp >= pointer.stamp);
            let line = writer.map_or(MANY, |place| place.line);
            let known = fills.lines.entry(pointer.stamp).or_insert(line);
            if *known != line {
                *known = MANY;
            }
        }
        for entry in wreck.entries(at).unwrap_or_default() {
            if pointer.level > 0 {
                stack.extend(wreck.child(&pointer, &entry).map(|child| (child, tree)));
            } else if tree.kind == CATALOG
                && let Some(record) = table_of(&entry, pointer.page)
            {
                stack.push((record.root, Tree { kind: TABLE, id: record.id }));
            }
        }
    }
}

/// Catalogs that nobody names, where names are lost (W8, W9).
pub(super) fn find_catalogs(wreck: &mut Wreck<'_>, fills: &mut Fills, names: &mut Names) {
    let usable = |wreck: &Wreck<'_>, at: usize| {
        let node = &wreck.nodes[at];
        !node.reached && node.stamp <= wreck.limit
    };
    let mut tops: Vec<usize> = wreck.tops(TABLES).to_vec();
    tops.sort_unstable_by_key(|&at| std::cmp::Reverse(wreck.nodes[at].stamp));
    let has_map = !fills.live.is_empty();
    let mut found: Vec<usize> = Vec::new();
    for at in tops {
        if found.len() == FOUND_MAX || !has_map && !found.is_empty() {
            break;
        }
        if (!has_map || fills.is_lost(wreck, at)) && usable(wreck, at) {
            found.push(at);
        }
    }
    // A branch whose record is an older one has gone on: to the newest of them that is on its line.
    for state in names.states.iter_mut().filter(|state| !state.snapshot && state.origin.is_some()) {
        let line = state.lineage.tip().map(|place| place.line);
        let next = found.iter().position(|&at| {
            let newer = wreck.nodes[at].stamp > state.stamp;
            newer && line.is_some() && line == line_of(wreck, fills, at)
        });
        if let Some(next) = next {
            let at = found.remove(next);
            let (catalog, stamp) = (wreck.pointer(at), wreck.nodes[at].stamp);
            let part = roots::is_part(wreck, fills, at, TABLES);
            state.catalog = if part { nowhere(CATALOG, stamp) } else { catalog };
            (state.stamp, state.part) = (stamp, part);
        }
    }
    let mut taken: HashSet<String> = names.states.iter().map(|state| state.name.clone()).collect();
    let (mut number, mut joined) = (0, false);
    for at in found {
        let part = roots::is_part(wreck, fills, at, TABLES);
        if part && joined {
            continue;
        }
        let is_main = !taken.contains("main");
        let name = if is_main { "main".into() } else { free_name(&taken, &mut number) };
        // Parts of the one line that there is are put together.
        joined |= part && fills.single;
        let (catalog, stamp) = (wreck.pointer(at), wreck.nodes[at].stamp);
        let catalog = if joined && part { nowhere(CATALOG, stamp) } else { catalog };
        taken.insert(name.clone());
        let origin = if fills.is_lost(wreck, at) { Origin::Found } else { Origin::Older };
        names.states.push(State {
            branch: name.clone(),
            name,
            snapshot: false,
            catalog,
            stamp,
            lineage: Lineage::default(),
            parent: None,
            label: None,
            held: false,
            origin: Some(origin),
            nameless: true,
            part,
            arriving: false,
        });
    }
    // Each of them may be of a line of its own; and without a map, who knows how many there were.
    let nameless = names.states.iter().filter(|state| state.nameless).count();
    fills.several |= nameless + usize::from(fills.single) > 1 || !has_map && !fills.single;
    fills.single &= !fills.several;
    sort(&mut names.states);
    for state in &names.states {
        walk(wreck, fills, state.catalog, TABLES, &state.lineage);
    }
}

/// The line of the newest page in or below a catalog's root of which that is known. Stamps fall on the way
/// down (I5), so it is met first.
fn line_of(wreck: &Wreck<'_>, fills: &Fills, root: usize) -> Option<u64> {
    let mut heap = BinaryHeap::from([(wreck.nodes[root].stamp, root)]);
    let mut seen = HashSet::new();
    while let Some((stamp, at)) = heap.pop() {
        match fills.lines.get(&stamp) {
            Some(&line) => return Some(line).filter(|&line| line != MANY),
            None if !fills.spend() => return None,
            None => {}
        }
        let (pointer, kind, id) = (wreck.pointer(at), wreck.nodes[at].kind, wreck.nodes[at].tree);
        for entry in wreck.entries(at).unwrap_or_default() {
            let below = match kind {
                _ if pointer.level > 0 => {
                    wreck.child(&pointer, &entry).map(|child| (child, Tree { kind, id }))
                }
                CATALOG => table_of(&entry, pointer.page)
                    .map(|record| (record.root, Tree { kind: TABLE, id: record.id })),
                _ => None,
            };
            let below = below.and_then(|(child, tree)| wreck.find(&child, tree));
            if let Some(below) = below.filter(|&below| seen.insert(below)) {
                heap.push((wreck.nodes[below].stamp, below));
            }
        }
    }
    None
}

/// `cowslip.found.N` that nobody has.
pub(super) fn free_name(taken: &HashSet<String>, number: &mut usize) -> String {
    loop {
        *number += 1;
        let name = format!("{FOUND}{number}");
        if !taken.contains(&name) {
            return name;
        }
    }
}

/// Trees of tables that no state leads to: their numbers, and what salvage takes for their roots.
pub(super) fn find_tables(
    wreck: &Wreck<'_>,
    fills: &Fills,
    known: &HashSet<u64>,
) -> Vec<(u64, Pointer)> {
    let mut newest: HashMap<u64, u64> = HashMap::new();
    let has_map = !fills.live.is_empty();
    for (at, node) in wreck.nodes.iter().enumerate() {
        let lost = node.kind == TABLE
            && !node.reached
            && node.stamp <= wreck.limit
            && !known.contains(&node.tree)
            && (!has_map || fills.is_lost(wreck, at));
        if lost {
            let stamp = newest.entry(node.tree).or_default();
            *stamp = node.stamp.max(*stamp);
        }
    }
    let mut found: Vec<(u64, u64)> = newest.into_iter().collect();
    found.sort_unstable();
    let root = |(id, stamp): (u64, u64)| {
        let tree = Tree { kind: TABLE, id };
        match fills.newest_root(wreck, tree, stamp, &Lineage::default()) {
            Newest::Root(root, _) => (id, root),
            Newest::Part | Newest::None => (id, nowhere(TABLE, stamp)),
        }
    };
    found.into_iter().take(FOUND_MAX).map(root).collect()
}
