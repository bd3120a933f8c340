//! Many lives, going on after each broken promise.
//!
//! First the making of a database, then all histories of one and of two operations, then random ones:
//! three short ones, looked at closely from the last operation on, for each long one, which is looked
//! at here and there.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cowslip_harness::{
    campaign::{Case, Failing, Starts, try_life},
    engine::{Engine, Failure},
    explore::{Options, Report, Seen, Violation, explore},
    witness::Witness,
};
use cowslip_pager::storage::{
    SimulatedStorage,
    simulated::{FaultKind, SectorSize},
};
use fastrand::Rng;

use crate::{
    engine::Redb,
    kinds::{self, Kinds},
    op::Op,
    shrink::shrink,
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The end, wherever it is then.
    pub time: Duration,
    /// Of the first random life, and of all choices.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// One recovery in so many is itself cut short and explored.
    pub nested_one_in: u64,
    /// One recovery in so many is tried again on disks that fail; 0: none.
    pub faults_one_in: u64,
    /// A disk on which sectors that were being written hold garbage, and which lies: more than an engine
    /// need bear.
    pub harsh: bool,
    /// The drive tears writes anywhere between two groups of eight bytes, and not only between sectors:
    /// redb says that it assumes nothing but whole bytes.
    pub fine: bool,
    /// What `check_integrity` says counts: after each recovery, and where a history has it.
    pub check: bool,
    /// How often the power fails again during recovery.
    pub depth: u32,
    /// All histories of up to so many operations come first.
    pub all: usize,
    /// Histories are shortened for so long at most, each.
    pub shrink: Duration,
}

/// How far it has come.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Histories that are done.
    pub histories: u64,
    /// What was looked at.
    pub report: Report,
    /// How long it took, without the shrinking.
    pub time: Duration,
    /// Each kind of violation and how many of it were seen.
    pub kinds: Vec<(String, u64)>,
}

/// The first violation of its kind.
#[derive(Clone, Debug)]
pub struct Find {
    /// Its kind.
    pub kind: String,
    /// The operations; none, if it was the making of a database.
    pub ops: Vec<Op>,
    /// They began on a database in use.
    pub furnished: bool,
    /// The seed of the exploration.
    pub seed: u64,
    /// What was broken.
    pub violation: Box<Violation>,
}

const HARSH: [FaultKind; 6] = [
    FaultKind::Eio,
    FaultKind::Enospc,
    FaultKind::Lost,
    FaultKind::Stale,
    FaultKind::Misdirected,
    FaultKind::Rot,
];

impl Hunt {
    /// How a short history is explored. Unless it is harsh, the disk keeps what redb says that it
    /// assumes: no byte is torn, what was synced is durable, nothing changes but what is written.
    pub fn options(&self) -> Options {
        Options {
            garbage: self.harsh,
            sector: if self.fine { SectorSize::B8 } else { SectorSize::B512 },
            // Not `Panic`: a backend that panics is no disk, and some ends of it abort the process.
            fault_kinds: if self.harsh { &HARSH } else { &FaultKind::REPORTED },
            depth: self.depth,
            nested_one_in: self.nested_one_in,
            faults_one_in: self.faults_one_in,
            exhaustive: 12,
            classes_per_cut: 200,
            samples: 8,
            ..Options::exhaustive(self.seed)
        }
    }

    fn long_options(&self) -> Options {
        let (short, sampled) = (self.options(), Options::sampled(self.seed));
        Options {
            exhaustive: sampled.exhaustive,
            classes_per_cut: sampled.classes_per_cut,
            samples: sampled.samples,
            stride: 3,
            tears: false,
            ..short
        }
    }

    /// A history by its number.
    fn life(&self, number: u64) -> Case<Op> {
        let (furnished, short, ops) = self.history(number);
        let options = if short { self.options() } else { self.long_options() };
        let options = Options { seed: self.seed.wrapping_add(number), ..options };
        Case { ops, furnished, short, options }
    }

