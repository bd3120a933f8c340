use super::*;
use crate::checkpoint::tests::{commit, created};

const MIB: usize = 1 << 20;

/// Writes a piece as long as it may be; true if it was synced.
fn write_piece(pace: &mut Pace, inner: &Inner) -> bool {
    let synced = pace.wants_sync(pace.piece());
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
        syncs += u32::from(pace.wants_sync(4096));
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
