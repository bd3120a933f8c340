//! What traces ask for that stands in real files: programs, and lists of their accesses.
//!
//! A list is what `valgrind --tool=lackey --trace-mem=yes PROGRAM` writes, a line an access:
//!
//! ```text
//! I  04016b80,3     an instruction
//!  L 1ffefff0a8,8   a load       S a store       M both
//! ==1234== ...      (anything else is passed over)
//! ```

use std::{
    cell::RefCell,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use cowslip::vm::{
    Program,
    trace::{Outside, Reference, References},
};

use super::loader::Loader;

/// Longest line of a list.
const LINE: u64 = 4096;

/// Paths are taken from the folder of the trace, as in a script beside its data.
pub(super) struct Files {
    folder: PathBuf,
    loader: RefCell<Loader>,
}

impl Files {
    pub(super) fn beside(trace: &Path) -> Files {
        let folder = trace.parent().map(Path::to_owned).unwrap_or_default();
        Files { folder, loader: RefCell::default() }
    }
}

impl Outside for Files {
    fn program(&self, path: &str) -> Result<Program, String> {
        self.loader.borrow_mut().program(&self.folder.join(path))
    }

    fn references(&self, path: &str) -> Result<References<'_>, String> {
        let path = self.folder.join(path);
        let bad = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = BufReader::new(File::open(&path).map_err(bad)?);
        Ok(Box::new(Lines { path, file, line: Vec::new(), number: 0 }))
    }
}

/// A list, of which one line at a time is in memory.
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Iterator for Lines {
    type Item = Result<Reference, String>;

    fn next(&mut self) -> Option<Result<Reference, String>> {
        loop {
            self.number += 1;
            self.line.clear();
            let read = (&mut self.file).take(LINE + 1).read_until(b'\n', &mut self.line);
            let found = match read {
                Ok(0) => return None,
                Ok(_) if self.line.len() as u64 > LINE => Err("longer than 4096 bytes".to_owned()),
                Ok(_) => reference(&self.line).map_err(str::to_owned),
                Err(error) => Err(error.to_string()),
            };
            let bad = |what| format!("{}, line {}: {what}", self.path.display(), self.number);
            match found {
                Ok(None) => {}
                Ok(Some(reference)) => return Some(Ok(reference)),
                Err(what) => return Some(Err(bad(what))),
            }
        }
    }
}

/// An access; none: the line says something else.
fn reference(line: &[u8]) -> Result<Option<Reference>, &'static str> {
    let (load, store) = match line {
        [b'I', b' ', b' ', ..] | [b' ', b'L', b' ', ..] => (true, false),
        [b' ', b'S', b' ', ..] => (false, true),
        [b' ', b'M', b' ', ..] => (true, true),
        _ => return Ok(None),
    };
    let text = line.get(3..).and_then(|text| std::str::from_utf8(text).ok()).ok_or("not text")?;
    let (address, size) = text.trim().split_once(',').ok_or("no size")?;
    let address = u64::from_str_radix(address, 16).map_err(|_| "no address")?;
    let size: u64 = size.parse().map_err(|_| "no size")?;
    let end = address.checked_add(size.clamp(1, 4096) - 1).ok_or("no address")?;
    Ok(Some(Reference { page: address >> 12, last: end >> 12, load, store }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_read_and_talk_is_passed_over() {
        let of = |line: &str| reference(line.as_bytes());
        let load = Reference { page: 0x1ffefff, last: 0x1ffefff, load: true, store: false };
        assert_eq!(of(" L 1ffefff0a8,8"), Ok(Some(load)));
        let both = Reference { page: 4, last: 5, load: true, store: true };
        assert_eq!(of(" M 4ffe,4"), Ok(Some(both)));
        assert_eq!(of("I  04016b80,3").map(|r| r.map(|r| r.store)), Ok(Some(false)));
        assert_eq!(of("==77== Lackey"), Ok(None));
        assert!(of(" S zz,4").is_err());
        assert!(of(" S 44").is_err());
        assert!(of(" L ffffffffffffffff,8").is_err());
    }
}
