//! The adapter itself: histories without a crash match the model, and a short exploration runs.

use std::{sync::Arc, time::Duration};

use cowslip_foreign::{
    engine::Redb,
    hunt::Hunt,
    kinds::Kinds,
    op::{Op, random},
};
use cowslip_harness::{campaign::Starts, engine::Engine, witness::Witness};
use cowslip_pager::storage::SimulatedStorage;
use fastrand::Rng;

/// Older releases are here because they have faults; the oldest also says of whole databases that they
/// are damaged.
const NEWEST: bool = matches!(env!("CARGO_PKG_VERSION").as_bytes(), [b'4', b'.', b'6', ..]);

#[test]
fn histories_in_peace_match_the_model() {
    let engine = Redb::with(Kinds::default(), NEWEST);
    for seed in 0..20 {
        let disk = Arc::new(SimulatedStorage::new().without_history());
        let witness = Witness::new(disk.clone());
        let mut life = engine.live(witness.clone()).unwrap();
        let mut rng = Rng::with_seed(seed);
        for op in engine.furnishing() {
            life.apply(&op).unwrap();
        }
        for _ in 0..60 {
            let op = random(&mut rng);
            // In some releases a check undoes commits that are not durable.
            if NEWEST || op != Op::Check {
                life.apply(&op).unwrap_or_else(|failure| panic!("seed {seed}: {op:?}: {failure}"));
            }
        }
        life.close().unwrap();
        let mut store = engine.open(&disk).unwrap();
        let found = store.read().unwrap();
        assert_eq!(found, witness.newest(), "seed {seed}");
        // Which also has the database check itself.
        store.close().unwrap();
    }
}

#[test]
fn both_starts_can_be_made() {
    Starts::new(&Redb::default()).unwrap();
}

#[test]
fn a_short_exploration_runs() {
    let hunt = Hunt {
        time: Duration::from_secs(5),
        seed: 1,
        threads: 2,
        harsh: false,
        fine: false,
        check: true,
        nested_one_in: 50,
        faults_one_in: 0,
        depth: 1,
        all: 1,
        shrink: Duration::ZERO,
    };
    let outcome = hunt.run(|find| println!("{find:?}"), |_| {}).unwrap();
    assert!(outcome.histories > 1 && outcome.report.recoveries > 50, "{outcome:?}");
    if NEWEST {
        // The making of a database is another matter: see the README.
        let other = |kind: &&(String, u64)| !kind.0.contains("Not a redb database");
        assert_eq!(outcome.kinds.iter().find(other), None, "{outcome:?}");
    }
}
