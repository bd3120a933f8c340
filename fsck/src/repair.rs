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
mod log;
mod loss;
mod map;
mod node;
mod record;
mod sources;
mod trees;
mod work;

use std::{
    fmt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use cowslip_pager::{storage::Storage, superblock::Superblock};
use serde::Serialize;

use crate::{
    Error, Options, Report,
    check::{self, PageMap},
    problem::{Kind, Remedy},
    walk::Roles,
};

pub use log::LogCut;
pub use loss::{Loss, Refill};
use trees::Rebuild;
use work::{Halt, Work};

/// The table of the branch `main` where a lossy repair writes down what it did.
pub const REPAIR_TABLE: &str = "cowslip.repair";

/// Most rows that one repair writes down.
const ROWS_MAX: usize = 10_000;

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

/// A repair that is ready to be written.
struct Plan<'a> {
    work: Work<'a>,
    superblock: Superblock,
    durable: std::collections::HashSet<u64>,
    losses: Vec<Loss>,
    log: Option<LogCut>,
    older: bool,
    unverifiable: Vec<u64>,
    /// There was no `main`.
    made_main: bool,
}

impl Plan<'_> {
    fn loses(&self) -> bool {
        self.losses.iter().any(Loss::loses)
            || self.log.is_some()
            || self.older
            || self.made_main
            || !self.unverifiable.is_empty()
    }
}

/// Problems that a repair with losses only can put right, before any tree is looked at.
fn needs_loss(report: &Report) -> bool {
    const KINDS: [Kind; 8] = [
        Kind::SuperblockSlot,
        Kind::SuperblocksDisagree,
        Kind::LogDamaged,
        Kind::LogNewer,
        Kind::LogUnreadable,
        Kind::ReplayFailed,
        Kind::ReplayPanicked,
        Kind::ReplayInconsistent,
    ];
    KINDS.iter().any(|kind| report.counts.contains_key(kind)) || slot_lost(report)
}

/// Problems for which nodes are written anew that several branches may own.
fn rewrites(report: &Report) -> bool {
    const KINDS: [Kind; 5] = [
        Kind::EntryCount,
        Kind::ChildStamp,
        Kind::NodeStructure,
        Kind::RecordStamp,
        Kind::YoungShared,
    ];
    KINDS.iter().any(|kind| report.counts.contains_key(kind))
}

/// A slot of which no copy counts, because of what its fields say.
fn slot_lost(report: &Report) -> bool {
    report.counts.get(&Kind::SuperblockField).is_some_and(|&count| count > 1)
}

pub(crate) fn run(storage: &dyn Storage, options: &RepairOptions<'_>) -> Result<Repaired, Error> {
    let check = Options { progress: options.progress, ..Options::default() };
    let before = crate::check_storage(storage, &check)?;
    if before.is_clean() {
        return Ok(Repaired::untouched(before, None));
    }
    if before.counts.contains_key(&Kind::SuperblocksLost) {
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

/// A plan with losses that passes the check. Where the log does not replay on what is left, it keeps as much
/// of it as does.
fn lossy_plan<'a>(
    storage: &'a dyn Storage,
    before: &Report,
    options: &Options<'_>,
) -> Result<Result<(Plan<'a>, Report), Halt>, Error> {
    let attempt = |limit| -> Result<Result<(Plan<'a>, Report), Halt>, Error> {
        let plan = match plan(storage, before, true, limit)? {
            Ok(plan) => plan,
            Err(halt) => return Ok(Err(halt)),
        };
        let after = crate::check_storage(&plan.work.laid(), options)?;
        Ok(if after.is_clean() { Ok((plan, after)) } else { Err(Halt::Unsound) })
    };
    let whole = attempt(None)?;
    if !matches!(whole, Err(Halt::Unsound)) || before.log_records == 0 {
        return Ok(whole);
    }
    // The most records that still replay: some do not, and none does no harm.
    let (mut low, mut high) = (0, before.log_records);
    let mut best = attempt(Some(0))?;
    while best.is_ok() && low + 1 < high {
        let middle = low.midpoint(high);
        match attempt(Some(middle))? {
            Ok(better) => (low, best) = (middle, Ok(better)),
            Err(_) => high = middle,
        }
    }
    Ok(best)
}

fn plan<'a>(
    storage: &'a dyn Storage,
    before: &Report,
    lossy: bool,
    limit: Option<u64>,
) -> Result<Result<Plan<'a>, Halt>, Error> {
    let options = Options::default();
    let Some(mut check) = check::begin(storage, &options)? else { return Ok(Err(Halt::NoNames)) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let old = check.superblock.clone();
    let salt = u64::from(now.subsec_nanos()) ^ now.as_secs() << 7;
    let work = Work::new(storage, check.length, check.geometry, old.clone(), salt);
    let mut work = match work {
        Ok(work) => work,
        Err(halt) => return Ok(Err(halt)),
    };
    let mut map = PageMap::read(&mut check);
    let durable = work.durable_map(&map);
    let mut superblock = Superblock {
        checkpoint: old.checkpoint + 1,
        stamp: work.stamp,
        stamp_ceiling: work.stamp + (1 << 32),
        ..old.clone()
    };
    let old_pages = old.pages;
    let older = lossy
        && (slot_lost(before)
            || [Kind::SuperblockSlot, Kind::SuperblocksDisagree, Kind::LogNewer]
                .iter()
                .any(|kind| before.counts.contains_key(kind)));
    let no_memory = || Error::OutOfMemory { pages: old_pages };
    // What the damage hides is known by the owners that a first walk does not meet.
    let roles = if lossy {
        let mut scratch = match Work::new(storage, check.length, check.geometry, old, salt) {
            Ok(work) => work,
            Err(halt) => return Ok(Err(halt)),
        };
        let mut survey = Rebuild::new(&mut scratch, &mut check, &mut map, false);
        let survey = survey.as_mut().ok_or_else(no_memory)?;
        if let Err(halt) = survey.names() {
            return Ok(Err(halt));
        }
        Some(std::mem::replace(&mut survey.roles, Roles::none()))
    } else {
        None
    };
    let rebuild = Rebuild::new(&mut work, &mut check, &mut map, lossy);
    let mut rebuild = rebuild.ok_or_else(no_memory)?;
    if let Some(roles) = roles {
        rebuild.lost = rebuild.find_lost(&roles);
    }
    rebuild.raise = lossy || rewrites(before);
    let mut build = || {
        let log = if lossy { rebuild.work.cut_log(&mut superblock, limit, older)? } else { None };
        let mut names = rebuild.names()?;
        if lossy && names.is_none() {
            return Err(Halt::NoNames);
        }
        let made_main = lossy && !rebuild.has_main;
        if made_main {
            names = rebuild.make_main(names, now.as_nanos() as u64)?;
        }
        let losses = std::mem::take(&mut rebuild.losses);
        let unverifiable = std::mem::take(&mut rebuild.unverifiable);
        if lossy {
            let rows =
                rows(superblock.checkpoint, now.as_secs(), &losses, log, older, &unverifiable);
            names = rebuild.note(names, rows)?;
        }
        superblock.root = names;
        rebuild.write_map(&mut superblock)?;
        Ok::<_, Halt>((losses, log, unverifiable, made_main))
    };
    let built = build();
    Ok(built.map(|(losses, log, unverifiable, made_main)| {
        work.write_superblock(&superblock);
        Plan { work, superblock, durable, losses, log, older, unverifiable, made_main }
    }))
}

