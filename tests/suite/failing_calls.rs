//! System calls of a real process that are interrupted, do a part only, or fail.
//!
//! Interrupted and short ones change nothing, though none is spared; one that fails is a typed error
//! and takes nothing away that was acknowledged; a sync that fails is never tried again.

use std::collections::BTreeMap;

use cowslip_harness::{Seed, seed::times};
use nix::{errno::Errno, sys::signal::Signal};

use crate::{
    child::{COMMITS, Child, must_be_recovered, must_be_there, number_in},
    tracer::{self, Call, End, Fate},
};

/// A part of what the call is to move, if it moves enough; direct ones in whole sectors mostly, for
/// nothing else can be continued directly.
fn short(call: &Call, rng: &mut fastrand::Rng) -> Fate {
    let sector = if call.direct && rng.u8(0..4) > 0 { 512 } else { 1 };
    match call.length / sector {
        0 | 1 => Fate::Made,
        units => Fate::Shortened(rng.u64(1..units) * sector),
    }
}

#[test]
fn interrupted_and_short_calls_change_nothing() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("interrupted.cow");
    let (mut interrupted, mut shortened, mut row) = (0, 0, 0);
    let mut found = 0;
    for _ in 0..times(2) {
        let mut child = Child::start(COMMITS, &path);
        let end = tracer::follow(&mut child, &path, "60", |call| {
            // Up to a hundred times in a row, then each is made at last.
            row = match row {
                0 if rng.u8(0..50) == 0 => 100,
                0 => rng.u32(1..4),
                n => n - 1,
            };
            if row > 0 {
                interrupted += 1;
                return Fate::Fails(Errno::EINTR);
            }
            let fate = short(call, &mut rng);
            shortened += u32::from(fate != Fate::Made);
            fate
        });
        match end {
            Err(error) => return println!("skipped: no process may be traced here ({error})"),
            Ok(end) => assert_eq!(end, End::Exited(0)),
        }
        let said = child.rest();
        assert_eq!(said.last().unwrap(), "done");
        assert_eq!(said.iter().filter_map(|line| number_in(line)).next_back(), Some(found + 60));
        found = must_be_recovered(&path, found + 60);
    }
    println!("{interrupted} calls were interrupted, {shortened} moved a part only");
    assert!(interrupted > 200 && shortened > 100);
}

#[test]
fn a_call_that_fails_is_an_error_and_loses_nothing() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("failing.cow");
    let mut found = 0;
    let mut kinds = BTreeMap::new();
    for round in 0..times(40) {
        let (error, sticky) = (*rng.choice(&[Errno::EIO, Errno::ENOSPC]).unwrap(), rng.bool());
        let syncs_only = rng.u8(0..3) == 0;
        let mut left = rng.u64(0..if syncs_only { 30 } else { 150 });
        let mut failed = None;
        let (mut sync_failed, mut later) = (false, 0);
        let mut child = Child::start(COMMITS, &path);
        let end = tracer::follow(&mut child, &path, "go", |call| {
            if !call.changes() || failed.is_none() && syncs_only && !call.syncs() {
                return Fate::Made;
            }
            if failed.is_some() {
                assert!(!sync_failed, "round {round}: {call:?} after a failed sync");
                later += 1;
                // It was lived with: a smaller reservation, say.
                return match later {
                    100.. => Fate::KilledBefore,
                    _ if sticky => Fate::Fails(error),
                    _ => Fate::Made,
                };
            }
            if left > 0 {
                left -= 1;
                return Fate::Made;
            }
            failed = Some((call.name, error.to_string()));
            sync_failed = call.syncs();
            Fate::Fails(error)
        });
        match end {
            Err(error) => return println!("skipped: no process may be traced here ({error})"),
            Ok(End::Exited(0)) => {}
            Ok(End::Killed(Signal::SIGKILL)) if later >= 100 => {}
            Ok(end) => panic!("round {round}: {end:?} after {failed:?}"),
        }
        *kinds.entry(failed.expect("a call failed")).or_insert(0) += 1;
        let said = child.rest();
        let acknowledged = said.iter().filter_map(|line| number_in(line)).next_back();
        let acknowledged = acknowledged.unwrap_or(0).max(found);
        found = match rng.bool() {
            true => must_be_recovered(&path, acknowledged),
            false => must_be_there(&path, acknowledged),
        };
    }
    println!("failed: {kinds:?}");
}
