//! What a stream tells its receiver to do, one byte and the bytes that differ from the last key.
//!
//! ```text
//! tag byte   bits 0-2  code: 0 put, 1 remove, 2 keep, 3 large, 7 see the next byte
//!            bits 3-6  bytes that the key shares with the last one of this frame; 15: a number
//!                      follows that says how many more
//!            bit 7     put: key and value are as long as those of the last put of this frame
//!
//! put     [more shared] [key's rest: length, value: length]  rest  value
//! remove  [more shared] length  rest
//! keep    [more shared] length  rest          the value is as the base has it
//! large   [more shared] length  rest  number  a value of that length follows in frames of its own
//! 7, 0    name                                what follows is of this table; it is made if missing
//! 7, 1    name                                the table is gone
//! 7, 2    from  0 | 1 to                      what follows is all that the range has
//! 7, 3    from  0 | 1 to                      the tables that follow are all that the range has
//! ```
//!
//! Lengths and numbers are 7 bits a byte, lowest first. Each frame stands for itself: the first key
//! in it shares nothing.

use super::{In, Malformed, malformed, put_bytes, put_varint};

const PUT: u8 = 0;
const REMOVE: u8 = 1;
const KEEP: u8 = 2;
const LARGE: u8 = 3;
const CONTROL: u8 = 7;
const SAME_LENGTHS: u8 = 0x80;

/// An operation, as it is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    Put(&'a [u8]),
    Remove,
    Keep,
    Large(u64),
    Table(&'a str),
    DropTable(&'a str),
    Range(&'a [u8], Option<&'a [u8]>),
    Tables(&'a [u8], Option<&'a [u8]>),
}

/// What the last operations of a frame leave for the next one.
#[derive(Debug, Default)]
struct Context {
    key: Vec<u8>,
    /// Lengths of the last put's key and value.
    lengths: Option<(usize, usize)>,
}

/// Collects operations for a frame.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    pub(super) body: Vec<u8>,
    context: Context,
}

impl Encoder {
    /// A new frame begins.
    pub(super) fn clear(&mut self) {
        self.body.clear();
        self.context = Context::default();
    }

    /// Writes the tag and what is said about the key; returns how much of it is shared.
    fn begin(&mut self, code: u8, key: &[u8]) -> usize {
        let shared = self.context.key.iter().zip(key).take_while(|(a, b)| a == b).count();
        self.body.push(code | (shared.min(15) as u8) << 3);
        if shared >= 15 {
            put_varint(&mut self.body, shared as u64 - 15);
        }
        shared
    }

    fn finish(&mut self, key: &[u8], shared: usize) {
        self.body.extend_from_slice(&key[shared..]);
        self.context.key.truncate(shared);
        self.context.key.extend_from_slice(&key[shared..]);
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        let lengths = Some((key.len(), value.len()));
        let same = self.context.lengths == lengths;
        let shared = self.begin(PUT | if same { SAME_LENGTHS } else { 0 }, key);
        if !same {
            put_varint(&mut self.body, (key.len() - shared) as u64);
            put_varint(&mut self.body, value.len() as u64);
        }
        self.finish(key, shared);
        self.body.extend_from_slice(value);
        self.context.lengths = lengths;
    }

    fn with_key(&mut self, code: u8, key: &[u8]) {
        let shared = self.begin(code, key);
        put_varint(&mut self.body, (key.len() - shared) as u64);
        self.finish(key, shared);
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        self.with_key(REMOVE, key);
    }

    pub(super) fn keep(&mut self, key: &[u8]) {
        self.with_key(KEEP, key);
    }

    pub(super) fn large(&mut self, key: &[u8], length: u64) {
        self.with_key(LARGE, key);
        put_varint(&mut self.body, length);
    }

    fn named(&mut self, what: u8, name: &str) {
        self.body.extend_from_slice(&[CONTROL, what]);
        put_bytes(&mut self.body, name.as_bytes());
        self.context.key.clear();
    }

    pub(super) fn table(&mut self, name: &str) {
        self.named(0, name);
    }

    pub(super) fn drop_table(&mut self, name: &str) {
        self.named(1, name);
    }

    fn span(&mut self, what: u8, from: &[u8], to: Option<&[u8]>) {
        self.body.extend_from_slice(&[CONTROL, what]);
        put_bytes(&mut self.body, from);
        self.body.push(u8::from(to.is_some()));
        if let Some(to) = to {
            put_bytes(&mut self.body, to);
        }
    }

    pub(super) fn range(&mut self, from: &[u8], to: Option<&[u8]>) {
        self.span(2, from, to);
    }

    pub(super) fn tables(&mut self, from: &[u8], to: Option<&[u8]>) {
        self.span(3, from, to);
    }
}

