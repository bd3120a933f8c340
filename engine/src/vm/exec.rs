//! `exec` of a program: where its parts go, as a kernel and its dynamic linker decide it without
//! randomness.
//!
//! ```text
//! 0x0000_5555_5555_4000  the program, if it is position independent; then its heap
//! 0x0000_7fff_f7ff_f000  the interpreter and libraries, downwards
//! 0x0000_7fff_ffff_f000  the stack, downwards
//! ```
//!
//! Parts are private mappings of the file; what a part has in memory beyond its file part (bss) is
//! anonymous, and the rest of the file part's last page is cleared, which is a first write. So is
//! linking, for the pages that are read-only afterwards: each is written once. Whatever else runs
//! before `main` is not modelled.
//!
//! A program that cannot be mapped leaves the process without memory: a kernel would kill it.

use std::{ops::Range, sync::Arc};

use super::{
    area::{FileId, Protection},
    fault::Refusal,
    frames::PAGE,
    machine::{Errno, Machine, Pid},
    map::Mapping,
    program::{Object, Part, Program},
};

const PROGRAM: u64 = 0x5555_5555_4000 / PAGE as u64;
const LIBRARIES: u64 = 0x7fff_f7ff_f000 / PAGE as u64;
const STACK: u64 = 0x7fff_ffff_f000 / PAGE as u64;
/// Pages that a stack begins with: 132 KiB.
const STACK_PAGES: u64 = 33;

/// An object at its place.
struct Placed<'a> {
    object: &'a Object,
    file: FileId,
    /// The object's first page, and where that is.
    from: u64,
    to: u64,
}

impl Placed<'_> {
    /// Where a page of it went. Its pages were checked, so none of them is before its first.
    fn at(&self, page: u64) -> u64 {
        self.to + page.saturating_sub(self.from)
    }
}

impl Machine {
    /// A process drops its memory and runs a program: it is mapped, with interpreter, libraries, heap
    /// and stack. `file` says which file of the machine an object is. EINVAL: [`Program::check`] says
    /// why, or two objects claim the same place.
    pub fn exec_program(
        &mut self,
        process: Pid,
        program: &Program,
        mut file: impl FnMut(&mut Machine, &Object) -> FileId,
    ) -> Result<(), Errno> {
        let spans: Result<Vec<_>, _> = program.objects.iter().map(Object::pages).collect();
        let spans = spans.ok().filter(|spans| !spans.is_empty()).ok_or(Errno::Invalid)?;
        self.exec(process)?;
        let loaded = self.load(process, program, &spans, &mut file);
        if loaded.is_err() {
            self.exec(process)?;
        }
        loaded
    }

    fn load(
        &mut self,
        process: Pid,
        program: &Program,
        spans: &[Range<u64>],
        file: &mut dyn FnMut(&mut Machine, &Object) -> FileId,
    ) -> Result<(), Errno> {
        let mut top = LIBRARIES;
        for (number, (object, span)) in program.objects.iter().zip(spans).enumerate() {
            let length = span.end - span.start;
            let to = match (object.movable, number) {
                (false, _) => span.start,
                (true, 0) => PROGRAM - PROGRAM % object.alignment,
                (true, _) => {
                    let to = top.checked_sub(length).ok_or(Errno::NoMemory)?;
                    top = to - to % object.alignment;
                    top
                }
            };
            let placed = Placed { object, file: file(self, object), from: span.start, to };
            let mut names = Names::default();
            for part in &object.parts {
                self.map_part(process, &placed, part, &mut names)?;
            }
            self.link(process, &placed)?;
            if number == 0 {
                self.set_heap(process, placed.at(span.end))?;
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

    fn map_part(
        &mut self,
        process: Pid,
        placed: &Placed<'_>,
        part: &Part,
        names: &mut Names,
    ) -> Result<(), Errno> {
        let [first, file_end, end] = [part.first(), part.file_end(), part.end()];
        if file_end > first {
            let mapping = Mapping {
                at: Some(placed.at(first)),
                protection: part.protection,
                file: Some((placed.file, part.offset / PAGE as u64)),
                name: Some(names.next(placed.object, part.kind())),
                ..Mapping::anonymous(file_end - first)
            };
            self.map(process, &mapping)?;
            let used = (part.address + part.file_size) % PAGE as u64;
            if part.memory_size > part.file_size && part.protection.write && used > 0 {
                self.first_write(process, placed.at(file_end - 1), used as usize)?;
            }
        }
        if end > file_end {
            let bss = Mapping {
                at: Some(placed.at(file_end)),
                protection: part.protection,
                name: Some(names.next(placed.object, "bss")),
                ..Mapping::anonymous(end - file_end)
            };
            self.map(process, &bss)?;
        }
        Ok(())
    }

    /// Writes what linking writes, and forbids it from then on. Whole areas or parts of them that can
    /// be written are meant: a file that says otherwise of its pages is not obeyed.
    fn link(&mut self, process: Pid, placed: &Placed<'_>) -> Result<(), Errno> {
        let pages = placed.object.read_only_pages();
        if pages.is_empty() || pages.start < placed.from {
            return Ok(());
        }
        // As many pages as the object has at most: what lies behind them is not its own.
        let object = placed.object.pages().map_err(|_| Errno::Invalid)?;
        let pages = placed.at(pages.start)..placed.at(pages.end.min(object.end));
        let Some(parts) = self.space(process).map(|space| space.areas.within(&pages)) else {
            return Err(Errno::Invalid);
        };
        let name: Arc<str> = format!("{}_relro", placed.object.name).into();
        for part in parts {
            let area = self.space(process).and_then(|space| space.areas.find(part.start).cloned());
            if area.is_none_or(|area| !area.protection.write || area.is_anonymous()) {
                continue;
            }
            for page in part.clone() {
                self.first_write(process, page, PAGE)?;
            }
            self.protect(process, part.clone(), Protection::READ)?;
            if let Some(mut space) = self.space(process) {
                space.areas.change(&part, |area| area.name = Some(name.clone()));
            }
        }
        Ok(())
    }

    /// Writes to a page if nobody has yet: zeros from `used` on, nothing before.
    fn first_write(&mut self, process: Pid, page: u64, used: usize) -> Result<(), Errno> {
        let mut space = self.space(process).ok_or(Errno::Invalid)?;
        if space.tables.entry(&self.memory, page).is_present() {
            return Ok(());
        }
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
}

/// Names of an object's areas: `cat_rodata`, and the next of the kind `cat_rodata2`.
#[derive(Default)]
struct Names(Vec<&'static str>);

impl Names {
    fn next(&mut self, object: &Object, kind: &'static str) -> Arc<str> {
        self.0.push(kind);
        match self.0.iter().filter(|other| **other == kind).count() {
            1 => format!("{}_{kind}", object.name).into(),
            number => format!("{}_{kind}{number}", object.name).into(),
        }
    }
}

#[cfg(test)]
mod tests;
