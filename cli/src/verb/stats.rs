//! `stats`: how large the file is, and what of it is used.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::output::{self, json_line};
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
    };
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, &report)?;
    } else {
        let Report { page_size, pages_total, pages_used, pages_free, file_bytes, .. } = report;
        let Report { snapshots, branches, log_bytes, log_capacity, checkpoint, .. } = report;
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
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
