//! What deleted snapshots, branches and tables left behind: taken apart in the background, slice by
//! slice, each a transaction of its own. A crash keeps the queue; the next opening goes on with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use cowslip_pager::{Child, Pager};
use parking_lot::{Condvar, Mutex};

use super::{Database, Shared};
use crate::{
    draft::Draft,
    error::Result,
    kinds::Sums,
    meta::{self, RELEASE},
};

/// The thread that takes deleted snapshots and tables apart, slice by slice.
pub(super) struct Releaser {
    signal: Arc<Signal>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Signal {
    wanted: Mutex<bool>,
    wake: Condvar,
    stop: AtomicBool,
}

/// Nodes taken apart in one transaction of the releaser: small enough not to stall a commit.
const SLICE: usize = 64;

/// One slice of the release queue, in a transaction of its own. False: nothing was waiting.
fn release_slice(pager: &Pager) -> Result<bool> {
    let mut draft = Draft::new(pager.begin_write()?)?;
    if !draft.release_slice(SLICE)? {
        return Ok(false);
    }
    draft.commit_unlogged()?;
    Ok(true)
}

impl Database {
    /// Takes apart, now, everything that deleted snapshots, branches and tables left behind.
    pub fn wait_for_releases(&self) -> Result<()> {
        self.wait_for_releases_with(|_| {})
    }

    /// The same; `progress` is told after each slice how much still waits, at most: pages that
    /// others own as well are not freed.
    pub fn wait_for_releases_with(&self, mut progress: impl FnMut(Releases)) -> Result<()> {
        while release_slice(&self.shared.pager)? {
            progress(self.releases()?);
        }
        Ok(())
    }

    /// What deleted snapshots, branches and tables left behind, to be taken apart in the background.
    pub fn releases(&self) -> Result<Releases> {
        let reader = self.shared.pager.begin_read();
        let page_size = self.shared.pager.page_size();
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

impl Shared {
    /// Has the release queue worked off: by the thread, or here if there is to be none. What called
    /// for it is committed already, so a failure is no failure of that: the queue is kept.
    pub(crate) fn release_soon(&self) {
        let kept = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "releasing deleted pages stopped; the queue is kept");
        };
        if !self.background {
            loop {
                match release_slice(&self.pager) {
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
            let spawned = std::thread::Builder::new()
                .name("cowslip-release".into())
                .spawn(move || release_loop(&pager, &its_signal));
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

    pub(super) fn stop_releaser(&self) {
        if let Some(releaser) = self.releaser.lock().take() {
            releaser.signal.stop.store(true, Ordering::Release);
            *releaser.signal.wanted.lock() = true;
            releaser.signal.wake.notify_all();
            let _ = releaser.thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop_releaser();
    }
}

fn release_loop(pager: &Pager, signal: &Signal) {
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
            match release_slice(pager) {
                Ok(true) => std::thread::yield_now(),
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "releasing deleted pages stopped; the queue is kept");
                    break;
                }
            }
        }
    }
}
