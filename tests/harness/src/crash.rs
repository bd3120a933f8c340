//! Every point at which the power can fail.
//!
//! A recorded session is walked event by event. At each point, every plan of what survived makes an
//! image; images that were seen before are not recovered twice. For each new one:
//!
//! 1. the checker is content with it as it lies there;
//! 2. the database opens, in exactly one state of the [`Window`]: not older
//!    than what was acknowledged as durable, not newer than what was attempted, and since versions
//!    are numbered in the order of their commits, what is lost is a suffix;
//! 3. if everything written had survived (a crash of the process), nothing acknowledged as
//!    `Eventual` is lost either;
//! 4. one more commit goes in, the database closes, the checker is content, and after reopening the
//!    same state plus the commit is there;
//! 5. at a random sample of images the power fails again during that recovery, down to
//!    [`Options::depth`]: the state found first is found again.

use std::{collections::HashMap, sync::Arc};

use cowslip::{
    Builder, Database,
    storage::{
        SimulatedStorage,
        simulated::{Event, History, Plan, SectorSize},
    },
};
use fastrand::Rng;

use crate::{
    check,
    model::{Model, Table},
    scratch::keep_image,
    session::{Recording, Window},
};

/// How thoroughly to look.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What the disk writes atomically.
    pub sector: SectorSize,
    /// Images tried at one point at most; beyond, a random choice.
    pub images_per_cut: usize,
    /// How often the power fails again during recovery.
    pub depth: u32,
    /// One image in so many is chosen for that.
    pub nested_one_in: u64,
    /// Sectors that were being written may hold garbage, too.
    pub garbage: bool,
    /// For the choices.
    pub seed: u64,
    /// Points to stop at: every so many events.
    pub stride: usize,
}

impl Options {
    /// Every point, torn into 512-byte sectors, with nested crashes here and there.
    pub fn exhaustive(seed: u64) -> Options {
        Options {
            sector: SectorSize::B512,
            images_per_cut: 200,
            depth: 1,
            nested_one_in: 60,
            garbage: true,
            seed,
            stride: 1,
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Points at which the power was cut.
    pub cuts: u64,
    /// Images made.
    pub images: u64,
    /// Different images recovered from.
    pub recoveries: u64,
    /// Recoveries that were themselves cut short.
    pub nested: u64,
}

/// Tries every power cut of a recorded session; panics at the first that loses anything.
#[track_caller]
pub fn explore(recording: &Recording, options: &Options) -> Report {
    let mut judge = Judge {
        builder: &recording.builder,
        versions: &recording.versions,
        classes: classes(&recording.versions),
        seen: HashMap::new(),
        rng: Rng::with_seed(options.seed),
        options: *options,
        report: Report::default(),
    };
    let mut explorer = recording.history.explore(options.sector);
    loop {
        let interesting = !matches!(explorer.event(), Some(Event::Note(_)));
        if interesting && explorer.position().is_multiple_of(options.stride) {
            judge.report.cuts += 1;
            let window = Window::from_notes(explorer.notes());
            let cut = explorer.cut();
            let newest = cut.lengths().last().copied().unwrap_or(0);
            let mut plans: Vec<Plan> = cut.plans().collect();
            // A mark of creation turned to garbage is not to be told from somebody else's file.
            if options.garbage && cut.pending() > 0 && window.created {
                plans.extend((0..8).map(|_| Plan::Garbage(judge.rng.u64(..))));
            }
            if plans.len() > options.images_per_cut {
                judge.rng.shuffle(&mut plans);
                plans.truncate(options.images_per_cut);
                plans.extend([Plan::All, Plan::None]);
            }
            let lengths = cut.lengths();
            for plan in plans {
                for &length in &lengths {
                    let image = cut.image_of_length(&plan, length);
                    let whole = plan == Plan::All && length == newest;
                    let place = Place { event: explorer.position(), plan, length };
                    judge.try_image(image, window, whole, place);
                }
            }
        }
        if !explorer.advance() {
            return judge.report;
        }
    }
}

/// Versions that are equal have the same class: the number of the first of them.
fn classes(versions: &[Model]) -> Vec<usize> {
    let first = |i: usize| versions.iter().position(|v| *v == versions[i]);
    (0..versions.len()).map(|i| first(i).unwrap_or(i)).collect()
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "read by the derived Debug, in the message of a failure")]
struct Place {
    event: usize,
    plan: Plan,
    length: u64,
}

struct Judge<'r> {
    builder: &'r Builder,
    versions: &'r [Model],
    classes: Vec<usize>,
    /// The class that each image was recovered to, by the image's hash.
    seen: HashMap<u64, usize>,
    rng: Rng,
    options: Options,
    report: Report,
}

