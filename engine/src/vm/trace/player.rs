//! Runs a trace on a machine, operation by operation.

mod kept;
mod real;
mod regions;

use std::collections::HashMap;

use super::{
    answer::{Answer, Snapshot},
    outside::{Nothing, Outside, Reference},
    parse::{BadTrace, Call, Operation, Place},
};
use crate::vm::{
    advise::Advise,
    area::FileId,
    file::Contents,
    machine::{Access, Errno, Machine, Pid, Settings, State},
    map::Mapping,
};

/// Where the first region begins, in pages: 0x200000000000.
const FIRST_REGION: u64 = 0x2_0000_0000;
/// Regions begin at multiples of 8 GiB, so that the number of their tables is easy to foresee.
const REGION: u64 = 1 << 21;
/// Pages of swap for a trace that swaps and does not say how much there is: 256 MiB.
const SWAP: u32 = 1 << 16;

#[derive(Debug, Clone, Default)]
struct Region {
    name: String,
    start: u64,
    pages: u64,
}

/// A trace being run.
pub struct Player {
    machine: Machine,
    names: Vec<String>,
    processes: HashMap<String, Pid>,
    files: HashMap<String, FileId>,
    /// Of each process, in the order in which they were made.
    regions: HashMap<Pid, Vec<Region>>,
    next_region: u64,
    /// Are faults kept in the answers?
    listing: bool,
    /// Did the machine run before?
    resumed: bool,
    outside: Box<dyn Outside>,
}

impl Player {
    /// A machine for a trace, built as `settings` say where the trace says nothing else. With
    /// `listing`, answers carry the faults one by one.
    pub fn new(trace: &[Operation], settings: Settings, listing: bool) -> Player {
        let mut settings = settings;
        let swaps = |operation: &Operation| {
            matches!(operation.call, Call::Advise { advise: Advise::PageOut, .. })
        };
        if settings.swap == 0 && trace.iter().any(swaps) {
            settings.swap = SWAP;
        }
        let built = trace.first().map(|operation| &operation.call);
        if let Some(Call::Machine { ram, swap, .. }) = built {
            settings.memory = ram.unwrap_or(settings.memory);
            settings.swap = swap.unwrap_or(settings.swap);
        }
        let mut machine = Machine::new(settings);
        if let Some(Call::Machine { overcommit, ratio, replacement, .. }) = built {
            machine.commit.mode = overcommit.unwrap_or_default();
            machine.commit.ratio = ratio.unwrap_or(machine.commit.ratio);
            machine.set_replacement(replacement.unwrap_or_default());
        }
        Player {
            machine,
            names: vec!["A".to_owned()],
            processes: HashMap::from([("A".to_owned(), Machine::FIRST)]),
            files: HashMap::new(),
            regions: HashMap::new(),
            next_region: FIRST_REGION,
            listing,
            resumed: false,
            outside: Box::new(Nothing),
        }
    }

    /// Programs and lists of accesses are to be had from there.
    #[must_use]
    pub fn with_outside(mut self, outside: Box<dyn Outside>) -> Player {
        self.outside = outside;
        self
    }

    /// The machine as it is now.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, to set its policies or to go on with it otherwise.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The name of a process.
    pub fn name(&self, process: Pid) -> &str {
        self.names.get(process.0 as usize).map_or("?", String::as_str)
    }

    /// The regions of a process: name, first page, pages.
    pub fn regions(&self, process: Pid) -> impl Iterator<Item = (&str, u64, u64)> {
        let regions = self.regions.get(&process).into_iter().flatten();
        regions.map(|region| (region.name.as_str(), region.start, region.pages))
    }

    /// Does one operation.
    pub fn play(&mut self, operation: &Operation) -> Result<Answer, BadTrace> {
        let mut answer =
            Answer { line: operation.line, text: operation.text.clone(), ..Answer::default() };
        self.act(&operation.call, &mut answer)
            .map_err(|reason| BadTrace { line: operation.line, reason })?;
        if self.machine.is_exhausted() {
            let frames = self.machine.settings().modelled;
            let reason = format!("more than the {frames} frames that may be modelled");
            return Err(BadTrace { line: operation.line, reason });
        }
        Ok(answer)
    }

