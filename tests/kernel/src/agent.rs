//! A process of a trace: it does what the driver asks, to itself, and counts its own faults.
//!
//! Once [`run`] is in its loop, the agent allocates nothing and touches no memory but its stack, its
//! static data and the regions. The faults of a request are those between two calls of `getrusage`
//! around it.

use std::{mem::zeroed, ptr::null_mut};

use crate::{
    access,
    warm::Own,
    wire::{Reply, Request, What, receive, send},
};

/// Bytes of the stack of a child that shares its parent's memory.
const STACK: usize = 64 << 10;

/// Such children may have such children.
const DEPTH: usize = 4;

/// Static, so that they are among the mappings that are warmed; words as aligned as a stack must be.
static mut STACKS: [u128; STACK * DEPTH / 16] = [0; STACK * DEPTH / 16];

/// What an agent knows of itself. On its stack, not static: a child that shares memory has its own.
#[derive(Clone, Copy)]
struct Agent {
    socket: i32,
    /// How many of [`STACKS`] are in use.
    depth: usize,
    own: Own,
}

/// What [`vfork`]'s child gets.
struct Birth<'a> {
    agent: &'a Agent,
    socket: i32,
}

/// Serves requests from a socket until told to exit, or the driver is gone.
pub(crate) fn run(socket: i32) -> ! {
    access::catch_signals();
    // Before the list of mappings is read, all of them must be there.
    let mut text = vec![0; 64 << 10];
    let own = Own::find(&mut text);
    let agent = Agent { socket, depth: 0, own };
    agent.own.warm();
    agent.hello();
    agent.serve()
}

impl Agent {
    /// Says that this process is there, and warm.
    fn hello(&self) {
        // SAFETY: no preconditions.
        let pid = unsafe { libc::getpid() };
        let _ = send(self.socket, &Reply { pid, ..Reply::default() });
    }

    fn serve(mut self) -> ! {
        loop {
            let Ok(request) = receive::<Request>(self.socket) else { leave() };
            let reply = self.answer(&request);
            if send(self.socket, &reply).is_err() || request.what == What::Exit {
                leave();
            }
        }
    }

    fn answer(&mut self, request: &Request) -> Reply {
        match request.what {
            What::Fork => self.fork(request.flags),
            What::Vfork => self.vfork(request.flags),
            What::Exec => self.exec(),
            What::Exit => Reply::default(),
            What::Wait => wait(request.flags),
            _ => {
                let mut reply = Reply::default();
                let before = faults();
                measured(request, &mut reply);
                let after = faults();
                (reply.minor, reply.major) = (after.0 - before.0, after.1 - before.1);
                reply
            }
        }
    }

    /// A child that serves another socket. Parent and child are warm again when both have answered.
    fn fork(&mut self, socket: i32) -> Reply {
        // SAFETY: the process has one thread.
        match unsafe { libc::fork() } {
            -1 => Reply { error: errno(), ..Reply::default() },
            0 => {
                self.socket = socket;
                self.own.warm();
                self.hello();
                self.serve()
            }
            pid => {
                self.own.warm();
                Reply { pid, ..Reply::default() }
            }
        }
    }

    /// A child that shares this process's memory; returns when it has left it.
    fn vfork(&self, socket: i32) -> Reply {
        if self.depth == DEPTH {
            return Reply { error: libc::EAGAIN, ..Reply::default() };
        }
        let birth = Birth { agent: self, socket };
        let top = (&raw mut STACKS).cast::<u8>().wrapping_add(STACK * (self.depth + 1));
        // SAFETY: nobody else uses this stack: processes that share memory have different depths.
        // `birth` lives on: this thread sleeps until the child has left the memory that they share.
        let pid = unsafe {
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            libc::clone(born, top.cast(), flags, (&raw const birth).cast_mut().cast())
        };
        match pid {
            -1 => Reply { error: errno(), ..Reply::default() },
            pid => Reply { pid, ..Reply::default() },
        }
    }

    /// Becomes a new agent in new memory, on the same socket.
    fn exec(&self) -> Reply {
        let mut digits = [0; 12];
        let text = decimal(self.socket, &mut digits);
        let arguments = [c"cowslip-kernel".as_ptr(), c"agent".as_ptr(), text, std::ptr::null()];
        let environment = [std::ptr::null()];
        // SAFETY: both lists end with a null pointer, and all strings with a zero byte.
        unsafe {
            libc::execve(c"/proc/self/exe".as_ptr(), arguments.as_ptr(), environment.as_ptr())
        };
        Reply { error: errno(), ..Reply::default() }
    }
}

