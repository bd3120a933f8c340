//! The survey: every block of the wreck is looked at once, for node pages and records of the log that prove
//! themselves. It also finds the page size and the store where no superblock says them.
//!
//! ```text
//! block at byte o:  a header with page number n:  o / n is the page size, if that is one
//!                   a record's header: length, store, checksum over header and body
//! ```
//!
//! Memory: 32 bytes for each node page, and while they are sorted out 40 more; 32 for each record that begins a
//! block.

use std::collections::HashMap;

use cowslip_pager::{
    log::{KIND_MARK, KIND_TRANSACTION, RECORD_HEADER, Record},
    page::{Header, PAGE_SIZE_MAX, PAGE_SIZE_MIN, node_crc},
    storage::{BLOCK, Storage},
};

use crate::{Error, walk::NodeReader};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;
/// Bytes of the longest log ring.
pub(super) const RING_MAX: u64 = 32 << 20;
/// Pairs of a page size and a store that are told apart.
const STORES_MAX: usize = 1000;
/// Levels that a tree can have.
pub(super) const LEVELS_MAX: u8 = 24;

/// What the map of a certain superblock says of a node page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing against it.
    Open,
    /// Another page should stand there: it is an older one, and may still fill a hole.
    Older,
    /// It is what a large value or a machine has in it, and no node.
    Image,
}

/// A node page that proves itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) page: u32,
    pub(super) kind: u8,
    pub(super) level: u8,
    /// An inner node names it.
    pub(super) child: bool,
    /// A state leads to it.
    pub(super) reached: bool,
    pub(super) proof: Proof,
    pub(super) crc: u32,
    pub(super) stamp: u64,
    pub(super) tree: u64,
}

/// A record of the log that stands at the start of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) offset: u64,
    pub(super) sequence: u64,
    pub(super) chain: u32,
}

/// What was found.
pub(super) struct Survey {
    pub(super) page_size: usize,
    pub(super) store: u64,
    /// By page, ascending.
    pub(super) nodes: Vec<Node>,
    /// By sequence, ascending.
    pub(super) log: Vec<Start>,
    /// Blocks that could not be read.
    pub(super) unreadable: u64,
}

/// Looks through the file; for one page size and store only, if a superblock says them for certain. `None`: nothing of ours.
pub(super) fn run(
    storage: &dyn Storage,
    length: u64,
    (said, certain): (Option<(usize, u64)>, bool),
    progress: &dyn Fn(u64, u64),
) -> Result<Option<Survey>, Error> {
    let mut finder = Finder {
        storage,
        length,
        known: said.filter(|_| certain),
        stores: HashMap::new(),
        nodes: Vec::new(),
        log: Vec::new(),
        record_end: 0,
        record_bytes: length.saturating_mul(4).saturating_add(RING_MAX),
    };
    let mut chunk = vec![0; CHUNK];
    let mut unreadable = 0;
    let mut at = 0;
    while at < length {
        let there = (length - at).min(CHUNK as u64) as usize;
        let bytes = &mut chunk[..there];
        if storage.read_at(bytes, at).is_err() {
            // The bad places only.
            for (i, block) in bytes.chunks_mut(BLOCK).enumerate() {
                if storage.read_at(block, at + (i * BLOCK) as u64).is_err() {
                    block.fill(0);
                    unreadable += 1;
                }
            }
        }
        for i in 0..there / BLOCK {
            finder.block(bytes, i * BLOCK, at)?;
        }
        at += there as u64;
        progress(at, length);
    }
    Ok(finder.end(said, unreadable))
}

struct Finder<'a> {
    storage: &'a dyn Storage,
    length: u64,
    known: Option<(usize, u64)>,
    /// The number of each pair, and its pages.
    stores: HashMap<(usize, u64), (u16, u64)>,
    nodes: Vec<(u16, Node)>,
    log: Vec<(u64, Start)>,
    /// Where the last record ends: what is in it is no record.
    record_end: u64,
    /// Bytes of records that may still be looked at: blocks that were made to look like long ones cost no more.
    record_bytes: u64,
}

