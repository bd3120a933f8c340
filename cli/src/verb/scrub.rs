//! `scrub`: read and verify everything, at a limited rate, and go on later where it was interrupted.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cowslip::{Database, Error, ScrubPass, Stats};

use crate::failure::{Failure, OTHER, Outcome, complain};
use crate::output::{self, grouped, json_line};
use crate::{progress, store};

/// Read and verify every page that is in use
///
/// What Ctrl-C interrupts goes on where it was when it is called again: the place is kept in the file,
/// which is opened for writing for that, where this is possible.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// Read at most so many bytes a second: a number, with K, M or G for thousands, millions, ...
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    rate: Option<u64>,
    /// Begin at the front of the file, not where an earlier scrub was interrupted
    #[arg(long)]
    restart: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    complete: bool,
    pages_verified: u64,
    pages_damaged: u64,
    pages_unreadable: u64,
    pages_unwritten: u64,
    /// Where the next call goes on, if it is not complete, and of how many.
    position: u64,
    pages_total: u64,
    seconds: f64,
    findings: Vec<Finding>,
}

/// A page that is damaged or cannot be read.
#[derive(serde::Serialize)]
struct Finding {
    page: u64,
    owners: u32,
    damaged: bool,
    error: String,
}

/// A number of bytes such as `50M`.
fn rate(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 1_000),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 1_000_000),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| "a number, perhaps with K, M or G".to_owned())?;
    match number.checked_mul(unit) {
        None => Err("too large a number".to_owned()),
        Some(0) => Err("at least 1".to_owned()),
        Some(rate) => Ok(rate),
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = open(&args.file)?;
    let of_file = |error| Failure::of_file(&args.file, error);
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::Other(format!("waiting for Ctrl-C: {error}")))?;
    if args.restart {
        db.scrub_restart();
    }
    let passes = db.stats().scrub.passes;
    db.scrub_start(args.rate.unwrap_or(u64::MAX)).map_err(of_file)?;
    watch(&db, passes, &interrupted);
    let stats = db.stats();
    let complete = stats.scrub.passes > passes;
    let pass = if complete { stats.scrub.last } else { stats.scrub.pass };
    let report = report(&db, &stats, complete, pass);
    let printed = print(args, &report, interrupted.load(Ordering::Relaxed));
    // What was found is told whatever becomes of the place that is kept.
    match (store::close(&args.file, db), printed) {
        (Ok(()), printed) => printed,
        (Err(Failure::Other(why)), Ok(_)) => {
            complain(&why);
            Ok(ExitCode::from(OTHER))
        }
        (Err(failure), Ok(_)) => Err(failure),
        (Err(_), Err(printing)) => Err(printing),
    }
}

/// Where progress can be kept, for writing. A database that cannot be opened so is scrubbed all the
/// same: it may be damaged, or somebody else's.
fn open(path: &Path) -> Result<Database, Failure> {
    store::require(path)?;
    match Database::open(path) {
        Ok(db) => Ok(db),
        Err(error @ (Error::NotADatabase | Error::NewerFormat { .. })) => {
            Err(store::explain(path, error))
        }
        Err(error) => {
            let db = store::for_reading(path)?;
            complain(&format!(
                "{}: scrubbed for reading only, so its progress is not kept: {error}",
                path.display()
            ));
            Ok(db)
        }
    }
}

/// Shows how far it is until the pass has ended, or somebody ends it.
fn watch(db: &Database, passes: u64, interrupted: &AtomicBool) {
    let first = db.stats();
    let size = first.page_size;
    let bar = progress::bytes(Some(first.pages_total.saturating_mul(size)));
    let at = |position: u64| position.min(first.pages_total).saturating_mul(size);
    bar.set_position(at(first.scrub.position));
    // The rate is that of this call.
    bar.reset_eta();
    let begin = Instant::now();
    loop {
        // A small one should not have to wait for its answer.
        std::thread::sleep((begin.elapsed() / 8).min(Duration::from_millis(100)));
        if interrupted.load(Ordering::Relaxed) {
            db.scrub_pause();
        }
        let scrub = db.stats().scrub;
        if scrub.passes > passes || !scrub.running {
            break;
        }
        bar.set_position(at(scrub.position));
    }
    bar.finish_and_clear();
}

fn report(db: &Database, stats: &Stats, complete: bool, pass: Option<ScrubPass>) -> Report {
    let finding = |found: cowslip::ScrubFinding| Finding {
        page: found.page,
        owners: found.owners,
        damaged: matches!(found.error, Error::Corrupted { .. }),
        error: found.error.to_string(),
    };
    let count = |of: fn(&ScrubPass) -> u64| pass.as_ref().map_or(0, of);
    Report {
        complete,
        pages_verified: count(|pass| pass.pages_verified),
        pages_damaged: count(|pass| pass.pages_damaged),
        pages_unreadable: count(|pass| pass.pages_unreadable),
        pages_unwritten: count(|pass| pass.pages_unwritten),
        position: stats.scrub.position.min(stats.pages_total),
        pages_total: stats.pages_total,
        seconds: pass.map_or(0.0, |pass| pass.took.as_secs_f64()),
        findings: db.scrub_findings().into_iter().map(finding).collect(),
    }
}

fn print(args: &Args, report: &Report, interrupted: bool) -> Outcome {
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, report)?;
    } else {
        let (verified, damaged) = (grouped(report.pages_verified), report.pages_damaged);
        write!(out, "{verified} pages verified, {damaged} damaged")?;
        if report.pages_unreadable > 0 {
            write!(out, ", {} that cannot be read", grouped(report.pages_unreadable))?;
        }
        if report.pages_unwritten > 0 {
            write!(out, ", {} not written yet", grouped(report.pages_unwritten))?;
        }
        writeln!(out)?;
    }
    out.flush()?;
    let file = args.file.display();
    for finding in &report.findings {
        complain(&format!("{file}: {} ({} owners)", finding.error, finding.owners));
    }
    let bad = report.pages_damaged.saturating_add(report.pages_unreadable);
    if bad > report.findings.len() as u64 {
        let rest = bad - report.findings.len() as u64;
        complain(&format!("{file}: and {} more; `cowslip fsck` names them", grouped(rest)));
    }
    if !report.complete {
        let why = if interrupted { "interrupted" } else { "it cannot go on" };
        let at = report.position.saturating_mul(100) / report.pages_total.max(1);
        complain(&format!("{file}: {why} at {at} %; the next scrub goes on there"));
    }
    Ok(ExitCode::from(if report.complete && bad == 0 { 0 } else { OTHER }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units_and_bounds() {
        assert_eq!(rate("50M"), Ok(50_000_000));
        assert_eq!([rate("7"), rate("2k"), rate("1G")], [Ok(7), Ok(2_000), Ok(1_000_000_000)]);
        for bad in
            ["", "M", "0", "0M", "-1", "5MB", "99999999999999999999", "18446744073709551615K"]
        {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
