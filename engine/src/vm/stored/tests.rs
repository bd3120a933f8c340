//! A machine that is stored and resumed goes on as if nothing had happened; what is shared in
//! memory is shared in the file.

use std::{collections::HashMap, path::PathBuf};

use cowslip_pager::{PageId, Raw, page::u64_at};

use super::*;
use crate::{
    Database,
    tree::Writer,
    vm::{
        Access, ForkMode, Mapping, PAGE, Pid, Settings,
        trace::{Operation, Player, parse},
    },
};

const NAME: &str = "machine";

fn traces() -> Vec<(PathBuf, Vec<Operation>)> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut traces: Vec<_> = ["docs/traces", "tests/kernel/recorded"]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .map(|path| (path.clone(), parse(&std::fs::read_to_string(path).unwrap()).unwrap()))
        .collect();
    traces.sort_by(|a, b| a.0.cmp(&b.0));
    traces
}

fn store(db: &Database, machine: &mut Machine) -> StoredMachine {
    let txn = db.begin_write().unwrap();
    let stored = txn.store_machine(NAME, machine).unwrap();
    txn.commit().unwrap();
    stored
}

fn load(db: &Database) -> Machine {
    db.begin_read().unwrap().machine(NAME, u32::MAX).unwrap()
}

/// Plays a trace, and lets `between` do something with the player after each operation.
fn play(
    trace: &[Operation],
    fork: ForkMode,
    mut between: impl FnMut(usize, Player) -> Player,
) -> Vec<String> {
    let mut player = Player::new(trace, Settings { fork, ..Settings::default() }, false);
    let mut lines = Vec::new();
    for (number, operation) in trace.iter().enumerate() {
        let answer = player.play(operation).unwrap();
        lines.push(answer.to_string());
        player = between(number, player);
    }
    lines.extend(player.end());
    lines
}

#[test]
fn every_trace_that_is_stored_and_resumed_on_the_way_says_the_same() {
    for (path, trace) in traces() {
        for fork in [ForkMode::Eager, ForkMode::Shared] {
            let expected = play(&trace, fork, |_, player| player);
            let db = Database::in_memory().unwrap();
            let found = play(&trace, fork, |number, mut player| {
                if number % 3 == 0 || trace.len() < 12 {
                    store(&db, player.machine_to_store());
                }
                // Sometimes it goes on with what is in memory, and is stored again on top.
                if number % 6 == 3 {
                    player = Player::resume(load(&db), false).unwrap();
                }
                player
            });
            assert_eq!(found, expected, "{} {fork:?}", path.display());
        }
    }
}

/// A machine whose first process has so many pages, each with its own contents.
fn machine(pages: u64, fork: ForkMode) -> Machine {
    let mut machine = Machine::new(Settings { fork, swap: 1000, ..Settings::default() });
    let at = machine.map(Machine::FIRST, &Mapping { at: Some(512), ..Mapping::anonymous(pages) });
    assert_eq!(at.unwrap(), 512);
    for page in 512..512 + pages {
        write(&machine, Machine::FIRST, page, page as u8);
    }
    machine
}

fn write(machine: &Machine, process: Pid, page: u64, value: u8) {
    let touched = machine.touch(process, page..page + 1, 1, Access::Write { value }, &mut |_| {});
    assert_eq!(touched, Default::default());
}

fn read(machine: &Machine, process: Pid, page: u64) -> u8 {
    let frame = machine.entry(process, page).mapped().unwrap();
    machine.frames().byte(frame, 0)
}

#[test]
fn storing_again_writes_what_changed_and_the_tables_above_it() {
    let db = Database::in_memory().unwrap();
    let mut machine = machine(2000, ForkMode::Eager);
    let first = store(&db, &mut machine);
    assert!((2000..2010).contains(&first.memory), "{first:?}");
    let again = store(&db, &mut machine);
    assert_eq!(again, StoredMachine::default(), "nothing changed");
    write(&machine, Machine::FIRST, 600, 1);
    let second = store(&db, &mut machine);
    assert_eq!(second.memory, 1, "{second:?}");
    assert_eq!(second.tables, 6, "one path: {second:?}");
    // Resumed, it knows where its pages are.
    let mut resumed = load(&db);
    write(&resumed, Machine::FIRST, 700, 1);
    let third = store(&db, &mut resumed);
    assert_eq!((third.memory, third.tables), (1, 6), "{third:?}");
}

