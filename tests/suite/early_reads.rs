//! After a kill a database opens at once: gets are answered from the log and the checkpoint while the log is
//! replayed, all else waits for that, and a transaction reads the same rows before and after. The disk of
//! these tests lets nobody replay until they say so.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use cowslip::{
    Builder, Database, Durability, Error, ReadTable, ReadTransaction, Result,
    storage::{SimulatedStorage, Storage},
};
use cowslip_harness::{Seed, check, seed::times};

/// What the threads of a replay find when they read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replay {
    Waits,
    Goes,
    Fails,
    /// Each read takes a millisecond.
    Slow,
}

/// A disk that knows who reads.
#[derive(Debug)]
struct Gate {
    disk: SimulatedStorage,
    replay: Mutex<Replay>,
    /// The log is not synced before it goes on either.
    syncs_wait: bool,
    change: Condvar,
}

impl Gate {
    fn new(image: &[u8], replay: Replay) -> Arc<Gate> {
        let disk = SimulatedStorage::from_image(image.to_vec()).without_history();
        Gate::over(disk, replay, false)
    }

    fn over(disk: SimulatedStorage, replay: Replay, syncs_wait: bool) -> Arc<Gate> {
        Arc::new(Gate { disk, replay: Mutex::new(replay), syncs_wait, change: Condvar::new() })
    }

    /// What a replay's thread finds, as soon as it may go on; others are not asked.
    fn pass(&self) -> io::Result<()> {
        let thread = thread::current();
        if !matches!(thread.name(), Some("cowslip-recovery" | "cowslip-replay")) {
            return Ok(());
        }
        let waits = |replay: &mut Replay| *replay == Replay::Waits;
        let replay = *self.change.wait_while(self.replay.lock().unwrap(), waits).unwrap();
        match replay {
            Replay::Fails => return Err(io::Error::from_raw_os_error(5)),
            Replay::Slow => thread::sleep(Duration::from_millis(1)),
            Replay::Waits | Replay::Goes => {}
        }
        Ok(())
    }

    fn set(&self, replay: Replay) {
        *self.replay.lock().unwrap() = replay;
        self.change.notify_all();
    }
}

/// Lets the replay go when it is dropped: a test that fails must not leave a database waiting for itself.
struct LetGo<'g>(&'g Gate);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.set(Replay::Goes);
    }
}

impl Storage for Gate {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.pass()?;
        self.disk.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write_at(buf, offset)
    }
    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write_direct(buf, offset)
    }
    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write_durable(buf, offset)
    }
    fn sync(&self) -> io::Result<()> {
        if self.syncs_wait {
            self.pass()?;
        }
        self.disk.sync()
    }
    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
type Model = BTreeMap<&'static str, BTreeMap<String, Rows>>;

const BRANCHES: [&str; 3] = ["main", "twig", "calm"];

fn builder() -> Builder {
    Database::builder().cache_size(4 << 20)
}

/// Writes random rows to a random table of a branch.
fn write(db: &Database, model: &mut Model, branch: usize, rng: &mut fastrand::Rng) {
    let branch = BRANCHES[branch];
    let mut tx = db.begin_write_on(branch).unwrap();
    tx.set_durability([Durability::Immediate, Durability::Eventual][rng.usize(..2)]);
    for _ in 0..rng.usize(1..3) {
        let name = format!("t{}", rng.u8(..3));
        let mut table = tx.open_table(&name).unwrap();
        let rows = model.entry(branch).or_default().entry(name).or_default();
        for _ in 0..rng.usize(1..12) {
            let key = rng.u16(..300).to_be_bytes().repeat(1 + rng.usize(..2));
            if rng.u8(..4) == 0 {
                assert_eq!(table.remove(&key).unwrap(), rows.remove(&key).is_some());
            } else {
                let length = if rng.u8(..30) == 0 { 5000 } else { rng.usize(..60) };
                let value = vec![rng.u8(..); length];
                table.insert(&key, &value).unwrap();
                rows.insert(key, value);
            }
        }
    }
    tx.commit().unwrap();
}

