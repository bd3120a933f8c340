//! Salvage: what is called whole is what was there, whatever is damaged.

mod support;

use std::sync::Arc;

use cowslip::storage::SimulatedStorage;
use cowslip_fsck::{SalvageOptions, Salvaged};
use cowslip_pager::page::u64_at;
use support::*;

/// A random store of two branches, snapshots that come and go, rows that are written and deleted.
fn store(seed: u64, closed: bool) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    db.create_branch("side", "main").unwrap();
    let mut snapshots = Vec::new();
    for step in 0..50 {
        let branch = if random.u8(..3) == 0 { "side" } else { "main" };
        match random.u8(..16) {
            0..10 => {
                let tx = db.begin_write_on(branch).unwrap();
                for name in ["few", "many"] {
                    let mut table = tx.open_table(name).unwrap();
                    let all = if name == "few" { 5 } else { 900 };
                    let start = random.u32(..all);
                    for i in start..(start + random.u32(..200)).min(all) {
                        let value = format!("{step} {i} of {branch}, so long that leaves fill up");
                        table.insert(format!("{i:05}").as_bytes(), value.as_bytes()).unwrap();
                    }
                    let from = format!("{:05}", random.u32(..900));
                    let to = format!("{from}9");
                    table.remove_range(from.as_bytes()..to.as_bytes()).unwrap();
                }
                tx.commit().unwrap();
            }
            10..12 => {
                snapshots.push(format!("{step} {:n<150}", ""));
                db.create_snapshot_of(branch, &snapshots[snapshots.len() - 1]).unwrap();
            }
            12 if snapshots.len() > 4 => {
                let name = snapshots.swap_remove(random.usize(..snapshots.len()));
                db.delete_snapshot(&name).unwrap();
            }
            13 if !snapshots.is_empty() => {
                let name = &snapshots[random.usize(..snapshots.len())];
                db.rollback_branch(branch, name).unwrap();
            }
            _ => db.checkpoint().unwrap(),
        }
    }
    if closed {
        db.close().unwrap();
    }
    storage.image()
}

/// What was in the store of a seed, and what was salvaged of its wreck. `None`: nothing was.
fn salvaged(seed: u64) -> Option<(Contents, Contents, Salvaged)> {
    let bytes = store(seed % 10, !seed.is_multiple_of(3));
    let whole = contents(&bytes);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut wreck = Wreck::of(bytes);
    let pages = wreck.bytes.len() as u64 / 4096;
    let mut nodes = Vec::new();
    for page in 1..pages {
        let header = wreck.page(page)[..24].to_vec();
        if (1..=3).contains(&header[4]) && u64_at(&header, 8) == page {
            nodes.push((header[4], header[5], page));
        }
    }
    for _ in 0..random.usize(1..5) {
        let kind = random.u8(1..=3);
        let inner = random.bool();
        let of_kind = nodes.iter().filter(|node| node.0 == kind && (node.1 > 0 || !inner));
        let of_kind: Vec<u64> = of_kind.map(|node| node.2).collect();
        if !of_kind.is_empty() {
            wreck.page(of_kind[random.usize(..of_kind.len())]).fill(0x55);
        }
    }
    if random.bool() {
        zero_superblocks(&mut wreck.bytes);
    }
    let wreck = SimulatedStorage::from_image(wreck.bytes);
    let out = Arc::new(SimulatedStorage::new());
    let options = SalvageOptions::default();
    let salvaged = cowslip_fsck::salvage_storage(&wreck, out.clone(), &options).unwrap();
    (!salvaged.is_empty()).then(|| (whole, contents(&out.image()), salvaged))
}

/// Two snapshots have lost their catalogs, which older ones stand for, of each line another: the branch that is
/// written as what differs from the second of them has its own rows all the same.
#[test]
fn a_branch_beside_lost_catalogs_has_its_own_rows() {
    let (whole, found, salvaged) = salvaged(666).expect("a store");
    for table in ["few", "many"] {
        let of = ("branch side".to_owned(), table.to_owned());
        assert!(found[&of] == whole[&of], "{of:?}\n{salvaged}");
    }
}

/// Wrecks of the kinds that make salvage guess: the tree of names, catalogs and inner nodes hit as often as leaves,
/// superblocks gone or not.
#[test]
fn what_is_called_whole_is_what_was_there() {
    let from = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = from.map_or(0..120, |seed| seed..seed + 1);
    let (mut states, mut tables) = (0, 0);
    for seed in seeds {
        let Some((whole, found, salvaged)) = salvaged(seed) else { continue };
        for state in &salvaged.states {
            // A snapshot that was deleted may come back, as it was.
            if state.state != "branch main" && !whole.keys().any(|(of, _)| *of == state.state) {
                continue;
            }
            for table in state.tables.iter().filter(|table| table.whole) {
                let of = (state.state.clone(), table.table.clone());
                let (now, then) = (&found[&of], &whole[&of]);
                let other = then.iter().find(|(key, value)| now.get(*key) != Some(*value));
                let other = other.or(now.iter().find(|(key, _)| !then.contains_key(*key)));
                if let Some((key, value)) = other {
                    let now = now.get(key).map(|value| value.escape_ascii().to_string());
                    let (key, value) = (key.escape_ascii(), value.escape_ascii());
                    panic!("SEED={seed} {of:?}: {key} of {value}, now {now:?}\n{salvaged}");
                }
                tables += 1;
            }
            if state.whole {
                let of = |all: &Contents| {
                    let own = all.keys().filter(|(of, _)| *of == state.state);
                    // What has no name is not what is missing.
                    own.filter(|(_, of)| !of.starts_with("cowslip.found."))
                        .cloned()
                        .collect::<Vec<_>>()
                };
                assert_eq!(of(&found), of(&whole), "SEED={seed}\n{salvaged}");
                states += 1;
            }
        }
    }
    assert!(from.is_some() || states > 200 && tables > 500, "{states} states, {tables} tables");
}