/// A text that takes a bounded part of a row.
fn short(text: &str) -> String {
    if text.len() <= 120 { text.into() } else { text.chars().take(40).chain(['…']).collect() }
}

/// What is written down: rows of JSON, by checkpoint and number.
fn rows(
    checkpoint: u64,
    time: u64,
    losses: &[Loss],
    log: Option<LogCut>,
    older: bool,
    unverifiable: &[u64],
) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for loss in losses {
        let Some(range) = loss.ranges.first() else { continue };
        let states: Vec<String> =
            loss.ranges.iter().take(3).map(|range| short(&range.state)).collect();
        let about = |what: &str, from: String, to: Option<String>| {
            serde_json::json!({
                "what": what, "code": loss.code.code(), "page": loss.page, "states": states,
                "all_states": loss.ranges.len(), "table": range.table.as_deref().map(short),
                "from": short(&from), "to": to.as_deref().map(short), "time": time,
            })
        };
        if loss.own > 0 {
            let mut value = about("kept", String::new(), None);
            value["entries"] = loss.own.into();
            values.push(value);
        }
        for refill in &loss.refilled {
            let mut value = about("refilled", refill.from.clone(), refill.to.clone());
            value["source"] = short(&refill.source).into();
            value["entries"] = refill.entries.into();
            values.push(value);
        }
        if loss.missing() > 0 && loss.dropped.is_empty() {
            let to = range.to.as_deref().map(crate::report::hexadecimal);
            let from = crate::report::hexadecimal(range.from.as_deref().unwrap_or_default());
            let mut value = about("dropped", from, to);
            value["entries"] = loss.missing().into();
            values.push(value);
        }
        for (from, to) in &loss.dropped {
            let to = to.as_deref().map(crate::report::hexadecimal);
            values.push(about("dropped", crate::report::hexadecimal(from), to));
        }
    }
    if let Some(cut) = log {
        values.push(serde_json::json!({
            "what": "log cut", "kept": cut.kept, "dropped": cut.dropped, "time": time,
        }));
    }
    if older {
        let kept = checkpoint - 1;
        values.push(serde_json::json!({
            "what": "older checkpoint", "checkpoint": kept, "time": time,
        }));
    }
    for pages in unverifiable.chunks(100) {
        values.push(serde_json::json!({ "what": "unverifiable", "pages": pages, "time": time }));
    }
    values.truncate(ROWS_MAX);
    let key = |number| format!("{checkpoint:020} {number:06}");
    values.iter().enumerate().map(|(i, value)| (key(i), value.to_string())).collect()
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
