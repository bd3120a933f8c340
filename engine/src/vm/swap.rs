//! Swap: pages that gave up their frame, each in a slot with the number of entries that name it.
//!
//! ```text
//! entry --slot--> { entries, contents, cached frame? }
//! ```
//!
//! The first process that needs the page again brings it into a frame, which the slot remembers
//! (the swap cache, an owner of the frame) while other entries still name the slot: they find the
//! same frame, without reading.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::frames::{Frame, Frames, NoFrame, Use};

/// No slot is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSlot;

struct Slot {
    entries: u32,
    contents: Vec<u64>,
    cached: Option<Frame>,
    /// The page of a database that has the contents; 0: none.
    stored: u32,
}

/// A slot in use, for who stores the machine.
pub(crate) enum Place {
    /// Its page is in a frame.
    Cached(Frame),
    /// These are its contents.
    Written(Vec<u64>),
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The slot that keeps a frame.
    cached: HashMap<Frame, u32>,
}

/// The swap of a machine.
pub struct Swap {
    state: Mutex<State>,
    pages: u32,
}

impl Swap {
    /// A swap of so many pages.
    pub fn new(pages: u32) -> Swap {
        Swap { state: Mutex::new(State::default()), pages }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pages that fit in it.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Slots in use.
    pub fn used(&self) -> u32 {
        let state = self.state();
        (state.slots.len() - state.free.len()) as u32
    }

    /// Writes the page in `frame` out for so many entries, to the slot that it came from if there is
    /// one; that slot lets go of the frame.
    pub(crate) fn write(&self, frame: Frame, entries: u32, frames: &Frames) -> Result<u32, NoSlot> {
        let contents = frames.contents(frame);
        let stored = frames.take_stored(frame);
        let mut state = self.state();
        let Some(number) = state.cached.remove(&frame) else {
            drop(state);
            return self.add(Slot { entries, contents, cached: None, stored });
        };
        let slot = &mut state.slots[number as usize];
        slot.contents = contents;
        slot.stored = stored;
        slot.entries += entries;
        slot.cached = None;
        drop(state);
        frames.drop_data(frame);
        Ok(number)
    }

    /// Writes a page out for one entry, whose frame the slot keeps (and owns) until memory is short.
    pub(crate) fn write_cached(&self, frame: Frame) -> Result<u32, NoSlot> {
        let slot = Slot { entries: 1, contents: Vec::new(), cached: Some(frame), stored: 0 };
        let number = self.add(slot)?;
        self.state().cached.insert(frame, number);
        Ok(number)
    }

    /// Lets go of the frames that only the slots own.
    pub(crate) fn shrink(&self, frames: &Frames) {
        let State { slots, cached, .. } = &mut *self.state();
        for slot in slots {
            if let Some(frame) = slot.cached.filter(|frame| frames.owners(*frame) == 1) {
                slot.contents = frames.contents(frame);
                slot.stored = frames.take_stored(frame);
                slot.cached = None;
                cached.remove(&frame);
                frames.drop_data(frame);
            }
        }
    }

    fn add(&self, slot: Slot) -> Result<u32, NoSlot> {
        let mut state = self.state();
        if let Some(number) = state.free.pop() {
            state.slots[number as usize] = slot;
            return Ok(number);
        }
        if state.slots.len() >= self.pages as usize {
            return Err(NoSlot);
        }
        state.slots.push(slot);
        Ok(state.slots.len() as u32 - 1)
    }

    /// One entry more names the slot.
    pub(crate) fn retain(&self, slot: u32) {
        self.state().slots[slot as usize].entries += 1;
    }

    /// One entry less; the last one frees the slot.
    pub(crate) fn release(&self, slot: u32, frames: &Frames) {
        let mut state = self.state();
        let place = &mut state.slots[slot as usize];
        place.entries -= 1;
        if place.entries > 0 {
            return;
        }
        place.contents = Vec::new();
        place.stored = 0;
        let cached = place.cached.take();
        cached.inspect(|frame| {
            state.cached.remove(frame);
        });
        state.free.push(slot);
        drop(state);
        cached.into_iter().for_each(|frame| frames.drop_data(frame));
    }

    /// Each slot in use: its number, entries, and cached frame.
    pub(crate) fn each_slot(&self, mut visit: impl FnMut(u32, u32, Option<Frame>)) {
        let state = self.state();
        for (number, slot) in state.slots.iter().enumerate().filter(|(_, slot)| slot.entries > 0) {
            visit(number as u32, slot.entries, slot.cached);
        }
    }

    /// How many entries name a slot.
    pub(crate) fn entries(&self, slot: u32) -> u32 {
        self.state().slots[slot as usize].entries
    }

    /// The frame of a slot's page, with one owner more for the caller; true: it had to be read.
    pub(crate) fn read(&self, slot: u32, frames: &Frames) -> Result<(Frame, bool), NoFrame> {
        let mut state = self.state();
        let place = &mut state.slots[slot as usize];
        if let Some(frame) = place.cached {
            frames.retain(frame);
            return Ok((frame, false));
        }
        let frame = frames.allocate(Use::Anonymous)?;
        for (word, value) in frames.words(frame).iter().zip(&place.contents) {
            word.store(*value, std::sync::atomic::Ordering::Relaxed);
        }
        frames.retain(frame);
        frames.set_stored(frame, std::mem::take(&mut place.stored));
        place.cached = Some(frame);
        state.cached.insert(frame, slot);
        Ok((frame, true))
    }

    // ---- stored --------------------------------------------------------------------------

    /// Each slot in use, and where its page is.
    pub(crate) fn places(&self) -> Vec<(u32, Place)> {
        let state = self.state();
        let used = (0..).zip(&state.slots).filter(|(_, slot)| slot.entries > 0);
        used.map(|(number, slot)| {
            let place = match slot.cached {
                Some(frame) => Place::Cached(frame),
                None => Place::Written(slot.contents.clone()),
            };
            (number, place)
        })
        .collect()
    }

    /// The page that has the contents of a slot.
    pub(crate) fn stored(&self, slot: u32) -> Option<u32> {
        Some(self.state().slots[slot as usize].stored).filter(|page| *page != 0)
    }

    /// Remembers the page that has the contents of a slot.
    pub(crate) fn set_stored(&self, slot: u32, page: u32) {
        self.state().slots[slot as usize].stored = page;
    }

    /// Forgets all such pages.
    pub(crate) fn forget_stored(&self) {
        self.state().slots.iter_mut().for_each(|slot| slot.stored = 0);
    }

    /// How many slots were ever used, and the free ones in the order in which they became so.
    pub(crate) fn shape(&self) -> (u32, Vec<u32>) {
        let state = self.state();
        (state.slots.len() as u32, state.free.clone())
    }

    /// A swap as it was stored: so many slots, these of them in use, no entry counted yet.
    pub(crate) fn restore(
        pages: u32,
        slots: u32,
        free: Vec<u32>,
        places: Vec<(u32, Place)>,
    ) -> Swap {
        let empty = || Slot { entries: 0, contents: Vec::new(), cached: None, stored: 0 };
        let mut state =
            State { slots: (0..slots).map(|_| empty()).collect(), free, ..State::default() };
        for (number, place) in places {
            let slot = &mut state.slots[number as usize];
            match place {
                Place::Cached(frame) => {
                    slot.cached = Some(frame);
                    state.cached.insert(frame, number);
                }
                Place::Written(contents) => slot.contents = contents,
            }
        }
        Swap { state: Mutex::new(state), pages }
    }
}
