//! The log's writer, call by call: what goes where, and what is known of it.

use std::sync::mpsc;

use super::*;
use crate::{
    log::BLOCKS_MIN,
    storage::recorder::{Call, Recorder, until},
};

const OFFSET: u64 = 1 << 20;

fn writer() -> (Arc<Recorder>, LogWriter, Poison) {
    let disk = Arc::new(Recorder::default());
    disk.set_len(OFFSET + BLOCKS_MIN * B).unwrap();
    disk.take();
    let ring = Ring { offset: OFFSET, blocks: BLOCKS_MIN };
    let tail = Tail { at: BLOCKS_MIN * B, sequence: 1, chain: 0 };
    (disk.clone(), LogWriter::new(disk, 9, ring, tail, 1, 1), Poison::default())
}

/// Where block `number` of the first lap stands.
fn block(number: u64) -> u64 {
    OFFSET + number * B
}

/// Room is kept for a seal's padding and a mark behind it, and for nothing else.
#[test]
fn a_ring_is_used_to_its_last_blocks() {
    let (_disk, log, poison) = writer();
    let most = (BLOCKS_MIN - 2) * B;
    assert!(log.has_room(most as usize - 64));
    assert!(!log.has_room(most as usize - 63));
    log.append(1, &vec![1; 10 * BLOCK - 64], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    assert!(log.has_room(most as usize - 10 * BLOCK - 64));
    assert!(!log.has_room(most as usize - 10 * BLOCK - 63));
    assert_eq!(log.used(), 10 * B);
    // What a checkpoint covers makes room at once, wherever the ring's end is.
    let sealed = log.seal().unwrap();
    log.retire(&sealed, 2);
    assert_eq!(log.used(), 0);
    assert!(log.has_room(most as usize - 64) && !log.has_room(most as usize - 63));
}

/// Each durable write begins on a block of its own: none that is durable is written again.
#[test]
fn no_durable_block_is_written_again() {
    let (disk, log, poison) = writer();
    log.append(1, &[1; 100], true).unwrap();
    log.append(2, &[2; 100], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(block(0)..block(1))]);
    assert_eq!(log.end(), (BLOCKS_MIN + 1) * B);
    log.append(3, &[3; 5000], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(block(1)..block(3))]);
    // Nothing is pending: nothing is written.
    log.make_durable(log.end(), &poison).unwrap();
    log.sync(&poison).unwrap();
    assert_eq!(disk.take(), []);
    assert_eq!(log.syncs(), 2);
    assert_eq!(log.state.lock().waiting, 0);
}

/// At the ring's end a write goes on at its front.
#[test]
fn a_write_over_the_end_goes_on_at_the_front() {
    let (disk, log, poison) = writer();
    log.append(1, &vec![1; 60 * BLOCK - 64], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    let sealed = log.seal().unwrap();
    log.retire(&sealed, 2);
    disk.take();
    log.append(2, &vec![2; 10 * BLOCK - 64], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    let expected = [Call::Durable(block(60)..block(64)), Call::Durable(block(0)..block(6))];
    assert_eq!(disk.take(), expected);
}

/// What the system already has is not handed to it again, but for the block that is still open; a
/// durable write has all that is not durable yet.
#[test]
fn plain_writes_go_on_where_the_last_one_ended() {
    let (disk, log, poison) = writer();
    log.append(1, &vec![1; 3 * BLOCK], false).unwrap();
    log.write_plain(&poison).unwrap();
    assert_eq!(disk.take(), [Call::Write(block(0)..block(4))]);
    log.write_plain(&poison).unwrap();
    assert_eq!(disk.take(), []);
    log.append(2, &[2; 100], false).unwrap();
    log.write_plain(&poison).unwrap();
    assert_eq!(disk.take(), [Call::Write(block(3)..block(4))]);
    assert!(log.has_unsynced());
    log.sync(&poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(block(0)..block(4))]);
    assert!(!log.has_unsynced());
}

/// Commits that promise nothing take a mebibyte of memory at most.
#[test]
fn commits_that_promise_nothing_take_bounded_memory() {
    let disk = Arc::new(Recorder::default());
    disk.set_len(OFFSET + 4096 * B).unwrap();
    let ring = Ring { offset: OFFSET, blocks: 4096 };
    let tail = Tail { at: 4096 * B, sequence: 1, chain: 0 };
    let (log, poison) = (LogWriter::new(disk.clone(), 9, ring, tail, 1, 1), Poison::default());
    disk.take();
    log.append(1, &vec![1; PENDING_MAX - 64], false).unwrap();
    log.bound_memory(&poison).unwrap();
    assert_eq!(disk.take(), []);
    log.append(2, &[], false).unwrap();
    log.bound_memory(&poison).unwrap();
    assert_eq!(log.syncs(), 1);
    assert!(log.state.lock().pending.is_empty());
    // The memory of usual records is kept for the next ones, that of a giant is given back.
    assert!(log.state.lock().spare.capacity() > 0);
    log.append(3, &vec![3; 6 * PENDING_MAX], true).unwrap();
    log.sync(&poison).unwrap();
    let state = log.state.lock();
    assert!(state.spare.capacity() <= 4 * PENDING_MAX && state.scratch.capacity() <= PENDING_MAX);
}

/// A checkpoint makes durable what it covers: it is neither written any more nor waited for.
#[test]
fn what_a_checkpoint_covers_is_not_written_any_more() {
    let (disk, log, poison) = writer();
    assert!(!log.has_transactions());
    let first = log.append(1, &[1; 5000], true).unwrap();
    assert!(log.has_transactions());
    let sealed = log.seal().unwrap();
    assert_eq!(sealed.tail.at, (BLOCKS_MIN + 2) * B);
    let second = log.append(2, &[2; 100], false).unwrap();
    log.retire(&sealed, 2);
    log.make_durable(first, &poison).unwrap();
    log.wait_for_promises(&poison).unwrap();
    assert_eq!(disk.take(), []);
    assert!(log.has_transactions() && log.has_unsynced());
    assert_eq!(log.used(), second - sealed.tail.at);
    log.make_durable(second, &poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(block(2)..block(3))]);
    let sealed = log.seal().unwrap();
    log.retire(&sealed, 3);
    assert!(!log.has_transactions());
}

