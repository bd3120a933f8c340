//! The rows that are written and read: named by number, made from a seed.
//!
//! Row `id` has a key of random bytes and a value of incompressible ones. Both are made when they are
//! needed, so a measured process holds no copy of the data set and its peak memory is the store's.
//! A value carries the number of the transaction that wrote it, hidden in its first eight bytes, and
//! the rest follows from that number and the row's: any value read back can be judged by itself.

use std::ops::Range;

use fastrand::Rng;

/// Transaction number of the rows that the bulk load writes.
pub const LOADED: u64 = 0;

/// Shortest value: the hidden transaction number needs eight bytes, proof of identity some more.
pub const VALUE_BYTES_MIN: usize = 16;

// Odd constants with well-mixed bits, so that neighbouring numbers seed unrelated streams.
const KEY_STREAM: u64 = 0x9e37_79b9_7f4a_7c15;
const VALUE_STREAM: u64 = 0xd1b5_4a32_d192_ed03;
const TRANSACTION_STREAM: u64 = 0x8cb9_2ba7_2f3d_8dd7;

/// A data set and the operations on it. Two with the same fields are the same, byte for byte.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Whence every byte and every choice follows.
    pub seed: u64,
    /// Number of rows.
    pub keys: u64,
    /// Length of each key.
    pub key_bytes: usize,
    /// Length of each value.
    pub value_bytes: usize,
}

impl Workload {
    /// Puts the key of row `id` into `key`.
    pub fn key(&self, id: u64, key: &mut Vec<u8>) {
        key.resize(self.key_bytes, 0);
        Rng::with_seed(self.seed ^ id.wrapping_mul(KEY_STREAM)).fill(key);
    }

    /// Puts the value that transaction number `transaction` gives to row `id` into `value`.
    pub fn value(&self, id: u64, transaction: u64, value: &mut Vec<u8>) {
        value.resize(self.value_bytes, 0);
        let (head, tail) = value.split_at_mut(8);
        head.copy_from_slice(&(transaction ^ self.veil(id)).to_le_bytes());
        Rng::with_seed(self.veil(id) ^ transaction.wrapping_mul(VALUE_STREAM)).fill(tail);
    }

    /// Which transaction wrote this value of row `id`; `None` if no transaction can have.
    pub fn writer_of(&self, id: u64, value: &[u8]) -> Option<u64> {
        let head: [u8; 8] = value.get(..8)?.try_into().ok()?;
        let transaction = u64::from_le_bytes(head) ^ self.veil(id);
        let mut expected = Vec::new();
        self.value(id, transaction, &mut expected);
        (expected == value).then_some(transaction)
    }

    /// The rows that transaction number `transaction` overwrites, with repetitions as chance wants.
    pub fn overwritten(&self, transaction: u64, rows: u64) -> impl Iterator<Item = u64> + use<> {
        let keys = self.keys;
        let mut choice = self.choice(transaction.wrapping_mul(TRANSACTION_STREAM));
        (0..rows).map(move |_| choice.u64(0..keys))
    }

    /// All rows in an order of chance. The first half is what the removals remove.
    ///
    /// # Panics
    /// If there are more rows than a `u32` counts: the list must stay small beside the store.
    pub fn shuffled(&self) -> Vec<u32> {
        let keys = u32::try_from(self.keys).expect("at most u32::MAX keys");
        let mut ids: Vec<u32> = (0..keys).collect();
        self.choice(TRANSACTION_STREAM).shuffle(&mut ids);
        ids
    }

    /// All rows in the order of their keys.
    ///
    /// # Panics
    /// As [`Workload::shuffled`].
    pub fn sorted(&self) -> Vec<u32> {
        let keys = u32::try_from(self.keys).expect("at most u32::MAX keys");
        let mut ids: Vec<u32> = (0..keys).collect();
        ids.sort_by_cached_key(|&id| {
            let mut key = Vec::new();
            self.key(id.into(), &mut key);
            key
        });
        ids
    }

    /// Random choices of row numbers; `purpose` tells independent users apart.
    pub fn choice(&self, purpose: u64) -> Rng {
        Rng::with_seed(self.seed.rotate_left(32) ^ purpose)
    }

