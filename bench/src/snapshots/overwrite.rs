//! One 4 KiB overwrite: what is written for it when nothing is shared, and when everything is.

use anyhow::{Result, ensure};

use super::Bench;
use super::figures::{Figure, figure};
use super::subject::Subject;
use crate::fixture;
use crate::rows::Unit;
use crate::statistics::percentile;
use crate::workload::Prepared;

/// Overwrites of each kind; the median of them counts.
const TIMES: u64 = 25;

/// The table of the large values.
const BLOCKS: &str = "blocks";

/// Bytes that one overwrite may cost right after a snapshot.
const GOAL: f64 = 64.0 * 1024.0;

/// The rows of this experiment: also Btrfs fills some of them.
pub(super) fn commit(shared: bool) -> Figure {
    let row = figure(format!("4 KiB overwrite, durable, {}: bytes", when(shared)), Unit::Bytes);
    if shared { row.at_most(GOAL) } else { row }
}

pub(super) fn checkpointed(shared: bool) -> Figure {
    let row = figure(format!("– with the next checkpoint ({})", when(shared)), Unit::Bytes);
    if shared { row.at_most(GOAL) } else { row }
}

pub(super) fn ratio() -> Figure {
    figure("– right after a snapshot : without (with checkpoint)", Unit::Times).at_most(1.5)
}

pub(super) fn time(shared: bool) -> Figure {
    figure(format!("– time of the commit ({})", when(shared)), Unit::Microseconds)
}

fn when(shared: bool) -> &'static str {
    if shared { "right after a snapshot" } else { "without snapshots" }
}

pub(super) fn run<S: Subject>(bench: &mut Bench<'_>) -> Result<()> {
    let store: S = bench.copy(bench.settings.large_keys())?;
    let blocks = bench.settings.blocks();
    store.write(BLOCKS, true, |writer| fixture::load_with(writer, &blocks))?;
    store.settle()?;

    let mut prepared = Prepared::default();
    // Microseconds, bytes of the commit, bytes with the checkpoint, those of counts among them.
    let mut samples: [[Vec<f64>; 4]; 2] = Default::default();
    for transaction in 1..=2 * TIMES {
        let shared = transaction % 2 == 0;
        let snapshot = if shared { Some(store.create(transaction)?) } else { None };
        store.settle()?;
        prepared.fill(&blocks, transaction, blocks.overwritten(transaction, 1));
        let before = store.written();
        let took = store.put(BLOCKS, true, &prepared)?;
        let commit = store.written() - before;
        store.checkpoint()?;
        let all = store.written() - before;
        ensure!(commit.total >= 4096, "{} bytes hold no 4 KiB", commit.total);
        let found = [took, commit.total as f64, all.total as f64, all.counts as f64];
        for (samples, sample) in samples[usize::from(shared)].iter_mut().zip(found) {
            samples.push(sample);
        }
        if let Some(snapshot) = snapshot {
            store.delete(&snapshot)?;
            store.settle()?;
        }
    }
    let mut totals = [0.0; 2];
    for shared in [false, true] {
        let medians =
            samples[usize::from(shared)].each_mut().map(|samples| percentile(samples, 0.5));
        let [took, bytes, all, counts] = medians;
        bench.add(S::NAME, commit(shared), bytes);
        bench.add(S::NAME, checkpointed(shared), all);
        if counts > 0.0 {
            let row = format!("– of that page map and superblocks ({})", when(shared));
            bench.add(S::NAME, figure(row, Unit::Bytes), counts);
        }
        bench.add(S::NAME, time(shared), took);
        totals[usize::from(shared)] = all;
    }
    bench.add(S::NAME, ratio(), totals[1] / totals[0]);
    Ok(())
}
