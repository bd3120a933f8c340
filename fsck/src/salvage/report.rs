//! What was salvaged, for programs and for people.

use std::fmt;

use serde::Serialize;

use super::{fill::Origin, replay::Replay};
use crate::report::{keys_text, owner_text};

/// What a salvage could stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Footing {
    /// The newest superblock is there for certain.
    Certain,
    /// There is a superblock, but a newer one may have been.
    Doubtful,
    /// There is none.
    None,
}

/// Keys that could not be read where they should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Gap {
    /// The first key; empty: from the start.
    #[serde(serialize_with = "hex")]
    pub from: Vec<u8>,
    /// The first key that is not in it; none: to the end.
    #[serde(serialize_with = "hex_option", skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<u8>>,
    /// Rows that there were, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Rows in pages that stood there, and were found again.
    pub found: u64,
    /// Rows in older pages: they may have been changed or deleted since.
    pub older: u64,
    /// Rows in pages of which it is not known who wrote them: they may be another branch's.
    pub doubtful: u64,
    /// Not all pages were looked at that may have something for it.
    #[serde(skip_serializing_if = "is_false")]
    pub cut_short: bool,
}

/// A table of a branch or snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SalvagedTable {
    /// Its name.
    pub table: String,
    /// Rows in the new store.
    pub rows: u64,
    /// All is there that was there.
    pub whole: bool,
    /// Something of it may be in the wreck and was left out, since it would have taken too much time or space.
    #[serde(skip_serializing_if = "is_false")]
    pub cut_short: bool,
    /// Its root was not where it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Origin>,
    /// Keys that could not be read where they should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Rows whose large values are gone, and the first of their keys.
    pub lost_values: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "hex_list")]
    /// The first of their keys.
    pub lost_keys: Vec<Vec<u8>>,
}

/// A branch or snapshot of the new store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SalvagedState {
    /// Such as `snapshot monday`.
    pub state: String,
    /// All is there that was there.
    pub whole: bool,
    /// Something of it may be in the wreck and was left out, since it would have taken too much time or space.
    #[serde(skip_serializing_if = "is_false")]
    pub cut_short: bool,
    /// Its name was not where it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Origin>,
    /// What nobody names was taken for its tables, and is perhaps a part of them only.
    #[serde(skip_serializing_if = "is_false")]
    pub part: bool,
    /// Its mark says that a stream is being received into it, or a record of the stream does, but not both: it may be
    /// somebody's, or a part of what was to come.
    #[serde(skip_serializing_if = "is_false")]
    pub arriving: bool,
    /// Its tables.
    pub tables: Vec<SalvagedTable>,
    /// Names of tables that could not be read where they should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// What a salvage brought.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Salvaged {
    /// What it could stand on.
    pub superblock: Footing,
    /// The page size, in bytes; 0: nothing of a store was found.
    pub page_size: u64,
    /// Node pages that prove themselves.
    pub pages_found: u64,
    /// Blocks of 4 KiB that could not be read.
    pub unreadable_blocks: u64,
    /// Node pages that could be read once, and not again when they were to be written.
    #[serde(skip_serializing_if = "is_zero")]
    pub unread_again: u64,
    /// Nothing is missing in the tree of names.
    pub names_whole: bool,
    /// Branches and snapshots.
    pub states: Vec<SalvagedState>,
    /// Tables that had lost their names, and their rows.
    pub found_tables: Vec<(String, u64)>,
    /// The log.
    pub log: Replay,
    /// What was not taken over.
    pub left: Vec<String>,
    /// Something was left out because it would have taken too much time or space.
    pub cut_short: bool,
    /// The checker finds nothing in the wreck that touches data: only then is anything certain.
    pub checked: bool,
    /// Tables and gaps that are not listed.
    pub unlisted: u64,
    /// Rows in `cowslip.salvage`.
    pub noted: u64,
}

impl Salvaged {
    pub(super) fn nothing(superblock: Footing) -> Salvaged {
        Salvaged {
            superblock,
            page_size: 0,
            pages_found: 0,
            unreadable_blocks: 0,
            unread_again: 0,
            names_whole: false,
            states: Vec::new(),
            found_tables: Vec::new(),
            log: Replay::default(),
            left: Vec::new(),
            cut_short: false,
            checked: false,
            unlisted: 0,
            noted: 0,
        }
    }

    /// Was anything recovered?
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Is all there, for certain, the log included?
    pub fn is_whole(&self) -> bool {
        self.superblock == Footing::Certain
            && self.names_whole
            && self.states.iter().all(|state| state.whole)
            && self.found_tables.is_empty()
            && self.left.is_empty()
            && self.unread_again == 0
            && self.log.whole
            && self.log.failed == 0
            && !self.cut_short
            && self.checked
            && !self.is_empty()
    }

    /// 0 all was recovered for certain, 1 something is missing or not certain, 4 nothing was recovered.
    pub fn exit_code(&self) -> u8 {
        match () {
            () if self.is_empty() => 4,
            () if self.is_whole() => 0,
            () => 1,
        }
    }

