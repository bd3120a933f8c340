//! What comes into a hole: leaves of the right tree that nobody's pointer leads to any more, or that another
//! state has (W6, W7).
//!
//! ```text
//! hole          [---------------------------------------)
//! stamp 9            [b======f]                            the newest first: all that it spans
//! stamp 7       [a======d]        [g====k]                 of older ones, what is outside
//! pieces        [a==)[b======f]   [g====k]
//! ```

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
};

use cowslip::meta::Lineage;
use cowslip_pager::Pointer;
use serde::Serialize;

use super::{
    roots,
    survey::Proof,
    wreck::{Item, Tree, Wreck},
};

/// Candidates that are looked at for all holes, for each node page of the wreck.
const WORK_FACTOR: u64 = 64;

/// Pieces of holes that are kept, if the wreck has no more node pages.
const KNOWN_MIN: usize = 10_000;

/// In the place of a line: compaction moved pages of several with one stamp.
pub(super) const MANY: u64 = u64::MAX;

/// Where a row from a hole comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Origin {
    /// A page that is in use and that nobody names: it stood below what is damaged.
    Found,
    /// An older page of the same line, or one of which it is not known whether it is in use.
    Older,
    /// A page of which it is not known which line wrote it.
    Doubtful,
}

/// Keys of a hole that a leaf has something for.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) from: Vec<u8>,
    /// Exclusive.
    pub(super) to: Vec<u8>,
    /// The leaf's number.
    pub(super) node: usize,
    pub(super) origin: Origin,
}

/// A leaf by its outermost keys.
struct Leaf {
    first: Vec<u8>,
    last: Vec<u8>,
    node: usize,
}

/// The leaves of a tree.
struct Index {
    /// By first key.
    leaves: Vec<Leaf>,
    /// Of each leaf and those before it the one whose last key is highest.
    highest: Vec<usize>,
}

/// What is at the top of a tree whose root nobody names.
pub(super) enum Newest {
    Root(Pointer, Origin),
    /// What may be a part of it only: the nodes above are lost.
    Part,
    None,
}

/// What there is for a hole.
pub(super) struct Fill {
    pub(super) pieces: Vec<Piece>,
    /// Not all candidates were looked at.
    pub(super) cut_short: bool,
}

type Known = HashMap<(Pointer, Tree, u64), Rc<Fill>>;

/// All that is known about holes.
#[derive(Default)]
pub(super) struct Fills {
    /// The line that wrote each stamp.
    pub(super) lines: HashMap<u64, u64>,
    /// Pages that the map counts, by the number of the node; empty: there is no map.
    pub(super) live: Vec<bool>,
    /// There are several lines, as far as is known.
    pub(super) several: bool,
    /// There is one.
    pub(super) single: bool,
    /// Leaves of each tree.
    by_tree: HashMap<Tree, Vec<usize>>,
    indices: RefCell<HashMap<Tree, Rc<Index>>>,
    /// Nodes that were asked about: are they parts?
    parts: RefCell<HashMap<usize, bool>>,
    known: RefCell<Known>,
    /// Pieces in them.
    known_pieces: Cell<usize>,
    work: Cell<u64>,
}

impl Fills {
    pub(super) fn new(wreck: &Wreck<'_>) -> Fills {
        let fills = Fills::default();
        fills.begin_again(wreck);
        fills
    }

    /// As if no hole had been looked at.
    pub(super) fn begin_again(&self, wreck: &Wreck<'_>) {
        self.work.set((wreck.nodes.len() as u64 + 1024) * WORK_FACTOR);
        self.known.borrow_mut().clear();
        self.known_pieces.set(0);
        self.parts.borrow_mut().clear();
    }

    /// After the survey, and after what is reached is known.
    pub(super) fn prepare(&mut self, wreck: &Wreck<'_>) {
        for (at, node) in wreck.nodes.iter().enumerate() {
            if node.level == 0 && node.stamp <= wreck.limit && node.proof != Proof::Image {
                let tree = Tree { kind: node.kind, id: node.tree };
                self.by_tree.entry(tree).or_default().push(at);
            }
        }
    }

