//! A machine: memory, files, processes, and the accesses that processes make.
//!
//! Accesses take `&self`, so several threads may be several processes at once: each address space
//! has its lock, frames their atomic counts. Calls that change what an address space is, and all
//! that looks at several of them (fork, merging, replacement), take `&mut self`.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    area::{Areas, FileId},
    commit::Commit,
    entry::Entry,
    fault::{Fault, Refusal, Signal},
    file::{Contents, File},
    frames::{Frame, Frames},
    reclaim::Attempts,
    space::Space,
    swap::Swap,
    tables::{Memory, PAGES},
    tally::Tally,
};

/// Why a call failed; the names are those of `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errno {
    /// ENOMEM: no memory, no address space, or a hole where none may be.
    NoMemory,
    /// EINVAL: the call makes no sense for this area.
    Invalid,
    /// EFAULT: the access that the call would make is refused.
    Fault,
    /// EACCES: the mapping does not allow it.
    Denied,
    /// EAGAIN: a limit on processes.
    Again,
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Errno::NoMemory => "ENOMEM",
            Errno::Invalid => "EINVAL",
            Errno::Fault => "EFAULT",
            Errno::Denied => "EACCES",
            Errno::Again => "EAGAIN",
        })
    }
}

impl From<super::frames::NoFrame> for Errno {
    fn from(_: super::frames::NoFrame) -> Errno {
        Errno::NoMemory
    }
}

/// How `fork` gives the child its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForkMode {
    /// Page tables are copied, as Linux does.
    #[default]
    Eager,
    /// Page tables are shared until one of the processes changes them.
    Shared,
}

/// The number of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It waits until the child it made with `vfork` has executed something or ended.
    Asleep(Pid),
    /// It has ended, and its parent has not asked yet.
    Ended,
    /// It has ended, and its parent knows.
    Reaped,
}

pub(crate) struct Process {
    pub(crate) parent: Option<Pid>,
    pub(crate) state: State,
    /// None: ended.
    pub(crate) space: Option<Arc<Mutex<Space>>>,
    pub(crate) tally: Mutex<Tally>,
    /// Killed by this.
    pub(crate) signal: Option<Signal>,
}

/// An access to a page, at its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A load; what it finds is compared.
    Read {
        /// What should be there.
        expect: Option<u8>,
    },
    /// A store.
    Write {
        /// Of this.
        value: u8,
    },
}

/// What became of a run of accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    /// Loads that did not find what was expected.
    pub mismatches: u64,
    /// The signal that ended the run early.
    pub signal: Option<Signal>,
    /// The page at which no frame was free.
    pub starved_at: Option<u64>,
}

/// How a machine is built.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Frames of memory.
    pub memory: u32,
    /// Pages of swap.
    pub swap: u32,
    /// How `fork` works.
    pub fork: ForkMode,
    /// Most areas that a process may have (`vm.max_map_count`).
    pub areas: usize,
    /// Most processes.
    pub processes: usize,
    /// Most frames that the model itself may take memory for; a machine that needs more cannot be
    /// modelled here ([`Machine::is_exhausted`]), whatever memory it has.
    pub modelled: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            memory: 6_171_021,
            swap: 0,
            fork: ForkMode::Eager,
            areas: 65530,
            processes: 32768,
            modelled: u32::MAX,
        }
    }
}

/// A machine.
pub struct Machine {
    pub(crate) memory: Memory,
    pub(crate) files: Vec<File>,
    pub(crate) processes: Vec<Process>,
    pub(crate) settings: Settings,
    /// What was promised to whom.
    pub commit: Commit,
    origins: AtomicU64,
    pub(crate) merging: super::merge::Merging,
    pub(crate) hand: super::reclaim::Hand,
    pub(crate) huge: Mutex<super::huge::HugePages>,
    /// Where it was stored last, or came from.
    pub(crate) home: Option<super::stored::Home>,
    /// What its owner wants to be kept with it when it is stored.
    pub annex: Vec<u8>,
}

