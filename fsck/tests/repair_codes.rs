//! A wound for each number of the catalogue: the check names it, repair does what the catalogue says, and the
//! check after it is clean.

mod support;

use std::collections::BTreeSet;

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{Remedy, RepairOptions, problem::CATALOGUE};
use support::*;

/// Codes that a store which was just closed cannot show; `wound_folders` has most of them.
const NOT_HERE: [&str; 8] =
    ["F0201", "F0202", "F0203", "F0401", "F0608", "F0801", "F0802", "F0803"];

#[test]
fn each_number_has_a_wound_that_repair_closes() {
    let mut missing = BTreeSet::new();
    for entry in CATALOGUE {
        let Some(wreck) = by_code::wound(entry.code, Wreck::new()) else {
            missing.insert(entry.code);
            continue;
        };
        let first = wreck.check();
        assert!(first.has(entry.code), "{}: {first}", entry.code);
        let lossy = first.counts.keys().any(|kind| kind.remedy() == Remedy::Lossy);
        for allowed in [false, true] {
            let storage = SimulatedStorage::from_image(wreck.bytes.clone());
            let options = RepairOptions { lossy: allowed, ..RepairOptions::default() };
            let repaired = cowslip_fsck::repair_storage(&storage, &options).unwrap();
            let second = check(&storage.image());
            if entry.remedy == Remedy::None {
                assert_eq!(repaired.exit_code(), 4, "{}", entry.code);
                assert!(storage.image() == wreck.bytes);
            } else if allowed || !lossy {
                assert_eq!(repaired.exit_code(), 1, "{}: {repaired}{first}", entry.code);
                assert!(second.is_clean(), "{}: {second}", entry.code);
            } else if repaired.exit_code() == 4 {
                assert!(repaired.would, "{}: {repaired}", entry.code);
                assert!(!second.is_clean());
            }
        }
    }
    assert_eq!(missing, BTreeSet::from(NOT_HERE));
}