    /// Was something left out, for want of time?
    pub(super) fn is_exhausted(&self) -> bool {
        self.work.get() == 0
    }

    /// One candidate more is looked at. False: enough is enough (W14).
    pub(super) fn spend(&self) -> bool {
        let left = self.work.get();
        self.work.set(left.saturating_sub(1));
        left > 0
    }

    /// May a page of this stamp be a part of the state? `Some(true)`: it may, `None`: who knows.
    pub(super) fn is_of(&self, lineage: &Lineage, stamp: u64) -> Option<bool> {
        // What has no lineage may be of any line.
        lineage.tip()?;
        let line = self.lines.get(&stamp).filter(|&&line| line != MANY)?;
        Some(lineage.stretches().any(|place| place.line == *line && stamp <= place.stamp))
    }

    pub(super) fn is_lost(&self, wreck: &Wreck<'_>, at: usize) -> bool {
        self.live.get(at).copied().unwrap_or(false) && !wreck.nodes[at].reached
    }

    /// What there is for a hole.
    pub(super) fn fill(
        &self,
        wreck: &Wreck<'_>,
        item: &Item,
        tree: Tree,
        lineage: &Lineage,
    ) -> Rc<Fill> {
        let mut bounds = DefaultHasher::new();
        (&item.low, &item.high).hash(&mut bounds);
        let key = (item.pointer, tree, bounds.finish());
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let fill = Rc::new(self.pieces(wreck, item, tree, lineage));
        let all = self.known_pieces.get() + fill.pieces.len() + 1;
        let mut known = self.known.borrow_mut();
        // Many holes over the same leaves would take more memory than the leaves.
        let full = all > wreck.nodes.len().max(KNOWN_MIN);
        if full {
            known.clear();
        }
        self.known_pieces.set(if full { fill.pieces.len() + 1 } else { all });
        known.insert(key, fill.clone());
        fill
    }

    fn pieces(&self, wreck: &Wreck<'_>, item: &Item, tree: Tree, lineage: &Lineage) -> Fill {
        let index = self.index(wreck, tree);
        let below = |leaf: &Leaf| item.high.as_ref().is_none_or(|high| leaf.first < *high);
        let end = index.leaves.partition_point(below);
        let mut candidates = Vec::new();
        let mut cut_short = false;
        for at in (0..end).rev() {
            if index.leaves[index.highest[at]].last < item.low {
                break;
            }
            if !self.spend() {
                cut_short = true;
                break;
            }
            let leaf = &index.leaves[at];
            let node = &wreck.nodes[leaf.node];
            if leaf.last < item.low || node.stamp > item.pointer.stamp {
                continue;
            }
            let origin = match self.is_of(lineage, node.stamp) {
                Some(false) => continue,
                None if self.several => Origin::Doubtful,
                _ if self.is_lost(wreck, leaf.node) => Origin::Found,
                _ => Origin::Older,
            };
            // A doubtful page that is in use is still the likelier one.
            candidates.push((!self.is_lost(wreck, leaf.node), u64::MAX - node.stamp, at, origin));
        }
        candidates.sort_unstable();
        let mut pieces = Vec::new();
        let mut covered: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (_, _, at, origin) in candidates {
            let leaf = &index.leaves[at];
            let from = leaf.first.clone().max(item.low.clone());
            let mut to = after(&leaf.last);
            if let Some(high) = &item.high {
                to = to.min(high.clone());
            }
            for (from, to) in cover(&mut covered, from, to) {
                pieces.push(Piece { from, to, node: leaf.node, origin });
            }
        }
        pieces.sort_unstable_by(|a, b| a.from.cmp(&b.from));
        Fill { pieces, cut_short }
    }

    /// May a node at the top of a table's tree be a part of it? Many states ask about the same ones.
    fn is_part(&self, wreck: &Wreck<'_>, at: usize, tree: Tree) -> bool {
        let known = self.parts.borrow().get(&at).copied();
        known.unwrap_or_else(|| {
            let part = roots::is_part(wreck, self, at, tree);
            self.parts.borrow_mut().insert(at, part);
            part
        })
    }

