//! `scan` prints the entries of a range in order, from either end, on lines that stay lines.

mod support;
use support::Store;

fn letters() -> Store {
    let store = Store::new();
    let input: String = ('a'..='e').map(|c| format!("{c}\t1\n{c}{c}\t2\n")).collect();
    store.run_with("load", ["t", "--format", "tsv"], input.as_bytes()).ok();
    store
}

#[test]
fn a_table_of_cases() {
    let store = letters();
    let rows: [(&[&str], &str); 12] = [
        (&[], "a aa b bb c cc d dd e ee"),
        (&["--from", "bb"], "bb c cc d dd e ee"),
        (&["--to", "bb"], "a aa b"),
        (&["--from", "b", "--to", "cc"], "b bb c"),
        (&["--prefix", "c"], "c cc"),
        (&["--prefix", "c", "--from", "cc", "--to", "z"], "cc"),
        (&["--reverse", "--limit", "3"], "ee e dd"),
        (&["--limit", "0"], ""),
        (&["--limit", "2"], "a aa"),
        (&["--from", "d", "--to", "b"], ""),
        (&["--prefix", "x"], ""),
        (&["--prefix", "6", "--hex"], ""),
    ];
    for (args, expected) in rows {
        if args.contains(&"--hex") {
            store.run("scan", ["t"].iter().chain(args).copied()).fails(2);
            continue;
        }
        let out = store.run("scan", ["t"].iter().chain(args).copied()).ok();
        let keys: Vec<&str> = out.lines().map(|line| line.split('\t').next().unwrap()).collect();
        assert_eq!(keys.join(" "), expected, "{args:?}");
    }
}

#[test]
fn bytes_that_would_break_a_line_are_escaped() {
    let store = Store::new();
    store.run("put", ["t", "5c090a0dff00c3bc", "80", "--hex"]).ok();
    assert_eq!(store.run("scan", ["t"]).ok(), "\\\\\\t\\n\\r\\xff\0ü\t\\x80\n");
    assert_eq!(store.run("scan", ["t", "--hex"]).ok(), "5c090a0dff00c3bc\t80\n");
    assert_eq!(store.run("scan", ["t", "--hex", "--prefix", "5c"]).ok(), "5c090a0dff00c3bc\t80\n");
}
