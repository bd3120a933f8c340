//! Runs the harness on redb, and tells what it finds.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use cowslip_foreign::{
    ENGINE,
    hunt::{Find, Hunt, Outcome},
};

const USAGE: &str = "\
usage: cowslip-foreign [options]

  --seconds N        for so long (60)
  --seed N           of all choices (1)
  --threads N        (all cores)
  --all N            first, all histories of up to N operations (2); then, random ones
  --depth N          the power fails so often again during a recovery (1)
  --nested-one-in N  in one recovery of N (50)
  --faults-one-in N  one recovery of N is tried again on disks that fail (30)
  --power-cuts-only  no disks that fail
  --fine             writes are torn between any eight bytes, not only between sectors
  --harsh            garbage in sectors that were being written, and disks that lie
  --ignore-check     what check_integrity says does not count
  --keep FOLDER      the disk of each kind of violation goes into a file there";

struct Args {
    hunt: Hunt,
    keep: Option<PathBuf>,
}

fn parse() -> Option<Args> {
    let mut hunt = Hunt {
        time: Duration::from_secs(60),
        seed: 1,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        nested_one_in: 50,
        faults_one_in: 30,
        harsh: false,
        fine: false,
        check: true,
        depth: 1,
        all: 2,
        shrink: Duration::from_secs(10),
    };
    let mut keep = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match &*arg {
            "--seconds" => hunt.time = Duration::from_secs(args.next()?.parse().ok()?),
            "--seed" => hunt.seed = args.next()?.parse().ok()?,
            "--threads" => hunt.threads = args.next()?.parse().ok()?,
            "--depth" => hunt.depth = args.next()?.parse().ok()?,
            "--all" => hunt.all = args.next()?.parse().ok()?,
            "--nested-one-in" => hunt.nested_one_in = args.next()?.parse().ok()?,
            "--faults-one-in" => hunt.faults_one_in = args.next()?.parse().ok()?,
            "--power-cuts-only" => hunt.faults_one_in = 0,
            "--harsh" => hunt.harsh = true,
            "--fine" => hunt.fine = true,
            "--ignore-check" => hunt.check = false,
            "--keep" => keep = Some(args.next()?.into()),
            _ => return None,
        }
    }
    Some(Args { hunt, keep })
}

fn main() -> ExitCode {
    let Some(Args { hunt, keep }) = parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("{ENGINE}, seed {}, for {:?}", hunt.seed, hunt.time);
    // Panics are findings, told in their place.
    std::panic::set_hook(Box::new(|_| {}));
    let (said, number) = (AtomicU64::new(0), AtomicU64::new(0));
    let found = |find: &Find| {
        let number = number.fetch_add(1, Ordering::Relaxed) + 1;
        tell(number, find);
        if let Some(folder) = &keep {
            let path = folder.join(format!("violation-{number}.img"));
            if let Err(error) = std::fs::write(&path, find.violation.image.to_vec()) {
                eprintln!("{}: {error}", path.display());
            }
        }
    };
    let watch = |outcome: &Outcome| {
        let now = outcome.time.as_secs() / 10;
        if said.fetch_max(now, Ordering::Relaxed) < now {
            summary(outcome);
        }
    };
    match hunt.run(found, watch) {
        Ok(outcome) => {
            println!("\nin all:");
            summary(&outcome);
            for (kind, count) in &outcome.kinds {
                println!("{count:>8}  {kind}");
            }
            ExitCode::from(u8::from(!outcome.kinds.is_empty()))
        }
        Err(failure) => {
            eprintln!("it does not even live: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn tell(number: u64, find: &Find) {
    let on = if find.furnished { "in use" } else { "new" };
    println!("\nviolation {number}: {}", find.kind);
    println!("  on a database {on}, exploration seed {}", find.seed);
    find.ops.iter().for_each(|op| println!("  {op:?}"));
    println!("  => {}\n", find.violation);
}

fn summary(outcome: &Outcome) {
    let report = &outcome.report;
    println!(
        "{:>5.0} s: {} histories, {} cuts, {} images, {} recoveries ({:.0}/s), {} distinct, \
         {} nested, {} on failing disks, {} violations of {} kinds",
        outcome.time.as_secs_f64(),
        outcome.histories,
        report.cuts,
        report.images,
        report.recoveries,
        report.recoveries as f64 / outcome.time.as_secs_f64(),
        report.distinct,
        report.nested,
        report.faulted,
        outcome.kinds.iter().map(|kind| kind.1).sum::<u64>(),
        outcome.kinds.len(),
    );
}
