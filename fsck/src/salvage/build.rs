//! The new store: each state is written as what differs from one that is there already, through the engine.
//!
//! ```text
//! main, empty --> monday --> tuesday --> main         one line: each from the one before
//!                    '-----> side                     another: from where it began
//! ```
//!
//! So what states share in the wreck they share in the new store, and what both have is not even read (W13). Where
//! there is no room for all, it is done the other way round, from the branches to the oldest snapshot (W14):
//!
//! ```text
//! main --> side
//!   '----> a branch for the time being: wednesday --> tuesday --> ..
//! ```

use std::collections::{BTreeSet, HashMap, HashSet};

use cowslip::{Database, Durability, Error as EngineError, Table, WriteTransaction, kinds::TABLE};
use cowslip_pager::{PageId, Pointer};

use super::{
    cursor::{Change, Cursor, Look, Row, differences},
    fill::{Fills, Newest, Origin},
    states::{State, nowhere},
    wreck::{Item, TABLES, Tree, Wreck, table_of},
};
use crate::Error;

/// A branch for snapshots whose own is gone, or holds what is newer.
const WORK: &str = "cowslip.salvage.work";
const MAIN: &str = "main";

/// Which states come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Snapshots as they were made, then branches.
    Oldest,
    /// `main`, the other branches, and snapshots back to the oldest: for a cut to leave what is new.
    Newest,
}

/// Where a state's table stands in the wreck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Root {
    pub(super) id: u64,
    pub(super) pointer: Pointer,
    /// Not by the pointer of its own record.
    pub(super) origin: Option<Origin>,
}

pub(super) struct Build<'w> {
    pub(super) database: &'w Database,
    pub(super) wreck: &'w Wreck<'w>,
    pub(super) fills: &'w Fills,
    pub(super) states: &'w [State],
    order: Order,
    /// `WORK`, or a name like it that no state has.
    work: String,
    /// The state that each branch of the new store holds; none: nothing.
    heads: HashMap<String, Option<usize>>,
    /// States that are in the new store.
    pub(super) built: HashSet<usize>,
    /// The last state that was written of each line.
    lines: HashMap<u64, usize>,
    /// Snapshots of the new store, by name.
    named: HashMap<&'w str, usize>,
    /// Names of snapshots in the wreck.
    snapshots: HashSet<&'w str>,
    last: Option<usize>,
    /// What was not taken over, and why.
    pub(super) left: Vec<String>,
    /// Machines, which stay behind.
    pub(super) machines: BTreeSet<String>,
    /// A page of a catalog is missing.
    catalog_holes: bool,
    /// The trees that catalogs know.
    pub(super) trees: HashSet<u64>,
    /// Tables of `main` that have no name in the wreck.
    pub(super) found: HashMap<String, Root>,
    /// Bytes that the new store may have at most.
    max_size: u64,
    /// Bytes that may still be written.
    budget: u64,
    /// Nothing more is written: the budget is spent.
    pub(super) halted: bool,
    /// The state in which that happened; the tables of which then not all rows were written are in `cut`.
    pub(super) halted_in: Option<usize>,
    pub(super) cut: HashSet<String>,
    /// The same of tables that have no name.
    pub(super) cut_found: HashSet<String>,
}

impl<'w> Build<'w> {
    pub(super) fn new(
        (database, max_size): (&'w Database, u64),
        wreck: &'w Wreck<'w>,
        fills: &'w Fills,
        states: &'w [State],
        order: Order,
    ) -> Build<'w> {
        let mut work = WORK.to_owned();
        while states.iter().any(|state| state.name == work) {
            work.push('+');
        }
        Build {
            database,
            wreck,
            fills,
            states,
            order,
            work,
            heads: HashMap::from([(MAIN.to_owned(), None)]),
            built: HashSet::new(),
            lines: HashMap::new(),
            named: HashMap::new(),
            snapshots: states.iter().filter(|s| s.snapshot).map(|s| &s.name[..]).collect(),
            last: None,
            left: Vec::new(),
            machines: BTreeSet::new(),
            catalog_holes: false,
            trees: HashSet::new(),
            found: HashMap::new(),
            max_size,
            budget: wreck.length.saturating_mul(4).saturating_add(1 << 20),
            halted: false,
            halted_in: None,
            cut: HashSet::new(),
            cut_found: HashSet::new(),
        }
    }

