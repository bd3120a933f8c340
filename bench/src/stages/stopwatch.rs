//! A stopwatch that can be held while rows are prepared.

use std::time::{Duration, Instant};

/// Adds up the time between each `start` and the next `hold`.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    since: Option<Instant>,
    sum: Duration,
}

impl Stopwatch {
    /// One that runs.
    pub(super) fn started() -> Self {
        Self { since: Some(Instant::now()), sum: Duration::ZERO }
    }

    /// Runs on.
    pub(super) fn start(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Stands still until the next `start`.
    pub(super) fn hold(&mut self) {
        if let Some(since) = self.since.take() {
            self.sum += since.elapsed();
        }
    }

    /// Holds it and reads it.
    pub(super) fn seconds(&mut self) -> f64 {
        self.hold();
        self.sum.as_secs_f64()
    }
}
