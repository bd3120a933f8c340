//! Programs: what `exec` maps, as plain data.
//!
//! The parser of a format (ELF) fills it in, and is believed in nothing: [`Program::check`] says
//! whether the numbers make sense, and what passes it can be mapped without an overflow
//! (`exec` decides where).

use std::{ops::Range, sync::Arc};

use super::{area::Protection, frames::PAGE, tables::PAGES};

/// A program, or a library: a file and the parts of it that are loaded.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where it came from: equal paths are one file of the machine.
    pub path: String,
    /// A short name for its areas: letters, digits, underscores.
    pub name: String,
    /// The whole file.
    pub bytes: Arc<[u8]>,
    /// May it be loaded anywhere? Else its addresses are where it goes.
    pub movable: bool,
    /// If it is movable: it begins at a multiple of so many pages.
    pub alignment: u64,
    /// Its parts, in the order of their addresses.
    pub parts: Vec<Part>,
    /// Addresses that are written while it is linked, and only read from then on (`PT_GNU_RELRO`).
    pub read_only_after_linking: Range<u64>,
}

/// A part of a file that is loaded, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its address, from where the object is loaded.
    pub address: u64,
    /// Bytes that the file has.
    pub file_size: u64,
    /// Bytes in memory; those beyond the file's are zeros.
    pub memory_size: u64,
    /// What may be done with it.
    pub protection: Protection,
}

/// What `exec` needs: the program first, then its interpreter and libraries.
#[derive(Debug, Clone)]
pub struct Program {
    /// All of them, in the order in which they are mapped.
    pub objects: Vec<Object>,
}

/// Most pages of one object: 64 GiB.
const OBJECT: u64 = 1 << 24;
/// Most pages that an object is aligned to: 1 GiB.
const ALIGNMENT: u64 = 1 << 18;

impl Program {
    /// What is wrong with it: the name of an object, and the reason.
    pub fn check(&self) -> Result<(), String> {
        if self.objects.is_empty() {
            return Err("a program without a file".to_owned());
        }
        self.objects.iter().try_for_each(|object| {
            object.pages().map(drop).map_err(|reason| format!("{}: {reason}", object.path))
        })
    }
}

impl Object {
    /// Pages from its first part to the end of its last, or why that makes no sense.
    pub(crate) fn pages(&self) -> Result<Range<u64>, &'static str> {
        let first = self.parts.first().ok_or("nothing to load")?.first();
        let mut end = first;
        for part in &self.parts {
            if part.first() < end {
                return Err("parts out of order, or two in one page");
            }
            end = part.check(self.bytes.len() as u64)?;
        }
        if end - first > OBJECT {
            return Err("larger than 64 GiB in memory");
        }
        if !self.alignment.is_power_of_two() || self.alignment > ALIGNMENT {
            return Err("aligned to what is no power of two up to 1 GiB");
        }
        Ok(first..end)
    }

    /// Whole pages that are read-only once it is linked; as the dynamic linker does it, a page that
    /// is only partly so stays as it was.
    pub(crate) fn read_only_pages(&self) -> Range<u64> {
        let addresses = &self.read_only_after_linking;
        addresses.start / PAGE as u64..addresses.end / PAGE as u64
    }
}

impl Part {
    pub(crate) fn first(&self) -> u64 {
        self.address / PAGE as u64
    }

    /// The page behind what the file has of it.
    pub(crate) fn file_end(&self) -> u64 {
        match self.file_size {
            0 => self.first(),
            size => (self.address + size).div_ceil(PAGE as u64),
        }
    }

    /// The page behind it.
    pub(crate) fn end(&self) -> u64 {
        (self.address + self.memory_size).div_ceil(PAGE as u64)
    }

    /// Its end, if its numbers make sense for a file of this size.
    fn check(&self, file: u64) -> Result<u64, &'static str> {
        if self.file_size > self.memory_size {
            return Err("a part has more bytes in the file than in memory");
        }
        if self.offset.checked_add(self.file_size).is_none_or(|end| end > file) {
            return Err("a part lies behind the end of the file");
        }
        if self.file_size > 0 && self.offset % PAGE as u64 != self.address % PAGE as u64 {
            return Err("a part begins elsewhere in its page than in the file's");
        }
        let limit = PAGES * PAGE as u64;
        match self.address.checked_add(self.memory_size) {
            Some(end) if end <= limit && self.memory_size > 0 => Ok(self.end()),
            Some(end) if end <= limit => Err("a part without memory"),
            _ => Err("a part lies behind the end of the address space"),
        }
    }

    /// What it is called.
    pub(crate) fn kind(&self) -> &'static str {
        match self.protection {
            protection if protection.execute => "text",
            protection if protection.write => "data",
            _ => "rodata",
        }
    }
}
