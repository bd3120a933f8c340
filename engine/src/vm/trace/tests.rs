//! Every trace of `docs/traces`, and every random one of `tests/kernel/recorded`, counts what a real
//! kernel counted; with shared tables the processes see the same.

use std::path::PathBuf;

use super::*;
use crate::vm::{ForkMode, Settings};

fn traces() -> Vec<(PathBuf, String)> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut traces: Vec<_> = ["docs/traces", "tests/kernel/recorded"]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    traces.sort();
    traces
}

/// All that a run prints; the machine is checked after every operation.
fn run(text: &str, fork: ForkMode) -> Vec<String> {
    let trace = parse(text).unwrap();
    let mut player = Player::new(&trace, Settings { fork, ..Settings::default() }, false);
    let mut lines = Vec::new();
    for operation in &trace {
        let answer = player.play(operation).unwrap().to_string();
        lines.extend(answer.lines().map(str::to_owned));
        let problems = player.machine().check();
        assert!(problems.is_empty(), "after `{}`: {problems:#?}", operation.text);
    }
    lines.extend(player.end());
    lines
}

#[test]
fn eager_forks_count_what_a_real_kernel_counted() {
    let mut compared = 0;
    let mut failed = Vec::new();
    for (path, text) in traces() {
        let Ok(expected) = std::fs::read_to_string(path.with_extension("expected")) else {
            continue;
        };
        let found = run(&text, ForkMode::Eager);
        let expected: Vec<&str> = expected.lines().collect();
        compared += 1;
        for at in 0..found.len().max(expected.len()) {
            let (found, expected) = (found.get(at).map(String::as_str), expected.get(at).copied());
            if found != expected {
                failed.push(format!(
                    "{}:\n  found    {found:?}\n  expected {expected:?}",
                    path.display()
                ));
                break;
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(compared >= 50, "only {compared} traces have expected counts");
}

/// Signals, and values that were not the expected ones.
fn seen(lines: &[String]) -> Vec<String> {
    let words = lines.iter().flat_map(|line| line.split(' '));
    let seen = words.filter(|word| word.starts_with("sig=") || word.starts_with("bad="));
    seen.map(str::to_owned).collect()
}

#[test]
fn with_shared_tables_the_processes_see_the_same() {
    for (path, text) in traces() {
        let (eager, shared) = (run(&text, ForkMode::Eager), run(&text, ForkMode::Shared));
        assert_eq!(seen(&eager), seen(&shared), "{}", path.display());
    }
}

#[test]
fn every_trace_can_be_run_in_every_order() {
    let mut differ = 0;
    // In that one the order decides which of the forks is refused.
    let refused = |path: &PathBuf| path.ends_with("fork_bomb_mode2.trace");
    for (path, text) in traces().into_iter().filter(|(path, _)| !refused(path)) {
        for schedule in [Schedule::ChildFirst, Schedule::ParentFirst] {
            let written = parse(&text).unwrap();
            let trace = schedule.order(written.clone());
            differ += u32::from(trace != written);
            let mut player = Player::new(&trace, Settings::default(), false);
            for operation in &trace {
                if let Err(bad) = player.play(operation) {
                    panic!("{} {schedule:?}: {bad}", path.display());
                }
            }
            assert!(player.machine().check().is_empty(), "{}", path.display());
        }
    }
    assert!(differ > 30, "{differ} were in another order than they were written");
}
