//! Resuming: a machine from its pages, from bytes that nobody has vouched for.
//!
//! Each page is read once and becomes one frame, however many tables name it; owners are counted
//! anew, as the walk meets them. At the end the machine's own check ([`Machine::check`]) says
//! whether all of it fits together.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use cowslip_pager::{PageId, Raw, Reader, page::u64_at};

use super::{
    super::{
        area::Areas,
        entry::Entry,
        file::{Contents, File},
        frames::{Frame, Frames, Kept, PAGE, Use, WORDS},
        huge::HugePages,
        machine::{Machine, Process},
        reclaim::Hand,
        space::Space,
        swap::Swap,
        tables::{Memory, Tables},
    },
    AWAY, DESCRIPTION, HERE, Home, OBJECT, OBJECTS, SWAP, TOP, bytes_object, cache_object,
    codec::Fault,
    description::{Description, FileKind},
    space_object,
};
use crate::{
    error::{Error, Result},
    meta::TableRecord,
};

/// Bits that an entry of a page of memory may have.
const MAPPED: u64 = Entry::PRESENT
    | Entry::WRITABLE
    | Entry::USER
    | Entry::ACCESSED
    | Entry::DIRTY
    | Entry::EXCLUSIVE;
/// And one of a page in swap.
const SWAPPED: u64 = Entry::SWAPPED | Entry::EXCLUSIVE;

/// A page of an object: number, bits of its entry, where it is.
type Listed = (u64, u64, PageId);

/// Reads raw pages that follow one another.
type Read<'r> = dyn Fn(PageId, &mut [u8]) -> cowslip_pager::Result<()> + 'r;

/// A machine of a database.
pub(super) fn load(reader: &Reader, record: TableRecord, modelled: u32) -> Result<Machine> {
    let view = reader.view();
    if view.page_size() != PAGE {
        let what = "page size of a stored machine";
        return Err(Error::corrupted(
            record.root.page.0,
            what,
            PAGE as u64,
            view.page_size() as u64,
        ));
    }
    let read = |page, out: &mut [u8]| view.read_raw(page, out);
    let mut machine = resume(&record, modelled, &read)?;
    machine.home = Some(Home::new(reader.pager().store_id(), &record));
    Ok(machine)
}

/// A machine from its pages, wherever they come from.
pub(super) fn resume(record: &TableRecord, modelled: u32, view: &Read<'_>) -> Result<Machine> {
    let fault = |what, expected, found| Error::corrupted(record.root.page.0, what, expected, found);
    if record.root.level != TOP {
        return Err(fault("height of a stored machine", TOP.into(), record.root.level.into()));
    }
    let objects = objects(view, record.root.page)?;
    let root = |number: u64| objects.get(&number).copied();
    let bytes = description_bytes(view, root(DESCRIPTION))?;
    let wrong = |Fault { what, expected, found }| fault(what, expected, found);
    let description = Description::decode(&bytes).map_err(wrong)?;
    let next = description.next_frame;
    if next - 1 > modelled {
        return Err(Error::InvalidArgument(format!(
            "a machine with {} frames, where no more than {modelled} may be modelled",
            next - 1
        )));
    }
    let mut loader = Loader {
        view,
        root: record.root.page,
        frames: Frames::new(description.settings.memory, modelled),
        next,
        runs: Runs { runs: &description.frames, at: 0, within: 0 },
        used: HashSet::new(),
        pages: HashMap::new(),
        tables: 0,
        slots: HashMap::new(),
        entries: HashMap::new(),
        fetched: Fetched::default(),
    };
    // Entries in tables name slots by their pages, so the slots come first, though their frames are
    // met last.
    let listed = list(view, root(SWAP))?;
    let slots = u64::from(description.slots);
    for &(slot, _, page) in &listed {
        let known = slot >= slots || loader.slots.insert(page, slot as u32).is_some();
        if known {
            return Err(fault("slot of the swap (below)", slots, slot));
        }
    }
    let mut spaces = Vec::new();
    for (number, state) in description.spaces.iter().enumerate() {
        let root = root(space_object(number)).unwrap_or(PageId::NONE);
        let (table, tables) = loader.table(root, OBJECT)?;
        let mut areas = Areas::default();
        state.areas.iter().for_each(|area| areas.push(area.clone()));
        spaces.push(Arc::new(Mutex::new(Space {
            areas,
            tables: Tables::restored(table, tables - 1, state.shadows),
            limit: state.limit,
            heap: state.heap,
        })));
    }
    let mut files = Vec::new();
    for (number, state) in description.files.iter().enumerate() {
        let contents = match state.kind {
            FileKind::Shared => Contents::Shared,
            FileKind::Fill(byte) => Contents::Fill(byte),
            FileKind::Bytes(length) => {
                let bytes = contents(view, root(bytes_object(number)), length)?;
                Contents::Bytes(bytes.into())
            }
        };
        let mut file = File::new(&state.name, state.pages, contents);
        file.promised = state.promised;
        let cached = list(view, root(cache_object(number)))?.into_iter();
        let cached: Result<Vec<_>> =
            cached.map(|(page, bits, at)| Ok((page, loader.data(at)?, bits & AWAY != 0))).collect();
        file.restore(cached?);
        files.push(file);
    }
    let swap = loader.swap(&description, &listed)?;
    let Loader { mut frames, used, runs, .. } = loader;
    let left = runs.left();
    if left > 0 {
        return Err(fault(
            "frames of a stored machine",
            used.len() as u64,
            left + used.len() as u64,
        ));
    }
    let free = free_frames(&description, &used).map_err(wrong)?;
    frames.restore_pool(free, next, used.len() as u32, description.copies);
    let machine = assemble(description, frames, swap, files, &spaces, modelled);
    let problems = machine.check();
    tracing::debug!(?problems, "a stored machine was checked");
    if problems.is_empty() {
        Ok(machine)
    } else {
        Err(fault("contradictions in a stored machine", 0, problems.len() as u64))
    }
}

