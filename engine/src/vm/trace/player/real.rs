//! Operations that need real files: `exec` of a program, and `replay` of a recorded run.
//!
//! The engine opens no file: an [`Outside`](super::super::Outside) does.

use super::{Answer, Player, Reference};
use crate::vm::{
    fault::{Fault, Signal},
    file::Contents,
    frames::PAGE,
    machine::{Access, Pid},
    program::Object,
};

/// Pages that are known to be mapped, by the last bits of their numbers.
const KNOWN: usize = 256;

/// The pages that were just accessed. An access to one of them changes nothing, so most of a recorded
/// run needs no walk; a fault may have unmapped any of them (memory is short) and ends all that is
/// known.
struct Known([(u64, bool); KNOWN]);

impl Known {
    fn nothing() -> Known {
        Known([(u64::MAX, false); KNOWN])
    }

    /// Was the page accessed since the last fault, and written if `store`?
    fn has(&self, page: u64, store: bool) -> bool {
        let (known, written) = self.0[page as usize % KNOWN];
        known == page && (written || !store)
    }

    fn add(&mut self, page: u64, store: bool) {
        let known = &mut self.0[page as usize % KNOWN];
        *known = (page, store || *known == (page, true));
    }
}

impl Player {
    /// Maps a program. Its files are the machine's from then on, one for each path.
    pub(super) fn exec_program(
        &mut self,
        pid: Pid,
        path: &str,
        answer: &mut Answer,
    ) -> Result<(), String> {
        let program = self.outside.program(path)?;
        program.check()?;
        let before = self.machine.tally(pid);
        let files = &mut self.files;
        let exec = self.machine.exec_program(pid, &program, |machine, object: &Object| {
            *files.entry(object.path.clone()).or_insert_with(|| {
                let pages = (object.bytes.len() as u64).div_ceil(PAGE as u64);
                machine.add_file(&object.path, pages, Contents::Bytes(object.bytes.clone()))
            })
        });
        answer.errno = exec.err();
        answer.tally = Some(self.machine.tally(pid) - before);
        Ok(())
    }

    /// Makes the accesses of a recorded run, up to the first signal. A store stores 1 in the page's
    /// first byte: records do not say what was written.
    pub(super) fn replay(
        &mut self,
        pid: Pid,
        file: &str,
        answer: &mut Answer,
    ) -> Result<(), String> {
        let mut known = Known::nothing();
        let mut signal = None;
        for reference in self.outside.references(file)? {
            let Reference { page, last, load, store } = reference?;
            // It crosses one boundary of pages at most.
            for page in page..=last.min(page.saturating_add(1)) {
                for (made, store) in [(load, false), (store, true)] {
                    if !made || known.has(page, store) {
                        continue;
                    }
                    self.machine
                        .cover(pid, page)
                        .map_err(|errno| format!("no memory for page {page:#x}: {errno}"))?;
                    let access = match store {
                        true => Access::Write { value: 1 },
                        false => Access::Read { expect: None },
                    };
                    let mut faulted = false;
                    let see = &mut |fault: &Fault| {
                        faulted = true;
                        if self.listing {
                            answer.faults.push(*fault);
                        }
                    };
                    let touched =
                        self.machine.touch_or_replace(pid, page..page + 1, 1, access, see);
                    if faulted {
                        known = Known::nothing();
                    }
                    known.add(page, store);
                    signal = signal.or(touched.signal);
                }
            }
            if signal.is_some() || self.machine.is_exhausted() {
                break;
            }
        }
        answer.signal = Some::<Option<Signal>>(signal);
        Ok(())
    }
}
