//! Bulk load: all rows, in random order, by one durable transaction into an empty store.

use anyhow::Result;

use super::stopwatch::Stopwatch;
use super::{Measured, Order, verify};
use crate::peer::{Peer, Writer};
use crate::workload::{LOADED, Prepared, pieces};
use crate::{files, machine, rows};

/// Rows that are prepared at a time: few enough that they stay in the processor's cache.
const PREPARED: u64 = 1000;

pub(super) fn load<P: Peer>(order: &Order) -> Result<Measured> {
    let workload = order.settings.workload();
    let store = P::open(&order.directory)?;
    let mut prepared = Prepared::default();
    let mut watch = Stopwatch::started();
    store.write(|writer| {
        for ids in pieces(0..workload.keys, PREPARED) {
            watch.hold();
            prepared.fill(&workload, LOADED, ids);
            watch.start();
            for (key, value) in prepared.rows() {
                writer.put(key, value)?;
            }
        }
        Ok(())
    })?;
    let seconds = watch.seconds();
    let memory = machine::peak_memory_bytes();
    store.close()?;
    let size = files::size(&order.directory)?;

    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        verify::sample(reader, &workload, |id| id, workload.keys, Some(LOADED))
    })?;
    store.close()?;

    let mut measured = Measured::new();
    measured.insert(rows::LOAD.into(), workload.keys as f64 / seconds);
    measured.insert(rows::LOAD_FILE.into(), size.length_bytes as f64);
    measured.insert(rows::LOAD_BLOCKS.into(), size.allocated_bytes as f64);
    measured.extend(memory.map(|bytes| (rows::LOAD_MEMORY.into(), bytes as f64)));
    Ok(measured)
}
