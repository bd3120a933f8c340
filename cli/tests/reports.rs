//! `tables`, `stats`, `fsck`, `compact` and `scrub` report on a database, in text and in JSON.

mod support;
use serde_json::Value;
use support::{Store, cowslip};

fn filled() -> Store {
    let store = Store::new();
    let rows: String = (0..2_000).map(|i| format!("{i:06}\tvalue {i}\n")).collect();
    store.run_with("load", ["rows", "--format", "tsv"], rows.as_bytes()).ok();
    store.run("put", ["a\ttable", "k", "v"]).ok();
    store.run("snapshot create", ["s"]).ok();
    store
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn tables_are_listed_by_name() {
    let store = filled();
    assert_eq!(store.run("tables", []).ok(), "a\\ttable\nrows\n");
    assert_eq!(store.run("tables", ["--long"]).ok(), "a\\ttable\t1\nrows\t2000\n");
    let expected = serde_json::json!(
        [{"name": "a\ttable", "entries": 1}, {"name": "rows", "entries": 2000}]
    );
    assert_eq!(json(&store.run("tables", ["--json"]).ok()), expected);
}

#[test]
fn stats_has_the_documented_names() {
    let store = filled();
    let stats = json(&store.run("stats", ["--json"]).ok());
    let number = |name: &str| stats[name].as_u64().unwrap_or_else(|| panic!("{name}: {stats}"));
    assert_eq!(number("page_size"), 4096);
    assert!(number("pages_used") > 0);
    assert_eq!(number("pages_total"), number("pages_used") + number("pages_free"));
    assert_eq!(number("file_bytes"), std::fs::metadata(&store.file).unwrap().len());
    assert_eq!((number("snapshots"), number("branches")), (1, 1));
    let text = store.run("stats", []).ok();
    for name in ["page_size", "pages_total", "pages_used", "pages_free", "file_bytes"] {
        let line = text.lines().find(|line| line.starts_with(name)).expect(name);
        assert!(line.ends_with(&number(name).to_string()), "{line}");
    }
}

#[test]
fn a_sound_database_has_no_problems() {
    let store = filled();
    assert!(!store.run("fsck", []).ok().is_empty());
    assert!(json(&store.run("fsck", ["--json"]).ok()).is_object());
    assert!(store.run("scrub", []).ok().contains("verified, 0 damaged"));
    cowslip(["fsck"], b"").with(16);
    cowslip(["fsck", "--no-such-option", "f"], b"").with(16);
}

#[test]
fn fsck_repairs_on_demand_and_takes_it_back() {
    let store = filled();
    assert_eq!(store.run("fsck", ["--repair"]).ok(), "clean: nothing to repair\n");
    let mut bytes = std::fs::read(&store.file).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&store.file, &bytes).unwrap();
    assert_eq!(store.run("fsck", []).status, Some(4));
    let undo = store.folder().join("undo");
    let undo = undo.to_str().unwrap();
    let repaired = store.run("fsck", ["--repair", "--undo", undo, "--json"]).with(1);
    let repaired: Value = serde_json::from_slice(&repaired.out).unwrap();
    assert_eq!((&repaired["lost"], &repaired["exit_code"]), (&false.into(), &1.into()));
    store.run("fsck", []).ok();
    assert!(store.run("fsck", ["--undo-apply", undo]).ok().contains("blocks put back"));
    assert!(std::fs::read(&store.file).unwrap() == bytes);
    store.run("fsck", ["--repair=lossy"]).with(1);
    store.run("fsck", ["--repair=much"]).with(16);
    assert!(cowslip(["fsck", "--list-problems"], b"").ok().contains("repair lossless"));
}

#[test]
fn compacting_changes_no_entry() {
    let store = filled();
    let before = store.run("dump", ["--all"]).ok();
    assert!(store.run("compact", []).ok().contains("bytes before"));
    let entries = |dump: &str| dump.lines().filter(|l| !l.starts_with("mapsize")).count();
    assert_eq!(entries(&store.run("dump", ["--all"]).ok()), entries(&before));
    let (then, now) = (store.run("diff", ["s", "main"]), store.run("scan", ["rows"]).ok());
    assert_eq!(then.ok(), "");
    assert_eq!(now.lines().count(), 2_000);
}
