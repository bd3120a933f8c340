//! Stored machines: what processes share in memory they share in the file, on the counts that
//! snapshots use; a machine survives what the rest of the store survives.

use std::{collections::BTreeMap, sync::Arc};

use cowslip::{
    Database, Error,
    storage::SimulatedStorage,
    vm::{Access, Advise, ForkMode, Machine, Mapping, PAGES, Pid, Settings},
};
use cowslip_harness::{
    Monitor, Scratch, Seed, Watch, check,
    engine::{Engine, Failure, Life, Survivor},
    explore::{Options, must_survive},
    pages::pages_of_names,
    seed::times,
    session::disk_of,
    witness::{Survives, Witness},
};
use cowslip_pager::storage::Storage;
use fastrand::Rng;

const NAME: &str = "machine";
/// The pages that the first process has.
const FIRST: u64 = 510;
const LENGTH: u64 = 1030;

fn machine(fork: ForkMode) -> Machine {
    let mut machine = Machine::new(Settings { fork, swap: 500, ..Settings::default() });
    let mapping = Mapping { at: Some(FIRST), ..Mapping::anonymous(LENGTH) };
    machine.map(Machine::FIRST, &mapping).unwrap();
    machine
}

fn write(machine: &Machine, process: Pid, page: u64, value: u8) {
    let touched = machine.touch(process, page..page + 1, 1, Access::Write { value }, &mut |_| {});
    assert_eq!(touched, Default::default());
}

/// What all processes see: 256 where a page is in swap.
type Memory = Vec<(u32, u64, u16)>;

fn memory(machine: &Machine) -> Memory {
    let mut seen = Memory::new();
    for pid in machine.processes() {
        machine.entries(pid, 0..PAGES, |page, entry| {
            let byte = entry.mapped().map_or(256, |frame| machine.frames().byte(frame, 0).into());
            seen.push((pid.0, page, byte));
        });
    }
    seen
}

fn load(db: &Database, name: &str) -> Result<Machine, Error> {
    let version = match db.begin_read_at(name) {
        Err(Error::SnapshotNotFound(_)) => db.begin_read_on(name)?,
        version => version?,
    };
    version.machine(NAME, 1 << 20)
}

fn store(db: &Database, branch: &str, machine: &mut Machine) {
    let tx = db.begin_write_on(branch).unwrap();
    tx.store_machine(NAME, machine).unwrap();
    tx.commit().unwrap();
}

/// Something happens to a machine.
fn live(machine: &mut Machine, rng: &mut Rng) {
    let alive: Vec<Pid> = machine.processes().filter(|pid| machine.is_alive(*pid)).collect();
    let process = alive[rng.usize(..alive.len())];
    let from = FIRST + rng.u64(..LENGTH);
    let part = from..(from + rng.u64(1..40)).min(FIRST + LENGTH);
    match rng.u8(..12) {
        0 if alive.len() < 6 => drop(machine.fork(process).unwrap()),
        1 if process != Machine::FIRST => machine.exit(process).unwrap(),
        2 => machine.advise(process, part, Advise::PageOut).unwrap(),
        3 => machine.advise(process, part, Advise::DontNeed).unwrap(),
        4 => machine.advise(process, part, Advise::Mergeable).unwrap(),
        5 => drop(machine.merge_pages().unwrap()),
        _ => part.for_each(|page| write(machine, process, page, rng.u8(..6))),
    }
}

