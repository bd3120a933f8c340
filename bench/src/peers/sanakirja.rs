//! sanakirja: a copy-on-write B-tree in Rust over a memory map, made for the Pijul version control.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ::sanakirja::btree::{self, UDb};
use ::sanakirja::{Commit, Env, MutTxn, RootDb, Txn};
use anyhow::{Context, Result};

use crate::peer::{Peer, Reader, Setup, Writer};

type Tree = UDb<[u8], [u8]>;

/// Length of a new file. It doubles as it fills, as in the crate's own example.
const FIRST_BYTES: u64 = 1 << 20;

/// Versions of the file: the last committed one and the one that is written.
const VERSIONS: usize = 2;

/// Where the tree's root stands in the root page.
const ROOT: usize = 0;

/// A sanakirja environment with one tree.
pub struct Sanakirja {
    env: Env,
    /// The crate's own lock does not keep writers apart: a commit gives it up twice, the second time
    /// that of the next writer.
    writer: Mutex<()>,
}

/// A read transaction.
pub struct SanakirjaReader<'tx> {
    transaction: Txn<&'tx Env>,
    tree: Tree,
}

/// The write transaction.
pub struct SanakirjaWriter<'tx> {
    transaction: MutTxn<&'tx Env, ()>,
    tree: Tree,
}

impl Peer for Sanakirja {
    type Reader<'tx> = SanakirjaReader<'tx>;
    type Writer<'tx> = SanakirjaWriter<'tx>;

    const VALUE_BYTES_MAX: usize = 510;

    // The second commit after a reader began would wait for it. And a commit gives up its lock twice
    // (1.4.3: in `commit`, then in `drop`), the second time perhaps that of a new reader.
    const WRITES_BESIDE_READERS: bool = false;

    fn configuration() -> String {
        format!(
            "the defaults: each commit syncs the map, then the root pages, without checksums; {VERSIONS} \
             versions, so a writer waits for readers of the last but one; `btree::UDb<[u8], [u8]>`"
        )
    }

    fn open_as(directory: &Path, _setup: Setup) -> Result<Self> {
        let env = Env::new(directory.join("store.sanakirja"), FIRST_BYTES, VERSIONS)?;
        Ok(Self { env, writer: Mutex::default() })
    }

    fn read<T>(&self, work: impl FnOnce(&SanakirjaReader<'_>) -> Result<T>) -> Result<T> {
        let transaction = Env::txn_begin(&self.env)?;
        let tree = transaction.root_db(ROOT).context("no tree")?;
        work(&SanakirjaReader { transaction, tree })
    }

    fn write<T>(&self, work: impl FnOnce(&mut SanakirjaWriter<'_>) -> Result<T>) -> Result<T> {
        let _alone = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = Env::mut_txn_begin(&self.env)?;
        let tree = match transaction.root_db(ROOT) {
            Some(tree) => tree,
            None => new_tree(&mut transaction)?,
        };
        let mut writer = SanakirjaWriter { transaction, tree };
        let done = work(&mut writer)?;
        writer.transaction.set_root(ROOT, writer.tree.db.into());
        writer.transaction.commit()?;
        Ok(done)
    }

    fn close(self) -> Result<()> {
        // Every commit was synced, and dropping the map closes the file.
        Ok(())
    }
}

fn new_tree(transaction: &mut MutTxn<&Env, ()>) -> Result<Tree> {
    // SAFETY: the type of the pages is that of unsized keys and values, whose `Storable` is the crate's.
    #[allow(unsafe_code, reason = "sanakirja has no safe way to make a tree of unsized keys")]
    Ok(unsafe { btree::create_db_(transaction)? })
}

impl Reader for SanakirjaReader<'_> {
    fn get<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        // The crate gives the first row that is not less.
        let row = btree::get(&self.transaction, &self.tree, key, None)?;
        Ok(row.filter(|(found, _)| *found == key).map(|(_, value)| look(value)))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        limit: usize,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let mut rows = 0;
        let from = from.map(|from| (from, None));
        for row in btree::iter(&self.transaction, &self.tree, from)?.take(limit) {
            let (key, value) = row?;
            look(key, value);
            rows += 1;
        }
        Ok(rows)
    }

    fn rows(&self) -> Result<u64> {
        // By a scan: the tree keeps no count.
        self.scan(None, usize::MAX, |_, _| ())
    }
}

impl Writer for SanakirjaWriter<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        // One key may have several values here, so an overwrite is a removal and an insertion.
        btree::del(&mut self.transaction, &mut self.tree, key, None)?;
        btree::put(&mut self.transaction, &mut self.tree, key, value)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(btree::del(&mut self.transaction, &mut self.tree, key, None)?)
    }
}
