//! The simulated disk as redb sees it.

use std::{io, sync::Arc};

use cowslip_pager::storage::{SimulatedStorage, Storage};
use redb::StorageBackend;

/// redb's calls, one to one, as calls of the simulated disk.
#[derive(Debug)]
pub struct Disk(pub Arc<SimulatedStorage>);

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(data, offset)
    }
}
