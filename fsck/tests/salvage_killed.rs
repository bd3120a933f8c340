//! The real program, killed while it salvages: there is no new store, the wreck is as it was, and the next salvage is
//! none the worse for it.

mod support;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use cowslip::Database;
use support::{check, contents};

/// Kills, spread over the time that a salvage takes.
const KILLS: u32 = 8;
/// Far longer than it takes, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A store with 4 snapshots, of which one copy of a superblock is damaged: all of it is there.
fn wreck(path: &Path) -> Vec<u8> {
    let db = Database::create(path).unwrap();
    for day in ["monday", "tuesday", "wednesday", "thursday"] {
        support::put_rows(&db, "main", 1, day);
        db.create_snapshot(day).unwrap();
    }
    db.close().unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let newest = support::Wreck::of(bytes.clone()).block.checkpoint;
    let copy = cowslip_pager::superblock::Superblock::offset(newest % 2, 0) as usize;
    bytes[copy + 70] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    bytes
}

fn command(wreck: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cowslip-fsck"));
    command.arg(wreck).arg("--salvage").arg(out);
    command
}

/// Starts a salvage, and waits until it has begun to write.
fn start(wreck: &Path, out: &Path, partial: &Path) -> Child {
    let child = command(wreck, out).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !partial.exists() && !out.exists() {
        assert!(begun.elapsed() < PATIENCE, "it does not begin to write");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_salvage_that_is_killed_gives_no_store_and_does_not_touch_the_wreck() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let (wreck_file, out, partial) = (path("wreck"), path("out.cow"), path("out.cow.partial"));
    let bytes = wreck(&wreck_file);

    let mut child = start(&wreck_file, &out, &partial);
    let begun = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let takes = begun.elapsed();
    let whole = contents(&std::fs::read(&out).unwrap());
    assert!(whole == contents(&bytes));
    std::fs::remove_file(&out).unwrap();

    let mut unfinished = 0;
    for kill in 0..KILLS {
        let mut child = start(&wreck_file, &out, &partial);
        std::thread::sleep(takes * kill / KILLS);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(std::fs::read(&wreck_file).unwrap() == bytes, "kill {kill}: the wreck is another");
        if out.exists() {
            // It was quicker this time, and finished: then it is all there.
            assert!(contents(&std::fs::read(&out).unwrap()) == whole, "kill {kill}");
            std::fs::remove_file(&out).unwrap();
            let _ = std::fs::remove_file(&partial);
            continue;
        }
        unfinished += 1;
        // What it left is named, and nobody's but the user's to remove.
        let left = std::fs::read(&partial).unwrap();
        let Output { status, stderr, .. } = command(&wreck_file, &out).output().unwrap();
        assert_eq!(status.code(), Some(8), "kill {kill}");
        assert!(String::from_utf8_lossy(&stderr).contains("out.cow.partial"), "kill {kill}");
        assert!(std::fs::read(&partial).unwrap() == left && !out.exists(), "kill {kill}");
        std::fs::remove_file(&partial).unwrap();

        let Output { status, stdout, .. } = command(&wreck_file, &out).output().unwrap();
        assert_eq!(status.code(), Some(0), "kill {kill}: {}", String::from_utf8_lossy(&stdout));
        let rescued = std::fs::read(&out).unwrap();
        assert!(check(&rescued).is_clean() && contents(&rescued) == whole, "kill {kill}");
        assert!(!partial.exists(), "kill {kill}");
        std::fs::remove_file(&out).unwrap();
    }
    assert!(unfinished > 0, "every salvage had finished before it was killed");
    assert!(std::fs::read(&wreck_file).unwrap() == bytes);
}
