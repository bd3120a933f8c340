//! No byte, wherever it is flipped, makes the checker panic; and it is reported, or the store
//! opens and holds exactly what it held.

mod support;

use std::{collections::BTreeMap, panic::catch_unwind, sync::Arc};

use cowslip::{Database, storage::SimulatedStorage};
use support::*;

type Contents = BTreeMap<(String, String), Vec<(Vec<u8>, Vec<u8>)>>;

fn contents(db: &Database) -> Contents {
    let mut all = Contents::new();
    for branch in db.branches().unwrap() {
        let rx = db.begin_read_on(&branch.name).unwrap();
        for name in rx.tables().unwrap() {
            let table = rx.open_table(&name).unwrap();
            let rows = table.range::<&[u8]>(..).unwrap();
            let rows = rows.map(|row| row.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap());
            all.insert((branch.name.clone(), name), rows.collect());
        }
    }
    all
}

fn try_all(image: &[u8], stride: usize) {
    let expected = contents(&database(Arc::new(SimulatedStorage::from_image(image.to_vec()))));
    let mut bytes = image.to_vec();
    let mut reported = 0;
    // A prime stride visits every place within a page.
    for at in (0..bytes.len()).step_by(stride) {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        let found = catch_unwind(|| try_check(&bytes));
        let Ok(found) = found else { panic!("byte {at} makes it panic") };
        match found {
            Err(_) => reported += 1,
            Ok(report) if !report.is_clean() => reported += 1,
            Ok(_) => {
                // What no pass looks at may say anything; sampled, since opening costs more.
                if at % 16 == 0 {
                    let db = database(Arc::new(SimulatedStorage::from_image(bytes.clone())));
                    assert!(contents(&db) == expected, "byte {at} changes data unreported");
                }
            }
        }
        bytes[at] ^= bit;
    }
    assert!(reported > 0);
}

#[test]
fn of_a_closed_store() {
    try_all(&image(), 1511);
}

#[test]
fn of_the_first_pages_densely() {
    let image = image();
    let mut bytes = image.clone();
    for at in (0..68 << 10).step_by(7) {
        bytes[at] ^= 0x10;
        assert!(catch_unwind(|| drop(try_check(&bytes))).is_ok(), "byte {at}");
        bytes[at] ^= 0x10;
    }
}

#[test]
fn of_nodes_whose_checksums_were_made_right() {
    let mut wreck = Wreck::new();
    let mut random = fastrand::Rng::with_seed(1);
    let pages: Vec<u64> = [(1, 0), (2, 0), (3, 1), (3, 0)]
        .into_iter()
        .flat_map(|(kind, level)| wreck.nodes(kind, level).into_iter().take(2))
        .collect();
    for _ in 0..600 {
        let page = pages[random.usize(..pages.len())];
        let whole = wreck.page(page).to_vec();
        for _ in 0..random.usize(1..4) {
            // Mostly headers, heads and slots; sometimes the values at the end.
            let at = if random.bool() { random.usize(4..400) } else { random.usize(4..4096) };
            wreck.page(page)[at] = random.u8(..);
        }
        wreck.seal(page);
        let bytes = &wreck.bytes;
        assert!(catch_unwind(|| drop(try_check(bytes))).is_ok(), "page {page}");
        wreck.page(page).copy_from_slice(&whole);
        wreck.seal(page);
    }
    assert!(wreck.check().is_clean());
}
