//! The page-table module's side.

use std::time::Instant;

use cowslip::vm::{Access, ForkMode, Machine, Mapping, Pid, Settings};

use crate::{Cost, Size, median};

const WRITE: Access = Access::Write { value: 1 };

/// A machine whose first process has touched so much, and where that begins.
pub(crate) fn machine(size: Size, fork: ForkMode) -> (Machine, u64) {
    let settings = Settings { fork, memory: 1 << 26, ..Settings::default() };
    let mut machine = Machine::new(settings);
    let region = Mapping { unreserved: true, ..Mapping::anonymous(size.pages) };
    let start = machine.map(Machine::FIRST, &region).unwrap_or_else(|errno| panic!("{errno}"));
    touch(&machine, Machine::FIRST, start, size, size.touched);
    (machine, start)
}

/// Writes the first `count` of the touched pages.
pub(crate) fn touch(machine: &Machine, process: Pid, start: u64, size: Size, count: u64) {
    let step = size.pages / size.touched;
    let touched = machine.touch(process, start..start + count * step, step, WRITE, &mut |_| {});
    assert!(touched.starved_at.is_none() && touched.signal.is_none(), "{touched:?}");
}

/// Forks, lets the child write, and lets it exit. The fork is the median of so many.
pub(crate) fn measure(size: Size, fork: ForkMode, written: u64, repetitions: usize) -> Cost {
    let (mut machine, start) = machine(size, fork);
    let mut cost = Cost::default();
    let mut forks = Vec::new();
    for _ in 0..repetitions {
        let begin = Instant::now();
        let child = machine.fork(Machine::FIRST).unwrap_or_else(|errno| panic!("{errno}"));
        forks.push(begin.elapsed());
        let copies = machine.frames().copies();
        let begin = Instant::now();
        touch(&machine, child, start, size, written);
        cost.writes = begin.elapsed();
        let tally = machine.tally(child);
        cost.faults = tally.minor;
        cost.table_copies = tally.table_copies;
        cost.page_copies = machine.frames().copies() - copies;
        machine.exit(child).unwrap_or_else(|errno| panic!("{errno}"));
    }
    cost.fork = median(forks);
    cost
}

/// Faults a second of so many processes, each on its own thread, that write what they share with
/// their parent. The second of two rounds: in the first the model takes its memory from the system.
pub(crate) fn parallel(threads: usize, fork: ForkMode) -> f64 {
    let size = Size { pages: 1 << 16, touched: 1 << 16 };
    let (mut machine, start) = machine(size, fork);
    let mut rate = 0.0;
    for _ in 0..2 {
        let children: Vec<Pid> = (0..threads)
            .map(|_| machine.fork(Machine::FIRST).unwrap_or_else(|errno| panic!("{errno}")))
            .collect();
        let running = &machine;
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for &child in &children {
                scope.spawn(move || touch(running, child, start, size, size.touched));
            }
        });
        let time = begin.elapsed();
        let faults: u64 = children.iter().map(|child| machine.tally(*child).minor).sum();
        rate = faults as f64 / time.as_secs_f64();
        for child in children {
            machine.exit(child).unwrap_or_else(|errno| panic!("{errno}"));
        }
    }
    rate
}
