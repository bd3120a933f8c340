//! `tables`, `stats`, `fsck`, `compact` and `scrub` report on a database, in text and in JSON.

mod support;
use serde_json::Value;
use support::{Store, cowslip, start};

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
fn a_scrub_says_what_is_damaged_and_stats_when_it_was() {
    let store = filled();
    assert!(store.run("stats", []).ok().contains("last_scrub    never"));
    let report = json(&store.run("scrub", ["--json", "--rate", "1G"]).ok());
    assert_eq!((&report["complete"], &report["pages_damaged"]), (&true.into(), &0.into()));
    assert!(report["pages_verified"].as_u64().unwrap() > 10);
    let stats = json(&store.run("stats", ["--json"]).ok());
    assert_eq!(stats["scrub"]["passes"], 1);
    assert_eq!(stats["scrub"]["last"]["pages_verified"], report["pages_verified"]);
    let text = store.run("stats", []).ok();
    assert!(text.contains("last_scrub    2") && text.contains(" 0 damaged"), "{text}");
    store.run("scrub", ["--rate", "fast"]).with(2);
    // A copy, behind the space of superblocks, map and log.
    let hurt = store.folder().join("hurt.cow");
    let mut bytes = std::fs::read(&store.file).unwrap();
    for page in 156..bytes.len() / 4096 {
        bytes[page * 4096 + 77] ^= 4;
    }
    std::fs::write(&hurt, &bytes).unwrap();
    let damaged = cowslip(["scrub", hurt.to_str().unwrap(), "--restart", "--json"], b"").with(3);
    let report: Value = serde_json::from_slice(&damaged.out).unwrap();
    assert!(report["pages_damaged"].as_u64().unwrap() > 10, "{report}");
    assert_eq!(
        (&report["complete"], &report["findings"][0]["damaged"]),
        (&true.into(), &true.into())
    );
    assert!(damaged.err.contains("is damaged"), "{}", damaged.err);
}

#[cfg(unix)]
#[test]
fn an_interrupted_scrub_goes_on_where_it_was() {
    let store = filled();
    let file = store.file.to_str().unwrap();
    for wait in [300, 1000, 5000] {
        // The first slice takes no time, the second one is due in ten seconds.
        let child = start(["scrub", file, "--rate", "25k"]);
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let id = child.id().to_string();
        std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        let ended = child.wait_with_output().unwrap();
        // On a slow machine it may not have come to the point where it listens.
        let Some(status) = ended.status.code() else { continue };
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(status == 3 && said.contains("interrupted at"), "{status}: {said}");
        let stats = json(&store.run("stats", ["--json"]).ok());
        if stats["scrub"]["position"].as_u64().is_none_or(|position| position == 0) {
            continue;
        }
        assert_eq!(stats["scrub"]["passes"], 0);
        assert!(store.run("stats", []).ok().contains("never; one is under way, at page"));
        let report = json(&store.run("scrub", ["--json"]).ok());
        assert!(report["complete"] == true && report["position"] == 0, "{report}");
        let whole = json(&store.run("scrub", ["--json"]).ok());
        // But for the four copies of the superblock, if the first part did not judge them.
        let pages = |report: &Value| report["pages_verified"].as_u64().unwrap();
        assert!(pages(&report).abs_diff(pages(&whole)) <= 4, "{report} {whole}");
        return;
    }
    panic!("it was never interrupted in time");
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
