//! What a database promises while the disk does its work.

mod bad_input;
mod commits;
mod concurrency;
mod extents;
mod model;
mod snapshots;
mod tables;
