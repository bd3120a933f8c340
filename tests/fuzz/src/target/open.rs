//! A file that anybody made is opened, read in all ways, written to a little and closed; or refused. Opened for
//! reading only it shows the same. And if it was a sound store, nothing of that may fail, and it is one afterwards.

use std::sync::Arc;

use cowslip::{Database, Result};

use crate::{
    script::Script,
    store::{self, Contents, Still},
};

/// Opens the image that a script makes.
pub fn run(input: &[u8]) {
    let Some(script) = Script::new(input) else { return };
    let image = script.image();
    if image.is_empty() {
        // An empty file becomes a store, unless it can only be read.
        return;
    }
    let still = store::open(Arc::new(Still(image.clone()))).and_then(|db| {
        let contents = store::read(&db)?;
        assert!(db.is_read_only() && db.begin_write().is_err());
        Ok(contents)
    });
    let disk = store::disk(image.clone());
    let all = live(&disk, still.as_ref().ok());
    match all {
        Ok(()) => {
            let after = disk.freeze();
            if !store::is_sound(&after) && store::is_sound(&image) {
                panic!("a sound store became a wreck: {}", store::check(&after).unwrap());
            }
            assert!(still.is_ok(), "only for reading it cannot be opened: {:?}", still.err());
        }
        Err(error) => assert!(!store::is_sound(&image), "a sound store fails: {error}"),
    }
}

/// What is done with a store; the first thing that fails ends it.
fn live(disk: &Arc<cowslip::storage::SimulatedStorage>, still: Option<&Contents>) -> Result<()> {
    let db = store::open(disk.clone())?;
    let before = store::read(&db)?;
    if let Some(still) = still {
        // Of a store without names an opening makes an empty one, unless it is for reading only.
        let named = !before.states.is_empty() && !still.states.is_empty();
        assert!(&before == still || !named, "for reading only it shows something else");
    }
    store::browse(&db)?;
    let written = write(&db);
    let closed = db.close();
    written.and(closed)?;
    let db = store::open(disk.clone())?;
    let after = store::read(&db)?;
    for (place, rows) in before.tables.iter().filter(|(place, _)| place.0 != "branch main") {
        // What a name leads to stays, whatever is written beside it.
        if let Some(now) = after.tables.get(place) {
            assert!(now == rows || !store::is_sound(&disk.freeze()), "{place:?} has changed");
        }
    }
    db.close()
}

fn write(db: &Database) -> Result<()> {
    let tx = db.begin_write()?;
    for name in tx.tables()?.iter().take(3) {
        let mut table = tx.open_table(name)?;
        table.insert(b"key 000031 and more", b"a value")?;
        table.insert(b"a", &[1; 3000])?;
        table.remove(b"key 000030")?;
        table.remove_range(&b"key 000033"[..]..&b"key 000036"[..])?;
    }
    tx.open_table("made by the fuzzer")?.insert(b"large", &[2; 50_000])?;
    tx.commit()?;
    db.create_snapshot("of the fuzzer")?;
    if let Some(oldest) = db.snapshots()?.iter().find(|snapshot| !snapshot.held) {
        db.delete_snapshot(&oldest.name)?;
    }
    db.checkpoint()?;
    let tx = db.begin_write()?;
    tx.open_table("made by the fuzzer")?.remove(b"large")?;
    tx.commit()
}
