//! The scrub in the background finds every damaged page and no other, whatever is written meanwhile;
//! it keeps its place, and keeps out of the way.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cowslip::{
    Database, Durability, Error, ScrubPass, Storage,
    storage::{
        MemoryStorage,
        simulated::{FaultKind, Plan, SectorSize},
    },
    vm::{Access, Machine, Mapping, Settings},
};
use cowslip_harness::{
    Model, Op, Scratch, Seed, Session, check,
    pages::pages_of_names,
    seed::times,
    session::{disk_of, image_of},
};
use cowslip_pager::Pager;

/// Steps until the pass ends.
fn pass(db: &Database) -> ScrubPass {
    while !db.scrub_step().unwrap().ended {}
    db.stats().scrub.last.unwrap()
}

fn put(db: &Database, table: &str, keys: std::ops::Range<u32>, length: usize) {
    let tx = db.begin_write().unwrap();
    for key in keys {
        tx.open_table(table).unwrap().insert(&key.to_be_bytes(), &vec![key as u8; length]).unwrap();
    }
    tx.commit().unwrap();
}

/// Tables, a large value, a stored machine; a snapshot that shares some of it, and a branch.
fn furnish(db: &Database) {
    put(db, "t", 0..1500, 60);
    put(db, "large", 0..3, 30_001);
    if db.stats().page_size == 4096 {
        store_machine(db);
    }
    db.create_snapshot("s").unwrap();
    db.create_branch("b", "s").unwrap();
    put(db, "t", 100..110, 60);
    let tx = db.begin_write().unwrap();
    tx.open_table("large").unwrap().remove(&1u32.to_be_bytes()).unwrap();
    tx.commit().unwrap();
}

fn store_machine(db: &Database) {
    let mut machine = Machine::new(Settings::default());
    machine.map(Machine::FIRST, &Mapping { at: Some(0x500), ..Mapping::anonymous(40) }).unwrap();
    let write = Access::Write { value: 7 };
    machine.touch(Machine::FIRST, 0x500..0x520, 1, write, &mut |_| {});
    let tx = db.begin_write().unwrap();
    tx.store_machine("m", &mut machine).unwrap();
    tx.commit().unwrap();
}

/// The 4 KiB that the byte lies in.
fn block(storage: &dyn Storage, at: u64) -> Vec<u8> {
    let mut block = vec![0; 4096];
    storage.read_at(&mut block, at / 4096 * 4096).unwrap();
    block
}

fn flip(storage: &dyn Storage, at: u64, bit: u8) {
    let mut byte = [0];
    storage.read_at(&mut byte, at).unwrap();
    storage.write_at(&[byte[0] ^ 1 << bit], at).unwrap();
}

#[test]
fn a_pass_names_every_damaged_page_and_finds_nothing_in_a_healthy_file() {
    let seed = Seed::get();
    for page_size in [4096, 16384] {
        let mut rng = seed.rng(page_size);
        let disk = Arc::new(MemoryStorage::new());
        let builder = Database::builder().background(false).page_size(page_size as usize);
        let mut db = Scratch::on(builder.cache_size(1 << 20), disk.clone()).unwrap();
        furnish(&db);
        db.reopen();
        put(&db, "u", 0..1, 1);
        db.checkpoint().unwrap();
        let healthy = pass(&db);
        assert_eq!((healthy.pages_damaged, healthy.pages_unreadable), (0, 0));
        assert!(healthy.pages_unwritten == 0 && db.scrub_findings().is_empty());
        let pages = Pager::superblock(&*disk).unwrap().pages;
        let mut found = BTreeSet::new();
        for page in 0..pages {
            // Of the superblocks' pages the part that is used.
            let reserved = page * page_size < 64 << 10;
            let at = page * page_size + rng.u64(..if reserved { 4096 } else { page_size });
            let bit = rng.u8(..8);
            flip(&*disk, at, bit);
            let hurt = block(&*disk, at);
            let judged = pass(&db);
            // The end of a pass writes a superblock, which may have healed it.
            if block(&*disk, at) == hurt {
                flip(&*disk, at, bit);
            }
            let named: Vec<u64> = db.scrub_findings().iter().map(|finding| finding.page).collect();
            assert!(named.is_empty() || named == [page], "{named:?} where {page} was hurt");
            assert_eq!(judged.pages_damaged, named.len() as u64);
            assert_eq!(judged.pages_verified + judged.pages_damaged, healthy.pages_verified);
            found.extend(named);
        }
        assert_eq!(found.len() as u64, healthy.pages_verified, "pages found damaged");
        let reached = pages_of_names(&image_of(&*disk).unwrap()).into_values().flatten();
        let reached: BTreeSet<u64> = reached.collect();
        assert!(reached.is_subset(&found), "{:?}", reached.difference(&found));
        assert_eq!(pass(&db).pages_damaged, 0);
    }
}

