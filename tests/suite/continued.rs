//! Small weak transactions, which go on with the newest version in place: nobody can tell.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use cowslip::{Database, Durability, ReadTable};
use cowslip_harness::{Scratch, Seed, seed::times};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn assert_same(table: &ReadTable, model: &Model) {
    let rows = table.range::<&[u8]>(..).unwrap().map(|row| {
        let (key, value) = row.unwrap();
        (key.to_vec(), value.to_vec())
    });
    assert!(rows.eq(model.iter().map(|(key, value)| (key.clone(), value.clone()))));
    assert_eq!(table.len().unwrap(), model.len() as u64);
}

/// Few rows and long ones, so that leaves split and merge often; readers, snapshots, checkpoints, aborts and
/// reopenings in between.
#[test]
fn small_weak_transactions_leave_what_maps_would() {
    let seed = Seed::get();
    for round in 0..times(6) {
        let mut random = seed.rng(round);
        let builder = Database::builder().cache_size(4 << 20).background(round % 2 == 0);
        let mut db = Scratch::memory(builder);
        let mut models = [Model::new(), Model::new()];
        let names = ["t", "u"];
        let (mut readers, mut snapshots) = (Vec::new(), Vec::new());
        let mut continued = 0;
        for number in 0..6000u32 {
            let mut tx = db.begin_write().unwrap();
            let levels = [Durability::None, Durability::Eventual, Durability::Immediate];
            tx.set_durability(
                levels[(random.usize(0..30) + 1) / 16 + usize::from(number % 500 == 0)],
            );
            let mut next = models.clone();
            for _ in 0..random.usize(1..4) {
                let which = random.usize(0..2);
                let mut table = tx.open_table(names[which]).unwrap();
                for _ in 0..if random.u8(0..60) == 0 { 50 } else { random.usize(1..4) } {
                    // At times more comes, at times more goes.
                    let key = random.u16(0..600).to_be_bytes().to_vec();
                    if random.u32(0..100) < if number % 2000 < 1000 { 25 } else { 70 } {
                        let there = table.remove(&key).unwrap();
                        assert_eq!(there, next[which].remove(&key).is_some());
                    } else {
                        let long = if random.u8(0..80) == 0 { 5000 } else { 700 };
                        let value = vec![random.u8(..); random.usize(0..long)];
                        let there = table.insert(&key, &value).unwrap();
                        assert_eq!(there, next[which].insert(key, value).is_some());
                    }
                }
                if random.u8(0..20) == 0 {
                    assert_eq!(table.len().unwrap(), next[which].len() as u64);
                }
            }
            if random.u8(0..20) == 0 {
                tx.abort().unwrap();
            } else {
                tx.commit().unwrap();
                models = next;
            }
            match random.u32(0..400) {
                0..20 => {
                    let tx = db.begin_read().unwrap();
                    let tables = names.map(|name| tx.open_table(name).ok());
                    readers.push((tables, models.clone()));
                }
                20..40 => readers.truncate(readers.len() / 2),
                40..44 => {
                    db.create_snapshot(&number.to_string()).unwrap();
                    snapshots.push((number.to_string(), models.clone()));
                }
                44..47 if !snapshots.is_empty() => {
                    let (name, _) = snapshots.swap_remove(random.usize(0..snapshots.len()));
                    db.delete_snapshot(&name).unwrap();
                }
                47..52 => db.checkpoint().unwrap(),
                52 => {
                    readers.clear();
                    continued += db.stats().continued;
                    db.reopen();
                }
                53..60 => {
                    for (tables, models) in &readers {
                        for (table, model) in tables.iter().zip(models) {
                            match table {
                                Some(table) => assert_same(table, model),
                                None => assert!(model.is_empty()),
                            }
                        }
                    }
                    for (name, models) in &snapshots {
                        let tx = db.begin_read_at(name).unwrap();
                        for (name, model) in names.iter().zip(models) {
                            match tx.open_table(name) {
                                Ok(table) => assert_same(&table, model),
                                Err(_) => assert!(model.is_empty()),
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        continued += db.stats().continued;
        assert!(continued > 1000, "only {continued} in place");
    }
}

/// Two rows whose sum never changes, moved by a writer that goes on with versions between the readers.
#[test]
fn readers_never_see_half_of_a_small_transaction() {
    let db = Scratch::file(Database::builder().cache_size(4 << 20));
    let put = |from: u64, to: u64, durability| {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(durability);
        {
            let mut table = tx.open_table("t").unwrap();
            table.insert(b"from", &from.to_be_bytes()).unwrap();
            // Far away, so that it is in another leaf.
            table.insert(b"to", &to.to_be_bytes()).unwrap();
        }
        tx.commit().unwrap();
    };
    {
        let tx = db.begin_write().unwrap();
        let mut table = tx.open_table("t").unwrap();
        for n in 0..2000u32 {
            table.insert(format!("m{n}").as_bytes(), &[1; 100]).unwrap();
        }
        drop(table);
        tx.commit().unwrap();
    }
    let all = 1_000_000u64;
    put(all, 0, Durability::Immediate);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (db, stop) = (Database::clone(&db), &stop);
            scope.spawn(move || {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let tx = db.begin_read().unwrap();
                    let version = tx.number();
                    assert!(version >= last);
                    last = version;
                    let table = tx.open_table("t").unwrap();
                    for _ in 0..1 + number * 20 {
                        let of = |key: &[u8]| {
                            let value = table.get(key).unwrap().unwrap().to_vec();
                            u64::from_be_bytes(value.try_into().unwrap())
                        };
                        assert_eq!(of(b"from") + of(b"to"), all);
                    }
                    drop((table, tx));
                    // The writer gets versions that nobody reads as well.
                    std::thread::sleep(std::time::Duration::from_micros(50));
                }
            });
        }
        for moved in 1..=times(20_000) {
            put(all - moved, moved, [Durability::None, Durability::Eventual][moved as usize % 2]);
            if moved % 2000 == 0 {
                db.checkpoint().unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(db.stats().continued > 100, "{}", db.stats().continued);
}
