//! `compare`: races Cowslip against other embedded stores, or measures what snapshots cost, and prints a
//! table.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use cowslip_bench::engine::Engine;
use cowslip_bench::growth::{self, Growth};
use cowslip_bench::machine::Machine;
use cowslip_bench::race::Race;
use cowslip_bench::report::Report;
use cowslip_bench::rows::ROWS;
use cowslip_bench::settings::Settings;
use cowslip_bench::snapshots;
use cowslip_bench::stages::Order;
use tempfile::TempDir;

/// Race Cowslip against other embedded stores; the table goes to standard output as Markdown.
#[derive(Parser)]
#[command(name = "compare", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Stores to measure [default: all that were built in; see the features of this crate].
    #[arg(long, value_delimiter = ',')]
    engines: Vec<Engine>,
    /// Repetitions of everything.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Where to put the stores, on the disk to be measured: a directory in it is made and removed.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Write all samples to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write plots into this directory, as SVG.
    #[arg(long)]
    plots: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// List the rows of the table by name.
    Rows,
    /// Measure what snapshots cost.
    Snapshots {
        #[command(flatten)]
        settings: snapshots::Settings,
        /// Repetitions of everything.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        repeat: u16,
        /// Where to put the stores, on the disk to be measured: a directory in it is made and removed.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Write all samples to this file, as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Measure how costs grow with the number of rows.
    Growth {
        #[command(flatten)]
        growth: Growth,
        /// Repetitions of everything.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        repeat: u16,
        /// Where to put the stores, on the disk to be measured: a directory in it is made and removed.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Write all samples to this file, as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Write plots into this directory, as SVG.
        #[arg(long)]
        plots: Option<PathBuf>,
    },
    /// Do one errand of a race (the program calls itself so).
    #[command(hide = true)]
    Child {
        /// The errand as JSON.
        order: String,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Some(Command::Rows) => {
            for row in ROWS {
                println!("{:16} {} ({})", row.name, row.title, row.unit.name());
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Child { order }) => {
            let order: Order = serde_json::from_str(order).context("reading the order")?;
            println!("{}", serde_json::to_string(&order.obey()?)?);
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Snapshots { settings, repeat, dir, json }) => {
            let directory = new_directory(dir)?;
            let report = snapshots::run(settings, (*repeat).into(), directory.path())?;
            directory.close().context("removing the stores")?;
            print!("{}", report.markdown());
            write_json(json.as_deref(), || Ok(report.json()?))?;
            Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(Command::Growth { growth, repeat, dir, json, plots }) => {
            let directory = new_directory(dir)?;
            let report = growth::run(growth, (*repeat).into(), directory.path())?;
            directory.close().context("removing the stores")?;
            print!("{}", report.markdown());
            write_json(json.as_deref(), || report.json())?;
            plots.as_deref().map_or(Ok(()), |plots| report.write_plots(plots))?;
            Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        None => race(arguments),
    }
}

/// A directory that is removed when it is dropped.
fn new_directory(parent: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("cowslip-bench-")
        .tempdir_in(parent)
        .with_context(|| format!("making a directory in {}", parent.display()))
}

fn write_json(path: Option<&Path>, json: impl FnOnce() -> Result<String>) -> Result<()> {
    match path {
        Some(path) => {
            fs::write(path, json()?).with_context(|| format!("writing {}", path.display()))
        }
        None => Ok(()),
    }
}

fn race(arguments: Arguments) -> Result<ExitCode> {
    ensure!(!cfg!(debug_assertions) || arguments.settings.keys < 100_000, "build with --release");
    let engines = match arguments.engines.is_empty() {
        true => Engine::all().to_vec(),
        false => arguments.engines,
    };
    let directory = new_directory(&arguments.dir)?;
    let race = Race {
        engines,
        settings: arguments.settings,
        repeat: arguments.repeat.into(),
        directory: directory.path().to_owned(),
    };
    let outcome = race.run()?;
    let report = Report::of(&race, Machine::of(directory.path()), &outcome)?;
    directory.close().context("removing the stores")?;
    print!("{}", report.markdown());
    write_json(arguments.json.as_deref(), || report.json())?;
    arguments.plots.as_deref().map_or(Ok(()), |plots| report.write_plots(plots))?;
    Ok(match outcome.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
