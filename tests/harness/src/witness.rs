//! What was attempted and what was acknowledged, noted on the disk's own time line.
//!
//! Every version that a store ever had is kept, by number. A commit leaves a mark when it is
//! attempted and another when it is acknowledged; so for each moment of the disk's history it is
//! known which versions may be found after a power cut: the [`Window`].

use std::sync::Arc;

use cowslip_pager::storage::{SimulatedStorage, simulated::History};
use parking_lot::Mutex;

/// Keeps a store's versions beside the disk it lives on. Cloning makes another handle.
#[derive(Debug)]
pub struct Witness<State> {
    disk: Arc<SimulatedStorage>,
    versions: Arc<Mutex<Vec<Version<State>>>>,
}

/// One version.
#[derive(Clone, Debug)]
pub struct Version<State> {
    /// What a user sees.
    pub state: State,
    /// The number of its transaction, if the engine has such numbers.
    pub id: Option<u64>,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// A power cut.
    PowerCut,
    /// The death of the process only.
    ProcessCrash,
    /// Nothing.
    Nothing,
}

impl Survives {
    /// The mark on the disk that acknowledges a version.
    pub(crate) fn mark(self, version: u64) -> u64 {
        version << 2
            | match self {
                Survives::PowerCut => DURABLE,
                Survives::ProcessCrash => EVENTUAL,
                Survives::Nothing => NOTHING,
            }
    }
}

/// Which versions may be found after a power cut, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Window {
    /// The newest that was acknowledged as durable: the least that must be there.
    pub durable: usize,
    /// The newest that was acknowledged as surviving a crash of the process.
    pub eventual: usize,
    /// The newest that was attempted: the most that can be there.
    pub attempted: usize,
    /// The store had been created.
    pub created: bool,
}

/// What a life leaves behind, for [`explore`](crate::explore::explore).
#[derive(Clone, Debug)]
pub struct Recording<State> {
    /// Everything that happened to the disk.
    pub history: History,
    /// All versions, by number.
    pub versions: Vec<Version<State>>,
    /// What had been committed before version 0: a disk that lies may bring it back.
    pub earlier: Vec<State>,
}

const ATTEMPTED: u64 = 0;
const DURABLE: u64 = 1;
const EVENTUAL: u64 = 2;
const NOTHING: u64 = 3;

/// What a mark on the time line says of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its commit has begun.
    Attempted,
    /// Acknowledged: survives a power cut.
    Durable,
    /// Acknowledged: survives the process.
    Eventual,
    /// Acknowledged: in memory.
    Nothing,
}

/// The version that a mark is about, and what it says.
pub fn read_mark(note: u64) -> (usize, Mark) {
    let mark = match note & 3 {
        ATTEMPTED => Mark::Attempted,
        DURABLE => Mark::Durable,
        EVENTUAL => Mark::Eventual,
        _ => Mark::Nothing,
    };
    ((note >> 2) as usize, mark)
}

/// The mark of a commit, or of an opening, that begins and would come to this version.
pub(crate) fn attempted(version: u64) -> u64 {
    version << 2 | ATTEMPTED
}

impl<State> Clone for Witness<State> {
    fn clone(&self) -> Self {
        Witness { disk: self.disk.clone(), versions: self.versions.clone() }
    }
}

impl<State: Clone> Witness<State> {
    /// For a store on this disk; nothing is known of it yet.
    pub fn new(disk: Arc<SimulatedStorage>) -> Self {
        Witness { disk, versions: Arc::default() }
    }

    /// The disk.
    pub fn disk(&self) -> &Arc<SimulatedStorage> {
        &self.disk
    }

    /// The store was opened, or created, and this is what is in it: version 0, which is durable.
    pub fn begin(&self, state: State) {
        *self.versions.lock() = vec![Version { state, id: None }];
        self.disk.note(Survives::PowerCut.mark(0));
    }

    /// A commit begins that would make `state` the newest version.
    pub fn attempt(&self, state: State) {
        let mut versions = self.versions.lock();
        versions.push(Version { state, id: None });
        self.disk.note(attempted(versions.len() as u64 - 1));
    }

    /// The newest version was acknowledged.
    pub fn acknowledge(&self, survives: Survives) {
        let version = self.versions.lock().len() as u64 - 1;
        self.disk.note(survives.mark(version));
    }

    /// The newest version has this transaction number.
    pub fn identify(&self, id: u64) {
        if let Some(newest) = self.versions.lock().last_mut() {
            newest.id = Some(id);
        }
    }

    /// The newest version.
    ///
    /// # Panics
    ///
    /// Before [`begin`](Self::begin).
    pub fn newest(&self) -> State {
        self.versions.lock().last().expect("begun").state.clone()
    }

    /// A version by its age, 0 the newest.
    pub fn back(&self, age: usize) -> Option<State> {
        let versions = self.versions.lock();
        versions.len().checked_sub(age + 1).map(|number| versions[number].state.clone())
    }

    /// Everything so far.
    pub fn record(&self) -> Recording<State> {
        let versions = self.versions.lock().clone();
        Recording { history: self.disk.history(), versions, earlier: Vec::new() }
    }
}

impl Window {
    /// The oldest version that may be found: by a power cut, or by the death of the process only.
    pub fn least(&self, process_only: bool) -> usize {
        if process_only { self.eventual } else { self.durable }
    }

    /// Reads the marks.
    pub fn from_notes(notes: &[u64]) -> Window {
        let mut window = Window::default();
        for note in notes {
            let (version, mark) = read_mark(*note);
            match mark {
                Mark::Attempted => window.attempted = window.attempted.max(version),
                Mark::Durable => {
                    window.durable = window.durable.max(version);
                    window.eventual = window.eventual.max(version);
                    window.created = true;
                }
                Mark::Eventual => window.eventual = window.eventual.max(version),
                Mark::Nothing => {}
            }
        }
        window
    }
}
