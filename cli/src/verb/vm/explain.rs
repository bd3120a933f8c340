//! The faults of an operation, step by step. Of many alike in a row the first is told.

use std::io::{self, Write};

use cowslip::vm::Fault;

pub(super) fn print(out: &mut impl Write, faults: &[Fault]) -> io::Result<()> {
    for alike in faults.chunk_by(|a, b| a.action == b.action && a.owners == b.owners) {
        let Some(first) = alike.first() else { continue };
        for (number, step) in first.steps().into_iter().enumerate() {
            writeln!(out, "    {} {step}", number + 1)?;
        }
        if let (more @ 1.., Some(last)) = (alike.len() - 1, alike.last()) {
            writeln!(out, "      and {more} more like it, the last at page {:#x}", last.page)?;
        }
    }
    Ok(())
}
