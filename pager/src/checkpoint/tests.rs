//! A checkpoint, call by call: what it writes, how, and what it leaves alone.

use super::*;
use crate::{
    geometry::SUPERBLOCK_AREA,
    log::BLOCKS_MAX,
    page::Pointer,
    pager::{Config, Opaque},
    recovery,
    storage::{
        Storage,
        recorder::{Call, Recorder},
    },
    superblock,
    transaction::{Durability, Transaction},
};

fn config() -> Config {
    Config { background: false, cache_size: 8 << 20, ..Config::default() }
}

pub(super) fn created() -> (Arc<Recorder>, Arc<Inner>) {
    let disk = Arc::new(Recorder::default());
    let inner = recovery::create(disk.clone(), config(), Arc::new(Opaque)).unwrap();
    (disk, Arc::new(inner))
}

fn opened(disk: &Arc<Recorder>) -> Arc<Inner> {
    let (inner, replay) = recovery::open(disk.clone(), config(), Arc::new(Opaque)).unwrap();
    let inner = Arc::new(inner);
    let nothing = |transaction: Transaction, _: &[Vec<u8>]| Ok::<_, Error>(transaction);
    recovery::replay(&inner, replay, |_, _| false, nothing).unwrap();
    inner
}

fn begin(inner: &Arc<Inner>) -> Transaction {
    inner.writer.lock().unwrap();
    Transaction::begin(inner).unwrap()
}

/// Commits a transaction that makes so many pages.
pub(super) fn commit(inner: &Arc<Inner>, pages: usize) -> Vec<Pointer> {
    let mut transaction = begin(inner);
    let made: Vec<Pointer> = (0..pages).map(|_| transaction.allocate(1, 0, 1).unwrap()).collect();
    transaction.set_root(made[0]);
    transaction.commit(Some(b"made"), Durability::Immediate).unwrap();
    made
}

fn checkpoint(inner: &Arc<Inner>, scope: Scope) {
    inner.writer.lock().unwrap();
    let _unlock = inner.writer.unlock_later();
    exclusive(inner, scope).unwrap();
}

fn superblock_writes(calls: &[Call]) -> Vec<(u64, u64)> {
    let places = (0..4).map(|i| (i % 2, i / 2)).map(|(slot, copy)| {
        let offset = Superblock::offset(slot, copy);
        (Call::Durable(offset..offset + 4096), (slot, copy))
    });
    let places: Vec<_> = places.collect();
    let mut found = Vec::new();
    for call in calls {
        if call.range().is_some_and(|range| range.start < SUPERBLOCK_AREA) {
            let place = places.iter().find(|(expected, _)| expected == call);
            found.push(place.unwrap_or_else(|| panic!("{call:?} is no superblock")).1);
        }
    }
    found
}

/// Neighbours are written together, up to 256 KiB; long pieces directly, short ones through the
/// system's cache.
#[test]
fn neighbouring_pages_are_written_in_long_pieces() {
    let (disk, inner) = created();
    let mut pages = commit(&inner, 200);
    pages.sort_unstable_by_key(|pointer| pointer.page);
    disk.take();
    checkpoint(&inner, Scope::default());
    let of_pages = |range: &std::ops::Range<u64>| {
        pages.iter().any(|pointer| inner.geometry.offset(pointer.page) == range.start)
    };
    let calls = disk.take();
    let writes: Vec<_> =
        calls.iter().filter_map(|call| Some((call, call.range().filter(of_pages)?))).collect();
    let bytes: u64 = writes.iter().map(|(_, range)| range.end - range.start).sum();
    assert_eq!(bytes, 200 * 4096);
    assert!(writes.is_sorted_by_key(|(_, range)| range.start));
    for pair in writes.windows(2) {
        let [(_, one), (_, next)] = pair else { unreachable!() };
        assert!(one.end < next.start || one.end - one.start == 256 << 10, "{one:?}, {next:?}");
    }
    assert!(writes.iter().any(|(_, range)| range.end - range.start == 256 << 10));
    for (call, range) in writes {
        let direct = matches!(call, Call::Direct(_));
        assert_eq!(direct, range.end - range.start >= 64 << 10, "{call:?}");
    }
}

