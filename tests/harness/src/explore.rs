//! Every point at which the power can fail, and all that it can leave behind.
//!
//! A recorded life is walked event by event. At each point the question is which images the disk may
//! hold, and for each of them the engine must come back, unattended, with exactly one version of the
//! [`Window`]: not older than what was acknowledged, not newer than what was attempted. Then the
//! store must go on working ([`judge`](self) has the steps).
//!
//! # Which images
//!
//! * **Writes.** With at most [`Options::exhaustive`] writes pending: every subset of them, exactly,
//!   and yet without making each image. Recovery is run on one; only writes to blocks that it *read*
//!   can make a difference, so only these are decided both ways, and so on, as long as a run reads
//!   something undecided (`trie.rs` keeps what is known). A set of images that recovery cannot
//!   tell apart is a *class*. With more writes pending: everything, nothing, all but one, all but
//!   two, only one, every prefix, and random subsets.
//! * **Lengths.** Each that is durable or pending, with each of the above.
//! * **Tears.** Every pending write torn by sectors, the others all there or all missing; a single
//!   block in progress in all its 256 ways; torn parts old, zero, or garbage.
//! * **Nested.** A sample of recoveries is itself recorded and explored like this, to a depth.
//! * **Faults.** A sample of recoveries runs on a disk that fails or lies (`faults.rs` has a table).

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use cowslip_pager::storage::simulated::{Event, FaultKind, History, Image, PowerCut, SectorSize};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Engine, Failure},
    scratch::keep_image,
    witness::{Recording, Version, Window},
};

mod classes;
mod faults;
mod judge;
mod tears;
mod trie;

use trie::{Leaf, Slot, Trie};

/// How thoroughly to look.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// What the disk writes atomically.
    #[serde(with = "Sector")]
    pub sector: SectorSize,
    /// Up to so many pending writes, every subset is decided exactly.
    pub exhaustive: usize,
    /// Classes looked at for one point and one length, at most; beyond, it is not exhaustive any more.
    pub classes_per_cut: usize,
    /// Random subsets at each point, where there are too many writes for all of them; and random
    /// sectors, if torn.
    pub samples: usize,
    /// Torn writes too.
    pub tears: bool,
    /// Sectors that were being written may hold garbage, too.
    pub garbage: bool,
    /// How often the power fails again during recovery.
    pub depth: u32,
    /// One class in so many is chosen for that; 0: none.
    pub nested_one_in: u64,
    /// One class in so many is recovered on a faulty disk as well; 0: none.
    pub faults_one_in: u64,
    /// What such a disk does, of the kinds that `faults.rs` lists.
    #[serde(skip, default = "every_kind")]
    pub fault_kinds: &'static [FaultKind],
    /// For the choices.
    pub seed: u64,
    /// The first event at which the power fails.
    pub from: usize,
    /// Points to stop at: every so many events.
    pub stride: usize,
    /// The life is itself a recovery: a power cut has come before.
    #[serde(skip)]
    pub in_recovery: bool,
}

fn every_kind() -> &'static [FaultKind] {
    &FaultKind::ALL
}

/// How a [`SectorSize`] is written in a saved case.
#[derive(Serialize, Deserialize)]
#[serde(remote = "SectorSize")]
enum Sector {
    B8,
    B512,
    B4096,
}

impl Options {
    /// Every point, torn into 512-byte sectors, with nested crashes and faults here and there.
    pub fn exhaustive(seed: u64) -> Options {
        Options {
            sector: SectorSize::B512,
            exhaustive: 14,
            classes_per_cut: 2000,
            samples: 16,
            tears: true,
            garbage: true,
            depth: 1,
            nested_one_in: 60,
            faults_one_in: 40,
            fault_kinds: &FaultKind::ALL,
            seed,
            from: 0,
            stride: 1,
            in_recovery: false,
        }
    }

