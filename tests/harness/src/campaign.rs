//! Many lives: all short ones, and long random ones, on several threads.
//!
//! A short life is explored only from its last operation on: what can happen before it is the end of
//! a shorter life, which has its own turn. So all histories of up to *n* operations are covered, and
//! none of them twice. They begin either on an empty disk that holds a new store, or on one that has
//! been in use for a while (the *furnished* start), so that the few operations have something to
//! change, to share and to free.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cowslip_pager::storage::{
    SimulatedStorage,
    simulated::{History, Image},
};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Engine, Failure, guarded},
    explore::{Options, Report, Seen, Violation, alive, explore},
    witness::{Recording, Witness},
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// All histories of up to so many operations; 0: none.
    pub short: usize,
    /// By turns with them, random histories of so many operations; 0: none.
    pub long: usize,
    /// So many of them; none: until the time is over.
    pub lives: Option<u64>,
    /// The end, wherever it is then.
    pub time: Option<Duration>,
    /// The end, once so many distinct images have been recovered from.
    pub distinct: Option<u64>,
    /// The first seed; each long life has the next one.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// How each short life is explored.
    pub options: Options,
    /// How each long life is explored.
    pub long_options: Options,
}

impl Campaign {
    /// All short histories of so many operations.
    pub fn short(operations: usize, seed: u64) -> Campaign {
        Campaign {
            short: operations,
            long: 0,
            lives: Some(0),
            time: None,
            distinct: None,
            seed,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            options: Options {
                nested_one_in: 400,
                faults_one_in: 400,
                ..Options::exhaustive(seed)
            },
            long_options: Options::sampled(seed),
        }
    }

    /// Random lives for so long.
    pub fn long(time: Duration, seed: u64) -> Campaign {
        Campaign { short: 0, long: 60, lives: None, time: Some(time), ..Campaign::short(0, seed) }
    }
}

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Histories that are done.
    pub histories: u64,
    /// Of so many, if that is known.
    pub of: Option<u64>,
    /// What was looked at.
    pub report: Report,
    /// Since the beginning.
    pub time: Duration,
}

/// A life, and how it is explored: all that is needed to do it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case<Op> {
    /// The operations, in order.
    pub ops: Vec<Op>,
    /// It begins on a disk that is in use.
    pub furnished: bool,
    /// It is a short one: lived as [`Engine::live_short`] has it, and explored from its last operation
    /// on only.
    pub short: bool,
    /// How.
    pub options: Options,
}

/// A life that broke a promise.
#[derive(Clone, Debug)]
pub struct Failing<E: Engine> {
    /// The life.
    pub case: Case<E::Op>,
    /// At which event of the disk's history each operation began.
    pub begins: Vec<usize>,
    /// What was broken.
    pub violation: Box<Violation>,
    /// What had happened to the disk.
    pub history: History,
}

/// Where lives begin.
#[derive(Clone, Debug)]
pub struct Starts {
    empty: Image,
    furnished: Image,
}

impl Starts {
    /// Makes both disks.
    pub fn new<E: Engine>(engine: &E) -> Result<Starts, Failure> {
        let make = |ops: &[E::Op]| {
            let disk = Arc::new(SimulatedStorage::new().without_history());
            guarded(|| {
                let mut life = engine.live(Witness::new(disk.clone()))?;
                ops.iter().try_for_each(|op| life.apply(op))?;
                life.close()
            })?;
            Ok(disk.freeze())
        };
        Ok(Starts { empty: make(&[])?, furnished: make(&engine.furnishing())? })
    }
}

/// Lives a life; also says at which event each of its operations began.
pub fn live<E: Engine>(
    engine: &E,
    starts: &Starts,
    case: &Case<E::Op>,
) -> (Recording<E::State>, Vec<usize>, Result<(), Failure>) {
    let start = if case.furnished { &starts.furnished } else { &starts.empty };
    let disk = Arc::new(SimulatedStorage::from_image(start.clone()));
    let witness = Witness::new(disk.clone());
    let mut begins = Vec::new();
    let mut recording = None;
    let result = guarded(|| {
        let mut life = match case.short {
            true => engine.live_short(witness.clone())?,
            false => engine.live(witness.clone())?,
        };
        for op in &case.ops {
            begins.push(disk.events());
            life.apply(op)?;
        }
        // Before the store notices that its life is over.
        recording = Some(witness.record());
        drop(life);
        Ok(())
    });
    (recording.unwrap_or_else(|| witness.record()), begins, result)
}

/// Lives a life and explores it.
pub fn try_life<E: Engine>(
    engine: &E,
    starts: &Starts,
    case: Case<E::Op>,
    seen: &Seen,
) -> Result<Report, Box<Failing<E>>> {
    let (recording, begins, result) = live(engine, starts, &case);
    let from = begins.last().filter(|_| case.short).copied().unwrap_or(0);
    let report = match result {
        Ok(()) => explore(engine, &recording, &Options { from, ..case.options.clone() }, seen),
        Err(failure) => Err(alive(&failure, recording.history.end())),
    };
    report.map_err(|violation| {
        Box::new(Failing { case, begins, violation, history: recording.history })
    })
}

