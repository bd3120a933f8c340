//! All of a machine that is not memory: what [`Machine`](crate::vm::Machine) keeps in fields.
//!
//! Frames are named by their numbers, so that a machine that is resumed goes on exactly as it would
//! have: replacement looks at frames in the order of their numbers, and free ones are given away in
//! the order in which they came back.

use super::codec::{Coded, Io, check};
use crate::vm::{
    area::{Advice, Area, Backing, FileId, Origin, Protection},
    commit::{Commit, Overcommit},
    fault::Signal,
    frames::{Kept, Use},
    machine::{ForkMode, Pid, Settings, State},
    merge::Merging,
    reclaim::{Replaced, Replacement},
    tables::PAGES,
    tally::Tally,
};

/// Of this layout.
const VERSION: u64 = 1;
/// Sums of pages stay far below what a word holds.
const SANE: u64 = 1 << 50;
/// Most frames of a machine that is taken from a file: 4 TiB of memory.
const FRAMES: u64 = 1 << 30;

/// A file of the machine, but for its pages.
#[derive(Default)]
pub(super) struct FileState {
    pub(super) name: String,
    pub(super) pages: u64,
    pub(super) kind: FileKind,
    pub(super) promised: u64,
}

/// Where a file's untouched pages come from.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum FileKind {
    /// Shared memory.
    #[default]
    Shared,
    Fill(u8),
    /// So many bytes, which are stored beside.
    Bytes(u64),
}

#[derive(Default)]
pub(super) struct SpaceState {
    pub(super) areas: Vec<Area>,
    pub(super) limit: Option<u64>,
    pub(super) heap: Option<(u64, u64)>,
    pub(super) shadows: u64,
}

pub(super) struct ProcessState {
    pub(super) parent: Option<Pid>,
    pub(super) state: State,
    /// Which of the address spaces; several processes may have one.
    pub(super) space: Option<u32>,
    pub(super) tally: Tally,
    pub(super) signal: Option<Signal>,
}

/// Frames that follow one another and are alike.
#[derive(Clone, Copy)]
pub(super) struct FrameRun {
    pub(super) first: u32,
    pub(super) length: u32,
    pub(super) kept: Kept,
}

pub(super) struct Description {
    pub(super) settings: Settings,
    pub(super) commit: Commit,
    pub(super) next_origin: u64,
    pub(super) merging: Merging,
    pub(super) policy: Replacement,
    pub(super) hand: u32,
    pub(super) spared: Vec<(u32, u32)>,
    pub(super) replaced: Replaced,
    pub(super) huge_made: u32,
    pub(super) huge: Vec<(u32, Vec<u32>)>,
    pub(super) files: Vec<FileState>,
    pub(super) spaces: Vec<SpaceState>,
    pub(super) processes: Vec<ProcessState>,
    /// In the order in which a walk through all that is stored meets them first.
    pub(super) frames: Vec<FrameRun>,
    pub(super) next_frame: u32,
    /// Runs of them: the first, and how many.
    pub(super) free_frames: Vec<(u32, u32)>,
    pub(super) copies: u64,
    pub(super) slots: u32,
    pub(super) free_slots: Vec<u32>,
    pub(super) annex: Vec<u8>,
}

impl Description {
    /// One of nothing, to be filled in.
    fn blank() -> Description {
        Description {
            settings: Settings::default(),
            commit: Commit::new(0, 0),
            next_origin: 0,
            merging: Merging::default(),
            policy: Replacement::default(),
            hand: 0,
            spared: Vec::new(),
            replaced: Replaced::default(),
            huge_made: 0,
            huge: Vec::new(),
            files: Vec::new(),
            spaces: Vec::new(),
            processes: Vec::new(),
            frames: Vec::new(),
            next_frame: 0,
            free_frames: Vec::new(),
            copies: 0,
            slots: 0,
            free_slots: Vec::new(),
            annex: Vec::new(),
        }
    }

    pub(super) fn encode(mut self) -> Vec<u8> {
        let mut io = Io::Write(Vec::new());
        let coded = self.code(&mut io);
        debug_assert!(coded.is_ok(), "{coded:?}");
        match io {
            Io::Write(bytes) => bytes,
            Io::Read(_) => Vec::new(),
        }
    }

    /// From bytes that anybody may have written; what passes cannot make the machine fail.
    pub(super) fn decode(bytes: &[u8]) -> Result<Description, super::codec::Fault> {
        let mut description = Description::blank();
        let mut io = Io::Read(bytes);
        description.code(&mut io)?;
        if let Io::Read(rest) = io {
            check(rest.is_empty(), "bytes behind a description", 0, rest.len() as u64)?;
        }
        description.check()?;
        Ok(description)
    }

