//! What [`crate::growth`] measures of a loaded store, in one process.

use std::time::Instant;

use anyhow::Result;

use super::{Measured, Order, read, verify, write};
use crate::growth::SNAPSHOT;
use crate::peer::{Peer, Setup};
use crate::peers::CACHE_BYTES;
use crate::rows;
use crate::statistics::percentile;
use crate::workload::{LOADED, Prepared};

/// More than any of the stores needs for a row, pages that are half full included.
const ROW_BYTES_MAX: usize = 500;

const SNAPSHOTS: u64 = 20;

pub(super) fn measure<P: Peer>(order: &Order) -> Result<Measured> {
    let settings = &order.settings;
    let workload = settings.workload();
    let cache_bytes = CACHE_BYTES.max(workload.keys as usize * ROW_BYTES_MAX);
    let store = P::open_as(&order.directory, Setup { cache_bytes, ..Setup::default() })?;
    store.read(|reader| verify::warm(reader, &workload))?;
    let mut measured = Measured::new();
    let rate = read::gets(&store, &workload, settings.gets(), 1)?;
    measured.insert(rows::GETS_1.into(), rate);

    let mut prepared = Prepared::default();
    let mut transaction = LOADED;
    let mut took = Vec::new();
    for _ in 0..settings.puts {
        transaction += 1;
        took.push(write::overwrite(&store, &workload, transaction, 1, &mut prepared)? * 1e6);
    }
    measured.insert(rows::PUT_P50.into(), percentile(&mut took, 0.50));
    let singles = transaction;
    let mut seconds = 0.0;
    for _ in 0..settings.batches {
        transaction += 1;
        seconds += write::overwrite(&store, &workload, transaction, settings.batch, &mut prepared)?;
    }
    measured.insert(rows::BATCHES.into(), (settings.batches * settings.batch) as f64 / seconds);

    let mut took = Vec::new();
    for number in 0..SNAPSHOTS {
        let start = Instant::now();
        if store.snapshot(&format!("snapshot-{number}"))? {
            took.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    if !took.is_empty() {
        measured.insert(SNAPSHOT.into(), percentile(&mut took, 0.50));
    }
    store.close()?;

    let batch_of = |number| if number <= singles { 1 } else { settings.batch };
    verify::all_overwritten::<P>(order, transaction, batch_of)?;
    Ok(measured)
}
