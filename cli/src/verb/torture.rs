//! `torture`: lives of a database on a simulated disk, the power cut wherever it can be.

use std::{
    io::Write,
    num::{NonZeroU64, NonZeroUsize},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cowslip_harness::{
    Op,
    campaign::{Campaign, Case, Failing, Progress, Starts, run as run_campaign, try_life},
    cowslip::Cowslip,
    explore::Seen,
    shrink::shrink,
    timeline,
};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, NOT_FOUND, Outcome};
use crate::output::{self, grouped};
use crate::progress;

/// Cut the power of a simulated disk wherever it can be cut, and see that nothing is lost
///
/// Databases live short and long lives on a simulated disk. At every call to the disk the power
/// fails, and every state that the disk can be left in is recovered, checked, written on and closed:
/// any subset of the unsynced writes, torn into sectors, with garbage, with any length; some
/// recoveries are cut short as well, or run on a disk that fails or lies. docs/fault-model.md says what
/// is promised then. Ctrl-C ends it with a report of what was done. Exit status 1: a promise was broken;
/// 130: it was interrupted.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The first seed; printed, if it is not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The end
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Go on until so many distinct images have been recovered, however long that takes
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    images: Option<NonZeroU64>,
    /// First all histories of up to so many operations
    #[arg(long, value_name = "N", default_value_t = 2)]
    short: usize,
    /// By turns with them, random histories of so many operations, each with a seed one higher than the last
    #[arg(long, value_name = "N", default_value_t = 60)]
    long: usize,
    /// Bytes that the disk writes whole
    #[arg(long, value_name = "N", default_value = "512", value_parser = ["512", "4096"])]
    sector: String,
    /// Bytes of a page
    #[arg(long, value_name = "N", default_value_t = 4096)]
    page_size: usize,
    /// Threads; as many as there are processors, if not given
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Where a case that breaks a promise is kept
    #[arg(long, value_name = "FOLDER", default_value = "cowslip-torture")]
    keep: PathBuf,
    /// Repeat a case that was kept: its case.json
    #[arg(long, value_name = "FILE", exclusive = true)]
    replay: Option<PathBuf>,
}

