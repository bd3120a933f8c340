//! The cache's promises, small enough for Miri.

use super::*;
use crate::page::{PageId, put, u64_at};

const SIZE: usize = 4096;

fn pointer(page: u64, stamp: u64) -> Pointer {
    Pointer { page: PageId(page), kind: 1, level: 0, stamp }
}

/// A page whose first word tells which one it is.
fn fill(page: u64) -> impl FnOnce(&mut [u8]) -> Result<()> {
    move |bytes| {
        put(bytes, 0, &page.to_le_bytes());
        Ok(())
    }
}

fn small() -> Cache {
    Cache::new(1, SIZE).unwrap()
}

#[test]
fn a_page_that_was_loaded_is_found_until_it_is_discarded() {
    let cache = small();
    assert_eq!(u64_at(&cache.load(&pointer(7, 1), fill(7)).unwrap(), 0), 7);
    let guard = epoch::enter();
    assert_eq!(u64_at(cache.peek(&guard, &pointer(7, 1)).unwrap(), 0), 7);
    assert!(cache.peek(&guard, &pointer(7, 2)).is_none(), "another stamp is another page");
    assert!(cache.pin(&guard, &pointer(8, 1)).is_none());
    drop(guard);
    cache.discard(7);
    assert!(cache.peek(&epoch::enter(), &pointer(7, 1)).is_none());
}

#[test]
fn a_page_that_fails_verification_is_never_seen() {
    let cache = small();
    let failed = cache.load(&pointer(7, 1), |_| Err(Error::corrupted(7, "test", 0, 1)));
    assert!(failed.is_err());
    assert!(cache.pin(&epoch::enter(), &pointer(7, 1)).is_none());
    cache.load(&pointer(7, 1), fill(7)).unwrap();
}

#[test]
fn a_pinned_page_outlives_its_eviction_and_its_discard() {
    let cache = small();
    let pinned = cache.load(&pointer(1, 1), fill(1)).unwrap();
    for page in 2..2 * FRAMES_MIN as u64 {
        cache.load(&pointer(page, 1), fill(page)).unwrap();
    }
    assert_eq!(u64_at(&pinned, 0), 1);
    cache.discard(1);
    let copy = pinned.clone();
    drop(pinned);
    for page in 2000..2000 + 2 * FRAMES_MIN as u64 {
        cache.load(&pointer(page, 1), fill(page)).unwrap();
    }
    assert_eq!(u64_at(&copy, 0), 1);
}

/// R1: without the fresh frame the pinned bytes would change under their reader.
#[test]
fn r1_an_edit_leaves_a_pinned_frame_as_it_is() {
    let cache = small();
    cache.create(5, 9, |bytes| bytes.fill(1)).unwrap();
    let before = cache.pin(&epoch::enter(), &pointer(5, 9)).unwrap();
    cache.edit(5, 9, |bytes| bytes.fill(2)).unwrap();
    assert!(before.iter().all(|&byte| byte == 1));
    let after = cache.pin(&epoch::enter(), &pointer(5, 9)).unwrap();
    assert!(after.iter().all(|&byte| byte == 2));
    assert_eq!(cache.dirty(), 1);
}

#[test]
fn a_page_that_is_being_edited_is_hidden() {
    let cache = small();
    cache.create(5, 9, |bytes| bytes.fill(0)).unwrap();
    cache
        .edit(5, 9, |_| {
            assert!(cache.peek(&epoch::enter(), &pointer(5, 9)).is_none());
            assert!(cache.pin(&epoch::enter(), &pointer(5, 9)).is_none());
            assert!(cache.load(&pointer(5, 9), fill(5)).is_err());
        })
        .unwrap();
    assert!(cache.peek(&epoch::enter(), &pointer(5, 9)).is_some());
}

#[test]
fn dirty_pages_are_not_evicted_and_a_full_cache_says_so() {
    let cache = small();
    for page in 1..=FRAMES_MIN as u64 {
        cache.create(page, 1, |bytes| put(bytes, 0, &page.to_le_bytes())).unwrap();
    }
    assert!(matches!(cache.load(&pointer(9999, 1), fill(9999)), Err(Error::CacheFull)));
    let written = cache.dirty_page(3).unwrap();
    cache.clean(written);
    cache.load(&pointer(9999, 1), fill(9999)).unwrap();
}

