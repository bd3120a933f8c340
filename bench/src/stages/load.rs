//! Bulk load: all rows, in random order or sorted, by one durable transaction into an empty store.

use anyhow::Result;

use super::stopwatch::Stopwatch;
use super::{Measured, Order, verify};
use crate::peer::{Peer, Writer};
use crate::workload::{LOADED, Prepared, Workload, pieces};
use crate::{files, machine, rows};

/// Rows that are prepared at a time: few enough that they stay in the processor's cache.
const PREPARED: u64 = 1000;

pub(super) fn load<P: Peer>(order: &Order) -> Result<Measured> {
    let workload = order.settings.workload();
    let store = P::open(&order.directory)?;
    let portions = pieces(0..workload.keys, PREPARED);
    let seconds = put_all(&store, &workload, portions)?;
    let memory = machine::peak_memory_bytes();
    store.close()?;
    let size = files::size(&order.directory)?;
    judge::<P>(order, &workload)?;

    let mut measured = Measured::new();
    measured.insert(rows::LOAD.into(), workload.keys as f64 / seconds);
    measured.insert(rows::LOAD_FILE.into(), size.length_bytes as f64);
    measured.insert(rows::LOAD_BLOCKS.into(), size.allocated_bytes as f64);
    measured.extend(memory.map(|bytes| (rows::LOAD_MEMORY.into(), bytes as f64)));
    Ok(measured)
}

/// The same rows in the order of their keys, as a log or a time series comes.
pub(super) fn append<P: Peer>(order: &Order) -> Result<Measured> {
    let workload = order.settings.workload();
    let ids = workload.sorted();
    let store = P::open(&order.directory)?;
    let portions = ids.chunks(PREPARED as usize).map(|ids| ids.iter().map(|&id| u64::from(id)));
    let seconds = put_all(&store, &workload, portions)?;
    store.close()?;
    let size = files::size(&order.directory)?;
    judge::<P>(order, &workload)?;
    let mut measured = Measured::new();
    measured.insert(rows::APPEND.into(), workload.keys as f64 / seconds);
    measured.insert(rows::APPEND_FILE.into(), size.length_bytes as f64);
    Ok(measured)
}

/// Puts all rows, in portions, by one transaction. The seconds that it took, making the rows apart.
fn put_all<P: Peer>(
    store: &P,
    workload: &Workload,
    portions: impl Iterator<Item = impl IntoIterator<Item = u64>>,
) -> Result<f64> {
    let mut prepared = Prepared::default();
    let mut watch = Stopwatch::started();
    store.write(|writer| {
        for ids in portions {
            watch.hold();
            prepared.fill(workload, LOADED, ids);
            watch.start();
            for (key, value) in prepared.rows() {
                writer.put(key, value)?;
            }
        }
        Ok(())
    })?;
    Ok(watch.seconds())
}

/// The store holds what was loaded, after reopening.
fn judge<P: Peer>(order: &Order, workload: &Workload) -> Result<()> {
    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        verify::sample(reader, workload, |id| id, workload.keys, Some(LOADED))
    })?;
    store.close()
}
