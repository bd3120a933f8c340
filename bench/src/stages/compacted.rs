//! What is left of the files when half of the rows were removed and the store compacted itself.

use anyhow::{Result, ensure};

use super::{Measured, Order, verify};
use crate::peer::{Peer, Writer};
use crate::{files, rows};

pub(super) fn compact<P: Peer>(order: &Order) -> Result<Measured> {
    let workload = order.settings.workload();
    let ids = workload.shuffled();
    let (removed, kept) = ids.split_at(order.settings.removals() as usize);
    let store = P::open(&order.directory)?;
    store.write(|writer| {
        let mut key = Vec::new();
        for &id in removed {
            workload.key(u64::from(id), &mut key);
            ensure!(writer.remove(&key)?, "a row to remove was not there");
        }
        Ok(())
    })?;
    store.close()?;
    let mut measured = Measured::new();
    if !P::compact(&order.directory)? {
        return Ok(measured);
    }
    let size = files::size(&order.directory)?;
    measured.insert(rows::COMPACTED_FILE.into(), size.length_bytes as f64);
    measured.insert(rows::COMPACTED_BLOCKS.into(), size.allocated_bytes as f64);

    verify::some_removed::<P>(order, removed, kept)?;
    Ok(measured)
}
