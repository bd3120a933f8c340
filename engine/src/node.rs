//! The content of one B-tree page: sorted entries, searched and edited in place.
//!
//! Pure functions over the bytes of a whole page (4 KiB to 64 KiB, a power of two); nothing here
//! reads a file or knows another page. Leaves (level 0) and inner nodes share one layout, *slotted*, all
//! little-endian:
//!
//! ```text
//!  0        40        64                                                          page size
//!  | pager   | header  | prefix | heads   | slots   | key area > | free | < value area |
//!  | crc ..  | below   | bytes  | n x u32 | n x 8 B | grows up   |      | grows down   |
//!
//!  at  4  kind       u8   the pager's, read only        at 44  keys_len      u32  key area bytes
//!  at  5  level      u8   the pager's, read only        at 48  values_start  u32  lowest value byte
//!  at  6  count      u16  entries, n                    at 52  garbage       u32  dead bytes in both
//!  at 40  prefix_len u16                                                          areas
//!  at 42  form       u16  0: slotted, 1: uniform        at 56  suffix_len, value_len  u16 each;
//!                                                              0 if slotted. Then u32 zero
//!
//!  slot   | key_off u16 | key_len u16 | val_off u16 | extent:1 val_len:15 |
//!          from the key  of the suffix  from the      the flag is the
//!          area's start                 page's start  caller's, opaque here
//! ```
//!
//! A key is the page's *prefix*, then a *suffix*. The suffix's first four bytes, zero padded and
//! read big-endian, are its *head*; only what follows them, the *rest*, lies in the key area.
//! Keys order as (head, rest, suffix length): the dense heads decide nearly every comparison, so
//! a search touches a few cache lines. A rest or value of no bytes has offset 0.
//!
//! A *uniform* leaf is one whose keys have one length, and whose values have one, none of them an
//! extent. It has no slots: entry `i`'s rest and value are the `i`-th of their areas.
//!
//! ```text
//!  | header | prefix | heads | rest 0, rest 1, ... > | free | < ... value 1, value 0 |
//! ```
//!
//! An inner node's values are 26 bytes (a child pointer and two sums, opaque here), and its entry 0
//! stands for "minus infinity": it has no key (head 0, suffix empty), is never compared, and does
//! not count for the prefix.
//!
//! # Sizes
//!
//! Packing chooses the cheapest prefix: the longest common one, but never so long that the longest
//! suffix has fewer than four bytes, which the heads hold for free. With that choice `n` entries
//! take at most `64 + sum(12 + key + value)` bytes (in a uniform leaf, 8 less each), and a subset of
//! entries never takes more than the set, whatever prefix the set was stored with.
//!
//! *Two entries always fit*, because [`max_entry`] solves `64 + 2 (12 + e) <= page`. *Every split
//! works*: a key without the page's prefix sorts before or after all others, where it is cut off
//! alone. Otherwise, by the costs under the stored prefix `p`, all entries are at most
//! `12 + e - p`, half the room `page - 64 - p`; the old ones fill at most that room, so cutting
//! where the sides differ least leaves at most `(room + new + largest) / 2 <= room` on each. Only a
//! uniform leaf that a new entry ends the uniformity of may not fit so; it is parted where the entry
//! belongs, which then comes at an end of its leaf, to be cut off alone if there still is no room.
//! *An inner node holds three separators*, so four children, as [`max_key`] leaves
//! `64 + 38 + 3 (38 + page / 4) <= page`.

mod check;
mod edit;
mod pack;
mod split;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use check::validate;
pub(crate) use edit::NodeMut;
pub(crate) use pack::{fill, fitting};
pub(crate) use split::{Halves, merge, separate, split_insert};
pub(crate) use view::{Node, Place, Rows, SHORT_KEY};

/// Bytes before a page's content: the pager's 40, then the node's own.
pub(crate) const HEADER: usize = 64;

/// Bytes of an inner node's value: child pointer 16, entries 6, pages 4.
pub(crate) const CHILD: usize = 26;

/// Bytes each entry costs besides its key and value: head 4, slot 8.
const PER_ENTRY: usize = HEAD + SLOT;

const HEAD: usize = 4;
const SLOT: usize = 8;

