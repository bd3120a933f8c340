//! `diff`: what changed from one snapshot or branch to another.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::{Change, Error};

use crate::failure::{Failure, NOT_FOUND, Outcome};
use crate::format::{jsonl, tsv};
use crate::keys::Keys;
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
    /// The snapshot or branch to start from
    a: String,
    /// The snapshot or branch to arrive at
    b: String,
    /// Only this table
    #[arg(long)]
    table: Option<String>,
    #[command(flatten)]
    keys: Keys,
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
    let range = args.keys.range(args.hex)?;
    let db = store::for_reading(&args.file)?;
    let mut diff = db.diff(&args.a, &args.b)?.within::<&[u8]>(range.bounds());
    if let Some(table) = &args.table {
        diff = diff.only(table);
    }
    let mut out = output::stdout();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut too_large = 0_u64;
    for change in diff {
        let change = match change {
            // It is passed by, and the walk goes on behind it.
            Err(Error::ValueTooLarge { .. }) => {
                too_large += 1;
                continue;
            }
            change => change.map_err(|error| Failure::of_file(&args.file, error))?,
        };
        if !args.stat {
            print(&mut out, &change, args)?;
        }
        counts.entry(change.table).or_default().add(&change.old, &change.new);
    }
    if args.stat {
        print_counts(&mut out, &counts, args.json)?;
    }
    out.flush()?;
    if too_large > 0 {
        return Err(Failure::Other(format!(
            "{}: {too_large} more differences may be in values that are too large to be compared",
            args.file.display()
        )));
    }
    Ok(if counts.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_FOUND) })
}

impl Count {
    fn add(&mut self, old: &Option<Vec<u8>>, new: &Option<Vec<u8>>) {
        match (old, new) {
            (None, _) => self.added += 1,
            (_, None) => self.removed += 1,
            _ => self.changed += 1,
        }
    }
}

fn print_counts(
    out: &mut Output,
    counts: &BTreeMap<String, Count>,
    json: bool,
) -> Result<(), Failure> {
    for (table, count) in counts {
        let Count { added, removed, changed } = *count;
        if json {
            json_line(out, &JsonCount { table, added, removed, changed })?;
        } else {
            tsv::write_escaped(out, table.as_bytes())?;
            writeln!(out, "\t+{added}\t-{removed}\t~{changed}")?;
        }
    }
    Ok(())
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