impl Judge<'_> {
    fn try_image(&mut self, image: Vec<u8>, window: Window, whole: bool, place: Place) {
        self.report.images += 1;
        let hash = hash(&image);
        let class = match self.seen.get(&hash) {
            Some(&class) => class,
            None => {
                self.report.recoveries += 1;
                let class = self.recover(image.clone(), place);
                self.seen.insert(hash, class);
                class
            }
        };
        let least = if whole { window.eventual } else { window.durable };
        let legal = self.classes[least..=window.attempted].contains(&class);
        if !legal {
            let path = keep_image("crash", &image);
            panic!(
                "version {class} was found, which is outside of {least}..={} at {place:?} (seed {}, image in {path})",
                window.attempted, self.options.seed
            );
        }
    }

    /// Recovers, checks and writes on; returns the class of the state found.
    fn recover(&mut self, image: Vec<u8>, place: Place) -> usize {
        let kept = image.clone();
        let fail = |what: String| -> ! {
            let path = keep_image("crash", &kept);
            panic!("{what} at {place:?} (image in {path})");
        };
        let disk = Arc::new(SimulatedStorage::from_image(image));
        let found = match recover(self.builder, &disk) {
            Ok(found) => found,
            Err(what) => fail(what),
        };
        let Some(class) = self.versions.iter().position(|version| *version == found) else {
            let what = self.versions.last().and_then(|version| version.difference(&found));
            fail(format!("a state that never was: {what:?}"));
        };
        if self.options.depth > 0 && self.rng.u64(..self.options.nested_one_in) == 0 {
            self.report.nested += 1;
            if let Err(what) =
                again(self.builder, &disk.history(), &found, self.options.depth, &mut self.rng)
            {
                fail(what);
            }
        }
        class
    }
}

const PROBE: &str = "after the crash";

/// Opens, reads everything, writes one more commit, closes, checks, opens again, compares. Marks on
/// the disk tell how far it came: 1 the probe was attempted, 2 it was acknowledged.
fn recover(builder: &Builder, disk: &Arc<SimulatedStorage>) -> Result<Model, String> {
    let open = |when: &str| -> Result<Database, String> {
        let db = builder.open_or_create_on(disk.clone());
        db.map_err(|error| format!("opening {when} failed: {error}"))
    };
    check::after_crash(&**disk).map_err(|what| format!("the checker, before recovery: {what}"))?;
    let db = open("after the crash")?;
    let found = Model::read(&db).map_err(|error| format!("reading after recovery: {error}"))?;
    disk.note(1);
    let probe = || {
        let tx = db.begin_write()?;
        tx.open_table(PROBE)?.insert(b"is it", b"alive?")?;
        tx.commit()
    };
    probe().map_err(|error| format!("writing after recovery: {error}"))?;
    disk.note(2);
    db.close().map_err(|error| format!("closing after recovery: {error}"))?;
    check::storage(&**disk).map_err(|what| format!("the checker, after recovery: {what}"))?;
    let db = open("once more")?;
    let again = Model::read(&db).map_err(|error| format!("reading once more: {error}"))?;
    match with_probe(&found).difference(&again) {
        Some(what) => Err(format!("after one more commit: {what}")),
        None => Ok(found),
    }
}

fn with_probe(model: &Model) -> Model {
    let mut model = model.clone();
    let main = model.branches.entry("main".into()).or_default();
    let table = Table::from([(b"is it".to_vec(), Arc::from(&b"alive?"[..]))]);
    main.insert(PROBE.into(), Arc::new(table));
    model
}

/// The power fails during a recovery that found `state`.
fn again(
    builder: &Builder,
    history: &History,
    state: &Model,
    depth: u32,
    rng: &mut Rng,
) -> Result<(), String> {
    let with_probe = with_probe(state);
    let mut explorer = history.explore(SectorSize::B512);
    let mut chosen = Vec::new();
    loop {
        if !matches!(explorer.event(), Some(Event::Note(_))) {
            let plan = Plan::Seeded(rng.u64(..));
            let progress = explorer.notes().last().copied().unwrap_or(0);
            chosen.push((explorer.position(), plan, progress, explorer.cut().image(&plan)));
        }
        if !explorer.advance() {
            break;
        }
    }
    rng.shuffle(&mut chosen);
    chosen.truncate(24);
    for (event, plan, progress, image) in chosen {
        let disk = Arc::new(SimulatedStorage::from_image(image.clone()));
        let fail = |what: String| {
            let path = keep_image("nested", &image);
            format!("{what} after {plan:?} at event {event} of a recovery (image in {path})")
        };
        let found = recover(builder, &disk).map_err(&fail)?;
        let before = progress < 2 && found == *state;
        let after = progress > 0 && found == with_probe;
        if !before && !after {
            let what = state.difference(&found);
            return Err(fail(format!("another state than the first recovery found: {what:?}")));
        }
        if depth > 1 && rng.u8(..8) == 0 {
            again(builder, &disk.history(), &found, depth - 1, rng)?;
        }
    }
    Ok(())
}

/// A hash of an image: good enough to tell some thousands of images apart.
fn hash(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = [1u64, 2, 3, 4];
    let mut chunks = bytes.chunks_exact(32);
    for chunk in &mut chunks {
        for (lane, word) in state.iter_mut().zip(chunk.chunks_exact(8)) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            *lane = (*lane ^ word).wrapping_mul(PRIME).rotate_left(29);
        }
    }
    for &byte in chunks.remainder() {
        state[0] = (state[0] ^ u64::from(byte)).wrapping_mul(PRIME).rotate_left(29);
    }
    let length = bytes.len() as u64;
    state.iter().fold(length, |all, lane| (all ^ lane).wrapping_mul(PRIME).rotate_left(31))
}
