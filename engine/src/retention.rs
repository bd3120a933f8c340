//! Which snapshots to keep: the rules that backup tools share.
//!
//! "Daily 7" means: of the last seven days that have a snapshot, the newest of each day. Days are
//! counted where there is a snapshot, so a machine that was off for a month loses nothing. A snapshot
//! stays if any rule keeps it, or if it is held. The rules apply to each branch by itself. Hours, days
//! (weeks from Monday on), months and years are those of UTC.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    Database, SnapshotInfo,
    error::{Error, Result},
};

/// Rules for what to keep. By default none, which is refused: it would keep nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    rules: Vec<Rule>,
    within: Option<Duration>,
    branch: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    period: Period,
    count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Each,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Retention {
    fn rule(mut self, period: Period, count: usize) -> Retention {
        self.rules.push(Rule { period, count });
        self
    }

    /// The newest ones, so many.
    pub fn last(self, count: usize) -> Retention {
        self.rule(Period::Each, count)
    }

    /// The newest of each of the last hours that have one.
    pub fn hourly(self, count: usize) -> Retention {
        self.rule(Period::Hour, count)
    }

    /// The newest of each of the last days that have one.
    pub fn daily(self, count: usize) -> Retention {
        self.rule(Period::Day, count)
    }

    /// The newest of each of the last weeks that have one.
    pub fn weekly(self, count: usize) -> Retention {
        self.rule(Period::Week, count)
    }

    /// The newest of each of the last months that have one.
    pub fn monthly(self, count: usize) -> Retention {
        self.rule(Period::Month, count)
    }

    /// The newest of each of the last years that have one.
    pub fn yearly(self, count: usize) -> Retention {
        self.rule(Period::Year, count)
    }

    /// All that are not older than this.
    pub fn within(mut self, age: Duration) -> Retention {
        self.within = Some(age);
        self
    }

    /// Only snapshots of this branch are judged; others stay.
    pub fn branch(mut self, branch: &str) -> Retention {
        self.branch = Some(branch.into());
        self
    }
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The snapshot.
    pub snapshot: SnapshotInfo,
    /// Why it stays, such as `daily`; empty: it is to be deleted.
    pub kept_by: Vec<&'static str>,
}

impl Database {
    /// What [`Database::prune`] would do: a verdict on each snapshot that the rules are for, by branch,
    /// newest first.
    pub fn prune_plan(&self, retention: &Retention) -> Result<Vec<Verdict>> {
        judge(self.snapshots()?, retention, SystemTime::now())
    }