    /// Writes all states.
    pub(super) fn run(&mut self, progress: &dyn Fn(u64, u64)) -> Result<(), Error> {
        let states = self.states;
        let mut order: Vec<usize> = (0..states.len()).collect();
        if self.order == Order::Newest {
            order.reverse();
            order.sort_by_key(|&at| (states[at].snapshot, states[at].name != MAIN));
        }
        for (done, at) in order.into_iter().enumerate() {
            let state = &states[at];
            if self.halted {
                self.left.push(format!("{}: cut short", title(state)));
                continue;
            }
            match self.state(at) {
                Ok(()) => {
                    self.built.insert(at);
                    self.last = Some(at);
                    if self.halted {
                        self.halted_in = Some(at);
                    }
                    // Names, and paths to what differs, are not counted: the rest is for what is still to come.
                    self.halted |= self.database.stats().file_bytes > self.max_size / 2;
                    if let Some(place) = state.lineage.tip() {
                        self.lines.insert(place.line, at);
                    }
                }
                // A name that no store may have, or has twice: nobody but a forger wrote it.
                Err(EngineError::InvalidArgument(why)) => self.left.push(why),
                Err(EngineError::AlreadyExists(name)) => {
                    self.left.push(format!("{name:?}: the name is there twice"));
                }
                Err(EngineError::DiskFull { pages }) if self.is_at_limit(pages) => {
                    self.halted = true;
                    self.left.push(format!("{}: cut short", title(state)));
                }
                Err(error) => return Err(Error::Out(error)),
            }
            progress(done as u64 + 1, states.len() as u64);
        }
        self.tidy().map_err(Error::Out)
    }

    /// Is it the new store's own limit that leaves no room, and not the disk?
    fn is_at_limit(&self, pages: u64) -> bool {
        let more = pages.saturating_mul(self.wreck.geometry.page_size as u64);
        self.database.stats().file_bytes.saturating_add(more) > self.max_size
    }

    fn state(&mut self, at: usize) -> cowslip::Result<()> {
        let state = &self.states[at];
        let named = |name: &str| self.snapshots.contains(name);
        let branch = if !state.snapshot {
            state.name.clone()
        } else if self.order == Order::Newest || state.branch.is_empty() || named(&state.branch) {
            self.work.clone()
        } else {
            state.branch.clone()
        };
        self.move_branch(&branch, self.base(state))?;
        let base = self.heads.get(&branch).copied().flatten();
        self.write(base, at, &branch)?;
        // Whatever becomes of its snapshot, this is what the branch holds now.
        self.heads.insert(branch.clone(), Some(at));
        if state.snapshot {
            let label = state.label.as_deref();
            self.database.create_labelled_snapshot_of(&branch, &state.name, label)?;
            self.named.insert(&state.name, at);
            if state.held {
                self.database.hold(&state.name)?;
            }
        }
        Ok(())
    }

    /// The state that is likely to differ least.
    fn base(&self, state: &State) -> Option<usize> {
        let line = state.lineage.tip().and_then(|place| self.lines.get(&place.line));
        let parent = state.parent.as_ref().and_then(|name| self.named.get(&name[..]));
        line.or(parent).copied().or(self.last)
    }

    /// Makes a branch hold what state `to` does, if that costs nothing.
    fn move_branch(&mut self, branch: &str, to: Option<usize>) -> cowslip::Result<()> {
        let head = self.heads.get(branch).copied();
        match (head, to) {
            (Some(head), to) if head == to || to.is_none() => return Ok(()),
            (Some(_), Some(to)) if self.states[to].snapshot => {
                self.database.rollback_branch(branch, &self.states[to].name)?;
            }
            // What it holds does as well.
            (Some(_), _) => return Ok(()),
            (None, to) => {
                let from = to.map_or(MAIN, |to| &self.states[to].name);
                self.database.create_branch(branch, from)?;
            }
        }
        let to = to.or_else(|| self.heads.get(MAIN).copied().flatten());
        self.heads.insert(branch.to_owned(), to);
        Ok(())
    }

    /// Branches that the wreck has not go; `main` must be.
    fn tidy(&mut self) -> cowslip::Result<()> {
        let built = self.built.iter().map(|&at| &self.states[at]);
        let kept: HashSet<&str> =
            built.clone().filter(|state| !state.snapshot).map(|state| &state.name[..]).collect();
        let mut names: Vec<&String> = self.heads.keys().collect();
        names.sort_unstable();
        for name in names {
            if name != MAIN && !kept.contains(&name[..]) {
                self.database.delete_branch(name)?;
            }
        }
        if !kept.contains(MAIN)
            && let Some(newest) =
                built.filter(|state| state.snapshot).max_by_key(|state| state.stamp)
        {
            self.database.rollback_branch(MAIN, &newest.name)?;
            self.left.push(format!("branch \"main\": made from snapshot {:?}", newest.name));
        }
        Ok(())
    }

