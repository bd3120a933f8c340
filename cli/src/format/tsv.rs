//! One `key TAB value` line an entry. `\\`, `\t`, `\n`, `\r` and `\xNN` (for bytes that are not
//! UTF-8) keep every entry on one line of valid text; or plain hexadecimal, where asked for.

use std::io::{self, BufRead, Read, Write};

use super::lines::Lines;
use super::{InputError, Next, OnlySection, Record, Section, Sink, Source, in_pieces, unhex};
use crate::bytes::{hex_digit, hex_pair, write_hex};

/// Writes `bytes` escaped.
pub(crate) fn write_escaped(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some(at) = rest.iter().position(|b| matches!(b, b'\\' | b'\t' | b'\n' | b'\r')) {
            out.write_all(&rest[..at])?;
            out.write_all(match rest[at] {
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                _ => b"\\\\",
            })?;
            rest = &rest[at + 1..];
        }
        out.write_all(rest)?;
        for &byte in chunk.invalid() {
            let [high, low] = hex_pair(byte);
            out.write_all(&[b'\\', b'x', high, low])?;
        }
    }
    Ok(())
}

/// Writes a key or value, escaped or in hexadecimal.
pub(crate) fn write_field(out: &mut impl Write, bytes: &[u8], hex: bool) -> io::Result<()> {
    if hex { write_hex(out, bytes) } else { write_escaped(out, bytes) }
}

/// How many bytes at the end of `bytes` are the beginning of a character.
fn cut_character(bytes: &[u8]) -> usize {
    let longest = bytes.len().min(3);
    let cut = |&count: &usize| {
        let end = str::from_utf8(&bytes[bytes.len() - count..]);
        end.is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=longest).find(cut).unwrap_or(0)
}