    fn act(&mut self, call: &Call, answer: &mut Answer) -> Result<(), String> {
        match call {
            Call::Machine { .. } if self.resumed => {
                return Err("the machine is built already: it was stored, and goes on".to_owned());
            }
            Call::Machine { .. } => {}
            Call::File { name, pages, fill } => {
                if self.files.contains_key(name) {
                    return Err(format!("there is a file {name} already"));
                }
                let file = self.machine.add_file(name, *pages, Contents::Fill(*fill));
                self.files.insert(name.clone(), file);
            }
            Call::Map { .. } => self.map(call, answer)?,
            Call::Touch { process, place, step, access } => {
                let pid = self.running(process)?;
                let pages = self.place(pid, place)?;
                let before = (self.machine.tally(pid), self.machine.tables(pid));
                let (listing, faults) = (self.listing, &mut answer.faults);
                let touched =
                    self.machine.touch_or_replace(pid, pages, *step, *access, &mut |fault| {
                        if listing {
                            faults.push(*fault);
                        }
                    });
                answer.signal = Some(touched.signal);
                if let Access::Read { expect: Some(_) } = access {
                    answer.mismatches = Some(touched.mismatches);
                }
                self.count(pid, before, answer);
            }
            Call::Fork { process, child } => {
                let pid = self.running(process)?;
                self.fresh(child)?;
                match self.machine.fork(pid) {
                    Ok(born) => self.born(pid, born, child, answer),
                    Err(errno) => answer.errno = Some(errno),
                }
            }
            Call::Vfork { process, child } => {
                let pid = self.running(process)?;
                self.fresh(child)?;
                match self.machine.vfork(pid) {
                    Ok(born) => self.born(pid, born, child, answer),
                    Err(errno) => answer.errno = Some(errno),
                }
            }
            Call::Spawn { process, child } => {
                let pid = self.running(process)?;
                self.fresh(child)?;
                match self.machine.vfork(pid) {
                    Ok(born) => {
                        self.born(pid, born, child, answer);
                        answer.errno = self.machine.exec(born).err();
                        self.regions.remove(&born);
                        answer.child_tables = Some(self.machine.tables(born));
                    }
                    Err(errno) => answer.errno = Some(errno),
                }
            }
            Call::Exec { process, program } => {
                let pid = self.running(process)?;
                match program {
                    Some(path) => self.exec_program(pid, path, answer)?,
                    None => answer.errno = self.machine.exec(pid).err(),
                }
                if answer.errno.is_none() || self.machine.areas(pid).is_empty() {
                    self.regions.remove(&pid);
                    self.adopt_areas(pid);
                    answer.regions = Some(self.regions(pid).count() as u64);
                }
            }
            Call::Replay { process, file } => {
                let pid = self.running(process)?;
                let before = (self.machine.tally(pid), self.machine.tables(pid));
                self.replay(pid, file, answer)?;
                self.adopt_areas(pid);
                self.count(pid, before, answer);
            }
            Call::Exit { process } => {
                let pid = self.running(process)?;
                self.machine
                    .exit(pid)
                    .map_err(|errno| format!("{process} cannot exit: {errno}"))?;
                answer.total = Some(self.machine.tally(pid));
            }
            Call::Wait { process, child } => {
                let (pid, ended) = (self.running(process)?, self.process(child)?);
                self.machine.wait(pid, ended).map_err(|_| {
                    format!(
                        "{child} is no child of {process} that has ended: it would wait for ever"
                    )
                })?;
                answer.done = true;
            }
            Call::LimitSpace { process, pages } => {
                let pid = self.running(process)?;
                self.machine.limit_space(pid, *pages).map_err(|errno| errno.to_string())?;
                answer.done = true;
            }
            Call::Merge { zero, most } => {
                self.machine.set_merging(*zero, *most);
                match self.machine.merge_pages() {
                    Ok(merged) => answer.merged = Some(merged),
                    Err(errno) => answer.errno = Some(errno),
                }
            }
            Call::Unmerge => match self.machine.unmerge_pages() {
                Ok(merged) => answer.merged = Some(merged),
                Err(errno) => answer.errno = Some(errno),
            },
            Call::Snap { label } => answer.snapshot = Some(self.snapshot(label)),
            Call::Unmap { process, place } => {
                self.call(process, place, answer, |machine, pid, pages| machine.unmap(pid, pages))?;
            }
            Call::Lock { process, place, locked } => {
                self.call(process, place, answer, |machine, pid, pages| {
                    machine.lock_pages(pid, pages, *locked)
                })?;
            }
            Call::Protect { process, place, protection } => {
                self.call(process, place, answer, |machine, pid, pages| {
                    machine.protect(pid, pages, *protection)
                })?;
            }
            Call::Advise { process, place, advise } => {
                self.call(process, place, answer, |machine, pid, pages| {
                    machine.advise(pid, pages, *advise)
                })?;
            }
            Call::Remap { process, place, to } => {
                let pid = self.running(process)?;
                let length = place.pages.end - place.pages.start;
                self.new_region(pid, to)?;
                let start = self.room(length);
                self.call(process, place, answer, |machine, pid, pages| {
                    machine.remap(pid, pages, start)
                })?;
                self.add_region(pid, to, start, length);
            }
            Call::Brk { process, pages } => {
                let pid = self.running(process)?;
                let heap = "heap";
                let start = match self.region(pid, heap) {
                    Ok(region) => region.start,
                    Err(_) => {
                        let (start, end) = match self.machine.heap(pid) {
                            Some(heap) => heap,
                            None => {
                                let start = self.room(REGION);
                                self.machine.set_heap(pid, start).map_err(|e| e.to_string())?;
                                (start, start)
                            }
                        };
                        self.add_region(pid, heap, start, end - start);
                        start
                    }
                };
                let now = start + self.region(pid, heap)?.pages;
                let end = now
                    .checked_add_signed(*pages)
                    .filter(|end| (start..=start + REGION).contains(end))
                    .ok_or("the heap would leave its place")?;
                let before = (self.machine.tally(pid), self.machine.tables(pid));
                match self.machine.brk(pid, end) {
                    Ok(reached) if reached == end => {
                        let regions = self.regions.entry(pid).or_default();
                        for region in regions.iter_mut().filter(|region| region.name == heap) {
                            region.pages = end - start;
                        }
                    }
                    Ok(_) => answer.errno = Some(Errno::NoMemory),
                    Err(errno) => answer.errno = Some(errno),
                }
                self.count(pid, before, answer);
            }
        }
        Ok(())
    }

