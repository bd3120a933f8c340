//! LMDB, through `heed`: a copy-on-write B-tree in C that reads from a memory map.

use std::fs::{self, File};
use std::ops::Bound;
use std::path::Path;

use ::heed::types::Bytes;
use ::heed::{CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, RwTxn, WithTls};
use anyhow::{Context, Result};

use crate::peer::{Peer, Promise, Reader, Setup, Writer};

/// Address space for the map; the file takes only what is used of it.
const MAP_BYTES: usize = 16 << 30;

/// An LMDB environment with one unnamed database.
pub struct Lmdb {
    env: Env<WithTls>,
    database: Database<Bytes, Bytes>,
}

/// A read transaction.
pub struct LmdbReader<'tx> {
    database: Database<Bytes, Bytes>,
    transaction: RoTxn<'tx, WithTls>,
}

/// The write transaction.
pub struct LmdbWriter<'tx> {
    database: Database<Bytes, Bytes>,
    transaction: RwTxn<'tx>,
}

impl Peer for Lmdb {
    type Reader<'tx> = LmdbReader<'tx>;
    type Writer<'tx> = LmdbWriter<'tx>;

    fn configuration() -> String {
        let version = ::heed::lmdb_version();
        format!(
            "LMDB {}.{}.{}, no flags: each commit syncs data, then the meta page; map of {} GiB",
            version.major,
            version.minor,
            version.patch,
            MAP_BYTES >> 30
        )
    }

    fn open_as(directory: &Path, setup: Setup) -> Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        let flags = match setup.promise {
            Promise::Durable => EnvFlags::empty(),
            Promise::Eventual | Promise::None => EnvFlags::NO_SYNC,
        };
        // SAFETY: with this flag a loss of power may damage the file; nothing here outlives one.
        #[allow(unsafe_code, reason = "heed has no safe way to set a flag")]
        unsafe {
            options.flags(flags);
        }
        // SAFETY: the directory was made for this run, and nobody else changes the mapped file.
        #[allow(unsafe_code, reason = "heed has no safe way to open a memory map")]
        let env = unsafe { options.open(directory)? };
        // The unnamed database always exists and its handle stays valid when this transaction ends.
        let transaction = env.read_txn()?;
        let database = env.open_database(&transaction, None)?.context("no unnamed database")?;
        drop(transaction);
        Ok(Self { env, database })
    }

    fn supports(promise: Promise) -> bool {
        promise != Promise::None
    }

    fn read<T>(&self, work: impl FnOnce(&LmdbReader<'_>) -> Result<T>) -> Result<T> {
        work(&LmdbReader { database: self.database, transaction: self.env.read_txn()? })
    }

    fn write<T>(&self, work: impl FnOnce(&mut LmdbWriter<'_>) -> Result<T>) -> Result<T> {
        let mut writer = LmdbWriter { database: self.database, transaction: self.env.write_txn()? };
        let done = work(&mut writer)?;
        writer.transaction.commit()?;
        Ok(done)
    }

    fn make_durable(&self) -> Result<()> {
        Ok(self.env.force_sync()?)
    }

    fn compact(directory: &Path) -> Result<bool> {
        let store = Self::open(directory)?;
        let copy = directory.join("compacted");
        store.env.copy_to_path(&copy, CompactionOption::Enabled)?;
        File::open(&copy)?.sync_all()?;
        store.close()?;
        fs::rename(&copy, directory.join("data.mdb"))?;
        Ok(true)
    }

    fn close(self) -> Result<()> {
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

impl Reader for LmdbReader<'_> {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        Ok(self.database.get(&self.transaction, key)?.map(look))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let mut rows = 0;
        let mut each = |row: ::heed::Result<(&[u8], &[u8])>| -> Result<()> {
            let (key, value) = row?;
            look(key, value);
            rows += 1;
            Ok(())
        };
        match from {
            Some(from) => {
                let bounds = (Bound::Included(from), Bound::Unbounded);
                self.database.range(&self.transaction, &bounds)?.take(limit).try_for_each(&mut each)
            }
            None => self.database.iter(&self.transaction)?.take(limit).try_for_each(&mut each),
        }?;
        Ok(rows)
    }

    fn rows(&self) -> Result<u64> {
        Ok(self.database.len(&self.transaction)?)
    }
}

impl Writer for LmdbWriter<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.database.put(&mut self.transaction, key, value)?)
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(self.database.delete(&mut self.transaction, key)?)
    }
}
