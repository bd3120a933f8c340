//! One node into two, two into one.
//!
//! ```text
//!  leaf   | a b | d e |   ->  | a b |  d  | d e |    the shortest key above b and not above d
//!  inner  | - b | d e |   ->  | - b |  d  | - e |    d moves up; its child becomes entry 0
//! ```

use super::edit::{Change, with_copy};
use super::pack::{Entry, Key, Plan};
use super::{Node, is_leaf};

/// What became of a full node and a new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halves {
    /// Two nodes have the old entries and the new one.
    Entered,
    /// Two nodes have the old entries; the new one comes between them, and is still to be entered.
    Parted,
    /// Nothing was changed, since no split helps.
    Unchanged,
}

/// Distributes the entries of `left`, a full node, and a new one over `left` and `right`, and makes
/// `separator` the key between them.
///
/// At either end the new entry is cut off alone, so that ascending and descending loads leave full
/// pages; otherwise the sides get equal bytes, near enough. All of `right` but its pager header is
/// made anew; of `left` the pager header stays. In an inner node `index` is at least 1.
///
/// [`Halves::Parted`]: a uniform leaf was cut where the new entry belongs, which is unlike the others and
/// too large. [`Halves::Unchanged`]: never for a key in its place, no entry above
/// [`max_entry`](super::max_entry) and `left` not empty; so it tells of a tree out of order.
#[must_use]
pub(crate) fn split_insert(
    left: &mut [u8],
    right: &mut [u8],
    index: usize,
    key: &[u8],
    value: &[u8],
    extent: bool,
    separator: &mut Vec<u8>,
) -> Halves {
    let leaf = is_leaf(left);
    let first = usize::from(!leaf);
    debug_assert!(index >= first && left.len() == right.len());
    let new = Entry { key: Key::whole(key), value, extent };
    let change = Change::Insert(index, new);
    with_copy(left, |old, left| {
        let old = Node::new(old);
        let entry = |i: usize| change.entry(old, i);
        let n = change.count(old);
        if n < 2 {
            return Halves::Unchanged;
        }
        let cut = if index == n - 1 {
            index
        } else if index == first {
            1
        } else {
            middle(n, old.prefix().len(), &entry)
        };
        if leaf {
            separate_pieces(&entry(cut - 1).key, &entry(cut).key, separator);
        } else {
            separator.clear();
            entry(cut).key.append_to(separator);
        }
        if Plan::fit(right, leaf, n - cut, &|i| entry(cut + i))
            && (cut == n - 1 && index == cut || Plan::fit(left, leaf, cut, &entry))
        {
            return Halves::Entered;
        }
        if old.areas().uniform.is_none() || index == 0 || index == n - 1 {
            return Halves::Unchanged;
        }
        // Each part of a uniform leaf is uniform, and takes less.
        separate_pieces(&old.key(index - 1), &new.key, separator);
        Plan::of(true, n - 1 - index, &|i| old.entry(index + i)).pack(
            right,
            true,
            n - 1 - index,
            &|i| old.entry(index + i),
        );
        Plan::of(true, index, &|i| old.entry(i)).pack(left, true, index, &|i| old.entry(i));
        Halves::Parted
    })
}

/// Where to cut `n` entries so that the sides differ least in bytes.
fn middle<'a>(n: usize, prefix_len: usize, entry: &impl Fn(usize) -> Entry<'a>) -> usize {
    let cost = |i: usize| entry(i).cost(prefix_len);
    let total: usize = (0..n).map(cost).sum();
    let mut before = 0;
    for i in 0..n - 1 {
        let cost = cost(i);
        if 2 * before + cost > total {
            return i;
        }
        before += cost;
    }
    n - 1
}

/// Appends the entries of `right` to `left`; false, with nothing changed, when they do not fit.
///
/// In inner nodes `separator` becomes the key of what was `right`'s entry 0. All keys of `right`, and
/// the separator, are above those of `left`: that is the tree's to know, and is not checked.
pub(crate) fn merge(left: &mut [u8], right: &[u8], separator: &[u8]) -> bool {
    let leaf = is_leaf(left);
    debug_assert!(leaf == is_leaf(right) && left.len() == right.len());
    with_copy(left, |old, left| {
        let (old, right) = (Node::new(old), Node::new(right));
        let n = old.count();
        Plan::fit(left, leaf, n + right.count(), &|i| {
            if i < n {
                old.entry(i)
            } else if i == n && !leaf {
                Entry { key: Key::whole(separator), ..right.entry(0) }
            } else {
                right.entry(i - n)
            }
        })
    })
}

/// Makes `to` the shortest key above `below` and not above `key`, where `below < key`.
pub(crate) fn separate(below: &[u8], key: &[u8], to: &mut Vec<u8>) {
    separate_pieces(&Key::whole(below), &Key::whole(key), to);
}

/// [`separate`], for keys in pieces.
pub(super) fn separate_pieces(below: &Key<'_>, key: &Key<'_>, to: &mut Vec<u8>) {
    to.clear();
    key.append_to(to);
    to.truncate(below.common_with(key) + 1);
}
