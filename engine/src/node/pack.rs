//! Writing a whole page at once: rebuilds, splits, merges, and leaves filled by a load.
//!
//! ```text
//!  any list of entries --plan--> the cheapest prefix, the bytes needed --pack--> a page
//!                                                                     without garbage
//! ```

use super::{Areas, HEAD, HEADER, Node, PER_ENTRY, SLOT, Slot, Uniform};

/// A key in pieces: as a node stores it, or a whole key as `prefix` alone.
#[derive(Clone, Copy, Default)]
pub(super) struct Key<'a> {
    pub(super) prefix: &'a [u8],
    pub(super) head: [u8; HEAD],
    pub(super) head_len: usize,
    pub(super) rest: &'a [u8],
}

impl<'a> Key<'a> {
    #[inline]
    pub(super) fn whole(key: &'a [u8]) -> Self {
        Self { prefix: key, ..Self::default() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.prefix.len() + self.head_len + self.rest.len()
    }

    fn parts(&self) -> [&[u8]; 3] {
        [self.prefix, &self.head[..self.head_len], self.rest]
    }

    pub(super) fn append_to(&self, to: &mut Vec<u8>) {
        self.parts().into_iter().for_each(|part| to.extend_from_slice(part));
    }

    /// How many bytes both keys start with.
    pub(super) fn common_with(&self, other: &Self) -> usize {
        let shared = common(self.prefix, other.prefix);
        let (a, b) = (self.parts(), other.parts());
        if shared < self.prefix.len().min(other.prefix.len()) {
            shared
        } else if self.prefix.len() == other.prefix.len() {
            match common(a[1], b[1]) {
                HEAD => shared + HEAD + common(a[2], b[2]),
                in_head => shared + in_head,
            }
        } else {
            let a = a.into_iter().flatten().skip(shared);
            let b = b.into_iter().flatten().skip(shared);
            shared + a.zip(b).take_while(|(a, b)| a == b).count()
        }
    }

    /// Fills `to` with the key's bytes from `skip` on.
    fn copy(&self, mut skip: usize, mut to: &mut [u8]) {
        for part in self.parts() {
            let skipped = skip.min(part.len());
            skip -= skipped;
            let part = &part[skipped..];
            let (now, later) = to.split_at_mut(part.len().min(to.len()));
            now.copy_from_slice(&part[..now.len()]);
            to = later;
        }
    }
}

/// How many bytes both slices start with.
fn common(a: &[u8], b: &[u8]) -> usize {
    let ((a8, _), (b8, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let at = 8 * a8.iter().zip(b8).take_while(|(a, b)| a == b).count();
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

/// One entry on its way into a page.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: Key<'a>,
    pub(super) value: &'a [u8],
    pub(super) extent: bool,
}

impl Entry<'_> {
    /// Could both stand in one uniform leaf?
    #[inline]
    fn is_like(&self, other: &Entry<'_>) -> bool {
        self.key.len() == other.key.len()
            && self.value.len() == other.value.len()
            && !self.extent
            && !other.extent
    }

    /// The bytes this entry takes in a page with a prefix of `prefix_len` bytes.
    #[inline]
    pub(super) fn cost(&self, prefix_len: usize) -> usize {
        PER_ENTRY + self.key.len().saturating_sub(prefix_len + HEAD) + self.value.len()
    }
}

/// How a list of entries is to be packed.
pub(super) struct Plan {
    pub(super) prefix_len: usize,
    uniform: Option<Uniform>,
    /// The bytes the page needs, header included.
    pub(super) bytes: usize,
}

impl Plan {
    /// Plans `n` ascending entries; in an inner node entry 0's key is left out.
    pub(super) fn of<'a>(leaf: bool, n: usize, entry: &impl Fn(usize) -> Entry<'a>) -> Self {
        let first = usize::from(!leaf);
        let mut prefix_len = 0;
        // The prefix of a single key would cost what it saves, and break with the next key.
        if n > first + 1 {
            let start = entry(first).key;
            let (mut common, mut longest) = (start.len(), start.len());
            // First and last would do, were the order of entries from two pages beyond doubt.
            for i in (first + 1..n).rev() {
                let key = entry(i).key;
                common = common.min(start.common_with(&key));
                longest = longest.max(key.len());
            }
            prefix_len = common.min(longest.saturating_sub(HEAD));
        }
        let mut bytes = HEADER + prefix_len;
        if !leaf && n > 0 {
            bytes += PER_ENTRY + entry(0).value.len();
        }
        let mut like = (leaf && n > 0).then(|| entry(0));
        for i in first..n {
            let entry = entry(i);
            bytes += entry.cost(prefix_len);
            like = like.filter(|like| entry.is_like(like));
        }
        let uniform = like.map(|like| Uniform {
            suffix: (like.key.len() - prefix_len) as u16,
            value: like.value.len() as u16,
        });
        if uniform.is_some() {
            bytes -= n * SLOT;
        }
        Self { prefix_len, uniform, bytes }
    }

    /// Plans, and packs if the entries fit.
    pub(super) fn fit<'a>(
        page: &mut [u8],
        leaf: bool,
        n: usize,
        entry: &impl Fn(usize) -> Entry<'a>,
    ) -> bool {
        let plan = Self::of(leaf, n, entry);
        let fits = plan.bytes <= page.len();
        if fits {
            plan.pack(page, leaf, n, entry);
        }
        fits
    }

