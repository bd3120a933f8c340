//! `snapshot create`: the present state of a branch, or of all of them, under a name.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::place::MAIN;
use crate::store;

/// Keep the present state of a branch under a name; takes no time and no space
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The name; it must be free
    name: String,
    /// Of this branch, not of main
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// A free text, shown by `snapshot list`
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Of all branches at one moment, under the names BRANCH@NAME
    #[arg(long, conflicts_with = "branch")]
    all_branches: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_writing(&args.file)?;
    let label = args.label.as_deref();
    if args.all_branches {
        let branches = db.branches()?;
        let names: Vec<(String, String)> = branches
            .into_iter()
            .map(|branch| (format!("{}@{}", branch.name, args.name), branch.name))
            .collect();
        let pairs: Vec<(&str, &str)> =
            names.iter().map(|(name, branch)| (branch.as_str(), name.as_str())).collect();
        db.create_labelled_snapshots(&pairs, label)?;
    } else {
        let branch = args.branch.as_deref().unwrap_or(MAIN);
        db.create_labelled_snapshot_of(branch, &args.name, label)?;
    }
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}
