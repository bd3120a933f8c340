//! Cowslip as an [`Engine`] under test.

use std::sync::Arc;

use cowslip::{
    Builder, Database, Durability,
    storage::{SimulatedStorage, Storage},
};
use cowslip_pager::{
    PageId, Pager,
    geometry::{Geometry, SUPERBLOCK_AREA},
    page::{HEADER, Header},
    storage::simulated::Image,
    superblock::Superblock,
};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    check,
    engine::{Engine, Failure, Life, Survivor},
    model::{Model, Table},
    monitor::{Monitor, Watch},
    op::Op,
    session::Session,
    witness::Witness,
};

/// Cowslip, with pages of some size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cowslip {
    /// Of new databases.
    pub page_size: usize,
    /// Bytes.
    pub cache_size: usize,
}

impl Default for Cowslip {
    fn default() -> Cowslip {
        Cowslip { page_size: 4096, cache_size: 1 << 18 }
    }
}

impl Cowslip {
    fn session(&self, witness: Witness<Model>) -> Result<Session, Failure> {
        Session::with(witness, self.builder(), self.page_size)
            .map_err(|error| Failure::error("opening", error))
    }

    fn builder(&self) -> Builder {
        Database::builder().cache_size(self.cache_size).page_size(self.page_size).background(false)
    }
}

const TABLE: &str = "after the crash";
const ENTRY: (&[u8], &[u8]) = (b"is it", b"alive?");

impl Engine for Cowslip {
    type State = Model;
    type Op = Op;

    fn name(&self) -> &'static str {
        "cowslip"
    }

    fn alphabet(&self) -> Vec<Op> {
        let put = |key, length, fill| Op::Put { table: 0, key, length, fill };
        vec![
            put(1, 20, 1),
            put(2, 20, 1),
            put(3, 20, 1),
            put(1, 900, 2),
            put(2, 30, 2),
            // Larger than what stands in a leaf.
            put(3, 9000, 2),
            Op::Remove { table: 0, key: 1 },
            Op::Remove { table: 0, key: 2 },
            Op::Remove { table: 0, key: 3 },
            Op::RemoveRange { table: 0, from: None, to: Some(3) },
            Op::Snapshot { name: 0 },
            Op::DeleteSnapshot { name: 0 },
            Op::Rollback { name: 0 },
            Op::BranchFromBranch { name: 1, from: 0 },
            Op::Commit(Durability::Immediate),
            Op::Commit(Durability::Eventual),
            Op::Commit(Durability::None),
            Op::Checkpoint,
            Op::Reopen,
        ]
    }

    fn furnishing(&self) -> Vec<Op> {
        let put = |key, length| Op::Put { table: 0, key, length, fill: 7 };
        let mut ops = vec![put(1, 20), put(2, 700), put(3, 9000)];
        // Enough for a tree of two levels.
        ops.extend((10..40).map(|key| put(key, 300)));
        ops.extend([
            Op::Commit(Durability::Immediate),
            Op::Snapshot { name: 0 },
            Op::Checkpoint,
            put(1, 25),
            Op::Remove { table: 0, key: 12 },
            Op::Commit(Durability::Immediate),
        ]);
        ops
    }

    fn random(&self, rng: &mut Rng) -> Op {
        Op::random(rng, false)
    }

    fn live(&self, witness: Witness<Model>) -> Result<Box<dyn Life<Op>>, Failure> {
        Ok(Box::new(Lively { session: self.session(witness)?, autocommit: false }))
    }

    fn live_short(&self, witness: Witness<Model>) -> Result<Box<dyn Life<Op>>, Failure> {
        Ok(Box::new(Lively { session: self.session(witness)?, autocommit: true }))
    }

    fn open(&self, disk: &Arc<SimulatedStorage>) -> Result<Box<dyn Survivor<Model>>, Failure> {
        let builder = self.builder();
        // A disk that lies makes the engine do what is wrong only to somebody who knows better.
        let watched = disk.is_honest().then(|| Monitor::over_disk(disk));
        let (storage, watch): (Arc<dyn Storage>, _) = match watched {
            Some((storage, watch)) => (storage, Some(watch)),
            None => (disk.clone(), None),
        };
        let db = judged(watch.as_ref(), "opening", builder.open_or_create_on(storage))?;
        Ok(Box::new(Survived { db, watch }))
    }

    fn written_on(&self, state: &Model) -> Model {
        let mut model = state.clone();
        let main = model.branches.entry("main".into()).or_default();
        let (key, value) = ENTRY;
        main.insert(TABLE.into(), Arc::new(Table::from([(key.to_vec(), Arc::from(value))])));
        model
    }

    fn difference(&self, expected: &Model, found: &Model) -> String {
        expected.difference(found).unwrap_or_else(|| "nothing".into())
    }

    fn place(&self, disk: &Image, offset: u64) -> String {
        if offset < SUPERBLOCK_AREA {
            let number = offset / Superblock::offset(1, 0);
            return format!("superblock, slot {}, copy {}", number % 2, number / 2);
        }
        let Some(geometry) = Geometry::new(self.page_size) else { return String::new() };
        let page = PageId(offset / self.page_size as u64);
        let storage = SimulatedStorage::from_image(disk.clone());
        if let Ok(newest) = Pager::superblock(&storage) {
            let start = geometry.offset(newest.log.page);
            if (start..start + newest.log.blocks * 4096).contains(&offset) {
                return format!("log, block {} of the ring", (offset - start) / 4096);
            }
        }
        if geometry.is_reserved(page) {
            return format!("page {page}, of the page map");
        }
        let mut header = [0; HEADER];
        match storage.read_at(&mut header, geometry.offset(page)) {
            Ok(()) if Header::read(&header).pointer.page == page => {
                let pointer = Header::read(&header).pointer;
                format!("page {page}, a node of level {}", pointer.level)
            }
            _ => format!("page {page}"),
        }
    }

    fn examine_crashed(&self, disk: &dyn Storage) -> Result<(), String> {
        check::before_recovery(disk)
    }

    fn examine_closed(&self, disk: &dyn Storage) -> Result<(), String> {
        check::storage(disk)
    }
}

