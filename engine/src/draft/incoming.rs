//! The draft's part in receiving a snapshot: until its end has come, what was received is a branch
//! that nobody sees, with a record that says how far it is.

use cowslip_pager::Pointer;

use super::Draft;
use crate::{
    error::{Error, Result},
    meta::{self, BRANCH, BranchRecord, INCOMING, Incoming, Lineage, SNAPSHOT, SnapshotRecord},
};

/// What is known of a snapshot that has come to its end.
pub(crate) struct Arrived<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: u64,
    pub(crate) created: u64,
    pub(crate) branch: &'a str,
    pub(crate) label: Option<&'a str>,
    /// The name of its base here.
    pub(crate) base: Option<&'a str>,
    /// The branch that goes on from it.
    pub(crate) follow: Option<&'a str>,
}

impl Draft {
    /// Begins to receive a snapshot; drops what was received before under that name.
    pub(crate) fn begin_incoming(
        &mut self,
        name: &str,
        base: Option<(&str, &SnapshotRecord)>,
        incoming: &Incoming,
    ) -> Result<()> {
        if let Some((bytes, page)) = self.get_name(BRANCH, name)?
            && BranchRecord::decode(&bytes, page)?.incoming
        {
            self.delete_branch(name)?;
        }
        self.check_free(name)?;
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let line = draft.fresh_id();
            let (catalog, lineage) = match base {
                Some((_, base)) => (base.catalog, base.lineage.clone()),
                None => (Pointer::NONE, Lineage::default()),
            };
            draft.share(catalog)?;
            let record = BranchRecord {
                catalog,
                shared_at: stamp,
                created: super::now(),
                origin: base.map(|(name, _)| name.to_owned()),
                last_snapshot: base.map(|(name, _)| name.to_owned()),
                lineage: lineage.fork(line),
                incoming: true,
            };
            draft.put_name(&meta::key(BRANCH, name), &record.encode())?;
            draft.put_name(&meta::key(INCOMING, name), &incoming.encode())
        })
    }

    /// Opens what was received so far, to write to it, and returns its line. Nothing of what is written
    /// is logged.
    pub(crate) fn open_incoming(&mut self, name: &str) -> Result<u64> {
        let record = self.branch_record(name)?;
        if !record.incoming {
            return Err(Error::AlreadyExists(name.into()));
        }
        let line = record.lineage.tip().map_or(0, |tip| tip.line);
        self.open_record(name, record)?;
        if let Some(branch) = &mut self.branch {
            branch.redo.overflow();
        }
        Ok(line)
    }

    /// Remembers how far it is.
    pub(crate) fn put_incoming(&mut self, name: &str, incoming: &Incoming) -> Result<()> {
        self.run(|draft| draft.put_name(&meta::key(INCOMING, name), &incoming.encode()))
    }

    /// What was received becomes a snapshot.
    pub(crate) fn finish_incoming(&mut self, arrived: &Arrived<'_>) -> Result<()> {
        self.settle_all()?;
        self.txn.set_privileged(true);
        self.run(Draft::save_tables)?;
        let Some(branch) = self.branch.take() else {
            return Err(Error::InvalidArgument("no branch is open".into()));
        };
        self.run(|draft| {
            let stamp = draft.txn.stamp();
            let record = SnapshotRecord {
                catalog: branch.catalog.root,
                stamp,
                created: arrived.created,
                held: false,
                branch: arrived.branch.into(),
                label: arrived.label.map(Into::into),
                parent: arrived.base.map(Into::into),
                id: arrived.id,
                lineage: branch.record.lineage.until(stamp),
            };
            // The branch's count of the catalog passes to the snapshot.
            draft.remove_name(&meta::key(BRANCH, arrived.name))?;
            draft.remove_name(&meta::key(INCOMING, arrived.name))?;
            draft.put_name(&meta::key(SNAPSHOT, arrived.name), &record.encode())?;
            let Some(follow) = arrived.follow else { return Ok(()) };
            draft.follow(follow, arrived, &record)
        })
    }

    /// Moves a branch that stands at the base to the snapshot, or makes it there.
    fn follow(&mut self, follow: &str, arrived: &Arrived<'_>, new: &SnapshotRecord) -> Result<()> {
        let base = match arrived.base {
            Some(base) => self.snapshot_record(base)?.catalog,
            None => Pointer::NONE,
        };
        match self.usable_branch(follow) {
            Ok(record) if record.catalog == base || record.catalog.is_none() => {
                self.rollback(follow, arrived.name)
            }
            Ok(_) => Err(Error::BranchNotAtBase {
                branch: follow.into(),
                snapshot: arrived.name.into(),
                base: arrived.base.map(Into::into),
            }),
            Err(Error::BranchNotFound(_)) => self.create_branch(follow, arrived.name, new.created),
            Err(error) => Err(error),
        }
    }
}