#[test]
fn a_checkpoint_of_nothing_new_writes_nothing() {
    let (disk, inner) = created();
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    let number = inner.checkpoint.lock().durable.checkpoint;
    disk.take();
    checkpoint(&inner, Scope::default());
    assert_eq!(disk.take(), []);
    assert_eq!(inner.checkpoint.lock().durable.checkpoint, number);
    // A transaction that the log holds is something new, though it changed no page.
    let transaction = begin(&inner);
    transaction.commit(Some(b"no page"), Durability::Immediate).unwrap();
    checkpoint(&inner, Scope::default());
    assert_eq!(inner.checkpoint.lock().durable.checkpoint, number + 1);
}

/// Everything, one sync, then the two copies of the superblock: a session's first checkpoint has the
/// session's superblock before all of it.
#[test]
fn a_superblock_follows_a_sync_that_follows_everything_else() {
    let (disk, inner) = created();
    commit(&inner, 10);
    checkpoint(&inner, Scope::default());
    drop(inner);
    let inner = opened(&disk);
    commit(&inner, 10);
    disk.take();
    checkpoint(&inner, Scope::default());
    let calls = disk.take();
    let slot = inner.checkpoint.lock().durable.checkpoint % 2;
    let expected = [(1 - slot, 0), (1 - slot, 1), (slot, 0), (slot, 1)];
    assert_eq!(superblock_writes(&calls), expected, "no whole copy is written over");
    let sync = calls.iter().position(|call| *call == Call::Sync).unwrap();
    assert!(matches!(&calls[sync + 1..sync + 3], [Call::Durable(_), Call::Durable(_)]));
    assert!(matches!(&calls[..2], [Call::Durable(_), Call::Durable(_)]));
    // The log's mark goes out with what is written next.
    assert_eq!(calls.len(), sync + 3, "{calls:?}");
    inner.log.write_plain(&inner.poison).unwrap();
    assert!(matches!(disk.take()[..], [Call::Write(_)]));
    // Later ones have only their own.
    commit(&inner, 10);
    disk.take();
    checkpoint(&inner, Scope::default());
    assert_eq!(superblock_writes(&disk.take()), [(1 - slot, 0), (1 - slot, 1)]);
}

/// A copy that a power cut has torn is whole again before anything else is written, in its place.
#[test]
fn a_torn_copy_is_made_good() {
    for rounds in 1..3 {
        for (slot, copy) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (disk, inner) = created();
            for _ in 0..rounds {
                commit(&inner, 1);
                checkpoint(&inner, Scope::default());
            }
            let newest = inner.checkpoint.lock().durable.clone();
            drop(inner);
            disk.write_at(&[0xEE; 512], Superblock::offset(slot, copy)).unwrap();
            let inner = opened(&disk);
            let copies = superblock::read_all(&*disk).unwrap();
            assert!(copies.iter().all(std::result::Result::is_ok), "slot {slot}, copy {copy}");
            let session = inner.checkpoint.lock().durable.clone();
            assert_eq!(session.checkpoint, newest.checkpoint + 1);
            assert_eq!(session.root, newest.root);
            // The one before is still there, twice.
            let twice = copies.into_iter().filter(|found| *found.as_ref().unwrap() == newest);
            assert_eq!(twice.count(), 2, "slot {slot}, copy {copy}");
        }
    }
}

/// So is one that a power cut between the two copies has left behind.
#[test]
fn a_copy_that_was_left_behind_is_made_good() {
    let (disk, inner) = created();
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    let slot = inner.checkpoint.lock().durable.checkpoint % 2;
    let mut older = vec![0; 4096];
    disk.read_at(&mut older, Superblock::offset(slot, 1)).unwrap();
    for _ in 0..2 {
        commit(&inner, 1);
        checkpoint(&inner, Scope::default());
    }
    let newest = inner.checkpoint.lock().durable.clone();
    drop(inner);
    disk.write_at(&older, Superblock::offset(slot, 1)).unwrap();
    let inner = opened(&disk);
    commit(&inner, 1);
    disk.take();
    checkpoint(&inner, Scope::default());
    let expected = [(slot, 1), (1 - slot, 0), (1 - slot, 1), (slot, 0), (slot, 1)];
    assert_eq!(superblock_writes(&disk.take()), expected);
    assert_eq!(inner.checkpoint.lock().durable.checkpoint, newest.checkpoint + 2);
}

