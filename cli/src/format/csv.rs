//! Comma-separated `key,value` rows as in RFC 4180: a field with a comma, a quote or a line break
//! stands in double quotes, a quote within is doubled. Bytes are written as they are.
//!
//! The writer begins with the row `key,value`; the reader skips a first row that says just that.
//! The reader is strict where leniency would hide a cut or mangled file: a quote that is never
//! closed, text after a closing quote, a row of one field or of three are errors.

use std::io::{self, BufRead, Write};

use super::{InputError, Next, OnlySection, Record, Section, Sink, Source, unhex};
use crate::bytes::write_hex;

/// The marker that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Writes entries.
pub(crate) struct Writer<W> {
    out: W,
    hex: bool,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W, hex: bool) -> Writer<W> {
        Writer { out, hex }
    }

    fn field(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.hex {
            return write_hex(&mut self.out, bytes);
        }
        // A leading byte-order mark would be taken for one at the start of a file.
        let plain = !bytes.iter().any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n'))
            && !bytes.starts_with(BYTE_ORDER_MARK);
        if plain {
            return self.out.write_all(bytes);
        }
        self.out.write_all(b"\"")?;
        for (i, piece) in bytes.split(|&b| b == b'"').enumerate() {
            if i > 0 {
                self.out.write_all(b"\"\"")?;
            }
            self.out.write_all(piece)?;
        }
        self.out.write_all(b"\"")
    }
}

impl<W: Write> Sink for Writer<W> {
    fn begin(&mut self, _name: &str) -> io::Result<()> {
        self.out.write_all(b"key,value\n")
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.field(key)?;
        self.out.write_all(b",")?;
        self.field(value)?;
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where in a row the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the field read yet.
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within a quoted field: its end, or the first of two.
    Quote,
    /// After a carriage return that must belong to the end of the row.
    CarriageReturn,
}

/// Reads entries.
pub(crate) struct Reader<R> {
    input: R,
    section: OnlySection,
    hex: bool,
    limit: u64,
    /// The line being read, and the one on which the row began.
    read_line: u64,
    row_line: u64,
    at_start: bool,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(input: R, hex: bool, limit: u64) -> Reader<R> {
        let section = OnlySection::default();
        Reader { input, section, hex, limit, read_line: 1, row_line: 1, at_start: true }
    }

