//! Space against a plain set of pages: nothing is given twice, nothing is lost, and what it keeps in
//! its head (bits, counts, sums) is what the map says. Then its habits, which cost room or time when
//! they are wrong: how it grows, which runs it prefers, what it keeps back.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::storage::MemoryStorage;

const PAGE: u64 = 4096;

fn geometry() -> Geometry {
    Geometry::new(PAGE as usize).unwrap()
}

/// A new file of so many pages.
fn space_of(pages: u64, max_pages: u64) -> Space {
    let storage = Arc::new(MemoryStorage::new());
    storage.set_len(pages * PAGE).unwrap();
    let map = Map::new(geometry(), 1 << 20);
    let mut space = Space::new(map, geometry(), storage, 0, max_pages, 0);
    space.extend(pages).unwrap();
    space
}

/// The first page that is not the map's.
fn front() -> u64 {
    geometry().reserved(0)
}

fn run(start: u64, length: u64) -> Run {
    Run { start: PageId(start), length }
}

fn freed(run: Run, birth: u64, death: u64) -> Freed {
    Freed { start: run.start, length: run.length, birth, death }
}

/// All that can be taken, by the map's own word for pages that nobody has taken.
fn unreserved(pages: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
    pages.filter(|&page| !geometry().is_reserved(PageId(page)))
}

/// What is kept in the head agrees with itself and with the pages that are available.
#[track_caller]
fn assert_sound(space: &mut Space, available: &BTreeSet<u64>) {
    let geometry = geometry();
    let pages = space.pages();
    assert_eq!(space.storage.len().unwrap().max(pages * PAGE), space.storage.len().unwrap());
    assert_eq!(space.available.len() as u64, geometry.groups(pages));
    for (group, bits) in (0u64..).zip(&space.available) {
        let start = geometry.group_start(group);
        let expected: Vec<u64> =
            available.range(start..start + geometry.group_pages).copied().collect();
        if let Some(bits) = bits {
            let is_set = |i: &u64| bits[*i as usize / 64] >> (i % 64) & 1 == 1;
            let set: Vec<u64> =
                (0..bits.len() as u64 * 64).filter(is_set).map(|i| start + i).collect();
            assert_eq!(set, expected, "group {group}");
            let longest = expected.chunk_by(|a, b| a + 1 == *b).map(<[u64]>::len).max();
            assert!(
                space.longest[group as usize] as usize >= longest.unwrap_or(0),
                "a run of {longest:?} pages in group {group} would not be looked for"
            );
        }
        let count = u64::from(space.available_count[group as usize]);
        assert_eq!(count, expected.len() as u64, "pages available in group {group}");
    }
    assert_eq!(space.total_available, available.len() as u64);
    for page in 0..pages {
        let entry = space.entry(PageId(page));
        if geometry.is_reserved(PageId(page)) {
            entry.expect_err("nobody asks for a page of the map");
            let storage = space.storage.clone();
            assert_eq!(space.map.get(&*storage, PageId(page)).unwrap().count, 1, "page {page}");
        } else if available.contains(&page) {
            assert_eq!(entry.unwrap().count, 0, "page {page}");
        }
    }
    space.entry(PageId(pages)).expect_err("there is no such page");
    space.prepare(PageId(pages)).expect_err("there is no such page");
}

#[derive(Debug, Clone)]
enum Step {
    Take { want: u64, privileged: bool },
    TakeRuns { count: u64, runs: usize },
    TakeAtEnd(u64),
    TakeTail(u64),
    TakeAtFront(u64),
    GiveBack(usize),
    Free { which: usize, birth: u64 },
    Reclaim { readers: Vec<u64>, durable: bool },
    FrontFirst(bool),
    Shrink,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..80, any::<bool>())
            .prop_map(|(want, privileged)| Step::Take { want, privileged }),
        2 => (1u64..1500, 1usize..40).prop_map(|(count, runs)| Step::TakeRuns { count, runs }),
        1 => (1u64..200).prop_map(Step::TakeAtEnd),
        1 => (1u64..300).prop_map(Step::TakeTail),
        1 => (1u64..64).prop_map(Step::TakeAtFront),
        3 => any::<usize>().prop_map(Step::GiveBack),
        4 => (any::<usize>(), 1u64..60).prop_map(|(which, birth)| Step::Free { which, birth }),
        3 => (proptest::collection::vec(1u64..40, 0..4), any::<bool>())
            .prop_map(|(readers, durable)| Step::Reclaim { readers, durable }),
        1 => any::<bool>().prop_map(Step::FrontFirst),
        1 => Just(Step::Shrink),
    ]
}