impl Finder<'_> {
    fn block(&mut self, chunk: &[u8], within: usize, base: u64) -> Result<(), Error> {
        let block = &chunk[within..within + BLOCK];
        if block[..RECORD_HEADER].iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        let offset = base + within as u64;
        if let Some(size) = self.node_size(block, offset) {
            let page = match chunk.get(within..within + size) {
                Some(page) => std::borrow::Cow::Borrowed(page),
                None => {
                    let mut page = vec![0; size];
                    if self.storage.read_at(&mut page, offset).is_err() {
                        return Ok(());
                    }
                    page.into()
                }
            };
            return self.node(&page);
        }
        self.record(chunk, within, offset)
    }

    /// The page size, if this can be the start of a node.
    fn node_size(&self, block: &[u8], offset: u64) -> Option<usize> {
        let header = Header::read(block);
        let page = header.pointer.page.0;
        if page == 0 || page >= 1 << 32 || !offset.is_multiple_of(page) {
            return None;
        }
        let size = usize::try_from(offset / page).ok()?;
        let legal = size.is_power_of_two() && (PAGE_SIZE_MIN..=PAGE_SIZE_MAX).contains(&size);
        let wanted = self.known.is_none_or(|known| known == (size, header.store));
        let fits = offset.checked_add(size as u64).is_some_and(|end| end <= self.length);
        let kind = (1..=3).contains(&header.pointer.kind) && header.pointer.level <= LEVELS_MAX;
        (legal && wanted && fits && kind && header.store != 0).then_some(size)
    }

    fn node(&mut self, page: &[u8]) -> Result<(), Error> {
        let header = Header::read(page);
        if node_crc(page) != header.crc || !is_sound(page) {
            return Ok(());
        }
        let pair = (page.len(), header.store);
        let number = self.stores.len();
        if number >= STORES_MAX && !self.stores.contains_key(&pair) {
            return Ok(());
        }
        let known = self.stores.entry(pair).or_insert((number as u16, 0));
        known.1 += 1;
        let node = Node {
            page: header.pointer.page.0 as u32,
            kind: header.pointer.kind,
            level: header.pointer.level,
            child: false,
            reached: false,
            proof: Proof::Open,
            crc: header.crc,
            stamp: header.pointer.stamp,
            tree: header.tree,
        };
        let number = known.0;
        push(&mut self.nodes, (number, node))
    }

    fn record(&mut self, chunk: &[u8], within: usize, offset: u64) -> Result<(), Error> {
        let header = &chunk[within..within + RECORD_HEADER];
        let record = Record::decode(header);
        let plausible = matches!(record.kind, KIND_TRANSACTION | KIND_MARK)
            && header[13..16] == [0; 3]
            && record.length > 0
            && u64::from(record.length) < RING_MAX
            && record.store != 0
            && self.known.is_none_or(|(_, store)| store == record.store);
        let size = RECORD_HEADER + record.length as usize;
        if !plausible || offset < self.record_end || self.record_bytes < size as u64 {
            return Ok(());
        }
        self.record_bytes -= size as u64;
        let crc = match chunk.get(within..within + size) {
            Some(bytes) => crc32fast::hash(&bytes[4..]),
            None if offset + size as u64 <= self.length => {
                // A body that is longer than the chunk is read for it alone; there are few of them.
                let mut bytes = vec![0; size];
                match self.storage.read_at(&mut bytes, offset) {
                    Ok(()) => crc32fast::hash(&bytes[4..]),
                    Err(_) => return Ok(()),
                }
            }
            None => return Ok(()),
        };
        if crc != record.crc {
            return Ok(());
        }
        self.record_end = offset + size as u64;
        let start = Start { offset, sequence: record.sequence, chain: record.chain };
        push(&mut self.log, (record.store, start))
    }

    /// Keeps what is of the store that has the most pages.
    fn end(self, said: Option<(usize, u64)>, unreadable: u64) -> Option<Survey> {
        let most = self.stores.iter().max_by_key(|(pair, (_, pages))| (*pages, **pair));
        let (page_size, store) = self.known.or(most.map(|(pair, _)| *pair)).or(said)?;
        let number = self.stores.get(&(page_size, store)).map(|known| known.0);
        let nodes = self.nodes.into_iter().filter(|(of, _)| Some(*of) == number);
        let mut nodes: Vec<Node> = nodes.map(|(_, node)| node).collect();
        // Positions grow with page numbers, for one page size.
        nodes.sort_unstable_by_key(|node| node.page);
        let log = self.log.into_iter().filter(|(of, _)| *of == store);
        let mut log: Vec<Start> = log.map(|(_, start)| start).collect();
        log.sort_unstable_by_key(|start| start.sequence);
        Some(Survey { page_size, store, nodes, log, unreadable })
    }
}

fn push<T>(to: &mut Vec<T>, what: T) -> Result<(), Error> {
    if to.len() == to.capacity() {
        let more = (to.len() / 2).max(1024);
        to.try_reserve(more).map_err(|_| Error::OutOfMemory { pages: to.len() as u64 })?;
    }
    to.push(what);
    Ok(())
}

/// Can every entry be read, and do the keys ascend?
fn is_sound(page: &[u8]) -> bool {
    let Ok(node) = NodeReader::new(page) else { return false };
    let (mut key, mut before) = (Vec::new(), Vec::new());
    for i in 0..node.count() {
        let Ok(entry) = node.entry(i) else { return false };
        entry.key(&mut key);
        if i > 0 && key <= before && (node.is_leaf() || i > 1) {
            return false;
        }
        std::mem::swap(&mut key, &mut before);
    }
    true
}