/// A writer that never rests, with snapshots that come and go.
fn write_on(db: &Database, rng: &mut fastrand::Rng) -> Result<(), Error> {
    let number = rng.u32(..);
    match rng.u8(..40) {
        0 => db.create_snapshot(&format!("s{number}")),
        1 | 2 => match db.snapshots()?.iter().find(|snapshot| !snapshot.held) {
            Some(snapshot) => db.delete_snapshot(&snapshot.name),
            None => Ok(()),
        },
        3 if rng.u8(..8) == 0 => db.compact(),
        4 => db.checkpoint(),
        5 => {
            let tx = db.begin_write()?;
            let from = rng.u32(..2000);
            let range = from.to_be_bytes()..(from + 300).to_be_bytes();
            tx.open_table("t")?.remove_range(&range.start[..]..&range.end[..])?;
            tx.commit()
        }
        _ => {
            let mut tx = db.begin_write()?;
            tx.set_durability(*rng.choice(&[Durability::Immediate, Durability::None]).unwrap());
            for _ in 0..rng.u32(1..40) {
                let length = if rng.u8(..30) == 0 { rng.usize(..40_000) } else { rng.usize(..300) };
                let key = rng.u32(..2300).to_be_bytes();
                tx.open_table("t")?.insert(&key, &vec![rng.u8(..3); length])?;
            }
            if rng.u8(..8) == 0 { tx.abort() } else { tx.commit() }
        }
    }
}

#[test]
fn one_pass_finds_a_flipped_bit_while_a_writer_works_at_full_speed() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    for round in 0..times(4) {
        let disk = Arc::new(MemoryStorage::new());
        let builder = Database::builder().cache_size(2 << 20);
        let open = || builder.open_or_create_on(disk.clone()).unwrap();
        let db = open();
        furnish(&db);
        db.hold("s").unwrap();
        let tx = db.begin_write().unwrap();
        tx.delete_table("large").unwrap();
        tx.delete_table("t").unwrap();
        tx.commit().unwrap();
        db.delete_branch("b").unwrap();
        db.close().unwrap();
        // A page that only the snapshot has, so that it is nobody's but the scrub's to find.
        let names = pages_of_names(&image_of(&*disk).unwrap());
        let only: Vec<u64> = names["s"].difference(&names["main"]).copied().collect();
        let page = *rng.choice(&only).unwrap();
        let (at, bit) = (page * 4096 + rng.u64(..4096), rng.u8(..8));
        let db = open();
        flip(&*disk, at, bit);
        let stop = AtomicBool::new(false);
        let rounds = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut rng = seed.rng(1 + round);
                while !stop.load(Ordering::Relaxed) {
                    put(&db, "t", rng.u32(..500)..500, 80);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
            while rounds.load(Ordering::Relaxed) < 3 {
                std::thread::yield_now();
            }
            db.scrub_start(u64::MAX).unwrap();
            wait_for(|| db.stats().scrub.passes == 1);
            stop.store(true, Ordering::Relaxed);
        });
        let found = db.scrub_findings();
        assert_eq!(found.len(), 1, "{found:?} where page {page} was hurt");
        assert!(matches!(found[0].error, Error::Corrupted { page: named, .. } if named == page));
        assert!(found[0].owners >= 1);
        assert_eq!(db.stats().scrub.last.unwrap().pages_damaged, 1);
        flip(&*disk, at, bit);
        db.close().unwrap();
        check::storage(&*disk).unwrap();
    }
}

