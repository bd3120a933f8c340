//! `kill -9` of a real process at a system call on its file: before it, after it, in the middle of it.
//!
//! At random calls of random threads, in many rounds on the same file; a round begins with what the
//! last one left, mostly with a recovery, which is killed as well.

use std::collections::{BTreeMap, BTreeSet};

use cowslip_harness::{Seed, seed::times};
use nix::sys::signal::Signal;

use crate::{
    child::{COMMITS, Child, must_be_recovered, must_be_there},
    tracer::{self, End, Fate},
};

#[test]
fn a_process_killed_at_any_call_loses_nothing_that_it_acknowledged() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().join("killed.cow");
    let rounds = times(100);
    let mut found = 0;
    let mut numbers = BTreeSet::new();
    let mut kinds = BTreeMap::new();
    for round in 0..rounds {
        // A new file now and then, for the calls that create one.
        if round % 6 == 0 && round % 30 != 0 && rng.bool() || found > 250 {
            must_be_recovered(&path, found);
            path = dir.path().join(format!("killed{round}.cow"));
            found = 0;
        }
        // The first calls open, recover or create; checkpoints and closings come much later.
        let number = match rng.u8(0..3) {
            0 => rng.u64(0..12),
            1 => rng.u64(0..80),
            _ => rng.u64(0..200),
        };
        // Most calls are writes: often only those of another name are counted.
        let only = match if round < 8 { round as u8 / 2 } else { rng.u8(0..10) } {
            0 => Some(("fallocate", 4)),
            1 => Some(("fdatasync", 20)),
            2 => Some(("fsync", 20)),
            3 => Some(("ftruncate", 2)),
            _ => None,
        };
        let mut left = only.map_or(number, |(_, most)| rng.u64(0..most));
        let mut struck = None;
        let mut child = Child::start(COMMITS, &path);
        let end = tracer::follow(&mut child, &path, "go", |call| {
            // The file is not cut in every life: then something else is struck.
            let late = call.number > 500;
            let counts = only.is_none_or(|(name, _)| call.name == name) || late;
            if !call.changes() || !counts || struck.is_some() {
                return Fate::Made;
            }
            if left > 0 && !late {
                left -= 1;
                return Fate::Made;
            }
            let fate = match rng.u8(0..3) {
                0 => Fate::KilledBefore,
                // A kill stops a write at a border of the system's cache, or a request's end.
                1 if call.length > 512 => Fate::Torn(rng.u64(1..call.length.div_ceil(512)) * 512),
                _ => Fate::KilledAfter,
            };
            let moment = match fate {
                Fate::KilledBefore => "before",
                Fate::KilledAfter => "after",
                _ => "amid",
            };
            struck = Some((moment, call.name));
            numbers.insert(call.number);
            fate
        });
        match end {
            Err(error) => return println!("skipped: no process may be traced here ({error})"),
            Ok(end) => assert_eq!(end, End::Killed(Signal::SIGKILL), "round {round}"),
        }
        *kinds.entry(struck.expect("a call was struck")).or_insert(0) += 1;
        let acknowledged = child.acknowledged().max(found);
        found = match rng.u8(0..3) {
            0 => must_be_recovered(&path, acknowledged),
            _ => must_be_there(&path, acknowledged),
        };
    }
    must_be_recovered(&path, found);
    println!("{rounds} kills at {} different calls: {kinds:?}", numbers.len());
    assert_eq!(kinds.values().sum::<u64>(), rounds);
    if rounds >= 100 {
        assert!(numbers.len() > 30, "too few calls were struck: {numbers:?}");
        for name in ["pwrite64", "fallocate", "fdatasync", "fsync"] {
            assert!(kinds.keys().any(|kind| kind.1 == name), "no {name} was struck: {kinds:?}");
        }
        for moment in ["before", "amid", "after"] {
            assert!(kinds.keys().any(|kind| kind.0 == moment), "none {moment}: {kinds:?}");
        }
    }
}
