//! What `load --ack` has acknowledged survives the kill of its process, and any verb recovers the
//! file that it leaves.

mod support;
use std::io::{BufRead, BufReader, Write};

use support::{Store, start};

#[test]
fn acknowledged_rows_survive_a_kill() {
    for (every, acks) in [(1, 7), (10, 3), (100, 5)] {
        let store = Store::new();
        let every_text = every.to_string();
        let args = ["t", "--format", "tsv", "--commit-every", &every_text, "--ack"];
        let mut child = start(["load", store.file.to_str().unwrap()].iter().chain(&args));
        let mut stdin = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            // Until the kill breaks the pipe.
            (0..).try_for_each(|i| writeln!(stdin, "{i:08}\tvalue of {i}"))
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..acks {
            lines.next().unwrap().unwrap();
        }
        child.kill().unwrap();
        let last = lines.map_while(Result::ok).last().unwrap_or_default();
        child.wait().unwrap();
        let _ = feeder.join().unwrap();
        let durable = last.strip_prefix("committed ").map_or(every * acks, |n| n.parse().unwrap());

        // The checker, which writes nothing, comes first.
        store.run("fsck", []).with(0);
        let rows = store.run("scan", ["t"]).ok();
        let found = rows.lines().count();
        assert!(found >= durable, "{found} of {durable} acknowledged rows");
        assert!(found.is_multiple_of(every), "whole transactions only");
        for (i, row) in rows.lines().enumerate() {
            assert_eq!(row, format!("{i:08}\tvalue of {i}"));
        }
        store.run("put", ["t", "k", "v"]).ok();
    }
}
