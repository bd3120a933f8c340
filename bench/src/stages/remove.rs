//! Removals of random rows by one durable transaction.

use anyhow::{Result, ensure};

use super::stopwatch::Stopwatch;
use super::{Measured, Order, verify};
use crate::peer::{Peer, Writer};
use crate::workload::{LOADED, Prepared};
use crate::{files, machine, rows};

/// Rows that are prepared at a time.
const PREPARED: usize = 1000;

pub(super) fn remove<P: Peer>(order: &Order) -> Result<Measured> {
    let workload = order.settings.workload();
    let ids = workload.shuffled();
    let (removed, kept) = ids.split_at(order.settings.removals() as usize);
    let store = P::open(&order.directory)?;
    store.read(|reader| verify::warm(reader, &workload))?;

    let mut prepared = Prepared::default();
    let mut watch = Stopwatch::started();
    store.write(|writer| {
        for ids in removed.chunks(PREPARED) {
            watch.hold();
            prepared.fill(&workload, LOADED, ids.iter().map(|&id| u64::from(id)));
            watch.start();
            for (key, _) in prepared.rows() {
                ensure!(writer.remove(key)?, "a row to remove was not there");
            }
        }
        Ok(())
    })?;
    let seconds = watch.seconds();
    let memory = machine::peak_memory_bytes();
    store.close()?;
    let size = files::size(&order.directory)?;

    verify::some_removed::<P>(order, removed, kept)?;

    let mut measured = Measured::new();
    measured.insert(rows::REMOVALS.into(), removed.len() as f64 / seconds);
    measured.insert(rows::REMOVALS_FILE.into(), size.length_bytes as f64);
    measured.insert(rows::REMOVALS_BLOCKS.into(), size.allocated_bytes as f64);
    measured.extend(memory.map(|bytes| (rows::REMOVALS_MEMORY.into(), bytes as f64)));
    Ok(measured)
}
