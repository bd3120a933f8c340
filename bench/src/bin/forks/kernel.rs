//! The operating system's side: real memory, a real `fork`, a real child that writes.
//!
//! The child of a process may only make calls that are safe after `fork` (async-signal-safe): here
//! it writes to its memory, asks for its faults, writes a few bytes to a pipe, and ends.

use std::{
    io::Read,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    time::{Duration, Instant},
};

use crate::{Cost, Size, median};

const PAGE: usize = 4096;

/// A mapping, unmapped when dropped.
struct Memory {
    start: *mut u8,
    pages: u64,
    step: usize,
}

impl Memory {
    fn new(size: Size) -> Option<Memory> {
        let length = usize::try_from(size.pages).ok()?.checked_mul(PAGE)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh anonymous mapping where the system likes; no memory of ours is touched.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the range just mapped. The advice changes what faults cost, never contents: small
        // pages, as the model has them.
        unsafe { libc::madvise(start, length, libc::MADV_NOHUGEPAGE) };
        let step = usize::try_from(size.pages / size.touched).ok()? * PAGE;
        Some(Memory { start: start.cast(), pages: size.pages, step })
    }

    /// Writes a byte to each of the first `count` touched pages.
    fn write(&self, count: u64) {
        for page in 0..count as usize {
            // SAFETY: `count` is at most the number of touched pages, `step` bytes apart, so the
            // byte lies in the mapping, which nothing else in this process knows of.
            unsafe { self.start.add(page * self.step).write_volatile(1) };
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, whole; no reference into it exists.
        unsafe { libc::munmap(self.start.cast(), self.pages as usize * PAGE) };
    }
}

/// Forks, lets the child write, and waits for its end. None: the memory is not to be had.
pub(crate) fn measure(size: Size, written: u64, repetitions: usize) -> Option<Cost> {
    let memory = Memory::new(size)?;
    memory.write(size.touched);
    let mut cost = Cost::default();
    let mut forks = Vec::new();
    for _ in 0..repetitions {
        let (fork, writes, faults) = once(&memory, written)?;
        forks.push(fork);
        cost.writes = writes;
        cost.faults = faults;
    }
    cost.fork = median(forks);
    Some(cost)
}

fn once(memory: &Memory, written: u64) -> Option<(Duration, Duration, u64)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the descriptors were just made and belong to nobody else.
    let (from, to) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    let begin = Instant::now();
    // SAFETY: this program has one thread while the kernel is measured, and the child does only
    // what is safe after fork: see `child`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        child(memory, written, to.as_raw_fd());
    }
    let fork = begin.elapsed();
    drop(to);
    if pid < 0 {
        return None;
    }
    let mut report = [0; 16];
    let read = std::fs::File::from(from).read_exact(&mut report);
    // SAFETY: waits for the child just made; the status is not wanted.
    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
    read.ok()?;
    let word = |at: usize| report[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    Some((fork, Duration::from_nanos(word(0)?), word(8)?))
}

/// The child's life.
fn child(memory: &Memory, written: u64, to: i32) -> ! {
    let before = faults();
    let begin = Instant::now();
    memory.write(written);
    let time = begin.elapsed().as_nanos() as u64;
    let faults = faults().saturating_sub(before);
    let mut report = [0; 16];
    report[..8].copy_from_slice(&time.to_le_bytes());
    report[8..].copy_from_slice(&faults.to_le_bytes());
    // SAFETY: writes from a buffer of that length to a descriptor that the child has inherited, and
    // ends without running anything of the parent's (no destructors, no buffers).
    unsafe {
        libc::write(to, report.as_ptr().cast(), report.len());
        libc::_exit(0)
    }
}

fn faults() -> u64 {
    // SAFETY: all zeros is a valid `rusage`, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    usage.ru_minflt as u64
}
