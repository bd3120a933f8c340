//! A real Btrfs on a loop device, where the program may make one: the same operations on a file of
//! as many bytes as the store has rows for, through the `btrfs` command.

mod volume;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::figures::figure;
use super::subject::timed;
use super::{Bench, Experiment, create, delete, overwrite, stream};
use crate::rows::Unit;
use crate::statistics::percentile;
use volume::{Volume, command};

pub(super) const NAME: &str = "btrfs";

const BLOCK: u64 = 4096;

/// Operations whose median counts.
const TIMES: u64 = 10;

/// Snapshots that are all the same.
const IDENTICAL: u64 = 50;

/// The volume, and how much stands in it.
pub(super) struct Btrfs {
    volume: Volume,
    blocks: u64,
    /// Blocks of which one per cent is sent: as many as a store has large values.
    sent: u64,
}

impl Btrfs {
    /// Makes one; without the tools, or the rights, there is none, and a line says so.
    pub(super) fn new(directory: &Path, keys: u64) -> Result<Option<Btrfs>> {
        match Volume::new(directory, (keys * 174 * 8).max(1 << 30))? {
            Ok(volume) => {
                Ok(Some(Btrfs { volume, blocks: (keys * 174).div_ceil(BLOCK), sent: keys / 40 }))
            }
            Err(reason) => {
                eprintln!("no Btrfs to compare with: {reason}");
                Ok(None)
            }
        }
    }

    pub(super) fn run(&self, experiment: Experiment, bench: &mut Bench<'_>) -> Result<()> {
        let work = match experiment {
            Experiment::Create => Self::create,
            Experiment::Overwrite => Self::overwrite,
            Experiment::Delete => Self::delete,
            Experiment::Stream => Self::stream,
            Experiment::Held | Experiment::Diff | Experiment::Usage => return Ok(()),
        };
        self.volume.empty()?;
        work(self, bench)
    }

    fn subvolume(&self, blocks: u64) -> Result<File> {
        self.volume.btrfs("subvolume create", &["data"])?;
        let mut file = File::create_new(self.volume.path("data/file"))?;
        let mut rng = Rng::with_seed(blocks);
        let mut block = [0; BLOCK as usize];
        for _ in 0..blocks {
            rng.fill(&mut block);
            file.write_all(&block)?;
        }
        self.volume.sync()?;
        Ok(file)
    }

    fn overwrite_block(mut file: &File, place: u64) -> Result<()> {
        let mut block = [0; BLOCK as usize];
        Rng::new().fill(&mut block);
        file.seek(SeekFrom::Start(place * BLOCK))?;
        Ok(file.write_all(&block)?)
    }

    fn create(&self, bench: &mut Bench<'_>) -> Result<()> {
        let _file = self.subvolume(self.blocks)?;
        let (mut took, mut bytes) = (Vec::new(), Vec::new());
        for number in 0..TIMES {
            let before = self.volume.written()?;
            took.push(timed(|| self.volume.snapshot(&format!("snapshot-{number}")))?);
            self.volume.sync()?;
            bytes.push((self.volume.written()? - before) as f64);
        }
        let where_ = format!("{} keys", bench.settings.large_keys());
        let time = figure(create::title(&where_), Unit::Microseconds);
        bench.add(NAME, time, percentile(&mut took, 0.5));
        let title = format!("– with the next checkpoint ({where_})");
        bench.add(NAME, figure(title, Unit::Bytes), percentile(&mut bytes, 0.5));
        Ok(())
    }

