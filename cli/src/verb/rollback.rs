//! `rollback`: main goes back to a snapshot.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::store;

/// Take main back to a snapshot; what came after it is gone unless a snapshot has it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The snapshot, which stays
    snapshot: String,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_writing(&args.file)?;
    db.rollback(&args.snapshot)?;
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}
