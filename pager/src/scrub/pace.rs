//! The arithmetic of a limited rate: when the next bytes may be read.
//!
//! ```text
//!  now ----|--------|------------------|-----> time
//!          n bytes  due = n / rate     a slow read ends here: at most SLACK is caught up
//! ```
//!
//! It looks at no clock: the caller says what time it is.

use std::time::Duration;

/// Time that was lost to others and may be caught up.
const SLACK: Duration = Duration::from_millis(500);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// What was read so far has been paid for at this time.
    due: Duration,
    /// The rate that it was paid at.
    rate: u64,
}

impl Pace {
    /// After a rest nothing is owed.
    pub(super) fn rested(&mut self, now: Duration) {
        self.due = self.due.min(now);
    }

    /// `bytes` were read, and it is `now`: how long to wait before the next ones. `rate` is in bytes a
    /// second; `u64::MAX` sets no limit.
    pub(super) fn after(&mut self, now: Duration, bytes: u64, rate: u64) -> Duration {
        if self.rate != rate {
            // What was read at another rate is not paid for at this one.
            *self = Pace { due: now, rate };
        }
        self.due = self.due.max(now.saturating_sub(SLACK));
        if rate == u64::MAX {
            return Duration::ZERO;
        }
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.due = self.due.saturating_add(cost);
        self.due.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `slices` of 256 KiB, each of which takes `read`; every wait is `late` too long.
    fn run(rate: u64, slices: u32, read: Duration, late: Duration) -> f64 {
        let (mut pace, mut now) = (Pace::default(), Duration::ZERO);
        for _ in 0..slices {
            now += read;
            let wait = pace.after(now, 256 << 10, rate);
            now += if wait.is_zero() { wait } else { wait + late };
        }
        f64::from(slices) * f64::from(256 << 10) / now.as_secs_f64()
    }

    #[test]
    fn the_rate_is_kept_on_average() {
        for rate in [10_000, 1_000_000, 50_000_000] {
            for (read, late) in [(0, 0), (1, 0), (1, 3), (4, 20)] {
                let (read, late) = (Duration::from_millis(read), Duration::from_millis(late));
                let kept = run(rate, 2000, read, late) / rate as f64;
                assert!((0.95..1.05).contains(&kept), "{kept} of {rate}, {read:?}, {late:?}");
            }
        }
    }

    #[test]
    fn no_limit_means_no_wait() {
        assert_eq!(Pace::default().after(Duration::ZERO, u64::MAX, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn another_rate_or_a_rest_forgets_what_is_owed() {
        let mut pace = Pace::default();
        assert_eq!(pace.after(Duration::ZERO, 1000, 1), Duration::from_secs(1000));
        assert_eq!(pace.after(Duration::ZERO, 1000, 1000), Duration::from_secs(1));
        pace.after(Duration::ZERO, 1_000_000, 1000);
        pace.rested(Duration::from_secs(2));
        assert_eq!(pace.after(Duration::from_secs(2), 1000, 1000), Duration::from_secs(1));
    }

    #[test]
    fn what_a_slow_disk_cost_is_not_caught_up_all_at_once() {
        let mut pace = Pace::default();
        pace.after(Duration::ZERO, 1000, 1000);
        // A minute is lost; then a second's worth is due a second later, less the slack.
        let wait = pace.after(Duration::from_secs(60), 1000, 1000);
        assert_eq!(wait, Duration::from_secs(1) - SLACK);
    }

    #[test]
    fn no_rate_and_no_number_of_bytes_overflows() {
        let mut pace = Pace::default();
        for rate in [0, 1, u64::MAX - 1] {
            pace.after(Duration::MAX, u64::MAX, rate);
            pace.after(Duration::ZERO, u64::MAX, rate);
        }
    }
}
