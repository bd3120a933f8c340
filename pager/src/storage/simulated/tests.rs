use super::{Plan::*, SectorSize::*, *};
use fastrand::Rng;
use std::collections::HashSet;

/// A disk of so many blocks, all zero and durable.
fn disk(blocks: usize) -> SimulatedStorage {
    SimulatedStorage::from_image(vec![0; blocks * 4096])
}

fn at_end(storage: &SimulatedStorage) -> CrashExplorer {
    let mut explorer = storage.history().explore(B512);
    while explorer.advance() {}
    explorer
}

/// The first byte of each sector.
fn sectors(image: &[u8]) -> Vec<u8> {
    image.iter().step_by(512).copied().collect()
}

#[test]
fn what_is_synced_survives_and_what_is_not_may_not() {
    let storage = disk(2);
    storage.write_at(&[1; 4096], 0).unwrap();
    storage.sync().unwrap();
    storage.write_direct(&[2; 4096], 4096).unwrap();
    let explorer = at_end(&storage);
    let cut = explorer.cut();
    assert_eq!(cut.pending(), 1);
    assert_eq!(sectors(&cut.image(&None)), [[1; 8], [0; 8]].concat());
    assert_eq!(cut.image(&All), storage.image());
    let torn = |kept| sectors(&cut.image(&TornAt { write: 0, kept }))[8..].to_vec();
    assert_eq!(torn(Torn::First(3)), [2, 2, 2, 0, 0, 0, 0, 0]);
    assert_eq!(torn(Torn::Last(2)), [0, 0, 0, 0, 0, 0, 2, 2]);
    assert_eq!(torn(Torn::Odd), [0, 2, 0, 2, 0, 2, 0, 2]);
    assert_eq!(torn(Torn::Even), [2, 0, 2, 0, 2, 0, 2, 0]);
    let seeded = torn(Torn::Seeded(1));
    assert!(seeded.contains(&0) && seeded.contains(&2));
}

#[test]
fn a_cut_during_a_sync_is_a_cut_before_it() {
    let storage = disk(1);
    storage.write_at(&[1; 4096], 0).unwrap();
    storage.sync().unwrap();
    let history = storage.history();
    assert_eq!(history.crash_at(1, B512, &None), vec![0; 4096]);
    assert_eq!(history.crash_at(2, B512, &None), vec![1; 4096]);
    assert_eq!(history.crash_at(99, B512, &None), vec![1; 4096]);
}

