//! Single overwrites with a promise that is weaker than durable: what a commit costs besides the disk.

use anyhow::Result;

use super::{Measured, Order, verify, write};
use crate::peer::{Peer, Promise, Setup};
use crate::rows;
use crate::workload::{LOADED, Prepared};

pub(super) fn put<P: Peer>(order: &Order, promise: Promise) -> Result<Measured> {
    let mut measured = Measured::new();
    if !P::supports(promise) {
        return Ok(measured);
    }
    let settings = &order.settings;
    let workload = settings.workload();
    let store = P::open_as(&order.directory, Setup { promise, ..Setup::default() })?;
    store.read(|reader| verify::warm(reader, &workload))?;
    let transactions = LOADED + 1..=LOADED + settings.weak_puts;
    let mut prepared = Prepared::default();
    let mut seconds = 0.0;
    for transaction in transactions.clone() {
        seconds += write::overwrite(&store, &workload, transaction, 1, &mut prepared)?;
    }
    store.make_durable()?;
    store.close()?;

    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        for transaction in transactions.clone() {
            verify::overwritten(reader, &workload, transaction, 1, *transactions.end())?;
        }
        Ok(())
    })?;
    store.close()?;
    let row = match promise {
        Promise::None => rows::PUT_NONE,
        Promise::Eventual | Promise::Durable => rows::PUT_EVENTUAL,
    };
    measured.insert(row.into(), settings.weak_puts as f64 / seconds);
    Ok(measured)
}
