//! Editing a node in place.
//!
//! ```text
//!  insert at 1   heads   |a|c|        |a|b|c|       one step right, from the far end back;
//!                slots   |A|C|   ->   |A|B|C|       the new rest goes on top of the key area,
//!                keys    ac           acb           the new value below the value area
//! ```
//!
//! In a uniform leaf all three move, since there an entry's index says where its parts are.
//!
//! What an edit leaves behind is counted as garbage. When only compaction makes room, the page is
//! copied to a scratch buffer of the thread and packed anew from there, with the prefix that is
//! then the cheapest; so a key that does not share the prefix is nothing special.

use std::cell::Cell;
use std::ops::Range;

use super::pack::{Entry, Key, Plan};
use super::{
    AT_COUNT, Areas, CHILD, HEAD, HEADER, Node, PER_ENTRY, SLOT, Slot, Uniform, head_of, is_leaf,
    rest_of,
};

/// A page edited as a node.
pub(crate) struct NodeMut<'a>(&'a mut [u8]);

/// One change to a node's list of entries.
#[derive(Clone, Copy)]
pub(super) enum Change<'a> {
    /// A new entry at an index.
    Insert(usize, Entry<'a>),
    /// Another value at an index.
    Value(usize, &'a [u8], bool),
}

impl<'a> Change<'a> {
    /// Entry `i` of `node` once changed.
    pub(super) fn entry(&self, node: Node<'a>, i: usize) -> Entry<'a> {
        match *self {
            Self::Insert(at, new) if i == at => new,
            Self::Insert(at, _) if i > at => node.entry(i - 1),
            Self::Value(at, value, extent) if i == at => Entry { value, extent, ..node.entry(i) },
            _ => node.entry(i),
        }
    }

    /// How many entries `node` has once changed.
    pub(super) fn count(&self, node: Node<'_>) -> usize {
        node.count() + usize::from(matches!(self, Self::Insert(..)))
    }
}

/// Calls `f` with a copy of `page`, kept in a buffer of the thread, and the page to overwrite.
pub(super) fn with_copy<R>(page: &mut [u8], f: impl FnOnce(&[u8], &mut [u8]) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut copy = SCRATCH.take();
    copy.clear();
    copy.extend_from_slice(page);
    let result = f(&copy, page);
    SCRATCH.set(copy);
    result
}

impl<'a> NodeMut<'a> {
    /// Edits `page`, a whole valid page.
    #[inline]
    pub(crate) fn new(page: &'a mut [u8]) -> Self {
        Self(page)
    }

    /// Makes `page` a node without entries; of the pager's header only the count is touched.
    pub(crate) fn init(page: &'a mut [u8]) -> Self {
        page[AT_COUNT..AT_COUNT + 2].fill(0);
        page[HEADER..].fill(0);
        Areas::empty(page.len()).write(page);
        Self(page)
    }

    /// The node as it is now.
    #[inline]
    pub(crate) fn view(&self) -> Node<'_> {
        Node::new(self.0)
    }

    /// Puts a new entry at `index`; false, with nothing changed, when it does not fit.
    ///
    /// In an inner node `index` is 0 only for the first entry, whose key is not stored.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize, key: &[u8], value: &[u8], extent: bool) -> bool {
        let areas = self.view().areas();
        debug_assert!(index <= areas.count);
        debug_assert!(index > 0 || is_leaf(self.0) || areas.count == 0);
        let key = if index == 0 && !is_leaf(self.0) { &[] } else { key };
        if let Some(suffix) = key.strip_prefix(self.view().prefix()) {
            match areas.uniform {
                None if PER_ENTRY + rest_of(suffix).len() + value.len() <= areas.free() => {
                    self.place(areas, index, suffix, value, extent);
                    return true;
                }
                Some(form) if form.suits(suffix, value, extent) && form.cost() <= areas.free() => {
                    self.place_like(areas, form, index, suffix, value);
                    return true;
                }
                _ => {}
            }
        }
        let new = Entry { key: Key::whole(key), value, extent };
        self.repack(Change::Insert(index, new))
    }

    /// Puts a new entry where there is room for it.
    #[inline]
    fn place(&mut self, old: Areas, index: usize, suffix: &[u8], value: &[u8], extent: bool) {
        let page = &mut *self.0;
        let (head_at, slot_at) = (old.heads + index * HEAD, old.slots + index * SLOT);
        page.copy_within(old.keys..old.keys_end, old.keys + PER_ENTRY);
        page.copy_within(slot_at..old.keys, slot_at + PER_ENTRY);
        page.copy_within(old.slots..slot_at, old.slots + HEAD);
        page.copy_within(head_at..old.slots, head_at + HEAD);
        let new = Areas {
            count: old.count + 1,
            slots: old.slots + HEAD,
            keys: old.keys + PER_ENTRY,
            keys_end: old.keys_end + PER_ENTRY + rest_of(suffix).len(),
            values: old.values - value.len(),
            ..old
        };
        page[head_at..head_at + HEAD].copy_from_slice(&head_of(suffix).to_le_bytes());
        page[old.keys_end + PER_ENTRY..new.keys_end].copy_from_slice(rest_of(suffix));
        page[new.values..old.values].copy_from_slice(value);
        let mut slot = Slot::default();
        slot.set_key(old.keys_end - old.keys, suffix.len());
        slot.set_value(new.values, value.len(), extent);
        slot.write(page, &new, index);
        new.write(page);
    }

    /// Puts a new entry into a uniform leaf where there is room for it.
    fn place_like(&mut self, old: Areas, form: Uniform, index: usize, suffix: &[u8], value: &[u8]) {
        let page = &mut *self.0;
        let (rest, value_len) = (form.rest(), value.len());
        let new = Areas {
            count: old.count + 1,
            slots: old.slots + HEAD,
            keys: old.keys + HEAD,
            keys_end: old.keys_end + HEAD + rest,
            values: old.values - value_len,
            ..old
        };
        let (head_at, rest_at) = (old.heads + index * HEAD, old.keys + index * rest);
        page.copy_within(rest_at..old.keys_end, rest_at + HEAD + rest);
        page.copy_within(old.keys..rest_at, new.keys);
        page.copy_within(head_at..old.slots, head_at + HEAD);
        page[head_at..head_at + HEAD].copy_from_slice(&head_of(suffix).to_le_bytes());
        page[rest_at + HEAD..rest_at + HEAD + rest].copy_from_slice(rest_of(suffix));
        let value_end = page.len() - index * value_len;
        page.copy_within(old.values..value_end, new.values);
        page[value_end - value_len..value_end].copy_from_slice(value);
        new.write(page);
    }

    /// Replaces entry `index`'s value; false, with nothing changed, when it does not fit.
    pub(crate) fn set_value(&mut self, index: usize, value: &[u8], extent: bool) -> bool {
        let mut areas = self.view().areas();
        let mut slot = Slot::read(self.0, &areas, index);
        if areas.uniform.is_some() {
            if extent || value.len() != slot.val_len() {
                return self.repack(Change::Value(index, value, extent));
            }
            let at = usize::from(slot.val_off);
            self.0[at..at + value.len()].copy_from_slice(value);
            return true;
        }
        let old_len = slot.val_len();
        let at = if value.len() <= old_len {
            usize::from(slot.val_off)
        } else if value.len() <= areas.free() {
            areas.values -= value.len();
            areas.values
        } else {
            return self.repack(Change::Value(index, value, extent));
        };
        areas.garbage += if value.len() <= old_len { old_len - value.len() } else { old_len };
        self.0[at..at + value.len()].copy_from_slice(value);
        slot.set_value(at, value.len(), extent);
        slot.write(self.0, &areas, index);
        areas.write(self.0);
        true
    }

    /// Removes entry `index`.
    #[inline]
    pub(crate) fn remove(&mut self, index: usize) {
        self.remove_range(index..index + 1);
    }

    /// Removes the entries of `range`. An inner node's new entry 0 loses its key.
    pub(crate) fn remove_range(&mut self, range: Range<usize>) {
        let Range { start, end } = range.clone();
        let old = self.view().areas();
        debug_assert!(start <= end && end <= old.count);
        let gone = end - start;
        if gone == old.count {
            return Areas::empty(self.0.len()).write(self.0);
        }
        if let Some(form) = old.uniform {
            return self.remove_like(old, form, range);
        }
        let mut new = Areas {
            count: old.count - gone,
            slots: old.slots - gone * HEAD,
            keys: old.keys - gone * PER_ENTRY,
            keys_end: old.keys_end - gone * PER_ENTRY,
            ..old
        };
        // Last in, first out: what was at an area's edge goes back to the free space.
        for i in start..end {
            let slot = Slot::read(self.0, &old, i);
            let (rest, value) = (slot.rest_len(), slot.val_len());
            if usize::from(slot.key_off) + rest == new.keys_end - new.keys {
                new.keys_end -= rest;
            } else {
                new.garbage += rest;
            }
            if usize::from(slot.val_off) == new.values {
                new.values += value;
            } else {
                new.garbage += value;
            }
        }
        let page = &mut *self.0;
        page.copy_within(old.heads + end * HEAD..old.slots, old.heads + start * HEAD);
        page.copy_within(old.slots..old.slots + start * SLOT, new.slots);
        page.copy_within(old.slots + end * SLOT..old.keys, new.slots + start * SLOT);
        page.copy_within(old.keys..old.keys + (new.keys_end - new.keys), new.keys);
        if start == 0 && gone > 0 && !is_leaf(page) {
            let mut slot = Slot::read(page, &new, 0);
            new.garbage += slot.rest_len();
            slot.set_key(0, 0);
            slot.write(page, &new, 0);
            page[new.heads..new.heads + HEAD].fill(0);
        }
        new.write(page);
    }

    /// Removes some entries of a uniform leaf.
    fn remove_like(&mut self, old: Areas, form: Uniform, Range { start, end }: Range<usize>) {
        let page = &mut *self.0;
        let (gone, rest, value) = (end - start, form.rest(), usize::from(form.value));
        let new = Areas {
            count: old.count - gone,
            slots: old.slots - gone * HEAD,
            keys: old.keys - gone * HEAD,
            keys_end: old.keys_end - gone * (HEAD + rest),
            values: old.values + gone * value,
            ..old
        };
        page.copy_within(old.heads + end * HEAD..old.slots, old.heads + start * HEAD);
        page.copy_within(old.keys..old.keys + start * rest, new.keys);
        page.copy_within(old.keys + end * rest..old.keys_end, new.keys + start * rest);
        page.copy_within(old.values..page.len() - end * value, new.values);
        new.write(page);
    }

    /// Entry `i`'s value in an inner node.
    #[inline]
    pub(crate) fn child_mut(&mut self, i: usize) -> &mut [u8; CHILD] {
        let place = self.view().place(i);
        (&mut self.0[place.start as usize..place.end as usize])
            .try_into()
            .expect("a child is 26 bytes")
    }

    /// Makes the change by packing the page anew; false when even so it does not fit.
    #[cold]
    fn repack(&mut self, change: Change<'_>) -> bool {
        let (leaf, n) = (is_leaf(self.0), change.count(self.view()));
        let plan = Plan::of(leaf, n, &|i| change.entry(self.view(), i));
        if plan.bytes > self.0.len() {
            return false;
        }
        with_copy(self.0, |old, page| {
            plan.pack(page, leaf, n, &|i| change.entry(Node::new(old), i));
        });
        true
    }
}
