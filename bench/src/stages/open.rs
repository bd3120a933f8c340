//! Opening: after a clean close, and after the process that wrote was killed.
//!
//! The time is from before `open` until the value of a random row has been read. The file is in the
//! operating system's cache both times; the process is fresh.

use std::io::{self, Write as _};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{Measured, Order, verify, write};
use crate::peer::{Peer, Reader};
use crate::rows;
use crate::workload::Prepared;

pub(super) fn reopen<P: Peer>(order: &Order, attempt: u64) -> Result<Measured> {
    let (store, microseconds) = open_and_get::<P>(order, attempt)?;
    store.read(|reader| verify::count(reader, order.settings.keys))?;
    store.close()?;
    Ok(Measured::from([(rows::REOPEN.into(), microseconds)]))
}

/// Commits batches and prints the number of each when it is durable, until somebody kills it.
pub(super) fn write_until_killed<P: Peer>(order: &Order, first: u64) -> Result<Measured> {
    let workload = order.settings.workload();
    let store = P::open(&order.directory)?;
    let mut prepared = Prepared::default();
    let mut out = io::stdout().lock();
    for transaction in first.. {
        write::overwrite(&store, &workload, transaction, order.settings.batch, &mut prepared)?;
        // Fails, and so ends this, when the parent is no more.
        writeln!(out, "{transaction}").and_then(|()| out.flush()).context("nobody listens")?;
    }
    Ok(Measured::new())
}

/// Opens what a victim left. What was acknowledged must be there; what was not, whole or not at all.
pub(super) fn recover<P: Peer>(order: &Order, first: u64, last: u64) -> Result<Measured> {
    let workload = order.settings.workload();
    let batch = order.settings.batch;
    let (store, microseconds) = open_and_get::<P>(order, last)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        let unacknowledged = last + 1;
        for transaction in first..=last {
            verify::overwritten(reader, &workload, transaction, batch, unacknowledged)?;
        }
        let mut present = 0;
        for id in workload.overwritten(unacknowledged, batch) {
            let writer = verify::writer_of(reader, &workload, id)?;
            present += u64::from(writer == Some(unacknowledged));
        }
        ensure!(
            present == 0 || present == batch,
            "{present} of the {batch} rows of the transaction that was cut off are there"
        );
        Ok(())
    })?;
    store.close()?;
    Ok(Measured::from([(rows::OPEN_KILLED.into(), microseconds)]))
}

fn open_and_get<P: Peer>(order: &Order, attempt: u64) -> Result<(P, f64)> {
    let workload = order.settings.workload();
    let id = workload.choice(attempt).u64(0..workload.keys);
    let mut key = Vec::new();
    workload.key(id, &mut key);

    let start = Instant::now();
    let store = P::open(&order.directory)?;
    let value = store.read(|reader| reader.get(&key, <[u8]>::to_vec))?;
    let microseconds = start.elapsed().as_secs_f64() * 1e6;

    let value = value.with_context(|| format!("row {id} is missing after opening"))?;
    let writer = workload.writer_of(id, &value);
    ensure!(writer.is_some(), "row {id}: a value that nobody wrote");
    Ok((store, microseconds))
}
