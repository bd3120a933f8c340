//! `snapshot prune`: delete what no rule keeps.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cowslip::{Error, Retention, Verdict};

use super::delete;
use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line, moment};
use crate::store;

/// Delete the snapshots that no rule keeps, all at once, and print their names
///
/// "Daily 7" keeps the newest snapshot of each of the last seven days that have one. Held snapshots
/// always stay. The rules apply to each branch by itself; hours, days, weeks (from Monday on), months
/// and years are those of UTC.
#[derive(clap::Args)]
#[command(override_usage = "cowslip snapshot prune <FILE> <RULES> [OPTIONS]")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    #[command(flatten)]
    rules: Rules,
    /// Judge only the snapshots of this branch; others stay
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Delete nothing; print `keep NAME RULES` or `delete NAME` for each, separated by TABs
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
    /// Return only when their space is free again
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Rules {
    /// Keep the newest N
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
    /// Keep the newest of each of the last N hours that have one
    #[arg(long, value_name = "N")]
    keep_hourly: Option<usize>,
    /// The same of days
    #[arg(long, value_name = "N")]
    keep_daily: Option<usize>,
    /// The same of weeks
    #[arg(long, value_name = "N")]
    keep_weekly: Option<usize>,
    /// The same of months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<usize>,
    /// The same of years
    #[arg(long, value_name = "N")]
    keep_yearly: Option<usize>,
    /// Keep all that are not older than this, such as 36h or "2weeks 3days"
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    keep_within: Option<Duration>,
}

#[derive(serde::Serialize)]
struct JsonVerdict<'a> {
    name: &'a str,
    created: String,
    branch: &'a str,
    kept_by: &'a [&'static str],
}

pub(crate) fn run(args: &Args) -> Outcome {
    let retention = args.retention();
    if args.dry_run {
        let db = store::for_reading(&args.file)?;
        return show(&db.prune_plan(&retention).map_err(refused)?, args.json);
    }
    let db = store::for_writing(&args.file)?;
    let deleted = db.prune(&retention).map_err(refused)?;
    if args.wait {
        delete::wait(&db)?;
    }
    store::close(&args.file, db)?;
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, &deleted)?;
    } else {
        for name in &deleted {
            tsv::write_escaped(&mut out, name.as_bytes())?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A rule of the library that takes a number.
type Rule = fn(Retention, usize) -> Retention;

impl Args {
    fn retention(&self) -> Retention {
        let rules: [(Option<usize>, Rule); 6] = [
            (self.rules.keep_last, Retention::last),
            (self.rules.keep_hourly, Retention::hourly),
            (self.rules.keep_daily, Retention::daily),
            (self.rules.keep_weekly, Retention::weekly),
            (self.rules.keep_monthly, Retention::monthly),
            (self.rules.keep_yearly, Retention::yearly),
        ];
        let mut retention = Retention::default();
        for (count, rule) in rules {
            if let Some(count) = count {
                retention = rule(retention, count);
            }
        }
        if let Some(age) = self.rules.keep_within {
            retention = retention.within(age);
        }
        if let Some(branch) = &self.branch {
            retention = retention.branch(branch);
        }
        retention
    }
}

/// Rules that keep nothing are a mistake in the arguments.
fn refused(error: Error) -> Failure {
    match error {
        Error::InvalidArgument(what) => Failure::Usage(format!("{what}; nothing was deleted")),
        error => error.into(),
    }
}

fn show(verdicts: &[Verdict], json: bool) -> Outcome {
    let mut out = output::stdout();
    if json {
        let verdicts = verdicts.iter().map(|verdict| JsonVerdict {
            name: &verdict.snapshot.name,
            created: moment(verdict.snapshot.created),
            branch: &verdict.snapshot.branch,
            kept_by: &verdict.kept_by,
        });
        json_line(&mut out, &verdicts.collect::<Vec<_>>())?;
    } else {
        for verdict in verdicts {
            let kept = !verdict.kept_by.is_empty();
            write!(out, "{}\t", if kept { "keep" } else { "delete" })?;
            tsv::write_escaped(&mut out, verdict.snapshot.name.as_bytes())?;
            if kept {
                write!(out, "\t{}", verdict.kept_by.join(","))?;
            }
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
