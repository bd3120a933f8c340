//! Salvage to a file: under its own name there is nothing, or a store that is finished.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use cowslip::Database;
use cowslip_fsck::{Error, Options, SalvageOptions, salvage};

fn store(path: &Path) {
    let db = Database::create(path).unwrap();
    for day in ["monday", "tuesday", "wednesday"] {
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for i in 0..1000 {
                table.insert(format!("{i:06}").as_bytes(), day.as_bytes()).unwrap();
            }
        }
        tx.commit().unwrap();
        db.create_snapshot(day).unwrap();
    }
    db.close().unwrap();
}

#[test]
fn a_salvage_that_is_interrupted_leaves_nothing_under_the_name_of_the_new_store() {
    let folder = tempfile::tempdir().unwrap();
    let (wreck, out) = (folder.path().join("wreck"), folder.path().join("out.cow"));
    let partial = folder.path().join("out.cow.partial");
    store(&wreck);
    let length = std::fs::metadata(&wreck).unwrap().len();
    // The states are counted after the bytes: 4 of them.
    for stop in 1..=4 {
        let progress = |done: u64, all: u64| {
            assert!(!out.exists());
            assert!(all == length || partial.exists());
            assert!(all == length || done < stop, "killed");
        };
        let options = SalvageOptions { progress: Some(&progress) };
        let killed = catch_unwind(AssertUnwindSafe(|| salvage(&wreck, &out, &options)));
        assert!(killed.is_err());
        assert!(!out.exists() && partial.exists(), "{stop}");
        // It is named, and left alone.
        let there = std::fs::read(&partial).unwrap();
        let error = salvage(&wreck, &out, &SalvageOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::PartialExists(path) if *path == partial));
        assert!(error.to_string().contains("out.cow.partial"), "{error}");
        assert!(std::fs::read(&partial).unwrap() == there && !out.exists());
        std::fs::remove_file(&partial).unwrap();
    }
    let salvaged = salvage(&wreck, &out, &SalvageOptions::default()).unwrap();
    assert_eq!(salvaged.exit_code(), 0, "{salvaged}");
    assert!(!partial.exists());
    assert!(cowslip_fsck::check(&out, &Options::default()).unwrap().is_clean());
}

#[test]
fn a_file_that_came_meanwhile_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (wreck, out) = (folder.path().join("wreck"), folder.path().join("out.cow"));
    store(&wreck);
    let progress = |_, _| std::fs::write(&out, "mine").unwrap();
    let options = SalvageOptions { progress: Some(&progress) };
    let result = salvage(&wreck, &out, &options);
    assert!(matches!(result, Err(Error::OutExists)), "{result:?}");
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    assert!(!folder.path().join("out.cow.partial").exists());
}
