//! Traces: programs in a small language whose operations are system calls and accesses.
//!
//! ```text
//! A mmap H pages=4096          # process A is there from the start
//! A write H 0..4096 =7         # byte 0 of each page
//! A fork B
//! B write H 0..41 =9           # => min=41 maj=0 copy=41 sig=none pt=+0
//! snap child_1pct
//! ```
//!
//! [`parse`] reads a trace, or says which line is wrong and why; a [`Player`] runs it on a
//! [`Machine`](super::Machine), operation by operation, and answers each with the counts that a
//! real kernel gives. The whole language is in `docs/traces/README.md`.

mod answer;
mod outside;
mod parse;
mod player;
mod schedule;

pub use answer::{Answer, Snapshot};
pub use outside::{Outside, Reference, References};
pub use parse::{BadTrace, Call, Operation, parse};
pub use player::Player;
pub use schedule::Schedule;

#[cfg(test)]
mod tests;
