//! The crash-recovery harness of Cowslip on redb: the proof that it finds faults which nobody put
//! there for it.
//!
//! * [`backend`] — the simulated disk behind redb's public `StorageBackend`;
//! * [`op`] — what is done to a database: transactions, and what lies between them;
//! * [`model`] — what a user can see of it: tables and persistent savepoints;
//! * [`engine`] — both together, as the harness wants them;
//! * [`kinds`] — which broken promises are the same, so that one does not hide the others;
//! * [`hunt`] — many lives, going on after each broken promise;
//! * [`shrink`] — a shorter history with the same end.
//!
//! Which release of redb is decided by the manifest: the one beside this folder has the newest, those
//! in the folders `redb-*` have older ones, with the same sources.

pub mod backend;
pub mod engine;
pub mod hunt;
pub mod kinds;
pub mod model;
pub mod op;
pub mod shrink;

/// The engine under test.
pub const ENGINE: &str = concat!("redb ", env!("CARGO_PKG_VERSION"));
