//! A reader that goes away (`| head`) ends a reading verb quietly; but for `load --ack`, whose
//! reader relies on it, it is an error.

mod support;
use std::io::{BufRead, BufReader, Read, Write};

use support::{Store, start};

#[test]
fn scan_and_dump_into_head_end_quietly() {
    let store = Store::new();
    let rows: String = (0..50_000).map(|i| format!("{i:06}\tvalue {i}\n")).collect();
    store.run_with("load", ["t", "--format", "tsv"], rows.as_bytes()).ok();
    for verb in ["scan", "dump"] {
        let mut child = start([verb, store.file.to_str().unwrap(), "t"]);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{verb}");
        assert_eq!(output.status.code(), Some(0), "{verb}");
    }
}

#[test]
fn an_acknowledgement_that_nobody_reads_is_an_error() {
    let store = Store::new();
    let file = store.file.to_str().unwrap();
    let mut child = start(["load", file, "t", "--format", "tsv", "--commit-every", "1", "--ack"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(b"a\t1\nb\t2\n");
    drop(stdin);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(err.contains("acknowledging 1 committed"), "{err}");
    assert_eq!(store.run("scan", ["t"]).ok(), "a\t1\n");
}
