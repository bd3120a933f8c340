//! Swap: pages that gave up their frame, each in a slot with the number of entries that name it.
//!
//! ```text
//! entry --slot--> { entries, a cached frame, or a page of the device }
//! ```
//!
//! The first process that needs the page again brings it into a frame, which the slot remembers
//! (the swap cache, an owner of the frame) while other entries still name the slot: they find the
//! same frame, without reading. The device is a pager (`device`), in memory unless a storage is
//! given.

mod device;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cowslip_pager::{
    PageId,
    storage::{MemoryStorage, Storage},
};

use self::device::Device;
use super::frames::{Frame, Frames, NoFrame, Use};

/// No slot is free, or the device does not take the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSlot;

/// Why a page did not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBack {
    NoFrame,
    /// The device does not give it, or something else.
    Unreadable,
}

impl From<NoFrame> for NotBack {
    fn from(_: NoFrame) -> NotBack {
        NotBack::NoFrame
    }
}

/// Where the page of a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a frame.
    Cached(Frame),
    /// On the device.
    Written(PageId),
}

struct Slot {
    entries: u32,
    /// None: it is free.
    place: Option<Place>,
    /// The page of a database that has the contents; 0: none.
    stored: u32,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The slot that keeps a frame.
    cached: HashMap<Frame, u32>,
    device: Option<Device>,
}

impl State {
    /// The device, made when it is needed first.
    fn device(&mut self) -> cowslip_pager::Result<&mut Device> {
        if self.device.is_none() {
            self.device = Some(Device::on(Arc::new(MemoryStorage::new()))?);
        }
        self.device.as_mut().ok_or(cowslip_pager::Error::ReadOnly)
    }

    fn write(&mut self, contents: &[u64]) -> Result<Place, NoSlot> {
        match self.device().and_then(|device| device.write(contents)) {
            Ok(page) => Ok(Place::Written(page)),
            Err(error) => {
                tracing::warn!(%error, "swap takes no page");
                Err(NoSlot)
            }
        }
    }

    fn add(&mut self, slot: Slot, pages: u32) -> Result<u32, NoSlot> {
        if let Some(number) = self.free.pop() {
            self.slots[number as usize] = slot;
            return Ok(number);
        }
        if self.slots.len() >= pages as usize {
            return Err(NoSlot);
        }
        self.slots.push(slot);
        Ok(self.slots.len() as u32 - 1)
    }
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

    /// From now on pages go to this empty storage, and those that are on the device move there.
    pub(crate) fn move_to(&self, storage: Arc<dyn Storage>) -> cowslip_pager::Result<()> {
        let state = &mut *self.state();
        let mut device = Device::on(storage)?;
        let mut moved = Vec::new();
        for (number, slot) in state.slots.iter().enumerate() {
            if let (Some(Place::Written(page)), Some(old)) = (slot.place, &mut state.device) {
                moved.push((number, device.write(&old.read(page)?)?));
            }
        }
        for (number, page) in moved {
            state.slots[number].place = Some(Place::Written(page));
        }
        state.device = Some(device);
        Ok(())
    }

    /// Writes the page in `frame` out for so many entries, to the slot that it came from if there is
    /// one; that slot lets go of the frame.
    pub(crate) fn write(&self, frame: Frame, entries: u32, frames: &Frames) -> Result<u32, NoSlot> {
        let contents = frames.contents(frame);
        let state = &mut *self.state();
        let known = state.cached.get(&frame).copied();
        if known.is_none() && state.free.is_empty() && state.slots.len() >= self.pages as usize {
            return Err(NoSlot);
        }
        let place = Some(state.write(&contents)?);
        let stored = frames.take_stored(frame);
        let Some(number) = known else {
            return state.add(Slot { entries, place, stored }, self.pages);
        };
        state.cached.remove(&frame);
        let slot = &mut state.slots[number as usize];
        *slot = Slot { entries: slot.entries + entries, place, stored };
        frames.drop_data(frame);
        Ok(number)
    }

    /// Writes a page out for one entry, whose frame the slot keeps (and owns) until memory is short.
    pub(crate) fn write_cached(&self, frame: Frame) -> Result<u32, NoSlot> {
        let mut state = self.state();
        let slot = Slot { entries: 1, place: Some(Place::Cached(frame)), stored: 0 };
        let number = state.add(slot, self.pages)?;
        state.cached.insert(frame, number);
        Ok(number)
    }

