//! A database and its model, driven by the same operations.
//!
//! Every version that was ever committed is kept by a [`Witness`], so that what may be found after a
//! power cut is known at every moment. Between database and disk a [`Monitor`] judges what is written.

use std::sync::Arc;

use cowslip::{
    Builder, Database, Durability, Error, ReadTransaction, ReceiveOptions, Result,
    WriteTransaction,
    storage::{
        SimulatedStorage, Storage,
        simulated::{Plan, SectorSize},
    },
};
use fastrand::Rng;

use crate::{
    check,
    model::{Model, Snapshot, Table, Tables, read_tables, tables_difference},
    monitor::{Moment, Monitor, Watch},
    op::{self, Op},
    witness::{Recording, Survives, Window, Witness},
};

/// A database on a simulated disk, and what it should contain.
#[derive(Debug)]
pub struct Session {
    builder: Builder,
    page_size: usize,
    disk: Arc<SimulatedStorage>,
    /// What the monitor saw since it was opened.
    watch: Watch,
    db: Option<Database>,
    tx: Option<WriteTransaction>,
    draft: Tables,
    branch: String,
    readers: Vec<(ReadTransaction, Tables)>,
    witness: Witness<Model>,
    /// Events of the disk before the last operation.
    events_before: usize,
}

impl Session {
    /// A new database with pages of `page_size`; `builder` gets no background threads.
    pub fn new(builder: Builder, page_size: usize) -> Session {
        Session::on(SimulatedStorage::new(), builder, page_size).expect("a new database")
    }

    /// A new database on this (empty) disk.
    pub fn on(disk: SimulatedStorage, builder: Builder, page_size: usize) -> Result<Session> {
        Session::with(Witness::new(Arc::new(disk)), builder, page_size)
    }

    /// The same with a witness, on a disk that may hold a database already.
    pub fn with(witness: Witness<Model>, builder: Builder, page_size: usize) -> Result<Session> {
        let builder = builder.background(false).page_size(page_size);
        let disk = witness.disk().clone();
        let (storage, watch) = Monitor::over_disk(&disk);
        let db = builder.open_or_create_on(storage);
        watch.assert_content();
        let db = db?;
        witness.begin(Model::read(&db)?);
        let events_before = disk.events();
        Ok(Session {
            builder,
            page_size,
            disk,
            watch,
            db: Some(db),
            tx: None,
            draft: Tables::new(),
            branch: "main".into(),
            readers: Vec::new(),
            witness,
            events_before,
        })
    }

    /// The open database.
    pub fn db(&self) -> &Database {
        self.db.as_ref().expect("open between operations")
    }

    /// The disk.
    pub fn disk(&self) -> &Arc<SimulatedStorage> {
        &self.disk
    }

    /// What the database should contain.
    pub fn model(&self) -> Model {
        self.witness.newest()
    }

    /// What was attempted and acknowledged so far.
    pub fn witness(&self) -> &Witness<Model> {
        &self.witness
    }

    /// Opens what is on the disk.
    fn open(&mut self) -> Result<Database> {
        let (storage, watch) = Monitor::over_disk(&self.disk);
        self.watch = watch;
        let db = self.builder.open_or_create_on(storage);
        self.watch.assert_content();
        db
    }

    fn key(&self, number: u16) -> Vec<u8> {
        op::key(number, self.page_size)
    }

    /// Does an operation to both and compares what they answer. Errors that the model expects are
    /// checked here; what comes out are the errors of the disk.
    #[track_caller]
    pub fn apply(&mut self, op: &Op) -> Result<()> {
        let result = self.do_one(op);
        self.watch.assert_content();
        result
    }