#[test]
fn machines_keep_what_they_were_whatever_is_stored_branched_deleted_or_moved() {
    let seed = Seed::get();
    for round in 0..times(8) {
        let mut rng = seed.rng(round);
        let fork = if rng.bool() { ForkMode::Eager } else { ForkMode::Shared };
        let mut db = Scratch::memory(Database::builder().background(false));
        let mut now = machine(fork);
        store(&db, "main", &mut now);
        let mut model = BTreeMap::from([("main".to_owned(), memory(&now))]);
        for step in 0..60 {
            let names: Vec<String> = model.keys().cloned().collect();
            let name = &names[rng.usize(..names.len())];
            match rng.u8(..16) {
                0 | 1 => {
                    let snapshot = format!("s{step}");
                    db.create_snapshot(&snapshot).unwrap();
                    model.insert(snapshot, model["main"].clone());
                }
                2 => {
                    let branch = format!("b{step}");
                    db.create_branch(&branch, name).unwrap();
                    model.insert(branch, model[name].clone());
                }
                3 if name.starts_with('s') => {
                    db.delete_snapshot(name).unwrap();
                    model.remove(name);
                }
                3 if name.starts_with('b') => {
                    db.delete_branch(name).unwrap();
                    model.remove(name);
                }
                4 => db.compact().unwrap(),
                5 => db.reopen(),
                6 => now = load(&db, name).unwrap(),
                7 if !name.starts_with('s') => {
                    // Another machine's place: nothing is known of the pages there.
                    store(&db, name, &mut now);
                    model.insert(name.clone(), memory(&now));
                }
                8 => {
                    let mut other = machine(fork);
                    live(&mut other, &mut rng);
                    let tx = db.begin_write().unwrap();
                    tx.store_machine(NAME, &mut other).unwrap();
                    tx.abort().unwrap();
                }
                9 | 10 => {
                    store(&db, "main", &mut now);
                    model.insert("main".into(), memory(&now));
                }
                _ => (0..8).for_each(|_| live(&mut now, &mut rng)),
            }
            if step % 10 == 9 {
                for (name, expected) in &model {
                    let found = load(&db, name).unwrap();
                    assert_eq!(memory(&found), *expected, "{name}");
                }
            }
        }
        db.reopen();
        let pages = pages_of_names(&db.image());
        for (name, own) in &pages {
            let usage = db.usage(name).unwrap();
            let others = pages.iter().filter(|(other, _)| *other != name);
            let mut unique = own.clone();
            others.for_each(|(_, pages)| unique.retain(|page| !pages.contains(page)));
            let bytes = |count: usize| (count * 4096) as u64;
            assert_eq!(usage.referenced_bytes, bytes(own.len()), "referenced by {name}");
            assert_eq!(usage.unique_bytes, bytes(unique.len()), "unique to {name}");
            // What is new is at least what is unique, but for what an ancestor had and lost since.
            assert!(usage.written_bytes <= usage.referenced_bytes, "written for {name}");
        }
        assert!(db.scrub().unwrap().errors.is_empty());
    }
}

#[test]
fn what_a_machine_took_comes_back_when_it_is_deleted() {
    let mut db = Scratch::memory(Database::builder().background(false));
    db.create_snapshot("empty").unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    db.checkpoint().unwrap();
    // Without the log, which may move.
    let used = |db: &Database| db.stats().pages_used - db.stats().log_capacity / 4096;
    let before = used(&db);
    let mut machine = machine(ForkMode::Eager);
    let mut rng = Seed::get().rng(0);
    for round in 0..6 {
        (0..30).for_each(|_| live(&mut machine, &mut rng));
        store(&db, "main", &mut machine);
        db.create_snapshot(&round.to_string()).unwrap();
    }
    for round in [3, 0, 5, 1, 4, 2] {
        db.delete_snapshot(&round.to_string()).unwrap();
    }
    let tx = db.begin_write().unwrap();
    assert!(tx.delete_machine(NAME).unwrap());
    assert!(!tx.delete_machine(NAME).unwrap());
    tx.commit().unwrap();
    db.wait_for_releases().unwrap();
    db.reopen();
    assert_eq!(used(&db), before);
}