    /// The result in a line.
    pub fn verdict(&self) -> String {
        let (whole, all) =
            (self.states.iter().filter(|state| state.whole).count(), self.states.len());
        match self.exit_code() {
            4 => "nothing was recovered".into(),
            0 => format!("all was recovered: {all} branches and snapshots"),
            _ if whole < all => {
                format!(
                    "recovered with something missing or uncertain: {whole} of {all} branches and snapshots are whole"
                )
            }
            _ => format!(
                "recovered with something missing or uncertain: the {all} branches and snapshots that were found are whole"
            ),
        }
    }

    /// The result as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.insert("verdict".into(), self.verdict().into());
            object.insert("exit_code".into(), self.exit_code().into());
        }
        json
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Found => "found again",
            Origin::Older => "perhaps an older one",
            Origin::Doubtful => "perhaps of another branch",
        })
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = Some(&self.from[..]).filter(|from| !from.is_empty());
        write!(f, "{}: ", keys_text(from, self.to.as_deref()))?;
        let mut parts = Vec::new();
        for (rows, what) in [
            (self.found, "found again"),
            (self.older, "from older pages"),
            (self.doubtful, "perhaps of another branch"),
        ] {
            if rows > 0 {
                parts.push(format!("{rows} rows {what}"));
            }
        }
        if parts.is_empty() {
            parts.push(if self.cut_short { "cut short" } else { "lost" }.into());
        } else if self.cut_short {
            parts.push("cut short".into());
        }
        write!(f, "{}", parts.join(", "))?;
        match self.entries {
            Some(entries) => write!(f, "; there were {entries}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.superblock {
            Footing::Certain => {}
            Footing::Doubtful => writeln!(f, "the newest superblock may be missing")?,
            Footing::None => writeln!(f, "no superblock is left")?,
        }
        if self.superblock == Footing::Certain && !self.checked {
            writeln!(
                f,
                "the check of the file itself finds damage: what was taken may lack rows or have wrong ones"
            )?;
        }
        if !self.names_whole {
            writeln!(f, "not all names of branches and snapshots could be read")?;
        }
        if self.unreadable_blocks > 0 {
            writeln!(f, "{} blocks of 4 KiB could not be read", self.unreadable_blocks)?;
        }
        if self.unread_again > 0 {
            writeln!(
                f,
                "{} node pages could be read once and not again: rows may be missing anywhere, or be back that were deleted",
                self.unread_again
            )?;
        }
        for state in &self.states {
            let part = if state.whole { "whole" } else { "in part, or uncertain" };
            let cut = if state.cut_short { ", cut short" } else { "" };
            let of = if state.part { ", perhaps only a part of its tables" } else { "" };
            let half = match state.arriving {
                true => ", perhaps half of what a stream was to bring",
                false => "",
            };
            write!(f, "{}: {part}{cut}{of}{half}", state.state)?;
            match state.name {
                Some(origin) => writeln!(f, " ({origin})")?,
                None => writeln!(f)?,
            }
            for gap in &state.gaps {
                writeln!(f, "      names of tables: {gap}")?;
            }
            for table in &state.tables {
                let owner = owner_text(&state.state, Some(&table.table));
                let part = if table.whole { "" } else { ", in part, or uncertain" };
                let cut = if table.cut_short { ", cut short" } else { "" };
                write!(f, "      {owner}: {} rows{part}{cut}", table.rows)?;
                match table.root {
                    Some(origin) => writeln!(f, " ({origin})")?,
                    None => writeln!(f)?,
                }
                for gap in &table.gaps {
                    writeln!(f, "            {gap}")?;
                }
                if table.lost_values > 0 {
                    writeln!(
                        f,
                        "            {} rows lost with their large values",
                        table.lost_values
                    )?;
                    for key in &table.lost_keys {
                        let to = super::fill::after(key);
                        writeln!(f, "            lost: {}", keys_text(Some(key), Some(&to)))?;
                    }
                }
            }
        }
        for (table, rows) in &self.found_tables {
            writeln!(f, "table {table:?} of main had lost its name: {rows} rows")?;
        }
        if self.unlisted > 0 {
            writeln!(f, "{} more tables and ranges are not listed", self.unlisted)?;
        }
        if self.log.done > 0 || self.log.failed > 0 {
            writeln!(f, "log: {} transactions done again", self.log.done)?;
        }
        if self.log.failed > 0 {
            let why = self.log.first_failure.as_deref().unwrap_or_default();
            writeln!(
                f,
                "log: {} transactions could not be done, the first since {why}",
                self.log.failed
            )?;
        }
        if let Some(why) = &self.log.why {
            writeln!(f, "log: transactions may be missing: {why}")?;
        }
        for what in &self.left {
            writeln!(f, "not taken over: {what}")?;
        }
        if self.cut_short {
            writeln!(f, "cut short: the rest would have taken too much time or space")?;
        }
        if self.noted > 0 {
            writeln!(
                f,
                "{} ranges are written down in table {:?} of main",
                self.noted,
                super::SALVAGE_TABLE
            )?;
        }
        writeln!(f, "{}", self.verdict())
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn hex<S: serde::Serializer>(key: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&crate::report::hexadecimal(key))
}

fn hex_option<S: serde::Serializer>(key: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    hex(key.as_deref().unwrap_or_default(), to)
}

fn hex_list<S: serde::Serializer>(keys: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(keys.iter().map(|key| crate::report::hexadecimal(key)))
}
