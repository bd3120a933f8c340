//! Deleting snapshots: the call, the way until the space is back, and durable puts beside it.

use anyhow::{Result, ensure};

use super::Bench;
use super::figures::{Figure, figure};
use super::subject::{Subject, timed};
use crate::fixture::TABLE;
use crate::rows::Unit;
use crate::statistics::percentile;
use crate::workload::{Prepared, Workload, pieces};

/// Snapshots that are all the same.
const IDENTICAL: u64 = 50;

/// Snapshots with something between them.
const SERIES: u64 = 100;

/// Rows that are overwritten in one transaction.
const BATCH: u64 = 1000;

/// Durable puts beside no deletion; beside one, as many as there is time for, at most.
const PUTS: u64 = 1000;
const PUTS_MAX: u64 = 100_000;

pub(super) fn call(what: &str) -> Figure {
    figure(format!("delete {what}: the call"), Unit::Microseconds)
}

pub(super) fn back(what: &str) -> Figure {
    figure(format!("– until the space is back ({what})"), Unit::Microseconds)
}

/// The rows that Btrfs fills as well.
pub(super) const ONE_OF_IDENTICAL: &str = "50 identical snapshots, each";
pub(super) const DIVERGED: &str = "a snapshot that diverged by 100 %";

pub(super) fn run<S: Subject>(bench: &mut Bench<'_>) -> Result<()> {
    let workload = bench.settings.workload(bench.settings.keys);
    let mut prepared = Prepared::default();

    let store: S = bench.copy(workload.keys)?;
    let snapshots =
        (0..IDENTICAL).map(|number| store.create(number)).collect::<Result<Vec<_>>>()?;
    deletion(bench, &store, &snapshots, ONE_OF_IDENTICAL)?;
    drop(store);

    let store: S = bench.copy(workload.keys)?;
    let mut series = Vec::new();
    for number in 0..SERIES {
        series.push(store.create(number)?);
        prepared.fill(&workload, number + 1, workload.overwritten(number + 1, BATCH));
        store.put(TABLE, false, &prepared)?;
    }
    let middle = series.remove(series.len() / 2);
    deletion(bench, &store, &[middle], &format!("the middle one of {SERIES}"))?;
    drop(store);

    let store: S = bench.copy(workload.keys)?;
    let old = diverge(&store, &workload, 0)?;
    let used = store.used_bytes()?;
    deletion(bench, &store, &[old], DIVERGED)?;
    let freed = used.saturating_sub(store.used_bytes()?);
    ensure!(freed > workload.keys * 150, "only {freed} bytes came back");

    // The same once more, with durable puts beside it.
    let old = diverge(&store, &workload, 1)?;
    let mut alone = (0..PUTS)
        .map(|number| put(&store, &workload, 10 + number, &mut prepared))
        .collect::<Result<Vec<_>>>()?;
    store.delete(&old)?;
    let mut beside = Vec::new();
    for number in 0..PUTS_MAX {
        if !store.reclaims()? {
            break;
        }
        beside.push(put(&store, &workload, 10 + PUTS + number, &mut prepared)?);
    }
    let mut rows = |beside: &str, took: &mut Vec<f64>| {
        for (name, share) in [("p50", 0.50), ("p99", 0.99)] {
            let row = figure(format!("durable put {beside}, {name}"), Unit::Microseconds);
            bench.add(S::NAME, row, percentile(took, share));
        }
    };
    rows("without a deletion", &mut alone);
    // A store that deletes within the call has nothing to be put beside.
    if !beside.is_empty() {
        rows("while a deletion goes on", &mut beside);
        let row = figure("– puts in that time (few of them make no p99)", Unit::Count);
        bench.add(S::NAME, row, beside.len() as f64);
    }
    Ok(())
}

/// A snapshot that shares no row with what is written then.
fn diverge<S: Subject>(store: &S, workload: &Workload, number: u64) -> Result<S::Snapshot> {
    let snapshot = store.create(1000 + number)?;
    let mut prepared = Prepared::default();
    for ids in pieces(0..workload.keys, 10 * BATCH) {
        prepared.fill(workload, 1000 + number, ids);
        store.put(TABLE, false, &prepared)?;
    }
    store.settle()?;
    Ok(snapshot)
}

fn put<S: Subject>(
    store: &S,
    workload: &Workload,
    transaction: u64,
    prepared: &mut Prepared,
) -> Result<f64> {
    prepared.fill(workload, transaction, workload.overwritten(transaction, 1));
    store.put(TABLE, true, prepared)
}

fn deletion<S: Subject>(
    bench: &mut Bench<'_>,
    store: &S,
    snapshots: &[S::Snapshot],
    what: &str,
) -> Result<()> {
    store.settle()?;
    let before = store.written();
    let mut calls = Vec::new();
    let mut until_back = timed(|| {
        for snapshot in snapshots {
            calls.push(timed(|| store.delete(snapshot))?);
        }
        Ok(())
    })?;
    until_back += timed(|| store.reclaim())?;
    store.checkpoint()?;
    let count = snapshots.len() as f64;
    bench.add(S::NAME, call(what), percentile(&mut calls, 0.5));
    bench.add(S::NAME, back(what), until_back / count);
    let bytes = figure(format!("– bytes, next checkpoint included ({what})"), Unit::Bytes);
    bench.add(S::NAME, bytes, (store.written() - before).total as f64 / count);
    Ok(())
}
