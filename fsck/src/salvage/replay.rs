//! The log, done again on the new store: record by record, as far as there are any (W11).
//!
//! ```text
//! a certain superblock:  the valid prefix of its log, up to its end or its damage
//! none:                  blocks that begin with a record, by sequence; chains of them; the last chain
//! ```

use cowslip::{Database, Durability, Error as EngineError, Result};
use cowslip_pager::{
    geometry::Geometry,
    log::{KIND_TRANSACTION, RECORD_HEADER, Record, Scan},
    storage::{BLOCK, Storage},
    superblock::Superblock,
};
use serde::Serialize;

use super::{
    redo::{self, Operation, Redo},
    survey::{RING_MAX, Start},
};
use crate::Error;

/// What became of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replay {
    /// Transactions that were done again.
    pub done: u64,
    /// Transactions that could not be, since what they speak of is not there.
    pub failed: u64,
    /// Why the first of them could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// All from its beginning to its end was seen.
    pub whole: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Does again what the log of a certain superblock has.
pub(super) fn known(
    storage: &dyn Storage,
    (length, geometry): (u64, &Geometry),
    block: &Superblock,
    database: &Database,
) -> std::result::Result<Replay, Error> {
    let mut replay = Replay { whole: true, ..Replay::default() };
    let mut scan = Scan::new(storage, geometry, &block.log, block.store, block.checkpoint);
    let mut body = Vec::new();
    loop {
        match scan.next(&mut body) {
            Ok(Some(record)) => {
                if record.kind == KIND_TRANSACTION {
                    replay.perform(database, &body)?;
                }
            }
            Ok(None) => break,
            Err(error) => {
                (replay.whole, replay.why) = (false, Some(error.to_string()));
                break;
            }
        }
    }
    if geometry.offset(block.log.page) + block.log.blocks * BLOCK as u64 > length {
        (replay.whole, replay.why) = (false, Some("the file ends within it".into()));
    }
    Ok(replay)
}

/// Does again the newest chain of records, those that are younger than `stamp`.
pub(super) fn found(
    storage: &dyn Storage,
    (length, store): (u64, u64),
    starts: &[Start],
    stamp: u64,
    database: &Database,
) -> std::result::Result<Replay, Error> {
    let why = "no superblock says where it begins";
    let mut replay = Replay { why: Some(why.into()), ..Replay::default() };
    let mut first = None;
    chains(storage, (length, store), starts, |at, begins, _, _| {
        if begins {
            first = Some(at);
        }
        Ok(())
    })?;
    let mut begun = false;
    chains(storage, (length, store), starts, |at, _, record, body| {
        begun |= Some(at) == first;
        if begun && record.kind == KIND_TRANSACTION && record.stamp > stamp {
            replay.perform(database, body)?;
        }
        Ok(())
    })?;
    Ok(replay)
}

/// The newest stamp in the log.
pub(super) fn newest(
    storage: &dyn Storage,
    of: (u64, u64),
    starts: &[Start],
) -> std::result::Result<Option<u64>, Error> {
    let mut newest = None;
    chains(storage, of, starts, |_, _, record, _| {
        newest = newest.max(Some(record.stamp).filter(|&stamp| stamp > 0));
        Ok(())
    })?;
    Ok(newest)
}

/// All records, by sequence: where each stands, and if a chain begins with it.
fn chains(
    storage: &dyn Storage,
    (length, store): (u64, u64),
    starts: &[Start],
    mut each: impl FnMut(u64, bool, &Record, &[u8]) -> std::result::Result<(), Error>,
) -> std::result::Result<(), Error> {
    let mut next: Option<(u64, u32)> = None;
    for start in starts {
        // It was met on the way already.
        if next.is_some_and(|(sequence, _)| start.sequence < sequence) {
            continue;
        }
        let mut begins = next != Some((start.sequence, start.chain));
        let mut at = start.offset;
        while let Some((record, body)) = record(storage, at, length, store) {
            let continues = next == Some((record.sequence, record.chain));
            if at != start.offset && !continues {
                break;
            }
            each(at, begins, &record, &body)?;
            begins = false;
            next = record.sequence.checked_add(1).map(|sequence| (sequence, record.crc));
            at += ((RECORD_HEADER + body.len()) as u64).next_multiple_of(8);
        }
    }
    Ok(())
}