    fn index(&self, wreck: &Wreck<'_>, tree: Tree) -> Rc<Index> {
        if let Some(index) = self.indices.borrow().get(&tree) {
            return index.clone();
        }
        let mut leaves = Vec::new();
        for &node in self.by_tree.get(&tree).into_iter().flatten() {
            let Some(entries) = wreck.entries(node) else { continue };
            if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
                leaves.push(Leaf { first: first.key.clone(), last: last.key.clone(), node });
            }
        }
        leaves.sort_unstable_by(|a, b| a.first.cmp(&b.first));
        let mut highest: Vec<usize> = Vec::with_capacity(leaves.len());
        for (at, leaf) in leaves.iter().enumerate() {
            let before = highest.last().copied().unwrap_or(at);
            highest.push(if leaves[before].last >= leaf.last { before } else { at });
        }
        let index = Rc::new(Index { leaves, highest });
        self.indices.borrow_mut().insert(tree, index.clone());
        index
    }

    /// The newest root of a tree whose root nobody names (W8).
    pub(super) fn newest_root(
        &self,
        wreck: &Wreck<'_>,
        tree: Tree,
        stamp: u64,
        lineage: &Lineage,
    ) -> Newest {
        let tops = wreck.tops(tree);
        let found = tops.iter().filter(|&&at| wreck.nodes[at].stamp <= stamp.min(wreck.limit));
        let mut best: Option<((bool, u64), usize, Origin)> = None;
        for &at in found {
            if !self.spend() {
                break;
            }
            let node = &wreck.nodes[at];
            let origin = match self.is_of(lineage, node.stamp) {
                Some(false) => continue,
                None if self.several => Origin::Doubtful,
                _ if self.is_lost(wreck, at) => Origin::Found,
                _ => Origin::Older,
            };
            let rank = (self.is_lost(wreck, at), node.stamp);
            if best.is_none_or(|(known, ..)| rank > known) {
                best = Some((rank, at, origin));
            }
        }
        match best {
            None => Newest::None,
            Some((_, at, _)) if self.is_part(wreck, at, tree) => Newest::Part,
            Some((_, at, origin)) => Newest::Root(wreck.pointer(at), origin),
        }
    }
}

/// The smallest key behind another one.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Covers a range; what of it was not covered before.
fn cover(
    covered: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    from: Vec<u8>,
    to: Vec<u8>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    if from >= to {
        return Vec::new();
    }
    let mut start = from.clone();
    if let Some((before, end)) = covered.range(..=from.clone()).next_back()
        && *end >= from
    {
        start = before.clone();
    }
    let mut gaps = Vec::new();
    let (mut at, mut end) = (from, to.clone());
    let inside: Vec<Vec<u8>> =
        covered.range(start.clone()..=to.clone()).map(|(low, _)| low.clone()).collect();
    for low in inside {
        let Some(high) = covered.remove(&low) else { continue };
        if at < low {
            gaps.push((at.clone(), low));
        }
        at = at.max(high.clone());
        end = end.max(high);
    }
    if at < to {
        gaps.push((at, to));
    }
    covered.insert(start, end);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered_once_is_nobody_elses() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut covered = BTreeMap::new();
            let mut model = [false; 64];
            for _ in 0..20 {
                let (a, b) = (random.u8(..64), random.u8(..64));
                let (from, to) = (a.min(b), a.max(b));
                let mut new = [false; 64];
                for (low, high) in cover(&mut covered, vec![from], vec![to]) {
                    for key in low[0]..high[0] {
                        assert!(!new[usize::from(key)], "seed {seed}");
                        new[usize::from(key)] = true;
                    }
                }
                for key in 0..64 {
                    let wanted = (from..to).contains(&(key as u8)) && !model[key];
                    assert_eq!(new[key], wanted, "seed {seed}, key {key}");
                    model[key] |= new[key];
                }
            }
        }
    }
}
