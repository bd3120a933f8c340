//! Snapshots, branches and bookmarks: what is done to names. Each is one small transaction, whatever
//! the size of what is named.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cowslip_pager::{Pointer, View};

use super::Database;
use crate::{
    diff::Diff,
    draft::{self, Draft},
    error::{Error, Result},
    meta::{BOOKMARK, BRANCH, BookmarkRecord, BranchRecord, MAIN, SNAPSHOT, SnapshotRecord, key},
    redo::Record,
};

/// What is known about a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: SystemTime,
    /// The branch it was made of.
    pub branch: String,
    /// It refuses deletion.
    pub held: bool,
    /// Free text.
    pub label: Option<String>,
    /// The snapshot of the same branch before it.
    pub parent: Option<String>,
    /// A random number that stays with the snapshot when it is sent to another database.
    pub id: u64,
}

/// What is known about a bookmark.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BookmarkInfo {
    /// Its name.
    pub name: String,
    /// The snapshot that it was made of, by the name it had then.
    pub snapshot: String,
    /// When that snapshot was made.
    pub created: SystemTime,
    /// That snapshot's id.
    pub id: u64,
}

/// What is known about a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchInfo {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: SystemTime,
    /// What it was made from; none for `main`.
    pub origin: Option<String>,
    /// Its newest snapshot, or the one it was made from or rolled back to.
    pub last_snapshot: Option<String>,
}

impl Database {
    /// Names the newest version of `main`. Costs one small commit, whatever the size.
    pub fn create_snapshot(&self, name: &str) -> Result<()> {
        self.create_snapshot_of(MAIN, name)
    }

    /// Names the newest version of a branch.
    pub fn create_snapshot_of(&self, branch: &str, name: &str) -> Result<()> {
        self.create_labelled_snapshot_of(branch, name, None)
    }

    /// Names the newest version of a branch, with a free text of up to 255 bytes.
    pub fn create_labelled_snapshot_of(
        &self,
        branch: &str,
        name: &str,
        label: Option<&str>,
    ) -> Result<()> {
        self.change_names(&new_snapshot(branch, name, draft::now(), label))
    }

    /// Makes several snapshots (branch, name) at one moment: all, or in case of an error none.
    pub fn create_snapshots(&self, snapshots: &[(&str, &str)]) -> Result<()> {
        self.create_labelled_snapshots(snapshots, None)
    }

    /// The same, all with a free text of up to 255 bytes.
    pub fn create_labelled_snapshots(
        &self,
        snapshots: &[(&str, &str)],
        label: Option<&str>,
    ) -> Result<()> {
        let now = draft::now();
        let one = |&(branch, name)| new_snapshot(branch, name, now, label);
        self.change_names(&Record::Several(snapshots.iter().map(one).collect()))
    }

    /// Deletes a snapshot, whatever was made from it; [`Error::Held`] if it is held. Its space comes
    /// back in the background.
    pub fn delete_snapshot(&self, name: &str) -> Result<()> {
        self.change_names(&Record::DeleteSnapshot { name })?;
        self.shared.release_soon();
        Ok(())
    }

    /// Deletes several snapshots at once: all, or in case of an error none.
    pub fn delete_snapshots(&self, names: &[&str]) -> Result<()> {
        let one = |&name| Record::DeleteSnapshot { name };
        self.change_names(&Record::Several(names.iter().map(one).collect()))?;
        self.shared.release_soon();
        Ok(())
    }

    /// Takes `main` back to a snapshot. Newer snapshots stay.
    pub fn rollback(&self, snapshot: &str) -> Result<()> {
        self.rollback_branch(MAIN, snapshot)
    }

    /// Takes a branch back to a snapshot, also one that was made of another branch. Newer snapshots
    /// stay.
    pub fn rollback_branch(&self, branch: &str, snapshot: &str) -> Result<()> {
        self.change_names(&Record::Rollback { branch, snapshot })?;
        self.shared.release_soon();
        Ok(())
    }

