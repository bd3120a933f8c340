//! The text formats of `load` and `dump`: what a reader and a writer of one promise.
//!
//! Readers stream: they hold one entry at a time, and at most [`ENTRY_LIMIT`] bytes of it, so that
//! no input, however broken, can ask for more memory than that. A larger entry is an error in all
//! formats but `dump`, which can hand over a long value piece by piece. Every error names the line
//! it is about.

use std::fmt;
use std::io::{self, BufRead, Read};

pub(crate) mod csv;
pub(crate) mod dump;
pub(crate) mod jsonl;
mod lines;
pub(crate) mod tsv;

/// Bytes of the text of one entry that are held at most. Every value that the library gives in one
/// piece (16 MiB) fits in, six bytes of JSON for each of its own included.
pub(crate) const ENTRY_LIMIT: u64 = 128 << 20;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// The text format of Berkeley DB's db_dump and LMDB's mdb_dump, print or bytevalue
    Dump,
    /// One `key TAB value` line an entry, with \\, \t, \n, \r and \xNN escaped
    Tsv,
    /// Comma-separated `key,value` rows as in RFC 4180, quoted where needed
    Csv,
    /// One {"key": ..., "value": ...} object a line; bytes that are not UTF-8 as {"hex": ...}
    Jsonl,
}

/// One entry of an input. Its buffers are used again for the next.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// One table of an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its name, where the format carries one.
    pub(crate) name: Option<String>,
}

/// What a [`Source`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// An entry.
    Entry,
    /// An entry whose value is too long to be held whole: only its key is in the record.
    LongValue,
    /// The end of the table.
    End,
}

/// The value of a [`Next::LongValue`].
pub(crate) struct LongValue<'a>(pub(crate) &'a mut dyn Source);

impl Read for LongValue<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_long_value(buf)
    }
}

/// Reads entries from an input.
pub(crate) trait Source {
    /// Moves to the next table of the input, or gives `None` after the last.
    fn next_section(&mut self) -> Result<Option<Section>, InputError>;

    /// Reads the next entry of the table.
    fn next_entry(&mut self, record: &mut Record) -> Result<Next, InputError>;

    /// Reads on in the value of a [`Next::LongValue`]; 0 at its end. An error of the input is
    /// inside the `io::Error`.
    fn read_long_value(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    /// The line on which the entry last read begins.
    fn line(&self) -> u64;
}

/// Writes entries to an output.
pub(crate) trait Sink {
    /// Begins the table `name`.
    fn begin(&mut self, name: &str) -> io::Result<()>;

    /// Writes one entry.
    fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()>;

    /// Writes one entry whose value is too long to be held whole.
    fn long_entry(&mut self, key: &[u8], value: &mut dyn Read) -> io::Result<()> {
        let _ = value;
        let key = key.escape_ascii();
        let why = format!("the value of key \"{key}\" is too long for any format but dump and tsv");
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }

    /// Ends the table.
    fn end(&mut self) -> io::Result<()>;
}

/// Reads `value` to its end, a piece at a time.
pub(crate) fn in_pieces(
    value: &mut dyn Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; 256 << 10];
    loop {
        match value.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is wrong with an input, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    pub(crate) line: u64,
    pub(crate) what: String,
}

impl InputError {
    fn new(line: u64, what: impl Into<String>) -> InputError {
        InputError { line, what: what.into() }
    }

    fn too_long(line: u64, limit: u64) -> InputError {
        InputError::new(line, format!("longer than the limit of {limit} bytes"))
    }

    fn reading(line: u64, error: &io::Error) -> InputError {
        InputError::new(line, format!("reading the input: {error}"))
    }
}

impl InputError {
    /// As an error of a reader, from which [`InputError::from_io`] takes it out again.
    fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// The error that [`InputError::into_io`] put in.
    pub(crate) fn from_io(error: &io::Error) -> Option<InputError> {
        error.get_ref()?.downcast_ref().cloned()
    }
}

impl std::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// A reader of `input` in `format`.
pub(crate) fn source<'a>(
    format: Format,
    input: impl BufRead + 'a,
    hex: bool,
) -> Box<dyn Source + 'a> {
    match format {
        Format::Dump => Box::new(dump::Reader::new(input, ENTRY_LIMIT)),
        Format::Tsv => Box::new(tsv::Reader::new(input, hex, ENTRY_LIMIT)),
        Format::Csv => Box::new(csv::Reader::new(input, hex, ENTRY_LIMIT)),
        Format::Jsonl => Box::new(jsonl::Reader::new(input, hex, ENTRY_LIMIT)),
    }
}

/// Turns the hexadecimal in `field` into the bytes it stands for.
fn unhex(field: &mut Vec<u8>, line: u64) -> Result<(), InputError> {
    let mut bytes = Vec::new();
    crate::bytes::decode_hex(field, &mut bytes).map_err(|why| InputError::new(line, why))?;
    *field = bytes;
    Ok(())
}

/// The one section of the formats that know no tables.
#[derive(Default)]
struct OnlySection {
    given: bool,
}

impl OnlySection {
    fn next(&mut self) -> Option<Section> {
        let first = !std::mem::replace(&mut self.given, true);
        first.then_some(Section { name: None })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of the formats share.

    use super::*;

    pub(crate) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

    /// Entries that contain every byte, nothing, and all that formats stumble over.
    pub(crate) fn nasty() -> Entries {
        let mut entries: Entries = (0..=255).map(|b| (vec![b], vec![b, 255 - b, b])).collect();
        let texts = ["", "a\tb", "a\nb", "a\r\nb", "\\", "\\\\x", "\"", "a,b\"c\"", "grüße", " s "];
        for text in texts {
            entries.push((text.into(), text.into()));
        }
        entries.push(((0..=255).collect(), (0..=255).rev().collect()));
        entries
    }

    /// Everything in the one section of `source`.
    pub(crate) fn drain(source: &mut dyn Source) -> Result<Entries, InputError> {
        let (mut entries, mut record) = (Entries::new(), Record::default());
        source.next_section()?.expect("a section");
        loop {
            match source.next_entry(&mut record)? {
                Next::Entry => entries.push((record.key.clone(), record.value.clone())),
                Next::LongValue => {
                    let mut value = Vec::new();
                    let read = LongValue(source).read_to_end(&mut value);
                    read.map_err(|error| InputError::from_io(&error).expect("an input error"))?;
                    entries.push((record.key.clone(), value));
                }
                Next::End => break,
            }
        }
        assert_eq!(source.next_section()?, None);
        Ok(entries)
    }
}
