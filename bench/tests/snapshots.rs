//! The experiments on snapshots in little: that they run, judge what they did and print is the promise.
#![forbid(unsafe_code)]

use std::process::Command;

#[test]
fn a_small_run_fills_the_table() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let json = directory.path().join("snapshots.json");
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["snapshots", "--keys", "2000", "--many", "30", "--batches", "2", "--asking", "50"])
        .args(["--repeat", "1", "--no-btrfs", "--dir"])
        .arg(directory.path())
        .arg("--json")
        .arg(&json)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}{text}");
    for title in [
        "create a snapshot, 1000 keys",
        "pages kept for each",
        "go back to a snapshot",
        "4 KiB overwrite, durable, right after a snapshot",
        "batches of 1000 overwrites, Immediate, 30 held",
        "batches of 1000 overwrites, None, no snapshots",
        "delete the middle one of 100",
        "durable put without a deletion, p99",
        "diff of 10 rows",
        "send a whole snapshot",
        "since a bookmark: stream bytes : payload",
        "usage of one that diverged",
        "usage asked ten times a second",
    ] {
        assert!(text.contains(title), "no row {title:?}: {text}");
    }
    let json = std::fs::read_to_string(&json).expect("the JSON report");
    assert!(json.contains("\"cowslip\""), "{json}");
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 1, "only the report is left");
}