#[test]
fn a_fork_with_shared_tables_stores_one_page_for_both_processes() {
    let db = Database::in_memory().unwrap();
    let mut machine = machine(2000, ForkMode::Shared);
    store(&db, &mut machine);
    let child = machine.fork(Machine::FIRST).unwrap();
    let forked = store(&db, &mut machine);
    // The description, and the way to the objects: the child's memory is one entry more.
    assert!(forked.memory <= 2 && forked.tables <= 8, "{forked:?}");
    write(&machine, child, 600, 99);
    let written = store(&db, &mut machine);
    // The child's path is its own now, and the parent's entries are write-protected.
    assert!(written.memory <= 3 && written.tables <= 14, "{written:?}");
    let resumed = load(&db);
    assert_eq!((read(&resumed, Machine::FIRST, 600), read(&resumed, child, 600)), (88, 99));
    assert_eq!(read(&resumed, child, 601), 89);
}

#[test]
fn a_machine_whose_transaction_was_aborted_is_stored_whole_the_next_time() {
    let db = Database::in_memory().unwrap();
    let mut machine = machine(100, ForkMode::Eager);
    store(&db, &mut machine);
    write(&machine, Machine::FIRST, 520, 77);
    let txn = db.begin_write().unwrap();
    txn.store_machine(NAME, &mut machine).unwrap();
    txn.abort().unwrap();
    write(&machine, Machine::FIRST, 521, 78);
    let whole = store(&db, &mut machine);
    assert!(whole.memory >= 100, "{whole:?}");
    let resumed = load(&db);
    assert_eq!(
        (read(&resumed, Machine::FIRST, 520), read(&resumed, Machine::FIRST, 521)),
        (77, 78)
    );
}

/// Each of several in one transaction: pages that it gave up are used again by itself, at once.
#[test]
fn a_machine_may_be_stored_any_number_of_times_in_one_transaction() {
    let db = Database::in_memory().unwrap();
    let used = |db: &Database| db.stats().pages_used - db.stats().log_capacity / 4096;
    let mut one = machine(40, ForkMode::Eager);
    let mut two = machine(40, ForkMode::Eager);
    (512..552).for_each(|page| write(&two, Machine::FIRST, page, 200));
    store(&db, &mut one);
    db.checkpoint().unwrap();
    let before = used(&db);
    let txn = db.begin_write().unwrap();
    for value in 0..5 {
        write(&one, Machine::FIRST, 520, value);
        txn.store_machine(NAME, &mut one).unwrap();
    }
    // Another of the same size comes between, in the same pages.
    for delete in [false, true, false] {
        if delete {
            assert!(txn.delete_machine(NAME).unwrap());
        }
        txn.store_machine(NAME, &mut two).unwrap();
        txn.store_machine("other", &mut one).unwrap();
        txn.store_machine(NAME, &mut one).unwrap();
        assert!(txn.delete_machine("other").unwrap());
    }
    txn.commit().unwrap();
    db.wait_for_releases().unwrap();
    db.checkpoint().unwrap();
    assert_eq!(used(&db), before, "what was given up is free again");
    let resumed = load(&db);
    for page in 512..552 {
        let expected = if page == 520 { 4 } else { page as u8 };
        assert_eq!(read(&resumed, Machine::FIRST, page), expected, "page {page}");
    }
    assert_eq!(db.unique_bytes_of(&["main"]).unwrap(), db.usage("main").unwrap().referenced_bytes);
}

/// A copy of a database has its id, and gives the same pages and stamps to others.
#[test]
fn what_a_machine_knows_of_a_database_is_worth_nothing_in_a_copy_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (first, copy) = (folder.path().join("first"), folder.path().join("copy"));
    Database::create(&first).unwrap().close().unwrap();
    std::fs::copy(&first, &copy).unwrap();
    let (first, copy) = (Database::open(&first).unwrap(), Database::open(&copy).unwrap());
    let mut one = machine(40, ForkMode::Eager);
    let mut two = machine(40, ForkMode::Eager);
    (512..552).for_each(|page| write(&two, Machine::FIRST, page, 200));
    store(&first, &mut one);
    store(&copy, &mut two);
    store(&copy, &mut one);
    let resumed = load(&copy);
    for page in 512..552 {
        assert_eq!(read(&resumed, Machine::FIRST, page), page as u8);
    }
}

