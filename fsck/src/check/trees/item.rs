//! A pointer to follow, and what is known of its target before it is read: whose it is, what it should hold, and the
//! way to it, for whoever reads the report.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
};

use cowslip_pager::{
    Pointer,
    page::{u32_at, u64_at},
};

use crate::report::{keys_text, owner_text};

/// What is in and below a node, as its parent says or as was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) entries: u64,
    pub(crate) pages: u64,
}

impl Sums {
    pub(crate) fn of_child(cell: &[u8]) -> Sums {
        let entries = u64_at(cell, Pointer::SIZE) & 0xFFFF_FFFF_FFFF;
        Sums { entries, pages: u32_at(cell, Pointer::SIZE + 6).into() }
    }

    /// `None`: more than a word holds.
    pub(crate) fn plus(self, other: Sums) -> Option<Sums> {
        Some(Sums {
            entries: self.entries.checked_add(other.entries)?,
            pages: self.pages.checked_add(other.pages)?,
        })
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} entries on {} pages", self.entries, self.pages)
    }
}

/// Who leads to a page.
pub(super) struct Owner {
    /// Such as `branch main`.
    pub(super) line: String,
    pub(super) table: Option<String>,
    /// A branch's promise that what is younger has one owner.
    pub(super) shared_at: Option<u64>,
}

impl Owner {
    pub(super) fn name(&self) -> String {
        owner_text(&self.line, self.table.as_deref())
    }
}

/// Inclusive, and exclusive; `None`: no bound.
#[derive(Clone, Default)]
pub(super) struct Bounds {
    pub(super) low: Option<Rc<[u8]>>,
    pub(super) high: Option<Rc<[u8]>>,
    /// Nothing is known: the tree is reached from its middle.
    pub(super) unknown: bool,
}

impl Bounds {
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.low, &self.high, self.unknown).hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn text(&self) -> Option<String> {
        (!self.unknown).then(|| keys_text(self.low.as_deref(), self.high.as_deref()))
    }
}

/// A step on the way from the root.
pub(super) struct Step {
    pub(super) page: u64,
    pub(super) index: usize,
    pub(super) above: Option<Rc<Step>>,
}

/// A pointer to follow, and what is known of its target.
pub(super) struct Item {
    pub(super) pointer: Pointer,
    pub(super) parent: u64,
    pub(super) parent_stamp: u64,
    /// `None`: any.
    pub(super) kind: Option<u8>,
    /// `None`: the root of a tree.
    pub(super) level: Option<u8>,
    pub(super) tree: Option<u64>,
    /// In a cell of an inner node.
    pub(super) sums: Option<Sums>,
    /// In the record of a table.
    pub(super) pages: Option<u64>,
    pub(super) bounds: Bounds,
    pub(super) owner: Rc<Owner>,
    pub(super) way: Option<Rc<Step>>,
}

impl Item {
    pub(super) fn path(&self) -> String {
        let mut steps = vec![self.pointer.page.0.to_string()];
        let mut at = self.way.as_ref();
        while let Some(step) = at {
            if steps.len() > 80 {
                steps.push("…".into());
                break;
            }
            steps.push(format!("{}:{}", step.page, step.index));
            at = step.above.as_ref();
        }
        steps.reverse();
        steps.join(" > ")
    }
}

/// What is known of a page with several owners.
pub(super) struct Shared {
    pub(super) pointer: Pointer,
    pub(super) tree: u64,
    pub(super) sums: Option<Sums>,
    pub(super) bounds: u64,
    pub(super) owners_left: u32,
}

/// The root of a tree that an entry of a leaf names.
pub(super) fn child(
    item: &Item,
    pointer: Pointer,
    kind: Option<u8>,
    tree: Option<u64>,
    owner: Owner,
    way: Rc<Step>,
) -> Item {
    Item {
        pointer,
        parent: item.pointer.page.0,
        parent_stamp: item.pointer.stamp,
        kind,
        level: None,
        tree,
        sums: None,
        pages: None,
        bounds: Bounds::default(),
        owner: Rc::new(owner),
        way: Some(way),
    }
}