    /// Whether it begins on a disk that is in use; whether it is looked at from its last operation on;
    /// its operations.
    fn history(&self, number: u64) -> (bool, bool, Vec<Op>) {
        let alphabet = crate::op::alphabet();
        let letters = alphabet.len() as u64;
        let (furnished, mut rest) = (number % 2 == 1, number / 2);
        for length in 1..=self.all as u32 {
            let of_this_length = letters.pow(length);
            if rest < of_this_length {
                let op = |i| alphabet[(rest / letters.pow(i) % letters) as usize].clone();
                return (furnished, true, (0..length).map(op).collect());
            }
            rest -= of_this_length;
        }
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(rest);
        let mut rng = Rng::with_seed(seed);
        let short = !rest.is_multiple_of(4);
        let count = if short { rng.usize(1..=6) } else { rng.usize(10..=40) };
        (furnished, short, (0..count).map(|_| crate::op::random(&mut rng)).collect())
    }

    /// Runs it. Finds and progress are told as they come.
    pub fn run(
        &self,
        found: impl Fn(&Find) + Sync,
        watch: impl Fn(&Outcome) + Sync,
    ) -> Result<Outcome, Failure> {
        let kinds = Kinds::default();
        let starts = Starts::new(&Redb::default())?;
        let seen = Seen::default();
        let end = Instant::now() + self.time;
        let shrinking = Mutex::new(Duration::ZERO);
        let begin = Instant::now();
        let outcome = Mutex::new(Outcome::default());
        let done = |report: Report| {
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.histories += 1;
            outcome.report += report;
            outcome.time = begin.elapsed();
            outcome.kinds = kinds.all();
            watch(&outcome);
        };
        done(self.making(&kinds, &seen, &found)?);
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(100).min(self.time));
                }
                seen.stop.store(true, Ordering::Relaxed);
            });
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    while !seen.stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let case = self.life(number);
                        // Again after each new kind, which is known then.
                        loop {
                            let engine = Redb::with(kinds.clone(), self.check);
                            match try_life(&engine, &starts, case.clone(), &seen) {
                                Ok(report) => break done(report),
                                Err(failing) => {
                                    let alive = kinds::alive(&failing.violation);
                                    let kind = engine.refused();
                                    let over = kind.is_none();
                                    let kind = kind.unwrap_or(alive);
                                    if !kinds.count(&kind) && kinds.learn(&kind) {
                                        let start = Instant::now();
                                        found(&self.find(&starts, *failing, kind));
                                        let mut shrinking = shrinking
                                            .lock()
                                            .unwrap_or_else(PoisonError::into_inner);
                                        *shrinking += start.elapsed();
                                    }
                                    // A life that fails by itself has nothing more to show.
                                    if over {
                                        break;
                                    }
                                }
                            }
                        }
                    }
                });
            }
        });
        let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.kinds = kinds.all();
        let shrinking = shrinking.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.time = begin.elapsed().saturating_sub(shrinking / self.threads.max(1) as u32);
        Ok(outcome)
    }

    fn find(&self, starts: &Starts, failing: Failing<Redb>, kind: String) -> Find {
        let failing = shrink(starts, failing, (&kind, self.check), self.shrink);
        let Failing { case: Case { ops, furnished, options, .. }, violation, .. } = failing;
        Find { kind, ops, furnished, seed: options.seed, violation }
    }

    /// The making of a database, on a disk without a byte.
    fn making(&self, kinds: &Kinds, seen: &Seen, found: impl Fn(&Find)) -> Result<Report, Failure> {
        let disk = Arc::new(SimulatedStorage::new());
        let witness = Witness::new(disk);
        let life = Redb::default().live(witness.clone())?;
        let recording = witness.record();
        drop(life);
        loop {
            let engine = Redb::with(kinds.clone(), self.check);
            match explore(&engine, &recording, &self.options(), seen) {
                Ok(report) => return Ok(report),
                Err(violation) => {
                    let kind = engine.refused().unwrap_or_default();
                    kinds.learn(&kind);
                    let ops = Vec::new();
                    found(&Find { kind, ops, furnished: false, seed: self.seed, violation });
                }
            }
        }
    }
}
