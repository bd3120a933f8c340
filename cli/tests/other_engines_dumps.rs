//! Dumps made by LMDB's and Berkeley DB's own tools load whole, and come out as they went in; those
//! that cannot be loaded faithfully are refused with a reason. `mdb_load` reads what we write.

mod support;
use std::process::Command;

use support::{Store, fixture};

/// The part that says what the entries are: all but the sizes in the header.
fn entries(dump: &[u8]) -> &[u8] {
    let marker = b"HEADER=END\n";
    let at = dump.windows(marker.len()).position(|w| w == marker).expect("a header");
    &dump[at..]
}

#[test]
fn a_dump_comes_out_as_it_went_in() {
    // Berkeley DB's print form has `\\` where ours has `\5c`: see the next test.
    let rows: [(&str, &[&str]); 4] = [
        ("bytes.bytevalue.dump", &[]),
        ("twice.bytevalue.dump", &[]),
        ("twice.print.dump", &["--print"]),
        ("berkeley-btree.bytevalue.dump", &[]),
    ];
    for (name, form) in rows {
        let store = Store::new();
        let input = fixture(name);
        store.run_with("load", ["t"], &input).ok();
        let output = store.run("dump", ["t"].iter().chain(form).copied()).with(0).out;
        assert!(entries(&output) == entries(&input), "{name}");
    }
}

#[test]
fn both_forms_hold_the_same() {
    let store = Store::new();
    let tables = [
        ("lmdb", "twice.bytevalue.dump", "twice.print.dump"),
        ("bdb", "berkeley-btree.bytevalue.dump", "berkeley-btree.print.dump"),
    ];
    for (table, bytevalue, print) in tables {
        let other = format!("{table}-print");
        store.run_with("load", [table], &fixture(bytevalue)).ok();
        store.run_with("load", [other.as_str()], &fixture(print)).ok();
        let (one, two) = (store.run("scan", [table]).ok(), store.run("scan", [&*other]).ok());
        assert!(one.lines().count() > 250 && one == two, "{table}");
    }
}

#[test]
fn an_unsorted_hash_is_loaded_too() {
    let store = Store::new();
    store.run_with("load", ["fruit"], &fixture("berkeley-hash.print.dump")).ok();
    assert_eq!(store.run("scan", ["fruit"]).ok(), "apple\tred\nbanana\tyellow\n");
}

#[test]
fn several_databases_are_loaded_one_or_all_but_never_mixed() {
    for name in ["named.bytevalue.dump", "named.print.dump"] {
        let store = Store::new();
        let input = fixture(name);
        let mixed = store.run_with("load", ["t"], &input).fails(3);
        assert!(mixed.contains("`tree`") && mixed.contains("--all"), "{mixed}");
        assert_eq!(store.run("tables", []).ok(), "");
        store.run_with("load", ["t", "--database", "tree"], &input).ok();
        assert_eq!(store.run("scan", ["t"]).ok(), "birch\tfast\noak\tslow\n");
        let missing = store.run_with("load", ["t", "--database", "fish"], &input).fails(1);
        assert!(missing.contains("`fruit`, `tree`"), "{missing}");
        store.run_with("load", ["--all"], &input).ok();
        assert_eq!(store.run("tables", ["--long"]).ok(), "fruit\t3\nt\t2\ntree\t2\n");
    }
}

#[test]
fn what_cannot_be_loaded_faithfully_is_refused() {
    let rows = [
        ("dups.bytevalue.dump", "line 7: duplicates=1: several values under one key"),
        ("berkeley-dups.print.dump", "several values under one key"),
        ("berkeley-recno.print.dump", "type=recno"),
        ("backslash.print.dump", "line 8: a backslash that is no escape"),
    ];
    for (name, why) in rows {
        let store = Store::new();
        let refusal = store.run_with("load", ["t"], &fixture(name)).fails(3);
        assert!(refusal.contains(why) && refusal.contains("nothing was loaded"), "{refusal}");
        assert_eq!(store.run("tables", []).ok(), "", "{name}");
    }
}

#[test]
fn a_dump_cut_anywhere_is_refused() {
    let store = Store::new();
    let whole = fixture("named.print.dump");
    let first_end = whole.windows(9).position(|w| w == b"DATA=END\n").unwrap() + 9;
    for length in 0..first_end - 1 {
        let ended = store.run_with("load", ["t"], &whole[..length]);
        assert_eq!(ended.status, Some(3), "cut at {length}: {}", ended.err);
    }
    assert_eq!(store.run("tables", []).ok(), "");
}

#[test]
fn mdb_load_reads_ours() {
    if Command::new("mdb_load").arg("-V").output().is_err() {
        println!("skipped: mdb_load is not installed (Debian: lmdb-utils)");
        return;
    }
    let store = Store::new();
    store.run_with("load", ["bytes"], &fixture("bytes.bytevalue.dump")).ok();
    // More than LMDB's default size, so that our mapsize= has to do its work.
    let many: String = (0..20_000).map(|i| format!("{i:08}\t{}\n", "v".repeat(150))).collect();
    store.run_with("load", ["many", "--format", "tsv"], many.as_bytes()).ok();
    for table in ["bytes", "many"] {
        for form in [&[][..], &["--print"]] {
            let dump = store.run("dump", [table].iter().chain(form).copied()).with(0).out;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("in.dump");
            std::fs::write(&file, &dump).unwrap();
            let lmdb = folder.path().join("env");
            std::fs::create_dir(&lmdb).unwrap();
            let load = Command::new("mdb_load").arg("-f").arg(&file).arg(&lmdb).output().unwrap();
            assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
            let back = Command::new("mdb_dump").args(["-s", table]).arg(&lmdb).output().unwrap();
            let ours = store.run("dump", [table]).with(0).out;
            assert!(entries(&back.stdout) == entries(&ours), "{table} {form:?}");
        }
    }
}
