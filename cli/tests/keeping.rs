//! What snapshots cost and contain, and which of them are deleted: usage, digest, hold, prune.

mod support;
use serde_json::{Value, json};
use support::{Store, cowslip};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Snapshots `a` and `b`, which share most of their rows, and `c`, which came from another database
/// and at which main stands.
fn three() -> Store {
    let store = Store::new();
    let rows: String = (0..5_000).map(|i| format!("{i:06}\tvalue {i}\n")).collect();
    store.run_with("load", ["rows", "--format", "tsv"], rows.as_bytes()).ok();
    store.run("snapshot create", ["a"]).ok();
    store.run("put", ["rows", "000000", "changed"]).ok();
    store.run("snapshot create", ["b"]).ok();
    let few = Store::new();
    few.run("put", ["rows", "k", "v"]).ok();
    few.run("snapshot create", ["c"]).ok();
    let small = few.run("send", ["c"]).with(0).out;
    store.run_with("receive", ["--follow", "small"], &small).ok();
    store.run("branch promote", ["small"]).ok();
    store.run("branch delete", ["small"]).ok();
    store
}

#[test]
fn usage_says_what_a_deletion_would_free() {
    let store = three();
    let text = store.run("snapshot usage", ["a"]).ok();
    let one = lines(&store.run("snapshot usage", ["a", "--json"]).ok());
    assert_eq!(one.len(), 1);
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{row}"));
    let fields = ["referenced_bytes", "unique_bytes", "written_bytes"];
    let [referenced, unique, written] = fields.map(|name| number(&one[0], name));
    assert_eq!(text, format!("a\t{referenced}\t{unique}\t{written}\n"));
    assert!(unique < referenced / 4, "most is shared: {text}");

    let both = lines(&store.run("snapshot usage", ["a", "b", "--json"]).ok());
    assert_eq!((&both[0], &both[1]["name"]), (&one[0], &json!("b")));
    assert_eq!(both[2]["together"], json!(["a", "b"]));
    let together = number(&both[2], "unique_bytes");
    assert!(together > referenced, "only these two share it: {both:?}");
    let text = store.run("snapshot usage", ["a", "b"]).ok();
    assert_eq!(text.lines().last().unwrap(), format!("\t\t{together}\t"));

    let list = store.run("snapshot list", ["--usage"]).ok();
    assert!(
        list.lines().next().unwrap().ends_with(&format!("\t{referenced}\t{unique}\t{written}"))
    );
    let list: Value =
        serde_json::from_str(&store.run("snapshot list", ["--usage", "--json"]).ok()).unwrap();
    assert_eq!(list[0]["unique_bytes"], one[0]["unique_bytes"]);

    let used = || {
        let report: Value = serde_json::from_str(&store.run("fsck", ["--json"]).ok()).unwrap();
        report["pages_checked"].as_u64().unwrap() * report["page_size"].as_u64().unwrap()
    };
    let before = used();
    store.run("snapshot delete", ["a", "b", "--wait"]).ok();
    // The pages of names and counts change as well, by a few.
    let freed = before - used();
    assert!(freed.abs_diff(together) <= 8 * 4096, "{freed} freed, {together} announced");
}

