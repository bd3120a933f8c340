//! What the log has and the trees have not, while it is replayed: the newest word on each key of its records.
//!
//! ```text
//!  log        | put a 1 | put b 2 | remove a | put c 3 | ...        the bodies of its records, in memory
//!                  ^         ^         ^          ^
//!                  '---------|---------'          |                 words: for each operation a hash of its key, and its place
//!  index      a: removed,    b: 2,           c: 3                   made when the replay begins; until then words are looked through
//!
//!  get(key)   =  what the log says of it, else what the checkpoint's tree says
//! ```
//!
//! It answers for tables in which the log only puts and removes single keys (Q1 in `docs/design.md`): [`Pending::of`]
//! looks at each operation, and where anything else stands there is none. It never changes; when the replay
//! is over it also holds the version that came of it, for those who began to read before.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, OnceLock},
};

use cowslip_pager::{Bodies, Pager, Pointer, Reader, Replay, View, mutant};

use crate::{
    database::find_branch,
    draft::{check_table_name, find_table},
    error::Result,
    key_index::KeyIndex,
    kinds::CATALOG,
    node,
    redo::{LOGGED_VALUE_MAX, Operation, Operations, Record},
    tree::Tree,
};

/// Fewer operations are replayed sooner than a thread is made.
const OPERATIONS_MIN: usize = 16;
/// The part of the cache's size that the words and their index may take.
const INDEX_PART: usize = 4;

/// The records of a log that is being replayed.
pub(crate) struct Pending {
    /// The bodies of the records, one behind the other.
    bytes: Vec<u8>,
    /// Where the first record begins that is not known to be durable.
    uncertain_from: usize,
    tables: Vec<Table>,
    /// The numbers of tables by branch and name.
    numbers: HashMap<String, HashMap<String, usize>>,
    /// Keyed: keys may be chosen by somebody who wishes ill.
    hash: RandomState,
    replayed: OnceLock<Reader>,
}

/// What the log says of a key.
pub(crate) struct Word<'p> {
    /// An insertion or a removal.
    pub(crate) operation: Operation<'p>,
    /// Is it of a record that a power cut may yet take away, until the log is synced?
    pub(crate) uncertain: bool,
}

/// What the log has of one table.
struct Table {
    /// Where it is named first.
    named: u32,
    /// Its operations, in their order: the hash of the key, and the place in the bytes.
    words: Vec<(u32, u32)>,
    index: OnceLock<Newest>,
}

/// Where the newest operation on each key stands.
struct Newest {
    index: KeyIndex,
    places: Vec<u32>,
}

impl Pending {
    /// What the log has, if reads can be answered from it, and if that is worth it. The store is as its
    /// checkpoint left it.
    pub(crate) fn of(pager: &Arc<Pager>, replay: &mut Replay) -> Option<Pending> {
        let Bodies { bytes, ends, durable, .. } = replay.take_bodies()?;
        u32::try_from(bytes.len()).ok()?;
        let mut pending = Pending {
            bytes,
            uncertain_from: durable.checked_sub(1).map_or(0, |last| ends[last]),
            tables: Vec::new(),
            numbers: HashMap::new(),
            hash: RandomState::new(),
            replayed: OnceLock::new(),
        };
        let reader = pager.begin_read();
        let (view, root) = (reader.view(), reader.version().root);
        // Whatever is wrong with a record, the replay will meet and report it.
        let plain = !root.is_none() && pending.gather(view, root, &ends, pager).unwrap_or(false);
        let operations: usize = pending.tables.iter().map(|table| table.words.len()).sum();
        (plain && operations >= OPERATIONS_MIN).then_some(pending)
    }