#[test]
fn readers_on_other_threads_never_see_a_frame_in_its_next_life() {
    let cache = small();
    let (pages, rounds) = if cfg!(miri) { (300, 2) } else { (1000, 200) };
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..rounds {
                    for page in 1..=pages {
                        let page = (page * 7 + thread * 13 + round) % pages + 1;
                        let pointer = pointer(page, 1);
                        let seen = {
                            let guard = epoch::enter();
                            cache.peek(&guard, &pointer).map(|bytes| u64_at(bytes, 0))
                        };
                        let seen = match seen {
                            Some(seen) => seen,
                            None => u64_at(&cache.load(&pointer, fill(page)).unwrap(), 0),
                        };
                        assert_eq!(seen, page);
                    }
                }
            });
        }
    });
    assert!(cache.stats().evictions > 0);
}

#[test]
fn large_values_give_way_to_frames() {
    let cache = small();
    let extent = |page| {
        let runs = vec![crate::space::Run { start: PageId(page), length: 16 }];
        Extent { length: 16 * SIZE as u64, stamp: 1, crc: 0, runs }
    };
    for page in 0..8 {
        cache.keep_value(&extent(100 * page), &Arc::new(vec![0; 16 * SIZE]));
    }
    assert!(cache.values().bytes() >= 8 * 16 * SIZE);
    for page in 0..2 * FRAMES_MIN as u64 {
        cache.load(&pointer(page, 1), fill(page)).unwrap();
        let touched = cache.pool.lock().fresh as usize;
        assert!(touched * SIZE + cache.values().bytes() <= FRAMES_MIN * SIZE);
    }
    assert_eq!(cache.values().bytes(), 0);
    cache.keep_value(&extent(1), &Arc::new(vec![0; SIZE]));
    assert_eq!(cache.values().bytes(), 0, "the memory is the frames' from here on");
}

fn touched(cache: &Cache) -> u32 {
    cache.pool.lock().fresh
}

#[test]
fn pages_that_are_superseded_give_their_frames_before_untouched_memory_is_used() {
    let cache = small();
    let mut most = 0;
    let rounds = if cfg!(miri) { 2 } else { 10 };
    for page in 0..rounds * FRAMES_MIN as u64 {
        let old = cache.load(&pointer(page, 1), fill(page)).unwrap();
        cache.supersede(&old);
        most = most.max(touched(&cache));
    }
    assert!(most < FRAMES_MIN as u32 / 2, "{most} frames touched");
}

#[test]
fn a_superseded_page_that_is_read_again_stays() {
    let cache = small();
    for page in 0..3 {
        cache.supersede(&cache.load(&pointer(page, 1), fill(page)).unwrap());
    }
    cache.pin(&epoch::enter(), &pointer(0, 1)).expect("nobody has needed its frame");
    for page in 100..100 + FRAMES_MIN as u64 / 2 {
        cache.supersede(&cache.load(&pointer(page, 1), fill(page)).unwrap());
    }
    let here = |page| cache.pin(&epoch::enter(), &pointer(page, 1)).is_some();
    assert!(here(0));
    assert!(!here(1) && !here(2), "nobody asked for these");
}

#[test]
fn a_superseded_page_that_is_dirty_stays_until_it_is_written() {
    let cache = small();
    cache.create(5, 1, |bytes| put(bytes, 0, &5u64.to_le_bytes())).unwrap();
    cache.supersede(&cache.dirty_page(5).unwrap());
    let supersede = |from: u64| {
        for page in from..from + FRAMES_MIN as u64 / 2 {
            cache.supersede(&cache.load(&pointer(page, 1), fill(page)).unwrap());
        }
    };
    supersede(1000);
    assert_eq!(u64_at(&cache.pin(&epoch::enter(), &pointer(5, 1)).unwrap(), 0), 5);
    cache.clean(cache.dirty_page(5).unwrap());
    // The look above counts as a reading: it was before the page got into the queue.
    supersede(2000);
    assert!(cache.own_frame(5, 1).is_none());
}
