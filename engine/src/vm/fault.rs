//! The page fault: from an access that the tables refuse to the entry that allows it.
//!
//! ```text
//! 1 attempt        an access to a page
//! 2 interception   the entry does not allow it: the processor calls the fault handler
//! 3 analysis       which area is it, may it, what is mapped, who owns that
//! 4 duplication    a frame of zeros, a copy, or, for a sole owner, nothing (reuse)
//! 5 map update     the entry names the frame and allows the access
//! 6 resumption     the access is made again, and succeeds
//! ```
//!
//! [`Fault`] records what was decided and done, so all six can be told afterwards. The order of
//! decisions is Linux's (6.18): `do_anonymous_page`, `do_fault`, `do_wp_page`, `do_swap_page`.

use super::{
    area::Area,
    entry::Entry,
    frames::{Frame, NoFrame, Use},
    machine::Machine,
    space::Space,
    swap::NotBack,
    tables::LEAF,
};

/// Why an access was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGSEGV: no area is there, or a guard.
    NotMapped,
    /// SIGSEGV: the area does not allow it.
    NotAllowed,
    /// SIGBUS: behind the end of a mapped file, or of a page that swap does not give back.
    BehindFile,
    /// SIGKILL: there is no memory, and this process was chosen to give up its own.
    OutOfMemory,
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Signal::NotMapped => "SEGV_MAPERR",
            Signal::NotAllowed => "SEGV_ACCERR",
            Signal::BehindFile => "BUS_ADRERR",
            Signal::OutOfMemory => "KILL_OOM",
        })
    }
}

/// How a fault was solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An untouched anonymous page was written: frames of zeros.
    ZeroFill {
        /// 1, or those of a huge page.
        pages: u64,
    },
    /// An untouched anonymous page was read: the zero frame.
    MapZero {
        /// 1, or those of a huge page.
        pages: u64,
    },
    /// The zero frame was written: a frame of zeros instead.
    BreakZero {
        /// 1, or those of a huge page.
        pages: u64,
    },
    /// A shared private page was written: a copy.
    Copy,
    /// A merged page was written: a copy, even for the last who has it.
    CopyMerged,
    /// A private page was written by its sole owner: nothing but the entry changed.
    Reuse,
    /// Pages of a file were mapped, those around the one that was read included.
    MapFile {
        /// How many.
        pages: u64,
        /// By a read, which maps what lies around it.
        around: bool,
    },
    /// A page of a private file mapping was written that was not mapped: a copy at once.
    CopyFile,
    /// A page of a private file mapping was written that was mapped: a copy.
    BreakFile,
    /// First write to a page of a shared mapping that was mapped by a read.
    MakeWritable,
    /// Only tables were shared: the page itself needed nothing.
    OwnTables,
    /// A page came back from swap.
    SwapIn {
        /// It was written while others share it: a copy in the same fault.
        copied: bool,
    },
}

/// A fault that was solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Page of the access.
    pub page: u64,
    /// Was it a write?
    pub write: bool,
    /// What was decided.
    pub action: Action,
    /// What was mapped before.
    pub old: Entry,
    /// Owners of the frame that was mapped before; one more, if the table is shared that says so.
    pub owners: u32,
    /// What is mapped now.
    pub new: Entry,
    /// Something had to be read, from swap or from the disk of a file: a major fault.
    pub read: bool,
    /// Page tables made.
    pub tables: u64,
    /// Shared page tables copied.
    pub shadows: u64,
}

/// Why a fault was not solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Signal {
        signal: Signal,
        /// Pages of a file that were mapped around all the same.
        mapped: u64,
    },
    NoFrame,
}

impl From<NoFrame> for Refusal {
    fn from(_: NoFrame) -> Refusal {
        Refusal::NoFrame
    }
}

impl From<NotBack> for Refusal {
    fn from(reason: NotBack) -> Refusal {
        match reason {
            NotBack::NoFrame => Refusal::NoFrame,
            NotBack::Unreadable => Signal::BehindFile.into(),
        }
    }
}

impl From<Signal> for Refusal {
    fn from(signal: Signal) -> Refusal {
        Refusal::Signal { signal, mapped: 0 }
    }
}

/// Pages mapped around a read fault in a file.
const AROUND: u64 = 16;

