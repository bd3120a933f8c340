//! Areas: the segments of an address space, and the sorted list of them.
//!
//! An area is a range of pages with one protection, one backing and one set of advice. Neighbours
//! that agree in all of it are one area: a split is undone by the call that makes both halves alike
//! again. That is not cosmetic, since `fork` copies the tables of a whole area or not at all
//! ([`Area::anonymous_origin`]).

use std::ops::Range;

/// What may be done with the pages of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Protection {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Protection {
    /// No access.
    pub const NONE: Protection = Protection { read: false, write: false, execute: false };
    /// Loads only.
    pub const READ: Protection = Protection { read: true, write: false, execute: false };
    /// Loads and stores.
    pub const READ_WRITE: Protection = Protection { read: true, write: true, execute: false };
    /// Loads and instruction fetches.
    pub const READ_EXECUTE: Protection = Protection { read: true, write: false, execute: true };

    /// Is a store, or else a load, allowed?
    pub fn allows(self, write: bool) -> bool {
        if write { self.write } else { self.any() }
    }

    /// Is any access allowed?
    pub fn any(self) -> bool {
        self.read || self.write || self.execute
    }
}

/// The number of a file of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub u32);

/// Where the contents of untouched pages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    /// Zeros. The number is the page that the first one had when the area was made: it stays when
    /// the pages move.
    Anonymous {
        /// Of the area's first page.
        origin: u64,
    },
    /// A file, from a page of it on. Anonymous memory that is shared is a file without a name.
    File {
        /// Which.
        file: FileId,
        /// The file's page at the area's first one.
        offset: u64,
    },
}

impl Backing {
    /// The same, `pages` further on.
    fn advanced(self, pages: u64) -> Backing {
        match self {
            Backing::Anonymous { origin } => Backing::Anonymous { origin: origin + pages },
            Backing::File { file, offset } => Backing::File { file, offset: offset + pages },
        }
    }
}

/// What `madvise` and others have said of an area, and what it was charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advice {
    /// A child does not get it (`DONTFORK`).
    pub not_forked: bool,
    /// A child gets it empty (`WIPEONFORK`).
    pub wiped_on_fork: bool,
    /// Equal pages may be merged (`MERGEABLE`).
    pub mergeable: bool,
    /// Its pages stay in memory (`mlock`).
    pub locked: bool,
    /// Huge pages are wanted (`HUGEPAGE`).
    pub huge: bool,
    /// Huge pages are not wanted (`NOHUGEPAGE`).
    pub never_huge: bool,
    /// Will be read at random places (`RANDOM`).
    pub random: bool,
    /// Will be read in order (`SEQUENTIAL`).
    pub sequential: bool,
    /// Not charged when it was made (`MAP_NORESERVE`).
    pub unreserved: bool,
    /// Its pages are charged against the commit limit.
    pub charged: bool,
    /// Grows downwards when the page below it is touched.
    pub stack: bool,
}

/// Which set of processes may share the private pages of an area, and whether the set began before
/// the last fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Equal numbers: the pages are known to one another.
    pub number: u64,
    /// It came through a fork: areas with it are not joined to areas without any.
    pub inherited: bool,
}

/// An area.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its pages.
    pub pages: Range<u64>,
    /// What may be done with them.
    pub protection: Protection,
    /// Writes are seen by all who map it.
    pub shared: bool,
    /// Where untouched pages come from.
    pub backing: Backing,
    /// Advice and charges.
    pub advice: Advice,
    /// Set when the first private page was made in it; areas without are not copied by `fork`
    /// (Linux: `anon_vma`).
    pub anonymous_origin: Option<Origin>,
    /// What the area is, for people: heap, stack, text of a program ...
    pub name: Option<std::sync::Arc<str>>,
}

impl Area {
    /// Pages in it.
    pub fn len(&self) -> u64 {
        self.pages.end - self.pages.start
    }

