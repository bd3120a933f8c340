//! The adapters: one file for each store, nothing but translation in it.

#[cfg(feature = "canopydb")]
pub mod canopydb;
pub mod cowslip;
#[cfg(feature = "fjall")]
pub mod fjall;
#[cfg(feature = "lmdb")]
pub mod heed;
#[cfg(feature = "redb")]
pub mod redb;
#[cfg(feature = "sanakirja")]
pub mod sanakirja;
#[cfg(feature = "sqlite")]
pub mod sqlite;

/// Cache that each store with a cache of its own may use: the whole data set fits.
pub const CACHE_BYTES: usize = 1 << 30;
