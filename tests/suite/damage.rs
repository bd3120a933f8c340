//! A flipped bit or a missing end is an error that names its place, or nobody needs it: never wrong
//! data, never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cowslip::{Database, Durability, Error};
use cowslip_harness::{Model, Op, Seed, Session, effort, session::disk_of};

/// A small database with everything in it, and its states: closed (one), or killed (several, one
/// for each commit in the log).
fn image(page_size: usize, closed: bool) -> (Vec<u8>, Vec<Model>) {
    let mut session = Session::new(Database::builder().cache_size(256 * page_size), page_size);
    let put = |key, length| Op::Put { table: 0, key, length, fill: key };
    let mut ops: Vec<Op> = (0..120).map(|key| put(key, 150)).collect();
    ops.extend([
        put(200, 20_000),
        Op::Put { table: 1, key: 3, length: 5, fill: 1 },
        Op::Commit(Durability::Immediate),
        Op::Snapshot { name: 0 },
        put(1, 20),
        Op::Commit(Durability::Immediate),
        Op::BranchFromSnapshot { name: 1, from: 0 },
        Op::Checkpoint,
        put(2, 20),
        Op::Commit(Durability::Immediate),
        Op::Snapshot { name: 1 },
        put(3, 3000),
        Op::Commit(Durability::Immediate),
        put(4, 20),
        Op::Commit(Durability::Eventual),
    ]);
    ops.iter().for_each(|op| session.apply(op).unwrap());
    let disk = session.disk().clone();
    if closed {
        let last = session.model().clone();
        session.finish().unwrap();
        (disk.image(), vec![last])
    } else {
        let image = disk.image();
        (image, session.kill().versions.into_iter().map(|version| version.state).collect())
    }
}

/// Opens, reads everything, writes a little, deletes a snapshot, reads again. What is read is one of
/// `states` (or the little that was written on top), or an error.
fn judge(image: &[u8], states: &[Model], cache: usize) -> Result<(), Error> {
    let disk = disk_of(image);
    if matches!(cowslip_pager::Pager::is_unfinished(&*disk), Ok(true)) {
        // Nothing of the store is left; to open is to make a new one.
        return Ok(());
    }
    let builder = Database::builder().background(false).cache_size(cache);
    let db = builder.open_or_create_on(disk)?;
    let found = Model::read(&db)?;
    assert!(states.contains(&found), "wrong data: {:?}", states[0].difference(&found));
    let tx = db.begin_write()?;
    {
        let mut table = tx.open_table("t0")?;
        for key in 0..50 {
            table.insert(&cowslip_harness::op::key(key, db.stats().page_size as usize), b"new")?;
        }
        table.remove_range(b"00100".as_slice()..b"00150")?;
    }
    tx.commit()?;
    if found.snapshots.contains_key("s0") {
        db.delete_snapshot("s0")?;
        let now = Model::read(&db)?;
        assert_eq!(now.branches.get("b1"), found.branches.get("b1"), "wrong data after writing");
    }
    db.close()
}

/// The error must be about the file, and not about the request.
#[track_caller]
fn assert_typed(error: &Error, place: &str) {
    assert!(
        matches!(
            error,
            Error::Corrupted { .. }
                | Error::NotADatabase
                | Error::NewerFormat { .. }
                | Error::Io { .. }
                | Error::Poisoned { .. }
        ),
        "{place}: {error:?}"
    );
}

/// Positions worth flipping: every few bytes of whatever is not empty.
fn positions(image: &[u8], wanted: usize) -> Vec<usize> {
    let used: Vec<usize> = image
        .chunks(512)
        .enumerate()
        .filter(|(_, sector)| sector.iter().any(|&byte| byte != 0))
        .flat_map(|(number, sector)| number * 512..number * 512 + sector.len())
        .collect();
    let stride = (used.len() / wanted).max(1);
    used.into_iter().step_by(stride | 1).collect()
}

fn flip_everywhere(page_size: usize, closed: bool, wanted: usize) {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let (image, states) = image(page_size, closed);
    judge(&image, &states, 1 << 20).expect("the image is good before it is hurt");
    let (mut noticed, mut harmless) = (0, 0);
    for at in positions(&image, (wanted as f64 * effort()) as usize) {
        let mut hurt = image.clone();
        let bits = 1 << rng.u8(..8);
        hurt[at] ^= bits;
        let place = format!("byte {at} (page {}) ^ {bits:#04x}", at / page_size);
        match catch_unwind(AssertUnwindSafe(|| judge(&hurt, &states, 256 * page_size))) {
            Ok(Ok(())) => harmless += 1,
            Ok(Err(error)) => {
                noticed += 1;
                assert_typed(&error, &place);
            }
            Err(_) => panic!("{place}: panicked"),
        }
    }
    println!("{page_size} closed {closed}: {noticed} flips noticed, {harmless} harmless");
    assert!(noticed > harmless / 10);
}

