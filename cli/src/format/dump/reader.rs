//! The reading half: strict, and never holding more than one entry, or a piece of a long one.

use std::io::{self, BufRead};

use super::Encoding;
use super::text::Decoder;
use crate::format::lines::Lines;
use crate::format::{InputError, Next, Record, Section, Source};

/// Bytes of a header line, or of a key's line, at most. (The longest key takes 48 KiB.)
const SHORT_LINE: u64 = 1 << 20;

/// Reads entries.
pub(crate) struct Reader<R> {
    lines: Lines<R>,
    /// The longest line of a value that is held whole.
    whole_line: u64,
    encoding: Encoding,
    entry_line: u64,
    state: State,
}

enum State {
    /// Before the first header.
    Start,
    /// Between HEADER=END and DATA=END.
    Data,
    /// In the middle of the line of a long value.
    LongValue(LongValue),
    /// After a DATA=END.
    Between,
}

/// What a data line was.
enum Data {
    /// A key or value, now whole in its field.
    Whole,
    /// The beginning of one that is longer than the limit.
    Begun(Decoder),
    /// DATA=END.
    End,
}

/// A value of which only a piece is held.
struct LongValue {
    /// None once the line has ended.
    decoder: Option<Decoder>,
    decoded: Vec<u8>,
    /// How much of `decoded` has been given out.
    given: usize,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(input: R, whole_line: u64) -> Reader<R> {
        Reader {
            lines: Lines::new(input),
            whole_line,
            encoding: Encoding::Bytevalue,
            entry_line: 0,
            state: State::Start,
        }
    }

