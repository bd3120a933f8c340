//! Huge pages: 512 pages mapped by one fault, where an area wants them and holds all of them.
//!
//! The leaf table is there as well, as Linux keeps one in store for the day when the huge page falls
//! apart: then only the mark goes that stands in the entry above. A frame remembers which huge page
//! it was made as a part of, since a part may be reused without a copy only when *no* part of it is
//! mapped by anybody else (Linux: `wp_can_reuse_anon_folio`).

use std::collections::HashMap;

use super::{
    area::Area,
    entry::Entry,
    fault::{Action, FRESH, OWNED, Refusal},
    frames::{Frame, NoFrame, WORDS},
    machine::{Errno, Machine, lock},
    space::Space,
    tables::LEAF,
};

/// The huge pages that were made, and the frames of each.
#[derive(Debug, Default)]
pub(crate) struct HugePages {
    pub(crate) made: u32,
    pub(crate) frames: HashMap<u32, Vec<Frame>>,
}

/// The pages of the huge page around `page`, if the area wants huge pages and holds all of it.
fn huge_page(area: &Area, page: u64) -> Option<std::ops::Range<u64>> {
    let start = page - page % LEAF;
    let whole = area.pages.start <= start && start + LEAF <= area.pages.end;
    (area.advice.huge && !area.shared && whole).then(|| start..start + LEAF)
}

impl Machine {
    /// An access where nothing is mapped at all, for 2 MiB around.
    pub(crate) fn huge_fault(
        &self,
        space: &mut Space,
        area: &Area,
        page: u64,
        write: bool,
    ) -> Result<Option<Action>, Refusal> {
        let Some(pages) = huge_page(area, page) else { return Ok(None) };
        if space.tables.leaf(&self.memory, page).is_some() {
            return Ok(None);
        }
        // Linux prepares it before it knows whether the huge zero page will do.
        self.prepare_origin(space, page);
        for page in pages.clone() {
            self.map_zeros(space, page, write)?;
        }
        self.make_huge(space, page, write)?;
        let pages = pages.end - pages.start;
        Ok(Some(if write { Action::ZeroFill { pages } } else { Action::MapZero { pages } }))
    }

    /// The 512 pages around `page` are one from now on.
    fn make_huge(&self, space: &mut Space, page: u64, frames: bool) -> Result<(), NoFrame> {
        space.tables.set_huge(&self.memory, page, true)?;
        if !frames {
            return Ok(());
        }
        let parts: Vec<Frame> =
            self.leaf_entries(space, page).into_iter().filter_map(Entry::mapped).collect();
        let mut huge = lock(&self.huge);
        huge.made += 1;
        let number = huge.made;
        for &frame in &parts {
            self.memory.frames.set_huge(frame, number);
        }
        if number.is_power_of_two() {
            // Forget those of which nothing is left.
            let left = |number: u32, frame: &Frame| self.memory.frames.huge(*frame) == Some(number);
            huge.frames.retain(|number, frames| frames.iter().any(|frame| left(*number, frame)));
        }
        huge.frames.insert(number, parts);
        Ok(())
    }

    fn leaf_entries(&self, space: &Space, page: u64) -> Vec<Entry> {
        let leaf = space.tables.leaf(&self.memory, page);
        let entries = |table| (0..WORDS).map(|at| self.memory.frames.entry(table, at)).collect();
        leaf.map(|leaf| leaf.table).map_or_else(Vec::new, entries)
    }

    /// May the frame at `page` be written without a copy? Its table is the space's own.
    pub(crate) fn is_sole_owner(&self, space: &Space, page: u64, frame: Frame) -> bool {
        let frames = &self.memory.frames;
        let Some(number) = frames.huge(frame) else { return frames.owners(frame) == 1 };
        let part = |frame: &Frame| frames.huge(*frame) == Some(number);
        let entries = self.leaf_entries(space, page);
        let mine = entries.into_iter().filter_map(Entry::mapped).filter(part).count() as u64;
        let huge = lock(&self.huge);
        let parts = huge.frames.get(&number).into_iter().flatten();
        let owners: u64 = parts.filter(|f| part(f)).map(|f| u64::from(frames.owners(*f))).sum();
        owners == mine
    }

    /// A write to a huge page: whole if it is nobody else's; else it falls apart, and the fault is
    /// that of a small page.
    pub(crate) fn huge_write_fault(
        &self,
        space: &mut Space,
        page: u64,
    ) -> Result<Option<Action>, Refusal> {
        let memory = &self.memory;
        let start = page - page % LEAF;
        let entries = self.leaf_entries(space, page);
        let Some(frame) = space.tables.entry(memory, page).mapped() else { return Ok(None) };
        if frame == Frame::ZERO {
            self.prepare_origin(space, page);
            for page in start..start + LEAF {
                self.map_zeros(space, page, true)?;
            }
            self.make_huge(space, page, true)?;
            return Ok(Some(Action::BreakZero { pages: LEAF }));
        }
        if self.is_sole_owner(space, page, frame) {
            for (page, entry) in (start..).zip(entries) {
                space.tables.set(memory, page, entry.with(OWNED))?;
            }
            return Ok(Some(Action::Reuse));
        }
        space.tables.set_huge(memory, page, false)?;
        Ok(None)
    }

    /// A part of a huge page is offered (`madvise(FREE)`): it falls apart, and those of its pages
    /// that are zeros become the zero frame. How many did.
    pub(crate) fn split_offered(&self, space: &mut Space, page: u64) -> Result<u64, Errno> {
        if space.tables.leaf(&self.memory, page).is_none_or(|leaf| !leaf.huge) {
            return Ok(0);
        }
        space.tables.set_huge(&self.memory, page, false)?;
        let start = page - page % LEAF;
        let mut zeros = 0;
        for page in start..start + LEAF {
            let frames = &self.memory.frames;
            let Some(frame) = space.tables.entry(&self.memory, page).mapped() else { continue };
            if frame != Frame::ZERO
                && frames.owners(frame) == 1
                && frames.contents(frame).iter().all(|word| *word == 0)
            {
                self.replace(space, page, Entry::frame(Frame::ZERO, FRESH))?;
                zeros += 1;
            }
        }
        Ok(zeros)
    }
}
