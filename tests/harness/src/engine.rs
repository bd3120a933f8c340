//! What the harness asks of a storage engine: any that keeps its bytes behind [`Storage`].
//!
//! ```text
//!   Engine::live  ->  a Life: operations, one after the other, on a disk that records them;
//!                     each commit tells the Witness what it attempts and what was acknowledged
//!   Engine::open  ->  a Survivor: the store as an unattended opening finds it after a power cut
//! ```
//!
//! The rest is the harness's: which operations, where the power fails, what survives, what may be
//! found then. [`cowslip`](crate::cowslip) is the implementation for Cowslip; `tests/foreign` holds one
//! for another engine.

use std::{
    fmt::{self, Debug, Display},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cowslip_pager::storage::{SimulatedStorage, Storage, simulated::Image};
use fastrand::Rng;

use crate::{explore::Violation, witness::Witness};

/// A storage engine under test.
pub trait Engine: Sync {
    /// All that a user can see of a store: what must be equal after a crash, to the byte.
    type State: Clone + PartialEq + Debug + Send + Sync;
    /// What can be done to a store.
    type Op: Clone + Debug + Send + Sync;

    /// For messages and the names of files.
    fn name(&self) -> &'static str;

    /// The operations of which all short histories are made.
    fn alphabet(&self) -> Vec<Self::Op>;

    /// What is done to a store before the short histories that begin on one that is in use.
    fn furnishing(&self) -> Vec<Self::Op>;

    /// An operation of a long random history.
    fn random(&self, rng: &mut Rng) -> Self::Op;

    /// Opens the witness's disk, or makes a store there if it is empty, and tells the witness what
    /// is in it.
    fn live(&self, witness: Witness<Self::State>) -> Result<Box<dyn Life<Self::Op>>, Failure>;

    /// The same for a short history, whose every operation should reach the disk by itself.
    fn live_short(
        &self,
        witness: Witness<Self::State>,
    ) -> Result<Box<dyn Life<Self::Op>>, Failure> {
        self.live(witness)
    }

    /// Opens a store that was left in any condition, as its user would: unattended.
    fn open(&self, disk: &Arc<SimulatedStorage>)
    -> Result<Box<dyn Survivor<Self::State>>, Failure>;

    /// The state after [`Survivor::write_on`]. Doing it twice must be the same as once.
    fn written_on(&self, state: &Self::State) -> Self::State;

    /// The first difference between two states, in words.
    fn difference(&self, expected: &Self::State, found: &Self::State) -> String {
        format!("expected {expected:?}, found {found:?}")
    }

    /// What stands at a place of the disk, in a few words, for people.
    fn place(&self, _disk: &Image, _offset: u64) -> String {
        String::new()
    }

    /// The engine's own checker on a disk as a power cut left it.
    fn examine_crashed(&self, _disk: &dyn Storage) -> Result<(), String> {
        Ok(())
    }

    /// The engine's own checker on a disk that was closed in peace.
    fn examine_closed(&self, disk: &dyn Storage) -> Result<(), String> {
        self.examine_crashed(disk)
    }

    /// Sectors being written may hold garbage even before the store was first acknowledged. An engine
    /// that refuses to take a garbled file for an unfinished one of its own says no.
    fn survives_garbage_at_creation(&self) -> bool {
        false
    }

    /// Asked of each broken promise: yes passes over it, so that one fault that is known does not
    /// hide all others. No, as it should be, ends the exploration with it.
    fn tolerates(&self, _violation: &Violation) -> bool {
        false
    }
}

/// A store in use, until its history is cut.
pub trait Life<Op> {
    /// Does an operation, and compares what the store answers with what it should.
    fn apply(&mut self, op: &Op) -> Result<(), Failure>;

    /// Makes what is open durable, and closes.
    fn close(self: Box<Self>) -> Result<(), Failure>;
}

/// A store after a crash.
pub trait Survivor<State> {
    /// Everything in it.
    fn read(&mut self) -> Result<State, Failure>;

    /// One durable commit more.
    fn write_on(&mut self) -> Result<(), Failure>;

    /// The number of the newest transaction, if the engine numbers them. No two transactions of a
    /// store may ever have the same.
    fn newest_id(&self) -> Option<u64> {
        None
    }

    /// Closes in peace.
    fn close(self: Box<Self>) -> Result<(), Failure>;
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub text: String,
    /// It was an error with a type, as every failing call owes its caller; not a panic, nor a wrong
    /// answer.
    pub typed: bool,
}

impl Failure {
    /// The engine reported an error.
    pub fn error(during: &str, error: impl Display) -> Failure {
        Failure { text: format!("{during}: {error}"), typed: true }
    }

    /// The engine did something that it must not.
    pub fn wrong(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), typed: false }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Runs something that must not panic.
pub(crate) fn guarded<T>(what: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|panic| {
        let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => text.clone(),
            (_, Some(text)) => (*text).to_owned(),
            _ => "(no message)".to_owned(),
        };
        Err(Failure::wrong(format!("panicked: {text}")))
    })
}
