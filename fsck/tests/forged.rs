//! Stores whose checksums are right and whose content is somebody's invention: what a fuzzer found. The engine
//! answers with an error.

mod support;

use std::sync::Arc;

use cowslip::{Error, storage::SimulatedStorage};
use support::*;

#[test]
fn the_usage_of_a_table_with_more_pages_than_the_file_is_an_error() {
    let mut wreck = Wreck::new();
    for leaf in wreck.nodes(2, 0) {
        for entry in 0..wreck.entries(leaf) {
            // Behind the pointer and the tree's id.
            let at = wreck.value(leaf, entry) + 24;
            wreck.page(leaf)[at..at + 8].copy_from_slice(&(1u64 << 60).to_le_bytes());
        }
        wreck.seal(leaf);
    }
    let db = database(Arc::new(SimulatedStorage::from_image(wreck.bytes)));
    let error = db.usage("main").unwrap_err();
    assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
}