/// Marks of an entry that was just used.
pub(crate) const FRESH: u64 = Entry::USER | Entry::ACCESSED;
/// And of one that its process owns alone and has written to.
pub(crate) const OWNED: u64 = FRESH | Entry::DIRTY | Entry::WRITABLE | Entry::EXCLUSIVE;

impl Machine {
    /// Solves the fault of an access to `page`, or says why not.
    pub(crate) fn fault(
        &self,
        space: &mut Space,
        page: u64,
        write: bool,
    ) -> Result<Fault, Refusal> {
        let (tables, shadows) = (space.tables.count, space.tables.shadows);
        let area = match space.areas.find(page) {
            Some(area) => area.clone(),
            None => self.grow_stack(space, page)?,
        };
        if !area.protection.allows(write) {
            return Err(Signal::NotAllowed.into());
        }
        let old = space.tables.entry(&self.memory, page);
        let through_table = space.tables.leaf(&self.memory, page).is_some_and(|leaf| !leaf.sole);
        let owners = old.mapped().map_or(0, |frame| self.memory.frames.owners(frame))
            + u32::from(through_table);
        let (action, read) = match old {
            _ if old.is_guard() => return Err(Signal::NotMapped.into()),
            _ if old.is_present() => (self.write_fault(space, &area, page)?, false),
            _ if old.slot().is_some() => self.swap_fault(space, &area, page, write)?,
            _ => {
                space.tables.own_above(&self.memory, page)?;
                if area.is_anonymous() {
                    (self.anonymous_fault(space, &area, page, write)?, false)
                } else {
                    self.file_fault(space, &area, page, write)?
                }
            }
        };
        let (made, copied) = (space.tables.count - tables, space.tables.shadows - shadows);
        let new = space.tables.entry(&self.memory, page);
        Ok(Fault { page, write, action, old, owners, new, read, tables: made, shadows: copied })
    }

    /// Gives a process its own copy of a mapped page, whatever its area allows.
    pub(crate) fn unshare(
        &self,
        space: &mut Space,
        area: &Area,
        page: u64,
    ) -> Result<Fault, Refusal> {
        let old = space.tables.entry(&self.memory, page);
        let owners = old.mapped().map_or(0, |frame| self.memory.frames.owners(frame));
        let action = self.write_fault(space, area, page)?;
        // It was not written, so the first write is another fault, which reuses the page.
        let mut refused = Entry::WRITABLE | Entry::DIRTY;
        if !area.protection.any() {
            refused |= Entry::USER;
        }
        let new = space.tables.entry(&self.memory, page).without(refused);
        space.tables.set(&self.memory, page, new)?;
        Ok(Fault {
            page,
            write: false,
            action,
            old,
            owners,
            new,
            read: false,
            tables: 0,
            shadows: 0,
        })
    }

    /// Nothing is mapped, and nothing is behind it.
    fn anonymous_fault(
        &self,
        space: &mut Space,
        area: &Area,
        page: u64,
        write: bool,
    ) -> Result<Action, Refusal> {
        let memory = &self.memory;
        if let Some(action) = self.huge_fault(space, area, page, write)? {
            return Ok(action);
        }
        // The table comes before the decision, as everywhere: its lack is a lack of memory.
        space.tables.own_leaf(memory, page)?;
        if write {
            self.prepare_origin(space, page);
        }
        self.map_zeros(space, page, write)?;
        Ok(if write { Action::ZeroFill { pages: 1 } } else { Action::MapZero { pages: 1 } })
    }

    pub(crate) fn map_zeros(
        &self,
        space: &mut Space,
        page: u64,
        write: bool,
    ) -> Result<(), NoFrame> {
        let entry = if write {
            Entry::frame(self.memory.frames.allocate(Use::Anonymous)?, OWNED)
        } else {
            Entry::frame(Frame::ZERO, FRESH)
        };
        self.replace(space, page, entry)
    }

