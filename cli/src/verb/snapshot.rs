//! `snapshot`: name the present state, list the named ones, forget some.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line, moment};
use crate::store;

/// Keep the present state under a name, list such states, delete them
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Keep the present state of main under a name; takes no time and no space
    Create {
        /// The database
        file: PathBuf,
        /// The name; it must be free
        name: String,
    },
    /// List the snapshots: name, creation, branch
    List {
        /// The database
        file: PathBuf,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete snapshots, in any order; all of them must exist
    Delete {
        /// The database
        file: PathBuf,
        /// The snapshots
        #[arg(required = true)]
        name: Vec<String>,
        /// Return only when their space is free again
        #[arg(long)]
        wait: bool,
    },
}

#[derive(serde::Serialize)]
struct Row {
    name: String,
    created: String,
    branch: String,
    held: bool,
    label: Option<String>,
    parent: Option<String>,
}

pub(crate) fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Create { file, name } => {
            let db = store::for_writing(file)?;
            db.create_snapshot(name)?;
            store::close(file, db)?;
        }
        Verb::List { file, json } => list(file, *json)?,
        Verb::Delete { file, name, wait } => delete(file, name, *wait)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(file: &std::path::Path, json: bool) -> Result<(), Failure> {
    let db = store::for_reading(file)?;
    let rows = db.snapshots()?.into_iter().map(|info| Row {
        name: info.name,
        created: moment(info.created),
        branch: info.branch,
        held: info.held,
        label: info.label,
        parent: info.parent,
    });
    let mut out = output::stdout();
    if json {
        json_line(&mut out, &rows.collect::<Vec<_>>())?;
    } else {
        for row in rows {
            tsv::write_escaped(&mut out, row.name.as_bytes())?;
            write!(out, "\t{}\t", row.created)?;
            tsv::write_escaped(&mut out, row.branch.as_bytes())?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn delete(file: &std::path::Path, names: &[String], wait: bool) -> Result<(), Failure> {
    let db = store::for_writing(file)?;
    let existing: Vec<String> = db.snapshots()?.into_iter().map(|info| info.name).collect();
    // A misspelt name must not leave half of the job done.
    if let Some(name) = names.iter().find(|&name| !existing.contains(name)) {
        return Err(Failure::NotFound(format!("no snapshot `{name}`; nothing was deleted")));
    }
    let mut deleted: Vec<&String> = Vec::with_capacity(names.len());
    for name in names {
        if !deleted.contains(&name) {
            db.delete_snapshot(name)?;
            deleted.push(name);
        }
    }
    if wait {
        db.wait_for_releases()?;
        // The space is free for good once a checkpoint no longer refers to it.
        db.checkpoint()?;
    }
    store::close(file, db)
}
