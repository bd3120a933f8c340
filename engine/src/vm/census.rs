//! A census: what each process has mapped, and how often each frame is.
//!
//! Frames are counted by walking all processes, so it is a second opinion on the counts that the
//! frames keep of themselves: [`Machine::check`] holds the two against each other.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    area::Area,
    entry::Entry,
    frames::{Frame, Use, WORDS},
    machine::{Machine, Pid, lock},
    space::Space,
    tables::PAGES,
};

/// What the pages of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pages {
    /// Nothing.
    pub none: u64,
    /// The zero frame.
    pub zero: u64,
    /// Private memory.
    pub anonymous: u64,
    /// Merged pages.
    pub merged: u64,
    /// Pages of files, or of shared memory.
    pub file: u64,
    /// In swap.
    pub swapped: u64,
    /// Guards.
    pub guard: u64,
    /// Private memory that is mapped once.
    pub exclusive: u64,
    /// Private memory that is mapped several times.
    pub shared: u64,
}

/// How often each frame is mapped, over all processes.
pub struct Census {
    mappings: HashMap<Frame, u64>,
    /// Private frames that are mapped.
    pub anonymous_frames: u64,
    /// File frames that are mapped.
    pub file_frames: u64,
}

impl Census {
    /// How often a frame is mapped.
    pub fn mappings(&self, frame: Frame) -> u64 {
        self.mappings.get(&frame).copied().unwrap_or(0)
    }
}

impl Machine {
    /// Counts all mappings of all processes.
    pub fn census(&self) -> Census {
        let mut census = Census { mappings: HashMap::new(), anonymous_frames: 0, file_frames: 0 };
        for (pid, _) in self.spaces() {
            self.entries(pid, 0..PAGES, |_, entry| {
                if let Some(frame) = entry.mapped()
                    && frame != Frame::ZERO
                {
                    *census.mappings.entry(frame).or_default() += 1;
                }
            });
        }
        for frame in census.mappings.keys() {
            if self.frames().used_for(*frame) == Use::File {
                census.file_frames += 1;
            } else {
                census.anonymous_frames += 1;
            }
        }
        census
    }

    /// What the pages of a range of a process are.
    pub fn pages(&self, census: &Census, process: Pid, range: Range<u64>) -> Pages {
        let mut pages = Pages { none: range.end - range.start, ..Pages::default() };
        self.entries(process, range, |_, entry| {
            pages.none -= 1;
            let Some(frame) = entry.mapped() else {
                let place = if entry.is_guard() { &mut pages.guard } else { &mut pages.swapped };
                *place += 1;
                return;
            };
            if frame == Frame::ZERO {
                pages.zero += 1;
                return;
            }
            match self.frames().used_for(frame) {
                Use::File => {
                    pages.file += 1;
                    return;
                }
                Use::Merged => pages.merged += 1,
                _ => pages.anonymous += 1,
            }
            let once = census.mappings(frame) <= 1;
            *if once { &mut pages.exclusive } else { &mut pages.shared } += 1;
        });
        pages
    }

    /// Holds what frames, slots and tables say of themselves against what a walk through
    /// everything finds. The differences, as sentences; none: the machine is sound.
    pub fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut owners: HashMap<Frame, u32> = HashMap::new();
        let mut slots: HashMap<u32, u32> = HashMap::new();
        let mut seen = HashSet::new();
        for (pid, space) in self.spaces() {
            let space = lock(&space);
            *owners.entry(space.tables.root()).or_default() += 1;
            let mut tables = 0;
            self.walk(space.tables.root(), 3, &mut |table, level| {
                tables += 1;
                let first = seen.insert(table);
                for at in (0..WORDS).filter(|_| first) {
                    let entry = self.memory.frames.entry(table, at);
                    if let Some(frame) = entry.mapped() {
                        *owners.entry(frame).or_default() += 1;
                        let several = level == 0
                            && frame != Frame::ZERO
                            && self.memory.frames.used_for(frame) == Use::Anonymous
                            && self.memory.frames.owners(frame) > 1;
                        if entry.has(Entry::WRITABLE) && several {
                            problems.push(format!("{frame:?} is writable and has several owners"));
                        }
                        if entry.has(Entry::WRITABLE) && level == 0 && frame == Frame::ZERO {
                            problems.push("the zero frame is writable".to_owned());
                        }
                    } else if let Some(slot) = entry.slot() {
                        *slots.entry(slot).or_default() += 1;
                    }
                }
            });
            self.check_areas(&space, &mut problems);
            if tables - 1 != space.tables.count {
                problems.push(format!(
                    "process {} has {} tables, {} counted",
                    pid.0,
                    tables - 1,
                    space.tables.count
                ));
            }
        }
        for file in &self.files {
            file.each_frame(|frame| *owners.entry(frame).or_default() += 1);
        }
        self.memory.swap.each_slot(|slot, entries, cached| {
            let found = slots.get(&slot).copied().unwrap_or(0);
            if found != entries {
                problems.push(format!("swap slot {slot} has {found} entries, {entries} counted"));
            }
            cached.into_iter().for_each(|frame| *owners.entry(frame).or_default() += 1);
        });
        owners.remove(&Frame::ZERO);
        for (&frame, &found) in &owners {
            let counted = self.memory.frames.owners(frame);
            if counted != found {
                problems.push(format!("{frame:?} has {found} owners, {counted} counted"));
            }
        }
        let used = self.memory.frames.used();
        if used as usize != owners.len() {
            problems.push(format!("{} frames are in use, {used} counted", owners.len()));
        }
        problems.sort();
        problems
    }

    /// What is mapped lies in an area that may have it.
    fn check_areas(&self, space: &Space, problems: &mut Vec<String>) {
        for part in space.tables.parts(&self.memory, 0..PAGES) {
            let start = part.pages.start;
            let holds = |area: &Area| area.pages.end >= part.pages.end && !area.shared;
            if space.tables.leaf(&self.memory, start).is_some_and(|leaf| leaf.huge)
                && !space.areas.find(start).is_some_and(holds)
            {
                problems.push(format!("no private area holds all of the huge page {start:#x}"));
            }
            for page in part.pages {
                let entry = self.memory.frames.entry(part.table, page as usize % WORDS);
                if entry.is_none() {
                    continue;
                }
                let Some(area) = space.areas.find(page) else {
                    problems.push(format!("page {page:#x} has an entry and no area"));
                    return;
                };
                let of_file = |frame| self.memory.frames.used_for(frame) == Use::File;
                if area.shared && !entry.is_guard() && !entry.mapped().is_some_and(of_file) {
                    problems.push(format!("shared page {page:#x} is none of a file"));
                    return;
                }
            }
        }
    }

    fn walk(&self, table: Frame, level: u32, visit: &mut dyn FnMut(Frame, u32)) {
        visit(table, level);
        for at in (0..WORDS).filter(|_| level > 0) {
            if let Some(below) = self.memory.frames.entry(table, at).mapped() {
                self.walk(below, level - 1, visit);
            }
        }
    }

    /// The leaf tables that hold something of `pages`: which of the pages each spans, and whether
    /// another address space has the table too (fork with shared tables).
    pub fn leaves(&self, process: Pid, pages: Range<u64>) -> Vec<(Range<u64>, bool)> {
        let Some(space) = self.space(process) else { return Vec::new() };
        let parts = space.tables.parts(&self.memory, pages).into_iter();
        parts
            .map(|part| {
                let leaf = space.tables.leaf(&self.memory, part.pages.start);
                (part.pages, leaf.is_some_and(|leaf| !leaf.sole))
            })
            .collect()
    }
}
