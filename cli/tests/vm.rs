//! `vm run`: traces and what is printed of them, as text, step by step, and as JSON.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Ended, cowslip};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/traces")
}

/// Files of `docs/traces` with this extension, in order.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// Runs a trace that comes on standard input.
fn run(options: &[&str], trace: &str) -> Ended {
    cowslip(["vm", "run", "-"].iter().chain(options), trace.as_bytes())
}

fn run_file(options: &[&str], trace: &Path) -> Ended {
    let words = ["vm", "run", trace.to_str().unwrap()];
    cowslip(words.iter().chain(options), b"")
}

#[test]
fn every_trace_prints_what_is_promised() {
    let traces = files("trace");
    assert!(traces.len() >= 28, "the traces were found");
    for trace in traces {
        let promised = ["expected", "output"].map(|kind| trace.with_extension(kind));
        let promised: Vec<_> = promised.iter().filter(|file| file.exists()).collect();
        assert_eq!(promised.len(), 1, "either a kernel's counts or an output: {}", trace.display());
        let promised = std::fs::read_to_string(promised[0]).unwrap();
        let printed = run_file(&["--fork", "eager"], &trace).ok();
        for (number, (printed, promised)) in printed.lines().zip(promised.lines()).enumerate() {
            assert_eq!(printed, promised, "{}, line {} of it", trace.display(), number + 1);
        }
        assert_eq!(printed.lines().count(), promised.lines().count(), "{}", trace.display());
        assert_eq!(run_file(&[], &trace).ok(), printed, "eager unless told otherwise");
    }
}

/// Each block of commands is run, and what is quoted behind it is found in the output, in order.
#[cfg(unix)]
#[test]
fn the_pages_quote_what_is_printed() {
    let program = Path::new(env!("CARGO_BIN_EXE_cowslip")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut quotes = 0;
    for page in files("md") {
        let text = std::fs::read_to_string(&page).unwrap();
        let mut printed = String::new();
        for (number, block) in text.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1)
        {
            let (language, body) = block.split_once('\n').unwrap();
            let place = || format!("{}, block {}:\n{body}", page.display(), number.div_ceil(2));
            match language {
                "sh" => {
                    let shell = std::process::Command::new("sh")
                        .args(["-ec", body])
                        .env("PATH", &path)
                        .current_dir(folder())
                        .output()
                        .unwrap();
                    assert!(shell.status.success() && shell.stderr.is_empty(), "{}", place());
                    printed = String::from_utf8(shell.stdout).unwrap();
                }
                "text" => {
                    let mut lines = printed.lines();
                    for quote in body.lines() {
                        let found = lines.any(|line| line == quote);
                        assert!(found, "`{quote}` is not printed (here): {}", place());
                        quotes += 1;
                    }
                }
                _ => {}
            }
        }
    }
    assert!(quotes > 80, "only {quotes} quotes were compared");
}

#[test]
fn the_index_names_every_trace_and_every_page() {
    let index = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for file in files("trace").iter().chain(&files("md")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        // Variants of one scenario stand in one row.
        let variant = name.split_once("_mode").filter(|(scenario, _)| *scenario == "fork_bomb");
        let named = match variant {
            Some((scenario, mode)) => {
                index.contains(scenario) && index.contains(&format!("`_mode{mode}`"))
            }
            None => index.contains(&format!("`{name}`")) || name == "README",
        };
        assert!(named, "{name} is not in the index");
    }
}

#[test]
fn a_bad_trace_is_refused_with_its_line_and_a_reason() {
    for (trace, reason) in [
        ("A dance\n", "line 1: `dance`"),
        ("# a comment\n\nA mmap H\n", "line 3: a mapping needs pages=N"),
        ("A mmap H pages=4\nA write H 0..4 =300\n", "line 2: `300` is no number that fits here"),
        ("A mmap H pages=4\nA madvise H 0..4 now\n", "line 2: `now` is no advice"),
        ("A exit\nmachine ram=100\n", "line 2: the machine is built by the first line"),
    ] {
        let why = run(&[], trace).fails(3);
        assert!(why.contains(reason), "{trace}: {why}");
    }
}

