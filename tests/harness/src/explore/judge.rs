//! One image, from its recovery to its next peaceful end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cowslip_pager::storage::{
    SimulatedStorage,
    simulated::{History, Image},
};

use crate::{
    engine::{Engine, Failure, guarded},
    witness::{Recording, Survives, Version, Witness, attempted},
};

/// What came of an image.
pub(super) struct Outcome<State> {
    /// What was found, or what went wrong.
    pub(super) found: Result<Survived<State>, Failure>,
    /// The blocks that it depended on.
    pub(super) read: Vec<usize>,
    /// What the recovery itself did to the disk.
    pub(super) history: Option<History>,
}

pub(super) struct Survived<State> {
    pub(super) state: State,
    /// The number of the transaction written after recovery.
    pub(super) next_id: Option<u64>,
}

/// No recovery of these small disks may take longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Examines, opens, reads everything, writes one commit more, closes, examines, opens again, compares.
///
/// `candidates`: how many versions the image may turn out to be, for the marks of [`as_recording`];
/// keeps the history if there are any.
///
/// What took too long by the clock is judged once more, and the second verdict stands: the process may
/// have been stopped in the middle, and a recovery that is slow is slow again.
pub(super) fn judge<E: Engine>(
    engine: &E,
    image: Image,
    created: bool,
    candidates: Option<usize>,
) -> Outcome<E::State> {
    let start = Instant::now();
    let outcome = judge_once(engine, image.clone(), created, candidates);
    if start.elapsed() > LIMIT && outcome.found.is_err() {
        return judge_once(engine, image, created, candidates);
    }
    outcome
}

fn judge_once<E: Engine>(
    engine: &E,
    image: Image,
    created: bool,
    candidates: Option<usize>,
) -> Outcome<E::State> {
    let length = image.len();
    let mut disk = SimulatedStorage::from_image(image);
    if candidates.is_none() {
        disk = disk.without_history();
    }
    let disk = Arc::new(disk);
    disk.watch_reads();
    let witness = Witness::new(disk.clone());
    let found = guarded(|| live_on(engine, &witness, created, candidates.unwrap_or(0), length));
    Outcome { found, read: disk.blocks_read(), history: candidates.map(|_| disk.history()) }
}

fn live_on<E: Engine>(
    engine: &E,
    witness: &Witness<E::State>,
    created: bool,
    candidates: usize,
    length: u64,
) -> Result<Survived<E::State>, Failure> {
    let start = Instant::now();
    let disk = witness.disk();
    // Until the opening has returned, nobody has seen which of them it is: a power cut in the middle
    // may still decide for another one.
    if created {
        disk.note(Survives::PowerCut.mark(0));
    }
    let found = candidates as u64;
    disk.note(attempted(found));
    let examine = |when: &str, result: Result<(), String>| {
        result.map_err(|what| Failure::wrong(format!("the checker, {when}: {what}")))
    };
    let during = |when: &str| {
        let when = when.to_owned();
        move |failure: Failure| Failure { text: format!("{when}: {failure}"), ..failure }
    };
    examine("before recovery", engine.examine_crashed(&**disk))?;

    let mut store = engine.open(disk).map_err(during("opening after the crash"))?;
    let state = store.read().map_err(during("reading after recovery"))?;
    disk.note(Survives::PowerCut.mark(found));
    let id = store.newest_id();
    disk.note(attempted(found + 1));
    store.write_on().map_err(during("writing after recovery"))?;
    disk.note(Survives::PowerCut.mark(found + 1));
    let next_id = store.newest_id();
    if next_id.is_some() && next_id <= id {
        let text = format!("transaction {next_id:?} was written after {id:?}");
        return Err(Failure::wrong(text));
    }
    store.close().map_err(during("closing after recovery"))?;
    examine("after recovery", engine.examine_closed(&**disk))?;

    let mut store = engine.open(disk).map_err(during("opening once more"))?;
    let again = store.read().map_err(during("reading once more"))?;
    store.close().map_err(during("closing once more"))?;
    let expected = engine.written_on(&state);
    if again != expected {
        let what = engine.difference(&expected, &again);
        return Err(Failure::wrong(format!("after one more commit: {what}")));
    }
    let bounds = 64 * length + (64 << 20);
    if start.elapsed() > LIMIT || disk.bytes_read() > bounds || disk.freeze().len() > bounds {
        return Err(Failure::wrong(format!(
            "out of bounds: {:?}, {} bytes read of a disk of {length}, which has {} now",
            start.elapsed(),
            disk.bytes_read(),
            disk.freeze().len(),
        )));
    }
    Ok(Survived { state, next_id })
}

/// A recovery as a life of its own, in which the power can fail again. Its versions are the
/// `candidates`, any of which may be found until the opening has returned; then the one that was found;
/// then what was written on it.
pub(super) fn as_recording<E: Engine>(
    engine: &E,
    earlier: Vec<E::State>,
    candidates: &[Version<E::State>],
    found: &E::State,
    history: History,
) -> Recording<E::State> {
    let states = candidates.iter().map(|version| version.state.clone());
    let states = states.chain([found.clone(), engine.written_on(found)]);
    let versions = states.map(|state| Version { state, id: None }).collect();
    Recording { history, versions, earlier }
}
