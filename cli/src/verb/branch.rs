//! `branch`: writable lines of versions beside `main`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line, moment};
use crate::store;

/// Make writable branches, list them, delete them, put one in the place of main
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a branch from a snapshot or another branch; takes no time and no space
    Create {
        /// The database
        file: PathBuf,
        /// The name; it must be free
        name: String,
        /// The snapshot or branch that it starts from
        from: String,
    },
    /// List the branches: name, creation, what it was made from, newest snapshot
    List {
        /// The database
        file: PathBuf,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete a branch; its snapshots stay
    Delete {
        /// The database
        file: PathBuf,
        /// The branch
        name: String,
    },
    /// Make a branch main; the old main goes on under its name
    Promote {
        /// The database
        file: PathBuf,
        /// The branch
        name: String,
    },
}

#[derive(serde::Serialize)]
struct Row {
    name: String,
    created: String,
    origin: Option<String>,
    last_snapshot: Option<String>,
}

pub(crate) fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Create { file, name, from } => change(file, |db| db.create_branch(name, from))?,
        Verb::List { file, json } => list(file, *json)?,
        // What was received in part is dropped by `receive --discard`, not by a slip here.
        Verb::Delete { file, name } => change(file, |db| {
            if db.receive_token(name)?.is_some() {
                return Err(cowslip::Error::BranchNotFound(name.clone()));
            }
            db.delete_branch(name)
        })?,
        Verb::Promote { file, name } => change(file, |db| db.promote(name))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn change(
    file: &Path,
    act: impl Fn(&cowslip::Database) -> cowslip::Result<()>,
) -> Result<(), Failure> {
    let db = store::for_writing(file)?;
    act(&db)?;
    store::close(file, db)
}

fn list(file: &Path, json: bool) -> Result<(), Failure> {
    let db = store::for_reading(file)?;
    let rows = db.branches()?.into_iter().map(|info| Row {
        name: info.name,
        created: moment(info.created),
        origin: info.origin,
        last_snapshot: info.last_snapshot,
    });
    let mut out = output::stdout();
    if json {
        json_line(&mut out, &rows.collect::<Vec<_>>())?;
    } else {
        for row in rows {
            tsv::write_escaped(&mut out, row.name.as_bytes())?;
            write!(out, "\t{}", row.created)?;
            for name in [row.origin, row.last_snapshot] {
                out.write_all(b"\t")?;
                tsv::write_escaped(&mut out, name.unwrap_or_default().as_bytes())?;
            }
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}