/// Appends what the escaped `text` stands for to `out`.
fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (byte, taken) = match rest[at + 1..] {
            [b'\\', ..] => (b'\\', 2),
            [b't', ..] => (b'\t', 2),
            [b'n', ..] => (b'\n', 2),
            [b'r', ..] => (b'\r', 2),
            [b'x', high, low, ..] => match (hex_digit(high), hex_digit(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => return Err("two hexadecimal digits must follow \\x".to_owned()),
            },
            [b'x', ..] => return Err("two hexadecimal digits must follow \\x".to_owned()),
            [other, ..] => {
                let other = other.escape_ascii();
                return Err(format!("unknown escape \\{other}; a backslash is written \\\\"));
            }
            [] => return Err("a backslash at the end; a backslash is written \\\\".to_owned()),
        };
        out.push(byte);
        rest = &rest[at + taken..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// Writes entries.
pub(crate) struct Writer<W> {
    out: W,
    hex: bool,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W, hex: bool) -> Writer<W> {
        Writer { out, hex }
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Sink for Writer<W> {
    fn begin(&mut self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        write_field(&mut self.out, key, self.hex)?;
        self.out.write_all(b"\t")?;
        write_field(&mut self.out, value, self.hex)?;
        self.out.write_all(b"\n")
    }

    fn long_entry(&mut self, key: &[u8], value: &mut dyn Read) -> io::Result<()> {
        write_field(&mut self.out, key, self.hex)?;
        self.out.write_all(b"\t")?;
        // A character that the end of a piece cuts in two waits for the next.
        let mut begun = Vec::new();
        in_pieces(value, |piece| {
            begun.extend_from_slice(piece);
            let whole = if self.hex { begun.len() } else { begun.len() - cut_character(&begun) };
            write_field(&mut self.out, &begun[..whole], self.hex)?;
            begun.drain(..whole);
            Ok(())
        })?;
        write_field(&mut self.out, &begun, self.hex)?;
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads entries.
pub(crate) struct Reader<R> {
    lines: Lines<R>,
    section: OnlySection,
    hex: bool,
    limit: u64,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(input: R, hex: bool, limit: u64) -> Reader<R> {
        Reader { lines: Lines::new(input), section: OnlySection::default(), hex, limit }
    }
}

impl<R: BufRead> Source for Reader<R> {
    fn next_section(&mut self) -> Result<Option<Section>, InputError> {
        Ok(self.section.next())
    }

    fn next_entry(&mut self, record: &mut Record) -> Result<Next, InputError> {
        let Some(line) = self.lines.next(self.limit)? else { return Ok(Next::End) };
        // A carriage return of ours is escaped: one at the end is a foreign line ending.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        record.key.clear();
        record.value.clear();
        let parsed = match line.iter().position(|&b| b == b'\t') {
            None => Err("no TAB between key and value".to_owned()),
            Some(tab) if line[tab + 1..].contains(&b'\t') => {
                Err("a second TAB; a TAB in a value is written \\t".to_owned())
            }
            Some(tab) if self.hex => {
                record.key.extend_from_slice(&line[..tab]);
                record.value.extend_from_slice(&line[tab + 1..]);
                Ok(())
            }
            Some(tab) => unescape(&line[..tab], &mut record.key)
                .and_then(|()| unescape(&line[tab + 1..], &mut record.value)),
        };
        let number = self.lines.number();
        parsed.map_err(|why| InputError::new(number, why))?;
        if self.hex {
            unhex(&mut record.key, number)?;
            unhex(&mut record.value, number)?;
        }
        Ok(Next::Entry)
    }

    fn line(&self) -> u64 {
        self.lines.number()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entries, drain, nasty};
    use super::*;

    fn read(text: &[u8]) -> Result<Entries, InputError> {
        drain(&mut Reader::new(text, false, 1 << 20))
    }

    #[test]
    fn every_entry_comes_back() {
        for hex in [false, true] {
            let mut writer = Writer::new(Vec::new(), hex);
            for (key, value) in nasty() {
                writer.entry(&key, &value).unwrap();
            }
            let text = writer.into_inner();
            assert!(str::from_utf8(&text).is_ok(), "the output is text");
            assert_eq!(text.iter().filter(|&&b| b == b'\n').count(), nasty().len());
            assert_eq!(drain(&mut Reader::new(&text[..], hex, 1 << 20)).unwrap(), nasty());
        }
    }

    #[test]
    fn a_long_value_is_escaped_as_a_short_one_is() {
        /// Gives one byte at a time, so that every character is cut.
        struct Bytewise<'a>(&'a [u8]);
        impl Read for Bytewise<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let count = self.0.len().min(1);
                self.0.read(&mut buf[..count])
            }
        }
        let mut value = "ü日𝄞\t\\".as_bytes().to_vec();
        value.extend(b"\xff\xe6\x97 \xf0\x9d\x84");
        for hex in [false, true] {
            let (mut long, mut short) =
                (Writer::new(Vec::new(), hex), Writer::new(Vec::new(), hex));
            long.long_entry(b"k", &mut Bytewise(&value)).unwrap();
            short.entry(b"k", &value).unwrap();
            assert_eq!(
                long.into_inner().escape_ascii().to_string(),
                short.out.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn escapes_are_these() {
        let mut out = Vec::new();
        write_escaped(&mut out, b"\\ \t \n \r \xff \xc3\xbc \x00").unwrap();
        assert_eq!(out, b"\\\\ \\t \\n \\r \\xff \xc3\xbc \x00");
    }

    #[test]
    fn errors_name_their_line() {
        let rows: [(&[u8], u64, &str); 6] = [
            (b"a\tb\nno tab\n", 2, "no TAB"),
            (b"a\tb\tc", 1, "second TAB"),
            (b"a\tb\n\n", 2, "no TAB"),
            (b"a\t\\q", 1, "unknown escape \\q"),
            (b"a\t\\x4", 1, "two hexadecimal digits"),
            (b"a\tb\\", 1, "backslash at the end"),
        ];
        for (text, line, why) in rows {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(why), "{error}");
        }
    }

    #[test]
    fn foreign_line_endings_are_no_part_of_the_value() {
        assert_eq!(read(b"a\tb\r\n").unwrap(), [(b"a".to_vec(), b"b".to_vec())]);
    }
}
