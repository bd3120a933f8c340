//! The account: what every branch and snapshot of the new store has, and what it lacks.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use cowslip::{Database, Durability, ReadTransaction, kinds::TABLE, meta::Lineage};

use serde_json::{Value, json};

use super::{
    SALVAGE_TABLE,
    build::{Build, Root, root_of},
    cursor::{Cursor, Hole, Look},
    fill::Origin,
    report::{Gap, Salvaged, SalvagedState, SalvagedTable},
    wreck::{Item, TABLES, Tree},
};
use crate::report::hexadecimal;

/// Tables that are listed, and gaps.
const TABLES_MAX: usize = 10_000;
const GAPS_MAX: usize = 1000;
/// Gaps of one table, and keys of lost values.
const EACH_MAX: usize = 100;

pub(super) struct Account<'a, 'w> {
    pub(super) build: &'a Build<'w>,
    pub(super) salvaged: &'a mut Salvaged,
    tables: usize,
    gaps: usize,
    /// What is known of tables, and all their holes, by their roots: states that share one share them (W13).
    known: HashMap<Root, (SalvagedTable, u64)>,
}

impl<'a, 'w> Account<'a, 'w> {
    pub(super) fn new(build: &'a Build<'w>, salvaged: &'a mut Salvaged) -> Account<'a, 'w> {
        Account { build, salvaged, tables: 0, gaps: 0, known: HashMap::new() }
    }

    /// Lists all states of the new store.
    pub(super) fn run(&mut self) -> cowslip::Result<()> {
        let database = self.build.database;
        let built: HashMap<(bool, &str), usize> = (self.build.built.iter())
            .map(|&at| ((self.build.states[at].snapshot, &self.build.states[at].name[..]), at))
            .collect();
        let mut all: Vec<(bool, String)> =
            database.branches()?.into_iter().map(|branch| (false, branch.name)).collect();
        all.extend(database.snapshots()?.into_iter().map(|snapshot| (true, snapshot.name)));
        // What the log made is as whole as all else is; and where it is not whole, who knows what branches had.
        let log = &self.salvaged.log;
        let (remade, log_whole) = (log.remade.clone(), log.whole && log.failed == 0);
        let log_done = log.done > 0;
        let all_whole = !self.build.halted
            && self.build.found.is_empty()
            && self.build.built.iter().all(|&at| self.is_whole(at));
        for (snapshot, name) in all {
            let rx = if snapshot {
                database.begin_read_at(&name)
            } else {
                database.begin_read_on(&name)
            }?;
            let of = built.get(&(snapshot, &name[..])).filter(|_| !remade.contains(&name)).copied();
            let whole = of.map_or(all_whole, |at| self.is_whole(at));
            // Whatever is whole in it, it may not be what was there last: where something is missing, what the
            // log did to a branch may have built on it.
            let newest = self.salvaged.unread_again == 0
                && (snapshot && of.is_some() || log_whole && (all_whole || !log_done))
                && of.map_or(all_whole, |at| self.is_newest(at));
            let cut_short =
                self.build.halted && of.is_none_or(|at| self.build.halted_in == Some(at));
            let mut state = SalvagedState {
                state: format!("{} {name}", if snapshot { "snapshot" } else { "branch" }),
                whole: whole && newest,
                cut_short,
                name: of.and_then(|at| self.build.states[at].origin),
                part: of.is_some_and(|at| self.build.states[at].part),
                arriving: of.is_some_and(|at| self.build.states[at].arriving),
                tables: Vec::new(),
                gaps: Vec::new(),
            };
            let mut tables = match of {
                Some(at) if !whole => self.hurt(at, &rx, &mut state),
                _ => HashMap::new(),
            };
            if !snapshot && name == "main" {
                tables.extend(self.found(&rx));
            }
            for table in rx.tables()? {
                if self.tables == TABLES_MAX {
                    self.salvaged.unlisted += 1;
                    continue;
                }
                self.tables += 1;
                let rows = rx.open_table(&table)?.len()?;
                let known = tables.remove(&table).unwrap_or(SalvagedTable {
                    table,
                    rows: 0,
                    // The log may have made it where the names of tables were lost.
                    whole: whole || !log_done,
                    cut_short: of.is_none() && cut_short,
                    root: None,
                    gaps: Vec::new(),
                    lost_values: 0,
                    lost_keys: Vec::new(),
                });
                state.cut_short |= known.cut_short;
                let whole = known.whole && newest;
                state.tables.push(SalvagedTable { rows, whole, ..known });
            }
            self.salvaged.cut_short |= state.cut_short;
            self.salvaged.states.push(state);
        }
        Ok(())
    }

