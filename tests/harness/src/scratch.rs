//! The fixture: a database whose closing proves it whole, on a storage that a [`Monitor`] watches.

use std::{path::PathBuf, sync::Arc};

use cowslip::{
    Builder, Database, Error, Result,
    storage::{FileStorage, MemoryStorage, OpenError, SimulatedStorage, Storage},
};
use tempfile::TempDir;

use crate::{
    check,
    monitor::{Monitor, Watch},
    session::image_of,
};

/// A database for one test. Dropping it closes it, asks the monitor and runs the checker; if one of them,
/// or the test, fails, its bytes are kept and the place is printed.
#[derive(Debug)]
pub struct Scratch {
    builder: Builder,
    db: Option<Database>,
    /// What its monitor saw since it was opened.
    watch: Watch,
    medium: Medium,
}

#[derive(Debug)]
enum Medium {
    File(TempDir),
    Simulated(Arc<SimulatedStorage>),
    Other(Arc<dyn Storage>),
}

impl Scratch {
    /// In a file of a temporary folder.
    pub fn file(builder: Builder) -> Scratch {
        let dir = tempfile::Builder::new().prefix("cowslip-test").tempdir().expect("a folder");
        let file = FileStorage::create(dir.path().join("test.cow")).expect("a new file");
        let watched = Monitor::over(Arc::new(file));
        Scratch::watched(builder, watched, Medium::File(dir)).expect("a new database")
    }

    /// In memory, as on a file: it can be reopened.
    pub fn memory(builder: Builder) -> Scratch {
        Scratch::on(builder, Arc::new(MemoryStorage::new())).expect("a new database")
    }

    /// On a simulated disk, without background threads, so that every write is reproducible.
    pub fn simulated(builder: Builder) -> (Scratch, Arc<SimulatedStorage>) {
        let disk = Arc::new(SimulatedStorage::new());
        let (watched, medium) = (Monitor::over_disk(&disk), Medium::Simulated(disk.clone()));
        let scratch = Scratch::watched(builder.background(false), watched, medium);
        (scratch.expect("a new database"), disk)
    }

    /// On any storage; created if that is empty.
    pub fn on(builder: Builder, storage: Arc<dyn Storage>) -> Result<Scratch> {
        Scratch::watched(builder, Monitor::over(storage.clone()), Medium::Other(storage))
    }

    fn watched(
        builder: Builder,
        (storage, watch): (Arc<Monitor>, Watch),
        medium: Medium,
    ) -> Result<Scratch> {
        let db = builder.open_or_create_on(storage);
        watch.assert_content();
        Ok(Scratch { builder, db: Some(db?), watch, medium })
    }

    /// The file.
    ///
    /// # Panics
    ///
    /// If it is not in a file.
    pub fn path(&self) -> PathBuf {
        match &self.medium {
            Medium::File(dir) => dir.path().join("test.cow"),
            _ => panic!("this database is not in a file"),
        }
    }

    /// Closes (the checker runs) and opens again.
    #[track_caller]
    pub fn reopen(&mut self) {
        self.close().expect("closing");
        self.open().expect("opening again");
    }

    /// Closes; the checker runs.
    #[track_caller]
    pub fn close(&mut self) -> Result<()> {
        let result = self.db.take().map_or(Ok(()), Database::close);
        self.check();
        result
    }

    /// Opens again after [`Scratch::close`].
    pub fn open(&mut self) -> Result<()> {
        let (storage, watch) = match &self.medium {
            Medium::File(_) => match FileStorage::open(self.path()) {
                Ok(file) => Monitor::over(Arc::new(file)),
                Err(OpenError::Locked) => return Err(Error::Locked),
                Err(error) => panic!("opening the file again: {error}"),
            },
            Medium::Simulated(disk) => Monitor::over_disk(disk),
            Medium::Other(storage) => Monitor::over(storage.clone()),
        };
        let db = self.builder.open_or_create_on(storage);
        self.watch = watch;
        self.watch.assert_content();
        self.db = Some(db?);
        Ok(())
    }

    /// The bytes as they are now.
    pub fn image(&self) -> Vec<u8> {
        match &self.medium {
            Medium::File(_) => std::fs::read(self.path()).expect("the file"),
            Medium::Simulated(disk) => disk.image(),
            Medium::Other(storage) => image_of(&**storage).expect("the storage"),
        }
    }

    #[track_caller]
    fn check(&self) {
        self.watch.assert_content();
        let result = match &self.medium {
            Medium::File(_) => match FileStorage::open_read_only(self.path()) {
                Ok(storage) => check::storage(&storage),
                Err(error) => Err(format!("opening for the checker: {error:?}")),
            },
            Medium::Simulated(disk) => check::storage(&**disk),
            Medium::Other(storage) => check::storage(&**storage),
        };
        if let Err(what) = result {
            let path = keep_image("unsound", &self.image());
            panic!("the checker found damage (image in {path}): {what}");
        }
    }
}

impl std::ops::Deref for Scratch {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.db.as_ref().expect("open")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.db = None;
            if let Some(what) = self.watch.verdict() {
                eprintln!("the ordering monitor: {what}");
            }
            eprintln!("the database was kept in {}", keep_image("failed", &self.image()));
            return;
        }
        if let Some(db) = self.db.take() {
            match db.close() {
                // Poisoned on purpose by the test: the log holds what was acknowledged.
                Ok(()) | Err(Error::Poisoned { .. }) => {}
                Err(error) => {
                    self.watch.assert_content();
                    panic!("closing failed: {error}");
                }
            }
        }
        self.check();
    }
}

/// Writes an image to the temporary folder, for a person to look at; returns its path.
pub fn keep_image(why: &str, image: &[u8]) -> String {
    let name = format!("cowslip-{why}-{}-{:08x}.cow", std::process::id(), fastrand::u32(..));
    let path = std::env::temp_dir().join(name);
    match std::fs::write(&path, image) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("(not written: {error})"),
    }
}
