//! What was acknowledged survives a power cut at any moment; what was not is there whole or not at
//! all; and the database lives on.

use cowslip::{Database, Durability, storage::simulated::SectorSize};
use cowslip_harness::{
    Op, Seed, Session,
    cowslip::Cowslip,
    effort,
    explore::{Options, Report, must_survive},
};

use Durability::{Eventual, Immediate, None as Lazy};

fn session() -> Session {
    Session::new(Database::builder().cache_size(1 << 20), 4096)
}

fn put(key: u16, length: u32) -> Op {
    Op::Put { table: 0, key, length, fill: key }
}

fn options(seed: &Seed) -> Options {
    let mut options = Options::exhaustive(seed.value());
    options.classes_per_cut = (200.0 * effort()) as usize;
    options
}

#[track_caller]
fn every_cut_is_survived(ops: &[Op]) -> Report {
    let seed = Seed::get();
    let mut session = session();
    for op in ops {
        session.apply(op).unwrap_or_else(|error| panic!("{op:?}: {error}"));
    }
    let recording = session.finish().expect("closing");
    let report = must_survive(&Cowslip::default(), &recording, &options(&seed));
    println!("{report:?}");
    assert!(report.cuts > 5 && report.recoveries > 20, "{report:?}");
    report
}

#[test]
fn creation_survives_every_cut() {
    let seed = Seed::get();
    let recording = session().kill();
    println!("{:?}", must_survive(&Cowslip::default(), &recording, &options(&seed)));
}

#[test]
fn commits_survive_every_cut() {
    every_cut_is_survived(&[
        put(1, 20),
        Op::Commit(Immediate),
        put(2, 30),
        Op::Remove { table: 0, key: 1 },
        Op::Commit(Immediate),
        Op::Checkpoint,
        put(3, 900),
        Op::Commit(Immediate),
    ]);
}

#[test]
fn what_is_lost_of_weak_commits_is_a_suffix() {
    every_cut_is_survived(&[
        put(1, 20),
        Op::Commit(Lazy),
        put(2, 30),
        Op::Commit(Eventual),
        put(3, 30),
        Op::Commit(Lazy),
        put(4, 5000),
        Op::Commit(Eventual),
        put(5, 30),
        Op::Commit(Immediate),
        put(6, 30),
        Op::Commit(Eventual),
        put(7, 30),
        Op::Commit(Lazy),
    ]);
}

#[test]
fn snapshots_and_rollbacks_survive_every_cut() {
    every_cut_is_survived(&[
        put(1, 20),
        put(2, 2000),
        Op::Commit(Immediate),
        Op::Snapshot { name: 0 },
        put(1, 25),
        Op::Commit(Immediate),
        Op::Snapshot { name: 1 },
        Op::Checkpoint,
        Op::Rollback { name: 0 },
        put(3, 20),
        Op::Commit(Immediate),
        Op::BranchFromSnapshot { name: 1, from: 1 },
        Op::Promote { name: 1 },
        Op::DeleteBranch { name: 1 },
    ]);
}

#[test]
fn receiving_snapshots_survives_every_cut() {
    let mut ops: Vec<Op> = (0..60).map(|key| put(key, 300)).collect();
    ops.extend([
        put(3, 40_000),
        Op::Commit(Immediate),
        Op::Snapshot { name: 0 },
        Op::RemoveRange { table: 0, from: Some(10), to: Some(200) },
        put(1, 9_000),
        Op::Commit(Immediate),
        Op::Snapshot { name: 1 },
        Op::Receive { name: 2, from: 0, since: None },
        Op::DeleteSnapshot { name: 1 },
        put(2, 25),
        Op::Commit(Immediate),
        Op::Snapshot { name: 1 },
        Op::Receive { name: 3, from: 1, since: Some(2) },
    ]);
    every_cut_is_survived(&ops);
}