    fn is_whole(&self, at: usize) -> bool {
        let catalog = Item::root(self.build.states[at].catalog);
        self.is_newest(at)
            && self.build.halted_in != Some(at)
            && self.build.wreck.is_whole(&catalog, TABLES)
    }

    /// Does its name say, for certain, which catalog is its, and that it is a branch or snapshot?
    fn is_newest(&self, at: usize) -> bool {
        let state = &self.build.states[at];
        matches!(state.origin, None | Some(Origin::Found)) && !state.nameless && !state.arriving
    }

    /// The tables of a state that are not whole.
    fn hurt(
        &mut self,
        at: usize,
        rx: &ReadTransaction,
        state: &mut SalvagedState,
    ) -> HashMap<String, SalvagedTable> {
        let of = &self.build.states[at];
        let look = Look { wreck: self.build.wreck, fills: self.build.fills, lineage: &of.lineage };
        let mut rows = Cursor::new(look, TABLES, Some(Item::root(of.catalog)), EACH_MAX);
        let mut hurt = HashMap::new();
        let is_cut = self.build.halted_in == Some(at);
        while let Some(row) = if is_cut { rows.next() } else { rows.next_unsure() } {
            let Ok(name) = String::from_utf8(row.entry.key.clone()) else { continue };
            let Some(Root { id, pointer, origin }) = root_of(look, of, &row) else { continue };
            let tree = Tree { kind: TABLE, id };
            let cut_short = is_cut && self.build.cut.contains(&name);
            let whole = self.build.wreck.is_whole(&Item::root(pointer), tree);
            if whole && origin.is_none() && !cut_short {
                continue;
            }
            let root = Root { id, pointer, origin };
            // A value that could not be read again may have been written in one state and not in another.
            let known = self.known.get(&root).filter(|_| !self.build.wreck.has_unread());
            let table = match known {
                Some((known, holes)) => {
                    let mut table = SalvagedTable { table: name.clone(), ..known.clone() };
                    if self.gaps + table.gaps.len() > GAPS_MAX {
                        table.gaps.clear();
                    }
                    self.gaps += table.gaps.len();
                    self.salvaged.unlisted += holes - table.gaps.len() as u64;
                    table
                }
                None => self.table(look, rx, name.clone(), root),
            };
            hurt.insert(name, SalvagedTable { cut_short: table.cut_short || cut_short, ..table });
        }
        state.cut_short |= rows.cut_short;
        state.gaps = self.list(look, &rows.holes);
        self.salvaged.unlisted += rows.unkept;
        hurt
    }

    /// The tables of `main` that nobody names: nobody says either what they have to have.
    fn found(&mut self, rx: &ReadTransaction) -> Vec<(String, SalvagedTable)> {
        let lineage = Lineage::default();
        let build = self.build;
        let look = Look { wreck: build.wreck, fills: build.fills, lineage: &lineage };
        let each = |(name, root): (&String, &Root)| {
            let table = self.table(look, rx, name.clone(), *root);
            let cut_short = table.cut_short || build.cut_found.contains(name);
            (name.clone(), SalvagedTable { cut_short, ..table })
        };
        build.found.iter().map(each).collect()
    }

