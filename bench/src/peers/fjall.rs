//! fjall: a log-structured merge tree in Rust, with a journal.

use std::path::Path;

use ::fjall::{
    Keyspace, KeyspaceCreateOptions, PersistMode, Readable, SingleWriterTxDatabase,
    SingleWriterTxKeyspace, SingleWriterWriteTx, Snapshot,
};
use anyhow::Result;

use crate::peer::{Peer, Promise, Reader, Setup, Writer};
use crate::peers::CACHE_BYTES;

const KEYSPACE: &str = "rows";

/// A fjall database with one keyspace.
///
/// The transactional one, with a single writer: as with the other stores, a writer reads what it
/// wrote and nobody else writes meanwhile. A batch, which promises neither, would be a different thing.
pub struct Fjall {
    database: SingleWriterTxDatabase,
    keyspace: SingleWriterTxKeyspace,
    /// `None`: a commit stays in a buffer of the process.
    persist: Option<PersistMode>,
}

/// One version of the keyspace.
pub struct FjallReader<'tx> {
    snapshot: Snapshot,
    keyspace: &'tx Keyspace,
}

/// The write transaction.
pub struct FjallWriter<'tx> {
    transaction: SingleWriterWriteTx<'tx>,
    keyspace: &'tx SingleWriterTxKeyspace,
}

impl Peer for Fjall {
    type Reader<'tx> = FjallReader<'tx>;
    type Writer<'tx> = FjallWriter<'tx>;

    const PUTS_OFF: bool = true;

    fn configuration() -> String {
        format!(
            "single-writer transactions with PersistMode::SyncData, no compression, else the \
             defaults; block cache of {} MiB",
            CACHE_BYTES >> 20
        )
    }

    fn open_as(directory: &Path, setup: Setup) -> Result<Self> {
        let database = SingleWriterTxDatabase::builder(directory.join("store.fjall"))
            .cache_size(setup.cache_bytes as u64)
            .open()?;
        let keyspace = database.keyspace(KEYSPACE, KeyspaceCreateOptions::default)?;
        let persist = match setup.promise {
            Promise::Durable => Some(PersistMode::SyncData),
            Promise::Eventual => Some(PersistMode::Buffer),
            Promise::None => None,
        };
        Ok(Self { database, keyspace, persist })
    }

    fn supports(_promise: Promise) -> bool {
        true
    }

    fn read<T>(&self, work: impl FnOnce(&FjallReader<'_>) -> Result<T>) -> Result<T> {
        work(&FjallReader { snapshot: self.database.read_tx(), keyspace: self.keyspace.as_ref() })
    }

    fn write<T>(&self, work: impl FnOnce(&mut FjallWriter<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.database.write_tx().durability(self.persist);
        let mut writer = FjallWriter { transaction, keyspace: &self.keyspace };
        let done = work(&mut writer)?;
        writer.transaction.commit()?;
        Ok(done)
    }

    fn make_durable(&self) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn write_out(&self) -> Result<()> {
        Ok(self.keyspace.inner().rotate_memtable_and_wait()?)
    }

    fn compact(directory: &Path) -> Result<bool> {
        let store = Self::open(directory)?;
        store.write_out()?;
        store.keyspace.inner().major_compact()?;
        Ok(true)
    }

    fn close(self) -> Result<()> {
        // Dropping the handles is fjall's clean close.
        Ok(())
    }
}

impl Reader for FjallReader<'_> {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        Ok(self.snapshot.get(self.keyspace, key)?.map(|value| look(&value)))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let range = match from {
            Some(from) => self.snapshot.range(self.keyspace, from..),
            None => self.snapshot.iter(self.keyspace),
        };
        let mut rows = 0;
        for row in range.take(limit) {
            let (key, value) = row.into_inner()?;
            look(&key, &value);
            rows += 1;
        }
        Ok(rows)
    }

    fn rows(&self) -> Result<u64> {
        // By a scan: a merge tree does not know before it has merged.
        Ok(self.snapshot.len(self.keyspace)? as u64)
    }
}

impl Writer for FjallWriter<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.transaction.insert(self.keyspace, key, value);
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        let present = self.transaction.contains_key(self.keyspace, key)?;
        self.transaction.remove(self.keyspace, key);
        Ok(present)
    }
}
