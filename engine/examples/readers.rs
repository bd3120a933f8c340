//! Readers keep their own version while a writer works; nobody waits for anybody.
//!
//! Two accounts always hold 100 together. The writer moves money between them, and no reader ever
//! sees a sum that is not 100.
//!
//! `cargo run --release --example readers -p cowslip`

use std::sync::atomic::{AtomicBool, Ordering};

use cowslip::{Database, Durability, ReadTransaction, Result};

fn main() -> Result<()> {
    let db = Database::in_memory()?;
    transfer(&db, 50)?;
    let done = AtomicBool::new(false);

    let sums = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut sums = 0u64;
                    while !done.load(Ordering::Relaxed) {
                        assert_eq!(sum(&db.begin_read()?)?, 100);
                        sums += 1;
                    }
                    Result::Ok(sums)
                })
            })
            .collect();
        for round in 0..2000u32 {
            transfer(&db, (round % 101) as u8)?;
        }
        done.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader panicked"))
            .sum::<Result<u64>>()
    })?;
    println!("2000 transfers; {sums} sums read meanwhile, each of them 100");
    Ok(())
}

fn transfer(db: &Database, left: u8) -> Result<()> {
    let mut tx = db.begin_write()?;
    tx.set_durability(Durability::None);
    {
        let mut accounts = tx.open_table("accounts")?;
        accounts.insert(b"left", &[left])?;
        accounts.insert(b"right", &[100 - left])?;
    }
    tx.commit()
}

fn sum(version: &ReadTransaction) -> Result<u32> {
    let mut sum = 0;
    for entry in version.open_table("accounts")?.range::<&[u8]>(..)? {
        sum += u32::from(entry?.1[0]);
    }
    Ok(sum)
}
