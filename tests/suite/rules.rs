//! The numbered rules R1 to R14 of `docs/design.md`, one test each at least: the smallest scene in which
//! breaking the rule loses data or time.

use std::sync::Arc;

use cowslip::{
    Database, Durability,
    storage::{
        SimulatedStorage,
        simulated::{Event, History, Plan, SectorSize},
    },
};
use cowslip_harness::{Model, Op, Seed, check, session::disk_of};
use cowslip_pager::{Child, Config, Corruption, Kinds, Pager, geometry::SUPERBLOCK_AREA};

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

/// The power is cut at every event: what is left is whole, and one of these versions.
fn assert_every_cut_leaves_one_of(versions: &[Model], history: &History, seed: &Seed) {
    let mut rng = seed.rng(0);
    let mut explorer = history.explore(SectorSize::B512);
    loop {
        for plan in [Plan::None, Plan::Seeded(rng.u64(..))] {
            let image = explorer.cut().image(&plan);
            let at = explorer.position();
            check::before_recovery(&*disk_of(&image)).unwrap_or_else(|e| panic!("{at}: {e}"));
            if rng.u8(..4) == 0 {
                let db = reopened(&image).unwrap_or_else(|e| panic!("{at}: {e}"));
                let found = Model::read(&db).unwrap();
                assert!(versions.contains(&found), "{at}: a state that never was");
            }
        }
        if !explorer.advance() {
            break;
        }
    }
}

/// Of what was done since an opening: a superblock came before the first page (R12).
fn assert_session_begins_first(events: &[Event]) {
    let first = events.iter().position(|event| matches!(event, Event::Write { .. }));
    let first = first.expect("a page was written");
    let begun = events[..first].iter().any(
        |event| matches!(event, Event::WriteDurable { offset, .. } if *offset < SUPERBLOCK_AREA),
    );
    assert!(begun, "{first} events before the first page, and no superblock among them");
}