extern "C" fn born(birth: *mut libc::c_void) -> i32 {
    // SAFETY: see `vfork`.
    let birth = unsafe { &*birth.cast::<Birth<'_>>() };
    let depth = birth.agent.depth + 1;
    let agent = Agent { socket: birth.socket, depth, ..*birth.agent };
    agent.hello();
    agent.serve()
}

fn leave() -> ! {
    // SAFETY: no preconditions; nothing of an agent needs a destructor.
    unsafe { libc::_exit(0) }
}

fn wait(pid: i32) -> Reply {
    // SAFETY: no status is asked for.
    let error = if unsafe { libc::waitpid(pid, null_mut(), 0) } == pid { 0 } else { errno() };
    Reply { error, ..Reply::default() }
}

fn errno() -> i32 {
    // SAFETY: the thread's errno is always there.
    unsafe { *libc::__errno_location() }
}

/// Minor and major faults of this process so far.
fn faults() -> (i64, i64) {
    // SAFETY: zero is a valid rusage, and the kernel fills in a live one.
    let usage = unsafe {
        let mut usage: libc::rusage = zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    (usage.ru_minflt, usage.ru_majflt)
}

/// What faults are counted of.
fn measured(request: &Request, reply: &mut Reply) {
    let Request { addr, len, other, value, .. } = *request;
    let (pointer, length) = (addr as *mut libc::c_void, len as usize);
    // SAFETY: all requests are of regions, which are no memory that Rust knows of; what the kernel
    // refuses is an error or a signal, which is caught.
    let result = unsafe {
        match request.what {
            What::Write | What::Read => {
                access_all(request, reply);
                0
            }
            What::Map => map(request),
            What::Unmap => libc::munmap(pointer, length),
            What::Lock => libc::mlock(pointer, length),
            What::Unlock => libc::munlock(pointer, length),
            What::Protect => libc::mprotect(pointer, length, value),
            What::Advise => libc::madvise(pointer, length, value),
            What::Remap => {
                let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
                let new = libc::mremap(pointer, length, length, flags, other as *mut libc::c_void);
                if new == libc::MAP_FAILED { -1 } else { 0 }
            }
            What::LimitAs => {
                let limit = libc::rlimit { rlim_cur: other, rlim_max: libc::RLIM_INFINITY };
                libc::setrlimit(libc::RLIMIT_AS, &raw const limit)
            }
            What::Fork | What::Vfork | What::Exec | What::Exit | What::Wait => unreachable!(),
        }
    };
    if result == -1 {
        reply.error = errno();
    }
}

/// # Safety
///
/// The range is part of a region, and signals are caught.
unsafe fn access_all(request: &Request, reply: &mut Reply) {
    let mut at = request.addr;
    while at < request.addr + request.len {
        // SAFETY: the caller's promise.
        let done = unsafe {
            if request.what == What::Write {
                access::store(at, request.value as u8)
            } else {
                access::load(at).map(|byte| {
                    reply.bad += u64::from(request.value >= 0 && i32::from(byte) != request.value);
                })
            }
        };
        if let Err(refused) = done {
            (reply.signal, reply.code) = (refused.signal, refused.code);
            return;
        }
        at += request.other;
    }
}

/// # Safety
///
/// The range is no memory that Rust knows of.
unsafe fn map(request: &Request) -> i32 {
    let mut file = -1;
    if request.path[0] != 0 {
        // SAFETY: a path ends with a zero byte.
        file = unsafe { libc::open(request.path.as_ptr().cast(), libc::O_RDWR | libc::O_CLOEXEC) };
        if file < 0 {
            return -1;
        }
    }
    let (pointer, length) = (request.addr as *mut libc::c_void, request.len as usize);
    // SAFETY: the caller's promise.
    unsafe {
        let offset = request.other as i64;
        let at = libc::mmap(pointer, length, request.value, request.flags, file, offset);
        let error = errno();
        if file >= 0 {
            libc::close(file);
        }
        *libc::__errno_location() = error;
        match at {
            libc::MAP_FAILED => -1,
            _ if request.huge != 0 => libc::madvise(pointer, length, libc::MADV_HUGEPAGE),
            _ => 0,
        }
    }
}

/// A number as a C string.
fn decimal(number: i32, digits: &mut [u8; 12]) -> *const libc::c_char {
    let (mut number, mut at) = (number, 11);
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return digits[at..].as_ptr().cast();
        }
    }
}