    /// Takes a branch back to a snapshot that lies in its past, and deletes the snapshots on the way
    /// between, whose names it returns: all of this, or in case of an error ([`Error::Held`]) nothing.
    pub fn rollback_and_delete_newer(&self, branch: &str, snapshot: &str) -> Result<Vec<String>> {
        let mut draft = Draft::new(self.shared.pager()?.begin_write()?)?;
        let (view, root) = (draft.txn.view(), draft.names_root());
        let (head, target) = (draft.branch_record(branch)?, draft.snapshot_record(snapshot)?);
        let mut newer = Vec::new();
        for (name, bytes, page) in Draft::names(view, root, SNAPSHOT)? {
            let other = SnapshotRecord::decode(&bytes, page)?;
            let between = other.lineage.descends_from(&target.lineage)
                && head.lineage.descends_from(&other.lineage);
            if name != snapshot && between {
                newer.push(name);
            }
        }
        let deletions = newer.iter().map(|name| Record::DeleteSnapshot { name });
        let back = Record::Rollback { branch, snapshot };
        let record = Record::Several(std::iter::once(back).chain(deletions).collect());
        draft.perform(&record)?;
        draft.commit_record(&record, self.shared.durability)?;
        self.shared.release_soon();
        Ok(newer)
    }

    /// Makes a writable branch from a snapshot or another branch.
    pub fn create_branch(&self, name: &str, from: &str) -> Result<()> {
        self.change_names(&Record::CreateBranch { name, from, created: draft::now() })
    }

    /// Deletes a branch, whatever was made from it; or what was received so far of a snapshot.
    pub fn delete_branch(&self, name: &str) -> Result<()> {
        self.change_names(&Record::DeleteBranch { name })?;
        self.shared.release_soon();
        Ok(())
    }

    /// The branch `name` becomes `main`; the old `main` goes on under the name `name`.
    pub fn promote(&self, name: &str) -> Result<()> {
        self.change_names(&Record::Promote { name })
    }

    /// Makes a snapshot refuse deletion.
    pub fn hold(&self, name: &str) -> Result<()> {
        self.change_names(&Record::Hold { name, held: true })
    }

    /// Makes several snapshots refuse deletion: all, or in case of an error none.
    pub fn hold_snapshots(&self, names: &[&str]) -> Result<()> {
        self.set_held(names, true)
    }

    /// Lets a held snapshot be deleted again.
    pub fn release(&self, name: &str) -> Result<()> {
        self.change_names(&Record::Hold { name, held: false })
    }

    /// Lets several held snapshots be deleted again: all, or in case of an error none.
    pub fn release_snapshots(&self, names: &[&str]) -> Result<()> {
        self.set_held(names, false)
    }

    fn set_held(&self, names: &[&str], held: bool) -> Result<()> {
        let one = |&name| Record::Hold { name, held };
        self.change_names(&Record::Several(names.iter().map(one).collect()))
    }

    /// Marks a snapshot, so that a stream of what changed since can still be made when the snapshot
    /// is gone. A bookmark keeps no page. Bookmarks have names of their own: one may be called as its
    /// snapshot is.
    pub fn create_bookmark(&self, name: &str, snapshot: &str) -> Result<()> {
        self.change_names(&Record::CreateBookmark { name, snapshot })
    }

    /// Deletes a bookmark.
    pub fn delete_bookmark(&self, name: &str) -> Result<()> {
        self.change_names(&Record::DeleteBookmark { name })
    }

    /// Does what the record says, in a transaction of its own.
    fn change_names(&self, record: &Record<'_>) -> Result<()> {
        let mut draft = Draft::new(self.shared.pager()?.begin_write()?)?;
        draft.perform(record)?;
        draft.commit_record(record, self.shared.durability)
    }

