//! `cowslip-fsck FILE`: checks a Cowslip database, with the exit statuses of fsck(8).

#![forbid(unsafe_code)]

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Parser;
use cowslip_fsck::Options;

/// Check a Cowslip database and report numbered problems; writes nothing
#[derive(Parser)]
#[command(
    name = "cowslip-fsck",
    version,
    after_help = "Exit status: 0 no problems; 4 problems; 8 could not check; 16 usage error."
)]
struct Args {
    /// The database
    #[arg(required_unless_present = "list_problems")]
    file: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Do not prove that the log's transactions replay
    #[arg(long)]
    no_replay: bool,
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
        let options = Options { replay: !args.no_replay, ..Options::default() };
        match cowslip_fsck::check(file, &options) {
            Ok(report) => {
                status = report.exit_code();
                text =
                    if args.json { format!("{}\n", report.to_json()) } else { report.to_string() };
            }
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
