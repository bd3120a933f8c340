//! The page-table module: how an operating system shares memory until it is written.
//!
//! The pager shares pages of a file between versions; a kernel shares frames between processes. It
//! is the same idea: a count of owners, a copy when one of several writes, reuse when there is only
//! one. Here it is as a machine that can be looked into:
//!
//! ```text
//! process --> space --> areas     what may be: ranges, protection, backing   (area)
//!                  \--> tables    what is: four levels of 512 entries         (tables, entry)
//!                          |
//!                          v
//!                       frames    4 KiB each, with a count of owners          (frames)
//! ```
//!
//! An access walks the tables; where they do not allow it, a [`Fault`] decides and changes an entry
//! (`fault`). [`Machine::fork`] copies tables as Linux does, or shares them whole. Counts of faults,
//! pages and tables are those of Linux 6.18, line by line, for every trace in `docs/traces`
//! ([`trace`]).

mod advise;
mod area;
mod census;
mod commit;
mod cover;
mod entry;
mod exec;
mod fault;
mod file;
mod fork;
mod fragments;
mod frames;
mod huge;
mod machine;
mod map;
mod merge;
mod owners;
mod pool;
mod program;
mod reclaim;
mod space;
mod stored;
mod swap;
mod tables;
mod tally;
pub mod trace;

pub use advise::Advise;
pub use area::{Advice, Area, Areas, Backing, FileId, Origin, Protection};
pub use census::{Census, Pages};
pub use commit::{Commit, Overcommit};
pub use entry::Entry;
pub use fault::{Action, Fault, Signal};
pub use file::{Contents, File};
pub use fragments::{Fragments, ORDERS};
pub use frames::{Frame, Frames, NoFrame, PAGE, Use};
pub use machine::{Access, Errno, ForkMode, Machine, Pid, Settings, State, Touched};
pub use map::Mapping;
pub use merge::Merged;
pub use program::{Object, Part, Program};
pub use reclaim::{Replaced, Replacement};
pub use stored::{StoredMachine, try_stored};
pub use swap::Swap;
pub use tables::PAGES;
pub use tally::Tally;

#[cfg(test)]
mod tests;