    /// A look here and there, for long lives.
    pub fn sampled(seed: u64) -> Options {
        Options {
            exhaustive: 4,
            classes_per_cut: 20,
            samples: 2,
            tears: false,
            stride: 2,
            ..Options::exhaustive(seed)
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Points at which the power was cut.
    pub cuts: u64,
    /// Points where more was pending, or more classes were there, than are looked at exactly.
    pub sampled_cuts: u64,
    /// Images whose fate is known now.
    pub images: u64,
    /// Recoveries that were run: images that no other run had decided.
    pub recoveries: u64,
    /// Those of them that no run of the whole campaign had seen: distinct after collapsing.
    pub distinct: u64,
    /// Recoveries that were themselves cut short, and explored.
    pub nested: u64,
    /// Recoveries on faulty disks.
    pub faulted: u64,
    /// Those of them that ended with an older version than they would have on a disk that is well.
    pub older: u64,
    /// Broken promises that the engine [tolerates](Engine::tolerates).
    pub tolerated: u64,
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Report) {
        self.cuts += other.cuts;
        self.sampled_cuts += other.sampled_cuts;
        self.images += other.images;
        self.recoveries += other.recoveries;
        self.distinct += other.distinct;
        self.nested += other.nested;
        self.faulted += other.faulted;
        self.older += other.older;
        self.tolerated += other.tolerated;
    }
}

/// The classes that a campaign has seen, by fingerprint: 8 bytes each.
#[derive(Debug, Default)]
pub struct Seen {
    shards: [Mutex<HashSet<u64>>; 16],
    /// Set to end every exploration soon.
    pub stop: AtomicBool,
}

impl Seen {
    fn is_new(&self, fingerprint: u64) -> bool {
        let shard = &self.shards[(fingerprint >> 60) as usize];
        shard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(fingerprint)
    }
}

/// The engine broke a promise.
#[derive(Clone)]
pub struct Violation {
    /// What was wrong.
    pub what: String,
    /// The event at which the power failed.
    pub event: usize,
    /// What became of each pending write, by the event that made it.
    pub fates: Vec<(usize, Fate)>,
    /// The length that the disk had afterwards.
    pub length: u64,
    /// The versions that were legal.
    pub window: Window,
    /// What the disk did to the recovery, if it was not well.
    pub fault: Option<String>,
    /// The recovery's own history, and the power cut in it, if it was cut short as well.
    pub nested: Option<Box<(History, Violation)>>,
    /// The power failed during a recovery, and not for the first time.
    pub in_recovery: bool,
    /// The disk that the engine was given.
    pub image: Image,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is there.
    Survived,
    /// Nothing of it is there.
    Lost,
    /// Some sectors are there, others are not, or hold garbage.
    Torn,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nested.is_none() {
            writeln!(f, "{}", self.what.trim_end())?;
        }
        write!(f, "the power failed at event {}", self.event)?;
        for (event, fate) in &self.fates {
            write!(f, ", write {event} {fate:?}")?;
        }
        write!(f, ", length {}; legal: {:?}", self.length, self.window)?;
        if let Some(fault) = &self.fault {
            write!(f, "; and then, during the recovery: {fault}")?;
        }
        if let Some(nested) = &self.nested {
            write!(f, "; and then, during the recovery: {}", nested.1)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Tries the power cuts of a recorded life; ends at the first that breaks a promise.
pub fn explore<E: Engine>(
    engine: &E,
    recording: &Recording<E::State>,
    options: &Options,
    seen: &Seen,
) -> Result<Report, Box<Violation>> {
    let mut explorer = Explorer {
        engine,
        recording,
        classes: classes_of(recording),
        options,
        seen,
        trie: Trie::default(),
        rng: Rng::with_seed(options.seed),
        report: Report::default(),
    };
    explorer.walk()?;
    Ok(explorer.report)
}

/// The same for a test: panics at the first broken promise, and keeps the image.
#[track_caller]
pub fn must_survive<E: Engine>(
    engine: &E,
    recording: &Recording<E::State>,
    options: &Options,
) -> Report {
    explore(engine, recording, options, &Seen::default()).unwrap_or_else(|violation| {
        let path = keep_image("crash", &violation.image.to_vec());
        panic!("{violation} (seed {}, image in {path})", options.seed)
    })
}

/// Versions that are equal have the same class: the number of the first of them.
fn classes_of<State: PartialEq>(recording: &Recording<State>) -> Vec<usize> {
    let versions = &recording.versions;
    let first = |i: usize| versions.iter().position(|v| v.state == versions[i].state);
    (0..versions.len()).map(|i| first(i).unwrap_or(i)).collect()
}

struct Explorer<'a, E: Engine> {
    engine: &'a E,
    recording: &'a Recording<E::State>,
    classes: Vec<usize>,
    options: &'a Options,
    seen: &'a Seen,
    trie: Trie,
    rng: Rng,
    report: Report,
}

/// A point in the recorded life.
struct Point<'c> {
    cut: PowerCut<'c>,
    event: usize,
    window: Window,
    /// The blocks that pending writes touch.
    touched: Vec<usize>,
}

/// A set of images of one class, or a single one.
struct Images<'i> {
    length: u64,
    fates: &'i dyn Fn() -> Vec<(usize, Fate)>,
    make: &'i dyn Fn() -> Image,
    /// How many there are.
    count: u64,
    /// All that was written has survived: this is how a crash of the process leaves it.
    whole: bool,
}