    fn code(&mut self, io: &mut Io<'_>) -> Coded {
        let mut version = VERSION;
        io.number(&mut version)?;
        check(version == VERSION, "version of a stored machine", VERSION, version)?;
        settings(io, &mut self.settings)?;
        commit(io, &mut self.commit)?;
        io.below(&mut self.next_origin, SANE, "number of an origin")?;
        io.flag(&mut self.merging.zero)?;
        io.small(&mut self.merging.most)?;
        io.one_of(&mut self.policy, &[Replacement::Clock, Replacement::Sharing])?;
        io.small(&mut self.hand)?;
        io.list(&mut self.spared, Default::default, pair)?;
        let replaced = &mut self.replaced;
        for count in [
            &mut replaced.frames,
            &mut replaced.entries,
            &mut replaced.written,
            &mut replaced.spared,
        ] {
            io.below(count, SANE, "count of replacement")?;
        }
        io.small(&mut self.huge_made)?;
        io.list(&mut self.huge, Default::default, |io, (number, frames)| {
            io.small(number)?;
            io.list(frames, Default::default, Io::small)
        })?;
        io.list(&mut self.files, Default::default, file)?;
        io.list(&mut self.spaces, Default::default, space)?;
        let blank = || ProcessState {
            parent: None,
            state: State::Running,
            space: None,
            tally: Tally::default(),
            signal: None,
        };
        io.list(&mut self.processes, blank, process)?;
        let blank =
            || FrameRun { first: 0, length: 0, kept: Kept { used: Use::Table, marks: 0, huge: 0 } };
        io.list(&mut self.frames, blank, |io, run| {
            io.small(&mut run.first)?;
            io.small(&mut run.length)?;
            io.one_of(&mut run.kept.used, &[Use::Table, Use::Anonymous, Use::File, Use::Merged])?;
            let mut marks = u32::from(run.kept.marks);
            io.small(&mut marks)?;
            run.kept.marks = marks as u8;
            io.small(&mut run.kept.huge)
        })?;
        io.small(&mut self.next_frame)?;
        io.list(&mut self.free_frames, Default::default, pair)?;
        io.below(&mut self.copies, SANE, "pages copied")?;
        io.small(&mut self.slots)?;
        io.list(&mut self.free_slots, Default::default, Io::small)?;
        io.bytes(&mut self.annex)
    }

    /// What one part says of another.
    fn check(&self) -> Coded {
        let (files, spaces) = (self.files.len() as u64, self.spaces.len() as u64);
        let processes = self.processes.len() as u64;
        check(processes > 0, "processes of a stored machine (at least)", 1, 0)?;
        for process in &self.processes {
            let named = [
                process.parent.map(|pid| pid.0),
                match process.state {
                    State::Asleep(child) => Some(child.0),
                    _ => None,
                },
            ];
            for pid in named.into_iter().flatten() {
                check(u64::from(pid) < processes, "number of a process", processes, pid.into())?;
            }
            if let Some(space) = process.space {
                let what = "number of an address space";
                check(u64::from(space) < spaces, what, spaces, space.into())?;
            }
        }
        for space in &self.spaces {
            let mut end = 0;
            for area in &space.areas {
                let pages = &area.pages;
                let inside = end <= pages.start && pages.start < pages.end && pages.end <= PAGES;
                check(inside, "pages of an area (from, at least)", end, pages.start)?;
                end = pages.end;
                if let Backing::File { file, .. } = area.backing {
                    check(u64::from(file.0) < files, "number of a file", files, file.0.into())?;
                }
            }
        }
        let memory = u64::from(self.settings.memory);
        check(memory < FRAMES, "frames of a machine (below)", FRAMES, memory)?;
        let next = u64::from(self.next_frame);
        check((1..=memory + 1).contains(&next), "frames ever used", memory + 1, next)?;
        check(u64::from(self.hand) <= memory, "place of the hand", memory, self.hand.into())?;
        let slots = u64::from(self.slots);
        let swap = u64::from(self.settings.swap);
        check(slots <= swap, "slots of the swap (at most)", swap, slots)?;
        let huge = self.huge.iter().flat_map(|(_, frames)| frames);
        for &frame in huge.chain(self.spared.iter().map(|(frame, _)| frame)) {
            check(u64::from(frame) < next, "number of a frame (below)", next, frame.into())?;
        }
        for (start, end) in self.spaces.iter().filter_map(|space| space.heap) {
            check(start <= end, "end of a heap (at least)", start, end)?;
        }
        Ok(())
    }
}

fn pair(io: &mut Io<'_>, (a, b): &mut (u32, u32)) -> Coded {
    io.small(a)?;
    io.small(b)
}

fn settings(io: &mut Io<'_>, settings: &mut Settings) -> Coded {
    io.small(&mut settings.memory)?;
    io.small(&mut settings.swap)?;
    io.one_of(&mut settings.fork, &[ForkMode::Eager, ForkMode::Shared])?;
    for limit in [&mut settings.areas, &mut settings.processes] {
        let mut number = *limit as u64;
        io.number(&mut number)?;
        *limit = usize::try_from(number).unwrap_or(usize::MAX);
    }
    io.small(&mut settings.modelled)
}