/// The slot bit that carries the caller's "extent" flag; the bits below it are the value's length.
const EXTENT: u16 = 1 << 15;

const AT_LEVEL: usize = 5;
const AT_COUNT: usize = 6;
const AT_PREFIX_LEN: usize = 40;
const AT_FORM: usize = 42;
const AT_KEYS_LEN: usize = 44;
const AT_VALUES_START: usize = 48;
const AT_GARBAGE: usize = 52;
const AT_SUFFIX_LEN: usize = 56;
const AT_VALUE_LEN: usize = 58;
const AT_ZEROES: usize = 60;

/// The most bytes a key and its value may have together, so that any two entries fit one page.
///
/// Never above 32 767, what a slot can say of a value's length: at 64 KiB it is 32 724.
pub(crate) const fn max_entry(page_size: usize) -> usize {
    (page_size - HEADER) / 2 - PER_ENTRY
}

/// The most bytes a key may have, so that any four children fit one inner node.
pub(crate) const fn max_key(page_size: usize) -> usize {
    page_size / 4
}

/// Where the parts of a page are, as its header says.
#[derive(Clone, Copy)]
struct Areas {
    count: usize,
    heads: usize,
    slots: usize,
    keys: usize,
    keys_end: usize,
    values: usize,
    garbage: usize,
    /// The lengths that all entries have, where they need no slots.
    uniform: Option<Uniform>,
}

/// The lengths of each suffix and each value of a uniform leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Uniform {
    suffix: u16,
    value: u16,
}

impl Uniform {
    #[inline]
    fn rest(self) -> usize {
        usize::from(self.suffix).saturating_sub(HEAD)
    }

    /// What entry `i`'s slot would say, if it had one.
    #[inline]
    fn slot(self, i: usize, page_size: usize) -> Slot {
        let value = usize::from(self.value);
        Slot {
            key_off: (i * self.rest()) as u16,
            key_len: self.suffix,
            val_off: if value > 0 { (page_size - (i + 1) * value) as u16 } else { 0 },
            val: self.value,
        }
    }

    /// Whether an entry is like the others.
    #[inline]
    fn suits(self, suffix: &[u8], value: &[u8], extent: bool) -> bool {
        suffix.len() == usize::from(self.suffix)
            && value.len() == usize::from(self.value)
            && !extent
    }

    /// The bytes that an entry takes.
    #[inline]
    fn cost(self) -> usize {
        HEAD + self.rest() + usize::from(self.value)
    }
}

impl Areas {
    #[inline]
    fn of(page: &[u8]) -> Self {
        let header: &[u8; HEADER] = page.first_chunk().expect("a page has a header");
        let count = u16_at(header, AT_COUNT);
        let heads = HEADER + u16_at(header, AT_PREFIX_LEN);
        let slots = heads + count * HEAD;
        let uniform = (u16_at(header, AT_FORM) != 0).then(|| Uniform {
            suffix: u16_at(header, AT_SUFFIX_LEN) as u16,
            value: u16_at(header, AT_VALUE_LEN) as u16,
        });
        let keys = slots + if uniform.is_none() { count * SLOT } else { 0 };
        let keys_end = keys + u32_at(header, AT_KEYS_LEN);
        let values = u32_at(header, AT_VALUES_START);
        let garbage = u32_at(header, AT_GARBAGE);
        Self { count, heads, slots, keys, keys_end, values, garbage, uniform }
    }

    /// Writes the node's part of the header; the reserved bytes as zero.
    fn write(&self, page: &mut [u8]) {
        let header: &mut [u8; HEADER] = page.first_chunk_mut().expect("a page has a header");
        put_u16(header, AT_COUNT, self.count);
        put_u16(header, AT_PREFIX_LEN, self.heads - HEADER);
        put_u16(header, AT_FORM, usize::from(self.uniform.is_some()));
        put_u32(header, AT_KEYS_LEN, self.keys_end - self.keys);
        put_u32(header, AT_VALUES_START, self.values);
        put_u32(header, AT_GARBAGE, self.garbage);
        let lengths = self.uniform.unwrap_or(Uniform { suffix: 0, value: 0 });
        put_u16(header, AT_SUFFIX_LEN, lengths.suffix.into());
        put_u16(header, AT_VALUE_LEN, lengths.value.into());
        header[AT_ZEROES..].fill(0);
    }

