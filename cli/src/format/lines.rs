//! Lines of an input, one at a time, counted, and none held beyond a limit.

use std::io::{self, BufRead, Read};

use super::InputError;

pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    unended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Lines<R> {
        Lines { input, line: Vec::new(), number: 0, unended: false }
    }

    /// The next line without its newline, or `None` at the end; longer than `limit` is an error.
    pub(super) fn next(&mut self, limit: u64) -> Result<Option<&[u8]>, InputError> {
        match self.begin(limit)? {
            None => Ok(None),
            Some((_, true)) => Ok(Some(&self.line)),
            Some((_, false)) => Err(InputError::too_long(self.number, limit)),
        }
    }

    /// The next line without its newline, or its first `limit` bytes and `false` if there are
    /// more, which [`more`](Self::more) gives.
    pub(super) fn begin(&mut self, limit: u64) -> Result<Option<(&[u8], bool)>, InputError> {
        self.line.clear();
        self.number += 1;
        // One byte more for the newline.
        let mut bounded = (&mut self.input).take(limit.saturating_add(1));
        let read = bounded.read_until(b'\n', &mut self.line);
        let left = bounded.limit();
        read.map_err(|error| InputError::reading(self.number, &error))?;
        if self.line.is_empty() {
            return Ok(None);
        }
        let newline = self.line.pop_if(|last| *last == b'\n').is_some();
        self.unended = !newline && left > 0;
        Ok(Some((&self.line, newline || self.unended)))
    }

    /// The next piece of a line that [`begin`](Self::begin) left incomplete, and whether it ends
    /// here by a newline; `None` at the end of the input. The piece is to be given back, with its
    /// newline, to [`used`](Self::used).
    pub(super) fn more(&mut self) -> Result<Option<(&[u8], bool)>, InputError> {
        let chunk = loop {
            match self.input.fill_buf() {
                // The borrow checker wants the buffer asked for once more.
                Ok(_) => break self.input.fill_buf(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let chunk = chunk.map_err(|error| InputError::reading(self.number, &error))?;
        if chunk.is_empty() {
            return Ok(None);
        }
        let newline = chunk.iter().position(|&b| b == b'\n');
        Ok(Some((&chunk[..newline.unwrap_or(chunk.len())], newline.is_some())))
    }

    /// Passes over bytes that [`more`](Self::more) gave.
    pub(super) fn used(&mut self, bytes: usize) {
        self.input.consume(bytes);
    }

    /// Whether the line last read was ended by the end of the input, not by a newline.
    pub(super) fn unended(&self) -> bool {
        self.unended
    }

    /// The number of the line last read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_limited() {
        let mut lines = Lines::new(&b"one\n\nlast"[..]);
        assert_eq!(lines.next(4).unwrap(), Some(&b"one"[..]));
        assert_eq!(lines.next(4).unwrap(), Some(&b""[..]));
        assert!(!lines.unended());
        assert_eq!(lines.next(4).unwrap(), Some(&b"last"[..]));
        assert!(lines.unended());
        assert_eq!(lines.number(), 3);
        assert_eq!(lines.next(4).unwrap(), None);
        let mut lines = Lines::new(&b"1234\n12345\n"[..]);
        assert!(lines.next(4).unwrap().is_some());
        assert_eq!(lines.next(4).unwrap_err().line, 2);
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let mut lines = Lines::new(io::BufReader::with_capacity(3, &b"1234567\nx\n"[..]));
        let (begun, complete) = lines.begin(2).unwrap().unwrap();
        assert_eq!((begun, complete), (&b"123"[..], false));
        let mut rest = Vec::new();
        loop {
            let (piece, ends) = lines.more().unwrap().unwrap();
            rest.extend_from_slice(piece);
            let used = piece.len() + usize::from(ends);
            lines.used(used);
            if ends {
                break;
            }
        }
        assert_eq!(rest, b"4567");
        assert_eq!(lines.next(2).unwrap(), Some(&b"x"[..]));
    }

    #[test]
    fn an_endless_line_is_an_error_and_not_endless_memory() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        let mut lines = Lines::new(endless);
        assert_eq!(lines.next(1 << 20).unwrap_err(), InputError::too_long(1, 1 << 20));
    }
}
