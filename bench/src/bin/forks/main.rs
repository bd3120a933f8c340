//! What a fork costs, and what it puts off: the page-table module with tables copied and shared,
//! beside the operating system's own `fork`, on the same sizes in the same run.
//!
//! ```text
//! cargo run --release -p cowslip-bench --bin forks
//! ```
//!
//! The module is a model: it walks and copies tables and pages as a kernel does, in safe code and
//! without page tables of the processor, so its times are its own; what can be compared is how they
//! grow, and the counts. The operating system's are times of real processes.

#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "a real fork of real memory is measured, which safe code has no words for"
)]
mod kernel;
mod model;
mod stored;

use std::time::Duration;

use cowslip::vm::ForkMode;

/// Pages of an address space, and how many of them, evenly spread, are touched.
#[derive(Clone, Copy)]
struct Size {
    pages: u64,
    touched: u64,
}

/// What a child cost that wrote some of its pages.
#[derive(Clone, Copy, Default)]
struct Cost {
    fork: Duration,
    writes: Duration,
    faults: u64,
    page_copies: u64,
    table_copies: u64,
}

const MIB: u64 = 256;
const GIB: u64 = 1024 * MIB;
/// Each figure is the median of so many forks.
const REPETITIONS: usize = 7;

fn main() {
    println!("fork alone, median of {REPETITIONS}\n");
    println!("| address space | touched | model, copied | model, shared | this kernel |");
    println!("|---:|---:|---:|---:|---:|");
    let sparse = [MIB * 4, MIB * 64, GIB, 16 * GIB, 256 * GIB, 1024 * GIB];
    let sparse = sparse.map(|pages| Size { pages, touched: 1024.min(pages) });
    let dense = [64 * MIB, GIB, 4 * GIB].map(|pages| Size { pages, touched: pages });
    for size in sparse.into_iter().chain(dense) {
        let eager = model::measure(size, ForkMode::Eager, 0, REPETITIONS);
        let shared = model::measure(size, ForkMode::Shared, 0, REPETITIONS);
        println!(
            "| {} | {} | {} | {} | {} |",
            bytes(size.pages),
            bytes(size.touched),
            time(eager.fork),
            time(shared.fork),
            kernel(size, 0).map_or_else(|| "–".to_owned(), |cost| time(cost.fork)),
        );
    }

    let size = Size { pages: GIB, touched: GIB };
    println!("\nwhat is put off: {} touched, the child writes a part of it\n", bytes(size.touched));
    println!("| written | by | fork | writes | faults | tables copied | pages copied |");
    println!("|---:|---|---:|---:|---:|---:|---:|");
    for percent in [0, 1, 10, 100] {
        let written = size.touched * percent / 100;
        let rows = [
            ("model, copied", Some(model::measure(size, ForkMode::Eager, written, 1))),
            ("model, shared", Some(model::measure(size, ForkMode::Shared, written, 1))),
            ("this kernel", kernel(size, written)),
        ];
        for (name, cost) in rows {
            let Some(cost) = cost else { continue };
            let copies = match name {
                "this kernel" => ("–".to_owned(), "–".to_owned()),
                _ => (cost.table_copies.to_string(), cost.page_copies.to_string()),
            };
            println!(
                "| {percent} % | {name} | {} | {} | {} | {} | {} |",
                time(cost.fork),
                time(cost.writes),
                cost.faults,
                copies.0,
                copies.1
            );
        }
    }

    let folder = tempfile::tempdir_in(".").expect("a folder here");
    for mode in [ForkMode::Eager, ForkMode::Shared] {
        println!("\na machine with {} in a database (fork: {mode:?})\n", bytes(size.touched));
        println!("| stored | time | pages of memory | tables | pages shared | bytes written |");
        println!("|---|---:|---:|---:|---:|---:|");
        let rows = stored::measure(size, mode, folder.path());
        for row in rows.expect("a database that works") {
            println!(
                "| {} | {} | {} | {} | {} | {} KiB |",
                row.what,
                time(row.time),
                row.stored.memory,
                row.stored.tables,
                row.stored.shared,
                row.written >> 10
            );
        }
    }

    println!("\nfaults of several processes at once (copies of pages that a parent shares)\n");
    println!("| threads | tables copied by fork | tables shared |");
    println!("|---:|---:|---:|");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in (0..).map(|power| 1 << power).take_while(|threads| *threads <= processors) {
        let rate = |mode| model::parallel(threads, mode) / 1e6;
        println!(
            "| {threads} | {:.2} M/s | {:.2} M/s |",
            rate(ForkMode::Eager),
            rate(ForkMode::Shared)
        );
    }
}

#[cfg(target_os = "linux")]
fn kernel(size: Size, written: u64) -> Option<Cost> {
    kernel::measure(size, written, REPETITIONS)
}

#[cfg(not(target_os = "linux"))]
fn kernel(_: Size, _: u64) -> Option<Cost> {
    None
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{:.2} µs", seconds * 1e6),
    }
}

fn bytes(pages: u64) -> String {
    match pages {
        pages if pages >= 1024 * GIB => format!("{} TiB", pages / (1024 * GIB)),
        pages if pages >= GIB => format!("{} GiB", pages / GIB),
        pages => format!("{} MiB", pages / MIB),
    }
}
