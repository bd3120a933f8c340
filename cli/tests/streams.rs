//! Snapshots go from one database to another through pipes and files, whole or not at all.

mod support;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Ended, Store, command, cowslip};

/// Two snapshots, `monday` and `tuesday`, with a put and a removal between them.
fn two_days() -> Store {
    let store = Store::new();
    store.run_with("load", ["t", "--format", "tsv"], b"a\t1\nb\t2\nc\t3\n").ok();
    store.run("snapshot create", ["monday", "--label", "full moon"]).ok();
    store.run("put", ["t", "b", "two"]).ok();
    store.run("del", ["t", "c"]).ok();
    store.run("snapshot create", ["tuesday"]).ok();
    store
}

/// The stream of a snapshot.
fn sent(store: &Store, args: &[&str]) -> Vec<u8> {
    store.run("send", args.iter().copied()).with(0).out
}

fn digest(store: &Store, name: &str) -> String {
    store.run("snapshot digest", [name]).ok()
}

/// `cowslip send ... | cowslip receive ...`
fn pipe(from: &Store, send: &[&str], to: &Store, receive: &[&str]) -> Ended {
    let mut sender = command()
        .arg("send")
        .arg(&from.file)
        .args(send)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let output = command()
        .arg("receive")
        .arg(&to.file)
        .args(receive)
        .stdin(sender.stdout.take().expect("a pipe"))
        .output()
        .expect("the command ends");
    sender.wait().expect("the sender ends");
    Ended {
        status: output.status.code(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).expect("errors are text"),
    }
}

#[test]
fn a_pipe_carries_a_snapshot_whole_and_then_what_changed() {
    let (store, copy) = (two_days(), Store::empty());
    assert_eq!(pipe(&store, &["monday"], &copy, &[]).ok(), "monday\t\t+3\t-0\n");
    assert_eq!(digest(&copy, "monday"), digest(&store, "monday"));
    assert_eq!(copy.run("get", ["t", "b"]).ok(), "2\n", "main follows in a new database");

    let next = &["tuesday", "--since", "monday"];
    assert_eq!(pipe(&store, next, &copy, &[]).ok(), "tuesday\tmonday\t+1\t-1\n");
    assert_eq!(digest(&copy, "tuesday"), digest(&store, "tuesday"));
    assert_eq!(copy.run("get", ["t", "b"]).ok(), "2\n", "main follows only when told to");
    copy.run("rollback", ["tuesday"]).ok();
    assert_eq!(copy.run("get", ["t", "b"]).ok(), "two\n");

    let list: Value = serde_json::from_str(&copy.run("snapshot list", ["--json"]).ok()).unwrap();
    let theirs: Value = serde_json::from_str(&store.run("snapshot list", ["--json"]).ok()).unwrap();
    for field in ["name", "created", "branch", "label", "id"] {
        assert_eq!(list[0][field], theirs[0][field], "{field}");
    }
    assert_eq!(list[0]["label"], "full moon");
}

#[test]
fn one_pipe_may_carry_several_streams() {
    let (store, copy) = (two_days(), Store::empty());
    let mut both = sent(&store, &["monday"]);
    both.extend(sent(&store, &["tuesday", "--since", "monday"]));
    let lines = copy.run_with("receive", ["--json"], &both).ok();
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        json!({"snapshot": "monday", "base": null, "puts": 3, "removals": 0}),
        json!({"snapshot": "tuesday", "base": "monday", "puts": 1, "removals": 1}),
    ];
    assert_eq!(rows, expected);
    assert_eq!(copy.run("get", ["t", "b"]).ok(), "two\n", "main shows the last one");

    // Two that do not build on each other.
    let (mut both, copy) = (sent(&store, &["tuesday"]), Store::empty());
    both.extend(sent(&store, &["monday"]));
    copy.run_with("receive", [], &both).ok();
    assert_eq!(copy.run("get", ["t", "b"]).ok(), "2\n");
}

#[test]
fn a_branch_follows_what_is_received() {
    let (store, copy) = (two_days(), Store::new());
    copy.run("put", ["own", "k", "v"]).ok();
    let (full, next) = (sent(&store, &["monday"]), sent(&store, &["tuesday", "--since", "monday"]));
    copy.run_with("receive", ["--follow", "mirror"], &full).ok();
    assert_eq!(copy.run("get", ["t", "b", "--branch", "mirror"]).ok(), "2\n");
    copy.run_with("receive", ["--follow", "mirror"], &next).ok();
    assert_eq!(copy.run("get", ["t", "b", "--branch", "mirror"]).ok(), "two\n");
    assert_eq!(copy.run("tables", []).ok(), "own\n", "main is left alone");

    let why = copy.run_with("receive", ["--follow", "main", "--as", "x"], &next).fails(3);
    assert!(why.contains("wrong base") && why.contains("--follow"), "{why}");
    copy.run("get", ["t", "b", "--at", "x"]).fails(1);
}

