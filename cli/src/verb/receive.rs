//! `receive`: snapshots from streams on standard input; and what came of those that broke off.

use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cowslip::{Database, Error, ReceiveOptions, ReceiveReport};

use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line};
use crate::place::MAIN;
use crate::{progress, store};

mod parts;

/// Receive the snapshots of streams on standard input
///
/// Reads all the streams that come, made by `send`, and prints a line for each snapshot: name, base,
/// entries put, entries removed. Nothing of a snapshot is visible before all of it has come and was
/// verified.
#[derive(clap::Args)]
#[command(after_help = "\
A missing FILE is made. If a database has no snapshot and no entry yet, main follows what is \
received, so that it can be read at once. A branch that follows must stand where the stream's base \
is, or be empty or missing.")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The snapshot's name here, instead of the one that it was sent under
    #[arg(long = "as", value_name = "NAME", conflicts_with = "part")]
    name: Option<String>,
    /// This branch goes on from the snapshot; it is made if it is missing
    #[arg(long, value_name = "BRANCH", conflicts_with = "part")]
    follow: Option<String>,
    /// Of a stream that breaks off, keep what came, to be continued by `send --resume` (whose stream
    /// needs this option again to be kept in turn)
    #[arg(long, conflicts_with = "part")]
    resumable: bool,
    /// Print one JSON object a line
    #[arg(long, conflicts_with_all = ["token", "discard"])]
    json: bool,
    #[command(flatten)]
    part: Part,
}

#[derive(clap::Args)]
#[group(id = "part", multiple = false)]
struct Part {
    /// Receive nothing; print the token by which this snapshot, received in part, is continued
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
    /// Receive nothing; list the snapshots that were received in part
    #[arg(long)]
    partial: bool,
    /// Receive nothing; drop what came of this snapshot
    #[arg(long, value_name = "NAME")]
    discard: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(name) = &args.part.token {
        return parts::token(&args.file, name);
    }
    if args.part.partial {
        return parts::list(&args.file, args.json);
    }
    if let Some(name) = &args.part.discard {
        return parts::discard(&args.file, name);
    }
    if io::stdin().is_terminal() {
        let why = "receive: a stream must come from standard input, such as `< FILE`";
        return Err(Failure::Usage(why.to_owned()));
    }
    let (db, made) = open(&args.file)?;
    let received = receive_all(args, &db);
    let useless = made && received.is_err() && is_blank(&db)? && db.partly_received()?.is_empty();
    let closed = store::close(&args.file, db);
    if useless {
        // Made a moment ago, by this very command, and nothing was put into it.
        let _ = std::fs::remove_file(&args.file);
    }
    received?;
    closed?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the database; or makes it, which is true then.
fn open(file: &Path) -> Result<(Database, bool), Failure> {
    match std::fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let db = Database::create(file).map_err(|error| Failure::of_file(file, error))?;
            Ok((db, true))
        }
        _ => Ok((store::for_writing(file)?, false)),
    }
}

/// Has it nothing yet that could be lost?
fn is_blank(db: &Database) -> Result<bool, Failure> {
    Ok(db.snapshots()?.is_empty() && db.begin_read()?.tables()?.is_empty())
}

fn receive_all(args: &Args, db: &Database) -> Result<(), Failure> {
    let mut options = ReceiveOptions::default().keep_partial(args.resumable);
    if let Some(name) = &args.name {
        options = options.name(name);
    }
    // A new database shows what it receives, also what comes after the first snapshot.
    let show = args.follow.is_none() && is_blank(db)?;
    let follow = if show { Some(MAIN) } else { args.follow.as_deref() };
    let first = match follow {
        Some(branch) => options.clone().follow(branch),
        None => options.clone(),
    };
    let rest = if show { &options } else { &first };

    let bar = progress::bytes(progress::input_bytes());
    let mut input = BufReader::with_capacity(256 << 10, bar.wrap_read(io::stdin().lock()));
    let mut count = 0_u64;
    loop {
        let before = parts::all(db)?;
        let received = db.receive_with(&mut input, if count == 0 { &first } else { rest });
        match received {
            Ok(Some(report)) => {
                if show && count > 0 {
                    db.rollback(&report.snapshot)?;
                }
                count += 1;
                bar.suspend(|| print(&report, args.json))?;
            }
            Ok(None) => break,
            Err(error) => {
                bar.finish_and_clear();
                let kept = parts::kept(&before, parts::all(db)?, args.name.as_deref());
                return Err(explain(args, error, kept));
            }
        }
    }
    bar.finish_and_clear();
    if count == 0 {
        return Err(Failure::Other(format!("{}: no stream came", args.file.display())));
    }
    Ok(())
}

#[derive(serde::Serialize)]
struct JsonReport<'a> {
    snapshot: &'a str,
    base: Option<&'a str>,
    puts: u64,
    removals: u64,
}

/// At once, since the next stream may be long in coming.
fn print(report: &ReceiveReport, json: bool) -> Result<(), Failure> {
    let ReceiveReport { snapshot, base, puts, removals, .. } = report;
    let (base, puts, removals) = (base.as_deref(), *puts, *removals);
    let mut out = output::stdout();
    if json {
        json_line(&mut out, &JsonReport { snapshot, base, puts, removals })?;
    } else {
        tsv::write_escaped(&mut out, snapshot.as_bytes())?;
        out.write_all(b"\t")?;
        tsv::write_escaped(&mut out, base.unwrap_or_default().as_bytes())?;
        writeln!(out, "\t+{puts}\t-{removals}")?;
    }
    out.flush()?;
    Ok(())
}

/// What went wrong, and what can be done now. `kept` is the snapshot of which a part was kept.
fn explain(args: &Args, error: Error, kept: Option<String>) -> Failure {
    let file = args.file.display();
    let next = match (&error, kept) {
        (Error::BranchNotAtBase { .. }, _) => {
            "send it since the snapshot at which the branch stands, or receive without --follow"
                .to_owned()
        }
        (Error::BaseNotFound { .. }, _) => format!(
            "send it since a snapshot of `cowslip snapshot list {file}`, or whole, without --since"
        ),
        (Error::WrongBase(_), _) => {
            "send it anew, whole (`cowslip receive --discard` drops a part that is in the way)"
                .to_owned()
        }
        (Error::AlreadyExists(_), _) => "--as NAME gives it another name".to_owned(),
        (Error::StreamEnded { .. } | Error::DamagedStream { .. } | Error::Io { .. }, kept) => {
            match kept {
                Some(name) => format!(
                    "what came of `{name}` is kept: continue with `send --resume` and the token of \
                     `cowslip receive {file} --token {name}`"
                ),
                None if args.resumable => "nothing of it could be kept".to_owned(),
                None => "nothing of it is kept (--resumable would)".to_owned(),
            }
        }
        _ => return Failure::of_file(&args.file, error),
    };
    Failure::Other(format!("{file}: {error}; {next}"))
}
