//! Name a version, change the present, compare the two, and go back.
//!
//! `cargo run --example snapshot_and_diff -p cowslip`

use cowslip::{Change, Database};

fn main() -> cowslip::Result<()> {
    let db = Database::in_memory()?;
    put(&db, &[("apples", "12"), ("pears", "3"), ("plums", "40")])?;

    // One small commit, whatever the size of the database.
    db.create_snapshot("monday")?;

    put(&db, &[("apples", "11"), ("quinces", "5")])?;
    let tx = db.begin_write()?;
    tx.open_table("stock")?.remove(b"plums")?;
    tx.commit()?;

    // Only what the two do not share is read.
    let changes = db.diff("monday", "main")?.collect::<cowslip::Result<Vec<Change>>>()?;
    for Change { key, old, new, .. } in &changes {
        let text = |value: &Option<Vec<u8>>| match value {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "nothing".to_owned(),
        };
        println!("{}: {} -> {}", String::from_utf8_lossy(key), text(old), text(new));
    }
    assert_eq!(changes.len(), 3);

    // The past can be read beside the present ...
    let monday = db.begin_read_at("monday")?.open_table("stock")?;
    assert_eq!(monday.get(b"plums")?.unwrap(), b"40");

    // ... and can become the present again.
    db.rollback("monday")?;
    assert_eq!(db.diff("monday", "main")?.count(), 0);
    db.delete_snapshot("monday")?;
    assert_eq!(db.begin_read()?.open_table("stock")?.len()?, 3);
    Ok(())
}

fn put(db: &Database, stock: &[(&str, &str)]) -> cowslip::Result<()> {
    let tx = db.begin_write()?;
    {
        let mut table = tx.open_table("stock")?;
        for (name, count) in stock {
            table.insert(name.as_bytes(), count.as_bytes())?;
        }
    }
    tx.commit()
}
