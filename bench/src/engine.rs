//! The stores that this program was built with, by name.

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::peer::Peer;
use crate::peers;

/// A store to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// This project.
    Cowslip,
    /// redb (feature `redb`).
    #[cfg(feature = "redb")]
    Redb,
    /// LMDB (feature `lmdb`).
    #[cfg(feature = "lmdb")]
    Lmdb,
    /// fjall (feature `fjall`).
    #[cfg(feature = "fjall")]
    Fjall,
    /// canopydb (feature `canopydb`).
    #[cfg(feature = "canopydb")]
    Canopydb,
    /// sanakirja (feature `sanakirja`).
    #[cfg(feature = "sanakirja")]
    Sanakirja,
    /// SQLite (feature `sqlite`).
    #[cfg(feature = "sqlite")]
    Sqlite,
}

/// Something to do with a store, whichever it is.
pub trait Task {
    /// What comes of it.
    type Output;

    /// Does it with the store `P`.
    fn run<P: Peer>(self) -> Result<Self::Output>;
}

impl Engine {
    /// Every store that was built in.
    pub fn all() -> &'static [Engine] {
        Self::value_variants()
    }

    /// Name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Cowslip => "cowslip",
            #[cfg(feature = "redb")]
            Engine::Redb => "redb",
            #[cfg(feature = "lmdb")]
            Engine::Lmdb => "lmdb",
            #[cfg(feature = "fjall")]
            Engine::Fjall => "fjall",
            #[cfg(feature = "canopydb")]
            Engine::Canopydb => "canopydb",
            #[cfg(feature = "sanakirja")]
            Engine::Sanakirja => "sanakirja",
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => "sqlite",
        }
    }

    /// The Rust package that holds the store.
    fn package(self) -> &'static str {
        match self {
            #[cfg(feature = "lmdb")]
            Engine::Lmdb => "heed",
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => "rusqlite",
            other => other.name(),
        }
    }

    /// Does `task` with this store.
    pub fn run<T: Task>(self, task: T) -> Result<T::Output> {
        match self {
            Engine::Cowslip => task.run::<peers::cowslip::Cowslip>(),
            #[cfg(feature = "redb")]
            Engine::Redb => task.run::<peers::redb::Redb>(),
            #[cfg(feature = "lmdb")]
            Engine::Lmdb => task.run::<peers::heed::Lmdb>(),
            #[cfg(feature = "fjall")]
            Engine::Fjall => task.run::<peers::fjall::Fjall>(),
            #[cfg(feature = "canopydb")]
            Engine::Canopydb => task.run::<peers::canopydb::Canopydb>(),
            #[cfg(feature = "sanakirja")]
            Engine::Sanakirja => task.run::<peers::sanakirja::Sanakirja>(),
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => task.run::<peers::sqlite::Sqlite>(),
        }
    }

    /// Version and set-up, in words, for the report.
    pub fn description(self) -> Result<String> {
        let package = self.package();
        let version = locked_version(LOCK_FILE, package).unwrap_or("of unknown version");
        Ok(format!("{package} {version}: {}", self.run(SetUp)?))
    }
}

// The stores do not all tell their version at run time; the lock file that built them does.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// The newest version of `package` in the text of a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut newest = None;
    while lines.by_ref().any(|line| line == name) {
        let version = lines.next().and_then(|line| line.strip_prefix("version = "));
        // Cargo lists the versions of one name in ascending order.
        newest = version.map(|version| version.trim_matches('"')).or(newest);
    }
    newest
}

struct SetUp;

impl Task for SetUp {
    type Output = String;

    fn run<P: Peer>(self) -> Result<String> {
        Ok(P::configuration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "name = \"a\"\nversion = \"1.0.0\"\n\nname = \"ab\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked_version(lock, "a"), Some("1.0.0"));
        assert_eq!(locked_version(lock, "ab"), Some("2.0.0"));
        assert_eq!(locked_version(lock, "b"), None);
        for engine in Engine::all() {
            assert!(locked_version(LOCK_FILE, engine.package()).is_some(), "{}", engine.name());
        }
    }
}