#[test]
fn a_digest_depends_on_the_contents_only() {
    let (store, other) = (Store::new(), Store::empty());
    other.run("create", ["--page-size", "16384"]).ok();
    for (key, value) in [("a", "1"), ("b", "2")] {
        store.run("put", ["t", key, value]).ok();
    }
    for (key, value) in [("b", "x"), ("b", "2"), ("a", "1")] {
        other.run("put", ["t", key, value]).ok();
    }
    let digest = store.run("snapshot digest", ["main"]).ok();
    assert_eq!(digest.trim_end().len(), 64);
    assert!(digest.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(other.run("snapshot digest", ["main"]).ok(), digest);
    store.run("snapshot create", ["s"]).ok();
    let hex = digest.trim_end();
    let two = store.run("snapshot digest", ["main", "s"]).ok();
    assert_eq!(two, format!("{hex}\tmain\n{hex}\ts\n"));
    let rows = lines(&store.run("snapshot digest", ["s", "--json"]).ok());
    assert_eq!(rows, [json!({"name": "s", "digest": hex})]);
    store.run("put", ["t", "b", "3"]).ok();
    assert_ne!(store.run("snapshot digest", ["main"]).ok(), digest);
    store.run("snapshot digest", ["sunday"]).fails(1);
    store.run("snapshot usage", ["sunday"]).fails(1);
}

#[test]
fn what_is_held_stays_until_it_is_released() {
    let store = three();
    store.run("snapshot hold", ["a", "b"]).ok();
    let json: Value = serde_json::from_str(&store.run("snapshot list", ["--json"]).ok()).unwrap();
    assert_eq!([&json[0]["held"], &json[1]["held"], &json[2]["held"]], [true, true, false]);
    let why = store.run("snapshot delete", ["c", "a"]).fails(3);
    assert!(why.contains("held") && why.contains("snapshot release"), "{why}");
    assert_eq!(store.run("snapshot list", []).ok().lines().count(), 3, "all or none");
    let gone = store.run("snapshot prune", ["--keep-last", "1", "--branch", "main"]).ok();
    assert_eq!(gone, "");
    store.run("snapshot release", ["a"]).ok();
    store.run("snapshot delete", ["a", "a", "c"]).ok();
}

#[test]
fn a_list_shows_what_is_held_and_labels_and_nothing_where_there_is_neither() {
    let store = Store::new();
    for (name, label) in [("a", None), ("b", Some("x\ty")), ("c", None), ("d", Some("held"))] {
        let label = label.into_iter().flat_map(|label| ["--label", label]);
        store.run("snapshot create", [name].into_iter().chain(label)).ok();
    }
    store.run("snapshot hold", ["b", "c"]).ok();
    let ends = |options: &[&str], columns: usize| -> Vec<String> {
        let list = store.run("snapshot list", options.iter().copied()).ok();
        let end = |line: &str| line.splitn(columns + 1, '\t').nth(columns).unwrap_or("-").into();
        list.lines().map(end).collect()
    };
    let expected = ["-", "held\tx\\ty", "held", "\theld"];
    assert_eq!(ends(&[], 3), expected);
    // The figures stay where they are.
    assert_eq!(ends(&["--usage"], 6), expected);
    store.run("snapshot release", ["b"]).ok();
    assert_eq!(ends(&[], 3), ["-", "\tx\\ty", "held", "\theld"]);
}

#[test]
fn of_several_snapshots_all_are_held_or_released_or_none() {
    let store = three();
    let held = || {
        let json = store.run("snapshot list", ["--json"]).ok();
        let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
        rows.iter().map(|row| row["held"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    let is_refused = |verb| {
        let why = store.run(verb, ["b", "a", "sunday"]).fails(1);
        assert!(why.contains("\"sunday\"") && why.contains("nothing was changed"), "{why}");
    };
    is_refused("snapshot hold");
    assert_eq!(held(), [false, false, false]);
    store.run("snapshot hold", ["b", "a", "b"]).ok();
    is_refused("snapshot release");
    assert_eq!(held(), [true, true, false]);
    store.run("snapshot release", ["a", "b", "c"]).ok();
    assert_eq!(held(), [false, false, false]);
}

#[test]
fn prune_says_what_it_would_do_and_does_that() {
    let store = Store::new();
    for name in ["s1", "s2", "s3", "s4"] {
        store.run("put", ["t", "k", name]).ok();
        store.run("snapshot create", [name]).ok();
    }
    store.run("snapshot hold", ["s1"]).ok();
    store.run("branch create", ["trial", "s4"]).ok();
    store.run("snapshot create", ["t1", "--branch", "trial"]).ok();

    let rules = ["--keep-last", "1", "--keep-yearly", "1", "--branch", "main"];
    let dry = rules.iter().copied().chain(["--dry-run"]);
    let plan = store.run("snapshot prune", dry.clone()).ok();
    assert_eq!(plan, "keep\ts4\tlast,yearly\ndelete\ts3\ndelete\ts2\nkeep\ts1\theld\n");
    let json: Value =
        serde_json::from_str(&store.run("snapshot prune", dry.chain(["--json"])).ok()).unwrap();
    assert_eq!(json[0]["kept_by"], json!(["last", "yearly"]));
    assert_eq!((&json[1]["name"], &json[1]["kept_by"]), (&json!("s3"), &json!([])));
    assert_eq!(store.run("snapshot list", []).ok().lines().count(), 5, "nothing was deleted");

    let done = store.run("snapshot prune", rules.iter().copied().chain(["--wait", "--json"])).ok();
    assert_eq!(serde_json::from_str::<Value>(&done).unwrap(), json!(["s3", "s2"]));
    let left = store.run("snapshot list", []).ok();
    let names: Vec<&str> = left.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["s1", "s4", "t1"]);
    assert_eq!(store.run("snapshot prune", ["--keep-within", "1h 30min"]).ok(), "");
    assert_eq!(store.run("snapshot prune", ["--keep-within", "0s", "--keep-last", "1"]).ok(), "");
}

#[test]
fn rules_that_keep_nothing_are_a_mistake() {
    let store = three();
    let rows: [&[&str]; 5] = [
        &[],
        &["--keep-last", "0"],
        &["--keep-last", "many"],
        &["--keep-within", "tomorrow"],
        &["--keep-last", "1", "--dry-run", "--wait"],
    ];
    for args in rows {
        store.run("snapshot prune", args.iter().copied()).fails(2);
    }
    assert_eq!(store.run("snapshot list", []).ok().lines().count(), 3);
}

#[test]
fn diff_looks_into_a_range_of_keys_only() {
    let store = three();
    let out = |args: &[&str]| {
        let args = ["a", "b"].iter().chain(args).copied();
        let ended = store.run("diff", args);
        assert_eq!(ended.err, "");
        (ended.status.unwrap(), String::from_utf8(ended.out).unwrap())
    };
    let change = "~\trows\t000000\tvalue 0\tchanged\n";
    assert_eq!(out(&["--prefix", "0000"]), (1, change.into()));
    assert_eq!(out(&["--to", "000001"]), (1, change.into()));
    assert_eq!(out(&["--to", "000000"]), (0, String::new()), "--to is exclusive");
    assert_eq!(out(&["--from", "000001"]), (0, String::new()));
    assert_eq!(out(&["--from", "9", "--to", "1"]), (0, String::new()));
    assert_eq!(out(&["--table", "other"]), (0, String::new()));
    assert_eq!(
        out(&["--table", "rows", "--prefix", "0", "--stat"]),
        (1, "rows\t+0\t-0\t~1\n".into())
    );
    assert_eq!(out(&["--hex", "--prefix", "3030", "--stat"]), (1, "rows\t+0\t-0\t~1\n".into()));
    store.run("diff", ["a", "b", "--hex", "--prefix", "0"]).fails(2);
}

#[test]
fn diff_passes_by_what_is_too_large_and_says_so() {
    let store = Store::new();
    store.run("snapshot create", ["empty"]).ok();
    let large = vec![7; (16 << 20) + 1];
    let file = store.file.as_os_str();
    let put = ["put", "t", "b", "--value-from", "-"].map(std::ffi::OsStr::new);
    let words = [&put[..1], &[file], &put[1..]].concat();
    cowslip(words, &large).ok();
    store.run("put", ["t", "a", "1"]).ok();
    store.run("put", ["t", "c", "3"]).ok();
    let ended = store.run("diff", ["empty", "main"]).with(3);
    assert_eq!(ended.out, b"+\tt\ta\t1\n+\tt\tc\t3\n");
    assert!(ended.err.contains("1 more") && ended.err.lines().count() == 1, "{}", ended.err);
}
