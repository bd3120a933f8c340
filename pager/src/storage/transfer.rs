//! Whole transfers out of single ones, which may move less than they were asked to.
//!
//! Whatever makes one transfer is passed in, so that what follows holds for every system call:
//!
//! * a short transfer is continued where it stopped, byte by byte if need be;
//! * an interrupted one is repeated, as often as it is interrupted;
//! * one that moves nothing ends the loop with an error (`WriteZero`, `UnexpectedEof`), for it
//!   would move nothing the next time either;
//! * every other error is passed on at once, and never followed by another attempt.

use std::io::{self, ErrorKind};

/// Writes all of `buf` at `offset` with as many calls of `write` as it takes.
///
/// `done` is always what has been written so far, so that it is known how far an error let it come.
pub(super) fn write_all(
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
    buf: &[u8],
    offset: u64,
    done: &mut usize,
) -> io::Result<()> {
    while *done < buf.len() {
        match write(&buf[*done..], offset + *done as u64) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => *done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buf` from `offset` with as many calls of `read` as it takes.
pub(super) fn read_all(
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    mut buf: &mut [u8],
    mut offset: u64,
) -> io::Result<()> {
    while !buf.is_empty() {
        match read(buf, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buf = &mut buf[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are reached by transfers which do what the script says, one entry a call: how
    /// many bytes at most, or which error. Behind its end every transfer is whole.
    struct Scripted {
        bytes: Vec<u8>,
        script: std::vec::IntoIter<Result<usize, ErrorKind>>,
        calls: usize,
    }

    impl Scripted {
        fn new(script: impl IntoIterator<Item = Result<usize, ErrorKind>>) -> Self {
            let script: Vec<_> = script.into_iter().collect();
            Self { bytes: (0..200).collect(), script: script.into_iter(), calls: 0 }
        }

        fn next(&mut self, wanted: usize) -> io::Result<usize> {
            self.calls += 1;
            let most = self.script.next().unwrap_or(Ok(wanted)).map_err(io::Error::from)?;
            Ok(most.min(wanted))
        }

        fn write(&mut self, buf: &[u8], offset: u64, done: &mut usize) -> io::Result<()> {
            let one = |part: &[u8], at: u64| {
                let count = self.next(part.len())?;
                self.bytes[at as usize..][..count].copy_from_slice(&part[..count]);
                Ok(count)
            };
            write_all(one, buf, offset, done)
        }

        fn read(&mut self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            let one = |part: &mut [u8], at: u64| {
                let left = self.bytes.len() - at as usize;
                let count = self.next(part.len().min(left))?;
                part[..count].copy_from_slice(&self.bytes[at as usize..][..count]);
                Ok(count)
            };
            read_all(one, buf, offset)
        }
    }

    /// Writes 50 bytes into the middle and reads them back, both by the script.
    #[track_caller]
    fn goes_well(script: &[Result<usize, ErrorKind>], calls: usize) {
        let mut to = Scripted::new(script.iter().copied());
        let mut done = 0;
        to.write(&[250; 50], 100, &mut done).unwrap();
        assert_eq!((done, to.calls), (50, calls));
        let expected: Vec<u8> = (0..100).chain([250; 50]).chain(150..200).collect();
        assert_eq!(to.bytes, expected);
        let mut from = Scripted::new(script.iter().copied());
        let mut buf = [0; 50];
        from.read(&mut buf, 100).unwrap();
        assert!(buf.into_iter().eq(100..150));
        assert_eq!(from.calls, calls);
    }

    #[test]
    fn a_short_transfer_of_any_length_is_continued() {
        for length in 1..=50 {
            goes_well(&[Ok(length)], if length < 50 { 2 } else { 1 });
            goes_well(&[Ok(length); 50], 50usize.div_ceil(length));
        }
    }

    #[test]
    fn an_interrupted_transfer_is_repeated_however_often() {
        for times in [0, 1, 2, 10_000] {
            goes_well(&vec![Err(ErrorKind::Interrupted); times], times + 1);
        }
        // Between parts as well, which it neither repeats nor leaves out.
        let parts = [Err(ErrorKind::Interrupted), Ok(7), Err(ErrorKind::Interrupted), Ok(1)];
        goes_well(&parts, 5);
    }

    #[test]
    fn a_transfer_of_nothing_is_an_error_and_no_endless_loop() {
        for before in [0, 1, 49] {
            let script = (before > 0).then_some(Ok(before)).into_iter().chain([Ok(0)]);
            let calls = 1 + usize::from(before > 0);
            let (mut to, mut done) = (Scripted::new(script.clone()), 0);
            let error = to.write(&[1; 50], 0, &mut done).unwrap_err();
            assert_eq!((error.kind(), done, to.calls), (ErrorKind::WriteZero, before, calls));
            let mut from = Scripted::new(script);
            let error = from.read(&mut [0; 50], 0).unwrap_err();
            assert_eq!((error.kind(), from.calls), (ErrorKind::UnexpectedEof, calls));
        }
    }

    #[test]
    fn an_error_behind_a_part_is_passed_on_and_never_retried() {
        for kind in [ErrorKind::StorageFull, ErrorKind::FileTooLarge, ErrorKind::Other] {
            let script = [Ok(20), Err(ErrorKind::Interrupted), Err(kind)];
            let (mut to, mut done) = (Scripted::new(script), 0);
            let error = to.write(&[250; 50], 100, &mut done).unwrap_err();
            assert_eq!((error.kind(), done, to.calls), (kind, 20, 3));
            assert_eq!(to.bytes[119..121], [250, 120]);
            let mut from = Scripted::new(script);
            let error = from.read(&mut [0; 50], 100).unwrap_err();
            assert_eq!((error.kind(), from.calls), (kind, 3));
        }
    }

    #[test]
    fn nothing_to_transfer_is_no_call() {
        let mut storage = Scripted::new([]);
        storage.write(&[], 5, &mut 0).unwrap();
        storage.read(&mut [], 500).unwrap();
        assert_eq!(storage.calls, 0);
    }

    #[test]
    fn reading_past_the_end_is_an_error_also_behind_a_part() {
        let mut storage = Scripted::new([]);
        let error = storage.read(&mut [0; 50], 170).unwrap_err();
        assert_eq!((error.kind(), storage.calls), (ErrorKind::UnexpectedEof, 2));
    }
}
