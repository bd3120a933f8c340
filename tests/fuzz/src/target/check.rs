//! The checker, on any file. What it calls clean is a store that the engine opens and reads to the last row; and if
//! nobody made checksums right, it holds what it held before.

use cowslip_fsck::Kind;

use crate::{script::Script, store};

/// Checks the image that a script makes.
pub fn run(input: &[u8]) {
    let Some(script) = Script::new(input) else { return };
    let image = script.image();
    let Ok(report) = store::check(&image) else { return };
    assert!(!report.counts.contains_key(&Kind::ReplayPanicked), "{report}");
    assert!(!report.counts.contains_key(&Kind::ReplayInconsistent), "{report}");
    if !report.is_clean() {
        return;
    }
    let disk = store::disk(image);
    let db = store::open(disk).expect("what is clean can be opened");
    let contents = store::read(&db).expect("what is clean can be read");
    let found = db.scrub().expect("what is clean can be scrubbed");
    assert!(found.errors.is_empty(), "clean, but: {found:?}");
    if script.is_damage() && !script.touches_log() {
        assert!(&contents == script.seed.contents(), "undetected damage");
    }
}
