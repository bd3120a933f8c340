//! What the module promises beyond the counts of traces: under pressure, in parallel, and whatever
//! a trace says.

use std::collections::HashMap;

use super::{
    trace::{Player, parse},
    *,
};

/// Runs a trace; after every operation the machine is checked.
fn play(text: &str, settings: Settings) -> (Vec<String>, Player) {
    let trace = parse(text).unwrap();
    let mut player = Player::new(&trace, settings, false);
    let mut lines = Vec::new();
    for operation in &trace {
        lines.push(player.play(operation).unwrap().to_string());
        let problems = player.machine().check();
        assert!(problems.is_empty(), "after `{}`: {problems:#?}", operation.text);
    }
    (lines, player)
}

fn recorded() -> impl Iterator<Item = String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kernel/recorded");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read_to_string(path).unwrap())
}

/// Signals, and values that were not the expected ones.
fn seen(lines: &[String]) -> Vec<&str> {
    let words = lines.iter().flat_map(|line| line.split([' ', '\n']));
    words.filter(|word| word.starts_with("sig=") || word.starts_with("bad=")).collect()
}

#[test]
fn processes_see_the_same_when_memory_is_short() {
    for policy in [Replacement::Clock, Replacement::Sharing] {
        let mut written = 0;
        for text in recorded().take(15) {
            // Merging and huge pages depend on what is in memory; values do not.
            let small = Settings { memory: 1500, swap: 100_000, ..Settings::default() };
            let trace = parse(&text).unwrap();
            let mut player = Player::new(&trace, small, false);
            player.machine_mut().set_replacement(policy);
            let mut lines = Vec::new();
            for operation in &trace {
                lines.push(player.play(operation).unwrap().to_string());
            }
            let problems = player.machine().check();
            assert!(problems.is_empty(), "{problems:#?}");
            let (plenty, _) = play(&text, Settings::default());
            if player.machine().processes().all(|pid| player.machine().killed_by(pid).is_none()) {
                assert_eq!(seen(&lines), seen(&plenty));
                written += player.machine().replaced().written;
            }
        }
        assert!(written > 0, "nothing was ever short");
    }
}

#[test]
fn without_swap_the_process_that_has_most_is_killed() {
    let text = "machine ram=200 overcommit=1\nA mmap H pages=20\nA write H 0..20 =1\nA fork B\n\
                B mmap G pages=400\nB write G 0..400 =2\nA read H 0..20 expect=1";
    let (lines, player) = play(text, Settings::default());
    assert!(lines[5].contains("sig=KILL_OOM"), "{}", lines[5]);
    assert!(lines[6].contains("bad=0"), "{}", lines[6]);
    assert_eq!(player.machine().killed_by(Pid(1)), Some(Signal::OutOfMemory));
}

#[test]
fn shared_memory_is_gone_when_the_last_who_maps_it_is() {
    let text = "machine overcommit=2\nA mmap S pages=50 shared\nA write S 0..50 =1\nA fork B\n\
                A munmap S 0..50\nB read S 0..50 expect=1\nB munmap S 0..20\nB exit";
    let (lines, player) = play(text, Settings::default());
    assert!(lines[5].contains("bad=0"), "{}", lines[5]);
    let machine = player.machine();
    assert_eq!(machine.commit.promised(), 0);
    assert_eq!(u64::from(machine.frames().used()), 1 + machine.tables(Machine::FIRST));
}

#[test]
fn a_page_that_several_share_takes_one_slot_and_comes_back_shared() {
    let text = "machine ram=40 swap=100\nA mmap H pages=16\nA write H 0..16 =1\nA fork B\n\
                A mmap G pages=30\nA write G 0..30 =2\nB read H 0..16 expect=1\n\
                A read H 0..16 expect=1\nsnap back";
    let (lines, player) = play(text, Settings::default());
    let replaced = player.machine().replaced();
    assert!(replaced.written > 0 && replaced.entries > replaced.written, "{replaced:?}");
    assert!(lines[6].contains("bad=0") && lines[7].contains("bad=0"));
}

#[test]
fn a_fork_with_shared_tables_costs_one_owner_of_the_root() {
    let text = "A mmap H pages=100000 \nA write H 0..100000 step=512 =1";
    let shared = Settings { fork: ForkMode::Shared, ..Settings::default() };
    let (_, mut player) = play(text, shared);
    let before = player.machine().frames().used();
    let machine = player.machine_mut();
    let child = machine.fork(Machine::FIRST).unwrap();
    assert_eq!(machine.frames().used(), before, "no frame was taken");
    assert_eq!(machine.tables(child), machine.tables(Machine::FIRST));
    // A first write copies the path and one page: root, two tables, a leaf, data.
    let page = machine.areas(child).iter().next().unwrap().pages.start;
    let write = Access::Write { value: 2 };
    machine.touch(child, page..page + 1, 1, write, &mut |_| {});
    assert_eq!(machine.frames().used(), before + 5);
    assert!(machine.check().is_empty());
}

