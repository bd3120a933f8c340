//! Any sequence of operations leaves what the same sequence leaves in plain maps: tables, snapshots,
//! branches, rollbacks, readers of old versions, checkpoints, reopening, power cuts; at several page
//! sizes, with a cache far smaller than the data.

use cowslip::Database;
use cowslip_harness::{Op, Seed, Session, seed::times};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: times(u64::from(cases)) as u32,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        max_shrink_iters: 2000,
        ..ProptestConfig::default()
    }
}

fn run(ops: &[Op], page_size: usize, frames: usize) {
    let mut session = Session::new(Database::builder().cache_size(frames * page_size), page_size);
    for op in ops {
        session.apply(op).unwrap_or_else(|error| panic!("{op:?}: {error}"));
    }
    session.finish().expect("closing");
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn any_sequence_of_operations_is_as_in_plain_maps(ops in Op::sequences(120, true)) {
        run(&ops, 4096, 4096);
    }

    #[test]
    fn a_tiny_cache_changes_nothing(ops in Op::sequences(120, true)) {
        run(&ops, 4096, 256);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn the_largest_pages_change_nothing(ops in Op::sequences(120, true)) {
        run(&ops, 65536, 256);
    }
}

/// Long sequences, where trees are deep and the log goes round.
#[test]
fn long_lives_are_as_in_plain_maps() {
    let seed = Seed::get();
    for round in 0..times(12) {
        let mut rng = seed.rng(round);
        let page_size = [4096, 8192, 16384][rng.usize(..3)];
        let mut session = Session::new(Database::builder().cache_size(512 * page_size), page_size);
        for number in 0..1500 {
            let op = Op::random(&mut rng, number % 50 == 0);
            session
                .apply(&op)
                .unwrap_or_else(|error| panic!("round {round}, {number}: {op:?}: {error}"));
        }
        session.finish().expect("closing");
    }
}
