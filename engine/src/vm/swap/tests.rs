//! Swap on a storage: what went out comes back, or is a bus error; never something else.

use std::sync::Arc;

use cowslip_pager::storage::{FileStorage, MemoryStorage, Storage};

use crate::vm::{Access, Advise, Machine, Mapping, Settings, Signal, Touched};

const FIRST: u64 = 512;

/// A machine with so many pages of memory, whose first process wants more than that.
fn crowded(storage: Arc<dyn Storage>, memory: u32, pages: u64) -> Machine {
    let mut machine = Machine::new(Settings { memory, swap: 1000, ..Settings::default() });
    machine.swap_to(storage).unwrap();
    let mapping = Mapping { at: Some(FIRST), ..Mapping::anonymous(pages) };
    machine.map(Machine::FIRST, &mapping).unwrap();
    for page in FIRST..FIRST + pages {
        assert_eq!(touch(&mut machine, page, Access::Write { value: page as u8 }).signal, None);
    }
    machine
}

fn touch(machine: &mut Machine, page: u64, access: Access) -> Touched {
    machine.touch_or_replace(Machine::FIRST, page..page + 1, 1, access, &mut |_| {})
}

fn read(page: u64) -> Access {
    Access::Read { expect: Some(page as u8) }
}

#[test]
fn more_than_memory_goes_out_to_a_file_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::create(folder.path().join("swap")).unwrap();
    let mut machine = crowded(Arc::new(storage), 200, 600);
    assert!(machine.swap().used() > 400, "{}", machine.swap().used());
    for round in 0..3 {
        for page in FIRST..FIRST + 600 {
            let touched = touch(&mut machine, page, read(page));
            assert_eq!((touched.mismatches, touched.signal), (0, None), "round {round}");
        }
        let problems = machine.check();
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn pages_that_come_back_leave_room_for_others() {
    let storage = Arc::new(MemoryStorage::new());
    let mut machine = crowded(storage.clone(), 200, 600);
    let length = storage.len().unwrap();
    for round in 0..20u64 {
        for page in FIRST..FIRST + 600 {
            touch(&mut machine, page, Access::Write { value: (page + round) as u8 });
        }
    }
    assert_eq!(storage.len().unwrap(), length, "positions are used again");
}

#[test]
fn a_page_that_swap_gives_back_damaged_is_a_bus_error() {
    let storage = Arc::new(MemoryStorage::new());
    let mut machine = crowded(storage.clone(), 5000, 300);
    machine.advise(Machine::FIRST, FIRST..FIRST + 300, Advise::PageOut).unwrap();
    // Out of the swap cache as well, by a process that takes all memory.
    let much = Mapping { at: Some(1 << 20), ..Mapping::anonymous(5100) };
    machine.map(Machine::FIRST, &much).unwrap();
    for page in 1 << 20..(1 << 20) + 4900 {
        touch(&mut machine, page, Access::Write { value: 1 });
    }
    // What was gathered is in the storage once something was read back.
    assert_eq!(touch(&mut machine, FIRST, read(FIRST)).signal, None);
    let length = storage.len().unwrap();
    let mut bytes = vec![0; 4096];
    for at in (0..length).step_by(4096) {
        storage.read_at(&mut bytes, at).unwrap();
        // A page of the process: one byte, and zeros.
        if bytes[0] != 0 && bytes[1..].iter().all(|byte| *byte == 0) {
            bytes[100] ^= 1;
            storage.write_at(&bytes, at).unwrap();
        }
    }
    let mut refused = 0;
    for page in FIRST + 1..FIRST + 300 {
        let touched = touch(&mut machine, page, read(page));
        assert_eq!(touched.mismatches, 0, "never wrong data");
        refused += u32::from(touched.signal == Some(Signal::BehindFile));
    }
    assert!(refused > 100, "{refused}");
    let problems = machine.check();
    assert!(problems.is_empty(), "{problems:?}");
}

/// What comes back for a write that others do not share needs two frames at once: one that is freed is
/// not enough, however often it is.
#[test]
fn a_copy_of_a_page_in_swap_finds_two_frames_or_somebody_is_killed() {
    for memory in 8..60 {
        let mut machine = crowded(Arc::new(MemoryStorage::new()), memory, 90);
        let Ok(child) = machine.fork(Machine::FIRST) else { continue };
        for page in FIRST..FIRST + 90 {
            let access = Access::Write { value: 9 };
            machine.touch_or_replace(child, page..page + 1, 1, access, &mut |_| {});
        }
        if machine.is_alive(Machine::FIRST) {
            for page in FIRST..FIRST + 90 {
                assert_eq!(touch(&mut machine, page, read(page)).mismatches, 0);
            }
        }
        let problems = machine.check();
        assert!(problems.is_empty(), "{problems:?}");
    }
}
