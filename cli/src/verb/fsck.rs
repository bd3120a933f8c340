//! `fsck`: the checker, which writes nothing; the only file here that knows its library.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cowslip_fsck::{Options, Report};

use crate::failure::{Failure, complain};
use crate::output::{self, grouped};
use crate::progress;

/// The checker could not do its work (fsck(8)).
const OPERATIONAL: u8 = 8;
/// The arguments make no sense (fsck(8)).
pub(crate) const USAGE: u8 = 16;

/// Check the whole file and report numbered problems; writes nothing
#[derive(clap::Args)]
#[command(
    after_help = "Exit status: 0 no problems; 4 problems; 8 could not check; 16 usage error."
)]
pub(crate) struct Args {
    /// The database
    #[arg(required_unless_present = "list_problems")]
    file: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Print the catalogue of problems and end
    #[arg(long)]
    list_problems: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let Some(file) = &args.file else {
        return ended(print(cowslip_fsck::problem::catalogue_text().trim_end()), 0);
    };
    let report = match check(file) {
        Ok(report) => report,
        Err(why) => {
            complain(&why);
            return ExitCode::from(OPERATIONAL);
        }
    };
    let text = if args.json { report.to_json().to_string() } else { report.to_string() };
    ended(print(text.trim_end()), report.exit_code())
}

/// The exit status, unless the result could not be printed.
fn ended(printed: Result<(), Failure>, status: u8) -> ExitCode {
    match printed {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::from(status),
        Err(failure) => {
            failure.report();
            ExitCode::from(OPERATIONAL)
        }
    }
}

/// Checks the database at `path`, with something that turns meanwhile.
fn check(path: &Path) -> Result<Report, String> {
    let spinner = progress::spinner("checking");
    let report = cowslip_fsck::check(path, &Options::default());
    spinner.finish_and_clear();
    report.map_err(|error| format!("{}: {error}", path.display()))
}

/// The verdict in a clause, for the tour; problems are an error.
pub(crate) fn summary(path: &Path) -> Result<String, String> {
    let report = check(path)?;
    if report.exit_code() != 0 {
        return Err(format!("{}: {}", path.display(), report.to_string().trim_end()));
    }
    Ok(format!("The checker read {} pages and found no problem", grouped(report.pages_checked)))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = output::stdout();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}