#[track_caller]
fn wait_for(mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(120), "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A storage that makes the scrub wait in the middle of a read until a writer has done something, though
/// not for long: it may be that the writer cannot go on before the read returns.
#[derive(Debug)]
struct Meanwhile {
    inner: Arc<dyn Storage>,
    /// What the writer has done so far.
    done: AtomicU64,
}

impl Storage for Meanwhile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buf, offset)
    }
    fn read_direct(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let (before, behind) = buf.split_at_mut(buf.len() / 2);
        self.inner.read_at(before, offset)?;
        let wanted = self.done.load(Ordering::Relaxed) + 3;
        let begin = Instant::now();
        while self.done.load(Ordering::Relaxed) < wanted
            && begin.elapsed() < Duration::from_millis(3)
        {
            std::thread::yield_now();
        }
        self.inner.read_at(behind, offset + before.len() as u64)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_at(buf, offset)
    }
    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_direct(buf, offset)
    }
    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_durable(buf, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
    fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }
}

#[test]
fn nothing_that_is_written_freed_moved_or_cut_off_meanwhile_is_taken_for_damage() {
    let seed = Seed::get();
    for round in 0..times(3) {
        let disk = Arc::new(MemoryStorage::new());
        let storage = Arc::new(Meanwhile { inner: disk.clone(), done: AtomicU64::new(0) });
        // Few map groups stay in memory, so that those of the file are looked at as well.
        let db = Database::builder().cache_size(1 << 20).scrub_interval(Duration::ZERO);
        let db = db.scrub_rate(u64::MAX).open_or_create_on(storage.clone()).unwrap();
        let mut rng = seed.rng(round);
        put(&db, "t", 0..2300, 100);
        let wanted = db.stats().scrub.passes + 4 * times(1);
        let begin = Instant::now();
        while db.stats().scrub.passes < wanted && begin.elapsed() < Duration::from_secs(60) {
            write_on(&db, &mut rng).unwrap();
            storage.done.fetch_add(1, Ordering::Relaxed);
        }
        let stats = db.stats().scrub;
        let found = db.scrub_findings();
        assert!(found.is_empty(), "{found:?} after {} passes", stats.passes);
        let pass = stats.last.unwrap();
        assert_eq!((pass.pages_damaged, pass.pages_unreadable), (0, 0));
        db.close().unwrap();
        check::storage(&*disk).unwrap();
    }
}

#[test]
fn no_operation_between_two_slices_makes_a_false_alarm() {
    let seed = Seed::get();
    for round in 0..times(4) {
        let mut rng = seed.rng(round);
        let page_size = *rng.choice(&[4096, 16384]).unwrap();
        let builder = Database::builder().cache_size(256 * page_size);
        let mut session = Session::new(builder, page_size);
        let mut passes = 0;
        for number in 0..400 {
            let op = Op::random(&mut rng, true);
            session.apply(&op).unwrap_or_else(|error| panic!("{op:?}: {error}"));
            if number % 3 == 0 {
                passes += u64::from(session.db().scrub_step().unwrap().ended);
            }
            let found = session.db().scrub_findings();
            assert!(found.is_empty(), "{found:?} after operation {number}, {op:?}");
        }
        assert!(passes > 3, "{passes} passes");
        session.finish().unwrap();
    }
}

#[test]
fn a_scrub_goes_on_where_it_was_when_the_database_is_opened_again() {
    let (mut db, _) = Scratch::simulated(Database::builder());
    furnish(&db);
    db.reopen();
    // The copies of the superblock are judged when this opening has written one.
    pass(&db);
    let whole = pass(&db).pages_verified;
    let mut slices = 0;
    loop {
        let step = db.scrub_step().unwrap();
        slices += 1;
        if step.ended {
            break;
        }
        let before = db.stats().scrub;
        assert!(before.position > 0 && before.pass.is_some());
        db.reopen();
        let now = db.stats().scrub;
        assert_eq!((now.position, now.passes, now.pass), (before.position, 2, before.pass));
    }
    let stats = db.stats().scrub;
    assert!(slices > 3 && stats.pass.is_none() && stats.passes == 3);
    assert_eq!(stats.last.unwrap().pages_verified, whole);
    db.scrub_step().unwrap();
    db.scrub_restart();
    assert_eq!(db.stats().scrub.position, 0);
    assert_eq!(db.stats().scrub.pass, None);
}