/// A plain account of the same file.
struct Account {
    available: BTreeSet<u64>,
    taken: Vec<Run>,
    waiting: Vec<Freed>,
    pages: u64,
    durable: u64,
    now: u64,
}

impl Account {
    fn grown_to(&mut self, pages: u64) {
        assert!(pages >= self.pages, "the file became shorter");
        self.available.extend(unreserved(self.pages..pages));
        self.pages = pages;
    }

    fn took(&mut self, run: Run) {
        for page in run.start.0..run.end() {
            assert!(self.available.remove(&page), "page {page} was not to be had");
        }
        self.taken.push(run);
    }

    /// Does anybody need it?
    fn needed(&self, freed: &Freed, active: &[u64]) -> bool {
        let within = |version: &u64| freed.birth <= *version && *version < freed.death;
        freed.death > *active.last().unwrap_or(&0)
            || active.iter().any(within)
            || within(&self.durable)
    }
}

fn follow(pages: u64, max_pages: u64, steps: Vec<Step>) {
    let mut space = space_of(pages, max_pages);
    let mut account = Account {
        available: unreserved(0..pages).collect(),
        taken: Vec::new(),
        waiting: Vec::new(),
        pages,
        durable: 0,
        now: 40,
    };
    for step in steps {
        let before = account.available.len();
        match step {
            Step::Take { want, privileged } => match space.take(want, privileged) {
                Ok(run) => {
                    assert!((1..=want).contains(&run.length));
                    account.grown_to(space.pages());
                    account.took(run);
                }
                Err(error) => {
                    assert!(matches!(error, Error::DiskFull { pages } if pages == want), "{error}");
                    assert!(!privileged || before == 0, "there was a page for deletions");
                    assert!(before as u64 <= space.slop(), "{before} pages were free");
                }
            },
            Step::TakeRuns { count, runs } => match space.take_runs(count, runs) {
                Ok(found) => {
                    assert!(found.len() <= runs);
                    assert_eq!(found.iter().map(|run| run.length).sum::<u64>(), count);
                    account.grown_to(space.pages());
                    found.into_iter().for_each(|run| account.took(run));
                }
                Err(error) => {
                    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
                    account.grown_to(space.pages());
                }
            },
            Step::TakeAtEnd(count) => {
                if let Ok(run) = space.take_at_end(count) {
                    assert_eq!((run.length, run.end()), (count, space.pages()));
                    let region = |page| page / geometry().region_pages;
                    assert_eq!(region(run.start.0), region(run.end() - 1));
                    account.grown_to(space.pages());
                    account.took(run);
                }
            }
            Step::TakeTail(want) => {
                if let Ok(run) = space.take_tail(want) {
                    assert!((1..=want).contains(&run.length) && run.end() == space.pages());
                    account.grown_to(space.pages());
                    account.took(run);
                }
            }
            Step::TakeAtFront(length) => {
                if let Some(run) = space.take_at_front(length).unwrap() {
                    assert_eq!(run.length, length);
                    account.took(run);
                }
            }
            Step::GiveBack(which) if !account.taken.is_empty() => {
                let run = account.taken.swap_remove(which % account.taken.len());
                space.give_back(run);
                account.available.extend(run.start.0..run.end());
            }
            Step::Free { which, birth } if !account.taken.is_empty() => {
                let run = account.taken.swap_remove(which % account.taken.len());
                let freed = freed(run, birth, birth + 1 + which as u64 % 20);
                for page in run.start.0..run.end() {
                    space.prepare(PageId(page)).unwrap();
                }
                space.free(&[freed]);
                account.waiting.push(freed);
            }
            Step::GiveBack(_) | Step::Free { .. } => {}
            Step::Reclaim { mut readers, durable } => {
                account.now += 1;
                if durable {
                    account.durable = account.now - 20;
                    space.checkpoint_is_durable(account.durable);
                }
                readers.push(account.now);
                readers.sort_unstable();
                readers.dedup();
                let mut given = Vec::new();
                space.reclaim(&readers, &mut given, &mut Vec::new());
                let mut returned: Vec<u64> =
                    given.iter().flat_map(|run| run.start.0..run.end()).collect();
                let (needed, free): (Vec<Freed>, Vec<Freed>) = std::mem::take(&mut account.waiting)
                    .into_iter()
                    .partition(|freed| account.needed(freed, &readers));
                account.waiting = needed;
                let mut expected: Vec<u64> = free
                    .iter()
                    .flat_map(|freed| freed.start.0..freed.start.0 + freed.length)
                    .collect();
                returned.sort_unstable();
                expected.sort_unstable();
                assert_eq!(returned, expected, "with {readers:?}, {}", account.durable);
                account.available.extend(returned);
            }
            Step::FrontFirst(yes) => space.set_front_first(yes),
            Step::Shrink => {
                let target = space.shrinkable_to().unwrap();
                let used = (0..account.pages)
                    .rfind(|page| {
                        !account.available.contains(page) && !geometry().is_reserved(PageId(*page))
                    })
                    .unwrap_or(front() - 1);
                assert_eq!(target, used + 1, "the last page in use is {used}");
                space.cut(target).unwrap();
                account.available.retain(|&page| page < target);
                account.pages = target;
            }
        }
        account.grown_to(space.pages());
        let waiting: u64 = account.waiting.iter().map(|freed| freed.length).sum();
        assert_eq!(space.free_pages(), account.available.len() as u64 + waiting);
        assert_sound(&mut space, &account.available);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_page_is_given_twice_and_none_is_lost(
        pages in 200u64..1200,
        room in 0u64..3000,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        follow(pages, pages + room, steps);
    }

    /// The same where a region ends and the next one's header lies in the way.
    #[test]
    fn a_region_header_in_the_way_changes_nothing(
        before in 0u64..700,
        room in 0u64..3000,
        steps in proptest::collection::vec(step(), 1..20),
    ) {
        let pages = geometry().region_pages - before;
        follow(pages, pages + room, steps);
    }
}

#[test]
fn a_file_grows_by_a_sixteenth_but_at_least_128_kib_and_at_most_64_mib() {
    for (pages, growth) in [(200, 32), (1600, 100), (16 << 10, 1 << 10), (300 << 10, 16 << 10)] {
        // Not a region's header on the way, or it comes on top.
        let pages = pages + u64::from(pages % geometry().region_pages == 0) * 8000;
        let expected = growth.max(pages / 16).min(16 << 10);
        let mut space = space_of(pages, u64::MAX);
        space.grow(1).unwrap();
        let last = |pages: u64| pages.div_ceil(geometry().region_pages);
        // The headers of the regions on the way come on top, and room for one more.
        let headers: u64 =
            (last(pages)..=last(pages + expected)).map(|r| geometry().reserved(r)).sum();
        assert_eq!(space.pages(), pages + expected + headers, "{pages} pages");
    }
}

#[test]
fn a_request_larger_than_the_usual_step_is_met_by_one_growth() {
    let mut space = space_of(200, u64::MAX);
    space.grow(5000).unwrap();
    let run = space.take(512, false).unwrap();
    assert!(run.length >= 400 && space.pages() >= 5200);
}

/// The file is not full before a request would go over the quota.
#[test]
fn the_quota_is_used_to_its_end() {
    for room in [1, 31, 32, 33, 100] {
        let mut space = space_of(200, 200 + room);
        let mut pages = 0;
        while let Ok(run) = space.take(8, true).or_else(|_| space.take(1, true)) {
            pages += run.length;
        }
        assert_eq!(pages, 200 + room - front());
        assert_eq!(space.pages(), 200 + room);
    }
}

/// A new region is begun only if the quota has room for a page behind its header.
#[test]
fn a_region_whose_header_the_quota_would_cut_is_not_begun() {
    let region = geometry().region_pages;
    let header = geometry().reserved(1);
    for (extra, begun) in [(1, false), (header, false), (header + 1, true)] {
        let mut space = space_of(region - 40, region + extra);
        while space.take(8, true).is_ok() {}
        let expected = if begun { region + extra } else { region };
        assert_eq!(space.pages(), expected, "{extra} pages of the next region");
        assert_eq!(space.total_available, 0);
    }
}

#[test]
fn the_last_pages_are_kept_for_transactions_that_only_delete() {
    let mut space = space_of(3200, 3200);
    while space.take(1, false).is_ok() {}
    assert_eq!((space.slop(), space.total_available), (64, 64));
    for _ in 0..64 {
        space.take(1, true).unwrap();
    }
    space.take(1, true).unwrap_err();
    // Fewer in a small file, never none.
    assert_eq!([200, 640, 4096].map(|pages| space_of(pages, pages).slop()), [8, 20, 64]);
    assert_eq!([200, 640, 4096].map(|pages| space_of(pages, pages).batch()), [8, 20, 64]);
}

/// Scattered single pages are passed over as long as there is a run of 16 anywhere.
#[test]
fn a_good_run_is_preferred_to_scattered_pages() {
    let mut space = space_of(2000, 2000);
    let all = run(front(), 2000 - front());
    space.take_exactly(all);
    for page in (front()..1000).step_by(2) {
        space.give_back(run(page, 1));
    }
    space.give_back(run(1100, 40));
    space.cursor = 0;
    assert_eq!(space.take(32, false).unwrap(), run(1100, 32));
    // None is left now: then shorter ones, the next behind the cursor.
    assert_eq!(space.take(32, false).unwrap(), run(1132, 8));
    assert_eq!(space.take(32, false).unwrap().length, 1);
}

/// Where searches begin: behind the last find, round and round; in compaction at the front.
#[test]
fn searches_go_round_but_begin_at_the_front_for_compaction() {
    let mut space = space_of(2000, 2000);
    let first = space.take(100, false).unwrap();
    assert_eq!(first, run(front(), 100));
    assert_eq!(space.take(100, false).unwrap().start.0, front() + 100);
    space.give_back(first);
    assert_eq!(space.take(100, false).unwrap().start.0, front() + 200);
    space.set_front_first(true);
    assert_eq!(space.take(100, false).unwrap(), first);
    space.give_back(first);
    space.set_front_first(false);
    // Round: what lies before the cursor is found again, in the cursor's own group as well.
    space.cursor = front() + 250;
    let behind = run(front() + 300, 2000 - front() - 300);
    space.take_exactly(behind);
    assert_eq!(space.take(100, false).unwrap(), first);
}

/// A value of many pages gets whole groups' worth of consecutive pages, not crumbs.
#[test]
fn a_large_value_gets_long_runs() {
    let mut space = space_of(4000, u64::MAX);
    space.take_exactly(run(front(), 4000 - front()));
    for page in (front()..4000).step_by(4) {
        space.give_back(run(page, 2));
    }
    let runs = space.take_runs(2000, 90).unwrap();
    assert!(runs.len() <= 4, "{} runs", runs.len());
    // And if the file may not grow, crumbs, as many as were allowed.
    let mut space = space_of(1000, 1000);
    space.take_exactly(run(front(), 1000 - front()));
    for page in (front()..1000).step_by(4) {
        space.give_back(run(page, 2));
    }
    let before = space.total_available;
    space.take_runs(100, 49).unwrap_err();
    assert_eq!(space.total_available, before, "all were given back");
    assert_eq!(space.take_runs(100, 50).unwrap().len(), 50);
}

/// A full file asks for a checkpoint when one would let pages go; not before, and not when there is
/// room again.
#[test]
fn a_full_file_asks_for_a_checkpoint_if_that_helps() {
    let mut space = space_of(1000, 1000);
    space.take_exactly(run(front(), 1000 - front()));
    assert!(!space.wants_checkpoint());
    space.take(1, true).unwrap_err();
    assert!(!space.wants_checkpoint(), "a checkpoint would free nothing");
    for page in 500..600 {
        space.prepare(PageId(page)).unwrap();
    }
    // Born with the durable checkpoint: needed until the next one.
    space.checkpoint_is_durable(5);
    space.free(&[freed(run(500, 100), 5, 7)]);
    space.reclaim(&[8], &mut Vec::new(), &mut Vec::new());
    assert!(space.wants_checkpoint());
    space.checkpoint_is_durable(8);
    let mut reclaimed = Vec::new();
    space.reclaim(&[8], &mut reclaimed, &mut Vec::new());
    assert_eq!(reclaimed, [run(500, 100)]);
    assert!(!space.wants_checkpoint());
    space.take(1, false).unwrap();
}

#[test]
fn the_quota_can_be_changed() {
    let mut space = space_of(200, 200);
    while space.take(8, true).is_ok() {}
    space.set_max_pages(300);
    space.take(8, true).unwrap();
    assert!(space.pages() > 200 && space.pages() <= 300);
}

/// Values that grow piece by piece have one run in each region; values that are written at once lie
/// in one region.
#[test]
fn runs_at_the_end_of_the_file_stop_at_a_region() {
    let region = geometry().region_pages;
    let header = geometry().reserved(1);
    let mut space = space_of(region - 10, u64::MAX);
    assert_eq!(space.take_tail(100).unwrap(), run(region - 10, 10));
    assert_eq!(space.take_tail(100).unwrap(), run(region + header, 100));
    let mut space = space_of(region - 10, u64::MAX);
    assert_eq!(space.take_at_end(10).unwrap(), run(region - 10, 10));
    assert_eq!(space.take_at_end(10).unwrap(), run(region + header, 10));
    let mut space = space_of(region - 10, u64::MAX);
    assert_eq!(space.take_at_end(11).unwrap(), run(region + header, 11));
    assert_eq!(space.total_available, region - 10 - front() + 10);
    space.take_at_end(region / 2 + 1).unwrap_err();
    space.take_at_end(region / 2).unwrap();
    let mut space = space_of(200, 210);
    space.take_at_end(11).unwrap_err();
    assert_eq!(space.take_at_end(10).unwrap(), run(200, 10));
    assert_eq!(
        space.take_tail(1).unwrap_err().to_string(),
        Error::DiskFull { pages: 1 }.to_string()
    );
}

/// While little is free a file grows rather than to take scattered pages; when an eighth of it is
/// free, they are taken.
#[test]
fn a_file_grows_rather_than_to_fragment_while_little_is_free() {
    for (scattered, grows) in [(100, true), (463, true), (464, false), (600, false)] {
        let mut space = space_of(3200, u64::MAX);
        space.take_exactly(run(front(), 3200 - front()));
        (0..scattered).for_each(|i| space.give_back(run(front() + 2 * i, 1)));
        let taken = space.take(32, false).unwrap();
        assert_eq!((space.pages() > 3200, taken.length > 1), (grows, grows), "{scattered}");
    }
}

/// What the checkpoint in progress contains, or is still to write, is not available; the rest is.
#[test]
fn a_checkpoint_in_progress_keeps_what_it_contains_and_what_it_is_to_write() {
    let mut space = space_of(1000, 1000);
    space.take_exactly(run(front(), 1000 - front()));
    (front()..1000).for_each(|page| space.prepare(PageId(page)).unwrap());
    space.checkpoint_is_durable(3);
    let pages = [500, 600].map(|page| (PageId(page), 1)).into_iter().collect();
    space.in_progress = Some(InProgress { stamp: 10, pages: Arc::new(pages) });
    let mut freed_and_reclaimed = |list: &[Freed]| {
        space.free(list);
        let mut reclaimed = Vec::new();
        space.reclaim(&[20], &mut reclaimed, &mut Vec::new());
        reclaimed
    };
    let contained = freed(run(400, 1), 9, 12);
    let to_be_written = freed(run(500, 1), 11, 13);
    let neither = freed(run(501, 1), 11, 13);
    // A value's pages are written by its own transaction.
    let value = freed(run(600, 2), 11, 13);
    let dead_before = freed(run(700, 1), 5, 10);
    let all = [contained, to_be_written, neither, value, dead_before];
    assert_eq!(freed_and_reclaimed(&all), [run(501, 1), run(600, 2), run(700, 1)]);
    space.checkpoint_is_durable(10);
    let mut reclaimed = Vec::new();
    space.reclaim(&[20], &mut reclaimed, &mut Vec::new());
    assert_eq!(reclaimed, [run(500, 1)], "the durable one contains page 400");
    space.checkpoint_is_durable(12);
    reclaimed.clear();
    space.reclaim(&[20], &mut reclaimed, &mut Vec::new());
    assert_eq!(reclaimed, [run(400, 1)]);
}

/// A page whose bytes are on their way keeps its place until they have arrived, dead or not; then it counts as
/// written, and is not written again.
#[test]
fn r14_a_page_on_its_way_keeps_its_place() {
    let mut space = space_of(1000, 1000);
    space.take_exactly(run(front(), 1000 - front()));
    (front()..1000).for_each(|page| space.prepare(PageId(page)).unwrap());
    let [settled, other, young] = [500, 501, 502].map(PageId);
    for (page, birth) in [(settled, 5), (other, 6), (young, 7)] {
        space.map.set_count(page, 1);
        space.dirty.insert(page, birth);
    }
    space.settle(6);
    let mut pages = space.settled();
    pages.sort_unstable();
    assert_eq!(pages, [settled, other]);
    assert_eq!(space.begin_writing(&[settled, young]), [settled]);
    let reclaimed = |space: &mut Space| {
        let mut reclaimed = Vec::new();
        space.reclaim(&[20], &mut reclaimed, &mut Vec::new());
        reclaimed
    };
    space.free(&[freed(run(500, 1), 5, 8), freed(run(501, 1), 6, 8)]);
    assert_eq!(reclaimed(&mut space), [run(501, 1)]);
    assert_eq!(space.page_written(settled), Written::No, "its count is 0");
    assert_eq!(reclaimed(&mut space), []);
    space.end_writing(&[(settled, 0xC0C0)]);
    assert_eq!(reclaimed(&mut space), [run(500, 1)]);
    assert_eq!(space.dirty.into_keys().collect::<Vec<_>>(), [young]);
}