    fn do_one(&mut self, op: &Op) -> Result<()> {
        self.events_before = match op {
            Op::PowerCut { .. } => self.events_before,
            _ => self.disk.events(),
        };
        match *op {
            Op::Put { table, key, length, fill } => {
                let (key, value) = (self.key(key), op::value(length, fill));
                self.change(table, |target, model| {
                    let there = target.insert(&key, &value)?;
                    let old = model.insert(key, value.into());
                    assert_eq!(there, old.is_some(), "answer of insert");
                    Ok(())
                })
            }
            Op::Remove { table, key } => {
                let key = self.key(key);
                self.change(table, |target, model| {
                    let there = target.remove(&key)?;
                    assert_eq!(there, model.remove(&key).is_some(), "answer of remove");
                    Ok(())
                })
            }
            Op::RemoveRange { table, from, to } => {
                let (from, to) = (from.map(|n| self.key(n)), to.map(|n| self.key(n)));
                self.change(table, |target, model| {
                    use std::ops::Bound::{Excluded, Included, Unbounded};
                    let bounds = (
                        from.clone().map_or(Unbounded, Included),
                        to.clone().map_or(Unbounded, Excluded),
                    );
                    let removed = target.remove_range::<Vec<u8>>(bounds)?;
                    let before = model.len();
                    model.retain(|key, _| {
                        from.as_ref().is_some_and(|from| key < from)
                            || to.as_ref().is_some_and(|to| key >= to)
                    });
                    assert_eq!(removed, (before - model.len()) as u64, "answer of remove_range");
                    assert_eq!(target.len()?, model.len() as u64, "length after remove_range");
                    Ok(())
                })
            }
            Op::OpenTable { table } => self.change(table, |_, _| Ok(())),
            Op::DeleteTable { table } => {
                if !self.begin()? {
                    return Ok(());
                }
                let name = format!("t{table}");
                let there = self.tx.as_ref().expect("begun").delete_table(&name)?;
                assert_eq!(there, self.draft.remove(&name).is_some(), "answer of delete_table");
                Ok(())
            }
            Op::Commit(durability) => self.commit(durability),
            Op::Abort => match self.tx.take() {
                Some(tx) => tx.abort(),
                None => Ok(()),
            },
            Op::Switch { branch } => {
                self.settle()?;
                self.branch = branch_name(branch);
                Ok(())
            }
            Op::HoldReader => {
                if let Some(tables) = self.model().branches.get(&self.branch).cloned() {
                    let reader = self.db().begin_read_on(&self.branch)?;
                    self.readers.push((reader, tables));
                }
                Ok(())
            }
            Op::CheckReaders => {
                for (reader, tables) in &self.readers {
                    if let Some(what) = tables_difference(tables, &read_tables(reader)?) {
                        panic!("a reader's version changed under it: {what}");
                    }
                }
                let mut keep = false;
                self.readers.retain(|_| {
                    keep = !keep;
                    keep
                });
                Ok(())
            }
            Op::Diff { from, to } => self.diff(from, to),
            Op::Checkpoint => {
                self.settle()?;
                let begun = self.watch.moment();
                self.db().checkpoint()?;
                self.acknowledge(Durability::Immediate, begun, false)
            }
            Op::Reopen => {
                self.settle()?;
                self.readers.clear();
                self.db.take().expect("open").close()?;
                self.witness.acknowledge(Survives::PowerCut);
                self.watch.assert_content();
                check::storage(&*self.disk).expect("the checker is content after closing");
                self.db = Some(self.open()?);
                self.model().assert_is(self.db());
                Ok(())
            }
            Op::PowerCut { seed } => {
                self.cut_power(seed);
                Ok(())
            }
            _ => self.change_names(op),
        }
    }

    /// Begins a transaction unless one is open; false if the branch is gone.
    fn begin(&mut self) -> Result<bool> {
        if self.tx.is_none() {
            let tx = self.db().begin_write_on(&self.branch);
            let Some(tables) = self.model().branches.get(&self.branch).cloned() else {
                expect(tx, "BranchNotFound", |e| matches!(e, Error::BranchNotFound(_)))?;
                self.branch = "main".into();
                return Ok(false);
            };
            self.tx = Some(tx?);
            self.draft = tables;
        }
        Ok(true)
    }

