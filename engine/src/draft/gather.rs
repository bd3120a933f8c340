//! Rows on their way into a table, held back until many of them can be written at once.
//!
//! Where a table is empty, whether a key "was there already" is known without looking into the tree.
//! So its rows are gathered in memory, and enter the tree in order, in full leaves: a load
//! in random order costs a sort, and leaves no half-empty pages. The same goes for
//! rows that ascend behind the last row of a table.
//!
//! ```text
//!  insert  ->  | key value | key value | ...     bytes, in order of arrival
//!                ^ row       ^ row               sorted when they are asked for
//!              index: hash of a key -> row       made when a key first comes out of order
//! ```
//!
//! Nobody sees the difference: whatever is not an insertion into this table makes the rows enter the
//! tree first. Memory is bounded by what [`Gathered::insert`] is told.

use cowslip_pager::prefetch;

use crate::key_index::KeyIndex;

/// The rows that a table's tree has not got yet.
pub(super) struct Gathered {
    /// Keys and values, one behind the other.
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// Set once keys have come in another order than ascending.
    index: Option<KeyIndex>,
    /// May they?
    any_order: bool,
}

#[derive(Clone, Copy)]
struct Row {
    /// The key's first eight bytes, as a number of the same order.
    head: u64,
    at: u32,
    key: u16,
    value: u16,
}

/// What became of a row that was to be gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It is in; its key was new.
    New,
    /// It is in, in place of another value of its key.
    Replaced,
    /// It has to wait until the others are in the tree.
    Refused,
}

impl Gathered {
    /// Without `any_order` only ascending keys are taken.
    pub(super) fn new(any_order: bool) -> Gathered {
        Gathered { bytes: Vec::new(), rows: Vec::new(), index: None, any_order }
    }

    /// Takes a row, if the order allows it, and if all of them then take at most `limit` bytes. Key and value
    /// fit a leaf.
    pub(super) fn insert(&mut self, key: &[u8], value: &[u8], limit: usize) -> Entered {
        let out_of_order = self.index.is_none() && !self.is_above_last(key);
        if out_of_order && !self.any_order {
            return Entered::Refused;
        }
        let index = match &self.index {
            Some(index) => index.growth(),
            None if out_of_order => KeyIndex::memory_for(self.rows.len() + 1),
            None => 0,
        };
        let more = key.len() + value.len() + size_of::<Row>() + index;
        if self.memory() + more > limit.min(u32::MAX as usize / 2) {
            return Entered::Refused;
        }
        if out_of_order {
            self.index = Some(self.index_all());
        }
        let Some(index) = &mut self.index else {
            self.push(key, value);
            return Entered::New;
        };
        let (bytes, rows) = (&self.bytes, &self.rows);
        let place = index.place_of(key, |row| key_of(bytes, rows[row]));
        match place {
            Ok(row) => {
                self.replace(row, value);
                Entered::Replaced
            }
            Err(place) => {
                index.enter(place, self.rows.len());
                self.push(key, value);
                Entered::New
            }
        }
    }

    /// Bytes that the rows and their index take. Room that the vectors have in advance is not touched yet.
    pub(super) fn memory(&self) -> usize {
        let index = self.index.as_ref().map_or(0, KeyIndex::memory);
        self.bytes.len() + size_of::<Row>() * self.rows.len() + index
    }

    fn is_above_last(&self, key: &[u8]) -> bool {
        self.rows.last().is_none_or(|&last| key > key_of(&self.bytes, last))
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.rows.push(Row {
            head: head_of(key),
            at: self.bytes.len() as u32,
            key: key.len() as u16,
            value: value.len() as u16,
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// Gives row `row` another value: where the old one stands if it is no longer, else behind all others.
    fn replace(&mut self, row: usize, value: &[u8]) {
        let old = &mut self.rows[row];
        let (at, key) = (old.at as usize, usize::from(old.key));
        if value.len() > usize::from(old.value) {
            old.at = self.bytes.len() as u32;
            self.bytes.extend_from_within(at..at + key);
            self.bytes.extend_from_slice(value);
        } else {
            self.bytes[at + key..at + key + value.len()].copy_from_slice(value);
        }
        old.value = value.len() as u16;
    }

    fn index_all(&self) -> KeyIndex {
        let mut index = KeyIndex::for_rows(self.rows.len() + 1);
        for (number, &row) in self.rows.iter().enumerate() {
            let key = key_of(&self.bytes, row);
            if let Err(place) = index.place_of(key, |row| key_of(&self.bytes, self.rows[row])) {
                index.enter(place, number);
            }
        }
        index
    }

    /// Puts the rows into the order of their keys.
    pub(super) fn sort(&mut self) {
        if self.index.take().is_some() {
            let bytes = &self.bytes;
            self.rows.sort_unstable_by(|&a, &b| {
                a.head.cmp(&b.head).then_with(|| key_of(bytes, a).cmp(key_of(bytes, b)))
            });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Asks for the memory of row `i`, which stands anywhere: they were gathered in another order.
    pub(super) fn prefetch(&self, i: usize) {
        if let Some(row) = self.rows.get(i) {
            let at = row.at as usize;
            let row = &self.bytes[at..at + usize::from(row.key) + usize::from(row.value)];
            row.iter().step_by(64).for_each(prefetch);
        }
    }

    /// Key and value of row `i`.
    pub(super) fn row(&self, i: usize) -> (&[u8], &[u8]) {
        let row = self.rows[i];
        let (at, key) = (row.at as usize, usize::from(row.key));
        self.bytes[at..at + key + usize::from(row.value)].split_at(key)
    }
}

fn key_of(bytes: &[u8], row: Row) -> &[u8] {
    &bytes[row.at as usize..row.at as usize + usize::from(row.key)]
}

fn head_of(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = key.len().min(8);
    head[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gathered_rows_are_those_of_a_map(
            rows in prop::collection::vec(
                (prop::collection::vec(0..4u8, 0..12), prop::collection::vec(any::<u8>(), 0..9)),
                0..3000,
            ),
            any_order: bool,
        ) {
            let mut gathered = Gathered::new(any_order);
            let mut model = BTreeMap::new();
            for (key, value) in &rows {
                let entered = gathered.insert(key, value, 1 << 20);
                if entered != Entered::Refused {
                    let old = model.insert(key.clone(), value.clone());
                    prop_assert_eq!(entered == Entered::Replaced, old.is_some());
                } else {
                    prop_assert!(!any_order && model.last_key_value().unwrap().0 >= key);
                }
            }
            gathered.sort();
            let rows = (0..gathered.len()).map(|i| gathered.row(i));
            prop_assert!(rows.eq(model.iter().map(|(key, value)| (&key[..], &value[..]))));
        }
    }

    #[test]
    fn gathered_rows_never_take_more_memory_than_they_may() {
        let limit = 1 << 20;
        // Out of order from the beginning, at any later row, or never.
        for first_back in [0, 1, 100, 5000, 8000, 10_000, 20_000, u32::MAX] {
            let mut gathered = Gathered::new(true);
            let mut row = 0u32;
            loop {
                let key = if row < first_back { row } else { row.reverse_bits() };
                let before = gathered.memory();
                if gathered.insert(&key.to_be_bytes(), b"12345678", limit) == Entered::Refused {
                    assert_eq!(gathered.memory(), before);
                    break;
                }
                assert!(gathered.memory() <= limit, "{first_back} {row}");
                row += 1;
            }
            assert!(row > 10_000, "{first_back} {row}");
        }
    }
}
