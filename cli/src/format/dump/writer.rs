//! The writing half: header, entries, end.

use std::io::{self, Read, Write};

use super::Encoding;
use crate::format::{Sink, in_pieces};

/// Writes entries.
pub(crate) struct Writer<W> {
    pub(super) out: W,
    encoding: Encoding,
    page_size: u64,
    map_bytes: u64,
}

impl<W: Write> Writer<W> {
    /// A writer for a database of `file_bytes` in pages of `page_size`.
    pub(crate) fn new(out: W, encoding: Encoding, page_size: u64, file_bytes: u64) -> Writer<W> {
        // LMDB takes its limit from the dump, and its pages may end up half full.
        let map_bytes = file_bytes.saturating_mul(2).next_multiple_of(1 << 20).max(1 << 20);
        Writer { out, encoding, page_size, map_bytes }
    }

    fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(b" ")?;
        self.encoding.write(&mut self.out, bytes)?;
        self.out.write_all(b"\n")
    }
}

impl<W: Write> Sink for Writer<W> {
    fn begin(&mut self, name: &str) -> io::Result<()> {
        if name.contains(['\n', '\r']) {
            let why = format!("the format has no way to write the table name {name:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let format = match self.encoding {
            Encoding::Bytevalue => "bytevalue",
            Encoding::Print => "print",
        };
        let (map_bytes, page_size) = (self.map_bytes, self.page_size);
        write!(
            self.out,
            "VERSION=3\nformat={format}\ndatabase={name}\ntype=btree\nmapsize={map_bytes}\n\
             maxreaders=126\ndb_pagesize={page_size}\nHEADER=END\n"
        )
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.line(key)?;
        self.line(value)
    }

    fn long_entry(&mut self, key: &[u8], value: &mut dyn Read) -> io::Result<()> {
        self.line(key)?;
        self.out.write_all(b" ")?;
        in_pieces(value, |piece| self.encoding.write(&mut self.out, piece))?;
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"DATA=END\n")
    }
}
