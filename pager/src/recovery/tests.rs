//! Replay, record by record: what comes together, what comes alone, and that nothing comes twice.

use super::*;
use crate::{
    page::Pointer,
    pager::Opaque,
    storage::{
        MemoryStorage,
        recorder::{Call, Recorder},
    },
    transaction::Durability,
};

fn config() -> Config {
    Config { background: false, cache_size: 8 << 20, ..Config::default() }
}

/// A store whose log has these records.
fn logged(bodies: &[&[u8]]) -> Arc<dyn Storage> {
    let disk: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let inner = Arc::new(create(disk.clone(), config(), Arc::new(Opaque)).unwrap());
    for body in bodies {
        inner.writer.lock().unwrap();
        let mut transaction = Transaction::begin(&inner).unwrap();
        let page = transaction.allocate(1, 0, 1).unwrap();
        transaction.set_root(page);
        transaction.commit(Some(body), Durability::Immediate).unwrap();
    }
    disk
}

/// What `apply` was given, and what it did: `refuse` says of which bodies it fails.
fn replayed(
    disk: Arc<dyn Storage>,
    joins: impl Fn(&[u8], &[u8]) -> bool,
    refuse: impl Fn(&[Vec<u8>]) -> bool,
) -> (Result<()>, Vec<Vec<Vec<u8>>>, Arc<Inner>) {
    let (inner, found) = open(disk, config(), Arc::new(Opaque)).unwrap();
    let inner = Arc::new(inner);
    let mut given = Vec::new();
    let result = replay(&inner, found, joins, |mut transaction, bodies| {
        given.push(bodies.to_vec());
        let page = transaction.allocate(1, 0, 1)?;
        transaction.set_root(page);
        if refuse(bodies) { Err(Error::DiskFull { pages: 1 }) } else { Ok(transaction) }
    });
    (result, given, inner)
}

#[test]
fn records_that_join_come_in_one_transaction_in_their_order() {
    let disk = logged(&[b"a1", b"a2", b"b1", b"a3", b"a4", b"a5"]);
    let (result, given, _) = replayed(disk, |before, next| before[0] == next[0], |_| false);
    result.unwrap();
    let expected: [&[&[u8]]; 3] = [&[b"a1", b"a2"], &[b"b1"], &[b"a3", b"a4", b"a5"]];
    assert_eq!(given, expected);
}

#[test]
fn records_in_one_transaction_are_bounded() {
    // The ring grows meanwhile; what stands behind its last checkpoint is replayed.
    let long = vec![7; GROUP_BYTES / 3];
    let disk = logged(&[&long[..]; 24]);
    let (result, given, _) = replayed(disk, |_, _| true, |_| false);
    result.unwrap();
    assert!(given.len() > 1);
    let (last, full) = given.split_last().unwrap();
    assert!(full.iter().all(|bodies| bodies.len() == 3) && last.len() <= 3);
}

#[test]
fn records_that_cannot_be_replayed_together_come_one_by_one() {
    let disk = logged(&[b"1", b"2", b"3"]);
    let (result, given, inner) = replayed(disk, |_, _| true, |bodies| bodies.len() > 1);
    result.unwrap();
    let all: &[&[u8]] = &[b"1", b"2", b"3"];
    assert_eq!(given, [all, &all[..1], &all[1..2], &all[2..]]);
    // Nothing of the attempt is left: one page is in use beside those of the checkpoint.
    let root: Pointer = inner.head.lock().version.root;
    let mut space = inner.space.lock();
    assert_eq!(space.count(root.page).unwrap(), 1);
    assert!(!inner.log.is_replaying());
}

#[test]
fn a_record_that_cannot_be_replayed_ends_the_recovery_and_the_log_stays() {
    let disk = logged(&[b"1", b"2", b"3"]);
    let (result, given, inner) =
        replayed(disk.clone(), |_, _| true, |bodies| bodies.contains(&b"2".to_vec()));
    assert!(matches!(result, Err(Error::DiskFull { .. })));
    assert_eq!(given.len(), 3, "all together, the first, the second");
    assert!(inner.log.is_replaying());
    drop(inner);
    let (result, given, _) = replayed(disk, |_, _| true, |_| false);
    result.unwrap();
    assert_eq!(given, [[b"1".to_vec(), b"2".to_vec(), b"3".to_vec()]]);
}

/// A mark may have stayed in the system's cache, so what stands durably behind it needs a sync first; an
/// opening that nothing durable follows needs none.
#[test]
fn marks_alone_are_synced_by_the_first_durable_write_behind_them() {
    let disk = Arc::new(Recorder::default());
    let inner = create(disk.clone(), config(), Arc::new(Opaque)).unwrap();
    inner.log.write_plain(&inner.poison).unwrap();
    drop(inner);
    disk.take();
    let (result, given, inner) = replayed(disk.clone(), |_, _| true, |_| false);
    result.unwrap();
    assert!(given.is_empty());
    assert!(!disk.take().contains(&Call::Sync));
    let commit = |durability| {
        inner.writer.lock().unwrap();
        let mut transaction = Transaction::begin(&inner).unwrap();
        let page = transaction.allocate(1, 0, 1).unwrap();
        transaction.set_root(page);
        transaction.commit(Some(b"next"), durability).unwrap();
        disk.take()
    };
    assert!(!commit(Durability::Eventual).contains(&Call::Sync));
    let first = commit(Durability::Immediate);
    assert!(matches!(first[..], [.., Call::Sync, Call::Durable(_)]), "{first:?}");
    assert!(!commit(Durability::Immediate).contains(&Call::Sync));
}
