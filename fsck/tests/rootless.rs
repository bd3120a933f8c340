//! A store that had a commit has a root: a superblock without one makes no empty store of it.

mod support;

use std::sync::Arc;

use cowslip::{
    Database, Error,
    storage::{SimulatedStorage, simulated::FaultKind},
};
use cowslip_fsck::{Kind, Refusal, RepairOptions};
use cowslip_pager::superblock::Superblock;
use support::{by_code::forge_superblock, *};

fn rootless(mut wreck: Wreck, copies: &[u64]) -> Vec<u8> {
    forge_superblock(&mut wreck, copies, |block| block[80..96].fill(0));
    wreck.bytes
}

fn open(storage: &Arc<SimulatedStorage>) -> Result<Database, Error> {
    let builder = Database::builder().background(false).cache_size(8 << 20);
    builder.open_or_create_on(storage.clone())
}

#[test]
fn a_store_without_its_root_is_not_opened_and_not_written_to() {
    for image in [base::stored("closed.cow.gz"), base::stored("running.cow.gz")] {
        let bytes = rootless(Wreck::of(image), &[0, 1]);
        let storage = Arc::new(SimulatedStorage::from_image(bytes.clone()));
        let error = open(&storage).unwrap_err();
        assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
        assert!(storage.image() == bytes);
    }
}

#[test]
fn a_repair_frees_nothing_of_a_store_without_its_root() {
    let bytes = rootless(Wreck::new(), &[0, 1]);
    let report = check(&bytes);
    assert_eq!(report.counts.keys().collect::<Vec<_>>(), [&Kind::RootMissing], "{report}");
    for lossy in [false, true] {
        let storage = SimulatedStorage::from_image(bytes.clone());
        let options = RepairOptions { lossy, ..RepairOptions::default() };
        let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
        assert_eq!(repaired.refusal, Some(Refusal::Unreadable));
        assert!(storage.image() == bytes);
    }
}

#[test]
fn of_two_copies_the_one_with_a_root_is_kept() {
    let whole = Wreck::new();
    for copy in 0..2 {
        let bytes = rootless(Wreck::of(whole.bytes.clone()), &[copy]);
        assert!(check(&bytes).has("F0104"));
        let storage = SimulatedStorage::from_image(bytes);
        let options = RepairOptions { lossy: true, ..RepairOptions::default() };
        let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
        assert_eq!(repaired.exit_code(), 1, "{repaired}");
        assert!(contents(&storage.image()) == contents(&whole.bytes));
    }
}

/// A creation that was cut short behind its first superblock.
#[test]
fn a_store_without_a_commit_has_no_root_and_is_sound() {
    for page_size in [4096, 16384, 65536] {
        // One more of the calls of a creation each time, until the first superblock stands there.
        let images = (0..1000).map(|calls| {
            let storage = Arc::new(SimulatedStorage::new());
            storage.fail_at(calls, FaultKind::Eio, true);
            let builder = Database::builder().background(false).page_size(page_size);
            assert!(builder.open_or_create_on(storage.clone()).is_err(), "no such moment");
            storage.image()
        });
        let first = |image: &Vec<u8>| {
            let copy = image.get(16 << 10..20 << 10).and_then(|copy| Superblock::decode(copy).ok());
            copy.is_some_and(|block| block.checkpoint == 1 && block.root.is_none())
        };
        let image = images.into_iter().find(first).unwrap();
        let report = check(&image);
        assert!(report.is_clean(), "{report}");
        open(&Arc::new(SimulatedStorage::from_image(image))).unwrap();
    }
}
