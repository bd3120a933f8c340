//! ELF files, as far as a kernel and a dynamic linker look into them: the parts that are loaded, the
//! interpreter's name, and the libraries that are needed, with the folders to look in.
//!
//! Sections and symbols are not read: a program runs without them. Whatever the file says, it is
//! answered with a reason or with data of which nothing is larger than the limits below; no number
//! of it is computed with unchecked.

use std::{ops::Range, path::PathBuf};

use cowslip::vm::{PAGE, Part, Protection};
use object::{
    LittleEndian, StringTable,
    elf::{self, FileHeader64, ProgramHeader64},
    read::elf::{Dyn, FileHeader, ProgramHeader},
};

/// Longest path or name in a file: Linux has the same limit.
const NAME: usize = 4096;
/// Most libraries that one object needs, and most folders that it names.
const NAMES: usize = 256;
/// Most program headers: Linux reads 64 KiB of them.
const HEADERS: usize = 65536 / size_of::<ProgramHeader64<LittleEndian>>();

const LE: LittleEndian = LittleEndian;

/// A processor whose programs can be mapped: one with pages of 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processor {
    X86,
    Arm,
}

/// What one file says.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    pub(super) processor: Processor,
    pub(super) movable: bool,
    pub(super) alignment: u64,
    pub(super) parts: Vec<Part>,
    pub(super) read_only_after_linking: Range<u64>,
    pub(super) interpreter: Option<PathBuf>,
    pub(super) needed: Vec<String>,
    /// `DT_RPATH` and `DT_RUNPATH`, as they stand there.
    pub(super) rpath: Option<String>,
    pub(super) runpath: Option<String>,
}

type Reason = &'static str;

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<Headers, Reason> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err("not an ELF file");
    }
    let header = FileHeader64::<LittleEndian>::parse(bytes)
        .ok()
        .filter(|header| header.is_little_endian())
        .ok_or("cut off, or not a 64-bit little-endian ELF file")?;
    let processor = match header.e_machine(LE) {
        elf::EM_X86_64 => Processor::X86,
        elf::EM_AARCH64 => Processor::Arm,
        _ => return Err("of another processor (x86-64 and AArch64 are known)"),
    };
    let movable = match header.e_type(LE) {
        elf::ET_DYN => true,
        elf::ET_EXEC => false,
        _ => return Err("neither a program nor a library"),
    };
    if usize::from(header.e_phnum(LE)) > HEADERS {
        return Err("too many program headers");
    }
    let segments = header
        .program_headers(LE, bytes)
        .map_err(|_| "the program headers lie behind the end of the file")?;
    let mut headers = Headers {
        processor,
        movable,
        alignment: 1,
        parts: Vec::new(),
        read_only_after_linking: 0..0,
        interpreter: None,
        needed: Vec::new(),
        rpath: None,
        runpath: None,
    };
    for segment in segments {
        match segment.p_type(LE) {
            elf::PT_LOAD if segment.p_memsz(LE) > 0 => headers.load(segment),
            elf::PT_INTERP if headers.interpreter.is_none() => {
                headers.interpreter = Some(interpreter(segment, bytes)?);
            }
            elf::PT_GNU_RELRO => {
                let start = segment.p_vaddr(LE);
                headers.read_only_after_linking = start..start.saturating_add(segment.p_memsz(LE));
            }
            _ => {}
        }
    }
    let dynamic = segments.iter().find(|segment| segment.p_type(LE) == elf::PT_DYNAMIC);
    if let Some(segment) = dynamic {
        headers.link(segment, bytes)?;
    }
    Ok(headers)
}

impl Headers {
    fn load(&mut self, segment: &ProgramHeader64<LittleEndian>) {
        let flags = segment.p_flags(LE);
        // Linux passes over alignments that are none.
        let alignment = Some(segment.p_align(LE)).filter(|bytes| bytes.is_power_of_two());
        self.alignment = self.alignment.max(alignment.unwrap_or(1) / PAGE as u64);
        self.parts.push(Part {
            offset: segment.p_offset(LE),
            address: segment.p_vaddr(LE),
            file_size: segment.p_filesz(LE),
            memory_size: segment.p_memsz(LE),
            protection: Protection {
                read: flags & elf::PF_R != 0,
                write: flags & elf::PF_W != 0,
                execute: flags & elf::PF_X != 0,
            },
        });
    }

    /// Where in the file an address of the object is.
    fn offset(&self, address: u64) -> Option<u64> {
        self.parts.iter().find_map(|part| {
            let within = address.checked_sub(part.address).filter(|at| *at < part.file_size)?;
            part.offset.checked_add(within)
        })
    }

    fn link(
        &mut self,
        segment: &ProgramHeader64<LittleEndian>,
        bytes: &[u8],
    ) -> Result<(), Reason> {
        const CUT: Reason = "the dynamic section lies behind the end of the file";
        let entries = segment.dynamic(LE, bytes).map_err(|_| CUT)?.unwrap_or_default();
        let end = entries.iter().position(|entry| entry.d_tag(LE) == u64::from(elf::DT_NULL));
        let entries = entries.get(..end.unwrap_or(entries.len())).unwrap_or_default();
        let value = |tag: u32| {
            entries.iter().find(|entry| entry.tag32(LE) == Some(tag)).map(|entry| entry.d_val(LE))
        };
        let start = value(elf::DT_STRTAB).and_then(|address| self.offset(address));
        let size = value(elf::DT_STRSZ).unwrap_or(0);
        let end = start.and_then(|start| start.checked_add(size));
        let strings = match (start, end) {
            (Some(start), Some(end)) => StringTable::new(bytes, start, end),
            _ => StringTable::default(),
        };
        for entry in entries {
            let tag = entry.tag32(LE).unwrap_or(elf::DT_NULL);
            if ![elf::DT_NEEDED, elf::DT_RPATH, elf::DT_RUNPATH].contains(&tag) {
                continue;
            }
            let text = entry.string(LE, strings).map_err(|_| "a library's name is nowhere")?;
            let text = std::str::from_utf8(text).map_err(|_| "a library's name is no text")?;
            if text.len() > NAME {
                return Err("a library's name is longer than 4096 bytes");
            }
            match tag {
                elf::DT_NEEDED if self.needed.len() >= NAMES => {
                    return Err("needs more than 256 libraries");
                }
                elf::DT_NEEDED => self.needed.push(text.to_owned()),
                elf::DT_RPATH => self.rpath = Some(text.to_owned()),
                _ => self.runpath = Some(text.to_owned()),
            }
        }
        Ok(())
    }
}

/// The interpreter's path: it ends in the segment, with a zero.
fn interpreter(segment: &ProgramHeader64<LittleEndian>, bytes: &[u8]) -> Result<PathBuf, Reason> {
    const BAD: Reason = "the interpreter's name lies behind the end of the file, or has none";
    let text = segment.data(LE, bytes).map_err(|()| BAD)?;
    match text {
        [name @ .., 0] if !name.is_empty() && text.len() <= NAME => {
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let name =
                std::str::from_utf8(name).map_err(|_| "the interpreter's name is no text")?;
            Ok(PathBuf::from(name))
        }
        _ => Err(BAD),
    }
}

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
