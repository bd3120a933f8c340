//! Single durable puts from several threads: whether a store lets commits share a write to the disk.

use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use super::{Measured, Order, verify};
use crate::peer::{Peer, Writer};
use crate::rows;
use crate::workload::LOADED;

const THREADS: u64 = 8;

pub(super) fn put<P: Peer>(order: &Order) -> Result<Measured> {
    let settings = &order.settings;
    let workload = settings.workload();
    ensure!(workload.keys >= THREADS, "fewer rows than threads");
    let store = P::open(&order.directory)?;
    store.read(|reader| verify::warm(reader, &workload))?;

    let commits = settings.puts.div_ceil(THREADS);
    // Each thread has rows of its own, so that it knows which of its values was the last.
    let work = |thread: u64| -> Result<BTreeMap<u64, u64>> {
        let mut choice = workload.choice(thread);
        let mut last = BTreeMap::new();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for commit in 0..commits {
            let id = choice.u64(0..workload.keys / THREADS) * THREADS + thread;
            let transaction = LOADED + 1 + commit * THREADS + thread;
            workload.key(id, &mut key);
            workload.value(id, transaction, &mut value);
            store.write(|writer| writer.put(&key, &value))?;
            last.insert(id, transaction);
        }
        Ok(last)
    };
    let start = Instant::now();
    let written = thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|id| scope.spawn(move || work(id))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a writing thread panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    let seconds = start.elapsed().as_secs_f64();
    store.close()?;

    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::count(reader, workload.keys)?;
        for (id, &transaction) in written.iter().flatten().map(|(&id, last)| (id, last)) {
            let found = verify::writer_of(reader, &workload, id)?;
            ensure!(found == Some(transaction), "row {id} is of {found:?}, not {transaction}");
        }
        Ok(())
    })?;
    store.close()?;
    Ok(Measured::from([(rows::GROUP_8.into(), (commits * THREADS) as f64 / seconds)]))
}
