//! The file that the tour leaves behind: never anything but its own earlier one is replaced.

use std::path::{Path, PathBuf};

use cowslip::{Database, WriteTransaction};

use super::exists;
use crate::failure::Failure;

/// The table that says whose file it is.
const TABLE: &str = "about-this-file";
const KEY: &[u8] = b"made-by";
const VALUE: &[u8] = b"cowslip tour";

/// Marks the database as one that a later tour may replace.
pub(super) fn mark(tx: &WriteTransaction) -> Result<(), Failure> {
    tx.open_table(TABLE)?.insert(KEY, VALUE)?;
    Ok(())
}

/// Whether the file at `path` is a database that a tour made. Anything that is not surely so is
/// not: in use, damaged, somebody else's.
pub(super) fn is_marked(path: &Path) -> bool {
    let marked = || -> Result<bool, cowslip::Error> {
        let table = Database::open_read_only(path)?.begin_read()?.open_table(TABLE)?;
        Ok(table.get(KEY)?.is_some_and(|value| *value == *VALUE))
    };
    marked().unwrap_or(false)
}

/// A free name in the current folder; an earlier tour's file makes room for the new one.
pub(super) fn choose() -> Result<PathBuf, Failure> {
    for number in 1..100 {
        let path = PathBuf::from(match number {
            1 => "cowslip-tour.cow".to_owned(),
            _ => format!("cowslip-tour-{number}.cow"),
        });
        if !exists(&path) {
            return Ok(path);
        }
        if is_marked(&path) {
            return match std::fs::remove_file(&path) {
                Ok(()) => Ok(path),
                Err(error) => Err(Failure::Other(format!(
                    "cannot replace the earlier tour's {}: {error}",
                    path.display()
                ))),
            };
        }
    }
    Err(Failure::Other("cowslip-tour.cow to cowslip-tour-99.cow exist already".to_owned()))
}
