//! `snapshot list`: which states have a name.
//!
//! ```text
//! name TAB creation TAB branch [TAB referenced TAB unique TAB written] [TAB held [TAB label]]
//! ```
//!
//! What stands in the last two is left out at the end of a line; before a label, `held` may be empty.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::cost::Bytes;
use crate::failure::Outcome;
use crate::format::tsv;
use crate::output::{self, json_line, moment};
use crate::store;

/// List the snapshots: name, creation, branch, `held` if it is, label if it has one
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// Print one JSON array, with what else is known
    #[arg(long)]
    json: bool,
    /// Also print the three figures of `snapshot usage`; reads what each keeps for itself
    #[arg(long)]
    usage: bool,
}

#[derive(serde::Serialize)]
struct Row {
    name: String,
    created: String,
    branch: String,
    held: bool,
    label: Option<String>,
    parent: Option<String>,
    /// Stays the same in other databases. As text: many readers of JSON round such a number.
    id: String,
    #[serde(flatten)]
    usage: Option<Bytes>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let snapshots = db.snapshots()?;
    let usages = if args.usage {
        let names: Vec<&str> = snapshots.iter().map(|info| info.name.as_str()).collect();
        db.usages(&names)?.into_iter().map(Bytes::from).map(Some).collect()
    } else {
        vec![None; snapshots.len()]
    };
    let mut rows = Vec::new();
    for (info, usage) in snapshots.into_iter().zip(usages) {
        rows.push(Row {
            name: info.name,
            created: moment(info.created),
            branch: info.branch,
            held: info.held,
            label: info.label,
            parent: info.parent,
            id: format!("{:#x}", info.id),
            usage,
        });
    }
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, &rows)?;
    } else {
        for row in rows {
            tsv::write_escaped(&mut out, row.name.as_bytes())?;
            write!(out, "\t{}\t", row.created)?;
            tsv::write_escaped(&mut out, row.branch.as_bytes())?;
            if let Some(usage) = row.usage {
                write!(out, "\t{usage}")?;
            }
            if row.held || row.label.is_some() {
                out.write_all(if row.held { b"\theld" } else { b"\t" })?;
            }
            if let Some(label) = row.label {
                out.write_all(b"\t")?;
                tsv::write_escaped(&mut out, label.as_bytes())?;
            }
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
