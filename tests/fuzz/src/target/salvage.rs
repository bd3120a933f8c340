//! Salvage, of any file. Whatever it finds is a sound store, whose parts can all be read; the wreck is not written to; and of a
//! store that is no wreck nothing is lost.

use cowslip::storage::simulated::Image;
use cowslip_fsck::{Error, REPAIR_TABLE, SALVAGE_TABLE, SalvageOptions, salvage_storage};

use crate::{
    script::Script,
    store::{self, Still},
};

/// Salvages the image that a script makes.
pub fn run(input: &[u8]) {
    let Some(script) = Script::new(input) else { return };
    let wreck = Still(script.image());
    let out = store::disk(Image::new());
    let salvaged = match salvage_storage(&wreck, out.clone(), &SalvageOptions::default()) {
        Ok(salvaged) => salvaged,
        Err(error) => {
            assert!(!matches!(error, Error::OutUnsound { .. }), "{error}");
            return;
        }
    };
    assert!(salvaged.to_json().is_object());
    assert!(!salvaged.to_string().is_empty());
    if salvaged.is_empty() {
        return;
    }
    let image = out.freeze();
    assert!(store::is_sound(&image), "what was salvaged is no sound store");
    let db = store::open(out).expect("what was salvaged can be opened");
    let contents = store::read(&db).expect("what was salvaged can be read");
    if script.edits.is_empty() {
        let mut contents = contents;
        let ours = |table: &str| [SALVAGE_TABLE, REPAIR_TABLE].contains(&table);
        contents.tables.retain(|(_, table), _| !ours(table));
        assert!(contents.tables == script.seed.contents().tables, "something was lost");
    }
}
