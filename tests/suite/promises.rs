//! What a database promises while the disk does its work.

mod bad_input;
mod bookmarks;
mod commits;
mod concurrency;
mod continued;
mod extents;
mod loads;
mod machines;
mod model;
mod snapshots;
mod streams;
mod tables;
mod usage;
