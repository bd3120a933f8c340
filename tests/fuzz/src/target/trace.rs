//! The language of traces: any text is a trace, or an error that names a line. What it says is then played, on a
//! machine of bounded memory, which is sound after each operation; and stored in a database it can be resumed.

use cowslip::{
    Database,
    vm::{
        ForkMode, Settings,
        trace::{Player, parse},
    },
};

/// Frames that are modelled: 4 MiB of memory.
const FRAMES: u32 = 1024;
/// Most operations that are played.
const OPERATIONS: usize = 64;

/// Reads and plays a trace; the first byte of the input says on which machine.
pub fn run(input: &[u8]) {
    let Some((&how, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(trace) = parse(text) else { return };
    let settings = Settings {
        fork: if how & 1 == 0 { ForkMode::Eager } else { ForkMode::Shared },
        memory: if how & 2 == 0 { 600 } else { 100_000 },
        swap: if how & 4 == 0 { 0 } else { 500 },
        modelled: FRAMES,
        processes: 64,
        ..Settings::default()
    };
    let mut player = Player::new(&trace, settings, how & 8 != 0);
    for operation in trace.iter().take(OPERATIONS) {
        let played = player.play(operation);
        let problems = player.machine().check();
        assert!(problems.is_empty(), "after line {}: {problems:?}", operation.line);
        match played {
            Ok(answer) => drop(answer.to_string()),
            Err(_) => break,
        }
    }
    drop(player.end());
    if how & 16 != 0 && !player.machine().is_exhausted() {
        stored_and_resumed(player);
    }
}

fn stored_and_resumed(mut player: Player) {
    let db = Database::builder().background(false).cache_size(512 << 10).in_memory().unwrap();
    let tx = db.begin_write().unwrap();
    tx.store_machine("machine", player.machine_mut()).expect("a sound machine can be stored");
    tx.commit().unwrap();
    let used = player.machine().frames().used();
    let resumed = db.begin_read().unwrap().machine("machine", FRAMES);
    let resumed = resumed.expect("a stored machine can be resumed");
    assert_eq!(resumed.frames().used(), used);
    assert_eq!(resumed.check(), Vec::<String>::new());
    assert!(db.scrub().unwrap().errors.is_empty());
}
