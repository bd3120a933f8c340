//! R13: a version is continued in place only while it is nobody's.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use cowslip::{
    Database, Durability, Error,
    storage::{
        SimulatedStorage, Storage,
        simulated::{FaultKind, Plan, SectorSize},
    },
};
use cowslip_harness::{Scratch, session::disk_of};

use super::{reopened, set};

fn value(db: &Database, key: &[u8]) -> Option<Vec<u8>> {
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    table.get(key).unwrap().map(|value| value.to_vec())
}

/// A database whose newest version could be continued.
fn begun(durability: Durability) -> (Scratch, Arc<SimulatedStorage>) {
    let (db, disk) = Scratch::simulated(Database::builder());
    (0..500u32).for_each(|n| set(&db, &n.to_be_bytes(), b"first", Durability::None));
    let before = db.stats().continued;
    set(&db, b"key", b"old", durability);
    set(&db, b"key", b"old", durability);
    assert!(db.stats().continued > before);
    (db, disk)
}

#[test]
fn r13_a_weak_commit_copies_nothing_where_nobody_reads_the_newest_version() {
    for durability in [Durability::None, Durability::Eventual] {
        let (db, _) = begun(durability);
        let before = db.stats();
        (0..100u32).for_each(|n| set(&db, &(n % 7).to_be_bytes(), b"again", durability));
        let after = db.stats();
        assert_eq!(after.continued - before.continued, 100);
        // Each leaf once; there are few.
        assert!(after.cache.copies - before.cache.copies < 10);
        assert_eq!(value(&db, &3u32.to_be_bytes()).unwrap(), b"again");
    }
}

#[test]
fn r13_a_reader_keeps_his_version_whatever_is_continued() {
    let (db, _) = begun(Durability::None);
    let mut readers = Vec::new();
    for n in 0..200u32 {
        let name = n.to_be_bytes();
        set(&db, b"key", &name, Durability::None);
        set(&db, &n.to_be_bytes(), b"second", Durability::None);
        if n % 3 == 0 {
            readers.push((name, db.begin_read().unwrap().open_table("t").unwrap()));
        }
        if n % 10 == 0 {
            readers.drain(..readers.len() / 2);
        }
        for (name, table) in &readers {
            assert_eq!(&*table.get(b"key").unwrap().unwrap(), &name[..]);
            let n = u32::from_be_bytes(*name);
            assert_eq!(&*table.get(name).unwrap().unwrap(), b"second");
            if n < 499 {
                assert_eq!(&*table.get(&(n + 1).to_be_bytes()).unwrap().unwrap(), b"first");
            }
        }
    }
    assert!(db.stats().continued > 100);
}

#[test]
fn r13_numbers_of_versions_grow_though_one_is_continued() {
    let (db, _) = begun(Durability::None);
    let mut last = 0;
    for n in 0..50u32 {
        set(&db, b"key", &n.to_be_bytes(), Durability::None);
        let number = db.begin_read().unwrap().number();
        assert!(number > last);
        last = number;
    }
}

/// What was committed after the seal comes from the log, never from the pages that the checkpoint has.
#[test]
fn r13_a_sealed_version_is_not_continued() {
    let (db, disk) = begun(Durability::None);
    set(&db, b"key", b"sealed", Durability::None);
    db.checkpoint().unwrap();
    let sealed = disk.image();
    let before = db.stats();
    set(&db, b"key", b"later", Durability::None);
    let after = db.stats();
    assert_eq!(after.continued, before.continued);
    assert!(after.cache.copies > before.cache.copies);
    set(&db, b"key", b"latest", Durability::None);
    assert_eq!(db.stats().continued, after.continued + 1);
    assert_eq!(value(&reopened(&sealed).unwrap(), b"key").unwrap(), b"sealed");
    assert_eq!(value(&reopened(&disk.image()).unwrap(), b"key").unwrap(), b"sealed");
    assert_eq!(value(&db, b"key").unwrap(), b"latest");
}

#[test]
fn r13_snapshots_branches_and_bookmarks_keep_what_they_had() {
    let (db, _) = begun(Durability::None);
    for n in 0..40u32 {
        let name = n.to_string();
        set(&db, b"key", name.as_bytes(), Durability::None);
        set(&db, &n.to_be_bytes(), name.as_bytes(), Durability::None);
        db.create_snapshot(&name).unwrap();
        if n % 5 == 0 {
            db.create_branch(&format!("of {n}"), &name).unwrap();
        }
        set(&db, b"key", b"overwritten", Durability::None);
        set(&db, b"key", b"overwritten in place", Durability::None);
    }
    for n in 0..40u32 {
        let name = n.to_string();
        let table = db.begin_read_at(&name).unwrap().open_table("t").unwrap();
        assert_eq!(&*table.get(b"key").unwrap().unwrap(), name.as_bytes());
        let untouched = table.get(&(n + 1).to_be_bytes()).unwrap().unwrap();
        assert_eq!(&*untouched, b"first");
    }
}

