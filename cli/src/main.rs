//! The `cowslip` command: every verb reads its arguments, makes a few calls of the library, and
//! prints what came back.
//!
//! It promises: what is asked for goes to standard output and nothing else does; an error is one
//! line on standard error that begins with `cowslip:`; the exit status is 0 when done, 1 when
//! something was not found (or `diff` found differences), 2 for a usage error, 3 for any other
//! (`fsck` keeps the statuses of fsck(8)); a reader that goes away (`| head`) ends it quietly.

#![forbid(unsafe_code)]

use std::process::ExitCode;

mod args;
mod bytes;
mod entries;
mod failure;
mod format;
mod keys;
mod output;
mod place;
mod progress;
mod store;
mod tour;
mod verb;

fn main() -> ExitCode {
    args::run(std::env::args_os())
}