/// What shells report of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// A case as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    engine: Cowslip,
    #[serde(flatten)]
    case: Case<Op>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    // A broken promise is reported with all that is known; a panic's own message adds nothing.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(file) = &args.replay {
        return replay(file);
    }
    let engine = Cowslip { page_size: args.page_size, ..Cowslip::default() };
    if !args.page_size.is_power_of_two() || !(4096..=65536).contains(&args.page_size) {
        return Err(Failure::Usage(format!("{} is no page size", args.page_size)));
    }
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()) << 32 | clock());
    let campaign = campaign(args, seed);
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::Other(format!("waiting for Ctrl-C: {error}")))?;
    let mut out = output::stdout();
    writeln!(out, "seed {seed}, {} threads", campaign.threads)?;
    out.flush()?;
    let bar = progress::spinner("cutting the power");
    // What was done before a violation ended it.
    let last = Mutex::new(Progress::default());
    let result = run_campaign(&engine, &campaign, |progress| {
        if let Ok(mut last) = last.lock() {
            *last = *progress;
        }
        if interrupted.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        if bar.is_hidden() {
            return ControlFlow::Continue(());
        }
        let histories = match progress.of {
            Some(of) => format!("{} of {of}", progress.histories),
            None => progress.histories.to_string(),
        };
        let rate = per_second(progress.report.recoveries, progress.time);
        bar.set_message(format!(
            "{histories} histories, {} images, {} recovered ({rate}/s), {:.0} s",
            grouped(progress.report.images),
            grouped(progress.report.recoveries),
            progress.time.as_secs_f64(),
        ));
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    match result {
        Ok(progress) => {
            print_report(&mut out, &progress, 0)?;
            let interrupted = interrupted.load(Ordering::Relaxed);
            if interrupted {
                writeln!(out, "interrupted before the end")?;
            }
            out.flush()?;
            Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
        }
        Err(failing) => {
            let what = failing.violation.what.lines().next().unwrap_or_default();
            if let Ok(last) = last.into_inner() {
                print_report(&mut out, &last, 1)?;
            }
            writeln!(out, "  {what}\nmaking it shorter ...")?;
            out.flush()?;
            let shorter = shortened(&engine, failing, Duration::from_secs(120));
            keep(&args.keep, &engine, &shorter)?;
            let folder = args.keep.display();
            writeln!(out, "{} operations are left\n", shorter.case.ops.len())?;
            writeln!(out, "{}", timeline::draw(&engine, &shorter))?;
            writeln!(out, "kept in {folder}: timeline.txt, image.cow (the disk), case.json")?;
            writeln!(out, "to replay: cowslip torture --replay {folder}/case.json")?;
            out.flush()?;
            Ok(ExitCode::from(NOT_FOUND))
        }
    }
}

fn campaign(args: &Args, seed: u64) -> Campaign {
    let sector = match args.sector.as_str() {
        "4096" => cowslip::storage::simulated::SectorSize::B4096,
        _ => cowslip::storage::simulated::SectorSize::B512,
    };
    let mut campaign = Campaign::short(args.short, seed);
    campaign.lives = None;
    campaign.long = args.long;
    campaign.time = args.images.is_none().then(|| Duration::from_secs(args.seconds));
    campaign.distinct = args.images.map(NonZeroU64::get);
    campaign.options.sector = sector;
    campaign.long_options.sector = sector;
    if let Some(jobs) = args.jobs {
        campaign.threads = jobs.get();
    }
    campaign
}

fn print_report(out: &mut impl Write, progress: &Progress, violations: u32) -> std::io::Result<()> {
    let report = &progress.report;
    let seconds = progress.time.as_secs_f64();
    writeln!(out, "histories   {:>14}", grouped(progress.histories))?;
    writeln!(out, "power cuts  {:>14}", grouped(report.cuts))?;
    writeln!(out, "images      {:>14}   whose fate is known", grouped(report.images))?;
    let distinct = grouped(report.distinct);
    writeln!(out, "recoveries  {:>14}   {distinct} of them distinct", grouped(report.recoveries))?;
    writeln!(out, "  nested    {:>14}   cut again while they ran", grouped(report.nested))?;
    let older = grouped(report.older);
    let faulted = grouped(report.faulted);
    writeln!(out, "  on faulty disks {faulted:>8}   {older} of them came to an older commit")?;
    let rate = per_second(report.recoveries, progress.time);
    writeln!(out, "time        {seconds:>12.1} s   {rate} recoveries a second")?;
    writeln!(out, "violations  {violations:>14}")
}

fn per_second(count: u64, time: Duration) -> String {
    grouped((count as f64 / time.as_secs_f64().max(0.001)) as u64)
}

/// A number that differs from run to run.
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| u64::from(since.subsec_nanos()))
}

fn shortened(
    engine: &Cowslip,
    failing: Box<Failing<Cowslip>>,
    time: Duration,
) -> Box<Failing<Cowslip>> {
    let Ok(starts) = Starts::new(engine) else { return failing };
    let spinner = progress::spinner("making it shorter");
    let until = Instant::now() + time;
    let shorter = shrink(engine, &starts, failing, until, |left| {
        spinner.set_message(format!("{left} operations"));
    });
    spinner.finish_and_clear();
    shorter
}

fn keep(folder: &Path, engine: &Cowslip, failing: &Failing<Cowslip>) -> Result<(), Failure> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes)
            .map_err(|error| Failure::Other(format!("{}: {error}", path.display())))
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::Other(format!("{}: {error}", folder.display())))?;
    let kept = Kept { engine: engine.clone(), case: failing.case.clone() };
    let case = serde_json::to_vec_pretty(&kept)
        .map_err(|error| Failure::Other(format!("writing the case: {error}")))?;
    write("case.json", &case)?;
    write("image.cow", &failing.violation.image.to_vec())?;
    write("timeline.txt", timeline::draw(engine, failing).as_bytes())
}

fn replay(file: &Path) -> Outcome {
    let other =
        |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| other(&error))?;
    let Kept { engine, case } = serde_json::from_slice(&bytes).map_err(|error| other(&error))?;
    let starts = Starts::new(&engine).map_err(|error| other(&error))?;
    let mut out = output::stdout();
    let status = match try_life(&engine, &starts, case, &Seen::default()) {
        Ok(report) => {
            let (images, recoveries) = (grouped(report.images), grouped(report.recoveries));
            writeln!(out, "violations: 0 ({images} images, {recoveries} recoveries)")?;
            ExitCode::SUCCESS
        }
        Err(failing) => {
            writeln!(out, "violations: 1\n\n{}", timeline::draw(&engine, &failing))?;
            ExitCode::from(NOT_FOUND)
        }
    };
    out.flush()?;
    Ok(status)
}
