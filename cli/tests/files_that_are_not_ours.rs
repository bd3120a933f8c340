//! Nothing is ever written to a file that is not a Cowslip database, and no verb but `create`,
//! `tour` and a `receive` that receives makes one.

mod support;
use support::{Store, cowslip};

/// Every verb that takes a file, with arguments that would make sense.
const VERBS: [(&str, &[&str]); 31] = [
    ("create", &[]),
    ("put", &["t", "k", "v"]),
    ("get", &["t", "k"]),
    ("del", &["t", "k"]),
    ("scan", &["t"]),
    ("load", &["t", "--format", "tsv"]),
    ("dump", &["t"]),
    ("tables", &[]),
    ("snapshot create", &["s"]),
    ("snapshot list", &[]),
    ("snapshot delete", &["s"]),
    ("snapshot hold", &["s"]),
    ("snapshot release", &["s"]),
    ("snapshot usage", &["s"]),
    ("snapshot digest", &["s"]),
    ("snapshot prune", &["--keep-last", "1"]),
    ("branch create", &["b", "s"]),
    ("branch list", &[]),
    ("branch delete", &["b"]),
    ("branch promote", &["b"]),
    ("rollback", &["s"]),
    ("diff", &["s", "main"]),
    ("send", &["s"]),
    // What comes in these tests is no stream.
    ("receive", &[]),
    ("bookmark create", &["s"]),
    ("bookmark list", &[]),
    ("bookmark delete", &["b"]),
    ("fsck", &[]),
    ("stats", &[]),
    ("compact", &[]),
    ("scrub", &[]),
];

fn status_of(verb: &str) -> i32 {
    if verb == "fsck" { 8 } else { 3 }
}

#[test]
fn a_foreign_file_stays_as_it_is() {
    let contents: [&[u8]; 4] =
        [b"", b"notes of mine\n", &[0; 1 << 20], b"SQLite format 3\0 and then some"];
    for content in contents {
        let store = Store::empty();
        let file = store.folder().join("foreign");
        std::fs::write(&file, content).unwrap();
        for (verb, args) in VERBS {
            let words = verb.split(' ').chain([file.to_str().unwrap()]).chain(args.iter().copied());
            let ended = cowslip(words, b"k\tv\n").with(status_of(verb));
            assert!(ended.err.contains("foreign"), "{verb} names the file: {}", ended.err);
            assert!(std::fs::read(&file).unwrap() == content, "{verb} leaves the file alone");
        }
        let files = std::fs::read_dir(store.folder()).unwrap().count();
        assert_eq!(files, 1, "nothing else was made");
    }
}

#[test]
fn a_missing_file_is_not_made() {
    let store = Store::empty();
    for (verb, args) in VERBS.into_iter().filter(|(verb, _)| *verb != "create") {
        let why = store.run_with(verb, args.iter().copied(), b"k\tv\n").fails(status_of(verb));
        assert!(why.contains("my.cow"), "{verb}: {why}");
        assert!(!store.file.exists(), "{verb}");
    }
}

#[test]
fn a_folder_is_no_database() {
    let store = Store::empty();
    let folder = store.folder().to_str().unwrap();
    for (verb, args) in VERBS {
        let words = verb.split(' ').chain([folder]).chain(args.iter().copied());
        cowslip(words, b"").with(status_of(verb));
    }
}

#[test]
fn create_refuses_an_existing_database() {
    let store = Store::new();
    store.run("put", ["t", "k", "v"]).ok();
    assert!(store.run("create", []).fails(3).contains("exists already"));
    assert_eq!(store.run("get", ["t", "k"]).ok(), "v\n");
}

#[test]
fn create_takes_the_page_sizes_there_are() {
    for size in ["4096", "8192", "16384", "32768", "65536"] {
        let store = Store::empty();
        store.run("create", ["--page-size", size]).ok();
        let stats: serde_json::Value =
            serde_json::from_str(&store.run("stats", ["--json"]).ok()).unwrap();
        assert_eq!(stats["page_size"].to_string(), size);
    }
    let store = Store::empty();
    for size in ["0", "512", "5000", "131072", "-1", "many"] {
        store.run("create", ["--page-size", size]).with(2);
        assert!(!store.file.exists());
    }
}
