//! `diff`: what changed from one snapshot to another, or to `main`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::Change;

use crate::failure::{Failure, NOT_FOUND, Outcome};
use crate::format::{jsonl, tsv};
use crate::output::{self, Output, json_line};
use crate::store;

/// Print what changed from A to B; the exit status is 1 if anything did
#[derive(clap::Args)]
#[command(after_help = "\
One line a change: `+ TABLE KEY NEW`, `- TABLE KEY OLD` or `~ TABLE KEY OLD NEW`, separated by \
TABs and escaped as by scan.")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The snapshot (or main) to start from
    a: String,
    /// The snapshot (or main) to arrive at
    b: String,
    /// Only this table
    #[arg(long)]
    table: Option<String>,
    /// Only the numbers of changes of each table
    #[arg(long)]
    stat: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print keys and values in hexadecimal
    #[arg(long)]
    hex: bool,
}

#[derive(serde::Serialize)]
struct JsonChange<'a> {
    table: &'a str,
    key: jsonl::Text<'a>,
    change: &'static str,
    old: Option<jsonl::Text<'a>>,
    new: Option<jsonl::Text<'a>>,
}

/// How many entries of a table were added, removed and changed.
#[derive(Default)]
struct Count {
    added: u64,
    removed: u64,
    changed: u64,
}

#[derive(serde::Serialize)]
struct JsonCount<'a> {
    table: &'a str,
    added: u64,
    removed: u64,
    changed: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let mut out = output::stdout();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for change in db.diff(&args.a, &args.b)? {
        let change = change.map_err(|error| Failure::of_file(&args.file, error))?;
        if args.table.as_ref().is_some_and(|table| *table != change.table) {
            continue;
        }
        if !args.stat {
            print(&mut out, &change, args)?;
        }
        if !counts.contains_key(&change.table) {
            counts.insert(change.table.clone(), Count::default());
        }
        if let Some(count) = counts.get_mut(&change.table) {
            match (&change.old, &change.new) {
                (None, _) => count.added += 1,
                (_, None) => count.removed += 1,
                _ => count.changed += 1,
            }
        }
    }
    if args.stat {
        for (table, count) in &counts {
            let Count { added, removed, changed } = *count;
            if args.json {
                json_line(&mut out, &JsonCount { table, added, removed, changed })?;
            } else {
                tsv::write_escaped(&mut out, table.as_bytes())?;
                writeln!(out, "\t+{added}\t-{removed}\t~{changed}")?;
            }
        }
    }
    out.flush()?;
    Ok(if counts.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_FOUND) })
}

fn print(out: &mut Output, change: &Change, args: &Args) -> Result<(), Failure> {
    let (sign, name) = match (&change.old, &change.new) {
        (None, _) => ("+", "added"),
        (_, None) => ("-", "removed"),
        _ => ("~", "changed"),
    };
    if args.json {
        let text = |bytes| jsonl::Text::new(bytes, args.hex);
        let change = JsonChange {
            table: &change.table,
            key: text(&change.key),
            change: name,
            old: change.old.as_deref().map(text),
            new: change.new.as_deref().map(text),
        };
        json_line(out, &change)?;
        return Ok(());
    }
    write!(out, "{sign}\t")?;
    tsv::write_escaped(out, change.table.as_bytes())?;
    for field in [Some(&change.key), change.old.as_ref(), change.new.as_ref()].into_iter().flatten()
    {
        out.write_all(b"\t")?;
        tsv::write_field(out, field, args.hex)?;
    }
    out.write_all(b"\n")?;
    Ok(())
}
