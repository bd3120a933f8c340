//! The records of the tree of names and of the catalogs: what a branch, a snapshot, a table and an
//! entry of the release queue say about themselves.
//!
//! ```text
//! META tree     "b" name          -> branch record
//!               "s" name          -> snapshot record
//!               "k" name          -> bookmark record
//!               "i" name          -> how far a snapshot has been received
//!               "r" stamp number  -> a node or extent whose last owner was deleted; the entry owns
//!                                    one count of it
//! CATALOG tree  name              -> table record { root pointer 16, tree id u64, pages u64 }; a
//!                                    machine's too, with a root of raw pages
//! ```
//!
//! Branch and snapshot records begin with the pointer to their catalog; texts are `u16` length and
//! UTF-8 bytes.

mod lineage;

pub use lineage::{Lineage, Place};

use cowslip_pager::{
    Child, Extent, PageId, Pointer, Raw,
    page::{u16_at, u64_at},
};

use crate::{
    error::{Error, Result},
    kinds::RAW,
};

/// Longest name of a snapshot, branch or label, in bytes.
pub const NAME_MAX: usize = 255;

pub(crate) const BRANCH: u8 = b'b';
pub(crate) const SNAPSHOT: u8 = b's';
pub(crate) const BOOKMARK: u8 = b'k';
pub(crate) const INCOMING: u8 = b'i';
pub(crate) const RELEASE: u8 = b'r';

/// The branch that exists from the start.
pub(crate) const MAIN: &str = "main";

/// `prefix` and `name` as a key of the META tree.
pub(crate) fn key(prefix: u8, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(prefix);
    key.extend_from_slice(name.as_bytes());
    key
}

/// Is `name` one that a snapshot or branch may have?
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::InvalidArgument(format!(
            "name {name:?} (1 to {NAME_MAX} bytes, no control characters)"
        )));
    }
    Ok(())
}

/// What the META tree says about a branch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BranchRecord {
    /// Its catalog.
    pub catalog: Pointer,
    /// Stamp of the last event that gave anything below the catalog another owner (R3).
    pub shared_at: u64,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// What it was made from.
    pub origin: Option<String>,
    /// Its newest snapshot.
    pub last_snapshot: Option<String>,
    /// Where its versions come from.
    pub lineage: Lineage,
    /// It is no branch that anybody may use: what was received so far of a snapshot of this name.
    pub incoming: bool,
}

/// What the META tree says about a stream that has not been received to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Incoming {
    /// Id of the snapshot that comes.
    pub snapshot: u64,
    /// Id of the snapshot or bookmark that the stream builds on; 0: none.
    pub base: u64,
    /// All up to here is received: a table and a key of it, as the stream's token has them.
    pub position: Vec<u8>,
}

/// What the META tree says about a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotRecord {
    /// Its catalog.
    pub catalog: Pointer,
    /// Stamp of the transaction that made it.
    pub stamp: u64,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// It refuses deletion.
    pub held: bool,
    /// The branch it was made of.
    pub branch: String,
    /// Free text.
    pub label: Option<String>,
    /// The snapshot of the same branch before it.
    pub parent: Option<String>,
    /// A random number, not 0, that it was given when it was made, and keeps when it is sent.
    pub id: u64,
    /// Where it comes from.
    pub lineage: Lineage,
}

/// What the META tree says about a bookmark: what remains of a snapshot that nobody keeps pages of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BookmarkRecord {
    /// The snapshot's id.
    pub id: u64,
    /// The snapshot's stamp: what is younger was written after it.
    pub stamp: u64,
    /// When the snapshot was made: nanoseconds since 1970.
    pub created: u64,
    /// The snapshot's lineage.
    pub lineage: Lineage,
    /// The snapshot's name when it was marked.
    pub snapshot: String,
}

/// What a catalog says about a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableRecord {
    /// Its tree; none while it is empty. Of a machine: its highest raw page, and the stamp of the
    /// transaction that stored it.
    pub root: Pointer,
    /// Its tree id.
    pub id: u64,
    /// Pages of its nodes and large values. Of a machine: its raw pages.
    pub pages: u64,
}

struct Out(Vec<u8>);

impl Out {
    fn pointer(mut self, pointer: &Pointer) -> Out {
        self.0.extend_from_slice(&pointer.encode());
        self
    }
    fn word(mut self, word: u64) -> Out {
        self.0.extend_from_slice(&word.to_le_bytes());
        self
    }
    fn text(mut self, text: &str) -> Out {
        self.0.extend_from_slice(&(text.len() as u16).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }
    fn lineage(mut self, lineage: &Lineage) -> Out {
        lineage.encode(&mut self.0);
        self
    }
    /// An absent text is an empty one: names are never empty.
    fn option(self, text: &Option<String>) -> Out {
        self.text(text.as_deref().unwrap_or(""))
    }
}

/// Reads a record; every length is checked, since the bytes come from a file.
struct In<'a> {
    rest: &'a [u8],
    page: PageId,
}

