//! SQLite, through `rusqlite`: a B-tree in C with a write-ahead log.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::rusqlite::{CachedStatement, Connection, OptionalExtension, TransactionBehavior};
use anyhow::Result;

use crate::peer::{Peer, Promise, Reader, Setup, Writer};
use crate::peers::CACHE_BYTES;

/// The largest map that SQLite is built to take.
const MAP_BYTES: i64 = 0x7fff_0000;

/// A SQLite database: one connection that writes, and one for each thread that reads at a time.
pub struct Sqlite {
    path: PathBuf,
    setup: Setup,
    writer: Mutex<Connection>,
    /// Connections that no reader has now.
    readers: Mutex<Vec<Connection>>,
}

/// A read transaction.
pub struct SqliteReader<'tx> {
    connection: &'tx Connection,
    get: RefCell<CachedStatement<'tx>>,
}

/// The write transaction.
pub struct SqliteWriter<'tx> {
    put: CachedStatement<'tx>,
    remove: CachedStatement<'tx>,
}

fn connect(path: &Path, setup: Setup) -> Result<Connection> {
    let connection = Connection::open(path)?;
    let synchronous = match setup.promise {
        Promise::Durable => "full",
        Promise::Eventual => "normal",
        Promise::None => "off",
    };
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Negative: KiB, not pages.
    connection.pragma_update(None, "cache_size", -((setup.cache_bytes >> 10) as i64))?;
    connection.pragma_update(None, "mmap_size", MAP_BYTES)?;
    Ok(connection)
}

/// Moves what is in the log into the database, as far as nobody is in the way.
fn checkpoint(connection: &Connection) -> Result<()> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}

impl Peer for Sqlite {
    type Reader<'tx> = SqliteReader<'tx>;
    type Writer<'tx> = SqliteWriter<'tx>;

    const PUTS_OFF: bool = true;

    fn configuration() -> String {
        format!(
            "SQLite {}, journal_mode=WAL, synchronous=FULL, table `(k BLOB PRIMARY KEY, v BLOB) \
             WITHOUT ROWID`, prepared statements, mmap_size of {} MiB, cache_size of {} MiB for each \
             connection",
            ::rusqlite::version(),
            MAP_BYTES >> 20,
            CACHE_BYTES >> 20
        )
    }

    fn open_as(directory: &Path, setup: Setup) -> Result<Self> {
        let path = directory.join("store.sqlite");
        let writer = connect(&path, setup)?;
        writer.execute_batch(
            "CREATE TABLE IF NOT EXISTS rows (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID",
        )?;
        Ok(Self { path, setup, writer: Mutex::new(writer), readers: Mutex::default() })
    }

    fn supports(_promise: Promise) -> bool {
        // With `off` a process may die as with `normal`, but a loss of power may damage the database.
        true
    }

    fn read<T>(&self, work: impl FnOnce(&SqliteReader<'_>) -> Result<T>) -> Result<T> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, self.setup)?,
        };
        let transaction = connection.transaction()?;
        let get = transaction.prepare_cached("SELECT v FROM rows WHERE k = ?1")?;
        let reader = SqliteReader { connection: &transaction, get: RefCell::new(get) };
        let done = work(&reader)?;
        drop(reader);
        transaction.commit()?;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(done)
    }

    fn write<T>(&self, work: impl FnOnce(&mut SqliteWriter<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = SqliteWriter {
            put: transaction.prepare_cached("INSERT OR REPLACE INTO rows VALUES (?1, ?2)")?,
            remove: transaction.prepare_cached("DELETE FROM rows WHERE k = ?1")?,
        };
        let done = work(&mut writer)?;
        drop(writer);
        transaction.commit()?;
        Ok(done)
    }

    fn make_durable(&self) -> Result<()> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.pragma_update(None, "synchronous", "full")?;
        checkpoint(&writer)
    }

    fn write_out(&self) -> Result<()> {
        // By another connection: the writer goes on.
        checkpoint(&connect(&self.path, self.setup)?)
    }

    fn compact(directory: &Path) -> Result<bool> {
        let store = Self::open(directory)?;
        store.writer.lock().unwrap_or_else(PoisonError::into_inner).execute_batch("VACUUM")?;
        store.close()?;
        Ok(true)
    }

    fn close(self) -> Result<()> {
        // The last connection moves what is in the log into the database.
        drop(self.readers);
        let writer = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        writer.close().map_err(|(_, error)| error.into())
    }
}

impl Reader for SqliteReader<'_> {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        let mut get = self.get.borrow_mut();
        Ok(get.query_row([key], |row| Ok(look(row.get_ref(0)?.as_blob()?))).optional()?)
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // No blob is less than the empty one.
        let mut select = self
            .connection
            .prepare_cached("SELECT k, v FROM rows WHERE k >= ?1 ORDER BY k LIMIT ?2")?;
        let mut found = select.query((from.unwrap_or_default(), limit))?;
        let mut rows = 0;
        while let Some(row) = found.next()? {
            look(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            rows += 1;
        }
        Ok(rows)
    }

    fn rows(&self) -> Result<u64> {
        // By a scan: SQLite keeps no count.
        let count = |row: &::rusqlite::Row<'_>| row.get::<_, i64>(0);
        Ok(self.connection.query_row("SELECT count(*) FROM rows", [], count)? as u64)
    }
}

impl Writer for SqliteWriter<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put.execute([key, value])?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(self.remove.execute([key])? > 0)
    }
}