/// The roots of all objects.
fn objects(view: &Read<'_>, top: PageId) -> Result<HashMap<u64, PageId>> {
    let mut roots = HashMap::new();
    let mut seen = HashSet::new();
    let mut upper = Vec::new();
    let mut bytes = vec![0; PAGE];
    view(top, &mut bytes)?;
    for (index, _, raw) in entries(Raw { page: top, height: TOP }, &bytes)? {
        upper.push((index, raw));
    }
    for (high, raw) in upper {
        if !seen.insert(raw.page) {
            return Err(Error::corrupted(raw.page.0, "pages of objects, named", 1, 2));
        }
        view(raw.page, &mut bytes)?;
        for (index, _, root) in entries(raw, &bytes)? {
            roots.insert(high * WORDS as u64 + index, root.page);
        }
    }
    debug_assert!(roots.len() as u64 <= OBJECTS);
    Ok(roots)
}

/// The pages of an object that is not an address space, in order.
fn list(view: &Read<'_>, root: Option<PageId>) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting: Vec<(u64, Raw)> =
        root.map(|page| (0, Raw { page, height: OBJECT })).into_iter().collect();
    let mut bytes = vec![0; PAGE];
    while let Some((number, raw)) = waiting.pop() {
        // Of these objects no table is shared; a damaged one must not be walked again and again.
        if !seen.insert(raw.page) {
            return Err(Error::corrupted(raw.page.0, "owners of a table of an object", 1, 2));
        }
        view(raw.page, &mut bytes)?;
        let below = entries(raw, &bytes)?.into_iter();
        let below = below.map(|(index, bits, child)| (number * WORDS as u64 + index, bits, child));
        if raw.height > 1 {
            waiting.extend(below.rev().map(|(number, _, child)| (number, child)));
        } else {
            listed.extend(below.map(|(number, bits, child)| (number, bits, child.page)));
        }
    }
    Ok(listed)
}

/// The words of a table that is no page table: where they stand, their bits, and what they name.
fn entries(raw: Raw, bytes: &[u8]) -> Result<Vec<(u64, u64, Raw)>> {
    let Some(height) = raw.height.checked_sub(1) else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for (index, word) in (0..).zip(words(bytes)).filter(|(_, word)| *word != 0) {
        let (page, bits) = (Raw::named(word), word & !Raw::PAGE_BITS);
        let right = match height {
            0 => bits & HERE != 0 && bits & !(HERE | AWAY) == 0,
            _ => bits == Entry::PRESENT,
        };
        if !right || page == PageId::NONE || page.0 >= PageId::LIMIT {
            return Err(Error::corrupted(raw.page.0, "word of an object's table", HERE, word));
        }
        entries.push((index, bits, Raw { page, height }));
    }
    Ok(entries)
}