type Verdict<T = ()> = Result<T, Box<Violation>>;

impl<E: Engine> Explorer<'_, E> {
    fn walk(&mut self) -> Verdict {
        let mut explorer = self.recording.history.explore(self.options.sector);
        loop {
            let position = explorer.position();
            let due = position >= self.options.from && position.is_multiple_of(self.options.stride)
                || explorer.event().is_none();
            // The cut after an event is the cut during the next, except where that is a durable
            // write, which is pending while it runs.
            let again = position == self.options.from
                && position > 0
                && !matches!(explorer.event(), Some(Event::WriteDurable { .. }));
            let note = matches!(explorer.event(), Some(Event::Note(_)));
            if due && !note && !again {
                let cut = explorer.cut();
                let mut touched: Vec<usize> = (0..cut.pending())
                    .flat_map(|write| {
                        let range = cut.write(write).0;
                        (range.start / 4096) as usize..range.end.div_ceil(4096) as usize
                    })
                    .collect();
                touched.sort_unstable();
                touched.dedup();
                let window = Window::from_notes(explorer.notes());
                self.point(&Point { cut, event: position, window, touched })?;
            }
            if self.seen.stop.load(Ordering::Relaxed) || !explorer.advance() {
                return Ok(());
            }
        }
    }

    fn point(&mut self, point: &Point<'_>) -> Verdict {
        self.report.cuts += 1;
        for length in point.cut.lengths() {
            if point.cut.pending() <= self.options.exhaustive {
                self.all_classes(point, length)?;
            } else {
                self.report.sampled_cuts += 1;
                self.some_subsets(point, length)?;
            }
        }
        if point.cut.pending() > 0 {
            self.torn(point)?;
        }
        Ok(())
    }

    /// Looks up a single image, or recovers it.
    fn single(&mut self, point: &Point<'_>, images: &Images<'_>, image: &Image) -> Verdict {
        let content = |block| image.block(block).map_or(0, |block| block.hash());
        let mut asked = Vec::new();
        let (slot, known) = self.trie.walk(images.length, content, &mut asked);
        let leaf = match known {
            Some(leaf) => leaf,
            None => self.recover(point, images, slot, &asked)?,
        };
        self.legal(point, images, leaf)
    }

    /// Recovers an image that nothing is known of, and files what came of it.
    fn recover(
        &mut self,
        point: &Point<'_>,
        images: &Images<'_>,
        slot: Slot,
        asked: &[usize],
    ) -> Verdict<Leaf> {
        let options = self.options;
        let nested = options.depth > 0
            && options.nested_one_in > 0
            && self.rng.u64(..options.nested_one_in) == 0;
        let faulted = options.faults_one_in > 0 && self.rng.u64(..options.faults_one_in) == 0;
        let image = (images.make)();
        let created = point.window.created;
        let candidates = self.candidates(point, images);
        let outcome =
            judge::judge(self.engine, image.clone(), created, nested.then_some(candidates.len()));
        self.report.recoveries += 1;
        let content = |block| image.block(block).map_or(0, |block| block.hash());
        if self.seen.is_new(fingerprint(image.len(), &outcome.read, content)) {
            self.report.distinct += 1;
        }
        let survived = match outcome.found {
            Ok(survived) => survived,
            Err(failure) => {
                self.broken(self.violation(point, images, failure.text))?;
                return Ok(self.attach(slot, &outcome.read, asked, content, Leaf::TOLERATED));
            }
        };
        let versions = &self.recording.versions;
        let Some(class) = versions.iter().position(|v| v.state == survived.state) else {
            let attempted = &versions[point.window.attempted.min(versions.len() - 1)].state;
            let what = self.engine.difference(attempted, &survived.state);
            let what = format!("a state that never was; beside the last one attempted: {what}");
            self.broken(self.violation(point, images, what))?;
            return Ok(self.attach(slot, &outcome.read, asked, content, Leaf::TOLERATED));
        };
        if let Some(history) = outcome.history {
            self.nested(point, images, &survived.state, history)?;
        }
        if faulted {
            self.on_faulty_disks(point, images, class)?;
        }
        let leaf = Leaf { class, next_id: survived.next_id };
        Ok(self.attach(slot, &outcome.read, asked, content, leaf))
    }

    /// Files what is known of an image now.
    fn attach(
        &mut self,
        slot: Slot,
        read: &[usize],
        asked: &[usize],
        content: impl Fn(usize) -> u64,
        leaf: Leaf,
    ) -> Leaf {
        let way = read.iter().filter(|block| !asked.contains(block));
        self.trie.attach(slot, way.map(|&block| (block, content(block))), leaf);
        leaf
    }

    /// The end of the exploration, unless the engine tolerates it.
    fn broken(&mut self, violation: Box<Violation>) -> Verdict {
        if !self.engine.tolerates(&violation) {
            return Err(violation);
        }
        self.report.tolerated += 1;
        Ok(())
    }

    /// Is this a class that may be found here?
    fn legal(&mut self, point: &Point<'_>, images: &Images<'_>, leaf: Leaf) -> Verdict {
        self.report.images = self.report.images.saturating_add(images.count);
        if leaf == Leaf::TOLERATED {
            return Ok(());
        }
        let window = &point.window;
        let least = window.least(images.whole);
        if !self.classes[least..=window.attempted].contains(&leaf.class) {
            let what = format!(
                "version {} was found, and not one of {least} to {}",
                leaf.class, window.attempted
            );
            return self.broken(self.violation(point, images, what));
        }
        // What is lost may be numbered anew, what others were built on never.
        let before = &self.recording.versions[..leaf.class];
        if let (Some(next), Some(used)) = (leaf.next_id, before.iter().filter_map(|v| v.id).max())
            && next <= used
        {
            let what = format!("transaction number {next} was given again; {used} was reached");
            return self.broken(self.violation(point, images, what));
        }
        Ok(())
    }

    /// The versions that may be found here.
    fn candidates(&self, point: &Point<'_>, images: &Images<'_>) -> &[Version<E::State>] {
        let window = &point.window;
        let newest = window.attempted.min(self.recording.versions.len() - 1);
        &self.recording.versions[window.least(images.whole)..=newest]
    }

    fn nested(
        &mut self,
        point: &Point<'_>,
        images: &Images<'_>,
        found: &E::State,
        history: History,
    ) -> Verdict {
        self.report.nested += 1;
        let recorded = &self.recording.versions[..=point.window.attempted];
        let earlier = self.recording.earlier.iter().chain(recorded.iter().map(|v| &v.state));
        let earlier = earlier.cloned().collect();
        let recording = judge::as_recording(
            self.engine,
            earlier,
            self.candidates(point, images),
            found,
            history.clone(),
        );
        let options = Options {
            depth: self.options.depth - 1,
            nested_one_in: self.options.nested_one_in,
            seed: self.rng.u64(..),
            from: 0,
            samples: 2,
            tears: false,
            classes_per_cut: 50,
            exhaustive: 6,
            in_recovery: true,
            ..self.options.clone()
        };
        match explore(self.engine, &recording, &options, self.seen) {
            Ok(report) => {
                self.report += Report { cuts: 0, nested: report.nested, ..report };
                Ok(())
            }
            Err(inner) => {
                let mut outer = self.violation(point, images, inner.what.clone());
                outer.nested = Some(Box::new((history, *inner)));
                Err(outer)
            }
        }
    }

    fn violation(&self, point: &Point<'_>, images: &Images<'_>, what: String) -> Box<Violation> {
        Box::new(Violation {
            what,
            event: point.event,
            fates: (images.fates)(),
            length: images.length,
            window: point.window,
            fault: None,
            nested: None,
            in_recovery: self.options.in_recovery,
            image: (images.make)(),
        })
    }
}

/// A hash of all that a recovery depended on.
fn fingerprint(length: u64, read: &[usize], content: impl Fn(usize) -> u64) -> u64 {
    // A sum, since the order of reading is of no consequence.
    let sum = read.iter().fold(mixed(length), |sum, &block| {
        sum.wrapping_add(mixed(content(block) ^ mixed(block as u64)))
    });
    mixed(sum)
}

fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// What a failing life reports when it fails without a power cut.
pub fn alive(failure: &Failure, image: Image) -> Box<Violation> {
    Box::new(Violation {
        what: format!("without any power cut: {failure}"),
        event: usize::MAX,
        fates: Vec::new(),
        length: image.len(),
        window: Window::default(),
        fault: None,
        nested: None,
        in_recovery: false,
        image,
    })
}