    fn change(
        &mut self,
        table: u8,
        change: impl FnOnce(&mut cowslip::Table<'_>, &mut Table) -> Result<()>,
    ) -> Result<()> {
        if !self.begin()? {
            return Ok(());
        }
        let name = format!("t{table}");
        let mut target = self.tx.as_ref().expect("begun").open_table(&name)?;
        let model = self.draft.entry(name).or_default();
        change(&mut target, Arc::make_mut(model))
    }

    fn commit(&mut self, durability: Durability) -> Result<()> {
        let Some(mut tx) = self.tx.take() else { return Ok(()) };
        let mut next = self.model();
        next.branches.insert(self.branch.clone(), std::mem::take(&mut self.draft));
        tx.set_durability(durability);
        let wrote = next != self.model();
        self.witness.attempt(next);
        let begun = self.watch.moment();
        tx.commit().inspect_err(|error| self.failed(error))?;
        self.acknowledge(durability, begun, wrote)
    }

    /// Commits what is open.
    pub fn settle(&mut self) -> Result<()> {
        self.commit(Durability::Immediate)
    }

    /// The newest version was acknowledged; its commit began at `begun`, and `wrote` something.
    fn acknowledge(&self, durability: Durability, begun: Moment, wrote: bool) -> Result<()> {
        if durability == Durability::Immediate {
            self.watch.acknowledged(begun, wrote);
        }
        self.witness.identify(self.db().begin_read()?.number());
        self.witness.acknowledge(match durability {
            Durability::Immediate => Survives::PowerCut,
            Durability::Eventual => Survives::ProcessCrash,
            Durability::None => Survives::Nothing,
        });
        Ok(())
    }

    /// A commit failed. On a full disk nothing was committed, and life goes on without it; after a
    /// failed write either may be found.
    fn failed(&mut self, error: &Error) {
        if matches!(error, Error::DiskFull { .. }) {
            let before = self.witness.back(1).expect("a version before the one attempted");
            self.witness.attempt(before);
        }
    }

    fn change_names(&mut self, op: &Op) -> Result<()> {
        if self.tx.is_some() {
            let nested = self.db().create_snapshot("nested");
            expect(nested, "NestedTransaction", |e| matches!(e, Error::NestedTransaction))?;
        }
        self.settle()?;
        let mut next = self.model();
        let db = self.db().clone();
        let branch = self.branch.clone();
        let expected = match self.same_snapshot(op)? {
            true => Some("WrongBase"),
            false => alter(&mut next, op, &branch),
        };
        let wrote = next != self.model();
        if expected.is_none() {
            self.witness.attempt(next);
        }
        let begun = self.watch.moment();
        let result = match *op {
            Op::Snapshot { name } => db.create_snapshot_of(&branch, &snapshot_name(name)),
            Op::DeleteSnapshot { name } => db.delete_snapshot(&snapshot_name(name)),
            Op::Hold { name, held: true } => db.hold(&snapshot_name(name)),
            Op::Hold { name, held: false } => db.release(&snapshot_name(name)),
            Op::Rollback { name } => db.rollback_branch(&branch, &snapshot_name(name)),
            Op::BranchFromSnapshot { name, from } => {
                db.create_branch(&branch_name(name), &snapshot_name(from))
            }
            Op::BranchFromBranch { name, from } => {
                db.create_branch(&branch_name(name), &branch_name(from))
            }
            Op::DeleteBranch { name } => db.delete_branch(&branch_name(name)),
            Op::Promote { name } => db.promote(&branch_name(name)),
            Op::Receive { name, from, since } => {
                let mut stream = Vec::new();
                db.send(&mut stream, &snapshot_name(from), since.map(snapshot_name).as_deref())
                    .and_then(|_| {
                        let options = ReceiveOptions::default().name(&snapshot_name(name));
                        db.receive_with(&*stream, &options).map(drop)
                    })
            }
            _ => unreachable!("the other operations are done elsewhere"),
        };
        match expected {
            None => {
                result.inspect_err(|error| self.failed(error))?;
                self.acknowledge(Durability::Immediate, begun, wrote)
            }
            Some(refusal) => expect(result, refusal, |e| format!("{e:?}").starts_with(refusal)),
        }
    }

    /// Would a stream build on the very snapshot that it brings? A received one is the same as the
    /// one that was sent, whatever its name.
    fn same_snapshot(&self, op: &Op) -> Result<bool> {
        let Op::Receive { from, since: Some(since), .. } = *op else { return Ok(false) };
        let snapshots = self.db().snapshots()?;
        let id = |name: u8| snapshots.iter().find(|s| s.name == snapshot_name(name)).map(|s| s.id);
        Ok(id(from).is_some() && id(from) == id(since))
    }

    fn diff(&mut self, from: u8, to: u8) -> Result<()> {
        let name = |n: u8| if n < 4 { snapshot_name(n) } else { branch_name(n - 4) };
        let (from, to) = (name(from), name(to));
        let found = self.db().diff(&from, &to);
        let model = self.model();
        let (Some(old), Some(new)) = (model.version(&from), model.version(&to)) else {
            return expect(found, "SnapshotNotFound", |e| matches!(e, Error::SnapshotNotFound(_)));
        };
        let found: Vec<_> = found?.collect::<Result<_>>()?;
        let empty = Arc::default();
        let mut expected = Vec::new();
        let mut tables: Vec<&String> = old.keys().chain(new.keys()).collect();
        tables.sort();
        tables.dedup();
        for table in tables {
            let (old, new) = (old.get(table).unwrap_or(&empty), new.get(table).unwrap_or(&empty));
            let mut keys: Vec<&Vec<u8>> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            expected.extend(
                keys.into_iter()
                    .filter(|key| old.get(*key) != new.get(*key))
                    .map(|key| (table.clone(), key.clone(), old.get(key), new.get(key))),
            );
        }
        let same = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(found, (table, key, old, new))| {
                found.table == *table
                    && found.key == *key
                    && found.old.as_deref() == old.map(|v| &v[..])
                    && found.new.as_deref() == new.map(|v| &v[..])
            });
        assert!(
            same,
            "diff of {from} and {to}: {} changes expected, {} found",
            expected.len(),
            found.len()
        );
        Ok(())
    }

