//! Processes: fork in two ways, vfork, exec, exit, wait.
//!
//! ```text
//! eager    tables are copied for every area that has private pages; both sides are write-protected
//! shared   one owner more of the root: constant time; tables are copied where one side changes them
//! ```
//!
//! The processes see the same either way. Areas that a child must not have, or must have empty, are
//! taken from it after a shared fork, which copies the tables above them only.

use std::sync::{Arc, Mutex};

use super::{
    area::{Area, Areas, Origin},
    entry::Entry,
    fault::Signal,
    frames::Frame,
    machine::{Errno, ForkMode, Machine, Pid, Process, State, lock},
    space::Space,
    tables::{PAGES, Tables},
};

impl Machine {
    /// A child with a copy of the parent's memory.
    pub fn fork(&mut self, parent: Pid) -> Result<Pid, Errno> {
        self.may_have_child(parent)?;
        let mut guard = self.space(parent).ok_or(Errno::Invalid)?;
        let (areas, limit, heap) = (guard.areas.clone(), guard.limit, guard.heap);
        let mut inherited = Areas::default();
        for area in areas.iter().filter(|area| !area.advice.not_forked) {
            inherited.insert(self.inherit(area));
        }
        drop(guard);
        self.charge_all(&inherited, areas.pages())?;
        guard = self.space(parent).ok_or(Errno::Invalid)?;
        let tables = match self.settings.fork {
            ForkMode::Eager => self.copy_tables(&mut guard, &areas),
            ForkMode::Shared => Ok(guard.tables.share(&self.memory)),
        };
        drop(guard);
        let tables = match tables {
            Ok(tables) => tables,
            Err(error) => {
                self.uncharge_all(&inherited);
                return Err(error);
            }
        };
        let mut space = Space { areas: inherited, tables, limit, heap };
        if self.settings.fork == ForkMode::Shared {
            for area in areas.iter() {
                if (area.advice.not_forked || area.advice.wiped_on_fork)
                    && let Err(error) = self.take_from_child(&mut space, area)
                {
                    self.uncharge_all(&space.areas);
                    space.tables.release(&self.memory);
                    return Err(error);
                }
            }
        }
        Ok(self.add_process(parent, Arc::new(Mutex::new(space))))
    }

    /// A child that runs in the parent's memory until it executes something or ends; the parent
    /// sleeps until then.
    pub fn vfork(&mut self, parent: Pid) -> Result<Pid, Errno> {
        self.may_have_child(parent)?;
        let process = &self.processes[parent.0 as usize];
        let space = process.space.clone().ok_or(Errno::Invalid)?;
        let child = self.add_process(parent, space);
        self.processes[parent.0 as usize].state = State::Asleep(child);
        Ok(child)
    }

    fn may_have_child(&self, parent: Pid) -> Result<(), Errno> {
        if self.state(parent) != State::Running {
            return Err(Errno::Invalid);
        }
        let alive = self.processes.iter().filter(|process| process.state != State::Reaped).count();
        if alive >= self.settings.processes { Err(Errno::Again) } else { Ok(()) }
    }

    fn add_process(&mut self, parent: Pid, space: Arc<Mutex<Space>>) -> Pid {
        self.processes.push(Process {
            parent: Some(parent),
            state: State::Running,
            space: Some(space),
            tally: Mutex::default(),
            signal: None,
        });
        Pid(self.processes.len() as u32 - 1)
    }

    /// An area as the child has it.
    fn inherit(&self, area: &Area) -> Area {
        let mut child = area.clone();
        child.advice.locked = false;
        child.anonymous_origin = match area.anonymous_origin {
            Some(_) if !area.advice.wiped_on_fork => {
                Some(Origin { number: self.next_origin(), inherited: true })
            }
            _ => None,
        };
        child
    }

    fn charge_all(&mut self, areas: &Areas, total: u64) -> Result<(), Errno> {
        let mut charged = 0;
        for area in areas.iter().filter(|area| area.advice.charged) {
            if !self.commit.charge(area.len(), total) {
                self.commit.uncharge(charged);
                return Err(Errno::NoMemory);
            }
            charged += area.len();
        }
        Ok(())
    }

    fn uncharge_all(&mut self, areas: &Areas) {
        let charged = areas.iter().filter(|area| area.advice.charged).map(Area::len).sum();
        self.commit.uncharge(charged);
    }

    /// The child's own tables. Areas without private pages are left out: their pages come back by
    /// faults. Both sides of a private page are write-protected.
    fn copy_tables(&self, parent: &mut Space, areas: &Areas) -> Result<Tables, Errno> {
        let memory = &self.memory;
        let mut child = Tables::new(memory)?;
        for area in areas.iter() {
            if area.advice.not_forked
                || area.advice.wiped_on_fork
                || area.anonymous_origin.is_none()
            {
                continue;
            }
            if let Err(error) = self.copy_area(parent, &mut child, area) {
                child.release(memory);
                return Err(error);
            }
        }
        Ok(child)
    }

