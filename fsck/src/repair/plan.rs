//! What a repair will write, from the superblock to the rows that say what was done.

use std::{
    cell::Cell,
    collections::HashSet,
    time::{SystemTime, UNIX_EPOCH},
};

use cowslip_pager::{PageId, ScrubPass, ScrubRecord, storage::Storage, superblock::Superblock};

use super::{
    log::LogCut,
    loss::Loss,
    trees::Rebuild,
    work::{Halt, Work},
};
use crate::{
    Error, Options, Report,
    check::{self, PageMap},
    problem::Kind,
    walk::Roles,
};

/// Most rows that one repair writes down.
const ROWS_MAX: usize = 10_000;

/// A repair that is ready to be written.
pub(super) struct Plan<'a> {
    pub(super) work: Work<'a>,
    pub(super) durable: HashSet<u64>,
    pub(super) losses: Vec<Loss>,
    pub(super) log: Option<LogCut>,
    pub(super) older: bool,
    pub(super) unverifiable: Vec<u64>,
    /// There was no `main`.
    pub(super) made_main: bool,
}

impl Plan<'_> {
    pub(super) fn loses(&self) -> bool {
        self.losses.iter().any(Loss::loses)
            || self.log.is_some()
            || self.older
            || self.made_main
            || !self.unverifiable.is_empty()
    }
}

/// Problems that a repair with losses only can put right, before any tree is looked at.
pub(super) fn needs_loss(report: &Report) -> bool {
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
    KINDS.iter().any(|kind| report.counts.contains_key(kind))
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

/// A plan with losses that passes the check. Where the log does not replay on what is left, it keeps as much
/// of it as does.
pub(super) fn lossy_plan<'a>(
    storage: &'a dyn Storage,
    before: &Report,
    options: &Options<'_>,
) -> Result<Result<(Plan<'a>, Report), Halt>, Error> {
    let replays = Cell::new(true);
    let attempt = |limit| -> Result<Result<(Plan<'a>, Report), Halt>, Error> {
        let plan = match plan(storage, before, true, limit)? {
            Ok(plan) => plan,
            Err(halt) => return Ok(Err(halt)),
        };
        let after = crate::check_storage(&plan.work.laid(), options)?;
        let of_replay = [Kind::ReplayFailed, Kind::ReplayPanicked, Kind::ReplayInconsistent];
        replays.set(!of_replay.iter().any(|kind| after.counts.contains_key(kind)));
        Ok(if after.is_clean() { Ok((plan, after)) } else { Err(Halt::Unsound) })
    };
    let whole = attempt(None)?;
    if whole.is_ok() || replays.get() || before.log_records == 0 {
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

/// A store without problems, or with those that cost data: built over the wreck, in memory.
pub(super) fn plan<'a>(
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
        // What a pass under way has seen is not what stands there now.
        scrub: ScrubRecord { position: PageId::NONE, pass: ScrubPass::default(), ..old.scrub },
        ..old.clone()
    };
    let old_pages = old.pages;
    let older = lossy
        && [Kind::SuperblockSlot, Kind::SuperblocksDisagree, Kind::LogNewer]
            .iter()
            .any(|kind| before.counts.contains_key(kind));
    let no_memory = || Error::OutOfMemory { pages: old_pages };
    // What the damage hides is known by the owners that a first walk does not meet.
    let survey = if lossy {
        let mut scratch = match Work::new(storage, check.length, check.geometry, old, salt) {
            Ok(work) => work,
            Err(halt) => return Ok(Err(halt)),
        };
        let mut survey = Rebuild::new(&mut scratch, &mut check, &mut map, false);
        let survey = survey.as_mut().ok_or_else(no_memory)?;
        if let Err(halt) = survey.names() {
            return Ok(Err(halt));
        }
        let roles = std::mem::replace(&mut survey.roles, Roles::none());
        let damaged = survey.losses.iter().filter_map(|loss| loss.page).collect();
        Some((roles, damaged))
    } else {
        None
    };
    let rebuild = Rebuild::new(&mut work, &mut check, &mut map, lossy);
    let mut rebuild = rebuild.ok_or_else(no_memory)?;
    if let Some((roles, damaged)) = survey {
        rebuild.lost = rebuild.find_lost(&roles, &damaged);
    }
    rebuild.raise = lossy || rewrites(before);
    let mut build = || {
        let log = if lossy { rebuild.work.cut_log(&mut superblock, limit, older)? } else { None };
        let mut names = rebuild.names()?;
        if !lossy && !rebuild.losses.is_empty() {
            // What is behind the damage may own what a new node would replace: only the map is mended.
            names = rebuild.work.old.root;
        }
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
            let done = Done { losses: &losses, log, older, unverifiable: &unverifiable, made_main };
            names = rebuild.note(names, rows(superblock.checkpoint, now.as_secs(), &done))?;
        }
        superblock.root = names;
        rebuild.write_map(&mut superblock)?;
        Ok::<_, Halt>((losses, log, unverifiable, made_main))
    };
    let built = build();
    Ok(built.map(|(losses, log, unverifiable, made_main)| {
        work.write_superblock(&superblock);
        Plan { work, durable, losses, log, older, unverifiable, made_main }
    }))
}

/// A text that takes a bounded part of a row.
fn short(text: &str) -> String {
    if text.len() <= 120 { text.into() } else { text.chars().take(40).chain(['…']).collect() }
}

/// What a lossy repair did that costs something.
struct Done<'d> {
    losses: &'d [Loss],
    log: Option<LogCut>,
    older: bool,
    unverifiable: &'d [u64],
    made_main: bool,
}

/// What is written down: rows of JSON, by checkpoint and number.
fn rows(checkpoint: u64, time: u64, done: &Done<'_>) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for loss in done.losses {
        let Some(range) = loss.ranges.first() else { continue };
        let states: Vec<String> =
            loss.ranges.iter().take(3).map(|range| short(&range.state)).collect();
        let about = |what: &str, from: String, to: Option<String>| {
            serde_json::json!({
                "what": what, "code": loss.code.code(), "page": loss.page, "states": states,
                "all_states": loss.states, "table": range.table.as_deref().map(short),
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
    if let Some(cut) = done.log {
        values.push(serde_json::json!({
            "what": "log cut", "kept": cut.kept, "dropped": cut.dropped, "time": time,
        }));
    }
    if done.made_main {
        values.push(serde_json::json!({ "what": "made main", "time": time }));
    }
    if done.older {
        let kept = checkpoint - 1;
        values.push(serde_json::json!({
            "what": "older checkpoint", "checkpoint": kept, "time": time,
        }));
    }
    for pages in done.unverifiable.chunks(100) {
        values.push(serde_json::json!({ "what": "unverifiable", "pages": pages, "time": time }));
    }
    values.truncate(ROWS_MAX);
    let key = |number| format!("{checkpoint:020} {number:06}");
    values.iter().enumerate().map(|(i, value)| (key(i), value.to_string())).collect()
}
