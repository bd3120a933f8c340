//! `bookmark`: marks of snapshots from which `send --since` can still start when they are gone.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line, moment};
use crate::store;

/// Mark snapshots, so that `send --since` can start from them when they are deleted
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Mark a snapshot; a bookmark takes no space
    Create {
        /// The database
        file: PathBuf,
        /// The snapshot
        snapshot: String,
        /// The bookmark's name; the snapshot's, if it is not given
        name: Option<String>,
    },
    /// List the bookmarks: name, snapshot, the snapshot's creation
    List {
        /// The database
        file: PathBuf,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete a bookmark
    Delete {
        /// The database
        file: PathBuf,
        /// The bookmark
        name: String,
    },
}

#[derive(serde::Serialize)]
struct Row {
    name: String,
    snapshot: String,
    created: String,
    id: String,
}

pub(crate) fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Create { file, snapshot, name } => {
            let db = store::for_writing(file)?;
            db.create_bookmark(name.as_ref().unwrap_or(snapshot), snapshot)?;
            store::close(file, db)?;
        }
        Verb::List { file, json } => list(file, *json)?,
        Verb::Delete { file, name } => {
            let db = store::for_writing(file)?;
            db.delete_bookmark(name)?;
            store::close(file, db)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(file: &Path, json: bool) -> Result<(), Failure> {
    let db = store::for_reading(file)?;
    let rows = db.bookmarks()?.into_iter().map(|info| Row {
        name: info.name,
        snapshot: info.snapshot,
        created: moment(info.created),
        id: format!("{:#x}", info.id),
    });
    let mut out = output::stdout();
    if json {
        json_line(&mut out, &rows.collect::<Vec<_>>())?;
    } else {
        for row in rows {
            tsv::write_escaped(&mut out, row.name.as_bytes())?;
            out.write_all(b"\t")?;
            tsv::write_escaped(&mut out, row.snapshot.as_bytes())?;
            writeln!(out, "\t{}", row.created)?;
        }
    }
    out.flush()?;
    Ok(())
}
