//! The adapters: one file for each store, nothing but translation in it.

pub mod cowslip;
#[cfg(feature = "lmdb")]
pub mod heed;
#[cfg(feature = "redb")]
pub mod redb;

/// Cache that each store with a cache of its own may use: the whole data set fits.
pub const CACHE_BYTES: usize = 1 << 30;
