//! Roots that nobody names: which node at the top of a tree may be one, and which is a part of a tree whose
//! nodes above are lost (W8).
//!
//! ```text
//!         lost                        an older root, in a free page
//!       /   |   \                      | .. b | b .. d | d .. |
//!  [a=b]  [b==d]  [d==f]  <- tops          [b==d] lies in one child of it: a part
//!    7      9       7        9 is the newest, and 7 lies beside it: a part
//! ```
//!
//! A part taken for a root would hide its siblings; a root taken for a part lets older pages speak where it has
//! nothing. So what may be a part is one, and its tree is a hole.

use cowslip_pager::{Pointer, superblock::Superblock};

use super::{
    fill::Fills,
    replay::Past,
    wreck::{Item, NAMES, TABLES, Tree, Wreck},
};

/// The outermost keys of what is below a node. None: it is not known.
struct Span {
    first: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl Span {
    fn of(wreck: &Wreck<'_>, at: usize, tree: Tree) -> Span {
        let end = |last: bool| {
            let mut at = at;
            loop {
                let pointer = wreck.pointer(at);
                let mut entries = wreck.entries(at)?;
                let entry = if last { entries.pop()? } else { entries.into_iter().next()? };
                if pointer.level == 0 {
                    return Some(entry.key);
                }
                // Levels fall.
                at = wreck.find(&wreck.child(&pointer, &entry)?, tree)?;
            }
        };
        Span { first: end(false), last: end(true) }
    }

    /// Is there certainly no key of one among those of the other?
    fn is_beside(&self, other: &Span) -> bool {
        let before = |a: &Span, b: &Span| match (&a.last, &b.first) {
            (Some(last), Some(first)) => last < first,
            _ => false,
        };
        before(self, other) || before(other, self)
    }
}

/// Does something tell that a node which no inner node names is a part of a tree?
pub(super) fn is_part(wreck: &Wreck<'_>, fills: &Fills, at: usize, tree: Tree) -> bool {
    let node = wreck.nodes[at];
    let span = Span::of(wreck, at, tree);
    // All catalogs are one tree by their number: of several lines, others are no evidence.
    let alone = tree != TABLES || fills.single;
    let above = wreck.inner(tree).iter().map(|&above| (above, wreck.nodes[above]));
    let above = above.filter(|(_, above)| above.level > node.level && above.stamp <= node.stamp);
    let newest = above.max_by_key(|(_, above)| (above.stamp, std::cmp::Reverse(above.level)));
    if alone && newest.is_some_and(|(above, _)| is_in_one_child(wreck, above, &span)) {
        return true;
    }
    let mut peers = wreck.tops(tree).iter().filter(|&&top| {
        let of = &wreck.nodes[top];
        let there = fills.live.is_empty() || fills.is_lost(wreck, top);
        let older = alone && there && of.level == node.level && of.stamp < node.stamp;
        // A transaction writes one tree.
        top != at && (older || of.stamp == node.stamp)
    });
    peers.any(|&top| fills.spend() && Span::of(wreck, top, tree).is_beside(&span))
}

/// Are all these keys in one child of an inner node?
fn is_in_one_child(wreck: &Wreck<'_>, above: usize, span: &Span) -> bool {
    let (Some(first), Some(last)) = (&span.first, &span.last) else { return false };
    let cells = wreck.entries(above).unwrap_or_default();
    let child = |key: &[u8]| cells[1..].partition_point(|cell| &cell.key[..] <= key);
    !cells.is_empty() && child(first) == child(last)
}

/// The tree of names where no certain superblock says it.
pub(super) struct Found {
    /// None: there are parts only.
    pub(super) root: Option<Pointer>,
    /// The newest stamp that a tree of names proves.
    pub(super) stamp: Option<u64>,
}

/// W15: the newest root of names that there is, whole or not. But the superblock's, if that is whole and no record
/// knows of a newer checkpoint (the newest may be one that was never finished), or an older one that is whole, if the log
/// has every transaction from it to the newest.
pub(super) fn names(
    wreck: &Wreck<'_>,
    fills: &Fills,
    block: Option<&Superblock>,
    past: &Past,
) -> Found {
    let mut tops: Vec<usize> = wreck.tops(NAMES).to_vec();
    tops.sort_unstable_by_key(|&at| std::cmp::Reverse(wreck.nodes[at].stamp));
    let is_part = |at| is_part(wreck, fills, at, NAMES);
    let is_whole = |root: &Pointer| wreck.is_whole(&Item::root(*root), NAMES);
    let said = block.map(|block| block.root);
    let whole = tops.iter().find(|&&at| is_whole(&wreck.pointer(at)) && !is_part(at));
    let whole = whole.map(|&at| wreck.pointer(at));
    let safe = said.filter(is_whole).into_iter().chain(whole).max_by_key(|root| root.stamp);
    let newer =
        |at: &usize| said.into_iter().chain(safe).all(|root| wreck.nodes[*at].stamp > root.stamp);
    let newest = tops.first().copied().filter(newer);
    let is_last = block.is_some_and(|block| past.checkpoint <= block.checkpoint);
    let root = match (newest, safe) {
        (None, safe) => return Found { root: safe.or(said), stamp: whole.map(|root| root.stamp) },
        (Some(_), Some(safe)) if is_last && said == Some(safe) => Some(safe),
        (Some(at), Some(safe)) if past.leads(safe.stamp, wreck.nodes[at].stamp) => Some(safe),
        (Some(at), _) => {
            let root = Some(wreck.pointer(at)).filter(|_| !is_part(at));
            return Found { root, stamp: Some(wreck.nodes[at].stamp) };
        }
    };
    Found { root, stamp: whole.map(|root| root.stamp) }
}
