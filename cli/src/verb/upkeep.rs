//! `compact` and `scrub`: give unused space back; read and verify everything.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Failure, OTHER, Outcome, complain};
use crate::output::{self, grouped};
use crate::{progress, store};

/// Rewrite the database without its unused space
#[derive(clap::Args)]
pub(crate) struct CompactArgs {
    /// The database
    file: PathBuf,
}

/// Read and verify every page that is in use
#[derive(clap::Args)]
pub(crate) struct ScrubArgs {
    /// The database
    file: PathBuf,
}

pub(crate) fn compact(args: &CompactArgs) -> Outcome {
    let before = file_bytes(&args.file)?;
    let db = store::for_writing(&args.file)?;
    let spinner = progress::spinner("compacting");
    let done = db.compact();
    spinner.finish_and_clear();
    done.map_err(|error| Failure::of_file(&args.file, error))?;
    store::close(&args.file, db)?;
    let after = file_bytes(&args.file)?;
    let mut out = output::stdout();
    writeln!(out, "{} bytes before, {} now", grouped(before), grouped(after))?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn scrub(args: &ScrubArgs) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let spinner = progress::spinner("verifying");
    let done = db.scrub();
    spinner.finish_and_clear();
    let report = done.map_err(|error| Failure::of_file(&args.file, error))?;
    let mut out = output::stdout();
    writeln!(out, "{} pages verified, {} damaged", grouped(report.pages), report.errors.len())?;
    out.flush()?;
    for error in &report.errors {
        complain(&format!("{}: {error}", args.file.display()));
    }
    Ok(ExitCode::from(if report.errors.is_empty() { 0 } else { OTHER }))
}

fn file_bytes(path: &Path) -> Result<u64, Failure> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) => Err(Failure::Other(format!("{}: {error}", path.display()))),
    }
}
