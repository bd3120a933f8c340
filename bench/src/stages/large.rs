//! Large values: rates of bytes, into an empty store and out of it again.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::stopwatch::Stopwatch;
use super::{Measured, Order, verify};
use crate::peer::{Peer, Reader, Writer};
use crate::rows;
use crate::workload::{LOADED, Prepared, Workload, pieces, touch};

const VALUE_BYTES: usize = 256 << 10;

/// Values in each durable transaction.
const BATCH: u64 = 16;

pub(super) fn put_and_get<P: Peer>(order: &Order) -> Result<Measured> {
    let mut measured = Measured::new();
    if P::VALUE_BYTES_MAX < VALUE_BYTES {
        return Ok(measured);
    }
    let settings = &order.settings;
    let workload =
        Workload { keys: settings.large_values, value_bytes: VALUE_BYTES, ..settings.workload() };
    let bytes = (workload.keys as usize * VALUE_BYTES) as f64;
    let store = P::open(&order.directory)?;
    let mut prepared = Prepared::default();
    let mut watch = Stopwatch::default();
    for ids in pieces(0..workload.keys, BATCH) {
        prepared.fill(&workload, LOADED, ids);
        watch.start();
        store
            .write(|writer| prepared.rows().try_for_each(|(key, value)| writer.put(key, value)))?;
        watch.hold();
    }
    measured.insert(rows::LARGE_PUT.into(), bytes / watch.seconds());
    store.close()?;

    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        verify::warm(reader, &workload)?;
        verify::sample(reader, &workload, |id| id, workload.keys, Some(LOADED))?;
        let mut key = Vec::new();
        let mut found = 0;
        let start = Instant::now();
        for id in workload.shuffled() {
            workload.key(u64::from(id), &mut key);
            found += u64::from(reader.get(&key, |value| black_box(touch(value)))?.is_some());
        }
        let seconds = start.elapsed().as_secs_f64();
        ensure!(found == workload.keys, "{} large values not found", workload.keys - found);
        measured.insert(rows::LARGE_GET.into(), bytes / seconds);
        Ok(())
    })?;
    store.close()?;
    Ok(measured)
}