    /// Deletes the snapshots that no rule keeps: all of them, or in case of an error none. Returns
    /// their names.
    pub fn prune(&self, retention: &Retention) -> Result<Vec<String>> {
        let verdicts = self.prune_plan(retention)?;
        let condemned = verdicts.into_iter().filter(|verdict| verdict.kept_by.is_empty());
        let names: Vec<String> = condemned.map(|verdict| verdict.snapshot.name).collect();
        if !names.is_empty() {
            self.delete_snapshots(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(names)
    }
}

fn judge(
    snapshots: Vec<SnapshotInfo>,
    retention: &Retention,
    now: SystemTime,
) -> Result<Vec<Verdict>> {
    if retention.within.is_none() && retention.rules.iter().all(|rule| rule.count == 0) {
        return Err(Error::InvalidArgument("rules that keep no snapshot at all".into()));
    }
    let mut branches: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    for snapshot in snapshots {
        if retention.branch.as_ref().is_none_or(|branch| *branch == snapshot.branch) {
            let kept_by = if snapshot.held { vec!["held"] } else { Vec::new() };
            let branch = branches.entry(snapshot.branch.clone()).or_default();
            branch.push(Verdict { snapshot, kept_by });
        }
    }
    for verdicts in branches.values_mut() {
        verdicts.sort_by(|a, b| {
            let key = |verdict: &Verdict| (verdict.snapshot.created, verdict.snapshot.name.clone());
            key(b).cmp(&key(a))
        });
        for rule in &retention.rules {
            apply(*rule, verdicts);
        }
        if let Some(within) = retention.within {
            for verdict in verdicts.iter_mut() {
                // A clock that went back makes a snapshot of the future: that is young.
                let age = now.duration_since(verdict.snapshot.created).unwrap_or_default();
                if age <= within {
                    verdict.kept_by.push("within");
                }
            }
        }
    }
    Ok(branches.into_values().flatten().collect())
}

/// Marks what a rule keeps; the verdicts are sorted, newest first.
fn apply(rule: Rule, verdicts: &mut [Verdict]) {
    let mut left = rule.count;
    let mut last = None;
    for (index, verdict) in verdicts.iter_mut().enumerate() {
        let bucket = rule.period.bucket(verdict.snapshot.created, index);
        if left == 0 {
            return;
        }
        if last != Some(bucket) {
            last = Some(bucket);
            left -= 1;
            verdict.kept_by.push(rule.period.name());
        }
    }
}

impl Period {
    fn name(self) -> &'static str {
        match self {
            Period::Each => "last",
            Period::Hour => "hourly",
            Period::Day => "daily",
            Period::Week => "weekly",
            Period::Month => "monthly",
            Period::Year => "yearly",
        }
    }

    /// Two moments are in the same period exactly if this is equal.
    fn bucket(self, time: SystemTime, index: usize) -> u64 {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let days = seconds / 86_400;
        match self {
            Period::Each => index as u64,
            Period::Hour => seconds / 3600,
            Period::Day => days,
            // The first day of 1970 was a Thursday.
            Period::Week => (days + 3) / 7,
            Period::Month => months(days),
            Period::Year => months(days) / 12,
        }
    }
}

/// Months from the year 0 to the day so many days after 1970-01-01, in the Gregorian calendar.
///
/// Howard Hinnant, "chrono-compatible low-level date algorithms": the year begins in March there, so
/// that the leap day is its last one.
fn months(days: u64) -> u64 {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    12 * (400 * era + year_of_era) + month_from_march + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn snapshot(name: &str, seconds: u64) -> SnapshotInfo {
        SnapshotInfo {
            name: name.into(),
            created: at(seconds),
            branch: "main".into(),
            held: false,
            label: None,
            parent: None,
            id: seconds,
        }
    }

    fn kept(snapshots: &[SnapshotInfo], retention: &Retention) -> Vec<String> {
        let verdicts = judge(snapshots.to_vec(), retention, at(1 << 40)).unwrap();
        let kept = verdicts.into_iter().filter(|verdict| !verdict.kept_by.is_empty());
        kept.map(|verdict| verdict.snapshot.name).collect()
    }

    const DAY: u64 = 86_400;

    #[test]
    fn months_begin_where_the_calendar_says() {
        let january = 1970 * 12;
        assert_eq!(months(0), january);
        assert_eq!((months(30), months(31)), (january, january + 1));
        // 2000 was a leap year: its 29 February is day 11016.
        assert_eq!((months(11_016), months(11_017)), (2000 * 12 + 1, 2000 * 12 + 2));
        // The last day of 1999 and the first of 2000.
        assert_eq!((months(10_956) / 12, months(10_957) / 12), (1999, 2000));
        // 2100 is none: 28 February is day 47540.
        assert_eq!((months(47_540), months(47_541)), (2100 * 12 + 1, 2100 * 12 + 2));
    }

    #[test]
    fn of_each_period_the_newest_stays() {
        let snapshots: Vec<SnapshotInfo> =
            (0..96).map(|i| snapshot(&format!("{i:02}"), 100 * DAY + i * 3600)).collect();
        assert_eq!(kept(&snapshots, &Retention::default().daily(3)), ["95", "71", "47"]);
        assert_eq!(kept(&snapshots, &Retention::default().hourly(2)), ["95", "94"]);
        assert_eq!(kept(&snapshots, &Retention::default().last(2).daily(2)), ["95", "94", "71"]);
        assert_eq!(kept(&snapshots, &Retention::default().yearly(9)), ["95"]);
    }

    #[test]
    fn days_without_a_snapshot_do_not_count() {
        let snapshots = [snapshot("old", DAY), snapshot("older", 0), snapshot("new", 1000 * DAY)];
        assert_eq!(kept(&snapshots, &Retention::default().daily(2)), ["new", "old"]);
    }

    #[test]
    fn what_is_held_and_what_is_young_stays() {
        let mut snapshots = [snapshot("a", 0), snapshot("b", DAY), snapshot("c", 2 * DAY)];
        snapshots[0].held = true;
        assert_eq!(kept(&snapshots, &Retention::default().last(1)), ["c", "a"]);
        let rule = Retention::default().within(Duration::from_secs(DAY));
        let verdicts = judge(snapshots.to_vec(), &rule, at(2 * DAY)).unwrap();
        let reasons: Vec<_> = verdicts.iter().map(|verdict| verdict.kept_by.concat()).collect();
        assert_eq!(reasons, ["within", "within", "held"]);
    }

    #[test]
    fn rules_that_keep_nothing_are_refused_and_other_branches_stay() {
        let snapshots = [snapshot("a", 0)];
        assert!(judge(snapshots.to_vec(), &Retention::default().last(0), at(0)).is_err());
        let other = Retention::default().last(1).branch("other");
        assert_eq!(judge(snapshots.to_vec(), &other, at(0)).unwrap(), []);
    }
}
