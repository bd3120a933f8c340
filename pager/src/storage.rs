//! Where the bytes live: one flat, resizable array of bytes behind the [`Storage`] trait.
//!
//! The pager speaks to nothing below this line, so whatever it may rely on is written here and
//! nowhere else. There are three implementations:
//!
//! * [`FileStorage`] — a locked file, with descriptors of its own for direct and durable writes;
//! * [`MemoryStorage`] — chunks of memory, for databases that need not outlive the process;
//! * [`SimulatedStorage`] — a deterministic disk that remembers every call and can show each
//!   image that a power cut could have left behind.
//!
//! # What becomes durable, and when
//!
//! ```text
//!                      seen by read_at    survives a power cut
//!   write_at           at once            after the next sync
//!   write_direct       at once            after the next sync
//!   set_len            at once            after the next sync
//!   write_durable      at once            on return: its own range, and nothing else
//! ```
//!
//! Until a `sync` that started after a write's completion has returned, that write may survive
//! whole, in part or not at all, and in any order relative to its neighbours. Nothing is assumed
//! about the atomicity of a write larger than one 512-byte sector.
//!
//! # What fails, and how
//!
//! Interrupted calls and short transfers are continued inside; every other error is reported to
//! the caller and never retried, because after a failed write-back the operating system may have
//! forgotten the very pages it failed to write, and a second attempt would succeed vacuously.

use std::{fmt::Debug, io};

pub mod file;
pub mod memory;
pub mod overlay;
#[cfg(test)]
pub(crate) mod recorder;
pub mod simulated;
mod transfer;

pub use file::{FileStorage, OpenError};
pub use memory::MemoryStorage;
pub use overlay::OverlayStorage;
pub use simulated::SimulatedStorage;

/// The unit of alignment: direct and durable writes move whole blocks of this many bytes.
pub const BLOCK: usize = 4096;

/// A flat, resizable array of bytes; see the [module documentation](self) for its promises.
///
/// All calls take `&self` and may run concurrently. Concurrent calls on overlapping ranges are
/// memory-safe but leave it open which of them is seen.
pub trait Storage: Send + Sync + Debug {
    /// The current length in bytes, as the last `set_len` (or a write past the end) left it.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing in it: a file just created.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Makes the storage exactly `len` bytes long; what is added reads as zeros.
    ///
    /// When growing, the space is really reserved where the platform can do so, so that a full
    /// disk is discovered here ([`io::ErrorKind::StorageFull`]) and not in the middle of a
    /// checkpoint. A call that fails leaves the length as it was.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Fills `buf` from `offset`; [`io::ErrorKind::UnexpectedEof`] if there are not enough bytes.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Like [`read_at`](Self::read_at), but reads what the device has, not what the operating
    /// system's cache has of it, where the platform can and the memory, the offset and the length
    /// are all aligned to [`BLOCK`].
    fn read_direct(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(buf, offset)
    }

    /// Writes `buf` at `offset`, possibly only into a cache: not durable before [`sync`].
    ///
    /// Writing past the end extends the storage, without the reservation that
    /// [`set_len`](Self::set_len) makes.
    ///
    /// [`sync`]: Self::sync
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Like [`write_at`](Self::write_at), but bypasses the operating system's cache where the
    /// platform can and the memory, the offset and the length are all aligned to [`BLOCK`].
    /// Not durable before [`sync`](Self::sync) either.
    fn write_direct(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// One durable write: when it returns, exactly this range is durable, and nothing is promised
    /// about any other. While it runs, a power cut may tear it.
    ///
    /// `offset` and `buf.len()` are multiples of [`BLOCK`] and the range lies inside the current
    /// length; anything else is [`io::ErrorKind::InvalidInput`].
    fn write_durable(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything durable that was completed before the call, the length included.
    fn sync(&self) -> io::Result<()>;

    /// Whether every call that changes something fails with [`io::ErrorKind::PermissionDenied`].
    fn is_read_only(&self) -> bool;
}

/// The end of a write, or an error if no file could be that long.
fn end_of(buf: &[u8], offset: u64) -> io::Result<u64> {
    // Signed, as file offsets are everywhere underneath.
    offset
        .checked_add(buf.len() as u64)
        .filter(|&end| i64::try_from(end).is_ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "range past any possible end"))
}

/// Checks the contract of [`Storage::write_durable`], the same for every implementation.
fn check_durable(buf: &[u8], offset: u64, len: u64) -> io::Result<()> {
    let problem = if !offset.is_multiple_of(BLOCK as u64) || !buf.len().is_multiple_of(BLOCK) {
        "a durable write must cover whole blocks"
    } else if end_of(buf, offset)? > len {
        "a durable write must lie inside the current length"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}