/// R12: every superblock promises room for stamps, and before a stamp above it is given, a higher
/// promise is durable.
#[test]
fn stamps_stay_below_a_durable_ceiling() {
    let (disk, inner) = created();
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    let durable = inner.checkpoint.lock().durable.clone();
    assert_eq!(durable.stamp_ceiling, durable.stamp + STAMP_WINDOW);
    assert_eq!(inner.stamp_ceiling.load(Ordering::Relaxed), durable.stamp_ceiling);
    drop(inner);
    let inner = opened(&disk);
    commit(&inner, 1);
    assert!(inner.head.lock().version.stamp > durable.stamp_ceiling, "a new session starts above");
    checkpoint(&inner, Scope::default());
    let next = inner.head.lock().next_stamp;
    inner.stamp_ceiling.store(next + 1, Ordering::Relaxed);
    disk.take();
    begin(&inner).abort();
    assert_eq!(disk.take(), [], "there is one stamp more");
    begin(&inner).abort();
    let copies = superblock_writes(&disk.take());
    assert_eq!(copies.len(), 2);
    let raised = superblock::newest(&*disk).unwrap();
    assert!(raised.stamp_ceiling >= next + 2 + STAMP_WINDOW);
    assert_eq!(raised.root, inner.checkpoint.lock().durable.root);
}

#[test]
fn a_file_that_is_too_short_is_refused_with_both_lengths() {
    let (disk, inner) = created();
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    let length = inner.checkpoint.lock().durable.pages * 4096;
    drop(inner);
    disk.set_len(length).unwrap();
    drop(opened(&disk));
    disk.set_len(length - 1).unwrap();
    let error = recovery::open(disk, config(), Arc::new(Opaque)).err().unwrap();
    let Error::Corrupted(found) = error else { panic!("{error}") };
    assert_eq!((found.expected, found.found), (length, length - 1));
}

/// Space that was written once takes a durable write at half the cost: a ring is written whole, before
/// a superblock names it, and nothing beside it.
#[test]
fn a_new_ring_is_cleared_whole() {
    let cleared = |calls: &[Call], ring: &LogStart, inner: &Inner| {
        let start = inner.geometry.offset(ring.page);
        let end = start + ring.blocks * 4096;
        let before = calls.iter().rposition(|call| *call == Call::Sync).unwrap();
        let mut at = start;
        for call in &calls[..before] {
            if let Some(range) = call.range().filter(|range| range.end > start && range.start < end)
            {
                assert_eq!(range.start, at, "the ring stands at {start} to {end}");
                at = range.end;
            }
        }
        assert_eq!(at, end);
    };
    let (disk, inner) = created();
    let first = inner.checkpoint.lock().durable.log;
    assert_eq!(first.blocks, BLOCKS_MIN);
    cleared(&disk.take(), &first, &inner);
    commit(&inner, 1);
    disk.take();
    checkpoint(&inner, Scope { log_for: Some(300_000), ..Scope::default() });
    let second = inner.checkpoint.lock().durable.log;
    assert_eq!(second.blocks, 512);
    assert_eq!(inner.log.blocks(), 512);
    cleared(&disk.take(), &second, &inner);
    // The old one's pages are free as soon as the checkpoint is durable.
    inner.reclaim();
    let mut space = inner.space.lock();
    assert_eq!(space.entry(first.page).unwrap().count, 0);
    assert_eq!(space.entry(second.page).unwrap().count, 1);
}

#[test]
fn a_log_grows_for_a_large_record_or_when_it_is_half_full() {
    let (_disk, inner) = created();
    let wanted_at = |log_for, grow_log, used, file_pages| {
        let scope = Scope { log_for, grow_log, ..Scope::default() };
        wanted_log_blocks(&inner, &scope, used, file_pages)
    };
    let wanted = |log_for, grow_log, used| wanted_at(log_for, grow_log, used, 100);
    let half = BLOCKS_MIN * 4096 / 2;
    // Four records of that size and a little more fit in.
    for (body, blocks) in [
        (0, None),
        (12 * 4096 - 64, None),
        (13 * 4096 - 64, Some(128)),
        (28 * 4096 - 64, Some(128)),
        (29 * 4096 - 64, Some(256)),
        (1 << 20, Some(2048)),
        (1 << 30, Some(BLOCKS_MAX)),
    ] {
        assert_eq!(wanted(Some(body), false, 0), blocks, "a body of {body} bytes");
    }
    assert_eq!(wanted(None, true, half), None);
    assert_eq!(wanted(None, true, half + 1), Some(512));
    assert_eq!(wanted(Some(0), false, half + 1), Some(512));
    assert_eq!(wanted(Some(1 << 20), false, half + 1), Some(2048));
    assert_eq!(wanted(None, false, 2 * half), None);
    // In a large file to a quarter of it at once, as far as that power of two goes.
    for (file_pages, blocks) in
        [(2048, 512), (2052, 1024), (20_000, 8192), (u64::MAX / 4096, BLOCKS_MAX)]
    {
        assert_eq!(wanted_at(None, true, half + 1, file_pages), Some(blocks), "{file_pages}");
        assert_eq!(wanted_at(None, true, half, file_pages), None);
    }
}

