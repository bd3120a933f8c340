//! Storage in a file, locked against every other writer.
//!
//! One file, up to five descriptors, so that each kind of transfer has the flags that suit it:
//!
//! ```text
//!   file            O_RDWR              reads, write_at, set_len, sync; carries the lock
//!   direct          O_DIRECT            write_direct
//!   direct_durable  O_DIRECT|O_DSYNC    write_durable, aligned memory
//!   durable         O_DSYNC             write_durable otherwise
//!   direct_reads    O_DIRECT            read_direct; opened by the first of them
//! ```
//!
//! The last four exist on Linux only and wherever the file system takes the flags; each is a
//! *lane* that may be absent or refuse a transfer (`EINVAL`), in which case the next best one carries
//! on where it stopped. The last resort is always the same and always right: a plain write, and
//! for a durable one `fdatasync` after it.
//!
//! Promises:
//!
//! * At most one writer, or any number of readers, have the file open: an advisory lock on the
//!   file itself (`flock`, `LockFileEx`), tied to the descriptor, so a second open in the same
//!   process is refused as well. The operating system drops it with the process, however it ends.
//! * All descriptors are the same file. The lanes are opened through `/proc/self/fd`, and compared
//!   by device and inode, so renaming or replacing the path misleads nobody.
//! * A failed `sync` or durable write is final: the kernel may have dropped the pages it failed to
//!   write, so a second attempt could succeed without having written them. From then on every
//!   call that changes the file fails.
//! * The first `sync` also makes the file's name durable, by syncing its directory.

