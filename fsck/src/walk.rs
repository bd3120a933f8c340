//! Reading nodes, from bytes that nobody has vouched for; and who owns which page.
//!
//! Written from the layout in `docs/format.md`, not with the engine's code: every offset is
//! checked where it is used, and keys are compared as plain byte strings.

use std::fmt;

/// What a page is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing yet.
    None = 0,
    /// Superblocks, map, log: one owner, the file itself.
    Fixed = 1,
    /// A node of a tree.
    Node = 2,
    /// The first page of a large value, where its owners are counted.
    Extent = 3,
    /// Another page of a large value.
    ExtentBody = 4,
    /// A raw page of a stored machine.
    Raw = 5,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::None => "nothing",
            Role::Fixed => "superblock, map or log",
            Role::Node => "a node",
            Role::Extent => "the head of a large value",
            Role::ExtentBody => "a part of a large value",
            Role::Raw => "a page of a stored machine",
        })
    }
}

/// For each page its role and how many owners were met: 3 and 29 bits.
pub(crate) struct Roles(Vec<u32>);

const OWNERS: u32 = (1 << 29) - 1;

impl Roles {
    /// `None`: not enough memory.
    pub(crate) fn new(pages: u64) -> Option<Roles> {
        let pages = usize::try_from(pages).ok()?;
        let mut words = Vec::new();
        words.try_reserve_exact(pages).ok()?;
        words.resize(pages, 0);
        Some(Roles(words))
    }

    /// Of no page.
    pub(crate) fn none() -> Roles {
        Roles(Vec::new())
    }

    pub(crate) fn pages(&self) -> u64 {
        self.0.len() as u64
    }

    /// One more owner, that uses the page as `role`. The role it had before; the owner is not
    /// counted if that was another one. Of a page that is not there: `Role::Fixed`.
    pub(crate) fn claim(&mut self, page: u64, role: Role) -> Role {
        let Some(word) = usize::try_from(page).ok().and_then(|page| self.0.get_mut(page)) else {
            return Role::Fixed;
        };
        let before = role_of(*word);
        if before == Role::None || before == role {
            let owners = (*word & OWNERS).saturating_add(1).min(OWNERS);
            *word = (role as u32) << 29 | owners;
        }
        before
    }

    pub(crate) fn get(&self, page: u64) -> (Role, u32) {
        let word = usize::try_from(page).ok().and_then(|page| self.0.get(page)).copied();
        word.map_or((Role::None, 0), |word| (role_of(word), word & OWNERS))
    }
}

fn role_of(word: u32) -> Role {
    match word >> 29 {
        0 => Role::None,
        1 => Role::Fixed,
        2 => Role::Node,
        3 => Role::Extent,
        4 => Role::ExtentBody,
        _ => Role::Raw,
    }
}

/// What is wrong with a node's structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

fn fault<T>(what: impl Into<String>, expected: usize, found: usize) -> Result<T, Fault> {
    Err(Fault { what: what.into(), expected: expected as u64, found: found as u64 })
}

/// A node's bytes, its areas known to lie inside the page.
pub(crate) struct NodeReader<'a> {
    page: &'a [u8],
    count: usize,
    prefix: &'a [u8],
    heads: &'a [u8],
    /// Empty in a uniform leaf.
    slots: &'a [u8],
    /// In a uniform leaf: the length of each suffix, and of each value.
    lengths: Option<(usize, usize)>,
    keys: &'a [u8],
    values_start: usize,
    garbage: usize,
}

/// An entry as its slot describes it.
pub(crate) struct EntryReader<'a> {
    prefix: &'a [u8],
    head: [u8; 4],
    head_len: usize,
    rest: &'a [u8],
    /// The value's bytes.
    pub(crate) value: &'a [u8],
    /// The value is an extent's encoding.
    pub(crate) extent: bool,
}

