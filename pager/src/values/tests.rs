//! What is kept, for how long, and for whom.

use super::*;
use crate::space::Run;

fn extent(head: u64, stamp: u64, length: usize) -> Extent {
    let runs = vec![Run { start: PageId(head), length: length.div_ceil(4096) as u64 }];
    Extent { length: length as u64, stamp, crc: 7, runs }
}

fn value(length: usize) -> Arc<Vec<u8>> {
    Arc::new(vec![1; length])
}

#[test]
fn a_kept_value_answers_for_its_own_extent_only() {
    let values = Values::default();
    let mine = extent(9, 1, 5000);
    values.keep(&mine, &value(5000), 1 << 20);
    assert_eq!(values.get(&mine), Some(value(5000)));
    assert_eq!(values.get(&extent(9, 2, 5000)), None);
    assert_eq!(values.get(&extent(8, 1, 5000)), None);
    assert_eq!(values.get(&Extent { crc: 8, ..mine.clone() }), None);
    let mut elsewhere = mine.clone();
    elsewhere.runs[0].length += 1;
    assert_eq!(values.get(&elsewhere), None);
    values.forget(PageId(9));
    assert_eq!((values.get(&mine), values.bytes()), (None, 0));
}

#[test]
fn those_asked_for_stay_when_others_need_room() {
    let values = Values::default();
    let room = 8 * (1000 + ENTRY);
    for head in 0..8 {
        values.keep(&extent(head, 1, 1000), &value(1000), room);
    }
    assert_eq!(values.bytes(), room);
    assert!(values.get(&extent(0, 1, 1000)).is_some());
    values.keep(&extent(100, 1, 1000), &value(1000), room);
    assert!(values.get(&extent(0, 1, 1000)).is_some());
    assert!(values.get(&extent(1, 1, 1000)).is_none());
    values.shrink(2 * (1000 + ENTRY));
    assert_eq!(values.bytes(), 2 * (1000 + ENTRY));
    values.shrink(0);
    assert_eq!(values.bytes(), 0);
}

#[test]
fn a_value_too_large_for_the_room_takes_nobodys_place() {
    let values = Values::default();
    values.keep(&extent(1, 1, 1000), &value(1000), 1 << 20);
    values.keep(&extent(2, 1, 300_000), &value(300_000), 1 << 20);
    values.keep(&extent(3, 1, 1000), &value(1000), 0);
    assert_eq!(values.bytes(), 1000 + ENTRY);
}

#[test]
fn what_is_forgotten_again_and_again_takes_no_memory() {
    let values = Values::default();
    for turn in 0..10_000 {
        values.keep(&extent(1, turn, 10), &value(10), 1 << 20);
    }
    assert!(values.kept.lock().clock.len() <= 70);
    // Its ticket is the newest: it is what the next round finds.
    values.shrink(0);
    assert_eq!((values.bytes(), values.kept.lock().entries.len()), (0, 0));
}
