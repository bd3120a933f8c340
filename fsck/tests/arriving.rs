//! A stream that was received in part: its branch is seen by nobody exactly while there is a record of it, and it goes
//! on no further than where its branch ends.

mod support;

use std::sync::Arc;

use cowslip::{Database, ReceiveOptions, meta::Incoming, storage::SimulatedStorage};
use cowslip_fsck::{Kind, RepairOptions, SALVAGE_TABLE, SalvageOptions, Salvaged};
use cowslip_pager::page::u64_at;
use support::*;

/// A database with a snapshot `s`, and another one that has received a part of it.
fn parted() -> (Database, Vec<u8>) {
    let sender = database(Arc::new(SimulatedStorage::new()));
    let tx = sender.begin_write().unwrap();
    for name in ["a", "b"] {
        let mut table = tx.open_table(name).unwrap();
        for number in 0..2500u32 {
            table.insert(&number.to_be_bytes(), &[number as u8; 1000]).unwrap();
        }
    }
    tx.commit().unwrap();
    sender.create_snapshot("s").unwrap();
    let mut stream = Vec::new();
    sender.send(&mut stream, "s", None).unwrap();
    let storage = Arc::new(SimulatedStorage::new());
    let db = database(storage.clone());
    let keep = ReceiveOptions::default().keep_partial(true);
    assert!(db.receive_with(&stream[..stream.len() * 3 / 4], &keep).is_err());
    db.close().unwrap();
    let image = storage.image();
    assert!(check(&image).is_clean());
    (sender, image)
}

/// The names' leaf with the value of this key changed, under right checksums.
fn with(image: &[u8], key: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut wreck = Wreck::of(image.to_vec());
    let (leaf, at) = by_code::value_of(&mut wreck, 1, key);
    let entries = cowslip::kinds::entries(wreck.page(leaf));
    let length = entries.into_iter().find(|entry| entry.0.starts_with(key)).unwrap().1.len();
    change(&mut wreck.page(leaf)[at..at + length]);
    wreck.seal(leaf);
    wreck.bytes
}

/// Plain repair does it, at once and for good.
#[track_caller]
fn repaired(bytes: &[u8], kind: Kind) -> Vec<u8> {
    let report = check(bytes);
    assert_eq!(report.counts.keys().collect::<Vec<_>>(), [&kind], "{report}");
    let storage = SimulatedStorage::from_image(bytes.to_vec());
    let repaired = cowslip_fsck::repair_storage(&storage, &RepairOptions::default()).unwrap();
    assert_eq!(repaired.exit_code(), 1, "{repaired}");
    assert!(!repaired.lost);
    assert!(check(&storage.image()).is_clean());
    storage.image()
}

/// The rest of `s` comes, and it is what was sent.
#[track_caller]
fn continued(sender: &Database, bytes: &[u8]) {
    let db = database(Arc::new(SimulatedStorage::from_image(bytes.to_vec())));
    let token = db.receive_token("s").unwrap().expect("what was received in part");
    let mut rest = Vec::new();
    sender.resume_send(&mut rest, &token).unwrap();
    db.receive(&*rest).unwrap();
    assert_eq!(db.digest("s").unwrap(), sender.digest("s").unwrap());
}

fn mark(value: &mut [u8]) -> &mut u8 {
    let at = value.len() - 8;
    &mut value[at]
}

#[test]
fn a_branch_without_a_stream_is_not_hidden() {
    let before = Wreck::new();
    let forged = with(&before.bytes, b"bside", |value| *mark(value) = 1);
    let after = repaired(&forged, Kind::Incoming);
    assert!(contents(&after) == contents(&before.bytes));
}

#[test]
fn main_is_not_hidden() {
    let before = Wreck::new();
    let forged = with(&before.bytes, b"bmain", |value| *mark(value) = 1);
    let after = repaired(&forged, Kind::Incoming);
    assert!(contents(&after) == contents(&before.bytes));
}

#[test]
fn a_branch_that_is_being_received_is_hidden_again_and_goes_on() {
    let (sender, image) = parted();
    let forged = with(&image, b"bs", |value| *mark(value) = 0);
    continued(&sender, &repaired(&forged, Kind::Incoming));
}

#[test]
fn a_mark_is_one_or_nothing() {
    let (sender, image) = parted();
    let forged = with(&image, b"bs", |value| *mark(value) = 7);
    continued(&sender, &repaired(&forged, Kind::Incoming));
}

#[test]
fn a_stream_does_not_go_on_behind_the_end_of_its_branch() {
    let (sender, image) = parted();
    let db = database(Arc::new(SimulatedStorage::from_image(image.clone())));
    let before = db.receive_token("s").unwrap();
    drop(db);
    // A later table; a later key of the same table.
    for at in [17, 23] {
        let forged = with(&image, b"is", |value| {
            let record = Incoming::decode(value, cowslip_pager::PageId::NONE).unwrap();
            assert_eq!(record.place().unwrap().0, "b");
            assert_eq!(value.len(), 24);
            value[at] += 1;
        });
        let after = repaired(&forged, Kind::StreamPosition);
        continued(&sender, &after);
        let db = database(Arc::new(SimulatedStorage::from_image(after)));
        assert_ne!(db.receive_token("s").unwrap(), before);
    }
}