#[test]
fn a_log_that_cannot_become_as_large_as_it_should_becomes_half_as_large() {
    let geometry = crate::geometry::Geometry::new(4096).unwrap();
    let max_size = (geometry.reserved(0) + BLOCKS_MIN + 450) * 4096;
    let config = Config { max_size, ..config() };
    let disk = Arc::new(Recorder::default());
    let inner = Arc::new(recovery::create(disk, config, Arc::new(Opaque)).unwrap());
    commit(&inner, 1);
    // It asks for 512 blocks.
    checkpoint(&inner, Scope { log_for: Some(300_000), ..Scope::default() });
    assert_eq!(inner.log.blocks(), 256);
}

/// A ring that the background has cleared is used by whoever lets the log grow; if the log has moved since,
/// its space is given back.
#[test]
fn a_ring_that_stands_ready_is_used_or_given_back() {
    for in_time in [true, false] {
        let (_, inner) = created();
        let old = inner.log.ring();
        commit(&inner, 1);
        let (ring, run) = take_ring(&inner, &mut inner.space.lock(), 128).unwrap().unwrap();
        let follows = if in_time { old.offset } else { ring.offset };
        *inner.ready_ring.lock() = Some(ReadyRing { ring, run, follows });
        checkpoint(&inner, Scope { grow_log: true, ..Scope::default() });
        assert_eq!(inner.log.ring(), if in_time { ring } else { old });
        assert!(inner.ready_ring.lock().is_none());
        let end = inner.space.lock().shrinkable_to().unwrap();
        assert_eq!(end > run.start.0, in_time, "the file could be cut to {end} pages");
    }
}

/// Moving the log gives the version a stamp of its own; readers that begin now have it, so that they
/// hold none of the pages that die with it.
#[test]
fn readers_that_begin_after_the_log_has_moved_do_not_hold_the_old_one() {
    let (_disk, inner) = created();
    commit(&inner, 1);
    checkpoint(&inner, Scope { log_for: Some(300_000), ..Scope::default() });
    let head = inner.head.lock();
    assert_eq!(inner.readers.visible().stamp, head.version.stamp);
    let durable = inner.checkpoint.lock().durable.clone();
    assert_eq!((durable.stamp, durable.stamp + 1), (head.version.stamp, head.next_stamp));
}