impl Machine {
    /// A machine with one process, without areas.
    pub fn new(settings: Settings) -> Machine {
        let memory = Memory {
            frames: Frames::new(settings.memory, settings.modelled),
            swap: Swap::new(settings.swap),
        };
        let mut machine = Machine {
            memory,
            files: Vec::new(),
            processes: Vec::new(),
            commit: Commit::new(settings.memory.into(), settings.swap.into()),
            settings,
            origins: AtomicU64::new(1),
            merging: Default::default(),
            hand: Default::default(),
            huge: Mutex::default(),
            home: None,
            annex: Vec::new(),
        };
        let space = Space::new(&machine.memory).ok().map(|space| Arc::new(Mutex::new(space)));
        machine.processes.push(Process {
            parent: None,
            state: State::Running,
            space,
            tally: Mutex::default(),
            signal: None,
        });
        machine
    }

    /// The process that is there from the start.
    pub const FIRST: Pid = Pid(0);

    /// How it was built.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Did the machine touch more frames than may be modelled? Nothing it says is true from then on.
    pub fn is_exhausted(&self) -> bool {
        self.memory.frames.is_exhausted()
    }

    /// Physical memory.
    pub fn frames(&self) -> &Frames {
        &self.memory.frames
    }

    /// Swap.
    pub fn swap(&self) -> &Swap {
        &self.memory.swap
    }

    /// Keeps swapped pages on this empty storage from now on, instead of in memory. It is of no use to
    /// anybody when the machine is gone.
    pub fn swap_to(&mut self, storage: Arc<dyn crate::Storage>) -> crate::Result<()> {
        Ok(self.memory.swap.move_to(storage)?)
    }

    /// Adds a file of so many pages.
    pub fn add_file(&mut self, name: &str, pages: u64, contents: Contents) -> FileId {
        self.files.push(File::new(name, pages, contents));
        FileId(self.files.len() as u32 - 1)
    }

    /// A file.
    pub fn file(&self, file: FileId) -> &File {
        &self.files[file.0 as usize]
    }

    /// The number of the next origin.
    pub(crate) fn origins(&self) -> u64 {
        self.origins.load(Relaxed)
    }

    pub(crate) fn set_origins(&mut self, next: u64) {
        self.origins = AtomicU64::new(next);
    }

    pub(crate) fn next_origin(&self) -> u64 {
        self.origins.fetch_add(1, Relaxed)
    }