/// The bytes of an object.
fn contents(view: &Read<'_>, root: Option<PageId>, length: u64) -> Result<Vec<u8>> {
    let pages = list(view, root)?;
    let at = root.unwrap_or(PageId::NONE).0;
    let wanted = length.div_ceil(PAGE as u64);
    if pages.len() as u64 != wanted || (0..).zip(&pages).any(|(number, page)| page.0 != number) {
        return Err(Error::corrupted(at, "pages of bytes", wanted, pages.len() as u64));
    }
    let mut bytes = vec![0; pages.len() * PAGE];
    for ((.., page), place) in pages.iter().zip(bytes.chunks_exact_mut(PAGE)) {
        view(*page, place)?;
    }
    bytes.truncate(length as usize);
    Ok(bytes)
}

/// The description begins with its own length.
fn description_bytes(view: &Read<'_>, root: Option<PageId>) -> Result<Vec<u8>> {
    let pages = list(view, root)?.len();
    let mut bytes = contents(view, root, (pages * PAGE) as u64)?;
    let length = if bytes.len() < 8 { u64::MAX } else { u64_at(&bytes, 0) };
    let room = bytes.len().saturating_sub(8) as u64;
    if length > room {
        let at = root.unwrap_or(PageId::NONE).0;
        return Err(Error::corrupted(at, "bytes of a description (at most)", room, length));
    }
    bytes.drain(..8);
    bytes.truncate(length as usize);
    Ok(bytes)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    (0..WORDS).map(|at| u64_at(bytes, 8 * at)).collect()
}

/// The frames of the description, one after the other.
struct Runs<'d> {
    runs: &'d [super::description::FrameRun],
    at: usize,
    within: u32,
}

impl Runs<'_> {
    fn next(&mut self) -> Option<(Frame, Kept)> {
        let run = self.runs.get(self.at)?;
        let number = run.first.checked_add(self.within).filter(|_| self.within < run.length)?;
        self.within += 1;
        if self.within == run.length {
            (self.at, self.within) = (self.at + 1, 0);
        }
        Some((Frame(number), run.kept))
    }

    fn left(&self) -> u64 {
        let all: u64 =
            self.runs[self.at.min(self.runs.len())..].iter().map(|r| u64::from(r.length)).sum();
        all - u64::from(self.within)
    }
}

/// What a page became.
#[derive(Clone, Copy)]
struct Known {
    frame: Frame,
    height: u8,
    /// Tables in it and below, once for every way.
    tables: u64,
}

struct Loader<'p, 'd> {
    view: &'p Read<'p>,
    root: PageId,
    frames: Frames,
    /// Frames from here on were never used.
    next: u32,
    runs: Runs<'d>,
    used: HashSet<u32>,
    pages: HashMap<PageId, Known>,
    /// Tables met, each once.
    tables: u64,
    /// The slots by their pages.
    slots: HashMap<PageId, u32>,
    /// The entries that name each slot.
    entries: HashMap<u32, u32>,
    fetched: Fetched,
}

/// Pages of memory that were read together, before they are needed.
#[derive(Default)]
struct Fetched {
    bytes: Vec<u8>,
    places: HashMap<PageId, usize>,
}

impl Loader<'_, '_> {
    fn read(&self, page: PageId) -> Result<Vec<u8>> {
        let mut bytes = vec![0; PAGE];
        (self.view)(page, &mut bytes)?;
        Ok(bytes)
    }

    /// A frame for a page that was not met before: a table, or not.
    fn frame(&mut self, page: PageId, table: bool) -> Result<Frame> {
        let Some((frame, kept)) = self.runs.next() else {
            let found = self.used.len() as u64;
            return Err(Error::corrupted(
                self.root.0,
                "frames of a stored machine (more than)",
                found,
                found,
            ));
        };
        let number = u64::from(frame.0);
        if frame.0 == 0 || frame.0 >= self.next || !self.used.insert(frame.0) {
            let what = "number of a frame (below, and each once)";
            return Err(Error::corrupted(self.root.0, what, self.next.into(), number));
        }
        if (kept.used == Use::Table) != table {
            let what = "use of a frame as a table";
            return Err(Error::corrupted(page.0, what, table.into(), (!table).into()));
        }
        self.frames.restore(frame, &kept);
        Ok(frame)
    }

