//! The overlay of counts (R2): what the running transaction has made of the owners of pages.
//!
//! Copying one inner node of a shared tree raises the counts of a hundred children, which lie
//! anywhere. So the overlay is dense: when a transaction first asks for a count of a group, the
//! counts of all its pages are copied from the map, and from then on neither the map nor its lock is
//! needed for them. Commit applies what has changed, group by group; an abort drops it all.

use crate::{geometry::Geometry, hash::NumberMap, page::PageId};

pub(super) struct Counts {
    /// Pages of a group, a power of two, as a shift.
    shift: u32,
    groups: NumberMap<u64, Group>,
}

struct Group {
    counts: Box<[u32]>,
    /// A bit for each page whose count the transaction has set.
    changed: Box<[u64]>,
}

impl Counts {
    pub(super) fn new(geometry: &Geometry) -> Counts {
        Counts { shift: geometry.group_pages.trailing_zeros(), groups: NumberMap::default() }
    }

    fn place(&self, page: PageId) -> (u64, usize) {
        (page.0 >> self.shift, (page.0 & ((1 << self.shift) - 1)) as usize)
    }

    /// The count of a page, if its group is in the overlay.
    pub(super) fn get(&self, page: PageId) -> Option<u32> {
        let (group, index) = self.place(page);
        self.groups.get(&group).map(|group| group.counts[index])
    }

    /// Has the transaction set the count of this page?
    pub(super) fn is_changed(&self, page: PageId) -> bool {
        let (group, index) = self.place(page);
        let group = self.groups.get(&group);
        group.is_some_and(|group| group.changed[index / 64] & 1 << (index % 64) != 0)
    }

    /// Takes the group of `page` in, as the map has it.
    pub(super) fn insert_group(&mut self, page: PageId, words: &[u64]) {
        let counts = words.iter().map(|&word| word as u32).collect();
        let changed = vec![0; words.len().div_ceil(64)].into();
        self.groups.insert(self.place(page).0, Group { counts, changed });
    }

    /// Adds an owner to a page that has one and whose group is in the overlay. False: not done.
    #[inline]
    pub(super) fn raise(&mut self, page: PageId) -> bool {
        let (group, index) = self.place(page);
        let Some(group) = self.groups.get_mut(&group) else { return false };
        let count = &mut group.counts[index];
        if *count == 0 || *count == u32::MAX {
            return false;
        }
        *count += 1;
        group.changed[index / 64] |= 1 << (index % 64);
        true
    }

    /// Sets the count of a page whose group is in the overlay.
    pub(super) fn set(&mut self, page: PageId, count: u32) {
        let (group, index) = self.place(page);
        let group = self.groups.get_mut(&group).expect("the group was taken in before");
        group.counts[index] = count;
        group.changed[index / 64] |= 1 << (index % 64);
    }

    /// Forgets a page of this transaction, free before it and free again.
    pub(super) fn forget(&mut self, page: PageId) {
        let (group, index) = self.place(page);
        if let Some(group) = self.groups.get_mut(&group) {
            group.counts[index] = 0;
            group.changed[index / 64] &= !(1 << (index % 64));
        }
    }

    /// What has changed: for each group its number, and the pages' indices in it with their counts.
    pub(super) fn changes(
        &self,
    ) -> impl Iterator<Item = (u64, impl Iterator<Item = (usize, u32)>)> {
        self.groups.iter().map(|(&number, group)| (number, group.changes()))
    }
}

impl Group {
    fn changes(&self) -> impl Iterator<Item = (usize, u32)> {
        self.changed.iter().enumerate().flat_map(move |(word, &bits)| {
            let ones = std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)));
            let indices = ones.take_while(|&bits| bits != 0);
            indices.map(move |bits| {
                let index = word * 64 + bits.trailing_zeros() as usize;
                (index, self.counts[index])
            })
        })
    }
}
