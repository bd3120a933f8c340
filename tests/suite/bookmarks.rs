//! A bookmark stands for a snapshot that is gone, where that is possible, and says so where not.

use cowslip::{Database, Error};
use cowslip_harness::{Scratch, Seed, history, seed::times};

fn put(db: &Database, branch: &str, key: &[u8]) {
    let tx = db.begin_write_on(branch).unwrap();
    tx.open_table("t").unwrap().insert(key, key).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_stream_since_a_bookmark_needs_an_ancestor() {
    let db = Scratch::memory(Database::builder());
    put(&db, "main", b"a");
    db.create_snapshot("base").unwrap();
    db.create_branch("other", "base").unwrap();
    put(&db, "main", b"b");
    db.create_snapshot("on main").unwrap();
    db.create_bookmark("mark", "on main").unwrap();
    put(&db, "main", b"c");
    db.create_snapshot("later").unwrap();
    put(&db, "other", b"d");
    db.create_snapshot_of("other", "beside").unwrap();
    db.rollback("base").unwrap();
    put(&db, "main", b"e");
    db.create_snapshot("after the rollback").unwrap();
    // As long as the snapshot is there, anything can be compared with it.
    db.send(std::io::sink(), "beside", Some("mark")).unwrap();
    db.delete_snapshot("on main").unwrap();
    db.send(std::io::sink(), "later", Some("mark")).unwrap();
    for target in ["beside", "after the rollback", "base"] {
        let refused = db.send(std::io::sink(), target, Some("mark"));
        match refused {
            Err(Error::NoAncestor { bookmark, snapshot }) => {
                assert_eq!((&*bookmark, &*snapshot), ("mark", target));
            }
            other => panic!("{target}: {other:?}"),
        }
    }
}

#[test]
fn a_bookmark_keeps_no_page() {
    let db = Scratch::memory(Database::builder().background(false));
    put(&db, "main", b"a");
    let mut rng = fastrand::Rng::with_seed(1);
    history::write(&db, &mut rng, 4096, "main").unwrap();
    db.create_snapshot("s").unwrap();
    db.create_bookmark("s", "s").unwrap();
    for number in 0..500u32 {
        put(&db, "main", &number.to_be_bytes());
    }
    let unique = db.usage("s").unwrap().unique_bytes / 4096;
    db.checkpoint().unwrap();
    let before = db.stats().pages_used;
    db.delete_snapshot("s").unwrap();
    db.wait_for_releases().unwrap();
    db.checkpoint().unwrap();
    assert_eq!(before - db.stats().pages_used, unique);
    assert_eq!(db.bookmarks().unwrap().len(), 1);
    db.delete_bookmark("s").unwrap();
    assert!(matches!(db.delete_bookmark("s"), Err(Error::BookmarkNotFound(_))));
}

/// The pages of the bookmark are gone, so only what its line rewrote since can tell what to send
/// (I11). Deletions of whole leaves and ranges are what it takes care to get right.
#[test]
fn a_stream_since_a_bookmark_brings_all_that_changed_also_what_is_gone() {
    let seed = Seed::get();
    for round in 0..times(40) {
        let mut rng = seed.rng(round);
        let page_size = [4096, 4096, 8192][round as usize % 3];
        let builder = |page_size| Database::builder().page_size(page_size).background(false);
        let db = Scratch::memory(builder(page_size));
        let other = Scratch::memory(builder([4096, 65536][round as usize % 2]));
        history::write(&db, &mut rng, 4096, "main").unwrap();
        let (mut before, mut sent_since) = (None::<String>, 0);
        for number in 0..12 {
            for _ in 0..rng.u32(1..4) {
                match rng.u8(..4) {
                    0 => thin_out(&db, &mut rng),
                    _ => history::write(&db, &mut rng, 4096, "main").unwrap(),
                }
            }
            if rng.u8(..6) == 0 {
                db.compact().unwrap();
            }
            let name = format!("s{number}");
            db.create_snapshot(&name).unwrap();
            let mut stream = Vec::new();
            db.send(&mut stream, &name, before.as_deref()).unwrap();
            sent_since += usize::from(before.is_some());
            other.receive(&*stream).unwrap();
            assert_eq!(db.digest(&name).unwrap(), other.digest(&name).unwrap(), "{name}");
            db.create_bookmark(&name, &name).unwrap();
            db.delete_snapshot(&name).unwrap();
            before = Some(name);
        }
        assert_eq!(sent_since, 11);
    }
}

/// Removes long runs of keys one by one, in both directions, so that leaves run empty, and ranges.
fn thin_out(db: &Database, rng: &mut fastrand::Rng) {
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("table 0").unwrap();
        if table.len().unwrap() < 200 {
            for number in 0..2000u32 {
                table.insert(&number.to_be_bytes(), &[7; 50]).unwrap();
            }
        }
        let keys: Vec<Vec<u8>> =
            table.range::<&[u8]>(..).unwrap().map(|entry| entry.unwrap().0.to_vec()).collect();
        let from = rng.usize(..keys.len());
        let to = (from + rng.usize(..300)).min(keys.len());
        let run = &keys[from..to];
        match (run, rng.u8(..3)) {
            ([], _) => {}
            ([first, .., last], 0) => {
                table.remove_range::<&Vec<u8>>(first..last).unwrap();
            }
            (run, 1) => run.iter().for_each(|key| assert!(table.remove(key).unwrap())),
            (run, _) => run.iter().rev().for_each(|key| assert!(table.remove(key).unwrap())),
        }
    }
    tx.commit().unwrap();
}