#[test]
fn a_power_cut_loses_at_most_the_last_part_of_the_progress() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let (mut db, disk) = Scratch::simulated(Database::builder());
    furnish(&db);
    db.reopen();
    let first = disk.events();
    let mut positions = BTreeSet::from([0]);
    for _ in 0..3 {
        db.scrub_step().unwrap();
        positions.insert(db.stats().scrub.position);
        db.reopen();
    }
    let model = Model::read(&db).unwrap();
    let history = disk.history();
    let mut explorer = history.explore(SectorSize::B512);
    while explorer.position() < first && explorer.advance() {}
    let mut found = BTreeSet::new();
    loop {
        let image = explorer.cut().image(&Plan::Seeded(rng.u64(..)));
        let disk = disk_of(&image);
        check::after_crash(&*disk).unwrap();
        let db = Database::builder().background(false).open_or_create_on(disk).unwrap();
        let position = db.stats().scrub.position;
        assert!(positions.contains(&position), "{position} of {positions:?}");
        // Never back behind what an earlier opening kept.
        assert!(found.last().is_none_or(|last| *last <= position));
        found.insert(position);
        model.assert_is(&db);
        if !explorer.advance() {
            break;
        }
    }
    // A cut before the first of them may leave that one already.
    found.insert(0);
    assert_eq!(found, positions);
}

#[test]
fn an_idle_database_is_not_written_to_but_for_the_end_of_a_pass() {
    let (mut db, disk) = Scratch::simulated(Database::builder());
    furnish(&db);
    db.reopen();
    let calls = disk.calls();
    while !db.scrub_step().unwrap().ended {
        assert!(db.stats().scrub.passes == 1 || disk.calls() == calls);
    }
    // Both copies of one superblock, that of a session as it happens.
    assert_eq!(disk.calls(), calls + 2);
    let superblock = Pager::superblock(&*disk).unwrap();
    assert_eq!(superblock.scrub.passes, 1);
    let before = disk.calls();
    for _ in 0..3 {
        db.scrub_step().unwrap();
    }
    assert_eq!(disk.calls(), before);
}

#[test]
fn a_database_open_for_reading_is_scrubbed_and_not_written_to() {
    let db = Scratch::file(Database::builder());
    furnish(&db);
    let path = db.path();
    let mut db = db;
    db.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let reading = Database::open_read_only(&path).unwrap();
    reading.scrub_start(u64::MAX).unwrap();
    wait_for(|| reading.stats().scrub.passes == 1);
    let judged = reading.stats().scrub.last.unwrap();
    assert!(judged.pages_verified > 50 && judged.pages_damaged == 0);
    reading.close().unwrap();
    assert!(std::fs::read(&path).unwrap() == before);
    db.open().unwrap();
    assert_eq!(db.stats().scrub.passes, 0);
}

#[test]
fn what_is_only_in_memory_is_told_and_not_judged() {
    let (db, _) = Scratch::simulated(Database::builder());
    furnish(&db);
    put(&db, "t", 0..300, 50);
    let before = pass(&db);
    assert!(before.pages_unwritten > 10 && before.pages_damaged == 0);
    db.checkpoint().unwrap();
    let after = pass(&db);
    assert!(after.pages_unwritten == 0 && after.pages_verified > before.pages_verified);
}