    /// A table that is not whole.
    fn table(
        &mut self,
        look: Look<'_>,
        rx: &ReadTransaction,
        name: String,
        root: Root,
    ) -> SalvagedTable {
        let tree = Tree { kind: TABLE, id: root.id };
        let rows = Cursor::new(look, tree, Some(Item::root(root.pointer)), EACH_MAX);
        let mut rows = rows.with_written(rx.open_table(&name).ok());
        rows.find_holes();
        self.salvaged.unlisted += rows.unkept;
        let table = SalvagedTable {
            table: name,
            rows: 0,
            whole: false,
            cut_short: rows.cut_short,
            root: root.origin,
            gaps: self.list(look, &rows.holes),
            lost_values: rows.lost_count,
            lost_keys: rows.lost,
        };
        if self.known.len() < TABLES_MAX {
            let holes = rows.holes.len() as u64 + rows.unkept;
            self.known.insert(root, (table.clone(), holes));
        }
        table
    }

    fn list(&mut self, look: Look<'_>, holes: &[Hole]) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for hole in holes {
            if self.gaps == GAPS_MAX {
                self.salvaged.unlisted += 1;
                continue;
            }
            self.gaps += 1;
            let mut gap = Gap {
                from: hole.low.clone(),
                to: hole.high.clone(),
                entries: hole.entries,
                found: 0,
                older: 0,
                doubtful: 0,
                cut_short: hole.cut_short,
            };
            for piece in &hole.pieces {
                let entries = look.wreck.entries(piece.node).unwrap_or_default();
                let inside = entries.iter().filter(|e| e.key >= piece.from && e.key < piece.to);
                let count = inside.count() as u64;
                match piece.origin {
                    Origin::Found => gap.found += count,
                    Origin::Older => gap.older += count,
                    Origin::Doubtful => gap.doubtful += count,
                }
            }
            gaps.push(gap);
        }
        gaps
    }
}

/// Writes down in the new store what is not certain in it, and what is lost of it (W12).
pub(super) fn note(database: &Database, salvaged: &mut Salvaged) -> cowslip::Result<()> {
    let mut notes = Vec::new();
    for state in &salvaged.states {
        let of = &state.state;
        if state.name.is_some() {
            notes.push(json!({ "state": of, "table": null, "root": state.name }));
        }
        if state.arriving {
            notes.push(json!({ "state": of, "table": null, "arriving": true }));
        }
        notes.extend(state.gaps.iter().map(|gap| with(json!({ "state": of, "table": null }), gap)));
        for table in &state.tables {
            let mut note = json!({ "state": of, "table": table.table });
            if let Some(root) = table.root {
                note["root"] = json!(root);
            }
            notes.extend(table.gaps.iter().map(|gap| with(note.clone(), gap)));
            if table.gaps.is_empty() && table.root.is_some() {
                notes.push(note);
            }
            if table.lost_values > 0 {
                let keys: Vec<String> =
                    table.lost_keys.iter().map(|key| hexadecimal(key)).collect();
                let (table, count) = (&table.table, table.lost_values);
                notes.push(json!({
                    "state": of, "table": table, "lost_values": count, "lost_keys": keys,
                }));
            }
        }
    }
    if notes.is_empty() {
        return Ok(());
    }
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut tx = database.begin_write()?;
    tx.set_durability(Durability::None);
    {
        let mut table = tx.open_table(SALVAGE_TABLE)?;
        for (number, note) in notes.iter().enumerate() {
            let key = format!("{time:020} {number:06}");
            table.insert(key.as_bytes(), note.to_string().as_bytes())?;
        }
    }
    salvaged.noted = notes.len() as u64;
    tx.commit()
}

/// A note with what is known of a range.
fn with(mut note: Value, gap: &Gap) -> Value {
    if let (Value::Object(note), Ok(Value::Object(gap))) = (&mut note, serde_json::to_value(gap)) {
        note.extend(gap);
    }
    note
}