    /// The frame of a page that was met before.
    fn known(&self, page: PageId, height: u8) -> Result<Option<Known>> {
        let Some(known) = self.pages.get(&page) else { return Ok(None) };
        if known.height != height {
            let what = "height of a page in a machine";
            return Err(Error::corrupted(page.0, what, known.height.into(), height.into()));
        }
        self.frames.retain(known.frame);
        Ok(Some(*known))
    }

    /// A page of memory.
    fn data(&mut self, page: PageId) -> Result<Frame> {
        if let Some(known) = self.known(page, 0)? {
            return Ok(known.frame);
        }
        let frame = self.frame(page, false)?;
        match self.fetched.places.get(&page) {
            Some(&at) => self.frames.fill(frame, &self.fetched.bytes[at..at + PAGE]),
            None => self.frames.fill(frame, &self.read(page)?),
        }
        self.frames.set_stored(frame, page.0 as u32);
        self.pages.insert(page, Known { frame, height: 0, tables: 0 });
        Ok(frame)
    }

    /// Reads the pages that a leaf table names and that were not met yet, those side by side at once.
    fn fetch(&mut self, table: PageId, bytes: &[u8]) -> Result<()> {
        let mut pages = Vec::new();
        Raw { page: table, height: 1 }.children(bytes, &mut |index, child| {
            let swapped = u64_at(bytes, 8 * index) & Entry::SWAPPED != 0;
            if !swapped && !self.pages.contains_key(&child.page) {
                pages.push(child.page);
            }
            Ok(())
        })?;
        pages.sort_unstable();
        pages.dedup();
        let Fetched { bytes, places } = &mut self.fetched;
        places.clear();
        bytes.resize(pages.len() * PAGE, 0);
        let mut rest = &mut bytes[..];
        let mut at = 0;
        for run in pages.chunk_by(|a, b| a.0 + 1 == b.0) {
            let (part, behind) = rest.split_at_mut(run.len() * PAGE);
            (self.view)(run[0], part)?;
            for &page in run {
                places.insert(page, at);
                at += PAGE;
            }
            rest = behind;
        }
        Ok(())
    }

    /// A page table, and how many there are in it and below.
    fn table(&mut self, page: PageId, height: u8) -> Result<(Frame, u64)> {
        if page == PageId::NONE {
            return Err(Error::corrupted(self.root.0, "page of an address space", 1, 0));
        }
        if let Some(known) = self.known(page, height)? {
            return Ok((known.frame, known.tables));
        }
        let bytes = self.read(page)?;
        let table = self.frame(page, true)?;
        self.tables += 1;
        if height == 1 {
            self.fetch(page, &bytes)?;
        }
        let mut tables = 1u64;
        for (index, word) in words(&bytes).into_iter().enumerate().filter(|(_, word)| *word != 0) {
            let (named, bits) = (Raw::named(word), word & !Raw::PAGE_BITS);
            let wrong = |expected| Error::corrupted(page.0, "bits of an entry", expected, bits);
            let entry = if height > 1 {
                let huge = if height == 2 { Entry::HUGE } else { 0 };
                if named == PageId::NONE || bits & !huge != Entry::PRESENT {
                    return Err(wrong(Entry::PRESENT));
                }
                let (below, more) = self.table(named, height - 1)?;
                tables += more;
                // In one address space no table stands twice.
                if tables > self.tables {
                    let what = "tables of an address space (at most)";
                    return Err(Error::corrupted(page.0, what, self.tables, tables));
                }
                Entry::frame(below, bits)
            } else if bits & Entry::PRESENT != 0 {
                if bits & !MAPPED != 0 {
                    return Err(wrong(MAPPED));
                }
                let zero = named == PageId::NONE;
                Entry::frame(if zero { Frame::ZERO } else { self.data(named)? }, bits)
            } else if bits & Entry::SWAPPED != 0 {
                let slot = self.slots.get(&named).copied();
                let Some(slot) = slot.filter(|_| bits & !SWAPPED == 0) else {
                    return Err(wrong(SWAPPED));
                };
                *self.entries.entry(slot).or_default() += 1;
                Entry::swap(slot, bits)
            } else if word == Entry::GUARD.bits() {
                Entry::GUARD
            } else {
                return Err(wrong(Entry::GUARD.bits()));
            };
            self.frames.set_entry(table, index, entry);
        }
        self.frames.set_stored(table, page.0 as u32);
        self.pages.insert(page, Known { frame: table, height, tables });
        Ok((table, tables))
    }

