//! The sweep: is all well? Several threads, and no word on what is wrong.
//!
//! ```text
//!   names -> catalogs -> tables, level by level, from the top down
//!
//!   tasks: page, and all that its parent says of it      sorted by page, then cut into pieces
//!     +------+------+------+--                             |  64 KiB read at a time
//!     |      |      |      |       ------>                 v
//!     +------+------+------+--                  a thread: verify, then for each pointer
//!        ^                                        nobody was there   -> a task
//!        +---------------------------------------- the same was known -> counted, no more
//! ```
//!
//! It verifies all that the walk over the trees does (`trees`), in an order that suits the disk: each
//! page is read once, neighbours together. Where it finds the least thing that the walk would report,
//! or that is unusual enough to be left to it, it stops, and the walk begins from the start, alone. So a
//! report is the same whatever the threads did, and a sound store costs no descriptions.
//!
//! Memory: sixteen bytes for each page of the file ([`Ledger`]), and some [`QUEUED_BYTES`] of tasks.

mod content;
mod copies;
mod ledger;
mod node;
mod queue;

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use cowslip::kinds::META;
use cowslip_pager::{geometry::Geometry, page::PageId, storage::Storage};

use super::{Check, PageMap, counts};
use crate::{report::Report, walk::Role};
use copies::Copies;
use ledger::{Claim, Ledger, Use};
use queue::{Batch, Family, Found, Piece, Place};

/// Tasks may take so much memory before those furthest down are done first.
const QUEUED_BYTES: usize = 64 << 20;
/// Bytes that are read at a time: what a core's own cache holds beside the rest.
const WINDOW: usize = 64 << 10;
/// Pages that are read and not looked at, to save a call.
const GAP: u64 = 3;
/// Tasks that a thread takes at a time.
const SHARE: usize = 256;
/// More threads than cores, so that some wait for the disk while others work.
const THREADS: std::ops::RangeInclusive<usize> = 4..=16;
/// Pages that may be read once more because their owners know different things of them.
const SECOND_LOOKS: usize = 10_000;

/// What all threads see.
struct Sweep<'a> {
    storage: &'a dyn Storage,
    geometry: Geometry,
    ledger: Ledger,
    copies: Copies,
    store: u64,
    /// The superblock's stamp: nothing is younger.
    newest: u64,
    /// Something is not as it should be.
    suspect: AtomicBool,
    /// Pages that were read.
    read: AtomicU64,
    second_looks: AtomicUsize,
}

/// Sweeps a store in which nothing was found so far. True: all is well, and the report is complete. False:
/// it must be walked, and the report is as it was.
pub(super) fn run(check: &mut Check<'_>, map: &mut PageMap) -> bool {
    let before = check.report.clone();
    let well = sweep(check, map).is_some() && check.report.is_clean();
    if !well {
        check.report = before;
    }
    well
}

fn sweep(check: &mut Check<'_>, map: &mut PageMap) -> Option<()> {
    let pages = check.superblock.pages;
    let ledger = Ledger::read(check, map, pages)?;
    let mut sweep = Sweep {
        storage: check.storage,
        geometry: check.geometry,
        copies: Copies::new(check.geometry.page_size, ledger.pages()),
        ledger,
        store: check.superblock.store,
        newest: check.superblock.stamp,
        suspect: AtomicBool::new(false),
        read: AtomicU64::new(0),
        second_looks: AtomicUsize::new(0),
    };
    let mut fixed = true;
    check.fixed_pages(pages, |page| fixed &= sweep.claim_fixed(page));
    let root = check.superblock.root;
    let mut work = Work { queues: Vec::new(), runs: Vec::new(), bytes: 0, found: Found::default() };
    work.queues.resize_with(Place::COUNT, Vec::new);
    // Without a root the walk says whether there ever was one.
    if !fixed || root.is_none() {
        return None;
    }
    let family = Family::of_root(META, root.level);
    let mut out = Found::default();
    sweep.meet_root(&mut out, Family { tree: Some(0), ..family }, &root, sweep.newest)?;
    if root.kind != META {
        return None;
    }
    for (place, piece) in out.pieces {
        work.queues[place].push(piece);
    }
    let mut progress = Progress { check, told: Instant::now() };
    work.descend(&mut sweep, 0, &mut progress)?;
    work.raw(&mut sweep, &mut progress)?;
    sweep.copies.settle(&sweep)?;
    let Progress { check, .. } = progress;
    let found = work.found;
    if !found.is_consistent() {
        return None;
    }
    let is_branch = |name: &str| found.branches.iter().any(|branch| branch == name);
    if !found.arriving.judge(check, is_branch).is_empty() {
        return None;
    }
    let read = sweep.read.load(Relaxed);
    found.tell(&mut check.report);
    check.report.pages_checked += read;
    check.report.bytes += read * check.geometry.page_size as u64;
    counts::run(
        check,
        map,
        |page, count| {
            let left = sweep.ledger.left(page);
            let role = if left == 0 && count > 0 { Role::Node } else { Role::None };
            (role, count - left.min(count))
        },
        pages,
        true,
    );
    Some(())
}

