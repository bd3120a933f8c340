//! What a reader that stays costs: growth of the files while batches are committed.

use std::thread;

use anyhow::{Result, anyhow};

use super::{Measured, Order, verify, write};
use crate::peer::Peer;
use crate::workload::{LOADED, Prepared};
use crate::{files, rows};

pub(super) fn grow<P: Peer>(order: &Order) -> Result<Measured> {
    let mut measured = Measured::new();
    if !P::WRITES_BESIDE_READERS {
        return Ok(measured);
    }
    let settings = &order.settings;
    let workload = settings.workload();
    let last = LOADED + settings.held_batches;
    let store = P::open(&order.directory)?;
    let growth = store.read(|reader| {
        verify::warm(reader, &workload)?;
        let before = files::size(&order.directory)?.length_bytes;
        // Another thread: some stores allow each only one transaction at a time.
        let write = || -> Result<()> {
            let mut prepared = Prepared::default();
            for transaction in LOADED + 1..=last {
                write::overwrite(&store, &workload, transaction, settings.batch, &mut prepared)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            scope.spawn(write).join().map_err(|_| anyhow!("the writing thread panicked"))?
        })?;
        let after = files::size(&order.directory)?.length_bytes;
        verify::sample(reader, &workload, |id| id, workload.keys, Some(LOADED))?;
        Ok(after.saturating_sub(before))
    })?;
    store.close()?;

    verify::all_overwritten::<P>(order, last, |_| settings.batch)?;
    measured.insert(rows::HELD_GROWTH.into(), growth as f64);
    Ok(measured)
}