    /// Reads the header lines after `VERSION=`.
    fn header(&mut self) -> Result<Section, InputError> {
        let mut name = None;
        let mut encoding = None;
        loop {
            let Some(line) = self.lines.next(SHORT_LINE)? else {
                return Err(self.error("the dump ends before HEADER=END: it is cut short"));
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(at) = line.iter().position(|&b| b == b'=') else {
                return Err(self.error("a header line is NAME=VALUE"));
            };
            let word = line[..at].to_ascii_lowercase();
            let Ok(value) = String::from_utf8(line[at + 1..].to_vec()) else {
                return Err(self.error("a header line that is not UTF-8"));
            };
            match (word.as_slice(), value.as_str()) {
                (b"header", "END") => break,
                (b"format", "print") => encoding = Some(Encoding::Print),
                (b"format", "bytevalue") => encoding = Some(Encoding::Bytevalue),
                (b"format", _) => {
                    let why = format!("format={value}: must be format=print or format=bytevalue");
                    return Err(self.error(why));
                }
                (b"type", "btree" | "hash") => {}
                (b"type", _) => {
                    let why = format!("type={value}: only btree and hash have keys to load by");
                    return Err(self.error(why));
                }
                (b"keys", "0") => return Err(self.error("keys=0: a dump without keys")),
                (b"duplicates" | b"dupsort" | b"dupfixed", value) if value != "0" => {
                    let word = String::from_utf8_lossy(&word);
                    return Err(self.error(format!(
                        "{word}={value}: several values under one key cannot be loaded"
                    )));
                }
                (b"database" | b"subdatabase", _) => name = Some(value),
                _ => {}
            }
        }
        let Some(encoding) = encoding else {
            return Err(self.error("the header has no format= line"));
        };
        self.encoding = encoding;
        Ok(Section { name })
    }

    /// Reads and decodes the next data line, or what of it fits into `limit`.
    fn data_line(&mut self, limit: u64, field: &mut Vec<u8>) -> Result<Data, InputError> {
        field.clear();
        let Some((line, complete)) = self.lines.begin(limit)? else {
            return Err(cut_short(self.lines.number()));
        };
        // Both forms escape a carriage return: one at the end is a foreign line ending.
        let line = if complete { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        let mut decoder = Decoder::new(self.encoding);
        let decoded = match line {
            b"DATA=END" => return Ok(Data::End),
            [b' ', text @ ..] => decoder.push(text, field),
            _ => Err("a data line begins with a space".to_owned()),
        };
        let decoded = decoded.and_then(|()| {
            if !complete {
                return Ok(Data::Begun(decoder));
            }
            decoder.finish().map(|()| Data::Whole)
        });
        // Whatever seems wrong with the last line of a cut file, this is what happened to it.
        if self.lines.unended() {
            return Err(cut_short(self.lines.number()));
        }
        decoded.map_err(|why| self.error(why))
    }

    fn error(&self, what: impl Into<String>) -> InputError {
        InputError::new(self.lines.number(), what)
    }
}

impl LongValue {
    /// Decodes the next piece of the line.
    fn refill<R: BufRead>(&mut self, lines: &mut Lines<R>) -> Result<(), InputError> {
        let number = lines.number();
        self.decoded.clear();
        self.given = 0;
        let Some(mut decoder) = self.decoder.take() else { return Ok(()) };
        let Some((piece, ends)) = lines.more()? else {
            return Err(cut_short(number));
        };
        let decoded = decoder.push(piece, &mut self.decoded);
        let used = piece.len() + usize::from(ends);
        lines.used(used);
        let ended = decoded.and_then(|()| {
            if ends {
                decoder.finish()
            } else {
                self.decoder = Some(decoder);
                Ok(())
            }
        });
        ended.map_err(|why| InputError::new(number, why))
    }
}

fn cut_short(line: u64) -> InputError {
    InputError::new(line, "the dump ends before DATA=END: it is cut short")
}

impl<R: BufRead> Source for Reader<R> {
    fn next_section(&mut self) -> Result<Option<Section>, InputError> {
        let mut record = Record::default();
        while !matches!(self.next_entry(&mut record)?, Next::End) {}
        let start = matches!(self.state, State::Start);
        let Some(line) = self.lines.next(SHORT_LINE)? else {
            return if start {
                Err(self.error("the input is empty; a dump begins with VERSION=3"))
            } else {
                Ok(None)
            };
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.strip_prefix(b"VERSION=") {
            Some(b"2" | b"3") => {}
            Some(version) => {
                let version = version.escape_ascii();
                let why = format!("version {version} of the dump format is unknown");
                return Err(self.error(why));
            }
            None if start => {
                return Err(self.error(
                    "a dump begins with VERSION=3 (other formats need --format tsv|csv|jsonl)",
                ));
            }
            None => return Err(self.error("after DATA=END there is only VERSION=3, or nothing")),
        }
        let section = self.header()?;
        self.entry_line = self.lines.number();
        self.state = State::Data;
        Ok(Some(section))
    }

    fn next_entry(&mut self, record: &mut Record) -> Result<Next, InputError> {
        while let State::LongValue(value) = &mut self.state {
            value.refill(&mut self.lines)?;
            if value.decoder.is_none() {
                self.state = State::Data;
            }
        }
        if !matches!(self.state, State::Data) {
            return Ok(Next::End);
        }
        match self.data_line(SHORT_LINE, &mut record.key)? {
            Data::Whole => {}
            Data::Begun(_) => {
                return Err(InputError::too_long(self.lines.number(), SHORT_LINE));
            }
            Data::End => {
                self.state = State::Between;
                return Ok(Next::End);
            }
        }
        self.entry_line = self.lines.number();
        match self.data_line(self.whole_line, &mut record.value)? {
            Data::Whole => Ok(Next::Entry),
            Data::Begun(decoder) => {
                let decoded = std::mem::take(&mut record.value);
                let value = LongValue { decoder: Some(decoder), decoded, given: 0 };
                self.state = State::LongValue(value);
                Ok(Next::LongValue)
            }
            Data::End => Err(self.error("a key without a value")),
        }
    }

    fn read_long_value(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let State::LongValue(value) = &mut self.state else { return Ok(0) };
        while value.given == value.decoded.len() && value.decoder.is_some() {
            value.refill(&mut self.lines).map_err(InputError::into_io)?;
        }
        let left = &value.decoded[value.given..];
        let count = left.len().min(buf.len());
        buf[..count].copy_from_slice(&left[..count]);
        value.given += count;
        Ok(count)
    }

    fn line(&self) -> u64 {
        self.entry_line
    }
}
