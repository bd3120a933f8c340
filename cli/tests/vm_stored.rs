//! `vm run --store` and `--resume`: a machine that is kept in a database, and goes on.

mod support;

use std::path::Path;

use support::{Ended, Store, cowslip};

fn run(trace: &str, options: &[&str], file: &Path) -> Ended {
    let file = file.to_str().unwrap();
    let options = options.iter().map(|option| if *option == "FILE" { file } else { option });
    cowslip(["vm", "run", "-"].into_iter().chain(options), trace.as_bytes())
}

/// The lines of the operations themselves.
fn answers(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| line.contains(" => ") && !line.starts_with("stored ")).collect()
}

#[test]
fn a_trace_cut_in_two_says_what_it_says_whole() {
    let (first, second) = (
        "A mmap H pages=600\nA write H 0..600 =1\nA fork B\nA madvise H 0..9 pageout\n",
        "B write H 0..40 =2\nA read H 0..600 expect=1\nB fork C\nC exit\n",
    );
    for fork in ["eager", "shared"] {
        let store = Store::new();
        let swap = "machine swap=100\n";
        let whole = run(&format!("{swap}{first}{second}"), &["--fork", fork], &store.file).ok();
        let begun =
            run(&format!("{swap}{first}"), &["--fork", fork, "--store", "FILE"], &store.file).ok();
        assert!(begun.contains("\nstored machine => memory=6"), "{begun}");
        let ended = run(second, &["--resume", "FILE"], &store.file).ok();
        assert_eq!([answers(&begun), answers(&ended)].concat(), answers(&whole));
        // Nothing was stored: it is still where it was.
        assert_eq!(run(second, &["--resume", "FILE"], &store.file).ok(), ended);
    }
}

#[test]
fn a_machine_has_a_name_and_a_branch() {
    let store = Store::new();
    let keep = ["--store", "FILE", "--name", "web"];
    run("A mmap H pages=9\nA write H 0..9 =1\n", &keep, &store.file).ok();
    let file = store.file.to_str().unwrap();
    cowslip(["branch", "create", file, "try", "main"], b"").ok();
    let on = ["--resume", "FILE", "--store", "FILE", "--name", "web", "--branch", "try"];
    let stored = run("A fork B\n", &on, &store.file).ok();
    assert!(stored.contains("stored web => memory=1 "), "{stored}");
    let list = |options: &[&str]| cowslip(["vm", "machines", file].iter().chain(options), b"").ok();
    assert_eq!(list(&[]), "web\tprocesses=1 frames=13 swapped=0\n");
    assert_eq!(
        list(&["--branch", "try", "--json"]),
        "[{\"name\":\"web\",\"processes\":2,\"frames\":17,\"swapped\":0}]\n"
    );
    assert_eq!(cowslip(["tables", file], b"").ok(), "");
    let differ = cowslip(["diff", file, "main", "try", "--stat"], b"").with(1);
    assert_eq!(String::from_utf8(differ.out).unwrap(), "web\t+0\t-0\t~1\n");
}

#[test]
fn what_cannot_be_resumed_or_stored_says_why() {
    let store = Store::new();
    let missing = run("A exit\n", &["--resume", "FILE"], &store.file).fails(1);
    assert!(missing.contains("no stored machine named \"machine\""), "{missing}");
    run("A mmap H pages=9\nA write H 0..9 =1\n", &["--store", "FILE"], &store.file).ok();
    let built = run("machine ram=100\n", &["--resume", "FILE"], &store.file).fails(3);
    assert!(built.contains("line 1: the machine is built already"), "{built}");
    let other = run("A exit\n", &["--resume", "FILE", "--fork", "shared"], &store.file).fails(2);
    assert!(other.contains("--fork"), "{other}");
    let small = run("A exit\n", &["--resume", "FILE", "--memory", "0"], &store.file).fails(3);
    assert!(small.contains("no more than 0 may be modelled"), "{small}");
    let file = store.file.to_str().unwrap();
    cowslip(["snapshot", "create", file, "s"], b"").ok();
    let sent = cowslip(["send", file, "s"], b"").fails(3);
    assert!(sent.contains("streams do not carry machines"), "{sent}");
    let table = cowslip(["put", file, "machine", "k", "v"], b"").fails(3);
    assert!(table.contains("\"machine\" is a stored machine, not a table"), "{table}");
}