#[test]
fn a_scan_ends_with_a_damaged_value_in_both_directions() {
    let disk = std::sync::Arc::new(cowslip::storage::MemoryStorage::new());
    let db = Database::builder().open_or_create_on(disk.clone()).unwrap();
    let value = cowslip_harness::op::value(50_000, 3);
    let tx = db.begin_write().unwrap();
    for key in [b"1", b"2", b"3", b"4", b"5"] {
        let value = if key == b"3" { &value[..] } else { b"small" };
        tx.open_table("t").unwrap().insert(key, value).unwrap();
    }
    tx.commit().unwrap();
    db.close().unwrap();
    let mut image = cowslip_harness::session::image_of(&*disk).unwrap();
    // Its third page; the log may have the same bytes, elsewhere than at a page's start.
    let page = image.chunks_mut(4096).find(|page| page[..64] == value[8192..8256]).unwrap();
    page[0] ^= 1;
    let db = Database::builder().open_or_create_on(disk_of(&image)).unwrap();
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    let mut forwards = table.range::<&[u8]>(..).unwrap();
    let mut backwards = table.range::<&[u8]>(..).unwrap();
    for _ in 0..2 {
        assert!(forwards.next().unwrap().is_ok());
        assert!(backwards.next_back().unwrap().is_ok());
    }
    assert!(matches!(forwards.next(), Some(Err(Error::Corrupted { .. }))));
    assert!(matches!(backwards.next_back(), Some(Err(Error::Corrupted { .. }))));
    for scan in [&mut forwards, &mut backwards] {
        assert!(scan.next().is_none() && scan.next_back().is_none() && scan.next().is_none());
    }
}

#[test]
fn every_flipped_byte_of_a_closed_file_is_noticed_or_harmless() {
    flip_everywhere(4096, true, 6000);
}

#[test]
fn every_flipped_byte_of_an_unclean_file_is_noticed_or_harmless() {
    flip_everywhere(4096, false, 6000);
}

#[test]
fn every_flipped_byte_among_large_pages_is_noticed_or_harmless() {
    flip_everywhere(65536, true, 1000);
}

/// Whole sectors lost, swapped, or from elsewhere: lost and misdirected writes.
#[test]
fn lost_and_misdirected_writes_are_noticed_or_harmless() {
    let seed = Seed::get();
    let mut rng = seed.rng(1);
    let (image, states) = image(4096, true);
    let pages = image.len() / 4096;
    for _ in 0..cowslip_harness::seed::times(1500) {
        let mut hurt = image.clone();
        let (from, to) = (rng.usize(..pages) * 4096, rng.usize(16..pages) * 4096);
        match rng.u8(..3) {
            0 => hurt[to..to + 4096].fill(0),
            1 => hurt[to..to + 4096].copy_from_slice(&image[from..from + 4096]),
            _ => hurt[to..to + 512].copy_from_slice(&image[from..from + 512]),
        }
        let result = catch_unwind(AssertUnwindSafe(|| judge(&hurt, &states, 1 << 20)));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => assert_typed(&error, &format!("{from} over {to}")),
            Err(_) => panic!("{from} over {to}: panicked"),
        }
    }
}

#[test]
fn a_file_cut_short_anywhere_is_an_error_or_complete() {
    for (page_size, closed) in [(4096, true), (4096, false), (65536, true)] {
        let (image, states) = image(page_size, closed);
        let ends = (0..=image.len() / page_size)
            .flat_map(|page| [0, 1, 511, page_size / 2 + 3].map(|more| page * page_size + more));
        let mut complete = 0;
        for end in
            ends.filter(|&end| end <= image.len()).step_by(if effort() < 1.0 { 3 } else { 1 })
        {
            let result = catch_unwind(AssertUnwindSafe(|| judge(&image[..end], &states, 1 << 20)));
            match result {
                Ok(Ok(())) => complete += 1,
                Ok(Err(error)) => assert_typed(&error, &format!("cut at {end}")),
                Err(_) => panic!("cut at {end}: panicked"),
            }
        }
        assert!(complete > 0, "the whole file is complete");
    }
}
