//! Loaded Cowslip databases for the micro-benchmarks in `benches/`.
//!
//! They are small by default, so that `cargo bench -- --test` is a matter of seconds: what is measured
//! there is the cost of our own code. The environment variable `COWSLIP_BENCH_KEYS` makes them larger,
//! `COWSLIP_BENCH_DIR` puts their files on another disk than the temporary directory's.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cowslip::{Database, Durability};
use tempfile::TempDir;

use crate::peer::Writer;
use crate::workload::{LOADED, Prepared, Workload, pieces};

/// The table that the rows are in.
pub const TABLE: &str = "rows";

const KEYS: u64 = 10_000;

/// Rows that are prepared at a time.
const PREPARED: u64 = 1000;

/// The data set of all micro-benchmarks.
pub fn workload() -> Result<Workload> {
    let keys = match env::var("COWSLIP_BENCH_KEYS") {
        Ok(keys) => keys.parse().with_context(|| format!("COWSLIP_BENCH_KEYS={keys}"))?,
        Err(_) => KEYS,
    };
    Ok(Workload { seed: 1, keys, key_bytes: 24, value_bytes: 150 })
}

/// Puts all rows of `workload` into `database`, in one transaction.
pub fn load(database: &Database, workload: &Workload) -> Result<()> {
    let transaction = database.begin_write()?;
    load_with(&mut transaction.open_table(TABLE)?, workload)?;
    Ok(transaction.commit()?)
}

/// Puts all rows of `workload` through `writer`.
pub fn load_with(writer: &mut impl Writer, workload: &Workload) -> Result<()> {
    let mut prepared = Prepared::default();
    for ids in pieces(0..workload.keys, PREPARED) {
        prepared.fill(workload, LOADED, ids);
        for (key, value) in prepared.rows() {
            writer.put(key, value)?;
        }
    }
    Ok(())
}

/// Puts the prepared rows into `database`, in one transaction.
pub fn put(database: &Database, durability: Durability, prepared: &Prepared) -> Result<()> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(durability);
    {
        let mut table = transaction.open_table(TABLE)?;
        for (key, value) in prepared.rows() {
            table.insert(key, value)?;
        }
    }
    Ok(transaction.commit()?)
}

/// A loaded database in memory.
pub fn in_memory(workload: &Workload) -> Result<Database> {
    let database = Database::in_memory()?;
    load(&database, workload)?;
    Ok(database)
}

/// A loaded database in a file, and the directory that goes when it is dropped.
pub fn in_file(workload: &Workload) -> Result<(Database, TempDir)> {
    let parent = env::var_os("COWSLIP_BENCH_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(&parent).context(parent.display().to_string())?;
    let database = Database::create(directory.path().join("store.cow"))?;
    load(&database, workload)?;
    Ok((database, directory))
}
