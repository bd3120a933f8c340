//! A script: which image to change, how, and which checksums to make right again.
//!
//! ```text
//! u8 image | u8 flags | edits to the end of the input, at most EDITS_MAX
//!
//! flags: bit 0 leaves the checksums of pages, bit 1 those of the map, bit 2 those of superblocks as they are;
//!        bit 3 asks for a repair with losses, bit 4 for an undo file
//!
//! edit:  0 set      page, at, u8 n, n % 16 + 1 bytes         page: u16, of those that are worth changing
//!        1 add      page, at, u8 width, i8 what              at:   u16, modulo the size of a page
//!        2 copy     page, at, page, at, u8 length            from the first place to the second
//!        3 move     page, page, u8 own                       the whole page; the copy may say that it belongs there
//!        4 field    page, u8 field, u64 value                of the header of a node
//!        5 slot     page, u8 entry, u8 part, u16 value       where keys and values stand in a node
//!        6 value    page, u8 entry, u8 at, u8 n, bytes       of an entry: pointers, counts, extents, records
//!        7 count    u16 any page, u8 count                   owners, as the map has it
//!        8 root     u8 field, u64 value                      of the newest superblock, both copies
//!        9 length   i16 halves of a KiB                      of the file
//! ```

use arbitrary::{Arbitrary, Result, Unstructured};
use cowslip_pager::{page::u16_at, storage::simulated::Image, superblock::NUMBER_MAX};

use crate::{
    image::{Role, SEEDS, Seed},
    seal::{Forge, Seals},
};

/// Most edits of a script.
pub const EDITS_MAX: usize = 24;

/// Where in a page.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    page: u16,
    at: u16,
}

/// One change.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "see the module's documentation")]
pub enum Edit {
    Set(Place, Vec<u8>),
    Add { place: Place, width: u8, what: i8 },
    Copy { from: Place, to: Place, length: u8 },
    Move { from: u16, to: u16, own: bool },
    Field { page: u16, field: u8, value: u64 },
    Slot { page: u16, entry: u8, part: u8, value: u16 },
    Value { page: u16, entry: u8, at: u8, bytes: Vec<u8> },
    Count { page: u16, count: u8 },
    Root { field: u8, value: u64 },
    Length(i16),
}

/// What to do to which image.
pub struct Script {
    /// The image.
    pub seed: &'static Seed,
    /// The checksums that are made right again.
    pub seals: Seals,
    /// Repair may lose something.
    pub lossy: bool,
    /// Repair keeps what it overwrites.
    pub undo: bool,
    /// The changes.
    pub edits: Vec<Edit>,
}

fn bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let count = usize::from(u.arbitrary::<u8>()? % 16) + 1;
    (0..count).map(|_| u.arbitrary()).collect()
}

impl<'a> Arbitrary<'a> for Place {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Place> {
        Ok(Place { page: u.arbitrary()?, at: u.arbitrary()? })
    }
}

