//! The pager of Cowslip: pages that several owners share until one of them writes.
//!
//! It promises, to whoever builds on it (the engine's trees, the page-table module):
//! - a transaction is in the store whole or not at all, whatever moment the power fails;
//! - what was acknowledged as durable stays;
//! - a page that a durable state or a live reader can reach is never overwritten;
//! - bytes that are not what was written are an error with a page number, never data.
//!
//! It has no word for what pages mean to their owner: it follows one opaque root only through the
//! child enumerator that the owner registers ([`Kinds`]), and carries log records whose body it
//! never reads. Read in this order: [`page`], [`geometry`], [`superblock`], `map`, `space`,
//! `cache`, [`Transaction`], `checkpoint`, `log`, [`Pager`]. The protocols and their numbered
//! invariants are in `docs/design.md`, every byte of the file in `docs/format.md`.

mod aligned;
mod arena;
mod background;
mod cache;
mod checkpoint;
mod counters;
mod epoch;
mod error;
mod extent;
pub mod geometry;
mod hash;
mod lock;
pub mod log;
mod log_writer;
pub mod map;
#[doc(hidden)]
pub mod mutant;
pub mod page;
mod pager;
mod pins;
mod poison;
mod primitive;
mod raw;
mod readers;
mod recovery;
mod scrub;
mod space;
pub mod storage;
pub mod superblock;
mod transaction;
mod translation;
mod values;
mod view;
mod write_behind;

pub use arena::prefetch;
pub use cache::{CacheStats, PageRef};
pub use counters::BytesWritten;
pub use error::{Corruption, Error, Result};
pub use extent::Extent;
pub use page::{PageId, Pointer};
pub use pager::{Child, Config, Kinds, Pager, Reader, Stats};
pub use raw::Raw;
pub use readers::Version;
pub use recovery::{Bodies, Replay};
pub use scrub::{ScrubFault, ScrubFinding, ScrubPass, ScrubRecord, ScrubState, ScrubStep};
pub use space::Run;
pub use transaction::{Durability, ExtentWriter, Transaction};
pub use view::{View, WALKS};