    /// Nothing is mapped, and a file is behind it.
    fn file_fault(
        &self,
        space: &mut Space,
        area: &Area,
        page: u64,
        write: bool,
    ) -> Result<(Action, bool), Refusal> {
        let Some((file, file_page)) = area.file_page(page) else {
            return Err(Signal::NotMapped.into());
        };
        let file = self.file(file);
        let frames = &self.memory.frames;
        let read = file.bring_back(file_page);
        if write && !area.shared {
            // Even a write that is refused leaves the area with an origin.
            self.prepare_origin(space, page);
            if file_page >= file.pages {
                return Err(Signal::BehindFile.into());
            }
            let original = file.frame(file_page, frames)?;
            let copy = frames.duplicate(original, Use::Anonymous);
            frames.drop_data(original);
            self.replace(space, page, Entry::frame(copy?, OWNED))?;
            return Ok((Action::CopyFile, read));
        }
        // Pages of memory can be written as soon as they are mapped; those of a disk must be
        // announced.
        let free = area.shared && area.protection.write && !file.is_on_disk();
        let flags = FRESH | if free { Entry::WRITABLE } else { 0 };
        if write {
            if file_page >= file.pages {
                return Err(Signal::BehindFile.into());
            }
            let frame = file.frame(file_page, frames)?;
            frames.set_dirty(frame);
            self.replace(space, page, Entry::frame(frame, flags | Entry::WRITABLE | Entry::DIRTY))?;
            return Ok((Action::MapFile { pages: 1, around: false }, read));
        }
        let mut pages = 0;
        for near in around(area, page) {
            let near_in_file = file_page + near - page;
            if file.is_cached(near_in_file) && space.tables.entry(&self.memory, near).is_none() {
                let frame = file.frame(near_in_file, frames)?;
                self.replace(space, near, Entry::frame(frame, flags))?;
                pages += 1;
            }
        }
        if file_page >= file.pages {
            return Err(Refusal::Signal { signal: Signal::BehindFile, mapped: pages });
        }
        if !space.tables.entry(&self.memory, page).is_present() {
            let frame = file.frame(file_page, frames)?;
            self.replace(space, page, Entry::frame(frame, flags))?;
            pages += 1;
        }
        Ok((Action::MapFile { pages, around: true }, read))
    }

    /// Something is mapped that does not allow the write.
    fn write_fault(&self, space: &mut Space, area: &Area, page: u64) -> Result<Action, Refusal> {
        let memory = &self.memory;
        let frames = &memory.frames;
        let shared = space.tables.leaf(memory, page).is_some_and(|leaf| !leaf.sole);
        // From here on the entry is this space's own; a page that was shared through the table is
        // shared by itself.
        space.tables.own_leaf(memory, page)?;
        let entry = space.tables.entry(memory, page);
        let frame = entry.mapped().unwrap_or(Frame::ZERO);
        if area.shared {
            let action = if shared && entry.has(Entry::WRITABLE) {
                Action::OwnTables
            } else {
                Action::MakeWritable
            };
            frames.set_dirty(frame);
            space.tables.set(memory, page, entry.with(Entry::WRITABLE | Entry::DIRTY | FRESH))?;
            return Ok(action);
        }
        if space.tables.leaf(memory, page).is_some_and(|leaf| leaf.huge)
            && let Some(action) = self.huge_write_fault(space, page)?
        {
            return Ok(action);
        }
        let (action, new) = if frame == Frame::ZERO {
            self.prepare_origin(space, page);
            (Action::BreakZero { pages: 1 }, frames.allocate(Use::Anonymous)?)
        } else {
            match frames.used_for(frame) {
                Use::File => {
                    self.prepare_origin(space, page);
                    (Action::BreakFile, frames.duplicate(frame, Use::Anonymous)?)
                }
                Use::Merged => (Action::CopyMerged, frames.duplicate(frame, Use::Anonymous)?),
                _ if self.is_sole_owner(space, page, frame) => {
                    space.tables.set(memory, page, entry.with(OWNED))?;
                    return Ok(Action::Reuse);
                }
                _ => (Action::Copy, frames.duplicate(frame, Use::Anonymous)?),
            }
        };
        self.replace(space, page, Entry::frame(new, OWNED))?;
        Ok(action)
    }

