//! Repair: a sound store made of a wreck, beside it, and put in its place by one superblock.
//!
//! ```text
//! check -> superblock -> trees -> log -> map -> check -> undo file -> pages, map | SYNC | superblock
//!          '----------- in memory, over the wreck -----'              '-- the file, now --------'
//! ```
//!
//! What it promises is numbered in `docs/design.md` (17). Plain repair does what loses nothing; where data is
//! damaged it says which keys would be lost, and what would take their place, and leaves that damage as it
//! is. Lossy repair does it, and writes it down in the table [`REPAIR_TABLE`] of `main`.
//!
//! Memory: some bytes for each page of the file, and the pages that change.

mod adopt;
mod commit;
mod content;
mod damage;
mod log;
mod loss;
mod map;
pub(crate) mod node;
mod notes;
mod plan;
mod records;
mod sources;
mod trees;
mod work;

use std::{fmt, path::Path};

use cowslip_pager::storage::Storage;
use serde::Serialize;

use crate::{
    Error, Options, Report,
    problem::{Kind, Remedy},
};

pub use log::LogCut;
pub use loss::{Loss, Refill};
use plan::{Plan, lossy_plan, needs_loss, plan};
use work::Halt;

/// The table of the branch `main` where a lossy repair writes down what it did.
pub const REPAIR_TABLE: &str = "cowslip.repair";

/// How to repair.
#[derive(Clone, Copy, Default)]
pub struct RepairOptions<'a> {
    /// Also do what loses data, or takes it from another state.
    pub lossy: bool,
    /// Keep what is overwritten in this file, which must not exist.
    pub undo: Option<&'a Path>,
    /// Called now and then by the checks with the pages done and the pages there are to do.
    pub progress: Option<&'a dyn Fn(u64, u64)>,
}

impl fmt::Debug for RepairOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepairOptions")
            .field("lossy", &self.lossy)
            .field("undo", &self.undo)
            .finish_non_exhaustive()
    }
}

/// Why a repair left all, or some, as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// What is left would lose data: only a lossy repair does it.
    NeedsLossy,
    /// No superblock, or no tree of names: the data must be salvaged.
    Unreadable,
    /// The file has no room, or no number, for what must be written.
    NoRoom,
    /// What was rebuilt did not pass the check, and was thrown away.
    Unsound,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NeedsLossy => "the rest would lose data: --repair=lossy does it",
            Refusal::Unreadable => {
                "nothing is left that a repair could start from: salvage the data"
            }
            Refusal::NoRoom => "there is no room for what must be written",
            Refusal::Unsound => {
                "what was rebuilt is not sound, and was thrown away: salvage the data"
            }
        })
    }
}

/// What a repair did.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Repaired {
    /// The check before.
    pub before: Report,
    /// The check of what there is now.
    pub after: Report,
    /// Damage to data: what was lost and refilled; with `would`, what a lossy repair would lose and refill.
    pub losses: Vec<Loss>,
    /// The log was, or would be, cut.
    pub log: Option<LogCut>,
    /// An older checkpoint was, or would be, taken for the newest: transactions may be missing.
    pub older: bool,
    /// Raw pages that nothing proves, and that were, or would be, believed.
    pub unverifiable: Vec<u64>,
    /// The losses are not done, but would be.
    pub would: bool,
    /// Why not all was repaired.
    pub refusal: Option<Refusal>,
    /// Data was lost, or taken from another state.
    pub lost: bool,
    /// Blocks of 4 KiB that were written.
    pub blocks_written: u64,
}

impl Repaired {
    fn untouched(before: Report, refusal: Option<Refusal>) -> Repaired {
        Repaired {
            after: before.clone(),
            before,
            losses: Vec::new(),
            log: None,
            older: false,
            unverifiable: Vec::new(),
            would: refusal.is_some(),
            refusal,
            lost: false,
            blocks_written: 0,
        }
    }

    /// The exit status of fsck(8): 0 nothing to repair, 1 all is repaired, 4 problems are left.
    pub fn exit_code(&self) -> u8 {
        match () {
            () if !self.after.is_clean() => 4,
            () if self.before.is_clean() => 0,
            () => 1,
        }
    }

