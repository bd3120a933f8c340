//! The kinds of node, and what a node of each kind points to.
//!
//! ```text
//! superblock root -> META tree      names of branches and snapshots, release queue
//!                      |  catalog root of each branch and snapshot
//!                      v
//!                    CATALOG tree   names of tables and machines
//!                      |  root of each table      |  root of each machine
//!                      v                          v
//!                    TABLE tree                 raw pages
//!                      keys and values ----> extents
//! ```
//!
//! Inner nodes of all kinds look alike: values of 26 bytes, `{pointer 16, entries u48, pages u32}`,
//! the last two of all that is in and below the child.

use cowslip_pager::{Child, Corruption, Extent, Kinds, PageId, Pointer, mutant, page};

use crate::{
    meta::{self, TableRecord},
    node::{self, Node},
};

/// Nodes of the tree of names.
pub const META: u8 = 1;
/// Nodes of a tree of tables.
pub const CATALOG: u8 = 2;
/// Nodes of a table.
pub const TABLE: u8 = 3;
/// No nodes, but raw pages: in a record of a catalog, a stored machine.
pub const RAW: u8 = 4;

/// Levels that a tree can have: fan-out is at least 3, positions are 32 bits.
pub(crate) const LEVELS_MAX: u8 = 24;

/// The engine's knowledge of its pages, for the pager and for tools that open a store without the
/// engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineKinds;

impl Kinds for EngineKinds {
    fn validate(&self, bytes: &[u8]) -> Result<(), Corruption> {
        let header = page::Header::read(bytes);
        let at = header.pointer.page.0;
        let kind = header.pointer.kind;
        if !matches!(kind, META | CATALOG | TABLE) {
            return Err(Corruption {
                page: at,
                what: "kind of node",
                expected: 3,
                found: kind.into(),
            });
        }
        if header.pointer.level > LEVELS_MAX {
            return Err(Corruption {
                page: at,
                what: "level of a node",
                expected: LEVELS_MAX.into(),
                found: header.pointer.level.into(),
            });
        }
        node::validate(bytes).map_err(|fault| Corruption {
            page: at,
            what: fault.what,
            expected: fault.expected,
            found: fault.found,
        })
    }

