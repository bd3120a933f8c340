//! `rollback`: a branch goes back to a snapshot.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::format::tsv;
use crate::place::MAIN;
use crate::{output, store};

/// Take main back to a snapshot; what came after it is gone unless a snapshot has it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The snapshot, which stays
    snapshot: String,
    /// Take this branch back, not main
    #[arg(long, value_name = "NAME", default_value = MAIN, hide_default_value = true)]
    branch: String,
    /// Delete the branch's newer snapshots as well, and print their names; nothing is done if one is
    /// held
    #[arg(long)]
    delete_newer: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_writing(&args.file)?;
    let mut deleted = Vec::new();
    if args.delete_newer {
        deleted = db.rollback_and_delete_newer(&args.branch, &args.snapshot)?;
    } else {
        db.rollback_branch(&args.branch, &args.snapshot)?;
    }
    store::close(&args.file, db)?;
    let mut out = output::stdout();
    for name in deleted {
        tsv::write_escaped(&mut out, name.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
