//! How a database is opened or created.

use std::{path::Path, sync::Arc, time::Duration};

use cowslip_pager::{
    Config, Durability, Pager,
    storage::{FileStorage, MemoryStorage, OpenError, Storage},
};

use super::{Database, Shared, recovery::Recovery, releases::Releasing};
use crate::{
    draft::{self, Draft},
    error::{Error, Result},
    kinds::EngineKinds,
    pending::Pending,
};

/// How a database is opened or created.
#[derive(Debug, Clone)]
pub struct Builder {
    config: Config,
    durability: Durability,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder { config: Config::default(), durability: Durability::Immediate }
    }
}

impl Builder {
    /// Bytes of memory for pages (default 256 MiB), which stays within it whatever happens. Beside it, rows that a
    /// transaction holds back take up to a quarter of it, and after a kill the log's records up to three
    /// eighths, until they are replayed.
    pub fn cache_size(mut self, bytes: usize) -> Builder {
        self.config.cache_size = bytes;
        self
    }

    /// Bytes of a page, for new databases: a power of two from 4096 (default) to 65536.
    pub fn page_size(mut self, bytes: usize) -> Builder {
        self.config.page_size = bytes;
        self
    }

    /// Most bytes that the file may grow to; beyond that writes fail with [`Error::DiskFull`].
    pub fn max_size(mut self, bytes: u64) -> Builder {
        self.config.max_size = bytes;
        self
    }

    /// The durability of transactions that do not choose one (default
    /// [`Durability::Immediate`]).
    pub fn durability(mut self, durability: Durability) -> Builder {
        self.durability = durability;
        self
    }

    /// Without background threads (`false`), the log is replayed by the opening, and checkpoints and releases
    /// happen inside the calls that cause them: every write at a reproducible moment, as tests on a
    /// simulated disk need it.
    pub fn background(mut self, background: bool) -> Builder {
        self.config.background = background;
        self
    }

    /// Scrubs in the background, as long as the database is open: reads all used pages again and again,
    /// at most so many bytes a second (`u64::MAX`: no limit), and compares them with their checksums. 0
    /// (default): only when [`Database::scrub_start`] asks for it.
    pub fn scrub_rate(mut self, bytes_per_second: u64) -> Builder {
        self.config.scrub_rate = bytes_per_second;
        self
    }

    /// From the end of a scrub's pass to the beginning of the next one (default: a week), also where the
    /// database was closed meanwhile.
    pub fn scrub_interval(mut self, interval: Duration) -> Builder {
        self.config.scrub_interval = interval;
        self
    }

    /// Creates a new database file; [`Error::AlreadyExists`] if there is a file.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Database> {
        let path = path.as_ref();
        let storage = FileStorage::create(path).map_err(|e| opening(e, path))?;
        self.create_on(Arc::new(storage), Some(path)).inspect_err(|_| {
            // The file is ours, new, and holds nothing: it should not block the name.
            let _ = std::fs::remove_file(path);
        })
    }

    /// Opens an existing database file.
    ///
    /// What a killed process left in the log is replayed in the background, where it is nothing but puts and
    /// removals of single keys: gets in a [`ReadTransaction`](crate::ReadTransaction) are answered at once, snapshots and tables that
    /// the log does not change are there as a whole, and all other calls wait for the end. If the replay fails
    /// they get the error, and gets go on; nothing is lost, and the next opening tries again. Without
    /// [background threads](Builder::background) it is replayed here.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Database> {
        let path = path.as_ref();
        let storage = FileStorage::open(path).map_err(|e| opening(e, path))?;
        self.open_storage(Arc::new(storage), Some(path))
    }

    /// Opens a database file, or creates it if there is none (or an empty one).
    pub fn open_or_create(&self, path: impl AsRef<Path>) -> Result<Database> {
        let path = path.as_ref();
        match FileStorage::open(path) {
            Ok(storage) => {
                let storage: Arc<dyn Storage> = Arc::new(storage);
                if Pager::is_unfinished(&*storage)? {
                    self.create_on(storage, Some(path))
                } else {
                    self.open_storage(storage, Some(path))
                }
            }
            Err(OpenError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => self.create(path),
            Err(error) => Err(opening(error, path)),
        }
    }

    /// Opens an existing database file for reading; it is not written to, and other readers may
    /// have it open too. What a killed process left in the log is read into memory.
    pub fn open_read_only(&self, path: impl AsRef<Path>) -> Result<Database> {
        let path = path.as_ref();
        let storage = FileStorage::open_read_only(path).map_err(|e| opening(e, path))?;
        self.open_storage(Arc::new(storage), Some(path))
    }

    /// Opens a database on any storage, or creates it if the storage is empty.
    pub fn open_or_create_on(&self, storage: Arc<dyn Storage>) -> Result<Database> {
        if Pager::is_unfinished(&*storage)? {
            self.create_on(storage, None)
        } else {
            self.open_storage(storage, None)
        }
    }

    /// A database in memory only.
    pub fn in_memory(&self) -> Result<Database> {
        self.create_on(Arc::new(MemoryStorage::new()), None)
    }

    fn create_on(&self, storage: Arc<dyn Storage>, path: Option<&Path>) -> Result<Database> {
        let pager = Pager::create(storage, self.config.clone(), Arc::new(EngineKinds))?;
        self.finish(Arc::new(pager), path)
    }

    fn open_storage(&self, storage: Arc<dyn Storage>, path: Option<&Path>) -> Result<Database> {
        if Pager::is_unfinished(&*storage)? {
            return Err(Error::NotADatabase);
        }
        let (pager, mut replay) = Pager::open(storage, self.config.clone(), Arc::new(EngineKinds))?;
        if pager.lacks_root(&replay) {
            return Err(Error::corrupted(0, "root in the superblock", 1, 0));
        }
        let pager = Arc::new(pager);
        match Pending::of(&pager, &mut replay) {
            Some(pending) => {
                let database = self.share(pager, path, Recovery::of(pending));
                let Shared { pager, recovery, releasing, .. } = &*database.shared;
                recovery.begin(pager, replay, releasing)?;
                Ok(database)
            }
            None => {
                draft::replay(&pager, replay, self.config.background, || Ok(()))?;
                self.finish(pager, path)
            }
        }
    }

    fn finish(&self, pager: Arc<Pager>, path: Option<&Path>) -> Result<Database> {
        if pager.begin_read().version().root.is_none() && !pager.is_read_only() {
            // New, or the power failed between creation and the first name.
            let mut draft = Draft::new(pager.begin_write()?)?;
            draft.initialise()?;
            draft.commit_by_checkpoint()?;
        }
        let database = self.share(pager, path, Recovery::ended());
        database.shared.releasing.begin_if_needed()?;
        Ok(database)
    }

    fn share(&self, pager: Arc<Pager>, path: Option<&Path>, recovery: Recovery) -> Database {
        let releasing = Releasing::new(pager.clone(), self.config.background);
        Database {
            shared: Arc::new(Shared {
                pager,
                durability: self.durability,
                path: path.map(Path::to_owned),
                recovery: Arc::new(recovery),
                releasing: Arc::new(releasing),
            }),
        }
    }
}

fn opening(error: OpenError, path: &Path) -> Error {
    match error {
        OpenError::Locked => Error::Locked,
        OpenError::NotAFile => Error::NotADatabase,
        OpenError::Io(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Error::AlreadyExists(path.display().to_string())
        }
        OpenError::Io(source) => Error::Io { operation: "opening the file", offset: None, source },
    }
}
