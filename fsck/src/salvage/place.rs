//! Where the new store comes to stand: under its own name only once it is finished.
//!
//! ```text
//! OUT.partial   made, written, closed, synced, checked
//! OUT           gets its name when all that is done; then the folder is synced
//! ```
//!
//! A salvage that is killed leaves `OUT.partial`, which nobody takes for a store that was rescued, and which the next
//! one does not overwrite. One that fails removes it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip_pager::storage::{FileStorage, OpenError, Storage};

use super::{SalvageOptions, Salvaged, run};
use crate::Error;

/// Salvages to a file.
pub(crate) fn salvage_to(
    storage: &dyn Storage,
    out: &Path,
    options: &SalvageOptions<'_>,
) -> Result<Salvaged, Error> {
    if out.symlink_metadata().is_ok() {
        return Err(Error::OutExists);
    }
    let partial = partial_of(out);
    if partial.symlink_metadata().is_ok() {
        return Err(Error::PartialExists(partial));
    }
    let mut made = false;
    let result = run(
        storage,
        &mut || {
            let storage = FileStorage::create(&partial).map_err(|error| match error {
                OpenError::Io(error) if error.kind() != ErrorKind::AlreadyExists => {
                    Error::OutFile(error)
                }
                _ => Error::PartialExists(partial.clone()),
            })?;
            made = true;
            Ok(Arc::new(storage))
        },
        options,
    );
    let result = match result {
        Ok(salvaged) if made && !salvaged.is_empty() => {
            give_name(&partial, out).map(|()| (salvaged, false))
        }
        other => other.map(|salvaged| (salvaged, made)),
    };
    match result {
        Ok((salvaged, remove)) => {
            if remove {
                fs::remove_file(&partial).map_err(Error::OutFile)?;
            }
            Ok(salvaged)
        }
        Err(error) => {
            if made {
                // The first failure is the one to tell.
                let _ = fs::remove_file(&partial);
            }
            Err(error)
        }
    }
}

fn partial_of(out: &Path) -> PathBuf {
    let mut name = OsString::from(out);
    name.push(".partial");
    name.into()
}

/// Never in the place of a file that came meanwhile.
fn give_name(partial: &Path, out: &Path) -> Result<(), Error> {
    match fs::hard_link(partial, out) {
        Ok(()) => fs::remove_file(partial).map_err(Error::OutFile)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(Error::OutExists),
        // A file system without links.
        Err(_) if out.symlink_metadata().is_ok() => return Err(Error::OutExists),
        Err(_) => fs::rename(partial, out).map_err(Error::OutFile)?,
    }
    sync_folder(out).map_err(Error::OutFile)
}

fn sync_folder(of: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
