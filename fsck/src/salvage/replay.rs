//! The log, done again on the new store: record by record, as far as there are any (W11).
//!
//! ```text
//! a certain superblock:  the valid prefix of its log, up to its end or its damage
//! none:                  blocks that begin with a record; chains of them; the chain of the newest generation
//! ```

use std::{cell::Cell, collections::HashSet};

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

/// Bytes of records that are read while chains are looked for, for each byte of the wreck.
const READ_FACTOR: u64 = 4;

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
    /// Branches and snapshots that it made, or gave what others had.
    #[serde(skip)]
    pub(super) remade: HashSet<String>,
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
    of: (u64, u64),
    starts: &[Start],
    stamp: u64,
    database: &Database,
) -> std::result::Result<Replay, Error> {
    let why = "no superblock says where it begins";
    let mut replay = Replay { why: Some(why.into()), ..Replay::default() };
    let chains = Chains::new(storage, of, starts);
    let Some(newest) = chains.all(&mut |_| {}).into_iter().max_by_key(|chain| chain.end) else {
        return Ok(replay);
    };
    let mut follow = chains.follow(newest.begin);
    while let Some((record, body)) = follow.next(&chains) {
        if record.kind == KIND_TRANSACTION && record.stamp > stamp {
            replay.perform(database, &body)?;
        }
    }
    Ok(replay)
}

/// What the records say of the time in which they were written.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The newest stamp.
    pub(super) stamp: Option<u64>,
    /// The newest checkpoint that was durable.
    pub(super) checkpoint: u64,
    /// Stamp and generation of each transaction in the newest chain; both ascend.
    chain: Vec<(u64, u64)>,
}

impl Past {
    pub(super) fn new(storage: &dyn Storage, of: (u64, u64), starts: &[Start]) -> Past {
        let mut past = Past::default();
        let chains = Chains::new(storage, of, starts);
        let all = chains.all(&mut |record| {
            past.stamp = past.stamp.max(Some(record.stamp).filter(|&stamp| stamp > 0));
            past.checkpoint = past.checkpoint.max(record.durable_checkpoint);
        });
        if let Some(newest) = all.into_iter().max_by_key(|chain| chain.end) {
            let mut follow = chains.follow(newest.begin);
            while let Some((record, body)) = follow.next(&chains) {
                if record.kind == KIND_TRANSACTION && redo::read(&body).is_some() {
                    past.chain.push((record.stamp, record.generation));
                }
            }
        }
        past
    }

    /// Is there a record of all that was committed behind the checkpoint of one stamp, up to another stamp?
    /// What has no record is committed by a checkpoint, and each one begins a generation.
    ///
    /// ```text
    /// record ..     | record ..  record of `to`
    ///  generation g |  g + 1
    ///     checkpoint of `from`
    /// ```
    pub(super) fn leads(&self, from: u64, to: u64) -> bool {
        let first = self.chain.partition_point(|&(stamp, _)| stamp <= from);
        let last = self.chain.partition_point(|&(stamp, _)| stamp <= to);
        first > 0 && first < last && {
            let (before, behind) = (self.chain[first - 1].1, &self.chain[first..last]);
            behind.iter().all(|&(_, generation)| generation.checked_sub(before) == Some(1))
                && behind.last().is_some_and(|&(stamp, _)| stamp == to)
        }
    }
}

/// The records that were found, by what they follow.
///
/// ```text
///   r1 <- r2 <- r3 .. torn          r4' r5'   a lost past: nothing that is there leads to it
///            \- r3 (generation 9) <- r4        what came after it
/// ```
///
/// A record goes on with the one that names its checksum, stands right behind it or at the start of a block, and
/// is of no older generation. Each opening and each seal begins a generation, so the chain whose end has the highest
/// one is the newest.
struct Chains<'a> {
    storage: &'a dyn Storage,
    length: u64,
    store: u64,
    starts: &'a [Start],
    /// Bytes of records that may still be read: a forged file can have the same ones in many chains.
    left: Cell<u64>,
}

/// A chain of records: where it begins, and generation and sequence of its last one.
struct Chain {
    begin: u64,
    end: (u64, u64),
}

/// The way along a chain.
struct Follow {
    at: u64,
    /// Sequence, checksum and generation that the next record follows; none at the beginning.
    last: Option<(u64, u32, u64)>,
}

impl<'a> Chains<'a> {
    fn new(storage: &'a dyn Storage, (length, store): (u64, u64), starts: &'a [Start]) -> Self {
        let left = Cell::new(length.saturating_mul(READ_FACTOR));
        Chains { storage, length, store, starts, left }
    }

