//! What the monitor knows, and the rules by which it judges.

use std::{collections::HashMap, ops::Range};

use cowslip_pager::{
    geometry::{Geometry, SUPERBLOCK_AREA},
    page::PageId,
    storage::BLOCK,
    superblock::{MAGIC, SUPERBLOCK_SIZE, Superblock},
};

use super::{
    Peek,
    ledger::{Ledger, Sync},
    log::Log,
    reach::{Part, Reach},
};

const B: u64 = BLOCK as u64;

type Judged = Result<(), String>;

/// The store as its bytes tell it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    /// The number in each copy of the superblock as it was last written.
    copies: [Option<u64>; 4],
    /// Of the newest durable superblock.
    durable: Option<Reach>,
    log: Option<Log>,
    /// Of a superblock that is being written and may be durable already.
    begun: Option<Reach>,
    /// Reserved pages as they were last written, as far as they were.
    reserved: HashMap<u64, Vec<u8>>,
    /// Writes to a store that has no superblock yet, whose page size is not known.
    early: Vec<(u64, Vec<u8>)>,
    /// Durable writes of the log, and superblocks that became durable.
    durable_events: u64,
}

impl State {
    /// What stands on a storage. All that its superblock reaches was made durable by whoever wrote
    /// that; of the log, and of the length beyond, nothing is known.
    pub(super) fn read(peek: Peek<'_>, length: u64) -> State {
        let mut state = State {
            ledger: Ledger::new(length, 0),
            copies: [None; 4],
            durable: None,
            log: None,
            begun: None,
            reserved: HashMap::new(),
            early: Vec::new(),
            durable_events: 0,
        };
        let found: Vec<Option<Superblock>> = (0..4)
            .map(|copy| {
                let mut bytes = [0; SUPERBLOCK_SIZE];
                peek(&mut bytes, copy * COPY_DISTANCE).ok()?;
                let block = Superblock::decode(&bytes).ok()?;
                (block.checkpoint % 2 == copy % 2).then_some(block)
            })
            .collect();
        for (copy, block) in found.iter().enumerate() {
            state.copies[copy] = block.as_ref().map(|block| block.checkpoint);
        }
        let Some(newest) = found.into_iter().flatten().max_by_key(|block| block.checkpoint) else {
            return state;
        };
        let page_size = newest.page_size as usize;
        let look = |page: u64| {
            let mut bytes = vec![0; page_size];
            peek(&mut bytes, page * page_size as u64).ok().map(|()| bytes)
        };
        // A damaged page of the map is for the engine to find. What it covers is not protected here.
        let (reach, _) = Reach::of(newest.clone(), &look, None);
        for slot in reach.directory_slots() {
            state.reserved.extend(look(slot).map(|bytes| (slot, bytes)));
        }
        state.ledger = Ledger::new(length, length.min(reach.length()));
        let (log, records) = Log::found(&newest, &reach.geometry, peek);
        records.into_iter().for_each(|block| state.ledger.doubt(block));
        state.log = Some(log);
        state.durable = Some(reach);
        state
    }

    pub(super) fn durable_events(&self) -> u64 {
        self.durable_events
    }

    // ---- writes --------------------------------------------------------------------------

    /// May this be written? If so, it is being written from now on.
    pub(super) fn begin_write(&mut self, buf: &[u8], offset: u64, call: &str) -> Judged {
        if buf.is_empty() {
            return Ok(());
        }
        let place = |what: String| format!("{call} of {} bytes at {offset:#x}: {what}", buf.len());
        let blocks = blocks(offset, buf.len() as u64);
        if offset < SUPERBLOCK_AREA {
            self.begin_superblock(buf, offset).map_err(place)?;
        } else {
            self.must_not_be_reached(&blocks).map_err(place)?;
            if let Some(log) = &mut self.log {
                let durable = call == "write_durable";
                let unsynced = self.ledger.unsynced();
                log.begin_write(blocks.clone(), buf, durable, unsynced).map_err(place)?;
            }
            self.remember(buf, offset);
        }
        self.ledger.begin_write(blocks);
        Ok(())
    }

    /// The write has ended.
    pub(super) fn end_write(&mut self, offset: u64, length: u64, durable: bool, well: bool) {
        let blocks = blocks(offset, length);
        if durable && well && self.log.as_ref().is_some_and(|log| log.contains(blocks.start)) {
            self.durable_events += 1;
        }
        self.ledger.end_write(blocks, offset + length, durable, well);
        self.adopt();
    }