    /// Reads one row that is not blank; `false` at the end of the input.
    fn row(&mut self, record: &mut Record) -> Result<bool, InputError> {
        record.key.clear();
        record.value.clear();
        self.row_line = self.read_line;
        let mut fields = 0;
        let mut state = State::FieldStart;
        loop {
            let error = |line, why: &str| Err(InputError::new(line, why));
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(InputError::reading(self.read_line, &error)),
            };
            if chunk.is_empty() {
                return match (state, fields) {
                    (State::Quoted, _) => {
                        Err(InputError::new(self.row_line, "the quote opened here is never closed"))
                    }
                    (State::FieldStart, 0) => Ok(false),
                    (_, 0) => error(self.row_line, "one field; a row is key,value"),
                    _ => Ok(true),
                };
            }
            let mut used = 0;
            let mut complete = None;
            for &byte in chunk {
                used += 1;
                let field = if fields == 0 { &mut record.key } else { &mut record.value };
                state = match (state, byte) {
                    (State::FieldStart, b'"') => State::Quoted,
                    (State::Quoted, b'"') => State::Quote,
                    (State::Quote, b'"') => {
                        field.push(b'"');
                        State::Quoted
                    }
                    (State::Quoted, _) => {
                        self.read_line += u64::from(byte == b'\n');
                        field.push(byte);
                        State::Quoted
                    }
                    (_, b'\n') => {
                        complete = Some(state);
                        break;
                    }
                    (State::CarriageReturn, _) => {
                        return error(self.read_line, "a carriage return outside quotes");
                    }
                    (_, b'\r') => State::CarriageReturn,
                    (_, b',') if fields == 1 => {
                        return error(
                            self.read_line,
                            "a third field; a value with a comma must be quoted",
                        );
                    }
                    (_, b',') => {
                        fields = 1;
                        State::FieldStart
                    }
                    (State::Quote, _) => {
                        return error(self.read_line, "text after a closing quote");
                    }
                    (State::Unquoted, b'"') => {
                        return error(self.read_line, "a quote inside a field that is not quoted");
                    }
                    (State::FieldStart | State::Unquoted, _) => {
                        field.push(byte);
                        State::Unquoted
                    }
                };
            }
            self.input.consume(used);
            if (record.key.len() + record.value.len()) as u64 > self.limit {
                return Err(InputError::too_long(self.row_line, self.limit));
            }
            if let Some(ended) = complete {
                self.read_line += 1;
                let blank = fields == 0
                    && record.key.is_empty()
                    && matches!(ended, State::FieldStart | State::CarriageReturn);
                if fields == 1 {
                    return Ok(true);
                } else if !blank {
                    return error(self.row_line, "one field; a row is key,value");
                }
                self.row_line = self.read_line;
                state = State::FieldStart;
            }
        }
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), InputError> {
        let chunk =
            self.input.fill_buf().map_err(|error| InputError::reading(self.read_line, &error))?;
        if chunk.starts_with(BYTE_ORDER_MARK) {
            self.input.consume(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }
}

impl<R: BufRead> Source for Reader<R> {
    fn next_section(&mut self) -> Result<Option<Section>, InputError> {
        Ok(self.section.next())
    }

    fn next_entry(&mut self, record: &mut Record) -> Result<Next, InputError> {
        let first = std::mem::replace(&mut self.at_start, false);
        if first {
            self.skip_byte_order_mark()?;
        }
        if !self.row(record)? {
            return Ok(Next::End);
        }
        let heading = first && record.key == b"key" && record.value == b"value";
        if heading && !self.row(record)? {
            return Ok(Next::End);
        }
        if self.hex {
            unhex(&mut record.key, self.row_line)?;
            unhex(&mut record.value, self.row_line)?;
        }
        Ok(Next::Entry)
    }

    fn line(&self) -> u64 {
        self.row_line
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entries, drain, nasty};
    use super::*;

    fn read(text: &[u8]) -> Result<Entries, InputError> {
        // A tiny buffer, so that every state meets the end of one.
        drain(&mut Reader::new(io::BufReader::with_capacity(3, text), false, 1 << 20))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Entries {
        pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect()
    }

    #[test]
    fn every_entry_comes_back() {
        let mut entries = nasty();
        entries.insert(0, (b"\xef\xbb\xbfkey".to_vec(), b"value".to_vec()));
        entries.insert(0, (b"key".to_vec(), b"value".to_vec()));
        for hex in [false, true] {
            let mut writer = Writer::new(Vec::new(), hex);
            writer.begin("t").unwrap();
            for (key, value) in &entries {
                writer.entry(key, value).unwrap();
            }
            let reader = &mut Reader::new(&writer.out[..], hex, 1 << 20);
            assert_eq!(drain(reader).unwrap(), entries);
        }
    }

    #[test]
    fn rows_are_read_as_rfc_4180_says() {
        assert_eq!(read(b"").unwrap(), []);
        assert_eq!(read(b"key,value\r\na,1\r\n").unwrap(), pairs(&[("a", "1")]));
        assert_eq!(read(b"a,1\nkey,value").unwrap(), pairs(&[("a", "1"), ("key", "value")]));
        assert_eq!(
            read(b"a,\"x,\"\"y\"\"\nz\"\n\nb,").unwrap(),
            pairs(&[("a", "x,\"y\"\nz"), ("b", "")])
        );
        assert_eq!(read(b"\xef\xbb\xbfa,1\n").unwrap(), pairs(&[("a", "1")]));
        assert_eq!(read(b",\n").unwrap(), pairs(&[("", "")]));
    }

    #[test]
    fn errors_name_their_line() {
        let rows: [(&[u8], u64, &str); 9] = [
            (b"a,1\nb\n", 2, "one field"),
            (b"a,1\nb", 2, "one field"),
            (b"a,\"1\n2\"\nb,1,2\n", 3, "third field"),
            (b"a,1\nb,\"2\nc,3\n", 2, "never closed"),
            (b"a,\"1\"x\n", 1, "after a closing quote"),
            (b"a,1\"2\n", 1, "not quoted"),
            (b"a,1\rb,2\n", 1, "carriage return"),
            (b"a,\"1\n2\"x\n", 2, "after a closing quote"),
            (b"\"a\n\"\nb,2\n", 1, "one field"),
        ];
        for (text, line, why) in rows {
            let whole = drain(&mut Reader::new(text, false, 1 << 20)).unwrap_err();
            for error in [read(text).unwrap_err(), whole] {
                assert_eq!(error.line, line, "{error}");
                assert!(error.what.contains(why), "{error}");
            }
        }
    }

    #[test]
    fn an_endless_field_is_an_error_and_not_endless_memory() {
        let endless = io::BufReader::new(io::Read::chain(&b"a,\""[..], io::repeat(b'x')));
        let error = drain(&mut Reader::new(endless, false, 1 << 20)).unwrap_err();
        assert_eq!(error, InputError::too_long(1, 1 << 20));
    }
}