use super::{BLOCK, Storage, check_durable, end_of, transfer};
use parking_lot::Mutex;
use std::{
    fmt,
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

#[cfg(unix)]
use std::os::unix::fs::FileExt;
#[cfg(windows)]
use std::os::windows::fs::FileExt;

/// Why a file could not be opened as storage.
#[derive(Debug)]
pub enum OpenError {
    /// Another open handle, in this process or another, holds a lock that excludes this one.
    Locked,
    /// The path leads to a directory, a pipe, a device: anything but a regular file.
    NotAFile,
    /// Anything else that the operating system reported.
    Io(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("the file is in use by another handle or process"),
            Self::NotAFile => f.write_str("not a regular file"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A [`Storage`] in a file; see the [module documentation](self).
pub struct FileStorage {
    path: PathBuf,
    file: File,
    direct: Lane,
    direct_durable: Lane,
    durable: Lane,
    direct_reads: OnceLock<Lane>,
    read_only: bool,
    /// The directory to sync with the first `sync`; taken once that has succeeded.
    directory: Mutex<Option<File>>,
    /// Held while the length is changed on purpose: growing is a read, a reservation and perhaps
    /// a retreat.
    resizing: Mutex<()>,
    /// The furthest byte known to belong to the file, to notice writes that extend it.
    extent: AtomicU64,
    /// Counts changes of the length ...
    length_changes: AtomicU64,
    /// ... and how many of them the last complete sync covered.
    length_synced: AtomicU64,
    /// A sync or a durable write has failed: see the module documentation.
    failed: AtomicBool,
    /// The process that took the lock.
    owner: u32,
}

impl Drop for FileStorage {
    /// Unlocks explicitly: a child that another thread is just spawning still has a copy of the
    /// descriptor, up to its `exec`, and closing ours would leave the file locked until then. In
    /// a child that goes on without `exec`, the lock is the parent's and not to be touched.
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = self.file.unlock();
        }
    }
}

impl FileStorage {
    /// Creates the file, which must not exist, and locks it for writing.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = std::path::absolute(path)?;
        // Before creating anything, so that failing here leaves nothing behind.
        let directory = open_directory(&path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Self::admit(path, file, false, directory)
    }

    /// Opens an existing file and locks it for writing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = std::path::absolute(path)?;
        let file = open_existing(&path, false)?;
        // Whoever created the file may have died before syncing its name. A directory that may
        // not be read is no reason to refuse the file in it, though.
        let directory = open_directory(&path).ok().flatten();
        Self::admit(path, file, false, directory)
    }

    /// Opens an existing file for reading, with a lock that excludes writers only.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = std::path::absolute(path)?;
        let file = open_existing(&path, true)?;
        Self::admit(path, file, true, None)
    }

    /// Opens an existing file for reading, without a lock: beside a writer, whose work is seen as it happens
    /// and halfway. For tools that know what to make of that.
    pub fn open_unlocked(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = std::path::absolute(path)?;
        let file = open_existing(&path, true)?;
        if !file.metadata()?.is_file() {
            return Err(OpenError::NotAFile);
        }
        Ok(Self {
            extent: AtomicU64::new(file.metadata()?.len()),
            path,
            file,
            direct: Lane::absent(),
            direct_durable: Lane::absent(),
            durable: Lane::absent(),
            direct_reads: OnceLock::new(),
            read_only: true,
            directory: Mutex::new(None),
            resizing: Mutex::new(()),
            length_changes: AtomicU64::new(1),
            length_synced: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            owner: std::process::id(),
        })
    }

    /// The absolute path that the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file's name durable, unless that has been done: [`Storage::sync`] does it too.
    pub fn sync_directory(&self) -> io::Result<()> {
        let mut directory = self.directory.lock();
        if let Some(open) = &*directory {
            open.sync_all()?;
            *directory = None;
        }
        Ok(())
    }

    /// Checks, locks and equips a file just opened.
    fn admit(
        path: PathBuf,
        file: File,
        read_only: bool,
        directory: Option<File>,
    ) -> Result<Self, OpenError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(OpenError::NotAFile);
        }
        match if read_only { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Between opening and locking, another process may have put a new file in this one's
        // place; the lock would then guard a file that nobody else will ever find.
        if !same_file(&fs::metadata(&path)?, &metadata) {
            return Err(io::Error::other("the file was replaced while it was being opened").into());
        }
        let lane = |direct, durable| match read_only {
            true => Lane::absent(),
            false => Lane::open(&file, &path, Purpose { direct, durable, reads: false }),
        };
        Ok(Self {
            direct: lane(true, false),
            direct_durable: lane(true, true),
            durable: lane(false, true),
            direct_reads: OnceLock::new(),
            // The length under the lock, not that of `metadata`, which is from before.
            extent: AtomicU64::new(file.metadata()?.len()),
            path,
            file,
            read_only,
            directory: Mutex::new(directory),
            resizing: Mutex::new(()),
            // A previous process may have changed the length and died before its sync.
            length_changes: AtomicU64::new(1),
            length_synced: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            owner: std::process::id(),
        })
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.read_only {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "opened read-only"))
        } else if self.failed.load(SeqCst) {
            Err(io::Error::other("an earlier sync or durable write of this file has failed"))
        } else {
            Ok(())
        }
    }

    /// Passes on a result, remembering a failure for good.
    fn final_if_failed(&self, result: io::Result<()>) -> io::Result<()> {
        result.inspect_err(|_| self.failed.store(true, SeqCst))
    }

    /// Reserves the bytes `from..to` and makes them part of the file.
    fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::{
                fs::{FallocateFlags, fallocate},
                io::{Errno, retry_on_intr},
            };
            match retry_on_intr(|| fallocate(&self.file, FallocateFlags::empty(), from, to - from))
            {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(error) => {
                    // Some file systems keep, and show, what they had reserved before giving up.
                    let _ = self.file.set_len(from);
                    return Err(error.into());
                }
            }
        }
        let _ = from;
        self.file.set_len(to)
    }

    /// Notes a write up to `end`, which may have made the file longer.
    fn note_extent(&self, end: u64) {
        if end > self.extent.load(SeqCst) {
            self.extent.fetch_max(end, SeqCst);
            self.length_changes.fetch_add(1, SeqCst);
        }
    }

    fn try_sync(&self) -> io::Result<()> {
        // Read before syncing: a change that comes later is left for the next sync, and one sync
        // overtaking another cannot mistake the other's intention for its completion.
        let changes = self.length_changes.load(SeqCst);
        if changes == self.length_synced.load(SeqCst) {
            self.file.sync_data()?;
        } else {
            self.file.sync_all()?;
            self.length_synced.fetch_max(changes, SeqCst);
        }
        self.sync_directory()
    }

    fn try_write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        if is_aligned(buf) {
            done = self.direct_durable.write(buf, offset)?;
        }
        done += self.durable.write(&buf[done..], offset + done as u64)?;
        if done < buf.len() {
            write_all(&self.file, &buf[done..], offset + done as u64)?;
            self.file.sync_data()?;
        }
        Ok(())
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorage")
            .field("path", &self.path)
            .field("read_only", &self.read_only)
            .field("direct", &self.direct.is_usable())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Storage for FileStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let _guard = self.resizing.lock();
        let old = self.len()?;
        let result = match len > old {
            true => self.grow(old, len).map_err(full_if_too_large),
            false => self.file.set_len(len),
        };
        // After the change, so that a sync which does not see the count need not see the change;
        // and even after a failure, which may have moved the end and back.
        self.extent.store(self.len()?, SeqCst);
        self.length_changes.fetch_add(1, SeqCst);
        result
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        transfer::read_all(|part, at| read_some(&self.file, part, at), buf, offset)
    }

    fn read_direct(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        if is_aligned(buf) && offset.is_multiple_of(BLOCK as u64) {
            let wanted = Purpose { direct: true, durable: false, reads: true };
            let lane = self.direct_reads.get_or_init(|| Lane::open(&self.file, &self.path, wanted));
            done = lane.read(buf, offset)?;
        }
        self.read_at(&mut buf[done..], offset + done as u64)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        let end = end_of(buf, offset)?;
        let result = write_all(&self.file, buf, offset);
        self.note_extent(end);
        result
    }

    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if !is_aligned(buf) || !offset.is_multiple_of(BLOCK as u64) {
            return self.write_at(buf, offset);
        }
        self.check_writable()?;
        let end = end_of(buf, offset)?;
        let result = self
            .direct
            .write(buf, offset)
            .and_then(|done| write_all(&self.file, &buf[done..], offset + done as u64));
        self.note_extent(end);
        result
    }

    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        check_durable(buf, offset, self.len()?)?;
        self.final_if_failed(self.try_write_durable(buf, offset))
    }

    fn sync(&self) -> io::Result<()> {
        if self.read_only {
            return Ok(());
        }
        self.check_writable()?;
        self.final_if_failed(self.try_sync())
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }
}

