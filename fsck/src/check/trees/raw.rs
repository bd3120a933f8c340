//! Stored machines: raw pages by the map's checksums, from the root that a record names down to the
//! data. What they mean is the machine's business; who owns them, and how far down they lead, is
//! checked here.

use cowslip::meta::TableRecord;
use cowslip_pager::{PageId, Raw};

use super::{Walk, item::Item};
use crate::{
    check::{
        hex,
        machine::{Tried, distinct, try_machine},
    },
    problem::Kind,
    report::Problem,
    walk::Role,
};

impl Walk<'_, '_> {
    /// A machine, from its record in a catalog.
    pub(super) fn machine(&mut self, item: &Item, record: &TableRecord) {
        self.check.report.machines += 1;
        if record.root.stamp > item.pointer.stamp {
            let problem = Problem::new(Kind::ChildStamp, "stamp of a machine (at most)");
            let stamps = (hex(item.pointer.stamp), hex(record.root.stamp));
            self.problem(item, problem.values(stamps.0, stamps.1));
        }
        let root = Raw { page: record.root.page, height: record.root.level };
        if root.height != Raw::HEIGHT_MAX {
            let problem = Problem::new(Kind::RawPointer, "height of a machine");
            self.problem(item, problem.values(Raw::HEIGHT_MAX, root.height));
        }
        let before = self.check.report.raw_pages;
        let Some(most) = self.raw(item, root) else { return };
        let page = root.page.0;
        if let Some((pages, wrong)) = self.machines.get(&page).cloned() {
            // Another version has it, too.
            return self.judge_machine(item, record, pages, wrong);
        }
        let (storage, geometry) = (self.check.storage, self.check.geometry);
        let read =
            |page, bytes: &mut [u8]| storage.read_at(bytes, geometry.offset(PageId(page))).is_ok();
        // Each page counts once; some may have been met below other machines, or twice below this one.
        let new = self.check.report.raw_pages - before;
        let pages = match new == most {
            true => Some(most),
            false => distinct(root, self.roles.pages(), &read),
        };
        let Some(pages) = pages else { return };
        let wrong = match try_machine(record, pages, &read) {
            Tried::Well => None,
            Tried::Wrong(problem) => Some(problem),
            Tried::TooLarge => {
                self.check.report.note(format!(
                    "not tried: whether the machine of {pages} pages at page {page} can be resumed"
                ));
                None
            }
        };
        self.machines.insert(page, (pages, wrong.clone()));
        self.judge_machine(item, record, pages, wrong);
    }

    /// What is wrong with a machine that has so many pages, each once.
    fn judge_machine(
        &mut self,
        item: &Item,
        record: &TableRecord,
        pages: u64,
        wrong: Option<Problem>,
    ) {
        if pages != record.pages {
            let problem = Problem::new(Kind::EntryCount, "pages in the record of a machine");
            self.problem(item, problem.values(pages, record.pages));
        }
        if let Some(problem) = wrong {
            self.problem(item, problem);
        }
    }

    /// A raw page and what is below it: how many pages, each once for every way that leads to it.
    /// None: some of it could not be seen.
    pub(super) fn raw(&mut self, item: &Item, raw: Raw) -> Option<u64> {
        let Raw { page: PageId(page), height } = raw;
        let pages = self.check.superblock.pages;
        if height > Raw::HEIGHT_MAX {
            let problem = Problem::new(Kind::RawPointer, "height of a raw page (at most)");
            self.lost(item, problem.values(Raw::HEIGHT_MAX, height));
            return None;
        }
        if page >= pages || self.check.geometry.is_reserved(raw.page) {
            let problem = Problem::new(Kind::RawPointer, "page that a raw page names (below)");
            self.lost(item, problem.values(pages, page));
            return None;
        }
        if page >= self.roles.pages() {
            let length = self.check.length;
            let what = format!("behind the end of the file ({length} bytes)");
            self.lost(item, Problem::new(Kind::PageUnreadable, what).page(page));
            return None;
        }
        match self.roles.claim(page, Role::Raw) {
            Role::None => {}
            Role::Raw => {
                let (known, below) = self.raw.get(&page).copied().unwrap_or((0, Some(1)));
                if known != height {
                    let problem = Problem::new(Kind::RawPointer, "height of a raw page");
                    self.lost(item, problem.page(page).values(known, height));
                    return None;
                }
                return below;
            }
            other => {
                let what = format!("a raw page stands on a page used as {other}");
                self.lost(item, Problem::new(Kind::DoubleUse, what).page(page));
                return None;
            }
        }
        self.check.report.raw_pages += 1;
        if height > 0 {
            self.raw.insert(page, (height, None));
        }
        let below = self.read_raw(item, raw)?;
        if height > 0 {
            self.raw.insert(page, (height, Some(below)));
        }
        Some(below)
    }

    fn read_raw(&mut self, item: &Item, raw: Raw) -> Option<u64> {
        let page = raw.page.0;
        let mut bytes = vec![0; self.check.geometry.page_size];
        if let Err(what) = self.check.read(page, &mut bytes) {
            self.lost(item, Problem::new(Kind::PageUnreadable, what).page(page));
            return None;
        }
        let crc = crc32fast::hash(&bytes);
        if let Some(entry) = self.map.entry(self.check, page)
            && entry.crc != crc
        {
            let problem = Problem::new(Kind::RawPage, "checksum of a raw page");
            self.lost(item, problem.page(page).values(hex(entry.crc), hex(crc)));
            return None;
        }
        let mut children = Vec::new();
        let named = raw.children(&bytes, &mut |_, child| {
            children.push(child);
            Ok(())
        });
        if let Err(error) = named {
            self.lost(item, Problem::new(Kind::RawPointer, error.to_string()).page(page));
            return None;
        }
        // All of them, whatever the first one was: each has an owner here.
        let below: Vec<Option<u64>> =
            children.into_iter().map(|child| self.raw(item, child)).collect();
        below.into_iter().try_fold(1, |sum: u64, pages| Some(sum.saturating_add(pages?)))
    }
}
