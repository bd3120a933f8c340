//! What a check costs: of a store that this program makes, beside the same bytes merely read and merely
//! summed, in turn in one run.
//!
//! ```text
//! cargo run --release -p cowslip-bench --bin checks -- make DIR/store.cow --mib 1024 --snapshots 1000
//! cargo run --release -p cowslip-bench --bin checks -- time DIR/store.cow --cold
//! ```
//!
//! `bench/checkers.sh` runs it beside the checkers of others.

mod store;

use std::{
    fs::File,
    hint::black_box,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use cowslip_bench::machine::peak_memory_bytes;
use cowslip_fsck::{Options, check};

#[derive(Parser)]
#[command(about = "What a check of a store costs")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes a store: rows of 150 bytes and 1 KiB, some large values, and snapshots with rows overwritten after each.
    Make {
        file: PathBuf,
        /// Size without snapshots, about.
        #[arg(long, default_value_t = 1024)]
        mib: u64,
        #[arg(long, default_value_t = 0)]
        snapshots: u64,
        /// Random rows that are overwritten after each snapshot.
        #[arg(long, default_value_t = 50)]
        rows: u64,
    },
    /// Times checks.
    Time {
        file: PathBuf,
        /// Drop the file from the system's cache first, each time, and read it in order for comparison.
        #[arg(long)]
        cold: bool,
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Make { file, mib, snapshots, rows } => store::make(&file, mib << 20, snapshots, rows),
        Verb::Time { file, cold, rounds } => time(&file, cold, rounds.max(1)),
    }
}

fn time(path: &Path, cold: bool, rounds: u32) -> Result<()> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let bytes = file.metadata()?.len();
    // So that the first round is none that reads from the disk.
    if !cold {
        read(path)?;
    }
    let mut best = [Duration::MAX; 3];
    let mut pages = 0;
    for _ in 0..rounds {
        best[0] = best[0].min(sum());
        if cold {
            drop_from_cache(&file)?;
        }
        best[1] = best[1].min(read(path)?);
        if cold {
            drop_from_cache(&file)?;
        }
        let start = Instant::now();
        let report = check(path, &Options::default())?;
        best[2] = best[2].min(start.elapsed());
        ensure!(report.is_clean(), "not sound: {report}");
        pages = report.pages_checked;
    }
    let [sum, read, check] = best.map(|time| time.as_secs_f64());
    println!("best of {rounds}, {}", if cold { "nothing in the system's cache" } else { "warm" });
    println!("checksum of memory, one thread  {:6.2} GB/s", SUMMED as f64 / sum / 1e9);
    println!("file read in order              {:6.2} GB/s  {read:.3} s", bytes as f64 / read / 1e9);
    println!(
        "check                           {:6.2} GB/s  {check:.3} s",
        pages as f64 * 4096.0 / check / 1e9
    );
    println!("  a page                        {:6.3} us, of {pages}", check / pages as f64 * 1e6);
    println!(
        "  peak memory                   {:6} MB",
        peak_memory_bytes().unwrap_or(0) / 1_000_000
    );
    Ok(())
}

/// Memory that is summed: more than any cache holds.
const SUMMED: usize = 256 << 20;

fn sum() -> Duration {
    let memory = vec![1; SUMMED];
    let start = Instant::now();
    for page in memory.chunks(4096) {
        black_box(crc32fast::hash(page));
    }
    start.elapsed()
}

fn read(path: &Path) -> Result<Duration> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let start = Instant::now();
    while file.read(&mut buffer)? > 0 {}
    Ok(start.elapsed())
}

#[cfg(target_os = "linux")]
fn drop_from_cache(file: &File) -> Result<()> {
    file.sync_all()?;
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn drop_from_cache(_: &File) -> Result<()> {
    anyhow::bail!("only Linux can be asked to drop a file from its cache")
}