#[test]
fn a_durable_write_may_be_torn_only_while_it_runs() {
    let storage = disk(1);
    storage.write_durable(&[3; 4096], 0).unwrap();
    let mut explorer = storage.history().explore(B512);
    let torn = TornAt { write: 0, kept: Torn::First(1) };
    assert_eq!(sectors(&explorer.cut().image(&torn)), [3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(explorer.cut().image(&None), vec![0; 4096]);
    explorer.advance();
    assert_eq!(explorer.cut().pending(), 0);
    for (_, _, image) in explorer.cut().images() {
        assert_eq!(image, vec![3; 4096]);
    }
}

#[test]
fn a_durable_write_supersedes_its_range_and_no_more() {
    let storage = disk(4);
    storage.write_at(&[1; 3 * 4096], 0).unwrap();
    storage.write_at(&[2; 4096], 3 * 4096).unwrap();
    storage.write_durable(&[9; 4096], 4096).unwrap();
    let explorer = at_end(&storage);
    let cut = explorer.cut();
    // Two ends of the first write, and the second.
    assert_eq!(cut.pending(), 3);
    let blocks = |plan| cut.image(&plan).into_iter().step_by(4096).collect::<Vec<_>>();
    assert_eq!(blocks(None), [0, 9, 0, 0]);
    assert_eq!(blocks(All), [1, 9, 1, 2]);
    assert_eq!(blocks(DropOne(1)), [1, 9, 0, 2]);
    assert_eq!(blocks(OnlyOne(2)), [0, 9, 0, 2]);
    assert_eq!(blocks(Prefix(1)), [1, 9, 0, 0]);
    assert_eq!(blocks(Subset(0b101)), [1, 9, 0, 2]);
}

#[test]
fn a_sector_may_hold_any_of_its_versions() {
    let storage = disk(1);
    for version in 1..=3 {
        storage.write_at(&[version; 512], 0).unwrap();
    }
    let explorer = at_end(&storage);
    let seen: HashSet<u8> = explorer.cut().plans().map(|p| explorer.cut().image(&p)[0]).collect();
    assert_eq!(seen, HashSet::from([0, 1, 2, 3]));
    let old = explorer.cut().image_with(4096, &mut |sector| {
        assert_eq!(sector.writes().collect::<Vec<_>>(), [0, 1, 2]);
        Survive::Version(1)
    });
    assert_eq!(old.to_vec()[0], 2);
}

#[test]
fn partly_written_sectors_carry_their_earlier_bytes() {
    let storage = disk(1);
    storage.write_at(&[1; 10], 0).unwrap();
    storage.write_at(&[2; 10], 20).unwrap();
    let explorer = at_end(&storage);
    let image = explorer.cut().image(&OnlyOne(1));
    assert_eq!((image[0], image[10], image[20], image[30]), (1, 0, 2, 0));
}

#[test]
fn sectors_of_a_block_never_tear() {
    let storage = disk(3);
    storage.write_at(&[1; 3 * 4096], 0).unwrap();
    let mut explorer = storage.history().explore(B4096);
    explorer.advance();
    for (_, _, image) in explorer.cut().images() {
        assert!(image.chunks(4096).all(|block| block.iter().all(|b| *b == block[0])));
    }
}

#[test]
fn the_length_goes_its_own_way() {
    let storage = disk(1);
    storage.set_len(2 * 4096).unwrap();
    storage.write_at(&[5; 4096], 4096).unwrap();
    storage.set_len(3 * 4096).unwrap();
    let explorer = at_end(&storage);
    let cut = explorer.cut();
    assert_eq!(cut.lengths(), [4096, 8192, 12288]);
    assert_eq!(cut.image_of_length(&All, 4096), vec![0; 4096]);
    assert_eq!(cut.image_of_length(&None, 12288), vec![0; 12288]);
    assert_eq!(cut.image_of_length(&All, 8192)[4096..], [5; 4096]);
    assert_eq!(cut.image(&All), storage.image());
    assert_eq!(cut.images().count(), 3 * cut.plans().count());
}

#[test]
fn cut_off_bytes_do_not_return_after_a_sync() {
    let storage = SimulatedStorage::from_image(vec![7; 4096]);
    storage.set_len(1000).unwrap();
    storage.set_len(4096).unwrap();
    assert_eq!(at_end(&storage).cut().image(&All), storage.image());
    storage.sync().unwrap();
    assert_eq!(at_end(&storage).cut().image(&None), storage.image());
}

#[test]
fn a_durable_write_brings_its_length_along() {
    let storage = disk(0);
    storage.sync().unwrap();
    storage.set_len(3 * 4096).unwrap();
    storage.write_durable(&[4; 4096], 4096).unwrap();
    let explorer = at_end(&storage);
    assert_eq!(explorer.cut().lengths(), [8192, 12288]);
    assert_eq!(explorer.cut().image(&None)[4096..], [4; 4096]);
}

#[test]
fn every_walk_ends_at_what_the_reader_saw() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..50 {
        let storage = disk(2);
        for _ in 0..40 {
            let len = storage.len().unwrap();
            let data = vec![rng.u8(..); rng.usize(..3000)];
            match rng.u8(..10) {
                0 => storage.set_len(rng.u64(..20000)),
                1 => storage.sync(),
                2 | 3 if len >= 4096 => {
                    storage.write_durable(&[rng.u8(..); 4096], rng.u64(..len / 4096) * 4096)
                }
                _ => storage.write_at(&data, rng.u64(..=len)),
            }
            .unwrap();
        }
        assert!(at_end(&storage).cut().image(&All) == storage.image());
        storage.sync().unwrap();
        assert!(at_end(&storage).cut().image(&None) == storage.image());
    }
}

#[test]
fn notes_tell_what_was_acknowledged() {
    let storage = disk(1);
    storage.note(1);
    storage.sync().unwrap();
    storage.note(2);
    let mut explorer = storage.history().explore(B512);
    let mut seen = vec![explorer.notes().to_vec()];
    while explorer.advance() {
        seen.push(explorer.notes().to_vec());
    }
    assert_eq!(seen, [vec![], vec![1], vec![1], vec![1, 2]]);
}

#[test]
fn few_pending_writes_are_explored_exhaustively() {
    let subsets = |n| plans(n).filter(|p| matches!(p, Subset(_))).count();
    assert_eq!((subsets(1), subsets(10), subsets(11)), (2, 1024, 0));
    assert!(plans(100).count() < 400);
    assert_eq!(plans(0).count(), 2);
}

#[test]
fn equal_seeds_make_equal_images() {
    let storage = disk(4);
    storage.write_at(&[1; 4 * 4096], 0).unwrap();
    let explorer = at_end(&storage);
    let image = |plan| explorer.cut().image(&plan);
    assert_eq!(image(Seeded(3)), image(Seeded(3)));
    assert_ne!(image(Seeded(3)), image(Seeded(4)));
    assert_eq!(image(Garbage(3)), image(Garbage(3)));
    assert!(image(Garbage(3)).iter().any(|&b| b > 1));
}

#[test]
fn faults_strike_the_call_they_were_meant_for() {
    let storage = disk(1);
    storage.fail_at(1, FaultKind::Enospc, false);
    storage.fail_at(3, FaultKind::Eio, true);
    storage.write_at(&[1], 0).unwrap();
    let full = storage.write_at(&[2; 512], 0).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(storage.image()[0], 1);
    storage.sync().unwrap();
    for _ in 0..2 {
        assert_eq!(storage.sync().unwrap_err().kind(), io::ErrorKind::Other);
    }
    assert_eq!(storage.calls(), 5);
    storage.clear_faults();
    storage.set_limit(4096);
    storage.set_len(100).unwrap();
    assert_eq!(storage.set_len(4097).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(storage.len().unwrap(), 100);
}

#[test]
fn a_failed_sync_forgets_what_it_did_not_write() {
    let storage = disk(8);
    storage.write_at(&[1; 8 * 4096], 0).unwrap();
    storage.fail_at(1, FaultKind::Eio, false);
    storage.sync().unwrap_err();
    // The reader still sees it, and the next sync succeeds, but it is lost.
    storage.sync().unwrap();
    assert_eq!(storage.image(), vec![1; 8 * 4096]);
    let explorer = at_end(&storage);
    assert_eq!(explorer.cut().pending(), 0);
    let left = sectors(&explorer.cut().image(&All));
    assert!(left.contains(&0) && left.contains(&1));
}

#[test]
fn a_failed_write_leaves_a_pending_prefix() {
    let lengths: HashSet<usize> = (0..40)
        .map(|call| {
            let storage = disk(2);
            for _ in 0..call {
                storage.sync().unwrap();
            }
            storage.fail_at(call, FaultKind::Eio, false);
            storage.write_durable(&[1; 8192], 0).unwrap_err();
            assert_eq!(at_end(&storage).cut().image(&None), vec![0; 8192]);
            let image = storage.image();
            let kept = image.iter().take_while(|b| **b == 1).count();
            assert!(kept % 512 == 0 && image[kept..].iter().all(|b| *b == 0));
            kept
        })
        .collect();
    assert!(lengths.len() > 5);
}

#[test]
fn a_block_is_the_same_by_itself_as_in_its_image() {
    let storage = disk(3);
    storage.write_at(&[1; 3 * 4096 - 700], 300).unwrap();
    storage.write_at(&[2; 4096], 4000).unwrap();
    storage.set_len(4 * 4096 - 100).unwrap();
    let explorer = at_end(&storage);
    let cut = explorer.cut();
    for bits in 0..4 {
        for length in cut.lengths() {
            let image = cut.disk(&Subset(bits), length);
            for number in 0..5 {
                let alone = cut.block(number, length, |write| bits >> write & 1 == 1);
                assert_eq!(
                    alone.map(|block| *block.bytes()),
                    image.block(number).map(|block| *block.bytes())
                );
            }
        }
    }
    assert_eq!(cut.writes_to(0).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(cut.writes_to(2).collect::<Vec<_>>(), [0]);
    assert_eq!(cut.write(1), (4000..8096, 1));
}

#[test]
fn a_new_file_may_vanish_until_the_first_sync() {
    let storage = SimulatedStorage::new();
    storage.set_len(8192).unwrap();
    storage.write_durable(&[1; 4096], 0).unwrap();
    assert_eq!(at_end(&storage).cut().lengths(), [0, 4096, 8192]);
    storage.sync().unwrap();
    assert_eq!(at_end(&storage).cut().lengths(), [8192]);
}

#[test]
fn weakened_growth_takes_a_second_sync() {
    let storage = disk(1);
    storage.weaken_growth();
    storage.set_len(8192).unwrap();
    storage.write_at(&[5; 4096], 4096).unwrap();
    storage.sync().unwrap();
    let explorer = at_end(&storage);
    let cut = explorer.cut();
    assert_eq!((cut.pending(), cut.lengths()), (0, vec![4096, 8192]));
    assert_eq!(cut.image_of_length(&None, 8192)[4096..], [5; 4096]);
    assert_eq!(cut.image(&None).len(), 4096);
    storage.sync().unwrap();
    assert_eq!(at_end(&storage).cut().lengths(), [8192]);
    assert_eq!(at_end(&storage).cut().image(&All), storage.image());
}

#[test]
fn silent_faults_do_what_they_say() {
    let fault = |kind| {
        let storage = disk(3);
        storage.fail_at(0, kind, false);
        storage.write_at(&[1; 4096], 0).unwrap();
        storage.image()
    };
    assert_eq!(fault(FaultKind::Lost), vec![0; 3 * 4096]);
    assert_eq!(fault(FaultKind::Misdirected)[4096..8192], [1; 4096]);
    let rotten = fault(FaultKind::Rot);
    assert_eq!(rotten[..4096].iter().filter(|&&byte| byte != 1).count(), 1);

    let lying = disk(1);
    lying.write_at(&[1; 4096], 0).unwrap();
    lying.fail_at(1, FaultKind::Lost, false);
    lying.sync().unwrap();
    assert_eq!(at_end(&lying).cut().image(&None), vec![0; 4096]);

    let read = |kind| {
        let storage = SimulatedStorage::from_image([[1; 4096], [2; 4096]].concat());
        storage.set_older(vec![7; 4096].into());
        storage.fail_read_at(0, kind, false);
        let mut buf = [9; 4096];
        storage.read_at(&mut buf, 0).map(|()| buf)
    };
    assert!(read(FaultKind::Eio).is_err());
    assert_eq!(read(FaultKind::Lost).unwrap(), [0; 4096]);
    assert_eq!(read(FaultKind::Stale).unwrap(), [7; 4096]);
    assert_eq!(read(FaultKind::Misdirected).unwrap(), [2; 4096]);
    assert_eq!(read(FaultKind::Rot).unwrap().iter().filter(|&&byte| byte != 1).count(), 1);
}

#[test]
fn a_reader_that_panics_leaves_the_disk_usable() {
    let storage = disk(1);
    storage.fail_at(0, FaultKind::Panic, false);
    let call = std::panic::AssertUnwindSafe(|| storage.write_at(&[1], 0));
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!(storage.image(), vec![0; 4096]);
}

#[test]
fn a_watched_disk_tells_what_its_reader_depends_on() {
    let storage = disk(8);
    storage.watch_reads();
    let mut buf = [0; 5000];
    storage.write_at(&[1; 4096], 4096).unwrap();
    storage.read_at(&mut buf, 4096).unwrap();
    storage.write_at(&[1; 10], 5 * 4096).unwrap();
    storage.read_at(&mut buf[..10], 5 * 4096).unwrap();
    storage.set_len(6 * 4096).unwrap();
    storage.set_len(8 * 4096).unwrap();
    storage.read_at(&mut buf[..10], 7 * 4096).unwrap();
    assert_eq!(storage.blocks_read(), [2, 5]);
    assert_eq!(storage.bytes_read(), 5020);
}
