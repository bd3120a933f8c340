//! The difference of ten rows among many, with nothing in the cache.

use anyhow::{Result, ensure};

use super::Bench;
use super::cowslip::Cowslip;
use super::figures::figure;
use super::subject::{Subject, timed};
use crate::fixture::TABLE;
use crate::rows::Unit;
use crate::workload::Prepared;

const CHANGES: u64 = 10;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let workload = bench.settings.workload(bench.settings.large_keys());
    let store: Cowslip = bench.copy(workload.keys)?;
    let old = store.create(0)?;
    let mut prepared = Prepared::default();
    prepared.fill(&workload, 1, workload.overwritten(1, CHANGES));
    store.put(TABLE, true, &prepared)?;
    let new = store.create(1)?;
    drop(store);

    let store = Cowslip::open(&bench.copy_directory(Cowslip::NAME), true)?;
    let read = |store: &Cowslip| store.database.stats().cache.misses;
    let before = read(&store);
    let mut changes = 0;
    let took = timed(|| {
        for change in store.database.diff(&old, &new)? {
            change?;
            changes += 1;
        }
        Ok(())
    })?;
    // Chance may choose a row twice.
    ensure!((1..=CHANGES).contains(&changes), "{changes} changes where {CHANGES} were made");
    let title = format!("diff of {CHANGES} rows among {}, reopened", workload.keys);
    bench.add(Cowslip::NAME, figure(title, Unit::Microseconds), took);
    let pages = figure("– pages read", Unit::Count);
    bench.add(Cowslip::NAME, pages, (read(&store) - before) as f64);
    Ok(())
}
