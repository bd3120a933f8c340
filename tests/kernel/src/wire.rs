//! What driver and agents say to each other: one fixed-size message each way over a socket that keeps
//! the borders of messages.
//!
//! Plain old data of fixed size, so that an agent needs no memory of its own to read or to answer.

use std::{
    io,
    mem::{MaybeUninit, size_of},
};

/// Longest path of a file, with its final zero byte.
pub(crate) const PATH: usize = 256;

/// What an agent is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum What {
    Map = 1,
    Write,
    Read,
    Fork,
    Vfork,
    Exec,
    Exit,
    Wait,
    Unmap,
    Lock,
    Unlock,
    Protect,
    Remap,
    Advise,
    LimitAs,
}

/// A request. What the numbers mean depends on `what`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Request {
    pub(crate) what: What,
    /// Protection, advice, the value to write, the value to expect (negative: none).
    pub(crate) value: i32,
    /// Flags of mmap; the child's socket; the child's process id.
    pub(crate) flags: i32,
    /// Whether madvise(MADV_HUGEPAGE) follows on mmap.
    pub(crate) huge: u32,
    pub(crate) addr: u64,
    pub(crate) len: u64,
    /// Bytes between two accesses; the offset in a file; the new address; the limit.
    pub(crate) other: u64,
    /// The file, empty for anonymous memory.
    pub(crate) path: [u8; PATH],
}

/// An answer.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Reply {
    /// 0 or an errno.
    pub(crate) error: i32,
    /// The signal that stopped an access and its `si_code`, or zeroes.
    pub(crate) signal: i32,
    pub(crate) code: i32,
    /// The process that answers; after a fork, the child.
    pub(crate) pid: i32,
    pub(crate) minor: i64,
    pub(crate) major: i64,
    /// Pages whose content was not the expected.
    pub(crate) bad: u64,
}

impl Request {
    /// A request without arguments.
    pub(crate) fn new(what: What) -> Self {
        Self { what, value: 0, flags: 0, huge: 0, addr: 0, len: 0, other: 0, path: [0; PATH] }
    }
}

/// Types whose bytes may be sent to a process that runs the same program.
///
/// # Safety
///
/// No padding that matters, no pointers; the sender wrote a valid value.
pub(crate) unsafe trait Message: Copy {}
// SAFETY: integers only; both sides are the same program, so `what` is one of its values.
unsafe impl Message for Request {}
// SAFETY: integers only.
unsafe impl Message for Reply {}

/// Sends a message whole.
pub(crate) fn send<T: Message>(socket: i32, message: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of a live value.
    let n = unsafe {
        libc::send(socket, (&raw const *message).cast(), size_of::<T>(), libc::MSG_NOSIGNAL)
    };
    if n == size_of::<T>() as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives a message whole; an error if the other side is gone or a signal came.
pub(crate) fn receive<T: Message>(socket: i32) -> io::Result<T> {
    let mut message = MaybeUninit::<T>::uninit();
    // SAFETY: the pointer and the length are those of a live value.
    let n = unsafe { libc::recv(socket, message.as_mut_ptr().cast(), size_of::<T>(), 0) };
    match n {
        // SAFETY: the sender's whole, valid value was copied in.
        n if n == size_of::<T>() as isize => Ok(unsafe { message.assume_init() }),
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        n if n < 0 => Err(io::Error::last_os_error()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
