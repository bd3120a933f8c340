//! A table is an ordered map: every key of 0 bytes to a quarter of a page, every value, both ways.

use std::{collections::BTreeMap, ops::Bound};

use cowslip::{Database, Error};
use cowslip_harness::{Scratch, Seed};

const SIZES: [usize; 3] = [4096, 16384, 65536];

#[test]
fn keys_of_every_length_up_to_a_quarter_page_are_kept_and_longer_ones_refused() {
    for page_size in SIZES {
        let mut db = Scratch::memory(Database::builder().page_size(page_size));
        let limit = page_size / 4;
        let lengths = (0..20).chain([45, 46, 47, 254, 255, 256, 257, limit - 1, limit]);
        let keys: Vec<Vec<u8>> = lengths.map(|length| vec![b'k'; length]).collect();
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for key in &keys {
                assert!(!table.insert(key, &key.len().to_be_bytes()).unwrap());
            }
            let too_long = vec![b'k'; limit + 1];
            let refused = table.insert(&too_long, b"");
            assert!(matches!(refused, Err(Error::KeyTooLarge { length, limit: l })
                if length == limit + 1 && l == limit));
            // The transaction is not hurt by it.
            assert!(table.insert(b"k", &1usize.to_be_bytes()).unwrap());
            // Nobody can have put it there.
            assert!(!matches!(table.get(&too_long), Ok(Some(_))));
        }
        tx.commit().unwrap();
        db.reopen();
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        let found: Vec<Vec<u8>> =
            table.range::<&[u8]>(..).unwrap().map(|entry| entry.unwrap().0.to_vec()).collect();
        assert_eq!(found, keys);
    }
}

#[test]
fn values_around_every_limit_are_kept() {
    for page_size in SIZES {
        let mut db = Scratch::memory(Database::builder().page_size(page_size));
        let inline = (page_size - 64) / 2 - 12;
        let around = |n: usize| n.saturating_sub(6)..n + 6;
        let lengths: Vec<usize> = (0..4)
            .chain(around(inline))
            .chain(around(page_size))
            .chain(around(2 * page_size))
            .chain([(1 << 20) - 1, 1 << 20, (1 << 20) + 1])
            .collect();
        for (number, &length) in lengths.iter().enumerate() {
            let tx = db.begin_write().unwrap();
            let value = cowslip_harness::op::value(length as u32, number as u16);
            tx.open_table("t").unwrap().insert(&(number as u32).to_be_bytes(), &value).unwrap();
            tx.commit().unwrap();
        }
        db.reopen();
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        for (number, &length) in lengths.iter().enumerate() {
            let value = cowslip_harness::op::value(length as u32, number as u16);
            let key = (number as u32).to_be_bytes();
            assert!(table.get(&key).unwrap().unwrap() == value, "{length} bytes");
        }
    }
}

#[test]
fn any_bytes_are_a_key() {
    let db = Scratch::memory(Database::builder());
    let keys: Vec<Vec<u8>> = (0..=255u8)
        .flat_map(|a| [0, 1, 127, 128, 255].map(|b| vec![a, b]))
        .chain((0..=255).map(|a| vec![a]))
        .collect();
    let tx = db.begin_write().unwrap();
    for key in &keys {
        tx.open_table("t").unwrap().insert(key, key).unwrap();
    }
    tx.commit().unwrap();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    for first in 0..=255u8 {
        let found = table.prefix(&[first]).unwrap().map(|e| e.unwrap().0.to_vec());
        let expected =
            [vec![first], vec![first, 0], vec![first, 1], vec![first, 127], vec![first, 128]];
        assert!(found.take(5).eq(expected));
    }
}

fn bound(rng: &mut fastrand::Rng, keys: u32) -> Bound<Vec<u8>> {
    let key = format!("{:06}", rng.u32(..keys * 2)).into_bytes();
    match rng.u8(..4) {
        0 => Bound::Unbounded,
        1 => Bound::Excluded(key),
        _ => Bound::Included(key),
    }
}

fn is_inverted(range: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from > to,
    }
}

