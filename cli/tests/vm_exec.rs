//! `vm run` with real files: programs that are executed, and lists of accesses that are replayed.

mod support;

use std::path::Path;

use support::{Ended, cowslip};

fn run(trace: &Path) -> Ended {
    cowslip(["vm", "run", trace.to_str().unwrap()].iter(), b"")
}

#[cfg(target_os = "linux")]
#[test]
fn two_processes_that_run_the_same_program_share_its_file_pages() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("two.trace");
    let text = "A fork B\nA exec /bin/cat\nB exec /bin/cat\nA read cat_text 0..1\n\
                B read cat_text 0..1\nA write cat_data 0..1 =1\nsnap both\n";
    std::fs::write(&trace, text).unwrap();
    let out = run(&trace).ok();
    let line = |start: &str| out.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    let figure = |line: &str, name: &str| -> u64 {
        let word = line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap();
        word.parse().unwrap()
    };
    // Programs differ from system to system: what is compared is the sharing.
    let mapped = figure(&line("A read cat_text"), "fmap=");
    assert_eq!(figure(&line("B read cat_text"), "fmap="), mapped);
    assert_eq!(figure(&line("snap both total"), "file_frames="), mapped);
    assert!(figure(&line("A exec"), "regions=") >= 4);
    assert!(line("A write cat_data").contains("sig=none"));
}

#[test]
fn what_is_no_program_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("bad.trace");
    std::fs::write(&trace, "A mmap H pages=4\nA exec bad.trace\n").unwrap();
    let refused = run(&trace);
    assert!(refused.with(3).err.contains("line 2: "));
    // Every prefix of a program is refused as well, or runs.
    #[cfg(target_os = "linux")]
    for length in [0, 3, 16, 64, 100, 500, 3000, 20_000] {
        let program = std::fs::read("/bin/cat").unwrap();
        std::fs::write(folder.path().join("cut"), &program[..length.min(program.len())]).unwrap();
        std::fs::write(&trace, "A exec cut\n").unwrap();
        assert!(run(&trace).with(3).err.contains("line 1: "));
    }
}

#[cfg(unix)]
#[test]
fn what_has_no_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("endless.trace");
    for (text, reason) in [
        ("A exec /dev/zero\n", "/dev/zero: not a regular file"),
        ("A replay /dev/zero\n", "/dev/zero, line 1: longer than 4096 bytes"),
    ] {
        std::fs::write(&trace, text).unwrap();
        let error = run(&trace).fails(3);
        assert!(error.contains("line 1: ") && error.contains(reason), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn foreign_programs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, file) = (folder.path().join("foreign.trace"), folder.path().join("foreign"));
    let program = std::fs::read("/bin/cat").unwrap();
    // Of 32 bits, big-endian, an object file, of a processor of long ago.
    for (at, byte) in [(4, 1), (5, 2), (16, 1), (18, 3)] {
        let mut program = program.clone();
        program[at] = byte;
        std::fs::write(&file, program).unwrap();
        std::fs::write(&trace, "A mmap H pages=4\nA exec foreign\n").unwrap();
        let error = run(&trace).with(3).err;
        assert!(error.contains("line 2: ") && error.contains("foreign: "), "{error}");
    }
}

#[test]
fn accesses_of_a_real_program_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let list = "==9== Lackey\nI  04016b80,3\n L 1ffefff0a8,8\n S 1ffefff0a0,8\n M 4ffe,4\n";
    std::fs::write(folder.path().join("list"), list).unwrap();
    let trace = folder.path().join("replay.trace");
    std::fs::write(&trace, "A replay list\nA fork B\nB replay list\n").unwrap();
    let out = run(&trace).ok();
    // Pages 4016, 1ffefff, 4 and 5 are read first, the last three then written. The child copies
    // those, and reads the first anew: its area has no private page, so it was not copied.
    assert!(out.contains("A replay list => min=7 maj=0 zmap=4 zbreak=3"), "{out}");
    assert!(out.contains("B replay list => min=4 maj=0 zmap=1 copy=3"), "{out}");
    std::fs::write(folder.path().join("list"), " L here,4\n").unwrap();
    let error = run(&trace).with(3).err;
    assert!(error.contains("line 1: no address"), "{error}");
}
