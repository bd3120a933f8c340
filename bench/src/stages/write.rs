//! Durable overwrites of random rows: one in each transaction, then a batch in each.
//!
//! A store may put work off (a checkpoint, a merge): the batches are therefore also given with the
//! closing of the store in their time.

use anyhow::Result;

use super::stopwatch::Stopwatch;
use super::{Measured, Order, verify};
use crate::peer::{Peer, Writer};
use crate::statistics::percentile;
use crate::workload::{LOADED, Prepared, Workload};
use crate::{machine, rows};

pub(super) fn write<P: Peer>(order: &Order) -> Result<Measured> {
    let settings = &order.settings;
    let workload = settings.workload();
    let store = P::open(&order.directory)?;
    store.read(|reader| verify::warm(reader, &workload))?;

    let mut measured = Measured::new();
    let mut prepared = Prepared::default();
    let mut transaction = LOADED;
    if settings.wants(rows::PUT_P50) || settings.wants(rows::PUT_P99) {
        let mut took = Vec::new();
        for _ in 0..settings.puts {
            transaction += 1;
            let seconds = overwrite(&store, &workload, transaction, 1, &mut prepared)?;
            took.push(seconds * 1e6);
        }
        measured.insert(rows::PUT_P50.into(), percentile(&mut took, 0.50));
        measured.insert(rows::PUT_P99.into(), percentile(&mut took, 0.99));
    }
    let singles = transaction;
    let mut seconds = 0.0;
    if settings.wants(rows::BATCHES) || settings.wants(rows::BATCHES_CLOSED) {
        for _ in 0..settings.batches {
            transaction += 1;
            seconds += overwrite(&store, &workload, transaction, settings.batch, &mut prepared)?;
        }
    }
    let memory = machine::peak_memory_bytes();
    let mut closing = Stopwatch::started();
    store.close()?;
    let closing = closing.seconds();

    let batch_of = |number| if number <= singles { 1 } else { settings.batch };
    verify::all_overwritten::<P>(order, transaction, batch_of)?;

    if transaction > singles {
        let rows = (settings.batches * settings.batch) as f64;
        measured.insert(rows::BATCHES.into(), rows / seconds);
        measured.insert(rows::BATCHES_CLOSED.into(), rows / (seconds + closing));
    }
    measured.extend(memory.map(|bytes| (rows::WRITE_MEMORY.into(), bytes as f64)));
    Ok(measured)
}

/// Does transaction number `transaction`: overwrites `rows` rows, durably. The seconds it took.
pub(super) fn overwrite<P: Peer>(
    store: &P,
    workload: &Workload,
    transaction: u64,
    rows: u64,
    prepared: &mut Prepared,
) -> Result<f64> {
    prepared.fill(workload, transaction, workload.overwritten(transaction, rows));
    let mut watch = Stopwatch::started();
    store.write(|writer| {
        for (key, value) in prepared.rows() {
            writer.put(key, value)?;
        }
        Ok(())
    })?;
    Ok(watch.seconds())
}
