//! A program made by hand: a text of two pages, data of one and a half of which the first is
//! read-only after linking, and a bss that ends two pages behind.

use super::*;
use crate::vm::{
    Access, Settings, Touched,
    file::Contents,
    machine::State,
    trace::{Call, Outside, Player, Reference, References, parse},
};

const K: u64 = PAGE as u64;
const B: Pid = Pid(1);

fn object(name: &str) -> Object {
    let bytes: Vec<u8> = (1..=4).flat_map(|page| [page; PAGE]).collect();
    Object {
        path: format!("/{name}"),
        name: name.to_owned(),
        bytes: bytes.into(),
        movable: true,
        alignment: 1,
        parts: vec![
            Part {
                offset: 0,
                address: 0,
                file_size: 2 * K,
                memory_size: 2 * K,
                protection: Protection::READ_EXECUTE,
            },
            Part {
                offset: 2 * K,
                address: 3 * K,
                file_size: K + K / 2,
                memory_size: 4 * K,
                protection: Protection::READ_WRITE,
            },
        ],
        read_only_after_linking: 3 * K..4 * K,
    }
}

fn program() -> Program {
    Program { objects: vec![object("cat"), object("libc")] }
}

/// Equal paths are one file, as for a player.
fn exec(machine: &mut Machine, pid: Pid, program: &Program) -> Result<(), Errno> {
    machine.exec_program(pid, program, |machine, object| {
        let known = (0..machine.files.len()).find(|file| machine.files[*file].name == object.path);
        known.map(|file| FileId(file as u32)).unwrap_or_else(|| {
            let pages = (object.bytes.len() as u64).div_ceil(K);
            machine.add_file(&object.path, pages, Contents::Bytes(object.bytes.clone()))
        })
    })
}

fn touch(machine: &Machine, pid: Pid, page: u64, access: Access) -> Touched {
    machine.touch(pid, page..page + 1, 1, access, &mut |_| {})
}

fn read(value: u8) -> Access {
    Access::Read { expect: Some(value) }
}

/// Two processes that run the program.
fn two() -> Machine {
    let mut machine = Machine::new(Settings::default());
    machine.fork(Machine::FIRST).unwrap();
    for pid in [Machine::FIRST, B] {
        exec(&mut machine, pid, &program()).unwrap();
    }
    machine
}

fn areas(machine: &Machine, pid: Pid) -> Vec<(String, Range<u64>)> {
    let areas = machine.areas(pid);
    let named =
        areas.iter().map(|area| (area.name.clone().unwrap().to_string(), area.pages.clone()));
    named.collect()
}

#[test]
fn parts_lie_where_a_kernel_puts_them() {
    let machine = two();
    let (p, l) = (PROGRAM, LIBRARIES - 7);
    let expected = [
        ("cat_text", p..p + 2),
        ("cat_relro", p + 3..p + 4),
        ("cat_data", p + 4..p + 5),
        ("cat_bss", p + 5..p + 7),
        ("libc_text", l..l + 2),
        ("libc_relro", l + 3..l + 4),
        ("libc_data", l + 4..l + 5),
        ("libc_bss", l + 5..l + 7),
        ("stack", STACK - 33..STACK),
    ];
    let expected: Vec<_> = expected.map(|(name, pages)| (name.to_owned(), pages)).to_vec();
    assert_eq!(areas(&machine, B), expected);
    assert_eq!(machine.heap(B), Some((p + 7, p + 7)));
    // Two pages of each object were written: the one that is linked, and the one whose end is bss.
    assert_eq!((machine.tally(B).minor, machine.tally(B).file_copied), (4, 4));
    assert!(machine.check().is_empty());
}

#[test]
fn text_is_shared_and_data_is_copied_when_it_is_written() {
    let machine = two();
    let frame = |pid, page| machine.entry(pid, page).mapped().unwrap();
    for pid in [Machine::FIRST, B] {
        assert_eq!(touch(&machine, pid, PROGRAM + 1, read(2)), Touched::default());
    }
    assert_eq!(frame(Machine::FIRST, PROGRAM + 1), frame(B, PROGRAM + 1));
    assert!(touch(&machine, B, PROGRAM, Access::Write { value: 9 }).signal.is_some());
    assert_eq!(touch(&machine, B, PROGRAM + 4, Access::Write { value: 9 }), Touched::default());
    assert_eq!(touch(&machine, B, PROGRAM + 4, read(9)), Touched::default());
    assert_eq!(touch(&machine, Machine::FIRST, PROGRAM + 4, read(4)), Touched::default());
    assert_ne!(frame(Machine::FIRST, PROGRAM + 4), frame(B, PROGRAM + 4));
    assert!(machine.check().is_empty());
}

#[test]
fn what_is_linked_is_the_processes_own_and_only_read() {
    let machine = two();
    let frame = |pid| machine.entry(pid, PROGRAM + 3).mapped().unwrap();
    assert_ne!(frame(Machine::FIRST), frame(B));
    assert_eq!(touch(&machine, B, PROGRAM + 3, read(3)), Touched::default());
    assert!(touch(&machine, B, PROGRAM + 3, Access::Write { value: 9 }).signal.is_some());
}

