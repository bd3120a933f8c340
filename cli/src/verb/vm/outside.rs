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
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use cowslip::vm::{
    Program,
    trace::{Outside, Reference, References},
};

use super::elf;

/// Paths are taken from the folder of the trace, as in a script beside its data.
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn beside(trace: &Path) -> Files {
        Files { folder: trace.parent().map(Path::to_owned).unwrap_or_default() }
    }
}

impl Outside for Files {
    fn program(&self, path: &str) -> Result<Program, String> {
        elf::program(&self.folder.join(path))
    }

    fn references(&self, path: &str) -> Result<References<'_>, String> {
        let path = self.folder.join(path);
        let bad = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = BufReader::new(File::open(&path).map_err(bad)?);
        let lines = file.split(b'\n').enumerate();
        Ok(Box::new(lines.filter_map(move |(number, line)| {
            match line {
                Ok(line) => reference(&line)
                    .map_err(|what| format!("{}, line {}: {what}", path.display(), number + 1))
                    .transpose(),
                Err(error) => Some(Err(format!("{}: {error}", path.display()))),
            }
        })))
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
    let text = std::str::from_utf8(&line[3..]).map_err(|_| "not text")?;
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
