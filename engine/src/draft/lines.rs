//! The draft's names: snapshots and branches, each one more owner of a catalog.

use cowslip_pager::{Child, Pointer, mutant};

use super::Draft;
use crate::{
    error::{Error, Result},
    meta::{
        self, BOOKMARK, BRANCH, BookmarkRecord, BranchRecord, INCOMING, MAIN, SNAPSHOT,
        SnapshotRecord,
    },
    tree::Writer,
};

impl Draft {
    pub(crate) fn create_snapshot(
        &mut self,
        branch: &str,
        name: &str,
        created: u64,
        label: Option<&str>,
        id: u64,
    ) -> Result<()> {
        self.check_free(name)?;
        if label.is_some_and(|label| label.len() > meta::NAME_MAX) {
            return Err(Error::InvalidArgument("a label of over 255 bytes".into()));
        }
        let mut line = self.usable_branch(branch)?;
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let record = SnapshotRecord {
                catalog: line.catalog,
                stamp,
                created,
                held: false,
                branch: branch.into(),
                label: label.map(Into::into),
                parent: line.last_snapshot.take(),
                id,
                lineage: line.lineage.clone().until(stamp),
            };
            if !mutant!(SnapshotNotCounted) {
                draft.share(line.catalog)?;
            }
            draft.txn.set_settles();
            draft.put_name(&meta::key(SNAPSHOT, name), &record.encode())?;
            if !mutant!(SharedAtNotRaisedBySnapshot) {
                line.shared_at = stamp;
            }
            line.last_snapshot = Some(name.into());
            draft.put_name(&meta::key(BRANCH, branch), &line.encode())
        })
    }

    /// One more owner of a catalog.
    pub(super) fn share(&mut self, catalog: Pointer) -> Result<()> {
        if !catalog.is_none() {
            self.txn.retain(catalog.page)?;
        }
        Ok(())
    }

    /// One owner less; what nobody else owns goes in slices.
    pub(super) fn unshare(&mut self, catalog: Pointer) -> Result<()> {
        if !catalog.is_none() && !mutant!(DroppedNameStaysCounted) {
            let mut writer =
                Writer { txn: &mut self.txn, shared_at: 0, released: &mut self.released };
            writer.drop_child(Child::Node(catalog))?;
        }
        Ok(())
    }

    pub(crate) fn delete_snapshot(&mut self, name: &str) -> Result<()> {
        let record = self.snapshot_record(name)?;
        if record.held {
            return Err(Error::Held(name.into()));
        }
        self.txn.set_privileged(true);
        self.run(|draft| {
            draft.remove_name(&meta::key(SNAPSHOT, name))?;
            draft.unshare(record.catalog)
        })
    }

    pub(crate) fn hold(&mut self, name: &str, held: bool) -> Result<()> {
        let record = SnapshotRecord { held, ..self.snapshot_record(name)? };
        self.run(|draft| draft.put_name(&meta::key(SNAPSHOT, name), &record.encode()))
    }

    /// A branch that users may write: none that is only being received.
    pub(super) fn usable_branch(&self, name: &str) -> Result<BranchRecord> {
        let record = self.branch_record(name)?;
        if record.incoming { Err(Error::BranchNotFound(name.into())) } else { Ok(record) }
    }

    pub(crate) fn rollback(&mut self, branch: &str, snapshot: &str) -> Result<()> {
        let line = self.usable_branch(branch)?;
        let target = self.snapshot_record(snapshot)?;
        self.txn.set_privileged(true);
        self.run(|draft| {
            draft.share(target.catalog)?;
            let shared_at = if mutant!(SharedAtNotRaisedByRollback) {
                line.shared_at
            } else {
                draft.txn.stamp()
            };
            let record = BranchRecord {
                catalog: target.catalog,
                shared_at,
                last_snapshot: Some(snapshot.into()),
                lineage: target.lineage.fork(draft.fresh_id()),
                ..line
            };
            draft.put_name(&meta::key(BRANCH, branch), &record.encode())?;
            draft.unshare(line.catalog)
        })
    }

    pub(crate) fn create_branch(&mut self, name: &str, from: &str, created: u64) -> Result<()> {
        self.check_free(name)?;
        let snapshot = match self.get_name(SNAPSHOT, from)? {
            Some((bytes, page)) => Some(SnapshotRecord::decode(&bytes, page)?),
            None => None,
        };
        let source = match &snapshot {
            Some(_) => None,
            None => Some(self.usable_branch(from)?),
        };
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let (catalog, last_snapshot, lineage) = match (snapshot, source) {
                (Some(snapshot), _) => (snapshot.catalog, Some(from.to_owned()), snapshot.lineage),
                (None, Some(source)) => {
                    let (catalog, last) = (source.catalog, source.last_snapshot.clone());
                    let lineage = source.lineage.clone().until(stamp);
                    let source = BranchRecord { shared_at: stamp, ..source };
                    if !mutant!(SharedAtNotRaisedAtOrigin) {
                        draft.put_name(&meta::key(BRANCH, from), &source.encode())?;
                    }
                    (catalog, last, lineage)
                }
                (None, None) => return Err(Error::SnapshotNotFound(from.into())),
            };
            draft.share(catalog)?;
            draft.txn.set_settles();
            let record = BranchRecord {
                catalog,
                shared_at: if mutant!(SharedAtNotRaisedByBranch) { 0 } else { stamp },
                created,
                origin: Some(from.into()),
                last_snapshot,
                lineage: lineage.fork(draft.fresh_id()),
                incoming: false,
            };
            draft.put_name(&meta::key(BRANCH, name), &record.encode())
        })
    }

    pub(crate) fn delete_branch(&mut self, name: &str) -> Result<()> {
        if name == MAIN {
            return Err(Error::InvalidArgument("the branch main cannot be deleted".into()));
        }
        let record = self.branch_record(name)?;
        self.txn.set_privileged(true);
        self.run(|draft| {
            draft.remove_name(&meta::key(BRANCH, name))?;
            if record.incoming {
                draft.remove_name(&meta::key(INCOMING, name))?;
            }
            draft.unshare(record.catalog)
        })
    }

    /// `name` becomes main; the old main goes on under the name `name`.
    pub(crate) fn promote(&mut self, name: &str) -> Result<()> {
        let new = self.usable_branch(name)?;
        let old = self.usable_branch(MAIN)?;
        if name == MAIN {
            return Ok(());
        }
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let (mut new, mut old) = (new, old);
            if !mutant!(SharedAtNotRaisedByPromotion) {
                (new.shared_at, old.shared_at) = (stamp, stamp);
            }
            draft.put_name(&meta::key(BRANCH, MAIN), &new.encode())?;
            draft.put_name(&meta::key(BRANCH, name), &old.encode())
        })
    }

    pub(crate) fn create_bookmark(&mut self, name: &str, snapshot: &str) -> Result<()> {
        meta::check_name(name)?;
        if self.get_name(BOOKMARK, name)?.is_some() {
            return Err(Error::AlreadyExists(name.into()));
        }
        let marked = self.snapshot_record(snapshot)?;
        let record = BookmarkRecord {
            id: marked.id,
            stamp: marked.stamp,
            created: marked.created,
            lineage: marked.lineage,
            snapshot: snapshot.into(),
        };
        self.run(|draft| draft.put_name(&meta::key(BOOKMARK, name), &record.encode()))
    }

    pub(crate) fn delete_bookmark(&mut self, name: &str) -> Result<()> {
        if self.get_name(BOOKMARK, name)?.is_none() {
            return Err(Error::BookmarkNotFound(name.into()));
        }
        self.run(|draft| draft.remove_name(&meta::key(BOOKMARK, name)))
    }
}