    /// Writes the entries planned; the pager's header stays, all else is made anew.
    pub(super) fn pack<'a>(
        &self,
        page: &mut [u8],
        leaf: bool,
        n: usize,
        entry: &impl Fn(usize) -> Entry<'a>,
    ) {
        assert!(self.bytes <= page.len(), "entries overflow the page");
        let heads = HEADER + self.prefix_len;
        let slots = heads + n * HEAD;
        let uniform = self.uniform;
        let keys = slots + if uniform.is_none() { n * SLOT } else { 0 };
        let (keys_end, values) = (keys, page.len());
        let mut areas =
            Areas { count: n, heads, slots, keys, keys_end, values, garbage: 0, uniform };
        if self.prefix_len > 0 {
            entry(n - 1).key.copy(0, &mut page[HEADER..heads]);
        }
        for i in 0..n {
            let Entry { mut key, value, extent } = entry(i);
            let mut prefix_len = self.prefix_len;
            if i == 0 && !leaf {
                (key, prefix_len) = (Key::default(), 0);
            }
            let mut slot = Slot::default();
            slot.set_key(areas.keys_end - keys, key.len() - prefix_len);
            let mut head = [0; HEAD];
            let rest = &mut page[areas.keys_end..areas.keys_end + slot.rest_len()];
            if key.prefix.len() == prefix_len {
                head = key.head;
                rest.copy_from_slice(key.rest);
            } else {
                key.copy(prefix_len, &mut head[..usize::from(slot.key_len).min(HEAD)]);
                key.copy(prefix_len + HEAD, rest);
            }
            areas.keys_end += slot.rest_len();
            let at = heads + i * HEAD;
            page[at..at + HEAD].copy_from_slice(&u32::from_be_bytes(head).to_le_bytes());
            areas.values -= value.len();
            page[areas.values..][..value.len()].copy_from_slice(value);
            slot.set_value(areas.values, value.len(), extent);
            if uniform.is_none() {
                slot.write(page, &areas, i);
            }
        }
        page[areas.keys_end..areas.values].fill(0);
        areas.write(page);
    }
}

