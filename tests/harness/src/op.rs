//! Operations on a database, small enough to print: keys and values are named by numbers.

use cowslip::Durability;
use fastrand::Rng;
#[cfg(feature = "proptest")]
use proptest::{prelude::*, strategy::Union};
use serde::{Deserialize, Serialize};

/// What can be done to a database. Tables are `t0..`, snapshots `s0..`, branches `main` and `b1..`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each operation's line says what its numbers name")]
pub enum Op {
    /// Puts a value (of so many bytes, with this filling) under a key.
    Put { table: u8, key: u16, length: u32, fill: u16 },
    /// Removes a key.
    Remove { table: u8, key: u16 },
    /// Removes the keys from one to another; none: to the end.
    RemoveRange { table: u8, from: Option<u16>, to: Option<u16> },
    /// Makes a table.
    OpenTable { table: u8 },
    /// Deletes a table.
    DeleteTable { table: u8 },
    /// Commits the transaction.
    Commit(#[serde(with = "Level")] Durability),
    /// Drops the transaction.
    Abort,
    /// Later transactions write another branch.
    Switch { branch: u8 },
    /// Makes a snapshot of the current branch.
    Snapshot { name: u8 },
    /// Deletes a snapshot.
    DeleteSnapshot { name: u8 },
    /// Makes a snapshot refuse deletion, or not any more.
    Hold { name: u8, held: bool },
    /// Takes the current branch back.
    Rollback { name: u8 },
    /// Makes a branch from a snapshot.
    BranchFromSnapshot { name: u8, from: u8 },
    /// Makes a branch from a branch.
    BranchFromBranch { name: u8, from: u8 },
    /// Deletes a branch.
    DeleteBranch { name: u8 },
    /// Makes a branch `main`.
    Promote { name: u8 },
    /// Sends a snapshot, whole or since another one, and receives it under another name.
    Receive { name: u8, from: u8, since: Option<u8> },
    /// Begins to read, for long.
    HoldReader,
    /// Looks at what the long readers see, and ends half of them.
    CheckReaders,
    /// Compares a snapshot or branch with another.
    Diff { from: u8, to: u8 },
    /// Writes a checkpoint.
    Checkpoint,
    /// Closes and opens again.
    Reopen,
    /// Cuts the power during the last operation or after it, and recovers.
    PowerCut { seed: u64 },
}

/// How a [`Durability`] is written in a saved case.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Durability", rename_all = "kebab-case")]
enum Level {
    Immediate,
    Eventual,
    None,
}

/// Keys that operations use.
pub const KEYS: u16 = 500;
/// Tables that operations use.
pub const TABLES: u8 = 3;
/// Names of snapshots, and of branches, that operations use.
pub const NAMES: u8 = 4;

/// The bytes of a key: the empty one, short ones, ones with a long common beginning, and ones of up
/// to a quarter of a page.
pub fn key(number: u16, page_size: usize) -> Vec<u8> {
    let text = format!("{:05}", number.wrapping_mul(7919) % KEYS);
    match number % 11 {
        0 if number == 0 => Vec::new(),
        0 => {
            let mut key = vec![b'l'; page_size / 4 - usize::from(number) % 64];
            let at = key.len() - text.len();
            key[at..].copy_from_slice(text.as_bytes());
            key
        }
        1 | 2 => format!("a common beginning that is rather long/{text}").into_bytes(),
        3 => vec![0xFF; usize::from(number) % 40],
        4 => number.to_be_bytes().to_vec(),
        _ => text.into_bytes(),
    }
}

/// The bytes of a value.
pub fn value(length: u32, fill: u16) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    Rng::with_seed(u64::from(fill)).fill(&mut bytes);
    bytes
}

/// A value's length, of a class: mostly small, some around the limits of what stands in a leaf,
/// some large.
fn length(class: u32, within: u32) -> u32 {
    match class % 32 {
        0 => 0,
        1..18 => within % 120,
        18..25 => 200 + within % 700,
        25..28 => 1900 + within % 200,
        28..30 => 3900 + within % 400,
        30 => 20_000 + within % 100_000,
        _ => 32_000 + within % 1000,
    }
}