/// Says now and then how far it is.
struct Progress<'c, 'o> {
    check: &'c mut Check<'o>,
    told: Instant,
}

impl Progress<'_, '_> {
    fn tell(&mut self, sweep: &Sweep<'_>) {
        if self.told.elapsed() > Duration::from_millis(100) {
            self.told = Instant::now();
            self.check.tell_progress(sweep.read.load(Relaxed));
        }
    }
}

/// What is to be done, and what was found; in one hand.
struct Work {
    /// By place, from the top of the names down to the leaves of the tables.
    queues: Vec<Vec<Piece>>,
    /// Runs of raw pages.
    runs: Vec<(u32, u32)>,
    /// Memory of tasks that are queued, or on their turn.
    bytes: usize,
    found: Found,
}

impl Work {
    /// All places from `first` on.
    fn descend(
        &mut self,
        sweep: &mut Sweep<'_>,
        first: usize,
        progress: &mut Progress<'_, '_>,
    ) -> Option<()> {
        for place in first..Place::COUNT {
            while !self.queues[place].is_empty() {
                self.drain(sweep, place, progress)?;
            }
        }
        Some(())
    }

    fn drain(
        &mut self,
        sweep: &mut Sweep<'_>,
        place: usize,
        progress: &mut Progress<'_, '_>,
    ) -> Option<()> {
        let batch = Batch::new(std::mem::take(&mut self.queues[place]));
        // A page has more children the larger it is; a leaf of a table has none.
        let portion = match place + 1 == Place::COUNT {
            true => usize::MAX,
            false => (QUEUED_BYTES / 2 / sweep.geometry.page_size).max(16),
        };
        for order in batch.order.chunks(portion.min(batch.order.len().max(1))) {
            let outs = sweep.in_threads(order, SHARE, progress, |sweep, order, room, out| {
                sweep.nodes(&batch, order, room, out)
            })?;
            for out in outs {
                self.take(out, place)?;
            }
            if self.bytes > QUEUED_BYTES {
                self.descend(sweep, place + 1, progress)?;
                self.raw(sweep, progress)?;
            }
        }
        self.bytes = self.bytes.saturating_sub(batch.bytes());
        Some(())
    }

    /// The runs of raw pages, sorted.
    fn raw(&mut self, sweep: &mut Sweep<'_>, progress: &mut Progress<'_, '_>) -> Option<()> {
        let mut runs = std::mem::take(&mut self.runs);
        self.bytes = self.bytes.saturating_sub(runs.len() * 8);
        runs.sort_unstable();
        sweep.in_threads(&runs, 16, progress, |sweep, runs, room, _| sweep.raw(runs, room))?;
        Some(())
    }

    /// What a thread has found while it worked at `place`.
    fn take(&mut self, mut out: Found, place: usize) -> Option<()> {
        for (below, piece) in std::mem::take(&mut out.pieces) {
            // Each task leads further down, so there is an end.
            if below <= place {
                return None;
            }
            self.bytes += piece.bytes();
            self.queues[below].push(piece);
        }
        let mut runs = std::mem::take(&mut out.runs);
        self.bytes += runs.len() * 8;
        self.runs.append(&mut runs);
        self.found.add(out);
        Some(())
    }
}

/// Memory that a thread works in.
#[derive(Default)]
struct Room {
    pages: Vec<u8>,
    used: Vec<u64>,
    key: Vec<u8>,
    next: Vec<u8>,
    changed: Vec<usize>,
}

