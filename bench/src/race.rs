//! The race: runs the children in turn and collects what they found.
//!
//! Stage by stage, and within a stage store by store, beginning with another store in each repetition:
//! the speed of a shared machine drifts within minutes, and so it drifts for all of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::bare_disk;
use crate::engine::Engine;
use crate::files;
use crate::peer::Promise;
use crate::rows::ROWS;
use crate::settings::Settings;
use crate::stages::{Errand, Measured, Order, Stage};
use crate::workload::LOADED;

/// Openings of a cleanly closed store in each repetition.
const REOPENINGS: u64 = 5;

/// Kills in each repetition, one after another on the same store.
const KILLS: u64 = 3;

/// Batches that a victim commits before it is killed: the same work to recover for every store.
const BATCHES_BEFORE_KILL: u64 = 30;

/// The samples of all rows of one contestant.
pub type Samples = BTreeMap<String, Vec<f64>>;

/// What a race came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Samples by the name of the store.
    pub engines: BTreeMap<&'static str, Samples>,
    /// Samples of the disk itself.
    pub disk: Samples,
    /// Stages that failed, in words.
    pub failures: Vec<String>,
}

/// A race to run.
#[derive(Debug)]
pub struct Race {
    /// Who runs.
    pub engines: Vec<Engine>,
    /// How much of everything.
    pub settings: Settings,
    /// How often.
    pub repeat: usize,
    /// Where the stores are made and removed again.
    pub directory: PathBuf,
}