    /// Never: an area without pages is no area.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Private memory that no file backs.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.backing, Backing::Anonymous { .. })
    }

    /// Private, and pages may be written.
    pub fn is_private_writable(&self) -> bool {
        !self.shared && self.protection.write
    }

    /// The file's page at `page` of this area.
    pub(crate) fn file_page(&self, page: u64) -> Option<(FileId, u64)> {
        match self.backing {
            Backing::File { file, offset } => Some((file, offset + (page - self.pages.start))),
            Backing::Anonymous { .. } => None,
        }
    }

    /// Cuts at `page`: what is behind becomes an area of its own.
    fn split_off(&mut self, page: u64) -> Area {
        let mut behind = self.clone();
        behind.pages.start = page;
        behind.backing = self.backing.advanced(page - self.pages.start);
        self.pages.end = page;
        behind
    }

    /// May `next` be joined to the end of this area?
    fn joins(&self, next: &Area) -> bool {
        self.pages.end == next.pages.start
            && self.protection == next.protection
            && self.shared == next.shared
            && self.advice == next.advice
            && self.name == next.name
            && self.backing.advanced(self.len()) == next.backing
            && origins_join(self.anonymous_origin, next.anonymous_origin)
    }

    /// Could the two have one origin, though their protection may differ?
    fn lends_origin(&self, next: &Area) -> bool {
        self.pages.end == next.pages.start
            && self.shared == next.shared
            && self.advice == next.advice
            && self.backing.advanced(self.len()) == next.backing
    }
}

/// An origin joins an area that has none, unless it came through a fork.
fn origins_join(a: Option<Origin>, b: Option<Origin>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a == b,
        (Some(one), None) | (None, Some(one)) => !one.inherited,
    }
}

/// The areas of an address space, sorted, disjoint.
#[derive(Debug, Clone, Default)]
pub struct Areas(Vec<Area>);

impl Areas {
    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Pages of all of them.
    pub fn pages(&self) -> u64 {
        self.0.iter().map(Area::len).sum()
    }

    /// The place of the first area that ends behind `page`.
    fn place(&self, page: u64) -> usize {
        self.0.partition_point(|area| area.pages.end <= page)
    }

    /// The area that `page` lies in.
    pub fn find(&self, page: u64) -> Option<&Area> {
        self.0.get(self.place(page)).filter(|area| area.pages.start <= page)
    }

    /// The first area that starts at `page` or behind it.
    pub(crate) fn after(&self, page: u64) -> Option<&Area> {
        self.0.get(self.0.partition_point(|area| area.pages.start < page))
    }

    /// The pages around `pages` that belong to no area, once `pages` are unmapped.
    pub(crate) fn gap_around(&self, pages: &Range<u64>) -> Range<u64> {
        let place = self.0.partition_point(|area| area.pages.end <= pages.start);
        let before = place.checked_sub(1).map_or(0, |place| self.0[place].pages.end);
        let behind = self.0.iter().skip(place).find(|area| area.pages.start >= pages.end);
        before..behind.map_or(u64::MAX, |area| area.pages.start)
    }

    /// The parts of areas that lie in `pages`, in order.
    pub(crate) fn within(&self, pages: &Range<u64>) -> Vec<Range<u64>> {
        self.0[self.place(pages.start)..]
            .iter()
            .take_while(|area| area.pages.start < pages.end)
            .map(|area| area.pages.start.max(pages.start)..area.pages.end.min(pages.end))
            .collect()
    }

    /// Is the whole of `pages` in areas?
    pub(crate) fn covers(&self, pages: &Range<u64>) -> bool {
        self.within(pages).iter().map(|part| part.end - part.start).sum::<u64>()
            == pages.end - pages.start
    }

    /// The first `length` free pages in a row within `pages`, the highest ones first.
    pub(crate) fn find_gap(&self, pages: Range<u64>, length: u64) -> Option<u64> {
        let mut end = pages.end;
        for area in self.0.iter().rev() {
            if area.pages.start >= end {
                continue;
            }
            if end.saturating_sub(area.pages.end.max(pages.start)) >= length {
                return Some(end - length);
            }
            end = end.min(area.pages.start);
        }
        (end.saturating_sub(pages.start) >= length).then(|| end - length)
    }

    /// Adds an area behind all others, as it is.
    pub(crate) fn push(&mut self, area: Area) {
        self.0.push(area);
    }

    /// Adds an area where none is, and joins it to its neighbours if they are alike.
    pub(crate) fn insert(&mut self, area: Area) {
        let place = self.place(area.pages.start);
        let pages = area.pages.clone();
        self.0.insert(place, area);
        self.join_around(&pages);
    }

    /// Removes what lies in `pages`, splitting areas at its ends. What is removed is returned.
    pub(crate) fn remove(&mut self, pages: &Range<u64>) -> Vec<Area> {
        self.split_at(pages.start);
        self.split_at(pages.end);
        let from = self.place(pages.start);
        let to = self.0.partition_point(|area| area.pages.start < pages.end);
        self.0.drain(from..to.max(from)).collect()
    }

