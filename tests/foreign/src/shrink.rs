//! A shorter history with the same end.

use std::time::{Duration, Instant};

use cowslip_harness::{
    campaign::{Case, Failing, Starts, try_life},
    explore::Seen,
};

use crate::{engine::Redb, op::Op};

/// Drops operations, and changes in them, as long as a violation of the same kind is found, with or
/// without the database's check of itself; for so long at most.
pub fn shrink(
    starts: &Starts,
    failing: Failing<Redb>,
    (kind, check): (&str, bool),
    time: Duration,
) -> Failing<Redb> {
    let end = Instant::now() + time;
    let mut best = failing;
    let mut progress = true;
    while progress {
        progress = false;
        for ops in shorter(&best.case.ops) {
            if Instant::now() > end {
                return best;
            }
            let engine = Redb::looking_for(kind, check);
            let case = Case { ops, ..best.case.clone() };
            if let Err(found) = try_life(&engine, starts, case, &Seen::default())
                && engine.refused().as_deref() == Some(kind)
            {
                best = *found;
                progress = true;
                break;
            }
        }
    }
    best
}

/// All histories with one operation less, or one change less.
fn shorter(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut all = Vec::new();
    for i in 0..ops.len() {
        let mut less = ops.to_vec();
        less.remove(i);
        if !less.is_empty() {
            all.push(less);
        }
    }
    for (i, op) in ops.iter().enumerate() {
        if let Op::Commit(_, changes) | Op::Abort(changes) = op {
            for j in 0..changes.len() {
                let mut less = ops.to_vec();
                if let Op::Commit(_, changes) | Op::Abort(changes) = &mut less[i] {
                    changes.remove(j);
                }
                all.push(less);
            }
        }
    }
    all
}