    /// The areas of a page that holds nothing.
    fn empty(page_size: usize) -> Self {
        let (heads, slots, keys, keys_end) = (HEADER, HEADER, HEADER, HEADER);
        let values = page_size;
        Self { count: 0, heads, slots, keys, keys_end, values, garbage: 0, uniform: None }
    }

    #[inline]
    fn free(&self) -> usize {
        self.values - self.keys_end
    }
}

/// Where one entry's rest and value are, and how long its suffix and value.
#[derive(Clone, Copy, Default)]
struct Slot {
    key_off: u16,
    key_len: u16,
    val_off: u16,
    val: u16,
}

impl Slot {
    #[inline]
    fn read(page: &[u8], areas: &Areas, i: usize) -> Self {
        if let Some(uniform) = areas.uniform {
            return uniform.slot(i, page.len());
        }
        let at = areas.slots + i * SLOT;
        let b: [u8; SLOT] = page[at..at + SLOT].try_into().expect("eight bytes");
        let word = u64::from_le_bytes(b);
        let field = |shift: u32| (word >> shift) as u16;
        Self { key_off: field(0), key_len: field(16), val_off: field(32), val: field(48) }
    }

    #[inline]
    fn write(self, page: &mut [u8], areas: &Areas, i: usize) {
        debug_assert!(areas.uniform.is_none());
        let at = areas.slots + i * SLOT;
        let word = u64::from(self.key_off)
            | u64::from(self.key_len) << 16
            | u64::from(self.val_off) << 32
            | u64::from(self.val) << 48;
        page[at..at + SLOT].copy_from_slice(&word.to_le_bytes());
    }

    /// Says that the rest of a suffix of `len` bytes is at `off` in the key area.
    #[inline]
    fn set_key(&mut self, off: usize, len: usize) {
        self.key_off = if len > HEAD { off as u16 } else { 0 };
        self.key_len = len as u16;
    }

    /// Says that the value, of `len` bytes, is at `off` in the page.
    #[inline]
    fn set_value(&mut self, off: usize, len: usize, extent: bool) {
        debug_assert!(len < usize::from(EXTENT));
        self.val_off = if len > 0 { off as u16 } else { 0 };
        self.val = len as u16 | if extent { EXTENT } else { 0 };
    }

    #[inline]
    fn rest_len(&self) -> usize {
        usize::from(self.key_len).saturating_sub(HEAD)
    }

    #[inline]
    fn val_len(&self) -> usize {
        usize::from(self.val & !EXTENT)
    }

    #[inline]
    fn extent(&self) -> bool {
        self.val & EXTENT != 0
    }
}

/// A suffix's first four bytes, zero padded, as the integer that orders them.
#[inline]
fn head_of(suffix: &[u8]) -> u32 {
    match suffix.first_chunk() {
        Some(head) => u32::from_be_bytes(*head),
        None => {
            let mut head = [0; HEAD];
            head[..suffix.len()].copy_from_slice(suffix);
            u32::from_be_bytes(head)
        }
    }
}

/// What of a suffix the key area stores.
#[inline]
fn rest_of(suffix: &[u8]) -> &[u8] {
    suffix.get(HEAD..).unwrap_or_default()
}

#[inline]
fn is_leaf(page: &[u8]) -> bool {
    page[AT_LEVEL] == 0
}

#[inline]
fn u16_at(header: &[u8; HEADER], at: usize) -> usize {
    usize::from(u16::from_le_bytes([header[at], header[at + 1]]))
}

#[inline]
fn u32_at(header: &[u8; HEADER], at: usize) -> usize {
    let b = [header[at], header[at + 1], header[at + 2], header[at + 3]];
    u32::from_le_bytes(b) as usize
}

#[inline]
fn put_u16(header: &mut [u8; HEADER], at: usize, value: usize) {
    header[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}

#[inline]
fn put_u32(header: &mut [u8; HEADER], at: usize, value: usize) {
    header[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
}
