//! Snapshots from the shell: keep, list, read, compare, go back, forget.

mod support;
use support::Store;

fn two_days() -> Store {
    let store = Store::new();
    store.run_with("load", ["t", "--format", "tsv"], b"a\t1\nb\t2\nc\t3\n").ok();
    store.run("snapshot create", ["monday"]).ok();
    store.run("put", ["t", "b", "two"]).ok();
    store.run("del", ["t", "c"]).ok();
    store.run("put", ["t", "d", "4"]).ok();
    store.run("put", ["u", "x", "ff"]).ok();
    store.run("snapshot create", ["tuesday"]).ok();
    store
}

#[test]
fn every_reading_verb_reads_at_a_snapshot() {
    let store = two_days();
    assert_eq!(store.run("get", ["t", "b"]).ok(), "two\n");
    assert_eq!(store.run("get", ["t", "b", "--at", "monday"]).ok(), "2\n");
    assert_eq!(store.run("scan", ["t", "--at", "monday"]).ok(), "a\t1\nb\t2\nc\t3\n");
    assert_eq!(store.run("tables", ["--at", "monday"]).ok(), "t\n");
    assert_eq!(store.run("tables", []).ok(), "t\nu\n");
    let csv = store.run("dump", ["t", "--at", "monday", "--format", "csv"]).ok();
    assert_eq!(csv, "key,value\na,1\nb,2\nc,3\n");
    for verb in ["get", "scan", "dump"] {
        let key: &[&str] = if verb == "get" { &["t", "b"] } else { &["t"] };
        let args = key.iter().chain(&["--at", "sunday"]).copied();
        assert!(store.run(verb, args).fails(1).contains("sunday"), "{verb}");
    }
    store.run("scan", ["u", "--at", "monday"]).fails(1);
}

#[test]
fn diff_tells_what_changed() {
    let store = two_days();
    let ended = store.run("diff", ["monday", "tuesday"]).with(1);
    let text = "~\tt\tb\t2\ttwo\n-\tt\tc\t3\n+\tt\td\t4\n+\tu\tx\tff\n";
    assert_eq!((String::from_utf8(ended.out).unwrap().as_str(), ended.err.as_str()), (text, ""));
    let out = |args: &[&str]| {
        String::from_utf8(store.run("diff", args.iter().copied()).with(1).out).unwrap()
    };
    assert_eq!(out(&["monday", "main", "--stat"]), "t\t+1\t-1\t~1\nu\t+1\t-0\t~0\n");
    assert_eq!(out(&["monday", "main", "--table", "u"]), "+\tu\tx\tff\n");
    assert_eq!(out(&["monday", "main", "--table", "u", "--hex"]), "+\tu\t78\t6666\n");
    let json = out(&["tuesday", "monday", "--json"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let expected = serde_json::json!(
        {"table": "t", "key": "b", "change": "changed", "old": "two", "new": "2"}
    );
    assert_eq!(first, expected);
    assert!(json.contains(r#""change":"removed","old":"4","new":null"#), "{json}");
    assert!(json.contains(r#""change":"added","old":null,"new":"3""#), "{json}");
    let stat = out(&["monday", "tuesday", "--stat", "--json", "--table", "t"]);
    assert_eq!(stat, "{\"table\":\"t\",\"added\":1,\"removed\":1,\"changed\":1}\n");
}

#[test]
fn equal_states_differ_in_nothing_and_a_missing_name_is_no_difference() {
    let store = two_days();
    assert_eq!(store.run("diff", ["tuesday", "main"]).ok(), "");
    assert_eq!(store.run("diff", ["tuesday", "main", "--stat"]).ok(), "");
    assert!(store.run("diff", ["monday", "sunday"]).fails(3).contains("sunday"));
    store.run("diff", ["sunday", "monday"]).fails(3);
}

#[test]
fn main_goes_back_and_forward() {
    let store = two_days();
    store.run("rollback", ["monday"]).ok();
    assert_eq!(store.run("scan", ["t"]).ok(), "a\t1\nb\t2\nc\t3\n");
    assert_eq!(store.run("tables", []).ok(), "t\n");
    store.run("rollback", ["tuesday"]).ok();
    assert_eq!(store.run("get", ["t", "b"]).ok(), "two\n");
    store.run("rollback", ["sunday"]).fails(1);
}

#[test]
fn snapshots_are_listed_and_deleted_in_any_order() {
    let store = two_days();
    store.run("snapshot create", ["wednesday"]).ok();
    let names = || -> Vec<String> {
        let list = store.run("snapshot list", []).ok();
        list.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(), ["monday", "tuesday", "wednesday"]);
    let json = store.run("snapshot list", ["--json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(list[0]["name"], "monday");
    assert_eq!(list[0]["branch"], "main");
    assert!(list[0]["created"].as_str().unwrap().ends_with('Z'), "{json}");
    assert_eq!(list[0]["held"], false);

    assert!(store.run("snapshot create", ["monday"]).fails(3).contains("monday"));
    assert!(store.run("snapshot create", ["main"]).fails(3).contains("main"));
    let missing = store.run("snapshot delete", ["monday", "sunday"]).fails(1);
    assert!(missing.contains("nothing was deleted"), "{missing}");
    assert_eq!(names().len(), 3);
    store.run("snapshot delete", ["tuesday"]).ok();
    assert_eq!(store.run("get", ["t", "b", "--at", "monday"]).ok(), "2\n");
    store.run("snapshot delete", ["wednesday", "monday", "--wait"]).ok();
    assert_eq!(names(), [""; 0]);
    assert_eq!(store.run("get", ["t", "b"]).ok(), "two\n");
}
