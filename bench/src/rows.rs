//! The rows of the table: one figure each, and the stage that measures it.

use crate::stages::Stage;

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name on the command line and in JSON.
    pub name: &'static str,
    /// Title in the table.
    pub title: &'static str,
    /// What is counted.
    pub unit: Unit,
    /// What measures it.
    pub stage: Stage,
}

/// What a figure counts, and thereby whether more of it is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Operations in a second: more is better.
    PerSecond,
    /// Time: less is better.
    Microseconds,
    /// Space: less is better.
    Bytes,
    /// A rate of bytes: more is better.
    BytesPerSecond,
    /// Things counted: less is better.
    Count,
    /// How many times as much as something else: less is better.
    Times,
}

macro_rules! rows {
    ($($(#[$doc:meta])* $constant:ident = $name:literal $unit:ident $stage:ident $title:literal;)*) => {
        $($(#[$doc])* pub const $constant: &str = $name;)*

        /// All rows, in the order of the table.
        pub const ROWS: &[Row] = &[
            $(Row { name: $name, title: $title, unit: Unit::$unit, stage: Stage::$stage }),*
        ];
    };
}

rows! {
    /// All rows by one transaction into an empty store.
    LOAD = "load" PerSecond Load "bulk load, random order, one durable transaction";
    /// Length of the closed store after it.
    LOAD_FILE = "load-file" Bytes Load "file after bulk load";
    /// Blocks under it.
    LOAD_BLOCKS = "load-blocks" Bytes Load "– blocks on disk";
    /// Peak memory of the loading process.
    LOAD_MEMORY = "load-memory" Bytes Load "– peak memory, loading";
    /// The same rows in the order of their keys.
    APPEND = "append" PerSecond Append "bulk load, sorted, one durable transaction";
    /// Length of the closed store after it.
    APPEND_FILE = "append-file" Bytes Append "file after sorted load";
    /// Random gets.
    GETS_1 = "gets-1" PerSecond Read "random gets, 1 thread";
    /// Random gets by two threads together.
    GETS_2 = "gets-2" PerSecond Read "random gets, 2 threads together";
    /// Seek and ten rows.
    RANGES = "ranges" PerSecond Read "ranges of 10 rows from a random key";
    /// Rows scanned, every byte read.
    SCAN = "scan" PerSecond Read "full scan, keys and values read";
    /// Rows scanned, values left alone.
    SCAN_KEYS = "scan-keys" PerSecond Read "full scan, keys read, values left alone";
    /// Peak memory of the reading process.
    READ_MEMORY = "read-memory" Bytes Read "– peak memory, reading";
    /// One overwrite in each transaction.
    PUT_P50 = "put-p50" Microseconds Write "single durable put, p50";
    /// The same, the slow ones.
    PUT_P99 = "put-p99" Microseconds Write "single durable put, p99";
    /// Rows by durable batches.
    BATCHES = "batches" PerSecond Write "durable batches of random puts, rows";
    /// The same, with everything that was put off until closing.
    BATCHES_CLOSED = "batches-closed" PerSecond Write "– closing of the store included";
    /// Peak memory of the writing process.
    WRITE_MEMORY = "write-memory" Bytes Write "– peak memory, putting";
    /// Single overwrites that survive only the process.
    PUT_EVENTUAL = "put-eventual" PerSecond Eventual "single puts that survive kill -9, not loss of power";
    /// Single overwrites with the least promise.
    PUT_NONE = "put-none" PerSecond None "single puts with the least promise of the store";
    /// Single durable puts while a checkpoint runs.
    BUSY_PUT_P50 = "busy-put-p50" Microseconds Busy "single durable put while the store writes out, p50";
    /// The same, the slow ones.
    BUSY_PUT_P99 = "busy-put-p99" Microseconds Busy "single durable put while the store writes out, p99";
    /// Single durable puts from eight threads.
    GROUP_8 = "group-8" PerSecond Group "single durable puts from 8 threads, commits";
    /// Latency of single gets.
    READ_P99_IDLE = "read-p99-idle" Microseconds Beside "single get in a transaction of its own, p99";
    /// The same, beside a writer.
    READ_P99_WRITING = "read-p99-writing" Microseconds Beside "– beside a writer of durable batches, p99";
    /// Large values in.
    LARGE_PUT = "large-put" BytesPerSecond Large "values of 256 KiB, durable transactions of 16";
    /// Large values out.
    LARGE_GET = "large-get" BytesPerSecond Large "values of 256 KiB, random gets, all bytes read";
    /// A scan from the disk.
    SCAN_COLD = "scan-cold" PerSecond Cold "full scan, nothing in the system's cache";
    /// Growth of the files under a reader.
    HELD_GROWTH = "held-growth" Bytes Held "growth of the file under a reader that stays";
    /// Half of the rows by one transaction.
    REMOVALS = "removals" PerSecond Remove "removals, random order, one durable transaction";
    /// Length of the closed store after it.
    REMOVALS_FILE = "removals-file" Bytes Remove "file after removals";
    /// Blocks under it.
    REMOVALS_BLOCKS = "removals-blocks" Bytes Remove "– blocks on disk";
    /// Peak memory of the removing process.
    REMOVALS_MEMORY = "removals-memory" Bytes Remove "– peak memory, removing";
    /// Length of the store after removing half of the rows and compacting.
    COMPACTED_FILE = "compacted-file" Bytes Compacted "file after removals and compaction";
    /// Blocks under it.
    COMPACTED_BLOCKS = "compacted-blocks" Bytes Compacted "– blocks on disk";
    /// Open a cleanly closed store and get.
    REOPEN = "reopen" Microseconds Reopen "reopen and first get";
    /// Open a store whose process was killed while writing, and get.
    OPEN_KILLED = "open-killed" Microseconds Kill "open and first get after kill -9 amid batches";
    /// The disk's own figure.
    SYNC_P50 = "sync-p50" Microseconds Disk "4 KiB overwrite + fdatasync, p50";
    /// The disk's own figure.
    SYNC_P99 = "sync-p99" Microseconds Disk "4 KiB overwrite + fdatasync, p99";
    /// The disk's own figure.
    DIRECT_P50 = "direct-p50" Microseconds Disk "4 KiB overwrite, O_DIRECT and O_DSYNC, p50";
    /// The disk's own figure.
    DIRECT_P99 = "direct-p99" Microseconds Disk "4 KiB overwrite, O_DIRECT and O_DSYNC, p99";
}

/// Parses the name of a row on the command line.
pub fn name(text: &str) -> Result<String, String> {
    match ROWS.iter().find(|row| row.name == text) {
        Some(row) => Ok(row.name.to_owned()),
        None => Err("no such row; `compare rows` lists them".to_owned()),
    }
}

/// The title of a row where it stands alone: "– closing included" needs the row above it.
pub fn full_title(name: &str) -> String {
    let mut above = "";
    for row in ROWS {
        let (title, detail) = match row.title.strip_prefix("– ") {
            Some(detail) => (above, detail),
            None => (row.title, ""),
        };
        if row.name == name {
            let between = if detail.is_empty() { "" } else { ", " };
            return format!("{title}{between}{detail}");
        }
        above = title;
    }
    name.to_owned()
}

impl Unit {
    /// Whether `a` is better than `b`.
    pub fn better(self, a: f64, b: f64) -> bool {
        match self {
            Unit::PerSecond | Unit::BytesPerSecond => a > b,
            Unit::Microseconds | Unit::Bytes | Unit::Count | Unit::Times => a < b,
        }
    }

    /// Name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "per second",
            Unit::Microseconds => "microseconds",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes per second",
            Unit::Count => "count",
            Unit::Times => "times",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_alone_says_what_it_is_of() {
        assert_eq!(full_title(BATCHES), "durable batches of random puts, rows");
        let full = "durable batches of random puts, rows, closing of the store included";
        assert_eq!(full_title(BATCHES_CLOSED), full);
    }

    #[test]
    fn names_are_unique_and_parse() {
        for (place, row) in ROWS.iter().enumerate() {
            assert!(ROWS[place + 1..].iter().all(|other| other.name != row.name), "{}", row.name);
            assert_eq!(name(row.name).as_deref(), Ok(row.name));
        }
        assert!(name("no-such-row").is_err());
    }
}
