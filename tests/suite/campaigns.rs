//! The crash harness at work, for as long as a test may take: all the shortest histories, and some
//! long ones. `cowslip torture` goes on from here.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use cowslip::{
    Durability,
    storage::{SimulatedStorage, simulated::Image},
};
use cowslip_harness::{
    Model, Op, Seed,
    campaign::{Campaign, Case, Starts, run, try_life},
    cowslip::Cowslip,
    effort,
    engine::{Engine, Failure, Life, Survivor},
    explore::{Options, Seen},
    shrink::shrink,
    timeline,
    witness::{Survives, Witness},
};

#[track_caller]
fn nothing_is_broken(engine: &Cowslip, campaign: &Campaign) {
    match run(engine, campaign, |_| ControlFlow::Continue(())) {
        Ok(progress) => println!("{progress:?}"),
        Err(failing) => panic!("{}\n{:?}", timeline::draw(engine, &failing), failing.case),
    }
}

#[test]
fn every_history_of_one_operation_survives_every_cut() {
    let seed = Seed::get();
    let engine = Cowslip::default();
    let mut campaign = Campaign::short(1, seed.value());
    campaign.options.nested_one_in = 100;
    campaign.options.faults_one_in = 100;
    nothing_is_broken(&engine, &campaign);
}

#[test]
fn histories_of_two_operations_survive_every_cut() {
    let seed = Seed::get();
    let engine = Cowslip::default();
    let mut campaign = Campaign::short(2, seed.value());
    // One way to tear a record is as good as another here: the shorter histories have tried all.
    campaign.options.tears = false;
    campaign.options.samples = 2;
    campaign.time = Some(Duration::from_secs_f64(40.0 * effort()));
    nothing_is_broken(&engine, &campaign);
}

#[test]
fn long_random_lives_survive() {
    let seed = Seed::get();
    for page_size in [4096, 32768] {
        let cache_size = 64 * page_size;
        let engine = Cowslip { page_size, cache_size };
        let time = Duration::from_secs_f64(12.0 * effort());
        nothing_is_broken(&engine, &Campaign::long(time, seed.value()));
    }
}

/// The harness itself: a broken promise is noticed, its history made as short as can be, and drawn.
#[test]
fn a_broken_promise_is_noticed_made_short_and_drawn() {
    let engine = Lying(Cowslip::default());
    let starts = Starts::new(&engine).unwrap();
    let put = |key| Op::Put { table: 0, key, length: 20, fill: 1 };
    let ops = vec![
        put(1),
        Op::Commit(Durability::None),
        put(2),
        Op::Commit(Durability::Eventual),
        put(3),
        Op::Commit(Durability::Immediate),
        put(4),
    ];
    let options = Options { nested_one_in: 0, faults_one_in: 0, ..Options::exhaustive(1) };
    let case = Case { ops, furnished: false, short: false, options };
    let failing = try_life(&engine, &starts, case, &Seen::default()).unwrap_err();
    let until = std::time::Instant::now() + Duration::from_secs(60);
    let shorter = shrink(&engine, &starts, failing, until, |_| {});
    assert_eq!(shorter.case.ops.len(), 2, "{:?}", shorter.case.ops);
    let drawn = timeline::draw(&engine, &shorter);
    for part in ["Commit(", "is acknowledged as durable", "length becomes", "the power fails here"]
    {
        assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
    }
}

/// A store that acknowledges what it has only in memory.
struct Lying(Cowslip);

struct LyingLife(Box<dyn Life<Op>>, Witness<Model>);

impl Life<Op> for LyingLife {
    fn apply(&mut self, op: &Op) -> Result<(), Failure> {
        let Op::Commit(Durability::Immediate) = op else { return self.0.apply(op) };
        self.0.apply(&Op::Commit(Durability::None))?;
        self.1.acknowledge(Survives::PowerCut);
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.0.close()
    }
}

impl Engine for Lying {
    type State = Model;
    type Op = Op;

    fn name(&self) -> &'static str {
        "a liar"
    }
    fn alphabet(&self) -> Vec<Op> {
        self.0.alphabet()
    }
    fn furnishing(&self) -> Vec<Op> {
        Vec::new()
    }
    fn random(&self, rng: &mut fastrand::Rng) -> Op {
        self.0.random(rng)
    }
    fn live(&self, witness: Witness<Model>) -> Result<Box<dyn Life<Op>>, Failure> {
        Ok(Box::new(LyingLife(self.0.live(witness.clone())?, witness)))
    }
    fn open(&self, disk: &Arc<SimulatedStorage>) -> Result<Box<dyn Survivor<Model>>, Failure> {
        self.0.open(disk)
    }
    fn written_on(&self, state: &Model) -> Model {
        self.0.written_on(state)
    }
    fn place(&self, disk: &Image, offset: u64) -> String {
        self.0.place(disk, offset)
    }
}
