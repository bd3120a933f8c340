//! Memory for accesses of which only the address is known: a recorded run says what was touched, but
//! not what was mapped.

use super::{
    machine::{Errno, Machine, Pid},
    map::Mapping,
    tables::PAGES,
};

/// Pages that are mapped at once: 1 MiB. Neighbours become one area.
const CHUNK: u64 = 256;

impl Machine {
    /// Makes sure that an area covers `page`. If none does, a stack above it grows, if it may; else
    /// anonymous memory is mapped around it, up to 1 MiB, as far as there is room.
    pub fn cover(&mut self, process: Pid, page: u64) -> Result<(), Errno> {
        if page >= PAGES {
            return Err(Errno::Fault);
        }
        let mut space = self.space(process).ok_or(Errno::Invalid)?;
        if space.areas.find(page).is_some() || self.grow_stack(&mut space, page).is_ok() {
            return Ok(());
        }
        let room = space.areas.gap_around(&(page..page + 1));
        drop(space);
        let start = page - page % CHUNK;
        let at = start.max(room.start);
        let pages = (start + CHUNK).min(room.end).min(PAGES).saturating_sub(at);
        self.map(process, &Mapping { at: Some(at), ..Mapping::anonymous(pages) }).map(drop)
    }
}
