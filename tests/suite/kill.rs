//! `kill -9` of a real process on a real file at any time: what it acknowledged is there.

use std::{path::Path, time::Duration};

use cowslip_harness::{Seed, seed::times};

use crate::child::{COMMITS, Child, must_be_recovered, must_be_there};

fn run_child_and_kill_it(path: &Path, after: Duration) -> u64 {
    let mut child = Child::start(COMMITS, path);
    child.tell("go");
    std::thread::sleep(after);
    assert!(!child.has_ended(), "the child ended by itself");
    child.kill();
    child.acknowledged()
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("killed.cow");
    let mut found = 0;
    for round in 0..times(12) {
        let after = Duration::from_millis(if round == 0 { 1 } else { rng.u64(5..300) });
        let acknowledged = run_child_and_kill_it(&path, after).max(found);
        // Every second child begins with a recovery of its own.
        found = match round % 2 {
            0 => must_be_there(&path, acknowledged),
            _ => must_be_recovered(&path, acknowledged),
        };
    }
    must_be_recovered(&path, found);
    assert!(found > 0 || times(12) < 4);
}
