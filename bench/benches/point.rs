//! One row at a time: gets that hit and that miss, many at once, inserts and removals.
//!
//! In memory and within one transaction: no disk, no commit.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::hint::black_box;

use anyhow::{Result, ensure};
use cowslip_bench::fixture::{TABLE, in_memory, workload};
use cowslip_bench::workload::{Prepared, touch};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const MANY: u64 = 64;

fn point(criterion: &mut Criterion) -> Result<()> {
    let workload = workload()?;
    let database = in_memory(&workload)?;
    let mut choice = workload.choice(0);
    let mut key = Vec::new();
    let mut value = Vec::new();
    let mut group = criterion.benchmark_group("point");

    let table = database.begin_read()?.open_table(TABLE)?;
    group.bench_function("get", |bencher| {
        bencher.iter(|| {
            workload.key(choice.u64(0..workload.keys), &mut key);
            let value = table.get(&key).expect("a healthy store").expect("a loaded row");
            touch(&value)
        });
    });

    group.bench_function("get, missing", |bencher| {
        bencher.iter(|| {
            // Rows beyond the last have keys too, which nobody loaded.
            workload.key(workload.keys + choice.u64(0..workload.keys), &mut key);
            table.get(&key).expect("a healthy store").is_none()
        });
    });

    let mut prepared = Prepared::default();
    prepared.fill(&workload, 0, workload.overwritten(1, MANY));
    let keys: Vec<&[u8]> = prepared.rows().map(|(key, _)| key).collect();
    ensure!(table.get_many(&keys)?.iter().all(Option::is_some), "a loaded row is missing");
    group.throughput(Throughput::Elements(MANY));
    group.bench_function("get_many of 64", |bencher| {
        bencher.iter(|| black_box(table.get_many(&keys).expect("a healthy store")).len());
    });

    let transaction = database.begin_write()?;
    let mut table = transaction.open_table(TABLE)?;
    group.throughput(Throughput::Elements(1));
    group.bench_function("insert over a row", |bencher| {
        bencher.iter(|| {
            let id = choice.u64(0..workload.keys);
            workload.key(id, &mut key);
            workload.value(id, 1, &mut value);
            table.insert(&key, &value).expect("a healthy store")
        });
    });
    group.bench_function("remove and insert again", |bencher| {
        bencher.iter(|| {
            let id = choice.u64(0..workload.keys);
            workload.key(id, &mut key);
            workload.value(id, 2, &mut value);
            let there = table.remove(&key).expect("a healthy store");
            table.insert(&key, &value).expect("a healthy store") != there
        });
    });
    group.finish();
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    point(criterion).expect("a store to measure");
}

criterion_group!(all, benches);
criterion_main!(all);