    fn look(&self, state: usize) -> Look<'w> {
        let lineage = &self.states[state].lineage;
        Look { wreck: self.wreck, fills: self.fills, lineage }
    }

    /// The tables of a state.
    fn catalog(&self, state: Option<usize>) -> Cursor<'w> {
        // Without a state nothing is looked for.
        let root = state.map(|state| Item::root(self.states[state].catalog));
        Cursor::new(self.look(state.unwrap_or(0)), TABLES, root, 1)
    }

    fn is_whole(&self, root: Root) -> bool {
        self.wreck.is_whole(&Item::root(root.pointer), Tree { kind: TABLE, id: root.id })
    }

    fn root_of(&self, state: usize, row: &Row) -> Option<Root> {
        root_of(self.look(state), &self.states[state], row)
    }

    fn write(&mut self, base: Option<usize>, at: usize, branch: &str) -> cowslip::Result<()> {
        // Of each table the old root and the new one.
        let mut tables: Vec<(String, Option<Root>, Option<Root>)> = Vec::new();
        let (mut from, mut to) = (self.catalog(base), self.catalog(Some(at)));
        let named = |row: &Row| String::from_utf8(row.entry.key.clone()).ok();
        let was = |row: &Row| base.and_then(|base| self.root_of(base, row));
        let (mut machines, mut trees) = (Vec::new(), Vec::new());
        differences(&mut from, &mut to, &mut |change| {
            let (name, old, new) = match change {
                Change::Remove(row) => (named(row), was(row), None),
                Change::Put { new, old } => {
                    let root = self.root_of(at, new);
                    match root {
                        Some(root) => trees.push(root.id),
                        None => machines.push(String::from_utf8_lossy(&new.entry.key).into()),
                    }
                    (named(new), old.and_then(was), root)
                }
            };
            // The same root with a hole below it is not the same table: lineages fill it differently.
            let same = old == new && new.is_none_or(|root| self.is_whole(root));
            if let Some(name) = name.filter(|_| !same) {
                tables.push((name, old, new));
            }
            Ok::<(), EngineError>(())
        })?;
        self.catalog_holes |= !to.holes.is_empty();
        self.machines.extend(machines);
        self.trees.extend(trees);
        if tables.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.begin_write_on(branch)?;
        tx.set_durability(Durability::None);
        for (name, old, new) in tables {
            match new {
                Some(new) => self.table(&tx, &name, base.zip(old), (at, new))?,
                None => {
                    tx.delete_table(&name)?;
                }
            }
        }
        tx.commit()
    }

    /// Writes a table: what differs from the one that is there.
    fn table(
        &mut self,
        tx: &WriteTransaction,
        name: &str,
        old: Option<(usize, Root)>,
        (state, new): (usize, Root),
    ) -> cowslip::Result<()> {
        let mut table = match tx.open_table(name) {
            Ok(table) => table,
            Err(EngineError::InvalidArgument(why)) => {
                self.left.push(why);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let rows = |state: usize, root: Root| {
            let tree = Tree { kind: TABLE, id: root.id };
            Cursor::new(self.look(state), tree, Some(Item::root(root.pointer)), 0)
        };
        let mut from = match old {
            Some((state, root)) => rows(state, root),
            None => Cursor::new(self.look(state), Tree { kind: TABLE, id: 0 }, None, 0),
        };
        let mut to = rows(state, new);
        // A table that is not there yet, or shares a root no more, takes a page at least.
        let page = self.wreck.geometry.page_size as u64;
        let left = self.budget.checked_sub(if new.pointer.is_none() { 0 } else { page });
        let (wreck, mut budget) = (self.wreck, left.unwrap_or(0));
        let (mut halted, mut cut) = (self.halted || left.is_none(), false);
        differences(&mut from, &mut to, &mut |change| match change {
            Change::Remove(row) => table.remove(&row.entry.key).map(|_| ()),
            // A row that is the same, but from elsewhere.
            Change::Put { new, old: Some(old) } if new.entry == old.entry => Ok(()),
            Change::Put { new, old } => {
                let done = match halted {
                    true => Done::NoRoom,
                    false => put(wreck, &mut table, new, budget)?,
                };
                match done {
                    Done::Written(size) => budget -= size,
                    // Rather none than one of another state.
                    Done::NoRoom | Done::Unread => {
                        if old.is_some() {
                            table.remove(&new.entry.key)?;
                        }
                    }
                }
                if matches!(done, Done::NoRoom) {
                    (halted, cut) = (true, true);
                }
                Ok(())
            }
        })?;
        if cut {
            self.cut.insert(name.to_owned());
        }
        (self.budget, self.halted) = (budget, halted);
        Ok(())
    }

    /// A table of `main` from a tree that has no name.
    pub(super) fn found(&mut self, name: &str, id: u64, pointer: Pointer) -> Result<u64, Error> {
        let lineage = cowslip::meta::Lineage::default();
        let look = Look { wreck: self.wreck, fills: self.fills, lineage: &lineage };
        let tree = Tree { kind: TABLE, id };
        let mut rows = Cursor::new(look, tree, Some(Item::root(pointer)), 0);
        let (mut count, mut cut) = (0, false);
        let page = self.wreck.geometry.page_size as u64;
        let mut work = || {
            let mut tx = self.database.begin_write()?;
            tx.set_durability(Durability::None);
            {
                let mut table = tx.open_table(name)?;
                match self.budget.checked_sub(page) {
                    Some(left) => self.budget = left,
                    None => self.halted = true,
                }
                while let Some(row) = rows.next() {
                    let done = match self.halted {
                        true => Done::NoRoom,
                        false => put(self.wreck, &mut table, &row, self.budget)?,
                    };
                    match done {
                        Done::Written(size) => self.budget -= size,
                        Done::Unread => {}
                        Done::NoRoom => {
                            (self.halted, cut) = (true, true);
                            break;
                        }
                    }
                }
                count = table.len()?;
            }
            tx.commit()
        };
        work().map_err(Error::Out)?;
        if cut {
            self.cut_found.insert(name.to_owned());
        }
        self.found.insert(name.to_owned(), Root { id, pointer, origin: Some(Origin::Doubtful) });
        Ok(count)
    }

    pub(super) fn has_table(&self, name: &str) -> Result<bool, Error> {
        let rx = self.database.begin_read().map_err(Error::Out)?;
        match rx.open_table(name) {
            Ok(_) => Ok(true),
            Err(EngineError::TableNotFound(_)) => Ok(false),
            Err(error) => Err(Error::Out(error)),
        }
    }

    /// Can a table have lost its name?
    pub(super) fn has_catalog_holes(&self) -> bool {
        self.catalog_holes
    }
}

fn title(state: &State) -> String {
    format!("{} {:?}", if state.snapshot { "snapshot" } else { "branch" }, state.name)
}

/// Where a table of a state stands; none: it is a machine, or no record.
pub(super) fn root_of(look: Look<'_>, state: &State, row: &Row) -> Option<Root> {
    let record = table_of(&row.entry, PageId::NONE).filter(|record| !record.is_machine())?;
    let known = Root { id: record.id, pointer: record.root, origin: row.origin };
    if !matches!(row.origin, Some(Origin::Older | Origin::Doubtful)) {
        return Some(Root { origin: None, ..known });
    }
    // An older record: the tree has gone on since (W8).
    let tree = Tree { kind: TABLE, id: record.id };
    let limit = state.catalog.stamp;
    let newest = look.fills.newest_root(look.wreck, tree, limit, look.lineage);
    let (pointer, origin) = match newest {
        Newest::Root(pointer, origin) => (pointer, Some(origin)),
        Newest::None if look.wreck.is_whole(&Item::root(record.root), tree) => {
            (record.root, row.origin)
        }
        Newest::Part | Newest::None => (nowhere(TABLE, limit), row.origin),
    };
    Some(Root { pointer, origin, ..known })
}

/// What became of a row.
enum Done {
    /// It takes so many bytes.
    Written(u64),
    /// It would take more than the budget.
    NoRoom,
    /// Its large value, which was right, cannot be read again.
    Unread,
}

/// Puts a row into a table.
fn put(wreck: &Wreck<'_>, table: &mut Table<'_>, row: &Row, budget: u64) -> cowslip::Result<Done> {
    let entry = &row.entry;
    let size = row.extent.as_ref().map_or(0, |extent| extent.length).saturating_add(row.weight);
    if size > budget {
        return Ok(Done::NoRoom);
    }
    let Some(extent) = &row.extent else {
        table.insert(&entry.key, &entry.value)?;
        return Ok(Done::Written(size));
    };
    // Once is enough: a disk that fails is not asked again for each state.
    if wreck.is_unread(&entry.value) {
        return Ok(Done::Unread);
    }
    let mut reader = wreck.reader(extent.clone());
    match table.insert_from(&entry.key, &mut reader) {
        Ok(_) => Ok(Done::Written(size)),
        Err(_) if reader.failed => {
            wreck.set_unread(&entry.value);
            Ok(Done::Unread)
        }
        Err(error) => Err(error),
    }
}
