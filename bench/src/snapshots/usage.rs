//! Asking what a snapshot costs, and what the asking costs those who write and delete.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::cowslip::Cowslip;
use super::figures::figure;
use super::subject::{Subject, timed};
use crate::fixture::TABLE;
use crate::rows::Unit;
use crate::statistics::percentile;
use crate::workload::{Prepared, Workload, pieces};

const NAME: &str = Cowslip::NAME;

/// How often usage is asked for.
const PERIOD: Duration = Duration::from_millis(100);

/// Questions whose median counts.
const TIMES: usize = 5;

/// Rows of a batch.
const BATCH: u64 = 1000;

/// As long as deleted snapshots are waited for.
const LONGEST: Duration = Duration::from_secs(30);

/// Snapshots that are deleted.
const DELETED: u64 = 20;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let workload = bench.settings.workload(bench.settings.keys);
    let store: Cowslip = bench.copy(workload.keys)?;
    let snapshot = store.create(0)?;
    ask(bench, &store, &snapshot, "an unchanged snapshot")?;
    let mut prepared = Prepared::default();
    for ids in pieces(0..workload.keys, 10 * BATCH) {
        prepared.fill(&workload, 1, ids);
        store.put(TABLE, false, &prepared)?;
    }
    store.settle()?;
    let unique = store.database.usage(&snapshot)?.unique_bytes;
    ensure!(unique > workload.keys * 150, "only {unique} bytes are the old snapshot's");
    ask(bench, &store, &snapshot, "one that diverged by 100 %")?;
    drop(store);

    let mut order = [false, true];
    order.rotate_left(bench.repetition % 2);
    let mut figures = Vec::new();
    for asked in order {
        let rate = writing(bench, &workload, asked)?;
        figures.push((asked, rate, deleting(bench, &workload, asked)?));
    }
    figures.sort_by_key(|(asked, ..)| *asked);
    for (asked, rate, _) in &figures {
        let title =
            format!("durable batches of {BATCH} overwrites, one snapshot, {}", word(*asked));
        bench.add(NAME, figure(title, Unit::PerSecond), *rate);
    }
    for (asked, _, (took, waiting)) in &figures {
        let what = format!("{DELETED} snapshots until the space is back, {}", word(*asked));
        let seconds = LONGEST.as_secs();
        let title = format!("delete {what} (given up after {seconds} s)");
        bench.add(NAME, figure(title, Unit::Microseconds), *took);
        let title = format!("– pages that still wait then ({})", word(*asked));
        bench.add(NAME, figure(title, Unit::Count), *waiting);
    }
    Ok(())
}

fn word(asked: bool) -> &'static str {
    if asked { "usage asked ten times a second" } else { "usage not asked" }
}

fn ask(bench: &mut Bench<'_>, store: &Cowslip, snapshot: &str, what: &str) -> Result<()> {
    let one = |_| timed(|| Ok(store.database.usage(snapshot).map(drop)?));
    let mut took = (0..TIMES).map(one).collect::<Result<Vec<_>>>()?;
    let row = figure(format!("usage of {what}"), Unit::Microseconds);
    bench.add(NAME, row, percentile(&mut took, 0.5));
    Ok(())
}

/// Does `work` while a thread asks for the usage of a snapshot, if it is `asked` for.
fn beside<T>(
    store: &Cowslip,
    snapshot: &str,
    asked: bool,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asker = asked.then(|| {
            scope.spawn(|| -> Result<()> {
                while !done.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    store.database.usage(snapshot)?;
                    thread::sleep(PERIOD.saturating_sub(start.elapsed()));
                }
                Ok(())
            })
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        if let Some(asker) = asker {
            asker.join().ok().context("the thread that asks panicked")??;
        }
        result
    })
}

/// Rows in a second, for as long as the settings say.
fn writing(bench: &Bench<'_>, workload: &Workload, asked: bool) -> Result<f64> {
    let store: Cowslip = bench.copy(workload.keys)?;
    let snapshot = store.create(0)?;
    store.settle()?;
    let (mut microseconds, mut batches) = (0.0, 0);
    let mut prepared = Prepared::default();
    beside(&store, &snapshot, asked, || {
        while microseconds < bench.settings.asking as f64 * 1e3 {
            batches += 1;
            prepared.fill(workload, batches, workload.overwritten(batches, BATCH));
            microseconds += store.put(TABLE, true, &prepared)?;
        }
        Ok(())
    })?;
    microseconds += timed(|| store.checkpoint())?;
    Ok((batches * BATCH) as f64 * 1e6 / microseconds)
}

/// Microseconds until the space of some snapshots is back, and the pages that still wait to be taken
/// apart when that takes too long. Nothing but the background works at it.
fn deleting(bench: &Bench<'_>, workload: &Workload, asked: bool) -> Result<(f64, f64)> {
    let store: Cowslip = bench.copy(workload.keys)?;
    let mut snapshots = Vec::new();
    let mut prepared = Prepared::default();
    for number in 0..=DELETED {
        snapshots.push(store.create(number)?);
        let batch = number + 1;
        prepared.fill(workload, batch, workload.overwritten(batch, 10 * BATCH));
        store.put(TABLE, false, &prepared)?;
    }
    store.settle()?;
    let kept = snapshots.remove(0);
    beside(&store, &kept, asked, || {
        let start = Instant::now();
        snapshots.iter().try_for_each(|snapshot| store.delete(snapshot))?;
        while store.reclaims()? && start.elapsed() < LONGEST {
            thread::sleep(Duration::from_millis(1));
        }
        let took = start.elapsed().as_secs_f64() * 1e6;
        Ok((took, store.database.releases()?.pages as f64))
    })
}
