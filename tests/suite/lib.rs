//! The tests of Cowslip: one promise a file, gathered in few binaries (`promises.rs`, `disk.rs`,
//! `processes.rs`).