#[test]
fn the_bss_is_zero_from_the_end_of_the_file_part_on() {
    let machine = two();
    let frame = machine.entry(B, PROGRAM + 4).mapped().unwrap();
    let bytes: Vec<u8> = (0..PAGE).map(|at| machine.frames().byte(frame, at)).collect();
    assert!(bytes[..PAGE / 2].iter().all(|byte| *byte == 4));
    assert!(bytes[PAGE / 2..].iter().all(|byte| *byte == 0));
    for page in [PROGRAM + 5, PROGRAM + 6] {
        assert_eq!(touch(&machine, B, page, read(0)), Touched::default());
    }
    assert!(touch(&machine, B, PROGRAM + 7, read(0)).signal.is_some());
}

#[test]
fn a_part_without_file_begins_at_its_page() {
    let mut machine = Machine::new(Settings::default());
    let mut bare = object("bare");
    bare.parts[1] = Part { offset: 5, address: 3 * K + 5, file_size: 0, ..bare.parts[1] };
    exec(&mut machine, Machine::FIRST, &Program { objects: vec![bare] }).unwrap();
    let bss = ("bare_bss".to_owned(), PROGRAM + 3..PROGRAM + 8);
    assert!(areas(&machine, Machine::FIRST).contains(&bss));
    assert_eq!(machine.tally(Machine::FIRST).minor, 0);
}

#[test]
fn alignment_and_fixed_addresses_are_obeyed() {
    let mut machine = Machine::new(Settings::default());
    let mut program = program();
    program.objects[0].movable = false;
    program.objects[1].alignment = 512;
    for part in &mut program.objects[0].parts {
        part.address += 0x40_0000;
    }
    exec(&mut machine, Machine::FIRST, &program).unwrap();
    let areas = areas(&machine, Machine::FIRST);
    assert_eq!(areas[0], ("cat_text".to_owned(), 0x400..0x402));
    let library = areas.iter().find(|(name, _)| name == "libc_text").unwrap();
    assert_eq!(library.1.start % 512, 0);
    assert_eq!(machine.heap(Machine::FIRST), Some((0x407, 0x407)));
}

#[test]
fn numbers_that_make_no_sense_are_refused_before_anything_is_dropped() {
    type Break = fn(&mut Object);
    let breaks: [(Break, &str); 10] = [
        (|object| object.parts.clear(), "nothing to load"),
        (|object| object.parts[0].offset = 1, "elsewhere in its page"),
        (|object| object.parts[0].memory_size = 1, "more bytes in the file"),
        (|object| object.parts[1].offset = u64::MAX - 100, "behind the end of the file"),
        (|object| object.parts[1].offset += 8 * K, "behind the end of the file"),
        (|object| object.parts[1].memory_size = u64::MAX, "end of the address space"),
        (|object| object.parts[1].memory_size = 1 << 46, "64 GiB"),
        (|object| object.parts[1].address = K, "out of order"),
        (|object| object.alignment = 3, "power of two"),
        (|object| object.alignment = 1 << 60, "power of two"),
    ];
    let mut machine = Machine::new(Settings::default());
    machine.map(Machine::FIRST, &Mapping::anonymous(3)).unwrap();
    for (break_it, reason) in breaks {
        let mut program = program();
        break_it(&mut program.objects[1]);
        let refused = program.check().unwrap_err();
        assert!(refused.contains(reason) && refused.starts_with("/libc: "), "{refused}");
        assert_eq!(exec(&mut machine, Machine::FIRST, &program), Err(Errno::Invalid));
    }
    assert_eq!(machine.areas(Machine::FIRST).pages(), 3);
    // Extremes that do make sense: no sum of them overflows.
    for (address, movable) in [(PAGES_END - 8 * K, true), (PAGES_END - 8 * K, false)] {
        let mut program = program();
        program.objects.iter_mut().for_each(|object| object.movable = movable);
        for part in program.objects.iter_mut().flat_map(|object| &mut object.parts) {
            part.address += address;
        }
        let done = exec(&mut machine, Machine::FIRST, &program);
        assert_eq!(done.is_ok(), movable, "two objects at one fixed place");
        assert_eq!(machine.areas(Machine::FIRST).is_empty(), !movable);
    }
    assert!(machine.check().is_empty());
}

const PAGES_END: u64 = super::super::tables::PAGES * K;

#[test]
fn the_end_of_what_is_read_only_may_say_anything() {
    for range in [
        0..u64::MAX,
        u64::MAX..u64::MAX,
        Range { start: 5 * K, end: 2 * K },
        0..7 * K,
        4 * K..9 * K,
    ] {
        let mut machine = Machine::new(Settings::default());
        let mut program = program();
        program.objects[0].read_only_after_linking = range;
        exec(&mut machine, Machine::FIRST, &program).unwrap();
        let text = touch(&machine, Machine::FIRST, PROGRAM + 1, read(2));
        assert_eq!(text, Touched::default());
        assert!(machine.check().is_empty());
    }
}

