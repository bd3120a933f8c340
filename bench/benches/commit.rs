//! Whole transactions on a real file: one overwrite or a batch, at each level of durability.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use anyhow::Result;
use cowslip::Durability;
use cowslip_bench::fixture::{in_file, put, workload};
use cowslip_bench::workload::Prepared;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn commit(criterion: &mut Criterion) -> Result<()> {
    let workload = workload()?;
    let (database, _directory) = in_file(&workload)?;
    let mut transaction = 0;
    for (level, durability) in [
        ("immediate", Durability::Immediate),
        ("eventual", Durability::Eventual),
        ("none", Durability::None),
    ] {
        let mut group = criterion.benchmark_group(format!("commit, {level}"));
        for rows in [1, 100, 1000] {
            group.throughput(Throughput::Elements(rows));
            group.bench_function(format!("{rows} random puts"), |bencher| {
                bencher.iter_batched_ref(
                    || {
                        transaction += 1;
                        let mut prepared = Prepared::default();
                        let ids = workload.overwritten(transaction, rows);
                        prepared.fill(&workload, transaction, ids);
                        prepared
                    },
                    |prepared| put(&database, durability, prepared).expect("a healthy store"),
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
    Ok(database.close()?)
}

fn benches(criterion: &mut Criterion) {
    commit(criterion).expect("a store to measure");
}

criterion_group!(all, benches);
criterion_main!(all);
