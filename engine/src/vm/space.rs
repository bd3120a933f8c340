//! An address space: areas, which say what may be, and tables, which say what is.

use super::{
    area::Areas,
    frames::NoFrame,
    tables::{Memory, Tables},
};

/// An address space.
pub(crate) struct Space {
    pub(crate) areas: Areas,
    pub(crate) tables: Tables,
    /// Most pages that its areas may have together (`RLIMIT_AS`).
    pub(crate) limit: Option<u64>,
    /// Where the heap begins, and how far `brk` has moved its end.
    pub(crate) heap: Option<(u64, u64)>,
}

impl Space {
    pub(crate) fn new(memory: &Memory) -> Result<Space, NoFrame> {
        Ok(Space { areas: Areas::default(), tables: Tables::new(memory)?, limit: None, heap: None })
    }

    /// Would so many pages more exceed the limit?
    pub(crate) fn exceeds(&self, more: u64) -> bool {
        self.limit.is_some_and(|limit| self.areas.pages() + more > limit)
    }
}

impl super::machine::Machine {
    /// Limits the address space of a process to what it has now and so many pages more.
    pub fn limit_space(
        &mut self,
        process: super::machine::Pid,
        more: u64,
    ) -> Result<(), super::machine::Errno> {
        let mut space = self.space(process).ok_or(super::machine::Errno::Invalid)?;
        space.limit = Some(space.areas.pages().saturating_add(more));
        Ok(())
    }
}