impl EntryReader<'_> {
    /// Makes `to` the entry's key.
    pub(crate) fn key(&self, to: &mut Vec<u8>) {
        to.clear();
        to.extend_from_slice(self.prefix);
        to.extend_from_slice(&self.head[..self.head_len]);
        to.extend_from_slice(self.rest);
    }
}

const HEADER: usize = 64;

fn u16_at(bytes: &[u8], at: usize) -> usize {
    let word = bytes.get(at..at + 2).map_or([0; 2], |b| [b[0], b[1]]);
    u16::from_le_bytes(word).into()
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    let word = bytes.get(at..at + 4).map_or([0; 4], |b| [b[0], b[1], b[2], b[3]]);
    u32::from_le_bytes(word) as usize
}

/// A key behind the prefix as a node has it: its head, how many bytes of that count, and the rest.
type SplitKey<'a> = ([u8; 4], usize, &'a [u8]);

impl<'a> NodeReader<'a> {
    /// Reads the header and finds the areas.
    pub(crate) fn new(page: &'a [u8]) -> Result<NodeReader<'a>, Fault> {
        let size = page.len();
        if size < HEADER {
            return fault("bytes of a page", HEADER, size);
        }
        let count = u16_at(page, 6);
        let prefix_len = u16_at(page, 40);
        let keys_len = u32_at(page, 44);
        let values_start = u32_at(page, 48);
        let area = |what, from: usize, length: usize| {
            let end = from.saturating_add(length);
            match page.get(from..end) {
                Some(bytes) => Ok((bytes, end)),
                None => fault(what, size, end),
            }
        };
        let (prefix, at) = area("end of the prefix", HEADER, prefix_len)?;
        let (heads, at) = area("end of the key heads", at, 4 * count)?;
        let uniform = match u16_at(page, 42) {
            0 => false,
            1 if page[5] == 0 => true,
            form => return fault("form of a node", 0, form),
        };
        let (slots, at) = area("end of the slots", at, if uniform { 0 } else { 8 * count })?;
        let (keys, at) = area("end of the key area", at, keys_len)?;
        if values_start > size || at > values_start {
            return fault("start of the values", at, values_start);
        }
        if prefix_len > size / 4 {
            return fault("length of the prefix (at most)", size / 4, prefix_len);
        }
        let reserved = if uniform { &page[60..64] } else { &page[56..64] };
        if reserved.iter().any(|&b| b != 0) {
            return fault("reserved bytes of the header", 0, 1);
        }
        let garbage = u32_at(page, 52);
        if count == 0 {
            return fault("entries of a node (at least)", 1, 0);
        }
        let lengths = uniform.then(|| (u16_at(page, 56), u16_at(page, 58)));
        if let Some((suffix, value)) = lengths {
            if value > 0x7FFF {
                return fault("length of the values (at most)", 0x7FFF, value);
            }
            if count * suffix.saturating_sub(4) != keys_len {
                return fault("key area", count * suffix.saturating_sub(4), keys_len);
            }
            if count * value != size - values_start {
                return fault("value area", count * value, size - values_start);
            }
        }
        Ok(NodeReader { page, count, prefix, heads, slots, lengths, keys, values_start, garbage })
    }

    /// Where entry `i`'s rest begins in the key area, the length of its suffix, where its value begins in
    /// the page, and its length with the extent's bit.
    fn slot(&self, i: usize) -> [usize; 4] {
        match self.lengths {
            None => std::array::from_fn(|field| u16_at(&self.slots[8 * i..8 * i + 8], 2 * field)),
            Some((suffix, value)) => {
                let value_at = if value == 0 { 0 } else { self.page.len() - (i + 1) * value };
                [i * suffix.saturating_sub(4), suffix, value_at, value]
            }
        }
    }

    pub(crate) fn is_leaf(&self) -> bool {
        self.page[5] == 0
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Child `i` of an inner node that is sound, and its key behind the prefix: see
    /// [`NodeReader::set_key`].
    #[inline]
    pub(crate) fn child(&self, i: usize) -> Option<(&'a [u8], SplitKey<'a>)> {
        let [key_at, key_len, value_at, value] = self.slot(i);
        let head = self.heads.get(4 * i..4 * i + 4)?;
        let head = [head[3], head[2], head[1], head[0]];
        let rest = self.keys.get(key_at..key_at + key_len.saturating_sub(4))?;
        Some((self.page.get(value_at..value_at + value)?, (head, key_len.min(4), rest)))
    }

    /// Makes `to` the key of a child that is not the first. It begins with the prefix already.
    #[inline]
    pub(crate) fn set_key(&self, to: &mut Vec<u8>, key: SplitKey<'_>) {
        to.truncate(self.prefix.len());
        to.extend_from_slice(&key.0);
        to.truncate(self.prefix.len() + key.1);
        to.extend_from_slice(key.2);
    }

    /// Does all stand where it stands in `other`, with the same keys? Then both are sound, or none is.
    pub(crate) fn has_layout_of(&self, other: &NodeReader<'_>) -> bool {
        let keys_end = self.page.len().min(
            HEADER + self.prefix.len() + self.heads.len() + self.slots.len() + self.keys.len(),
        );
        // Kind, level and count; all lengths; what has these lengths.
        self.page.len() == other.page.len()
            && self.page[4..8] == other.page[4..8]
            && self.page[40..keys_end] == other.page[40..keys_end]
    }

    /// The whole page.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.page
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// No value is an extent.
    pub(crate) fn has_no_extent(&self) -> bool {
        self.lengths.is_some() || (0..self.count).all(|i| self.slot(i)[3] & 0x8000 == 0)
    }

    /// Entry `i`; every offset is checked.
    pub(crate) fn entry(&self, i: usize) -> Result<EntryReader<'a>, Fault> {
        if i >= self.count {
            return fault("number of an entry (below)", self.count, i);
        }
        let keyless = i == 0 && !self.is_leaf();
        let [key_at, key_len, value_at, value] = self.slot(i);
        let (value_len, extent) = (value & 0x7FFF, value & 0x8000 != 0);
        let stored = u32_at(self.heads, 4 * i) as u32;
        let head = stored.to_be_bytes();
        let head_len = key_len.min(4);
        let rest_len = key_len - head_len;
        if head[head_len..].iter().any(|&b| b != 0) {
            return fault(format!("padding of the head of entry {i}"), 0, stored as usize);
        }
        let Some(rest) = self.keys.get(key_at..key_at + rest_len) else {
            return fault(
                format!("end of the key of entry {i}"),
                self.keys.len(),
                key_at + rest_len,
            );
        };
        if rest_len == 0 && key_at != 0 || value_len == 0 && value_at != 0 {
            return fault(format!("offset of nothing in entry {i}"), 0, key_at.max(value_at));
        }
        if keyless && (key_len != 0 || stored != 0) {
            return fault("key of an inner node's first entry", 0, key_len);
        }
        let Some(value) = self.page.get(value_at..value_at + value_len) else {
            return fault(
                format!("end of the value of entry {i}"),
                self.page.len(),
                value_at + value_len,
            );
        };
        if value_len > 0 && value_at < self.values_start {
            return fault(format!("start of the value of entry {i}"), self.values_start, value_at);
        }
        if !self.is_leaf() && (value_len != 26 || extent) {
            return fault(format!("length of child {i}"), 26, value_len);
        }
        let prefix = if keyless { &[] } else { self.prefix };
        let key_len = prefix.len() + key_len;
        if key_len > self.page.len() / 4 {
            return fault(
                format!("length of the key of entry {i} (at most)"),
                self.page.len() / 4,
                key_len,
            );
        }
        let entry_max = (self.page.len() - HEADER) / 2 - 12;
        if key_len + value_len > entry_max {
            return fault(format!("length of entry {i} (at most)"), entry_max, key_len + value_len);
        }
        Ok(EntryReader { prefix, head, head_len, rest, value, extent })
    }

    /// Is every entry readable, do the keys ascend, and does every byte belong to one entry or to the
    /// garbage? The same as asking [`NodeReader::entry`], the keys and [`NodeReader::accounts`], sooner.
    /// `used` is room to work in.
    pub(crate) fn is_sound(&self, used: &mut Vec<u64>) -> bool {
        match self.lengths {
            Some((suffix, value)) => self.is_sound_uniform(suffix, value),
            None => self.is_sound_slotted(used),
        }
    }

    /// The header alone says where everything is: see [`NodeReader::new`].
    fn is_sound_uniform(&self, suffix: usize, value: usize) -> bool {
        let size = self.page.len();
        let key = self.prefix.len() + suffix;
        if self.garbage != 0 || key > size / 4 || key + value > (size - HEADER) / 2 - 12 {
            return false;
        }
        let padding = u32::MAX.checked_shr(8 * suffix as u32).unwrap_or(0);
        let (heads, _) = self.heads.as_chunks::<4>();
        let rest = suffix.saturating_sub(4);
        let mut before = 0;
        for (i, &head) in heads.iter().enumerate() {
            let head = u32::from_le_bytes(head);
            let ascends = i == 0
                || before < head
                || before == head
                    && self.keys[(i - 1) * rest..i * rest] < self.keys[i * rest..(i + 1) * rest];
            if head & padding != 0 || !ascends {
                return false;
            }
            before = head;
        }
        true
    }

    fn is_sound_slotted(&self, used: &mut Vec<u64>) -> bool {
        used.clear();
        used.resize(self.page.len().div_ceil(64), 0);
        let keys_at = HEADER + self.prefix.len() + self.heads.len() + self.slots.len();
        let mut live = 0;
        let mut before: Option<([u8; 4], &[u8], usize)> = None;
        for i in 0..self.count {
            let Ok(entry) = self.entry(i) else { return false };
            let [key_at, key_len, value_at, _] = self.slot(i);
            if !use_up(used, keys_at + key_at, entry.rest.len())
                || !use_up(used, value_at, entry.value.len())
            {
                return false;
            }
            live += entry.rest.len() + entry.value.len();
            let key = (entry.head, entry.rest, key_len);
            if before.is_some_and(|before| before >= key) {
                return false;
            }
            // The first key of an inner node is none.
            before = (i > 0 || self.is_leaf()).then_some(key);
        }
        live + self.garbage == self.keys.len() + self.page.len() - self.values_start
    }

    /// Does every byte of the two areas belong to one entry, or to the garbage that is counted?
    pub(crate) fn accounts(&self, spans: &mut Vec<(usize, usize)>) -> Result<(), Fault> {
        spans.clear();
        let keys_at = HEADER + self.prefix.len() + self.heads.len() + self.slots.len();
        let mut live = 0;
        for i in 0..self.count {
            let [key_at, key_len, value_at, value] = self.slot(i);
            let (rest, value) = (key_len.saturating_sub(4), value & 0x7FFF);
            if rest > 0 {
                spans.push((keys_at + key_at, rest));
            }
            if value > 0 {
                spans.push((value_at, value));
            }
            live += rest + value;
        }
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if pair[0].0 + pair[0].1 > pair[1].0 {
                return fault("bytes that two entries use", pair[0].0 + pair[0].1, pair[1].0);
            }
        }
        let areas = self.keys.len() + self.page.len() - self.values_start;
        match areas.checked_sub(live) {
            Some(garbage) if garbage == self.garbage => Ok(()),
            _ => {
                fault("garbage and live bytes of a node", areas, live.saturating_add(self.garbage))
            }
        }
    }
}

/// Marks bytes of a page, one bit each; false: some were marked before.
#[inline]
fn use_up(used: &mut [u64], mut at: usize, length: usize) -> bool {
    let end = at + length;
    let mut free = true;
    while at < end {
        let bits = (64 - at % 64).min(end - at);
        let mask = (u64::MAX >> (64 - bits)) << (at % 64);
        free &= used[at / 64] & mask == 0;
        used[at / 64] |= mask;
        at += bits;
    }
    free
}