    fn overwrite(&self, bench: &mut Bench<'_>) -> Result<()> {
        let file = self.subvolume(self.blocks)?;
        let mut totals = [0.0; 2];
        for shared in [false, true] {
            let mut samples: [Vec<f64>; 3] = Default::default();
            for number in 0..TIMES {
                if shared {
                    self.volume.snapshot(&format!("snapshot-{number}"))?;
                }
                self.volume.sync()?;
                let before = self.volume.written()?;
                let took = timed(|| {
                    Self::overwrite_block(&file, Rng::new().u64(0..self.blocks))?;
                    Ok(file.sync_data()?)
                })?;
                let commit = self.volume.written()? - before;
                self.volume.sync()?;
                let all = self.volume.written()? - before;
                for (samples, sample) in samples.iter_mut().zip([took, commit as f64, all as f64]) {
                    samples.push(sample);
                }
            }
            let [took, commit, all] = samples.each_mut().map(|samples| percentile(samples, 0.5));
            bench.add(NAME, overwrite::commit(shared), commit);
            bench.add(NAME, overwrite::checkpointed(shared), all);
            bench.add(NAME, overwrite::time(shared), took);
            totals[usize::from(shared)] = all;
        }
        bench.add(NAME, overwrite::ratio(), totals[1] / totals[0]);
        Ok(())
    }

    fn delete(&self, bench: &mut Bench<'_>) -> Result<()> {
        let mut file = self.subvolume(self.blocks)?;
        let names: Vec<_> = (0..IDENTICAL).map(|number| format!("same-{number}")).collect();
        names.iter().try_for_each(|name| self.volume.snapshot(name))?;
        self.deletion(bench, &names, delete::ONE_OF_IDENTICAL)?;

        self.volume.snapshot("old")?;
        file.rewind()?;
        let mut rng = Rng::new();
        let mut block = [0; BLOCK as usize];
        for _ in 0..self.blocks {
            rng.fill(&mut block);
            file.write_all(&block)?;
        }
        self.deletion(bench, &["old".into()], delete::DIVERGED)
    }

    fn deletion(&self, bench: &mut Bench<'_>, names: &[String], what: &str) -> Result<()> {
        self.volume.sync()?;
        let mut calls = Vec::new();
        let mut until_back = timed(|| {
            for name in names {
                calls.push(timed(|| self.volume.btrfs("subvolume delete", &[name]))?);
            }
            Ok(())
        })?;
        until_back += timed(|| self.volume.reclaim())?;
        bench.add(NAME, delete::call(what), percentile(&mut calls, 0.5));
        bench.add(NAME, delete::back(what), until_back / names.len() as f64);
        Ok(())
    }

    fn stream(&self, bench: &mut Bench<'_>) -> Result<()> {
        let file = self.subvolume(self.sent)?;
        self.volume.snapshot("base")?;
        self.volume.sync()?;
        let stream = bench.directory.join("btrfs-stream");
        let send = |arguments: &[&str]| -> Result<(f64, f64)> {
            let took = timed(|| {
                let mut send = command("btrfs");
                send.args(["-q", "send", "-f"]).arg(&stream).args(arguments);
                volume::done(send.current_dir(self.volume.path("")))
            })?;
            Ok((took, stream.metadata()?.len() as f64))
        };
        let (took, bytes) = send(&["base"])?;
        bench.add(NAME, stream::full(), bytes * 1e6 / took);
        std::fs::create_dir(self.volume.path("received"))?;
        let receive = || {
            timed(|| {
                let mut receive = command("btrfs");
                receive.args(["-q", "receive", "-f"]).arg(&stream).arg("received");
                volume::done(receive.current_dir(self.volume.path("")))
            })
        };
        bench.add(NAME, stream::receive_full(), bytes * 1e6 / receive()?);

        let places: std::collections::BTreeSet<u64> = {
            let mut rng = Rng::with_seed(1);
            (0..(self.sent / 100).max(1)).map(|_| rng.u64(0..self.sent)).collect()
        };
        places.iter().try_for_each(|&place| Self::overwrite_block(&file, place))?;
        self.volume.sync()?;
        self.volume.snapshot("target")?;
        self.volume.sync()?;
        let (took, bytes) = send(&["-p", "base", "target"])?;
        let payload = (places.len() as u64 * BLOCK) as f64;
        ensure!(bytes >= payload, "a stream of {bytes} bytes");
        let row = |what, unit| stream::part("snapshot", what, unit);
        bench.add(NAME, row(stream::OVER_PAYLOAD, Unit::Times), bytes / payload);
        bench.add(NAME, row("time", Unit::Microseconds), took);
        bench.add(NAME, row("time to receive", Unit::Microseconds), receive()?);
        Ok(std::fs::remove_file(&stream)?)
    }
}
