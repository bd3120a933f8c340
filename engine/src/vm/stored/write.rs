//! Storing: down through the machine and the stored tree together, up with the numbers of pages.
//!
//! A stored table is *sole* if it and all above it have one owner. Then its place is given to the
//! new table and its children stay where they are; else both tables own the children. That is
//! [`Transaction::shadow`](cowslip_pager::Transaction::shadow), spelt out for pages that are written
//! once:
//!
//! ```text
//!               sole                         shared by a snapshot, or by two processes
//! old table     freed                        loses this owner (if its parent was sole)
//! child kept    its owner is the new table   one owner more
//! child gone    loses the old table          nothing: the old table keeps it
//! ```
//!
//! Nothing is written where nothing changed: then the old page stays, with the owners it has.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use cowslip_pager::{PageId, Raw, mutant};

use super::{
    super::{
        entry::Entry,
        file::Contents,
        frames::{Frame, PAGE, WORDS},
        machine::{Machine, lock},
        space::Space,
        swap::Place,
    },
    AWAY, DESCRIPTION, HERE, Home, OBJECT, OBJECTS, SWAP, StoredMachine, TOP, bytes_object,
    cache_object,
    description::{Description, FileKind, FileState, FrameRun, ProcessState, SpaceState},
    space_object,
};
use crate::{
    draft::Stored,
    error::{Error, Result},
    meta::TableRecord,
    tree::Writer,
};

/// What is to stand below an entry.
enum Item<'m> {
    Frame(Frame),
    Slot(u32, Place),
    Bytes(&'m [u8]),
    /// The root of page tables.
    Table(Frame),
    /// The pages of an object: number, bits of the entry, and what it is.
    Pages(Vec<(u64, u64, Item<'m>)>),
}

/// What a table is made from.
enum Source<'s, 'm> {
    Table(Frame),
    Pages(&'s [(u64, u64, Item<'m>)]),
}

/// What stands below an entry of a table.
enum Child<'s, 'm> {
    Nothing,
    Item(&'s Item<'m>),
    Frame(Frame),
    Slot(u32),
    Table(Frame),
    Pages(&'s [(u64, u64, Item<'m>)]),
}

/// Where something was put.
struct Placed {
    page: PageId,
    owner: Owner,
}

/// Who owns what was put somewhere.
#[derive(PartialEq, Eq)]
enum Owner {
    /// It is the old page of this entry, which was not touched.
    Unchanged,
    /// The caller, once; the old page, if there was one, is as it was.
    New,
    /// The caller, once; and the owner that the old page lost was the caller's.
    Replaced,
}

struct Storer<'a, 't> {
    writer: &'a mut Writer<'t>,
    machine: &'a Machine,
    places: &'a [(u32, Place)],
    /// Tables with several owners that were stored already.
    tables: HashMap<Frame, PageId>,
    /// Frames of data with several owners that were met.
    met: HashSet<Frame>,
    /// Pages, each once.
    pages: u64,
    dropped: Vec<Raw>,
    report: StoredMachine,
}

