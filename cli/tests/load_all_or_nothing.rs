//! `load` is one transaction, or with `--commit-every` keeps what it acknowledged; an error of
//! the input names its line.

mod support;
use support::Store;

const TSV: [&str; 3] = ["t", "--format", "tsv"];

#[test]
fn an_error_names_its_line_and_nothing_is_loaded() {
    let store = Store::new();
    store.run("put", ["t", "k", "v"]).ok();
    let why = store.run_with("load", TSV, b"a\t1\nb\t2\nbroken\n").fails(3);
    assert_eq!(why, "cowslip: line 3: no TAB between key and value; nothing was loaded\n");
    let long = format!("a\t1\n{}\t2\n", "k".repeat(5000));
    let why = store.run_with("load", TSV, long.as_bytes()).fails(3);
    assert!(why.starts_with("cowslip: line 2: ") && why.contains("nothing was loaded"), "{why}");
    assert_eq!(store.run("scan", ["t"]).ok(), "k\tv\n");
}

#[test]
fn commit_every_keeps_what_came_before_the_error() {
    let store = Store::new();
    let args = ["t", "--format", "tsv", "--commit-every", "2", "--ack"];
    let ended = store.run_with("load", args, b"a\t1\nb\t2\nc\t3\nd\t4\ne\t5\nbroken\n").with(3);
    assert_eq!(ended.out, b"committed 2\ncommitted 4\n");
    assert!(ended.err.contains("line 6") && ended.err.contains("first 4 entries"), "{}", ended.err);
    assert_eq!(store.run("scan", ["t"]).ok(), "a\t1\nb\t2\nc\t3\nd\t4\n");
}

#[test]
fn each_commit_is_acknowledged_with_the_count_so_far() {
    let store = Store::new();
    let rows = b"a\t1\nb\t2\nc\t3\n";
    let acks = |every: &[&str]| {
        let args = TSV.iter().chain(&["--ack"]).chain(every).copied();
        store.run_with("load", args, rows).ok()
    };
    assert_eq!(acks(&[]), "committed 3\n");
    assert_eq!(acks(&["--commit-every", "1"]), "committed 1\ncommitted 2\ncommitted 3\n");
    assert_eq!(acks(&["--commit-every", "2"]), "committed 2\ncommitted 3\n");
    assert_eq!(acks(&["--commit-every", "3"]), "committed 3\n");
    assert_eq!(acks(&["--commit-every", "9"]), "committed 3\n");
    store.run_with("load", TSV.iter().chain(&["--commit-every", "0"]).copied(), rows).with(2);
}

#[test]
fn an_empty_input_makes_an_empty_table() {
    let store = Store::new();
    assert_eq!(
        store.run_with("load", TSV.iter().chain(&["--ack"]).copied(), b"").ok(),
        "committed 0\n"
    );
    assert_eq!(store.run("tables", []).ok(), "t\n");
    assert_eq!(store.run("scan", ["t"]).ok(), "");
}

#[test]
fn the_last_entry_of_a_key_stays() {
    let store = Store::new();
    store.run("put", ["t", "a", "0"]).ok();
    store.run_with("load", TSV, b"a\t1\na\t2\n").ok();
    assert_eq!(store.run("scan", ["t"]).ok(), "a\t2\n");
}
