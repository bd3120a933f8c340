//! What snapshots cost: `compare snapshots`.
//!
//! Experiments run in turn, in each repetition all of them, each on fresh copies of stores that are
//! loaded once. What a store writes is counted where it writes it, in a storage around its file, so
//! bytes do not depend on the disk; times do. redb takes part with its persistent savepoints (feature
//! `redb`), and a real Btrfs on a loop device where the program may make one.

mod btrfs;
mod counting;
mod cowslip;
mod create;
mod delete;
mod diff;
mod figures;
mod held;
mod overwrite;
#[cfg(feature = "redb")]
mod savepoints;
mod stream;
mod subject;
mod usage;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

pub use figures::Report;

use btrfs::Btrfs;
use cowslip::Cowslip;
use figures::{Figure, Figures};
use subject::Subject;

use crate::files;
use crate::fixture::{self, TABLE};
use crate::machine::Machine;
use crate::workload::Workload;

/// A group of rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Experiment {
    /// Making a snapshot, and what an idle one keeps.
    Create,
    /// One 4 KiB overwrite, without snapshots and right after one.
    Overwrite,
    /// Writing while snapshots are held.
    Held,
    /// Deleting, and durable puts beside it.
    Delete,
    /// The difference of ten rows.
    Diff,
    /// Streams: full, of changes, since a bookmark.
    Stream,
    /// Asking what a snapshot costs, and writing and deleting beside it.
    Usage,
}

/// How much is measured.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Only these experiments.
    #[arg(value_enum)]
    only: Vec<Experiment>,
    /// Rows in the store.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..=u64::from(u32::MAX)))]
    keys: u64,
    /// Ten times the rows for creation, overwrite and diff, and ten times the snapshots.
    #[arg(long)]
    large: bool,
    /// The many snapshots: held while one more is made, and while rows are written.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    many: u64,
    /// Batches of 1000 rows that are written while snapshots are held.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    batches: u64,
    /// Milliseconds that rows are written while usage is asked for.
    #[arg(long, default_value_t = 3000)]
    asking: u64,
    /// Not on Btrfs, even where it could be.
    #[arg(long)]
    no_btrfs: bool,
    /// Whence all keys, values and choices follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Settings {
    fn workload(&self, keys: u64) -> Workload {
        Workload { seed: self.seed, keys, key_bytes: 24, value_bytes: 150 }
    }

    /// Rows with values of 4 KiB: a fortieth, so that they take about half as much again.
    fn blocks(&self) -> Workload {
        Workload { value_bytes: 4096, ..self.workload(self.keys / 40) }
    }

    /// Rows where what is measured should not depend on them.
    fn large_keys(&self) -> u64 {
        if self.large { 10 * self.keys } else { self.keys }
    }

    /// Snapshots before the last one that is made.
    fn many_made(&self) -> u64 {
        if self.large { 10 * self.many } else { self.many }
    }
}

/// What an experiment works with.
struct Bench<'a> {
    settings: &'a Settings,
    directory: &'a Path,
    repetition: usize,
    figures: Figures,
}

impl Bench<'_> {
    /// Opens a fresh copy of a store with so many rows, which is loaded the first time, and reads it
    /// into its cache. There is one such copy at a time.
    fn copy<S: Subject>(&self, keys: u64) -> Result<S> {
        self.copy_with(keys, true)
    }

    /// The same; snapshots are made and deleted durably, or not.
    fn copy_with<S: Subject>(&self, keys: u64, durable: bool) -> Result<S> {
        let loaded = self.directory.join(format!("{}-{keys}", S::NAME));
        if !loaded.exists() {
            let making = self.new_directory(&format!("{}-making", S::NAME))?;
            let store = S::open(&making, true)?;
            let workload = self.settings.workload(keys);
            store.write(TABLE, true, |writer| fixture::load_with(writer, &workload))?;
            drop(store);
            fs::rename(making, &loaded)?;
        }
        let copy = self.copy_directory(S::NAME);
        files::copy(&loaded, &copy)?;
        let store = S::open(&copy, durable)?;
        store.warm()?;
        Ok(store)
    }

    fn copy_directory(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}-copy"))
    }

    /// An empty directory for a store.
    fn new_directory(&self, name: &str) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        files::remove(&directory)?;
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    fn add(&mut self, who: &'static str, figure: Figure, sample: f64) {
        self.figures.add(who, figure, sample);
    }

    /// Everything that one store takes part in.
    fn run<S: Subject>(&mut self, experiment: Experiment) -> Result<()> {
        match experiment {
            Experiment::Create => create::run::<S>(self),
            Experiment::Overwrite => overwrite::run::<S>(self),
            Experiment::Held => held::run::<S>(self),
            Experiment::Delete => delete::run::<S>(self),
            Experiment::Diff | Experiment::Stream | Experiment::Usage => Ok(()),
        }
    }

    fn run_cowslip(&mut self, experiment: Experiment) -> Result<()> {
        match experiment {
            Experiment::Diff => diff::run(self),
            Experiment::Stream => stream::run(self),
            Experiment::Usage => usage::run(self),
            shared => self.run::<Cowslip>(shared),
        }
    }
}

/// Measures everything `repeat` times, in a directory that it may fill.
pub fn run(settings: &Settings, repeat: usize, directory: &Path) -> Result<Report> {
    ensure!(!cfg!(debug_assertions) || settings.keys < 100_000, "build with --release");
    let btrfs = match settings.no_btrfs {
        true => None,
        false => Btrfs::new(directory, settings.keys)?,
    };
    let mut bench = Bench { settings, directory, repetition: 0, figures: Figures::default() };
    let mut failures = BTreeSet::new();
    let all = Experiment::value_variants();
    let wanted = if settings.only.is_empty() { all } else { &settings.only };
    for repetition in 0..repeat {
        bench.repetition = repetition;
        for &experiment in wanted {
            eprintln!("{}/{repeat} {experiment:?}", repetition + 1);
            let mut judge = |who: &str, result: Result<()>| {
                if let Err(error) = result {
                    let failure = format!("{who} failed at {experiment:?}: {error:#}");
                    eprintln!("{failure}");
                    failures.insert(failure);
                }
            };
            judge(Cowslip::NAME, bench.run_cowslip(experiment));
            files::remove(&bench.copy_directory(Cowslip::NAME))?;
            #[cfg(feature = "redb")]
            {
                judge(savepoints::Redb::NAME, bench.run::<savepoints::Redb>(experiment));
                files::remove(&bench.copy_directory(savepoints::Redb::NAME))?;
            }
            if let Some(btrfs) = &btrfs {
                judge(btrfs::NAME, btrfs.run(experiment, &mut bench));
            }
        }
    }
    let method = format!(
        "{} keys of 24 random bytes with 150 incompressible bytes (seed {}){}; cache of {} MiB. \
         Repetitions: {repeat}; median (min–max). Goals are for Cowslip.",
        settings.keys,
        settings.seed,
        if settings.large { ", --large" } else { "" },
        crate::peers::CACHE_BYTES >> 20,
    );
    Ok(Report::new(Machine::of(directory), method, bench.figures, failures.into_iter().collect()))
}
