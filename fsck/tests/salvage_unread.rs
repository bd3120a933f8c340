//! Salvage of a disk that is going: what could be read once and not again is missing, and nothing else is.

mod support;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use cowslip::{
    Storage,
    storage::{SimulatedStorage, simulated::FaultKind},
};
use cowslip_fsck::{Error, SALVAGE_TABLE, SalvageOptions, Salvaged};
use cowslip_pager::page::u64_at;
use support::*;

const PAGE: u64 = 4096;

/// A disk some pages of which can be read so many times only.
#[derive(Debug)]
struct Going {
    disk: SimulatedStorage,
    /// Reads that are left, by page.
    left: Mutex<HashMap<u64, u32>>,
}

impl Storage for Going {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let mut pages = self.left.lock().unwrap();
        for page in at / PAGE..(at + bytes.len() as u64).div_ceil(PAGE) {
            if let Some(left) = pages.get_mut(&page) {
                *left = left.checked_sub(1).ok_or(io::ErrorKind::Other)?;
            }
        }
        self.disk.read_at(bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.write_at(bytes, at)
    }

    fn write_direct(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.write_direct(bytes, at)
    }

    fn write_durable(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.write_durable(bytes, at)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }
}

fn salvage(wreck: &dyn Storage) -> Result<(Salvaged, Vec<u8>), Error> {
    let out = Arc::new(SimulatedStorage::new());
    let salvaged = cowslip_fsck::salvage_storage(wreck, out.clone(), &SalvageOptions::default())?;
    Ok((salvaged, out.image()))
}

/// Rows and large values, a snapshot of them, and a branch that goes on from there.
fn store() -> Vec<u8> {
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let films = |length: usize, names: &[&str]| {
        let tx = db.begin_write().unwrap();
        for name in names {
            let film: Vec<u8> = (0..length).map(|i| (i / 7) as u8 ^ name.as_bytes()[0]).collect();
            tx.open_table("films").unwrap().insert(name.as_bytes(), &film).unwrap();
        }
        tx.commit().unwrap();
    };
    put_rows(&db, "main", 7, "a");
    films(9000, &["a short one"]);
    films(2 << 20, &["b long one", "c long one"]);
    db.create_snapshot("monday").unwrap();
    put_rows(&db, "main", 9, "b");
    films(9000, &["d later one"]);
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().remove_range(&b"000500"[..]..&b"000900"[..]).unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    storage.image()
}

/// The first page of each large value of a state's table, by its key.
fn first_pages(bytes: &[u8]) -> HashMap<Vec<u8>, u64> {
    let mut wreck = Wreck::of(bytes.to_vec());
    let mut pages = HashMap::new();
    for leaf in wreck.nodes(3, 0) {
        for (entry, (key, value)) in cowslip::kinds::entries(wreck.page(leaf)).iter().enumerate() {
            if value.len() < 100 && key.ends_with(b" one") {
                // Behind the extent's length, stamp, checksum and count: its first run.
                let at = wreck.value(leaf, entry) + 24;
                pages.insert(key.clone(), u64_at(wreck.page(leaf), at) & ((1 << 48) - 1));
            }
        }
    }
    pages
}

fn state<'a>(salvaged: &'a Salvaged, name: &str) -> &'a cowslip_fsck::SalvagedState {
    salvaged.states.iter().find(|state| state.state == name).unwrap()
}

fn notes(bytes: &[u8]) -> Vec<serde_json::Value> {
    let db = database(Arc::new(SimulatedStorage::from_image(bytes.to_vec())));
    let Ok(table) = db.begin_read().unwrap().open_table(SALVAGE_TABLE) else { return Vec::new() };
    let rows = table.range::<&[u8]>(..).unwrap();
    rows.map(|row| serde_json::from_slice(&row.unwrap().1).unwrap()).collect()
}

#[test]
fn a_large_value_that_cannot_be_read_again_is_a_lost_row_and_the_rest_goes_on() {
    let bytes = store();
    let whole = contents(&bytes);
    let films = first_pages(&bytes);
    assert_eq!(films.len(), 4);
    for (key, page) in films {
        let (mut reads, mut lost_at) = (0, Vec::new());
        loop {
            let disk = SimulatedStorage::from_image(bytes.clone());
            let wreck = Going { disk, left: Mutex::new(HashMap::from([(page, reads)])) };
            let (salvaged, out) = salvage(&wreck).unwrap();
            let found = contents(&out);
            let mut expected = whole.clone();
            let mut lost = 0;
            for ((state_name, table), rows) in &mut expected {
                let is_lost = !found[&(state_name.clone(), table.clone())].contains_key(&key);
                if table == "films" && is_lost && rows.remove(&key).is_some() {
                    lost += 1;
                    let state = state(&salvaged, state_name);
                    assert!(!state.whole, "{salvaged}");
                    let films = state.tables.iter().find(|table| table.table == "films").unwrap();
                    assert!(!films.whole && films.lost_values == 1, "{salvaged}");
                    assert!(films.lost_keys == [key.clone()], "{salvaged}");
                    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                    assert!(
                        notes(&out).iter().any(|note| note["state"] == **state_name
                            && note["table"] == "films"
                            && note["lost_keys"] == serde_json::json!([hex])),
                        "{salvaged}"
                    );
                }
            }
            // Nothing else is missing, and nothing is there that was not.
            assert!(found == expected, "{reads} reads: {salvaged}");
            let told: u64 =
                salvaged.states.iter().flat_map(|of| &of.tables).map(|of| of.lost_values).sum();
            assert_eq!(told, lost, "{reads} reads: {salvaged}");
            if lost == 0 {
                break;
            }
            assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
            lost_at.push(reads);
            reads += 1;
        }
        // The survey, the check, the proof, and what is written.
        assert!(lost_at.len() > 3, "{lost_at:?}");
    }
}

/// Whatever read fails, once or from then on: salvage ends with what it has, and calls nothing whole that is not.
#[test]
fn a_read_that_fails_at_any_time_costs_what_it_was_to_bring() {
    let bytes = store();
    let whole = contents(&bytes);
    let disk = SimulatedStorage::from_image(bytes.clone());
    assert_eq!(salvage(&disk).unwrap().0.exit_code(), 0);
    let reads = disk.reads();
    let rounds = std::env::var("ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let (mut short, mut ended) = (0, 0);
    for round in 0..rounds {
        let read = reads * round / rounds;
        let kinds = [(FaultKind::Eio, true), (FaultKind::Eio, false), (FaultKind::Rot, false)];
        for (kind, sticky) in kinds {
            let disk = SimulatedStorage::from_image(bytes.clone());
            disk.fail_read_at(read, kind, sticky);
            let Ok((salvaged, out)) = salvage(&disk) else {
                ended += 1;
                continue;
            };
            let found = if salvaged.is_empty() { Contents::new() } else { contents(&out) };
            for state in salvaged.states.iter().filter(|state| state.whole) {
                for table in &state.tables {
                    let place = (state.state.clone(), table.table.clone());
                    if table.table != SALVAGE_TABLE {
                        assert!(
                            found[&place] == whole[&place],
                            "read {read}: {place:?} {salvaged}"
                        );
                    }
                }
            }
            if found != whole {
                short += 1;
                assert_ne!(salvaged.exit_code(), 0, "read {read}, {kind:?} {sticky}: {salvaged}");
            }
        }
    }
    assert!(short > 10, "{short}");
    assert_eq!(ended, 0);
}
