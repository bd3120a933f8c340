//! Writing nodes, from the layout in `docs/format.md` §5: sorted entries are packed into as few slotted
//! nodes as hold them, and inner nodes are put above.

use cowslip_pager::{
    Extent, Pointer,
    page::{node_crc, u64_at},
};

use super::work::{Halt, Work};
use crate::{check::Sums, walk::NodeReader};

const HEADER: usize = 64;
/// Bytes of an entry besides its key and value.
const ENTRY: usize = 12;

/// An entry of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// The value is an extent's encoding.
    pub(crate) extent: bool,
}

/// A subtree, as an inner node names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its keys are not below this one. Empty: no bound.
    pub(super) low: Vec<u8>,
    pub(super) pointer: Pointer,
    pub(super) sums: Sums,
}

/// What a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) kind: u8,
    pub(super) id: u64,
}

/// A verified node's entries; of an inner node each key is the child's lower bound.
pub(crate) fn entries(page: &[u8]) -> Option<Vec<Entry>> {
    let node = NodeReader::new(page).ok()?;
    let mut key = Vec::new();
    (0..node.count())
        .map(|i| {
            let entry = node.entry(i).ok()?;
            entry.key(&mut key);
            Some(Entry { key: key.clone(), value: entry.value.to_vec(), extent: entry.extent })
        })
        .collect()
}

/// The children of a verified inner node. The first one's bound is the node's.
pub(super) fn cells(page: &[u8], low: &[u8]) -> Option<Vec<Cell>> {
    let mut cells: Vec<Cell> = Vec::new();
    for (i, entry) in entries(page)?.into_iter().enumerate() {
        if i > 1 && cells[i - 1].low >= entry.key {
            return None;
        }
        cells.push(Cell {
            low: if i == 0 { low.to_vec() } else { entry.key },
            pointer: Pointer::decode(&entry.value),
            sums: Sums::of_child(&entry.value),
        });
    }
    Some(cells)
}

/// Pages that a leaf's value takes besides the leaf.
pub(super) fn pages_of(kind: u8, entry: &Entry, page_size: usize) -> u64 {
    use cowslip::kinds::{CATALOG, TABLE};
    match kind {
        TABLE if entry.extent && entry.value.len() >= 8 => {
            Extent::pages_for(u64_at(&entry.value, 0), page_size)
        }
        CATALOG if entry.value.len() >= 32 => u64_at(&entry.value, 24),
        _ => 0,
    }
}

