//! Gets, ranges and scans of a warm store.
//!
//! "Warm" is the best that the store can have: it was scanned once, its file is in the operating
//! system's cache, and its own cache has room for all of it.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use super::{Measured, Order, verify};
use crate::peer::{Peer, Reader};
use crate::statistics::Summary;
use crate::workload::{LOADED, Workload, touch};
use crate::{machine, rows};

const RANGE_ROWS: usize = 10;

/// A scan is short: the median of some stands for one repetition.
const SCANS: usize = 5;

pub(super) fn read<P: Peer>(order: &Order) -> Result<Measured> {
    let settings = &order.settings;
    let workload = settings.workload();
    let store = P::open(&order.directory)?;
    store.read(|reader| {
        verify::warm(reader, &workload)?;
        verify::sample(reader, &workload, |id| id, workload.keys, Some(LOADED))
    })?;

    let mut measured = Measured::new();
    for (row, threads) in [(rows::GETS_1, 1), (rows::GETS_2, 2)] {
        if settings.wants(row) {
            measured.insert(row.into(), gets(&store, &workload, settings.gets(), threads)?);
        }
    }
    store.read(|reader| {
        if settings.wants(rows::RANGES) {
            let rate = ranges(reader, &workload, settings.ranges())?;
            measured.insert(rows::RANGES.into(), rate);
        }
        if settings.wants(rows::SCAN) {
            let rate =
                scans(reader, &workload, |key, value| touch(key).wrapping_add(touch(value)))?;
            measured.insert(rows::SCAN.into(), rate);
        }
        if settings.wants(rows::SCAN_KEYS) {
            let rate =
                scans(reader, &workload, |key, value| touch(key).wrapping_add(value.len() as u64))?;
            measured.insert(rows::SCAN_KEYS.into(), rate);
        }
        Ok(())
    })?;
    let memory = machine::peak_memory_bytes();
    measured.extend(memory.map(|bytes| (rows::READ_MEMORY.into(), bytes as f64)));
    store.close()?;
    Ok(measured)
}

/// Random gets by `threads` threads, `gets` each, each in one read transaction: in a second.
pub(super) fn gets<P: Peer>(
    store: &P,
    workload: &Workload,
    gets: u64,
    threads: u64,
) -> Result<f64> {
    let work = |thread: u64| {
        store.read(|reader| {
            let mut choice = workload.choice(thread);
            let mut key = Vec::new();
            let mut found = 0;
            let start = Instant::now();
            for _ in 0..gets {
                workload.key(choice.u64(0..workload.keys), &mut key);
                found += u64::from(reader.get(&key, |value| black_box(touch(value)))?.is_some());
            }
            let end = Instant::now();
            ensure!(found == gets, "{} of {gets} keys not found", gets - found);
            Ok((start, end))
        })
    };
    let spans = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|id| scope.spawn(move || work(id))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a reading thread panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    // From the first start to the last end: a thread that starves the other gains nothing.
    let start = spans.iter().map(|span| span.0).min().ok_or_else(|| anyhow!("no threads"))?;
    let end = spans.iter().map(|span| span.1).max().ok_or_else(|| anyhow!("no threads"))?;
    Ok((threads * gets) as f64 / (end - start).as_secs_f64())
}

/// Ranges of [`RANGE_ROWS`] rows from random keys on: in a second.
fn ranges<R: Reader>(reader: &R, workload: &Workload, ranges: u64) -> Result<f64> {
    let mut choice = workload.choice(0);
    let mut key = Vec::new();
    let mut found = 0;
    let start = Instant::now();
    for _ in 0..ranges {
        workload.key(choice.u64(0..workload.keys), &mut key);
        found += reader.scan(Some(&key), RANGE_ROWS, |key, value| {
            black_box(touch(key).wrapping_add(touch(value)));
        })?;
    }
    let seconds = start.elapsed().as_secs_f64();
    // Only ranges from the last few keys are shorter.
    ensure!(found >= ranges, "ranges from keys that exist came out empty");
    Ok(ranges as f64 / seconds)
}

/// Full scans, `look` at each row: rows in a second.
fn scans<R: Reader>(
    reader: &R,
    workload: &Workload,
    look: impl Fn(&[u8], &[u8]) -> u64,
) -> Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..SCANS {
        let mut sum = 0u64;
        let start = Instant::now();
        let rows = reader.scan(None, usize::MAX, |key, value| sum ^= look(key, value))?;
        let seconds = start.elapsed().as_secs_f64();
        black_box(sum);
        ensure!(rows == workload.keys, "a scan gave {rows} of {} rows", workload.keys);
        rates.push(rows as f64 / seconds);
    }
    Ok(Summary::of(&rates).map_or(0.0, |summary| summary.median))
}
