//! The driver's side of an agent.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
};

use crate::wire::{Reply, Request, receive, send};

/// Sockets for all processes that a trace has, made before the first of them, so that all inherit them.
pub(crate) struct Sockets {
    /// The driver's end and the agent's.
    pairs: Vec<(OwnedFd, OwnedFd)>,
}

impl Sockets {
    /// For so many processes.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        let pair = |_| {
            let mut ends = [0; 2];
            // Closed on exec, which the first agent begins with: agents shall not hold the driver's
            // ends, or they would not see the driver go. Those of the agents are opened up to exec later.
            let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
            // SAFETY: room for two descriptors, which are new ones if the call succeeds.
            unsafe {
                if libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) != 0 {
                    return Err(io::Error::last_os_error());
                }
                libc::fcntl(ends[1], libc::F_SETFD, 0);
                Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
            }
        };
        Ok(Self { pairs: (0..count).map(pair).collect::<io::Result<_>>()? })
    }

    /// The agent's end, as agents know it.
    pub(crate) fn agents(&self, index: usize) -> i32 {
        self.pairs[index].1.as_raw_fd()
    }

    /// Asks an agent, without waiting for the answer.
    pub(crate) fn ask(&self, index: usize, request: &Request) -> io::Result<()> {
        send(self.pairs[index].0.as_raw_fd(), request)
    }

    /// The answer.
    pub(crate) fn answer(&self, index: usize) -> io::Result<Reply> {
        receive(self.pairs[index].0.as_raw_fd())
    }

    /// Starts the first agent.
    pub(crate) fn start(&self) -> io::Result<()> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("cowslip-kernel").args(["agent", &self.agents(0).to_string()]).env_clear();
        // SAFETY: one system call. Without randomisation all agents have the same page tables of their own.
        unsafe {
            command.pre_exec(|| {
                libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
                Ok(())
            });
        }
        command.spawn().map(drop)
    }
}

/// A number of `/proc/PID/status`, in KiB there, here in pages.
pub(crate) fn status(pid: i32, field: &str) -> io::Result<i64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<i64>().ok());
    number.map(|kib| kib / 4).ok_or_else(|| io::Error::other(format!("no {field}")))
}