    fn map(&mut self, call: &Call, answer: &mut Answer) -> Result<(), String> {
        let Call::Map {
            process,
            region,
            pages,
            protection,
            file,
            offset,
            shared,
            populate,
            unreserved,
            huge,
        } = call
        else {
            return Ok(());
        };
        let pid = self.running(process)?;
        self.new_region(pid, region)?;
        let file = match file {
            Some(name) => {
                Some((*self.files.get(name).ok_or(format!("there is no file {name}"))?, *offset))
            }
            None => None,
        };
        let request = Mapping {
            at: Some(self.next_region),
            protection: *protection,
            shared: *shared,
            file,
            populate: *populate,
            unreserved: *unreserved,
            ..Mapping::anonymous(*pages)
        };
        let before = (self.machine.tally(pid), self.machine.tables(pid));
        match self.machine.map(pid, &request) {
            Ok(_) => {}
            Err(errno) => answer.errno = Some(errno),
        }
        if *huge && answer.errno.is_none() {
            // Said of the region when it is there, as programs do.
            let pages = self.next_region..self.next_region + pages;
            answer.errno = self.machine.advise(pid, pages, Advise::HugePage).err();
        }
        // What could not be mapped is a region of holes.
        let start = self.room(*pages);
        self.add_region(pid, region, start, *pages);
        self.count(pid, before, answer);
        Ok(())
    }

    /// A system call on a range of pages.
    fn call(
        &mut self,
        process: &str,
        place: &Place,
        answer: &mut Answer,
        call: impl FnOnce(&mut Machine, Pid, std::ops::Range<u64>) -> Result<(), Errno>,
    ) -> Result<(), String> {
        let pid = self.running(process)?;
        let pages = self.place(pid, place)?;
        let before = (self.machine.tally(pid), self.machine.tables(pid));
        let result = call(&mut self.machine, pid, pages);
        answer.errno = result.err();
        self.count(pid, before, answer);
        Ok(())
    }

