//! The map: what is kept in memory, what a checkpoint writes of it.

use super::*;
use crate::storage::MemoryStorage;

/// A process that only reads never begins a transaction that would let groups go.
#[test]
fn groups_that_only_readers_need_stay_within_the_budget() {
    let geometry = Geometry::new(4096).unwrap();
    let storage = MemoryStorage::new();
    let mut map = Map::new(geometry, 0);
    for group in 0..1000 {
        map.read(&storage, PageId(geometry.group_start(group))).unwrap();
    }
    assert!(map.groups.len() <= 2 * map.budget + 1, "{} groups", map.groups.len());
}