    /// Lets go of the frames that only the slots own.
    pub(crate) fn shrink(&self, frames: &Frames) {
        let state = &mut *self.state();
        for number in 0..state.slots.len() {
            let Some(Place::Cached(frame)) = state.slots[number].place else { continue };
            if frames.owners(frame) != 1 {
                continue;
            }
            let Ok(place) = state.write(&frames.contents(frame)) else { return };
            let slot = &mut state.slots[number];
            (slot.place, slot.stored) = (Some(place), frames.take_stored(frame));
            state.cached.remove(&frame);
            frames.drop_data(frame);
        }
    }

    /// One entry more names the slot.
    pub(crate) fn retain(&self, slot: u32) {
        self.state().slots[slot as usize].entries += 1;
    }

    /// One entry less; the last one frees the slot.
    pub(crate) fn release(&self, slot: u32, frames: &Frames) {
        let state = &mut *self.state();
        let freed = &mut state.slots[slot as usize];
        freed.entries -= 1;
        if freed.entries > 0 {
            return;
        }
        freed.stored = 0;
        match freed.place.take() {
            Some(Place::Cached(frame)) => {
                state.cached.remove(&frame);
                frames.drop_data(frame);
            }
            Some(Place::Written(page)) => {
                state.device.iter_mut().for_each(|device| device.give_back(page));
            }
            None => {}
        }
        state.free.push(slot);
    }

    /// Each slot in use: its number, entries, and cached frame.
    pub(crate) fn each_slot(&self, mut visit: impl FnMut(u32, u32, Option<Frame>)) {
        let state = self.state();
        for (number, slot) in state.slots.iter().enumerate().filter(|(_, slot)| slot.entries > 0) {
            let cached = match slot.place {
                Some(Place::Cached(frame)) => Some(frame),
                _ => None,
            };
            visit(number as u32, slot.entries, cached);
        }
    }

    /// How many entries name a slot.
    pub(crate) fn entries(&self, slot: u32) -> u32 {
        self.state().slots[slot as usize].entries
    }

    /// The frame of a slot's page, with one owner more for the caller; true: it had to be read.
    pub(crate) fn read(&self, slot: u32, frames: &Frames) -> Result<(Frame, bool), NotBack> {
        let state = &mut *self.state();
        let place = &mut state.slots[slot as usize];
        let page = match place.place {
            Some(Place::Cached(frame)) => {
                frames.retain(frame);
                return Ok((frame, false));
            }
            Some(Place::Written(page)) => page,
            None => return Err(NotBack::Unreadable),
        };
        let frame = frames.allocate(Use::Anonymous)?;
        let read = state.device.as_mut().ok_or(cowslip_pager::Error::ReadOnly);
        let contents = match read.and_then(|device| device.read(page)) {
            Ok(contents) => contents,
            Err(error) => {
                tracing::warn!(%error, slot, "a page of swap cannot be read");
                frames.drop_data(frame);
                return Err(NotBack::Unreadable);
            }
        };
        for (word, value) in frames.words(frame).iter().zip(&contents) {
            word.store(*value, std::sync::atomic::Ordering::Relaxed);
        }
        frames.retain(frame);
        frames.set_stored(frame, std::mem::take(&mut place.stored));
        place.place = Some(Place::Cached(frame));
        state.cached.insert(frame, slot);
        state.device.iter_mut().for_each(|device| device.give_back(page));
        Ok((frame, true))
    }

    // ---- stored --------------------------------------------------------------------------

    /// Each slot in use, and where its page is.
    pub(crate) fn places(&self) -> Vec<(u32, Place)> {
        let state = self.state();
        (0..).zip(&state.slots).filter_map(|(number, slot)| Some((number, slot.place?))).collect()
    }

    /// A page of the device.
    pub(crate) fn contents(&self, page: PageId) -> cowslip_pager::Result<Vec<u64>> {
        self.state().device()?.read(page)
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

    /// A swap as it was stored: so many slots, some of them free, no entry counted yet.
    pub(crate) fn restored(pages: u32, slots: u32, free: Vec<u32>) -> Swap {
        let slots = (0..slots).map(|_| Slot { entries: 0, place: None, stored: 0 }).collect();
        Swap { state: Mutex::new(State { slots, free, ..State::default() }), pages }
    }

    /// The frame of a slot of such a swap.
    pub(crate) fn restore_cached(&self, slot: u32, frame: Frame) {
        let mut state = self.state();
        state.slots[slot as usize].place = Some(Place::Cached(frame));
        state.cached.insert(frame, slot);
    }

    /// The contents of a slot of such a swap, and the page of a database that has them.
    pub(crate) fn restore_written(
        &self,
        slot: u32,
        contents: &[u64],
        stored: u32,
    ) -> cowslip_pager::Result<()> {
        let state = &mut *self.state();
        let page = state.device()?.write(contents)?;
        let restored = &mut state.slots[slot as usize];
        (restored.place, restored.stored) = (Some(Place::Written(page)), stored);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