/// What a kill leaves behind a random history, and what is in it; with a snapshot `then` of `main`, and what
/// that has. The log has only puts and removals.
fn killed(rng: &mut fastrand::Rng) -> (Vec<u8>, Model, Model) {
    let disk = Arc::new(SimulatedStorage::new().without_history());
    let db = builder().background(false).open_or_create_on(disk.clone()).unwrap();
    let mut model = Model::new();
    for branch in &BRANCHES[1..] {
        db.create_branch(branch, "main").unwrap();
    }
    for _ in 0..rng.usize(1..60) {
        write(&db, &mut model, rng.usize(..3), rng);
    }
    db.create_snapshot("then").unwrap();
    let then = model.clone();
    db.checkpoint().unwrap();
    // `calm` is as the checkpoint has it.
    let checkpoint = db.stats().checkpoint;
    for _ in 0..rng.usize(30..80) {
        if db.stats().log_bytes < 64 << 10 {
            write(&db, &mut model, rng.usize(..2), rng);
        }
    }
    assert_eq!(db.stats().checkpoint, checkpoint);
    (disk.image(), model, then)
}

fn all_keys(rows: &Rows) -> Vec<Vec<u8>> {
    let any = (0..300u16).flat_map(|key| [1, 2].map(|times| key.to_be_bytes().repeat(times)));
    any.chain(rows.keys().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn assert_gets(table: &ReadTable, rows: &Rows, what: &str) {
    let keys = all_keys(rows);
    for key in &keys {
        let value = table.get(key).unwrap();
        assert_eq!(value.as_deref(), rows.get(key).map(Vec::as_slice), "{what}: {key:?}");
    }
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    for (key, value) in keys.iter().zip(table.get_many(&keys).unwrap()) {
        assert_eq!(value.as_deref(), rows.get(*key).map(Vec::as_slice), "{what}: {key:?}");
    }
}

fn assert_ranges(table: &ReadTable, rows: &Rows, what: &str) {
    let found: Result<Rows> = table
        .range::<&[u8]>(..)
        .unwrap()
        .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
        .collect();
    assert_eq!(&found.unwrap(), rows, "{what}");
    assert_eq!(table.len().unwrap(), rows.len() as u64, "{what}");
    let last = table.last().unwrap().map(|(key, _)| key.to_vec());
    assert_eq!(last.as_ref(), rows.keys().next_back(), "{what}");
    assert_eq!(table.is_empty().unwrap(), rows.is_empty(), "{what}");
}

/// All branches and tables, each with what it has.
fn opened(db: &Database, model: &Model) -> (Vec<ReadTransaction>, Vec<(ReadTable, Rows)>) {
    let mut transactions = Vec::new();
    let mut tables = Vec::new();
    for (branch, its_tables) in model {
        let tx = db.begin_read_on(branch).unwrap();
        for (name, rows) in its_tables {
            tables.push((tx.open_table(name).unwrap(), rows.clone()));
        }
        assert!(matches!(tx.open_table("none"), Err(Error::TableNotFound(_))));
        transactions.push(tx);
    }
    (transactions, tables)
}

#[test]
fn whoever_reads_before_the_end_of_a_replay_reads_what_he_reads_after_it() {
    let seed = Seed::get();
    for round in 0..times(12) {
        let mut rng = seed.rng(round);
        let (image, mut model, then) = killed(&mut rng);
        let gate = Gate::new(&image, Replay::Waits);
        let db = builder().open_or_create_on(gate.clone()).unwrap();
        let _let_go = LetGo(&gate);
        let what = |when: &str| format!("round {round}, {when}");

        let (transactions, tables) = opened(&db, &model);
        for (table, rows) in &tables {
            assert_gets(table, rows, &what("before"));
        }
        // What the log does not change is there as a whole.
        let calm = db.begin_read_on("calm").unwrap();
        for (name, rows) in model.get("calm").into_iter().flatten() {
            assert_ranges(&calm.open_table(name).unwrap(), rows, &what("calm"));
        }
        let snapshot = db.begin_read_at("then").unwrap();
        for (name, rows) in then.get("main").into_iter().flatten() {
            assert_ranges(&snapshot.open_table(name).unwrap(), rows, &what("then"));
        }
        let numbers: Vec<u64> = transactions.iter().map(ReadTransaction::number).collect();

        gate.set(Replay::Goes);
        if rng.bool() {
            // The first to ask for a whole table is one who began before.
            for (table, rows) in &tables {
                assert_ranges(table, rows, &what("at the end"));
            }
        }
        let old = model.clone();
        for _ in 0..10 {
            write(&db, &mut model, rng.usize(..3), &mut rng);
        }
        db.checkpoint().unwrap();
        for (table, rows) in &tables {
            assert_gets(table, rows, &what("after"));
            assert_ranges(table, rows, &what("after"));
        }
        for ((tx, number), (branch, its_tables)) in transactions.iter().zip(numbers).zip(&old) {
            let names: Vec<&String> = its_tables.keys().collect();
            assert_eq!(tx.tables().unwrap().iter().collect::<Vec<_>>(), names, "{branch}");
            assert_eq!(tx.number(), number);
        }
        drop((transactions, tables));
        for (table, rows) in opened(&db, &model).1 {
            assert_gets(&table, &rows, &what("who begins later"));
            assert_ranges(&table, &rows, &what("who begins later"));
        }
        assert!(db.scrub().unwrap().errors.is_empty());
        db.close().unwrap();
        check::storage(&gate.disk).unwrap_or_else(|damage| panic!("{}", what(&damage)));
    }
}

#[test]
fn what_needs_whole_trees_waits_for_the_replay() {
    let mut rng = Seed::get().rng(0);
    let (image, model, _) = killed(&mut rng);
    let gate = Gate::new(&image, Replay::Waits);
    let db = builder().open_or_create_on(gate.clone()).unwrap();
    assert!(db.try_begin_write().unwrap().is_none());
    let (name, rows) = model["main"].first_key_value().unwrap();
    let table = db.begin_read().unwrap().open_table(name).unwrap();
    let opened = AtomicBool::new(false);
    let (done, arrivals) = mpsc::channel();
    let calls: [&(dyn Fn() + Sync); 6] = [
        &|| assert_eq!(table.len().unwrap(), rows.len() as u64),
        &|| db.begin_write().unwrap().commit().unwrap(),
        &|| db.create_snapshot("now").unwrap(),
        &|| assert!(db.diff("then", "main").unwrap().next().is_some()),
        &|| assert!(db.stats().pages_total > 0),
        &|| db.checkpoint().unwrap(),
    ];
    thread::scope(|scope| {
        let _let_go = LetGo(&gate);
        for call in calls {
            let (done, opened) = (done.clone(), &opened);
            scope.spawn(move || {
                call();
                assert!(opened.load(Ordering::SeqCst));
                done.send(()).unwrap();
            });
        }
        drop(done);
        // They need not have begun to wait by now; but none of them may end.
        assert!(arrivals.recv_timeout(Duration::from_millis(100)).is_err());
        opened.store(true, Ordering::SeqCst);
        gate.set(Replay::Goes);
        for _ in calls {
            arrivals.recv_timeout(Duration::from_secs(60)).unwrap();
        }
    });
    assert!(db.try_begin_write().unwrap().is_some());
}

#[test]
fn a_replay_that_fails_is_told_to_all_who_wait_and_loses_nothing() {
    let mut rng = Seed::get().rng(1);
    let (image, model, _) = killed(&mut rng);
    let gate = Gate::new(&image, Replay::Waits);
    let db = builder().open_or_create_on(gate.clone()).unwrap();
    let _let_go = LetGo(&gate);
    let (transactions, tables) = opened(&db, &model);
    let is_told = |result: Result<()>| match result {
        Err(Error::Io { operation: "reading the log" | "reading a page", source, .. }) => {
            assert_eq!(source.raw_os_error(), Some(5));
        }
        other => panic!("{other:?}"),
    };
    thread::scope(|scope| {
        scope.spawn(|| is_told(db.checkpoint()));
        gate.set(Replay::Fails);
    });
    is_told(db.begin_write().map(drop));
    is_told(db.try_begin_write().map(drop));
    is_told(db.create_snapshot("now"));
    is_told(tables.iter().find_map(|(table, _)| table.len().err()).map_or(Ok(()), Err));
    // Gets go on, of those who began before and after.
    for (table, rows) in tables.iter().chain(&opened(&db, &model).1) {
        assert_gets(table, rows, "after the failure");
    }
    gate.set(Replay::Goes);
    is_told(db.close());
    drop((transactions, tables));
    assert_rows(&gate.disk.image(), &model);
}

/// A killed process leaves its last records in the system's cache only, and then the power fails: nobody may have been told of
/// what is lost by that.
#[test]
fn what_a_power_cut_may_take_is_not_told_before_it_is_synced() {
    let disk = Arc::new(SimulatedStorage::new().without_history());
    let db = builder().background(false).open_or_create_on(disk.clone()).unwrap();
    let put = |durability: Durability, table: &str, keys: std::ops::Range<u8>| {
        for key in keys {
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(durability);
            tx.open_table(table).unwrap().insert(&[key], &[durability as u8]).unwrap();
            tx.commit().unwrap();
        }
    };
    put(Durability::Immediate, "t", 0..60);
    db.checkpoint().unwrap();
    put(Durability::Immediate, "t", 20..40);
    put(Durability::Eventual, "t", 40..60);
    put(Durability::Eventual, "new", 0..1);
    for fails in [false, true] {
        let image = SimulatedStorage::from_image(disk.image()).without_history();
        let gate = Gate::over(image, Replay::Waits, true);
        let after = builder().open_or_create_on(gate.clone()).unwrap();
        let _let_go = LetGo(&gate);
        let tx = after.begin_read().unwrap();
        let table = tx.open_table("t").unwrap();
        // The last of the durable records is followed by none that says so.
        for key in 0..39 {
            assert_eq!(table.get(&[key]).unwrap().unwrap(), [Durability::Immediate as u8]);
        }
        let told = AtomicBool::new(false);
        thread::scope(|scope| {
            let _let_go = LetGo(&gate);
            let waiting = [
                scope.spawn(|| {
                    let value = table.get(&[50]).map(|value| value.unwrap().to_vec());
                    told.store(true, Ordering::SeqCst);
                    value
                }),
                scope.spawn(|| {
                    let value = tx.open_table("new").map(|_| Vec::new());
                    told.store(true, Ordering::SeqCst);
                    value
                }),
            ];
            thread::sleep(Duration::from_millis(100));
            assert!(!told.load(Ordering::SeqCst));
            gate.set(if fails { Replay::Fails } else { Replay::Goes });
            for waiting in waiting {
                match waiting.join().unwrap() {
                    Ok(value) => assert!(
                        !fails && (value.is_empty() || value == [Durability::Eventual as u8])
                    ),
                    Err(error) => assert!(
                        fails
                            && matches!(
                                error,
                                Error::Io { operation: "syncing the log before replay", .. }
                            ),
                        "{error:?}"
                    ),
                }
            }
        });
        gate.set(Replay::Goes);
        // What is known to be durable goes on being told.
        assert_eq!(table.get(&[30]).unwrap().unwrap(), [Durability::Immediate as u8]);
    }
}

fn assert_rows(image: &[u8], model: &Model) {
    let disk = Arc::new(SimulatedStorage::from_image(image.to_vec()));
    let db = builder().background(false).open_or_create_on(disk).unwrap();
    for (table, rows) in opened(&db, model).1 {
        assert_ranges(&table, &rows, "opened as always");
    }
}

#[test]
fn a_database_that_is_dropped_during_its_replay_is_as_it_was() {
    let seed = Seed::get();
    for round in 0..times(6) {
        let mut rng = seed.rng(round);
        let (image, model, _) = killed(&mut rng);
        let gate = Gate::new(&image, Replay::Slow);
        let db = builder().open_or_create_on(gate.clone()).unwrap();
        let tables = opened(&db, &model).1;
        for (table, rows) in tables.iter().take(rng.usize(..3)) {
            assert_gets(table, rows, "before the drop");
        }
        drop(tables);
        thread::sleep(Duration::from_millis(rng.u64(..8)));
        drop(db);
        assert_eq!(Arc::strong_count(&gate), 1, "the replay has ended");
        assert_rows(&gate.disk.image(), &model);
    }
}

#[test]
fn a_log_with_more_than_puts_and_removals_is_replayed_before_opening() {
    let disk = Arc::new(SimulatedStorage::new().without_history());
    let db = builder().background(false).open_or_create_on(disk.clone()).unwrap();
    let mut model = Model::new();
    let mut rng = Seed::get().rng(2);
    (0..40).for_each(|_| write(&db, &mut model, 0, &mut rng));
    let others: [&dyn Fn(&Database); 5] = [
        &|db| db.create_snapshot("s").unwrap(),
        &|db| db.create_branch("twig", "main").unwrap(),
        &|db| {
            let tx = db.begin_write().unwrap();
            tx.open_table("t0").unwrap().remove_range::<&[u8]>(..).unwrap();
            tx.commit().unwrap();
        },
        &|db| {
            let tx = db.begin_write().unwrap();
            assert!(tx.delete_table("t1").unwrap());
            tx.commit().unwrap();
        },
        &|db| db.rollback("s").unwrap(),
    ];
    for other in others {
        db.checkpoint().unwrap();
        let tx = db.begin_write().unwrap();
        let mut table = tx.open_table("t2").unwrap();
        (0..30u8).for_each(|key| _ = table.insert(&[key], b"put").unwrap());
        drop(table);
        tx.commit().unwrap();
        other(&db);
        // A replay behind the opening would take a while.
        let gate = Gate::new(&disk.image(), Replay::Slow);
        let after = builder().open_or_create_on(gate.clone()).unwrap();
        let _let_go = LetGo(&gate);
        assert!(after.try_begin_write().unwrap().is_some(), "it is replayed already");
        gate.set(Replay::Waits);
        let (tx, expected) = (after.begin_read().unwrap(), db.begin_read().unwrap());
        assert_eq!(tx.tables().unwrap(), expected.tables().unwrap());
        for name in tx.tables().unwrap() {
            let length = tx.open_table(&name).unwrap().len().unwrap();
            assert_eq!(length, expected.open_table(&name).unwrap().len().unwrap(), "{name}");
        }
    }
}

#[test]
fn a_log_of_more_words_than_memory_may_have_is_replayed_before_opening() {
    let builder = Database::builder().cache_size(1 << 20);
    for (words, is_replayed) in [(2000u32, false), (8000, true)] {
        let disk = Arc::new(SimulatedStorage::new().without_history());
        let db = builder.clone().background(false).open_or_create_on(disk.clone()).unwrap();
        let put = |range: std::ops::Range<u32>| {
            let tx = db.begin_write().unwrap();
            let mut table = tx.open_table("t").unwrap();
            range.for_each(|key| _ = table.insert(&key.to_be_bytes(), b"").unwrap());
            drop(table);
            tx.commit().unwrap();
        };
        put(0..8000);
        db.checkpoint().unwrap();
        let checkpoint = db.stats().checkpoint;
        (0..words).step_by(500).for_each(|key| put(key..key + 500));
        assert_eq!(db.stats().checkpoint, checkpoint);
        let gate = Gate::new(&disk.image(), Replay::Slow);
        let after = builder.clone().open_or_create_on(gate.clone()).unwrap();
        let _let_go = LetGo(&gate);
        assert_eq!(after.try_begin_write().unwrap().is_some(), is_replayed, "{words} words");
    }
}

#[test]
fn a_database_opened_for_reading_answers_before_its_replay_and_leaves_the_file() {
    let mut rng = Seed::get().rng(3);
    let (image, model, _) = killed(&mut rng);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("killed.cow");
    std::fs::write(&path, &image).unwrap();
    let db = builder().open_read_only(&path).unwrap();
    for (table, rows) in opened(&db, &model).1 {
        assert_gets(&table, &rows, "before or after");
        assert_ranges(&table, &rows, "after");
    }
    drop(db);
    assert_eq!(std::fs::read(&path).unwrap(), image);
}