impl<'a> In<'a> {
    fn take(&mut self, count: usize) -> cowslip_pager::Result<&'a [u8]> {
        if self.rest.len() < count {
            return Err(cowslip_pager::Error::corrupted(
                self.page.0,
                "length of a record",
                count as u64,
                self.rest.len() as u64,
            ));
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }
    fn pointer(&mut self) -> cowslip_pager::Result<Pointer> {
        Ok(Pointer::decode(self.take(Pointer::SIZE)?))
    }
    fn word(&mut self) -> cowslip_pager::Result<u64> {
        Ok(u64_at(self.take(8)?, 0))
    }
    fn text(&mut self) -> cowslip_pager::Result<String> {
        let length = usize::from(u16_at(self.take(2)?, 0));
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|e| {
            cowslip_pager::Error::corrupted(
                self.page.0,
                "text of a record (UTF-8)",
                length as u64,
                e.utf8_error().valid_up_to() as u64,
            )
        })
    }
    fn option(&mut self) -> cowslip_pager::Result<Option<String>> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }
    fn end(self) -> cowslip_pager::Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(cowslip_pager::Error::corrupted(
            self.page.0,
            "bytes behind a record",
            0,
            self.rest.len() as u64,
        ))
    }
}

impl BranchRecord {
    /// The bytes that stand in the tree.
    pub fn encode(&self) -> Vec<u8> {
        Out(Vec::new())
            .pointer(&self.catalog)
            .word(self.shared_at)
            .word(self.created)
            .option(&self.origin)
            .option(&self.last_snapshot)
            .lineage(&self.lineage)
            .word(u64::from(self.incoming))
            .0
    }

    /// Reads a record that stands in `page`.
    pub fn decode(bytes: &[u8], page: PageId) -> cowslip_pager::Result<BranchRecord> {
        let mut from = In { rest: bytes, page };
        let record = BranchRecord {
            catalog: from.pointer()?,
            shared_at: from.word()?,
            created: from.word()?,
            origin: from.option()?,
            last_snapshot: from.option()?,
            lineage: Lineage::decode(&mut from)?,
            incoming: from.word()? != 0,
        };
        from.end().map(|()| record)
    }
}

impl SnapshotRecord {
    /// The bytes that stand in the tree.
    pub fn encode(&self) -> Vec<u8> {
        Out(Vec::new())
            .pointer(&self.catalog)
            .word(self.stamp)
            .word(self.created)
            .word(u64::from(self.held))
            .text(&self.branch)
            .option(&self.label)
            .option(&self.parent)
            .word(self.id)
            .lineage(&self.lineage)
            .0
    }

    /// Reads a record that stands in `page`.
    pub fn decode(bytes: &[u8], page: PageId) -> cowslip_pager::Result<SnapshotRecord> {
        let mut from = In { rest: bytes, page };
        let record = SnapshotRecord {
            catalog: from.pointer()?,
            stamp: from.word()?,
            created: from.word()?,
            held: from.word()? != 0,
            branch: from.text()?,
            label: from.option()?,
            parent: from.option()?,
            id: from.word()?,
            lineage: Lineage::decode(&mut from)?,
        };
        from.end().map(|()| record)
    }
}

impl Incoming {
    /// The table and the key up to which all is received; `None`: no stream can be where this says.
    pub fn place(&self) -> Option<(String, Option<Vec<u8>>)> {
        crate::stream::place(&self.position)
    }

    /// The same stream, before its first table: it brings all once more.
    pub fn from_start(&self) -> Incoming {
        // A table without a name, and no key.
        Incoming { position: vec![0, 0], ..*self }
    }

    /// The bytes that stand in the tree.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out(Vec::new()).word(self.snapshot).word(self.base).0;
        out.extend_from_slice(&self.position);
        out
    }

    /// Reads a record that stands in `page`.
    pub fn decode(bytes: &[u8], page: PageId) -> cowslip_pager::Result<Incoming> {
        let mut from = In { rest: bytes, page };
        let (snapshot, base) = (from.word()?, from.word()?);
        Ok(Incoming { snapshot, base, position: from.rest.to_vec() })
    }
}

