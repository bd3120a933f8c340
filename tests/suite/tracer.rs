//! Follows a child's system calls on one file, and tampers with them.
//!
//! All threads of the child are traced, also those that it starts later. Every call that reads or
//! changes the file (or makes its name durable) is shown before it runs, with its number; what is
//! answered happens to it. The tracer's end is the child's, whatever happens to the tracer.
//!
//! Only calls of the thread that traces may wait for the child: it is reaped here.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::child::Child;

/// A system call on the file, about to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// Its name.
    pub(crate) name: &'static str,
    /// How many calls that change or sync the file came before it.
    pub(crate) number: u64,
    /// Bytes that it is to move; 0 where it moves none.
    pub(crate) length: u64,
    /// Whether it bypasses the system's cache.
    pub(crate) direct: bool,
}

impl Call {
    /// Whether it changes the file, or makes a change durable.
    pub(crate) fn changes(&self) -> bool {
        self.name != "pread64"
    }

    /// Whether it makes durable what others have written.
    pub(crate) fn syncs(&self) -> bool {
        matches!(self.name, "fsync" | "fdatasync")
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is made.
    Made,
    /// The process is killed before it.
    KilledBefore,
    /// The process is killed when it has been made, before it returns.
    KilledAfter,
    /// Only so many bytes are moved.
    Shortened(u64),
    /// Only so many bytes are moved, and the process is killed before it returns.
    Torn(u64),
    /// It is not made, and fails with this error.
    Fails(Errno),
}

/// How the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Killed(Signal),
}

/// What is left to do when a call returns.
enum Pending {
    Kill,
    /// The registers that say how much to move are to be as they were.
    Length(u64),
    Error(Errno),
}

/// Tells the child to begin with `word` and follows it to its end. An error if this system does not
/// let a process trace another.
pub(crate) fn follow(
    child: &mut Child,
    path: &Path,
    word: &str,
    fate: impl FnMut(&Call) -> Fate,
) -> Result<End, Errno> {
    let id = Pid::from_raw(child.id() as i32);
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    // None comes or goes meanwhile: the one that will run the test waits for a word.
    for thread in std::fs::read_dir(format!("/proc/{id}/task")).unwrap() {
        let thread = thread.unwrap().file_name().into_string().unwrap();
        let thread = Pid::from_raw(thread.parse().unwrap());
        ptrace::seize(thread, options)?;
        ptrace::interrupt(thread)?;
    }
    child.set_reaped();
    child.tell(word);
    let path = path.parent().unwrap().canonicalize().unwrap().join(path.file_name().unwrap());
    Ok(Follower { id, path, fate, calls: 0, pending: HashMap::new() }.run())
}

struct Follower<F> {
    id: Pid,
    path: PathBuf,
    fate: F,
    calls: u64,
    pending: HashMap<Pid, Pending>,
}

impl<F: FnMut(&Call) -> Fate> Follower<F> {
    fn run(mut self) -> End {
        // Of this thread's children only: other tests wait for theirs.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let (thread, signal) = match waitpid(None, Some(flags)) {
                Ok(WaitStatus::Exited(thread, code)) if thread == self.id => {
                    return End::Exited(code);
                }
                Ok(WaitStatus::Signaled(thread, signal, _)) if thread == self.id => {
                    return End::Killed(signal);
                }
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    match self.at_call(thread) {
                        // Killed meanwhile: its end is what comes next.
                        Ok(()) | Err(Errno::ESRCH) => {}
                        Err(error) => panic!("tracing: {error}"),
                    }
                    (thread, None)
                }
                Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
                Ok(WaitStatus::PtraceEvent(thread, _, _)) => (thread, None),
                // Of other threads, which have ended.
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(error) => panic!("waiting for the child: {error}"),
            };
            match ptrace::syscall(thread, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => panic!("letting the child go on: {error}"),
            }
        }
    }

    /// A thread is about to make a call, or one is about to return.
    fn at_call(&mut self, thread: Pid) -> nix::Result<()> {
        if ptrace::syscall_info(thread)?.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return match self.pending.remove(&thread) {
                None => Ok(()),
                Some(pending) => self.at_return(thread, pending),
            };
        }
        let mut registers = ptrace::getregs(thread)?;
        let Some(call) = self.call(&registers) else { return Ok(()) };
        let fate = (self.fate)(&call);
        self.calls += u64::from(call.changes());
        match fate {
            Fate::Made => return Ok(()),
            Fate::KilledBefore => return kill(self.id, Signal::SIGKILL),
            Fate::KilledAfter => {
                self.pending.insert(thread, Pending::Kill);
                return Ok(());
            }
            Fate::Shortened(length) => {
                assert!(0 < length && length <= call.length);
                self.pending.insert(thread, Pending::Length(registers.rdx));
                registers.rdx = length;
            }
            Fate::Torn(length) => {
                self.pending.insert(thread, Pending::Kill);
                registers.rdx = length;
            }
            Fate::Fails(error) => {
                self.pending.insert(thread, Pending::Error(error));
                // No such call.
                registers.orig_rax = u64::MAX;
            }
        }
        ptrace::setregs(thread, registers)
    }

    fn at_return(&self, thread: Pid, pending: Pending) -> nix::Result<()> {
        let mut registers = ptrace::getregs(thread)?;
        match pending {
            Pending::Kill => return kill(self.id, Signal::SIGKILL),
            Pending::Length(length) => registers.rdx = length,
            Pending::Error(error) => registers.rax = -i64::from(error as i32) as u64,
        }
        ptrace::setregs(thread, registers)
    }

    /// The call that is about to be made, if it is one on the file.
    fn call(&self, registers: &libc::user_regs_struct) -> Option<Call> {
        let (name, moves) = match registers.orig_rax as i64 {
            libc::SYS_pread64 => ("pread64", true),
            libc::SYS_pwrite64 => ("pwrite64", true),
            libc::SYS_write => ("write", true),
            libc::SYS_pwritev | libc::SYS_pwritev2 => ("pwritev", false),
            libc::SYS_fallocate => ("fallocate", false),
            libc::SYS_ftruncate => ("ftruncate", false),
            libc::SYS_fsync => ("fsync", false),
            libc::SYS_fdatasync => ("fdatasync", false),
            _ => return None,
        };
        let file = registers.rdi as i32;
        let target = std::fs::read_link(format!("/proc/{}/fd/{file}", self.id)).ok()?;
        let directory = target == self.path.parent().unwrap();
        if target != self.path && !directory {
            return None;
        }
        let direct = || {
            let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{file}", self.id)).ok()?;
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
            let flags = i32::from_str_radix(flags.trim(), 8).ok()?;
            Some(flags & libc::O_DIRECT != 0)
        };
        Some(Call {
            name: if directory { "fsync of the directory" } else { name },
            number: self.calls,
            length: if moves { registers.rdx } else { 0 },
            direct: direct().unwrap_or(false),
        })
    }
}
