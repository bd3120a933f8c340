//! What it costs to store a machine in a database, whole and again, and to go on with it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use cowslip::{
    Database,
    vm::{ForkMode, Machine, StoredMachine},
};

use crate::{Size, model};

/// What storing, or resuming, took.
pub(crate) struct Kept {
    pub(crate) what: String,
    pub(crate) time: Duration,
    /// Of a resumption: nothing.
    pub(crate) stored: StoredMachine,
    /// Bytes that the database wrote for it, its checkpoint included.
    pub(crate) written: u64,
}

/// A machine with so much memory touched, in a file of its own in `folder`.
pub(crate) fn measure(size: Size, fork: ForkMode, folder: &Path) -> cowslip::Result<Vec<Kept>> {
    let path = folder.join("forks.cow");
    let db = Database::create(&path)?;
    let (mut machine, start) = model::machine(size, fork);
    let mut rows = vec![store("whole", &db, &mut machine)?];
    rows.push(store("again, unchanged", &db, &mut machine)?);
    let begin = Instant::now();
    let before = bytes(&db);
    db.create_snapshot("before")?;
    rows.push(Kept {
        what: "a snapshot of it".into(),
        time: begin.elapsed(),
        stored: StoredMachine::default(),
        written: bytes(&db) - before,
    });
    let child = machine.fork(Machine::FIRST).unwrap_or_else(|errno| panic!("{errno}"));
    rows.push(store("after a fork", &db, &mut machine)?);
    for percent in [1, 10] {
        model::touch(&machine, child, start, size, size.touched * percent / 100);
        rows.push(store(&format!("the child has written {percent} %"), &db, &mut machine)?);
    }
    let begin = Instant::now();
    let resumed = db.begin_read()?.machine("machine", u32::MAX)?;
    rows.push(Kept {
        what: "resumed".into(),
        time: begin.elapsed(),
        stored: StoredMachine::default(),
        written: 0,
    });
    drop(resumed);
    db.close()?;
    std::fs::remove_file(&path).ok();
    Ok(rows)
}

fn store(what: &str, db: &Database, machine: &mut Machine) -> cowslip::Result<Kept> {
    let before = bytes(db);
    let begin = Instant::now();
    let tx = db.begin_write()?;
    let stored = tx.store_machine("machine", machine)?;
    tx.commit()?;
    let time = begin.elapsed();
    Ok(Kept { what: what.into(), time, stored, written: bytes(db) - before })
}

fn bytes(db: &Database) -> u64 {
    let written = db.stats().written;
    written.log + written.pages + written.map + written.superblock
}