impl Work<'_> {
    /// Leaves of these entries, which ascend. The first one's bound is `low`.
    pub(super) fn leaves(
        &mut self,
        tree: Tree,
        low: &[u8],
        entries: &[Entry],
    ) -> Result<Vec<Cell>, Halt> {
        let mut cells = Vec::new();
        for part in self.parts(entries, false) {
            let pointer = self.node(tree, 0, part)?;
            let size = self.geometry.page_size;
            let low = if cells.is_empty() { low.to_vec() } else { part[0].key.clone() };
            let sums = part
                .iter()
                .map(|entry| pages_of(tree.kind, entry, size))
                .try_fold(Sums { entries: 0, pages: 1 }, |sums, pages| {
                    sums.plus(Sums { entries: 1, pages })
                });
            let sums = sums.ok_or(Halt::Unsound)?;
            cells.push(Cell { low, pointer, sums });
        }
        Ok(cells)
    }

    /// Inner nodes of this level above `below`.
    pub(super) fn inner(
        &mut self,
        tree: Tree,
        level: u8,
        below: &[Cell],
    ) -> Result<Vec<Cell>, Halt> {
        let entries: Vec<Entry> = below
            .iter()
            .map(|cell| {
                let mut value = cell.pointer.encode().to_vec();
                value.extend_from_slice(&cell.sums.entries.to_le_bytes()[..6]);
                value.extend_from_slice(&(cell.sums.pages as u32).to_le_bytes());
                Entry { key: cell.low.clone(), value, extent: false }
            })
            .collect();
        let mut cells = Vec::new();
        let mut at = 0;
        for part in self.parts(&entries, true) {
            let pointer = self.node(tree, level, part)?;
            let mut sums = Sums { entries: 0, pages: 1 };
            for cell in &below[at..at + part.len()] {
                sums = sums.plus(cell.sums).ok_or(Halt::Unsound)?;
            }
            cells.push(Cell { low: below[at].low.clone(), pointer, sums });
            at += part.len();
        }
        Ok(cells)
    }

    /// Nodes of `level` above these of a lower one.
    pub(super) fn raised(
        &mut self,
        tree: Tree,
        mut cells: Vec<Cell>,
        level: u8,
    ) -> Result<Vec<Cell>, Halt> {
        while let Some(cell) = cells.first()
            && cell.pointer.level < level
        {
            cells = self.inner(tree, cell.pointer.level + 1, &cells)?;
        }
        Ok(cells)
    }

    /// One root above these nodes of one level; `None`: the tree is empty.
    pub(super) fn root(&mut self, tree: Tree, mut cells: Vec<Cell>) -> Result<Option<Cell>, Halt> {
        while cells.len() > 1 {
            cells = self.inner(tree, cells[0].pointer.level + 1, &cells)?;
        }
        Ok(cells.pop())
    }

    /// Splits entries into what fits a node each.
    fn parts<'e>(&self, entries: &'e [Entry], inner: bool) -> Vec<&'e [Entry]> {
        let mut parts = Vec::new();
        let mut start = 0;
        while start < entries.len() {
            let mut end = start + 1;
            // Without the prefix: what fits so fits with it.
            let mut used = HEADER + size(&entries[start], inner);
            while end < entries.len() {
                used += size(&entries[end], false);
                if used > self.geometry.page_size {
                    break;
                }
                end += 1;
            }
            parts.push(&entries[start..end]);
            start = end;
        }
        parts
    }

    /// Writes one node.
    fn node(&mut self, tree: Tree, level: u8, entries: &[Entry]) -> Result<Pointer, Halt> {
        let place = self.allocate()?;
        let size = self.geometry.page_size;
        let mut page = vec![0; size];
        let skip = usize::from(level > 0);
        let keys: Vec<&[u8]> = entries
            .iter()
            .enumerate()
            .map(|(i, entry)| if i < skip { &[][..] } else { &entry.key })
            .collect();
        let prefix = match keys.get(skip..) {
            Some([first, .., last]) => {
                let equal = first.iter().zip(*last).take_while(|(a, b)| a == b).count();
                first[..equal].to_vec()
            }
            _ => Vec::new(),
        };
        let heads = HEADER + prefix.len();
        let slots = heads + 4 * entries.len();
        let area = slots + 8 * entries.len();
        let (mut key_at, mut value_at) = (0, size);
        for (i, (entry, key)) in entries.iter().zip(&keys).enumerate() {
            let suffix = if i < skip { key } else { &key[prefix.len()..] };
            let (head, rest) = suffix.split_at(suffix.len().min(4));
            let mut word = [0; 4];
            word[..head.len()].copy_from_slice(head);
            word.reverse();
            page[heads + 4 * i..][..4].copy_from_slice(&word);
            value_at -= entry.value.len();
            let length = entry.value.len() as u16 | if entry.extent { 0x8000 } else { 0 };
            let slot = [
                if rest.is_empty() { 0 } else { key_at as u16 },
                suffix.len() as u16,
                if entry.value.is_empty() { 0 } else { value_at as u16 },
                length,
            ];
            for (field, word) in slot.into_iter().enumerate() {
                page[slots + 8 * i + 2 * field..][..2].copy_from_slice(&word.to_le_bytes());
            }
            page[area + key_at..][..rest.len()].copy_from_slice(rest);
            key_at += rest.len();
            page[value_at..][..entry.value.len()].copy_from_slice(&entry.value);
        }
        let pointer = Pointer { page: place, kind: tree.kind, level, stamp: self.stamp };
        page[4] = tree.kind;
        page[5] = level;
        for (at, word) in [
            (8, place.0),
            (16, self.stamp),
            (24, if tree.kind == cowslip::kinds::TABLE { tree.id } else { 0 }),
            (32, self.old.store),
        ] {
            page[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        page[6..8].copy_from_slice(&(entries.len() as u16).to_le_bytes());
        page[40..42].copy_from_slice(&(prefix.len() as u16).to_le_bytes());
        page[44..48].copy_from_slice(&(key_at as u32).to_le_bytes());
        page[48..52].copy_from_slice(&(value_at as u32).to_le_bytes());
        page[HEADER..heads].copy_from_slice(&prefix);
        let crc = node_crc(&page);
        page[..4].copy_from_slice(&crc.to_le_bytes());
        self.write_page(place, &page);
        Ok(pointer)
    }
}

fn size(entry: &Entry, keyless: bool) -> usize {
    let key = if keyless { 0 } else { entry.key.len() };
    ENTRY + key + entry.value.len()
}
