//! Reading ahead of a replay.
//!
//! After a crash nothing is in memory, and a record of the log names keys from all over the store: most of a
//! replay is reading, verifying and making room for their leaves. A second thread goes through the keys of
//! a group of records from the last one on, in the version before the group, while the replay itself begins
//! with the first; they meet somewhere in the middle. It only reads, and what it cannot read the
//! replay will meet and report.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use cowslip_pager::{Pointer, View};

use super::find_table;
use crate::{
    database::find_branch,
    error::Result,
    kinds::CATALOG,
    redo::{Operation, Record},
    tree::Tree,
};

/// Bytes of records for which a thread is worth its making.
const WORTH: usize = 64 << 10;
/// Keys of one record that are noted: a record can have millions, and memory is for pages.
const KEYS_MAX: usize = 1 << 16;

/// Calls `work` while the leaves that `bodies` name are read in the version of this root.
pub(super) fn beside<T>(
    view: View<'_>,
    root: Pointer,
    bodies: &[Vec<u8>],
    work: impl FnOnce() -> T,
) -> T {
    if bodies.iter().map(Vec::len).sum::<usize>() < WORTH {
        return work();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Without the thread it only takes longer.
        let reader = thread::Builder::new()
            .name("cowslip-replay".into())
            .spawn_scoped(scope, || read_backwards(view, root, bodies, &done));
        let result = {
            let _done = Done(&done);
            work()
        };
        // However it ended: what it met, the work has met.
        let _ = reader.map(thread::ScopedJoinHandle::join);
        result
    })
}

/// A panic of the work must not leave the other thread reading.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn read_backwards(
    view: View<'_>,
    root: Pointer,
    bodies: &[Vec<u8>],
    done: &AtomicBool,
) -> Result<()> {
    for body in bodies.iter().rev() {
        for (tree, key) in keys(view, root, body)?.into_iter().rev() {
            if done.load(Ordering::Relaxed) {
                return Ok(());
            }
            tree.get(view, key)?;
        }
    }
    Ok(())
}

/// The keys that a record puts and removes (the first of them), each with its table as it was.
fn keys<'b>(view: View<'_>, root: Pointer, body: &'b [u8]) -> Result<Vec<(Tree, &'b [u8])>> {
    let mut keys = Vec::new();
    let Record::Writes { branch, mut operations } = Record::decode(body)? else { return Ok(keys) };
    let catalog = Tree::new(CATALOG, 0, find_branch(view, root, branch)?);
    let mut table = None;
    while keys.len() < KEYS_MAX
        && let Some(operation) = operations.next()?
    {
        match operation {
            Operation::Table(name) => {
                table = find_table(view, &catalog, name)?.map(|(tree, _)| tree);
            }
            Operation::Insert(key, _) | Operation::Remove(key) => {
                keys.extend(table.map(|tree| (tree, key)));
            }
            Operation::RemoveRange(_) => {}
            Operation::DeleteTable(_) => table = None,
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cowslip_pager::storage::SimulatedStorage;

    use crate::{Database, Durability};

    /// Records of one table that exists, one that they make, and one that they delete and make again.
    #[test]
    fn a_replay_that_is_read_ahead_brings_back_what_was_committed() {
        let disk = Arc::new(SimulatedStorage::new().without_history());
        let builder = Database::builder().background(false);
        let db = builder.open_or_create_on(disk.clone()).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut put = |tables: &[&str], delete: bool| {
            let mut tx = db.begin_write().unwrap();
            tx.set_durability(Durability::Eventual);
            if delete {
                tx.delete_table(tables[0]).unwrap();
            }
            for name in tables {
                let mut table = tx.open_table(name).unwrap();
                for _ in 0..400 {
                    let key = random.u32(..3000).to_be_bytes();
                    if random.u8(..) < 200 {
                        table.insert(&key, &[random.u8(..); 60]).unwrap();
                    } else {
                        table.remove(&key).unwrap();
                    }
                }
            }
            tx.commit().unwrap();
        };
        (0..20).for_each(|_| put(&["a", "b"], false));
        db.checkpoint().unwrap();
        (0..4).for_each(|_| put(&["a", "c"], false));
        put(&["b", "a"], true);
        let image = disk.image();
        let expected = db.begin_read().unwrap();
        assert!(db.stats().log_bytes > 64 << 10, "{}", db.stats().log_bytes);
        for background in [false, true] {
            let disk = Arc::new(SimulatedStorage::from_image(image.clone()));
            let after = Database::builder().background(background).open_or_create_on(disk);
            let after = after.unwrap().begin_read().unwrap();
            assert_eq!(after.tables().unwrap(), ["a", "b", "c"]);
            for name in expected.tables().unwrap() {
                let (mine, theirs) =
                    (after.open_table(&name).unwrap(), expected.open_table(&name).unwrap());
                let rows = |t: &crate::ReadTable| -> Vec<_> {
                    let all = t.range::<&[u8]>(..).unwrap();
                    all.map(|row| row.unwrap()).map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
                };
                assert_eq!(rows(&mine), rows(&theirs), "{name}");
            }
        }
    }
}
