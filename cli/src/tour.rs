//! `tour`: the main job, once through, on real data: load, snapshot, change, compare, read the
//! past, roll back, cut the power, kill the writer, recover, check.
//!
//! It promises: each figure that it prints was measured in this run, each claim was compared with
//! the plain input, and if one does not hold, the tour says so and exits with status 3. It
//! leaves its database behind to be explored, and never replaces a file that it did not make.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use cowslip::{Change, Database, ReadTable};

use crate::failure::{Failure, Outcome};
use crate::output::grouped;
use crate::{store, verb};

use releases::{Entries, Releases};
use story::{Story, duration, percent, shown, written_so_far};

mod killed_child;
mod power_cut;
mod releases;
mod story;
mod tour_file;

pub(crate) use killed_child::{CHILD_VERB, ChildArgs, child};

/// See the main job done, step by step, on a public data set or on two files of yours
#[derive(clap::Args)]
#[command(after_help = "\
Without files, the tour takes two releases of the Public Suffix List that it carries along. Of a \
text file it takes each line as one entry: the key ends at the first space, TAB, `=` or `;`, the \
rest is the value, and of several lines with one key the last counts. The database is left behind \
as cowslip-tour.cow in the current folder.")]
pub(crate) struct Args {
    /// A text file: the older state
    #[arg(requires = "file2")]
    file1: Option<PathBuf>,
    /// A text file: the newer state
    file2: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let releases = match (&args.file1, &args.file2) {
        (Some(old), Some(new)) => Releases::of_files(old, new)?,
        _ => Releases::of_the_public_suffix_list(),
    };
    let path = tour_file::choose()?;
    let mut tour = Tour { story: Story::new(), releases, path };
    tour.introduce()?;
    let db = tour.load()?;
    tour.take_snapshot(&db)?;
    tour.load_newer(&db)?;
    tour.compare(&db)?;
    tour.read_the_past(&db)?;
    tour.roll_back_and_forward(&db)?;
    store::close(&tour.path, db)?;
    tour.cut_the_power()?;
    tour.kill_the_writer()?;
    tour.check()?;
    tour.say_goodbye()?;
    Ok(ExitCode::SUCCESS)
}

struct Tour {
    story: Story,
    releases: Releases,
    path: PathBuf,
}

