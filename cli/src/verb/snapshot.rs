//! `snapshot`: name the present state, list the named ones, see what they cost, forget some.

use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::Database;

use crate::failure::{Failure, Outcome};
use crate::store;

mod cost;
mod create;
mod delete;
mod list;
mod prune;

/// Keep the present state under a name; list, compare in size, and delete such states
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    Create(create::Args),
    List(list::Args),
    Delete(delete::Args),
    /// Make snapshots refuse deletion
    Hold(Names),
    /// Let held snapshots be deleted again
    Release(Names),
    Usage(cost::UsageArgs),
    Digest(cost::DigestArgs),
    Prune(prune::Args),
}

/// A database, and snapshots in it.
#[derive(clap::Args)]
pub(crate) struct Names {
    /// The database
    file: PathBuf,
    /// The snapshots
    #[arg(required = true)]
    name: Vec<String>,
}

pub(crate) fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Create(args) => create::run(args),
        Verb::List(args) => list::run(args),
        Verb::Delete(args) => delete::run(args),
        Verb::Hold(args) => each(args, Database::hold),
        Verb::Release(args) => each(args, Database::release),
        Verb::Usage(args) => cost::usage(args),
        Verb::Digest(args) => cost::digest(args),
        Verb::Prune(args) => prune::run(args),
    }
}

/// Does something to each of the snapshots, all of which must exist.
fn each(args: &Names, act: impl Fn(&Database, &str) -> cowslip::Result<()>) -> Outcome {
    let db = store::for_writing(&args.file)?;
    let existing: Vec<String> = db.snapshots()?.into_iter().map(|info| info.name).collect();
    // A misspelt name must not leave half of the job done.
    if let Some(name) = args.name.iter().find(|&name| !existing.contains(name)) {
        return Err(Failure::NotFound(format!("no snapshot `{name}`; nothing was changed")));
    }
    for name in &args.name {
        act(&db, name)?;
    }
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}
