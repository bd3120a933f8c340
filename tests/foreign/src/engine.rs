//! redb as an [`Engine`] under test.
//!
//! A version is durable when a commit with `Durability::Immediate` has returned; nothing is promised
//! for `Durability::None`, so such a version may be found or not. Everything goes through redb's public
//! interface; a database is opened after a crash as its users open it, with
//! `Builder::create_with_backend`.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

use cowslip_harness::{
    engine::{Engine, Failure, Life, Survivor},
    explore::Violation,
    witness::{Survives, Witness},
};
use cowslip_pager::storage::SimulatedStorage;
use fastrand::Rng;
use redb::{
    Builder, CompactionError, Database, Durability, ReadableDatabase, ReadableTable,
    TableDefinition, TableHandle, WriteTransaction,
};

use crate::{
    backend::Disk,
    kinds::{self, Kinds},
    model::{State, Tables},
    op::{self, Change, How, Op, table_name, value},
};

/// redb, and the kinds of violations to pass over.
#[derive(Debug)]
pub struct Redb {
    /// Known kinds, counted and passed over.
    pub known: Kinds,
    /// If there is one, only violations of this kind count.
    pub only: Option<String>,
    /// What `check_integrity` says counts; it is called after each recovery, then.
    pub check: bool,
    /// The kind that ended the exploration.
    refused: Mutex<Option<String>>,
}

impl Default for Redb {
    fn default() -> Redb {
        Redb::with(Kinds::default(), true)
    }
}

impl Redb {
    /// With these kinds known.
    pub fn with(known: Kinds, check: bool) -> Redb {
        Redb { known, only: None, check, refused: Mutex::default() }
    }

    /// Looking for nothing but violations of this kind.
    pub fn looking_for(kind: &str, check: bool) -> Redb {
        Redb { only: Some(kind.to_owned()), check, ..Redb::default() }
    }

    /// The kind of the violation that ended the exploration, if one did.
    pub fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Small, so that a recovery reads what it needs from the disk and long transactions write early.
const CACHE: usize = 1 << 18;

type Definition<'a> = TableDefinition<'a, &'static [u8], &'static [u8]>;

const TABLE: &str = "after the crash";
const ENTRY: (&[u8], &[u8]) = (b"is it", b"alive?");

fn open(disk: &Arc<SimulatedStorage>) -> Result<Database, Failure> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder.create_with_backend(Disk(disk.clone())).map_err(failed("opening"))
}

fn failed<E: Display>(during: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::error(during, error)
}

/// The same for errors of all types.
fn try_to<T>(
    during: &'static str,
    what: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, Failure> {
    what().map_err(failed(during))
}

impl Engine for Redb {
    type State = State;
    type Op = Op;

    fn name(&self) -> &'static str {
        crate::ENGINE
    }

    fn alphabet(&self) -> Vec<Op> {
        op::alphabet()
    }

    fn furnishing(&self) -> Vec<Op> {
        op::furnishing()
    }

    fn random(&self, rng: &mut Rng) -> Op {
        op::random(rng)
    }

    fn live(&self, witness: Witness<State>) -> Result<Box<dyn Life<Op>>, Failure> {
        let db = open(witness.disk())?;
        witness.begin(read(&db)?);
        Ok(Box::new(Alive { db: Some(db), check: self.check, witness }))
    }

    fn open(&self, disk: &Arc<SimulatedStorage>) -> Result<Box<dyn Survivor<State>>, Failure> {
        Ok(Box::new(Survived { db: open(disk)?, check: self.check }))
    }

    fn written_on(&self, state: &State) -> State {
        let mut state = state.clone();
        state.table(TABLE).insert(ENTRY.0.to_vec(), Arc::from(ENTRY.1));
        state
    }

    fn difference(&self, expected: &State, found: &State) -> String {
        expected.difference(found).unwrap_or_else(|| "nothing".into())
    }

    fn tolerates(&self, violation: &Violation) -> bool {
        let kind = kinds::kind(violation);
        if let Some(only) = &self.only {
            if *only != kind {
                return true;
            }
        } else if self.known.count(&kind) {
            return true;
        } else if kinds::is_beyond(violation) {
            self.known.learn(&kind);
            return true;
        }
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(kind);
        false
    }
}

