//! The targets: each a function of an input, that panics where a promise is broken.

pub mod check;
pub mod dump;
pub mod log;
pub mod open;
pub mod receive;
pub mod repair;
pub mod salvage;
pub mod trace;
pub mod undo;

/// A target: its name, the folder of its seeds, its body.
pub type Target = (&'static str, &'static str, fn(&[u8]));

/// All of them. Those that take scripts have their seeds together.
pub const TARGETS: [Target; 9] = [
    ("check", "script", check::run),
    ("dump", "dump", dump::run),
    ("log", "log", log::run),
    ("open", "script", open::run),
    ("receive", "receive", receive::run),
    ("repair", "script", repair::run),
    ("salvage", "script", salvage::run),
    ("trace", "trace", trace::run),
    ("undo", "undo", undo::run),
];