    fn count(&self, pid: Pid, before: (crate::vm::Tally, u64), answer: &mut Answer) {
        answer.tally = Some(self.machine.tally(pid) - before.0);
        answer.tables = Some(self.machine.tables(pid) as i64 - before.1 as i64);
    }

    /// What everybody has mapped.
    pub fn snapshot(&self, label: &str) -> Snapshot {
        let census = self.machine.census();
        let mut regions = Vec::new();
        for pid in self.machine.processes().filter(|pid| self.machine.is_alive(*pid)) {
            for (region, start, pages) in self.regions(pid) {
                let pages = self.machine.pages(&census, pid, start..start + pages);
                regions.push((self.name(pid).to_owned(), region.to_owned(), pages));
            }
        }
        // Memory that a vfork shares is listed for both, and counted for both.
        let mapped_anonymous =
            regions.iter().map(|(_, _, pages)| pages.anonymous + pages.merged).sum();
        Snapshot {
            label: label.to_owned(),
            regions,
            mapped_anonymous,
            anonymous_frames: census.anonymous_frames,
            file_frames: census.file_frames,
        }
    }

    /// The lines that end a run: a last snapshot, and what each process counted.
    pub fn end(&self) -> Vec<String> {
        let snapshot = self.snapshot("end").to_string();
        let mut lines: Vec<String> = snapshot.lines().map(str::to_owned).collect();
        for pid in self.machine.processes() {
            let tally = self.machine.tally(pid);
            let state = if self.machine.is_alive(pid) { "alive" } else { "exited" };
            let name = self.name(pid);
            lines.push(format!("proc {name} min={} maj={} {state}", tally.minor, tally.major));
        }
        lines
    }

    // ---- names ---------------------------------------------------------------------------

    fn process(&self, name: &str) -> Result<Pid, String> {
        self.processes.get(name).copied().ok_or(format!("there is no process {name}"))
    }

    fn running(&self, name: &str) -> Result<Pid, String> {
        let pid = self.process(name)?;
        match self.machine.state(pid) {
            State::Running => Ok(pid),
            State::Asleep(child) => {
                Err(format!("{name} sleeps until {} executes something or exits", self.name(child)))
            }
            State::Ended | State::Reaped => Err(format!("{name} has exited")),
        }
    }

    fn fresh(&self, name: &str) -> Result<(), String> {
        match self.processes.contains_key(name) {
            true => Err(format!("there has been a process {name} already")),
            false => Ok(()),
        }
    }

    fn born(&mut self, parent: Pid, child: Pid, name: &str, answer: &mut Answer) {
        self.names.push(name.to_owned());
        self.processes.insert(name.to_owned(), child);
        let regions = self.regions.get(&parent).cloned().unwrap_or_default();
        self.regions.insert(child, regions);
        answer.child_tables = Some(self.machine.tables(child));
    }

    fn region(&self, pid: Pid, name: &str) -> Result<&Region, String> {
        let mut regions = self.regions.get(&pid).into_iter().flatten();
        regions
            .find(|region| region.name == name)
            .ok_or_else(|| format!("{} has no region {name}", self.name(pid)))
    }

    fn new_region(&self, pid: Pid, name: &str) -> Result<(), String> {
        match self.region(pid, name) {
            Ok(_) => Err(format!("{} has a region {name} already", self.name(pid))),
            Err(_) => Ok(()),
        }
    }

    fn add_region(&mut self, pid: Pid, name: &str, start: u64, pages: u64) {
        let region = Region { name: name.to_owned(), start, pages };
        self.regions.entry(pid).or_default().push(region);
    }

    /// Takes so many pages of fresh addresses.
    fn room(&mut self, pages: u64) -> u64 {
        let start = self.next_region;
        // Behind the end of the address space nothing can be mapped; there it stops.
        // There is always a gap, so that neighbours are never joined.
        self.next_region = (((start + pages) / REGION + 1) * REGION).min(1 << 50);
        start
    }

    fn place(&self, pid: Pid, place: &Place) -> Result<std::ops::Range<u64>, String> {
        let region = self.region(pid, &place.region)?;
        if place.pages.end > region.pages {
            return Err(format!(
                "region {} has {} pages: {} is behind its end",
                place.region, region.pages, place.pages.end
            ));
        }
        Ok(region.start + place.pages.start..region.start + place.pages.end)
    }
}