    fn split_at(&mut self, page: u64) {
        let place = self.place(page);
        if let Some(area) = self.0.get_mut(place).filter(|area| area.pages.start < page) {
            let behind = area.split_off(page);
            self.0.insert(place + 1, behind);
        }
    }

    /// Changes the part of one area that lies in `pages`: the area is split where it must be, and
    /// joined to neighbours that are like it afterwards. A change that changes nothing leaves the
    /// list alone.
    pub(crate) fn change(&mut self, pages: &Range<u64>, change: impl Fn(&mut Area)) {
        let Some(area) = self.find(pages.start) else { return };
        let mut after = area.clone();
        change(&mut after);
        if after == *area {
            return;
        }
        let pages = pages.start..pages.end.min(area.pages.end);
        self.split_at(pages.start);
        self.split_at(pages.end);
        let place = self.place(pages.start);
        change(&mut self.0[place]);
        self.join_around(&pages);
    }

    /// Joins the area at `pages` to the one before and the one behind, where they are alike.
    fn join_around(&mut self, pages: &Range<u64>) {
        for page in [pages.end, pages.start] {
            let place = self.0.partition_point(|area| area.pages.start < page);
            if place == 0 || place >= self.0.len() || !self.0[place - 1].joins(&self.0[place]) {
                continue;
            }
            let behind = self.0.remove(place);
            let area = &mut self.0[place - 1];
            area.pages.end = behind.pages.end;
            area.anonymous_origin = area.anonymous_origin.or(behind.anonymous_origin);
        }
    }

    /// The origin that an area's first private page gets: that of a neighbour with which it could
    /// be one but for the protection, else `fresh`.
    pub(crate) fn prepare_origin(&mut self, page: u64, fresh: impl FnOnce() -> u64) {
        let place = self.place(page);
        let Some(area) = self.0.get(place) else { return };
        if area.anonymous_origin.is_some() {
            return;
        }
        let of = |other: &Area| other.anonymous_origin.filter(|origin| !origin.inherited);
        let behind = self.0.get(place + 1).filter(|next| area.lends_origin(next)).and_then(of);
        let before = place
            .checked_sub(1)
            .map(|place| &self.0[place])
            .filter(|previous| previous.lends_origin(area))
            .and_then(of);
        let origin = behind.or(before);
        self.0[place].anonymous_origin =
            Some(origin.unwrap_or_else(|| Origin { number: fresh(), inherited: false }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(pages: Range<u64>) -> Area {
        Area {
            backing: Backing::Anonymous { origin: pages.start },
            pages,
            protection: Protection::READ_WRITE,
            shared: false,
            advice: Advice::default(),
            anonymous_origin: None,
            name: None,
        }
    }

    fn ranges(areas: &Areas) -> Vec<Range<u64>> {
        areas.iter().map(|area| area.pages.clone()).collect()
    }

    #[test]
    fn a_split_is_undone_when_both_halves_are_alike_again() {
        let mut areas = Areas::default();
        areas.insert(area(0..100));
        areas.change(&(20..30), |area| area.protection = Protection::READ);
        assert_eq!(ranges(&areas), [0..20, 20..30, 30..100]);
        areas.change(&(20..30), |area| area.protection = Protection::READ_WRITE);
        assert_eq!(ranges(&areas), vec![0..100; 1]);
    }

    #[test]
    fn neighbours_with_an_inherited_origin_stay_apart_from_those_without() {
        let mut areas = Areas::default();
        let origin = Origin { number: 1, inherited: true };
        areas.insert(Area { anonymous_origin: Some(origin), ..area(0..10) });
        areas.insert(area(10..20));
        assert_eq!(ranges(&areas), [0..10, 10..20]);
        let origin = Origin { number: 2, inherited: false };
        areas.insert(Area { anonymous_origin: Some(origin), ..area(20..30) });
        assert_eq!(ranges(&areas), [0..10, 10..30]);
    }

    #[test]
    fn gaps_are_found_from_the_top() {
        let mut areas = Areas::default();
        areas.insert(area(10..20));
        areas.insert(area(25..30));
        assert_eq!(areas.find_gap(0..40, 10), Some(30));
        assert_eq!(areas.find_gap(0..32, 5), Some(20));
        assert_eq!(areas.find_gap(0..32, 10), Some(0));
        assert_eq!(areas.find_gap(0..32, 11), None);
        assert_eq!(areas.gap_around(&(20..25)), 20..25);
        assert_eq!(areas.gap_around(&(30..31)), 30..u64::MAX);
    }
}