/// Lends one program, and lists of accesses that stand in the path: `r12` `w12` in pages.
struct Lent;

impl Outside for Lent {
    fn program(&self, path: &str) -> Result<Program, String> {
        if path == "cat" { Ok(program()) } else { Err("no such program".to_owned()) }
    }

    fn references(&self, path: &str) -> Result<References<'_>, String> {
        let words: Vec<String> = path.split(',').map(str::to_owned).collect();
        Ok(Box::new(words.into_iter().map(|word| {
            let page = word.get(1..).and_then(|page| page.parse().ok()).ok_or("no page")?;
            let store = word.starts_with('w');
            Ok(Reference { page, last: page, load: !store, store })
        })))
    }
}

fn play(text: &str) -> (Vec<String>, Player) {
    let trace = parse(text).unwrap();
    let mut player = Player::new(&trace, Settings::default(), false).with_outside(Box::new(Lent));
    let lines = trace.iter().map(|operation| match player.play(operation) {
        Ok(answer) => answer.to_string(),
        Err(bad) => bad.to_string(),
    });
    (lines.collect(), player)
}

fn regions(player: &Player) -> Vec<(String, u64, u64)> {
    let regions = player.regions(Machine::FIRST);
    regions.map(|(name, start, pages)| (name.to_owned(), start, pages)).collect()
}

#[test]
fn a_trace_uses_the_regions_of_a_program() {
    let (lines, player) = play(
        "A fork B\nA exec cat\nB exec cat\nA read cat_text 0..2\nB read cat_text 0..2\n\
         A brk 4\nA write heap 0..4 =1\nA write cat_data 0..1 =1\nA exec dog\n\
         A fork C\nC exec\nC replay r5",
    );
    assert_eq!(lines[1], "A exec cat => min=4 maj=0 fcow=4 regions=9");
    assert!(lines[3].contains("min=1 maj=0 fmap=2 ffault=1 sig=none"), "{}", lines[3]);
    assert!(lines[6].contains("zfill=4 sig=none"), "{}", lines[6]);
    assert!(lines[7].contains("min=0 maj=0 sig=none"), "{}", lines[7]);
    assert_eq!(lines[8], "line 9: no such program");
    assert_eq!(lines[10], "C exec => regions=0");
    assert!(lines[11].contains("zmap=1"), "{}", lines[11]);
    assert_eq!(player.machine().state(B), State::Running);
    // One file for both, with the pages that are mapped or were copied from.
    assert_eq!(player.machine().files.len(), 2);
}

#[test]
fn replays_extend_what_they_cover_and_names_stay_what_they_are() {
    let (lines, player) = play(
        "A mmap m_400 pages=2\nA replay w1025,r1030\nA replay r1025,w1280,r700,w1025\n\
         A write m_500 0..1 =3\nA replay r34359738368",
    );
    assert!(lines[1].contains("min=2 maj=0 zfill=1 zmap=1 sig=none"), "{}", lines[1]);
    assert!(lines[2].contains("min=2 maj=0 zfill=1 zmap=1 sig=none"), "{}", lines[2]);
    assert!(lines[3].contains("min=0"), "{}", lines[3]);
    assert!(lines[4].contains("no memory for page 0x800000000"), "{}", lines[4]);
    let expected = [
        ("m_400", 0x2_0000_0000, 2),
        ("m_400_2", 1024, 256),
        ("m_200", 512, 256),
        ("m_500", 1280, 256),
    ];
    let expected: Vec<_> = expected.map(|(name, at, pages)| (name.to_owned(), at, pages)).to_vec();
    assert_eq!(regions(&player), expected);
}

#[test]
fn an_access_below_the_stack_makes_it_grow() {
    let below = STACK - 40;
    let (lines, player) = play(&format!("A exec cat\nA replay w{below}"));
    assert!(lines[1].contains("zfill=1 sig=none"), "{}", lines[1]);
    let areas = player.machine().areas(Machine::FIRST);
    assert_eq!(areas.find(below).map(|area| area.pages.clone()), Some(below..STACK));
}

#[test]
fn what_is_known_to_be_mapped_is_forgotten_when_memory_is_short() {
    // Longer than a line of a trace may be.
    let pages = (0..20).flat_map(|round| (0..80).map(move |page| page + 1000 * (page % 2) + round));
    let list: Vec<String> = pages.map(|page| format!("w{page}")).collect();
    let mut trace = parse("machine ram=60 swap=5000\nA replay list").unwrap();
    trace[1].call = Call::Replay { process: "A".to_owned(), file: list.join(",") };
    let mut player = Player::new(&trace, Settings::default(), false).with_outside(Box::new(Lent));
    player.play(&trace[0]).unwrap();
    let answer = player.play(&trace[1]).unwrap();
    assert_eq!(answer.signal, Some(None));
    assert!(answer.tally.unwrap().major > 100, "{answer}");
    assert!(player.machine().check().is_empty());
}
