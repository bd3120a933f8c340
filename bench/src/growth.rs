//! How the cost of single operations grows with the number of rows: `compare growth`.
//!
//! For each size and store: a load, then openings, then one process that reads and writes, with the same
//! number of operations at every size. The cache has room for the store at each of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::engine::Engine;
use crate::files;
use crate::machine::Machine;
use crate::plots::{self, Line};
use crate::race::Race;
use crate::report::cell;
use crate::rows::{self, Unit};
use crate::settings::Settings;
use crate::stages::{Errand, Measured};
use crate::statistics::Summary;

/// Time to make a snapshot.
pub const SNAPSHOT: &str = "snapshot";
/// Bytes of the file for each row.
pub const ROW_BYTES: &str = "row-bytes";

/// What is plotted: name, title, unit.
const FIGURES: &[(&str, &str, Unit)] = &[
    (rows::GETS_1, "random gets, 1 thread", Unit::PerSecond),
    (rows::PUT_P50, "single durable put, p50", Unit::Microseconds),
    (rows::BATCHES, "durable batches of random puts, rows", Unit::PerSecond),
    (SNAPSHOT, "create a snapshot, p50", Unit::Microseconds),
    (rows::REOPEN, "reopen and first get", Unit::Microseconds),
    (ROW_BYTES, "file after bulk load, bytes for each row", Unit::Count),
];

/// Openings of each store.
const OPENINGS: u64 = 5;

/// What to measure.
// The subcommand of this name has a group of this name already.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Growth {
    /// Numbers of rows.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000",
        value_parser = clap::value_parser!(u64).range(2..=u64::from(u32::MAX)))]
    pub sizes: Vec<u64>,
    /// Stores to measure [default: all that were built in].
    #[arg(long, value_delimiter = ',')]
    pub engines: Vec<Engine>,
    /// Random gets at each size.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub gets: u64,
    /// Durable single puts at each size.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub puts: u64,
    /// Durable batches of 1000 puts at each size.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub batches: u64,
    /// Whence all keys, values and choices follow.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What was measured, ready to print.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    method: String,
    engines: Vec<&'static str>,
    figures: Vec<Figure>,
    failures: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    /// By number of rows, then by store.
    results: BTreeMap<u64, BTreeMap<&'static str, Summary>>,
    #[serde(skip)]
    kind: Unit,
}

/// Measures growth; stores are made in `directory`.
pub fn run(growth: &Growth, repeat: usize, directory: &Path) -> Result<Report> {
    let engines = match growth.engines.is_empty() {
        true => Engine::all().to_vec(),
        false => growth.engines.clone(),
    };
    let mut samples: BTreeMap<(String, u64, &'static str), Vec<f64>> = BTreeMap::new();
    let mut failures = Vec::new();
    for repetition in 0..repeat {
        for &keys in &growth.sizes {
            for &engine in &engines {
                eprintln!("{}/{repeat} {keys} rows {}", repetition + 1, engine.name());
                let store = directory.join(engine.name());
                match measure(growth, keys, engine, &store) {
                    Ok(found) => {
                        for (figure, sample) in found.into_iter().flatten() {
                            samples.entry((figure, keys, engine.name())).or_default().push(sample);
                        }
                    }
                    Err(error) => {
                        let failure = format!("{} failed at {keys} rows: {error:#}", engine.name());
                        eprintln!("{failure}");
                        failures.push(failure);
                    }
                }
                files::remove(&store)?;
            }
        }
    }
    let figures = FIGURES.iter().map(|&(name, title, kind)| {
        let mut results = BTreeMap::<_, BTreeMap<_, _>>::new();
        for ((figure, keys, engine), samples) in &samples {
            if let (true, Some(summary)) = (figure == name, Summary::of(samples)) {
                results.entry(*keys).or_default().insert(*engine, summary);
            }
        }
        Figure { name, title, unit: kind.name(), results, kind }
    });
    Ok(Report {
        machine: Machine::of(directory),
        method: format!(
            "Keys of 24 random bytes with 150 incompressible bytes (seed {}); at each size {} gets, {} \
             single puts, {} batches of 1000 puts; a cache with room for the store. Repetitions: \
             {repeat}; median (min–max).",
            growth.seed, growth.gets, growth.puts, growth.batches
        ),
        engines: engines.iter().map(|engine| engine.name()).collect(),
        figures: figures.collect(),
        failures,
    })
}

fn measure(growth: &Growth, keys: u64, engine: Engine, store: &Path) -> Result<Vec<Measured>> {
    let settings = Settings {
        keys,
        gets: Some(growth.gets),
        puts: growth.puts,
        batches: growth.batches,
        seed: growth.seed,
        ..Settings::default()
    };
    let race = Race { engines: vec![engine], settings, repeat: 1, directory: store.to_owned() };
    fs::create_dir_all(store).context(store.display().to_string())?;
    let mut loaded = race.measure(engine, store, Errand::Load)?;
    let bytes = loaded.remove(rows::LOAD_FILE).context("no length of the loaded file")?;
    let mut found = vec![Measured::from([(ROW_BYTES.into(), bytes / keys as f64)])];
    for attempt in 0..OPENINGS {
        found.push(race.measure(engine, store, Errand::Reopen { attempt })?);
    }
    found.push(race.measure(engine, store, Errand::Growth)?);
    Ok(found)
}

impl Report {
    /// Nothing failed.
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// For programs.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}\n{}\n", self.machine, self.method)?;
        writeln!(text, "| | rows | {} |", self.engines.join(" | "))?;
        writeln!(text, "|---|---:|{}", "---|".repeat(self.engines.len()))?;
        for figure in &self.figures {
            for (keys, results) in &figure.results {
                write!(text, "| {} | {keys} |", figure.title)?;
                for engine in &self.engines {
                    match results.get(engine) {
                        Some(summary) => {
                            let (median, span) = cell(figure.kind, summary);
                            write!(text, " {median}{span} |")?;
                        }
                        None => write!(text, " – |")?,
                    }
                }
                writeln!(text)?;
            }
        }
        self.failures.iter().try_for_each(|failure| writeln!(text, "\n**{failure}**"))
    }

    /// Writes one plot for each figure into `directory`.
    pub fn write_plots(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory).context(directory.display().to_string())?;
        for figure in self.figures.iter().filter(|figure| !figure.results.is_empty()) {
            let line = |engine: &&'static str| {
                let points = figure.results.iter().filter_map(|(&keys, results)| {
                    Some((keys as f64, results.get(engine)?.median))
                });
                Line { name: (*engine).to_owned(), points: points.collect() }
            };
            let lines: Vec<_> = self.engines.iter().map(line).collect();
            let path = directory.join(format!("growth-{}.svg", figure.name));
            fs::write(&path, plots::lines(figure.title, figure.kind, &lines))
                .with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }
}
