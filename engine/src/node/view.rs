//! Reading a node: search, keys, values.
//!
//! ```text
//!  search "user:0042x"      prefix "user:"   heads  "0017" "0042" "0042" "0131"
//!    1. strip the prefix ---------^                    |      ^------^ 3. equal: compare
//!    2. branch-free binary search of "0042" -----------+                  (rest, length)
//! ```
//!
//! Every accessor relies on what [`validate`](super::validate) has promised of the page.

use std::cmp::Ordering;
use std::ops::Range;

use super::pack::{Entry, Key};
use super::split::separate_pieces;
use super::{AT_LEVEL, Areas, CHILD, HEAD, HEADER, Slot, head_of, is_leaf, rest_of};

/// A page read as a node.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a>(&'a [u8]);

impl<'a> Node<'a> {
    /// Reads `page`, a whole valid page, as a node.
    #[inline]
    pub(crate) fn new(page: &'a [u8]) -> Self {
        Self(page)
    }

    #[inline]
    pub(super) fn areas(&self) -> Areas {
        Areas::of(self.0)
    }

    /// The number of entries.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.areas().count
    }

    /// How far above the leaves this node is.
    #[inline]
    pub(crate) fn level(&self) -> u8 {
        self.0[AT_LEVEL]
    }

    /// Whether this is a leaf: level 0.
    #[inline]
    pub(crate) fn is_leaf(&self) -> bool {
        is_leaf(self.0)
    }

    /// The bytes every key starts with.
    #[inline]
    pub(super) fn prefix(&self) -> &'a [u8] {
        &self.0[HEADER..self.areas().heads]
    }

    /// Where `key` is in a leaf, or else where it belongs.
    #[inline]
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        debug_assert!(self.is_leaf());
        self.find(0, key)
    }

    /// Which child of an inner node covers `key`: the last whose key is not above it, else 0.
    #[inline]
    pub(crate) fn child_index(&self, key: &[u8]) -> usize {
        debug_assert!(!self.is_leaf());
        self.find(1, key).unwrap_or_else(|above| above - 1)
    }

    /// Where a leaf's key and value are read if `key` is there, judged by the heads alone.
    #[inline]
    pub(crate) fn guess(&self, key: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
        let areas = self.areas();
        let want = head_of(key.get(areas.heads - HEADER..)?);
        let (heads, _) = self.0[areas.heads..areas.slots].as_chunks::<HEAD>();
        let index = heads.partition_point(|head| u32::from_le_bytes(*head) < want);
        if index == areas.count {
            return None;
        }
        let slot = Slot::read(self.0, &areas, index);
        let (rest, value) = (areas.keys + usize::from(slot.key_off), usize::from(slot.val_off));
        Some((rest..rest + slot.rest_len(), value..value + slot.val_len()))
    }

    /// Searches the entries from `first` on, all of which have keys.
    #[inline]
    fn find(&self, first: usize, key: &[u8]) -> Result<usize, usize> {
        let areas = self.areas();
        let mut suffix = key;
        // Most pages of random keys have no prefix.
        if areas.heads > HEADER {
            let prefix = &self.0[HEADER..areas.heads];
            match key.strip_prefix(prefix) {
                Some(rest) => suffix = rest,
                None => return Err(if key < prefix { first } else { areas.count }),
            }
        }
        let want = head_of(suffix);
        let (heads, _) = self.0[areas.heads..areas.slots].as_chunks::<HEAD>();
        let heads = &heads[first..];
        let below = heads.partition_point(|head| u32::from_le_bytes(*head) < want);
        let equal = |i: usize| heads.get(i).is_some_and(|head| u32::from_le_bytes(*head) == want);
        if !equal(below) {
            return Err(first + below);
        }
        let mut low = first + below;
        let mut high = low + 1;
        if equal(below + 1) {
            high += heads[below + 1..].partition_point(|head| u32::from_le_bytes(*head) == want);
        }
        while low < high {
            let mid = low.midpoint(high);
            match self.compare_tail(&areas, mid, suffix) {
                Ordering::Less => low = mid + 1,
                Ordering::Equal => return Ok(mid),
                Ordering::Greater => high = mid,
            }
        }
        Err(low)
    }

    /// Compares entry `i` with `suffix`, whose head equals the entry's.
    #[inline]
    fn compare_tail(&self, areas: &Areas, i: usize, suffix: &[u8]) -> Ordering {
        let slot = Slot::read(self.0, areas, i);
        self.rest(areas, slot)
            .cmp(rest_of(suffix))
            .then_with(|| usize::from(slot.key_len).cmp(&suffix.len()))
    }

    #[inline]
    fn rest(&self, areas: &Areas, slot: Slot) -> &'a [u8] {
        let at = areas.keys + usize::from(slot.key_off);
        &self.0[at..at + slot.rest_len()]
    }

    #[inline]
    fn head(&self, areas: &Areas, i: usize) -> u32 {
        let at = areas.heads + i * HEAD;
        u32::from_le_bytes(self.0[at..at + HEAD].try_into().expect("four bytes"))
    }

    /// Makes `to` entry `i`'s key.
    pub(crate) fn write_key(&self, i: usize, to: &mut Vec<u8>) {
        to.clear();
        self.key(i).append_to(to);
    }

    /// Entry `i`'s key, in the pieces it is stored in.
    #[inline]
    pub(super) fn key(&self, i: usize) -> Key<'a> {
        if i == 0 && !self.is_leaf() {
            return Key::default();
        }
        let areas = self.areas();
        let slot = Slot::read(self.0, &areas, i);
        Key {
            prefix: &self.0[HEADER..areas.heads],
            head: self.head(&areas, i).to_be_bytes(),
            head_len: usize::from(slot.key_len).min(HEAD),
            rest: self.rest(&areas, slot),
        }
    }

    /// Makes `to` the shortest key above the last entry's and not above `key`, which is above it. False:
    /// there is no entry.
    #[must_use]
    pub(crate) fn separate_last(&self, key: &[u8], to: &mut Vec<u8>) -> bool {
        let Some(last) = self.count().checked_sub(1) else { return false };
        separate_pieces(&self.key(last), &Key::whole(key), to);
        true
    }

    /// Bytes of entry `i`'s key and value.
    pub(crate) fn entry_len(&self, i: usize) -> usize {
        let entry = self.entry(i);
        entry.key.len() + entry.value.len()
    }

    #[inline]
    pub(super) fn entry(&self, i: usize) -> Entry<'a> {
        let (value, extent) = self.value(i);
        Entry { key: self.key(i), value, extent }
    }

    /// Entry `i`'s value and extent flag.
    #[inline]
    pub(crate) fn value(&self, i: usize) -> (&'a [u8], bool) {
        let place = self.place(i);
        (&self.0[place.start as usize..place.end as usize], place.extent)
    }

    /// Where entry `i`'s value is.
    #[inline]
    pub(crate) fn place(&self, i: usize) -> Place {
        Rows(self.areas()).value(self.0, i)
    }

    /// Entry `i`'s value in an inner node.
    #[inline]
    pub(crate) fn child(&self, i: usize) -> &'a [u8; CHILD] {
        self.value(i).0.try_into().expect("a child is 26 bytes")
    }

    /// The live bytes, header included: what the page would take if compacted as it is.
    #[inline]
    pub(crate) fn used(&self) -> usize {
        let areas = self.areas();
        self.0.len() - areas.free() - areas.garbage
    }
}

