//! What an operation is answered with, as text and as numbers.

use std::fmt;

use crate::vm::{
    census::Pages,
    fault::{Fault, Signal},
    machine::Errno,
    merge::Merged,
    tally::Tally,
};

/// The answer to an operation.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Number of the line in the trace.
    pub line: usize,
    /// The operation.
    pub text: String,
    /// What it counted: calls and accesses.
    pub tally: Option<Tally>,
    /// Accesses: the signal that ended them, if one did.
    pub signal: Option<Option<Signal>>,
    /// Accesses that expected something: how many found something else.
    pub mismatches: Option<u64>,
    /// Why the call failed.
    pub errno: Option<Errno>,
    /// Change of the process's page tables.
    pub tables: Option<i64>,
    /// Page tables of a new process.
    pub child_tables: Option<u64>,
    /// Regions after an exec.
    pub regions: Option<u64>,
    /// Faults of a process that ended.
    pub total: Option<Tally>,
    /// What is merged.
    pub merged: Option<Merged>,
    /// Nothing to count, and done.
    pub done: bool,
    /// What everybody has mapped.
    pub snapshot: Option<Snapshot>,
    /// The faults, in order, when they are listed.
    pub faults: Vec<Fault>,
}

/// What everybody has mapped.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Its name.
    pub label: String,
    /// Process, region, pages.
    pub regions: Vec<(String, String, Pages)>,
    /// Entries that name private frames.
    pub mapped_anonymous: u64,
    /// Private frames that are mapped.
    pub anonymous_frames: u64,
    /// File frames that are mapped.
    pub file_frames: u64,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = &self.label;
        for (process, region, pages) in &self.regions {
            writeln!(
                f,
                "snap {label} proc={process} region={region} none={} zero={} anon={} ksm={} \
                 file={} swap={} guard={} excl={} shared={}",
                pages.none,
                pages.zero,
                pages.anonymous,
                pages.merged,
                pages.file,
                pages.swapped,
                pages.guard,
                pages.exclusive,
                pages.shared
            )?;
        }
        write!(
            f,
            "snap {label} total mapped_anon={} anon_frames={} file_frames={}",
            self.mapped_anonymous, self.anonymous_frames, self.file_frames
        )
    }
}

impl fmt::Display for Answer {
    /// One line, as a real kernel was made to say it; a snapshot takes several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(snapshot) = &self.snapshot {
            return write!(f, "\n{snapshot}");
        }
        let mut words = Vec::new();
        if let Some(tally) = &self.tally {
            words.push(format!("min={}", tally.minor));
            words.push(format!("maj={}", tally.major));
            let counted = tally.named().into_iter().filter(|(_, count)| *count > 0);
            words.extend(counted.map(|(name, count)| format!("{name}={count}")));
        }
        if let Some(signal) = self.signal {
            words.push(match signal {
                Some(signal) => format!("sig={signal}"),
                None => "sig=none".to_owned(),
            });
        }
        words.extend(self.mismatches.map(|count| format!("bad={count}")));
        words.extend(self.errno.map(|errno| format!("err={errno}")));
        words.extend(self.tables.map(|change| format!("pt={change:+}")));
        words.extend(self.child_tables.map(|count| format!("child_pt={count}")));
        words.extend(self.regions.map(|count| format!("regions={count}")));
        if let Some(total) = &self.total {
            words.push(format!("total min={} maj={}", total.minor, total.major));
        }
        if let Some(merged) = &self.merged {
            words.push(format!(
                "pages_shared={} pages_sharing={} ksm_zero_pages={}",
                merged.shared, merged.sharing, merged.zeros
            ));
        }
        if self.done {
            words.push("ok".to_owned());
        }
        if words.is_empty() { Ok(()) } else { write!(f, " => {}", words.join(" ")) }
    }
}