fn record(storage: &dyn Storage, at: u64, length: u64, store: u64) -> Option<(Record, Vec<u8>)> {
    let mut header = [0; RECORD_HEADER];
    storage.read_at(&mut header, at).ok()?;
    let record = Record::decode(&header);
    let size = u64::from(record.length);
    let end = at.checked_add(RECORD_HEADER as u64)?.checked_add(size)?;
    if record.store != store || size == 0 || size >= RING_MAX || end > length {
        return None;
    }
    let mut body = vec![0; size as usize];
    storage.read_at(&mut body, at + RECORD_HEADER as u64).ok()?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[4..]);
    hasher.update(&body);
    (hasher.finalize() == record.crc).then_some((record, body))
}

impl Replay {
    fn perform(&mut self, database: &Database, body: &[u8]) -> std::result::Result<(), Error> {
        let why = match redo::read(body) {
            None => "its record cannot be read".into(),
            Some(redo) => match perform(database, &redo) {
                Ok(()) => {
                    self.done += 1;
                    return Ok(());
                }
                Err(error @ (EngineError::DiskFull { .. } | EngineError::Io { .. })) => {
                    return Err(Error::Out(error));
                }
                Err(error) => error.to_string(),
            },
        };
        self.failed += 1;
        self.first_failure.get_or_insert(why);
        Ok(())
    }
}

fn perform(database: &Database, redo: &Redo<'_>) -> Result<()> {
    match redo {
        Redo::Writes { branch, operations } => {
            let mut tx = database.begin_write_on(branch)?;
            tx.set_durability(Durability::None);
            let mut rest = operations.iter().peekable();
            while let Some(operation) = rest.next() {
                let name = match operation {
                    Operation::Table(name) => name,
                    Operation::DeleteTable(name) => {
                        tx.delete_table(name)?;
                        continue;
                    }
                    // Without a table there is nothing to change.
                    _ => {
                        return Err(EngineError::InvalidArgument(
                            "an operation on no table".into(),
                        ));
                    }
                };
                let mut table = tx.open_table(name)?;
                let on_it = |operation: &&Operation<'_>| {
                    !matches!(operation, Operation::Table(_) | Operation::DeleteTable(_))
                };
                while let Some(operation) = rest.next_if(on_it) {
                    match operation {
                        Operation::Insert(key, value) => {
                            table.insert(key, value)?;
                        }
                        Operation::Remove(key) => {
                            table.remove(key)?;
                        }
                        Operation::RemoveRange(from, None) => {
                            table.remove_range(*from..)?;
                        }
                        Operation::RemoveRange(from, Some(to)) => {
                            table.remove_range(*from..*to)?;
                        }
                        Operation::Table(_) | Operation::DeleteTable(_) => {}
                    }
                }
            }
            tx.commit()
        }
        Redo::CreateSnapshot { branch, name, label } => {
            database.create_labelled_snapshot_of(branch, name, *label)
        }
        Redo::DeleteSnapshot(name) => database.delete_snapshot(name),
        Redo::Rollback { branch, snapshot } => database.rollback_branch(branch, snapshot),
        Redo::CreateBranch { name, from } => database.create_branch(name, from),
        Redo::DeleteBranch(name) => database.delete_branch(name),
        Redo::Promote(name) => database.promote(name),
        Redo::Hold { name, held: true } => database.hold(name),
        Redo::Hold { name, held: false } => database.release(name),
        Redo::Several(records) => records.iter().try_for_each(|record| perform(database, record)),
        // A bookmark is not taken over, and that is said.
        Redo::Bookmark(name) => {
            Err(EngineError::InvalidArgument(format!("bookmark {name:?} is not taken over")))
        }
    }
}
