//! What a user can see of a database.

use std::{collections::BTreeMap, sync::Arc};

/// The entries of a table.
pub type Table = Arc<BTreeMap<Vec<u8>, Arc<[u8]>>>;
/// Tables by name.
pub type Tables = BTreeMap<String, Table>;

/// A version of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The tables, empty ones too.
    pub tables: Tables,
    /// Persistent savepoints by number, with the tables to which each leads back.
    pub savepoints: BTreeMap<u64, Tables>,
}

impl State {
    /// A table to change; made if there is none.
    pub fn table(&mut self, name: &str) -> &mut BTreeMap<Vec<u8>, Arc<[u8]>> {
        Arc::make_mut(self.tables.entry(name.to_owned()).or_default())
    }

    /// The first difference, in words.
    pub fn difference(&self, found: &State) -> Option<String> {
        if let Some(difference) = between(&self.tables, &found.tables) {
            return Some(difference);
        }
        let ids = |state: &State| state.savepoints.keys().copied().collect::<Vec<_>>();
        if ids(self) != ids(found) {
            return Some(format!("savepoints: {:?} expected, {:?} found", ids(self), ids(found)));
        }
        self.savepoints.iter().find_map(|(id, tables)| {
            let difference = between(tables, &found.savepoints[id])?;
            Some(format!("savepoint {id}: {difference}"))
        })
    }
}

fn between(expected: &Tables, found: &Tables) -> Option<String> {
    for name in expected.keys().chain(found.keys()) {
        let (Some(old), Some(new)) = (expected.get(name), found.get(name)) else {
            let what = if found.contains_key(name) { "should not be there" } else { "is missing" };
            return Some(format!("table {name:?} {what}"));
        };
        for key in old.keys().chain(new.keys()) {
            let what = match (old.get(key), new.get(key)) {
                (Some(_), None) => "is missing",
                (None, _) => "should not be there",
                (Some(old), Some(new)) if old != new => "has another value",
                _ => continue,
            };
            return Some(format!("table {name:?}: key {key:?} {what}"));
        }
    }
    None
}
