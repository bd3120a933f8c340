//! A broken promise as a person reads it: every call to the disk, what became of it, and where the
//! power failed.
//!
//! ```text
//! event  call                                  what stands there        after the power cut
//!        -- put t0 k1 --
//!    12  write of 4096 bytes at 65536          page 16, node, level 0   survived
//!    13  sync
//!        -- commit --
//!    14  durable write of 4096 bytes at 98304  log block 3              torn
//!        ======== the power fails here ========
//! ```

use std::fmt::Write;

use cowslip_pager::storage::simulated::{Event, History, Image};

use crate::{
    campaign::Failing,
    engine::Engine,
    explore::{Fate, Violation},
    witness::{self, Mark},
};

/// So many events before the power cut are shown.
const SHOWN: usize = 400;

/// Draws it.
pub fn draw<E: Engine>(engine: &E, failing: &Failing<E>) -> String {
    let mut out = format!("{}: {}\n", engine.name(), failing.violation.what.trim_end());
    let begins = failing.begins.iter().copied().zip(&failing.case.ops).collect::<Vec<_>>();
    life(engine, &failing.history, &begins, &failing.violation, &mut out);
    out
}

fn life<E: Engine>(
    engine: &E,
    history: &History,
    begins: &[(usize, &E::Op)],
    violation: &Violation,
    out: &mut String,
) {
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line("");
    line(&format!(
        "{:>6}  {:44} {:30} {}",
        "event", "call", "what stands there", "after the power cut"
    ));
    let events = history.events();
    let end = violation.event.min(events.len());
    let first = end.saturating_sub(SHOWN);
    if first > 0 {
        line(&format!("        ({first} earlier events are left out)"));
    }
    let mut image = history.start().clone();
    let begun = |number: usize| begins.iter().filter(move |begin| begin.0 == number);
    for number in 0..=end {
        if number >= first {
            begun(number).for_each(|(_, op)| line(&format!("        -- {op:?} --")));
        }
        // Of all calls only a durable write has an effect as long as it runs.
        let under_way = number == end;
        let Some(event) = events.get(number) else { break };
        if under_way && !matches!(event, Event::WriteDurable { .. }) {
            break;
        }
        let fate = violation.fates.iter().find(|fate| fate.0 == number).map(|fate| match fate.1 {
            Fate::Survived => "survived",
            Fate::Lost => "lost",
            Fate::Torn => "torn",
        });
        let (call, place) = describe(engine, &mut image, event);
        if number >= first {
            line(&format!("{number:>6}  {call:44} {place:30} {}", fate.unwrap_or_default()));
        }
    }
    if violation.event == usize::MAX {
        line("        ======== here it went wrong, without a power cut ========");
        return;
    }
    line("        ======== the power fails here ========");
    let window = &violation.window;
    line(&format!(
        "The disk is {} bytes long. Versions {} to {} may be found on it.",
        violation.length, window.durable, window.attempted
    ));
    if let Some(fault) = &violation.fault {
        line(&format!("The disk fails or lies during the recovery: {fault}."));
    }
    if let Some(nested) = &violation.nested {
        line("");
        line(
            "The recovery, in which the power fails again (version 0 is what it finds, 1 what it writes):",
        );
        life(engine, &nested.0, &[], &nested.1, out);
    }
}

/// The call, and what stands at its place afterwards.
fn describe<E: Engine>(engine: &E, image: &mut Image, event: &Event) -> (String, String) {
    let mut write = |how: &str, offset: u64, data: &[u8]| {
        image.write(data, offset);
        (format!("{how} of {} bytes at {offset}", data.len()), engine.place(image, offset))
    };
    match event {
        Event::Write { offset, data } => write("write", *offset, data),
        Event::WriteDurable { offset, data } => write("durable write", *offset, data),
        Event::SetLen(length) => {
            image.set_len(*length);
            (format!("length becomes {length}"), String::new())
        }
        Event::Sync => ("sync".into(), String::new()),
        Event::FailedSync(_) => ("sync, which fails".into(), String::new()),
        Event::Note(note) => {
            let (version, mark) = witness::read_mark(*note);
            let mut text = format!("  version {version} ");
            let _ = match mark {
                Mark::Attempted => write!(text, "is attempted"),
                Mark::Durable => write!(text, "is acknowledged as durable"),
                Mark::Eventual => write!(text, "is acknowledged: survives the process"),
                Mark::Nothing => write!(text, "is acknowledged: in memory"),
            };
            (text, String::new())
        }
    }
}
