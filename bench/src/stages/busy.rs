//! Single durable puts while the store writes out what its commits had put off.
//!
//! In rounds: batches first, so that there is something to write out; then another thread has it
//! written while this one puts. Only puts that began before it was done count. A store that puts
//! nothing off has no figure: its puts are always the ones of the table.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, anyhow, ensure};

use super::{Measured, Order, verify, write};
use crate::peer::Peer;
use crate::rows;
use crate::statistics::percentile;
use crate::workload::{LOADED, Prepared};

/// Rounds after which there are as many puts as there are.
const ROUNDS: u64 = 20;

pub(super) fn put<P: Peer>(order: &Order) -> Result<Measured> {
    let mut measured = Measured::new();
    if !P::PUTS_OFF {
        return Ok(measured);
    }
    let settings = &order.settings;
    let workload = settings.workload();
    let store = P::open(&order.directory)?;
    store.read(|reader| verify::warm(reader, &workload))?;

    let mut prepared = Prepared::default();
    // Rows of each transaction; their numbers ascend from the first one.
    let mut written = Vec::new();
    let mut commit = |rows: u64| -> Result<f64> {
        written.push(rows);
        let transaction = LOADED + written.len() as u64;
        write::overwrite(&store, &workload, transaction, rows, &mut prepared)
    };
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        for _ in 0..(settings.batches / 10).max(1) {
            commit(settings.batch)?;
        }
        let done = AtomicBool::new(false);
        thread::scope(|scope| -> Result<()> {
            let writing = scope.spawn(|| {
                let outcome = store.write_out();
                done.store(true, Ordering::Release);
                outcome
            });
            while !done.load(Ordering::Acquire) {
                took.push(commit(1)? * 1e6);
            }
            writing.join().map_err(|_| anyhow!("the writing thread panicked"))?
        })?;
        if took.len() as u64 >= settings.puts {
            break;
        }
    }
    ensure!(!took.is_empty(), "nothing was put while the store wrote out");
    store.close()?;

    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        let last = LOADED + written.len() as u64;
        for (transaction, &rows) in (LOADED + 1..).zip(&written) {
            verify::overwritten(reader, &workload, transaction, rows, last)?;
        }
        Ok(())
    })?;
    store.close()?;
    measured.insert(rows::BUSY_PUT_P50.into(), percentile(&mut took, 0.50));
    measured.insert(rows::BUSY_PUT_P99.into(), percentile(&mut took, 0.99));
    Ok(measured)
}
