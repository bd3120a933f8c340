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
    /// Make snapshots refuse deletion: all of them, or none if one is missing
    Hold(Names),
    /// Let held snapshots be deleted again: all of them, or none if one is missing
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
        Verb::Hold(args) => all(args, Database::hold_snapshots),
        Verb::Release(args) => all(args, Database::release_snapshots),
        Verb::Usage(args) => cost::usage(args),
        Verb::Digest(args) => cost::digest(args),
        Verb::Prune(args) => prune::run(args),
    }
}

/// What a verb does to all of the snapshots, or if one is missing to none.
type Act = fn(&Database, &[&str]) -> cowslip::Result<()>;

fn all(args: &Names, act: Act) -> Outcome {
    let names: Vec<&str> = args.name.iter().map(String::as_str).collect();
    let db = store::for_writing(&args.file)?;
    act(&db, &names).map_err(|error| match Failure::from(error) {
        Failure::NotFound(what) => Failure::NotFound(format!("{what}; nothing was changed")),
        failure => failure,
    })?;
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}
