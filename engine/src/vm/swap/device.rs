//! Where the pages in swap are: raw pages of a pager of their own, in a transaction that never ends.
//!
//! What is swapped need not outlive the machine, so it is never committed: pages go straight to the
//! storage, come back verified by their checksums, and a page that is given back is used again. When
//! the machine goes, the transaction is aborted, and all of it with it.

use std::sync::Arc;

use cowslip_pager::{
    Child, Config, Corruption, Kinds, PageId, Pager, Raw, Transaction, page::u64_at,
    storage::Storage,
};

use crate::vm::frames::{PAGE, WORDS};

/// The pager has no nodes here.
struct NoNodes;

impl Kinds for NoNodes {
    fn validate(&self, page: &[u8]) -> Result<(), Corruption> {
        let kind = cowslip_pager::page::Header::read(page).pointer;
        let found = kind.kind.into();
        Err(Corruption { page: kind.page.0, what: "kind of a node in swap", expected: 0, found })
    }

    fn children(
        &self,
        _: &[u8],
        _: &mut dyn FnMut(Child) -> cowslip_pager::Result<()>,
    ) -> cowslip_pager::Result<()> {
        Ok(())
    }
}

/// A swap device.
pub(super) struct Device {
    // Before the pager, which closes when it goes.
    transaction: Transaction,
    _pager: Pager,
}

impl Device {
    /// Takes an empty storage for swap.
    pub(super) fn on(storage: Arc<dyn Storage>) -> cowslip_pager::Result<Device> {
        let config =
            Config { cache_size: 1 << 20, page_size: PAGE, background: false, ..Config::default() };
        let pager = Pager::create(storage, config, Arc::new(NoNodes))?;
        Ok(Device { transaction: pager.begin_write()?, _pager: pager })
    }

    pub(super) fn write(&mut self, contents: &[u64]) -> cowslip_pager::Result<PageId> {
        let bytes: Vec<u8> = contents.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.transaction.write_raw(&bytes)
    }

    pub(super) fn read(&mut self, page: PageId) -> cowslip_pager::Result<Vec<u64>> {
        let mut bytes = vec![0; PAGE];
        self.transaction.read_raw(page, &mut bytes)?;
        Ok((0..WORDS).map(|at| u64_at(&bytes, 8 * at)).collect())
    }

    pub(super) fn give_back(&mut self, page: PageId) {
        // It fails where writing what was gathered fails; then the page stays taken.
        if let Err(error) = self.transaction.release_raw(Raw { page, height: 0 }) {
            tracing::warn!(%error, "a page of swap could not be given back");
        }
    }
}
