//! A failing life made shorter: operations are left out as long as a promise is still broken.
//!
//! The way is Zeller's delta debugging ("Simplifying and Isolating Failure-Inducing Input", 2002):
//! ever smaller pieces are left out, each time on trial. A life that breaks another promise than
//! before is as welcome: what counts is that it is wrong and short.

use std::time::Instant;

use crate::{
    campaign::{Case, Failing, Starts, try_life},
    engine::Engine,
    explore::Seen,
};

/// Shortens until nothing can be left out, or until the time is over. `watch` hears how many
/// operations are left.
pub fn shrink<E: Engine>(
    engine: &E,
    starts: &Starts,
    failing: Box<Failing<E>>,
    until: Instant,
    watch: impl Fn(usize),
) -> Box<Failing<E>> {
    let mut shortest = failing;
    let mut piece = shortest.case.ops.len() / 2;
    while piece > 0 {
        let mut from = 0;
        let mut shortened = false;
        while from < shortest.case.ops.len() {
            if Instant::now() >= until {
                return shortest;
            }
            let mut ops = shortest.case.ops.clone();
            ops.drain(from..(from + piece).min(ops.len()));
            let case = Case { ops, ..shortest.case.clone() };
            match try_life(engine, starts, case, &Seen::default()) {
                Err(shorter) => {
                    shortest = shorter;
                    shortened = true;
                    watch(shortest.case.ops.len());
                }
                Ok(_) => from += piece,
            }
        }
        // At the finest, again until nothing more can go.
        if piece > 1 || !shortened {
            piece /= 2;
        }
    }
    shortest
}