    /// Looks at all operations. False: there are others than puts and removals, or too many for the memory
    /// that they may take.
    fn gather(
        &mut self,
        view: View<'_>,
        root: Pointer,
        ends: &[usize],
        pager: &Pager,
    ) -> Result<bool> {
        let bytes = std::mem::take(&mut self.bytes);
        let key_max = node::max_key(pager.page_size());
        let limit = pager.cache_size() / INDEX_PART;
        let mut memory = 0;
        let mut start = 0;
        for &end in ends {
            let body = &bytes[start..end];
            let Record::Writes { branch, mut operations } = Record::decode(body)? else {
                if mutant!(OtherRecordsOverlooked) {
                    start = end;
                    continue;
                }
                return Ok(false);
            };
            let mut table: Option<usize> = None;
            loop {
                let place = (end - operations.left()) as u32;
                let Some(operation) = operations.next()? else { break };
                match operation {
                    Operation::Insert(key, value)
                        if key.len() > key_max || value.len() as u64 > LOGGED_VALUE_MAX =>
                    {
                        return Ok(false);
                    }
                    Operation::Insert(key, _) | Operation::Remove(key) => {
                        let Some(table) = table else { return Ok(false) };
                        let word = (self.tag(key), place);
                        self.tables[table].words.push(word);
                        memory += Newest::MEMORY_MAX;
                    }
                    Operation::Table(name) => {
                        let tables = self.tables.len();
                        table = Some(self.number(view, root, branch, name, place)?);
                        memory += (self.tables.len() - tables) * Table::MEMORY_MAX;
                    }
                    Operation::RemoveRange(_) | Operation::DeleteTable(_) => {
                        if !mutant!(RangesOverlooked) {
                            return Ok(false);
                        }
                    }
                }
            }
            if memory > limit && !mutant!(WordsUnbounded) {
                return Ok(false);
            }
            start = end;
        }
        self.bytes = bytes;
        Ok(true)
    }

    /// The number of a table that a record names: one that is there, or that the record makes.
    fn number(
        &mut self,
        view: View<'_>,
        root: Pointer,
        branch: &str,
        name: &str,
        named: u32,
    ) -> Result<usize> {
        if let Some(number) = self.table(branch, name) {
            return Ok(number);
        }
        check_table_name(name)?;
        let catalog = Tree::new(CATALOG, 0, find_branch(view, root, branch)?).checked(0)?;
        find_table(view, &catalog, name)?;
        let number = self.tables.len();
        self.tables.push(Table { named, words: Vec::new(), index: OnceLock::new() });
        self.numbers.entry(branch.into()).or_default().insert(name.into(), number);
        Ok(number)
    }

    /// Does the log write to this branch?
    pub(crate) fn writes_to(&self, branch: &str) -> bool {
        self.numbers.contains_key(branch)
    }

    /// The number of a table that the log writes to.
    pub(crate) fn table(&self, branch: &str, name: &str) -> Option<usize> {
        if mutant!(BranchesMixed) {
            return self.numbers.values().find_map(|tables| tables.get(name)).copied();
        }
        self.numbers.get(branch)?.get(name).copied()
    }

    /// Makes the index; `go_on` is asked from time to time.
    pub(crate) fn make_index(&self, go_on: impl Fn() -> Result<()>) -> Result<()> {
        for table in &self.tables {
            go_on()?;
            table.index.get_or_init(|| Newest::of(self, table));
        }
        Ok(())
    }

    /// Is a table that the log makes named first in a record that is not known to be durable?
    pub(crate) fn is_uncertain(&self, table: usize) -> bool {
        self.tables[table].named as usize >= self.uncertain_from
    }

    /// The newest word on a key of a table.
    pub(crate) fn find(&self, table: usize, key: &[u8]) -> Result<Option<Word<'_>>> {
        let table = &self.tables[table];
        let word = |operation, place: u32| Word {
            operation,
            uncertain: place as usize >= self.uncertain_from,
        };
        if let Some(newest) = table.index.get() {
            let row = newest.index.find(key, |row| self.key_at(newest.places[row]));
            let Some(place) = row.map(|row| newest.places[row]) else { return Ok(None) };
            return Ok(self.operations(place).next()?.map(|operation| word(operation, place)));
        }
        let tag = self.tag(key);
        for &(_, place) in table.words.iter().rev().filter(|&&(its_tag, _)| its_tag == tag) {
            if let Some(operation) = self.operations(place).next()?
                && operation.key() == Some(key)
            {
                return Ok(Some(word(operation, place)));
            }
        }
        Ok(None)
    }

    fn tag(&self, key: &[u8]) -> u32 {
        self.hash.hash_one(key) as u32
    }

    fn operations(&self, place: u32) -> Operations<'_> {
        Operations::of(&self.bytes[place as usize..])
    }

    /// The key of the operation that stands there.
    fn key_at(&self, place: u32) -> &[u8] {
        match self.operations(place).next() {
            Ok(Some(operation)) => operation.key().unwrap_or_default(),
            // All operations have been read before.
            Ok(None) | Err(_) => &[],
        }
    }

    /// The replay is over, and this is what it came to.
    pub(crate) fn set_replayed(&self, reader: Reader) {
        // Said once.
        let _ = self.replayed.set(reader);
    }

    /// The version that the replay came to, once it is over.
    pub(crate) fn replayed(&self) -> Option<&Reader> {
        self.replayed.get()
    }
}

