//! The disk by itself: what one durable 4 KiB write costs with no store above it.
//!
//! Nothing that acknowledges after one write can be faster, so these are the yardsticks of the durable
//! puts. The space is written beforehand and used again and again, as a log ring would: neither
//! blocks to allocate nor a file length to update.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::rows;
use crate::stages::Measured;
use crate::statistics::percentile;

const BLOCK_BYTES: usize = 4096;
const BLOCKS: u64 = 256;

/// All figures of the disk under `directory`, of `times` writes each.
pub fn measure(directory: &Path, times: u64) -> Result<Measured> {
    let mut measured = Measured::new();
    let mut sync = overwrite_and_sync(directory, times)?;
    measured.insert(rows::SYNC_P50.into(), percentile(&mut sync, 0.50));
    measured.insert(rows::SYNC_P99.into(), percentile(&mut sync, 0.99));
    if let Some(mut direct) = overwrite_direct(directory, times)? {
        measured.insert(rows::DIRECT_P50.into(), percentile(&mut direct, 0.50));
        measured.insert(rows::DIRECT_P99.into(), percentile(&mut direct, 0.99));
    }
    Ok(measured)
}

/// Overwrites 4 KiB and calls fdatasync, `times` times; each in microseconds.
fn overwrite_and_sync(directory: &Path, times: u64) -> Result<Vec<f64>> {
    let path = written_file(directory)?;
    let file = OpenOptions::new().write(true).open(&path)?;
    overwrite(&file, times, |file| file.sync_data()).context("overwriting 4 KiB with fdatasync")
}

/// Overwrites 4 KiB through a descriptor with O_DIRECT and O_DSYNC, `times` times; each in
/// microseconds. `None` where the system or the file system has no such thing.
fn overwrite_direct(directory: &Path, times: u64) -> Result<Option<Vec<f64>>> {
    let path = written_file(directory)?;
    match open_direct(&path) {
        Ok(file) => {
            let took = overwrite(&file, times, |_| Ok(()));
            took.context("overwriting 4 KiB directly").map(Some)
        }
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).context("opening for direct writing"),
    }
}

/// A file of [`BLOCKS`] blocks, all written and durable.
fn written_file(directory: &Path) -> Result<PathBuf> {
    let path = directory.join("bare");
    let mut file = File::create(&path).context(path.display().to_string())?;
    file.write_all(&vec![0; BLOCK_BYTES * BLOCKS as usize])?;
    file.sync_all()?;
    Ok(path)
}

fn overwrite(
    mut file: &File,
    times: u64,
    sync: impl Fn(&File) -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    // Direct writes want their memory aligned to the block: take what is aligned of a larger piece.
    let mut memory = vec![0u8; 2 * BLOCK_BYTES];
    let start = memory.as_ptr().align_offset(BLOCK_BYTES);
    let block = &mut memory[start..start + BLOCK_BYTES];
    let mut took = Vec::new();
    for time in 0..times {
        block.fill(time as u8);
        file.seek(SeekFrom::Start(time % BLOCKS * BLOCK_BYTES as u64))?;
        let start = Instant::now();
        file.write_all(block)?;
        sync(file)?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let flags = OFlags::DIRECT | OFlags::DSYNC;
    OpenOptions::new().write(true).custom_flags(flags.bits() as i32).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_write() -> Result<()> {
        let directory = tempfile::tempdir()?;
        assert_eq!(overwrite_and_sync(directory.path(), 3)?.len(), 3);
        if let Some(took) = overwrite_direct(directory.path(), 3)? {
            assert_eq!(took.len(), 3);
        }
        Ok(())
    }
}
