//! redb: a copy-on-write B-tree in Rust with a cache of its own.

use std::path::Path;

use ::redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, Table, TableDefinition,
};
use anyhow::Result;

use crate::peer::{Peer, Promise, Reader, Setup, Writer};
use crate::peers::CACHE_BYTES;

type Bytes = &'static [u8];

const TABLE: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("rows");

/// A redb database in one file.
pub struct Redb {
    database: Database,
    durability: Durability,
}

impl Peer for Redb {
    type Reader<'tx> = ReadOnlyTable<Bytes, Bytes>;
    type Writer<'tx> = Table<'tx, Bytes, Bytes>;

    fn configuration() -> String {
        format!(
            "Durability::Immediate (the default: one-phase commit with checksums, no quick repair), \
             cache of {} MiB",
            CACHE_BYTES >> 20
        )
    }

    fn open_as(directory: &Path, setup: Setup) -> Result<Self> {
        let database = Builder::new()
            .set_cache_size(setup.cache_bytes)
            .create(directory.join("store.redb"))?;
        let durability = match setup.promise {
            Promise::None => Durability::None,
            Promise::Durable | Promise::Eventual => Durability::Immediate,
        };
        Ok(Self { database, durability })
    }

    fn supports(promise: Promise) -> bool {
        promise != Promise::Eventual
    }

    fn read<T>(&self, work: impl FnOnce(&Self::Reader<'_>) -> Result<T>) -> Result<T> {
        work(&self.database.begin_read()?.open_table(TABLE)?)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Self::Writer<'_>) -> Result<T>) -> Result<T> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        let done = work(&mut transaction.open_table(TABLE)?)?;
        transaction.commit()?;
        Ok(done)
    }

    fn make_durable(&self) -> Result<()> {
        // An empty commit takes along what came before it.
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        Ok(transaction.commit()?)
    }

    fn compact(directory: &Path) -> Result<bool> {
        let mut store = Self::open(directory)?;
        // One call does not always do all that it can.
        while store.database.compact()? {}
        Ok(true)
    }

    fn close(self) -> Result<()> {
        // Dropping the handle is redb's clean close; it reports no errors.
        Ok(())
    }
}

impl Reader for ReadOnlyTable<Bytes, Bytes> {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        Ok(ReadableTable::get(self, key)?.map(|value| look(value.value())))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let range = match from {
            Some(from) => self.range(from..)?,
            None => self.range::<&[u8]>(..)?,
        };
        let mut rows = 0;
        for row in range.take(limit) {
            let (key, value) = row?;
            look(key.value(), value.value());
            rows += 1;
        }
        Ok(rows)
    }

    fn rows(&self) -> Result<u64> {
        Ok(self.len()?)
    }
}

impl Writer for Table<'_, Bytes, Bytes> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(Table::remove(self, key)?.is_some())
    }
}