    fn copy_area(&self, parent: &mut Space, child: &mut Tables, area: &Area) -> Result<(), Errno> {
        let memory = &self.memory;
        parent.tables.copy_shape(memory, child, area.pages.clone())?;
        for part in parent.tables.parts(memory, area.pages.clone()) {
            let own = parent.tables.own_existing(memory, part.pages.start)?;
            let (Some(table), Some(leaf)) = (own, child.leaf(memory, part.pages.start)) else {
                continue;
            };
            let huge = parent.tables.leaf(memory, part.pages.start).is_some_and(|leaf| leaf.huge);
            for page in part.pages.clone() {
                let at = page as usize % 512;
                if !memory.frames.entry(table, at).is_none() {
                    // The child has not used it yet.
                    let entry = memory.share_entry(table, at).without(Entry::ACCESSED);
                    memory.frames.set_entry(leaf.table, at, entry);
                }
            }
            if huge {
                child.set_huge(memory, part.pages.start, true)?;
            }
        }
        Ok(())
    }

    /// After a shared fork: takes out of the child what it must not have.
    fn take_from_child(&self, child: &mut Space, area: &Area) -> Result<(), Errno> {
        self.drop_pages(child, area.pages.clone())?;
        let free = if area.advice.not_forked {
            child.areas.gap_around(&area.pages)
        } else {
            // Linux makes no tables for an area that is wiped, whatever lies beside it.
            area.pages.clone()
        };
        child.tables.prune(&self.memory, area.pages.clone(), free)?;
        Ok(())
    }

    /// A process drops all its memory and begins anew, without areas.
    pub fn exec(&mut self, process: Pid) -> Result<(), Errno> {
        if self.state(process) != State::Running {
            return Err(Errno::Invalid);
        }
        let mut fresh = Space::new(&self.memory)?;
        fresh.limit = self.space(process).and_then(|space| space.limit);
        self.leave_space(process);
        self.processes[process.0 as usize].space = Some(Arc::new(Mutex::new(fresh)));
        self.wake_parent(process);
        Ok(())
    }

    /// A process ends; its children become those of the first process.
    pub fn exit(&mut self, process: Pid) -> Result<(), Errno> {
        if !self.is_alive(process) {
            return Err(Errno::Invalid);
        }
        self.leave_space(process);
        self.processes[process.0 as usize].state = State::Ended;
        self.wake_parent(process);
        for child in 0..self.processes.len() {
            if self.processes[child].parent == Some(process) {
                self.processes[child].parent = Some(Machine::FIRST);
            }
        }
        Ok(())
    }

    /// A process is ended by a signal.
    pub fn kill(&mut self, process: Pid, signal: Signal) -> Result<(), Errno> {
        self.exit(process)?;
        self.processes[process.0 as usize].signal = Some(signal);
        Ok(())
    }

    /// A parent asks for the end of its child.
    pub fn wait(&mut self, parent: Pid, child: Pid) -> Result<(), Errno> {
        let process = self.processes.get_mut(child.0 as usize).ok_or(Errno::Invalid)?;
        if process.parent != Some(parent) || process.state != State::Ended {
            return Err(Errno::Invalid);
        }
        process.state = State::Reaped;
        Ok(())
    }

    fn wake_parent(&mut self, child: Pid) {
        for process in &mut self.processes {
            if process.state == State::Asleep(child) {
                process.state = State::Running;
            }
        }
    }

    fn leave_space(&mut self, process: Pid) {
        let space = self.processes[process.0 as usize].space.take();
        // Of a space that a vfork shares, the other process keeps hold.
        let Some(Ok(space)) = space.map(Arc::try_unwrap) else { return };
        let space = space.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.uncharge_all(&space.areas);
        space.tables.release(&self.memory);
        self.forget_shared(space.areas.iter());
    }

    /// No frame can be freed: the process that has most is ended. None: nobody has anything.
    pub(crate) fn kill_for_memory(&mut self) -> Option<Pid> {
        let mut worst: Option<(u64, Pid)> = None;
        for process in self.processes().filter(|process| self.is_alive(*process)) {
            let resident = self.resident(process);
            // Of equals the youngest.
            if worst.is_none_or(|(most, _)| resident >= most) {
                worst = Some((resident, process));
            }
        }
        let (_, victim) = worst.filter(|(resident, _)| *resident > 0)?;
        self.kill(victim, Signal::OutOfMemory).ok()?;
        Some(victim)
    }

    /// Pages that a process has in memory or swap, its tables included.
    fn resident(&self, process: Pid) -> u64 {
        let Some(space) = self.processes[process.0 as usize].space.clone() else { return 0 };
        let tables = lock(&space).tables.count;
        let mut pages = tables;
        self.entries(process, 0..PAGES, |_, entry| {
            let counts = match entry.mapped() {
                Some(frame) => frame != Frame::ZERO,
                None => entry.slot().is_some(),
            };
            pages += u64::from(counts);
        });
        pages
    }
}
