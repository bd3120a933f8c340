//! Writing: one transaction at a time, all or nothing.

use std::{
    cell::{Cell, RefCell},
    io::Read,
    marker::PhantomData,
    ops::RangeBounds,
    sync::Arc,
};

use cowslip_pager::{Durability, Pager, Transaction, View};

use crate::{
    database::Shared,
    draft::Draft,
    error::{Error, Result},
    iter::{Iter, prefix_span, span},
    read::{get, get_many, value_reader},
    redo::LOGGED_VALUE_MAX,
    value::{Key, Value, ValueReader},
};

/// A write transaction on a branch. Dropping it aborts.
///
/// Several tables may be open at once. An error in the middle of a change (a failing disk, a full
/// one) makes the transaction refuse everything but being aborted; errors about arguments leave it
/// as it was.
pub struct WriteTransaction {
    state: RefCell<Draft>,
    durability: Cell<Durability>,
    stamp: u64,
    // The writer lock belongs to the thread that began: a transaction does not go to another one.
    _of_this_thread: PhantomData<*const ()>,
    // Declared after the state, so that the database closes last.
    shared: Arc<Shared>,
}

impl WriteTransaction {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        txn: Transaction,
        branch: &str,
    ) -> Result<WriteTransaction> {
        let stamp = txn.stamp();
        let mut draft = Draft::new(txn)?;
        draft.open_branch(branch)?;
        draft.postpone_from_now(shared.durability != Durability::Immediate);
        Ok(WriteTransaction {
            state: RefCell::new(draft),
            durability: Cell::new(shared.durability),
            stamp,
            _of_this_thread: PhantomData,
            shared: shared.clone(),
        })
    }

    /// Chooses when [`WriteTransaction::commit`] returns.
    pub fn set_durability(&mut self, durability: Durability) {
        self.durability.set(durability);
        self.state.borrow_mut().postpone_from_now(durability != Durability::Immediate);
    }

    /// Opens a table, and makes it if there is none of this name.
    pub fn open_table(&self, name: &str) -> Result<Table<'_>> {
        self.state.borrow_mut().open_table(name)?;
        Ok(Table { tx: self, name: name.into() })
    }

    /// The names of all tables, ascending.
    pub fn tables(&self) -> Result<Vec<String>> {
        self.state.borrow().tables()
    }

    /// Deletes a table and all in it. True: there was one. Its space comes back in the background.
    pub fn delete_table(&self, name: &str) -> Result<bool> {
        self.state.borrow_mut().delete_table(name)
    }

    /// Commits. What "done" means is the durability's choice.
    ///
    /// After [`Error::Io`] the outcome is known only when the database has been reopened, until
    /// when it takes no more writes; after any other error nothing was committed.
    pub fn commit(self) -> Result<()> {
        let WriteTransaction { state, durability, shared, .. } = self;
        let draft = state.into_inner();
        let releases = draft.has_released();
        draft.commit(durability.get())?;
        if releases {
            shared.release_soon();
        }
        Ok(())
    }

    /// Forgets everything the transaction did.
    pub fn abort(self) -> Result<()> {
        Ok(())
    }

    pub(crate) fn draft(&self) -> std::cell::Ref<'_, Draft> {
        self.state.borrow()
    }

    pub(crate) fn draft_mut(&self) -> std::cell::RefMut<'_, Draft> {
        self.state.borrow_mut()
    }

    fn pager(&self) -> &Arc<Pager> {
        self.shared.replayed_pager()
    }

    fn view(&self) -> View<'_> {
        self.pager().view(self.stamp)
    }
}

impl std::fmt::Debug for WriteTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteTransaction").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

/// A table, open for writing.
pub struct Table<'tx> {
    tx: &'tx WriteTransaction,
    name: String,
}

