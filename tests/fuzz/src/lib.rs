//! What bytes that anybody made may do to Cowslip: the bodies of the fuzzers, and what they share.
//!
//! ```text
//! input --> Script --> edits of a committed image, checksums made right again --> the target
//!           bodies, records --> a stream, a log                               --> the target
//!           edits of an undo file                                             --> the target
//!           text                                                              --> the target
//! ```
//!
//! Random bytes stop at the first checksum. So an input is mostly a *script*: which image of a real store,
//! what to change in it, and which checksums to make right again afterwards. Everything happens in
//! memory. A target panics where a promise is broken; an error is an answer like any other, since all are
//! typed. `README.md` says how to run them.

#![forbid(unsafe_code)]

pub mod image;
pub mod log;
pub mod script;
pub mod seal;
pub mod store;
pub mod stream;
pub mod target;
pub mod undo;

/// The readers and writers of `cowslip load` and `cowslip dump`. They stand in a program, which has no library, and
/// are compiled in here as they are.
#[path = "../../../cli/src"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::all,
    reason = "parts of a program, of which only the readers are wanted; they are linted where they stand"
)]
mod cli {
    pub(crate) mod bytes;
    pub(crate) mod failure;
    pub(crate) mod format;
}

// By these names they know each other.
pub(crate) use cli::{bytes, failure, format};