#[test]
fn r13_what_a_failed_transaction_has_edited_is_put_back() {
    for kind in [FaultKind::Eio, FaultKind::Enospc, FaultKind::Panic] {
        let (mut db, disk) = begun(Durability::Eventual);
        let number = db.begin_read().unwrap().number();
        disk.fail_at(disk.calls(), kind, true);
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::Eventual);
        {
            let mut table = tx.open_table("t").unwrap();
            assert!(table.insert(b"key", b"lost").unwrap());
            assert!(!table.insert(b"other", b"lost").unwrap());
            assert!(table.remove(&7u32.to_be_bytes()).unwrap());
        }
        let committed = catch_unwind(AssertUnwindSafe(|| tx.commit()));
        assert!(!matches!(committed, Ok(Ok(()))));
        assert_eq!(value(&db, b"key").unwrap(), b"old");
        assert_eq!(value(&db, b"other"), None);
        assert_eq!(value(&db, &7u32.to_be_bytes()).unwrap(), b"first");
        assert_eq!(db.begin_read().unwrap().number(), number);
        assert!(matches!(db.begin_write(), Err(Error::Poisoned { .. })));
        disk.clear_faults();
        assert!(db.close().is_err());
    }
}

#[test]
fn r13_a_transaction_sees_what_it_has_postponed() {
    let (db, _) = begun(Durability::None);
    let mut tx = db.begin_write().unwrap();
    tx.set_durability(Durability::None);
    {
        let mut table = tx.open_table("t").unwrap();
        assert!(!table.insert(b"new", b"1").unwrap());
        assert!(table.insert(b"new", b"2").unwrap());
        assert!(table.remove(b"new").unwrap());
        assert!(!table.remove(b"new").unwrap());
        assert!(!table.insert(b"new", b"3").unwrap());
        assert_eq!(&*table.get(b"new").unwrap().unwrap(), b"3");
        assert_eq!(table.len().unwrap(), 502);
        assert!(table.remove(b"key").unwrap());
    }
    tx.abort().unwrap();
    assert_eq!(value(&db, b"new"), None);
    assert_eq!(value(&db, b"key").unwrap(), b"old");
}

/// Salvage, and whoever reads old pages, may rely on it that a stamp has one line.
#[test]
fn r13_a_version_is_continued_by_its_own_branch_only() {
    let (db, _) = begun(Durability::None);
    db.create_branch("other", "main").unwrap();
    let continues = |branch: &str| {
        let before = db.stats().continued;
        let mut tx = db.begin_write_on(branch).unwrap();
        tx.set_durability(Durability::None);
        tx.open_table("t").unwrap().insert(b"key", branch.as_bytes()).unwrap();
        tx.commit().unwrap();
        db.stats().continued > before
    };
    for branch in ["main", "other", "main", "other"] {
        assert!(!continues(branch), "the version before was another one's");
        assert!(continues(branch));
        assert!(continues(branch));
    }
}

/// Power cuts at every call: what is there afterwards is a prefix, and no page of a checkpoint has more.
#[test]
fn r13_every_cut_leaves_a_prefix() {
    let (db, disk) = Scratch::simulated(Database::builder());
    for n in 0..120u64 {
        let durability = [Durability::None, Durability::Eventual, Durability::None][n as usize % 3];
        set(&db, b"a", &n.to_be_bytes(), durability);
        set(&db, &n.to_be_bytes(), b"row", durability);
        if n % 40 == 39 {
            db.checkpoint().unwrap();
        } else if n % 25 == 0 {
            set(&db, b"b", &n.to_be_bytes(), Durability::Immediate);
        }
    }
    assert!(db.stats().continued > 150);
    let history = disk.history();
    let mut explorer = history.explore(SectorSize::B512);
    let mut cuts = 0;
    loop {
        for plan in [Plan::None, Plan::Seeded(cuts)] {
            let image = explorer.cut().image(&plan);
            cowslip_harness::check::after_crash(&*disk_of(&image)).unwrap();
            let Ok(db) = Database::builder().background(false).open_or_create_on(disk_of(&image))
            else {
                continue;
            };
            let Ok(table) = db.begin_read().unwrap().open_table("t") else { continue };
            let newest = table
                .get(b"a")
                .unwrap()
                .map_or(0, |value| u64::from_be_bytes(value.to_vec().try_into().unwrap()));
            let rows =
                table.range(0u64.to_be_bytes()..200u64.to_be_bytes()).unwrap().count() as u64;
            assert!(rows == newest || rows == newest + 1, "{rows} rows beside {newest}");
        }
        cuts += 1;
        if !explorer.advance() {
            break;
        }
    }
    assert!(cuts > 100);
}