impl BookmarkRecord {
    /// The bytes that stand in the tree.
    pub fn encode(&self) -> Vec<u8> {
        Out(Vec::new())
            .word(self.id)
            .word(self.stamp)
            .word(self.created)
            .lineage(&self.lineage)
            .text(&self.snapshot)
            .0
    }

    /// Reads a record that stands in `page`.
    pub fn decode(bytes: &[u8], page: PageId) -> cowslip_pager::Result<BookmarkRecord> {
        let mut from = In { rest: bytes, page };
        let record = BookmarkRecord {
            id: from.word()?,
            stamp: from.word()?,
            created: from.word()?,
            lineage: Lineage::decode(&mut from)?,
            snapshot: from.text()?,
        };
        from.end().map(|()| record)
    }
}

impl TableRecord {
    /// The bytes that stand in the tree.
    pub fn encode(&self) -> Vec<u8> {
        Out(Vec::new()).pointer(&self.root).word(self.id).word(self.pages).0
    }

    /// Reads a record that stands in `page`.
    pub fn decode(bytes: &[u8], page: PageId) -> cowslip_pager::Result<TableRecord> {
        let mut from = In { rest: bytes, page };
        let record = TableRecord { root: from.pointer()?, id: from.word()?, pages: from.word()? };
        from.end().map(|()| record)
    }

    /// Does it say where a machine is?
    pub fn is_machine(&self) -> bool {
        self.root.kind == RAW && !self.root.is_none()
    }

    /// What a record that stands in `page` points to.
    pub fn child(&self, page: PageId) -> cowslip_pager::Result<Option<Child>> {
        if !self.is_machine() {
            return Ok((!self.root.is_none()).then_some(Child::Node(self.root)));
        }
        check_height(self.root.level, page)?;
        Ok(Some(Child::Raw(Raw { page: self.root.page, height: self.root.level })))
    }

    /// The pages of a record that was not read as a whole; 0 if it is none.
    pub(crate) fn pages_of(bytes: &[u8]) -> u64 {
        if bytes.len() < Pointer::SIZE + 16 { 0 } else { u64_at(bytes, Pointer::SIZE + 8) }
    }
}

fn check_height(height: u8, page: PageId) -> cowslip_pager::Result<()> {
    if height <= Raw::HEIGHT_MAX {
        return Ok(());
    }
    let what = "height of a raw page (at most)";
    Err(cowslip_pager::Error::corrupted(page.0, what, Raw::HEIGHT_MAX.into(), height.into()))
}

/// An entry of the release queue: 0 and a pointer, 1 and an extent, or 2 and the pointer to a raw
/// page.
pub(crate) fn encode_release(child: &Child) -> Vec<u8> {
    match child {
        Child::Node(pointer) => [&[0], &pointer.encode()[..]].concat(),
        Child::Extent(extent) => [&[1], &extent.encode()[..]].concat(),
        Child::Raw(raw) => {
            let pointer = Pointer { page: raw.page, kind: RAW, level: raw.height, stamp: 0 };
            [&[2], &pointer.encode()[..]].concat()
        }
    }
}

pub(crate) fn decode_release(
    bytes: &[u8],
    page: PageId,
    page_size: usize,
) -> cowslip_pager::Result<Child> {
    let mut from = In { rest: bytes, page };
    match from.take(1)?[0] {
        0 => {
            let pointer = from.pointer()?;
            from.end().map(|()| Child::Node(pointer))
        }
        1 => Ok(Child::Extent(Extent::decode(from.rest, page, page_size)?)),
        _ => {
            let pointer = from.pointer()?;
            check_height(pointer.level, page)?;
            let raw = Raw { page: pointer.page, height: pointer.level };
            from.end().map(|()| Child::Raw(raw))
        }
    }
}

/// What an entry of the META tree points to.
pub(crate) fn child_of(
    key: &[u8],
    value: &[u8],
    page: PageId,
    page_size: usize,
) -> cowslip_pager::Result<Option<Child>> {
    let catalog = match key.first() {
        Some(&BRANCH) => BranchRecord::decode(value, page)?.catalog,
        Some(&SNAPSHOT) => SnapshotRecord::decode(value, page)?.catalog,
        Some(&RELEASE) => return decode_release(value, page, page_size).map(Some),
        Some(&BOOKMARK | &INCOMING) => return Ok(None),
        found => {
            return Err(cowslip_pager::Error::corrupted(
                page.0,
                "first byte of a name",
                BRANCH.into(),
                found.map_or(0, |&b| b.into()),
            ));
        }
    };
    Ok((!catalog.is_none()).then_some(Child::Node(catalog)))
}