/// The root of a process's tables has as many owners as processes share it; the machine's root as many
/// as versions share it; and whoever writes first copies.
#[test]
fn a_fork_and_a_snapshot_are_one_owner_more_of_a_page() {
    use cowslip_pager::{Child, Config, Kinds, Pager, Raw, page::u64_at};

    /// The owners of the machine's root, and of the roots of the processes' tables.
    fn owners(image: &[u8], branch: &str) -> (u32, Vec<u32>) {
        let kinds = Arc::new(cowslip::kinds::EngineKinds);
        let (pager, replay) =
            Pager::open(disk_of(image), Config::default(), kinds.clone()).unwrap();
        pager.recover(replay, |_, _| false, |_, _| Err(cowslip_pager::Error::ReadOnly)).unwrap();
        let pager = Arc::new(pager);
        let reader = pager.begin_read();
        let meta = reader.view().pin(&reader.version().root).unwrap();
        let key = format!("b{branch}").into_bytes();
        let entries = cowslip::kinds::entries(&meta);
        let (_, record) = entries.into_iter().find(|(name, _)| *name == key).unwrap();
        let record = cowslip::meta::BranchRecord::decode(&record, Default::default()).unwrap();
        let catalog = reader.view().pin(&record.catalog).unwrap();
        let mut root = None;
        kinds
            .children(&catalog, &mut |child| {
                root = Some(child);
                Ok(())
            })
            .unwrap();
        let Some(Child::Raw(root)) = root else { panic!("no machine") };
        let below = |raw: Raw, index: usize| {
            let mut bytes = vec![0; 4096];
            reader.view().read_raw(raw.page, &mut bytes).unwrap();
            let page = Raw::named(u64_at(&bytes, 8 * index));
            Raw { page, height: raw.height - 1 }
        };
        let objects = below(root, 0);
        let spaces = (0..).map(|space| below(objects, 2 + 3 * space));
        let spaces = spaces.take_while(|raw| !raw.page.eq(&Default::default()));
        let spaces = spaces.map(|raw| pager.count(raw.page).unwrap()).collect();
        (pager.count(root.page).unwrap(), spaces)
    }

    let mut db = Scratch::memory(Database::builder().background(false));
    let mut machine = machine(ForkMode::Shared);
    write(&machine, Machine::FIRST, 600, 1);
    store(&db, "main", &mut machine);
    db.close().unwrap();
    assert_eq!(owners(&db.image(), "main"), (1, vec![1]));
    // A fork: both processes have the one root.
    db.open().unwrap();
    let child = machine.fork(Machine::FIRST).unwrap();
    store(&db, "main", &mut machine);
    db.close().unwrap();
    assert_eq!(owners(&db.image(), "main"), (1, vec![2, 2]));
    // The child writes: it has its own.
    db.open().unwrap();
    write(&machine, child, 600, 2);
    store(&db, "main", &mut machine);
    db.close().unwrap();
    assert_eq!(owners(&db.image(), "main"), (1, vec![1, 1]));
    // A branch, in which something else is written: both have the one machine.
    db.open().unwrap();
    db.create_branch("other", "main").unwrap();
    let tx = db.begin_write_on("other").unwrap();
    tx.open_table("t").unwrap().insert(b"k", b"v").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
    assert_eq!(owners(&db.image(), "main"), (2, vec![1, 1]));
    // The machine of one of them goes on: the parent, that did nothing, is shared by both versions,
    // and so is the child that writes, but for its path.
    db.open().unwrap();
    write(&machine, child, 601, 2);
    store(&db, "main", &mut machine);
    db.close().unwrap();
    assert_eq!(owners(&db.image(), "main"), (1, vec![2, 1]));
}

/// A line of snapshots, each of which stands on the one before.
#[test]
fn written_is_what_the_machine_before_did_not_have() {
    let mut rng = Seed::get().rng(0);
    let mut db = Scratch::memory(Database::builder().background(false));
    let mut machine = machine(ForkMode::Eager);
    for number in 0..6 {
        (0..10).for_each(|_| live(&mut machine, &mut rng));
        store(&db, "main", &mut machine);
        db.create_snapshot(&format!("s{number}")).unwrap();
    }
    db.reopen();
    let pages = pages_of_names(&db.image());
    for number in 1..6 {
        let (before, name) = (&pages[&format!("s{}", number - 1)], format!("s{number}"));
        let new = pages[&name].difference(before).count();
        assert_eq!(db.usage(&name).unwrap().written_bytes, (new * 4096) as u64, "{name}");
    }
}

/// The pages of the version that is read are not used again, though the writer gives them up and needs
/// many.
#[test]
fn a_reader_keeps_its_machine_while_the_writer_goes_on() {
    let mut rng = Seed::get().rng(0);
    let db = Scratch::memory(Database::builder().background(false));
    let mut machine = machine(ForkMode::Eager);
    let mut readers = Vec::new();
    for _ in 0..12 {
        (0..200).for_each(|_| write(&machine, Machine::FIRST, FIRST + rng.u64(..200), rng.u8(1..)));
        store(&db, "main", &mut machine);
        readers.push((db.begin_read().unwrap(), memory(&machine)));
    }
    for (reader, expected) in &readers {
        assert_eq!(memory(&reader.machine(NAME, 1 << 20).unwrap()), *expected);
    }
}

