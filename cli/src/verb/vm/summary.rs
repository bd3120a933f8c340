//! A table of what each process did, and of what the machine paid for it.

use std::io::{self, Write};

use cowslip::vm::{Tally, trace::Player};

use crate::output::grouped;

/// A column: its heading, and what it counts.
type Column = (&'static str, fn(&Tally) -> u64);

const COLUMNS: [Column; 8] = [
    ("faults", |tally| tally.minor + tally.major),
    ("zeroed", |tally| tally.zero_filled + tally.zero_broken),
    ("copied", |tally| tally.copied + tally.merged_copied + tally.file_copied + tally.file_broken),
    ("reused", |tally| tally.reused),
    ("mapped", |tally| tally.zero_mapped + tally.file_mapped),
    ("swapped", |tally| tally.swapped_in + tally.swapped_out),
    ("merged", |tally| tally.merged),
    ("tables copied", |tally| tally.table_copies),
];

pub(super) fn print(out: &mut impl Write, player: &Player) -> io::Result<()> {
    let machine = player.machine();
    writeln!(out)?;
    write!(out, "{:<12}", "process")?;
    for (heading, _) in COLUMNS {
        write!(out, " {heading:>13}")?;
    }
    writeln!(out)?;
    for pid in machine.processes() {
        let tally = machine.tally(pid);
        write!(out, "{:<12}", player.name(pid))?;
        for (_, count) in COLUMNS {
            write!(out, " {:>13}", grouped(count(&tally)))?;
        }
        match machine.killed_by(pid) {
            Some(signal) => writeln!(out, "   killed: {signal}")?,
            None => writeln!(out)?,
        }
    }
    let (frames, commit) = (machine.frames(), &machine.commit);
    let replaced = machine.replaced();
    if replaced != Default::default() {
        writeln!(
            out,
            "\nreplaced: {} frames, {} of them written to swap; {} entries changed, {} spared",
            grouped(replaced.frames),
            grouped(replaced.written),
            grouped(replaced.entries),
            grouped(replaced.spared)
        )?;
    }
    let fragments = machine.fragments();
    writeln!(
        out,
        "\nframes {} of {}   pages copied {}   promised {} pages, limit {}\n\
         free for huge pages {:.1} %   largest block 2^{} frames",
        grouped(frames.used().into()),
        grouped(frames.limit().into()),
        grouped(frames.copies()),
        grouped(commit.promised()),
        grouped(commit.limit()),
        100.0 * (1.0 - fragments.unusable(9)),
        fragments.blocks.iter().rposition(|blocks| *blocks > 0).unwrap_or(0)
    )
}