    /// All processes that ever were, in the order of their birth.
    pub fn processes(&self) -> impl Iterator<Item = Pid> + '_ {
        (0..self.processes.len() as u32).map(Pid)
    }

    /// What a process is doing.
    pub fn state(&self, process: Pid) -> State {
        self.processes[process.0 as usize].state
    }

    /// Has it not ended?
    pub fn is_alive(&self, process: Pid) -> bool {
        matches!(self.state(process), State::Running | State::Asleep(_))
    }

    /// The parent of a process.
    pub fn parent(&self, process: Pid) -> Option<Pid> {
        self.processes[process.0 as usize].parent
    }

    /// The signal that ended a process.
    pub fn killed_by(&self, process: Pid) -> Option<Signal> {
        self.processes[process.0 as usize].signal
    }

    /// What happened to a process so far.
    pub fn tally(&self, process: Pid) -> Tally {
        *lock(&self.processes[process.0 as usize].tally)
    }

    pub(crate) fn count(&self, process: Pid, add: impl FnOnce(&mut Tally)) {
        add(&mut lock(&self.processes[process.0 as usize].tally));
    }

    /// The areas of a process, as they are now.
    pub fn areas(&self, process: Pid) -> Areas {
        self.space(process).map_or_else(Areas::default, |space| space.areas.clone())
    }

    /// Page tables of a process, the root not counted.
    pub fn tables(&self, process: Pid) -> u64 {
        self.space(process).map_or(0, |space| space.tables.count)
    }

    /// The entry of a page in a process.
    pub fn entry(&self, process: Pid, page: u64) -> Entry {
        self.space(process).map_or(Entry::NONE, |space| space.tables.entry(&self.memory, page))
    }

    /// Calls `visit` with each entry of `pages` that is not none, in order.
    pub fn entries(&self, process: Pid, pages: Range<u64>, mut visit: impl FnMut(u64, Entry)) {
        let Some(space) = self.space(process) else { return };
        for part in space.tables.parts(&self.memory, pages) {
            for page in part.pages {
                let entry = self.memory.frames.entry(part.table, page as usize % 512);
                if !entry.is_none() {
                    visit(page, entry);
                }
            }
        }
    }

    pub(crate) fn space(&self, process: Pid) -> Option<MutexGuard<'_, Space>> {
        self.processes[process.0 as usize].space.as_deref().map(lock)
    }

    /// Processes that have an address space, each space once.
    pub(crate) fn spaces(&self) -> Vec<(Pid, Arc<Mutex<Space>>)> {
        let mut spaces: Vec<(Pid, Arc<Mutex<Space>>)> = Vec::new();
        let mut known = HashSet::new();
        for pid in self.processes() {
            if let Some(space) = &self.processes[pid.0 as usize].space
                && known.insert(Arc::as_ptr(space))
            {
                spaces.push((pid, space.clone()));
            }
        }
        spaces
    }

    /// A process accesses every `step`-th page of `pages`, until a signal or the lack of a frame
    /// ends the run. Each fault is shown to `see`.
    pub fn touch(
        &self,
        process: Pid,
        pages: Range<u64>,
        step: u64,
        access: Access,
        see: &mut dyn FnMut(&Fault),
    ) -> Touched {
        let mut touched = Touched::default();
        let Some(mut space) = self.space(process) else {
            touched.signal = Some(Signal::NotMapped);
            return touched;
        };
        let mut tally = Tally::default();
        let mut page = pages.start;
        while page < pages.end {
            let result = self.access(&mut space, page, access, &mut |fault| {
                tally.add_fault(fault);
                see(fault);
            });
            match result {
                Ok(matched) => touched.mismatches += u64::from(!matched),
                Err(Refusal::Signal { signal, mapped }) => {
                    tally.map_around(mapped);
                    touched.signal = Some(signal);
                    break;
                }
                Err(Refusal::NoFrame) => {
                    touched.starved_at = Some(page);
                    break;
                }
            }
            page = page.saturating_add(step.max(1));
        }
        drop(space);
        self.count(process, |all| *all += tally);
        touched
    }

    /// As [`Machine::touch`], and when no frame is free, pages are replaced; when none can be, the
    /// process that has most is killed.
    pub fn touch_or_replace(
        &mut self,
        process: Pid,
        pages: Range<u64>,
        step: u64,
        access: Access,
        see: &mut dyn FnMut(&Fault),
    ) -> Touched {
        let mut touched = self.touch(process, pages.clone(), step, access, see);
        let mut attempts = Attempts::default();
        while let Some(page) = touched.starved_at.filter(|_| !self.is_exhausted()) {
            if !attempts.again(page) || !self.replace_pages() {
                let victim = self.kill_for_memory();
                if victim.is_none() || victim == Some(process) {
                    touched.signal = Some(Signal::OutOfMemory);
                    return touched;
                }
            }
            let rest = self.touch(process, page..pages.end, step, access, see);
            touched = Touched { mismatches: touched.mismatches + rest.mismatches, ..rest };
        }
        touched
    }

    /// One access: what the processor does, with a fault wherever the tables do not allow it.
    fn access(
        &self,
        space: &mut Space,
        page: u64,
        access: Access,
        see: &mut dyn FnMut(&Fault),
    ) -> Result<bool, Refusal> {
        if page >= PAGES {
            return Err(Signal::NotMapped.into());
        }
        let write = matches!(access, Access::Write { .. });
        loop {
            if let Some(frame) = self.translate(space, page, write) {
                let frames = &self.memory.frames;
                return Ok(match access {
                    Access::Write { value } => {
                        frames.set_byte(frame, 0, value);
                        true
                    }
                    Access::Read { expect } => {
                        expect.is_none_or(|value| value == frames.byte(frame, 0))
                    }
                });
            }
            let fault = self.fault(space, page, write)?;
            see(&fault);
        }
    }

    /// The walk of the processor: the frame, if all on the way allows the access.
    fn translate(&self, space: &Space, page: u64, write: bool) -> Option<Frame> {
        let frames = &self.memory.frames;
        let leaf = space.tables.leaf(&self.memory, page)?;
        let index = page as usize % 512;
        let entry = frames.entry(leaf.table, index);
        let needed = Entry::PRESENT | Entry::USER | if write { Entry::WRITABLE } else { 0 };
        if !entry.has(needed) || write && !leaf.sole {
            return None;
        }
        let marks = Entry::ACCESSED | if write { Entry::DIRTY } else { 0 };
        if !entry.has(marks) {
            frames.mark(leaf.table, index, marks);
        }
        entry.mapped()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
