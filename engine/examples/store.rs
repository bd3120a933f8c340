//! Put, get, scan and remove, in a file that survives a power cut.
//!
//! `cargo run --example store -p cowslip`

use cowslip::Database;

fn main() -> cowslip::Result<()> {
    let path = std::env::temp_dir().join(format!("cowslip-store-{}.cow", std::process::id()));
    let db = Database::create(&path)?;

    let tx = db.begin_write()?;
    {
        let mut birds = tx.open_table("birds")?;
        birds.insert(b"heron", b"grey")?;
        birds.insert(b"kingfisher", b"blue")?;
        birds.insert(b"wren", b"brown")?;
    }
    // On return, all three are on the disk; without this line none is.
    tx.commit()?;

    // Dropped without a commit: nothing of it remains.
    let tx = db.begin_write()?;
    tx.open_table("birds")?.remove_range::<&[u8]>(..)?;
    drop(tx);

    let birds = db.begin_read()?.open_table("birds")?;
    assert_eq!(birds.get(b"wren")?.unwrap(), b"brown");
    assert_eq!(birds.len()?, 3);
    for entry in birds.range(&b"i"[..]..)?.rev() {
        let (name, colour) = entry?;
        println!("{} is {}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&colour));
    }

    // The table keeps the database open: drop it first, so that `close` can report everything.
    drop(birds);
    db.close()?;
    std::fs::remove_file(&path).expect("the example's own file");
    Ok(())
}
