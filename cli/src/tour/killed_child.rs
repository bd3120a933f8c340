//! A process is killed while it writes to a real file: this program starts itself as a child, which
//! commits in a loop and reports each commit, kills it, and looks at what it left.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cowslip::Database;

use super::{require, tour_file};
use crate::failure::{Failure, Outcome};
use crate::{progress, store};

/// The hidden verb that makes this program the child.
pub(crate) const CHILD_VERB: &str = "tour-child";
/// Rows in each of the child's transactions.
pub(super) const ROWS: u64 = 8;

const TABLE: &str = "killed-writer";
/// The key under which each transaction leaves its number.
const LAST: &[u8] = b"last";
/// How many reports to wait for before each kill.
const REPORTS: [u64; 5] = [1, 10, 40, 20, 80];
/// A kill comes at the latest after this time, so that a slow disk does not hold up the tour.
const PATIENCE: Duration = Duration::from_secs(2);

/// Write to a tour's database until killed
#[derive(clap::Args)]
pub(crate) struct ChildArgs {
    file: PathBuf,
}

/// What the kills came to.
pub(super) struct Kills {
    pub(super) count: u64,
    pub(super) reported: u64,
    /// Transactions that were found committed though their report never came.
    pub(super) unreported: u64,
    pub(super) slowest: Duration,
}

/// The child: commits one transaction after the other and reports each, for as long as it lives.
pub(crate) fn child(args: &ChildArgs) -> Outcome {
    if !tour_file::is_marked(&args.file) {
        let why = format!("{}: not a tour's database", args.file.display());
        return Err(Failure::Other(why));
    }
    let db = store::for_writing(&args.file)?;
    let mut out = io::stdout().lock();
    let mut number = last(&db)?;
    loop {
        number += 1;
        let tx = db.begin_write()?;
        {
            let mut table = tx.open_table(TABLE)?;
            for row in 0..ROWS {
                table.insert(&key(number, row), &value(number, row))?;
            }
            table.insert(LAST, number.to_string().as_bytes())?;
        }
        tx.commit()?;
        writeln!(out, "{number}")?;
        out.flush()?;
    }
}

/// The parent: kills a child several times in the midst of its work and verifies what it left.
pub(super) fn run(path: &Path) -> Result<Kills, Failure> {
    let mut kills = Kills { count: 0, reported: 0, unreported: 0, slowest: Duration::ZERO };
    let mut known = 0;
    let bar = progress::bar(REPORTS.len() as u64, "kills");
    for wanted in REPORTS {
        let reported = kill_after(path, wanted)?;
        require(reported > known, "the child wrote nothing before it was killed")?;
        let start = Instant::now();
        let db = store::for_writing(path)?;
        kills.slowest = kills.slowest.max(start.elapsed());
        let found = last(&db)?;
        require(found >= reported, "a reported commit was lost when its process was killed")?;
        // It reports each commit before it begins the next.
        require(found <= reported + 1, "the child committed more than it can have")?;
        verify(&db, found)?;
        store::close(path, db)?;
        kills.count += 1;
        kills.reported += reported - known;
        kills.unreported += found - reported;
        known = found;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(kills)
}

/// Starts the child, kills it after `wanted` reports, and gives the number of the last one.
fn kill_after(path: &Path, wanted: u64) -> Result<u64, Failure> {
    let failure = |error: io::Error| Failure::Other(format!("the child process: {error}"));
    let program = std::env::current_exe().map_err(failure)?;
    let mut child = Command::new(program)
        .arg(CHILD_VERB)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failure)?;
    let reports = read_reports(&mut child, wanted);
    // Whatever happened, no child is left behind.
    let killed = child.kill();
    let rest = drain(&mut child);
    child.wait().map_err(failure)?;
    killed.map_err(failure)?;
    let last = rest.map_err(failure)?.or(reports.map_err(failure)?);
    last.ok_or_else(|| Failure::Other("the child process ended before its first commit".to_owned()))
}

/// Reads reports, byte by byte so that none is left in a buffer, until there are enough of them.
fn read_reports(child: &mut Child, wanted: u64) -> io::Result<Option<u64>> {
    let Some(out) = child.stdout.as_mut() else { return Ok(None) };
    let start = Instant::now();
    let mut last = None;
    let mut lines = BufReader::with_capacity(1, out);
    let mut line = String::new();
    for _ in 0..wanted {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        last = parse(&line).or(last);
        if start.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(last)
}

/// The number of the last report between the kill and the end of the pipe.
fn drain(child: &mut Child) -> io::Result<Option<u64>> {
    let Some(out) = child.stdout.as_mut() else { return Ok(None) };
    let text = io::read_to_string(out)?;
    Ok(text.split_inclusive('\n').filter_map(parse).next_back())
}

fn parse(line: &str) -> Option<u64> {
    // A line without its end is no report: the kill may have cut its number short.
    line.strip_suffix('\n')?.parse().ok()
}

/// The number of the last transaction that is in the database.
fn last(db: &Database) -> Result<u64, Failure> {
    let tx = db.begin_read()?;
    if !tx.tables()?.iter().any(|table| table == TABLE) {
        return Ok(0);
    }
    let table = tx.open_table(TABLE)?;
    let number = table.get(LAST)?;
    let number = number.and_then(|number| str::from_utf8(&number).ok()?.parse().ok());
    number.ok_or_else(|| Failure::Other("the child's last transaction is not whole".to_owned()))
}

/// Makes sure that each transaction up to `last` is there whole, and nothing else.
fn verify(db: &Database, last: u64) -> Result<(), Failure> {
    let table = db.begin_read()?.open_table(TABLE)?;
    for number in 1..=last {
        for row in 0..ROWS {
            let found = table.get(&key(number, row))?;
            let right = found.is_some_and(|found| *found == *value(number, row));
            require(right, "a transaction of the killed process is there in part")?;
        }
    }
    require(table.len()? == last * ROWS + 1, "the killed process left rows of no transaction")
}

fn key(number: u64, row: u64) -> Vec<u8> {
    format!("{number:08}/{row}").into_bytes()
}

fn value(number: u64, row: u64) -> Vec<u8> {
    format!("row {row} of transaction {number} ").repeat(4).into_bytes()
}