impl Sweep<'_> {
    /// `work` on shares of `items`, in as many threads as are worth it. `None`: something is suspect.
    fn in_threads<T: Sync>(
        &mut self,
        items: &[T],
        share: usize,
        progress: &mut Progress<'_, '_>,
        work: impl Fn(&Sweep<'_>, &[T], &mut Room, &mut Found) -> Option<()> + Sync,
    ) -> Option<Vec<Found>> {
        let sweep = &*self;
        let next = AtomicUsize::new(0);
        let turns = |tell: &mut dyn FnMut()| {
            let mut out = Found::default();
            let pages = vec![0; WINDOW.max(sweep.geometry.page_size)];
            let mut room = Room { pages, ..Room::default() };
            while !sweep.suspect.load(Relaxed) {
                let Some(rest) = items.get(next.fetch_add(share, Relaxed)..) else { break };
                if rest.is_empty() {
                    break;
                }
                if work(sweep, &rest[..share.min(rest.len())], &mut room, &mut out).is_none() {
                    sweep.suspect.store(true, Relaxed);
                }
                tell();
            }
            out
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.clamp(*THREADS.start(), *THREADS.end());
        let threads = threads.min(items.len() / share + 1);
        let outs = std::thread::scope(|scope| {
            // Where the system has no thread to give, there is always this one.
            let others: Vec<_> = (1..threads)
                .map_while(|_| {
                    std::thread::Builder::new().spawn_scoped(scope, || turns(&mut || ())).ok()
                })
                .collect();
            let mut outs = vec![turns(&mut || progress.tell(sweep))];
            for other in others {
                match other.join() {
                    Ok(out) => outs.push(out),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            outs
        });
        (!self.suspect.load(Relaxed)).then_some(outs)
    }

    /// Verifies nodes, in the order of their pages.
    fn nodes(
        &self,
        batch: &Batch,
        order: &[queue::At],
        room: &mut Room,
        out: &mut Found,
    ) -> Option<()> {
        let size = self.geometry.page_size;
        let mut window = std::mem::take(&mut room.pages);
        let most = (window.len() / size) as u64;
        let mut rest = order;
        while let Some(first) = rest.first() {
            let start = u64::from(first.page);
            let mut last = start;
            let count = rest
                .iter()
                .take_while(|at| {
                    let page = u64::from(at.page);
                    let near = page - start < most && page - last <= GAP + 1;
                    if near {
                        last = page;
                    }
                    near
                })
                .count();
            // Memory in the order of pages is memory in no order.
            rest[..count].iter().for_each(|at| batch.expect(*at));
            let bytes = &mut window[..(last - start + 1) as usize * size];
            self.storage.read_at(bytes, self.geometry.offset(PageId(start))).ok()?;
            rest[..count].iter().for_each(|at| batch.expect_keys(*at));
            for at in &rest[..count] {
                let from = (u64::from(at.page) - start) as usize * size;
                self.node(batch, *at, &bytes[from..from + size], room, out)?;
            }
            rest = &rest[count..];
        }
        room.pages = window;
        Some(())
    }

    /// Verifies runs of raw pages.
    fn raw(&self, runs: &[(u32, u32)], room: &mut Room) -> Option<()> {
        let size = self.geometry.page_size;
        for &(start, length) in runs {
            let end = u64::from(start) + u64::from(length);
            let mut page = u64::from(start);
            while page < end {
                let count = (end - page).min((room.pages.len() / size) as u64);
                let bytes = &mut room.pages[..count as usize * size];
                self.storage.read_at(bytes, self.geometry.offset(PageId(page))).ok()?;
                for bytes in bytes.chunks(size) {
                    if crc32fast::hash(bytes) != self.ledger.crc(page) {
                        return None;
                    }
                    page += 1;
                }
                self.read.fetch_add(count, Relaxed);
            }
        }
        Some(())
    }

    /// Superblocks, map slots and the log's ring have one owner.
    fn claim_fixed(&self, page: u64) -> bool {
        self.ledger.claim(page, Use::Fixed, 0, false) == Claim::First
    }

    /// May one more page be looked at a second time?
    fn may_look_again(&self) -> bool {
        self.second_looks.fetch_add(1, Relaxed) < SECOND_LOOKS
    }
}

impl Found {
    /// Is there a main branch, and no snapshot with the name of a branch?
    fn is_consistent(&self) -> bool {
        let branches: HashSet<&str> = self.branches.iter().map(String::as_str).collect();
        branches.contains("main")
            && !self.snapshots.iter().any(|name| branches.contains(name.as_str()))
    }

    fn tell(&self, report: &mut Report) {
        report.trees += self.trees;
        report.entries += self.entries;
        report.extents += self.extents;
        report.branches += self.branches.len() as u64 - self.incoming;
        report.snapshots += self.snapshots.len() as u64;
        report.releases += self.releases;
    }
}
