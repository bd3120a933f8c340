//! `stats`: how large the file is, and what of it is used.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::output::{self, grouped, json_line};
use crate::store;

/// Print sizes and counts of the database
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The names of `--json`, each also a line of the text.
#[derive(serde::Serialize)]
struct Report {
    page_size: u64,
    pages_total: u64,
    pages_used: u64,
    pages_free: u64,
    file_bytes: u64,
    snapshots: u64,
    branches: u64,
    /// Bytes of log that a recovery would replay.
    log_bytes: u64,
    /// Bytes that the log takes in the file.
    log_capacity: u64,
    /// Number of the newest checkpoint.
    checkpoint: u64,
    scrub: Scrub,
}

/// How far the scrub is.
#[derive(serde::Serialize)]
struct Scrub {
    /// Complete passes.
    passes: u64,
    /// The page where the pass under way goes on; none if there is none.
    position: Option<u64>,
    /// The last complete one.
    last: Option<Pass>,
}

/// A pass of the scrub.
#[derive(serde::Serialize)]
struct Pass {
    ended: String,
    seconds: f64,
    pages_verified: u64,
    pages_damaged: u64,
    pages_unreadable: u64,
}

impl Scrub {
    fn new(stats: &cowslip::ScrubStats) -> Scrub {
        let last = stats.last.map(|pass| Pass {
            ended: output::moment(pass.ended.unwrap_or(pass.began)),
            seconds: pass.took.as_secs_f64(),
            pages_verified: pass.pages_verified,
            pages_damaged: pass.pages_damaged,
            pages_unreadable: pass.pages_unreadable,
        });
        Scrub { passes: stats.passes, position: stats.pass.map(|_| stats.position), last }
    }

    /// In a few words.
    fn text(&self) -> String {
        let last = match &self.last {
            Some(last) => format!(
                "{} in {:.1} s, {} pages, {} damaged, {} unreadable",
                last.ended,
                last.seconds,
                grouped(last.pages_verified),
                last.pages_damaged,
                last.pages_unreadable
            ),
            None => "never".to_owned(),
        };
        match self.position {
            Some(position) => format!("{last}; one is under way, at page {position}"),
            None => last,
        }
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let stats = db.stats();
    let report = Report {
        page_size: stats.page_size,
        pages_total: stats.pages_total,
        pages_used: stats.pages_used,
        pages_free: stats.pages_free,
        file_bytes: stats.file_bytes,
        snapshots: stats.snapshots,
        branches: stats.branches,
        log_bytes: stats.log_bytes,
        log_capacity: stats.log_capacity,
        checkpoint: stats.checkpoint,
        scrub: Scrub::new(&stats.scrub),
    };
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, &report)?;
    } else {
        let Report { page_size, pages_total, pages_used, pages_free, file_bytes, .. } = report;
        let Report { snapshots, branches, log_bytes, log_capacity, checkpoint, scrub, .. } = report;
        writeln!(out, "page_size     {page_size}")?;
        writeln!(out, "pages_total   {pages_total}")?;
        writeln!(out, "pages_used    {pages_used}")?;
        writeln!(out, "pages_free    {pages_free}")?;
        writeln!(out, "file_bytes    {file_bytes}")?;
        writeln!(out, "snapshots     {snapshots}")?;
        writeln!(out, "branches      {branches}")?;
        writeln!(out, "log_bytes     {log_bytes}")?;
        writeln!(out, "log_capacity  {log_capacity}")?;
        writeln!(out, "checkpoint    {checkpoint}")?;
        writeln!(out, "last_scrub    {}", scrub.text())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