/// Writes a machine in the place of `old`.
pub(super) fn store(
    writer: &mut Writer<'_>,
    machine: &mut Machine,
    old: Option<TableRecord>,
) -> Result<Stored<StoredMachine>> {
    let store = writer.txn.store_id();
    // Until this has gone well, what is remembered is worth nothing (V7).
    let home = machine.home.take();
    let known = old.is_some_and(|old| home == Some(Home::new(store, &old)))
        || mutant!(AnyStoredMachineTrusted) && home.is_some();
    if !known {
        machine.memory.frames.forget_stored();
        machine.memory.swap.forget_stored();
    }
    let places = machine.memory.swap.places();
    let description = describe(machine).encode();
    let description = [&(description.len() as u64).to_le_bytes()[..], &description].concat();
    let mut objects = vec![(DESCRIPTION, pages_of(&description))];
    let slots = places.iter().map(|(slot, place)| {
        let bits = if matches!(place, Place::Cached(_)) { HERE } else { HERE | AWAY };
        (u64::from(*slot), bits, Item::Slot(*slot, *place))
    });
    objects.push((SWAP, Item::Pages(slots.collect())));
    for (number, (_, space)) in machine.spaces().iter().enumerate() {
        objects.push((space_object(number), Item::Table(lock(space).tables.root())));
    }
    for (number, file) in machine.files.iter().enumerate() {
        let pages = file.cached_pages().into_iter().map(|(page, frame, away)| {
            (page, if away { HERE | AWAY } else { HERE }, Item::Frame(frame))
        });
        objects.push((cache_object(number), Item::Pages(pages.collect())));
        if let Contents::Bytes(bytes) = file.contents() {
            objects.push((bytes_object(number), pages_of(bytes)));
        }
    }
    // An object without pages is none.
    objects.retain(|(_, item)| !matches!(item, Item::Pages(pages) if pages.is_empty()));
    objects.sort_unstable_by_key(|(number, _)| *number);
    if let Some((number, _)) = objects.last().filter(|(number, _)| *number >= OBJECTS) {
        return Err(Error::InvalidArgument(format!(
            "a machine of {number} address spaces and files (below {OBJECTS})"
        )));
    }
    // As if each object were the one page that its root spans.
    let objects: Vec<_> = objects
        .into_iter()
        .map(|(number, item)| (number << (9 * OBJECT), Entry::PRESENT, item))
        .collect();
    let mut storer = Storer {
        writer,
        machine,
        places: &places,
        tables: HashMap::new(),
        met: HashSet::new(),
        pages: 0,
        dropped: Vec::new(),
        report: StoredMachine::default(),
    };
    let old_root = old.map(|old| old.root.page);
    let placed = storer.table(&Source::Pages(&objects), TOP, old_root, true)?;
    let Storer { dropped, report, pages, .. } = storer;
    let root = Raw { page: placed.page, height: TOP };
    Ok(Stored { root, pages, dropped, report })
}

/// Bytes as pages; the last one is filled up with zeros.
fn pages_of(bytes: &[u8]) -> Item<'_> {
    let page = |(number, bytes)| (number, HERE, Item::Bytes(bytes));
    Item::Pages((0..).zip(bytes.chunks(PAGE)).map(page).collect())
}

impl Storer<'_, '_> {
    /// Stores a table and what is below it. `old` is what stands in its place, whose owner, if all
    /// above is `sole`, is the caller.
    fn table(
        &mut self,
        source: &Source<'_, '_>,
        height: u8,
        old: Option<PageId>,
        sole_above: bool,
    ) -> Result<Placed> {
        let mut before = vec![0; PAGE];
        let mut sole = false;
        if let Some(old) = old {
            self.writer.txn.read_raw(old, &mut before)?;
            let alone = self.writer.txn.count(old)? == 1 || mutant!(RawTableTakenForSole);
            sole = sole_above && alone;
        }
        let mut old_children = [None; WORDS];
        if let Some(page) = old {
            Raw { page, height }.children(&before, &mut |index, child| {
                old_children[index] = Some(child);
                Ok(())
            })?;
        }
        let mut after = vec![0; PAGE];
        self.pages += 1;
        let mut unchanged = Vec::new();
        let mut gone = Vec::new();
        for (index, bits, child) in self.children(source, height) {
            let old_child = old_children[index].take();
            let mut word = bits;
            if let Some(placed) = self.child(&child, height - 1, old_child, sole)? {
                word |= placed.page.0 << Raw::SHIFT;
                match placed.owner {
                    Owner::Unchanged => unchanged.push(placed.page),
                    Owner::New => gone.extend(old_child),
                    Owner::Replaced => {}
                }
            } else {
                gone.extend(old_child);
            }
            after[8 * index..8 * index + 8].copy_from_slice(&word.to_le_bytes());
        }
        if let Some(page) = old.filter(|_| after == before) {
            return Ok(Placed { page, owner: Owner::Unchanged });
        }
        gone.extend(old_children.into_iter().flatten());
        self.report.shared += unchanged.len() as u64;
        if sole {
            self.dropped.extend(gone);
        } else if !mutant!(RawChildrenNotCounted) {
            unchanged.iter().try_for_each(|&page| self.writer.txn.retain(page))?;
        }
        self.report.tables += 1;
        // Before the old page goes: a page of this very transaction would be used again at once, and
        // be taken for what did not change.
        let page = self.writer.txn.write_raw(&after)?;
        let Some(old) = old.filter(|_| sole_above) else {
            return Ok(Placed { page, owner: Owner::New });
        };
        if !mutant!(RawTableStaysCounted) {
            self.writer.txn.release_raw(Raw { page: old, height })?;
        }
        Ok(Placed { page, owner: Owner::Replaced })
    }

