//! Large values: an extent's pages by the map's checksums, those checksums by the extent's own.

use std::hash::{DefaultHasher, Hash, Hasher};

use cowslip_pager::{Extent, PageId};

use super::{Walk, item::Item};
use crate::{check::hex, problem::Kind, report::Problem, walk::Role};

impl Walk<'_, '_> {
    /// A large value: its pages by the map's checksums, those by its own.
    pub(super) fn extent(&mut self, item: &Item, encoded: &[u8], here: PageId) {
        let extent = match Extent::decode(encoded, here, self.check.geometry.page_size) {
            Ok(extent) => extent,
            Err(error) => {
                return self.lost(item, Problem::new(Kind::ExtentPointer, error.to_string()));
            }
        };
        let pages = self.check.superblock.pages;
        if extent.runs.is_empty() || extent.runs.iter().any(|run| run.end() > pages) {
            let what = "pages of a large value (below)";
            let end = extent.runs.iter().map(|run| run.end()).max().unwrap_or(0);
            return self.lost(item, Problem::new(Kind::ExtentPointer, what).values(pages, end));
        }
        if extent.stamp > item.pointer.stamp {
            let problem = Problem::new(Kind::ChildStamp, "stamp of a large value (at most)");
            self.problem(item, problem.values(hex(item.pointer.stamp), hex(extent.stamp)));
        }
        let head = extent.head().0;
        let count = self.map.entry(self.check, head).map(|entry| entry.count);
        self.check_young(item, extent.stamp, head, count);
        let mut hasher = DefaultHasher::new();
        encoded.hash(&mut hasher);
        let identity = hasher.finish();
        match self.roles.claim(head, Role::Extent) {
            Role::None => {}
            Role::Extent => {
                if self.extents.get(&head).is_some_and(|&known| known != identity) {
                    let problem =
                        Problem::new(Kind::DoubleUse, "two large values begin on one page");
                    self.lost(item, problem.page(head));
                }
                return;
            }
            other => {
                let what = format!("a large value stands on a page used as {other}");
                return self.lost(item, Problem::new(Kind::DoubleUse, what).page(head));
            }
        }
        self.check.report.extents += 1;
        if count != Some(1) {
            self.extents.insert(head, identity);
        }
        let mut bytes = vec![0; self.check.geometry.page_size];
        let mut whole = crc32fast::Hasher::new();
        let mut known = true;
        for page in extent.pages() {
            let page = page.0;
            if page != head {
                let other = self.roles.claim(page, Role::ExtentBody);
                if other != Role::None {
                    let what = format!("a large value stands on a page used as {other}");
                    return self.lost(item, Problem::new(Kind::DoubleUse, what).page(page));
                }
            }
            if let Err(what) = self.check.read(page, &mut bytes) {
                known = false;
                self.problem(item, Problem::new(Kind::PageUnreadable, what).page(page));
                continue;
            }
            let crc = crc32fast::hash(&bytes);
            whole.update(&crc.to_le_bytes());
            if let Some(entry) = self.map.entry(self.check, page)
                && entry.crc != crc
            {
                known = false;
                let problem = Problem::new(Kind::ExtentPage, "checksum of a large value's page");
                self.problem(item, problem.page(page).values(hex(entry.crc), hex(crc)));
            }
        }
        let crc = whole.finalize();
        if known && crc != extent.crc {
            let problem = Problem::new(Kind::ExtentChecksum, "checksum of a large value");
            self.problem(item, problem.page(head).values(hex(extent.crc), hex(crc)));
        }
    }
}
