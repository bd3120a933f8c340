//! The crash-recovery harness of Cowslip, for its own tests and for `cowslip torture`.
//!
//! A [`Session`] runs operations ([`Op`]) on a database and, beside it, on a plain [`Model`] that
//! remembers every version it ever had. On the simulated disk it leaves a mark for each commit that
//! was attempted and acknowledged, so that for every image which a power cut could have left the
//! question is: *which versions may be found here?* [`crash::explore`] asks it at every point of a
//! recorded session; the database must come back in exactly one of them, pass the checker, take one
//! more commit, and come back again.
//!
//! [`Scratch`] is the fixture of all other tests: closing it proves the store whole, failing keeps
//! the file and says where, with the [`Seed`] that repeats the run.

#![forbid(unsafe_code)]

pub mod check;
pub mod crash;
pub mod gate;
pub mod model;
pub mod op;
pub mod scratch;
pub mod seed;
pub mod session;

pub use gate::Gate;
pub use model::Model;
pub use op::Op;
pub use scratch::Scratch;
pub use seed::{Seed, effort};
pub use session::Session;