/// In compaction the log moves to the front, if that is nearer or smaller; otherwise it stays.
#[test]
fn the_log_moves_to_the_front_only_if_it_gains_by_it() {
    let (_disk, inner) = created();
    let to_front = Scope { log_to_front: true, ..Scope::default() };
    let first = inner.checkpoint.lock().durable.log;
    commit(&inner, 1);
    checkpoint(&inner, to_front);
    let stayed = inner.checkpoint.lock().durable.log;
    assert_eq!((stayed.page, stayed.blocks), (first.page, first.blocks));
    commit(&inner, 1);
    checkpoint(&inner, Scope { log_for: Some(300_000), ..Scope::default() });
    let large = inner.checkpoint.lock().durable.log;
    assert!(large.page > first.page && large.blocks > first.blocks);
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    checkpoint(&inner, to_front);
    let back = inner.checkpoint.lock().durable.log;
    assert_eq!((back.page, back.blocks), (first.page, BLOCKS_MIN));
    // It stays if the front is taken, and goes there, at its size, when it is free again.
    commit(&inner, 1);
    checkpoint(&inner, Scope { log_for: Some(300_000), ..Scope::default() });
    inner.reclaim();
    let mut transaction = begin(&inner);
    transaction.prefer_front();
    let taken: Vec<Pointer> = (0..70).map(|_| transaction.allocate(1, 0, 1).unwrap()).collect();
    assert!(taken.iter().any(|pointer| pointer.page == first.page));
    transaction.commit(Some(b"taken"), Durability::Immediate).unwrap();
    checkpoint(&inner, to_front);
    let near = inner.checkpoint.lock().durable.log;
    assert!(near.page > first.page && near.blocks == BLOCKS_MIN);
    commit(&inner, 1);
    checkpoint(&inner, to_front);
    assert_eq!(inner.checkpoint.lock().durable.log.page, near.page);
    let mut transaction = begin(&inner);
    taken.iter().for_each(|page| assert!(transaction.release(page).unwrap()));
    transaction.commit(Some(b"released"), Durability::Immediate).unwrap();
    for _ in 0..2 {
        commit(&inner, 1);
        checkpoint(&inner, Scope::default());
    }
    checkpoint(&inner, to_front);
    let back = inner.checkpoint.lock().durable.log;
    assert!(back.page < near.page && back.blocks == BLOCKS_MIN, "{back:?}");
    // Nothing of all that has cost a page.
    commit(&inner, 1);
    checkpoint(&inner, Scope { shrink_from: Some(1), ..Scope::default() });
    checkpoint(&inner, Scope { shrink_from: Some(1), ..Scope::default() });
    let space = inner.space.lock();
    let used = space.pages() - space.free_pages();
    assert!(used < 250, "{used} pages");
}

/// A file is cut only if at least as many pages are free at its end as make it worth while.
#[test]
fn a_file_is_cut_only_if_it_is_worth_it() {
    let (disk, inner) = created();
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    let pages = inner.space.lock().pages();
    let free = pages - inner.space.lock().shrinkable_to().unwrap();
    assert!(free > 2);
    checkpoint(&inner, Scope { shrink_from: Some(free + 1), ..Scope::default() });
    assert_eq!((inner.space.lock().pages(), disk.len().unwrap()), (pages, pages * 4096));
    checkpoint(&inner, Scope { shrink_from: Some(free), ..Scope::default() });
    let pages = pages - free;
    assert_eq!((inner.space.lock().pages(), disk.len().unwrap()), (pages, pages * 4096));
    assert_eq!(opened(&disk).space.lock().pages(), pages);
}

/// Without a background thread the commit that fills half of the log writes the checkpoint.
#[test]
fn a_log_that_is_half_full_or_a_cache_that_is_quarter_dirty_calls_for_a_checkpoint() {
    let (_disk, inner) = created();
    let number = |inner: &Inner| inner.checkpoint.lock().durable.checkpoint;
    let before = number(&inner);
    let half = BLOCKS_MIN * 4096 / 2;
    while number(&inner) == before {
        assert!(inner.log.used() <= half, "{} of {half} bytes are used", inner.log.used());
        begin(&inner).commit(Some(&[7; 1000]), Durability::Immediate).unwrap();
    }
    assert!(inner.log.used() < 3 * 4096, "{} bytes", inner.log.used());
    assert_eq!(inner.log.blocks(), 512, "and the log becomes larger");
    let quarter = inner.cache.frames() / 4;
    let before = number(&inner);
    commit(&inner, quarter);
    assert_eq!(number(&inner), before);
    commit(&inner, 1);
    assert_eq!((number(&inner), inner.cache.dirty()), (before + 1, 0));
}

#[test]
fn a_store_can_be_as_small_as_its_first_pages_and_never_grows_over_its_limit() {
    let geometry = crate::geometry::Geometry::new(4096).unwrap();
    let least = (geometry.reserved(0) + BLOCKS_MIN) * 4096;
    let with = |max_size| Config { max_size, ..config() };
    let create = |max_size| {
        recovery::create(Arc::new(Recorder::default()), with(max_size), Arc::new(Opaque))
    };
    assert!(matches!(create(least - 1), Err(Error::DiskFull { .. })));
    assert_eq!(create(least).unwrap().space.lock().pages() * 4096, least);

    // To the last page, in the life that made it and in the next one.
    let limit = with(least + 50 * 4096);
    let disk = Arc::new(Recorder::default());
    let first = recovery::create(disk.clone(), limit.clone(), Arc::new(Opaque)).unwrap();
    fill(&Arc::new(first), least / 4096 + 50);
    let (next, replay) = recovery::open(disk, limit, Arc::new(Opaque)).unwrap();
    let next = Arc::new(next);
    recovery::replay(&next, replay, |_, _| false, |transaction, _| Ok::<_, Error>(transaction))
        .unwrap();
    fill(&next, least / 4096 + 50);
}

