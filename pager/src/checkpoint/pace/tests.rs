use std::sync::Arc;

use super::*;
use crate::{
    checkpoint::{
        seal_release_write,
        tests::{commit, created},
    },
    error::Error,
    pager::{Config, Opaque},
    recovery,
    storage::{
        SimulatedStorage,
        simulated::{FaultKind, Plan, SectorSize},
    },
};

const MIB: usize = 1 << 20;

/// Writes a piece as long as it may be; true if it was synced.
fn write_piece(pace: &mut Pace, inner: &Inner) -> bool {
    let synced = pace.wrote(pace.piece());
    pace.pause(inner);
    synced
}

#[test]
fn with_nobody_who_waits_for_the_disk_a_checkpoint_writes_long_pieces_and_seldom_syncs() {
    let (_, inner) = created();
    commit(&inner, 1);
    let mut pace = Pace::new(&inner, 100 * MIB as u64);
    write_piece(&mut pace, &inner);
    let mut bytes = 0;
    let mut syncs = 0;
    while bytes < 16 * MIB {
        assert_eq!(pace.piece(), PIECE);
        bytes += pace.piece();
        syncs += u32::from(write_piece(&mut pace, &inner));
    }
    assert_eq!(syncs, 16);
}

#[test]
fn beside_durable_commits_a_checkpoint_writes_short_pieces_and_syncs_each() {
    let (_, inner) = created();
    let mut pace = Pace::new(&inner, MIB as u64);
    let begin = Instant::now();
    for _ in 0..8 {
        commit(&inner, 1);
        assert_eq!(pace.piece(), DIRECT_MIN);
        assert!(write_piece(&mut pace, &inner));
    }
    assert!(begin.elapsed() >= 7 * GENTLE);
}

/// Pieces that are short because the next page stands elsewhere make no more pauses than long ones.
#[test]
fn single_pages_are_paced_by_their_sum() {
    let (_, inner) = created();
    let mut pace = Pace::new(&inner, DIRECT_MIN as u64);
    let mut syncs = 0;
    for _ in 0..8 * DIRECT_MIN / 4096 {
        commit(&inner, 1);
        syncs += u32::from(pace.wrote(4096));
        pace.pause(&inner);
    }
    assert_eq!(syncs, 8);
}

#[test]
fn a_checkpoint_that_the_log_outruns_writes_longer_pieces() {
    let (_, inner) = created();
    let mut pace = Pace::new(&inner, 1 << 30);
    for _ in 0..4 {
        commit(&inner, 1);
        assert!(write_piece(&mut pace, &inner));
        assert_eq!((pace.gait, pace.piece()), (Gait::Brisk, PIECE));
    }
}

#[test]
fn a_checkpoint_makes_haste_when_writers_wait_for_it() {
    let (_, inner) = created();
    let mut pace = Pace::new(&inner, MIB as u64);
    commit(&inner, 1);
    write_piece(&mut pace, &inner);
    assert_eq!(pace.gait, Gait::Gentle);
    inner.checkpoint_waiters.fetch_add(1, Ordering::Relaxed);
    commit(&inner, 1);
    write_piece(&mut pace, &inner);
    assert_eq!(pace.gait, Gait::Hurried);
}

/// Whichever of its calls fails, the syncs between its pieces among them: the store says so, writes no more,
/// and what was committed before is there.
#[test]
fn a_call_that_fails_in_a_paced_checkpoint_poisons_and_loses_nothing() {
    let config = || Config { background: true, cache_size: 8 << 20, ..Config::default() };
    let mut failed = 0;
    for ahead in 0.. {
        let disk = Arc::new(SimulatedStorage::new());
        let inner = recovery::create(disk.clone(), config(), Arc::new(Opaque)).unwrap();
        let inner = Arc::new(inner);
        let root = commit(&inner, 200)[0];
        disk.fail_at(disk.calls() + ahead, FaultKind::Eio, false);
        inner.writer.lock().unwrap();
        let result = seal_release_write(&inner, crate::checkpoint::Scope::default());
        if result.is_ok() {
            break;
        }
        failed += 1;
        assert!(matches!(inner.poison.check(), Err(Error::Poisoned { .. })), "call {ahead}");
        for plan in [Plan::None, Plan::All] {
            let image = disk.history().crash_at(usize::MAX, SectorSize::B512, &plan);
            let disk = Arc::new(SimulatedStorage::from_image(image));
            let (found, replay) = recovery::open(disk, config(), Arc::new(Opaque)).unwrap();
            // In the checkpoint, or still in the log.
            let durable = found.checkpoint.lock().durable.root.page == root.page;
            assert!(durable || replay.transactions() > 0, "call {ahead}, {plan:?}");
        }
    }
    // 800 KiB: the session, four pieces or more with a sync of a piece, the map, the superblock.
    assert!(failed >= 8, "{failed} calls");
}
