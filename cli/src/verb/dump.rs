//! `dump`: a table, or all of them, as text.

use std::io::Write;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::ReadTransaction;
use indicatif::ProgressBar;

use crate::entries::{Found, Range};
use crate::failure::{Failure, Outcome};
use crate::format::dump::Encoding;
use crate::format::{Format, Sink, csv, dump, jsonl, tsv};
use crate::output::{self, Output};
use crate::place::At;
use crate::{entries, progress, store};

/// Print a table as text that `load` (or mdb_load) reads
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The table
    #[arg(required_unless_present = "all")]
    table: Option<String>,
    /// The format of the output
    #[arg(long, value_enum, default_value = "dump")]
    format: Format,
    /// In the dump format, print printable characters as themselves (as mdb_dump -p does)
    #[arg(long, conflicts_with = "hex")]
    print: bool,
    /// Print the keys and values of tsv, csv and jsonl in hexadecimal
    #[arg(long)]
    hex: bool,
    /// Print all tables, one after the other (dump format only)
    #[arg(long, conflicts_with = "table")]
    all: bool,
    #[command(flatten)]
    at: At,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.format != Format::Dump && (args.all || args.print) {
        let why = "--all and --print are for --format dump";
        return Err(Failure::Usage(why.to_owned()));
    }
    let db = store::for_reading(&args.file)?;
    let tx = args.at.read(&db)?;
    let mut out = output::stdout();
    {
        let mut sink = sink(args, &db, &mut out);
        let tables = match &args.table {
            Some(table) => vec![table.clone()],
            None => tx.tables()?,
        };
        for table in tables {
            write(&tx, &table, sink.as_mut())
                .map_err(|failure| failure.during(args.file.display()))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn sink<'a>(args: &Args, db: &cowslip::Database, out: &'a mut Output) -> Box<dyn Sink + 'a> {
    match args.format {
        Format::Dump => {
            let encoding = if args.print { Encoding::Print } else { Encoding::Bytevalue };
            let stats = db.stats();
            let (page_size, file_bytes) = (stats.page_size, stats.file_bytes);
            Box::new(dump::Writer::new(out, encoding, page_size, file_bytes))
        }
        Format::Tsv => Box::new(tsv::Writer::new(out, args.hex)),
        Format::Csv => Box::new(csv::Writer::new(out, args.hex)),
        Format::Jsonl => Box::new(jsonl::Writer::new(out, args.hex)),
    }
}

fn write(tx: &ReadTransaction, name: &str, sink: &mut dyn Sink) -> Result<(), Failure> {
    let table = tx.open_table(name)?;
    let bar = bar(table.len()?);
    sink.begin(name)?;
    entries::each(&table, Range::default(), |key, found| {
        match found {
            Found::Whole(value) => sink.entry(key, value)?,
            Found::Long(mut value) => sink.long_entry(key, &mut value)?,
        }
        bar.inc(1);
        Ok(true)
    })?;
    sink.end()?;
    bar.finish_and_clear();
    Ok(())
}

fn bar(entries: u64) -> ProgressBar {
    if io::stdout().is_terminal() { progress::none() } else { progress::bar(entries, "entries") }
}
