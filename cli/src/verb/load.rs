//! `load`: entries from standard input into a table, all of them or, with `--commit-every`, as
//! many as were committed.

use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::{Database, WriteTransaction};

use crate::failure::{Failure, Outcome};
use crate::format::{self, Format, InputError, LongValue, Next, Record, Section, Source};
use crate::place::On;
use crate::{progress, store};

/// Load entries from standard input into a table
#[derive(clap::Args)]
#[command(after_help = "\
Without --commit-every the whole input is one transaction: all of it is loaded, or nothing. An \
entry whose key is there already replaces its value, so the last of several entries with one key \
stays. --format csv skips a first row that says `key,value`.")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The table, made if it is missing
    #[arg(required_unless_present = "all")]
    table: Option<String>,
    /// The format of the input
    #[arg(long, value_enum, default_value = "dump")]
    format: Format,
    #[command(flatten)]
    on: On,
    /// Commit after each N entries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    commit_every: Option<u64>,
    /// After each durable commit, print `committed N`: N entries are durable so far
    #[arg(long)]
    ack: bool,
    /// Keys and values of tsv, csv and jsonl are in hexadecimal
    #[arg(long)]
    hex: bool,
    /// Of a dump of several databases, load the one of this name
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    database: Option<String>,
    /// Of a dump of several databases, load each into the table of its own name
    #[arg(long, conflicts_with = "table")]
    all: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.format != Format::Dump && (args.all || args.database.is_some()) {
        let why = "--all and --database are for --format dump: no other names its tables";
        return Err(Failure::Usage(why.to_owned()));
    }
    let db = store::for_writing(&args.file)?;
    let bar = progress::bytes(progress::input_bytes());
    let input = BufReader::with_capacity(256 << 10, bar.wrap_read(io::stdin().lock()));
    let mut source = format::source(args.format, input, args.hex);
    let mut load = Load { args, db: &db, pending: 0, committed: 0 };
    let done = load.run(source.as_mut());
    bar.finish_and_clear();
    done?;
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}

/// A load under way.
struct Load<'a> {
    args: &'a Args,
    db: &'a Database,
    /// Entries in the open transaction.
    pending: u64,
    /// Entries that are durable.
    committed: u64,
}

impl Load<'_> {
    fn run(&mut self, source: &mut dyn Source) -> Result<(), Failure> {
        let every = self.args.commit_every.unwrap_or(u64::MAX);
        let mut tx = self.args.on.write(self.db)?;
        let mut record = Record::default();
        let mut choice = Choice::new(self.args);
        while let Some(section) = self.input(source.next_section())? {
            let chosen = choice.table(section);
            let line = source.line();
            let chosen = chosen.map_err(|what| InputError { line, what });
            let Some(table) = self.input(chosen)? else {
                continue;
            };
            loop {
                let more = self.fill(&tx, &table, source, &mut record, every)?;
                if self.pending == every {
                    self.commit(tx)?;
                    tx = self.args.on.write(self.db)?;
                }
                if !more {
                    break;
                }
            }
        }
        if let Some(missing) = choice.missing() {
            return Err(Failure::NotFound(format!("{missing}; {}", self.so_far())));
        }
        // An input without entries still makes its table.
        if self.pending > 0 || self.committed == 0 {
            self.commit(tx)?;
        }
        Ok(())
    }

    /// Inserts entries until the table ends (`false`) or the transaction is full.
    fn fill(
        &mut self,
        tx: &WriteTransaction,
        table: &str,
        source: &mut dyn Source,
        record: &mut Record,
        every: u64,
    ) -> Result<bool, Failure> {
        let mut table = tx.open_table(table)?;
        while self.pending < every {
            let inserted = match self.input(source.next_entry(record))? {
                Next::Entry => table.insert(&record.key, &record.value).map(drop),
                Next::LongValue => table.insert_from(&record.key, &mut LongValue(source)).map(drop),
                Next::End => return Ok(false),
            };
            if let Err(error) = inserted {
                return self.input(Err(at(source, error)));
            }
            self.pending += 1;
        }
        Ok(true)
    }

    fn commit(&mut self, tx: WriteTransaction) -> Result<(), Failure> {
        tx.commit().map_err(|error| {
            Failure::of_file(&self.args.file, error)
                .during(format!("committing; {}", self.so_far()))
        })?;
        self.committed += self.pending;
        self.pending = 0;
        if self.args.ack {
            let mut out = io::stdout().lock();
            writeln!(out, "committed {}", self.committed).and_then(|()| out.flush()).map_err(
                // Unlike a pipe to `head`, a reader of acknowledgements relies on them.
                |error| {
                    let rows = self.committed;
                    Failure::Other(format!("acknowledging {rows} committed entries: {error}"))
                },
            )?;
        }
        Ok(())
    }

    /// An error of the input, with what it means for the entries before it.
    fn input<T>(&self, result: Result<T, InputError>) -> Result<T, Failure> {
        result.map_err(|error| Failure::Other(format!("{error}; {}", self.so_far())))
    }

    fn so_far(&self) -> String {
        match self.committed {
            0 => "nothing was loaded".to_owned(),
            rows => format!("the first {rows} entries are loaded and stay"),
        }
    }
}

/// Which table each section of the input goes to.
struct Choice<'a> {
    args: &'a Args,
    loaded: bool,
    /// Names that were passed over, for the error message.
    others: Vec<String>,
}

impl Choice<'_> {
    fn new(args: &Args) -> Choice<'_> {
        Choice { args, loaded: false, others: Vec::new() }
    }

    /// The table for `section`, or `None` to skip it.
    fn table(&mut self, section: Section) -> Result<Option<String>, String> {
        let Some(table) = &self.args.table else {
            let name = section.name.ok_or("a database without a name; give TABLE, not --all")?;
            self.loaded = true;
            return Ok(Some(name));
        };
        if let Some(wanted) = &self.args.database
            && section.name.as_ref() != Some(wanted)
        {
            const SHOWN: usize = 10;
            if self.others.len() < SHOWN {
                self.others
                    .push(section.name.map_or("(no name)".into(), |name| format!("`{name}`")));
            }
            return Ok(None);
        }
        if std::mem::replace(&mut self.loaded, true) {
            let name = section.name.unwrap_or_default();
            return Err(format!(
                "a second database, `{name}`: load one with --database NAME, or each into the \
                 table of its own name with --all"
            ));
        }
        Ok(Some(table.clone()))
    }

    /// What to say if the database that was asked for never came.
    fn missing(&self) -> Option<String> {
        let wanted = self.args.database.as_ref().filter(|_| !self.loaded)?;
        Some(format!("no database `{wanted}` in the input, which has {}", self.others.join(", ")))
    }
}

/// What went wrong when the entry that `source` gave last was inserted.
fn at(source: &dyn Source, error: cowslip::Error) -> InputError {
    // The input of a long value is read by the library.
    if let cowslip::Error::Io { source: error, .. } = &error
        && let Some(error) = InputError::from_io(error)
    {
        return error;
    }
    InputError { line: source.line(), what: error.to_string() }
}
