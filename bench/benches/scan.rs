//! Rows in order: the whole table, both ways, and short ranges. In memory.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use anyhow::Result;
use cowslip_bench::fixture::{TABLE, in_memory, workload};
use cowslip_bench::workload::touch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RANGE_ROWS: usize = 10;

fn scan(criterion: &mut Criterion) -> Result<()> {
    let workload = workload()?;
    let database = in_memory(&workload)?;
    let table = database.begin_read()?.open_table(TABLE)?;
    let mut choice = workload.choice(0);
    let mut key = Vec::new();
    let mut group = criterion.benchmark_group("scan");

    group.throughput(Throughput::Elements(workload.keys));
    group.bench_function("all, keys and values", |bencher| {
        bencher.iter(|| {
            table.range::<&[u8]>(..).expect("a healthy store").fold(0, |sum, row| {
                let (key, value) = row.expect("a healthy store");
                sum ^ touch(&key) ^ touch(&value)
            })
        });
    });
    group.bench_function("all, keys only", |bencher| {
        bencher.iter(|| {
            table.range::<&[u8]>(..).expect("a healthy store").fold(0, |sum, row| {
                let (key, value) = row.expect("a healthy store");
                sum ^ touch(&key) ^ value.len() as u64
            })
        });
    });
    group.bench_function("all, backwards", |bencher| {
        bencher.iter(|| {
            table.range::<&[u8]>(..).expect("a healthy store").rev().fold(0, |sum, row| {
                let (key, value) = row.expect("a healthy store");
                sum ^ touch(&key) ^ touch(&value)
            })
        });
    });

    group.throughput(Throughput::Elements(1));
    group.bench_function("range of 10", |bencher| {
        bencher.iter(|| {
            workload.key(choice.u64(0..workload.keys), &mut key);
            let range = table.range(&key[..]..).expect("a healthy store");
            range.take(RANGE_ROWS).fold(0, |sum, row| {
                let (key, value) = row.expect("a healthy store");
                sum ^ touch(&key) ^ touch(&value)
            })
        });
    });
    group.finish();
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    scan(criterion).expect("a store to measure");
}

criterion_group!(all, benches);
criterion_main!(all);
