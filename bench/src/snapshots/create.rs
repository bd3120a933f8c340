//! Making a snapshot: it must not depend on the rows, nor on the snapshots that are there.

use anyhow::Result;

use super::Bench;
use super::figures::figure;
use super::subject::{Subject, timed};
use crate::fixture::TABLE;
use crate::rows::Unit;
use crate::statistics::percentile;
use crate::workload::Prepared;

/// Snapshots that are made one by one; the median of them counts.
const TIMES: u64 = 20;

/// Rows of the small store.
const FEW: u64 = 1000;

/// Idle snapshots whose pages are counted.
const IDLE: u64 = 1000;

/// Rows that are overwritten before going back.
const CHANGED: u64 = 1000;

pub(super) fn title(where_: &str) -> String {
    format!("create a snapshot, {where_}")
}

pub(super) fn run<S: Subject>(bench: &mut Bench<'_>) -> Result<()> {
    for keys in [FEW, bench.settings.large_keys()] {
        let store: S = bench.copy(keys)?;
        creations(bench, &store, 1, &format!("{keys} keys"))?;
        if keys == FEW {
            let many = bench.settings.many_made();
            store.create_many(TIMES + 1..many)?;
            store.settle()?;
            creations(bench, &store, many, &format!("{FEW} keys and {many} snapshots"))?;
        } else {
            roll_back(bench, &store, keys)?;
        }
    }
    idle::<S>(bench)
}

fn creations<S: Subject>(bench: &mut Bench<'_>, store: &S, first: u64, where_: &str) -> Result<()> {
    store.settle()?;
    let (mut took, mut commits, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for number in first..first + TIMES {
        let before = store.written();
        took.push(timed(|| store.create(number).map(drop))?);
        commits.push((store.written() - before).total as f64);
        store.checkpoint()?;
        bytes.push((store.written() - before).total as f64);
    }
    let title = title(where_);
    bench.add(S::NAME, figure(&title, Unit::Microseconds), percentile(&mut took, 0.5));
    let commit = figure(format!("– bytes of its commit ({where_})"), Unit::Bytes);
    bench.add(S::NAME, commit, percentile(&mut commits, 0.5));
    let all = figure(format!("– with the next checkpoint ({where_})"), Unit::Bytes);
    bench.add(S::NAME, all.at_most(32.0 * 1024.0), percentile(&mut bytes, 0.5));
    Ok(())
}

/// Pages that idle snapshots keep.
fn idle<S: Subject>(bench: &mut Bench<'_>) -> Result<()> {
    let store: S = bench.copy(FEW)?;
    store.settle()?;
    let before = store.used_bytes()?;
    for number in 0..IDLE {
        store.create(number)?;
    }
    store.settle()?;
    let kept = store.used_bytes()?.saturating_sub(before) as f64 / 4096.0;
    let row = figure(format!("pages kept for each of {IDLE} idle snapshots"), Unit::Count);
    bench.add(S::NAME, row.at_most(1.0), kept / IDLE as f64);
    Ok(())
}

fn roll_back<S: Subject>(bench: &mut Bench<'_>, store: &S, keys: u64) -> Result<()> {
    let workload = bench.settings.workload(keys);
    let snapshot = store.create(0)?;
    let mut prepared = Prepared::default();
    prepared.fill(&workload, 1, workload.overwritten(1, CHANGED));
    store.put(TABLE, true, &prepared)?;
    let row = figure(format!("go back to a snapshot, {CHANGED} rows since"), Unit::Microseconds);
    let took = timed(|| store.roll_back(&snapshot))?;
    bench.add(S::NAME, row, took);
    Ok(())
}
