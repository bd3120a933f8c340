//! Many rows at once: in whatever order they come, the table is what a map would be, and its leaves are full.

use std::collections::BTreeMap;

use cowslip::{Database, Table};
use cowslip_harness::{Scratch, Seed};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn assert_same(table: &Table<'_>, model: &Model) {
    assert_eq!(table.len().unwrap(), model.len() as u64);
    let rows = table.range::<&[u8]>(..).unwrap().map(|row| {
        let (key, value) = row.unwrap();
        (key.to_vec(), value.to_vec())
    });
    assert!(rows.eq(model.iter().map(|(key, value)| (key.clone(), value.clone()))));
}

/// Opened again, the table `t` has these rows.
fn assert_kept(db: &mut Scratch, model: &Model) {
    db.reopen();
    let tx = db.begin_write().unwrap();
    assert_same(&tx.open_table("t").unwrap(), model);
}

/// The part of the pages of `main` that the rows' bytes fill.
fn fill(db: &Scratch, model: &Model) -> f64 {
    let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    bytes as f64 / db.usage("main").unwrap().referenced_bytes as f64
}

#[test]
fn a_load_in_random_order_is_as_in_a_map_and_leaves_full_pages() {
    let seed = Seed::get();
    let mut random = seed.rng(1);
    let mut db = Scratch::memory(Database::builder());
    let mut model = Model::new();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for _ in 0..40_000 {
            let key = random.u32(0..200_000).to_be_bytes().to_vec();
            let value = vec![random.u8(..); 96];
            let there = table.insert(&key, &value).unwrap();
            assert_eq!(there, model.insert(key, value).is_some());
        }
        assert_same(&table, &model);
    }
    tx.commit().unwrap();
    assert!(fill(&db, &model) > 0.9, "{}", fill(&db, &model));
    assert_kept(&mut db, &model);
}

#[test]
fn rows_that_ascend_behind_the_others_leave_full_pages_in_transactions_of_any_size() {
    for (each, all) in [(1, 3000), (65, 9000), (70, 9000), (100, 9000), (997, 20_000)] {
        let mut db = Scratch::memory(Database::builder());
        let mut model = Model::new();
        let mut next = 0u32;
        while next < all {
            let tx = db.begin_write().unwrap();
            let mut table = tx.open_table("t").unwrap();
            for _ in 0..each {
                // Values of different lengths: slotted leaves.
                let (key, value) = (next.to_be_bytes().to_vec(), vec![7; 80 + next as usize % 5]);
                assert!(!table.insert(&key, &value).unwrap());
                model.insert(key, value);
                next += 1;
            }
            drop(table);
            tx.commit().unwrap();
        }
        assert!(each == 1 || fill(&db, &model) > 0.8, "{each}: {}", fill(&db, &model));
        assert_kept(&mut db, &model);
    }
}

#[test]
fn a_load_larger_than_the_cache_is_as_in_a_map() {
    let seed = Seed::get();
    let mut random = seed.rng(1);
    let mut db = Scratch::memory(Database::builder().cache_size(1 << 20));
    let mut model = Model::new();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for i in 0..30_000u32 {
            let key = if i % 3 == 0 { i } else { random.u32(..) }.to_be_bytes().to_vec();
            let value = vec![random.u8(..); random.usize(0..300)];
            assert_eq!(table.insert(&key, &value).unwrap(), model.insert(key, value).is_some());
        }
    }
    tx.commit().unwrap();
    assert_kept(&mut db, &model);
}

#[test]
fn rows_held_back_are_seen_by_whatever_comes_between() {
    let seed = Seed::get();
    let mut random = seed.rng(1);
    for _ in 0..60 {
        let mut db = Scratch::memory(Database::builder());
        let mut model = Model::new();
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table("t").unwrap();
            let mut next = 0u32;
            for _ in 0..random.usize(1..600) {
                let number = if random.u8(..) < 250 {
                    next += 1;
                    next
                } else {
                    random.u32(0..next + 9)
                };
                let key = number.to_be_bytes().to_vec();
                match random.u8(..) {
                    0..230 => {
                        let length = if random.u8(..) == 0 { 5000 } else { 20 };
                        let value = vec![random.u8(..); length];
                        let there = table.insert(&key, &value).unwrap();
                        assert_eq!(there, model.insert(key, value).is_some());
                    }
                    230..236 => assert_eq!(
                        table.get(&key).unwrap().as_deref(),
                        model.get(&key).map(|v| &v[..])
                    ),
                    236..242 => {
                        assert_eq!(table.remove(&key).unwrap(), model.remove(&key).is_some())
                    }
                    242..246 => assert_eq!(table.len().unwrap(), model.len() as u64),
                    246..249 => {
                        let old = model.insert(key.clone(), b"new".to_vec());
                        assert_eq!(table.replace(&key, b"new").unwrap(), old);
                    }
                    249..252 => {
                        let removed = table.remove_range(key.clone()..).unwrap();
                        assert_eq!(removed, model.split_off(&key).len() as u64);
                    }
                    _ => assert_same(&table, &model),
                }
            }
        }
        tx.commit().unwrap();
        assert_kept(&mut db, &model);
    }
}

#[test]
fn a_table_that_was_filled_and_deleted_in_one_transaction_is_gone() {
    let mut db = Scratch::memory(Database::builder());
    let tx = db.begin_write().unwrap();
    for _ in 0..3 {
        for i in 0..1000u32 {
            tx.open_table("t").unwrap().insert(&i.to_be_bytes(), b"v").unwrap();
        }
        assert!(tx.delete_table("t").unwrap());
    }
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    db.reopen();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.len().unwrap(), 1);
}