    /// The entries of a table that are not none: place, bits, and what is below.
    fn children<'s, 'm>(
        &self,
        source: &Source<'s, 'm>,
        height: u8,
    ) -> Vec<(usize, u64, Child<'s, 'm>)> {
        match *source {
            Source::Table(table) => {
                let frames = &self.machine.memory.frames;
                let entry = |at| {
                    let entry = frames.entry(table, at);
                    let child = match (entry.mapped(), entry.slot()) {
                        (Some(below), _) if height > 1 => Child::Table(below),
                        (Some(frame), _) if frame != Frame::ZERO => Child::Frame(frame),
                        (None, Some(slot)) => Child::Slot(slot),
                        _ => Child::Nothing,
                    };
                    (!entry.is_none()).then_some((at, entry.bits(), child))
                };
                (0..WORDS).filter_map(entry).collect()
            }
            Source::Pages(pages) => {
                let place = |number: u64| (number >> (9 * (height - 1))) as usize % WORDS;
                let parts = pages.chunk_by(|a, b| place(a.0) == place(b.0));
                parts
                    .map(|part| match part {
                        [(number, bits, item)] if height == 1 || height == OBJECT + 1 => {
                            (place(*number), *bits, Child::Item(item))
                        }
                        _ => (place(part[0].0), Entry::PRESENT, Child::Pages(part)),
                    })
                    .collect()
            }
        }
    }

    /// Stores what stands below an entry; none: nothing does.
    fn child(
        &mut self,
        child: &Child<'_, '_>,
        height: u8,
        old: Option<Raw>,
        sole: bool,
    ) -> Result<Option<Placed>> {
        let old = old.map(|raw| raw.page);
        match child {
            Child::Nothing => Ok(None),
            Child::Pages(pages) => self.table(&Source::Pages(pages), height, old, sole).map(Some),
            Child::Item(Item::Pages(pages)) => {
                self.table(&Source::Pages(pages), height, old, sole).map(Some)
            }
            Child::Table(table) | Child::Item(Item::Table(table)) => {
                self.page_table(*table, height, old, sole).map(Some)
            }
            Child::Frame(frame) | Child::Item(Item::Frame(frame)) => {
                let first = self.machine.memory.frames.owners(*frame) == 1;
                self.pages += u64::from(first || self.met.insert(*frame));
                self.frame(*frame, old).map(Some)
            }
            Child::Item(Item::Slot(slot, place)) => {
                // Counted here, and not at the entries that name it.
                let first = match place {
                    Place::Written(_) => true,
                    Place::Cached(frame) => self.met.insert(*frame),
                };
                self.pages += u64::from(first);
                self.slot(*slot, *place, old).map(Some)
            }
            Child::Slot(slot) => {
                let found = self.places.binary_search_by_key(slot, |(number, _)| *number);
                match found.ok().map(|at| self.places[at].1) {
                    Some(place) => self.slot(*slot, place, old).map(Some),
                    None => Ok(None),
                }
            }
            Child::Item(Item::Bytes(bytes)) => {
                let mut page = bytes.to_vec();
                page.resize(PAGE, 0);
                let mut before = vec![0; PAGE];
                if let Some(old) = old {
                    self.writer.txn.read_raw(old, &mut before)?;
                    if before == page {
                        self.pages += 1;
                        return Ok(Some(Placed { page: old, owner: Owner::Unchanged }));
                    }
                }
                self.pages += 1;
                self.new_page(&page).map(Some)
            }
        }
    }

    /// A page table of the machine. Which page it was is remembered; that may not be the one that
    /// stands here.
    fn page_table(
        &mut self,
        table: Frame,
        height: u8,
        old: Option<PageId>,
        sole: bool,
    ) -> Result<Placed> {
        if let Some(&page) = self.tables.get(&table) {
            return self.known(page, old);
        }
        let frames = &self.machine.memory.frames;
        let before = frames.stored(table).map(|page| PageId(page.into()));
        let placed = if before == old {
            self.table(&Source::Table(table), height, old, sole)?
        } else {
            let placed = self.table(&Source::Table(table), height, before, false)?;
            match placed.owner {
                Owner::Unchanged => self.known(placed.page, old)?,
                _ => placed,
            }
        };
        frames.set_stored(table, placed.page.0 as u32);
        if frames.owners(table) > 1 {
            self.tables.insert(table, placed.page);
        }
        Ok(placed)
    }

    /// A page that is in the database already.
    fn known(&mut self, page: PageId, old: Option<PageId>) -> Result<Placed> {
        if old == Some(page) {
            return Ok(Placed { page, owner: Owner::Unchanged });
        }
        self.writer.txn.retain(page)?;
        self.report.shared += 1;
        Ok(Placed { page, owner: Owner::New })
    }

