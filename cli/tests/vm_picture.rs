//! `vm run --picture` draws a run: XML that parses, with the names and counts of the trace in it.

mod support;

use std::path::{Path, PathBuf};

use roxmltree::Document;
use support::{Ended, cowslip};

fn trace(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/traces").join(name)
}

fn run(trace: &Path, picture: &Path, more: &[&str]) -> Ended {
    let mut args = vec!["vm".as_ref(), "run".as_ref(), trace.as_os_str()];
    args.extend(["--picture".as_ref(), picture.as_os_str()]);
    args.extend(more.iter().map(std::ffi::OsStr::new));
    cowslip(args, b"")
}

/// The picture of a trace.
fn draw(trace: &Path, more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.svg");
    run(trace, &picture, more).ok();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing but the picture is left: {names:?}");
    std::fs::read_to_string(picture).unwrap()
}

/// The picture of a trace that is given as text.
fn draw_text(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("my.trace");
    std::fs::write(&trace, text).unwrap();
    draw(&trace, &[])
}

/// All that is written in it, piece by piece, without the tips.
fn texts<'a>(document: &'a Document<'_>) -> Vec<&'a str> {
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.filter_map(|node| node.text()).collect()
}

#[test]
fn a_fork_and_the_copies_after_it_are_named_and_counted() {
    let picture = draw(&trace("01_fork_writes.trace"), &[]);
    let document = Document::parse(&picture).unwrap();
    let texts = texts(&document);
    let labels = ["touched", "forked", "child_1pct", "child_10pct", "child_all", "at the end"];
    for expected in ["01_fork_writes.trace", "A", "B"].into_iter().chain(labels) {
        assert!(texts.contains(&expected), "{expected}");
    }
    for expected in ["4,055 shared", "41 private", "4,055 frames", "41 frames"] {
        assert!(texts.iter().any(|text| text.starts_with(expected)), "{expected}");
    }
    assert!(texts.contains(&"8,192 pages in 4,137 frames: 4,055 saved"));
    let scripts = document.descendants().filter(|node| node.has_tag_name("script")).count();
    assert_eq!(scripts, 0);
    assert!(picture.contains("prefers-color-scheme:dark"));
    assert_eq!(picture, draw(&trace("01_fork_writes.trace"), &[]), "the same each time");
}

#[test]
fn shared_page_tables_can_be_seen() {
    let count = |fork: &str| {
        let picture = draw(&trace("01_fork_writes.trace"), &["--fork", fork]);
        let document = Document::parse(&picture).unwrap();
        let hatched =
            document.descendants().filter(|node| node.attribute("class") == Some("table"));
        (hatched.count(), texts(&document).contains(&"10 tables; 7 of 8 leaves shared"))
    };
    // All of both processes behind the fork, and all but one leaf table in the two panels then.
    assert_eq!(count("shared"), (6, true));
    assert_eq!(count("eager"), (0, false));
}

#[test]
fn pages_that_are_scattered_over_a_gibibyte_are_counted_together() {
    let picture = draw(&trace("10_sparse_hash.trace"), &[]);
    assert!(picture.len() < 1 << 20, "{}", picture.len());
    let document = Document::parse(&picture).unwrap();
    for expected in ["900 shared", "110 private", "490 zero", "260,644 none", "× 990"] {
        assert!(texts(&document).contains(&expected), "{expected}");
    }
}

#[test]
fn every_trace_has_a_picture_of_modest_size() {
    for entry in std::fs::read_dir(trace("")).unwrap() {
        let path = entry.unwrap().path();
        // Others may need options of their own.
        let checked = path.with_extension("expected").exists();
        if checked && path.extension().is_some_and(|extension| extension == "trace") {
            let picture = draw(&path, &[]);
            Document::parse(&picture).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(picture.len() < 1 << 20, "{}: {}", path.display(), picture.len());
        }
    }
}

#[test]
fn names_are_escaped() {
    let picture = draw_text("A mmap H pages=16\nA write H 0..3 =1\nsnap <b>&\"\u{1}\n");
    let document = Document::parse(&picture).unwrap();
    assert!(texts(&document).contains(&"<b>&\"\u{fffd}"));
}

#[test]
fn what_is_too_much_to_show_is_said() {
    let mut text = "A mmap H pages=64\nA write H 0..64 =1\n".to_owned();
    for number in 0..40 {
        text += &format!("A fork P{number}\nP{number} write H {number}..64 step=3 =2\n");
        text += &format!("snap s{number}\n");
    }
    let picture = draw_text(&text);
    assert!(picture.len() < 1 << 20, "{}", picture.len());
    let document = Document::parse(&picture).unwrap();
    let texts = texts(&document);
    assert!(texts.contains(&"s0") && texts.contains(&"s39") && !texts.contains(&"s1"));
    assert!(texts.iter().any(|text| text.contains("12 of the 40 moments")), "{texts:?}");
    assert!(texts.contains(&"35 more processes are not shown"), "{texts:?}");
}

#[test]
fn regions_may_have_any_size() {
    for pages in ["1", "99999999999", "1099511627776"] {
        let picture = draw_text(&format!("A mmap H pages={pages}\nA mmap I pages={pages}\n"));
        assert!(Document::parse(&picture).is_ok(), "{pages}");
    }
    let picture = draw_text("");
    assert!(Document::parse(&picture).is_ok());
}

#[test]
fn a_vfork_is_one_address_space_of_two() {
    let picture = draw_text("A mmap H pages=16\nA write H 0..3 =1\nA vfork B\n");
    let document = Document::parse(&picture).unwrap();
    assert!(texts(&document).contains(&"A, B (vfork)"));
}

#[test]
fn a_picture_that_cannot_be_written_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("no such folder").join("p.svg");
    let ended = run(&trace("01_fork_writes.trace"), &picture, &[]).with(3);
    assert!(ended.err.contains(picture.to_str().unwrap()), "{}", ended.err);
    // The counts are there all the same.
    assert!(String::from_utf8(ended.out).unwrap().contains("copy=41"));
}

#[test]
fn a_trace_that_is_wrong_leaves_the_picture_as_it_was_and_the_trace_is_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, picture) = (folder.path().join("bad.trace"), folder.path().join("p.svg"));
    std::fs::write(&bad, "A mmap H pages=16\nC exit\n").unwrap();
    std::fs::write(&picture, "before").unwrap();
    run(&bad, &picture, &[]).with(3);
    assert_eq!(std::fs::read(&picture).unwrap(), b"before");
    run(&bad, &bad, &[]).fails(2);
    assert_eq!(std::fs::read_to_string(&bad).unwrap(), "A mmap H pages=16\nC exit\n");
}