/// A leaf's entries one after another: where its parts are is looked up once.
#[derive(Clone, Copy)]
pub(crate) struct Rows(Areas);

/// Bytes of a key that are held without an allocation.
pub(crate) const SHORT_KEY: usize = 46;

/// Where an entry's value stands in its page.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) extent: bool,
}

impl Rows {
    pub(crate) fn of(page: &[u8]) -> Rows {
        Rows(Areas::of(page))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.count
    }

    /// Where entry `i`'s value is.
    #[inline]
    pub(crate) fn value(&self, page: &[u8], i: usize) -> Place {
        let slot = Slot::read(page, &self.0, i);
        let start = u32::from(slot.val_off);
        Place { start, end: start + slot.val_len() as u32, extent: slot.extent() }
    }

    /// Entry `i`'s key, if it is short: its length and its bytes.
    #[inline]
    pub(crate) fn short_key(&self, page: &[u8], i: usize) -> Option<(usize, [u8; SHORT_KEY])> {
        let areas = &self.0;
        let slot = Slot::read(page, areas, i);
        let prefix_len = areas.heads - HEADER;
        let length = prefix_len + usize::from(slot.key_len);
        // All four bytes of the head are copied, be there that many or not.
        if length > SHORT_KEY || prefix_len > SHORT_KEY - HEAD {
            return None;
        }
        let mut key = [0; SHORT_KEY];
        if prefix_len > 0 {
            key[..prefix_len].copy_from_slice(&page[HEADER..areas.heads]);
        }
        let at = areas.heads + i * HEAD;
        let head: [u8; HEAD] = page[at..at + HEAD].try_into().expect("four bytes");
        let head = u32::from_le_bytes(head).to_be_bytes();
        key[prefix_len..prefix_len + HEAD].copy_from_slice(&head);
        let at = areas.keys + usize::from(slot.key_off);
        let rest = slot.rest_len();
        copy_short(&mut key[prefix_len + HEAD..], &page[at..at + rest]);
        Some((length, key))
    }
}

/// Copies a few bytes, at most [`SHORT_KEY`], without a call: two copies of a fixed length that overlap.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
        let last = from.len() - N;
        to[..N].copy_from_slice(&from[..N]);
        to[last..last + N].copy_from_slice(&from[last..]);
    }
    match from.len() {
        0 => {}
        1..8 => to[..from.len()].copy_from_slice(from),
        8..=16 => ends::<8>(to, from),
        17..=32 => ends::<16>(to, from),
        _ => ends::<32>(to, from),
    }
}
