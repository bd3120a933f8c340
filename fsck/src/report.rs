//! What a check found: facts for programs, text for people, one verdict for both.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::problem::{Kind, Remedy, Severity};

/// One problem, with its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of problem.
    #[serde(rename = "code")]
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Is data affected, and not only what keeps account of it?
    pub data: bool,
    /// What a repair costs.
    pub repair: Remedy,
    /// The page, by its position in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// What was checked.
    pub what: String,
    /// What should stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The way to the page from the root: `page:entry` steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Tables, branches and snapshots that are known to reach it; others may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affects: Vec<String>,
    /// The same for programs: which keys of which tables in which branches and snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// The keys that it may concern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
}

/// Keys of a table in a branch or snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Range {
    /// Such as `branch main` or `snapshot monday`.
    pub state: String,
    /// The table; none: the names of tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The first key; none: from the start.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_hex")]
    pub from: Option<Vec<u8>>,
    /// The first key that is not in it; none: to the end.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_hex")]
    pub to: Option<Vec<u8>>,
}

fn as_hex<S: serde::Serializer>(key: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hexadecimal(key.as_deref().unwrap_or_default()))
}

/// Bytes as two digits each.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The keys of a range, for people.
pub(crate) fn keys_text(from: Option<&[u8]>, to: Option<&[u8]>) -> String {
    let short = |key: &[u8]| {
        let text: String =
            key.iter().take(40).flat_map(|b| b.escape_ascii()).map(char::from).collect();
        if key.len() > 40 { format!("\"{text}\"…") } else { format!("\"{text}\"") }
    };
    match (from, to) {
        (None, None) => "all its keys".into(),
        (Some(from), None) => format!("keys from {}", short(from)),
        (None, Some(to)) => format!("keys below {}", short(to)),
        // The smallest key behind another one is that with a zero: this is one key.
        (Some(from), Some(to)) if to.strip_suffix(&[0]) == Some(from) => {
            format!("key {}", short(from))
        }
        (Some(from), Some(to)) => format!("keys from {} to below {}", short(from), short(to)),
    }
}

/// `table "t" of branch main`, or the state alone.
pub(crate) fn owner_text(state: &str, table: Option<&str>) -> String {
    match table {
        Some(table) => format!("table {table:?} of {state}"),
        None => state.to_owned(),
    }
}

impl Problem {
    /// A problem with nothing known but what was checked.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Problem {
        Problem {
            kind,
            severity: kind.severity(),
            data: kind.entry().affects_data(),
            repair: kind.remedy(),
            page: None,
            what: what.into(),
            expected: None,
            found: None,
            path: None,
            affects: Vec::new(),
            ranges: Vec::new(),
            keys: None,
        }
    }

    pub(crate) fn page(mut self, page: u64) -> Problem {
        self.page = Some(page);
        self
    }

    pub(crate) fn values(
        mut self,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Problem {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.severity)?;
        if let Some(page) = self.page {
            write!(f, ", page {page}")?;
        }
        write!(f, ": {}", self.what)?;
        if let (Some(expected), Some(found)) = (&self.expected, &self.found) {
            write!(f, " should be {expected}, found {found}")?;
        }
        if let Some(path) = &self.path {
            write!(f, "\n      reached by {path}")?;
        }
        if !self.affects.is_empty() {
            write!(f, "\n      affects {}", self.affects.join(", "))?;
        }
        if let Some(keys) = &self.keys {
            write!(f, "\n      {keys}")?;
        }
        Ok(())
    }
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The store's number, from its superblock.
    pub store: u64,
    /// The checkpoint that was checked.
    pub checkpoint: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages of the file.
    pub pages_total: u64,
    /// Pages that were read and verified.
    pub pages_checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Trees: names, catalogs and tables, each distinct root once.
    pub trees: u64,
    /// Entries of tables in distinct leaves.
    pub entries: u64,
    /// Large values, each once.
    pub extents: u64,
    /// Stored machines, each distinct record once.
    pub machines: u64,
    /// Their pages, each once.
    pub raw_pages: u64,
    /// Branches.
    pub branches: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Deleted things whose pages are still to be released.
    pub releases: u64,
    /// Valid records of the log.
    pub log_records: u64,
    /// Transactions among them that opening would replay.
    pub log_transactions: u64,
    /// The log was replayed in memory, and how the result fared is among the problems.
    pub replayed: bool,
    /// Leaked pages.
    pub leaked_pages: u64,
    /// What was found.
    pub problems: Vec<Problem>,
    /// How many of each kind, those included that are not listed.
    pub counts: BTreeMap<Kind, u64>,
    /// Remarks that are no problems.
    pub notes: Vec<String>,
    #[serde(skip)]
    pub(crate) limit: usize,
}

