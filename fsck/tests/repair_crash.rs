//! A power cut at any moment of a repair leaves the wreck as it was, or the repaired store; and what cannot be
//! written leaves it too.

mod support;

use cowslip::storage::{
    SimulatedStorage,
    simulated::{FaultKind, SectorSize},
};
use cowslip_fsck::{Error, RepairOptions};
use cowslip_pager::superblock::Superblock;
use support::*;

const TABLE: u8 = 3;

/// Wounds of every part, and whether their repair loses data.
fn wrecks() -> Vec<(&'static str, Wreck, bool)> {
    let mut wrecks = Vec::new();
    let mut wreck = Wreck::new();
    let group = wreck.group(0);
    wreck.flip(group, 100);
    wrecks.push(("group", wreck, false));
    let mut wreck = Wreck::new();
    for copy in 0..2 {
        let top = wreck.top(copy);
        wreck.flip(top, 3);
    }
    wrecks.push(("directory", wreck, false));
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[2];
    wreck.set_map(leaf, |entry| entry[..4].fill(0));
    wrecks.push(("count", wreck, false));
    for (slot, copy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let mut wreck = Wreck::new();
        wreck.bytes[Superblock::offset(slot, copy) as usize + 70] ^= 4;
        wrecks.push(("superblock", wreck, false));
    }
    let mut wreck = Wreck::new();
    let leaf = wreck.nodes(TABLE, 0)[3];
    wreck.flip(leaf, 2000);
    wrecks.push(("leaf", wreck, true));
    let mut wreck = Wreck::new();
    let inner = wreck.nodes(TABLE, 1)[0];
    wreck.flip(inner, 2000);
    wrecks.push(("inner node", wreck, true));
    wrecks
}

#[test]
fn every_power_cut_leaves_the_wreck_or_the_repaired_store() {
    for (name, wreck, lossy) in wrecks() {
        let codes = |bytes: &[u8]| -> Vec<&'static str> {
            check(bytes).counts.keys().map(|kind| kind.code()).collect()
        };
        let wounds = codes(&wreck.bytes);
        let storage = SimulatedStorage::from_image(wreck.bytes.clone());
        let options = RepairOptions { lossy, ..RepairOptions::default() };
        let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
        assert_eq!(repaired.exit_code(), 1, "{name}: {repaired}");
        let history = storage.history();
        let mut explorer = history.explore(SectorSize::B512);
        let mut images = 0;
        loop {
            let position = explorer.position();
            for (plan, _, image) in explorer.cut().images().take(12) {
                images += 1;
                let image: Vec<u8> = image.to_vec();
                let found = codes(&image);
                let fewer = found.iter().all(|code| wounds.contains(code));
                assert!(fewer, "{name}, event {position}, {plan:?}: {found:?}");
                // Another repair ends the work, whatever was there of the first.
                if images % 5 == 0 {
                    let storage = SimulatedStorage::from_image(image);
                    let again = cowslip_fsck::repair_storage(&storage, &options).unwrap();
                    assert!(again.exit_code() <= 1, "{name}, event {position}: {again}");
                    assert!(codes(&storage.image()).is_empty());
                }
            }
            if !explorer.advance() {
                break;
            }
        }
        assert!(images > 10, "{name}: {images}");
    }
}

/// From the repaired store to the wreck, and at no moment more is wrong than with the wreck, but for a copy of a
/// superblock.
#[test]
fn every_power_cut_of_an_undo_leaves_what_another_undo_ends() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (name, wreck, lossy)) in wrecks().into_iter().enumerate() {
        let undo = folder.path().join(format!("{i}.undo"));
        let wounds: Vec<_> = check(&wreck.bytes).counts.keys().copied().collect();
        let storage = SimulatedStorage::from_image(wreck.bytes.clone());
        let options = RepairOptions { lossy, undo: Some(&undo), ..RepairOptions::default() };
        cowslip_fsck::repair_storage(&storage, &options).unwrap();
        let storage = SimulatedStorage::from_image(storage.image());
        cowslip_fsck::undo_storage(&storage, &undo).unwrap();
        let history = storage.history();
        let mut explorer = history.explore(SectorSize::B512);
        loop {
            let position = explorer.position();
            for (plan, _, image) in explorer.cut().images().take(12) {
                let image: Vec<u8> = image.to_vec();
                let found = check(&image);
                let spare = cowslip_fsck::Kind::SuperblockCopy;
                let fewer = found.counts.keys().all(|kind| *kind == spare || wounds.contains(kind));
                assert!(fewer, "{name}, event {position}, {plan:?}: {found}");
                let storage = SimulatedStorage::from_image(image);
                cowslip_fsck::undo_storage(&storage, &undo).unwrap();
                assert!(storage.image() == wreck.bytes, "{name}, event {position}");
            }
            if !explorer.advance() {
                break;
            }
        }
    }
}