/// Runs of keys that fill whole leaves, and none beside them: then nothing but I11 makes the neighbour
/// new that their range falls to.
#[test]
fn a_leaf_that_inherits_a_range_is_sent_again() {
    // Entries of a leaf, which ascending loads fill to the brim; the second tree has three levels.
    for (value, in_leaf) in [(50, 65u32), (900, 4)] {
        let db = Scratch::memory(Database::builder().background(false));
        let other = Scratch::memory(Database::builder().background(false));
        let tx = db.begin_write().unwrap();
        for number in 0..2000u32 {
            let mut table = tx.open_table("t").unwrap();
            table.insert(&number.to_be_bytes(), &vec![7; value]).unwrap();
        }
        tx.commit().unwrap();
        db.create_snapshot("base").unwrap();
        db.create_bookmark("base", "base").unwrap();
        let mut stream = Vec::new();
        db.send(&mut stream, "base", None).unwrap();
        other.receive(&*stream).unwrap();
        let lengths = [1, in_leaf, 2 * in_leaf, 30 * in_leaf];
        let mut cases = Vec::new();
        for from in 0..=in_leaf + 1 {
            for (way, length) in (0..3).flat_map(|way| lengths.map(|length| (way, length))) {
                cases.push((from, length, way));
                cases.push((
                    2000 - length.min(2000) - from.min(2000 - length.min(2000)),
                    length,
                    way,
                ));
            }
        }
        for number in 0..cases.len() {
            db.create_branch(&number.to_string(), "base").unwrap();
        }
        db.delete_snapshot("base").unwrap();
        for (number, (from, length, way)) in cases.into_iter().enumerate() {
            let branch = number.to_string();
            let tx = db.begin_write_on(&branch).unwrap();
            let run = (from..(from + length).min(2000)).map(u32::to_be_bytes);
            {
                let mut table = tx.open_table("t").unwrap();
                match way {
                    0 => run.for_each(|key| assert!(table.remove(&key).unwrap())),
                    1 => run.rev().for_each(|key| assert!(table.remove(&key).unwrap())),
                    _ => {
                        let to = (from + length).to_be_bytes();
                        assert!(table.remove_range(from.to_be_bytes()..to).unwrap() > 0);
                    }
                }
            }
            tx.commit().unwrap();
            db.create_snapshot_of(&branch, "after").unwrap();
            stream.clear();
            db.send(&mut stream, "after", Some("base")).unwrap();
            other.receive(&*stream).unwrap();
            let what = format!("{length} keys from {from} on removed in way {way}");
            assert_eq!(db.digest("after").unwrap(), other.digest("after").unwrap(), "{what}");
            [&db, &other].into_iter().for_each(|db| db.delete_snapshot("after").unwrap());
            db.delete_branch(&branch).unwrap();
        }
    }
}