impl Table {
    /// Bytes for each table, at most, without its operations: names, and the smallest index.
    const MEMORY_MAX: usize = 10 << 10;
}

impl Newest {
    /// Bytes for each operation, at most: a word, a place, and up to four entries of the index.
    const MEMORY_MAX: usize = 8 + 4 + 32;

    fn of(pending: &Pending, table: &Table) -> Newest {
        let mut places: Vec<u32> = Vec::with_capacity(table.words.len());
        let mut index = KeyIndex::for_rows(table.words.len() + 1);
        for &(_, place) in &table.words {
            match index.place_of(pending.key_at(place), |row| pending.key_at(places[row])) {
                Ok(_) if mutant!(OldestWordTold) => {}
                Ok(row) => places[row] = place,
                Err(free) => {
                    index.enter(free, places.len());
                    places.push(place);
                }
            }
        }
        Newest { index, places }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cowslip_pager::{Config, Durability, storage::SimulatedStorage};

    use super::*;
    use crate::{Database, kinds::EngineKinds};

    /// What the log of a random life says, in a map: by table and key the value that was put, or none.
    #[test]
    fn the_newest_word_on_each_key_is_found_with_and_without_the_index() {
        let disk = Arc::new(SimulatedStorage::new().without_history());
        let db = Database::builder().background(false).open_or_create_on(disk.clone()).unwrap();
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut said = BTreeMap::new();
        for number in 0..300u32 {
            if number == 100 {
                db.checkpoint().unwrap();
                said.clear();
            }
            let mut tx = db.begin_write().unwrap();
            tx.set_durability([Durability::Immediate, Durability::Eventual][random.usize(..2)]);
            for _ in 0..random.usize(1..4) {
                let name = ["t", "u"][random.usize(..2)];
                let mut table = tx.open_table(name).unwrap();
                let key = [random.u8(..100)];
                let value = random.bool().then(|| number.to_le_bytes());
                match value {
                    Some(value) => _ = table.insert(&key, &value).unwrap(),
                    // Only what was there is in the log.
                    None if !table.remove(&key).unwrap() => continue,
                    None => {}
                }
                said.insert((name, key), value);
            }
            tx.commit().unwrap();
        }
        let after = Arc::new(SimulatedStorage::from_image(disk.image()));
        let (pager, mut replay) =
            Pager::open(after, Config::default(), Arc::new(EngineKinds)).unwrap();
        let pager = Arc::new(pager);
        let pending = Pending::of(&pager, &mut replay).unwrap();
        let look = || -> Vec<_> {
            let mut uncertain = Vec::new();
            for (name, key) in
                ["t", "u"].into_iter().flat_map(|t| (0..=255u8).map(move |k| (t, [k])))
            {
                let table = pending.table("main", name).unwrap();
                let word = pending.find(table, &key).unwrap();
                uncertain.extend(word.as_ref().map(|word| word.uncertain));
                let expected = said.get(&(name, key)).map(|value| match value {
                    Some(value) => Operation::Insert(&key, value),
                    None => Operation::Remove(&key),
                });
                assert_eq!(
                    word.map(|word| word.operation),
                    expected,
                    "{name} {key:?}, seed {seed}"
                );
            }
            uncertain
        };
        let without = look();
        pending.make_index(|| Ok(())).unwrap();
        assert!(pending.tables.iter().all(|table| table.index.get().is_some()));
        assert_eq!(look(), without, "seed {seed}");
    }
}
