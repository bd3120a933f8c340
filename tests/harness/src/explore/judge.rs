//! One image, from its recovery to its next peaceful end.

use std::{sync::Arc, time::Duration};

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

/// No recovery of these small disks may take more of a processor.
const LIMIT: Duration = Duration::from_secs(20);

/// What this thread has had of a processor so far: a machine that was busy, or a process that was
/// stopped for an hour, is no fault of the recovery.
#[cfg(unix)]
fn processor_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Where there is no such clock, the time that has passed must do.
#[cfg(not(unix))]
fn processor_time() -> Duration {
    use std::{sync::LazyLock, time::Instant};
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// Examines, opens, reads everything, writes one commit more, closes, examines, opens again, compares.
///
/// `candidates`: how many versions the image may turn out to be, for the marks of [`as_recording`];
/// keeps the history if there are any.
pub(super) fn judge<E: Engine>(
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
    let start = processor_time();
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
    let took = processor_time().saturating_sub(start);
    if took > LIMIT || disk.bytes_read() > bounds || disk.freeze().len() > bounds {
        return Err(Failure::wrong(format!(
            "out of bounds: {took:?}, {} bytes read of a disk of {length}, which has {} now",
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