/// O_DSYNC, which rustix (1.1, its Linux backend) takes for O_SYNC. That one would have every
/// durable write commit the file's time stamps too, and so pay for the file system's journal.
///
/// O_SYNC is this bit and another on every common architecture; on those where the bit is not
/// part of it (MIPS, SPARC), the bit means something else, and O_SYNC does more but no harm.
#[cfg(target_os = "linux")]
const O_DSYNC: u32 = {
    let (sync, dsync) = (rustix::fs::OFlags::SYNC.bits(), 0o10000);
    if sync & dsync != 0 { dsync } else { sync }
};

/// What a lane is for.
#[derive(Clone, Copy)]
struct Purpose {
    direct: bool,
    durable: bool,
    /// Else it writes.
    reads: bool,
}

/// A further descriptor of the file, which may be missing or refuse what it is asked to write (or to
/// read).
struct Lane {
    file: Option<File>,
    /// Set when it has refused a write as a whole: it would refuse the next one, too.
    refused: AtomicBool,
}

impl Lane {
    fn absent() -> Self {
        Self { file: None, refused: AtomicBool::new(false) }
    }

    #[cfg(not(target_os = "linux"))]
    fn open(_: &File, _: &Path, _: Purpose) -> Self {
        // macOS has O_DSYNC, but it stops short of the drive's cache, unlike std's sync_data.
        Self::absent()
    }

    #[cfg(target_os = "linux")]
    fn open(file: &File, path: &Path, purpose: Purpose) -> Self {
        use rustix::fs::OFlags;
        use std::os::{fd::AsRawFd, unix::fs::OpenOptionsExt};

        let mut wanted = OFlags::NONBLOCK;
        wanted.set(OFlags::DIRECT, purpose.direct);
        if purpose.durable {
            wanted |= OFlags::from_bits_retain(O_DSYNC);
        }
        // The path itself only where /proc is missing.
        let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let reopened = [by_descriptor.as_path(), path].into_iter().find_map(|path| {
            let mut options = OpenOptions::new();
            options.read(purpose.reads).write(!purpose.reads).custom_flags(wanted.bits() as i32);
            let lane = options.open(path).ok()?;
            same_file(&lane.metadata().ok()?, &file.metadata().ok()?).then_some(lane)
        });
        Self { file: reopened, ..Self::absent() }
    }

    fn is_usable(&self) -> bool {
        self.file.is_some() && !self.refused.load(SeqCst)
    }

    /// Writes as much as the lane will take and says how much that was: all of it, or what came
    /// before a refusal. Real failures are errors.
    fn write(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let Some(file) = self.file.as_ref().filter(|_| self.is_usable()) else { return Ok(0) };
        self.write_by(|part, at| write_some(file, part, at), buf, offset)
    }