#[test]
fn snapshots_and_branches_keep_a_machine_as_it_was() {
    let db = Database::in_memory().unwrap();
    let mut machine = machine(1000, ForkMode::Eager);
    store(&db, &mut machine);
    db.create_snapshot("before").unwrap();
    db.create_branch("other", "main").unwrap();
    write(&machine, Machine::FIRST, 600, 1);
    let kept = store(&db, &mut machine);
    assert_eq!((kept.memory, kept.tables), (1, 6), "one page and one path, as without a snapshot");
    // The branch goes its own way, from the same pages.
    let mut branched = db.begin_read_on("other").unwrap().machine(NAME, u32::MAX).unwrap();
    write(&branched, Machine::FIRST, 600, 2);
    let txn = db.begin_write_on("other").unwrap();
    let stored = txn.store_machine(NAME, &mut branched).unwrap();
    txn.commit().unwrap();
    assert_eq!((stored.memory, stored.tables), (1, 6));
    let of = |txn: crate::ReadTransaction| {
        read(&txn.machine(NAME, u32::MAX).unwrap(), Machine::FIRST, 600)
    };
    assert_eq!(of(db.begin_read().unwrap()), 1);
    assert_eq!(of(db.begin_read_on("other").unwrap()), 2);
    assert_eq!(of(db.begin_read_at("before").unwrap()), 88);
}

#[test]
fn a_machine_is_no_table_and_a_table_no_machine() {
    let db = Database::in_memory().unwrap();
    let mut machine = machine(1, ForkMode::Eager);
    store(&db, &mut machine);
    let txn = db.begin_write().unwrap();
    assert!(matches!(txn.open_table(NAME), Err(Error::NotATable(_))));
    txn.open_table("table").unwrap().insert(b"k", b"v").unwrap();
    assert!(matches!(txn.store_machine("table", &mut machine), Err(Error::AlreadyExists(_))));
    assert!(!txn.delete_machine("table").unwrap());
    assert_eq!(
        (txn.tables().unwrap(), txn.machines().unwrap()),
        (vec!["table".into()], vec![NAME.into()])
    );
    txn.commit().unwrap();
    let read = db.begin_read().unwrap();
    assert!(matches!(read.machine("table", 1), Err(Error::MachineNotFound(_))));
    assert!(matches!(read.machine(NAME, 0), Err(Error::InvalidArgument(_))));
    db.create_snapshot("s").unwrap();
    assert!(matches!(db.send(Vec::new(), "s", None), Err(Error::MachineNotSent(_))));
}

#[test]
fn a_machine_needs_pages_of_its_own_size() {
    let db = Database::builder().page_size(8192).in_memory().unwrap();
    let txn = db.begin_write().unwrap();
    let stored = txn.store_machine(NAME, &mut machine(1, ForkMode::Eager));
    assert!(matches!(stored, Err(Error::InvalidArgument(_))), "{stored:?} {PAGE}");
}

/// Copies a stored machine's pages, and makes `change` do something to some of them.
fn forge(
    writer: &mut Writer<'_>,
    raw: Raw,
    known: &mut HashMap<PageId, PageId>,
    change: &mut dyn FnMut(Raw, &mut [u8]),
) -> crate::Result<PageId> {
    if let Some(&page) = known.get(&raw.page) {
        writer.txn.retain(page)?;
        return Ok(page);
    }
    let mut bytes = vec![0; PAGE];
    writer.txn.read_raw(raw.page, &mut bytes)?;
    let mut children = Vec::new();
    raw.children(&bytes, &mut |index, child| {
        children.push((index, child));
        Ok(())
    })?;
    for (index, child) in children {
        let page = forge(writer, child, known, change)?;
        let word = u64_at(&bytes, 8 * index) & !Raw::PAGE_BITS | page.0 << Raw::SHIFT;
        bytes[8 * index..8 * index + 8].copy_from_slice(&word.to_le_bytes());
    }
    change(raw, &mut bytes);
    let page = writer.txn.write_raw(&bytes)?;
    known.insert(raw.page, page);
    Ok(page)
}

