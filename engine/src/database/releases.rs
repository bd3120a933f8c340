//! What deleted snapshots, branches and tables left behind: taken apart in the background, slice by
//! slice, each a transaction of its own. A crash keeps the queue; the next opening goes on with it.
//!
//! Commits go first: the thread begins a slice when no writer waits, or has kept it waiting for long.
//! Who waits for the queue's end does the work, and the thread rests meanwhile: two would only take turns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use cowslip_pager::{Child, Pager, Transaction};
use parking_lot::{Condvar, Mutex};

use super::{Database, Shared};
use crate::{
    draft::{self, Draft},
    error::{Error, Result},
    kinds::Sums,
    meta::{self, RELEASE},
};

/// The thread that takes deleted snapshots and tables apart, slice by slice.
struct Releaser {
    signal: Arc<Signal>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Signal {
    wanted: Mutex<bool>,
    wake: Condvar,
    stop: AtomicBool,
}

/// How many threads work off the queue because they wait for its end.
#[derive(Clone, Default)]
struct Helpers(Arc<AtomicUsize>);

/// One of them, as long as it lives.
struct Helping<'h>(&'h Helpers);

impl Helping<'_> {
    fn begin(helpers: &Helpers) -> Helping<'_> {
        helpers.0.fetch_add(1, Ordering::AcqRel);
        Helping(helpers)
    }
}

impl Drop for Helping<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How long the thread rests before it looks again whether somebody else still does its work.
const REST: Duration = Duration::from_millis(5);

/// Nodes taken apart in one transaction of the thread: few, since a commit that comes meanwhile waits.
const SLICE: usize = 32;
/// The same where somebody waits for the end: fewer transactions are sooner through.
const HELPERS_SLICE: usize = 64;

/// Takes apart so many nodes of the release queue, in this transaction. False: nothing was waiting.
fn release_slice(txn: Transaction, nodes: usize) -> Result<bool> {
    let mut draft = Draft::new(txn)?;
    if !draft.release_slice(nodes)? {
        return Ok(false);
    }
    draft.commit_unlogged()?;
    Ok(true)
}

impl Database {
    /// Takes apart, now, everything that deleted snapshots, branches and tables left behind.
    pub fn wait_for_releases(&self) -> Result<()> {
        self.work_off_releases(|| Ok(()))
    }

    /// The same; `progress` is told after each slice how much still waits, at most: pages that
    /// others own as well are not freed.
    pub fn wait_for_releases_with(&self, mut progress: impl FnMut(Releases)) -> Result<()> {
        self.work_off_releases(|| {
            progress(self.releases()?);
            Ok(())
        })
    }

    fn work_off_releases(&self, mut after_each: impl FnMut() -> Result<()>) -> Result<()> {
        let _alone = Helping::begin(&self.shared.releasing.helpers);
        while release_slice(self.shared.pager()?.begin_write()?, HELPERS_SLICE)? {
            after_each()?;
        }
        Ok(())
    }

    /// What deleted snapshots, branches and tables left behind, to be taken apart in the background.
    pub fn releases(&self) -> Result<Releases> {
        let reader = self.shared.pager()?.begin_read();
        let page_size = reader.pager().page_size();
        let mut waiting = Releases::default();
        for (_, value, page) in Draft::entries(reader.view(), reader.version().root, RELEASE)? {
            waiting.entries += 1;
            waiting.pages += match meta::decode_release(&value, page, page_size)? {
                Child::Node(root) => Sums::of_node(&reader.view().pin(&root)?).pages,
                Child::Extent(extent) => extent.runs.iter().map(|run| run.length).sum(),
                // How many are below it stands nowhere.
                Child::Raw(_) => 1,
            };
        }
        Ok(waiting)
    }
}

/// What waits to be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Releases {
    /// Parts of trees, and large values.
    pub entries: u64,
    /// Pages in and below them; those that others own as well are not freed. Of a machine's pages
    /// only the highest are counted.
    pub pages: u64,
}

/// What the release queue is worked off with.
pub(super) struct Releasing {
    pager: Arc<Pager>,
    background: bool,
    helpers: Helpers,
    releaser: Mutex<Option<Releaser>>,
}

impl Releasing {
    pub(super) fn new(pager: Arc<Pager>, background: bool) -> Releasing {
        Releasing { pager, background, helpers: Helpers::default(), releaser: Mutex::new(None) }
    }

    /// Goes on with what an earlier life of the database has left.
    pub(super) fn begin_if_needed(&self) -> Result<()> {
        if !self.pager.is_read_only() {
            let reader = self.pager.begin_read();
            if draft::has_releases(reader.view(), reader.version().root)? {
                drop(reader);
                self.soon();
            }
        }
        Ok(())
    }

    fn soon(&self) {
        if !self.background {
            loop {
                match self
                    .pager
                    .begin_write()
                    .map_err(Error::from)
                    .and_then(|txn| release_slice(txn, HELPERS_SLICE))
                {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => return kept(&error),
                }
            }
        }
        let mut releaser = self.releaser.lock();
        if releaser.is_none() {
            let signal = Arc::new(Signal::default());
            let (pager, its_signal) = (self.pager.clone(), signal.clone());
            let helpers = self.helpers.clone();
            let spawned = std::thread::Builder::new()
                .name("cowslip-release".into())
                .spawn(move || release_loop(&pager, &its_signal, &helpers));
            match spawned {
                Ok(thread) => *releaser = Some(Releaser { signal, thread }),
                Err(error) => return kept(&error),
            }
        }
        if let Some(releaser) = &*releaser {
            *releaser.signal.wanted.lock() = true;
            releaser.signal.wake.notify_all();
        }
    }

    fn stop(&self) {
        if let Some(releaser) = self.releaser.lock().take() {
            releaser.signal.stop.store(true, Ordering::Release);
            *releaser.signal.wanted.lock() = true;
            releaser.signal.wake.notify_all();
            let _ = releaser.thread.join();
        }
    }
}

/// What called for a release is committed already, so a failure is no failure of that.
fn kept(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "releasing deleted pages stopped; the queue is kept");
}

impl Shared {
    /// Has the release queue worked off: by the thread, or here if there is to be none.
    pub(crate) fn release_soon(&self) {
        self.releasing.soon();
    }

    pub(super) fn stop_releaser(&self) {
        self.releasing.stop();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Before the releaser, which the end of a replay may start.
        self.recovery.stop();
        self.stop_releaser();
    }
}

fn release_loop(pager: &Pager, signal: &Signal, helpers: &Helpers) {
    while !signal.stop.load(Ordering::Acquire) {
        {
            let mut wanted = signal.wanted.lock();
            if !*wanted {
                signal.wake.wait_for(&mut wanted, Duration::from_millis(500));
            }
            if !std::mem::take(&mut *wanted) {
                continue;
            }
        }
        loop {
            if signal.stop.load(Ordering::Acquire) {
                return;
            }
            if helpers.0.load(Ordering::Acquire) > 0 {
                std::thread::sleep(REST);
                continue;
            }
            match pager
                .begin_write_behind_others()
                .map_err(Error::from)
                .and_then(|txn| release_slice(txn, SLICE))
            {
                Ok(true) => std::thread::yield_now(),
                Ok(false) => break,
                Err(error) => {
                    kept(&error);
                    break;
                }
            }
        }
    }
}