    // ---- the end -------------------------------------------------------------------------

    /// The power fails somewhere during the last operation, or now. What is found is asserted to be
    /// legal and is from now on what the database should contain.
    #[track_caller]
    fn cut_power(&mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let history = self.disk.history();
        let event = rng.usize(self.events_before..=history.events().len());
        let sector = if rng.bool() { SectorSize::B512 } else { SectorSize::B4096 };
        let plan = match rng.u8(..8) {
            0 => Plan::All,
            1 => Plan::None,
            2 | 3 => Plan::Garbage(rng.u64(..)),
            _ => Plan::Seeded(rng.u64(..)),
        };
        let mut explorer = history.explore(sector);
        while explorer.position() < event && explorer.advance() {}
        let window = Window::from_notes(explorer.notes());
        let image = explorer.cut().image(&plan);
        // The old database still lives on the old disk; what it writes there is of no interest.
        self.tx = None;
        self.readers.clear();
        self.db = None;
        self.watch.assert_content();
        self.disk = Arc::new(SimulatedStorage::from_image(image));
        if let Err(what) = check::after_crash(&*self.disk) {
            panic!("the checker, after {plan:?} at event {event}: {what}");
        }
        let db = self.open().unwrap_or_else(|error| {
            panic!("recovery after {plan:?} at event {event} failed: {error}")
        });
        let found = Model::read(&db).expect("everything is readable after recovery");
        let versions = self.witness.record().versions;
        let legal = &versions[window.durable..=window.attempted];
        if !legal.iter().any(|version| version.state == found) {
            let what = legal.last().and_then(|version| version.state.difference(&found));
            panic!("after {plan:?} at event {event}: none of {window:?}; {what:?}");
        }
        self.witness = Witness::new(self.disk.clone());
        self.witness.begin(found);
        self.db = Some(db);
        self.branch = "main".into();
        self.events_before = self.disk.events();
    }

    /// Ends without closing: what a killed process leaves.
    pub fn kill(mut self) -> Recording<Model> {
        self.readers.clear();
        // Taken before the database's last checkpoint.
        let recording = self.witness.record();
        self.tx = None;
        self.db = None;
        self.watch.assert_content();
        recording
    }

    /// Commits, closes, has the store checked, and hands out everything for crash exploration.
    pub fn finish(mut self) -> Result<Recording<Model>> {
        self.settle()?;
        self.model().assert_is_by_every_question(self.db());
        self.readers.clear();
        self.db.take().expect("open").close()?;
        self.witness.acknowledge(Survives::PowerCut);
        self.watch.assert_content();
        check::storage(&*self.disk).expect("the checker is content after closing");
        Ok(self.witness.record())
    }
}

fn snapshot_name(n: u8) -> String {
    format!("s{n}")
}

fn branch_name(n: u8) -> String {
    if n == 0 { "main".into() } else { format!("b{n}") }
}

