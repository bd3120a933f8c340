//! What `dump` prints, `load` reads: every format, every byte.

mod support;
use support::Store;

/// A table with every byte value in keys and values, empty ones, and one that is large.
fn nasty() -> Store {
    let store = Store::new();
    let mut input = String::from("\t\n6c61726765\t");
    input.extend((0..100_000).map(|i| format!("{:02x}", i % 251)));
    input.push('\n');
    for byte in 0..=255_u8 {
        input.push_str(&format!("{byte:02x}\t{byte:02x}0d0a09{:02x}\n", 255 - byte));
    }
    store.run_with("load", ["t", "--format", "tsv", "--hex"], input.as_bytes()).ok();
    store
}

#[test]
fn every_format_brings_everything_back() {
    let store = nasty();
    let expected = store.run("scan", ["t", "--hex"]).ok();
    assert_eq!(expected.lines().count(), 258);
    let formats: [&[&str]; 8] = [
        &["--format", "dump"],
        &["--format", "dump", "--print"],
        &["--format", "tsv"],
        &["--format", "tsv", "--hex"],
        &["--format", "csv"],
        &["--format", "csv", "--hex"],
        &["--format", "jsonl"],
        &["--format", "jsonl", "--hex"],
    ];
    for format in formats {
        let text = store.run("dump", ["t"].iter().chain(format).copied()).with(0).out;
        let copy = Store::new();
        let load = ["t"].iter().chain(format).copied().filter(|&arg| arg != "--print");
        copy.run_with("load", load, &text).ok();
        assert_eq!(copy.run("scan", ["t", "--hex"]).ok(), expected, "{format:?}");
    }
}

#[test]
fn the_formats_look_as_documented() {
    let store = Store::new();
    store.run("put", ["t", "a,b", "c\"d"]).ok();
    store.run("put", ["t", "ff", "00", "--hex"]).ok();
    let dump = |format: &str| store.run("dump", ["t", "--format", format]).with(0).out;
    assert_eq!(dump("csv"), b"key,value\n\"a,b\",\"c\"\"d\"\n\xff,\0\n");
    assert_eq!(dump("tsv"), b"a,b\tc\"d\n\\xff\t\0\n");
    assert_eq!(
        String::from_utf8(dump("jsonl")).unwrap(),
        "{\"key\":\"a,b\",\"value\":\"c\\\"d\"}\n{\"key\":{\"hex\":\"ff\"},\"value\":\"\\u0000\"}\n"
    );
    let text = String::from_utf8(dump("dump")).unwrap();
    assert!(text.starts_with("VERSION=3\nformat=bytevalue\ndatabase=t\ntype=btree\nmapsize="));
    assert!(text.ends_with("HEADER=END\n 612c62\n 632264\n ff\n 00\nDATA=END\n"));
}

#[test]
fn all_tables_go_out_and_come_back_in_one_file() {
    let store = Store::new();
    store.run("put", ["one", "a", "1"]).ok();
    store.run("put", ["two", "b", "2"]).ok();
    let text = store.run("dump", ["--all"]).with(0).out;
    let copy = Store::new();
    copy.run_with("load", ["--all"], &text).ok();
    assert_eq!(copy.run("tables", ["--long"]).ok(), "one\t1\ntwo\t1\n");
    assert_eq!(copy.run("get", ["two", "b"]).ok(), "2\n");
    let refused = store.run("dump", ["--all", "--format", "csv"]).fails(2);
    assert!(refused.contains("--format dump"));
}

#[test]
fn a_value_of_any_size_goes_out_and_comes_back() {
    let store = Store::new();
    let value: Vec<u8> = (0..5_000_000_u32).flat_map(|i| (i * 7).to_be_bytes()).collect();
    let path = store.folder().join("value");
    std::fs::write(&path, &value).unwrap();
    store.run("put", ["t", "a", "before"]).ok();
    store.run("put", ["t", "b", "--value-from", path.to_str().unwrap()]).ok();
    store.run("put", ["t", "c", "behind"]).ok();
    for form in [&[][..], &["--print"]] {
        let text = store.run("dump", ["t"].iter().chain(form).copied()).with(0).out;
        let copy = Store::new();
        copy.run_with("load", ["t"], &text).ok();
        assert!(copy.run("get", ["t", "b", "--raw"]).with(0).out == value, "{form:?}");
        assert_eq!(copy.run("tables", ["--long"]).ok(), "t\t3\n");
        // Cut in the middle of it, nothing is loaded.
        let cut = &text[..text.len() / 2];
        assert!(copy.run_with("load", ["u"], cut).fails(3).contains("cut short"));
        assert_eq!(copy.run("tables", []).ok(), "t\n");
    }
    let scan = store.run("scan", ["t", "--hex", "--reverse"]).ok();
    let lines: Vec<&str> = scan.lines().collect();
    assert_eq!((lines[0], lines[2]), ("63\t626568696e64", "61\t6265666f7265"));
    assert_eq!(lines[1].len(), 3 + 2 * value.len());
    for format in ["csv", "jsonl"] {
        let refused = store.run("dump", ["t", "--format", format]).with(3).err;
        assert!(refused.contains("key \"b\" is too long"), "{refused}");
    }
}
