//! Page replacement: frames are taken back when none is free.
//!
//! A hand goes round over all frames (CLOCK). A page that was used since it came by last is spared
//! once; the other policy spares a page as often as it has owners, since taking it from many costs
//! as many changes of tables, and as many faults, for one frame.
//!
//! A page can go only when every entry that names it has been changed: the reverse map says which
//! those are. It is made anew for each round, from the tables themselves, each table once however
//! many processes share it; so it costs nothing while memory suffices.

use std::collections::{HashMap, HashSet};

use super::{
    entry::Entry,
    frames::{Frame, Use, WORDS},
    machine::{Machine, lock},
    tables::{PAGES, Part},
};

/// Which page goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replacement {
    /// The one that was not used for longest, nearly.
    #[default]
    Clock,
    /// Of those, one that few share.
    Sharing,
}

/// Where replacement stands.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    pub(crate) policy: Replacement,
    pub(crate) at: u32,
    /// How often a frame was spared.
    pub(crate) spared: HashMap<Frame, u32>,
    pub(crate) statistics: Replaced,
}

/// What replacement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replaced {
    /// Frames freed.
    pub frames: u64,
    /// Entries changed for it.
    pub entries: u64,
    /// Pages written to swap.
    pub written: u64,
    /// Pages spared because they had been used or are shared.
    pub spared: u64,
}

/// Frames that one round frees at most; of a small memory a sixteenth.
const BATCH: u64 = 64;

/// Frames that one fault may need: four tables, the page, and a copy of it. Fewer may be just those
/// that the last attempt took and gave back.
const FAULT: u32 = 6;

/// Times that frames are freed for one page. Where all that helped nobody, more would not.
const ATTEMPTS: u32 = 16;

/// How often frames were freed for a page that got none.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    page: u64,
    made: u32,
}

impl Attempts {
    /// May it be tried again? If not, it begins anew: something else is done first.
    pub(crate) fn again(&mut self, page: u64) -> bool {
        let made = if self.page == page { self.made } else { 0 };
        *self = Attempts { page, made: (made + 1) % ATTEMPTS };
        made + 1 < ATTEMPTS
    }
}

/// The entries that name each frame, as places in tables.
pub(crate) type ReverseMap = HashMap<Frame, Vec<(Frame, usize)>>;

impl Machine {
    /// Which page goes first from now on.
    pub fn set_replacement(&mut self, policy: Replacement) {
        self.hand.policy = policy;
    }

    /// What replacement did so far.
    pub fn replaced(&self) -> Replaced {
        self.hand.statistics
    }

    /// The entries that name each frame of data, and the frames that must stay.
    pub(crate) fn reverse_map(&self) -> (ReverseMap, HashSet<Frame>) {
        let mut map = ReverseMap::new();
        let mut locked = HashSet::new();
        let mut seen = HashSet::new();
        for (_, space) in self.spaces() {
            let space = lock(&space);
            let parts: Vec<Part> = space.tables.parts(&self.memory, 0..PAGES);
            for part in parts.iter().filter(|part| seen.insert(part.table)) {
                for at in 0..WORDS {
                    if let Some(frame) = self.memory.frames.entry(part.table, at).mapped()
                        && frame != Frame::ZERO
                    {
                        map.entry(frame).or_default().push((part.table, at));
                    }
                }
            }
            for area in space.areas.iter().filter(|area| area.advice.locked) {
                for part in space.tables.parts(&self.memory, area.pages.clone()) {
                    for page in part.pages {
                        let entry = self.memory.frames.entry(part.table, page as usize % WORDS);
                        locked.extend(entry.mapped());
                    }
                }
            }
        }
        (map, locked)
    }

    /// Frees some frames. False: none could be.
    pub(crate) fn replace_pages(&mut self) -> bool {
        let before = self.memory.frames.used();
        self.files.iter().for_each(|file| file.shrink(&self.memory.frames));
        self.memory.swap.shrink(&self.memory.frames);
        let shrunk = before.saturating_sub(self.memory.frames.used());
        if shrunk >= FAULT {
            return true;
        }
        let (map, locked) = self.reverse_map();
        let end = self.memory.frames.limit() + 1;
        let mut freed = 0;
        let batch = BATCH.min(u64::from(end) / 16).max(1);
        // Round once to take the marks of use away, and as often again as pages may be spared.
        for _ in 0..u64::from(end) * 4 {
            if freed >= batch {
                break;
            }
            self.hand.at = (self.hand.at + 1) % end;
            let frame = Frame(self.hand.at);
            if let Some(entries) = map.get(&frame)
                && !locked.contains(&frame)
                && self.take_frame(frame, entries)
            {
                freed += 1;
            }
        }
        self.hand.statistics.frames += freed;
        freed > 0 || shrunk > 0
    }

    /// The hand has come to a frame.
    fn take_frame(&mut self, frame: Frame, entries: &[(Frame, usize)]) -> bool {
        let frames = &self.memory.frames;
        let used = frames.used_for(frame);
        // It may have gone since the map was made, or be something that stays.
        if !matches!(used, Use::Anonymous | Use::Merged | Use::File) {
            return false;
        }
        let now = |&(table, at): &(Frame, usize)| frames.entry(table, at);
        let named: Vec<_> =
            entries.iter().filter(|place| now(place).mapped() == Some(frame)).collect();
        if named.is_empty() {
            return false;
        }
        let chances = match self.hand.policy {
            Replacement::Clock => 1,
            Replacement::Sharing => frames.owners(frame),
        };
        let young = named.iter().any(|place| now(place).has(Entry::ACCESSED));
        let spared = self.hand.spared.entry(frame).or_default();
        if young {
            *spared = chances;
        }
        if *spared > 0 {
            *spared -= 1;
            for &&(table, at) in &named {
                let entry = frames.entry(table, at).without(Entry::ACCESSED);
                frames.set_entry(table, at, entry);
            }
            self.hand.statistics.spared += 1;
            return false;
        }
        self.hand.spared.remove(&frame);
        let dirty = named.iter().any(|place| now(place).has(Entry::DIRTY));
        let droppable = used == Use::File || frames.is_lazy(frame) && !dirty;
        let slot = if droppable {
            None
        } else {
            match self.memory.swap.write(frame, named.len() as u32, frames) {
                Ok(slot) => Some(slot),
                Err(_) => return false,
            }
        };
        if dirty && used == Use::File {
            frames.set_dirty(frame);
        }
        for &&(table, at) in &named {
            let old = frames.entry(table, at);
            let new = match slot {
                Some(slot) => Entry::swap(slot, old.0 & Entry::EXCLUSIVE),
                None => Entry::NONE,
            };
            frames.set_entry(table, at, new);
            frames.drop_data(frame);
        }
        self.hand.statistics.entries += named.len() as u64;
        self.hand.statistics.written += u64::from(slot.is_some());
        if used == Use::File {
            self.files.iter().for_each(|file| file.shrink(&self.memory.frames));
            return self.memory.frames.used_for(frame) == Use::Free;
        }
        true
    }
}
