//! What can go wrong with a call, and when.

use std::io;

/// How a call to the disk goes wrong. Which kinds make sense for which call:
///
/// | kind | `write_at`, `write_direct`, `write_durable` | `sync` | `set_len` | `read_at` |
/// |---|---|---|---|---|
/// | `Eio` | error; a prefix is pending | error; part is durable, the rest forgotten | error; nothing done | error |
/// | `Enospc` | error; nothing done | as `Eio` | error; nothing done | - |
/// | `Panic` | the thread panics, nothing done | same | same | same |
/// | `Lost` | says it succeeded; nothing done | lies: all stays pending | nothing done | zeros |
/// | `Stale` | - | - | - | what the block held before its last write |
/// | `Misdirected` | goes one block further | - | - | comes from one block further |
/// | `Rot` | one bit is written wrong | - | - | one bit is read wrong |
///
/// Where there is a dash, the call goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The device failed; [`io::ErrorKind::Other`].
    Eio,
    /// The disk is full; [`io::ErrorKind::StorageFull`].
    Enospc,
    /// The thread panics in the middle of the call.
    Panic,
    /// Success is reported, and nothing was done.
    Lost,
    /// An older content is read.
    Stale,
    /// The neighbouring block is written, or read, instead.
    Misdirected,
    /// A bit is flipped.
    Rot,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 7] = [
        FaultKind::Eio,
        FaultKind::Enospc,
        FaultKind::Panic,
        FaultKind::Lost,
        FaultKind::Stale,
        FaultKind::Misdirected,
        FaultKind::Rot,
    ];
    /// Those of which the caller hears at once.
    pub const REPORTED: [FaultKind; 2] = [FaultKind::Eio, FaultKind::Enospc];
    /// Those that pass for success.
    pub const SILENT: [FaultKind; 4] =
        [FaultKind::Lost, FaultKind::Stale, FaultKind::Misdirected, FaultKind::Rot];

    /// The error that it reports, if it does.
    pub(super) fn error(self) -> Option<io::Error> {
        match self {
            FaultKind::Eio => Some(io::Error::other("injected I/O error")),
            FaultKind::Enospc => Some(io::ErrorKind::StorageFull.into()),
            // A second panic, while the first unwinds, would end the process.
            FaultKind::Panic if std::thread::panicking() => {
                Some(io::Error::other("injected error, in the middle of a panic"))
            }
            // Without the message that a panic by accident prints.
            FaultKind::Panic => std::panic::resume_unwind(Box::new("injected panic")),
            _ => None,
        }
    }
}

/// Calls of one family, counted, and those that are to fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    pub(super) count: u64,
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    call: u64,
    kind: FaultKind,
    sticky: bool,
}

impl Calls {
    pub(super) fn fail_at(&mut self, call: u64, kind: FaultKind, sticky: bool) {
        self.faults.push(Fault { call, kind, sticky });
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// None of them is to fail silently.
    pub(super) fn are_honest(&self) -> bool {
        self.faults.iter().all(|fault| !FaultKind::SILENT.contains(&fault.kind))
    }

    /// Counts a call and says how it is to fail.
    pub(super) fn next(&mut self) -> Option<FaultKind> {
        let call = self.count;
        self.count += 1;
        let due = |f: &&Fault| f.call == call || f.sticky && f.call < call;
        self.faults.iter().find(due).map(|f| f.kind)
    }
}
