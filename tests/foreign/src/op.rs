//! What is done to a database.

use fastrand::Rng;

/// One step of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A transaction that is committed.
    Commit(How, Vec<Change>),
    /// A transaction that is aborted.
    Abort(Vec<Change>),
    /// The database is closed and opened.
    Reopen,
    /// `Database::compact`; where savepoints forbid it, nothing.
    Compact,
    /// `Database::check_integrity`.
    Check,
}

/// How a transaction is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `Durability::None`.
    Weak,
    /// `Durability::Immediate`, with one sync.
    Durable,
    /// With two syncs.
    TwoPhase,
    /// With the state of the allocator, so that a repair is quick.
    QuickRepair,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Inserts an entry or overwrites one.
    Put {
        /// Which table.
        table: u8,
        /// Which entry.
        key: u16,
        /// Bytes of its value.
        length: usize,
        /// What they are.
        fill: u8,
    },
    /// Removes an entry, if there is such.
    Remove {
        /// Which table.
        table: u8,
        /// Which entry.
        key: u16,
    },
    /// Removes a range of entries, by `retain_in` or `extract_from_if`.
    RemoveRange {
        /// Which table.
        table: u8,
        /// The first.
        from: u16,
        /// The first that stays.
        to: u16,
        /// By `extract_from_if`.
        drain: bool,
    },
    /// Deletes a table.
    DeleteTable {
        /// Which.
        table: u8,
    },
    /// Makes a persistent savepoint; only at the beginning of a transaction that is durable.
    Savepoint,
    /// Deletes the oldest persistent savepoint; only in a transaction that is durable.
    DeleteSavepoint,
    /// Goes back to the newest persistent savepoint, or to the oldest; only where it is the first
    /// change of a transaction that is durable.
    Restore {
        /// To the oldest.
        oldest: bool,
    },
}

/// The name of a table.
pub fn table_name(table: u8) -> String {
    format!("table {table}")
}

/// The bytes of a value.
pub fn value(length: usize, fill: u8) -> Vec<u8> {
    // Not all the same, so that pages which are mixed up show.
    (0..length).map(|i| fill.wrapping_add((i / 509) as u8)).collect()
}

/// The operations of which all short histories are made.
pub fn alphabet() -> Vec<Op> {
    use Change::{DeleteSavepoint, Put, Remove, RemoveRange, Restore, Savepoint};
    use How::{Durable, QuickRepair, TwoPhase, Weak};
    let put = |key, length, fill| Put { table: 0, key, length, fill };
    let one = |how, change| Op::Commit(how, vec![change]);
    vec![
        one(Durable, put(1, 20, 1)),
        one(Durable, put(1, 900, 2)),
        one(Durable, put(3, 9000, 3)),
        one(Durable, Remove { table: 0, key: 1 }),
        one(Durable, RemoveRange { table: 0, from: 0, to: 20, drain: false }),
        one(Durable, RemoveRange { table: 0, from: 10, to: 400, drain: true }),
        one(Weak, put(2, 30, 4)),
        one(Weak, Remove { table: 0, key: 3 }),
        one(TwoPhase, put(2, 40, 5)),
        one(QuickRepair, put(2, 50, 6)),
        one(QuickRepair, Remove { table: 0, key: 2 }),
        one(Durable, Savepoint),
        one(Durable, DeleteSavepoint),
        one(Durable, Restore { oldest: false }),
        Op::Commit(Durable, vec![]),
        Op::Reopen,
        Op::Compact,
        Op::Check,
    ]
}

/// What is done to a database before the histories that begin on one in use.
pub fn furnishing() -> Vec<Op> {
    use Change::{Put, Remove, Savepoint};
    let put = |key, length| Put { table: 0, key, length, fill: 7 };
    let mut changes = vec![put(1, 20), put(2, 700), put(3, 9000)];
    // Enough for a tree of two levels.
    changes.extend((10..40).map(|key| put(key, 300)));
    vec![
        Op::Commit(How::Durable, changes),
        Op::Commit(How::Durable, vec![Savepoint]),
        Op::Commit(How::Durable, vec![put(1, 25), Remove { table: 0, key: 12 }]),
    ]
}

/// An operation of a random history.
pub fn random(rng: &mut Rng) -> Op {
    match rng.u32(..100) {
        0..6 => Op::Reopen,
        6..9 => Op::Compact,
        9..11 => Op::Check,
        11..15 => Op::Abort(changes(rng)),
        _ => {
            let how = match rng.u32(..20) {
                0..4 => How::Weak,
                4..7 => How::TwoPhase,
                7..11 => How::QuickRepair,
                _ => How::Durable,
            };
            Op::Commit(how, changes(rng))
        }
    }
}

fn changes(rng: &mut Rng) -> Vec<Change> {
    let most = 1 << rng.u32(0..4);
    let count = rng.usize(0..=most);
    (0..count).map(|_| change(rng)).collect()
}

fn change(rng: &mut Rng) -> Change {
    let table = rng.u8(..2);
    let key = rng.u16(..40);
    match rng.u32(..100) {
        0..60 => {
            let length = match rng.u32(..100) {
                0..50 => rng.usize(..60),
                50..85 => rng.usize(..1500),
                85..98 => rng.usize(..12_000),
                // Enough to make the file grow.
                _ => rng.usize(..400_000),
            };
            Change::Put { table, key, length, fill: rng.u8(..) }
        }
        60..78 => Change::Remove { table, key },
        78..86 => {
            Change::RemoveRange { table, from: key, to: key + rng.u16(..20), drain: rng.bool() }
        }
        86..88 => Change::DeleteTable { table },
        88..92 => Change::Savepoint,
        92..96 => Change::DeleteSavepoint,
        _ => Change::Restore { oldest: rng.bool() },
    }
}
