//! What nodes promise, by example and against a model.
//!
//! ```text
//!  | page | page | page |   a `Shelf`: one tree level, its pages side by side, each with its low
//!   low 0  low 1  low 2     key, driven like a tree drives it and compared with a BTreeMap
//! ```

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const SIZES: [usize; 3] = [4096, 8192, 65536];

fn blank(size: usize, level: u8) -> Vec<u8> {
    let mut page = vec![0xA5; size];
    page[AT_LEVEL] = level;
    NodeMut::init(&mut page);
    page
}

fn key_of(page: &[u8], i: usize) -> Vec<u8> {
    let mut key = vec![9; 3];
    Node::new(page).write_key(i, &mut key);
    key
}

/// Whether this entry fits with the prefix as it is; when not, a better prefix may help.
fn surely_fits(page: &[u8], key: &[u8], value_len: usize) -> bool {
    let node = Node::new(page);
    // A uniform leaf needs slots for all as soon as one is different.
    node.areas().uniform.is_none()
        && key.strip_prefix(node.prefix()).is_some_and(|suffix| {
            node.used() + PER_ENTRY + rest_of(suffix).len() + value_len <= page.len()
        })
}

/// Requires `separator` to be the shortest key above `below` and not above `key`.
fn check_separator(separator: &[u8], below: &[u8], key: &[u8]) {
    assert!(below < separator && separator <= key);
    assert!((0..separator.len()).all(|n| key[..n] <= *below));
}

/// One level of a tree: pages in order, each with the lowest key it may hold.
struct Shelf {
    size: usize,
    level: u8,
    pages: Vec<Vec<u8>>,
    lows: Vec<Vec<u8>>,
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, bool)>;

impl Shelf {
    fn new(size: usize, level: u8) -> (Self, Model) {
        let mut shelf = Self { size, level, pages: vec![blank(size, level)], lows: vec![vec![]] };
        let mut model = Model::new();
        if level > 0 {
            assert!(NodeMut::new(&mut shelf.pages[0]).insert(0, b"ignored", &[0; CHILD], false));
            model.insert(vec![], (vec![0; CHILD], false));
        }
        (shelf, model)
    }

    fn page_of(&self, key: &[u8]) -> usize {
        self.lows.partition_point(|low| low.as_slice() <= key) - 1
    }

    fn key(&self, p: usize, i: usize) -> Vec<u8> {
        if i == 0 && self.level > 0 { self.lows[p].clone() } else { key_of(&self.pages[p], i) }
    }

    fn find(&self, p: usize, key: &[u8]) -> Result<usize, usize> {
        let node = Node::new(&self.pages[p]);
        if self.level == 0 {
            return node.search(key);
        }
        let i = node.child_index(key);
        if self.key(p, i) == key { Ok(i) } else { Err(i + 1) }
    }

    fn put(&mut self, key: &[u8], value: &[u8], extent: bool) {
        let p = self.page_of(key);
        let index = match self.find(p, key) {
            Ok(i) if NodeMut::new(&mut self.pages[p]).set_value(i, value, extent) => {
                return self.check(p);
            }
            Ok(i) => {
                NodeMut::new(&mut self.pages[p]).remove(i);
                i
            }
            Err(i) => i,
        };
        let before = self.pages[p].clone();
        let fits = surely_fits(&before, key, value.len());
        if NodeMut::new(&mut self.pages[p]).insert(index, key, value, extent) {
            return self.check(p);
        }
        assert!(!fits && before == self.pages[p], "a refused insert changes nothing");
        let (mut right, mut separator) = (vec![0x5A; self.size], vec![1]);
        right[AT_LEVEL] = self.level;
        let left = &mut self.pages[p];
        let halves = split_insert(left, &mut right, index, key, value, extent, &mut separator);
        assert_ne!(halves, Halves::Unchanged);
        if self.level == 0 {
            let last = Node::new(left).count() - 1;
            let above = if halves == Halves::Parted { key.to_vec() } else { key_of(&right, 0) };
            check_separator(&separator, &key_of(left, last), &above);
        }
        self.pages.insert(p + 1, right);
        self.lows.insert(p + 1, separator);
        self.check(p);
        self.check(p + 1);
        if halves == Halves::Parted {
            self.put(key, value, extent);
        }
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let p = self.page_of(key);
        let Ok(i) = self.find(p, key) else { return false };
        if self.level > 0 && i == 0 {
            if p == 0 {
                return false;
            }
            if Node::new(&self.pages[p]).count() == 1 {
                self.pages.remove(p);
                self.lows.remove(p);
                return true;
            }
            self.lows[p] = key_of(&self.pages[p], 1);
        }
        NodeMut::new(&mut self.pages[p]).remove(i);
        self.check(p);
        true
    }