/// Reads the operations of a frame.
pub(super) struct Decoder<'a> {
    from: In<'a>,
    context: Context,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(body: &'a [u8]) -> Decoder<'a> {
        Decoder { from: In(body), context: Context::default() }
    }

    /// The key of the operation that was read last, if it has one.
    pub(super) fn key(&self) -> &[u8] {
        &self.context.key
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        self.from.end()
    }

    pub(super) fn next(&mut self) -> Result<Option<Operation<'a>>, Malformed> {
        if self.from.0.is_empty() {
            return Ok(None);
        }
        let tag = self.from.byte()?;
        let code = tag & 7;
        if code == CONTROL {
            return self.control(tag).map(Some);
        }
        let mut shared = u64::from(tag >> 3 & 15);
        if shared == 15 {
            shared = shared.saturating_add(self.from.varint()?);
        }
        if shared > self.context.key.len() as u64 {
            return malformed(
                "bytes shared with the last key (at most)",
                self.context.key.len() as u64,
                shared,
            );
        }
        let shared = shared as usize;
        if code != PUT && tag & SAME_LENGTHS != 0 {
            return malformed("tag of an operation", code.into(), tag.into());
        }
        let (rest, value) = match (code, tag & SAME_LENGTHS != 0, self.context.lengths) {
            (PUT, true, Some((key, value))) if key >= shared => {
                ((key - shared) as u64, value as u64)
            }
            (PUT, true, _) => return malformed("lengths of the last put", 1, 0),
            (PUT, false, _) => (self.from.varint()?, self.from.varint()?),
            _ => (self.from.varint()?, 0),
        };
        let rest = self.from.take(rest)?;
        self.context.key.truncate(shared);
        self.context.key.extend_from_slice(rest);
        Ok(Some(match code {
            PUT => {
                let value = self.from.take(value)?;
                self.context.lengths = Some((self.context.key.len(), value.len()));
                Operation::Put(value)
            }
            REMOVE => Operation::Remove,
            KEEP => Operation::Keep,
            LARGE => Operation::Large(self.from.varint()?),
            _ => return malformed("code of an operation (at most)", LARGE.into(), code.into()),
        }))
    }

    fn control(&mut self, tag: u8) -> Result<Operation<'a>, Malformed> {
        if tag != CONTROL {
            return malformed("tag of an operation", CONTROL.into(), tag.into());
        }
        match self.from.byte()? {
            what @ (0 | 1) => {
                self.context.key.clear();
                let name = self.from.text()?;
                Ok(if what == 0 { Operation::Table(name) } else { Operation::DropTable(name) })
            }
            what @ (2 | 3) => {
                let from = self.from.bytes()?;
                let to = match self.from.byte()? {
                    0 => None,
                    1 => Some(self.from.bytes()?),
                    other => return malformed("flag of a range", 1, other.into()),
                };
                Ok(if what == 2 { Operation::Range(from, to) } else { Operation::Tables(from, to) })
            }
            other => malformed("code of an operation (at most)", 3, other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_back_as_they_went_in() {
        let mut encoder = Encoder::default();
        encoder.tables(b"", Some(b"z"));
        encoder.table("t");
        encoder.range(b"a", None);
        let long = [b'k'; 300];
        encoder.put(b"key 1", b"value");
        encoder.put(b"key 2", b"other");
        encoder.put(&long, b"");
        encoder.remove(&long[..299]);
        encoder.keep(&long);
        encoder.large(b"", 1 << 40);
        encoder.drop_table("u");
        let mut decoder = Decoder::new(&encoder.body);
        let mut next = |operation: Operation<'_>, key: &[u8]| {
            assert_eq!(decoder.next().unwrap(), Some(operation));
            assert_eq!(decoder.key(), key);
        };
        next(Operation::Tables(b"", Some(b"z")), b"");
        next(Operation::Table("t"), b"");
        next(Operation::Range(b"a", None), b"");
        next(Operation::Put(b"value"), b"key 1");
        next(Operation::Put(b"other"), b"key 2");
        next(Operation::Put(b""), &long);
        next(Operation::Remove, &long[..299]);
        next(Operation::Keep, &long);
        next(Operation::Large(1 << 40), b"");
        next(Operation::DropTable("u"), b"");
        assert_eq!(decoder.next().unwrap(), None);
    }

    #[test]
    fn an_entry_of_the_usual_length_costs_one_byte() {
        let mut encoder = Encoder::default();
        encoder.put(b"aaaa", b"1");
        let before = encoder.body.len();
        encoder.put(b"bbbb", b"2");
        assert_eq!(encoder.body.len() - before, 4 + 1 + 1);
    }

    #[test]
    fn a_cut_or_changed_body_never_panics() {
        let mut encoder = Encoder::default();
        encoder.table("t");
        encoder.put(b"some key", b"some value");
        encoder.put(b"some more", b"some value");
        encoder.large(b"some most", 7);
        encoder.range(b"a", Some(b"b"));
        let drain = |body: &[u8]| {
            let mut decoder = Decoder::new(body);
            while let Ok(Some(_)) = decoder.next() {}
        };
        for cut in 0..encoder.body.len() {
            drain(&encoder.body[..cut]);
        }
        for at in 0..encoder.body.len() {
            for byte in 0..=255 {
                let mut changed = encoder.body.clone();
                changed[at] = byte;
                drain(&changed);
            }
        }
    }
}