    /// All snapshots, by name.
    pub fn snapshots(&self) -> Result<Vec<SnapshotInfo>> {
        let reader = self.shared.pager()?.begin_read();
        let names = Draft::names(reader.view(), reader.version().root, SNAPSHOT)?;
        names
            .into_iter()
            .map(|(name, bytes, page)| {
                let record = SnapshotRecord::decode(&bytes, page)?;
                Ok(SnapshotInfo {
                    name,
                    created: time(record.created),
                    branch: record.branch,
                    held: record.held,
                    label: record.label,
                    parent: record.parent,
                    id: record.id,
                })
            })
            .collect()
    }

    /// All branches, by name.
    pub fn branches(&self) -> Result<Vec<BranchInfo>> {
        let reader = self.shared.pager()?.begin_read();
        let mut branches = Vec::new();
        for (name, bytes, page) in Draft::names(reader.view(), reader.version().root, BRANCH)? {
            let record = BranchRecord::decode(&bytes, page)?;
            if !record.incoming {
                branches.push(BranchInfo {
                    name,
                    created: time(record.created),
                    origin: record.origin,
                    last_snapshot: record.last_snapshot,
                });
            }
        }
        Ok(branches)
    }

    /// All bookmarks, by name.
    pub fn bookmarks(&self) -> Result<Vec<BookmarkInfo>> {
        let reader = self.shared.pager()?.begin_read();
        let names = Draft::names(reader.view(), reader.version().root, BOOKMARK)?;
        names
            .into_iter()
            .map(|(name, bytes, page)| {
                let record = BookmarkRecord::decode(&bytes, page)?;
                let (snapshot, id) = (record.snapshot, record.id);
                Ok(BookmarkInfo { name, snapshot, created: time(record.created), id })
            })
            .collect()
    }

    /// The differences between two snapshots or branches, by table and key. What both share is
    /// skipped unread, so the cost follows what changed.
    pub fn diff(&self, from: &str, to: &str) -> Result<Diff> {
        let reader = self.shared.pager()?.begin_read();
        let (view, root) = (reader.view(), reader.version().root);
        let (from, to) = (find_either(view, root, from)?, find_either(view, root, to)?);
        Diff::new(reader, from, to)
    }
}

pub(crate) fn find_branch(view: View<'_>, root: Pointer, name: &str) -> Result<Pointer> {
    match draft::lookup(view, root, &key(BRANCH, name))? {
        Some((bytes, page)) => {
            let record = BranchRecord::decode(&bytes, page)?;
            if record.incoming {
                Err(Error::BranchNotFound(name.into()))
            } else {
                Ok(record.catalog)
            }
        }
        // Creation was cut short before the first name, and a reader may not finish it.
        None if root.is_none() && name == MAIN => Ok(Pointer::NONE),
        None => Err(Error::BranchNotFound(name.into())),
    }
}

pub(crate) fn find_snapshot(view: View<'_>, root: Pointer, name: &str) -> Result<Pointer> {
    match draft::lookup(view, root, &key(SNAPSHOT, name))? {
        Some((bytes, page)) => Ok(SnapshotRecord::decode(&bytes, page)?.catalog),
        None => Err(Error::SnapshotNotFound(name.into())),
    }
}

/// The catalog of a snapshot or a branch.
pub(crate) fn find_either(view: View<'_>, root: Pointer, name: &str) -> Result<Pointer> {
    match find_snapshot(view, root, name) {
        Err(Error::SnapshotNotFound(_)) => match find_branch(view, root, name) {
            Err(Error::BranchNotFound(name)) => Err(Error::SnapshotNotFound(name)),
            other => other,
        },
        other => other,
    }
}

fn new_snapshot<'a>(
    branch: &'a str,
    name: &'a str,
    created: u64,
    label: Option<&'a str>,
) -> Record<'a> {
    Record::CreateSnapshot { branch, name, created, label, id: new_id() }
}

/// A random number, not 0, of the system's own: databases on different machines must never come to
/// the same one.
pub(crate) fn new_id() -> u64 {
    loop {
        let id = RandomState::new().build_hasher().finish();
        if id != 0 {
            return id;
        }
    }
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}
