//! `fsck --live` checks a database that another process is writing to.

mod support;
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;
use support::{Store, start};

#[test]
fn a_database_is_checked_while_another_process_writes_to_it() {
    let store = Store::new();
    let args = ["t", "--format", "tsv", "--commit-every", "100", "--ack"];
    let mut child = start(["load", store.file.to_str().unwrap()].iter().chain(&args));
    let mut stdin = child.stdin.take().unwrap();
    let mut acks = BufReader::new(child.stdout.take().unwrap()).lines();
    for round in 0..5 {
        for row in 0..300 {
            writeln!(stdin, "{row:04} {round}\tvalue of {row}").unwrap();
        }
        stdin.flush().unwrap();
        for _ in 0..3 {
            acks.next().unwrap().unwrap();
        }
        let locked = store.run("fsck", []);
        assert_eq!(locked.status, Some(8), "nobody writes to it");
        let report: Value =
            serde_json::from_str(&store.run("fsck", ["--live", "--json"]).ok()).unwrap();
        assert!(report["problems"].as_array().unwrap().is_empty(), "{report}");
        assert!(report["notes"].to_string().contains("checked while in use"), "{report}");
    }
    store.run("fsck", ["--live", "--repair"]).with(16);
    drop(stdin);
    assert!(child.wait().unwrap().success());
    store.run("fsck", []).with(0);
    assert_eq!(store.run("scan", ["t"]).ok().lines().count(), 1500);
}