#[test]
fn a_call_that_fails_ends_the_repair_and_hurts_nothing_else() {
    for (name, wreck, lossy) in wrecks() {
        let wounds = check(&wreck.bytes);
        let options = RepairOptions { lossy, ..RepairOptions::default() };
        for call in 0.. {
            let storage = SimulatedStorage::from_image(wreck.bytes.clone());
            storage.fail_at(call, FaultKind::Eio, true);
            let result = cowslip_fsck::repair_storage(&storage, &options);
            if result.is_ok() {
                assert!(call > 3, "{name}");
                break;
            }
            assert!(matches!(result, Err(Error::Io(_))), "{name}");
            let found = check(&storage.image());
            let fewer = found.counts.keys().all(|kind| wounds.counts.contains_key(kind));
            assert!(fewer, "{name}, call {call}: {found}");
        }
    }
}

#[test]
fn an_undo_file_puts_back_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (name, wreck, lossy)) in wrecks().into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.cow"));
        let undo = folder.path().join(format!("{i}.undo"));
        std::fs::write(&path, &wreck.bytes).unwrap();
        let options = RepairOptions { lossy, undo: Some(&undo), ..RepairOptions::default() };
        assert_eq!(cowslip_fsck::repair(&path, &options).unwrap().exit_code(), 1);
        assert!(check(&std::fs::read(&path).unwrap()).is_clean());
        // Damaged, it is refused, and nothing is written.
        let kept = std::fs::read(&undo).unwrap();
        let repaired = std::fs::read(&path).unwrap();
        let bad = folder.path().join("bad");
        for at in [0, 30, 46, 60, kept.len() - 1] {
            let mut kept = kept.clone();
            kept[at] ^= 1;
            std::fs::write(&bad, &kept).unwrap();
            let error = cowslip_fsck::undo(&path, &bad).unwrap_err();
            assert!(matches!(error, Error::NotAnUndoFile), "{name}, byte {at}: {error}");
        }
        std::fs::write(&bad, &kept[..kept.len() - 4096]).unwrap();
        assert!(matches!(cowslip_fsck::undo(&path, &bad), Err(Error::NotAnUndoFile)));
        assert!(std::fs::read(&path).unwrap() == repaired);
        let undone = cowslip_fsck::undo(&path, &undo).unwrap();
        assert!(undone.blocks > 0);
        assert!(std::fs::read(&path).unwrap() == wreck.bytes, "{name}");
        // Twice is the same.
        cowslip_fsck::undo(&path, &undo).unwrap();
        assert!(std::fs::read(&path).unwrap() == wreck.bytes, "{name}");
    }
}

#[test]
fn an_undo_file_puts_back_the_beginning_of_a_last_block() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (name, mut wreck, lossy)) in wrecks().into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.cow"));
        let undo = folder.path().join(format!("{i}.undo"));
        wreck.bytes.extend_from_slice(&[7; 700]);
        std::fs::write(&path, &wreck.bytes).unwrap();
        let options = RepairOptions { lossy, undo: Some(&undo), ..RepairOptions::default() };
        assert_eq!(cowslip_fsck::repair(&path, &options).unwrap().exit_code(), 1);
        cowslip_fsck::undo(&path, &undo).unwrap();
        assert!(std::fs::read(&path).unwrap() == wreck.bytes, "{name}");
    }
}

#[test]
fn an_undo_file_is_refused_once_the_store_was_written_and_for_another_store() {
    let folder = tempfile::tempdir().unwrap();
    let (path, undo) = (folder.path().join("x.cow"), folder.path().join("x.undo"));
    let (_, wreck, _) = wrecks().remove(0);
    std::fs::write(&path, &wreck.bytes).unwrap();
    let options = RepairOptions { undo: Some(&undo), ..RepairOptions::default() };
    cowslip_fsck::repair(&path, &options).unwrap();
    let other = folder.path().join("other.cow");
    std::fs::write(&other, image()).unwrap();
    assert!(matches!(cowslip_fsck::undo(&other, &undo), Err(Error::OtherStore)));
    let db = cowslip::Database::open(&path).unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table("first").unwrap().insert(b"new", b"row").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    let error = cowslip_fsck::undo(&path, &undo).unwrap_err();
    assert!(matches!(error, Error::WrittenSince { .. }), "{error}");
    // An undo file is never written over.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(cowslip_fsck::repair(&path, &options), Err(Error::UndoFile(_))));
    assert!(std::fs::read(&path).unwrap() == bytes);
}
