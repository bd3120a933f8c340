//! The files that a trace maps: real ones, in the page cache, removed afterwards.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

/// The files of one trace, by name.
pub(crate) struct Files {
    folder: PathBuf,
    paths: HashMap<String, PathBuf>,
}

impl Files {
    /// None yet.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), paths: HashMap::new() }
    }

    /// A file whose bytes all are `fill`.
    pub(crate) fn create(&mut self, name: &str, pages: u64, fill: u8) -> io::Result<()> {
        let path = self.folder.join(format!("cowslip-kernel-{}-{name}", std::process::id()));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        self.paths.insert(name.to_owned(), path);
        // Page by page, or the file system might cache it in folios larger than a page.
        for _ in 0..pages {
            file.write_all(&[fill; 4096])?;
        }
        // Clean, so that write-back leaves it alone.
        file.sync_all()?;
        file.rewind()?;
        let mut page = [0; 4096];
        while file.read(&mut page)? != 0 {}
        Ok(())
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        self.paths.get(name).map(PathBuf::as_path)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in self.paths.values() {
            if let Err(e) = fs::remove_file(path) {
                eprintln!("not removed: {}: {e}", path.display());
            }
        }
    }
}
