//! Redo records: what a transaction did, in the words of its user, for the intent log.
//!
//! Records are logical, so replay needs no page of the lost state. Texts and byte strings are a
//! varint length and the bytes.
//!
//! ```text
//! 0 writes           branch, then operations until the end:
//!                      1 table name | 2 insert key value | 3 remove key
//!                      4 remove range from, 0 or 1 to | 5 delete table name
//! 1 create snapshot  branch, name, created u64, label, id u64
//! 2 delete snapshot  name                        6 promote          name
//! 3 rollback         branch, snapshot            7 hold             name, 0 or 1
//! 4 create branch    name, from, created u64     8 several          records 1 to 10, as byte strings
//! 5 delete branch    name                        9 create bookmark  name, snapshot
//!                                               10 delete bookmark  name
//! ```

use cowslip_pager::mutant;

use crate::{
    error::{Error, Result},
    tree::Span,
};

/// A transaction beyond this many bytes is not logged but made durable by a checkpoint (R10).
pub(crate) const REDO_MAX: usize = 8 << 20;
/// A single value beyond this many bytes makes its transaction one of those.
pub(crate) const LOGGED_VALUE_MAX: u64 = 1 << 20;

/// An operation on the tables of a branch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Operation<'a> {
    Table(&'a str),
    Insert(&'a [u8], &'a [u8]),
    Remove(&'a [u8]),
    RemoveRange(Span),
    DeleteTable(&'a str),
}

impl<'a> Operation<'a> {
    /// The one key that it puts or removes.
    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Operation::Insert(key, _) | Operation::Remove(key) => Some(key),
            _ => None,
        }
    }
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Writes {
        branch: &'a str,
        operations: Operations<'a>,
    },
    CreateSnapshot {
        branch: &'a str,
        name: &'a str,
        created: u64,
        label: Option<&'a str>,
        id: u64,
    },
    DeleteSnapshot {
        name: &'a str,
    },
    Rollback {
        branch: &'a str,
        snapshot: &'a str,
    },
    CreateBranch {
        name: &'a str,
        from: &'a str,
        created: u64,
    },
    DeleteBranch {
        name: &'a str,
    },
    Promote {
        name: &'a str,
    },
    Hold {
        name: &'a str,
        held: bool,
    },
    /// Changes of names that happen together.
    Several(Vec<Record<'a>>),
    CreateBookmark {
        name: &'a str,
        snapshot: &'a str,
    },
    DeleteBookmark {
        name: &'a str,
    },
}

// ---- writing ------------------------------------------------------------------------------

/// Collects the operations of a transaction; gives up when they are too many.
#[derive(Debug)]
pub(crate) struct Redo {
    bytes: Vec<u8>,
    table: Option<String>,
    overflown: bool,
    empty: usize,
}

impl Redo {
    pub(crate) fn new(branch: &str) -> Redo {
        let mut bytes = vec![0];
        put_bytes(&mut bytes, branch.as_bytes());
        let empty = bytes.len();
        Redo { bytes, table: None, overflown: false, empty }
    }

    /// The transaction cannot be logged.
    pub(crate) fn overflow(&mut self) {
        self.overflown = true;
        if !mutant!(LargeRedoCutOff) {
            self.bytes = Vec::new();
        }
    }

    fn table(&mut self, name: &str) {
        if self.table.as_deref() != Some(name) {
            self.bytes.push(1);
            put_bytes(&mut self.bytes, name.as_bytes());
            self.table = Some(name.to_owned());
        }
    }

    fn check(&mut self) {
        if self.bytes.len() > REDO_MAX {
            self.overflow();
        }
    }

    /// The table exists from here on, even if nothing is put into it.
    pub(crate) fn open(&mut self, table: &str) {
        if !self.overflown {
            self.table = None;
            self.table(table);
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, table: &str, key: &[u8], value: &[u8]) {
        if self.overflown {
            return;
        }
        self.table(table);
        self.bytes.push(2);
        put_bytes(&mut self.bytes, key);
        put_bytes(&mut self.bytes, value);
        self.check();
    }

    pub(crate) fn remove(&mut self, table: &str, key: &[u8]) {
        if self.overflown {
            return;
        }
        self.table(table);
        self.bytes.push(3);
        put_bytes(&mut self.bytes, key);
        self.check();
    }

    pub(crate) fn remove_range(&mut self, table: &str, span: &Span) {
        if self.overflown {
            return;
        }
        self.table(table);
        self.bytes.push(4);
        put_bytes(&mut self.bytes, &span.from);
        self.bytes.push(u8::from(span.to.is_some()));
        if let Some(to) = &span.to {
            put_bytes(&mut self.bytes, to);
        }
        self.check();
    }

    pub(crate) fn delete_table(&mut self, name: &str) {
        if self.overflown {
            return;
        }
        self.table = None;
        self.bytes.push(5);
        put_bytes(&mut self.bytes, name.as_bytes());
        self.check();
    }

    /// The record to log: empty if nothing was done, `None` if it is too large.
    pub(crate) fn finish(&self) -> Option<&[u8]> {
        if self.overflown && (self.bytes.is_empty() || !mutant!(LargeRedoCutOff)) {
            None
        } else if self.bytes.len() == self.empty {
            Some(&[])
        } else {
            Some(&self.bytes)
        }
    }
}

impl Record<'_> {
    /// The bytes of a record other than [`Record::Writes`], which [`Redo`] writes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut text = |tag: u8, texts: &[&str]| {
            out.push(tag);
            for text in texts {
                put_bytes(&mut out, text.as_bytes());
            }
        };
        match self {
            Record::Writes { branch, .. } => text(0, &[branch]),
            Record::CreateSnapshot { branch, name, created, label, id } => {
                text(1, &[branch, name]);
                out.extend_from_slice(&created.to_le_bytes());
                put_bytes(&mut out, label.unwrap_or("").as_bytes());
                out.extend_from_slice(&id.to_le_bytes());
            }
            Record::DeleteSnapshot { name } => text(2, &[name]),
            Record::Rollback { branch, snapshot } => text(3, &[branch, snapshot]),
            Record::CreateBranch { name, from, created } => {
                text(4, &[name, from]);
                out.extend_from_slice(&created.to_le_bytes());
            }
            Record::DeleteBranch { name } => text(5, &[name]),
            Record::Promote { name } => text(6, &[name]),
            Record::Hold { name, held } => {
                text(7, &[name]);
                out.push(u8::from(*held));
            }
            Record::Several(records) => {
                text(8, &[]);
                records.iter().for_each(|record| put_bytes(&mut out, &record.encode()));
            }
            Record::CreateBookmark { name, snapshot } => text(9, &[name, snapshot]),
            Record::DeleteBookmark { name } => text(10, &[name]),
        }
        out
    }
}