fn commit(io: &mut Io<'_>, commit: &mut Commit) -> Coded {
    io.one_of(&mut commit.mode, &[Overcommit::Guess, Overcommit::Always, Overcommit::Never])?;
    io.below(&mut commit.ratio, 1 << 20, "percent of memory")?;
    io.option(&mut commit.fixed, || 0, |io, fixed| io.below(fixed, SANE, "commit limit"))?;
    io.below(&mut commit.reserved_for_admin, SANE, "pages kept back")?;
    io.below(&mut commit.reserved_for_user, SANE, "pages kept back")?;
    io.flag(&mut commit.privileged)?;
    io.below(&mut commit.memory, 1 << 32, "pages of memory")?;
    io.below(&mut commit.swap, 1 << 32, "pages of swap")?;
    io.below(&mut commit.promised, SANE, "pages promised")
}

fn file(io: &mut Io<'_>, file: &mut FileState) -> Coded {
    io.text(&mut file.name)?;
    io.below(&mut file.pages, SANE, "pages of a file")?;
    let (mut kind, mut number) = match file.kind {
        FileKind::Shared => (0, 0),
        FileKind::Fill(byte) => (1, byte.into()),
        FileKind::Bytes(length) => (2, length),
    };
    io.below(&mut kind, 3, "kind of a file")?;
    io.below(&mut number, SANE, "bytes of a file")?;
    file.kind = match kind {
        0 => FileKind::Shared,
        1 => FileKind::Fill(number as u8),
        _ => FileKind::Bytes(number),
    };
    io.below(&mut file.promised, SANE, "pages promised for a file")
}

fn space(io: &mut Io<'_>, space: &mut SpaceState) -> Coded {
    io.list(&mut space.areas, blank_area, area)?;
    io.option(&mut space.limit, || 0, Io::number)?;
    io.option(&mut space.heap, Default::default, |io, (start, end)| {
        io.below(start, PAGES + 1, "start of a heap")?;
        io.below(end, PAGES + 1, "end of a heap")
    })?;
    io.below(&mut space.shadows, SANE, "tables copied")
}

fn blank_area() -> Area {
    Area {
        pages: 0..0,
        protection: Protection::NONE,
        shared: false,
        backing: Backing::Anonymous { origin: 0 },
        advice: Advice::default(),
        anonymous_origin: None,
        name: None,
    }
}

fn area(io: &mut Io<'_>, area: &mut Area) -> Coded {
    io.below(&mut area.pages.start, PAGES, "start of an area")?;
    io.below(&mut area.pages.end, PAGES + 1, "end of an area")?;
    let advice = &mut area.advice;
    let mut flags = [
        &mut area.protection.read,
        &mut area.protection.write,
        &mut area.protection.execute,
        &mut area.shared,
        &mut advice.not_forked,
        &mut advice.wiped_on_fork,
        &mut advice.mergeable,
        &mut advice.locked,
        &mut advice.huge,
        &mut advice.never_huge,
        &mut advice.random,
        &mut advice.sequential,
        &mut advice.unreserved,
        &mut advice.charged,
        &mut advice.stack,
    ];
    let mut bits = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u64::from(**flag));
    io.below(&mut bits, 1 << flags.len(), "flags of an area")?;
    flags.iter_mut().enumerate().for_each(|(i, flag)| **flag = bits >> i & 1 == 1);
    let (mut file, mut at) = match area.backing {
        Backing::Anonymous { origin } => (0, origin),
        Backing::File { file, offset } => (u64::from(file.0) + 1, offset),
    };
    io.below(&mut file, 1 << 32, "number of a file")?;
    io.below(&mut at, SANE, "page behind an area")?;
    area.backing = match file.checked_sub(1) {
        None => Backing::Anonymous { origin: at },
        Some(file) => Backing::File { file: FileId(file as u32), offset: at },
    };
    let blank = || Origin { number: 0, inherited: false };
    io.option(&mut area.anonymous_origin, blank, |io, origin| {
        io.below(&mut origin.number, SANE, "number of an origin")?;
        io.flag(&mut origin.inherited)
    })?;
    let mut name = area.name.as_deref().map(str::to_owned);
    io.option(&mut name, String::new, Io::text)?;
    area.name = name.map(Into::into);
    Ok(())
}

fn process(io: &mut Io<'_>, process: &mut ProcessState) -> Coded {
    io.option(&mut process.parent, || Pid(0), |io, pid| io.small(&mut pid.0))?;
    let (mut state, mut child) = match process.state {
        State::Running => (0, 0),
        State::Asleep(child) => (1, child.0),
        State::Ended => (2, 0),
        State::Reaped => (3, 0),
    };
    io.below(&mut state, 4, "state of a process")?;
    io.small(&mut child)?;
    process.state = match state {
        0 => State::Running,
        1 => State::Asleep(Pid(child)),
        2 => State::Ended,
        _ => State::Reaped,
    };
    io.option(&mut process.space, || 0, Io::small)?;
    for count in process.tally.counts() {
        io.below(count, SANE, "count of a process")?;
    }
    let signals = [Signal::NotMapped, Signal::NotAllowed, Signal::BehindFile, Signal::OutOfMemory];
    io.option(&mut process.signal, || Signal::NotMapped, |io, signal| io.one_of(signal, &signals))
}
