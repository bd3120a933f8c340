//! `put`, `get` and `del` keep any bytes, and say by their exit status what they found.

mod support;
use support::{Store, cowslip};

#[test]
fn what_is_put_is_got_until_it_is_deleted() {
    let store = Store::new();
    store.run("put", ["users", "alice", "wonder land"]).ok();
    store.run("put", ["users", "bob", ""]).ok();
    assert_eq!(store.run("get", ["users", "alice"]).ok(), "wonder land\n");
    assert_eq!(store.run("get", ["users", "alice", "--raw"]).ok(), "wonder land");
    assert_eq!(store.run("get", ["users", "bob"]).ok(), "\n");
    store.run("put", ["users", "alice", "home"]).ok();
    assert_eq!(store.run("get", ["users", "alice"]).ok(), "home\n");
    store.run("del", ["users", "alice"]).ok();
    assert!(store.run("get", ["users", "alice"]).fails(1).contains("no such key"));
    assert!(store.run("del", ["users", "alice"]).fails(1).contains("no such key"));
}

#[test]
fn a_missing_table_is_not_found_and_not_made() {
    let store = Store::new();
    store.run("get", ["users", "alice"]).fails(1);
    store.run("del", ["users", "alice"]).fails(1);
    assert_eq!(store.run("tables", []).ok(), "");
}

#[test]
fn keys_and_values_may_be_hexadecimal() {
    let store = Store::new();
    store.run("put", ["t", "00ff", "FE0a", "--hex"]).ok();
    assert_eq!(store.run("get", ["t", "00FF", "--hex"]).ok(), "fe0a\n");
    store.run("put", ["t", "", "empty key"]).ok();
    assert_eq!(store.run("get", ["t", "", "--hex"]).ok(), "656d707479206b6579\n");
    store.run("del", ["t", "00ff", "--hex"]).ok();
    assert!(store.run("put", ["t", "0", "00", "--hex"]).fails(2).contains("odd number"));
    assert!(store.run("get", ["t", "zz", "--hex"]).fails(2).contains("not hexadecimal"));
}

#[test]
fn a_leading_dash_stands_after_two() {
    let store = Store::new();
    store.run("put", ["t", "--", "-k", "--value"]).ok();
    assert_eq!(store.run("get", ["t", "--", "-k"]).ok(), "--value\n");
    assert!(store.run("put", ["t", "-k", "v"]).fails(2).contains("'-- -k'"));
}

#[cfg(unix)]
#[test]
fn arguments_are_bytes_and_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let store = Store::new();
    let bytes = OsStr::from_bytes(b"\xff\xfe");
    let args = ["put".as_ref(), store.file.as_os_str(), "t".as_ref(), bytes, bytes];
    cowslip(args, b"").ok();
    assert_eq!(store.run("get", ["t", "fffe", "--hex"]).ok(), "fffe\n");
    assert_eq!(store.run("get", ["t", "fffe", "--hex", "--raw"]).ok(), "fffe");
}

#[test]
fn a_value_may_come_from_a_file_or_from_standard_input() {
    let store = Store::new();
    let value: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let path = store.folder().join("value");
    std::fs::write(&path, &value).unwrap();
    store.run("put", ["t", "file", "--value-from", path.to_str().unwrap()]).ok();
    store.run_with("put", ["t", "pipe", "--value-from", "-"], &value).ok();
    for key in ["file", "pipe"] {
        assert!(store.run("get", ["t", key, "--raw"]).with(0).out == value, "{key}");
    }
    let missing = store.run("put", ["t", "k", "--value-from", "/no/such/file"]).fails(3);
    assert!(missing.contains("/no/such/file"));
}

#[test]
fn a_key_that_is_too_long_is_refused_and_nothing_changes() {
    let store = Store::new();
    store.run("put", ["t", "k", "v"]).ok();
    let why = store.run("put", ["t", &"k".repeat(5000), "v"]).fails(3);
    assert!(why.contains("5000"), "{why}");
    assert_eq!(store.run("scan", ["t"]).ok(), "k\tv\n");
}