/// The errors that tell of the disk and not of the request.
pub fn is_environmental(error: &Error) -> bool {
    matches!(
        error,
        Error::Io { .. } | Error::DiskFull { .. } | Error::Poisoned { .. } | Error::CacheFull
    )
}

/// The request must have been refused, with the right error.
#[track_caller]
fn expect<T>(result: Result<T>, name: &str, right: impl Fn(&Error) -> bool) -> Result<()> {
    match result {
        Err(error) if right(&error) => Ok(()),
        Err(error) if is_environmental(&error) => Err(error),
        Err(error) => panic!("{name} was expected, {error:?} came"),
        Ok(_) => panic!("{name} was expected, and it was done instead"),
    }
}

/// Does an operation on names to the model, or says with which error it must be refused.
fn alter(model: &mut Model, op: &Op, branch: &str) -> Option<&'static str> {
    let unknown_branch = !model.branches.contains_key(branch);
    match *op {
        Op::Snapshot { name } => {
            let name = snapshot_name(name);
            if model.knows(&name) {
                return Some("AlreadyExists");
            }
            if unknown_branch {
                return Some("BranchNotFound");
            }
            let snapshot = Snapshot { tables: model.branches[branch].clone(), held: false };
            model.snapshots.insert(name, snapshot);
        }
        Op::DeleteSnapshot { name } => {
            match model.snapshots.get(&snapshot_name(name)) {
                None => return Some("SnapshotNotFound"),
                Some(snapshot) if snapshot.held => return Some("Held"),
                Some(_) => model.snapshots.remove(&snapshot_name(name)),
            };
        }
        Op::Hold { name, held } => match model.snapshots.get_mut(&snapshot_name(name)) {
            None => return Some("SnapshotNotFound"),
            Some(snapshot) => snapshot.held = held,
        },
        Op::Rollback { name } => {
            if unknown_branch {
                return Some("BranchNotFound");
            }
            let Some(snapshot) = model.snapshots.get(&snapshot_name(name)) else {
                return Some("SnapshotNotFound");
            };
            model.branches.insert(branch.into(), snapshot.tables.clone());
        }
        Op::BranchFromSnapshot { name, from } => {
            let from = model.version(&snapshot_name(from)).cloned();
            return new_branch(model, name, from, "BranchNotFound");
        }
        Op::BranchFromBranch { name, from } => {
            let from = model.version(&branch_name(from)).cloned();
            return new_branch(model, name, from, "BranchNotFound");
        }
        Op::DeleteBranch { name } => {
            if name == 0 {
                return Some("InvalidArgument");
            }
            if model.branches.remove(&branch_name(name)).is_none() {
                return Some("BranchNotFound");
            }
        }
        Op::Promote { name } => {
            let name = branch_name(name);
            let Some(new) = model.branches.get(&name).cloned() else {
                return Some("BranchNotFound");
            };
            let old = model.branches.insert("main".into(), new).expect("main exists");
            if name != "main" {
                model.branches.insert(name, old);
            }
        }
        Op::Receive { name, from, since } => {
            let Some(snapshot) = model.snapshots.get(&snapshot_name(from)) else {
                return Some("SnapshotNotFound");
            };
            let tables = snapshot.tables.clone();
            if since.is_some_and(|since| !model.snapshots.contains_key(&snapshot_name(since))) {
                return Some("SnapshotNotFound");
            }
            if model.knows(&snapshot_name(name)) {
                return Some("AlreadyExists");
            }
            model.snapshots.insert(snapshot_name(name), Snapshot { tables, held: false });
        }
        _ => unreachable!("no operation on names"),
    }
    None
}

fn new_branch(
    model: &mut Model,
    name: u8,
    from: Option<Tables>,
    missing: &'static str,
) -> Option<&'static str> {
    let name = branch_name(name);
    if model.knows(&name) {
        return Some("AlreadyExists");
    }
    let Some(from) = from else { return Some(missing) };
    model.branches.insert(name, from);
    None
}

/// An image as a disk of its own.
pub fn disk_of(image: &[u8]) -> Arc<SimulatedStorage> {
    Arc::new(SimulatedStorage::from_image(image.to_vec()))
}

/// The whole contents of a storage.
pub fn image_of(storage: &dyn Storage) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(storage.len()?).expect("fits memory");
    let mut bytes = vec![0; length];
    storage.read_at(&mut bytes, 0)?;
    Ok(bytes)
}
