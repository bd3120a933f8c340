//! Owners, at the boundaries: which page is copied, which is freed, and what is refused.

use super::*;
use crate::{
    pager::{Config, Opaque, Pager},
    storage::MemoryStorage,
};

fn pager() -> Pager {
    let config = Config { background: false, cache_size: 4 << 20, ..Config::default() };
    Pager::create(Arc::new(MemoryStorage::new()), config, Arc::new(Opaque)).unwrap()
}

/// A page with so many owners, and the stamp it was made with.
fn page_with(pager: &Pager, owners: u32) -> Pointer {
    let mut transaction = pager.begin_write().unwrap();
    let page = transaction.allocate(1, 0, 1).unwrap();
    (1..owners).for_each(|_| transaction.retain(page.page).unwrap());
    transaction.set_root(page);
    transaction.commit(Some(b"made"), Durability::Immediate).unwrap();
    page
}

/// R3: a page made by the very transaction that shared it is an old one; its count decides.
#[test]
fn a_page_as_old_as_the_last_sharing_may_be_shared() {
    let pager = pager();
    let page = page_with(&pager, 2);
    let mut transaction = pager.begin_write().unwrap();
    let copy = transaction.shadow(&page, page.stamp).unwrap();
    assert_ne!(copy.page, page.page);
    assert_eq!(transaction.count(page.page).unwrap(), 1, "the other owner keeps it");
    assert_eq!(transaction.count(copy.page).unwrap(), 1);
    // A younger one has one owner; what the map says of it is not asked.
    let mut transaction = {
        transaction.abort();
        pager.begin_write().unwrap()
    };
    transaction.shadow(&page, page.stamp - 1).unwrap();
    assert_eq!(transaction.count(page.page).unwrap(), 0, "it was freed");
}

/// A page of the running transaction is written in place, unless it has got a second owner.
#[test]
fn a_page_of_the_running_transaction_is_its_own_unless_it_was_shared_since() {
    let pager = pager();
    let mut transaction = pager.begin_write().unwrap();
    let page = transaction.allocate(1, 0, 1).unwrap();
    assert_eq!(transaction.shadow(&page, 0).unwrap(), page);
    transaction.retain(page.page).unwrap();
    let copy = transaction.shadow(&page, transaction.stamp()).unwrap();
    assert_ne!(copy.page, page.page);
    assert_eq!(transaction.count(page.page).unwrap(), 1);
}

#[test]
fn a_page_without_an_owner_gets_none_and_loses_none() {
    let pager = pager();
    let page = page_with(&pager, 1);
    let mut transaction = pager.begin_write().unwrap();
    assert!(transaction.release(&page).unwrap());
    let damaged = |result: Result<()>| assert!(matches!(result, Err(Error::Corrupted { .. })));
    damaged(transaction.release(&page).map(drop));
    damaged(transaction.retain(page.page));
    damaged(transaction.shadow(&page, page.stamp).map(drop));
    // No count goes over its end.
    let other = transaction.allocate(1, 0, 1).unwrap();
    transaction.retain(other.page).unwrap();
    transaction.counts.set(other.page, u32::MAX);
    damaged(transaction.retain(other.page));
}

/// What is in memory was verified against the pointer by which it came; a forged one to the same page is found
/// out all the same.
#[test]
fn a_page_in_memory_is_refused_under_another_kind_or_level() {
    let pager = pager();
    let page = page_with(&pager, 1);
    let mut transaction = pager.begin_write().unwrap();
    assert!(transaction.view().pin(&page).is_ok());
    for forged in [Pointer { level: 1, ..page }, Pointer { kind: 2, ..page }] {
        let damaged = |result: Result<()>| {
            assert!(matches!(result, Err(Error::Corrupted(_))), "{result:?}");
        };
        damaged(transaction.view().pin(&forged).map(drop));
        damaged(transaction.view().walk(&forged, |_| Ok(None)).map(drop));
        damaged(transaction.view().walk_together(&forged, 2, |_, _| Ok(None)).map(drop));
        damaged(transaction.shadow(&forged, 0).map(drop));
    }
}