    /// All of them; calls `each` with each record.
    fn all(&self, each: &mut dyn FnMut(&Record)) -> Vec<Chain> {
        let mut met = HashSet::new();
        let mut chains = Vec::new();
        // By sequence, so the beginning of a chain comes before the rest of it.
        for start in self.starts {
            if met.contains(&start.offset) {
                continue;
            }
            let mut follow = self.follow(start.offset);
            let mut end = None;
            loop {
                let at = follow.at;
                let Some((record, body)) = follow.next(self) else { break };
                // Behind padding it stood elsewhere than expected.
                met.insert(follow.at - size(&body));
                met.insert(at);
                each(&record);
                end = Some((record.generation, record.sequence));
            }
            chains.extend(end.map(|end| Chain { begin: start.offset, end }));
        }
        chains
    }

    fn follow(&self, begin: u64) -> Follow {
        Follow { at: begin, last: None }
    }

    /// A record at a place of the file that follows this one.
    fn at(&self, at: u64, last: Option<(u64, u32, u64)>) -> Option<(Record, Vec<u8>)> {
        let record = header(self.storage, at, self.length, self.store)?;
        let follows = last.is_none_or(|(sequence, crc, generation)| {
            sequence.checked_add(1) == Some(record.sequence)
                && crc == record.chain
                && generation <= record.generation
        });
        if !follows {
            return None;
        }
        self.left.set(self.left.get().checked_sub(u64::from(record.length))?);
        Some((record, body(self.storage, at, &record)?))
    }
}

impl Follow {
    fn next(&mut self, chains: &Chains<'_>) -> Option<(Record, Vec<u8>)> {
        let mut place = self.at;
        let mut found = chains.at(place, self.last);
        if found.is_none()
            && let Some((sequence, crc, _)) = self.last
        {
            let wanted = (sequence.checked_add(1)?, crc);
            let from = chains.starts.partition_point(|start| start.sequence < wanted.0);
            for start in &chains.starts[from..] {
                if start.sequence != wanted.0 || found.is_some() {
                    break;
                }
                if start.chain == wanted.1 {
                    place = start.offset;
                    found = chains.at(place, self.last);
                }
            }
        }
        let (record, body) = found?;
        self.at = place + size(&body);
        self.last = Some((record.sequence, record.crc, record.generation));
        Some((record, body))
    }
}

/// Bytes of a record with this body.
fn size(body: &[u8]) -> u64 {
    ((RECORD_HEADER + body.len()) as u64).next_multiple_of(8)
}

/// What may be a record's header.
fn header(storage: &dyn Storage, at: u64, length: u64, store: u64) -> Option<Record> {
    let mut header = [0; RECORD_HEADER];
    storage.read_at(&mut header, at).ok()?;
    let record = Record::decode(&header);
    let size = u64::from(record.length);
    let end = at.checked_add(RECORD_HEADER as u64)?.checked_add(size)?;
    (record.store == store && size > 0 && size < RING_MAX && end <= length).then_some(record)
}

/// The body of the record at this place, if the record's checksum is right.
fn body(storage: &dyn Storage, at: u64, record: &Record) -> Option<Vec<u8>> {
    let mut bytes = vec![0; RECORD_HEADER + record.length as usize];
    storage.read_at(&mut bytes, at).ok()?;
    (crc32fast::hash(&bytes[4..]) == record.crc).then(|| bytes.split_off(RECORD_HEADER))
}

impl Replay {
    fn perform(&mut self, database: &Database, body: &[u8]) -> std::result::Result<(), Error> {
        let why = match redo::read(body) {
            None => "its record cannot be read".into(),
            Some(redo) => {
                remade(&redo, &mut self.remade);
                match perform(database, &redo) {
                    Ok(()) => {
                        self.done += 1;
                        return Ok(());
                    }
                    Err(error @ (EngineError::DiskFull { .. } | EngineError::Io { .. })) => {
                        return Err(Error::Out(error));
                    }
                    Err(error) => error.to_string(),
                }
            }
        };
        self.failed += 1;
        self.first_failure.get_or_insert(why);
        Ok(())
    }
}

/// The names that hold something else when it is done.
fn remade(redo: &Redo<'_>, names: &mut HashSet<String>) {
    match redo {
        Redo::CreateSnapshot { name, .. }
        | Redo::CreateBranch { name, .. }
        | Redo::Rollback { branch: name, .. } => {
            names.insert((*name).to_owned());
        }
        Redo::Promote(name) => names.extend([(*name).to_owned(), "main".to_owned()]),
        Redo::Several(records) => records.iter().for_each(|record| remade(record, names)),
        Redo::Writes { .. }
        | Redo::DeleteSnapshot(_)
        | Redo::DeleteBranch(_)
        | Redo::Hold { .. }
        | Redo::Bookmark(_) => {}
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
