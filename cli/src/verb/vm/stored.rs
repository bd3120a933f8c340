//! Machines in databases: where `vm run` goes on from, where it leaves what it made, and `vm
//! machines`, which lists them.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use cowslip::{
    Database,
    vm::{Machine, StoredMachine, trace::Player},
};

use crate::{
    failure::{Failure, Outcome},
    format::tsv,
    output::{self, json_line},
    place::{At, MAIN},
    store,
};

/// Where a machine is kept.
#[derive(clap::Args)]
pub(super) struct Keep {
    /// Go on with the machine that is stored in this database
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Store the machine in this database when the trace has ended: in main, or in --branch
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    store: Option<PathBuf>,
    /// The name of the stored machine
    #[arg(long, value_name = "NAME", default_value = "machine")]
    name: String,
    #[command(flatten)]
    at: At,
}

impl Keep {
    /// The player of the machine that the run goes on with, if it does.
    pub(super) fn resumed(&self, modelled: u32, listing: bool) -> Result<Option<Player>, Failure> {
        let Some(path) = &self.resume else { return Ok(None) };
        let db = store::for_reading(path)?;
        let machine = self.at.read(&db)?.machine(&self.name, modelled)?;
        store::close(path, db)?;
        let bad = |reason| Failure::Other(format!("{}: {:?}: {reason}", path.display(), self.name));
        Player::resume(machine, listing).map(Some).map_err(bad)
    }

    /// Stores the machine, if it is to be stored: its name, and what that wrote.
    pub(super) fn keep(
        &self,
        player: &mut Player,
    ) -> Result<Option<(&str, StoredMachine)>, Failure> {
        let Some(path) = &self.store else { return Ok(None) };
        let db = Database::builder()
            .open_or_create(path)
            .map_err(|error| Failure::of_file(path, error))?;
        let stored = self.write(&db, player.machine_to_store())?;
        store::close(path, db)?;
        Ok(Some((&self.name, stored)))
    }

    fn write(&self, db: &Database, machine: &mut Machine) -> Result<StoredMachine, Failure> {
        let tx = db.begin_write_on(self.at.branch().unwrap_or(MAIN))?;
        let stored = tx.store_machine(&self.name, machine)?;
        tx.commit()?;
        Ok(stored)
    }
}

/// List the machines that are stored in a database
#[derive(clap::Args)]
pub(crate) struct MachinesArgs {
    /// The database
    file: PathBuf,
    #[command(flatten)]
    at: At,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
    /// Refuse machines for which the model itself would need more memory than so many MiB
    #[arg(long, value_name = "MIB", default_value_t = 8192)]
    memory: u32,
}

#[derive(serde::Serialize)]
struct Row {
    name: String,
    /// Processes that have not ended.
    processes: usize,
    /// Frames in use, tables included.
    frames: u32,
    /// Pages in swap.
    swapped: u32,
}

pub(super) fn machines(args: &MachinesArgs) -> Outcome {
    let rows = rows(&args.file, args)?;
    let mut out = output::stdout();
    if args.json {
        json_line(&mut out, &rows)?;
    } else {
        for row in rows {
            tsv::write_escaped(&mut out, row.name.as_bytes())?;
            writeln!(
                out,
                "\tprocesses={} frames={} swapped={}",
                row.processes, row.frames, row.swapped
            )?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn rows(path: &Path, args: &MachinesArgs) -> Result<Vec<Row>, Failure> {
    let db = store::for_reading(path)?;
    let tx = args.at.read(&db)?;
    let row = |name: String| {
        let machine = tx.machine(&name, args.memory.saturating_mul(256))?;
        let alive = machine.processes().filter(|pid| machine.is_alive(*pid));
        Ok(Row {
            processes: alive.count(),
            frames: machine.frames().used(),
            swapped: machine.swap().used(),
            name,
        })
    };
    tx.machines()?.into_iter().map(row).collect()
}