impl Table<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts a value under a key. True: the key was there already.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.tx.state.borrow_mut().insert(&self.name, key, value)
    }

    /// Puts a value under a key and returns the one that was there.
    pub fn replace(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        let old = self.get(key)?.map(|old| old.to_vec());
        self.insert(key, value)?;
        Ok(old)
    }

    /// Replaces `old` (`None`: no entry) by `new` (`None`: remove) if `old` is what is there; tells
    /// whether it was.
    pub fn compare_and_swap(
        &mut self,
        key: &[u8],
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool> {
        if self.get(key)?.as_deref() != old {
            return Ok(false);
        }
        match new {
            Some(new) => {
                self.insert(key, new)?;
            }
            None => {
                self.remove(key)?;
            }
        }
        Ok(true)
    }

    /// Puts a value of any size, read to its end, under a key. True: the key was there already.
    ///
    /// A value over 1 MiB goes to the file as it is read, without being held in memory; a
    /// transaction that has one commits by a checkpoint.
    pub fn insert_from(&mut self, key: &[u8], mut source: impl Read) -> Result<bool> {
        let reading =
            |source| Error::Io { operation: "reading the value to insert", offset: None, source };
        let mut part = Vec::new();
        source.by_ref().take(LOGGED_VALUE_MAX + 1).read_to_end(&mut part).map_err(reading)?;
        if part.len() as u64 <= LOGGED_VALUE_MAX {
            return self.insert(key, &part);
        }
        self.tx.state.borrow().check_key(key)?;
        let mut value = self.tx.state.borrow_mut().begin_value(part.len() as u64)?;
        let mut length = part.len();
        loop {
            let mut draft = self.tx.state.borrow_mut();
            if let Err(error) = draft.extend_value(&mut value, &part[..length]) {
                draft.txn.abandon_extent(value);
                return Err(error);
            }
            drop(draft);
            length = match source.read(&mut part) {
                Ok(0) => break,
                Ok(length) => length,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => 0,
                Err(e) => {
                    self.tx.state.borrow_mut().txn.abandon_extent(value);
                    return Err(reading(e));
                }
            };
        }
        self.tx.state.borrow_mut().finish_value(&self.name, key, value, None)
    }

    /// Removes a key. True: it was there.
    pub fn remove(&mut self, key: &[u8]) -> Result<bool> {
        self.tx.state.borrow_mut().remove(&self.name, key)
    }

    /// Removes a range of keys; returns how many there were. Whole subtrees inside the range are
    /// dropped unread.
    pub fn remove_range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) -> Result<u64> {
        self.tx.state.borrow_mut().remove_range(&self.name, &span(&range))
    }

    fn tree(&self) -> Result<crate::tree::Tree> {
        self.tx.state.borrow_mut().table(&self.name)
    }

    /// The value of a key, as this transaction sees it.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>> {
        get(self.tx.pager(), self.tx.view(), &self.tree()?, key)
    }

    /// The values of many keys, in their order.
    pub fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value<'_>>>> {
        get_many(self.tx.pager(), self.tx.view(), &self.tree()?, keys)
    }

    /// The entries of a range of keys, ascending; double-ended.
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<Iter<'_>> {
        Ok(Iter::new(self.tx.pager(), self.tx.view(), self.tree()?, span(&range)))
    }

    /// The entries whose keys begin with `prefix`.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Iter<'_>> {
        Ok(Iter::new(self.tx.pager(), self.tx.view(), self.tree()?, prefix_span(prefix)))
    }

    /// The entry of the smallest key.
    pub fn first(&self) -> Result<Option<(Key, Value<'_>)>> {
        self.range::<&[u8]>(..)?.next().transpose()
    }

    /// The entry of the largest key.
    pub fn last(&self) -> Result<Option<(Key, Value<'_>)>> {
        self.range::<&[u8]>(..)?.next_back().transpose()
    }

    /// Entries of the table.
    pub fn len(&self) -> Result<u64> {
        self.tree()?.len(self.tx.view())
    }

    /// Is the table empty?
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.tree()?.root.is_none())
    }

    /// Reads a value of any size in parts.
    pub fn reader(&self, key: &[u8]) -> Result<Option<ValueReader<'_>>> {
        value_reader(self.tx.pager(), self.tx.view(), &self.tree()?, key)
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        if let Ok(mut draft) = self.tx.state.try_borrow_mut() {
            draft.close_table(&self.name);
        }
    }
}

impl std::fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}