#[test]
fn a_flipped_bit_of_a_machine_is_an_error_with_its_page() {
    let mut db = Scratch::memory(Database::builder().background(false));
    let mut machine = machine(ForkMode::Eager);
    for page in FIRST..FIRST + 40 {
        write(&machine, Machine::FIRST, page, 0xAB);
    }
    store(&db, "main", &mut machine);
    db.close().unwrap();
    let mut image = db.image();
    // A page of memory: it begins with the byte that was written, and has no header.
    let at = image
        .chunks_exact(4096)
        .position(|page| page[0] == 0xAB && page[1..].iter().all(|byte| *byte == 0))
        .unwrap();
    image[4096 * at + 1000] ^= 4;
    let wounded = disk_of(&image);
    let verdict = check::storage(&*wounded).unwrap_err();
    assert!(verdict.contains("F0504") && verdict.contains(&format!("page {at}")), "{verdict}");
    let other = Database::builder().background(false).open_or_create_on(wounded).unwrap();
    match load(&other, "main") {
        Err(Error::Corrupted { page, .. }) => assert_eq!(page, at as u64),
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(other.scrub().unwrap().errors.len(), 1);
}

// ---- power cuts ------------------------------------------------------------------------------

/// What is stored under each name that has a machine; and whether the store was written on.
type Stored = (BTreeMap<String, Memory>, bool);

#[derive(Clone, Debug)]
enum Op {
    /// So much of the machine's life.
    Live(u64),
    Store,
    Snapshot(u8),
    DeleteSnapshot(u8),
    Resume,
    Compact,
}

struct Machines(ForkMode);

impl Machines {
    fn db(&self, disk: &Arc<SimulatedStorage>) -> Result<(Database, Option<Watch>), Failure> {
        let watched = disk.is_honest().then(|| Monitor::over_disk(disk));
        let (storage, watch): (Arc<dyn Storage>, _) = match watched {
            Some((storage, watch)) => (storage, Some(watch)),
            None => (disk.clone(), None),
        };
        let db = Database::builder().cache_size(1 << 18).background(false);
        let db = judged(watch.as_ref(), db.open_or_create_on(storage))?;
        Ok((db, watch))
    }
}

fn judged<T>(watch: Option<&Watch>, result: Result<T, Error>) -> Result<T, Failure> {
    if let Some(what) = watch.and_then(Watch::verdict) {
        return Err(Failure::wrong(format!("the ordering monitor: {what}")));
    }
    result.map_err(|error| Failure::error("a call", error))
}

impl Engine for Machines {
    type State = Stored;
    type Op = Op;

    fn name(&self) -> &'static str {
        "machines"
    }

    fn alphabet(&self) -> Vec<Op> {
        vec![Op::Live(1), Op::Store, Op::Snapshot(0), Op::DeleteSnapshot(0), Op::Resume]
    }

    fn furnishing(&self) -> Vec<Op> {
        vec![Op::Live(0), Op::Store]
    }

    fn random(&self, rng: &mut Rng) -> Op {
        match rng.u8(..10) {
            0 => Op::Snapshot(rng.u8(..3)),
            1 => Op::DeleteSnapshot(rng.u8(..3)),
            2 => Op::Resume,
            3 => Op::Compact,
            4..7 => Op::Store,
            _ => Op::Live(rng.u64(..)),
        }
    }

    fn live(&self, witness: Witness<Stored>) -> Result<Box<dyn Life<Op>>, Failure> {
        let (db, watch) = self.db(witness.disk())?;
        witness.begin(Stored::default());
        Ok(Box::new(Lively { db, watch, machine: machine(self.0), witness }))
    }

    fn open(&self, disk: &Arc<SimulatedStorage>) -> Result<Box<dyn Survivor<Stored>>, Failure> {
        let (db, watch) = self.db(disk)?;
        Ok(Box::new(Survived { db, watch }))
    }

    fn written_on(&self, (names, _): &Stored) -> Stored {
        (names.clone(), true)
    }

    fn examine_crashed(&self, disk: &dyn Storage) -> Result<(), String> {
        check::before_recovery(disk)
    }

    fn examine_closed(&self, disk: &dyn Storage) -> Result<(), String> {
        check::storage(disk)
    }
}

struct Lively {
    db: Database,
    watch: Option<Watch>,
    machine: Machine,
    witness: Witness<Stored>,
}

