//! `compact`: give unused space back.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::output::{self, grouped};
use crate::{progress, store};

/// Rewrite the database without its unused space
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
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

fn file_bytes(path: &Path) -> Result<u64, Failure> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) => Err(Failure::Other(format!("{}: {error}", path.display()))),
    }
}