#[test]
fn a_snapshot_may_get_another_name_and_not_one_that_is_taken() {
    let (store, copy) = (two_days(), Store::empty());
    let full = sent(&store, &["monday"]);
    copy.run_with("receive", ["--as", "first"], &full).ok();
    assert!(copy.run_with("receive", ["--as", "first"], &full).fails(3).contains("--as NAME"));
    assert_eq!(digest(&copy, "first"), digest(&store, "monday"));
    // The base is found by what it is, not by its name.
    let next = sent(&store, &["tuesday", "--since", "monday"]);
    assert_eq!(copy.run_with("receive", [], &next).ok(), "tuesday\tfirst\t+1\t-1\n");
}

#[test]
fn a_missing_base_is_named_and_what_to_do_is_said() {
    let (store, copy) = (two_days(), Store::empty());
    let next = sent(&store, &["tuesday", "--since", "monday"]);
    let why = copy.run_with("receive", [], &next).fails(3);
    assert!(why.contains("monday") && why.contains("--since"), "{why}");
    assert!(!copy.file.exists(), "nothing came, so nothing stays");
}

#[test]
fn a_truncated_or_foreign_stream_leaves_no_new_file_behind() {
    let store = two_days();
    let full = sent(&store, &["monday"]);
    let mut changed = full.clone();
    changed[full.len() / 2] ^= 1;
    let inputs: [&[u8]; 6] =
        [b"", b"COW", b"notes of mine, no stream\n", &full[..9], &full[..full.len() - 1], &changed];
    for input in inputs {
        let copy = Store::empty();
        copy.run_with("receive", [], input).fails(3);
        assert_eq!(std::fs::read_dir(copy.folder()).unwrap().count(), 0, "{}", input.len());
    }
    // A file that was there stays, with what it has.
    let copy = Store::new();
    copy.run("put", ["own", "k", "v"]).ok();
    let why = copy.run_with("receive", [], &full[..full.len() - 1]).fails(3);
    assert!(why.contains("--resumable"), "{why}");
    assert_eq!(copy.run("get", ["own", "k"]).ok(), "v\n");
    assert_eq!(copy.run("receive", ["--partial"]).ok(), "");
    assert_eq!(copy.run("snapshot list", []).ok(), "");
}

#[test]
fn a_stream_that_broke_off_is_continued_by_its_token() {
    let (store, copy) = (Store::new(), Store::empty());
    let rows: String = (0..60_000).map(|i| format!("{i:06}\tvalue {i}\n")).collect();
    store.run_with("load", ["rows", "--format", "tsv"], rows.as_bytes()).ok();
    store.run("snapshot create", ["s"]).ok();
    let full = sent(&store, &["s"]);

    let why = copy.run_with("receive", ["--resumable"], &full[..full.len() / 2]).fails(3);
    assert!(why.contains("--token s") && why.contains("send --resume"), "{why}");
    assert!(copy.file.exists(), "the part stays");
    assert_eq!(copy.run("receive", ["--partial"]).ok(), "s\n");
    assert_eq!(copy.run("snapshot list", []).ok(), "", "nothing is visible yet");
    let token = copy.run("receive", ["--token", "s"]).ok();

    // It breaks off once more, further on.
    let rest = sent(&store, &["--resume", token.trim()]);
    assert!(rest.len() < full.len() * 2 / 3, "only the rest is sent");
    copy.run_with("receive", ["--resumable"], &rest[..rest.len() / 2]).fails(3);
    let further = copy.run("receive", ["--token", "s"]).ok();
    assert_ne!(further, token);
    let rest = sent(&store, &["--resume", further.trim()]);
    copy.run_with("receive", ["--resumable"], &rest).ok();
    assert_eq!(digest(&copy, "s"), digest(&store, "s"));
    assert_eq!(copy.run("scan", ["rows"]).ok(), rows, "main follows here, too");
    copy.run("receive", ["--token", "s"]).fails(1);
    assert_eq!(copy.run("receive", ["--partial"]).ok(), "");
    store.run("send", ["--resume", "nonsense"]).fails(2);
}

#[test]
fn a_part_can_be_dropped_and_is_no_branch() {
    let (store, copy) = (Store::new(), Store::empty());
    let rows: String = (0..60_000).map(|i| format!("{i:06}\tvalue {i}\n")).collect();
    store.run_with("load", ["rows", "--format", "tsv"], rows.as_bytes()).ok();
    store.run("snapshot create", ["s"]).ok();
    let full = sent(&store, &["s"]);
    copy.run_with("receive", ["--resumable"], &full[..full.len() / 2]).fails(3);
    let list: Value = serde_json::from_str(&copy.run("receive", ["--partial", "--json"]).ok())
        .expect("one line, as there is one part");
    assert_eq!(list["name"], "s");

    copy.run("branch delete", ["s"]).fails(1);
    copy.run("branch create", ["b", "main"]).ok();
    copy.run("receive", ["--discard", "b"]).fails(1);
    copy.run("receive", ["--discard", "s"]).ok();
    copy.run("receive", ["--discard", "s"]).fails(1);
    assert_eq!(copy.run("receive", ["--partial"]).ok(), "");
    copy.run_with("receive", [], &full).ok();
    assert_eq!(digest(&copy, "s"), digest(&store, "s"));
}