impl Report {
    pub(crate) fn add(&mut self, problem: Problem) {
        let count = self.counts.entry(problem.kind).or_default();
        *count += 1;
        // A wreck has millions; each kind gets its share of the list.
        if *count <= self.limit as u64 {
            self.problems.push(problem);
        }
    }

    pub(crate) fn forget_problems(&mut self) {
        self.problems.clear();
        self.counts.clear();
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Was nothing found?
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// Problems, those included that are not listed.
    pub fn problem_count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Was a problem of this code found?
    pub fn has(&self, code: &str) -> bool {
        self.counts.keys().any(|kind| kind.code() == code)
    }

    /// The worst that was found.
    pub fn severity(&self) -> Option<Severity> {
        self.counts.keys().map(|kind| kind.severity()).max()
    }

    /// The exit status of fsck(8): 0 nothing found, 4 problems left.
    pub fn exit_code(&self) -> u8 {
        if self.is_clean() { 0 } else { 4 }
    }

    /// The verdict in a line.
    pub fn verdict(&self) -> String {
        let n = self.problem_count();
        let problems = if n == 1 { "1 problem".to_owned() } else { format!("{n} problems") };
        match self.severity() {
            None => "clean: no problems found".into(),
            Some(Severity::Redundancy) => {
                format!("{problems}: all data is whole, a spare copy is not")
            }
            Some(Severity::Leak) => format!("{problems}: all data is whole, some space is lost"),
            Some(Severity::Corruption) => {
                format!("{problems}: data reads well, but do not write to this store")
            }
            Some(Severity::Damage) => format!("{problems}: data is damaged"),
        }
    }

    /// The report as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.insert("clean".into(), self.is_clean().into());
            object.insert("verdict".into(), self.verdict().into());
            object.insert("exit_code".into(), self.exit_code().into());
        }
        json
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for (kind, &count) in &self.counts {
            let listed = self.problems.iter().filter(|p| p.kind == *kind).count() as u64;
            if count > listed {
                writeln!(f, "{kind}: {} more like this", count - listed)?;
            }
        }
        let mut kinds: Vec<Kind> = self.counts.keys().copied().collect();
        kinds.sort_unstable();
        for kind in kinds {
            let entry = kind.entry();
            writeln!(
                f,
                "{}: {} Repair ({}) would: {}.",
                entry.code, entry.meaning, entry.remedy, entry.repair
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        writeln!(
            f,
            "checkpoint {}: {} of {} pages checked; {} trees, {} entries, {} large values; {} \
             branches, {} snapshots",
            self.checkpoint,
            self.pages_checked,
            self.pages_total,
            self.trees,
            self.entries,
            self.extents,
            self.branches,
            self.snapshots
        )?;
        if self.machines > 0 {
            writeln!(f, "{} stored machines on {} pages", self.machines, self.raw_pages)?;
        }
        if self.log_transactions > 0 {
            writeln!(
                f,
                "log: {} transactions {}",
                self.log_transactions,
                if self.replayed { "replayed in memory" } else { "to replay" }
            )?;
        }
        writeln!(f, "{}", self.verdict())
    }
}