/// A weight, and how to make an operation from a few random numbers.
type Rule = (u32, fn([u32; 4]) -> Op);

fn rules(power_cuts: bool) -> Vec<Rule> {
    let all: [Rule; 25] = [
        (40, |n| Op::Put {
            table: table(n[0]),
            key: number(n[1]),
            length: length(n[2], n[2] >> 8),
            fill: n[3] as u16,
        }),
        (12, |n| Op::Remove { table: table(n[0]), key: number(n[1]) }),
        (2, |n| Op::RemoveRange {
            table: table(n[0]),
            from: (n[3] % 4 > 0).then_some(number(n[1])),
            to: (n[3] / 4 % 4 > 0).then_some(number(n[2])),
        }),
        (1, |n| Op::OpenTable { table: table(n[0]) }),
        (1, |n| Op::DeleteTable { table: table(n[0]) }),
        (6, |_| Op::Commit(Durability::Immediate)),
        (3, |_| Op::Commit(Durability::Eventual)),
        (3, |_| Op::Commit(Durability::None)),
        (2, |_| Op::Abort),
        (2, |n| Op::Switch { branch: name(n[0]) }),
        (3, |n| Op::Snapshot { name: name(n[0]) }),
        (2, |n| Op::DeleteSnapshot { name: name(n[0]) }),
        (1, |n| Op::Hold { name: name(n[0]), held: n[1] % 4 == 0 }),
        (1, |n| Op::Rollback { name: name(n[0]) }),
        (1, |n| Op::BranchFromSnapshot { name: name(n[0]), from: name(n[1]) }),
        (1, |n| Op::BranchFromBranch { name: name(n[0]), from: name(n[1]) }),
        (1, |n| Op::DeleteBranch { name: name(n[0]) }),
        (1, |n| Op::Promote { name: name(n[0]) }),
        (1, |n| Op::Receive {
            name: name(n[0]),
            from: name(n[1]),
            since: (n[3] % 4 > 0).then_some(name(n[2])),
        }),
        (1, |_| Op::HoldReader),
        (1, |_| Op::CheckReaders),
        (1, |n| Op::Diff { from: (n[0] % 8) as u8, to: (n[1] % 8) as u8 }),
        (2, |_| Op::Checkpoint),
        (1, |_| Op::Reopen),
        (if power_cuts { 2 } else { 0 }, |n| Op::PowerCut { seed: u64::from(n[0]) }),
    ];
    all.into_iter().filter(|rule| rule.0 > 0).collect()
}

fn table(n: u32) -> u8 {
    (n % u32::from(TABLES)) as u8
}

fn number(n: u32) -> u16 {
    (n % u32::from(KEYS)) as u16
}

fn name(n: u32) -> u8 {
    (n % u32::from(NAMES)) as u8
}

impl Op {
    /// A random operation.
    pub fn random(rng: &mut Rng, power_cuts: bool) -> Op {
        let rules = rules(power_cuts);
        let total: u32 = rules.iter().map(|rule| rule.0).sum();
        let mut left = rng.u32(..total);
        let rule = rules.iter().find(|rule| match left.checked_sub(rule.0) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        rule.expect("weights add up").1([rng.u32(..), rng.u32(..), rng.u32(..), rng.u32(..)])
    }

    /// Sequences of operations, for property tests; they shrink.
    #[cfg(feature = "proptest")]
    pub fn sequences(length: usize, power_cuts: bool) -> impl Strategy<Value = Vec<Op>> {
        let one = Union::new_weighted(
            rules(power_cuts)
                .into_iter()
                .map(|(weight, make)| (weight, any::<[u32; 4]>().prop_map(make).boxed()))
                .collect(),
        );
        prop::collection::vec(one, 1..length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_legal_at_every_page_size() {
        for page_size in [4096, 65536] {
            assert!((0..KEYS).all(|n| key(n, page_size).len() <= page_size / 4));
        }
    }

    #[test]
    fn every_operation_occurs() {
        let mut rng = Rng::with_seed(1);
        let names: std::collections::BTreeSet<String> = (0..5000)
            .map(|_| format!("{:?}", Op::random(&mut rng, true)))
            .map(|text| text.split([' ', '{', '(']).next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(names.len(), 23, "{names:?}");
    }
}
