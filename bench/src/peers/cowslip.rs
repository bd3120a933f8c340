//! Cowslip itself.

use std::path::Path;

use ::cowslip::{Database, Durability, ReadTable, Table};
use anyhow::Result;

use crate::peer::{Peer, Reader, Writer};
use crate::peers::CACHE_BYTES;

const PAGE_BYTES: usize = 4096;
const TABLE: &str = "rows";

/// A Cowslip database in one file.
pub struct Cowslip {
    database: Database,
}

impl Peer for Cowslip {
    type Reader<'tx> = ReadTable;
    type Writer<'tx> = Table<'tx>;

    fn configuration() -> String {
        format!(
            "Durability::Immediate (the default), pages of {PAGE_BYTES} bytes, cache of {} MiB",
            CACHE_BYTES >> 20
        )
    }

    fn open(directory: &Path) -> Result<Self> {
        let database = Database::builder()
            .cache_size(CACHE_BYTES)
            .page_size(PAGE_BYTES)
            .open_or_create(directory.join("store.cow"))?;
        Ok(Self { database })
    }

    fn read<T>(&self, work: impl FnOnce(&ReadTable) -> Result<T>) -> Result<T> {
        work(&self.database.begin_read()?.open_table(TABLE)?)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Table<'_>) -> Result<T>) -> Result<T> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate);
        let done = work(&mut transaction.open_table(TABLE)?)?;
        transaction.commit()?;
        Ok(done)
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
