//! One JSON object a line: `{"key": ..., "value": ...}`. Keys and values are strings where they are
//! UTF-8 and `{"hex": "..."}` where not; or strings of hexadecimal throughout, where asked for.

use std::io::{self, BufRead, Write};

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::{InputError, Next, OnlySection, Record, Section, Sink, Source, unhex};
use crate::bytes::write_hex;

/// Bytes as JSON shows them.
pub(crate) struct Text<'a> {
    bytes: &'a [u8],
    hex: bool,
}

impl<'a> Text<'a> {
    /// `bytes` as text where they are UTF-8; always in hexadecimal where `hex` says so.
    pub(crate) fn new(bytes: &'a [u8], hex: bool) -> Text<'a> {
        Text { bytes, hex }
    }

    fn digits(&self) -> String {
        let mut digits = Vec::with_capacity(2 * self.bytes.len());
        // Neither writing to a vector nor reading digits as text can fail.
        let _ = write_hex(&mut digits, self.bytes);
        String::from_utf8(digits).unwrap_or_default()
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.hex {
            return serializer.serialize_str(&self.digits());
        }
        if let Ok(text) = str::from_utf8(self.bytes) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("hex", &self.digits())?;
        map.end()
    }
}

#[derive(Serialize)]
struct EntryOut<'a> {
    key: Text<'a>,
    value: Text<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryIn {
    key: TextIn,
    value: TextIn,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "keys and values are strings, or {\"hex\": \"...\"}")]
enum TextIn {
    Text(String),
    Hex { hex: String },
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
}

impl<W: Write> Sink for Writer<W> {
    fn begin(&mut self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let (key, value) = (Text::new(key, self.hex), Text::new(value, self.hex));
        serde_json::to_writer(&mut self.out, &EntryOut { key, value })?;
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads entries; blank lines are skipped.
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
        let parsed: Result<EntryIn, serde_json::Error> = loop {
            let Some(line) = self.lines.next(self.limit)? else { return Ok(Next::End) };
            if !line.trim_ascii().is_empty() {
                break serde_json::from_slice(line);
            }
        };
        let number = self.lines.number();
        let entry = parsed.map_err(|error| {
            // Each line is a document of its own, so the parser counts it as line 1.
            let text = error.to_string();
            let what = match text.rsplit_once(" at line 1 column ") {
                Some((what, "0")) => what.to_owned(),
                Some((what, column)) => format!("column {column}: {what}"),
                None => text,
            };
            InputError::new(number, what)
        })?;
        for (field, text) in [(&mut record.key, entry.key), (&mut record.value, entry.value)] {
            let (text, hex) = match text {
                TextIn::Text(text) => (text, self.hex),
                TextIn::Hex { hex } => (hex, true),
            };
            *field = text.into_bytes();
            if hex {
                unhex(field, number)?;
            }
        }
        Ok(Next::Entry)
    }

    fn line(&self) -> u64 {
        self.lines.number()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{drain, nasty};
    use super::*;

    #[test]
    fn every_entry_comes_back() {
        for hex in [false, true] {
            let mut writer = Writer::new(Vec::new(), hex);
            for (key, value) in nasty() {
                writer.entry(&key, &value).unwrap();
            }
            let reader = &mut Reader::new(&writer.out[..], hex, 1 << 20);
            assert_eq!(drain(reader).unwrap(), nasty());
        }
    }

    #[test]
    fn errors_name_their_line() {
        let rows = [
            ("{\"key\":\"a\",\"value\":\"b\"}\n\n{\"key\":\"a\"}", 3, "missing field `value`"),
            ("{\"key\":\"a\",\"value\":1}", 1, "are strings"),
            ("{\"key\":\"a\",\"value\":\"b\",\"x\":1}", 1, "unknown field `x`"),
            ("{\"key\":\"a\",\"value\":{\"hex\":\"0g\"}}", 1, "no hexadecimal digits"),
            ("{\"key\":", 1, "EOF"),
            ("[[[[[[[[", 1, "column"),
        ];
        for (text, line, why) in rows {
            let error = drain(&mut Reader::new(text.as_bytes(), false, 1 << 20)).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(why), "{error}");
        }
    }
}