/// A transaction that may use the last pages takes them all; then it is undone.
fn fill(inner: &Arc<Inner>, pages: u64) {
    let mut transaction = begin(inner);
    transaction.set_privileged(true);
    while transaction.allocate(1, 0, 1).is_ok() {}
    let space = inner.space.lock();
    assert_eq!((space.pages(), space.free_pages()), (pages, 0));
    drop(space);
    transaction.abort();
}

/// What an opened store believes of groups that it has not read yet is what it finds in them.
#[test]
fn an_opened_store_knows_its_free_pages() {
    let (disk, inner) = created();
    let mut kept = commit(&inner, 300);
    let mut transaction = begin(&inner);
    for page in kept.drain(..).step_by(3) {
        assert!(transaction.release(&page).unwrap());
    }
    transaction.commit(Some(b"released"), Durability::Immediate).unwrap();
    checkpoint(&inner, Scope::default());
    commit(&inner, 1);
    checkpoint(&inner, Scope::default());
    inner.reclaim();
    let pages = inner.space.lock().pages();
    let free = inner.space.lock().free_pages();
    drop(inner);
    let inner = opened(&disk);
    let mut space = inner.space.lock();
    assert_eq!((space.pages(), space.free_pages()), (pages, free));
    // Each group is touched: nothing changes.
    for page in (0..pages).filter(|&page| !inner.geometry.is_reserved(PageId(page))) {
        space.prepare(PageId(page)).unwrap();
    }
    assert_eq!(space.free_pages(), free);
}

/// A record for which the log makes room is logged; one that it cannot hold, because the file may not
/// grow, costs a checkpoint of its own and leaves nothing in the log.
#[test]
fn a_record_that_the_log_cannot_hold_is_made_durable_by_a_checkpoint() {
    let geometry = crate::geometry::Geometry::new(4096).unwrap();
    let max_size = (geometry.reserved(0) + BLOCKS_MIN + 40) * 4096;
    for (max_size, logged) in [(max_size, false), (u64::MAX, true)] {
        let config = Config { max_size, ..config() };
        let disk = Arc::new(Recorder::default());
        let inner = Arc::new(recovery::create(disk.clone(), config, Arc::new(Opaque)).unwrap());
        commit(&inner, 1);
        let before = inner.checkpoint.lock().durable.clone();
        let mut transaction = begin(&inner);
        let root = transaction.allocate(1, 0, 1).unwrap();
        transaction.set_root(root);
        transaction.commit(Some(&[7; 300_000]), Durability::Immediate).unwrap();
        let after = inner.checkpoint.lock().durable.clone();
        assert_eq!(inner.log.has_transactions(), logged);
        assert_eq!(after.log.blocks > before.log.blocks, logged);
        assert_eq!(after.root == root, !logged, "the checkpoint has it if the log has not");
        assert_eq!(inner.readers.visible().root, root);
    }
}

/// What a new life appends to the log is told from what a lost one had written there: its generation
/// is one that nobody has used, and no other opening of the same file chooses the same.
#[test]
fn every_opening_has_a_generation_of_its_own() {
    let (disk, inner) = created();
    commit(&inner, 1);
    commit(&inner, 1);
    let last = inner.log.seal().unwrap().generation - 1;
    let length = disk.len().unwrap();
    let mut image = vec![0; length as usize];
    disk.read_at(&mut image, 0).unwrap();
    drop(inner);
    let generation_after_opening = || {
        let copy = Arc::new(Recorder::default());
        copy.write_at(&image, 0).unwrap();
        opened(&copy).log.seal().unwrap().generation - 1
    };
    let generations = [generation_after_opening(), generation_after_opening()];
    assert!(generations.iter().all(|&generation| generation > last), "{generations:?}, {last}");
    assert_ne!(generations[0], generations[1]);
}
