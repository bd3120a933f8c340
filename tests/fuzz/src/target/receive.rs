//! Receiving a stream that anybody made. The receiver is sound afterwards; what it had before is as it was; and of a
//! stream that was refused there is no trace, unless what came in part was to be kept.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use cowslip::{Database, storage::simulated::Image};

use crate::{
    store::{self, Contents},
    stream::{FOLLOW, Stream},
};

/// A store without anything in it.
static EMPTY: LazyLock<(Image, Contents)> = LazyLock::new(|| {
    let disk = store::disk(Image::new());
    store::open(disk.clone()).and_then(Database::close).expect("an empty store");
    let db = store::open(disk.clone()).expect("an empty store");
    (disk.freeze(), store::read(&db).expect("an empty store"))
});

/// Receives the stream that an input describes.
pub fn run(input: &[u8]) {
    let Ok(stream) = Stream::arbitrary(&mut Unstructured::new(input)) else { return };
    let (image, before) = match stream.receiver {
        Some(seed) => (seed.image.clone(), seed.contents()),
        None => (EMPTY.0.clone(), &EMPTY.1),
    };
    let disk = store::disk(image);
    let db = store::open(disk.clone()).expect("a sound store");
    let received = db.receive_with(&stream.bytes[..], &stream.options);
    let after = store::read(&db).expect("a store that received something can be read");
    match received {
        Ok(Some(report)) => {
            let new = [format!("snapshot {}", report.snapshot), format!("branch {FOLLOW}")];
            assert!(after.states.contains(&new[0]), "{report:?}, but no such snapshot");
            if stream.follow {
                assert!(after.states.contains(&new[1]), "{report:?}, but no branch follows");
            }
            db.digest(&report.snapshot).expect("what was received can be read");
            unchanged(before, &after, &new);
        }
        Ok(None) => unchanged(before, &after, &[]),
        Err(_) => {
            unchanged(before, &after, &[]);
            let parts = db.partly_received().expect("a sound store");
            for part in &parts {
                db.receive_token(part).expect("what came in part can be continued");
            }
            assert!(stream.keep_partial || parts.is_empty(), "{parts:?} is left");
        }
    }
    db.close().expect("a store that received something can be closed");
    let report = store::check(&disk.freeze()).expect("a store can be checked");
    assert!(report.is_clean(), "a stream made a wreck: {report}");
}

fn unchanged(before: &Contents, after: &Contents, new: &[String]) {
    let old = |state: &str| before.states.iter().any(|name| name == state);
    let mut rest = after.clone();
    rest.states.retain(|state| old(state) || !new.contains(state));
    rest.tables.retain(|(state, _), _| old(state) || !new.contains(state));
    rest.machines.retain(|(state, _), _| old(state) || !new.contains(state));
    assert!(&rest == before, "something else has changed");
}
