//! canopydb: a B-tree in Rust with a write-ahead log and a page cache.

use std::path::Path;

use ::canopydb::{Database, DbOptions, EnvOptions, Tree};
use anyhow::{Context, Result};

use crate::peer::{Peer, Promise, Reader, Setup, Writer};
use crate::peers::CACHE_BYTES;

const TREE: &[u8] = b"rows";

/// A canopydb database in an environment of its own.
pub struct Canopydb {
    database: Database,
}

impl Peer for Canopydb {
    type Reader<'tx> = Tree<'tx>;
    type Writer<'tx> = Tree<'tx>;

    const PUTS_OFF: bool = true;

    fn configuration() -> String {
        format!(
            "commits with sync, a checkpoint before closing, else the defaults; page \
             cache of {} MiB",
            CACHE_BYTES >> 20
        )
    }

    fn open_as(directory: &Path, setup: Setup) -> Result<Self> {
        let mut environment = EnvOptions::new(directory);
        environment.page_cache_size = setup.cache_bytes;
        let mut options = DbOptions::new();
        options.default_commit_sync = setup.promise == Promise::Durable;
        options.use_wal = setup.promise != Promise::None;
        Ok(Self { database: Database::with_options(environment, options)? })
    }

    fn supports(_promise: Promise) -> bool {
        // Without the log there is only what was checkpointed.
        true
    }

    fn read<T>(&self, work: impl FnOnce(&Tree<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.database.begin_read()?;
        let tree = transaction.get_tree(TREE)?.context("no tree")?;
        work(&tree)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Tree<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.database.begin_write()?;
        let done = work(&mut transaction.get_or_create_tree(TREE)?)?;
        transaction.commit()?;
        Ok(done)
    }

    fn make_durable(&self) -> Result<()> {
        Ok(self.database.checkpoint()?)
    }

    fn write_out(&self) -> Result<()> {
        Ok(self.database.checkpoint()?)
    }

    fn compact(directory: &Path) -> Result<bool> {
        let store = Self::open(directory)?;
        store.database.compact()?;
        store.close()?;
        Ok(true)
    }

    fn close(self) -> Result<()> {
        // So that opening has nothing to replay, as with the other stores. Dropping the last handle
        // then waits for the background.
        Ok(self.database.checkpoint()?)
    }
}

impl Reader for Tree<'_> {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        Ok(Tree::get(self, key)?.map(|value| look(&value)))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let range = match from {
            Some(from) => self.range(from..)?,
            None => self.iter()?,
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
        Ok(self.len())
    }
}

impl Writer for Tree<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.insert(key, value)?)
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(self.delete(key)?)
    }
}
