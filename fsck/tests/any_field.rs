//! No field of any structure can be changed unnoticed under right checksums, unless the change is no damage; and
//! whatever is changed, nothing breaks.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::catch_unwind,
    sync::Arc,
};

use cowslip::{Database, storage::SimulatedStorage};
use cowslip_fsck::{Error, Refusal, RepairOptions};
use support::{
    by_field::{Change, Ground, changes, grounds},
    unnoticed::{UNNOTICED, Why, why},
    *,
};

/// What a check says: true if it finds, or refuses, something.
#[track_caller]
fn notices(bytes: &[u8], about: &str) -> bool {
    match catch_unwind(|| try_check(bytes)) {
        Err(_) => panic!("{about}: the check panics"),
        Ok(Ok(report)) => {
            assert!(!report.has("F0802"), "{about}: the engine panics: {report}");
            !report.is_clean()
        }
        Ok(Err(Error::NewerFormat { .. } | Error::NotADatabase)) => true,
        Ok(Err(error)) => panic!("{about}: {error}"),
    }
}

/// Opens, writes, makes a checkpoint, and closes; errors are no panics.
#[track_caller]
fn the_engine_lives(bytes: &[u8], about: &str) {
    let lives = catch_unwind(|| {
        let storage = Arc::new(SimulatedStorage::from_image(bytes.to_vec()));
        let builder = Database::builder().background(false).cache_size(8 << 20);
        let db = builder.open_or_create_on(storage)?;
        let tx = db.begin_write()?;
        tx.open_table("first")?.insert(b"key 000050", &[1; 300])?;
        tx.commit()?;
        db.checkpoint()?;
        db.close()
    });
    assert!(lives.is_ok(), "{about}: the engine panics");
}

fn about(ground: &Ground, change: &Change) -> String {
    let field = change.field;
    format!(
        "{}, {} of a {}, byte {}: {:?}",
        ground.name, field.name, field.structure, field.at, change.new
    )
}

#[test]
fn every_field_of_every_structure_is_guarded_or_has_a_reason_not_to_be() {
    let (mut passed_over, mut bare) = (BTreeSet::new(), BTreeMap::new());
    for ground in grounds() {
        let contents = contents(&ground.whole.wreck.bytes);
        for (&(structure, name), places) in &ground.fields {
            for change in changes(&ground.whole, places) {
                let (bytes, about) = (change.image(&ground.whole), about(&ground, &change));
                if notices(&bytes, &about) {
                    continue;
                }
                let Some((why, _)) = why(structure, name) else {
                    bare.insert((structure, name), about);
                    continue;
                };
                passed_over.insert((structure, name));
                if why == Why::Unread {
                    assert!(support::contents(&bytes) == contents, "{about}: other content");
                }
                the_engine_lives(&bytes, &about);
            }
        }
    }
    assert!(bare.is_empty(), "unnoticed: {bare:#?}");
    let stale: Vec<_> =
        UNNOTICED.iter().filter(|row| !passed_over.contains(&(row.0, row.1))).collect();
    assert!(stale.is_empty(), "these are always noticed: {stale:?}");
}

/// Is this a row that somebody wrote: `fill`, or the transactions in the log?
fn was_written(table: &str, key: &[u8], value: &[u8]) -> bool {
    let (key, text) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
    match table {
        "films" => match &*key {
            "short" => value == [7; 9000],
            "long" => {
                value.len() == 100_000 && value.iter().enumerate().all(|(i, &b)| b == i as u8)
            }
            _ => false,
        },
        "first" if key == "key 000300x" => text == "on the side",
        "first" if key.starts_with('z') => {
            value.len() == 40
                && key.as_bytes()[1..] == value[..1]
                && value.iter().all(|b| *b == value[0])
        }
        "first" | "second" => {
            let number = key.strip_prefix("key ").and_then(|number| number.parse::<u32>().ok());
            number.is_some_and(|number| {
                let rest =
                    format!(" value of {number} with some length to it, so that leaves fill");
                text.len() == 1 + rest.len() && text.ends_with(&rest) && "abcd".contains(&text[..1])
            })
        }
        _ => false,
    }
}

/// What a key or a value is, its page's checksum alone knows: forged ones are rows like others.
fn holds_rows(structure: &str) -> bool {
    structure.contains("leaf") || structure == "extent" || structure.starts_with("redo")
}

/// Random values in random fields: `SEED` and `ROUNDS` choose.
#[test]
fn forged_fields_are_noticed_and_repaired_and_bring_no_row_that_nobody_wrote() {
    let seed: u64 = std::env::var("SEED").ok().map_or(11, |seed| seed.parse().unwrap());
    let rounds = std::env::var("ROUNDS").ok().map_or(300, |rounds| rounds.parse().unwrap());
    println!("to repeat: SEED={seed} ROUNDS={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let grounds = grounds();
    let (mut mended, mut unnoticed, mut refused) = (0, 0, 0);
    for round in 0..rounds {
        let ground = &grounds[usize::from(random.u8(..4) == 0)];
        // Each field as often as each other one, however many there are of it.
        let names: Vec<_> = ground.fields.values().collect();
        let places = names[random.usize(..names.len())];
        let field = places[random.usize(..places.len())];
        let mut new = ground.whole.wreck.bytes[field.at..field.at + field.size].to_vec();
        match random.u8(..4) {
            0 => new[random.usize(..field.size)] ^= 1 << random.u8(..8),
            1 => new[random.usize(..field.size)] = random.u8(..),
            2 => random.fill(&mut new),
            // Near to what it is, or to where numbers end.
            _ => {
                let to = random.choice([0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]).unwrap();
                new[field.size - 1] = to;
            }
        }
        let change = Change { field, new };
        let bytes = change.image(&ground.whole);
        let about = format!("SEED={seed} round {round}: {}", about(ground, &change));
        if bytes == ground.whole.wreck.bytes {
            continue;
        }
        the_engine_lives(&bytes, &about);
        if !notices(&bytes, &about) {
            // A body that can be read is another transaction.
            let redo = field.structure.starts_with("redo ");
            assert!(redo || why(field.structure, field.name).is_some(), "{about}: unnoticed");
            unnoticed += 1;
            continue;
        }
        let storage = SimulatedStorage::from_image(bytes);
        let options = RepairOptions { lossy: true, ..RepairOptions::default() };
        let Ok(repaired) = cowslip_fsck::repair_storage(&storage, &options) else {
            refused += 1;
            continue;
        };
        if let Some(refusal) = repaired.refusal {
            assert_eq!(refusal, Refusal::Unreadable, "{about}: {repaired}");
            refused += 1;
            continue;
        }
        let after = storage.image();
        assert!(check(&after).is_clean(), "{about}: {repaired}{}", check(&after));
        if !holds_rows(field.structure) {
            for ((state, table), rows) in contents(&after) {
                for (key, value) in rows {
                    let known = was_written(&table, &key, &value);
                    assert!(known, "{about}: {state} {table} {}: {repaired}", key.escape_ascii());
                }
            }
        }
        mended += 1;
    }
    println!("{mended} mended, {unnoticed} unnoticed, {refused} refused");
    assert!(mended > rounds / 2 && refused < rounds / 8);
}
