//! The verbs, one small file for each group.

pub(crate) mod bookmark;
pub(crate) mod branch;
pub(crate) mod compact;
pub(crate) mod create;
pub(crate) mod diff;
pub(crate) mod dump;
pub(crate) mod entry;
pub(crate) mod fsck;
pub(crate) mod load;
pub(crate) mod receive;
pub(crate) mod rollback;
pub(crate) mod scan;
pub(crate) mod scrub;
pub(crate) mod send;
pub(crate) mod shell;
pub(crate) mod snapshot;
pub(crate) mod stats;
pub(crate) mod tables;
pub(crate) mod torture;
pub(crate) mod vm;
