//! What a player keeps with a machine that is stored: the names that the trace gave.

use std::collections::HashMap;

use super::{Player, Region};
use crate::vm::{
    area::FileId,
    machine::{Machine, Pid},
    stored::codec::{Coded, Fault, Io, check},
    trace::outside::Nothing,
};

/// The first bytes: another owner of a machine keeps something else with it.
const MARK: &[u8] = b"cowslip trace 1\n";

#[derive(Default)]
struct Kept {
    names: Vec<String>,
    files: Vec<(String, u32)>,
    regions: Vec<(u32, Vec<Region>)>,
    next_region: u64,
}

impl Kept {
    fn code(&mut self, io: &mut Io<'_>) -> Coded {
        let mut mark = MARK.to_vec();
        io.bytes(&mut mark)?;
        check(mark == MARK, "mark of a trace's machine", 1, 0)?;
        io.list(&mut self.names, String::new, Io::text)?;
        io.list(&mut self.files, Default::default, |io, (name, file)| {
            io.text(name)?;
            io.small(file)
        })?;
        io.list(&mut self.regions, Default::default, |io, (pid, regions)| {
            io.small(pid)?;
            io.list(regions, Region::default, |io, region| {
                io.text(&mut region.name)?;
                io.below(&mut region.start, 1 << 51, "start of a region")?;
                io.below(&mut region.pages, 1 << 51, "pages of a region")
            })
        })?;
        io.below(&mut self.next_region, 1 << 51, "start of the next region")
    }
}

impl Player {
    /// The machine as it is now, and with it the names of processes, files and regions: stored, it
    /// can be [resumed](Player::resume).
    pub fn machine_to_store(&mut self) -> &mut Machine {
        let mut kept = Kept {
            names: self.names.clone(),
            files: self.files.iter().map(|(name, file)| (name.clone(), file.0)).collect(),
            regions: self.regions.iter().map(|(pid, all)| (pid.0, all.clone())).collect(),
            next_region: self.next_region,
        };
        kept.files.sort();
        kept.regions.sort_by_key(|(pid, _)| *pid);
        let mut io = Io::Write(Vec::new());
        let coded = kept.code(&mut io);
        debug_assert!(coded.is_ok(), "{coded:?}");
        if let Io::Write(bytes) = io {
            self.machine.annex = bytes;
        }
        &mut self.machine
    }

    /// Goes on with a machine that a player stored. An error says what is wrong with what was kept.
    pub fn resume(machine: Machine, listing: bool) -> Result<Player, String> {
        let say = |Fault { what, expected, found }| {
            format!(
                "the machine was not stored by a trace: {what} should be {expected}, is {found}"
            )
        };
        let mut kept = Kept::default();
        kept.code(&mut Io::Read(&machine.annex)).map_err(say)?;
        let processes = machine.processes().count() as u64;
        let files = machine.files.len() as u64;
        let fits = || {
            check(kept.names.len() as u64 == processes, "names of processes", processes, 0)?;
            for (_, file) in &kept.files {
                check(u64::from(*file) < files, "number of a file", files, (*file).into())?;
            }
            for (pid, _) in &kept.regions {
                check(u64::from(*pid) < processes, "number of a process", processes, 0)?;
            }
            Ok(())
        };
        fits().map_err(say)?;
        let processes = (0..).map(Pid);
        Ok(Player {
            processes: kept.names.iter().cloned().zip(processes).collect(),
            names: kept.names,
            files: kept.files.into_iter().map(|(name, file)| (name, FileId(file))).collect(),
            regions: kept
                .regions
                .into_iter()
                .map(|(pid, all)| (Pid(pid), all))
                .collect::<HashMap<_, _>>(),
            next_region: kept.next_region,
            machine,
            listing,
            resumed: true,
            outside: Box::new(Nothing),
        })
    }
}
