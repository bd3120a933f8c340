//! The list of verbs, and the way from the arguments to an exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::{Failure, Outcome, USAGE, complain};
use crate::{tour, verb};

const AFTER: &str = "\
Exit status: 0 done; 1 not found, or diff found differences; 2 usage error; 3 any other error. \
fsck: 0 no problems; 1 problems repaired; 4 problems left; 8 could not check; 16 usage error.";

/// An embedded copy-on-write database: crash-safe, with instant snapshots.
#[derive(Parser)]
#[command(name = "cowslip", version, after_help = AFTER, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Create(verb::create::Args),
    Put(verb::entry::PutArgs),
    Get(verb::entry::GetArgs),
    Del(verb::entry::DelArgs),
    Scan(verb::scan::Args),
    Load(verb::load::Args),
    Dump(verb::dump::Args),
    Tables(verb::tables::Args),
    #[command(subcommand)]
    Snapshot(verb::snapshot::Verb),
    #[command(subcommand)]
    Branch(verb::branch::Verb),
    Rollback(verb::rollback::Args),
    Diff(verb::diff::Args),
    Send(verb::send::Args),
    Receive(verb::receive::Args),
    #[command(subcommand)]
    Bookmark(verb::bookmark::Verb),
    Fsck(verb::fsck::Args),
    Stats(verb::stats::Args),
    Compact(verb::compact::Args),
    Scrub(verb::scrub::Args),
    Torture(Box<verb::torture::Args>),
    #[command(subcommand)]
    Vm(verb::vm::Verb),
    Tour(tour::Args),
    Completions(verb::shell::CompletionsArgs),
    Man(verb::shell::ManArgs),
    #[command(name = tour::CHILD_VERB, hide = true)]
    TourChild(tour::ChildArgs),
}

/// The whole argument parser, for the completions and the man pages.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Does what `args` say and reports how it went.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let parsed = command()
        .try_get_matches_from(&args)
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            // Help and version are asked for, and go to standard output.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return ExitCode::from(USAGE);
        }
        Err(error) => {
            complain(&one_line(&error.render().to_string()));
            let fsck = args.get(1).is_some_and(|verb| verb == "fsck");
            return ExitCode::from(if fsck { verb::fsck::USAGE } else { USAGE });
        }
    };
    match dispatch(cli.verb) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

/// A usage error on one line: what is wrong and, if the parser has one, its tip.
fn one_line(text: &str) -> String {
    let paragraphs = text.split("\n\n").take_while(|part| !part.starts_with("Usage:"));
    let lines: Vec<String> = paragraphs
        .filter(|part| !part.starts_with("For more information"))
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let text = lines.join("; ");
    format!("{} (--help says more)", text.strip_prefix("error: ").unwrap_or(&text))
}

fn dispatch(verb: Verb) -> Outcome {
    match verb {
        Verb::Create(args) => verb::create::run(&args),
        Verb::Put(args) => verb::entry::put(&args),
        Verb::Get(args) => verb::entry::get(&args),
        Verb::Del(args) => verb::entry::del(&args),
        Verb::Scan(args) => verb::scan::run(&args),
        Verb::Load(args) => verb::load::run(&args),
        Verb::Dump(args) => verb::dump::run(&args),
        Verb::Tables(args) => verb::tables::run(&args),
        Verb::Snapshot(verb) => verb::snapshot::run(&verb),
        Verb::Branch(verb) => verb::branch::run(&verb),
        Verb::Rollback(args) => verb::rollback::run(&args),
        // A name that `diff` cannot find is no difference, so it must not look like one.
        Verb::Diff(args) => verb::diff::run(&args).map_err(Failure::never_found),
        Verb::Send(args) => verb::send::run(&args),
        Verb::Receive(args) => verb::receive::run(&args),
        Verb::Bookmark(verb) => verb::bookmark::run(&verb),
        Verb::Fsck(args) => Ok(verb::fsck::run(&args)),
        Verb::Stats(args) => verb::stats::run(&args),
        Verb::Compact(args) => verb::compact::run(&args),
        Verb::Scrub(args) => verb::scrub::run(&args),
        Verb::Torture(args) => verb::torture::run(&args),
        Verb::Vm(verb) => verb::vm::run(&verb),
        Verb::Tour(args) => tour::run(&args),
        Verb::Completions(args) => verb::shell::completions(&args),
        Verb::Man(args) => verb::shell::man(&args),
        Verb::TourChild(args) => tour::child(&args),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_parser_is_consistent() {
        super::command().debug_assert();
    }
}
