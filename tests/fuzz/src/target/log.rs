//! Replay: a sound store, and behind it a log that anybody wrote. It is refused, or what it says was done by the
//! ordinary way and the store is sound; the checker says the same, and so does an opening for reading only.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use cowslip_fsck::Kind;

use crate::{
    log::Log,
    store::{self, Still},
};

/// Replays the log that an input describes.
pub fn run(input: &[u8]) {
    let Ok(Log { image, .. }) = Log::arbitrary(&mut Unstructured::new(input)) else { return };
    let report = store::check(&image).expect("a store can be checked");
    assert!(!report.counts.contains_key(&Kind::ReplayPanicked), "{report}");
    assert!(!report.counts.contains_key(&Kind::ReplayInconsistent), "{report}");
    let still = store::open(Arc::new(Still(image.clone()))).and_then(|db| store::read(&db));
    let disk = store::disk(image);
    match store::open(disk.clone()) {
        Ok(db) => {
            assert!(report.is_clean(), "it opens, but: {report}");
            let contents = store::read(&db).expect("what was replayed can be read");
            assert!(still.expect("for reading only as well") == contents);
            db.close().expect("what was replayed can be closed");
            let after = store::check(&disk.freeze()).expect("a store can be checked");
            assert!(after.is_clean(), "a replay made a wreck: {after}");
            let db = store::open(disk).expect("what was closed can be opened");
            assert!(store::read(&db).expect("what was closed can be read") == contents);
        }
        Err(error) => {
            assert!(!report.is_clean(), "clean, but: {error}");
            assert!(still.is_err(), "for reading only it opens");
        }
    }
}
