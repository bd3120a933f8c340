//! R8: the newest whole state is found, and a lost one is noticed.

use cowslip::{
    Database, Durability, Error,
    storage::{
        SimulatedStorage,
        simulated::{Event, Plan, SectorSize},
    },
};
use cowslip_harness::{
    Model, Op, Scratch, Session,
    session::{disk_of, image_of},
};
use cowslip_pager::{Pager, geometry::Geometry, log::Ring, superblock::Superblock};

use super::{put, reopened, set};

/// Flips a byte of the `number`th durable log write, counted from the end.
fn with_hurt_log(disk: &SimulatedStorage, number: usize) -> Vec<u8> {
    let superblock = Pager::superblock(disk).unwrap();
    let geometry = Geometry::new(superblock.page_size as usize).unwrap();
    let ring = Ring::new(&superblock.log, &geometry);
    let inside = ring.offset..ring.offset + ring.blocks * 4096;
    let history = disk.history();
    let mut writes = history.events().iter().rev().filter_map(|event| match event {
        Event::WriteDurable { offset, .. } if inside.contains(offset) => Some(*offset),
        _ => None,
    });
    let offset = writes.nth(number).unwrap() as usize;
    let mut image = image_of(disk).unwrap();
    image[offset + 70] ^= 4;
    image
}

#[test]
fn r8_damage_below_a_later_watermark_is_an_error_and_not_a_torn_tail() {
    let (db, disk) = Scratch::simulated(Database::builder());
    (0..10u32).for_each(|n| set(&db, &n.to_be_bytes(), b"v", Durability::Immediate));
    for number in 2..8 {
        match reopened(&with_hurt_log(&disk, number)) {
            Err(Error::Corrupted { .. }) => {}
            Err(error) => panic!("{number}: {error:?}"),
            Ok(db) => {
                let table = db.begin_read().unwrap().open_table("t").unwrap();
                panic!("{number}: {} of 10 commits found, without an error", table.len().unwrap());
            }
        }
    }
    // The very last one cannot be told from a write that the power cut tore.
    let db = reopened(&with_hurt_log(&disk, 0)).unwrap();
    assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 9);
}

/// A block that the cut took, right behind a durable one, is no damage, though the record behind it
/// knows that everything *before* it was durable. For each way in which records can lie in blocks.
#[test]
fn r8_a_lost_block_behind_a_durable_one_is_a_torn_tail_and_not_damage() {
    let mut lost = 0;
    for length in 1900..2004 {
        let (db, disk) = Scratch::simulated(Database::builder());
        set(&db, b"a", b"1", Durability::Immediate);
        let before = disk.history().events().len();
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::Eventual);
        tx.open_table("t").unwrap().insert(&[b'b'; 150], &[2; 1850]).unwrap();
        tx.open_table("t").unwrap().insert(&[b'c'; 90], &vec![3; length - 90]).unwrap();
        tx.open_table("t").unwrap().insert(b"e", &[5; 100]).unwrap();
        tx.commit().unwrap();
        set(&db, b"d", b"4", Durability::Eventual);
        let history = disk.history();
        assert!(matches!(history.events()[before..], [Event::Write { .. }, Event::Write { .. }]));
        let mut explorer = history.explore(SectorSize::B512);
        while explorer.advance() {}
        // All that was pending before these commits, and the second of them.
        let pending = explorer.cut().pending();
        let image = explorer.cut().image(&Plan::DropOne(pending - 2));
        let db = reopened(&image).unwrap_or_else(|error| panic!("{length}: {error}"));
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        // Where the second commit began in the block of the first, it wrote that once more.
        lost += u64::from(table.len().unwrap() == 1);
        assert!(matches!(table.len().unwrap(), 1 | 5), "{length}");
    }
    assert!(lost > 0);
}

/// The first record behind padding was torn away with its block, and the one behind it, written by
/// the same durable write, knows of nothing later: a torn tail.
#[test]
fn r8_a_torn_first_record_behind_padding_is_a_torn_tail_and_not_damage() {
    let mut on_a_block = 0;
    for length in (8192 - 120..8192 - 50).step_by(2) {
        let (db, disk) = Scratch::simulated(Database::builder());
        set(&db, b"a", b"1", Durability::Immediate);
        let before = disk.image();
        set(&db, b"b", &vec![2; length], Durability::None);
        let used = db.stats().log_bytes;
        set(&db, b"c", b"3", Durability::Immediate);
        // Where the second record began a block of its own.
        on_a_block += u32::from(used.is_multiple_of(4096));
        let history = disk.history();
        let Some(Event::WriteDurable { offset, .. }) = history.events().last() else {
            panic!("{length}: one durable write for both")
        };
        let (mut torn, at) = (disk.image(), *offset as usize);
        torn[at..at + 4096].copy_from_slice(&before[at..at + 4096]);
        let db = reopened(&torn).unwrap_or_else(|error| panic!("{length}: {error}"));
        assert_eq!(db.begin_read().unwrap().open_table("t").unwrap().len().unwrap(), 1);
    }
    assert!(on_a_block > 0);
}

