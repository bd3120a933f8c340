//! Snapshots on a real file: making and deleting one (which must not depend on the size of the
//! store), the first writes after one, and the difference between two.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use anyhow::{Result, ensure};
use cowslip::{Database, Durability};
use cowslip_bench::fixture::{in_file, put, workload};
use cowslip_bench::workload::{Prepared, Workload};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const CHANGES: u64 = 100;

/// Overwrites [`CHANGES`] random rows in one transaction.
fn overwrite(database: &Database, workload: &Workload, number: u64) -> Result<()> {
    let mut prepared = Prepared::default();
    prepared.fill(workload, number, workload.overwritten(number, CHANGES));
    put(database, Durability::Immediate, &prepared)
}

fn snapshot(criterion: &mut Criterion) -> Result<()> {
    let workload = workload()?;
    let mut group = criterion.benchmark_group("snapshot");
    for keys in [workload.keys / 10, workload.keys] {
        let workload = Workload { keys, ..workload };
        let (database, _directory) = in_file(&workload)?;
        let mut number = 0;

        group.bench_function(BenchmarkId::new("create and delete", keys), |bencher| {
            bencher.iter(|| {
                database.create_snapshot("one").expect("a healthy store");
                database.delete_snapshot("one").expect("a healthy store");
            });
        });

        group.bench_function(BenchmarkId::new("100 puts in a transaction", keys), |bencher| {
            bencher.iter(|| {
                number += 1;
                overwrite(&database, &workload, number).expect("a healthy store");
            });
        });
        // The same with every page shared anew: the difference is what sharing costs the writer.
        group.bench_function(BenchmarkId::new("create, 100 puts, delete", keys), |bencher| {
            bencher.iter(|| {
                number += 1;
                database.create_snapshot("one").expect("a healthy store");
                overwrite(&database, &workload, number).expect("a healthy store");
                database.delete_snapshot("one").expect("a healthy store");
            });
        });

        database.create_snapshot("old")?;
        overwrite(&database, &workload, number + 1)?;
        database.create_snapshot("new")?;
        ensure!(database.diff("old", "new")?.count() > 0, "nothing changed");
        group.bench_function(BenchmarkId::new("diff of 100 puts", keys), |bencher| {
            bencher.iter(|| {
                let changes = database.diff("old", "new").expect("a healthy store");
                changes.inspect(|change| assert!(change.is_ok(), "a healthy store")).count()
            });
        });
        database.close()?;
    }
    group.finish();
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    snapshot(criterion).expect("a store to measure");
}

criterion_group!(all, benches);
criterion_main!(all);
