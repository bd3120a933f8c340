//! A store to be checked. All of it follows from its size.

use std::path::Path;

use anyhow::Result;
use cowslip::{Database, Durability};
use fastrand::Rng;

const TABLE: &str = "rows";
/// Rows of one transaction.
const BATCH: u64 = 20_000;
/// Of so many rows one is a large value.
const LARGE: u64 = 20_000;
/// What a row takes on average: half of them 150 bytes, half 1 KiB, with keys and what lies free.
const ROW: u64 = 680;

pub(crate) fn make(path: &Path, bytes: u64, snapshots: u64, overwritten: u64) -> Result<()> {
    let database = Database::create(path)?;
    let rows = (bytes / ROW).max(1);
    let mut random = Rng::with_seed(1);
    let mut row = 0;
    while row < rows {
        let end = (row + BATCH).min(rows);
        put(&database, &mut random, row..end, true)?;
        row = end;
    }
    database.checkpoint()?;
    for number in 0..snapshots {
        database.create_snapshot(&format!("snapshot-{number:05}"))?;
        let some: Vec<u64> = (0..overwritten).map(|_| random.u64(0..rows)).collect();
        put(&database, &mut random, some, false)?;
    }
    Ok(database.close()?)
}

fn put(
    database: &Database,
    random: &mut Rng,
    rows: impl IntoIterator<Item = u64>,
    large: bool,
) -> Result<()> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None);
    {
        let mut table = transaction.open_table(TABLE)?;
        let mut value = Vec::new();
        for row in rows {
            let length = match row % LARGE {
                0 if large => random.usize(64 << 10..560 << 10),
                rest if rest % 2 == 0 => 1024,
                _ => 150,
            };
            value.resize(length, 0);
            random.fill(&mut value);
            table.insert(&key(row), &value)?;
        }
    }
    Ok(transaction.commit()?)
}

/// 24 bytes that do not ascend with the row.
fn key(row: u64) -> [u8; 24] {
    let mut key = [0; 24];
    Rng::with_seed(row).fill(&mut key);
    key
}