/// Every checksum is right, and what they vouch for is not: a machine comes back that is sound, or an
/// error.
#[test]
fn a_forged_machine_is_refused_or_sound() {
    let trace = "A mmap H pages=40\nA write H 0..30 =7\nA fork B\nB write H 0..4 =9\n\
                 A mmap S pages=8 shared\nA write S 0..8 =1\nA madvise H 10..20 pageout\n\
                 B exit\n";
    let trace = parse(trace).unwrap();
    let settings = Settings { memory: 500, ..Settings::default() };
    let mut player = Player::new(&trace, settings, false);
    trace.iter().for_each(|operation| drop(player.play(operation).unwrap()));
    let db = Database::in_memory().unwrap();
    store(&db, player.machine_to_store());
    let (mut refused, mut sound) = (0, 0);
    for round in 0..2000 {
        let mut rng = fastrand::Rng::with_seed(round);
        let txn = db.begin_write().unwrap();
        let old = txn.draft().find_machine(NAME).unwrap().unwrap();
        let height = [0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6][rng.usize(..12)];
        let places = rng.usize(1..3);
        let forged = txn.draft_mut().put_machine("forged", |writer, _| {
            let root = Raw { page: old.root.page, height: TOP };
            let page = forge(writer, root, &mut HashMap::new(), &mut |raw, bytes| {
                // The description is most of what there is to be forged.
                let described = raw.height == 0 && bytes[8] == 1 && bytes[2..8] == [0; 6];
                let other = height == 0 && described != rng.bool();
                if raw.height != height || other {
                    return;
                }
                for _ in 0..places {
                    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
                    let at = rng.usize(..=used);
                    match rng.u8(..3) {
                        0 => bytes[at] = bytes[at].wrapping_add(1),
                        1 => bytes[at] ^= 1 << rng.u8(..8),
                        _ if rng.bool() => bytes[at] = rng.u8(..),
                        _ => bytes.copy_within(at..used, rng.usize(..=at)),
                    }
                }
            })?;
            let root = Raw { page, height: TOP };
            Ok(crate::draft::Stored { root, pages: 1, dropped: Vec::new(), report: () })
        });
        forged.unwrap();
        match txn.commit() {
            Ok(()) => {}
            Err(error) => panic!("{round}: {error}"),
        }
        let resumed = db.begin_read().unwrap().machine("forged", 1 << 16);
        match resumed {
            Err(Error::Corrupted { .. } | Error::InvalidArgument(_)) => refused += 1,
            Err(error) => panic!("{round}: {error}"),
            Ok(mut machine) => {
                sound += 1;
                assert!(machine.check().is_empty());
                let alive: Vec<Pid> =
                    machine.processes().filter(|pid| machine.is_alive(*pid)).collect();
                for pid in alive {
                    for area in machine.areas(pid).iter() {
                        let access = Access::Write { value: 1 };
                        let some = area.pages.start..area.pages.end.min(area.pages.start + 64);
                        machine.touch_or_replace(pid, some, 1, access, &mut |_| {});
                    }
                    let _ = machine.fork(pid);
                }
                let _ = machine.merge_pages();
                machine.replace_pages();
                let problems = machine.check();
                assert!(problems.is_empty(), "{round}: {problems:?}");
                if let Ok(mut player) = Player::resume(machine, false) {
                    trace[1..].iter().for_each(|operation| drop(player.play(operation)));
                }
            }
        }
    }
    assert!(refused > 100 && sound > 20, "{refused} refused, {sound} sound");
}

/// Three tables that name one another 512 times each would be 134 million: they are refused unread.
#[test]
fn tables_that_multiply_are_refused_at_once() {
    let db = Database::in_memory().unwrap();
    store(&db, &mut machine(4, ForkMode::Eager));
    let txn = db.begin_write().unwrap();
    let old = txn.draft().find_machine(NAME).unwrap().unwrap();
    let forged = txn.draft_mut().put_machine("forged", |writer, _| {
        let root = Raw { page: old.root.page, height: TOP };
        let page = forge(writer, root, &mut HashMap::new(), &mut |raw, bytes| {
            if (2..=4).contains(&raw.height) {
                let word = bytes.chunks_exact(8).find(|word| **word != [0; 8]).unwrap().to_vec();
                bytes.chunks_exact_mut(8).for_each(|place| place.copy_from_slice(&word));
            }
        })?;
        let root = Raw { page, height: TOP };
        Ok(crate::draft::Stored { root, pages: 1, dropped: Vec::new(), report: () })
    });
    forged.unwrap();
    txn.commit().unwrap();
    let loaded = db.begin_read().unwrap().machine("forged", 1 << 16);
    assert!(matches!(loaded, Err(Error::Corrupted { .. })), "{:?}", loaded.err());
}