    /// The swap: every slot is free, or has a page and entries.
    fn swap(&mut self, description: &Description, listed: &[Listed]) -> Result<Swap> {
        let (slots, free) = (description.slots, &description.free_slots);
        let mut all: HashSet<u32> = free.iter().copied().filter(|slot| *slot < slots).collect();
        all.extend(listed.iter().map(|(slot, ..)| *slot as u32));
        let counted = free.len() + listed.len();
        if all.len() != counted || counted != slots as usize {
            let what = "slots of the swap";
            return Err(Error::corrupted(self.root.0, what, slots.into(), counted as u64));
        }
        if listed.len() != self.entries.len() {
            let (what, named) = ("slots with entries", self.entries.len() as u64);
            return Err(Error::corrupted(self.root.0, what, listed.len() as u64, named));
        }
        let swap = Swap::restored(description.settings.swap, slots, free.clone());
        for &(slot, bits, page) in listed {
            if bits & AWAY == 0 {
                swap.restore_cached(slot as u32, self.data(page)?);
            } else {
                swap.restore_written(slot as u32, &words(&self.read(page)?), page.0 as u32)?;
            }
        }
        for (&slot, &entries) in &self.entries {
            (0..entries).for_each(|_| swap.retain(slot));
        }
        Ok(swap)
    }
}

/// Every frame that was ever used is in use, or free.
fn free_frames(
    description: &Description,
    used: &HashSet<u32>,
) -> std::result::Result<Vec<Frame>, Fault> {
    let ever = u64::from(description.next_frame) - 1;
    let wrong = |found| Fault { what: "frames in use and free ones", expected: ever, found };
    let free: u64 = description.free_frames.iter().map(|run| u64::from(run.1)).sum();
    let all = free + used.len() as u64;
    if all != ever {
        return Err(wrong(all));
    }
    let mut seen = used.clone();
    let mut frames = Vec::with_capacity(free as usize);
    for &(first, length) in &description.free_frames {
        for number in u64::from(first)..u64::from(first) + u64::from(length) {
            if number == 0 || number > ever || !seen.insert(number as u32) {
                return Err(wrong(number));
            }
            frames.push(Frame(number as u32));
        }
    }
    Ok(frames)
}

fn assemble(
    description: Description,
    frames: Frames,
    swap: Swap,
    files: Vec<File>,
    spaces: &[Arc<Mutex<Space>>],
    modelled: u32,
) -> Machine {
    let mut machine =
        Machine::new(super::super::machine::Settings { memory: 1, ..description.settings.clone() });
    machine.settings = description.settings;
    machine.settings.modelled = modelled;
    machine.memory = Memory { frames, swap };
    machine.files = files;
    machine.commit = description.commit;
    machine.set_origins(description.next_origin);
    machine.merging = description.merging;
    machine.hand = Hand {
        policy: description.policy,
        at: description.hand,
        spared: description.spared.into_iter().map(|(f, times)| (Frame(f), times)).collect(),
        statistics: description.replaced,
    };
    machine.huge = Mutex::new(HugePages {
        made: description.huge_made,
        frames: description
            .huge
            .into_iter()
            .map(|(number, frames)| (number, frames.into_iter().map(Frame).collect()))
            .collect(),
    });
    machine.processes = description
        .processes
        .into_iter()
        .map(|process| Process {
            parent: process.parent,
            state: process.state,
            space: process.space.map(|number| spaces[number as usize].clone()),
            tally: Mutex::new(process.tally),
            signal: process.signal,
        })
        .collect();
    machine.annex = description.annex;
    machine
}
