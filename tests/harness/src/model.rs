//! The plain reference: maps of maps. Cloning shares until written, as the subject does.

use std::{collections::BTreeMap, sync::Arc};

use cowslip::{Database, ReadTransaction, Result};

/// The entries of a table.
pub type Table = BTreeMap<Vec<u8>, Arc<[u8]>>;
/// The tables of a version.
pub type Tables = BTreeMap<String, Arc<Table>>;

/// A snapshot, and whether it refuses deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it shows.
    pub tables: Tables,
    /// It is held.
    pub held: bool,
}

/// All that a database contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The branches by name.
    pub branches: BTreeMap<String, Tables>,
    /// The snapshots by name.
    pub snapshots: BTreeMap<String, Snapshot>,
}

impl Default for Model {
    /// A new database: the branch `main` without tables.
    fn default() -> Model {
        Model {
            branches: BTreeMap::from([("main".to_owned(), Tables::new())]),
            snapshots: BTreeMap::new(),
        }
    }
}

impl Model {
    /// The tables of a snapshot or branch.
    pub fn version(&self, name: &str) -> Option<&Tables> {
        let snapshot = self.snapshots.get(name).map(|snapshot| &snapshot.tables);
        snapshot.or_else(|| self.branches.get(name))
    }

    /// Does a snapshot or a branch have this name?
    pub fn knows(&self, name: &str) -> bool {
        self.version(name).is_some()
    }

    /// Reads a whole database.
    pub fn read(db: &Database) -> Result<Model> {
        let mut model = Model { branches: BTreeMap::new(), snapshots: BTreeMap::new() };
        for branch in db.branches()? {
            let tables = read_tables(&db.begin_read_on(&branch.name)?)?;
            model.branches.insert(branch.name, tables);
        }
        for snapshot in db.snapshots()? {
            let tables = read_tables(&db.begin_read_at(&snapshot.name)?)?;
            model.snapshots.insert(snapshot.name, Snapshot { tables, held: snapshot.held });
        }
        Ok(model)
    }

    /// The first difference from a database, in words.
    pub fn difference(&self, found: &Model) -> Option<String> {
        let names = |model: &Model| {
            let held = model.snapshots.iter().map(|(name, s)| (name.clone(), s.held));
            (model.branches.keys().cloned().collect::<Vec<_>>(), held.collect::<Vec<_>>())
        };
        if names(self) != names(found) {
            return Some(format!("names: expected {:?}, found {:?}", names(self), names(found)));
        }
        let versions = |model: &Model| {
            let snapshots =
                model.snapshots.iter().map(|(name, s)| (name.clone(), s.tables.clone()));
            let branches = model.branches.iter().map(|(name, t)| (name.clone(), t.clone()));
            branches.chain(snapshots).collect::<Vec<_>>()
        };
        versions(self).iter().zip(versions(found)).find_map(|((name, expected), (_, found))| {
            tables_difference(expected, &found).map(|what| format!("{name}: {what}"))
        })
    }

    /// Panics unless the database is what this model says.
    #[track_caller]
    pub fn assert_is(&self, db: &Database) {
        let found = Model::read(db).expect("the whole database is readable");
        if let Some(what) = self.difference(&found) {
            panic!("the database differs from the model: {what}");
        }
    }

    /// Like [`Model::assert_is`], by every other way to ask: backwards, by key, by length, first and
    /// last, keys that are missing.
    #[track_caller]
    pub fn assert_is_by_every_question(&self, db: &Database) {
        self.assert_is(db);
        for (name, tables) in &self.branches {
            assert_version(tables, &db.begin_read_on(name).unwrap(), name);
        }
        for (name, snapshot) in &self.snapshots {
            assert_version(&snapshot.tables, &db.begin_read_at(name).unwrap(), name);
        }
    }
}

/// Reads all tables of a version.
pub fn read_tables(version: &ReadTransaction) -> Result<Tables> {
    let mut tables = Tables::new();
    for name in version.tables()? {
        let mut table = Table::new();
        let source = version.open_table(&name)?;
        for entry in source.range::<&[u8]>(..)? {
            let (key, value) = entry?;
            let fresh = table.last_key_value().is_none_or(|(last, _)| last[..] < key[..]);
            assert!(fresh, "keys of {name} come in ascending order");
            table.insert(key.to_vec(), Arc::from(&value[..]));
        }
        assert_eq!(source.len()?, table.len() as u64, "length of table {name}");
        tables.insert(name, Arc::new(table));
    }
    Ok(tables)
}

/// The first difference between two versions, in words.
pub fn tables_difference(expected: &Tables, found: &Tables) -> Option<String> {
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    if names(expected) != names(found) {
        return Some(format!("tables: expected {:?}, found {:?}", names(expected), names(found)));
    }
    expected.iter().zip(found.values()).find_map(|((name, expected), found)| {
        if expected == found {
            return None;
        }
        let lost = expected.iter().find(|(key, value)| found.get(*key) != Some(value));
        let added = found.iter().find(|(key, _)| !expected.contains_key(*key));
        let short = |(key, value): (&Vec<u8>, &Arc<[u8]>)| {
            format!("key {:?} of {} bytes, value of {}", &key[..key.len().min(24)], key.len(), value.len())
        };
        Some(format!(
            "table {name}: {} entries expected, {} found; first lost or wrong: {:?}; first unexpected: {:?}",
            expected.len(),
            found.len(),
            lost.map(short),
            added.map(short)
        ))
    })
}

#[track_caller]
fn assert_version(tables: &Tables, version: &ReadTransaction, name: &str) {
    assert_eq!(version.tables().unwrap(), tables.keys().cloned().collect::<Vec<_>>(), "{name}");
    for (table, expected) in tables {
        let found = version.open_table(table).unwrap();
        let mut backwards = found.range::<&[u8]>(..).unwrap().rev();
        for (key, value) in expected.iter().rev() {
            let (found_key, found_value) = backwards.next().expect("an entry").unwrap();
            assert!(found_key == *key && found_value == *value, "{name}/{table} backwards");
            let got = found.get(key).unwrap().expect("a key of the model");
            assert!(got == *value, "{name}/{table} by key");
            let mut missing = key.clone();
            missing.push(0);
            let got = found.get(&missing).ok().flatten();
            assert_eq!(
                got.is_some(),
                expected.contains_key(&missing),
                "{name}/{table} missing key"
            );
        }
        assert!(backwards.next().is_none());
        let ends =
            |entry: Option<(cowslip::Key, cowslip::Value<'_>)>| entry.map(|(k, _)| k.to_vec());
        assert_eq!(ends(found.first().unwrap()), expected.keys().next().cloned());
        assert_eq!(ends(found.last().unwrap()), expected.keys().next_back().cloned());
        assert_eq!(found.is_empty().unwrap(), expected.is_empty());
    }
}
