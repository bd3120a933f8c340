//! `vm`: the page-table module, run on a trace; its machines are kept in databases.

mod elf;
mod explain;
mod json;
mod loader;
mod outside;
mod picture;
mod stored;
mod summary;
mod swap;

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use cowslip::vm::{
    ForkMode, Settings, StoredMachine,
    trace::{BadTrace, Player, Schedule, parse},
};

use crate::failure::{Failure, Outcome};
use crate::output;

/// A model of how an operating system shares memory until it is written
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    Run(Box<RunArgs>),
    Machines(stored::MachinesArgs),
}

/// Run a trace of system calls and accesses, and count what a kernel would
///
/// Every operation is printed with its faults by kind, and the change of the process's page tables;
/// `snap` prints what every process has mapped, and how many frames that takes. docs/traces/README.md
/// has the language, and traces to start with.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// The trace; `-`: standard input
    trace: PathBuf,
    /// How fork gives the child its memory: by copying tables, as Linux does, or by sharing them
    #[arg(long, value_enum, default_value_t = Fork::Eager, conflicts_with = "resume")]
    fork: Fork,
    /// Who runs first after a fork; `written`: whoever comes first in the trace
    #[arg(long, value_enum, default_value_t = Order::Written)]
    schedule: Order,
    /// Print the faults of every operation, step by step
    #[arg(long)]
    explain: bool,
    /// Print a table of what each process did
    #[arg(long)]
    summary: bool,
    /// Print one JSON object a line
    #[arg(long, conflicts_with_all = ["explain", "summary"])]
    json: bool,
    /// Draw what each process has mapped, and the frames behind it, at every `snap` and at the end
    #[arg(long, value_name = "FILE.svg")]
    picture: Option<PathBuf>,
    /// Stop when the model itself would need more memory than so many MiB
    #[arg(long, value_name = "MIB", default_value_t = 8192)]
    memory: u32,
    /// Keep swapped pages in this new file, which is removed at the end, instead of in memory
    #[arg(long, value_name = "FILE")]
    swap: Option<PathBuf>,
    #[command(flatten)]
    keep: stored::Keep,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Fork {
    Eager,
    Shared,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Order {
    Written,
    ChildFirst,
    ParentFirst,
}

pub(crate) fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Run(args) => run_trace(args),
        Verb::Machines(args) => stored::machines(args),
    }
}

fn run_trace(args: &RunArgs) -> Outcome {
    if let Some(file) = &args.picture {
        picture::check(&args.trace, file)?;
    }
    let text = read(&args.trace)?;
    let bad = |bad: BadTrace| Failure::Other(format!("{}: {bad}", args.trace.display()));
    let schedule = match args.schedule {
        Order::Written => Schedule::Written,
        Order::ChildFirst => Schedule::ChildFirst,
        Order::ParentFirst => Schedule::ParentFirst,
    };
    let trace = schedule.order(parse(&text).map_err(bad)?);
    let settings = Settings {
        fork: match args.fork {
            Fork::Eager => ForkMode::Eager,
            Fork::Shared => ForkMode::Shared,
        },
        modelled: args.memory.saturating_mul(256),
        ..Settings::default()
    };
    let outside = Box::new(outside::Files::beside(&args.trace));
    let player = match args.keep.resumed(settings.modelled, args.explain)? {
        Some(player) => player,
        None => Player::new(&trace, settings, args.explain),
    };
    let mut player = player.with_outside(outside);
    let _swap =
        args.swap.as_deref().map(|file| swap::File::under(&mut player, file)).transpose()?;
    let mut recorder = args.picture.as_ref().map(|_| picture::Recorder::new(&trace));
    let mut out = output::stdout();
    for operation in &trace {
        let answer = player.play(operation).map_err(bad)?;
        if let Some(recorder) = &mut recorder {
            recorder.see(operation, &answer, &player);
        }
        if args.json {
            writeln!(out, "{}", json::answer(&answer))?;
        } else {
            writeln!(out, "{answer}")?;
            explain::print(&mut out, &answer.faults)?;
        }
    }
    if args.json {
        writeln!(out, "{}", json::end(&player))?;
    } else {
        for line in player.end() {
            writeln!(out, "{line}")?;
        }
    }
    if let Some((name, stored)) = args.keep.keep(&mut player)? {
        if args.json {
            writeln!(out, "{}", json::stored(name, &stored))?;
        } else {
            let StoredMachine { memory, tables, shared, .. } = stored;
            writeln!(out, "stored {name} => memory={memory} tables={tables} shared={shared}")?;
        }
    }
    if args.summary {
        summary::print(&mut out, &player)?;
    }
    out.flush()?;
    if let (Some(recorder), Some(file)) = (recorder, &args.picture) {
        recorder.write(&args.trace, &player, file)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    result.map_err(|error| Failure::Other(format!("{}: {error}", path.display())))?;
    Ok(text)
}
