//! The tour goes through on its own data and on the user's, leaves a database to explore, and
//! replaces nothing but its own earlier one.

mod support;
use std::fs;
use std::path::Path;

use support::{Ended, Store, command};

fn tour(folder: &Path, args: &[&str]) -> Ended {
    let output = command().arg("tour").args(args).current_dir(folder).output().unwrap();
    Ended {
        status: output.status.code(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A store whose file is what the tour leaves.
fn toured() -> Store {
    let mut store = Store::empty();
    store.file = store.folder().join("cowslip-tour.cow");
    store
}

#[test]
fn it_goes_through_and_leaves_a_database_behind() {
    let store = toured();
    let text = tour(store.folder(), &[]).ok();
    for word in ["Load", "snapshot", "changed", "forward", "power", "SIGKILL", "checker", "Now you"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.lines().all(|line| !line.contains("  it  ")));
    let list = store.run("snapshot list", []).ok();
    assert_eq!(list.lines().count(), 2);
    assert_eq!(
        store.run("get", ["rules", "aol", "--at", "2025-10-08"]).ok(),
        "ICANN; aol : Yahoo Inc.\n"
    );
    assert_eq!(store.run("get", ["rules", "aol"]).ok(), "ICANN; aol : AOL Media LLC\n");

    // Every command that it suggests works as it stands.
    let commands: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("cowslip ")).collect();
    assert!(commands.len() >= 5, "{text}");
    for line in commands {
        let output = command().args(line.split(' ')).current_dir(store.folder()).output().unwrap();
        let expected = if line.starts_with("diff") { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{line}");
    }
}

#[test]
fn it_takes_files_of_the_user() {
    let store = toured();
    fs::write(store.folder().join("old.txt"), "http\t80/tcp\nssh 22/tcp\nssh 22/udp\nb=1\n")
        .unwrap();
    fs::write(store.folder().join("new.txt"), "http\t8080/tcp\nb=1\nc;3;4\n").unwrap();
    let text = tour(store.folder(), &["old.txt", "new.txt"]).ok();
    let note = "Lines of old.txt that do not count, as a later one has the same key: 1.";
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(note), "{text}");
    assert_eq!(store.run("scan", ["lines"]).ok(), "b\t1\nc\t3;4\nhttp\t8080/tcp\n");
    assert_eq!(store.run("get", ["lines", "ssh", "--at", "first"]).ok(), "22/udp\n");
}

#[test]
fn odd_files_do_not_trip_it() {
    let store = toured();
    fs::write(store.folder().join("empty"), "").unwrap();
    fs::write(store.folder().join("binary"), (0..=255).cycle().take(100_000).collect::<Vec<u8>>())
        .unwrap();
    for (old, new) in [("empty", "empty"), ("binary", "binary"), ("binary", "empty")] {
        tour(store.folder(), &[old, new]).ok();
    }
    let missing = tour(store.folder(), &["empty", "missing"]).fails(3);
    assert!(missing.contains("missing"), "{missing}");
}

#[test]
fn it_replaces_its_own_file_and_no_other() {
    let store = toured();
    let second = store.folder().join("cowslip-tour-2.cow");
    fs::write(store.folder().join("a"), "k v\n").unwrap();
    fs::write(&store.file, "not a database").unwrap();
    tour(store.folder(), &["a", "a"]).ok();
    assert_eq!(fs::read(&store.file).unwrap(), b"not a database");
    assert!(second.exists());

    fs::remove_file(&store.file).unwrap();
    support::cowslip(["create", store.file.to_str().unwrap()], b"").ok();
    store.run("put", ["mine", "k", "v"]).ok();
    tour(store.folder(), &["a", "a"]).ok();
    assert_eq!(store.run("get", ["mine", "k"]).ok(), "v\n");

    fs::remove_file(&store.file).unwrap();
    tour(store.folder(), &["a", "a"]).ok();
    tour(store.folder(), &["a", "a"]).ok();
    assert_eq!(store.run("get", ["lines", "k"]).ok(), "v\n");
    assert!(!store.folder().join("cowslip-tour-3.cow").exists());
}

#[test]
fn the_hidden_child_writes_to_no_other_database() {
    let store = Store::new();
    assert!(store.run("tour-child", []).fails(3).contains("not a tour's database"));
}
