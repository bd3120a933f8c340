//! `cowslip-fsck FILE`: checks a Cowslip database, with the exit statuses of fsck(8).

#![forbid(unsafe_code)]

use std::{io::Write, path::Path, process::ExitCode};

use clap::Parser;
use cowslip_fsck::{Error, Options, RepairOptions, SalvageOptions, arguments::Arguments};

#[derive(Parser)]
#[command(name = "cowslip-fsck", version)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let args = match Command::try_parse() {
        Ok(command) => command.arguments,
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
fn work(args: &Arguments, file: &Path) -> Result<(String, u8), Error> {
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
