//! The page map as it stands in the file: directory pages and groups. Verifies their checksums,
//! their shape and the numbers of free pages; leaves to the later passes whether counts are right.

use std::collections::{HashMap, HashSet, VecDeque};

use cowslip_pager::{
    PageId,
    map::{DirectoryEntry, Entry},
    page::u32_at,
};

use super::{Check, hex};
use crate::{problem::Kind, report::Problem};

/// Groups kept in memory: at most 16 MiB.
const CACHED_BYTES: usize = 16 << 20;

/// The map, read group by group, with the superblock's delta list applied.
pub(crate) struct PageMap {
    /// By group; `None` where the directory or the group is damaged.
    groups: Vec<Option<DirectoryEntry>>,
    cache: HashMap<u64, Vec<u8>>,
    order: VecDeque<u64>,
    /// Groups about which the delta list was compared with their pages.
    compared: HashSet<u64>,
    /// Groups kept at most.
    most: usize,
    /// What stands for a group that was never written.
    absent: Vec<u8>,
    /// The free pages that an intact directory counts.
    free: Option<u64>,
    /// The directory's word about its own pages, by level; the first is unused.
    upper: Vec<Vec<Option<DirectoryEntry>>>,
    /// And about the groups, damaged ones included.
    words: Vec<Option<DirectoryEntry>>,
}

impl PageMap {
    /// Reads and verifies the directory.
    pub(crate) fn read(check: &mut Check<'_>) -> PageMap {
        let geometry = check.geometry;
        let superblock = check.superblock.clone();
        let groups = geometry.groups(superblock.pages);
        let depth = superblock.map.depth;
        let root = DirectoryEntry {
            crc: superblock.map.crc,
            free: 0,
            slot: superblock.map.slot,
            present: true,
        };
        let mut level_entries = vec![Some(root)];
        let mut upper = vec![Vec::new(); depth as usize + 1];
        for level in (1..=depth).rev() {
            let count = groups.div_ceil(geometry.fanout.saturating_pow(level - 1));
            let mut below = Vec::new();
            for (index, entry) in level_entries.iter().enumerate() {
                let left = count.saturating_sub(below.len() as u64).min(geometry.fanout);
                match entry {
                    None => below.resize(below.len() + left as usize, None),
                    Some(entry) if !entry.present => {
                        let absent = Some(DirectoryEntry::default());
                        below.resize(below.len() + left as usize, absent);
                    }
                    Some(entry) => {
                        let top = level == depth;
                        let page = directory_page(check, level, index as u64, entry, top);
                        decode(check, page, left, top, entry, &mut below);
                    }
                }
            }
            upper[level as usize] = std::mem::replace(&mut level_entries, below);
        }
        let free = level_entries
            .iter()
            .map(|entry| entry.map(|entry| u64::from(entry.free)))
            .try_fold(0u64, |sum, free| free.map(|free| sum + free))
            .map(|free| free.saturating_add_signed(superblock.delta.frees_of_all()));
        if let Some(free) = free
            && free != superblock.free
        {
            check.report.add(
                Problem::new(Kind::FreeCount, "free pages in the superblock")
                    .page(0)
                    .values(free, superblock.free),
            );
        }
        for page in superblock.delta.pages() {
            let group = level_entries.get(geometry.group_of(page) as usize);
            if group.is_some_and(|group| group.is_some_and(|group| !group.present)) {
                check.report.add(
                    Problem::new(
                        Kind::DeltaList,
                        "page of the delta list, in a group that was never written",
                    )
                    .page(page.0),
                );
            }
        }
        PageMap {
            words: level_entries.clone(),
            groups: level_entries,
            cache: HashMap::new(),
            order: VecDeque::new(),
            compared: HashSet::new(),
            most: (CACHED_BYTES / geometry.page_size).max(1),
            absent: vec![0; geometry.page_size],
            free,
            upper,
        }
    }

    /// Reads and verifies all of the map, and keeps it: eight bytes for each page of the file.
    pub(crate) fn copy(check: &mut Check<'_>) -> PageMap {
        let mut map = PageMap::read(check);
        map.most = usize::MAX;
        for group in 0..map.groups.len() as u64 {
            map.group(check, group);
        }
        map
    }

    /// Is the whole directory readable?
    pub(crate) fn is_whole(&self) -> bool {
        self.free.is_some()
    }

    /// What the map says about a page; `None` if that cannot be read.
    pub(crate) fn entry(&mut self, check: &mut Check<'_>, page: u64) -> Option<Entry> {
        let index = (page % check.geometry.group_pages) as usize;
        let group = page / check.geometry.group_pages;
        self.group(check, group).map(|bytes| Entry::decode(bytes, index))
    }

    /// The entries of a group, verified; `None` if it is damaged, which is reported once.
    pub(crate) fn group(&mut self, check: &mut Check<'_>, group: u64) -> Option<&[u8]> {
        let entry = (*self.groups.get(group as usize)?)?;
        if !entry.present {
            return Some(&self.absent);
        }
        if !self.cache.contains_key(&group) {
            let bytes = self.load(check, group, &entry)?;
            while self.order.len() >= self.most {
                if let Some(oldest) = self.order.pop_front() {
                    self.cache.remove(&oldest);
                }
            }
            self.order.push_back(group);
            self.cache.insert(group, bytes);
        }
        self.cache.get(&group).map(Vec::as_slice)
    }