#[test]
fn deleting_snapshots_survives_every_cut() {
    let mut ops: Vec<Op> = (0..60).map(|key| put(key, 300)).collect();
    ops.extend([Op::Commit(Immediate), Op::Snapshot { name: 0 }, Op::Checkpoint]);
    ops.extend((0..30).map(|key| Op::Remove { table: 0, key }));
    ops.extend([
        Op::Commit(Immediate),
        Op::Snapshot { name: 1 },
        Op::Checkpoint,
        Op::DeleteSnapshot { name: 0 },
        Op::Checkpoint,
        put(70, 20),
        Op::Commit(Immediate),
        Op::DeleteTable { table: 0 },
        Op::Commit(Immediate),
        Op::DeleteSnapshot { name: 1 },
    ]);
    every_cut_is_survived(&ops);
}

#[test]
fn large_values_survive_every_cut() {
    every_cut_is_survived(&[
        put(1, 20_000),
        Op::Commit(Immediate),
        Op::Snapshot { name: 0 },
        put(1, 9_000),
        put(2, 50_000),
        Op::Commit(Eventual),
        Op::Checkpoint,
        Op::Remove { table: 0, key: 2 },
        Op::Commit(Immediate),
        Op::DeleteSnapshot { name: 0 },
        put(3, 40_000),
        Op::Commit(Immediate),
    ]);
}

/// A value above 1 MiB is not logged: its transaction is made durable by a checkpoint (R10).
#[test]
fn bulk_commits_survive_every_cut() {
    every_cut_is_survived(&[
        put(1, 20),
        Op::Commit(Lazy),
        put(2, (1 << 20) + 5000),
        Op::Commit(Immediate),
        put(3, 20),
        Op::Commit(Immediate),
        put(2, 20),
        Op::Commit(Immediate),
    ]);
}

/// Enough commits for the log to go round and to move to a larger ring.
#[test]
fn the_log_going_round_and_growing_survives_cuts() {
    let seed = Seed::get();
    let mut session = session();
    let mut rng = seed.rng(0);
    for number in 0..220u16 {
        session.apply(&put(number % 40, rng.u32(..3000))).unwrap();
        let durability = [Immediate, Immediate, Immediate, Eventual, Lazy][rng.usize(..5)];
        session.apply(&Op::Commit(durability)).unwrap();
    }
    let stats = session.db().stats();
    assert!(stats.checkpoint > 2 && stats.log_capacity > 256 << 10, "the log moved: {stats:?}");
    let recording = session.finish().unwrap();
    let options = Options { nested_one_in: 200, stride: 3, ..Options::sampled(seed.value()) };
    println!("{:?}", must_survive(&Cowslip::default(), &recording, &options));
}

#[test]
fn reopening_survives_every_cut() {
    every_cut_is_survived(&[
        put(1, 20),
        Op::Commit(Immediate),
        Op::Reopen,
        put(2, 20),
        Op::Commit(Eventual),
        Op::Reopen,
        Op::Remove { table: 0, key: 1 },
        Op::Commit(Immediate),
    ]);
}

#[test]
fn recovery_survives_its_own_cuts() {
    let seed = Seed::get();
    let mut session = session();
    for op in [
        put(1, 20),
        Op::Commit(Immediate),
        Op::Snapshot { name: 0 },
        put(2, 9000),
        Op::Commit(Immediate),
        Op::Checkpoint,
        put(3, 20),
        Op::Commit(Eventual),
        Op::DeleteSnapshot { name: 0 },
    ] {
        session.apply(&op).unwrap();
    }
    let recording = session.kill();
    let options = Options {
        depth: 2,
        nested_one_in: 12,
        classes_per_cut: (12.0 * effort()) as usize,
        tears: false,
        sector: SectorSize::B512,
        ..options(&seed)
    };
    let report = must_survive(&Cowslip::default(), &recording, &options);
    println!("{report:?}");
    assert!(report.nested > 5);
}

/// Random lives, cut at random.
#[test]
fn random_lives_survive_random_cuts() {
    let seed = Seed::get();
    for round in 0..cowslip_harness::seed::times(16) {
        let mut rng = seed.rng(round);
        let page_size = [4096, 65536][round as usize % 2];
        let mut session = Session::new(Database::builder().cache_size(256 * page_size), page_size);
        for _ in 0..80 {
            let op = Op::random(&mut rng, false);
            session.apply(&op).unwrap_or_else(|error| panic!("round {round}: {op:?}: {error}"));
        }
        let recording = session.kill();
        let options = Options::sampled(seed.value());
        println!("{:?}", must_survive(&Cowslip::default(), &recording, &options));
    }
}