    fn frame(&mut self, frame: Frame, old: Option<PageId>) -> Result<Placed> {
        let frames = &self.machine.memory.frames;
        if let Some(page) = frames.stored(frame) {
            return self.known(PageId(page.into()), old);
        }
        let placed = self.new_page(&bytes_of(&frames.contents(frame)))?;
        frames.set_stored(frame, placed.page.0 as u32);
        Ok(placed)
    }

    fn slot(&mut self, slot: u32, place: Place, old: Option<PageId>) -> Result<Placed> {
        let page = match place {
            Place::Cached(frame) => return self.frame(frame, old),
            Place::Written(page) => page,
        };
        let swap = &self.machine.memory.swap;
        if let Some(page) = swap.stored(slot) {
            return self.known(PageId(page.into()), old);
        }
        let placed = self.new_page(&bytes_of(&swap.contents(page)?))?;
        swap.set_stored(slot, placed.page.0 as u32);
        Ok(placed)
    }

    fn new_page(&mut self, bytes: &[u8]) -> Result<Placed> {
        self.report.memory += 1;
        let page = self.writer.txn.write_raw(bytes)?;
        Ok(Placed { page, owner: Owner::New })
    }
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(PAGE, 0);
    bytes
}

/// All of a machine that is not memory.
fn describe(machine: &Machine) -> Description {
    let spaces = machine.spaces();
    let numbers: HashMap<*const Mutex<Space>, u32> =
        (0..).zip(&spaces).map(|(number, (_, space))| (Arc::as_ptr(space), number)).collect();
    let number_of = |space: &Arc<Mutex<Space>>| numbers.get(&Arc::as_ptr(space)).copied();
    let (free, never_used) = machine.memory.frames.free();
    let (slots, free_slots) = machine.memory.swap.shape();
    let huge = lock(&machine.huge);
    let mut groups: Vec<(u32, Vec<u32>)> = huge
        .frames
        .iter()
        .map(|(&number, frames)| (number, frames.iter().map(|frame| frame.0).collect()))
        .collect();
    groups.sort_unstable();
    let mut spared: Vec<(u32, u32)> =
        machine.hand.spared.iter().map(|(frame, &times)| (frame.0, times)).collect();
    spared.sort_unstable();
    let mut frames: Vec<FrameRun> = Vec::new();
    for frame in machine.frames_in_order() {
        let kept = machine.memory.frames.kept(frame);
        match frames.last_mut() {
            Some(run) if run.kept == kept && run.first + run.length == frame.0 => run.length += 1,
            _ => frames.push(FrameRun { first: frame.0, length: 1, kept }),
        }
    }
    let mut free_frames: Vec<(u32, u32)> = Vec::new();
    for frame in free {
        match free_frames.last_mut() {
            Some((first, length)) if *first + *length == frame.0 => *length += 1,
            _ => free_frames.push((frame.0, 1)),
        }
    }
    Description {
        settings: machine.settings.clone(),
        commit: machine.commit.clone(),
        next_origin: machine.origins(),
        merging: machine.merging,
        policy: machine.hand.policy,
        hand: machine.hand.at,
        spared,
        replaced: machine.hand.statistics,
        huge_made: huge.made,
        huge: groups,
        files: machine
            .files
            .iter()
            .map(|file| FileState {
                name: file.name.clone(),
                pages: file.pages,
                kind: match file.contents() {
                    Contents::Shared => FileKind::Shared,
                    Contents::Fill(byte) => FileKind::Fill(*byte),
                    Contents::Bytes(bytes) => FileKind::Bytes(bytes.len() as u64),
                },
                promised: file.promised,
            })
            .collect(),
        spaces: spaces
            .iter()
            .map(|(_, space)| {
                let space = lock(space);
                SpaceState {
                    areas: space.areas.iter().cloned().collect(),
                    limit: space.limit,
                    heap: space.heap,
                    shadows: space.tables.shadows,
                }
            })
            .collect(),
        processes: machine
            .processes
            .iter()
            .map(|process| ProcessState {
                parent: process.parent,
                state: process.state,
                space: process.space.as_ref().and_then(number_of),
                tally: *lock(&process.tally),
                signal: process.signal,
            })
            .collect(),
        frames,
        next_frame: never_used.start as u32,
        free_frames,
        copies: machine.memory.frames.copies(),
        slots,
        free_slots,
        annex: machine.annex.clone(),
    }
}