#[test]
fn a_page_that_cannot_be_read_is_a_failed_operation_and_no_damage() {
    let (mut db, disk) = Scratch::simulated(Database::builder());
    furnish(&db);
    db.reopen();
    put(&db, "u", 0..1, 1);
    db.checkpoint().unwrap();
    let healthy = pass(&db);
    // From one of the reads on, for as long as one slice lasts.
    let (mut unreadable, mut slice) = (0, 0);
    loop {
        let step = slice;
        db.scrub_restart();
        for _ in 0..step {
            db.scrub_step().unwrap();
        }
        disk.fail_read_at(disk.reads(), FaultKind::Eio, true);
        let ended = match db.scrub_step() {
            Ok(step) => step.ended,
            Err(error) => panic!("slice {step}: {error}"),
        };
        disk.clear_faults();
        if !ended {
            pass(&db);
        }
        let judged = db.stats().scrub.last.unwrap();
        assert_eq!(judged.pages_damaged, 0, "{:?}", db.scrub_findings());
        assert!(judged.pages_unreadable > 0 || ended || judged == healthy || step > 0);
        unreadable += judged.pages_unreadable;
        for finding in db.scrub_findings() {
            assert!(matches!(finding.error, Error::Io { .. }), "{finding:?}");
        }
        if ended {
            break;
        }
        slice += 1;
    }
    assert!(unreadable > 20 && slice > 3, "{unreadable} in {slice} slices");
    assert_eq!(pass(&db).pages_verified, healthy.pages_verified);
    assert!(db.scrub_findings().is_empty());
}

#[test]
fn a_device_that_reads_nothing_any_more_stops_the_scrub_with_an_error() {
    let (mut db, disk) = Scratch::simulated(Database::builder());
    put(&db, "t", 0..30_000, 100);
    db.reopen();
    db.scrub_step().unwrap();
    disk.fail_read_at(disk.reads(), FaultKind::Eio, true);
    let stopped = (0..1000).find_map(|_| db.scrub_step().err());
    assert!(matches!(stopped, Some(Error::Io { .. })), "{stopped:?}");
    assert!(db.stats().scrub.pass.unwrap().pages_unreadable < 400);
    assert!(!db.scrub_findings().is_empty());
    disk.clear_faults();
    let last = pass(&db);
    assert!(last.pages_damaged == 0 && last.pages_verified > 0);
}

/// One bad read of a good page, which a second one would not repeat.
#[test]
fn a_bit_that_only_one_read_gets_wrong_is_no_damage_of_the_file() {
    let (mut db, disk) = Scratch::simulated(Database::builder());
    furnish(&db);
    db.reopen();
    let slices = std::iter::repeat_with(|| db.scrub_step().unwrap().ended).take_while(|end| !end);
    let slices = slices.count() + 1;
    for kind in FaultKind::SILENT {
        for _ in 0..slices {
            disk.fail_read_at(disk.reads(), kind, false);
            db.scrub_step().unwrap();
            disk.clear_faults();
        }
        assert_eq!(db.stats().scrub.last.unwrap().pages_damaged, 0, "{kind:?}");
    }
}

#[test]
fn closing_waits_for_no_more_than_a_slice() {
    let mut db = Scratch::file(Database::builder());
    furnish(&db);
    db.checkpoint().unwrap();
    // The next slice would be due in hours.
    db.scrub_start(10).unwrap();
    wait_for(|| db.stats().scrub.position > 0);
    assert!(db.stats().scrub.running);
    let kept = db.stats().scrub.position;
    let begin = Instant::now();
    db.close().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    db.open().unwrap();
    assert_eq!(db.stats().scrub.position, kept);
}

#[test]
fn a_pause_lasts_until_the_next_start_and_starting_needs_a_rate_and_a_thread() {
    let db = Scratch::memory(Database::builder());
    furnish(&db);
    assert!(matches!(db.scrub_start(0), Err(Error::InvalidArgument(_))));
    assert_eq!(db.stats().scrub.passes, 0);
    db.scrub_start(10).unwrap();
    wait_for(|| db.stats().scrub.position > 0);
    db.scrub_pause();
    wait_for(|| !db.stats().scrub.running);
    let paused = db.stats().scrub;
    assert!(paused.rate == 0 && paused.pass.is_some());
    db.scrub_start(u64::MAX).unwrap();
    wait_for(|| db.stats().scrub.passes == 1);
    // One pass was asked for.
    wait_for(|| !db.stats().scrub.running);
    assert_eq!(db.stats().scrub.rate, 0);
    let (alone, _) = Scratch::simulated(Database::builder());
    assert!(matches!(alone.scrub_start(10), Err(Error::InvalidArgument(_))));
}