    fn merge(&mut self, at: Index) {
        if self.pages.len() < 2 {
            return;
        }
        let p = at.index(self.pages.len() - 1);
        let (before, right) = (self.pages[p].clone(), self.pages[p + 1].clone());
        if merge(&mut self.pages[p], &right, &self.lows[p + 1]) {
            self.pages.remove(p + 1);
            self.lows.remove(p + 1);
        } else {
            assert_eq!(before, self.pages[p], "a refused merge changes nothing");
        }
        self.check(p);
    }

    fn check(&self, p: usize) {
        assert_eq!(validate(&self.pages[p]), Ok(()));
        assert!(self.pages[p][..40].iter().enumerate().all(|(at, b)| {
            at == AT_LEVEL || at / 2 == AT_COUNT / 2 || *b == 0xA5 || *b == 0x5A
        }));
    }

    fn compare(&self, model: &Model) {
        let mut expected = model.iter();
        for (p, page) in self.pages.iter().enumerate() {
            let node = Node::new(page);
            for i in 0..node.count() {
                let key = self.key(p, i);
                let (value, extent) = node.value(i);
                let (expected_key, (expected_value, expected_extent)) = expected.next().unwrap();
                assert_eq!(
                    (&key, value, extent),
                    (expected_key, &expected_value[..], *expected_extent)
                );
                assert_eq!((self.page_of(&key), self.find(p, &key)), (p, Ok(i)));
                let next = self.find(p, &[&key[..], b"\0"].concat());
                assert_eq!(next.unwrap_or_else(|at| at), i + 1);
            }
        }
        assert_eq!(expected.next(), None);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<u8>, Vec<u8>, bool),
    Remove(Index),
    Merge(Index),
    Absent(Vec<u8>),
}

fn keys(size: usize) -> impl Strategy<Value = Vec<u8>> {
    let prefix = select(vec![vec![], b"user:".to_vec(), vec![0; 3], vec![b'u'; size / 5]]);
    let narrow = vec(select(vec![0u8, 1, b'a', 255]), 0..8);
    let tail =
        prop_oneof![4 => narrow, 2 => vec(any::<u8>(), 0..24), 1 => vec(any::<u8>(), 0..=size / 4)];
    (prefix, tail).prop_map(move |(mut key, tail)| {
        key.extend(tail);
        key.truncate(max_key(size));
        key
    })
}

/// Entries of all kinds, one in `mixed`; the others alike, as they are in uniform leaves.
fn ops(size: usize, level: u8, mixed: u32) -> impl Strategy<Value = Vec<Op>> {
    let len = prop_oneof![4 => 0..64usize, 2 => 0..size / 8, 1 => 0..size];
    let any_kind = (keys(size), len, any::<u8>(), any::<bool>()).boxed();
    let alike =
        (vec(any::<u8>(), 6), select(&[2usize, 20, 200][..]), any::<u8>(), Just(false)).boxed();
    let put = prop_oneof![1 => any_kind, mixed - 1 => alike];
    let put = put.prop_map(move |(key, len, byte, extent)| {
        if level > 0 {
            return Op::Put(key, vec![byte; CHILD], false);
        }
        let len = len.min(max_entry(size) - key.len());
        Op::Put(key, vec![byte; len], extent)
    });
    let op = prop_oneof![
        8 => put,
        3 => any::<Index>().prop_map(Op::Remove),
        1 => any::<Index>().prop_map(Op::Merge),
        1 => keys(size).prop_map(Op::Absent),
    ];
    vec(op, 0..300)
}