/// The weaker commit waits for the stronger one before it, and for nothing behind that.
#[test]
fn promises_are_kept_in_order() {
    let (disk, log, poison) = writer();
    log.append(1, &[1; 100], false).unwrap();
    log.wait_for_promises(&poison).unwrap();
    assert_eq!(disk.take(), [], "nobody was promised anything");
    log.append(2, &[2; 100], true).unwrap();
    log.append(3, &[3; 100], false).unwrap();
    log.wait_for_promises(&poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(block(0)..block(1))]);
}

/// The new ring is entered at its first block.
#[test]
fn a_log_that_moves_begins_at_the_front_of_its_new_ring() {
    let (disk, log, poison) = writer();
    log.append(1, &[1; 5000], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    let ring = Ring { offset: 4 << 20, blocks: 50 };
    disk.set_len((4 << 20) + 50 * B).unwrap();
    log.seal().unwrap();
    let sealed = log.relocate(ring);
    assert_eq!(sealed.tail.at % (50 * B), 0);
    assert!(sealed.tail.at >= (BLOCKS_MIN + 2) * B);
    log.adopt(ring);
    log.retire(&sealed, 2);
    disk.take();
    log.append(2, &[2; 100], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(4 << 20..(4 << 20) + B)]);
    assert_eq!(log.blocks(), 50);
}

