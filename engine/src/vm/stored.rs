//! A machine in a database: memory and page tables are raw pages of the pager.
//!
//! ```text
//! catalog --> height 6 --> height 5 --> height 4 --> 3 --> 2 --> 1 --> height 0
//!             objects, by number        root of a radix of pages       a page
//!
//! object 0        what the machine is, but for its memory (`description`)
//! object 1        the pages in swap, by slot
//! object 2 + 3k   address space k: the root of its page tables
//! object 3 + 3k   the page cache of file k, by page
//! object 4 + 3k   the bytes of file k, if it has any of its own
//! ```
//!
//! A table of the machine is a raw page with the same 512 entries, in which the number of a page of
//! the database stands where the number of a frame stood. So what processes share in memory they
//! share in the file: the pager counts for a page of memory the tables that name it, as the machine
//! counts for a frame; and a snapshot of the branch is one owner more of what a fork makes one owner
//! more of. Storing again writes what changed and the tables above it, and shares the rest
//! ([`WriteTransaction::store_machine`]).
//!
//! - **V6** A page of a database is remembered by at most one frame or slot of a machine; that of a
//!   frame of data only while it has the frame's contents.
//! - **V7** Remembered pages are used only if the stored machine that is to be replaced is the very
//!   one that this machine was stored as, or resumed from: same database, same random id, same root.

pub(in crate::vm) mod codec;
mod description;
mod read;
mod write;

use cowslip_pager::{PageId, Pointer};

use super::{
    frames::{Frame, PAGE},
    machine::{Machine, lock},
    swap::Place,
};
use crate::{
    ReadTransaction, WriteTransaction,
    error::{Error, Result},
    meta::TableRecord,
};

const DESCRIPTION: u64 = 0;
const SWAP: u64 = 1;

fn space_object(number: usize) -> u64 {
    2 + 3 * number as u64
}

fn cache_object(number: usize) -> u64 {
    3 + 3 * number as u64
}

fn bytes_object(number: usize) -> u64 {
    4 + 3 * number as u64
}

/// Height of the page that leads to all objects.
const TOP: u8 = 6;
/// Height of an object's root.
const OBJECT: u8 = 4;
/// Objects that a machine may have.
const OBJECTS: u64 = 1 << 18;
/// Bits of the entries in a stored page cache: the page is there; it is away.
const HERE: u64 = 1;
const AWAY: u64 = 2;

/// Where a machine was stored last, or came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    /// Id of the database.
    pub(crate) store: u64,
    /// Id of what was stored: a random number, another one each time that something was written.
    pub(crate) id: u64,
    pub(crate) root: Pointer,
}

impl Home {
    fn new(store: u64, record: &TableRecord) -> Home {
        Home { store, id: record.id, root: record.root }
    }
}

/// What storing a machine wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoredMachine {
    /// Pages of memory written: frames, swap, contents of files, and the description.
    pub memory: u64,
    /// Pages of tables written.
    pub tables: u64,
    /// Pages that were in the database already and got one owner more, or kept the one they had,
    /// below tables that were written.
    pub shared: u64,
}

impl WriteTransaction {
    /// Stores a machine under a name of the branch, in the place of an older one. Only what has
    /// changed since is written, if this machine is the one stored there, gone on.
    ///
    /// The database's pages must have 4 KiB. The transaction commits by a checkpoint, whatever its
    /// durability: the log does not carry machines.
    pub fn store_machine(&self, name: &str, machine: &mut Machine) -> Result<StoredMachine> {
        let size = self.draft().txn.page_size();
        if size != PAGE {
            return Err(Error::InvalidArgument(format!(
                "a machine in a database with pages of {size} bytes (its own have {PAGE})"
            )));
        }
        let store = self.draft().txn.store_id();
        let (record, report) =
            self.draft_mut().put_machine(name, |writer, old| write::store(writer, machine, old))?;
        machine.home = Some(Home::new(store, &record));
        Ok(report)
    }

    /// The names of the branch's machines, ascending.
    pub fn machines(&self) -> Result<Vec<String>> {
        self.draft().machines()
    }

    /// Deletes a machine. True: there was one. Its space comes back in the background.
    pub fn delete_machine(&self, name: &str) -> Result<bool> {
        let mut draft = self.draft_mut();
        match draft.find_machine(name) {
            Ok(Some(_)) => draft.delete_table(name),
            Ok(None) | Err(Error::AlreadyExists(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl ReadTransaction {
    /// The names of all machines, ascending.
    pub fn machines(&self) -> Result<Vec<String>> {
        self.machine_names()
    }

    /// A machine as it was stored, to go on from there. No more than `modelled` frames are taken
    /// memory for ([`Settings::modelled`](super::Settings)): [`Error::InvalidArgument`] if that is
    /// less than it has.
    pub fn machine(&self, name: &str, modelled: u32) -> Result<Machine> {
        let (reader, record) = self.machine_record(name)?;
        read::load(reader, record, modelled)
    }
}

/// Tries whether the pages that `record` leads to make a machine, which is thrown away. `read` has raw pages that
/// follow one another, verified. For whoever checks a file: [`Error::Corrupted`] says what contradicts what;
/// [`Error::InvalidArgument`], that it has more than `modelled` frames.
pub fn try_stored(
    record: &TableRecord,
    modelled: u32,
    read: &dyn Fn(PageId, &mut [u8]) -> cowslip_pager::Result<()>,
) -> Result<()> {
    read::resume(record, modelled, read).map(drop)
}

impl Machine {
    /// All frames of data and tables, in the order in which a walk through what is stored meets them
    /// first: address spaces, page caches, swap.
    fn frames_in_order(&self) -> Vec<Frame> {
        let mut order = Order { machine: self, seen: Default::default(), frames: Vec::new() };
        for (_, space) in self.spaces() {
            let root = lock(&space).tables.root();
            order.table(root, OBJECT);
        }
        for file in &self.files {
            file.cached_pages().iter().for_each(|(_, frame, _)| {
                order.first(*frame);
            });
        }
        for (_, place) in self.memory.swap.places() {
            if let Place::Cached(frame) = place {
                order.first(frame);
            }
        }
        order.frames
    }
}

struct Order<'m> {
    machine: &'m Machine,
    seen: std::collections::HashSet<Frame>,
    frames: Vec<Frame>,
}

impl Order<'_> {
    fn first(&mut self, frame: Frame) -> bool {
        let first = frame != Frame::ZERO && self.seen.insert(frame);
        if first {
            self.frames.push(frame);
        }
        first
    }

    fn table(&mut self, table: Frame, height: u8) {
        if !self.first(table) {
            return;
        }
        for at in 0..512 {
            match self.machine.memory.frames.entry(table, at).mapped() {
                Some(below) if height > 1 => self.table(below, height - 1),
                Some(frame) => {
                    self.first(frame);
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
