//! Snapshots as streams: from one database to another, through any pipe or file.
//!
//! ```text
//! "COWSEND\n" | frame BEGIN | frame OPERATIONS ... | frame PART ... | frame END
//!
//! frame:  0  u32  length of the body
//!         4  u8   kind: 1 begin, 2 operations, 3 part of a large value, 4 end
//!         5  3 B  zero
//!         8  u32  number of the frame, from 0
//!        12  u32  crc32 of the crc of the frame before, bytes 0..12, and the body
//!        16       body
//! ```
//!
//! A stream says what the target contains (*full*), or what must be done to a *base* to arrive at
//! it. With the base at hand these are the keys that differ; from a bookmark, whose pages are gone,
//! they are the leaves that were written since, each as the range of keys that it covers.
//!
//! What is promised: nothing of a stream is visible before its end has come and matched; a frame that
//! is not what was sent is an error with its place; a stream that was cut short can be continued
//! behind the last whole frame ([`Database::receive_token`](crate::Database::receive_token)). Doing
//! an operation twice does no harm, which is why a continued stream may begin somewhat early.
//!
//! `docs/format.md` has every byte.

mod frame;
mod operation;
mod position;
mod receive;
mod send;

pub use receive::{ReceiveOptions, ReceiveReport};
pub use send::SendReport;

/// The first bytes of every stream.
const MAGIC: [u8; 8] = *b"COWSEND\n";
/// The version of the stream format.
const VERSION: u32 = 1;

/// How a stream relates to its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// There is none: the target is built from nothing.
    Full = 1,
    /// Keys that differ from the base.
    Changes = 2,
    /// Ranges of keys that were written since the base.
    Ranges = 3,
}

/// What the first frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Begin {
    mode: Mode,
    /// The target.
    snapshot: u64,
    name: String,
    branch: String,
    label: Option<String>,
    created: u64,
    /// The base: 0 and no name if there is none.
    base: u64,
    base_name: String,
    /// The stream goes on behind this position; `None`: it begins at the beginning.
    resumed: Option<position::Position>,
}

/// The table, and the key of it, up to which all is received if the bytes of a record's position say anything.
pub(crate) fn place(position: &[u8]) -> Option<(String, Option<Vec<u8>>)> {
    let position = position::Position::whole(position).ok()?;
    Some((position.table, position.key))
}

/// Lengths and texts, as the log's records have them too.
fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads a body. Its checksum was right, but the stream may be anybody's work.
#[derive(Debug, Clone, Copy)]
struct In<'a>(&'a [u8]);

/// A body that ends too early, or says something that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed {
    what: &'static str,
    expected: u64,
    found: u64,
}

fn malformed<T>(what: &'static str, expected: u64, found: u64) -> Result<T, Malformed> {
    Err(Malformed { what, expected, found })
}

impl<'a> In<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let length = self.0.len() as u64;
        if count > length {
            return malformed("bytes left in a frame (at least)", count, length);
        }
        let (taken, rest) = self.0.split_at(count as usize);
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(cowslip_pager::page::u32_at(self.take(4)?, 0))
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(cowslip_pager::page::u64_at(self.take(8)?, 0))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        malformed("bytes of a number (at most)", 9, 10)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).or_else(|error| {
            malformed("UTF-8 bytes of a text", bytes.len() as u64, error.valid_up_to() as u64)
        })
    }

    fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            return Ok(());
        }
        malformed("bytes left at the end of a frame", 0, self.0.len() as u64)
    }
}

impl Begin {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(self.mode as u8);
        out.push(u8::from(self.resumed.is_some()));
        out.extend_from_slice(&self.snapshot.to_le_bytes());
        out.extend_from_slice(&self.created.to_le_bytes());
        out.extend_from_slice(&self.base.to_le_bytes());
        put_bytes(&mut out, self.name.as_bytes());
        put_bytes(&mut out, self.branch.as_bytes());
        put_bytes(&mut out, self.label.as_deref().unwrap_or("").as_bytes());
        put_bytes(&mut out, self.base_name.as_bytes());
        if let Some(position) = &self.resumed {
            position.encode(&mut out);
        }
        out
    }

    /// Reads what follows the version.
    fn decode(mut from: In<'_>) -> Result<Begin, Malformed> {
        let mode = match from.byte()? {
            1 => Mode::Full,
            2 => Mode::Changes,
            3 => Mode::Ranges,
            other => return malformed("mode of a stream (at most)", 3, other.into()),
        };
        let resumed = match from.byte()? {
            0 => false,
            1 => true,
            other => return malformed("flags of a stream", 0, other.into()),
        };
        let (snapshot, created, base) = (from.u64()?, from.u64()?, from.u64()?);
        if snapshot == 0 || (base == 0) != (mode == Mode::Full) {
            return malformed("ids of a stream", 1, 0);
        }
        let mut text = || from.text().map(str::to_owned);
        let (name, branch, label, base_name) = (text()?, text()?, text()?, text()?);
        let label = Some(label).filter(|label| !label.is_empty());
        let resumed = if resumed { Some(position::Position::decode(&mut from)?) } else { None };
        from.end()?;
        Ok(Begin { mode, snapshot, name, branch, label, created, base, base_name, resumed })
    }
}
