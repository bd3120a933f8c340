//! What the log has and the trees have not, while it is replayed: the newest word on each key of its records.
//!
//! ```text
//!  log        | put a 1 | put b 2 | remove a | put c 3 | ...        the bodies of its records, in memory
//!                  ^         ^         ^          ^
//!                  '---------|---------'          |                 parts: where the operations on one table stand
//!  index      a: removed,    b: 2,           c: 3                   made at the replay's begin; until then parts are looked through
//!
//!  get(key)   =  what the log says of it, else what the checkpoint's tree says
//! ```
//!
//! It answers for tables in which the log only puts and removes single keys (Q1 in `docs/design.md`): [`Pending::of`]
//! looks at each operation, and where anything else stands there is none. It never changes; when the replay
//! is over it also holds the version that came of it, for those who began to read before.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use cowslip_pager::{Bodies, Pager, Pointer, Reader, Replay, View};

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
/// The part of the cache's size that the index may take, with the list of parts.
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
    /// Where operations on it stand in the bytes, in their order.
    parts: Vec<Range<u32>>,
    operations: usize,
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
            replayed: OnceLock::new(),
        };
        let reader = pager.begin_read();
        let (view, root) = (reader.view(), reader.version().root);
        // Whatever is wrong with a record, the replay will meet and report it.
        let plain = !root.is_none() && pending.gather(view, root, &ends, pager).unwrap_or(false);
        let operations: usize = pending.tables.iter().map(|table| table.operations).sum();
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
                return Ok(false);
            };
            let mut table: Option<usize> = None;
            let place = |operations: Operations<'_>| (end - operations.left()) as u32;
            let mut part = place(operations)..place(operations);
            let mut count = 0;
            loop {
                let before = place(operations);
                let operation = operations.next()?;
                match operation {
                    Some(Operation::Insert(key, value)) => {
                        if key.len() > key_max || value.len() as u64 > LOGGED_VALUE_MAX {
                            return Ok(false);
                        }
                        count += 1;
                    }
                    Some(Operation::Remove(_)) => count += 1,
                    Some(Operation::Table(_)) | None => {
                        // The part before ends here.
                        part.end = before;
                        if count > 0 {
                            let Some(table) = table else { return Ok(false) };
                            self.tables[table].parts.push(part.clone());
                            self.tables[table].operations += count;
                            memory += size_of::<Range<u32>>() + count * Newest::MEMORY_MAX;
                        }
                        let Some(Operation::Table(name)) = operation else { break };
                        part.start = place(operations);
                        let tables = self.tables.len();
                        table = Some(self.number(view, root, branch, name, before)?);
                        memory += (self.tables.len() - tables) * Table::MEMORY_MAX;
                        count = 0;
                    }
                    Some(Operation::RemoveRange(_) | Operation::DeleteTable(_)) => {
                        return Ok(false);
                    }
                }
            }
            if memory > limit {
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
        self.tables.push(Table { named, parts: Vec::new(), operations: 0, index: OnceLock::new() });
        self.numbers.entry(branch.into()).or_default().insert(name.into(), number);
        Ok(number)
    }

    /// Does the log write to this branch?
    pub(crate) fn writes_to(&self, branch: &str) -> bool {
        self.numbers.contains_key(branch)
    }

    /// The number of a table that the log writes to.
    pub(crate) fn table(&self, branch: &str, name: &str) -> Option<usize> {
        self.numbers.get(branch)?.get(name).copied()
    }

    /// Makes the index; `go_on` is asked from time to time.
    pub(crate) fn make_index(&self, go_on: impl Fn() -> Result<()>) -> Result<()> {
        for table in &self.tables {
            go_on()?;
            let newest = Newest::of(self, table)?;
            // Nobody else makes one.
            let _ = table.index.set(newest);
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
        for part in table.parts.iter().rev() {
            let mut operations =
                Operations::of(&self.bytes[part.start as usize..part.end as usize]);
            let mut newest = None;
            while let Some(operation) = operations.next()? {
                if operation.key() == Some(key) {
                    newest = Some(operation);
                }
            }
            if let Some(operation) = newest {
                return Ok(Some(word(operation, part.start)));
            }
        }
        Ok(None)
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
    /// Bytes for each operation, at most: a place, and up to four entries of the index.
    const MEMORY_MAX: usize = 4 + 32;

    fn of(pending: &Pending, table: &Table) -> Result<Newest> {
        let mut places: Vec<u32> = Vec::with_capacity(table.operations);
        let mut index = KeyIndex::for_rows(table.operations + 1);
        for part in &table.parts {
            let mut operations =
                Operations::of(&pending.bytes[part.start as usize..part.end as usize]);
            loop {
                let place = part.end - operations.left() as u32;
                let Some(operation) = operations.next()? else { break };
                let key = operation.key().unwrap_or_default();
                match index.place_of(key, |row| pending.key_at(places[row])) {
                    Ok(row) => places[row] = place,
                    Err(free) => {
                        index.enter(free, places.len());
                        places.push(place);
                    }
                }
            }
        }
        Ok(Newest { index, places })
    }
}