#[inline]
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

// ---- reading ------------------------------------------------------------------------------

/// The rest of a record. Its crc was right, but the file may be anybody's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operations<'a>(&'a [u8]);

impl<'a> Operations<'a> {
    /// The operations that stand in these bytes.
    pub(crate) fn of(bytes: &'a [u8]) -> Operations<'a> {
        Operations(bytes)
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        if self.0.len() < count {
            return Err(malformed(self.0.len()));
        }
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u64> {
        Ok(cowslip_pager::page::u64_at(self.take(8)?, 0))
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let mut length = 0usize;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return self.take(length);
            }
        }
        Err(malformed(self.0.len()))
    }

    fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed(self.0.len()))
    }

    /// The next operation.
    pub(crate) fn next(&mut self) -> Result<Option<Operation<'a>>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        Ok(Some(match self.byte()? {
            1 => Operation::Table(self.text()?),
            2 => Operation::Insert(self.bytes()?, self.bytes()?),
            3 => Operation::Remove(self.bytes()?),
            4 => {
                let from = self.bytes()?.to_vec();
                let to = if self.byte()? == 0 { None } else { Some(self.bytes()?.to_vec()) };
                Operation::RemoveRange(Span { from, to })
            }
            5 => Operation::DeleteTable(self.text()?),
            _ => return Err(malformed(self.0.len())),
        }))
    }
}