/// A disk whose durable writes wait while the gate is closed.
#[derive(Debug)]
struct Gated {
    disk: SimulatedStorage,
    closed: AtomicBool,
    waits: AtomicBool,
}

impl Storage for Gated {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.set_len(length)
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.read_at(bytes, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write_at(bytes, offset)
    }
    fn write_direct(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write_direct(bytes, offset)
    }
    fn write_durable(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        while self.closed.load(Ordering::SeqCst) {
            self.waits.store(true, Ordering::SeqCst);
            std::thread::yield_now();
        }
        self.disk.write_durable(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
    fn is_read_only(&self) -> bool {
        false
    }
}

/// A record that waits in memory is taken along by a durable write; one that is written plainly behind it is
/// worth nothing before that write has ended.
#[test]
fn r13_an_eventual_commit_is_not_acknowledged_before_what_its_record_follows_is_written() {
    let (closed, waits) = (AtomicBool::new(false), AtomicBool::new(false));
    let disk = Arc::new(Gated { disk: SimulatedStorage::new(), closed, waits });
    let builder = Database::builder().background(false);
    let db = builder.open_or_create_on(disk.clone()).unwrap();
    set(&db, b"a", b"0", Durability::Immediate);
    set(&db, b"none", b"1", Durability::None);
    disk.closed.store(true, Ordering::SeqCst);
    let image = std::thread::scope(|scope| {
        let durable = scope.spawn(|| db.begin_write().unwrap().commit().unwrap());
        while !disk.waits.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let (done, acknowledged) = mpsc::channel();
        let db = &db;
        let weak = scope.spawn(move || {
            set(db, b"eventual", b"2", Durability::Eventual);
            done.send(()).unwrap();
        });
        let too_early = acknowledged.recv_timeout(Duration::from_millis(300)).is_ok();
        let image = disk.disk.image();
        disk.closed.store(false, Ordering::SeqCst);
        durable.join().unwrap();
        weak.join().unwrap();
        too_early.then_some(image)
    });
    assert!(db.stats().continued > 0);
    if let Some(image) = image {
        // The process was killed then.
        assert!(value(&reopened(&image).unwrap(), b"eventual").is_some(), "acknowledged, and lost");
    }
}

#[test]
fn r13_nothing_is_spilled_and_no_load_is_entered_while_readers_wait() {
    let (db, _) = Scratch::simulated(Database::builder().cache_size(1 << 20));
    let key = |n: u32| {
        let mut key = (n / 4).wrapping_mul(0x9E37_79B9).to_be_bytes().repeat(100);
        key.push(n as u8);
        key
    };
    let fill = |table: &str, rows: u32, again: bool| {
        let mut tx = db.begin_write().unwrap();
        tx.set_durability(Durability::None);
        {
            let mut table = tx.open_table(table).unwrap();
            for n in 0..rows {
                table.insert(&key(n), &[7; 1500]).unwrap();
            }
        }
        if again {
            // What was held back in an empty table has changed no page yet.
            tx.set_durability(Durability::None);
            for other in 0..32 {
                tx.open_table(&other.to_string()).unwrap().insert(&key(40), b"new").unwrap();
            }
        }
        tx.commit().unwrap();
    };
    (0..32).for_each(|table| fill(&table.to_string(), 80, false));
    fill("big", 80, false);
    fill("empty", 0, false);
    db.checkpoint().unwrap();
    fill("big", 80, false);
    let before = db.stats().continued;
    fill("empty", 100, true);
    assert_eq!(db.stats().continued, before, "a load makes a version of its own");
    for table in (0..32).map(|table| table.to_string()).chain(["empty".into(), "big".into()]) {
        for _ in 0..2 {
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(Durability::None);
            tx.open_table(&table).unwrap().insert(&key(40), b"newer").unwrap();
            tx.commit().unwrap();
        }
    }
    assert!(db.stats().continued > before);
}
