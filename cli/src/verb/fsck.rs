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
    file: PathBuf,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let report = match check(&args.file) {
        Ok(report) => report,
        Err(why) => {
            complain(&why);
            return ExitCode::from(OPERATIONAL);
        }
    };
    match print(&report, args.json) {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::from(report.exit_code()),
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

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    let mut out = output::stdout();
    if json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        // The report may or may not end its last line.
        writeln!(out, "{}", report.to_string().trim_end())?;
    }
    out.flush()?;
    Ok(())
}
