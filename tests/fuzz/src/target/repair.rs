//! Repair, on any file. Where it says that all is repaired, a second check is clean and a second repair has nothing
//! to do; where it says that nothing was lost, everything is there; no row comes from elsewhere than the
//! file; what it did not repair it did not touch; and an undo brings back the very bytes.

use cowslip::storage::{SimulatedStorage, simulated::Image};
use cowslip_fsck::{REPAIR_TABLE, RepairOptions, Repaired, repair_storage, undo_storage};

use crate::{
    script::Script,
    store::{self, TemporaryFile},
};

/// Repairs the image that a script makes.
pub fn run(input: &[u8]) {
    let Some(script) = Script::new(input) else { return };
    let image = script.image();
    let disk = store::disk(image.clone());
    let undo = script.undo.then(TemporaryFile::create);
    let options = RepairOptions {
        lossy: script.lossy,
        undo: undo.as_ref().map(TemporaryFile::path),
        ..RepairOptions::default()
    };
    let Ok(done) = repair_storage(&*disk, &options) else {
        assert!(disk.freeze() == image, "a repair that failed has written");
        return;
    };
    assert!(done.to_json().is_object());
    assert!(done.to_string().trim_end().ends_with(&done.verdict()));
    let after = disk.freeze();
    if done.blocks_written == 0 {
        assert!(after == image, "nothing was written, and the file is another one");
    } else {
        let report = store::check(&after).expect("a repaired store can be checked");
        assert!(report.counts == done.after.counts, "promised {}, found {report}", done.after);
        again(&disk, &options, &done);
        content(&script, &done, after);
        if let Some(undo) = &undo {
            undo_storage(&*disk, undo.path()).expect("a repair can be undone");
            assert!(disk.freeze() == image, "an undo brings back something else");
        }
    }
}

fn again(disk: &SimulatedStorage, options: &RepairOptions<'_>, done: &Repaired) {
    if done.exit_code() != 1 {
        return;
    }
    let again = RepairOptions { undo: None, ..*options };
    let second = repair_storage(disk, &again).expect("a repaired store can be repaired");
    assert_eq!((second.exit_code(), second.blocks_written), (0, 0), "{second}");
}

fn content(script: &Script, done: &Repaired, image: Image) {
    if done.exit_code() != 1 {
        return;
    }
    let db = store::open(store::disk(image)).expect("what is repaired can be opened");
    let mut contents = store::read(&db).expect("what is repaired can be read");
    contents.tables.retain(|(_, table), _| table != REPAIR_TABLE);
    if !script.is_damage() || done.older {
        return;
    }
    if !done.lost && !script.touches_log() {
        assert!(&contents == script.seed.contents(), "something was lost: {done}");
    }
    let known = script.seed.rows();
    let strange = contents.rows().find(|row| !known.contains(row));
    assert!(strange.is_none(), "a row that was never written: {strange:?}");
}