    /// The result in a line.
    pub fn verdict(&self) -> String {
        let (before, after) = (self.before.problem_count(), self.after.problem_count());
        let problems = if before == 1 { "problem" } else { "problems" };
        match self.refusal {
            None if before == 0 => "clean: nothing to repair".into(),
            None if !self.lost => format!("{before} {problems} repaired; nothing was lost"),
            None => format!(
                "{before} {problems} repaired, with losses; they are written down in table \
                 {REPAIR_TABLE:?} of main"
            ),
            Some(why) => format!("{after} of {before} {problems} left: {why}"),
        }
    }

    /// The result as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.insert("before".into(), self.before.to_json());
            object.insert("after".into(), self.after.to_json());
            object.insert("verdict".into(), self.verdict().into());
            object.insert("exit_code".into(), self.exit_code().into());
        }
        json
    }
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.before.problems {
            writeln!(f, "{problem}")?;
        }
        for loss in &self.losses {
            f.write_str(&loss.lines(self.would))?;
        }
        let be = if self.would { "would be" } else { "was" };
        if let Some(cut) = self.log {
            writeln!(
                f,
                "the log {be} cut: {} transactions kept, {} readable ones dropped",
                cut.kept, cut.dropped
            )?;
        }
        if self.older {
            writeln!(f, "checkpoint {} {be} taken for the newest", self.before.checkpoint)?;
        }
        if !self.unverifiable.is_empty() {
            let pages: Vec<String> =
                self.unverifiable.iter().take(20).map(u64::to_string).collect();
            writeln!(
                f,
                "unverifiable: {} pages, which {be} believed (pages {})",
                self.unverifiable.len(),
                pages.join(", ")
            )?;
        }
        writeln!(f, "{}", self.verdict())
    }
}

pub(crate) fn run(storage: &dyn Storage, options: &RepairOptions<'_>) -> Result<Repaired, Error> {
    let check = Options { progress: options.progress, ..Options::default() };
    let before = crate::check_storage(storage, &check)?;
    if before.is_clean() {
        return Ok(Repaired::untouched(before, None));
    }
    let lost = [Kind::SuperblocksLost, Kind::RootMissing];
    if lost.iter().any(|kind| before.counts.contains_key(kind)) {
        return Ok(Repaired::untouched(before, Some(Refusal::Unreadable)));
    }
    let mut kept = None;
    let lossless =
        if needs_loss(&before) { None } else { plan(storage, &before, false, None)?.ok() };
    if let Some(plan) = lossless {
        let after = crate::check_storage(&plan.work.laid(), &check)?;
        if after.is_clean() {
            return finish(storage, options, before, after, plan);
        }
        kept = Some((plan, after));
    }
    let lossy = match lossy_plan(storage, &before, &check)? {
        // Whatever its means: where all is found again, no leave is needed.
        Ok((plan, after)) if options.lossy || !plan.loses() => {
            return finish(storage, options, before, after, plan);
        }
        lossy => lossy,
    };
    let refusal = match &lossy {
        Ok(_) => Refusal::NeedsLossy,
        Err(Halt::NoNames) => Refusal::Unreadable,
        Err(Halt::NoRoom) => Refusal::NoRoom,
        Err(Halt::Unsound) => Refusal::Unsound,
    };
    let better = kept.filter(|(_, after)| improves(&before, after));
    let mut result = match better {
        Some((plan, after)) => finish(storage, options, before, after, plan)?,
        None => Repaired::untouched(before, None),
    };
    if let Ok((plan, _)) = lossy {
        result.losses = plan.losses;
        result.log = plan.log;
        result.older = plan.older;
        result.unverifiable = plan.unverifiable;
    }
    (result.would, result.refusal) = (true, Some(refusal));
    Ok(result)
}

/// Is all that costs nothing gone, and nothing new there?
fn improves(before: &Report, after: &Report) -> bool {
    let lossless =
        |report: &Report| report.counts.keys().any(|kind| kind.remedy() == Remedy::Lossless);
    lossless(before)
        && after.counts.iter().all(|(kind, count)| {
            kind.remedy() != Remedy::Lossless
                && before.counts.get(kind).is_some_and(|before| count <= before)
        })
}

fn finish(
    storage: &dyn Storage,
    options: &RepairOptions<'_>,
    before: Report,
    after: Report,
    plan: Plan<'_>,
) -> Result<Repaired, Error> {
    let blocks_written = plan.commit(storage, options.undo)?;
    Ok(Repaired {
        lost: plan.loses(),
        before,
        after,
        losses: plan.losses,
        log: plan.log,
        older: plan.older,
        unverifiable: plan.unverifiable,
        would: false,
        refusal: None,
        blocks_written,
    })
}
