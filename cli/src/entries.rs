//! The entries of a range one after the other, values of any size included.
//!
//! The library's iterator gives each value whole, and ends where one is too large for that. Here
//! such a value is handed out as a reader, and the walk goes on behind it.

use std::ops::Bound;

use cowslip::{Error, Key, ReadTable, ValueReader};

use crate::failure::Failure;

/// A range of keys, and the end to begin at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range {
    /// The first key.
    pub(crate) from: Vec<u8>,
    /// The first key that is no part of it any more.
    pub(crate) to: Option<Vec<u8>>,
    /// From the last entry to the first.
    pub(crate) reverse: bool,
}

impl Range {
    /// Whether no key can lie in it; a range that ends before it begins is no error.
    pub(crate) fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }

    /// Its bounds, for the library.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let to = self.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(&self.from), to)
    }
}

/// A value on the way.
pub(crate) enum Found<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// One that is too large to be held.
    Long(ValueReader<'a>),
}

/// Calls `each` with every entry of `range` in turn, until it answers `false`.
pub(crate) fn each(
    table: &ReadTable,
    mut range: Range,
    mut each: impl FnMut(&[u8], Found<'_>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    while !range.is_empty() {
        let mut entries = table.range::<&[u8]>(range.bounds())?;
        let mut last: Option<Key> = None;
        loop {
            let entry = if range.reverse { entries.next_back() } else { entries.next() };
            match entry {
                None => return Ok(()),
                Some(Ok((key, value))) => {
                    if !each(&key, Found::Whole(&value))? {
                        return Ok(());
                    }
                    last = Some(key);
                }
                Some(Err(Error::ValueTooLarge { .. })) => break,
                Some(Err(error)) => return Err(error.into()),
            }
        }
        drop(entries);
        range.pass(last.as_deref());
        let key = key_at_the_end(table, &range)?;
        if let Some(reader) = table.reader(&key)?
            && !each(&key, Found::Long(reader))?
        {
            return Ok(());
        }
        range.pass(Some(&key));
    }
    Ok(())
}

impl Range {
    /// Leaves out what lies up to `key`, which has been seen.
    fn pass(&mut self, key: Option<&[u8]>) {
        let Some(key) = key else { return };
        if self.reverse {
            self.to = Some(key.to_vec());
        } else {
            self.from = key.to_vec();
            self.from.push(0);
        }
    }
}

/// The key of the entry at the beginning of `range` (its end, in reverse), which is there but has a
/// value that the iterator does not give. Byte by byte, by asking whether parts of the range are
/// empty: a few hundred look-ups of inner pages, little beside such a value.
fn key_at_the_end(table: &ReadTable, range: &Range) -> Result<Vec<u8>, Failure> {
    let mut key = Vec::new();
    loop {
        // A key stands before all that it begins.
        let whole = if range.reverse {
            let longer = Range { from: [&key[..], &[0]].concat(), ..range.clone() };
            !holds_any(table, &longer)?
        } else {
            key >= range.from && table.reader(&key)?.is_some()
        };
        if whole {
            return Ok(key);
        }
        // The byte that comes next is the least (greatest) one up to (from) which there is a key.
        let (mut low, mut high) = (0_u8, 255);
        while low < high {
            let middle = low + (high - low) / 2;
            // Up to `middle`, or from the byte after it on.
            let bound = [&key[..], &[middle + 1]].concat();
            let part = if range.reverse {
                Range { from: bound, ..range.clone() }
            } else {
                Range { to: Some(bound), ..range.clone() }
            };
            if holds_any(table, &part)? == range.reverse {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        key.push(low);
    }
}

fn holds_any(table: &ReadTable, range: &Range) -> Result<bool, Failure> {
    if range.is_empty() {
        return Ok(false);
    }
    let mut entries = table.range::<&[u8]>(range.bounds())?;
    match if range.reverse { entries.next_back() } else { entries.next() } {
        None => Ok(false),
        Some(Ok(_) | Err(Error::ValueTooLarge { .. })) => Ok(true),
        Some(Err(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use cowslip::Database;

    use super::*;

    /// A table whose entries all have the value that their key is.
    fn table(keys: &[&[u8]]) -> ReadTable {
        let db = Database::in_memory().unwrap();
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for key in keys {
                table.insert(key, key).unwrap();
            }
        }
        tx.commit().unwrap();
        db.begin_read().unwrap().open_table("t").unwrap()
    }

    #[test]
    fn the_key_at_either_end_is_found_without_its_value() {
        let keys: [&[u8]; 9] =
            [b"", b"\0", b"\0\0", b"a", b"a\0", b"a\xff\xff", b"b", b"\xff", b"\xff\xff\x01"];
        let table = table(&keys);
        for (i, from) in keys.iter().enumerate() {
            for (j, to) in keys.iter().enumerate().skip(i + 1) {
                let mut range =
                    Range { from: from.to_vec(), to: Some(to.to_vec()), reverse: false };
                assert_eq!(key_at_the_end(&table, &range).unwrap(), *from);
                range.reverse = true;
                assert_eq!(key_at_the_end(&table, &range).unwrap(), keys[j - 1]);
            }
            let mut range = Range { from: from.to_vec(), to: None, reverse: true };
            assert_eq!(key_at_the_end(&table, &range).unwrap(), keys[8]);
            range.from.push(0);
            range.reverse = false;
            if let Some(next) = keys.get(i + 1) {
                assert_eq!(key_at_the_end(&table, &range).unwrap(), *next);
            }
        }
    }

    #[test]
    fn long_values_are_read_in_their_place() {
        let db = Database::in_memory().unwrap();
        let tx = db.begin_write().unwrap();
        let long = 17 << 20;
        {
            let mut table = tx.open_table("t").unwrap();
            for key in ["a", "c", "e"] {
                table.insert(key.as_bytes(), b"short").unwrap();
            }
            for key in ["b", "d", "f", "fx"] {
                let value = std::io::Read::take(std::io::repeat(key.as_bytes()[0]), long);
                table.insert_from(key.as_bytes(), value).unwrap();
            }
        }
        tx.commit().unwrap();
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        for (reverse, expected) in [(false, "a B c D e F FX "), (true, "FX F e D c B a ")] {
            let mut seen = String::new();
            each(&table, Range { reverse, ..Range::default() }, |key, found| {
                let key = String::from_utf8(key.to_vec()).unwrap();
                match found {
                    Found::Whole(value) => assert_eq!(value, b"short"),
                    Found::Long(ref value) => assert_eq!(value.len(), long),
                }
                let long = matches!(found, Found::Long(_));
                seen += &if long { key.to_uppercase() } else { key };
                seen.push(' ');
                Ok(true)
            })
            .unwrap();
            assert_eq!(seen, expected);
        }
    }
}