    /// Reads as much as the lane will give and says how much that was: all of it, or what came before
    /// a refusal or the end of the file.
    fn read(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let Some(file) = self.file.as_ref().filter(|_| self.is_usable()) else { return Ok(0) };
        let mut done = 0;
        while done < buf.len() {
            match read_some(file, &mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.refused.fetch_or(done == 0, SeqCst);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// [`Lane::write`] with what makes one transfer.
    fn write_by(
        &self,
        write: impl FnMut(&[u8], u64) -> io::Result<usize>,
        buf: &[u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut done = 0;
        match transfer::write_all(write, buf, offset, &mut done) {
            // A refusal half-way is only about the odd rest that a short write left behind.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.refused.fetch_or(done == 0, SeqCst);
                Ok(done)
            }
            result => result.map(|()| done),
        }
    }
}

/// A file that may not grow, by a limit of its process or of its file system, has met a full disk.
fn full_if_too_large(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => io::Error::new(io::ErrorKind::StorageFull, error),
        _ => error,
    }
}

/// Whether O_DIRECT can take this memory and length.
fn is_aligned(buf: &[u8]) -> bool {
    buf.as_ptr().addr().is_multiple_of(BLOCK) && buf.len().is_multiple_of(BLOCK)
}

/// Writes all of `buf` through the operating system's cache.
fn write_all(file: &File, buf: &[u8], offset: u64) -> io::Result<()> {
    transfer::write_all(|part, at| write_some(file, part, at), buf, offset, &mut 0)
}

#[cfg(unix)]
fn write_some(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(buf, offset)
}

#[cfg(unix)]
fn read_some(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buf, offset)
}

// On Windows these move the file's cursor as well, which nothing here ever uses.
#[cfg(windows)]
fn write_some(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(buf, offset)
}

#[cfg(windows)]
fn read_some(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buf, offset)
}

/// Opens what must be a regular file, without waiting for anybody if it is a pipe after all.
fn open_existing(path: &Path, read_only: bool) -> Result<File, OpenError> {
    // Opening a pipe or a device can have effects of its own, so look first. O_NONBLOCK is for
    // the one that is put there meanwhile; `admit` looks once more at what was really opened.
    if !fs::metadata(path)?.is_file() {
        return Err(OpenError::NotAFile);
    }
    let mut options = OpenOptions::new();
    options.read(true).write(!read_only);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits() as i32,
    );
    Ok(options.open(path)?)
}

