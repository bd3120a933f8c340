//! An operation in a few words: what it was, and what it cost.

use cowslip::vm::{
    ForkMode, Tally,
    trace::{Answer, Call, Operation},
};

use super::panel::Step;
use crate::output::grouped;

/// A count, and the word for it.
type Effect = (fn(&Tally) -> u64, &'static str);

/// The dearest first: there is room for few.
const EFFECTS: [Effect; 9] = [
    (|tally| tally.table_copies, "tables copied"),
    (|tally| tally.copied + tally.merged_copied + tally.file_copied + tally.file_broken, "copied"),
    (|tally| tally.zero_filled + tally.zero_broken, "zeroed"),
    (|tally| tally.reused, "reused"),
    (|tally| tally.swapped_in, "swapped in"),
    (|tally| tally.swapped_out, "swapped out"),
    (|tally| tally.zero_mapped + tally.file_mapped, "mapped"),
    (|tally| tally.merged, "merged"),
    (|tally| tally.dropped, "dropped"),
];

/// Most effects that are named.
const NAMED: usize = 2;

pub(super) fn step(operation: &Operation, answer: &Answer, fork: ForkMode) -> Step {
    let mut words = Vec::new();
    if let Some(tables) = answer.child_tables {
        let how = match fork {
            _ if matches!(operation.call, Call::Vfork { .. } | Call::Spawn { .. }) => "",
            ForkMode::Eager => " copied",
            ForkMode::Shared => " shared",
        };
        words.push(format!("{} tables{how}", grouped(tables)));
    }
    if let Some(tally) = &answer.tally {
        let counts = EFFECTS.iter().map(|(count, word)| (count(tally), word));
        let counted = counts.filter(|(count, _)| *count > 0).take(NAMED);
        words.extend(counted.map(|(count, word)| format!("{} {word}", grouped(count))));
    }
    if let Some(merged) = &answer.merged {
        let pages = merged.shared + merged.sharing;
        words.push(format!("{} pages, {} frames", grouped(pages), grouped(merged.shared)));
    }
    words.extend(answer.signal.flatten().map(|signal| signal.to_string()));
    words.extend(answer.errno.map(|errno| errno.to_string()));
    let quiet = words.is_empty() && matches!(operation.call, Call::Touch { .. });
    Step { text: operation.text.clone(), effect: words.join(", "), quiet }
}
