//! Latency of gets, alone and beside a thread that commits batches at full speed.
//!
//! Each get is a read transaction of its own, as a request to a server would be: the beginning of it is
//! in the time, and no version is held for long.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use super::{Measured, Order, verify, write};
use crate::peer::{Peer, Reader};
use crate::rows;
use crate::statistics::percentile;
use crate::workload::{LOADED, Prepared, Workload, touch};

/// Most gets that are timed, unless the writer needs longer.
const GETS: u64 = 200_000;

/// Batches that must have been committed meanwhile.
const BATCHES: u64 = 20;

pub(super) fn get<P: Peer>(order: &Order) -> Result<Measured> {
    let settings = &order.settings;
    let workload = settings.workload();
    let store = P::open(&order.directory)?;
    store.read(|reader| verify::warm(reader, &workload))?;
    let gets = settings.gets().min(GETS);
    let mut measured = Measured::new();
    if settings.wants(rows::READ_P99_IDLE) {
        let mut took = timed_gets(&store, &workload, |done| done >= gets)?;
        measured.insert(rows::READ_P99_IDLE.into(), percentile(&mut took, 0.99));
    }
    let mut last = LOADED;
    if settings.wants(rows::READ_P99_WRITING) && P::WRITES_BESIDE_READERS {
        let (stop, committed) = (AtomicBool::new(false), AtomicU64::new(LOADED));
        let mut took = thread::scope(|scope| {
            let writing = scope.spawn(|| -> Result<()> {
                let mut prepared = Prepared::default();
                for transaction in LOADED + 1.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    write::overwrite(
                        &store,
                        &workload,
                        transaction,
                        settings.batch,
                        &mut prepared,
                    )?;
                    committed.store(transaction, Ordering::Relaxed);
                }
                Ok(())
            });
            let enough = |done| {
                let batches = committed.load(Ordering::Relaxed) - LOADED;
                (done >= gets && batches >= BATCHES) || writing.is_finished()
            };
            let took = timed_gets(&store, &workload, enough);
            stop.store(true, Ordering::Relaxed);
            writing.join().map_err(|_| anyhow!("the writing thread panicked"))??;
            took
        })?;
        last = committed.into_inner();
        measured.insert(rows::READ_P99_WRITING.into(), percentile(&mut took, 0.99));
    }
    store.close()?;

    verify::all_overwritten::<P>(order, last, |_| settings.batch)?;
    Ok(measured)
}

/// Single gets of random rows until there are `enough`; each in microseconds.
fn timed_gets<P: Peer>(
    store: &P,
    workload: &Workload,
    enough: impl Fn(u64) -> bool,
) -> Result<Vec<f64>> {
    let mut choice = workload.choice(0);
    let mut key = Vec::new();
    let mut took = Vec::new();
    while !enough(took.len() as u64) {
        workload.key(choice.u64(0..workload.keys), &mut key);
        let start = Instant::now();
        let found = store.read(|reader| reader.get(&key, |value| black_box(touch(value))))?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
        ensure!(found.is_some(), "a row that exists was not found");
    }
    ensure!(!took.is_empty(), "no gets");
    Ok(took)
}