#[test]
fn what_cannot_be_done_stops_a_run_after_what_was_done() {
    for (trace, reason) in [
        ("A mmap H pages=4\nB write H 0..4 =1\n", "line 2: there is no process B"),
        ("A mmap H pages=4\nA write H 0..5 =1\n", "line 2: region H has 4 pages"),
        ("A mmap H pages=4\nA read G 0..1\n", "line 2: A has no region G"),
        ("A mmap H pages=4\nA vfork B\nA write H 0..1 =1\n", "line 3: A sleeps until B"),
        ("A mmap H pages=4\nA fork B\nA wait B\n", "line 3: B is no child of A that has ended"),
    ] {
        let ended = run(&[], trace).with(3);
        assert!(ended.err.contains(reason), "{trace}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        assert!(ended.out.starts_with(b"A mmap H pages=4 => min=0 maj=0 pt=+0\n"));
    }
}

#[test]
fn a_missing_trace_is_named() {
    let why = cowslip(["vm", "run", "no.trace"], b"").fails(3);
    assert!(why.contains("no.trace"), "{why}");
    cowslip(["vm", "run"], b"").with(2);
    cowslip(["vm", "run", "-", "--fork", "never"], b"").with(2);
    cowslip(["vm", "run", "-", "--json", "--explain"], b"").with(2);
}

#[test]
fn standard_input_is_a_trace_like_any_other() {
    for trace in files("trace") {
        let text = std::fs::read_to_string(&trace).unwrap();
        assert_eq!(run(&[], &text), run_file(&[], &trace), "{}", trace.display());
    }
    assert_eq!(run(&[], "").ok().lines().count(), 2, "an empty trace: totals, and process A");
}

#[test]
fn json_is_an_object_a_line_and_says_what_the_text_says() {
    for trace in files("trace") {
        let text = std::fs::read_to_string(&trace).unwrap();
        let bare = |line: &str| line.split('#').next().unwrap().trim().to_owned();
        let operations: Vec<String> =
            text.lines().map(bare).filter(|operation| !operation.is_empty()).collect();
        let printed = run_file(&[], &trace).ok();
        let json = run_file(&["--json"], &trace).ok();
        let objects: Vec<Value> =
            json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(objects.len(), operations.len() + 1, "{}", trace.display());
        for (object, operation) in objects.iter().zip(&operations) {
            assert_eq!(object["operation"], operation.as_str());
            let number = object["line"].as_u64().unwrap() as usize;
            assert_eq!(bare(text.lines().nth(number - 1).unwrap()), *operation);
            for (name, count) in object["counts"].as_object().into_iter().flatten() {
                // How often tables were copied is not in the text.
                let same = |line: &str| {
                    line.strip_prefix(operation.as_str()).is_some_and(|answer| {
                        answer.split(' ').any(|word| word == format!("{name}={count}"))
                    })
                };
                assert!(printed.lines().any(same), "{name}={count} of `{operation}`");
            }
        }
        let end = objects.last().unwrap();
        assert!(end["end"]["anon_frames"].is_u64(), "{end}");
        for process in end["processes"].as_array().unwrap() {
            let name = process["process"].as_str().unwrap();
            let (min, maj) = (&process["counts"]["min"], &process["counts"]["maj"]);
            let line = format!("proc {name} min={min} maj={maj} ");
            assert!(printed.lines().any(|printed| printed.starts_with(&line)), "{line}");
        }
    }
}

const COPIES: &str = "A mmap H pages=8\nA write H 0..8 =1\nA fork B\nB write H 2..6 =2\n";

#[test]
fn a_fault_is_told_in_six_steps() {
    let told = run(&["--explain"], COPIES).ok();
    let (_, of_copies) = told.split_once("B write H 2..6 =2 => min=4 maj=0 copy=4").unwrap();
    let steps: Vec<&str> = of_copies.lines().skip(1).take(7).map(str::trim).collect();
    let names = ["attempt", "interception", "analysis", "duplication", "map update", "resumption"];
    for (number, (step, name)) in steps.iter().zip(names).enumerate() {
        assert!(step.starts_with(&format!("{} {name}: ", number + 1)), "{step}");
    }
    assert!(steps[2].contains("2 owners"), "{}", steps[2]);
    assert!(steps[3].contains("copied to frame"), "{}", steps[3]);
    assert!(steps[6].starts_with("and 3 more like it"), "of many alike the first: {}", steps[6]);

    let steps_of = |line: &str| line.starts_with("    ") || line.starts_with("      and ");
    let without: String =
        told.lines().filter(|line| !steps_of(line)).flat_map(|l| [l, "\n"]).collect();
    assert_eq!(without, run(&[], COPIES).ok(), "the answers are the same");
}

#[test]
fn the_summary_stands_behind_the_answers() {
    let (plain, told) = (run(&[], COPIES).ok(), run(&["--summary"], COPIES).ok());
    let table = told.strip_prefix(&plain).expect("the answers come first");
    let of = |name: &str| {
        let row = table.lines().find(|line| line.starts_with(name)).expect(name);
        row.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("process")[..4], ["faults", "zeroed", "copied", "reused"]);
    assert_eq!(of("A ")[..4], ["8", "8", "0", "0"]);
    assert_eq!(of("B ")[..4], ["4", "0", "4", "0"]);
    assert!(table.contains("pages copied 4"), "{table}");
}

#[test]
fn who_was_killed_for_memory_is_said() {
    let told = run_file(&["--summary"], &folder().join("write_flood_24mib.trace")).ok();
    assert!(told.contains("sig=KILL_OOM"));
    let killed: Vec<&str> =
        told.lines().filter(|line| line.ends_with("killed: KILL_OOM")).collect();
    assert!(killed.len() == 1 && killed[0].starts_with("A "), "{killed:?}");
}

#[test]
fn a_trace_that_needs_too_much_memory_of_ours_is_stopped() {
    // 16 MiB are 4096 frames; a mapping takes none until it is touched.
    let small = "A mmap H pages=100000000 noreserve\nA write H 0..4000 =1\n";
    run(&["--memory", "16"], small).ok();
    let large = "A mmap H pages=100000000 noreserve\nA write H 0..5000 =1\n";
    let ended = run(&["--memory", "16"], large).with(3);
    assert!(ended.err.contains("line 2: more than the 4096 frames"), "{}", ended.err);
    run(&["--memory", "32"], large).ok();
}

#[test]
fn swap_in_a_file_changes_nothing_and_leaves_nothing() {
    let trace = "machine ram=300 swap=2000\nA mmap H pages=900\nA write H 0..900 =5\n\
                 A fork B\nB write H 0..300 =6\nA read H 0..900 expect=5\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("swap");
    let name = file.to_str().unwrap();
    let told = run(&["--swap", name], trace).ok();
    assert!(told.contains("bad=0"), "{told}");
    assert_eq!(told, run(&[], trace).ok());
    assert!(!file.exists());
    std::fs::write(&file, "mine").unwrap();
    let taken = run(&["--swap", name], trace).fails(3);
    assert!(taken.contains("exists"), "{taken}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}
