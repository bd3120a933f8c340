//! A process that is stopped (`SIGSTOP`) keeps its lock and goes on as if nothing had been.

use std::time::Duration;

use cowslip::{Database, Error};
use cowslip_harness::Seed;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::child::{COMMITS, Child, must_be_recovered, number_in};

#[test]
fn a_stopped_process_keeps_the_file_and_goes_on_when_continued() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stopped.cow");
    let mut child = Child::start(COMMITS, &path);
    let id = Pid::from_raw(child.id() as i32);
    child.tell("keep");
    let mut newest = number_in(&child.hear()).unwrap();
    for _ in 0..6 {
        std::thread::sleep(Duration::from_micros(rng.u64(0..20_000)));
        kill(id, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        newest =
            child.heard().iter().filter_map(|line| number_in(line)).next_back().unwrap_or(newest);
        assert!(matches!(Database::open(&path), Err(Error::Locked)));
        assert!(matches!(Database::open_read_only(&path), Err(Error::Locked)));
        assert!(child.heard().is_empty(), "it is not stopped");
        kill(id, Signal::SIGCONT).unwrap();
        let next = number_in(&child.hear()).unwrap();
        assert_eq!(next, newest + 1);
        newest = next;
    }
    child.kill();
    must_be_recovered(&path, child.acknowledged().max(newest));
}

#[test]
fn a_process_that_is_killed_while_stopped_loses_nothing() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stopped.cow");
    let mut found = 0;
    for _ in 0..3 {
        let mut child = Child::start(COMMITS, &path);
        child.tell("go");
        std::thread::sleep(Duration::from_millis(rng.u64(5..150)));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        child.kill();
        found = must_be_recovered(&path, child.acknowledged().max(found));
    }
}
