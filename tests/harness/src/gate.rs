//! A storage whose writes and syncs can be held, so that a test decides what happens in the
//! middle of one.

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
};

use cowslip::storage::Storage;

/// Stops the calls that pass through it, when told to.
#[derive(Debug, Default)]
pub struct Valve {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// So many of the next calls will be stopped.
    to_hold: usize,
    /// Calls that are being held.
    held: usize,
    /// So many of them may go on.
    passes: usize,
}

impl Valve {
    /// The next `calls` calls will be held.
    pub fn hold(&self, calls: usize) {
        self.state.lock().unwrap().to_hold = calls;
    }

    /// Waits until a call is held.
    pub fn wait_until_held(&self) {
        let mut state = self.state.lock().unwrap();
        while state.held == state.passes {
            state = self.moved.wait(state).unwrap();
        }
    }

    /// One held call may go on.
    pub fn release_one(&self) {
        self.state.lock().unwrap().passes += 1;
        self.moved.notify_all();
    }

    /// Every held call may go on, and no other is stopped.
    pub fn open(&self) {
        let mut state = self.state.lock().unwrap();
        (state.to_hold, state.passes) = (0, state.held);
        drop(state);
        self.moved.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        if state.to_hold == 0 {
            return;
        }
        state.to_hold -= 1;
        state.held += 1;
        self.moved.notify_all();
        while state.passes == 0 {
            state = self.moved.wait(state).unwrap();
        }
        state.passes -= 1;
        state.held -= 1;
    }
}

/// A storage over another one, with a valve before each kind of call that changes the disk.
#[derive(Debug)]
pub struct Gate {
    inner: Arc<dyn Storage>,
    writes: Valve,
    syncs: Valve,
    durable_writes: Valve,
}

impl Gate {
    /// Over `inner`, all valves open.
    pub fn new(inner: Arc<dyn Storage>) -> Arc<Gate> {
        Arc::new(Gate {
            inner,
            writes: Valve::default(),
            syncs: Valve::default(),
            durable_writes: Valve::default(),
        })
    }

    /// Holds `write_at` and `write_direct`.
    pub fn writes(&self) -> &Valve {
        &self.writes
    }

    /// Holds `sync`.
    pub fn syncs(&self) -> &Valve {
        &self.syncs
    }

    /// Holds `write_durable`.
    pub fn durable_writes(&self) -> &Valve {
        &self.durable_writes
    }
}

impl Storage for Gate {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.writes.pass();
        self.inner.write_at(buf, offset)
    }
    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.writes.pass();
        self.inner.write_direct(buf, offset)
    }
    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.durable_writes.pass();
        self.inner.write_durable(buf, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.syncs.pass();
        self.inner.sync()
    }
    fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }
}
