//! A race in little: every stage, with real child processes and real kills.
//!
//! What it measures is worth nothing; that it runs, judges what the stores hold and prints is the
//! promise. With the feature `peers` the foreign stores run too.
#![forbid(unsafe_code)]

use std::process::Command;

use cowslip_bench::rows::ROWS;
use cowslip_bench::stages::Stage;

const SMALL: &[&str] = &[
    "--keys",
    "3000",
    "--puts",
    "20",
    "--batches",
    "3",
    "--batch",
    "50",
    "--repeat",
    "1",
    "--weak-puts",
    "50",
    "--large-values",
    "20",
    "--held-batches",
    "5",
];

fn compare() -> Command {
    Command::new(env!("CARGO_BIN_EXE_compare"))
}

#[test]
fn a_small_race_fills_the_table() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let json = directory.path().join("race.json");
    let output = compare()
        .args(SMALL)
        .arg("--dir")
        .arg(directory.path())
        .arg("--json")
        .arg(&json)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}{text}");
    for row in ROWS.iter().filter(|row| row.stage != Stage::Disk) {
        // Only Linux tells peak memory and drops files from its cache.
        if cfg!(target_os = "linux") || !(row.name.ends_with("memory") || row.name == "scan-cold") {
            assert!(text.contains(&format!("| {} | ", row.title)), "no row {}: {text}", row.name);
        }
    }
    let json = std::fs::read_to_string(&json).expect("the JSON report");
    assert!(json.contains("\"cowslip\""), "{json}");
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 1, "only the report is left");
}

#[test]
fn one_row_runs_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = compare()
        .args(SMALL)
        .args(["--rows", "reopen", "--engines", "cowslip", "--dir"])
        .arg(directory.path())
        .arg("--plots")
        .arg(directory.path().join("plots"))
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("| reopen and first get |"), "{text}");
    assert!(!text.contains("bulk load"), "{text}");
    assert!(directory.path().join("plots/open.svg").exists());
}

#[test]
fn an_unknown_row_is_refused() {
    let output = compare().args(["--rows", "nonsense"]).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such row"));
}