/// Each record says what was durable when it was written: blocks of the log, and the checkpoint. A
/// seal begins a new generation.
#[test]
fn records_say_what_was_durable() {
    let (disk, log, poison) = writer();
    log.append(1, &[1; 5000], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    log.set_durable_checkpoint(7);
    assert_eq!(log.seal().unwrap().generation, 2);
    log.append(2, &[2; 100], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    let record = |number| {
        let mut bytes = [0; BLOCK];
        disk.read_at(&mut bytes, block(number)).unwrap();
        Record::decode(&bytes)
    };
    let (first, second) = (record(0), record(2));
    assert_eq!((first.generation, first.durable_block), (1, BLOCKS_MIN));
    assert_eq!((second.generation, second.durable_block), (2, BLOCKS_MIN + 2));
    assert_eq!((first.durable_checkpoint, second.durable_checkpoint), (1, 7));
    assert_eq!((second.sequence, second.chain), (2, first.crc));
}

/// The word about a checkpoint goes into the log if there is room, and not while it is being read.
#[test]
fn a_mark_never_takes_the_room_of_something_else() {
    let (disk, log, poison) = writer();
    log.begin_replay();
    assert!(log.is_replaying());
    log.mark().unwrap();
    assert_eq!(disk.take(), []);
    let place = log.state.lock().tail;
    log.set_replayed(Tail { at: place.at + 8 * B, ..place }, 5);
    assert_eq!((log.end(), log.used()), (place.at + 8 * B, 8 * B));
    log.end_replay(place, 6, false);
    assert!(!log.is_replaying());
    log.append(1, &vec![1; (BLOCKS_MIN as usize - 2) * BLOCK - 64], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    disk.take();
    log.mark().unwrap();
    assert_eq!(disk.take(), [], "the ring is full");
    let sealed = log.seal().unwrap();
    log.retire(&sealed, 2);
    log.mark().unwrap();
    assert_eq!(disk.take(), []);
    log.write_plain(&poison).unwrap();
    assert_eq!(disk.take(), [Call::Write(block(BLOCKS_MIN - 2)..block(BLOCKS_MIN - 1))]);
    assert!(!log.has_transactions());
}

/// It costs no write of its own: it goes out in the block of the next record.
#[test]
fn a_mark_goes_out_with_the_next_record() {
    let (disk, log, poison) = writer();
    log.mark().unwrap();
    assert!(log.has_unsynced(), "the background takes it along within a second");
    log.append(1, &[1; 100], true).unwrap();
    log.make_durable(log.end(), &poison).unwrap();
    assert_eq!(disk.take(), [Call::Durable(block(0)..block(1))]);
    let mut bytes = [0; BLOCK];
    disk.read_at(&mut bytes, block(0)).unwrap();
    let mark = Record::decode(&bytes);
    let record = Record::decode(&bytes[Record::size(8)..]);
    assert_eq!((mark.kind, record.kind, record.chain), (KIND_MARK, KIND_TRANSACTION, mark.crc));
}

/// A log and threads that work on it.
struct Scene {
    disk: Arc<Recorder>,
    log: Arc<LogWriter>,
    poison: Arc<Poison>,
    results: mpsc::Receiver<&'static str>,
    done: mpsc::Sender<&'static str>,
}

impl Scene {
    /// Its first durable write will stand still.
    fn new(then_panic: bool) -> Scene {
        let (disk, log, poison) = writer();
        disk.stall(then_panic);
        let (done, results) = mpsc::channel();
        Scene { disk, log: Arc::new(log), poison: Arc::new(poison), results, done }
    }

    /// Runs it in a thread of its own, which says what came of it.
    fn spawn(
        &self,
        work: impl FnOnce(&LogWriter, &Poison) -> &'static str + Send + std::panic::UnwindSafe + 'static,
    ) {
        let (log, poison, done) = (self.log.clone(), self.poison.clone(), self.done.clone());
        std::thread::spawn(move || {
            let scene = std::panic::AssertUnwindSafe((log, poison));
            let result = std::panic::catch_unwind(move || {
                let scene = scene;
                work(&scene.0.0, &scene.0.1)
            });
            let _ = done.send(result.unwrap_or("panicked"));
        });
    }

    fn result(&self) -> &'static str {
        self.results.recv_timeout(Duration::from_secs(20)).expect("somebody waits for ever")
    }
}

/// Whoever waits for a durable write that a panic interrupts gets an error, and soon.
#[test]
fn a_panic_in_a_durable_write_leaves_nobody_waiting() {
    let scene = Scene::new(true);
    let end = scene.log.append(1, &[1; 100], true).unwrap();
    let commit = move |log: &LogWriter, poison: &Poison| match log.make_durable(end, poison) {
        Ok(()) => "durable",
        Err(Error::Poisoned { .. }) => "poisoned",
        Err(_) => "another error",
    };
    scene.spawn(commit);
    scene.disk.wait_for_stall();
    scene.spawn(commit);
    until(|| scene.log.state.lock().waiting == 2);
    scene.disk.go();
    let mut results = [scene.result(), scene.result()];
    results.sort_unstable();
    assert_eq!(results, ["panicked", "poisoned"]);
}

/// Blocks of the log are free for the next lap only when nobody is still writing one; a write of later
/// blocks holds no checkpoint up.
#[test]
fn a_checkpoint_waits_for_a_stalled_write_of_what_it_covers_and_for_no_other() {
    let commit =
        |log: &LogWriter, poison: &Poison| log.sync(poison).map_or("failed", |()| "durable");
    let retire = |sealed: Sealed| {
        move |log: &LogWriter, _: &Poison| {
            log.retire(&sealed, 2);
            "retired"
        }
    };
    let scene = Scene::new(false);
    scene.log.append(1, &[1; 100], true).unwrap();
    scene.spawn(commit);
    scene.disk.wait_for_stall();
    let sealed = scene.log.seal().unwrap();
    scene.spawn(retire(sealed));
    let early = scene.results.recv_timeout(Duration::from_millis(200));
    assert!(early.is_err(), "{early:?} before the write was at its end");
    scene.disk.go();
    let mut results = [scene.result(), scene.result()];
    results.sort_unstable();
    assert_eq!(results, ["durable", "retired"]);

    let scene = Scene::new(false);
    let sealed = scene.log.seal().unwrap();
    scene.log.append(1, &[1; 100], true).unwrap();
    scene.spawn(commit);
    scene.disk.wait_for_stall();
    assert_eq!(scene.log.state.lock().leading_from, sealed.tail.at);
    scene.spawn(retire(sealed));
    assert_eq!(scene.result(), "retired");
    scene.disk.go();
    assert_eq!(scene.result(), "durable");
}
