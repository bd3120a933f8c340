//! How bytes stand in a data line, in either form, and how they are read back: piece by piece, as
//! a line may be larger than what should be held at once.

use std::io::{self, Write};

use crate::bytes::{hex_digit, hex_pair, write_hex};

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Two hexadecimal digits a byte.
    Bytevalue,
    /// Printable ASCII as itself, any other byte as `\hh`.
    Print,
}

impl Encoding {
    pub(super) fn write(self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoding::Bytevalue => write_hex(out, bytes),
            Encoding::Print => write_print(out, bytes),
        }
    }
}

fn write_print(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for &byte in bytes {
        match byte {
            // Not the backslash: LMDB 0.9.24's mdb_load reads `\\` wrongly where an escape came
            // before it, and `\5c` rightly.
            b' '..=b'[' | b']'..=b'~' => out.write_all(&[byte])?,
            _ => {
                let [high, low] = hex_pair(byte);
                out.write_all(&[b'\\', high, low])?;
            }
        }
    }
    Ok(())
}

/// Reads the text of one data line, in as many pieces as it comes in.
pub(super) struct Decoder {
    encoding: Encoding,
    /// The beginning of an escape, or of a pair of digits, whose end is still to come.
    begun: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Decoder {
        Decoder { encoding, begun: Vec::new() }
    }

    /// Appends what `text` stands for to `out`.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let mut rest = text;
        // Two more bytes at most complete what has begun.
        while let ([_, ..], [next, after @ ..]) = (self.begun.as_slice(), rest) {
            self.begun.push(*next);
            rest = after;
            let taken = self.decode(&self.begun, out)?;
            self.begun.drain(..taken);
        }
        let taken = self.decode(rest, out)?;
        self.begun.extend_from_slice(&rest[taken..]);
        Ok(())
    }

    /// Ends the line.
    pub(super) fn finish(self) -> Result<(), String> {
        match (self.begun.is_empty(), self.encoding) {
            (true, _) => Ok(()),
            (false, Encoding::Bytevalue) => Err("an odd number of hexadecimal digits".to_owned()),
            (false, Encoding::Print) => Err(lone_backslash()),
        }
    }

    /// Decodes all of `text` but what is incomplete at its end, and says how much that was.
    fn decode(&self, text: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
        match self.encoding {
            Encoding::Bytevalue => decode_bytevalue(text, out),
            Encoding::Print => decode_print(text, out),
        }
    }
}

fn decode_bytevalue(text: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
    out.reserve(text.len() / 2);
    let pairs = text.chunks_exact(2);
    let taken = text.len() - pairs.remainder().len();
    for pair in pairs {
        match (hex_digit(pair[0]), hex_digit(pair[1])) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => {
                return Err(format!(
                    "{:?} is no pair of hexadecimal digits",
                    pair.escape_ascii().to_string()
                ));
            }
        }
    }
    Ok(taken)
}

fn decode_print(text: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
    let mut at = 0;
    while let Some(plain) = text[at..].iter().position(|&b| b == b'\\') {
        out.extend_from_slice(&text[at..at + plain]);
        at += plain;
        let (byte, taken) = match text[at + 1..] {
            [b'\\', ..] => (b'\\', 2),
            [] => return Ok(at),
            [digit] if hex_digit(digit).is_some() => return Ok(at),
            [high, low, ..] => match (hex_digit(high), hex_digit(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => return Err(lone_backslash()),
            },
            _ => return Err(lone_backslash()),
        };
        out.push(byte);
        at += taken;
    }
    out.extend_from_slice(&text[at..]);
    Ok(text.len())
}

/// Some releases of mdb_dump write a backslash as itself. No reader can know what was meant by it,
/// and to guess would be to load other bytes than were dumped.
fn lone_backslash() -> String {
    "a backslash that is no escape (some releases of `mdb_dump -p` write these; dump without -p)"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `text` in two pieces.
    fn decode(encoding: Encoding, text: &[u8], cut: usize) -> Result<Vec<u8>, String> {
        let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
        decoder.push(&text[..cut], &mut out)?;
        decoder.push(&text[cut..], &mut out)?;
        decoder.finish()?;
        Ok(out)
    }

    #[test]
    fn every_byte_comes_back_wherever_the_line_is_cut() {
        let all: Vec<u8> = (0..=255).collect();
        for encoding in [Encoding::Bytevalue, Encoding::Print] {
            let mut text = Vec::new();
            encoding.write(&mut text, &all).unwrap();
            for cut in 0..=text.len() {
                assert_eq!(decode(encoding, &text, cut).as_ref(), Ok(&all), "cut at {cut}");
            }
        }
        let escapes = br"a\\b\5c\5C\\\\";
        for cut in 0..=escapes.len() {
            assert_eq!(decode(Encoding::Print, escapes, cut).unwrap(), br"a\b\\\\", "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_escape_is_an_error_wherever_the_line_is_cut() {
        let rows: [(Encoding, &[u8]); 6] = [
            (Encoding::Bytevalue, b"abc"),
            (Encoding::Bytevalue, b"ab0g"),
            (Encoding::Print, br"\"),
            (Encoding::Print, br"ab\4"),
            (Encoding::Print, br"ab\4x"),
            (Encoding::Print, br"ab\xcd"),
        ];
        for (encoding, text) in rows {
            for cut in 0..=text.len() {
                assert!(decode(encoding, text, cut).is_err(), "{} at {cut}", text.escape_ascii());
            }
        }
    }
}
