//! The full structural check of a page read from disk.
//!
//! ```text
//!  64  prefix  heads  slots  key area      free      value area
//!  |------------------------|##.####..#|            |.###.#####|   # live, each byte once
//!                           |-keys_len-|            ^ values    .  garbage, as many as said
//! ```
//!
//! A checksum proves only that a page is as somebody wrote it, so nothing a page says is believed:
//! what passes here can be read and edited without a panic, whoever wrote it.

use std::ops::Range;

use super::{
    AT_FORM, AT_SUFFIX_LEN, AT_ZEROES, Areas, CHILD, EXTENT, HEAD, HEADER, Slot, is_leaf,
    max_entry, max_key,
};

/// What is wrong with a page's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What was checked.
    pub(crate) what: &'static str,
    /// What it should be, or its bound.
    pub(crate) expected: u64,
    /// What the page says.
    pub(crate) found: u64,
}

#[cold]
fn fault(what: &'static str, expected: usize, found: usize) -> Fault {
    Fault { what, expected: expected as u64, found: found as u64 }
}

/// Requires `found <= bound`.
#[inline]
fn at_most(what: &'static str, bound: usize, found: usize) -> Result<(), Fault> {
    if found <= bound { Ok(()) } else { Err(fault(what, bound, found)) }
}

/// Requires `found == expected`.
#[inline]
fn exactly(what: &'static str, expected: usize, found: usize) -> Result<(), Fault> {
    if found == expected { Ok(()) } else { Err(fault(what, expected, found)) }
}

/// The bytes of a page claimed so far, one bit each.
struct Claims([u64; 65536 / 64]);

impl Claims {
    /// Claims `range`, which is not empty; false when part of it was claimed before.
    #[inline]
    fn claim(&mut self, range: Range<usize>) -> bool {
        let (first, last) = (range.start / 64, (range.end - 1) / 64);
        let from = u64::MAX << (range.start % 64);
        let to = u64::MAX >> (63 - (range.end - 1) % 64);
        if first == last {
            return self.claim_bits(first, from & to);
        }
        let mut free = self.claim_bits(first, from) & self.claim_bits(last, to);
        for word in &mut self.0[first + 1..last] {
            free &= *word == 0;
            *word = u64::MAX;
        }
        free
    }

    #[inline]
    fn claim_bits(&mut self, word: usize, bits: u64) -> bool {
        let free = self.0[word] & bits == 0;
        self.0[word] |= bits;
        free
    }
}

/// Checks the content of `page`; after `Ok` no accessor or edit panics or loops.
pub(crate) fn validate(page: &[u8]) -> Result<(), Fault> {
    let size = page.len();
    if !size.is_power_of_two() || !(4096..=65536).contains(&size) {
        return Err(fault("page size", 4096, size));
    }
    let leaf = is_leaf(page);
    let areas = Areas::of(page);
    let prefix_len = areas.heads - HEADER;
    let form = usize::from(u16::from_le_bytes([page[AT_FORM], page[AT_FORM + 1]]));
    at_most("form of a node", usize::from(leaf), form)?;
    exactly("reserved", 0, usize::from(page[AT_ZEROES..HEADER].iter().fold(0, |a, b| a | b)))?;
    at_most("prefix length", max_key(size), prefix_len)?;
    at_most("values start", size, areas.values)?;
    at_most("key area end", areas.values, areas.keys_end)?;
    if !leaf && areas.count == 0 {
        return Err(fault("inner node's count", 1, 0));
    }

    let keys_len = areas.keys_end - areas.keys;
    if let Some(form) = areas.uniform {
        // Then no place that is computed lies outside its area.
        at_most("length of a value", usize::from(EXTENT) - 1, form.value.into())?;
        exactly("key area length", areas.count * form.rest(), keys_len)?;
        exactly("value area length", areas.count * usize::from(form.value), size - areas.values)?;
    } else {
        exactly(
            "reserved",
            0,
            usize::from(page[AT_SUFFIX_LEN..AT_ZEROES].iter().fold(0, |a, b| a | b)),
        )?;
    }
    let (heads, _) = page[areas.heads..areas.slots].as_chunks::<HEAD>();
    let mut claims = Claims([0; _]);
    let mut live = 0;
    let mut before: Option<(u32, &[u8], u16)> = None;
    for (i, head) in heads.iter().enumerate() {
        let head = u32::from_le_bytes(*head);
        let slot = Slot::read(page, &areas, i);
        let (off, rest_len) = (usize::from(slot.key_off), slot.rest_len());
        at_most("key end", keys_len, off + rest_len)?;
        let rest = &page[areas.keys + off..areas.keys + off + rest_len];
        if rest_len > 0 {
            if !claims.claim(areas.keys + off..areas.keys + off + rest_len) {
                return Err(fault("key overlaps at", 0, off));
            }
        } else {
            exactly("offset of no key bytes", 0, off)?;
            let padding = u32::MAX.checked_shr(u32::from(slot.key_len) * 8).unwrap_or(0);
            exactly("head padding", 0, (head & padding) as usize)?;
        }
        let (at, val_len) = (usize::from(slot.val_off), slot.val_len());
        if val_len > 0 {
            at_most("value end", size, at + val_len)?;
            if at < areas.values {
                return Err(fault("value start", areas.values, at));
            }
            if !claims.claim(at..at + val_len) {
                return Err(fault("value overlaps at", 0, at));
            }
        } else {
            exactly("offset of no value bytes", 0, at)?;
        }
        live += rest_len + val_len;

        let keyless = i == 0 && !leaf;
        if !leaf {
            exactly("child length", CHILD, usize::from(slot.val & EXTENT) + val_len)?;
        }
        if keyless {
            exactly("entry 0's key length", 0, usize::from(slot.key_len))?;
            exactly("entry 0's head", 0, head as usize)?;
            continue;
        }
        let key_len = prefix_len + usize::from(slot.key_len);
        at_most("key length", max_key(size), key_len)?;
        at_most("entry length", max_entry(size), key_len + val_len)?;
        let now = (head, rest, slot.key_len);
        if let Some(before) = before.replace(now)
            && before >= now
        {
            return Err(fault("head not above the one before", before.0 as usize, head as usize));
        }
    }
    exactly("garbage", keys_len + (size - areas.values) - live, areas.garbage)
}
