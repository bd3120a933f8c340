//! Iterating over a range of a table from both ends.

use std::{
    fmt,
    ops::{Bound, RangeBounds},
};

use cowslip_pager::{Pager, View};

use crate::{
    error::{Error, Result},
    node::Node,
    tree::{Cursor, End, Span, Tree},
    value::{Key, Value},
};

/// The entries of a range, in the order of their keys; double-ended. After an error it is at its
/// end, but for [`Error::ValueTooLarge`], after which it goes on behind that entry.
pub struct Iter<'a> {
    pager: &'a Pager,
    view: View<'a>,
    tree: Tree,
    span: Span,
    front: Option<Cursor<'a>>,
    back: Option<Cursor<'a>>,
    /// In the leaf that each cursor stands in: the index where the span ends, or begins.
    front_end: usize,
    back_start: usize,
    /// Below this index of the front cursor's leaf, [`Iter::next`] need not look at anything else: 0
    /// while there is a cursor at the back, or too many pages are pinned.
    quick_end: usize,
    done: bool,
}

/// A range of keys with both bounds made plain: from inclusive, to exclusive.
pub(crate) fn span<K: AsRef<[u8]>>(range: &impl RangeBounds<K>) -> Span {
    let after = |key: &K| {
        let mut key = key.as_ref().to_vec();
        key.push(0);
        key
    };
    Span {
        from: match range.start_bound() {
            Bound::Unbounded => Vec::new(),
            Bound::Included(key) => key.as_ref().to_vec(),
            Bound::Excluded(key) => after(key),
        },
        to: match range.end_bound() {
            Bound::Unbounded => None,
            Bound::Excluded(key) => Some(key.as_ref().to_vec()),
            Bound::Included(key) => Some(after(key)),
        },
    }
}

/// All keys that begin with `prefix`.
pub(crate) fn prefix_span(prefix: &[u8]) -> Span {
    let mut to = prefix.to_vec();
    // The first key behind them: the last byte below 255 raised, what follows it cut off.
    while to.last() == Some(&0xFF) {
        to.pop();
    }
    let to = to.last_mut().map(|last| *last += 1).is_some().then_some(to);
    Span { from: prefix.to_vec(), to }
}

impl<'a> Iter<'a> {
    pub(crate) fn new(pager: &'a Pager, view: View<'a>, tree: Tree, span: Span) -> Iter<'a> {
        let done = span.is_empty() || tree.root.is_none();
        Iter {
            pager,
            view,
            tree,
            span,
            front: None,
            back: None,
            front_end: 0,
            back_start: 0,
            quick_end: 0,
            done,
        }
    }

    /// The next entry, whatever it takes; the leaf that it stands in decides how the ones behind it
    /// are taken.
    #[inline(never)]
    fn step(&mut self) -> Result<Option<(Key, Value<'a>)>> {
        self.quick_end = 0;
        let cursor = match &mut self.front {
            Some(cursor) => cursor,
            front => {
                let from = End::At(&self.span.from);
                let Some(mut cursor) = Cursor::new(self.view, &self.tree, from)? else {
                    return Ok(None);
                };
                cursor.peek_next()?;
                self.front_end = span_end(&self.span, cursor.leaf());
                front.insert(cursor)
            }
        };
        let leaf = cursor.leaf_id();
        let Some(index) = cursor.peek_next()? else { return Ok(None) };
        if cursor.leaf_id() != leaf {
            self.front_end = span_end(&self.span, cursor.leaf());
        }
        let met = self
            .back
            .as_ref()
            .is_some_and(|back| back.leaf_id() == cursor.leaf_id() && index >= back.index());
        if index >= self.front_end || met {
            return Ok(None);
        }
        cursor.advance();
        let pinned = !self.pager.under_pressure();
        if pinned && self.back.is_none() {
            self.quick_end = self.front_end;
        }
        entry(self.pager, cursor, index, pinned).map(Some)
    }

    fn step_back(&mut self) -> Result<Option<(Key, Value<'a>)>> {
        self.quick_end = 0;
        let cursor = match &mut self.back {
            Some(cursor) => cursor,
            back => {
                let to = self.span.to.as_ref().map_or(End::Last, |to| End::At(to));
                let Some(mut cursor) = Cursor::new(self.view, &self.tree, to)? else {
                    return Ok(None);
                };
                cursor.peek_back()?;
                self.back_start = span_start(&self.span, cursor.leaf());
                back.insert(cursor)
            }
        };
        let leaf = cursor.leaf_id();
        let Some(index) = cursor.peek_back()? else { return Ok(None) };
        if cursor.leaf_id() != leaf {
            self.back_start = span_start(&self.span, cursor.leaf());
        }
        let met = self
            .front
            .as_ref()
            .is_some_and(|front| front.leaf_id() == cursor.leaf_id() && index < front.index());
        if index < self.back_start || met {
            return Ok(None);
        }
        cursor.retreat();
        let pinned = !self.pager.under_pressure();
        entry(self.pager, cursor, index, pinned).map(Some)
    }

    fn settle<T>(&mut self, result: Result<Option<T>>) -> Option<Result<T>> {
        let result = result.transpose();
        // A value too large to be read whole is passed by; what is behind it can still be had.
        if !matches!(result, Some(Ok(_) | Err(Error::ValueTooLarge { .. }))) {
            self.done = true;
            self.quick_end = 0;
        }
        result
    }
}

/// The index in a leaf where the span ends.
fn span_end(span: &Span, leaf: &[u8]) -> usize {
    let node = Node::new(leaf);
    match &span.to {
        None => node.count(),
        Some(to) => node.search(to).unwrap_or_else(|index| index),
    }
}

/// The index in a leaf where the span begins.
fn span_start(span: &Span, leaf: &[u8]) -> usize {
    Node::new(leaf).search(&span.from).unwrap_or_else(|index| index)
}

/// Entry `index` of the leaf that `cursor` stands in; its value on the pinned leaf, or copied.
#[inline]
fn entry<'a>(
    pager: &'a Pager,
    cursor: &Cursor<'a>,
    index: usize,
    pinned: bool,
) -> Result<(Key, Value<'a>)> {
    let (leaf, rows) = (cursor.leaf(), cursor.rows());
    let place = rows.value(leaf, index);
    let value = if place.extent || !pinned {
        Value::copied(pager, leaf, index)?
    } else {
        Value::shared(leaf, place)
    };
    Ok((Key::of(rows, leaf, index), value))
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<(Key, Value<'a>)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(cursor) = &mut self.front {
            let index = cursor.index();
            if index < self.quick_end && !cursor.rows().value(cursor.leaf(), index).extent {
                cursor.advance();
                return Some(entry(self.pager, cursor, index, true));
            }
        }
        if self.done {
            return None;
        }
        let result = self.step();
        self.settle(result)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let result = self.step_back();
        self.settle(result)
    }
}

impl std::iter::FusedIterator for Iter<'_> {}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("span", &self.span).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_no_key_can_begin_with_it() {
        assert_eq!(prefix_span(b"ab").to.as_deref(), Some(&b"ac"[..]));
        assert_eq!(prefix_span(b"a\xFF\xFF").to.as_deref(), Some(&b"b"[..]));
        assert_eq!(prefix_span(b"\xFF").to, None);
        assert_eq!(prefix_span(b"").to, None);
    }
}
