//! `tables`: the names of the tables.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::format::tsv;
use crate::output::{self, json_line};
use crate::place::At;
use crate::store;

/// List the tables
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    #[command(flatten)]
    at: At,
    /// Print the number of entries after each name
    #[arg(long)]
    long: bool,
    /// Print one JSON array of `name` and `entries`
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Row {
    name: String,
    entries: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let tx = args.at.read(&db)?;
    let mut rows = Vec::new();
    for name in tx.tables()? {
        let entries = tx.open_table(&name)?.len()?;
        rows.push(Row { name, entries });
    }
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, &rows)?;
    } else {
        for row in rows {
            tsv::write_escaped(&mut out, row.name.as_bytes())?;
            if args.long {
                write!(out, "\t{}", row.entries)?;
            }
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
