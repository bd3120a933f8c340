//! `cowslip-fsck FILE`: checks a Cowslip database, with the exit statuses of fsck(8).

#![forbid(unsafe_code)]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use cowslip_fsck::{Error, Options, RepairOptions, SalvageOptions};

/// Check a Cowslip database and report numbered problems; writes nothing unless it is told to repair
#[derive(Parser)]
#[command(
    name = "cowslip-fsck",
    version,
    after_help = "Exit status: 0 no problems; 1 problems, all repaired; 4 problems left; 8 could not \
                  check; 16 usage error. With --salvage: 0 all was recovered for certain; 1 something is \
                  missing or uncertain; 4 nothing was recovered."
)]
struct Args {
    /// The database
    #[arg(required_unless_present = "list_problems")]
    file: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Repair what loses nothing; with `=lossy` the rest too
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "lossless", value_parser = ["lossless", "lossy"])]
    repair: Option<String>,
    /// With --repair: keep what is overwritten in this new file
    #[arg(long, value_name = "FILE", requires = "repair", conflicts_with_all = ["salvage", "undo_apply"])]
    undo: Option<PathBuf>,
    /// Put back what a repair has overwritten, from its undo file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repair", "json"])]
    undo_apply: Option<PathBuf>,
    /// Write what can be read into this new database; the file itself is only read
    #[arg(long, value_name = "OUT", conflicts_with_all = ["repair", "undo_apply", "live", "no_replay"])]
    salvage: Option<PathBuf>,
    /// Do not prove that the log's transactions replay
    #[arg(long)]
    no_replay: bool,
    /// Check the newest checkpoint of a database that may be in use; the log is not judged
    #[arg(long, conflicts_with_all = ["repair", "undo_apply"])]
    live: bool,
    /// Print the catalogue of problems and end
    #[arg(long)]
    list_problems: bool,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 16 } else { 0 });
        }
    };
    let mut text = String::new();
    let mut status = 0;
    if args.list_problems {
        text = cowslip_fsck::problem::catalogue_text();
    } else if let Some(file) = &args.file {
        match work(&args, file) {
            Ok(result) => (text, status) = result,
            Err(error) => {
                eprintln!("cowslip-fsck: {}: {error}", file.display());
                return ExitCode::from(error.exit_code());
            }
        }
    }
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("cowslip-fsck: writing the report failed: {error}");
            ExitCode::from(8)
        }
        _ => ExitCode::from(status),
    }
}

/// The text to print, and the exit status.
fn work(args: &Args, file: &Path) -> Result<(String, u8), Error> {
    if let Some(undo) = &args.undo_apply {
        let undone = cowslip_fsck::undo(file, undo)?;
        return Ok((format!("{} blocks put back\n", undone.blocks), 0));
    }
    let text = |json: serde_json::Value, text: String| {
        if args.json { format!("{json}\n") } else { text }
    };
    if let Some(how) = &args.repair {
        let options = RepairOptions {
            lossy: how == "lossy",
            undo: args.undo.as_deref(),
            ..RepairOptions::default()
        };
        let repaired = cowslip_fsck::repair(file, &options)?;
        return Ok((text(repaired.to_json(), repaired.to_string()), repaired.exit_code()));
    }
    if let Some(out) = &args.salvage {
        let salvaged = cowslip_fsck::salvage(file, out, &SalvageOptions::default())?;
        return Ok((text(salvaged.to_json(), salvaged.to_string()), salvaged.exit_code()));
    }
    let options = Options { replay: !args.no_replay, ..Options::default() };
    let check = if args.live { cowslip_fsck::check_live } else { cowslip_fsck::check };
    let report = check(file, &options)?;
    Ok((text(report.to_json(), report.to_string()), report.exit_code()))
}
