//! Sizes and copies of a store's files.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

/// What the files of a store take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Their lengths, as `ls` shows.
    pub length_bytes: u64,
    /// The blocks under them, as `du` shows; less where a file has holes.
    pub allocated_bytes: u64,
}

/// Adds up the files of `directory` and of the directories in it.
pub fn size(directory: &Path) -> Result<Size> {
    let mut size = Size::default();
    for entry in fs::read_dir(directory).context(directory.display().to_string())? {
        let entry = entry?;
        let file = entry.metadata()?;
        if file.is_dir() {
            let inner = self::size(&entry.path())?;
            size.length_bytes += inner.length_bytes;
            size.allocated_bytes += inner.allocated_bytes;
        } else {
            size.length_bytes += file.len();
            size.allocated_bytes += allocated(&file);
        }
    }
    Ok(size)
}

#[cfg(unix)]
fn allocated(file: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // In units of 512 bytes, whatever the file system's block size.
    file.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(file: &fs::Metadata) -> u64 {
    file.len()
}

/// Makes `to` a durable copy of the store in `from`. Undurable, it would be the first commit
/// measured on the copy that had to write it all.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    remove(to)?;
    copy_files(from, to)?;
    settle(to)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).context(from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
            continue;
        }
        fs::copy(entry.path(), &target)
            .with_context(|| format!("copying {}", entry.path().display()))?;
        File::options().write(true).open(&target)?.sync_all()?;
    }
    Ok(())
}

/// Makes the files of `directory` durable and has the operating system drop them from its cache;
/// `false` where there is no such call.
pub fn forget(directory: &Path) -> Result<bool> {
    for entry in fs::read_dir(directory).context(directory.display().to_string())? {
        let entry = entry?;
        let dropped = match entry.file_type()?.is_dir() {
            true => forget(&entry.path())?,
            false => forget_file(&entry.path())?,
        };
        if !dropped {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(target_os = "linux")]
fn forget_file(path: &Path) -> Result<bool> {
    use rustix::fs::{Advice, fadvise};

    // What is not on the disk yet would stay.
    let file = File::open(path)?;
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed).context(path.display().to_string())?;
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn forget_file(_path: &Path) -> Result<bool> {
    Ok(false)
}

/// Removes the store in `directory`, if there is one.
pub fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Waits until the file system of `directory` has nothing left to write, so that what came before
/// does not disturb what is measured next. Does nothing where there is no such call.
pub fn settle(directory: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(File::open(directory)?)?;
    #[cfg(not(target_os = "linux"))]
    let _ = directory;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_copied_and_counted_whole() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("inner"))?;
        fs::write(from.join("a"), [1; 10])?;
        fs::write(from.join("inner/b"), [2; 20])?;
        copy(&from, &to)?;
        assert_eq!(size(&to)?.length_bytes, 30);
        assert_eq!(fs::read(to.join("inner/b"))?, [2; 20]);
        Ok(())
    }
}