fn cases() -> impl Strategy<Value = (usize, u8, Vec<Op>)> {
    (select(&SIZES[..]), 0..2u8, select(&[1, 1, 2, 40, 1000][..]))
        .prop_flat_map(|(size, level, mixed)| (Just(size), Just(level), ops(size, level, mixed)))
}

fn play(size: usize, level: u8, ops: &[Op]) -> (Shelf, Model) {
    let (mut shelf, mut model) = Shelf::new(size, level);
    for op in ops {
        match op {
            Op::Put(key, value, extent) => {
                shelf.put(key, value, *extent);
                model.insert(key.clone(), (value.clone(), *extent));
            }
            Op::Remove(at) if !model.is_empty() => {
                let key = model.keys().nth(at.index(model.len())).unwrap().clone();
                if shelf.remove(&key) {
                    model.remove(&key);
                }
            }
            Op::Remove(_) => {}
            Op::Merge(at) => shelf.merge(*at),
            Op::Absent(key) => {
                let found = shelf.find(shelf.page_of(key), key);
                assert_eq!(found.is_ok(), model.contains_key(key));
            }
        }
    }
    (shelf, model)
}

/// Calls everything on a page that `validate` has accepted.
fn exercise(page: &[u8], probes: &[Vec<u8>]) {
    let node = Node::new(page);
    let (n, leaf, size) = (node.count(), node.is_leaf(), page.len());
    let first = usize::from(!leaf);
    let find = |key: &[u8]| if leaf { node.search(key) } else { Err(node.child_index(key) + 1) };
    assert!(node.areas().free() + node.used() <= size);
    for i in 0..n {
        let key = key_of(page, i);
        if i >= first {
            assert_eq!(find(&key), if leaf { Ok(i) } else { Err(i + 1) });
        }
        if leaf {
            let short = Rows::of(page).short_key(page, i);
            assert_eq!(
                short.map(|(length, key)| key[..length].to_vec()).unwrap_or(key.clone()),
                key
            );
            assert!(short.is_some() || key.len() > SHORT_KEY - HEAD);
        } else {
            node.child(i);
        }
    }
    for key in probes {
        let value = &[7; 900][..if leaf { 900 } else { CHILD }];
        let mut edited = page.to_vec();
        if let Err(at) = find(key)
            && (leaf || at == 1 || key_of(page, at - 1) != *key)
            && !NodeMut::new(&mut edited).insert(at, key, value, false)
        {
            let mut right = blank(size, node.level());
            let halves = split_insert(&mut edited, &mut right, at, key, value, false, &mut vec![]);
            assert_ne!(halves, Halves::Unchanged);
            assert_eq!(validate(&right), Ok(()));
        }
        assert_eq!(validate(&edited), Ok(()));
    }
    let mut edited = page.to_vec();
    for i in 0..n {
        NodeMut::new(&mut edited).set_value(i, &[3; CHILD], false);
        assert_eq!(validate(&edited), Ok(()));
    }
    // Out of order, as two pages of a forged tree can be: wrong, but no panic.
    merge(&mut edited, page, b"");
    merge(&mut edited, page, b"");
    for at in first..n {
        let mut edited = edited.clone();
        let value = &[7; 900][..if leaf { 900 } else { CHILD }];
        if !NodeMut::new(&mut edited).insert(at, &probes[0], value, false) {
            let (mut right, mut separator) = (vec![0; size], vec![]);
            let _ =
                split_insert(&mut edited, &mut right, at, &probes[1], value, false, &mut separator);
        }
    }
    let mut edited = page.to_vec();
    for left in (first..n).rev() {
        NodeMut::new(&mut edited).remove(left / 2);
        assert_eq!(validate(&edited), Ok(()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn pages_hold_what_a_map_holds((size, level, ops) in cases()) {
        let (shelf, model) = play(size, level, &ops);
        shelf.compare(&model);
    }

    #[test]
    fn pages_packed_anew_hold_the_same_in_no_more_bytes((size, level, ops) in cases()) {
        let (mut shelf, model) = play(size, level, &ops);
        for p in 0..shelf.pages.len() {
            let mut packed = blank(size, level);
            prop_assert!(merge(&mut packed, &shelf.pages[p], b"left out"));
            let (before, now) = (Node::new(&shelf.pages[p]), Node::new(&packed));
            let cost = |i| PER_ENTRY + key_of(&packed, i).len() + now.value(i).0.len();
            prop_assert!(now.used() <= before.used());
            prop_assert!(now.used() <= HEADER + (0..now.count()).map(cost).sum::<usize>());
            prop_assert_eq!(now.used(), size - now.areas().free());
            shelf.pages[p] = packed;
            shelf.check(p);
        }
        shelf.compare(&model);
    }

    #[test]
    fn an_accepted_page_never_panics(
        (size, level, ops) in cases(),
        flips in vec((any::<bool>(), any::<Index>(), any::<u8>()), 1..4),
        pick: Index,
        probes in vec(vec(any::<u8>(), 0..1024), 2),
    ) {
        let (shelf, _) = play(size, level, &ops);
        let mut page = shelf.pages[pick.index(shelf.pages.len())].clone();
        exercise(&page, &probes);
        for (content, at, byte) in flips {
            let slots_end = Areas::of(&page).keys.clamp(HEADER, size);
            let at = if content { at.index(slots_end - 5) + 5 } else { at.index(size) };
            page[at] = if byte % 3 == 0 { byte / 8 } else { page[at] ^ (1 << (byte % 8)) };
            if validate(&page).is_ok() {
                exercise(&page, &probes);
            }
        }
    }

    #[test]
    fn a_filled_leaf_has_the_rows_that_fit_and_not_one_more(
        size in select(&SIZES[..2]),
        rows in prop::collection::btree_map(keys(4096), vec(any::<u8>(), 0..40), 1..400),
        old in 0..6usize,
        alike: bool,
    ) {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = rows
            .into_iter()
            .map(|(key, value)| (key, if alike { vec![1; 8] } else { value }))
            .collect();
        let old = old.min(rows.len() - 1);
        let mut before = blank(size, 0);
        for (i, (key, value)) in rows[..old].iter().enumerate() {
            if !NodeMut::new(&mut before).insert(i, key, value, false) {
                return Ok(());
            }
        }
        let row = |i: usize| (&rows[old + i].0[..], &rows[old + i].1[..]);
        let mut page = blank(size, 0);
        let n = old + fill(&mut page, Some(&before), rows.len() - old, &row);
        prop_assert_eq!(validate(&page), Ok(()));
        let node = Node::new(&page);
        prop_assert_eq!(node.count(), n);
        for (i, (key, value)) in rows[..n].iter().enumerate() {
            prop_assert_eq!((&key_of(&page, i), node.value(i)), (key, (&value[..], false)));
        }
        if old == 0 {
            prop_assert_eq!(fitting(size, rows.len(), &row), n);
        }
        // Packed by the other way, as many take as many bytes, and one more too many.
        let entry = |i: usize| pack::Entry { key: pack::Key::whole(&rows[i].0), value: &rows[i].1, extent: false };
        prop_assert_eq!(pack::Plan::of(true, n, &entry).bytes, node.used());
        prop_assert!(n == rows.len() || pack::Plan::of(true, n + 1, &entry).bytes > size);
    }

    #[test]
    fn a_separator_is_the_shortest(a in vec(0..3u8, 0..6), b in vec(0..3u8, 0..6)) {
        let (below, key) = if a < b { (a, b) } else { (b, a) };
        prop_assume!(below < key);
        let mut s = vec![];
        let (mut left, mut right) = (blank(4096, 0), blank(4096, 0));
        prop_assert!(NodeMut::new(&mut left).insert(0, &below, b"", false));
        let halves = split_insert(&mut left, &mut right, 1, &key, b"", false, &mut s);
        prop_assert_eq!(halves, Halves::Entered);
        prop_assert_eq!((key_of(&left, 0), key_of(&right, 0)), (below.clone(), key.clone()));
        check_separator(&s, &below, &key);
    }

    #[test]
    fn removing_a_range_is_removing_each(
        (size, level, ops) in cases(), pick: Index, from: Index, to: Index,
    ) {
        let (shelf, _) = play(size, level, &ops);
        let mut page = shelf.pages[pick.index(shelf.pages.len())].clone();
        let (n, first) = (Node::new(&page).count(), usize::from(level > 0));
        let (a, b) = (from.index(n + 1), to.index(n + 1));
        let range = a.min(b)..a.max(b).min(n.saturating_sub(first)).max(a.min(b));
        let mut expected: Vec<_> = (0..n).map(|i| key_of(&page, i)).collect();
        expected.drain(range.clone());
        if let (1, Some(key)) = (first, expected.first_mut()) {
            key.clear();
        }
        NodeMut::new(&mut page).remove_range(range);
        prop_assert!(expected.len() < first || validate(&page) == Ok(()));
        prop_assert_eq!((0..Node::new(&page).count()).map(|i| key_of(&page, i)).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn nothing_is_separated_from_a_leaf_without_entries() {
    assert!(!Node::new(&blank(4096, 0)).separate_last(b"k", &mut vec![]));
}

#[test]
fn any_two_entries_fit_a_leaf() {
    for size in SIZES {
        for (a, b) in [(0, max_key(size)), (max_key(size), max_key(size)), (1, 4), (4, 5)] {
            let mut page = blank(size, 0);
            for (i, len) in [(0, a), (1, b)] {
                let key = vec![i as u8; len];
                let value = vec![7; max_entry(size) - len];
                assert!(NodeMut::new(&mut page).insert(i, &key, &value, false));
            }
            assert_eq!(validate(&page), Ok(()));
        }
    }
}

#[test]
fn any_four_children_fit_an_inner_node() {
    for size in SIZES {
        let mut page = blank(size, 1);
        for i in 0..4 {
            let key = vec![i as u8; max_key(size)];
            assert!(NodeMut::new(&mut page).insert(i, &key, &[i as u8; CHILD], false));
        }
        assert_eq!(validate(&page), Ok(()));
        NodeMut::new(&mut page).child_mut(3)[0] = 9;
        assert_eq!(Node::new(&page).child(3)[..2], [9, 3]);
    }
}

#[test]
fn an_entry_unlike_the_others_comes_into_a_full_uniform_leaf() {
    let size = 4096;
    for (key_len, value_len, new) in [(4, 0, 0), (4, 1, max_entry(size)), (9, 3, 99), (7, 20, 1500)]
    {
        for place in [0, 1, 7, 500, 1_000_000] {
            let (mut shelf, mut model) = Shelf::new(size, 0);
            // Ascending, until a second page begins: the first one is full.
            for i in 0.. {
                let mut key = vec![7; key_len];
                key[..4].copy_from_slice(&u32::to_be_bytes(2 * i + 1));
                shelf.put(&key, &vec![9; value_len], false);
                model.insert(key, (vec![9; value_len], false));
                if shelf.pages.len() == 2 {
                    break;
                }
            }
            let full = Node::new(&shelf.pages[0]);
            assert!(full.areas().uniform.is_some());
            let at = 2 * (place as u32).min(full.count() as u32);
            let key = [&at.to_be_bytes()[..], b"x"].concat();
            let value = vec![1; new.max(key.len()) - key.len()];
            shelf.put(&key, &value, place % 2 == 0);
            model.insert(key, (value, place % 2 == 0));
            shelf.compare(&model);
        }
    }
}

#[test]
fn ascending_inserts_leave_full_pages_behind() {
    let (mut shelf, _) = Shelf::new(4096, 0);
    (0..5000u32).for_each(|i| shelf.put(&i.to_be_bytes(), &[1; 100], false));
    let full = shelf.pages.len() - 1;
    assert!(shelf.pages[..full].iter().all(|page| Node::new(page).used() > 4096 - 112));
}

#[test]
fn descending_inserts_leave_full_pages_behind() {
    let (mut shelf, _) = Shelf::new(4096, 0);
    (0..5000u32).rev().for_each(|i| shelf.put(&i.to_be_bytes(), &[1; 100], false));
    assert!(shelf.pages[1..].iter().all(|page| Node::new(page).used() > 4096 - 112));
}
