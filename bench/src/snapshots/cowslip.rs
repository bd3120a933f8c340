//! Cowslip itself, on a storage that counts.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use cowslip::storage::{FileStorage, Storage};
use cowslip::{Database, Durability, Table};

use super::counting::{Counting, Traffic, Written};
use super::subject::Subject;
use crate::fixture::TABLE;
use crate::peers::CACHE_BYTES;

const PAGE_BYTES: usize = 4096;

/// Snapshots that are made in one transaction where their making is not measured.
const TOGETHER: usize = 100;

/// A Cowslip database in one file.
pub(super) struct Cowslip {
    pub(super) database: Database,
    traffic: Arc<Traffic>,
}

impl Subject for Cowslip {
    type Snapshot = String;
    type Writer<'tx> = Table<'tx>;

    const NAME: &'static str = "cowslip";
    const LAZY: bool = true;

    fn open(directory: &Path, durable: bool) -> Result<Self> {
        let path = directory.join("store.cow");
        let file = match path.exists() {
            true => FileStorage::open(&path)?,
            false => FileStorage::create(&path)?,
        };
        let traffic = Arc::new(Traffic::default());
        let storage = Counting::new(file, PAGE_BYTES, traffic.clone()).context("page size")?;
        let builder = Database::builder().cache_size(CACHE_BYTES).page_size(PAGE_BYTES);
        let builder = builder.durability(durability(durable));
        let storage: Arc<dyn Storage> = Arc::new(storage);
        Ok(Cowslip { database: builder.open_or_create_on(storage)?, traffic })
    }

    fn write(
        &self,
        table: &str,
        durable: bool,
        work: impl FnOnce(&mut Table<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability(durable));
        work(&mut transaction.open_table(table)?)?;
        Ok(transaction.commit()?)
    }

    fn create(&self, number: u64) -> Result<String> {
        let name = name(number);
        self.database.create_snapshot(&name)?;
        Ok(name)
    }

    fn create_many(&self, numbers: Range<u64>) -> Result<()> {
        let names: Vec<String> = numbers.map(name).collect();
        for names in names.chunks(TOGETHER) {
            let snapshots: Vec<_> = names.iter().map(|name| ("main", name.as_str())).collect();
            self.database.create_snapshots(&snapshots)?;
        }
        Ok(())
    }

    fn delete(&self, snapshot: &String) -> Result<()> {
        Ok(self.database.delete_snapshot(snapshot)?)
    }

    fn reclaim(&self) -> Result<()> {
        Ok(self.database.wait_for_releases()?)
    }

    fn reclaims(&self) -> Result<bool> {
        Ok(self.database.releases()?.entries > 0)
    }

    fn roll_back(&self, snapshot: &String) -> Result<()> {
        Ok(self.database.rollback(snapshot)?)
    }

    fn checkpoint(&self) -> Result<()> {
        Ok(self.database.checkpoint()?)
    }

    fn written(&self) -> Written {
        self.traffic.written()
    }

    fn counts_touched(&self) -> Option<u64> {
        Some(self.database.stats().count_changes)
    }

    fn warm(&self) -> Result<()> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        table.range::<&[u8]>(..)?.try_for_each(|row| Ok(row.map(drop)?))
    }

    fn used_bytes(&self) -> Result<u64> {
        let stats = self.database.stats();
        Ok(stats.pages_used * stats.page_size - stats.log_capacity)
    }
}

fn name(number: u64) -> String {
    format!("snapshot-{number:09}")
}

fn durability(durable: bool) -> Durability {
    if durable { Durability::Immediate } else { Durability::None }
}