impl Lively {
    fn commit(
        &mut self,
        change: impl FnOnce(&mut Stored),
        call: impl FnOnce(&Database, &mut Machine) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        let mut state = self.witness.newest();
        change(&mut state);
        self.witness.attempt(state);
        judged(self.watch.as_ref(), call(&self.db, &mut self.machine))?;
        self.witness.acknowledge(Survives::PowerCut);
        Ok(())
    }
}

impl Life<Op> for Lively {
    fn apply(&mut self, op: &Op) -> Result<(), Failure> {
        let snapshots = self.witness.newest().0;
        match op {
            Op::Live(seed) => {
                let mut rng = Rng::with_seed(*seed);
                (0..4).for_each(|_| live(&mut self.machine, &mut rng));
                Ok(())
            }
            Op::Store => {
                let memory = memory(&self.machine);
                self.commit(
                    |(names, _)| drop(names.insert("main".into(), memory)),
                    |db, machine| {
                        let tx = db.begin_write()?;
                        tx.store_machine(NAME, machine)?;
                        tx.commit()
                    },
                )
            }
            Op::Snapshot(name) if !snapshots.contains_key(&format!("s{name}")) => {
                let Some(memory) = snapshots.get("main").cloned() else { return Ok(()) };
                let name = format!("s{name}");
                let made = name.clone();
                self.commit(
                    |(names, _)| drop(names.insert(made, memory)),
                    |db, _| db.create_snapshot(&name),
                )
            }
            Op::DeleteSnapshot(name) if snapshots.contains_key(&format!("s{name}")) => {
                let name = format!("s{name}");
                self.commit(
                    |(names, _)| drop(names.remove(&name)),
                    |db, _| db.delete_snapshot(&name),
                )
            }
            Op::Resume if snapshots.contains_key("main") => {
                self.machine = judged(self.watch.as_ref(), load(&self.db, "main"))?;
                Ok(())
            }
            Op::Compact => judged(self.watch.as_ref(), self.db.compact()),
            _ => Ok(()),
        }
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        judged(self.watch.as_ref(), self.db.close())
    }
}

struct Survived {
    db: Database,
    watch: Option<Watch>,
}

impl Survivor<Stored> for Survived {
    fn read(&mut self) -> Result<Stored, Failure> {
        let read = || {
            let mut names = BTreeMap::new();
            let snapshots = self.db.snapshots()?.into_iter().map(|info| info.name);
            for name in snapshots.chain(["main".to_owned()]) {
                match load(&self.db, &name) {
                    Ok(machine) => drop(names.insert(name, memory(&machine))),
                    Err(Error::MachineNotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            let written = !self.db.begin_read()?.tables()?.is_empty();
            Ok((names, written))
        };
        judged(self.watch.as_ref(), read())
    }

    fn write_on(&mut self) -> Result<(), Failure> {
        let write = || {
            let tx = self.db.begin_write()?;
            tx.open_table("after the crash")?.insert(b"is it", b"alive?")?;
            tx.commit()
        };
        judged(self.watch.as_ref(), write())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        judged(self.watch.as_ref(), self.db.close())
    }
}

#[test]
fn a_machine_survives_every_cut() {
    let seed = Seed::get();
    for (round, fork) in [ForkMode::Eager, ForkMode::Shared].into_iter().enumerate() {
        let engine = Machines(fork);
        let mut rng = seed.rng(round as u64);
        let witness = Witness::new(Arc::new(SimulatedStorage::new()));
        let mut life = engine.live(witness.clone()).unwrap();
        let mut ops = vec![
            Op::Live(1),
            Op::Store,
            Op::Snapshot(0),
            Op::Live(2),
            Op::Store,
            Op::DeleteSnapshot(0),
        ];
        ops.extend((0..4).map(|_| engine.random(&mut rng)));
        for op in &ops {
            life.apply(op).unwrap_or_else(|failure| panic!("{op:?}: {failure}"));
        }
        life.close().unwrap();
        let mut options = Options::exhaustive(seed.value());
        options.classes_per_cut = times(4) as usize;
        let report = must_survive(&engine, &witness.record(), &options);
        println!("{report:?}");
        assert!(report.cuts > 20 && report.recoveries > 50, "{report:?}");
    }
}
