//! The leaves below a damaged inner node: nobody names them any more, but they are whole.
//!
//! ```text
//!        x  (damaged)          the map still counts an owner of b and c that no walk has met:
//!      / | \                   what has the tree's number, keys within x's bounds, and is not
//!     a  b  c                  younger than x, stood below it
//! ```
//!
//! Where two have the same keys the younger one is taken, since the other mostly belongs to an older state; it
//! may be another branch's, so that is noted like what comes from another state. So is all that is found if any
//! page that was not met is damaged: that could be one of x's leaves, and another state's stand for it. Where
//! neither was so, and what was found has as many entries as x's parent says (I10), nothing is lost.

use std::collections::{BTreeMap, HashMap, HashSet};

use cowslip::kinds::{CATALOG, TABLE};
use cowslip_pager::{Pointer, page::Header};

use super::{
    loss::Refill,
    node,
    sources::{Found, Piece, Span},
    trees::{Context, Rebuild, after},
    work::Work,
};
use crate::{
    check::Sums,
    walk::{Role, Roles},
};

/// What the map counts more often than a walk has met it.
#[derive(Default)]
pub(super) struct Lost {
    /// Nodes, by kind and tree.
    nodes: HashMap<(u8, u64), Vec<Pointer>>,
    /// Not all of it can be read: what a damaged node named may be among the rest.
    in_part: bool,
}

/// A leaf, by its outermost keys.
struct Leaf {
    pointer: Pointer,
    first: Vec<u8>,
    last: Vec<u8>,
    /// Others have some of its keys.
    contested: bool,
}

/// The source that is noted for keys of a leaf that another state may have had.
const YOUNGEST: &str = "the youngest leaf that has them";

impl Rebuild<'_, '_, '_> {
    /// What the walk that claimed `roles` has not met as often as the map counts. Of the pages in `damaged` it is
    /// known that they are.
    pub(super) fn find_lost(&mut self, roles: &Roles, damaged: &HashSet<u64>) -> Lost {
        let mut lost = Lost::default();
        for page in 0..self.work.old.pages.min(roles.pages()) {
            let (role, met) = roles.get(page);
            if !matches!(role, Role::None | Role::Node) || !self.work.usable(page) {
                continue;
            }
            let Some(entry) = self.map.entry(self.check, page) else {
                lost.in_part = true;
                continue;
            };
            if entry.count <= met || damaged.contains(&page) {
                continue;
            }
            let Some(bytes) = self.work.read(page) else {
                lost.in_part = true;
                continue;
            };
            let Header { pointer, tree, crc, .. } = Header::read(&bytes);
            let whole = pointer.page.0 == page && self.work.node_at(&pointer, tree).is_ok();
            if whole && matches!(pointer.kind, CATALOG | TABLE) {
                lost.nodes.entry((pointer.kind, tree)).or_default().push(pointer);
            }
            // By the map's checksum: a node that stood here before is whole, too.
            let stands = if whole { crc } else { crc32fast::hash(&bytes) };
            lost.in_part |= stands != entry.crc;
        }
        lost
    }

    /// The leaves that stood below a damaged node, and the keys that are missing all the same.
    pub(super) fn adopt(
        &mut self,
        pointer: Pointer,
        sums: Option<Sums>,
        context: &Context,
        loss: usize,
    ) -> Result<(Vec<Piece>, Vec<Span>), super::work::Halt> {
        let all = vec![(context.low.clone(), context.high.clone())];
        let level = context.level.unwrap_or(pointer.level);
        let tree = context.tree;
        let Some(lost) = self.lost.nodes.get(&(tree.kind, tree.id)).filter(|_| level > 0) else {
            return Ok((Vec::new(), all));
        };
        let mut leaves = Vec::new();
        let mut seen = HashSet::new();
        for node in lost {
            if node.level < level && node.stamp <= pointer.stamp {
                leaves_below(self.work, *node, context, &mut seen, &mut leaves);
            }
        }
        leaves.sort_by_key(|leaf| std::cmp::Reverse(leaf.pointer.stamp));
        let mut chosen: BTreeMap<Vec<u8>, Leaf> = BTreeMap::new();
        for leaf in leaves {
            let overlap: Vec<Vec<u8>> = chosen
                .range(..=leaf.last.clone())
                .rev()
                .take_while(|(_, other)| other.last >= leaf.first)
                .map(|(first, _)| first.clone())
                .collect();
            for first in &overlap {
                if let Some(other) = chosen.get_mut(first) {
                    other.contested = true;
                }
            }
            if overlap.is_empty() {
                chosen.insert(leaf.first.clone(), leaf);
            }
        }
        if chosen.is_empty() {
            return Ok((Vec::new(), all));
        }
        let mut found = Found { pieces: Vec::new(), holes: Vec::new(), share: tree.kind == TABLE };
        let (mut gaps, mut from) = (Vec::new(), context.low.clone());
        let mut counted = Sums { entries: 0, pages: 1 };
        let mut contested = Vec::new();
        for leaf in chosen.into_values() {
            let end = after(&leaf.last);
            let bounds = (&leaf.first[..], Some(&end[..]));
            let span = (leaf.first.clone(), Some(end.clone()));
            if let Some(sums) = self
                .work
                .node_at(&leaf.pointer, tree.id)
                .ok()
                .and_then(|bytes| super::trees::sums_of(&bytes))
            {
                if leaf.contested || self.lost.in_part {
                    contested.push((span.clone(), sums.entries));
                }
                counted.entries += sums.entries;
                counted.pages += sums.pages;
            }
            self.gather(leaf.pointer, Some(0), bounds, &span, context, &mut found)?;
            if from < leaf.first {
                gaps.push((from, Some(leaf.first)));
            }
            from = end;
        }
        if context.high.as_ref().is_none_or(|high| from < *high) {
            gaps.push((from, context.high.clone()));
        }
        // Of a table's root the record knows the pages only.
        let complete = sums.is_some_and(|sums| match sums.entries {
            0 => level == 1 && sums.pages == counted.pages && contested.is_empty(),
            entries => entries == counted.entries,
        });
        let mut missing = found.holes;
        if !complete {
            missing.extend(gaps);
        }
        let mut own: u64 = found.pieces.iter().map(Piece::count).sum();
        for ((from, to), entries) in contested {
            own = own.saturating_sub(entries);
            self.losses[loss].refilled.push(Refill::new(YOUNGEST, from, to, entries));
        }
        self.losses[loss].own = own;
        Ok((found.pieces, missing))
    }
}

fn leaves_below(
    work: &Work<'_>,
    pointer: Pointer,
    context: &Context,
    seen: &mut HashSet<u64>,
    leaves: &mut Vec<Leaf>,
) {
    if pointer.kind != context.tree.kind || !seen.insert(pointer.page.0) {
        return;
    }
    let Ok(bytes) = work.node_at(&pointer, context.tree.id) else { return };
    let Some(entries) = node::entries(&bytes) else { return };
    if pointer.level > 0 {
        for entry in entries {
            let child = Pointer::decode(&entry.value);
            if child.level < pointer.level {
                leaves_below(work, child, context, seen, leaves);
            }
        }
        return;
    }
    let sound = entries.is_sorted_by(|a, b| a.key < b.key)
        && entries.iter().all(|entry| context.holds(&entry.key));
    if let (true, Some(first), Some(last)) = (sound, entries.first(), entries.last()) {
        leaves.push(Leaf {
            pointer,
            first: first.key.clone(),
            last: last.key.clone(),
            contested: false,
        });
    }
}