struct Lively {
    session: Session,
    /// Every operation that changes entries is a transaction of its own.
    autocommit: bool,
}

impl Life<Op> for Lively {
    fn apply(&mut self, op: &Op) -> Result<(), Failure> {
        let mut apply = |op: &Op| {
            self.session.apply(op).map_err(|error| Failure::error(&format!("{op:?}"), error))
        };
        match op {
            Op::Put { .. } | Op::Remove { .. } | Op::RemoveRange { .. } if self.autocommit => {
                apply(op)?;
                apply(&Op::Commit(Durability::Immediate))
            }
            // There is never anything else to commit.
            Op::Commit(durability) if self.autocommit => {
                let fill = *durability as u16;
                apply(&Op::Put { table: 1, key: 1, length: 40, fill })?;
                apply(op)
            }
            _ => apply(op),
        }
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.session.finish().map(|_| ()).map_err(|error| Failure::error("closing", error))
    }
}

struct Survived {
    db: Database,
    watch: Option<Watch>,
}

impl Survivor<Model> for Survived {
    fn read(&mut self) -> Result<Model, Failure> {
        judged(self.watch.as_ref(), "reading", Model::read(&self.db))
    }

    fn write_on(&mut self) -> Result<(), Failure> {
        let write = || {
            let tx = self.db.begin_write()?;
            tx.open_table(TABLE)?.insert(ENTRY.0, ENTRY.1)?;
            tx.commit()
        };
        let begun = self.watch.as_ref().map(Watch::moment);
        judged(self.watch.as_ref(), "writing", write())?;
        if let (Some(watch), Some(begun)) = (&self.watch, begun) {
            // It may have been there already.
            watch.acknowledged(begun, false);
        }
        Ok(())
    }

    fn newest_id(&self) -> Option<u64> {
        self.db.begin_read().ok().map(|version| version.number())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        judged(self.watch.as_ref(), "closing", self.db.close())
    }
}

/// What a call came to, if the monitor is content.
fn judged<T>(
    watch: Option<&Watch>,
    during: &str,
    result: cowslip::Result<T>,
) -> Result<T, Failure> {
    if let Some(what) = watch.and_then(Watch::verdict) {
        return Err(Failure::wrong(format!("{during}: the ordering monitor: {what}")));
    }
    result.map_err(|error| Failure::error(during, error))
}
