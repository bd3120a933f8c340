//! Random histories of a database with many names, for tests that compare whole snapshots and keep no
//! model of their own.

use cowslip::{Database, Result};
use fastrand::Rng;

use crate::op::{key, value};

/// Tables that are written.
const TABLES: u8 = 4;

/// One transaction of random changes on a branch.
pub fn write(db: &Database, rng: &mut Rng, page_size: usize, branch: &str) -> Result<()> {
    let tx = db.begin_write_on(branch)?;
    for _ in 0..rng.u32(1..4) {
        let name = format!("table {}", rng.u8(..TABLES));
        if rng.u8(..20) == 0 {
            tx.delete_table(&name)?;
            continue;
        }
        let mut table = tx.open_table(&name)?;
        for _ in 0..rng.u32(..40) {
            let number = rng.u16(..crate::op::KEYS);
            match rng.u8(..16) {
                0..11 => {
                    let length = if rng.u8(..10) == 0 { rng.u32(..60_000) } else { rng.u32(..200) };
                    table.insert(&key(number, page_size), &value(length, rng.u16(..)))?;
                }
                11..15 => {
                    table.remove(&key(number, page_size))?;
                }
                _ => {
                    let mut ends = [key(number, page_size), key(rng.u16(..500), page_size)];
                    ends.sort();
                    let [from, to] = ends;
                    table.remove_range(from..to)?;
                }
            }
        }
    }
    tx.commit()
}

/// Several transactions, on any of the branches; now and then a rollback, a new branch, a promotion,
/// or a compaction.
pub fn live(db: &Database, rng: &mut Rng, page_size: usize) -> Result<()> {
    let branches: Vec<String> = db.branches()?.into_iter().map(|branch| branch.name).collect();
    let snapshots: Vec<String> = db.snapshots()?.into_iter().map(|info| info.name).collect();
    for _ in 0..rng.u32(1..4) {
        let branch = &branches[rng.usize(..branches.len())];
        write(db, rng, page_size, branch)?;
    }
    if snapshots.is_empty() {
        return Ok(());
    }
    let branch = &branches[rng.usize(..branches.len())];
    let snapshot = &snapshots[rng.usize(..snapshots.len())];
    match rng.u8(..12) {
        0 => db.rollback_branch(branch, snapshot),
        1 if branches.len() < 4 => db.create_branch(&format!("b{}", rng.u32(..)), snapshot),
        2 if branches.len() < 4 => db.create_branch(&format!("b{}", rng.u32(..)), branch),
        3 => db.promote(branch),
        4 if branch != "main" => db.delete_branch(branch),
        5 if rng.bool() => db.compact(),
        6 => db.checkpoint(),
        _ => Ok(()),
    }
}