#[test]
fn a_bookmark_stands_for_a_snapshot_that_is_gone() {
    let (store, copy) = (two_days(), Store::empty());
    pipe(&store, &["monday"], &copy, &[]).ok();
    store.run("bookmark create", ["monday"]).ok();
    store.run("bookmark create", ["monday", "sent"]).ok();
    let list = store.run("bookmark list", []).ok();
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        (rows[0][..2].to_vec(), rows[1][..2].to_vec()),
        (vec!["monday", "monday"], vec!["sent", "monday"])
    );
    let json: Value = serde_json::from_str(&store.run("bookmark list", ["--json"]).ok()).unwrap();
    assert_eq!((&json[1]["name"], &json[1]["snapshot"]), (&json!("sent"), &json!("monday")));
    assert_eq!(json[1]["created"], rows[1][2]);

    store.run("snapshot delete", ["monday", "--wait"]).ok();
    pipe(&store, &["tuesday", "--since", "sent"], &copy, &["--follow", "main"]).ok();
    assert_eq!(digest(&copy, "tuesday"), digest(&store, "tuesday"));
    assert_eq!(copy.run("scan", ["t"]).ok(), "a\t1\nb\ttwo\n");

    store.run("bookmark delete", ["sent"]).ok();
    store.run("bookmark delete", ["sent"]).fails(1);
    store.run("send", ["tuesday", "--since", "sent"]).with(1);
    store.run("bookmark create", ["nothing"]).fails(1);
    assert!(store.run("bookmark create", ["tuesday", "monday"]).fails(3).contains("monday"));
}

#[test]
fn a_bookmark_of_another_line_is_refused_with_what_to_do() {
    let store = two_days();
    store.run("bookmark create", ["tuesday"]).ok();
    // While both are there, the older one can be sent since the newer one.
    sent(&store, &["monday", "--since", "tuesday"]);
    store.run("snapshot delete", ["tuesday"]).ok();
    let ended = store.run("send", ["monday", "--since", "tuesday"]).with(3);
    assert!(ended.err.contains("without --since"), "{}", ended.err);
}

#[test]
fn exit_statuses_tell_what_is_missing_from_what_makes_no_sense() {
    let store = two_days();
    store.run("send", ["sunday"]).fails(1);
    store.run("send", ["monday", "--since", "sunday"]).fails(1);
    let usage: [&[&str]; 6] = [
        &["send"],
        &["send", "monday", "--resume", "x"],
        &["receive", "--token", "a", "--discard", "b"],
        &["receive", "--token", "a", "--as", "b"],
        &["receive", "--partial", "--resumable"],
        &["bookmark create"],
    ];
    for words in usage {
        store.run(words[0], words[1..].iter().copied()).fails(2);
    }
    let missing = Store::empty();
    for args in [&["--token", "x"][..], &["--partial"], &["--discard", "x"]] {
        missing.run("receive", args.iter().copied()).fails(3);
        assert!(!missing.file.exists());
    }
}

#[test]
fn reading_verbs_change_no_byte_of_the_file() {
    let store = two_days();
    store.run("bookmark create", ["monday"]).ok();
    let before = std::fs::read(&store.file).unwrap();
    let rows: [(&str, &[&str]); 10] = [
        ("send", &["tuesday", "--since", "monday"]),
        ("snapshot list", &["--usage"]),
        ("snapshot usage", &["monday", "tuesday"]),
        ("snapshot digest", &["monday", "main"]),
        ("snapshot prune", &["--keep-last", "1", "--dry-run"]),
        ("branch list", &[]),
        ("bookmark list", &[]),
        ("receive", &["--partial"]),
        ("tables", &["--branch", "main"]),
        ("stats", &[]),
    ];
    for (verb, args) in rows {
        store.run(verb, args.iter().copied()).with(0);
        assert!(std::fs::read(&store.file).unwrap() == before, "{verb}");
    }
}

#[cfg(unix)]
#[test]
fn a_stream_is_not_written_to_a_terminal() {
    // `script` of util-linux gives a command a terminal; where it is missing, nothing is shown here.
    let store = two_days();
    let line = format!("{} send {} monday", env!("CARGO_BIN_EXE_cowslip"), store.file.display());
    let ran = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::null())
        .output();
    let Ok(output) = ran else { return };
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{out}");
    assert!(out.contains("terminal") && !out.contains("COWSEND"), "{out}");
    let piped = cowslip(["send".as_ref(), store.file.as_os_str(), "monday".as_ref()], b"");
    assert!(piped.with(0).out.starts_with(b"COWSEND\n"));
}
