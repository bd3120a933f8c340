//! Keys and values on the command line: bytes as given, or hexadecimal with `--hex`.

use std::ffi::OsStr;
use std::io::{self, Write};

use crate::failure::Failure;

/// The bytes that an argument stands for.
pub(crate) fn from_argument(argument: &OsStr, hex: bool) -> Result<Vec<u8>, Failure> {
    // Where arguments are not bytes by nature (Windows), only Unicode has a byte form of its own.
    let bytes = if cfg!(unix) {
        argument.as_encoded_bytes()
    } else {
        let text = argument.to_str();
        text.ok_or_else(|| Failure::Usage(format!("{argument:?} is not valid Unicode; use --hex")))?
            .as_bytes()
    };
    if !hex {
        return Ok(bytes.to_vec());
    }
    let mut decoded = Vec::with_capacity(bytes.len() / 2);
    match decode_hex(bytes, &mut decoded) {
        Ok(()) => Ok(decoded),
        Err(why) => Err(Failure::Usage(format!("{argument:?} is not hexadecimal: {why}"))),
    }
}

/// Appends the bytes that `digits` stand for to `out`.
pub(crate) fn decode_hex(digits: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    if !digits.len().is_multiple_of(2) {
        return Err(format!("an odd number of digits ({})", digits.len()));
    }
    out.reserve(digits.len() / 2);
    for (i, pair) in digits.chunks_exact(2).enumerate() {
        match (hex_digit(pair[0]), hex_digit(pair[1])) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return Err(format!("no hexadecimal digits at column {}", 2 * i + 1)),
        }
    }
    Ok(())
}

/// The value of one hexadecimal digit of either case.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The two lower-case digits of `byte`.
pub(crate) fn hex_pair(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Writes `bytes` in hexadecimal.
pub(crate) fn write_hex(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut digits = [0; 1024];
    for chunk in bytes.chunks(digits.len() / 2) {
        for (pair, &byte) in digits.chunks_exact_mut(2).zip(chunk) {
            pair.copy_from_slice(&hex_pair(byte));
        }
        out.write_all(&digits[..2 * chunk.len()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back() {
        let all: Vec<u8> = (0..=255).cycle().take(1500).collect();
        let (mut digits, mut back) = (Vec::new(), Vec::new());
        write_hex(&mut digits, &all).unwrap();
        decode_hex(&digits, &mut back).unwrap();
        assert_eq!(back, all);
        decode_hex(b"aAFf", &mut back).unwrap();
        assert!(back.ends_with(&[0xaa, 0xff]));
    }

    #[test]
    fn hex_says_what_is_wrong() {
        assert!(decode_hex(b"abc", &mut Vec::new()).unwrap_err().contains("odd"));
        assert!(decode_hex(b"00g0", &mut Vec::new()).unwrap_err().contains("column 3"));
    }
}
