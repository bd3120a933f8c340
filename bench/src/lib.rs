//! Cowslip measured.
//!
//! Two things live here: criterion micro-benchmarks of single parts (`benches/`, with [`fixture`]), and `compare`, a
//! race of Cowslip against other embedded stores in one run on one machine. The race reads from the
//! inside out:
//!
//! - [`workload`] says which bytes are written and read: named by number, made from a seed;
//! - [`peer`] is what a store must offer to be measured, [`peers`] the adapters of the stores;
//! - [`rows`] is the list of figures, [`stages`] how each of them is measured, in a child process;
//! - [`race`] runs the children in turn, [`report`] prints what they found.
//!
//! How costs grow with the number of rows is measured by `compare growth`: see [`growth`].
//! [`plots`] draws, with [`svg`].
//!
//! What snapshots cost is measured by `compare snapshots`: see [`snapshots`].
//!
//! `unsafe` is forbidden, but for one line each that two features bring: opening a memory map that
//! another process could change is `unsafe` in `heed` (`lmdb`), making a tree is in `sanakirja`.
#![cfg_attr(not(any(feature = "lmdb", feature = "sanakirja")), forbid(unsafe_code))]

pub mod bare_disk;
pub mod engine;
pub mod files;
pub mod fixture;
pub mod growth;
pub mod machine;
pub mod peer;
pub mod peers;
pub mod plots;
pub mod race;
pub mod report;
pub mod rows;
pub mod settings;
pub mod snapshots;
pub mod stages;
pub mod statistics;
pub mod svg;
pub mod workload;
