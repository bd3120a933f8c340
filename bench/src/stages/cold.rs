//! A full scan of a store whose files are not in the operating system's cache.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Measured, Order};
use crate::peer::{Peer, Reader};
use crate::workload::touch;
use crate::{files, rows};

pub(super) fn scan<P: Peer>(order: &Order) -> Result<Measured> {
    let workload = order.settings.workload();
    let mut measured = Measured::new();
    if !files::forget(&order.directory)? {
        return Ok(measured);
    }
    let store = P::open(&order.directory)?;
    let mut last = Vec::new();
    let mut ascending = true;
    let start = Instant::now();
    let rows = store.read(|reader| {
        reader.scan(None, usize::MAX, |key, value| {
            black_box(touch(value));
            ascending &= last.as_slice() < key;
            last.clear();
            last.extend_from_slice(key);
        })
    })?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(ascending, "a scan gave keys out of order");
    ensure!(rows == workload.keys, "a scan gave {rows} of {} rows", workload.keys);
    store.close()?;
    measured.insert(rows::SCAN_COLD.into(), rows as f64 / seconds);
    Ok(measured)
}
