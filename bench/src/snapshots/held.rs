//! Writing while snapshots are held and one is made after each batch, beside the same without any.

use anyhow::{Result, ensure};

use super::Bench;
use super::figures::figure;
use super::subject::{Subject, timed};
use crate::fixture::TABLE;
use crate::rows::Unit;
use crate::workload::Prepared;

/// Rows of a batch.
const BATCH: u64 = 1000;

/// How much slower writing may be.
const GOAL: f64 = 1.1;

pub(super) fn run<S: Subject>(bench: &mut Bench<'_>) -> Result<()> {
    for durable in [true, false].into_iter().filter(|&durable| durable || S::LAZY) {
        let word = if durable { "Immediate" } else { "None" };
        let mut kinds = vec![None, Some(0), Some(1), Some(100), Some(bench.settings.many)];
        let count = kinds.len();
        kinds.rotate_left(bench.repetition % count);
        let mut rates = Vec::new();
        for held in kinds {
            rates.push((held, write::<S>(bench, held, durable)?));
        }
        // In the order of the table, whatever that of measuring was.
        rates.sort_by_key(|(held, _)| *held);
        let without = rates[0].1.rate;
        for (held, Cost { rate, bytes, counts }) in rates {
            let what = match held {
                None => format!("{word}, no snapshots"),
                Some(held) => format!("{word}, {held} held and one made after each batch"),
            };
            let row = figure(format!("batches of {BATCH} overwrites, {what}"), Unit::PerSecond);
            bench.add(S::NAME, row, rate);
            bench.add(S::NAME, figure(format!("– bytes for a row ({what})"), Unit::Bytes), bytes);
            if let Some(counts) = counts {
                let row = figure(format!("– counts touched for a row ({what})"), Unit::Count);
                bench.add(S::NAME, row, counts);
            }
            if held.is_some() {
                let row = figure(format!("– times as long as without ({what})"), Unit::Times);
                bench.add(S::NAME, row.at_most(GOAL), without / rate);
            }
        }
    }
    Ok(())
}

/// What writing has cost, checkpoints included.
struct Cost {
    /// Rows in a second.
    rate: f64,
    /// Bytes written for a row.
    bytes: f64,
    /// Owners' counts changed for a row.
    counts: Option<f64>,
}

fn write<S: Subject>(bench: &Bench<'_>, held: Option<u64>, durable: bool) -> Result<Cost> {
    let workload = bench.settings.workload(bench.settings.keys);
    let store: S = bench.copy_with(workload.keys, durable)?;
    let held_before = held.unwrap_or(0);
    store.create_many(0..held_before)?;
    let mut prepared = Prepared::default();
    store.settle()?;
    let (before, counts_before) = (store.written(), store.counts_touched().unwrap_or(0));
    let mut microseconds = 0.0;
    for batch in 0..bench.settings.batches {
        let transaction = batch + 2;
        prepared.fill(&workload, transaction, workload.overwritten(transaction, BATCH));
        microseconds += store.put(TABLE, durable, &prepared)?;
        if held.is_some() {
            microseconds += timed(|| store.create(held_before + batch).map(drop))?;
        }
    }
    microseconds += timed(|| store.checkpoint())?;
    let bytes = (store.written() - before).total;
    let rows = (bench.settings.batches * BATCH) as f64;
    ensure!(bytes as f64 > rows * 150.0, "{bytes} bytes do not hold {rows} rows");
    let counts = store.counts_touched().map(|counts| (counts - counts_before) as f64 / rows);
    Ok(Cost { rate: rows * 1e6 / microseconds, bytes: bytes as f64 / rows, counts })
}