/// Runs a campaign; ends early at the first life that breaks a promise, or when `watch` breaks off.
pub fn run<E: Engine>(
    engine: &E,
    campaign: &Campaign,
    watch: impl Fn(&Progress) -> ControlFlow<()> + Sync,
) -> Result<Progress, Box<Failing<E>>> {
    let begin = Instant::now();
    let seen = Seen::default();
    let starts = Starts::new(engine).map_err(|failure| {
        Box::new(Failing {
            case: Case {
                ops: Vec::new(),
                furnished: true,
                short: false,
                options: campaign.options.clone(),
            },
            begins: Vec::new(),
            violation: alive(&failure, Image::new()),
            history: SimulatedStorage::new().history(),
        })
    })?;
    let alphabet = engine.alphabet();
    let short = Short::new(alphabet.len(), campaign.short);
    let next = AtomicUsize::new(0);
    let lives = AtomicU64::new(0);
    let progress = Mutex::new(Progress {
        of: campaign.lives.map(|lives| short.count as u64 + lives),
        ..Progress::default()
    });
    let failing = Mutex::new(None);
    let done = |result: Result<Report, Box<Failing<E>>>| -> bool {
        let mut progress = progress.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        progress.histories += 1;
        progress.time = begin.elapsed();
        match result {
            Ok(report) => progress.report += report,
            Err(found) => {
                let mut failing = failing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                failing.get_or_insert(found);
                seen.stop.store(true, Ordering::Relaxed);
            }
        }
        let over = watch(&progress).is_break()
            || campaign.time.is_some_and(|time| begin.elapsed() >= time)
            || campaign.distinct.is_some_and(|wanted| progress.report.distinct >= wanted);
        if over {
            seen.stop.store(true, Ordering::Relaxed);
        }
        !seen.stop.load(Ordering::Relaxed)
    };
    let next_short = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        (number < short.count).then(|| {
            let (furnished, ops) = short.history(number, &alphabet);
            let seed = campaign.seed.wrapping_add(number as u64);
            let options = Options { seed, ..campaign.options.clone() };
            Case { ops, furnished, short: true, options }
        })
    };
    let next_long = || {
        let number = lives.fetch_add(1, Ordering::Relaxed);
        let wanted = campaign.long > 0 && campaign.lives.is_none_or(|lives| number < lives);
        wanted.then(|| {
            let seed = campaign.seed.wrapping_add(number);
            let (furnished, ops) = random_life(engine, campaign.long, seed);
            let options = Options { seed, ..campaign.long_options.clone() };
            Case { ops, furnished, short: false, options }
        })
    };
    std::thread::scope(|scope| {
        for _ in 0..campaign.threads.max(1) {
            scope.spawn(|| {
                // By turns, so that a campaign of any length has both.
                for turn in 0u64.. {
                    let case = match turn % 2 {
                        0 => next_short().or_else(next_long),
                        _ => next_long().or_else(next_short),
                    };
                    let Some(case) = case else { return };
                    if !done(try_life(engine, &starts, case, &seen)) {
                        return;
                    }
                }
            });
        }
    });
    match failing.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some(failing) => Err(failing),
        None => Ok(progress.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())),
    }
}

/// The long life that belongs to a seed.
pub fn random_life<E: Engine>(engine: &E, operations: usize, seed: u64) -> (bool, Vec<E::Op>) {
    let mut rng = Rng::with_seed(seed);
    let furnished = rng.bool();
    (furnished, (0..operations).map(|_| engine.random(&mut rng)).collect())
}

/// All histories of up to so many operations, numbered.
struct Short {
    letters: usize,
    longest: usize,
    /// Both starts together.
    count: usize,
}

impl Short {
    fn new(letters: usize, longest: usize) -> Short {
        let count = (1..=longest as u32).map(|length| letters.pow(length)).sum::<usize>();
        Short { letters, longest, count: count * 2 }
    }

    fn history<Op: Clone>(&self, number: usize, alphabet: &[Op]) -> (bool, Vec<Op>) {
        let (furnished, mut rest) = (number % 2 == 1, number / 2);
        for length in 1..=self.longest {
            let of_this_length = self.letters.pow(length as u32);
            if rest < of_this_length {
                let mut ops = Vec::with_capacity(length);
                for _ in 0..length {
                    ops.push(alphabet[rest % self.letters].clone());
                    rest /= self.letters;
                }
                return (furnished, ops);
            }
            rest -= of_this_length;
        }
        unreachable!("numbers end at the count")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_history_has_its_number() {
        let short = Short::new(3, 2);
        let mut all: Vec<_> =
            (0..short.count).map(|n| short.history(n, &['a', 'b', 'c'])).collect();
        all.sort();
        all.dedup();
        assert_eq!((short.count, all.len()), (24, 24));
    }
}
