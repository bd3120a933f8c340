//! The crash-recovery harness of Cowslip, for its own tests and for `cowslip torture`.
//!
//! The engine-neutral part: an [`Engine`](engine::Engine) is anything that keeps its bytes behind the
//! pager's `Storage`. It lives a [`Life`](engine::Life) on the simulated disk while a
//! [`Witness`](witness::Witness) notes what was attempted and what was acknowledged; then
//! [`explore`](explore::explore) cuts the power at every point, makes all that can be left, and wants
//! one of the legal versions back from each.
//!
//! For Cowslip itself: a [`Session`] runs operations ([`Op`]) on a database and, beside it, on a plain
//! [`Model`]; [`cowslip`] makes an engine of it.
//!
//! Under every test's store lies a [`Monitor`], which judges each write and sync as it happens.
//!
//! [`Scratch`] is the fixture of all other tests: closing it proves the store whole, failing keeps
//! the file and says where, with the [`Seed`] that repeats the run.

#![forbid(unsafe_code)]

pub mod campaign;
pub mod check;
pub mod cowslip;
pub mod engine;
pub mod explore;
pub mod gate;
pub mod history;
pub mod model;
pub mod monitor;
pub mod op;
pub mod pages;
pub mod scratch;
pub mod seed;
pub mod session;
pub mod shrink;
pub mod timeline;
pub mod witness;

pub use gate::Gate;
pub use model::Model;
pub use monitor::{Monitor, Watch};
pub use op::Op;
pub use scratch::Scratch;
pub use seed::{Seed, effort};
pub use session::Session;
