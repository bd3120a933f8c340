//! `cowslip torture`: it looks at images, says how many, and repeats a case that was kept.

mod support;

#[cfg(unix)]
use std::io::{BufRead, BufReader, Read};

use support::cowslip;
#[cfg(unix)]
use support::start;

#[test]
fn torture_finds_nothing_and_says_what_it_looked_at() {
    let out = cowslip(["torture", "--seconds", "2", "--seed", "7", "--jobs", "1"], b"").ok();
    assert!(out.starts_with("seed 7, 1 threads\n"), "{out}");
    let figure = |name: &str| {
        let line = out.lines().find(|line| line.trim_start().starts_with(name)).expect(name);
        let number = line[name.len()..].split_whitespace().next().expect(name);
        number.replace(',', "").parse::<u64>().expect(name)
    };
    assert!(figure("histories") >= 1 && figure("images") > 100 && figure("recoveries") > 50);
    assert_eq!(figure("violations"), 0);
}

#[test]
fn a_kept_case_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.json");
    let case = r#"{
        "engine": {"page_size": 4096, "cache_size": 262144},
        "furnished": false, "short": false,
        "ops": [
            {"put": {"table": 0, "key": 1, "length": 20, "fill": 1}},
            {"commit": "immediate"},
            {"snapshot": {"name": 0}}
        ],
        "options": {"sector": "B512", "exhaustive": 14, "classes_per_cut": 100, "samples": 2,
            "tears": false, "garbage": true, "depth": 1, "nested_one_in": 0, "faults_one_in": 0,
            "seed": 1, "from": 0, "stride": 1}
    }"#;
    std::fs::write(&file, case).unwrap();
    let replay = |file: &std::path::Path| {
        cowslip(["torture".as_ref(), "--replay".as_ref(), file.as_os_str()], b"")
    };
    assert!(replay(&file).ok().starts_with("violations: 0 ("));
    std::fs::write(&file, "{}").unwrap();
    replay(&file).fails(3);
}

/// Whoever stops a run of hours is told what it has done.
#[cfg(unix)]
#[test]
fn an_interrupted_run_reports_what_it_has_done() {
    let mut child = start(["torture", "--images", "1000000000", "--jobs", "1"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    // The signal is awaited from before this line on.
    out.read_line(&mut first).unwrap();
    assert!(first.starts_with("seed "), "{first}");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("\nviolations               0\n"), "{rest}");
    assert!(rest.ends_with("interrupted before the end\n"), "{rest}");
}
