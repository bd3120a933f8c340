//! redb: its persistent savepoints are snapshots of the whole database that can be gone back to.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ::redb::backends::FileBackend;
use ::redb::{
    Builder, Database, Durability, ReadableDatabase, StorageBackend, Table, TableDefinition,
};
use anyhow::Result;

use super::counting::{Traffic, Written};
use super::subject::Subject;
use crate::fixture::TABLE;
use crate::peers::CACHE_BYTES;

type Bytes = &'static [u8];

/// A redb database in one file.
pub(super) struct Redb {
    database: Database,
    traffic: Arc<Traffic>,
}

/// A file of redb's, counted.
#[derive(Debug)]
struct Counting {
    file: FileBackend,
    traffic: Arc<Traffic>,
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.traffic.add(data.len(), false);
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

impl Subject for Redb {
    type Snapshot = u64;
    type Writer<'tx> = Table<'tx, Bytes, Bytes>;

    const NAME: &'static str = "redb";
    const LAZY: bool = false;

    fn open(directory: &Path, _durable: bool) -> Result<Self> {
        let path = directory.join("store.redb");
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let traffic = Arc::new(Traffic::default());
        let backend = Counting { file: FileBackend::new(file)?, traffic: traffic.clone() };
        let database = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend)?;
        Ok(Redb { database, traffic })
    }

    fn write(
        &self,
        table: &str,
        durable: bool,
        work: impl FnOnce(&mut Table<'_, Bytes, Bytes>) -> Result<()>,
    ) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(match durable {
            true => Durability::Immediate,
            false => Durability::None,
        })?;
        work(&mut transaction.open_table(TableDefinition::<Bytes, Bytes>::new(table))?)?;
        Ok(transaction.commit()?)
    }

    fn create(&self, _number: u64) -> Result<u64> {
        let transaction = self.database.begin_write()?;
        let savepoint = transaction.persistent_savepoint()?;
        transaction.commit()?;
        Ok(savepoint)
    }

    fn create_many(&self, numbers: Range<u64>) -> Result<()> {
        let transaction = self.database.begin_write()?;
        for _ in numbers {
            transaction.persistent_savepoint()?;
        }
        Ok(transaction.commit()?)
    }

    fn delete(&self, snapshot: &u64) -> Result<()> {
        let transaction = self.database.begin_write()?;
        transaction.delete_persistent_savepoint(*snapshot)?;
        Ok(transaction.commit()?)
    }

    /// What a savepoint kept is freed by the commits after its deletion.
    fn reclaim(&self) -> Result<()> {
        for _ in 0..2 {
            self.database.begin_write()?.commit()?;
        }
        Ok(())
    }

    fn reclaims(&self) -> Result<bool> {
        Ok(false)
    }

    fn roll_back(&self, snapshot: &u64) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        let savepoint = transaction.get_persistent_savepoint(*snapshot)?;
        transaction.restore_savepoint(&savepoint)?;
        Ok(transaction.commit()?)
    }

    /// Nothing is put off.
    fn checkpoint(&self) -> Result<()> {
        Ok(())
    }

    fn written(&self) -> Written {
        self.traffic.written()
    }

    fn warm(&self) -> Result<()> {
        let table = TableDefinition::<Bytes, Bytes>::new(TABLE);
        let table = self.database.begin_read()?.open_table(table)?;
        table.range::<&[u8]>(..)?.try_for_each(|row| Ok(row.map(drop)?))
    }

    fn used_bytes(&self) -> Result<u64> {
        let transaction = self.database.begin_write()?;
        let stats = transaction.stats()?;
        let bytes = stats.allocated_pages() * stats.page_size() as u64;
        transaction.abort()?;
        Ok(bytes)
    }
}