struct Alive {
    /// Always there, but while it is reopened.
    db: Option<Database>,
    /// What it says of itself counts.
    check: bool,
    witness: Witness<State>,
}

impl Alive {
    fn db(&mut self) -> Result<&mut Database, Failure> {
        self.db.as_mut().ok_or_else(|| Failure::wrong("it could not be reopened"))
    }

    /// Does the changes in a transaction and to the state.
    fn transaction(
        &mut self,
        how: How,
        changes: &[Change],
    ) -> Result<(WriteTransaction, State), Failure> {
        let mut state = self.witness.newest();
        let durability = if how == How::Weak { Durability::None } else { Durability::Immediate };
        let db = self.db()?;
        let tx = try_to("a transaction", || {
            let mut tx = db.begin_write()?;
            tx.set_durability(durability)?;
            tx.set_two_phase_commit(how == How::TwoPhase);
            tx.set_quick_repair(how == How::QuickRepair);
            for (i, change) in changes.iter().enumerate() {
                apply(&mut tx, &mut state, change, i == 0, how != How::Weak)?;
            }
            Ok(tx)
        })?;
        Ok((tx, state))
    }

    fn compare(&mut self, after: &str) -> Result<(), Failure> {
        let expected = self.witness.newest();
        let tables = tables(self.db()?)?;
        let found = State { tables, savepoints: expected.savepoints.clone() };
        match expected.difference(&found) {
            Some(difference) => Err(Failure::wrong(format!("after {after}: {difference}"))),
            None => Ok(()),
        }
    }
}

impl Life<Op> for Alive {
    fn apply(&mut self, op: &Op) -> Result<(), Failure> {
        match op {
            Op::Commit(how, changes) => {
                let (tx, state) = self.transaction(*how, changes)?;
                self.witness.attempt(state);
                tx.commit().map_err(failed("committing"))?;
                let weak = *how == How::Weak;
                self.witness.acknowledge(if weak { Survives::Nothing } else { Survives::PowerCut });
                self.compare("a commit")
            }
            Op::Abort(changes) => {
                let (tx, _) = self.transaction(How::Durable, changes)?;
                tx.abort().map_err(failed("aborting"))?;
                self.compare("an abort")
            }
            Op::Reopen => {
                self.db = None;
                self.db = Some(open(self.witness.disk())?);
                self.compare("reopening")
            }
            Op::Compact => {
                if !self.witness.newest().savepoints.is_empty() {
                    return Ok(());
                }
                match self.db()?.compact() {
                    // Some releases refuse it after a commit that is not durable.
                    Ok(_) | Err(CompactionError::TransactionInProgress) => {}
                    Err(error) => return Err(failed("compacting")(error)),
                }
                self.compare("compacting")
            }
            Op::Check => {
                let said = check(self.db()?);
                if self.check {
                    said?;
                }
                self.compare("a check")
            }
        }
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        drop(self.db);
        Ok(())
    }
}

fn key_of(key: u16) -> [u8; 2] {
    key.to_be_bytes()
}

