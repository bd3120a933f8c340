//! The power fails while a transaction is being committed, on a simulated disk that remembers
//! every write and can show what each such moment may leave behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cowslip::Database;
use cowslip::storage::SimulatedStorage;
use cowslip::storage::simulated::{Plan, SectorSize, Torn};

use super::releases::{Entries, Releases};
use super::{apply, holds, require};
use crate::failure::Failure;
use crate::output::grouped;
use crate::progress;

/// Moments at most: each costs a few openings of the whole database.
const MOMENTS: usize = 80;
/// Entries at most, so that the tour of a large file does not take its time here.
const ENTRIES: usize = 20_000;
/// The mark that the commit has been acknowledged.
const ACKNOWLEDGED: u64 = 1;

/// What the power cuts came to.
pub(super) struct Cuts {
    /// Which part of the input was used, in words, if not all of it.
    pub(super) part: String,
    pub(super) moments: u64,
    pub(super) disks: u64,
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) slowest: Duration,
}

pub(super) fn run(table: &str, releases: &Releases) -> Result<Cuts, Failure> {
    let (old, new) = (part_of(&releases.old.entries), part_of(&releases.new.entries));
    let whole = old.len() == releases.old.entries.len() && new.len() == releases.new.entries.len();
    let part = if whole {
        String::new()
    } else {
        format!(" (the first {} entries)", grouped(ENTRIES as u64))
    };
    let disk = Arc::new(SimulatedStorage::new());
    let db = Database::builder().open_or_create_on(disk.clone())?;
    let tx = db.begin_write()?;
    apply(&mut tx.open_table(table)?, &old)?;
    tx.commit()?;
    db.checkpoint()?;
    let first = disk.history().events().len();
    let tx = db.begin_write()?;
    apply(&mut tx.open_table(table)?, &new)?;
    tx.commit()?;
    disk.note(ACKNOWLEDGED);
    // The writes after the commit, which move it from the log to its place, are in danger too.
    db.checkpoint()?;
    db.close()?;
    let history = disk.history();

    let last = history.events().len();
    let step = (last - first).div_ceil(MOMENTS).max(1);
    let mut cuts =
        Cuts { part, moments: 0, disks: 0, before: 0, after: 0, slowest: Duration::ZERO };
    let bar = progress::bar((last - first) as u64, "power cuts");
    let mut explorer = history.explore(SectorSize::B512);
    loop {
        let position = explorer.position();
        if position >= first && ((position - first).is_multiple_of(step) || position == last) {
            cuts.moments += 1;
            let acknowledged = explorer.notes().contains(&ACKNOWLEDGED);
            let cut = explorer.cut();
            for plan in plans(cut.pending(), position) {
                let (state, took) = reopen(cut.image(&plan), table, &old, &new)?;
                cuts.disks += 1;
                cuts.slowest = cuts.slowest.max(took);
                match state {
                    State::After => cuts.after += 1,
                    State::Before => {
                        require(!acknowledged, "an acknowledged commit was lost in a power cut")?;
                        cuts.before += 1;
                    }
                }
            }
            bar.set_position((position - first) as u64);
        }
        if !explorer.advance() {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(cuts)
}

/// What to try at one moment: all that was pending reached the disk, none of it, some of it; and of
/// the newest write, as it may just be under way, this or that part.
fn plans(pending: usize, moment: usize) -> Vec<Plan> {
    let mut plans = vec![Plan::None];
    if let Some(newest) = pending.checked_sub(1) {
        let seed = moment as u64;
        plans.extend([Plan::All, Plan::Seeded(seed), Plan::Seeded(!seed)]);
        let torn = [1, 2, 8, 32, 128].map(Torn::First).into_iter().chain([
            Torn::Last(1),
            Torn::Odd,
            Torn::Even,
        ]);
        plans.extend(torn.map(|kept| Plan::TornAt { write: newest, kept }));
    }
    plans
}

enum State {
    Before,
    After,
}

/// Opens the disk that a power cut left and says which of the two states it shows.
fn reopen(
    image: Vec<u8>,
    table: &str,
    old: &Entries,
    new: &Entries,
) -> Result<(State, Duration), Failure> {
    let start = Instant::now();
    let disk = Arc::new(SimulatedStorage::from_image(image));
    let db = Database::builder().open_or_create_on(disk)?;
    let took = start.elapsed();
    let contents = db.begin_read()?.open_table(table)?;
    // Equal states (equal input files) count as the state after.
    let state = if holds(&contents, new)? {
        State::After
    } else {
        require(holds(&contents, old)?, "a power cut left a state that never was")?;
        State::Before
    };
    Ok((state, took))
}

fn part_of(entries: &Entries) -> Entries {
    entries.iter().take(ENTRIES).map(|(key, value)| (key.clone(), value.clone())).collect()
}