/// Packs a leaf anew: the entries of `old`, if there is one, and of the `count` rows behind them, which
/// ascend, as many as fit. How many did; at least one, where there is no `old`.
pub(crate) fn fill<'a>(
    page: &mut [u8],
    old: Option<&'a [u8]>,
    count: usize,
    row: &impl Fn(usize) -> (&'a [u8], &'a [u8]),
) -> usize {
    let old = old.map(Node::new);
    let before = old.map_or(0, |old| old.count());
    let entry = |i: usize| match old {
        Some(old) if i < before => old.entry(i),
        _ => row_entry(row(i - before)),
    };
    let (n, plan) = most(page.len(), before, before + count, &entry);
    if let Some(plan) = plan {
        plan.pack(page, true, n, &entry);
    }
    n - before
}

/// How many of `count` rows [`fill`] would take into an empty leaf.
pub(crate) fn fitting<'a>(
    page_size: usize,
    count: usize,
    row: &impl Fn(usize) -> (&'a [u8], &'a [u8]),
) -> usize {
    most(page_size, 0, count, &|i| row_entry(row(i))).0
}

fn row_entry<'a>((key, value): (&'a [u8], &'a [u8])) -> Entry<'a> {
    Entry { key: Key::whole(key), value, extent: false }
}

/// The most of `count` ascending entries that fit a leaf, the first `before` of which are known to, and how
/// they are packed.
fn most<'a>(
    page_size: usize,
    before: usize,
    count: usize,
    entry: &impl Fn(usize) -> Entry<'a>,
) -> (usize, Option<Plan>) {
    let mut measure: Option<Measure<'a>> = None;
    let mut n = 0;
    while n < count {
        let next = Measure::with(measure.as_ref(), n, entry);
        if next.bytes(n + 1) > page_size && n >= before.max(1) {
            break;
        }
        n += 1;
        measure = Some(next);
    }
    (n, measure.map(|measure| measure.plan(n)))
}

/// What decides how many bytes a list of ascending leaf entries takes; grows entry by entry.
#[derive(Clone, Copy)]
struct Measure<'a> {
    first: Entry<'a>,
    /// Bytes that all keys begin with.
    common: usize,
    longest: usize,
    prefix_len: usize,
    /// Bytes of what is left of all keys without prefix and heads.
    rests: usize,
    values: usize,
    uniform: bool,
}

impl<'a> Measure<'a> {
    /// With entry `n` added to those before it.
    fn with(before: Option<&Measure<'a>>, n: usize, entry: &impl Fn(usize) -> Entry<'a>) -> Self {
        let new = entry(n);
        let length = new.key.len();
        let Some(before) = before else {
            return Measure {
                first: new,
                common: length,
                longest: length,
                prefix_len: 0,
                rests: length.saturating_sub(HEAD),
                values: new.value.len(),
                uniform: new.is_like(&new),
            };
        };
        let common = before.common.min(before.first.key.common_with(&new.key));
        let longest = before.longest.max(length);
        // As `Plan::of` chooses it.
        let prefix_len = common.min(longest.saturating_sub(HEAD));
        let rest = |key: &Key<'_>| key.len().saturating_sub(prefix_len + HEAD);
        let rests = if prefix_len == before.prefix_len {
            before.rests + rest(&new.key)
        } else {
            // Rarely: it only falls with what is common, or rises with the longest key up to that.
            (0..=n).map(|i| rest(&entry(i).key)).sum()
        };
        Measure {
            first: before.first,
            common,
            longest,
            prefix_len,
            rests,
            values: before.values + new.value.len(),
            uniform: before.uniform && new.is_like(&before.first),
        }
    }

    /// The bytes that `n` entries take.
    fn bytes(&self, n: usize) -> usize {
        let per_entry = if self.uniform { HEAD } else { PER_ENTRY };
        HEADER + self.prefix_len + self.rests + self.values + n * per_entry
    }

    /// What [`Plan::of`] would make of them.
    fn plan(&self, n: usize) -> Plan {
        let uniform = self.uniform.then(|| Uniform {
            suffix: (self.first.key.len() - self.prefix_len) as u16,
            value: self.first.value.len() as u16,
        });
        Plan { prefix_len: self.prefix_len, uniform, bytes: self.bytes(n) }
    }
}
