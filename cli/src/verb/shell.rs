//! `completions` and `man`: what the argument parser knows, for shells and for `man`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap_complete::Shell;

use crate::failure::{Failure, Outcome};
use crate::{args, output};

/// Print a completion script for a shell
#[derive(clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Print the man page, or write one for each verb
#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// Write cowslip.1, cowslip-put.1 and so on into this folder instead
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Outcome {
    // The generator panics when its output fails, so it writes to memory first.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "cowslip", &mut script);
    let mut out = output::stdout();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &ManArgs) -> Outcome {
    let command = args::command();
    match &args.dir {
        Some(folder) => {
            clap_mangen::generate_to(command, folder)
                .map_err(|error| Failure::Other(format!("{}: {error}", folder.display())))?;
        }
        None => {
            let mut out = output::stdout();
            clap_mangen::Man::new(command).render(&mut out)?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
