//! Branches from the shell: made, written to, read, promoted, deleted; and `--branch` everywhere.

mod support;
use serde_json::Value;
use support::Store;

fn with_branch() -> Store {
    let store = Store::new();
    store.run_with("load", ["t", "--format", "tsv"], b"a\t1\nb\t2\n").ok();
    store.run("snapshot create", ["monday"]).ok();
    store.run("branch create", ["trial", "monday"]).ok();
    store
}

#[test]
fn a_branch_lives_beside_main_and_takes_its_place() {
    let store = with_branch();
    store.run("put", ["t", "b", "tried", "--branch", "trial"]).ok();
    assert_eq!(store.run("get", ["t", "b"]).ok(), "2\n");
    store.run("snapshot create", ["trial-1", "--branch", "trial"]).ok();
    assert_eq!(store.run("get", ["t", "b", "--at", "trial-1"]).ok(), "tried\n");

    let list = store.run("branch list", []).ok();
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((rows[0][0], rows[0][2], rows[0][3]), ("main", "", "monday"));
    assert_eq!((rows[1][0], rows[1][2], rows[1][3]), ("trial", "monday", "trial-1"));
    let json: Value = serde_json::from_str(&store.run("branch list", ["--json"]).ok()).unwrap();
    assert_eq!((&json[1]["name"], &json[0]["origin"]), (&"trial".into(), &Value::Null));
    assert_eq!(json[1]["created"], rows[1][1]);

    store.run("branch promote", ["trial"]).ok();
    assert_eq!(store.run("get", ["t", "b"]).ok(), "tried\n");
    assert_eq!(store.run("get", ["t", "b", "--branch", "trial"]).ok(), "2\n");
    store.run("branch delete", ["trial"]).ok();
    store.run("get", ["t", "b", "--branch", "trial"]).fails(1);
    assert_eq!(store.run("get", ["t", "b", "--at", "monday"]).ok(), "2\n");
}

#[test]
fn names_that_are_missing_or_taken_are_told_apart() {
    let store = with_branch();
    store.run("branch create", ["other", "sunday"]).fails(1);
    store.run("branch delete", ["sunday"]).fails(1);
    store.run("branch promote", ["sunday"]).fails(1);
    assert!(store.run("branch create", ["monday", "main"]).fails(3).contains("monday"));
    assert!(store.run("branch delete", ["main"]).fails(3).contains("main"));
}

#[test]
fn every_verb_that_reads_or_writes_takes_a_branch() {
    let store = with_branch();
    store.run("put", ["t", "c", "3", "--branch", "trial"]).ok();
    store.run("del", ["t", "a", "--branch", "trial"]).ok();
    let load = ["u", "--format", "tsv", "--branch", "trial", "--commit-every", "1"];
    store.run_with("load", load, b"x\t1\ny\t2\n").ok();
    assert_eq!(store.run("scan", ["t", "--branch", "trial"]).ok(), "b\t2\nc\t3\n");
    assert_eq!(store.run("scan", ["t"]).ok(), "a\t1\nb\t2\n");
    assert_eq!(store.run("tables", ["--branch", "trial", "--long"]).ok(), "t\t2\nu\t2\n");
    assert_eq!(store.run("tables", []).ok(), "t\n");
    let csv = store.run("dump", ["u", "--branch", "trial", "--format", "csv"]).ok();
    assert_eq!(csv, "key,value\nx,1\ny,2\n");
    assert_eq!(store.run("get", ["u", "y", "--branch", "trial"]).ok(), "2\n");
    let stat = store.run("diff", ["main", "trial", "--stat"]).with(1);
    assert_eq!(stat.out, b"t\t+1\t-1\t~0\nu\t+2\t-0\t~0\n");

    let rows: [(&str, &[&str]); 9] = [
        ("get", &["t", "a"]),
        ("scan", &["t"]),
        ("dump", &["t"]),
        ("tables", &[]),
        ("put", &["t", "k", "v"]),
        ("del", &["t", "a"]),
        ("load", &["t", "--format", "tsv"]),
        ("snapshot create", &["s"]),
        ("rollback", &["monday"]),
    ];
    for (verb, args) in rows {
        let args = args.iter().chain(&["--branch", "sunday"]).copied();
        assert!(store.run_with(verb, args, b"k\tv\n").fails(1).contains("sunday"), "{verb}");
    }
    for (verb, args) in rows.iter().take(4) {
        let args = args.iter().chain(&["--branch", "trial", "--at", "monday"]).copied();
        store.run(verb, args).fails(2);
    }
}

#[test]
fn all_branches_are_kept_at_one_moment_or_none() {
    let store = with_branch();
    store.run("snapshot create", ["night", "--all-branches", "--label", "by the clock"]).ok();
    let json: Value = serde_json::from_str(&store.run("snapshot list", ["--json"]).ok()).unwrap();
    let field = |name: &str| -> Vec<&str> {
        json.as_array().unwrap().iter().filter_map(|row| row[name].as_str()).collect()
    };
    assert_eq!(field("name"), ["main@night", "monday", "trial@night"]);
    assert_eq!(field("label"), ["by the clock"; 2]);
    assert_eq!(field("branch"), ["main", "main", "trial"]);

    store.run("snapshot delete", ["main@night"]).ok();
    store.run("snapshot create", ["night", "--all-branches"]).fails(3);
    store.run("get", ["t", "a", "--at", "main@night"]).fails(1);
    store.run("snapshot create", ["x", "--all-branches", "--branch", "trial"]).fails(2);
}

#[test]
fn a_branch_goes_back_and_may_take_its_newer_snapshots_along() {
    let store = with_branch();
    for (value, name) in [("2", "tuesday"), ("3", "wednesday")] {
        store.run("put", ["t", "a", value]).ok();
        store.run("snapshot create", [name]).ok();
    }
    store.run("put", ["t", "a", "x", "--branch", "trial"]).ok();
    store.run("rollback", ["monday", "--branch", "trial"]).ok();
    assert_eq!(store.run("get", ["t", "a", "--branch", "trial"]).ok(), "1\n");
    assert_eq!(store.run("get", ["t", "a"]).ok(), "3\n");

    store.run("snapshot hold", ["tuesday"]).ok();
    let why = store.run("rollback", ["monday", "--delete-newer"]).fails(3);
    assert!(why.contains("tuesday") && why.contains("snapshot release"), "{why}");
    assert_eq!(store.run("get", ["t", "a"]).ok(), "3\n", "nothing was done");
    store.run("snapshot release", ["tuesday"]).ok();
    let gone = store.run("rollback", ["monday", "--delete-newer"]).ok();
    assert_eq!(gone, "tuesday\nwednesday\n");
    assert_eq!(store.run("get", ["t", "a"]).ok(), "1\n");
    assert_eq!(store.run("snapshot list", []).ok().lines().count(), 1);
}