    /// What hides the transaction number of row `id`'s values (a small number would compress).
    fn veil(&self, id: u64) -> u64 {
        Rng::with_seed(self.seed.wrapping_add(id.wrapping_mul(VALUE_STREAM))).u64(..)
    }
}

/// Some rows made ahead of their use, so that making them is not in the measured time.
#[derive(Debug, Default)]
pub struct Prepared {
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
    rows: usize,
}

impl Prepared {
    /// Replaces the prepared rows by `ids` as transaction number `transaction` writes them.
    pub fn fill(
        &mut self,
        workload: &Workload,
        transaction: u64,
        ids: impl IntoIterator<Item = u64>,
    ) {
        self.rows = 0;
        for id in ids {
            if self.rows == self.keys.len() {
                self.keys.push(Vec::new());
                self.values.push(Vec::new());
            }
            workload.key(id, &mut self.keys[self.rows]);
            workload.value(id, transaction, &mut self.values[self.rows]);
            self.rows += 1;
        }
    }

    /// The prepared rows: key and value of each.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.keys.iter().zip(&self.values).take(self.rows).map(|(k, v)| (&k[..], &v[..]))
    }
}

/// The numbers of `range` in pieces of at most `length`.
pub fn pieces(range: Range<u64>, length: u64) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range.step_by(length as usize).map(move |start| start..end.min(start + length))
}

/// Reads every byte of `bytes`, as a user of the value would, and gives something to show for it.
pub fn touch(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let sum = words.by_ref().fold(0u64, |sum, word| {
        sum.wrapping_add(u64::from_le_bytes(word.try_into().expect("chunks of eight")))
    });
    words.remainder().iter().fold(sum, |sum, &byte| sum.wrapping_add(u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SMALL: Workload = Workload { seed: 7, keys: 1000, key_bytes: 24, value_bytes: 150 };

    #[test]
    fn keys_differ_and_repeat() {
        let mut key = Vec::new();
        let keys = |workload: Workload, key: &mut Vec<u8>| -> HashSet<Vec<u8>> {
            (0..workload.keys)
                .map(|id| {
                    workload.key(id, key);
                    key.clone()
                })
                .collect()
        };
        let first = keys(SMALL, &mut key);
        assert_eq!(first.len(), 1000);
        assert_eq!(first, keys(SMALL, &mut key));
        assert!(first.is_disjoint(&keys(Workload { seed: 8, ..SMALL }, &mut key)));
    }

    #[test]
    fn a_value_names_its_writer() {
        let mut value = Vec::new();
        for transaction in [LOADED, 1, 17, u64::MAX] {
            SMALL.value(3, transaction, &mut value);
            assert_eq!(value.len(), 150);
            assert_eq!(SMALL.writer_of(3, &value), Some(transaction));
            assert_eq!(SMALL.writer_of(4, &value), None, "another row's value");
            value[149] ^= 1;
            assert_eq!(SMALL.writer_of(3, &value), None, "a flipped bit");
            assert_eq!(SMALL.writer_of(3, &value[..5]), None, "a stump");
        }
    }

    #[test]
    fn overwrites_repeat_by_transaction() {
        let of = |transaction| SMALL.overwritten(transaction, 50).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(1).iter().all(|&id| id < SMALL.keys));
    }

    #[test]
    fn shuffled_has_every_row_once() {
        let mut ids = SMALL.shuffled();
        assert_ne!(ids, (0..1000).collect::<Vec<_>>());
        ids.sort_unstable();
        assert_eq!(ids, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn sorted_has_every_row_in_the_order_of_keys() {
        let mut ids = SMALL.sorted();
        let key = |id: u32| {
            let mut key = Vec::new();
            SMALL.key(id.into(), &mut key);
            key
        };
        assert!(ids.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        ids.sort_unstable();
        assert_eq!(ids, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn pieces_cover_the_range() {
        assert_eq!(pieces(0..5, 2).collect::<Vec<_>>(), [0..2, 2..4, 4..5]);
        assert_eq!(pieces(3..3, 2).count(), 0);
    }

    #[test]
    fn touch_reads_every_byte() {
        let mut bytes = [0u8; 150];
        for place in 0..bytes.len() {
            bytes[place] = 1;
            assert_ne!(touch(&bytes), 0, "byte {place}");
            bytes[place] = 0;
        }
    }
}