    fn children(
        &self,
        bytes: &[u8],
        visit: &mut dyn FnMut(Child) -> cowslip_pager::Result<()>,
    ) -> cowslip_pager::Result<()> {
        let header = page::Header::read(bytes).pointer;
        let node = Node::new(bytes);
        if !node.is_leaf() {
            for i in 0..node.count() {
                visit(Child::Node(Pointer::decode(node.child(i))))?;
            }
            return Ok(());
        }
        for i in 0..node.count() {
            let (value, extent) = node.value(i);
            match header.kind {
                TABLE if extent => {
                    visit(Child::Extent(Extent::decode(value, header.page, bytes.len())?))?;
                }
                TABLE => {}
                CATALOG => {
                    let record = TableRecord::decode(value, header.page)?;
                    if let Some(child) = record.child(header.page)? {
                        visit(child)?;
                    }
                }
                _ => {
                    let mut key = Vec::new();
                    node.write_key(i, &mut key);
                    if let Some(child) = meta::child_of(&key, value, header.page, bytes.len())? {
                        visit(child)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn child_pages(&self, bytes: &[u8], pages: &mut Vec<PageId>) -> cowslip_pager::Result<()> {
        let node = Node::new(bytes);
        if !node.is_leaf() {
            pages.extend((0..node.count()).map(|i| Pointer::decode(node.child(i)).page));
            return Ok(());
        }
        self.children(bytes, &mut |child| {
            pages.push(child.page());
            Ok(())
        })
    }
}

/// The children of a (valid) node page: those that may name something themselves, and the plain leaves.
pub(crate) fn children_to_drop(
    bytes: &[u8],
    children: &mut Vec<Child>,
    leaves: &mut Vec<Pointer>,
) -> cowslip_pager::Result<()> {
    let node = Node::new(bytes);
    if node.is_leaf() {
        return EngineKinds.children(bytes, &mut |child| {
            children.push(child);
            Ok(())
        });
    }
    for i in 0..node.count() {
        let child = Pointer::decode(node.child(i));
        if is_plain_leaf(&child, node.child(i)) {
            leaves.push(child);
        } else {
            children.push(Child::Node(child));
        }
    }
    Ok(())
}

/// A leaf of a table without any large value, by its parent's cell: it need not be read to be counted or dropped.
pub(crate) fn is_plain_leaf(child: &Pointer, cell: &[u8; node::CHILD]) -> bool {
    child.kind == TABLE && child.level == 0 && Sums::of_child(cell).pages == 1
}

/// The keys and values of a (valid) node page, for tools.
pub fn entries(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let node = Node::new(bytes);
    let entry = |index| {
        let mut key = Vec::new();
        node.write_key(index, &mut key);
        (key, node.value(index).0.to_vec())
    };
    (0..node.count()).map(entry).collect()
}

/// What is in and below a node, as the cell in its parent says (I10). Differences are sums as well:
/// the arithmetic wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    /// Entries of the leaves; in a cell 48 bits.
    pub(crate) entries: u64,
    /// Pages of nodes and extents; in a cell 32 bits. In a catalog those of its tables too.
    pub(crate) pages: u64,
}

const ENTRIES_END: usize = Pointer::SIZE + 6;

impl Sums {
    pub(crate) const NONE: Sums = Sums { entries: 0, pages: 0 };

    /// So many pages and no entries.
    pub(crate) fn pages(pages: u64) -> Sums {
        Sums { entries: 0, pages }
    }

    pub(crate) fn plus(self, other: Sums) -> Sums {
        Sums {
            entries: self.entries.wrapping_add(other.entries),
            pages: self.pages.wrapping_add(other.pages),
        }
    }

    /// What added takes this away again.
    pub(crate) fn negative(self) -> Sums {
        Sums { entries: self.entries.wrapping_neg(), pages: self.pages.wrapping_neg() }
    }

    /// Of a child, as its parent has them.
    pub(crate) fn of_child(child: &[u8; node::CHILD]) -> Sums {
        Sums {
            entries: page::u64_at(child, Pointer::SIZE) & 0xFFFF_FFFF_FFFF,
            pages: page::u32_at(child, ENTRIES_END).into(),
        }
    }

    /// Of a node, by its content.
    pub(crate) fn of_node(bytes: &[u8]) -> Sums {
        let node = Node::new(bytes);
        let own = Sums::pages(1);
        if !node.is_leaf() {
            return (0..node.count()).map(|i| Sums::of_child(node.child(i))).fold(own, Sums::plus);
        }
        let kind = page::Header::read(bytes).pointer.kind;
        let pages = (0..node.count()).map(|i| {
            let (value, extent) = node.value(i);
            value_pages(kind, value, extent, bytes.len())
        });
        let entries = node.count() as u64;
        Sums { entries, ..own }.plus(Sums::pages(pages.fold(0, u64::wrapping_add)))
    }

    /// Enters these sums in a child's cell.
    pub(crate) fn write(self, child: &mut [u8; node::CHILD]) {
        child[Pointer::SIZE..ENTRIES_END].copy_from_slice(&self.entries.to_le_bytes()[..6]);
        child[ENTRIES_END..].copy_from_slice(&(self.pages as u32).to_le_bytes());
    }
}

/// Pages that a leaf's value takes besides the leaf: those of an extent; in a catalog of the table.
#[inline]
pub(crate) fn value_pages(kind: u8, value: &[u8], extent: bool, page_size: usize) -> u64 {
    match kind {
        TABLE if mutant!(PagesOfValuesNotCounted) => 0,
        TABLE if extent && value.len() >= 8 => Extent::pages_for(page::u64_at(value, 0), page_size),
        CATALOG => TableRecord::pages_of(value),
        _ => 0,
    }
}

/// The cell of a child, as it stands in an inner node.
pub(crate) fn child_bytes(pointer: &Pointer, sums: Sums) -> [u8; node::CHILD] {
    let mut out = [0; node::CHILD];
    out[..Pointer::SIZE].copy_from_slice(&pointer.encode());
    sums.write(&mut out);
    out
}

/// A child stands exactly one level below its parent, so a damaged tree has no cycle.
#[inline]
pub(crate) fn check_level(parent: &Pointer, child: &Pointer) -> cowslip_pager::Result<()> {
    #[cold]
    fn other_level(parent: &Pointer, child: &Pointer) -> cowslip_pager::Error {
        cowslip_pager::Error::corrupted(
            parent.page.0,
            "level of a child",
            u64::from(parent.level).saturating_sub(1),
            child.level.into(),
        )
    }
    if child.level.checked_add(1) == Some(parent.level) {
        return Ok(());
    }
    Err(other_level(parent, child))
}

/// Children of the same tree keep its kind.
#[inline]
pub(crate) fn same_kind(parent: &[u8], child: Pointer) -> cowslip_pager::Result<Pointer> {
    #[cold]
    fn other_kind(parent: &[u8], child: &Pointer) -> cowslip_pager::Error {
        let parent = page::Header::read(parent).pointer;
        cowslip_pager::Error::corrupted(
            parent.page.0,
            "kind of a child",
            parent.kind.into(),
            child.kind.into(),
        )
    }
    if child.kind != page::kind(parent) || child.page == PageId::NONE {
        return Err(other_kind(parent, &child));
    }
    Ok(child)
}