#[test]
fn a_rate_of_the_builder_makes_pass_follow_pass_after_the_interval() {
    let builder = Database::builder().scrub_rate(u64::MAX);
    let db = Scratch::memory(builder.clone().scrub_interval(Duration::ZERO));
    wait_for(|| db.stats().scrub.passes > 3);
    let db = Scratch::memory(builder);
    wait_for(|| db.stats().scrub.passes == 1 && !db.stats().scrub.running);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(db.stats().scrub.passes, 1);
}

#[test]
fn a_faster_rate_takes_effect_at_once() {
    let db = Scratch::memory(Database::builder());
    furnish(&db);
    // The next slice would be due in minutes.
    db.scrub_start(1000).unwrap();
    wait_for(|| db.stats().scrub.position > 0);
    db.scrub_pause();
    wait_for(|| !db.stats().scrub.running);
    db.scrub_start(1_000_000_000).unwrap();
    wait_for(|| db.stats().scrub.passes == 1);
}

#[test]
fn passes_that_follow_each_other_at_once_do_not_write_all_the_time() {
    let builder = Database::builder().scrub_rate(u64::MAX);
    let db = Scratch::memory(builder.scrub_interval(Duration::ZERO));
    furnish(&db);
    db.checkpoint().unwrap();
    let before = db.stats();
    wait_for(|| db.stats().scrub.passes > before.scrub.passes + 10);
    let written = db.stats().checkpoint - before.checkpoint;
    assert!(written < 2, "{written} superblocks");
}

#[test]
fn a_value_made_up_to_look_like_a_node_is_no_damage() {
    let (db, _) = Scratch::simulated(Database::builder());
    // Its crc as a page, and as a node, and what stands where a node has its own are the same.
    let mut page = vec![0u8; 4096];
    page[0..4].copy_from_slice(&0x6dd9_0a9d_u32.to_le_bytes());
    page[100..108].copy_from_slice(&0x2dc3_5ff2_u64.to_le_bytes());
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", &page.repeat(16)).unwrap();
    tx.commit().unwrap();
    db.checkpoint().unwrap();
    assert_eq!(pass(&db).pages_damaged, 0, "{:?}", db.scrub_findings());
}

#[test]
fn the_superblocks_are_judged_before_anything_is_written_over_them() {
    for read_only in [false, true] {
        let mut db = Scratch::file(Database::builder().background(false));
        furnish(&db);
        let path = db.path();
        db.close().unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        // The second copies of both; the newer one may be what a power cut has left.
        for copy in [32 << 10, 48 << 10] {
            bytes[copy + 300] ^= 1;
        }
        std::fs::write(&path, &bytes).unwrap();
        let open = if read_only { Database::open_read_only(&path) } else { Database::open(&path) };
        let open = open.unwrap();
        assert_eq!(pass(&open).pages_damaged, 1, "read only: {read_only}");
        open.close().unwrap();
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_scrub_for_reading_begins_at_the_front() {
    let mut db = Scratch::file(Database::builder().background(false));
    put(&db, "t", 0..30_000, 100);
    db.checkpoint().unwrap();
    for _ in 0..4 {
        db.scrub_step().unwrap();
    }
    assert!(db.stats().scrub.position > 0);
    let path = db.path();
    db.close().unwrap();
    let open = Database::open_read_only(&path).unwrap();
    // It tells where the other one is, and goes its own way.
    assert!(open.stats().scrub.pass.is_some());
    let whole = pass(&open);
    assert_eq!(pass(&open).pages_verified, whole.pages_verified);
}

#[test]
fn a_device_that_fails_does_not_hold_a_slice_for_longer_than_its_patience() {
    let (mut db, disk) = Scratch::simulated(Database::builder());
    put(&db, "t", 0..30_000, 100);
    db.reopen();
    db.scrub_step().unwrap();
    let before = disk.reads();
    disk.fail_read_at(before, FaultKind::Eio, true);
    let stopped = (0..1000).find_map(|_| db.scrub_step().err());
    assert!(matches!(stopped, Some(Error::Io { .. })), "{stopped:?}");
    assert_eq!(db.stats().scrub.pass.unwrap().pages_unreadable, 256);
    disk.clear_faults();
}