impl<'a> Record<'a> {
    /// Reads the body of a log record.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Record<'a>> {
        let mut from = Operations(body);
        let record = match from.byte()? {
            0 => return Ok(Record::Writes { branch: from.text()?, operations: from }),
            1 => Record::CreateSnapshot {
                branch: from.text()?,
                name: from.text()?,
                created: from.word()?,
                label: Some(from.text()?).filter(|label| !label.is_empty()),
                id: from.word()?,
            },
            2 => Record::DeleteSnapshot { name: from.text()? },
            3 => Record::Rollback { branch: from.text()?, snapshot: from.text()? },
            4 => Record::CreateBranch {
                name: from.text()?,
                from: from.text()?,
                created: from.word()?,
            },
            5 => Record::DeleteBranch { name: from.text()? },
            6 => Record::Promote { name: from.text()? },
            7 => Record::Hold { name: from.text()?, held: from.byte()? != 0 },
            8 => {
                let mut records = Vec::new();
                while !from.0.is_empty() {
                    match from.bytes()? {
                        // Neither writes nor others like itself: a forged record nests no deeper.
                        [] | [0 | 8, ..] => return Err(malformed(from.0.len())),
                        one => records.push(Record::decode(one)?),
                    }
                }
                Record::Several(records)
            }
            9 => Record::CreateBookmark { name: from.text()?, snapshot: from.text()? },
            10 => Record::DeleteBookmark { name: from.text()? },
            _ => return Err(malformed(body.len())),
        };
        if !from.0.is_empty() {
            return Err(malformed(from.0.len()));
        }
        Ok(record)
    }
}

/// May two records that follow each other be replayed in one transaction? Writes to one branch may: all that
/// stands in them could have been one transaction of the user's.
pub(crate) fn joins(before: &[u8], next: &[u8]) -> bool {
    let branch = |body| match Record::decode(body) {
        Ok(Record::Writes { branch, .. }) => Some(branch),
        _ => None,
    };
    branch(before).is_some_and(|before| branch(next) == Some(before))
}

fn malformed(left: usize) -> Error {
    Error::corrupted(0, "log record (bytes left at the fault)", 0, left as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_back_as_they_went_in() {
        let mut redo = Redo::new("main");
        assert_eq!(redo.finish(), Some(&[][..]));
        let long = vec![7; 300];
        redo.insert("t", b"k", &long);
        redo.remove("u", b"");
        let span = Span { from: b"a".to_vec(), to: Some(b"b".to_vec()) };
        redo.remove_range("u", &span);
        redo.delete_table("t");
        let bytes = redo.finish().unwrap().to_vec();
        let Record::Writes { branch: "main", mut operations } = Record::decode(&bytes).unwrap()
        else {
            panic!("not writes")
        };
        let mut next = || operations.next().unwrap();
        assert_eq!(next(), Some(Operation::Table("t")));
        assert_eq!(next(), Some(Operation::Insert(b"k", &long)));
        assert_eq!(next(), Some(Operation::Table("u")));
        assert_eq!(next(), Some(Operation::Remove(b"")));
        assert_eq!(next(), Some(Operation::RemoveRange(span)));
        assert_eq!(next(), Some(Operation::DeleteTable("t")));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_cut_or_changed_record_never_panics() {
        let snapshot = Record::CreateSnapshot {
            branch: "main",
            name: "n",
            created: 5,
            label: Some("l"),
            id: 7,
        };
        let record = Record::Several(vec![snapshot, Record::DeleteBookmark { name: "b" }]);
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes).unwrap(), record);
        for cut in 0..bytes.len() {
            let _ = Record::decode(&bytes[..cut]);
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let _ = Record::decode(&changed);
            }
        }
    }
}
