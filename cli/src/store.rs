//! Opening a database for a verb, with errors that name the file.

use std::path::Path;

use cowslip::{Database, Error};

use crate::failure::Failure;

/// Opens an existing database for reading. Nothing of it changes.
pub(crate) fn for_reading(path: &Path) -> Result<Database, Failure> {
    require(path)?;
    Database::open_read_only(path).map_err(|error| explain(path, error))
}

/// Opens an existing database for reading and writing.
pub(crate) fn for_writing(path: &Path) -> Result<Database, Failure> {
    require(path)?;
    Database::open(path).map_err(|error| explain(path, error))
}

/// Closes `db`, and reports what only then goes wrong.
pub(crate) fn close(path: &Path, db: Database) -> Result<(), Failure> {
    db.close().map_err(|error| Failure::of_file(path, error))
}

/// Why `path` could not be opened, with the next thing to try where there is one.
pub(crate) fn explain(path: &Path, error: Error) -> Failure {
    match error {
        Error::Locked => Failure::Other(format!(
            "{}: another process has the database open; wait for it, or end it",
            path.display()
        )),
        error => Failure::of_file(path, error),
    }
}

/// An error if there is no file that could be a database.
pub(crate) fn require(path: &Path) -> Result<(), Failure> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Failure::Other(format!("{}: is a directory", path.display())))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::Other(format!(
            "{path}: no such file (`cowslip create {path}` makes it)",
            path = path.display()
        ))),
        Err(error) => Err(Failure::Other(format!("{}: {error}", path.display()))),
    }
}
