//! `scan`: the entries of a range, one `key TAB value` line each.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::entries::{Found, Range};
use crate::failure::Outcome;
use crate::format::{Sink, tsv};
use crate::keys::Keys;
use crate::place::At;
use crate::{entries, output, store};

/// Print the entries of a range, one `key TAB value` line each
#[derive(clap::Args)]
#[command(after_help = "\
Backslash, TAB, newline, carriage return and bytes that are not UTF-8 are printed as \
\\\\, \\t, \\n, \\r and \\xNN; with --hex, keys and values are printed in hexadecimal.")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The table
    table: String,
    #[command(flatten)]
    keys: Keys,
    /// From the last entry to the first
    #[arg(long)]
    reverse: bool,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    at: At,
    /// Keys of the arguments and entries printed are in hexadecimal
    #[arg(long)]
    hex: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let range = Range { reverse: args.reverse, ..args.keys.range(args.hex)? };
    let db = store::for_reading(&args.file)?;
    let table = args.at.read(&db)?.open_table(&args.table)?;
    let mut out = tsv::Writer::new(output::stdout(), args.hex);
    let mut left = args.limit.unwrap_or(u64::MAX);
    if left > 0 {
        entries::each(&table, range, |key, found| {
            match found {
                Found::Whole(value) => out.entry(key, value)?,
                Found::Long(mut value) => out.long_entry(key, &mut value)?,
            }
            left -= 1;
            Ok(left > 0)
        })
        .map_err(|failure| failure.during(args.file.display()))?;
    }
    out.into_inner().flush()?;
    Ok(ExitCode::SUCCESS)
}