/// The directory that holds `path`, where directories can be opened and synced at all.
fn open_directory(path: &Path) -> io::Result<Option<File>> {
    if cfg!(unix) { path.parent().map(File::open).transpose() } else { Ok(None) }
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

// Elsewhere a file that is open cannot be replaced under its name.
#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes on `blocks` blocks, `skew` bytes past an aligned address.
    fn with_aligned<R>(fill: u8, blocks: usize, skew: usize, use_it: impl FnOnce(&[u8]) -> R) -> R {
        let memory = vec![fill; (blocks + 2) * BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK) + skew;
        use_it(&memory[start..start + blocks * BLOCK])
    }

    fn read(storage: &FileStorage, offset: u64, len: usize) -> Vec<u8> {
        let mut buf = vec![0; len];
        storage.read_at(&mut buf, offset).unwrap();
        buf
    }

    #[test]
    fn every_kind_of_write_is_read_back_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let storage = FileStorage::create(&path).unwrap();
        assert!(storage.is_empty().unwrap());
        storage.set_len(16 * BLOCK as u64).unwrap();
        let block = BLOCK as u64;
        for skew in [0, 8] {
            let base = skew as u64 * block;
            with_aligned(1, 2, skew, |b| storage.write_at(b, base)).unwrap();
            with_aligned(2, 2, skew, |b| storage.write_direct(b, base + 2 * block)).unwrap();
            with_aligned(3, 2, skew, |b| storage.write_durable(b, base + 4 * block)).unwrap();
            // Over what the cache holds.
            with_aligned(4, 1, skew, |b| storage.write_direct(b, base)).unwrap();
            with_aligned(5, 1, skew, |b| storage.write_durable(b, base + block)).unwrap();
        }
        storage.write_direct(&[9; 3], 6 * block + 1).unwrap();
        storage.sync().unwrap();
        storage.sync().unwrap();
        drop(storage);
        let storage = FileStorage::open_read_only(&path).unwrap();
        assert_eq!(storage.len().unwrap(), 16 * block);
        for base in [0, 8] {
            for (i, fill) in [4, 5, 2, 2, 3, 3].into_iter().enumerate() {
                let got = read(&storage, (base + i as u64) * block, BLOCK);
                assert!(got.iter().all(|&b| b == fill), "block {base}+{i}");
            }
        }
        assert_eq!(read(&storage, 6 * block, 5), [0, 9, 9, 9, 0]);
    }

    #[test]
    fn a_direct_read_sees_every_kind_of_write() {
        let dir = tempfile::tempdir().unwrap();
        let storage = FileStorage::create(dir.path().join("db")).unwrap();
        storage.set_len(4 * BLOCK as u64).unwrap();
        with_aligned(1, 1, 0, |b| storage.write_at(b, 0)).unwrap();
        with_aligned(2, 1, 0, |b| storage.write_direct(b, BLOCK as u64)).unwrap();
        with_aligned(3, 1, 0, |b| storage.write_durable(b, 2 * BLOCK as u64)).unwrap();
        for skew in [0, 8] {
            let mut memory = vec![9; 6 * BLOCK];
            let start = memory.as_ptr().align_offset(BLOCK) + skew;
            let read = &mut memory[start..start + 4 * BLOCK];
            storage.read_direct(read, 0).unwrap();
            let found: Vec<u8> = read.chunks(BLOCK).map(|block| block[0]).collect();
            assert_eq!(found, [1, 2, 3, 0]);
            let error = storage.read_direct(read, BLOCK as u64).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn the_fallbacks_write_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for lost in 1..=3 {
            let mut storage = FileStorage::create(dir.path().join(format!("db{lost}"))).unwrap();
            storage.direct = Lane::absent();
            if lost > 1 {
                storage.direct_durable = Lane::absent();
            }
            if lost > 2 {
                storage.durable = Lane::absent();
            }
            storage.set_len(4 * BLOCK as u64).unwrap();
            with_aligned(1, 2, 0, |b| storage.write_direct(b, 0)).unwrap();
            with_aligned(2, 2, 0, |b| storage.write_durable(b, 2 * BLOCK as u64)).unwrap();
            assert!(read(&storage, 0, 2 * BLOCK).iter().all(|&b| b == 1));
            assert!(read(&storage, 2 * BLOCK as u64, 2 * BLOCK).iter().all(|&b| b == 2));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lane_that_refuses_is_not_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let storage = FileStorage::create(dir.path().join("db")).unwrap();
        if !storage.direct.is_usable() {
            return;
        }
        // An odd offset is what O_DIRECT refuses everywhere that it means something.
        let taken = with_aligned(1, 1, 0, |b| storage.direct.write(b, 1)).unwrap();
        assert_eq!(taken == 0, !storage.direct.is_usable());
        with_aligned(2, 1, 0, |b| storage.write_direct(b, 0)).unwrap();
        assert_eq!(read(&storage, 0, BLOCK), [2; BLOCK]);
    }

    /// A direct write that stops inside a block leaves a rest that no direct write can take.
    #[test]
    fn an_odd_rest_of_a_short_write_is_left_to_the_next_lane() {
        let lane = Lane::absent();
        let only_blocks = |most: usize| {
            move |part: &[u8], at: u64| match at.is_multiple_of(BLOCK as u64) {
                true => Ok(part.len().min(most)),
                false => Err(io::ErrorKind::InvalidInput.into()),
            }
        };
        let block = BLOCK as u64;
        for (most, taken) in [(100, 100), (BLOCK, 3 * BLOCK), (BLOCK + 1, BLOCK + 1)] {
            assert_eq!(lane.write_by(only_blocks(most), &[1; 3 * BLOCK], block).unwrap(), taken);
            assert!(!lane.refused.load(SeqCst));
        }
        // Nor is an error a refusal.
        let broken = |_: &[u8], _: u64| Err(io::Error::other("EIO"));
        lane.write_by(broken, &[1; BLOCK], block).unwrap_err();
        assert!(!lane.refused.load(SeqCst));
        assert_eq!(lane.write_by(only_blocks(BLOCK), &[1; BLOCK], 1).unwrap(), 0);
        assert!(lane.refused.load(SeqCst));
    }

    #[test]
    fn one_writer_or_many_readers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let writer = FileStorage::create(&path).unwrap();
        assert!(matches!(FileStorage::open(&path), Err(OpenError::Locked)));
        assert!(matches!(FileStorage::open_read_only(&path), Err(OpenError::Locked)));
        assert!(matches!(FileStorage::create(&path),
            Err(OpenError::Io(e)) if e.kind() == io::ErrorKind::AlreadyExists));
        drop(writer);
        let readers = [(); 2].map(|()| FileStorage::open_read_only(&path).unwrap());
        assert!(matches!(FileStorage::open(&path), Err(OpenError::Locked)));
        drop(readers);
        FileStorage::open(&path).unwrap();
    }

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(FileStorage::open(dir.path()), Err(OpenError::NotAFile)));
        let missing = FileStorage::open(dir.path().join("none"));
        assert!(matches!(missing, Err(OpenError::Io(e)) if e.kind() == io::ErrorKind::NotFound));
        #[cfg(unix)]
        {
            let pipe = dir.path().join("pipe");
            if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|s| s.success()) {
                assert!(matches!(FileStorage::open(&pipe), Err(OpenError::NotAFile)));
                assert!(matches!(FileStorage::open_read_only(&pipe), Err(OpenError::NotAFile)));
            }
            assert!(matches!(FileStorage::open("/dev/null"), Err(OpenError::NotAFile)));
        }
    }

    #[test]
    fn read_only_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        drop(FileStorage::create(&path).unwrap());
        let storage = FileStorage::open_read_only(&path).unwrap();
        assert!(storage.is_read_only());
        for result in [
            storage.set_len(1),
            storage.write_at(&[1], 0),
            storage.write_direct(&[1], 0),
            storage.write_durable(&[], 0),
        ] {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
        storage.sync().unwrap();
    }

    #[test]
    fn length_is_exact_and_reads_stop_there() {
        let dir = tempfile::tempdir().unwrap();
        let storage = FileStorage::create(dir.path().join("db")).unwrap();
        for len in [10_000, 3, 0, 5000] {
            storage.set_len(len).unwrap();
            assert_eq!(storage.len().unwrap(), len);
        }
        assert_eq!(read(&storage, 0, 5000), vec![0; 5000]);
        let error = storage.read_at(&mut [0; 2], 4999).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        storage.read_at(&mut [], 9999).unwrap();
        storage.write_at(&[], 9999).unwrap();
        storage.write_direct(&[], 0).unwrap();
        storage.write_durable(&[], 0).unwrap();
        assert_eq!(storage.len().unwrap(), 5000);
        let error = storage.write_durable(&[0; BLOCK], BLOCK as u64).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // A caller's mistake is not a failure of the file.
        storage.sync().unwrap();
    }

    #[test]
    fn a_failed_reservation_leaves_the_length_alone() {
        let dir = tempfile::tempdir().unwrap();
        let storage = FileStorage::create(dir.path().join("db")).unwrap();
        storage.set_len(4096).unwrap();
        if storage.set_len(1 << 60).is_err() {
            assert_eq!(storage.len().unwrap(), 4096);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reservations_are_real() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let storage = FileStorage::create(dir.path().join("db")).unwrap();
        storage.set_len(1 << 20).unwrap();
        let blocks = storage.file.metadata().unwrap().blocks();
        assert!(blocks == 0 || blocks * 512 >= 1 << 20);
    }

    #[cfg(unix)]
    #[test]
    fn a_rename_misleads_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("db"), dir.path().join("moved"));
        let storage = FileStorage::create(&path).unwrap();
        storage.set_len(BLOCK as u64).unwrap();
        fs::rename(&path, &moved).unwrap();
        fs::write(&path, "stranger").unwrap();
        with_aligned(7, 1, 0, |b| storage.write_durable(b, 0)).unwrap();
        storage.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"stranger");
        assert_eq!(fs::read(&moved).unwrap(), [7; BLOCK]);
        assert!(matches!(FileStorage::open(&moved), Err(OpenError::Locked)));
    }

    #[test]
    fn a_failed_sync_is_final() {
        let dir = tempfile::tempdir().unwrap();
        let storage = FileStorage::create(dir.path().join("db")).unwrap();
        storage.write_at(&[1], 0).unwrap();
        storage.final_if_failed(Err(io::Error::other("EIO"))).unwrap_err();
        storage.sync().unwrap_err();
        storage.write_at(&[1], 0).unwrap_err();
        assert_eq!(read(&storage, 0, 1), [1]);
    }
}