/// The runs of a large value may lie in different groups of the map; all of them are freed with it.
#[test]
fn a_value_in_several_groups_is_freed_whole() {
    let pager = pager();
    let mut transaction = pager.begin_write().unwrap();
    let group_pages = transaction.inner.geometry.group_pages;
    let pages: Vec<Pointer> =
        (0..2 * group_pages).map(|_| transaction.allocate(1, 0, 1).unwrap()).collect();
    transaction.set_root(pages[0]);
    transaction.commit(Some(b"made"), Durability::Immediate).unwrap();
    let free = pager.stats().pages_free;
    let runs: Vec<Run> = [0, group_pages, 2 * group_pages - 1]
        .map(|i| Run { start: pages[i as usize].page, length: 1 })
        .into();
    let mut transaction = pager.begin_write().unwrap();
    assert!(transaction.release_run(&runs, pages[0].stamp).unwrap());
    for run in &runs {
        assert_eq!(transaction.count(run.start).unwrap(), 0);
    }
    transaction.commit(Some(b"freed"), Durability::Immediate).unwrap();
    assert_eq!(pager.stats().pages_free, free + 3);
}

/// What changed nothing is told from what did.
#[test]
fn a_transaction_knows_whether_it_has_changed_anything() {
    let pager = pager();
    let page = page_with(&pager, 1);
    let mut transaction = pager.begin_write().unwrap();
    assert!(!transaction.is_changed());
    transaction.set_root(page);
    assert!(!transaction.is_changed(), "that is the root it has");
    transaction.set_root(Pointer::NONE);
    assert!(transaction.is_changed());
    transaction.set_root(Pointer::NONE);
    assert!(transaction.is_changed(), "it still has");
}

/// Many dirty pages are made durable before a transaction begins, or it would find no room.
#[test]
fn a_transaction_that_finds_the_cache_half_dirty_waits_for_a_checkpoint() {
    let pager = pager();
    let frames = pager.stats().cache.frames;
    // Commits call for checkpoints themselves: one that is never acknowledged does not.
    let before = pager.stats().checkpoint;
    let mut transaction = pager.begin_write().unwrap();
    for _ in 0..frames * 5 / 8 {
        transaction.allocate(1, 0, 1).unwrap();
    }
    let inner = transaction.inner.clone();
    transaction.apply();
    transaction.done = true;
    inner.writer.unlock();
    assert_eq!(pager.stats().checkpoint, before);
    drop(pager.begin_write().unwrap());
    assert_eq!(pager.stats().checkpoint, before + 1);
    assert_eq!(inner.cache.dirty(), 0);
}

/// A page that a transaction makes and drops again costs nothing: it is the next one that it makes.
#[test]
fn a_page_made_and_dropped_by_the_same_transaction_is_used_again() {
    let pager = pager();
    page_with(&pager, 1);
    let free = pager.stats().pages_free;
    let mut transaction = pager.begin_write().unwrap();
    let page = transaction.allocate(1, 0, 1).unwrap();
    assert!(transaction.release(&page).unwrap());
    assert_eq!(transaction.allocate(1, 0, 1).unwrap().page, page.page);
    assert_eq!(transaction.count(page.page).unwrap(), 1);
    transaction.commit(Some(b"one page"), Durability::Immediate).unwrap();
    assert_eq!(pager.stats().pages_free, free - 1);
}

/// Two values of one transaction may begin at the same page; a crc of 32 bits is too little to tell them apart.
#[test]
fn a_large_value_is_forgotten_when_another_one_takes_its_page() {
    let pager = pager();
    let mut transaction = pager.begin_write().unwrap();
    let write = |transaction: &mut Transaction, byte: u8| {
        let mut writer = transaction.write_extent(10_000).unwrap();
        transaction.extend_extent(&mut writer, &[byte; 10_000]).unwrap();
        transaction.finish_extent(writer).unwrap()
    };
    let first = write(&mut transaction, 1);
    assert_eq!(*pager.value(&first).unwrap(), [1; 10_000]);
    assert!(transaction.inner.cache.values().get(&first).is_some());
    assert!(transaction.release_extent(&first).unwrap());
    let second = write(&mut transaction, 2);
    assert_eq!(second.head(), first.head(), "its pages were free at once");
    assert!(transaction.inner.cache.values().get(&first).is_none());
    assert_eq!(*pager.value(&second).unwrap(), [2; 10_000]);
}