fn apply(
    tx: &mut WriteTransaction,
    state: &mut State,
    change: &Change,
    first: bool,
    durable: bool,
) -> Result<(), redb::Error> {
    match *change {
        Change::Put { table, key, length, fill } => {
            let (name, value) = (table_name(table), value(length, fill));
            tx.open_table(Definition::new(&name))?.insert(&key_of(key)[..], &value[..])?;
            state.table(&name).insert(key_of(key).to_vec(), value.into());
        }
        Change::Remove { table, key } => {
            let name = table_name(table);
            tx.open_table(Definition::new(&name))?.remove(&key_of(key)[..])?;
            state.table(&name).remove(&key_of(key)[..]);
        }
        Change::RemoveRange { table, from, to, drain } => {
            let (name, from, to) = (table_name(table), key_of(from), key_of(to));
            let mut opened = tx.open_table(Definition::new(&name))?;
            let range = &from[..]..&to[..];
            if drain {
                for entry in opened.extract_from_if(range, |_, _| true)? {
                    entry?;
                }
            } else {
                opened.retain_in(range, |_, _| false)?;
            }
            state.table(&name).retain(|key, _| key[..] < from[..] || key[..] >= to[..]);
        }
        Change::DeleteTable { table } => {
            let name = table_name(table);
            tx.delete_table(Definition::new(&name))?;
            state.tables.remove(&name);
        }
        Change::Savepoint if first && durable => {
            let id = tx.persistent_savepoint()?;
            state.savepoints.insert(id, state.tables.clone());
        }
        Change::DeleteSavepoint if durable => {
            if let Some((id, _)) = state.savepoints.pop_first() {
                tx.delete_persistent_savepoint(id)?;
            }
        }
        Change::Restore { oldest } if first && durable => {
            let mut ids = state.savepoints.keys().copied();
            if let Some(id) = if oldest { ids.next() } else { ids.next_back() } {
                let savepoint = tx.get_persistent_savepoint(id)?;
                tx.restore_savepoint(&savepoint)?;
                state.tables = state.savepoints[&id].clone();
                state.savepoints.retain(|&other, _| other <= id);
            }
        }
        Change::Savepoint | Change::DeleteSavepoint | Change::Restore { .. } => {}
    }
    Ok(())
}

fn check(db: &mut Database) -> Result<(), Failure> {
    match db.check_integrity().map_err(failed("checking"))? {
        true => Ok(()),
        false => Err(Failure::wrong("check_integrity found damage and repaired it")),
    }
}

fn entries(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<BTreeMap<Vec<u8>, Arc<[u8]>>, redb::Error> {
    let mut entries = BTreeMap::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        entries.insert(key.value().to_vec(), Arc::from(value.value()));
    }
    Ok(entries)
}

fn tables(db: &Database) -> Result<Tables, Failure> {
    try_to("reading", || {
        let tx = db.begin_read()?;
        let mut tables = Tables::new();
        for handle in tx.list_tables()? {
            let table = tx.open_table(Definition::new(handle.name()))?;
            tables.insert(handle.name().to_owned(), Arc::new(entries(&table)?));
        }
        Ok(tables)
    })
}

/// Everything; where the savepoints lead to is seen by going there and aborting.
fn read(db: &Database) -> Result<State, Failure> {
    let tables = tables(db)?;
    let savepoints = try_to("reading savepoints", || {
        let tx = db.begin_write()?;
        let ids: Vec<u64> = tx.list_persistent_savepoints()?.collect();
        tx.abort()?;
        let mut savepoints = BTreeMap::new();
        for id in ids {
            let mut tx = db.begin_write()?;
            let savepoint = tx.get_persistent_savepoint(id)?;
            tx.restore_savepoint(&savepoint)?;
            let mut tables = Tables::new();
            let handles: Vec<_> = tx.list_tables()?.collect();
            for handle in handles {
                let table = tx.open_table(Definition::new(handle.name()))?;
                tables.insert(handle.name().to_owned(), Arc::new(entries(&table)?));
            }
            tx.abort()?;
            savepoints.insert(id, tables);
        }
        Ok(savepoints)
    })?;
    Ok(State { tables, savepoints })
}

struct Survived {
    db: Database,
    /// It checks itself before it is closed.
    check: bool,
}

impl Survivor<State> for Survived {
    fn read(&mut self) -> Result<State, Failure> {
        read(&self.db)
    }

    fn write_on(&mut self) -> Result<(), Failure> {
        // The next time, when nothing is written.
        self.check = false;
        try_to("writing", || {
            let tx = self.db.begin_write()?;
            tx.open_table(Definition::new(TABLE))?.insert(ENTRY.0, ENTRY.1)?;
            Ok(tx.commit()?)
        })
    }

    fn close(mut self: Box<Self>) -> Result<(), Failure> {
        if self.check { check(&mut self.db) } else { Ok(()) }
    }
}
