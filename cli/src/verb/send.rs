//! `send`: a snapshot as a stream on standard output.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::{Database, Error};

use crate::failure::{Failure, Outcome};
use crate::{output, progress, store};

/// Write a snapshot to standard output, as a stream that `receive` reads
#[derive(clap::Args)]
#[command(after_help = "\
Full streams hold the whole snapshot; with --since they hold what changed, and the receiver must \
have BASE as a snapshot. Which of two snapshots is older does not matter; of a bookmark, BASE must \
be the older one.")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The snapshot
    #[arg(required_unless_present = "resume")]
    snapshot: Option<String>,
    /// Only what changed since this snapshot or bookmark
    #[arg(long, value_name = "BASE")]
    since: Option<String>,
    /// The rest of an interrupted stream, by the token that `receive --token` prints
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["snapshot", "since"])]
    resume: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if io::stdout().is_terminal() {
        let why =
            "send: the stream is not for a terminal; add `> FILE` or `| cowslip receive FILE`";
        return Err(Failure::Usage(why.to_owned()));
    }
    let db = store::for_reading(&args.file)?;
    // At the other end of a pipe it is the receiver who shows how far it is.
    let bar = if progress::writes_a_file() { progress::bytes(None) } else { progress::none() };
    let sent = stream(&db, bar.wrap_write(output::stdout()), args);
    bar.finish_and_clear();
    sent.map_err(|error| explain(args, error))?;
    Ok(ExitCode::SUCCESS)
}

fn stream(db: &Database, out: impl io::Write, args: &Args) -> cowslip::Result<()> {
    match (&args.resume, &args.snapshot) {
        (Some(token), _) => db.resume_send(out, token)?,
        (None, snapshot) => {
            db.send(out, snapshot.as_deref().unwrap_or_default(), args.since.as_deref())?
        }
    };
    Ok(())
}

fn explain(args: &Args, error: Error) -> Failure {
    match error {
        Error::InvalidArgument(what) if args.resume.is_some() => Failure::Usage(what),
        Error::WrongBase(_) | Error::NoAncestor { .. } => {
            let next = match args.resume {
                None => "send it since an older snapshot that both have, or whole, without --since",
                Some(_) => "drop the part (`cowslip receive --discard`), and send anew",
            };
            Failure::Other(format!("{}: {error}; {next}", args.file.display()))
        }
        error => Failure::of_file(&args.file, error),
    }
}
