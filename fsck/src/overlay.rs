//! A storage laid over another: writes stay in memory. Recovery can then be tried on a store that
//! must not be written.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use cowslip_pager::storage::{BLOCK, Storage};

/// What was written, in blocks.
#[derive(Debug)]
pub(crate) struct Overlay(Mutex<State>);

#[derive(Debug)]
struct State {
    length: u64,
    /// Bytes of the storage below that are still seen; behind them are zeros.
    below: u64,
    blocks: HashMap<u64, Box<[u8; BLOCK]>>,
}

impl Overlay {
    pub(crate) fn new(length: u64) -> Overlay {
        Overlay(Mutex::new(State { length, below: length, blocks: HashMap::new() }))
    }

    /// The blocks that were written, ascending, and what stands in them.
    pub(crate) fn blocks(&self) -> Vec<(u64, Box<[u8; BLOCK]>)> {
        let state = self.state();
        let mut blocks: Vec<_> =
            state.blocks.iter().map(|(&at, bytes)| (at, bytes.clone())).collect();
        blocks.sort_unstable_by_key(|block| block.0);
        blocks
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(
        &self,
        out: &mut [u8],
        offset: u64,
        below: impl Fn(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let state = self.state();
        let end = offset.checked_add(out.len() as u64).filter(|&end| end <= state.length);
        let Some(end) = end else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let seen = end.min(state.below).saturating_sub(offset) as usize;
        if seen > 0 {
            below(&mut out[..seen], offset)?;
        }
        out[seen..].fill(0);
        let mut at = offset;
        while at < end {
            let (block, within) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let length = (BLOCK - within).min((end - at) as usize);
            if let Some(bytes) = state.blocks.get(&block) {
                let to = (at - offset) as usize;
                out[to..to + length].copy_from_slice(&bytes[within..within + length]);
            }
            at += length as u64;
        }
        Ok(())
    }

    pub(crate) fn write(
        &self,
        bytes: &[u8],
        offset: u64,
        below: impl Fn(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        if end > self.state().length {
            self.state().length = end;
        }
        let mut at = offset;
        while at < end {
            let (block, within) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let length = (BLOCK - within).min((end - at) as usize);
            let mut whole = Box::new([0; BLOCK]);
            if length < BLOCK {
                let start = block * BLOCK as u64;
                let there = self.state().length.saturating_sub(start).min(BLOCK as u64) as usize;
                self.read(&mut whole[..there], start, &below)?;
            }
            let from = (at - offset) as usize;
            whole[within..within + length].copy_from_slice(&bytes[from..from + length]);
            self.state().blocks.insert(block, whole);
            at += length as u64;
        }
        Ok(())
    }

    pub(crate) fn set_len(&self, length: u64) {
        let mut state = self.state();
        if length < state.length {
            state.below = state.below.min(length);
            state.blocks.retain(|&block, _| block * (BLOCK as u64) < length);
            // Growing again must find zeros.
            if let Some(bytes) = state.blocks.get_mut(&(length / BLOCK as u64)) {
                bytes[(length % BLOCK as u64) as usize..].fill(0);
            }
        }
        state.length = length;
    }
}

/// A read of the storage below, asked of the thread that may use it.
pub(crate) struct Request {
    offset: u64,
    length: usize,
    answer: mpsc::SyncSender<io::Result<Vec<u8>>>,
}

impl Request {
    pub(crate) fn serve(self, storage: &dyn Storage) {
        let mut bytes = vec![0; self.length];
        let result = storage.read_at(&mut bytes, self.offset).map(|()| bytes);
        let _ = self.answer.send(result);
    }
}

/// The storage that the engine gets: its reads of the storage below go through a channel, because
/// the engine wants to own its storage and the checker has only borrowed one.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) requests: mpsc::Sender<Request>,
}

impl Remote {
    fn below(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let (answer, answered) = mpsc::sync_channel(1);
        let request = Request { offset, length: out.len(), answer };
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.requests.send(request).map_err(|_| gone())?;
        out.copy_from_slice(&answered.recv().map_err(|_| gone())??);
        Ok(())
    }
}

impl Storage for Remote {
    fn len(&self) -> io::Result<u64> {
        Ok(self.overlay.state().length)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.overlay.set_len(len);
        Ok(())
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.overlay.read(buf, offset, |out, at| self.below(out, at))
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.overlay.write(buf, offset, |out, at| self.below(out, at))
    }
    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(buf, offset)
    }
    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(buf, offset)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn is_read_only(&self) -> bool {
        false
    }
}

/// The same seen by the checker itself, for reading only.
#[derive(Debug)]
pub(crate) struct Laid<'a> {
    pub(crate) overlay: &'a Overlay,
    pub(crate) below: &'a dyn Storage,
}

impl Storage for Laid<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.overlay.state().length)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.overlay.read(buf, offset, |out, at| self.below.read_at(out, at))
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn write_direct(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn write_durable(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn is_read_only(&self) -> bool {
        true
    }
}