impl Tour {
    fn introduce(&mut self) -> Result<(), Failure> {
        let text = format!(
            "Cowslip keeps sorted keys and values in one file. This tour does with it what it is \
             for, on {}. Each time and size below was measured while you watched, and each claim \
             was compared with the plain input.",
            self.releases.what
        );
        self.story.say(&text)?;
        for note in &self.releases.notes {
            self.story.say(note)?;
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Database, Failure> {
        let old = &self.releases.old;
        self.story.step(&format!("Load {}", old.title))?;
        let db = Database::create(&self.path).map_err(|error| self.failure(error))?;
        let start = Instant::now();
        let tx = db.begin_write()?;
        tour_file::mark(&tx)?;
        {
            let mut table = tx.open_table(self.releases.table)?;
            for (key, value) in &old.entries {
                table.insert(key, value)?;
            }
        }
        tx.commit()?;
        let took = start.elapsed();
        db.checkpoint()?;
        self.verify_main(&db, &self.releases.old.entries, "the first load")?;
        let (count, bytes) = (old.entries.len() as u64, size(&old.entries));
        let text = format!(
            "{} entries, {} bytes of keys and values, went into table `{}` as one transaction: \
             all of them durable after {}, or none. The file {} takes {} bytes.",
            grouped(count),
            grouped(bytes),
            self.releases.table,
            duration(took),
            self.path.display(),
            grouped(db.stats().file_bytes),
        );
        self.story.say(&text)?;
        Ok(db)
    }

    fn take_snapshot(&mut self, db: &Database) -> Result<(), Failure> {
        let name = &self.releases.old.name;
        self.story.step(&format!("Keep this state as snapshot `{name}`"))?;
        self.story.flush()?;
        let pages = data_pages(db);
        let written = written_so_far();
        let start = Instant::now();
        db.create_snapshot(name)?;
        let took = start.elapsed();
        let cost = match (written, written_so_far()) {
            (Some(before), Some(after)) => {
                format!(" and {} bytes written", grouped(after - before))
            }
            _ => String::new(),
        };
        let text = format!(
            "{}{cost}, durable. Nothing of the {} pages of data was copied: the snapshot is one \
             more owner of the same root, so it costs the same however large the database is.",
            duration(took),
            grouped(pages),
        );
        self.story.say(&text)
    }

    fn load_newer(&mut self, db: &Database) -> Result<(), Failure> {
        let new = &self.releases.new;
        self.story.step(&format!("Load {} over it", new.title))?;
        let before = data_pages(db);
        let start = Instant::now();
        let tx = db.begin_write()?;
        let changes = apply(&mut tx.open_table(self.releases.table)?, &new.entries)?;
        tx.commit()?;
        let took = start.elapsed();
        db.checkpoint()?;
        let after = data_pages(db);
        db.create_snapshot(&new.name)?;
        self.verify_main(db, &new.entries, "the second load")?;
        let added = after.saturating_sub(before);
        let text = format!(
            "Every line was looked up, and only what differed was written: {} changes for {} \
             entries, one transaction, durable after {}. Both states now stand in {} pages where \
             the first alone took {}: {} more, because a page is copied only when one of its \
             owners writes to it. About {} of the first load's pages belong to both. This state \
             is snapshot `{}`.",
            grouped(changes),
            grouped(new.entries.len() as u64),
            duration(took),
            grouped(after),
            grouped(before),
            grouped(added),
            percent(before.saturating_sub(added), before),
            new.name,
        );
        self.story.say(&text)
    }

    fn compare(&mut self, db: &Database) -> Result<(), Failure> {
        let (old, new) = (&self.releases.old, &self.releases.new);
        self.story.step(&format!("What changed from {} to {}?", old.name, new.name))?;
        let start = Instant::now();
        let mut changes: Vec<Change> = Vec::new();
        for change in db.diff(&old.name, &new.name)? {
            changes.push(change?);
        }
        let took = start.elapsed();
        changes.retain(|change| change.table == self.releases.table);
        let truth = difference(&old.entries, &new.entries);
        let same = changes.len() == truth.len()
            && changes.iter().zip(&truth).all(|(change, (key, old, new))| {
                change.key == *key && change.old.as_deref() == *old && change.new.as_deref() == *new
            });
        require(same, "diff does not find what a comparison of the two inputs finds")?;
        let count = |kind: fn(&Change) -> bool| {
            grouped(changes.iter().filter(|change| kind(change)).count() as u64)
        };
        let text = format!(
            "{} added, {} removed, {} changed, found in {} by walking the two trees side by side \
             and skipping every page that they share. A comparison of the two inputs line by line \
             finds the same. Some of them:",
            count(|change| change.old.is_none()),
            count(|change| change.new.is_none()),
            count(|change| change.old.is_some() && change.new.is_some()),
            duration(took),
        );
        self.story.say(if changes.is_empty() { "Nothing: the two are equal." } else { &text })?;
        for change in examples(&changes) {
            self.story.example(&match (&change.old, &change.new) {
                (None, Some(new)) => format!("+ {}  {}", shown(&change.key), shown(new)),
                (Some(old), None) => format!("- {}  {}", shown(&change.key), shown(old)),
                (Some(old), Some(new)) => {
                    format!("~ {}  {} -> {}", shown(&change.key), shown(old), shown(new))
                }
                (None, None) => continue,
            })?;
        }
        Ok(())
    }

    fn read_the_past(&mut self, db: &Database) -> Result<(), Failure> {
        self.story.step("Read a value as it was")?;
        let (old, new) = (&self.releases.old, &self.releases.new);
        let changed = difference(&old.entries, &new.entries);
        // The shortest, so that both values can be shown whole.
        let changed_value = changed
            .iter()
            .filter_map(|&(key, was, is)| Some((was?.len() + is?.len(), (key, was, is))))
            .min_by_key(|&(length, _)| length)
            .map(|(_, change)| change);
        let removed = || changed.iter().find(|(_, was, _)| was.is_some()).copied();
        let Some((key, was, is)) = changed_value.or_else(removed) else {
            return self.story.say("No value changed, so there is none to look up.");
        };
        let start = Instant::now();
        let then = db.begin_read_at(&old.name)?.open_table(self.releases.table)?;
        let then = then.get(key)?.map(|value| value.to_vec());
        let took = start.elapsed();
        let now = db.begin_read()?.open_table(self.releases.table)?;
        let now = now.get(key)?.map(|value| value.to_vec());
        let right = then.as_deref() == was && now.as_deref() == is;
        require(right, "a value read from a snapshot is not what was stored")?;
        let text = |value: &Option<Vec<u8>>| value.as_deref().map_or("(nothing)".into(), shown);
        let (then, now) = (text(&then), text(&now));
        let line =
            format!("The value of `{}`, read in {} from the snapshot:", shown(key), duration(took));
        let (old, new) = (old.name.clone(), new.name.clone());
        self.story.say(&line)?;
        self.story.example(&format!("{old}: {then}"))?;
        self.story.example(&format!("{new}: {now}"))
    }

    fn roll_back_and_forward(&mut self, db: &Database) -> Result<(), Failure> {
        self.story.step("Go back, and forward again")?;
        for (release, way) in [(&self.releases.old, "back"), (&self.releases.new, "forward")] {
            let start = Instant::now();
            db.rollback(&release.name)?;
            let took = start.elapsed();
            let start = Instant::now();
            self.verify_main(db, &release.entries, "a rollback")?;
            let text = format!(
                "main went {way} to `{}` in {}. All {} entries were read and are right ({}).",
                release.name,
                duration(took),
                grouped(release.entries.len() as u64),
                duration(start.elapsed()),
            );
            self.story.say(&text)?;
        }
        Ok(())
    }

    fn cut_the_power(&mut self) -> Result<(), Failure> {
        self.story.step("Cut the power in the middle of a transaction (simulated disk)")?;
        self.story.flush()?;
        let cuts = power_cut::run(self.releases.table, &self.releases)?;
        let text = format!(
            "The second load once more{}, on a disk that remembers every write. The power was cut \
             at {} moments, from before the first write to after the last, each with several \
             choices of which writes not yet synced had reached the disk, whole, torn in 512-byte \
             sectors, or not at all: {} disks. Each was opened, recovered (slowest: {}) and read \
             whole. {} showed the state before the transaction, {} the state after it, none \
             anything else, and no disk on which the commit had been acknowledged showed the \
             state before.",
            cuts.part,
            grouped(cuts.moments),
            grouped(cuts.disks),
            duration(cuts.slowest),
            grouped(cuts.before),
            grouped(cuts.after),
        );
        self.story.say(&text)
    }

    fn kill_the_writer(&mut self) -> Result<(), Failure> {
        self.story.step("Kill the writing process (real disk)")?;
        self.story.flush()?;
        let kills = killed_child::run(&self.path)?;
        let text = format!(
            "A second process wrote to {} as fast as it could, {} rows a transaction, and \
             reported each commit; {} times it was killed with SIGKILL while it wrote. {} commits \
             were reported in all. After each kill the file was opened (slowest: {}) and read: \
             every reported transaction was there, whole; {} had been committed but not yet \
             reported; none was there in part.",
            self.path.display(),
            killed_child::ROWS,
            kills.count,
            grouped(kills.reported),
            duration(kills.slowest),
            match kills.unreported {
                0 => "none".to_owned(),
                count => count.to_string(),
            },
        );
        self.story.say(&text)
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.story.step("Check the whole file")?;
        self.story.flush()?;
        let start = Instant::now();
        let summary = verb::fsck::summary(&self.path).map_err(Failure::Other)?;
        let took = start.elapsed();
        let db = store::for_reading(&self.path)?;
        for release in [&self.releases.old, &self.releases.new] {
            let table = db.begin_read_at(&release.name)?.open_table(self.releases.table)?;
            require(holds(&table, &release.entries)?, "a snapshot is not what it was")?;
        }
        self.verify_main(&db, &self.releases.new.entries, "all of this")?;
        store::close(&self.path, db)?;
        let text = format!(
            "{summary} ({}). Both snapshots and main were read once more and are what they were.",
            duration(took)
        );
        self.story.say(&text)
    }

    fn say_goodbye(&mut self) -> Result<(), Failure> {
        let (file, table) = (self.path.display(), self.releases.table);
        let (old, new) = (&self.releases.old.name, &self.releases.new.name);
        let program = story::program();
        let commands = [
            format!("snapshot list {file}"),
            format!("scan {file} {table} {}", self.releases.example),
            format!("diff {file} {old} {new} --stat"),
            format!("dump {file} {table} --at {old} --format csv"),
            format!("rollback {file} {old}"),
            format!("stats {file} --json"),
            format!("fsck {file}"),
        ];
        self.story.step("Now you")?;
        let line = format!("The database is yours: {file}. Things to try:");
        self.story.say(&line)?;
        for command in commands {
            self.story.example(&format!("{program} {command}"))?;
        }
        self.story.flush()
    }

    /// Makes sure that `main` holds just `entries`.
    fn verify_main(&self, db: &Database, entries: &Entries, after: &str) -> Result<(), Failure> {
        let table = db.begin_read()?.open_table(self.releases.table)?;
        require(
            holds(&table, entries)?,
            &format!("main does not hold what it should after {after}"),
        )
    }

    fn failure(&self, error: cowslip::Error) -> Failure {
        Failure::of_file(&self.path, error)
    }
}

/// Makes `table` hold just `entries` by as few writes as that takes, and counts them.
fn apply(table: &mut cowslip::Table<'_>, entries: &Entries) -> Result<u64, Failure> {
    let mut gone = Vec::new();
    for entry in table.range::<&[u8]>(..)? {
        let (key, _) = entry?;
        if !entries.contains_key(&*key) {
            gone.push(key.to_vec());
        }
    }
    let mut changes = gone.len() as u64;
    for key in gone {
        table.remove(&key)?;
    }
    for (key, value) in entries {
        let same = table.get(key)?.is_some_and(|present| *present == **value);
        if !same {
            table.insert(key, value)?;
            changes += 1;
        }
    }
    Ok(changes)
}

/// Whether `table` holds just `entries`, in order.
fn holds(table: &ReadTable, entries: &Entries) -> Result<bool, Failure> {
    let mut expected = entries.iter();
    for entry in table.range::<&[u8]>(..)? {
        let (key, value) = entry?;
        let right = expected.next().is_some_and(|(k, v)| **k == *key && **v == *value);
        if !right {
            return Ok(false);
        }
    }
    Ok(expected.next().is_none())
}

/// One change: the key, the old value, the new one.
type Difference<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);

/// What changed between two inputs, found the plain way, in order of the keys.
fn difference<'a>(old: &'a Entries, new: &'a Entries) -> Vec<Difference<'a>> {
    let value = |entries: &'a Entries, key: &[u8]| entries.get(key).map(Vec::as_slice);
    let keys: BTreeSet<&[u8]> = old.keys().chain(new.keys()).map(Vec::as_slice).collect();
    let both = keys.into_iter().map(|key| (key, value(old, key), value(new, key)));
    both.filter(|(_, old, new)| old != new).collect()
}

/// A few changes of each kind, the shortest, so that they fit on a line.
fn examples(changes: &[Change]) -> Vec<&Change> {
    const OF_EACH: usize = 2;
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let mut shortest: Vec<&Change> = changes.iter().collect();
    shortest.sort_by_key(|change| change.key.len() + length(&change.old) + length(&change.new));
    let kinds: [fn(&Change) -> bool; 3] = [
        |change| change.old.is_none(),
        |change| change.new.is_none(),
        |change| change.old.is_some() && change.new.is_some(),
    ];
    let of_kind = |kind: fn(&Change) -> bool| {
        shortest.iter().copied().filter(move |change| kind(change)).take(OF_EACH)
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// Pages in use, without those that the log takes.
fn data_pages(db: &Database) -> u64 {
    let stats = db.stats();
    stats.pages_used.saturating_sub(stats.log_capacity / stats.page_size)
}

/// Bytes of all keys and values.
fn size(entries: &Entries) -> u64 {
    entries.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
}

/// A claim of the tour: if it does not hold, that is the news.
fn require(holds: bool, otherwise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Other(format!("this should not happen: {otherwise}"))) }
}

/// Whether something is at `path`.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
