//! `compare growth` in little: that it runs, judges what it wrote, prints and draws is the promise.
#![forbid(unsafe_code)]

use std::process::Command;

#[test]
fn a_small_run_fills_the_table_and_draws() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let plots = directory.path().join("plots");
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["growth", "--sizes", "500,2000", "--gets", "100", "--puts", "5", "--batches", "2"])
        .arg("--dir")
        .arg(directory.path())
        .arg("--plots")
        .arg(&plots)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
    for title in ["random gets, 1 thread | 500 |", "create a snapshot, p50 | 2000 |"] {
        assert!(text.contains(title), "no row {title:?}: {text}");
    }
    assert!(plots.join("growth-gets-1.svg").exists());
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 1, "only the plots are left");
}