impl<'a> Arbitrary<'a> for Edit {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Edit> {
        Ok(match u.arbitrary::<u8>()? % 10 {
            0 => Edit::Set(u.arbitrary()?, bytes(u)?),
            1 => Edit::Add { place: u.arbitrary()?, width: u.arbitrary()?, what: u.arbitrary()? },
            2 => Edit::Copy { from: u.arbitrary()?, to: u.arbitrary()?, length: u.arbitrary()? },
            3 => Edit::Move { from: u.arbitrary()?, to: u.arbitrary()?, own: u.arbitrary()? },
            4 => Edit::Field { page: u.arbitrary()?, field: u.arbitrary()?, value: u.arbitrary()? },
            5 => Edit::Slot {
                page: u.arbitrary()?,
                entry: u.arbitrary()?,
                part: u.arbitrary()?,
                value: u.arbitrary()?,
            },
            6 => Edit::Value {
                page: u.arbitrary()?,
                entry: u.arbitrary()?,
                at: u.arbitrary()?,
                bytes: bytes(u)?,
            },
            7 => Edit::Count { page: u.arbitrary()?, count: u.arbitrary()? },
            8 => Edit::Root { field: u.arbitrary()?, value: u.arbitrary()? },
            _ => Edit::Length(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Script> {
        let seed = &SEEDS[usize::from(u.arbitrary::<u8>()?) % SEEDS.len()];
        let flags = u.arbitrary::<u8>()?;
        let clear = |bit: u8| flags & 1 << bit == 0;
        let seals = Seals { pages: clear(0), map: clear(1), superblocks: clear(2) };
        let mut edits = Vec::new();
        while !u.is_empty() && edits.len() < EDITS_MAX {
            edits.push(u.arbitrary()?);
        }
        Ok(Script { seed, seals, lossy: !clear(3), undo: !clear(4), edits })
    }
}

/// Where the fields of a node's header stand, and how long they are.
const FIELDS: [(u64, usize); 15] = [
    (4, 1),
    (5, 1),
    (6, 2),
    (8, 8),
    (16, 8),
    (24, 8),
    (32, 8),
    (40, 2),
    (42, 2),
    (44, 4),
    (48, 4),
    (52, 4),
    (56, 2),
    (58, 2),
    (60, 4),
];

/// Those of a superblock.
const ROOTS: [(u64, usize); 22] = [
    (8, 4),
    (12, 4),
    (40, 8),
    (48, 8),
    (64, 8),
    (72, 8),
    (80, 6),
    (86, 1),
    (87, 1),
    (88, 8),
    (96, 8),
    (104, 8),
    (112, 4),
    (116, 1),
    (128, 8),
    (136, 8),
    (144, 8),
    (152, 8),
    (160, 4),
    (168, 8),
    (176, 4),
    (512, 8),
];

impl Script {
    /// The input as a script. There is none that is not one.
    pub fn new(input: &[u8]) -> Option<Script> {
        Script::arbitrary(&mut Unstructured::new(input)).ok()
    }

    /// Is it damage as a disk could do it, to what the newest checkpoint reaches?
    pub fn is_damage(&self) -> bool {
        self.seals.none()
    }

    /// Does it change the log, or where the log is said to stand? Then its end may be gone without a trace.
    pub fn touches_log(&self) -> bool {
        self.edits.iter().any(|edit| match *edit {
            Edit::Set(place, _) | Edit::Add { place, .. } => self.is_log(place.page),
            Edit::Copy { to, .. } => self.is_log(to.page),
            Edit::Move { to, .. } => self.is_log(to),
            Edit::Field { page, .. } | Edit::Slot { page, .. } | Edit::Value { page, .. } => {
                self.is_log(page)
            }
            Edit::Count { .. } | Edit::Root { .. } | Edit::Length(_) => false,
        })
    }

    fn is_log(&self, index: u16) -> bool {
        self.seed.roles[self.page(index) as usize] == Role::Log
    }

    /// The image, changed.
    pub fn image(&self) -> Image {
        let mut forge = Forge::new(self.seed);
        for edit in &self.edits {
            self.apply(edit, &mut forge);
        }
        forge.finish(self.seals)
    }

    fn page(&self, index: u16) -> u64 {
        self.seed.pages[usize::from(index) % self.seed.pages.len()]
    }

    fn at(&self, at: u16) -> u64 {
        u64::from(at) % self.seed.geometry.page_size as u64
    }

    fn apply(&self, edit: &Edit, forge: &mut Forge<'_>) {
        match *edit {
            Edit::Set(place, ref bytes) => {
                forge.put(self.page(place.page), self.at(place.at), bytes);
            }
            Edit::Add { place, width, what } => {
                let (page, at) = (self.page(place.page), self.at(place.at));
                let width = 1 << (width % 4);
                let mut word = [0; 8];
                let bytes = forge.page(page);
                let there = &bytes[at as usize..bytes.len().min(at as usize + width)];
                word[..there.len()].copy_from_slice(there);
                let word = u64::from_le_bytes(word).wrapping_add_signed(what.into());
                forge.put(page, at, &word.to_le_bytes()[..width]);
            }
            Edit::Copy { from, to, length } => {
                let bytes = forge.page(self.page(from.page));
                let at = self.at(from.at) as usize;
                let bytes = &bytes[at..bytes.len().min(at + usize::from(length) + 1)];
                forge.put(self.page(to.page), self.at(to.at), bytes);
            }
            Edit::Move { from, to, own } => {
                let mut bytes = forge.page(self.page(from));
                let to = self.page(to);
                if own {
                    bytes[8..16].copy_from_slice(&to.to_le_bytes());
                }
                forge.put(to, 0, &bytes);
            }
            Edit::Field { page, field, value } => {
                let (at, width) = FIELDS[usize::from(field) % FIELDS.len()];
                forge.put(self.page(page), at, &value.to_le_bytes()[..width]);
            }
            Edit::Slot { page, entry, part, value } => {
                let page = self.page(page);
                let Some(slot) = slot(&forge.page(page), entry) else { return };
                forge.put(page, slot + 2 * u64::from(part % 4), &value.to_le_bytes());
            }
            Edit::Value { page, entry, at, ref bytes } => {
                let page = self.page(page);
                let content = forge.page(page);
                let Some(slot) = slot(&content, entry) else { return };
                let value = u16_at(&content, slot as usize + 4);
                forge.put(page, u64::from(value) + u64::from(at), bytes);
            }
            Edit::Count { page, count } => {
                forge.set_count(u64::from(page) % self.seed.superblock.pages, count.into());
            }
            Edit::Root { field, value } => {
                let (at, width) = ROOTS[usize::from(field) % ROOTS.len()];
                if matches!(at, 48 | 152 | 168) && near_the_end(value) {
                    return;
                }
                forge.superblock(at, &value.to_le_bytes()[..width]);
            }
            Edit::Length(change) => {
                let length = forge.len().saturating_add_signed(i64::from(change) * 512);
                forge.set_len(length);
            }
        }
    }
}

/// A counter of a forged store that can be gone on with for a while, until it is refused: a sound store, by its checksums,
/// of which nothing is promised.
pub fn near_the_end(counter: u64) -> bool {
    (NUMBER_MAX / 2..=NUMBER_MAX).contains(&counter)
}

/// Where the slot of an entry of a slotted node stands.
fn slot(page: &[u8], entry: u8) -> Option<u64> {
    let count = u16_at(page, 6);
    let entry = u16::from(entry).checked_rem(count)?;
    let at = 64 + usize::from(u16_at(page, 40)) + 4 * usize::from(count) + 8 * usize::from(entry);
    (at + 8 <= page.len()).then_some(at as u64)
}