    /// The page is in swap.
    fn swap_fault(
        &self,
        space: &mut Space,
        area: &Area,
        page: u64,
        write: bool,
    ) -> Result<(Action, bool), Refusal> {
        let memory = &self.memory;
        space.tables.own_leaf(memory, page)?;
        let swapped = space.tables.entry(memory, page);
        let slot = swapped.slot().unwrap_or(0);
        let (frame, read) = memory.swap.read(slot, &memory.frames)?;
        let exclusive = swapped.has(Entry::EXCLUSIVE);
        // The swap cache and this entry, and no other entry that still waits for it.
        let sole = memory.swap.entries(slot) == 1 && memory.frames.owners(frame) == 2;
        let copied = write && !exclusive && !sole;
        let entry = if copied {
            let copy = memory.frames.duplicate(frame, Use::Anonymous);
            memory.frames.drop_data(frame);
            Entry::frame(copy?, OWNED)
        } else if write {
            Entry::frame(frame, OWNED)
        } else if exclusive && area.protection.write {
            Entry::frame(frame, OWNED & !Entry::DIRTY)
        } else if exclusive {
            Entry::frame(frame, FRESH | Entry::EXCLUSIVE)
        } else {
            Entry::frame(frame, FRESH)
        };
        // The entry that named the slot is replaced, and lets go of it.
        self.replace(space, page, entry)?;
        Ok((Action::SwapIn { copied }, read))
    }

    /// Puts an entry in the place of another, which lets go of what it named.
    pub(crate) fn replace(
        &self,
        space: &mut Space,
        page: u64,
        entry: Entry,
    ) -> Result<(), NoFrame> {
        match space.tables.set(&self.memory, page, entry) {
            Ok(old) => {
                self.memory.release_entry(old);
                Ok(())
            }
            Err(error) => {
                self.memory.release_entry(entry);
                Err(error)
            }
        }
    }

    /// The area of `page` is about to get a private page.
    pub(crate) fn prepare_origin(&self, space: &mut Space, page: u64) {
        space.areas.prepare_origin(page, || self.next_origin());
    }
}

/// The pages that a read fault in a file maps: sixteen, of the same leaf table and area, beginning
/// at a multiple of sixteen or where the area does.
fn around(area: &Area, page: u64) -> std::ops::Range<u64> {
    let table = page - page % LEAF;
    let from = (page - page % AROUND).max(area.pages.start);
    from..(from + AROUND).min(table + LEAF).min(area.pages.end)
}

impl Fault {
    /// The six steps, as sentences.
    pub fn steps(&self) -> [String; 6] {
        let attempt = if self.write { "write" } else { "read" };
        let number = |entry: Entry| entry.mapped().map_or(0, |frame| frame.0);
        let tables = match (self.tables, self.shadows) {
            (0, 0) => String::new(),
            (made, 0) => format!("; {made} page tables made"),
            (0, copied) => format!("; {copied} shared page tables copied"),
            (made, copied) => format!("; {made} page tables made, {copied} shared ones copied"),
        };
        let (analysis, duplication) = match self.action {
            Action::ZeroFill { pages } => {
                ("untouched anonymous memory".to_owned(), format!("{pages} x a frame of zeros"))
            }
            Action::MapZero { .. } => {
                ("untouched anonymous memory".to_owned(), "none: the zero frame".to_owned())
            }
            Action::BreakZero { pages } => (
                "the zero frame is never written".to_owned(),
                format!("{pages} x a frame of zeros"),
            ),
            Action::Copy => (
                format!("frame {} has {} owners", number(self.old), self.owners),
                format!("copied to frame {}", number(self.new)),
            ),
            Action::CopyMerged => (
                format!("frame {} is a merged page", number(self.old)),
                format!("copied to frame {}", number(self.new)),
            ),
            Action::Reuse => (
                format!("frame {} has no other owner", number(self.old)),
                "none: reused".to_owned(),
            ),
            Action::MapFile { pages, .. } => {
                ("a page of a file".to_owned(), format!("none: {pages} pages of the page cache"))
            }
            Action::CopyFile | Action::BreakFile => (
                "a page of a file, mapped privately".to_owned(),
                format!("copied to frame {}", number(self.new)),
            ),
            Action::MakeWritable => {
                ("first write to a shared mapping".to_owned(), "none: all see it".to_owned())
            }
            Action::OwnTables => ("only tables were shared".to_owned(), "none".to_owned()),
            Action::SwapIn { copied } => (
                "the page is in swap".to_owned(),
                format!(
                    "{} frame {}{}",
                    if self.read { "read into" } else { "found in the swap cache:" },
                    number(self.new),
                    if copied { ", a copy: others share it" } else { "" }
                ),
            ),
        };
        [
            format!("attempt: {attempt} of page {:#x}", self.page),
            format!("interception: entry was {:?}", self.old),
            format!("analysis: {analysis}"),
            format!("duplication: {duplication}"),
            format!("map update: entry is {:?}{tables}", self.new),
            format!("resumption: the {attempt} succeeds"),
        ]
    }
}
