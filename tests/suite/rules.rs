//! The numbered rules R1 to R14 of `docs/design.md`, one test each at least: the smallest scene in which
//! breaking the rule loses data or time.

use std::sync::Arc;

use cowslip::{Database, Durability, storage::SimulatedStorage};
use cowslip_harness::{Op, session::disk_of};
use cowslip_pager::{Child, Config, Corruption, Kinds, Pager};

mod checkpoints;
mod continued;
mod delta;
mod newest;
mod order;
mod sharing;
mod write_behind;

fn put(key: u16, length: u32) -> Op {
    Op::Put { table: 0, key, length, fill: key }
}

fn set(db: &Database, key: &[u8], value: &[u8], durability: Durability) {
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(durability);
    tx.open_table("t").unwrap().insert(key, value).unwrap();
    tx.commit().unwrap();
}

fn reopened(image: &[u8]) -> cowslip::Result<Database> {
    Database::builder().background(false).cache_size(1 << 20).open_or_create_on(disk_of(image))
}

/// Pages without meaning.
#[derive(Debug)]
struct Opaque;

impl Kinds for Opaque {
    fn validate(&self, _: &[u8]) -> Result<(), Corruption> {
        Ok(())
    }
    fn children(
        &self,
        _: &[u8],
        _: &mut dyn FnMut(Child) -> cowslip_pager::Result<()>,
    ) -> cowslip_pager::Result<()> {
        Ok(())
    }
}

fn pager(disk: Arc<SimulatedStorage>) -> Arc<Pager> {
    let config = Config { background: false, cache_size: 1 << 20, ..Config::default() };
    Arc::new(Pager::create(disk, config, Arc::new(Opaque)).unwrap())
}