#[test]
fn faults_of_several_processes_run_side_by_side() {
    for fork in [ForkMode::Eager, ForkMode::Shared] {
        let text = "A mmap H pages=3000\nA write H 0..3000 =1\nA fork B\nB fork C\nA fork D";
        let (_, player) = play(text, Settings { fork, ..Settings::default() });
        let machine = player.machine();
        let pages = machine.areas(Machine::FIRST).iter().next().unwrap().pages.clone();
        std::thread::scope(|scope| {
            for pid in 0..4 {
                let pages = pages.clone();
                scope.spawn(move || {
                    let value = 10 + pid as u8;
                    let write = Access::Write { value };
                    let read = Access::Read { expect: Some(value) };
                    for round in 0..3 {
                        let from = pages.start + 7 * round;
                        machine.touch(Pid(pid), from..pages.end, 2, write, &mut |_| {});
                    }
                    let found =
                        machine.touch(Pid(pid), pages.start..pages.end, 2, read, &mut |_| {});
                    assert_eq!(found.mismatches, 0, "{fork:?}");
                });
            }
        });
        assert!(machine.check().is_empty(), "{:#?}", machine.check());
        // What nobody wrote is still shared, what all wrote is four frames.
        let untouched = pages.start + 1;
        let odd = Access::Read { expect: Some(1) };
        for pid in 0..4 {
            assert_eq!(
                machine.touch(Pid(pid), untouched..untouched + 1, 1, odd, &mut |_| {}).mismatches,
                0
            );
        }
    }
}

/// A word with its numbers made alike.
fn kind(word: &str) -> String {
    let mut kind: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    while kind.contains("00") {
        kind = kind.replace("00", "0");
    }
    kind
}

#[test]
fn whatever_a_trace_says_it_is_answered_or_refused() {
    // Words of real traces in the places of others of their kind, and numbers that nobody means.
    let mut kinds: HashMap<String, Vec<String>> = HashMap::new();
    for word in recorded()
        .take(8)
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    {
        kinds.entry(kind(&word)).or_default().push(word);
    }
    for (kind, word) in [
        ("0", "0"),
        ("0", "18446744073709551615"),
        ("0..0", "0..34359738368"),
        ("0..0", "5..1"),
        ("0..0", "34359738367..34359738368"),
        ("pages=0", "pages=34359738368"),
        ("pages=0", "pages=18446744073709551615"),
        ("step=0", "step=18446744073709551615"),
        ("off=0", "off=34359738368"),
        ("max=0", "max=0"),
    ] {
        (0..20).for_each(|_| kinds.entry(kind.to_owned()).or_default().push(word.to_owned()));
    }
    let mut state = 0x1234_5678_9ABC_DEF0_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below.max(1)
    };
    let (mut answered, mut refused) = (0, 0);
    for text in recorded().take(8) {
        for _ in 0..20 {
            let mut lines: Vec<String> = text.lines().take(40).map(str::to_owned).collect();
            for _ in 0..12 {
                let at = random(lines.len());
                let mut line: Vec<&str> = lines[at].split(' ').collect();
                let word = random(line.len());
                if let Some(others) = kinds.get(&kind(line[word])) {
                    line[word] = &others[random(others.len())];
                }
                lines[at] = line.join(" ");
            }
            if random(4) > 0 {
                lines.retain(|line| parse(line).is_ok());
            }
            for fork in [ForkMode::Eager, ForkMode::Shared] {
                let Ok(trace) = parse(&lines.join("\n")) else {
                    refused += 1;
                    continue;
                };
                let small = Settings {
                    fork,
                    memory: 4000,
                    modelled: 6000,
                    swap: 2000,
                    ..Settings::default()
                };
                let mut player = Player::new(&trace, small, false);
                for operation in &trace {
                    // What is refused has changed nothing.
                    *if player.play(operation).is_ok() { &mut answered } else { &mut refused } += 1;
                    if player.machine().is_exhausted() {
                        break;
                    }
                }
                if !player.machine().is_exhausted() {
                    assert!(player.machine().check().is_empty(), "{lines:#?}");
                }
            }
        }
    }
    assert!(answered > 2000 && refused > 200, "{answered} answered, {refused} refused");
}
