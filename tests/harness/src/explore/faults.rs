//! A crash, and then a disk that fails or lies while the store recovers from it.
//!
//! | fault during the recovery | what is owed |
//! |---|---|
//! | a call fails, once or for ever | an error with a type, or success; and after the disk is well again, a version that was legal |
//! | a read is wrong (rot, stale, from elsewhere, zeros) | the right version, an error with a type, or an older version |
//! | a write or sync is lost, goes elsewhere, rots | the right version then; later that, an error with a type, or an older version |
//! | the thread panics in a call | nothing more than was attempted, nothing less than was acknowledged |
//!
//! An *older* version is one that was committed, to the byte. It cannot be excluded after a silent
//! fault: the newest durable write of a log, misread, is a torn one. The report counts them.

use std::sync::Arc;

use cowslip_pager::storage::{
    SimulatedStorage,
    simulated::{FaultKind, Image},
};

use super::{Explorer, Images, Point, Verdict, judge};
use crate::engine::{Engine, Failure, guarded};

impl<E: Engine> Explorer<'_, E> {
    /// Recovers an image, known to be of this class when the disk is well, on disks that are not.
    pub(super) fn on_faulty_disks(
        &mut self,
        point: &Point<'_>,
        images: &Images<'_>,
        class: usize,
    ) -> Verdict {
        use FaultKind::{Eio, Enospc, Lost, Misdirected, Panic, Rot, Stale};
        let image = (images.make)();
        // How many calls a recovery makes: from one on a disk that is well.
        let well = SimulatedStorage::from_image(image.clone()).without_history();
        let well = Arc::new(well);
        let _ = guarded(|| self.used(&well));
        let (reads, changes) = (well.reads().max(1), well.calls().max(1));
        let kinds = self.options.fault_kinds;
        let chosen = |kind: &FaultKind| kinds.contains(kind);
        let (on_reads, on_changes) = (
            [Eio, Lost, Stale, Misdirected, Rot, Panic].into_iter().filter(chosen),
            [Eio, Enospc, Lost, Misdirected, Rot, Panic].into_iter().filter(chosen),
        );
        for kind in on_reads {
            let read = self.rng.u64(..reads);
            self.fault(point, images, class, &image, Fault::Read(read, kind))?;
        }
        for kind in on_changes {
            for sticky in [false, true] {
                let call = self.rng.u64(..changes);
                self.fault(point, images, class, &image, Fault::Change(call, kind, sticky))?;
            }
        }
        Ok(())
    }

    /// Opens, reads, writes, closes.
    fn used(&self, disk: &Arc<SimulatedStorage>) -> Result<E::State, Failure> {
        let mut store = self.engine.open(disk)?;
        let found = store.read()?;
        store.write_on()?;
        store.close()?;
        Ok(found)
    }

    fn fault(
        &mut self,
        point: &Point<'_>,
        images: &Images<'_>,
        class: usize,
        image: &Image,
        fault: Fault,
    ) -> Verdict {
        self.report.faulted += 1;
        let disk = SimulatedStorage::from_image(image.clone()).without_history();
        // A block that is read stale is as it was when all this began.
        disk.set_older(self.recording.history.start().clone());
        match fault {
            Fault::Read(read, kind) => disk.fail_read_at(read, kind, false),
            Fault::Change(call, kind, sticky) => disk.fail_at(call, kind, sticky),
        }
        let disk = Arc::new(disk);
        let complain = |explorer: &mut Self, what: String| {
            let mut violation = explorer.violation(point, images, what);
            violation.fault = Some(format!("{fault:?}"));
            explorer.broken(violation)
        };
        let recording = self.recording;
        let state = &recording.versions[class].state;
        let committed = recording.versions[..=point.window.attempted].iter().map(|v| &v.state);
        let older: Vec<&E::State> = match fault.is_silent() {
            true => recording.earlier.iter().chain(committed).collect(),
            false => Vec::new(),
        };
        match guarded(|| self.used(&disk)) {
            Ok(found) if found == *state => {}
            Ok(found) if older.contains(&&found) => {
                self.report.older += 1;
            }
            Ok(found) => {
                let what = self.engine.difference(state, &found);
                return complain(self, format!("wrong data from a faulty disk: {what}"));
            }
            Err(failure) if failure.typed || fault.panics() => {}
            Err(failure) => return complain(self, failure.text),
        }
        disk.clear_faults();
        let outcome = judge::judge(self.engine, disk.freeze(), point.window.created, None);
        match outcome.found {
            Ok(survived) => {
                let is = |state: &E::State| {
                    survived.state == *state || survived.state == self.engine.written_on(state)
                };
                if is(state) {
                    return Ok(());
                }
                if older.iter().any(|older| is(older)) {
                    self.report.older += 1;
                    return Ok(());
                }
                let what = self.engine.difference(state, &survived.state);
                complain(self, format!("later, on a disk that is well: {what}"))
            }
            Err(failure) if fault.damages() && !failure.text.contains("panicked") => Ok(()),
            Err(failure) => {
                complain(self, format!("later, on a disk that is well: {}", failure.text))
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Read(u64, FaultKind),
    Change(u64, FaultKind, bool),
}

impl Fault {
    fn panics(self) -> bool {
        matches!(self, Fault::Read(_, FaultKind::Panic) | Fault::Change(_, FaultKind::Panic, _))
    }

    /// Nobody is told.
    fn is_silent(self) -> bool {
        let (Fault::Read(_, kind) | Fault::Change(_, kind, _)) = self;
        FaultKind::SILENT.contains(&kind)
    }

    /// It leaves wrong bytes on the disk without a word.
    fn damages(self) -> bool {
        use FaultKind::{Lost, Misdirected, Rot};
        matches!(self, Fault::Change(_, Lost | Misdirected | Rot, _))
    }
}