#[test]
fn an_earlier_place_of_a_stream_is_none_the_worse() {
    let (sender, image) = parted();
    let earlier = with(&image, b"is", |value| value[22] = 0);
    assert!(check(&earlier).is_clean());
    continued(&sender, &earlier);
}

#[test]
fn a_position_that_says_nothing_begins_anew() {
    let (sender, image) = parted();
    let forged = with(&image, b"is", |value| value[18] = 2);
    continued(&sender, &repaired(&forged, Kind::StreamPosition));
}

#[test]
fn a_record_without_its_branch_goes() {
    let (_, image) = parted();
    // "is" becomes "it".
    let mut wreck = Wreck::of(image);
    let leaf = wreck.nodes(1, 0)[0];
    let entries = cowslip::kinds::entries(wreck.page(leaf));
    let number = entries.iter().position(|entry| entry.0 == b"is").unwrap();
    let at = by_code::head(&mut wreck, leaf, number);
    let head = u64_at(wreck.page(leaf), at) as u32;
    wreck.page(leaf)[at..at + 4].copy_from_slice(&(head + (1 << 16)).to_le_bytes());
    wreck.seal(leaf);
    let after = repaired(&wreck.bytes, Kind::Incoming);
    let db = database(Arc::new(SimulatedStorage::from_image(after)));
    assert_eq!(db.partly_received().unwrap(), [""; 0]);
    // What had come is not lost.
    assert!(db.branches().unwrap().iter().any(|branch| branch.name == "s"));
}

fn salvage(bytes: &[u8]) -> (Salvaged, Vec<u8>) {
    let wreck = SimulatedStorage::from_image(bytes.to_vec());
    let out = Arc::new(SimulatedStorage::new());
    let salvaged =
        cowslip_fsck::salvage_storage(&wreck, out.clone(), &SalvageOptions::default()).unwrap();
    (salvaged, out.image())
}

/// The branch is brought out, not called whole, and written down as what may be half of something.
#[track_caller]
fn doubtful(bytes: &[u8], name: &str) -> Contents {
    let (salvaged, out) = salvage(bytes);
    assert_eq!(salvaged.exit_code(), 1, "{salvaged}");
    let title = format!("branch {name}");
    for state in &salvaged.states {
        assert_eq!(state.arriving, state.state == title, "{salvaged}");
        assert_eq!(state.whole, state.state != title, "{salvaged}");
    }
    let db = database(Arc::new(SimulatedStorage::from_image(out.clone())));
    let notes = db.begin_read().unwrap().open_table(SALVAGE_TABLE).unwrap();
    let notes = notes.range::<&[u8]>(..).unwrap().map(|row| {
        let note: serde_json::Value = serde_json::from_slice(&row.unwrap().1).unwrap();
        (note["state"].clone(), note["arriving"].clone())
    });
    assert_eq!(notes.collect::<Vec<_>>(), [(title.into(), true.into())], "{salvaged}");
    contents(&out)
}

#[test]
fn a_branch_that_only_its_mark_hides_is_salvaged() {
    let before = Wreck::new();
    for name in ["side", "main"] {
        let key = format!("b{name}");
        for bit in [0, 5] {
            let forged = with(&before.bytes, key.as_bytes(), |value| *mark(value) = 1 << bit);
            assert!(doubtful(&forged, name) == contents(&before.bytes), "{name}, bit {bit}");
        }
    }
}

#[test]
fn a_branch_that_a_stream_was_to_fill_and_that_is_not_hidden_is_salvaged() {
    let (sender, image) = parted();
    let (salvaged, out) = salvage(&image);
    assert!(salvaged.left.iter().any(|what| what.contains("received of \"s\"")), "{salvaged}");
    assert!(salvaged.states.iter().all(|state| state.state == "branch main"), "{salvaged}");
    assert!(contents(&out).is_empty());

    let forged = with(&image, b"bs", |value| *mark(value) = 0);
    let found = doubtful(&forged, "s");
    let (rows, sent) =
        (&found[&("branch s".into(), "a".into())], sender.begin_read_at("s").unwrap());
    assert_eq!(rows.len() as u64, sent.open_table("a").unwrap().len().unwrap());
}

#[test]
fn what_is_known_of_a_stream_without_a_branch_is_named_by_a_salvage() {
    let (_, image) = parted();
    let forged = with(&image, b"bs", |value| {
        let length = value.len();
        value[..length].fill(0xFF);
    });
    let (salvaged, _) = salvage(&forged);
    assert!(salvaged.left.iter().any(|what| what.contains("received of \"s\"")), "{salvaged}");
}
