//! Cowslip itself.

use std::path::Path;

use ::cowslip::{Database, Durability, ReadTable, Table};
use anyhow::Result;

use crate::peer::{Peer, Promise, Reader, Setup, Writer};
use crate::peers::CACHE_BYTES;

const PAGE_BYTES: usize = 4096;
const TABLE: &str = "rows";

/// A Cowslip database in one file.
pub struct Cowslip {
    database: Database,
    durability: Durability,
}

impl Peer for Cowslip {
    type Reader<'tx> = ReadTable;
    type Writer<'tx> = Table<'tx>;

    const PUTS_OFF: bool = true;

    fn configuration() -> String {
        format!(
            "Durability::Immediate (the default), pages of {PAGE_BYTES} bytes, cache of {} MiB",
            CACHE_BYTES >> 20
        )
    }

    fn open_as(directory: &Path, setup: Setup) -> Result<Self> {
        let durability = match setup.promise {
            Promise::Durable => Durability::Immediate,
            Promise::Eventual => Durability::Eventual,
            Promise::None => Durability::None,
        };
        let database = Database::builder()
            .cache_size(setup.cache_bytes)
            .page_size(PAGE_BYTES)
            .open_or_create(directory.join("store.cow"))?;
        Ok(Self { database, durability })
    }

    fn supports(_promise: Promise) -> bool {
        true
    }

    fn read<T>(&self, work: impl FnOnce(&ReadTable) -> Result<T>) -> Result<T> {
        work(&self.database.begin_read()?.open_table(TABLE)?)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Table<'_>) -> Result<T>) -> Result<T> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability);
        let done = work(&mut transaction.open_table(TABLE)?)?;
        transaction.commit()?;
        Ok(done)
    }

    fn make_durable(&self) -> Result<()> {
        Ok(self.database.checkpoint()?)
    }

    fn write_out(&self) -> Result<()> {
        Ok(self.database.checkpoint()?)
    }

    fn snapshot(&self, name: &str) -> Result<bool> {
        self.database.create_snapshot(name)?;
        Ok(true)
    }

    fn compact(directory: &Path) -> Result<bool> {
        let store = Self::open(directory)?;
        store.database.compact()?;
        store.close()?;
        Ok(true)
    }

    fn close(self) -> Result<()> {
        Ok(self.database.close()?)
    }
}

impl Reader for ReadTable {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        Ok(self.get(key)?.map(|value| look(&value)))
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
            look(&key, &value);
            rows += 1;
        }
        Ok(rows)
    }

    fn rows(&self) -> Result<u64> {
        Ok(self.len()?)
    }
}

impl Writer for Table<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(Table::remove(self, key)?)
    }
}