    /// The free pages that directory and delta list count in a group.
    pub(crate) fn free_of(&self, check: &Check<'_>, group: u64) -> Option<u64> {
        let entry = (*self.groups.get(group as usize)?)?;
        let listed = check.superblock.delta.frees(check.geometry, group);
        Some(u64::from(entry.free).saturating_add_signed(listed))
    }

    /// The directory's word about a page of the map: a group (level 0), or a directory page.
    pub(crate) fn word(&self, level: u32, index: u64) -> Option<DirectoryEntry> {
        let entries = if level == 0 { &self.words } else { self.upper.get(level as usize)? };
        *entries.get(usize::try_from(index).ok()?)?
    }

    /// Was the group ever written?
    pub(crate) fn is_present(&self, group: u64) -> bool {
        self.groups.get(group as usize).copied().flatten().is_some_and(|entry| entry.present)
    }

    fn load(
        &mut self,
        check: &mut Check<'_>,
        group: u64,
        entry: &DirectoryEntry,
    ) -> Option<Vec<u8>> {
        let page = check.geometry.group_slot(group, entry.slot).0;
        let mut bytes = vec![0; check.geometry.page_size];
        let problem = match check.read(page, &mut bytes) {
            Err(what) => Problem::new(Kind::Group, format!("group {group}: {what}")),
            Ok(()) => {
                let crc = crc32fast::hash(&bytes);
                if crc == entry.crc {
                    apply_list(check, group, &mut bytes, self.compared.insert(group));
                    return Some(bytes);
                }
                Problem::new(Kind::Group, format!("checksum of group {group}"))
                    .values(hex(entry.crc), hex(crc))
            }
        };
        check.report.add(problem.page(page));
        self.groups[group as usize] = None;
        None
    }
}

/// Puts what the delta list says of a group into its page; reports where it is wrong about the page, if
/// it is to `compare`.
fn apply_list(check: &mut Check<'_>, group: u64, bytes: &mut [u8], compare: bool) {
    let geometry = check.geometry;
    let at = |page: PageId| 8 * (page.0 % geometry.group_pages) as usize;
    let list = check.superblock.delta.clone();
    for newer in list.of_group(geometry, group) {
        let at = at(newer.page);
        let turns = (u32_at(bytes, at) == 0) != (newer.count == 0);
        if compare && turns != newer.turns {
            let what = "turn in the delta list (from free to used, or back)";
            check.report.add(
                Problem::new(Kind::FreeCount, what)
                    .page(newer.page.0)
                    .values(u64::from(turns), u64::from(newer.turns)),
            );
        }
        bytes[at..at + 4].copy_from_slice(&newer.count.to_le_bytes());
    }
    for newer in list.checksums_of_group(geometry, group) {
        let at = at(newer.page) + 4;
        bytes[at..at + 4].copy_from_slice(&newer.crc.to_le_bytes());
    }
}

fn directory_page(
    check: &mut Check<'_>,
    level: u32,
    index: u64,
    entry: &DirectoryEntry,
    top: bool,
) -> Option<Vec<u8>> {
    let mut whole = None;
    let mut problems = Vec::new();
    for copy in 0..if top { 2 } else { 1 } {
        let page = check.geometry.directory_slot(level, index, entry.slot, copy).0;
        let mut bytes = vec![0; check.geometry.page_size];
        let what = format!("directory page {index} of level {level}, copy {copy}");
        match check.read(page, &mut bytes) {
            Err(error) => problems.push((page, format!("{what}: {error}"), None)),
            Ok(()) => {
                let crc = crc32fast::hash(&bytes);
                if crc == entry.crc {
                    whole = Some(bytes);
                } else {
                    problems.push((page, format!("checksum of {what}"), Some(crc)));
                }
            }
        }
    }
    let kind = if whole.is_some() { Kind::DirectoryCopy } else { Kind::DirectoryPage };
    for (page, what, crc) in problems {
        let mut problem = Problem::new(kind, what).page(page);
        if let Some(crc) = crc {
            problem = problem.values(hex(entry.crc), hex(crc));
        }
        check.report.add(problem);
    }
    whole
}

/// Reads `left` entries of a directory page.
fn decode(
    check: &mut Check<'_>,
    page: Option<Vec<u8>>,
    left: u64,
    top: bool,
    parent: &DirectoryEntry,
    below: &mut Vec<Option<DirectoryEntry>>,
) {
    let Some(page) = page else {
        below.resize(below.len() + left as usize, None);
        return;
    };
    let mut free = Some(0u64);
    for index in 0..left as usize {
        let entry = match DirectoryEntry::decode(&page, index) {
            Ok(entry) => Some(entry),
            Err(error) => {
                check.report.add(Problem::new(
                    Kind::DirectoryPage,
                    format!("entry {index} of a directory page: {error}"),
                ));
                None
            }
        };
        free = free.zip(entry).map(|(sum, entry)| sum + u64::from(entry.free));
        below.push(entry);
    }
    // The superblock's own number is compared with the whole.
    if let Some(free) = free
        && !top
        && u64::from(parent.free) != free.min(u32::MAX.into())
    {
        check.report.add(
            Problem::new(Kind::FreeCount, "free pages below a directory page")
                .values(free, parent.free),
        );
    }
}
