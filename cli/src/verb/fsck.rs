//! `fsck`: the checker, which writes nothing unless it is told to repair; the only file here that knows its library.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

pub(crate) use cowslip_fsck::arguments::Arguments as Args;
use cowslip_fsck::{Options, RepairOptions, Report, SalvageOptions};

use crate::failure::{Failure, complain};
use crate::output::{self, grouped};
use crate::progress;

/// The checker could not do its work (fsck(8)).
const OPERATIONAL: u8 = 8;
/// The arguments make no sense (fsck(8)).
pub(crate) const USAGE: u8 = 16;

pub(crate) fn run(args: &Args) -> ExitCode {
    let Some(file) = &args.file else {
        return ended(print(cowslip_fsck::problem::catalogue_text().trim_end()), 0);
    };
    match work(args, file) {
        Ok((text, status)) => ended(print(text.trim_end()), status),
        Err(why) => {
            complain(&why);
            ExitCode::from(OPERATIONAL)
        }
    }
}

/// The text to print, and the exit status.
fn work(args: &Args, file: &Path) -> Result<(String, u8), String> {
    let complaint = |error: cowslip_fsck::Error| format!("{}: {error}", file.display());
    if let Some(undo) = &args.undo_apply {
        let undone = cowslip_fsck::undo(file, undo).map_err(complaint)?;
        return Ok((format!("{} blocks put back", grouped(undone.blocks)), 0));
    }
    if let Some(how) = &args.repair {
        let undo = args.undo.as_deref();
        let options = RepairOptions { lossy: how == "lossy", undo, ..RepairOptions::default() };
        let spinner = progress::spinner("repairing");
        let repaired = cowslip_fsck::repair(file, &options);
        spinner.finish_and_clear();
        let repaired = repaired.map_err(complaint)?;
        let text = if args.json { repaired.to_json().to_string() } else { repaired.to_string() };
        return Ok((text, repaired.exit_code()));
    }
    if let Some(out) = &args.salvage {
        let spinner = progress::spinner("salvaging");
        let salvaged = cowslip_fsck::salvage(file, out, &SalvageOptions::default());
        spinner.finish_and_clear();
        let salvaged = salvaged.map_err(complaint)?;
        let text = if args.json { salvaged.to_json().to_string() } else { salvaged.to_string() };
        return Ok((text, salvaged.exit_code()));
    }
    let report = check(file, args.live, !args.no_replay)?;
    let text = if args.json { report.to_json().to_string() } else { report.to_string() };
    Ok((text, report.exit_code()))
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

/// Checks the database at `path`, and says how far it is.
fn check(path: &Path, live: bool, replay: bool) -> Result<Report, String> {
    let bar = progress::bar(0, "pages");
    let tell = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let check = if live { cowslip_fsck::check_live } else { cowslip_fsck::check };
    let report = check(path, &Options { progress: Some(&tell), replay, ..Options::default() });
    bar.finish_and_clear();
    report.map_err(|error| format!("{}: {error}", path.display()))
}

/// The verdict in a clause, for the tour; problems are an error.
pub(crate) fn summary(path: &Path) -> Result<String, String> {
    let report = check(path, false, true)?;
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