#[test]
fn ranges_are_walked_from_both_ends_as_in_a_map() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let db = Scratch::memory(Database::builder());
    let mut model = BTreeMap::new();
    let tx = db.begin_write().unwrap();
    for _ in 0..5000 {
        let key = format!("{:06}", rng.u32(..10_000)).into_bytes();
        let value = vec![rng.u8(..); rng.usize(..60)];
        tx.open_table("t").unwrap().insert(&key, &value).unwrap();
        model.insert(key, value);
    }
    tx.commit().unwrap();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    for _ in 0..400 {
        let range = (bound(&mut rng, 5000), bound(&mut rng, 5000));
        let mut found = table.range(range.clone()).unwrap();
        if is_inverted(&range) {
            assert!(found.next().is_none() && found.next_back().is_none());
            continue;
        }
        let mut expected = model.range(range);
        loop {
            let (found, expected) = match rng.bool() {
                true => (found.next(), expected.next()),
                false => (found.next_back(), expected.next_back()),
            };
            let Some((key, value)) = found.transpose().unwrap() else {
                assert_eq!(expected, None);
                break;
            };
            let (expected_key, expected_value) = expected.expect("the map has ended");
            assert!(key == *expected_key && value == *expected_value);
            if rng.u8(..200) == 0 {
                break;
            }
        }
    }
}

#[test]
fn remove_range_removes_what_a_map_would_lose() {
    let seed = Seed::get();
    for round in 0..cowslip_harness::seed::times(12) {
        let mut rng = seed.rng(round);
        let page_size = SIZES[round as usize % 3];
        let db = Scratch::memory(Database::builder().page_size(page_size));
        let mut model = BTreeMap::new();
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            for _ in 0..4000 {
                let key = format!("{:06}", rng.u32(..8000)).into_bytes();
                let length = if rng.u8(..100) == 0 { page_size * 2 } else { rng.usize(..100) };
                table.insert(&key, &vec![1; length]).unwrap();
                model.insert(key, length);
            }
        }
        tx.commit().unwrap();
        db.create_snapshot("before").unwrap();
        let whole = model.clone();
        while !model.is_empty() {
            let tx = db.begin_write().unwrap();
            let range = (bound(&mut rng, 4000), bound(&mut rng, 4000));
            let removed = tx.open_table("t").unwrap().remove_range(range.clone()).unwrap();
            let before = model.len();
            if !is_inverted(&range) {
                let inside: Vec<_> = model.range(range).map(|(key, _)| key.clone()).collect();
                inside.iter().for_each(|key| assert!(model.remove(key).is_some()));
            }
            assert_eq!(removed, (before - model.len()) as u64);
            let table = tx.open_table("t").unwrap();
            assert_eq!(table.len().unwrap(), model.len() as u64);
            assert!(
                table
                    .range::<&[u8]>(..)
                    .unwrap()
                    .map(Result::unwrap)
                    .zip(&model)
                    .all(|((key, value), (k, length))| key == *k && value.len() == *length)
            );
            drop(table);
            tx.commit().unwrap();
        }
        let before = db.begin_read_at("before").unwrap().open_table("t").unwrap();
        assert_eq!(before.len().unwrap(), whole.len() as u64);
        assert_eq!(before.range::<&[u8]>(..).unwrap().map(Result::unwrap).count(), whole.len());
    }
}

#[test]
fn tables_are_made_on_first_use_and_missed_when_read() {
    let mut db = Scratch::memory(Database::builder());
    assert!(
        matches!(db.begin_read().unwrap().open_table("t"), Err(Error::TableNotFound(name)) if name == "t")
    );
    let tx = db.begin_write().unwrap();
    let open = tx.open_table("t").unwrap();
    assert!(matches!(tx.open_table("t"), Err(Error::TableAlreadyOpen(_))));
    let other = tx.open_table("other").unwrap();
    assert!(matches!(tx.delete_table("t"), Err(Error::TableAlreadyOpen(_))));
    drop((open, other));
    drop(tx.open_table("t").unwrap());
    assert!(tx.delete_table("other").unwrap());
    assert!(!tx.delete_table("other").unwrap());
    assert!(matches!(tx.open_table(""), Err(Error::InvalidArgument(_))));
    tx.commit().unwrap();
    db.reopen();
    assert_eq!(db.begin_read().unwrap().tables().unwrap(), ["t"]);
}

#[test]
fn compare_and_swap_changes_only_what_was_expected() {
    let db = Scratch::memory(Database::builder());
    let tx = db.begin_write().unwrap();
    let mut table = tx.open_table("t").unwrap();
    assert!(!table.compare_and_swap(b"k", Some(b"a"), Some(b"b")).unwrap());
    assert!(table.compare_and_swap(b"k", None, Some(b"a")).unwrap());
    assert!(!table.compare_and_swap(b"k", None, Some(b"b")).unwrap());
    assert!(table.compare_and_swap(b"k", Some(b"a"), Some(b"b")).unwrap());
    assert_eq!(table.replace(b"k", b"c").unwrap().as_deref(), Some(&b"b"[..]));
    assert!(table.compare_and_swap(b"k", Some(b"c"), None).unwrap());
    assert!(table.is_empty().unwrap());
}