    pub(super) fn end_sync(&mut self, begun: Sync, well: bool) {
        self.ledger.end_sync(begun, well);
        self.adopt();
    }

    /// I1, R5.
    fn must_not_be_reached(&self, blocks: &Range<u64>) -> Judged {
        for (reach, which) in [
            (&self.durable, "the durable superblock"),
            (&self.begun, "the superblock being written"),
        ] {
            let Some(reach) = reach else { continue };
            let in_page = reach.geometry.page_size as u64 / B;
            for page in blocks.start / in_page..blocks.end.div_ceil(in_page) {
                let checkpoint = reach.superblock.checkpoint;
                match reach.part(page) {
                    Part::Nothing | Part::Log => {}
                    Part::Slot => {
                        return Err(format!(
                            "R5: page {page} is a slot of the map that {which} names (checkpoint \
                             {checkpoint})"
                        ));
                    }
                    Part::Owned => {
                        return Err(format!(
                            "I1: page {page} has an owner in the map of {which} (checkpoint \
                             {checkpoint})"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps what is written to pages of the map.
    fn remember(&mut self, buf: &[u8], offset: u64) {
        match self.begun.as_ref().or(self.durable.as_ref()) {
            Some(reach) => {
                let is_reserved = |page| reach.is_reserved(page);
                remember(&mut self.reserved, reach.geometry.page_size, is_reserved, buf, offset);
            }
            None => self.early.push((offset, buf.to_vec())),
        }
    }

    // ---- superblocks ---------------------------------------------------------------------

    /// Slots, and I2.
    fn begin_superblock(&mut self, buf: &[u8], offset: u64) -> Judged {
        if buf.len() != SUPERBLOCK_SIZE || !offset.is_multiple_of(COPY_DISTANCE) {
            return Err(
                "slots: it lies among the superblocks and is none of the four copies".into()
            );
        }
        let copy = (offset / COPY_DISTANCE) as usize;
        let other = (copy + 2) % 4;
        let Ok(superblock) = Superblock::decode(buf) else {
            let is_mark = buf.starts_with(&MAGIC) && buf[MAGIC.len()..].iter().all(|&b| b == 0);
            if self.durable.is_none() && copy == 0 && is_mark {
                return Ok(());
            }
            return Err("slots: no superblock, in the place of one".into());
        };
        let number = superblock.checkpoint;
        if number % 2 != copy as u64 % 2 {
            return Err(format!("slots: checkpoint {number} does not belong in this slot"));
        }
        match &self.durable {
            Some(durable) if durable.superblock.checkpoint == number => {
                if durable.superblock != superblock {
                    return Err(format!("slots: another checkpoint {number} is durable already"));
                }
                if !self.is_whole(other, number) {
                    return Err(format!(
                        "slots: checkpoint {number} is the newest, and its other copy is not whole \
                         and durable"
                    ));
                }
            }
            newest => {
                let expected = newest.as_ref().map_or(1, |newest| newest.superblock.checkpoint + 1);
                if number != expected {
                    return Err(format!("slots: checkpoint {number}, where {expected} comes next"));
                }
                let slot = (copy + 1) % 2;
                if newest.is_some()
                    && ![slot, slot + 2].iter().all(|&copy| self.is_whole(copy, number - 1))
                {
                    return Err(format!(
                        "slots: checkpoint {number} comes before both copies of {} are whole and \
                         durable",
                        number - 1
                    ));
                }
                if self.copies[other] == Some(number) {
                    return Err(format!(
                        "slots: the second copy of checkpoint {number} begins before the first is \
                         durable"
                    ));
                }
                self.begun = Some(self.judge_reached(superblock)?);
            }
        }
        self.copies[copy] = Some(number);
        Ok(())
    }

    /// Does a copy hold this checkpoint, durably?
    fn is_whole(&self, copy: usize, number: u64) -> bool {
        self.copies[copy] == Some(number) && self.ledger.is_durable(copy as u64 * COPY_DISTANCE / B)
    }

    /// I2: is all durable that the superblock reaches?
    fn judge_reached(&mut self, superblock: Superblock) -> Result<Reach, String> {
        let number = superblock.checkpoint;
        let geometry = Geometry::new(superblock.page_size as usize).expect("it was decoded");
        for (offset, bytes) in std::mem::take(&mut self.early) {
            let is_reserved = |page| geometry.is_reserved(PageId(page));
            remember(&mut self.reserved, geometry.page_size, is_reserved, &bytes, offset);
        }
        let look = |page: u64| self.reserved.get(&page).cloned();
        let (reach, fault) = Reach::of(superblock.clone(), &look, self.durable.as_ref());
        if let Some(fault) = fault {
            return Err(format!("I2: checkpoint {number}: {fault}"));
        }
        if self.ledger.assured() < reach.length() {
            return Err(format!(
                "I2: checkpoint {number} needs a file of {} bytes, of which {} are durable",
                reach.length(),
                self.ledger.assured()
            ));
        }
        // A ring that is in use holds records that are not durable and need not be.
        let in_use = self.durable.as_ref().is_some_and(|durable| {
            let (old, new) = (&durable.superblock.log, &superblock.log);
            (old.page, old.blocks) == (new.page, new.blocks)
        });
        for block in self.ledger.unsynced() {
            let page = block * B / geometry.page_size as u64;
            let what = match reach.part(page) {
                _ if block * B < SUPERBLOCK_AREA => continue,
                Part::Nothing => continue,
                Part::Log if in_use => continue,
                Part::Log => "of its new log ring",
                Part::Slot => "a slot of the map that it names",
                Part::Owned => "with an owner in its map",
            };
            return Err(format!("I2: checkpoint {number}: page {page}, {what}, is not durable"));
        }
        Ok(reach)
    }

    /// Has the superblock that is being written become durable?
    fn adopt(&mut self) {
        let Some(begun) = &self.begun else { return };
        let number = begun.superblock.checkpoint;
        if !(0..4).any(|copy| self.is_whole(copy, number)) {
            return;
        }
        match &mut self.log {
            Some(log) => log.adopt(&begun.superblock, &begun.geometry),
            None => self.log = Some(Log::new(&begun.superblock, &begun.geometry)),
        }
        self.durable = self.begun.take();
        self.durable_events += 1;
    }

    // ---- the length, acknowledgements ----------------------------------------------------

    /// Cut.
    pub(super) fn may_set_len(&self, length: u64) -> Judged {
        for reach in [&self.durable, &self.begun].into_iter().flatten() {
            if length < reach.length() {
                return Err(format!(
                    "set_len to {length}: cut: checkpoint {}, which may be the newest durable one, \
                     needs {} bytes",
                    reach.superblock.checkpoint,
                    reach.length()
                ));
            }
        }
        Ok(())
    }

    /// R9. `since`: for a commit that wrote something, the durable events before it.
    pub(super) fn acknowledged(&self, since: Option<u64>) -> Judged {
        if since == Some(self.durable_events) {
            return Err(
                "R9: a commit was acknowledged as durable, and since it began nothing was \
                        made durable"
                    .into(),
            );
        }
        let Some(log) = &self.log else { return Ok(()) };
        match log.transaction_in(self.ledger.unsynced()) {
            None => Ok(()),
            Some((place, block)) => Err(format!(
                "R9: a commit was acknowledged as durable, and log block {block} (offset {:#x}), \
                 which holds a transaction, is not",
                place * B
            )),
        }
    }
}

/// From a copy of the superblock to the next.
const COPY_DISTANCE: u64 = 16 << 10;

/// The blocks that a write touches.
fn blocks(offset: u64, length: u64) -> Range<u64> {
    offset / B..(offset + length).div_ceil(B)
}

/// Puts what a write says of reserved pages where it is kept.
fn remember(
    reserved: &mut HashMap<u64, Vec<u8>>,
    page_size: usize,
    is_reserved: impl Fn(u64) -> bool,
    buf: &[u8],
    offset: u64,
) {
    let size = page_size as u64;
    let end = offset + buf.len() as u64;
    for page in offset / size..end.div_ceil(size) {
        if !is_reserved(page) {
            continue;
        }
        let start = page * size;
        let bytes = reserved.entry(page).or_insert_with(|| vec![0; size as usize]);
        let (from, to) = (offset.max(start), end.min(start + size));
        bytes[(from - start) as usize..(to - start) as usize]
            .copy_from_slice(&buf[(from - offset) as usize..(to - offset) as usize]);
    }
}