impl Race {
    /// Runs it. A store that fails a stage does not stop the others.
    pub fn run(&self) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for repetition in 0..self.repeat {
            let mut engines = self.engines.clone();
            engines.rotate_left(repetition % self.engines.len().max(1));
            for stage in Stage::ALL.into_iter().filter(|&stage| self.wants(stage)) {
                if stage == Stage::Disk {
                    eprintln!("{}/{} {stage:?}", repetition + 1, self.repeat);
                    files::settle(&self.directory)?;
                    let measured = bare_disk::measure(&self.directory, self.settings.puts)?;
                    collect(&mut outcome.disk, measured);
                    continue;
                }
                for &engine in &engines {
                    eprintln!("{}/{} {stage:?} {}", repetition + 1, self.repeat, engine.name());
                    match self.run_stage(stage, engine) {
                        Ok(found) => {
                            let samples = outcome.engines.entry(engine.name()).or_default();
                            found.into_iter().for_each(|measured| collect(samples, measured));
                        }
                        Err(error) => {
                            let failure =
                                format!("{} failed at {stage:?}: {error:#}", engine.name());
                            eprintln!("{failure}");
                            outcome.failures.push(failure);
                        }
                    }
                }
            }
            for &engine in &engines {
                files::remove(&self.loaded(engine))?;
                files::remove(&self.copy(engine))?;
            }
        }
        Ok(outcome)
    }

    /// Most stages of a store stand on the loaded one, so the load runs when any of them does.
    fn wants(&self, stage: Stage) -> bool {
        ROWS.iter().any(|row| {
            let needs = row.stage == stage || (stage == Stage::Load && !row.stage.begins_empty());
            needs && self.settings.wants(row.name)
        })
    }

    fn run_stage(&self, stage: Stage, engine: Engine) -> Result<Vec<Measured>> {
        let loaded = self.loaded(engine);
        if stage == Stage::Load {
            files::remove(&loaded)?;
            fs::create_dir_all(&loaded)?;
            let measured = self.measure(engine, &loaded, Errand::Load);
            if measured.is_err() {
                // Nobody shall go on with half a store.
                files::remove(&loaded)?;
            }
            return Ok(vec![measured?]);
        }
        let copy = self.copy(engine);
        if stage.begins_empty() {
            files::remove(&copy)?;
            fs::create_dir_all(&copy)?;
        } else {
            ensure!(loaded.exists(), "no loaded store to begin with");
            files::copy(&loaded, &copy)?;
        }
        let errands = match stage {
            Stage::Append => vec![Errand::Append],
            Stage::Read => vec![Errand::Read],
            Stage::Eventual => vec![Errand::Weak(Promise::Eventual)],
            Stage::None => vec![Errand::Weak(Promise::None)],
            Stage::Busy => vec![Errand::Busy],
            Stage::Group => vec![Errand::Group],
            Stage::Beside => vec![Errand::Beside],
            Stage::Large => vec![Errand::Large],
            Stage::Cold => vec![Errand::Cold],
            Stage::Held => vec![Errand::Held],
            Stage::Compacted => vec![Errand::Compacted],
            Stage::Write => vec![Errand::Write],
            Stage::Remove => vec![Errand::Remove],
            Stage::Reopen => (0..REOPENINGS).map(|attempt| Errand::Reopen { attempt }).collect(),
            Stage::Kill => return self.kill_and_recover(engine, &copy),
            Stage::Load | Stage::Disk => vec![],
        };
        let found = errands.into_iter().map(|errand| self.measure(engine, &copy, errand)).collect();
        // The copies of all stores at once would be a lot of disk for nothing.
        files::remove(&copy)?;
        found
    }

    fn kill_and_recover(&self, engine: Engine, store: &Path) -> Result<Vec<Measured>> {
        let mut moment = self.settings.workload().choice(KILLS);
        let mut first = LOADED + 1;
        let mut found = Vec::new();
        for _ in 0..KILLS {
            let last = self.kill(engine, store, first, moment.f64())?;
            found.push(self.measure(engine, store, Errand::Recover { first, last })?);
            // The next number may have been committed without being acknowledged.
            first = last + 2;
        }
        Ok(found)
    }

    /// Lets a victim commit transactions from number `first` on, kills it after some of them, at
    /// `moment` (0 to 1) of the next; the number of the last that it acknowledged.
    fn kill(&self, engine: Engine, store: &Path, first: u64, moment: f64) -> Result<u64> {
        let victim = self.child(engine, store, Errand::Victim { first })?.spawn();
        let mut victim = Doomed(victim.context("starting a victim")?);
        let output = victim.0.stdout.take().context("a child without output")?;
        let mut lines = BufReader::new(output).lines();
        let mut begun = None;
        let mut last = None;
        for line in lines.by_ref().take(BATCHES_BEFORE_KILL as usize) {
            last = Some(line?);
            begun.get_or_insert_with(Instant::now);
        }
        let begun = begun.context("the victim ended before its time")?;
        let pace = begun.elapsed().div_f64((BATCHES_BEFORE_KILL - 1) as f64);
        thread::sleep(pace.mul_f64(moment));
        victim.0.kill()?;
        victim.0.wait()?;
        // What it said until then counts as acknowledged.
        for line in lines {
            last = Some(line?);
        }
        let last = last.context("the victim committed nothing")?;
        last.parse().with_context(|| format!("the victim said {last:?}"))
    }

    /// Runs a child to its end.
    pub(crate) fn measure(&self, engine: Engine, store: &Path, errand: Errand) -> Result<Measured> {
        files::settle(&self.directory)?;
        let output = self.child(engine, store, errand)?.stderr(Stdio::piped()).output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}", output.status, complaint.trim());
        let mut measured: Measured =
            serde_json::from_slice(&output.stdout).context("reading a child's figures")?;
        measured.retain(|row, _| self.settings.wants(row));
        Ok(measured)
    }

    fn child(&self, engine: Engine, store: &Path, errand: Errand) -> Result<Command> {
        let order =
            Order { engine, directory: store.to_owned(), settings: self.settings.clone(), errand };
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.arg("child").arg(serde_json::to_string(&order)?);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }

    fn loaded(&self, engine: Engine) -> PathBuf {
        self.directory.join(engine.name()).join("loaded")
    }

    fn copy(&self, engine: Engine) -> PathBuf {
        self.directory.join(engine.name()).join("copy")
    }
}

/// A child that is killed in any case: it would write for ever.
struct Doomed(Child);

impl Drop for Doomed {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell of anything else.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn collect(samples: &mut Samples, measured: Measured) {
    for (row, figure) in measured {
        samples.entry(row).or_default().push(figure);
    }
}
