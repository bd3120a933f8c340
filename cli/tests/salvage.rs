//! `fsck --salvage`: exit statuses, text and JSON, and which files are written.

mod support;
use serde_json::Value;
use support::{Ended, Store, cowslip};

fn salvage(store: &Store, out: &std::path::Path, more: &[&str]) -> Ended {
    let mut arguments = vec!["fsck".as_ref(), store.file.as_os_str(), "--salvage".as_ref()];
    arguments.push(out.as_os_str());
    arguments.extend(more.iter().map(std::ffi::OsStr::new));
    cowslip(arguments, b"")
}

#[test]
fn a_whole_database_is_salvaged_with_status_0_and_its_snapshots() {
    let store = Store::new();
    store.run("put", ["t", "k", "old"]).ok();
    store.run("snapshot create", ["monday"]).ok();
    store.run("put", ["t", "k", "new"]).ok();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.cow");
    let before = std::fs::read(&store.file).unwrap();
    let text = salvage(&store, &out, &[]).ok();
    assert!(text.ends_with("all was recovered: 2 branches and snapshots\n"), "{text}");
    assert!(std::fs::read(&store.file).unwrap() == before);
    let get = |more: &[&str]| {
        let mut arguments = vec!["get".as_ref(), out.as_os_str(), "t".as_ref(), "k".as_ref()];
        arguments.extend(more.iter().map(std::ffi::OsStr::new));
        cowslip(arguments, b"").ok()
    };
    assert_eq!((get(&[]), get(&["--at", "monday"])), ("new\n".into(), "old\n".into()));

    let other = folder.path().join("other.cow");
    salvage(&store, &other, &["--undo", "undo"]).with(16);
    assert!(!other.exists());
    // What is there is not touched.
    let there = std::fs::read(&out).unwrap();
    assert!(salvage(&store, &out, &[]).fails(8).contains("exists already"));
    assert!(salvage(&store, &store.file, &[]).fails(8).contains("exists already"));
    assert!(std::fs::read(&out).unwrap() == there);
    assert!(std::fs::read(&store.file).unwrap() == before);
}

#[test]
fn a_wreck_gives_status_1_and_what_is_missing_is_said() {
    let store = Store::new();
    let rows: String = (0..2000).map(|i| format!("{i:06}\tvalue {i}\n")).collect();
    store.run_with("load", ["rows", "--format", "tsv"], rows.as_bytes()).ok();
    let wreck = Store::empty();
    let mut bytes = std::fs::read(&store.file).unwrap();
    for at in [0, 16384, 32768, 49152] {
        bytes[at..at + 4096].fill(0);
    }
    std::fs::write(&wreck.file, &bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.cow");
    let ended = salvage(&wreck, &out, &["--json"]).with(1);
    let json: Value = serde_json::from_slice(&ended.out).unwrap();
    assert_eq!((&json["exit_code"], &json["superblock"]), (&1.into(), &"none".into()));
    assert_eq!(json["states"][0]["state"], "branch main");
    assert_eq!(json["states"][0]["tables"][0]["rows"], 2000);
    cowslip(["fsck".as_ref(), out.as_os_str()], b"").ok();
    std::fs::remove_file(&wreck.file).unwrap();
}

#[test]
fn nothing_recovered_is_status_4_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("x"), folder.path().join("out.cow"));
    let run = |more: &[&str]| {
        let mut arguments = vec!["fsck".as_ref(), file.as_os_str(), "--salvage".as_ref()];
        arguments.push(out.as_os_str());
        arguments.extend(more.iter().map(std::ffi::OsStr::new));
        cowslip(arguments, b"")
    };
    assert_eq!(run(&[]).status, Some(8), "there is no such file");
    std::fs::write(&file, "notes of mine, of no interest to a database").unwrap();
    let ended = run(&[]);
    assert_eq!((ended.status, &ended.out[..]), (Some(4), &b"no superblock is left\nnot all names of branches and snapshots could be read\nnothing was recovered\n"[..]));
    std::fs::write(&file, "").unwrap();
    assert!(run(&[]).fails(8).contains("empty"));
    assert_eq!(run(&["--repair"]).status, Some(16));
    assert!(!out.exists());
}
