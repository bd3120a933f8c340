//! For tests: storage in memory that writes down every call that changes it, and how it was made. Its
//! durable writes can be made to stand still, and then to panic.

use std::{
    io,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use super::{MemoryStorage, Storage};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Write(Range<u64>),
    Direct(Range<u64>),
    Durable(Range<u64>),
    SetLen(u64),
    Sync,
}

impl Call {
    /// What it writes, if it is a write of any kind.
    pub(crate) fn range(&self) -> Option<Range<u64>> {
        match self {
            Call::Write(range) | Call::Direct(range) | Call::Durable(range) => Some(range.clone()),
            Call::SetLen(_) | Call::Sync => None,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    memory: MemoryStorage,
    calls: Mutex<Vec<Call>>,
    /// Durable writes stand still as long as this is set.
    stalled: AtomicBool,
    /// One stands still now, or has stood.
    reached: AtomicBool,
    /// When it is let go it panics.
    panics: AtomicBool,
}

impl Recorder {
    /// The calls since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock())
    }

    /// The next durable write will stand still.
    pub(crate) fn stall(&self, then_panic: bool) {
        self.panics.store(then_panic, Ordering::SeqCst);
        self.stalled.store(true, Ordering::SeqCst);
    }

    /// Waits until one does.
    pub(crate) fn wait_for_stall(&self) {
        until(|| self.reached.load(Ordering::SeqCst));
    }

    /// Lets it go.
    pub(crate) fn go(&self) {
        self.stalled.store(false, Ordering::SeqCst);
    }

    fn record(&self, call: Call) {
        self.calls.lock().push(call);
    }
}

/// Waits for another thread.
pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

fn range(buf: &[u8], offset: u64) -> Range<u64> {
    offset..offset + buf.len() as u64
}

impl Storage for Recorder {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.record(Call::SetLen(len));
        self.memory.set_len(len)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.memory.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.record(Call::Write(range(buf, offset)));
        self.memory.write_at(buf, offset)
    }
    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.record(Call::Direct(range(buf, offset)));
        self.memory.write_direct(buf, offset)
    }
    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if self.stalled.load(Ordering::SeqCst) {
            self.reached.store(true, Ordering::SeqCst);
            until(|| !self.stalled.load(Ordering::SeqCst));
            if self.panics.load(Ordering::SeqCst) {
                std::panic::resume_unwind(Box::new("injected"));
            }
        }
        self.record(Call::Durable(range(buf, offset)));
        self.memory.write_durable(buf, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.record(Call::Sync);
        self.memory.sync()
    }
    fn is_read_only(&self) -> bool {
        false
    }
}
