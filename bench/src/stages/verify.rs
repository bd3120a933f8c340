//! Judging what a store holds: a fast store that loses rows is not fast.

use anyhow::{Context, Result, ensure};

use super::Order;
use crate::peer::{Peer, Reader};
use crate::workload::{LOADED, Workload};

/// Rows that are looked at where not all of them are.
const SAMPLE: u64 = 1000;

/// The transaction that wrote row `id` as the store has it; `None` if there is no such row.
pub(super) fn writer_of<R: Reader>(
    reader: &R,
    workload: &Workload,
    id: u64,
) -> Result<Option<u64>> {
    let mut key = Vec::new();
    workload.key(id, &mut key);
    match reader.get(&key, |value| workload.writer_of(id, value))? {
        Some(writer) => {
            writer.map(Some).with_context(|| format!("row {id}: a value that nobody wrote"))
        }
        None => Ok(None),
    }
}

/// The store counts `expected` rows.
pub(super) fn count<R: Reader>(reader: &R, expected: u64) -> Result<()> {
    let rows = reader.rows()?;
    ensure!(rows == expected, "{rows} rows where {expected} should be");
    Ok(())
}

/// Some rows, chosen by chance from `ids`, were last written by transaction `writer`, or are missing
/// if that is `None`.
pub(super) fn sample<R: Reader>(
    reader: &R,
    workload: &Workload,
    ids: impl Fn(u64) -> u64,
    choices: u64,
    writer: Option<u64>,
) -> Result<()> {
    let mut choice = workload.choice(SAMPLE);
    for _ in 0..SAMPLE.min(choices) {
        let id = ids(choice.u64(0..choices));
        let found = writer_of(reader, workload, id)?;
        ensure!(found == writer, "row {id} is of {found:?}, should be of {writer:?}");
    }
    Ok(())
}

/// No row that transaction `transaction` overwrote is older than that or younger than `youngest`.
pub(super) fn overwritten<R: Reader>(
    reader: &R,
    workload: &Workload,
    transaction: u64,
    rows: u64,
    youngest: u64,
) -> Result<()> {
    for id in workload.overwritten(transaction, rows) {
        let found = writer_of(reader, workload, id)?;
        ensure!(
            found.is_some_and(|found| (transaction..=youngest).contains(&found)),
            "row {id} is of {found:?}, should be of {transaction} to {youngest}"
        );
    }
    Ok(())
}

/// Reads the whole store, which brings it into its cache, and checks that the keys ascend.
pub(super) fn warm<R: Reader>(reader: &R, workload: &Workload) -> Result<()> {
    let mut last: Option<Vec<u8>> = None;
    let mut ascending = true;
    let rows = reader.scan(None, usize::MAX, |key, _| {
        let last = match &mut last {
            Some(last) => {
                ascending &= last.as_slice() < key;
                last
            }
            first => first.insert(Vec::new()),
        };
        last.clear();
        last.extend_from_slice(key);
    })?;
    ensure!(ascending, "a scan gave keys out of order");
    ensure!(rows == workload.keys, "a scan gave {rows} of {} rows", workload.keys);
    Ok(())
}

/// Reopened, the store has all rows, and each as the newest of its transactions wrote it. Those after the
/// load up to `last` overwrote as many rows as `batch_of` says of each.
pub(super) fn all_overwritten<P: Peer>(
    order: &Order,
    last: u64,
    batch_of: impl Fn(u64) -> u64,
) -> Result<()> {
    let workload = order.settings.workload();
    let store = P::open(&order.directory)?;
    store.read(|reader| {
        count(reader, workload.keys)?;
        for transaction in LOADED + 1..=last {
            overwritten(reader, &workload, transaction, batch_of(transaction), last)?;
        }
        Ok(())
    })?;
    store.close()
}

/// Reopened, the store has the rows of the load that were kept, and none that was removed.
pub(super) fn some_removed<P: Peer>(order: &Order, removed: &[u32], kept: &[u32]) -> Result<()> {
    let workload = order.settings.workload();
    let store = P::open(&order.directory)?;
    store.read(|reader| {
        let length = |ids: &[u32]| ids.len() as u64;
        count(reader, length(kept))?;
        let gone = |place: u64| u64::from(removed[place as usize]);
        sample(reader, &workload, gone, length(removed), None)?;
        let here = |place: u64| u64::from(kept[place as usize]);
        sample(reader, &workload, here, length(kept), Some(LOADED))
    })?;
    store.close()
}
