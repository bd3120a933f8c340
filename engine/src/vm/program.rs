//! Programs: what `exec` maps. The parser of a format (ELF) says which parts a file has; here it is
//! decided where they go, as a kernel and its dynamic linker do without randomness.
//!
//! ```text
//! 0x0000_5555_5555_4000  the program, if it is position independent; then its heap
//! 0x0000_7fff_f7ff_f000  the interpreter and libraries, downwards
//! 0x0000_7fff_ffff_f000  the stack, downwards
//! ```
//!
//! Parts are private mappings of the file; what a part has in memory beyond its file part (bss) is
//! anonymous, and the rest of the file part's last page is cleared, which is a first write.

use std::sync::Arc;

use super::{
    area::{FileId, Protection},
    fault::Refusal,
    frames::PAGE,
    machine::{Errno, Machine, Pid},
    map::Mapping,
    tables::PAGES,
};

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
    /// Its parts, in the order of their addresses.
    pub parts: Vec<Part>,
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

const PROGRAM: u64 = 0x5555_5555_4000 / PAGE as u64;
const LIBRARIES: u64 = 0x7fff_f7ff_f000 / PAGE as u64;
const STACK: u64 = 0x7fff_ffff_f000 / PAGE as u64;
/// Pages that a stack begins with: 132 KiB.
const STACK_PAGES: u64 = 33;
/// Most pages of one object: 64 GiB.
const OBJECT: u64 = 1 << 24;

impl Part {
    fn first(&self) -> u64 {
        self.address / PAGE as u64
    }

    fn file_end(&self) -> Option<u64> {
        Some(self.address.checked_add(self.file_size)?.div_ceil(PAGE as u64))
    }

    fn end(&self) -> Option<u64> {
        let size = self.memory_size.max(self.file_size);
        Some(self.address.checked_add(size)?.div_ceil(PAGE as u64))
    }

    fn kind(&self) -> &'static str {
        match self.protection {
            protection if protection.execute => "text",
            protection if protection.write => "data",
            _ => "rodata",
        }
    }
}

impl Object {
    /// Pages from its first part to the end of its last; none: its numbers make no sense.
    fn pages(&self) -> Option<std::ops::Range<u64>> {
        let first = self.parts.first()?.first();
        let mut end = first;
        for part in &self.parts {
            // In the order of addresses, and the file's page where the address's is.
            if part.first() < end || part.offset % PAGE as u64 != part.address % PAGE as u64 {
                return None;
            }
            end = part.end()?;
        }
        (end > first && end - first <= OBJECT).then_some(first..end)
    }
}

impl Machine {
    /// A process drops its memory and runs a program: it is mapped, with interpreter, libraries, heap
    /// and stack. `file` says which file of the machine an object is. If it cannot be mapped, the
    /// process is left without memory, as one that a kernel would kill.
    pub fn exec_program(
        &mut self,
        process: Pid,
        program: &Program,
        mut file: impl FnMut(&mut Machine, &Object) -> FileId,
    ) -> Result<(), Errno> {
        let spans: Option<Vec<_>> = program.objects.iter().map(Object::pages).collect();
        let spans = spans.filter(|spans| !spans.is_empty()).ok_or(Errno::Invalid)?;
        self.exec(process)?;
        let mut top = LIBRARIES;
        for (number, (object, span)) in program.objects.iter().zip(spans).enumerate() {
            let base = match (object.movable, number) {
                (false, _) => 0,
                (true, 0) => PROGRAM - span.start,
                (true, _) => {
                    top = top.checked_sub(span.end - span.start).ok_or(Errno::NoMemory)?;
                    top - span.start
                }
            };
            let file = file(self, object);
            self.map_object(process, object, base, file)?;
            if number == 0 {
                self.set_heap(process, base + span.end)?;
            }
        }
        let stack = Mapping {
            at: Some(STACK - STACK_PAGES),
            stack: true,
            name: Some("stack".into()),
            ..Mapping::anonymous(STACK_PAGES)
        };
        self.map(process, &stack).map(drop)
    }

    fn map_object(
        &mut self,
        process: Pid,
        object: &Object,
        base: u64,
        file: FileId,
    ) -> Result<(), Errno> {
        let mut kinds: Vec<&str> = Vec::new();
        for part in &object.parts {
            let kind = part.kind();
            kinds.push(kind);
            let number = match kinds.iter().filter(|other| **other == kind).count() {
                1 => String::new(),
                number => number.to_string(),
            };
            let first = base.checked_add(part.first()).ok_or(Errno::NoMemory)?;
            let limit = |page: Option<u64>| {
                page.and_then(|page| page.checked_add(base)).filter(|page| *page <= PAGES)
            };
            let file_end = limit(part.file_end()).ok_or(Errno::NoMemory)?;
            let end = limit(part.end()).ok_or(Errno::NoMemory)?;
            if part.file_size > 0 {
                let mapping = Mapping {
                    at: Some(first),
                    protection: part.protection,
                    file: Some((file, part.offset / PAGE as u64)),
                    name: Some(format!("{}_{kind}{number}", object.name).into()),
                    ..Mapping::anonymous(file_end - first)
                };
                self.map(process, &mapping)?;
            }
            let used = (part.address + part.file_size) % PAGE as u64;
            if part.memory_size > part.file_size && part.protection.write && used > 0 {
                self.clear_tail(process, file_end - 1, used as usize)?;
            }
            let from = if part.file_size > 0 { file_end } else { first };
            if end > from {
                let bss = Mapping {
                    at: Some(from),
                    protection: part.protection,
                    name: Some(format!("{}_bss{number}", object.name).into()),
                    ..Mapping::anonymous(end - from)
                };
                self.map(process, &bss)?;
            }
        }
        Ok(())
    }

    /// Clears a page from `used` on: its first write.
    fn clear_tail(&mut self, process: Pid, page: u64, used: usize) -> Result<(), Errno> {
        let mut space = self.space(process).ok_or(Errno::Invalid)?;
        let fault = match self.fault(&mut space, page, true) {
            Ok(fault) => fault,
            Err(Refusal::NoFrame) => return Err(Errno::NoMemory),
            Err(Refusal::Signal { .. }) => return Err(Errno::Fault),
        };
        if let Some(frame) = fault.new.mapped() {
            (used..PAGE).for_each(|at| self.memory.frames.set_byte(frame, at, 0));
        }
        drop(space);
        self.count(process, |tally| tally.add_fault(&fault));
        Ok(())
    }

    /// Where the heap of a process begins, and where it ends now.
    pub fn heap(&self, process: Pid) -> Option<(u64, u64)> {
        self.space(process)?.heap
    }

    /// Makes sure that an area covers `page`: if none does, anonymous memory is mapped around it, up
    /// to 1 MiB, as far as there is room.
    pub fn cover(&mut self, process: Pid, page: u64) -> Result<(), Errno> {
        let space = self.space(process).ok_or(Errno::Invalid)?;
        if space.areas.find(page).is_some() {
            return Ok(());
        }
        let chunk = page - page % 256..page - page % 256 + 256;
        let room = space.areas.gap_around(&(page..page + 1));
        drop(space);
        let at = chunk.start.max(room.start);
        let pages = chunk.end.min(room.end).min(PAGES).checked_sub(at).filter(|pages| *pages > 0);
        let mapping = Mapping { at: Some(at), ..Mapping::anonymous(pages.ok_or(Errno::NoMemory)?) };
        self.map(process, &mapping).map(drop)
    }
}