/// Records of an earlier lap, or of a life that a power cut took back, are never replayed.
#[test]
fn r8_stale_records_are_not_replayed() {
    let (db, disk) = Scratch::simulated(Database::builder());
    set(&db, b"a", b"1", Durability::Immediate);
    db.checkpoint().unwrap();
    let history_before = disk.history().events().len();
    set(&db, b"b", b"lost", Durability::Eventual);
    set(&db, b"c", b"lost", Durability::Eventual);
    // The second survives, the first does not: neither may come back, now or later.
    let mut explorer = disk.history().explore(SectorSize::B512);
    while explorer.advance() {}
    assert!(explorer.position() > history_before);
    let image = explorer.cut().image(&Plan::None);
    let db = reopened(&image).unwrap();
    set(&db, b"d", b"2", Durability::Immediate);
    let keys: Vec<_> = {
        let table = db.begin_read().unwrap().open_table("t").unwrap();
        table.range::<&[u8]>(..).unwrap().map(|entry| entry.unwrap().0.to_vec()).collect()
    };
    assert_eq!(keys, [b"a", b"d"]);
}

/// The image when both writes of its newest superblock were lost, though the disk said that they were done:
/// what stands in the slot is valid, but two checkpoints old, as it was in `before`.
fn without_superblock(mut image: Vec<u8>, before: &[u8]) -> Vec<u8> {
    let checkpoint = Pager::superblock(&*disk_of(&image)).unwrap().checkpoint;
    for copy in 0..2 {
        let at = Superblock::offset(checkpoint % 2, copy) as usize;
        assert!(image[at..at + 4096] != before[at..at + 4096]);
        image[at..at + 4096].copy_from_slice(&before[at..at + 4096]);
    }
    assert_eq!(Pager::superblock(&*disk_of(&image)).unwrap().checkpoint, checkpoint - 1);
    image
}

/// A store with a transaction in the log that no checkpoint has.
fn logged() -> Session {
    let mut session = Session::new(Database::builder().background(false).cache_size(1 << 20), 4096);
    for key in 0..3 {
        session.apply(&put(key, 30)).unwrap();
        session.apply(&Op::Checkpoint).unwrap();
    }
    session.apply(&put(3, 30)).unwrap();
    session.apply(&Op::Commit(Durability::Immediate)).unwrap();
    session
}

/// The mark behind the checkpoint tells, which goes out with the next commit, or when the store is closed.
#[test]
fn r8_a_superblock_whose_writes_were_both_lost_is_noticed() {
    let mut session = logged();
    let before = session.disk().image();
    session.apply(&Op::Checkpoint).unwrap();
    session.apply(&put(4, 30)).unwrap();
    session.apply(&Op::Commit(Durability::Immediate)).unwrap();
    let committed = without_superblock(session.disk().image(), &before);
    let before = session.disk().image();
    let disk = session.disk().clone();
    session.finish().unwrap();
    let closed = without_superblock(disk.image(), &before);
    for image in [committed, closed] {
        let error = Database::builder().open_or_create_on(disk_of(&image)).unwrap_err();
        assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
    }
}

/// Where nothing at all was written behind it, the checkpoint before and its log come to the same state.
#[test]
fn r8_a_lost_superblock_behind_which_nothing_was_written_loses_nothing() {
    let mut session = logged();
    let before = session.disk().image();
    session.apply(&Op::Checkpoint).unwrap();
    let image = without_superblock(session.disk().image(), &before);
    let content = Model::read(session.db()).unwrap();
    drop(session.kill());
    let db = reopened(&image).unwrap();
    assert!(Model::read(&db).unwrap() == content);
}

/// Both copies of the newest superblock are unreadable, and the log, which has moved with that very
/// checkpoint, says nothing of it: the older one is not taken in its place.
#[test]
fn r8_a_slot_without_a_readable_copy_is_an_error() {
    let mut session = Session::new(Database::builder().cache_size(1 << 20), 4096);
    for op in [
        put(1, 10),
        Op::Commit(Durability::Immediate),
        put(1, 300_000),
        Op::Commit(Durability::Immediate),
    ] {
        session.apply(&op).unwrap();
    }
    assert!(session.db().stats().log_capacity > 256 << 10);
    let disk = session.disk().clone();
    session.finish().unwrap();
    let mut image = disk.image();
    let newest = Pager::superblock(&*disk_of(&image)).unwrap();
    for copy in 0..2 {
        let at = Superblock::offset(newest.checkpoint % 2, copy) as usize;
        image[at + 100] ^= 1;
    }
    let error = Database::builder().open_or_create_on(disk_of(&image)).unwrap_err();
    assert!(matches!(error, Error::Corrupted { .. }), "{error:?}");
}
