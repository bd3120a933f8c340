//! `snapshot delete`, and the way to wait until the space of what was deleted is free.

use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::Database;

use crate::failure::{Failure, Outcome};
use crate::{progress, store};

/// Delete snapshots, in any order: all of them, or none if one is missing or held
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The snapshots
    #[arg(required = true)]
    name: Vec<String>,
    /// Return only when their space is free again
    #[arg(long)]
    wait: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut names: Vec<&str> = args.name.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let db = store::for_writing(&args.file)?;
    db.delete_snapshots(&names).map_err(|error| match Failure::from(error) {
        Failure::NotFound(what) => Failure::NotFound(format!("{what}; nothing was deleted")),
        failure => failure,
    })?;
    if args.wait {
        wait(&db)?;
    }
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns when the space of all that was deleted is free.
pub(super) fn wait(db: &Database) -> Result<(), Failure> {
    let total = db.releases()?.pages;
    let bar = progress::bar(total, "pages");
    let done = db.wait_for_releases_with(|left| bar.set_position(total.saturating_sub(left.pages)));
    bar.finish_and_clear();
    done?;
    // It is free for good once a checkpoint no longer refers to it.
    db.checkpoint()?;
    Ok(())
}
