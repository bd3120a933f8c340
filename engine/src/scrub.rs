//! Scrub: reads everything that the newest version can reach from the file, not from memory, and
//! verifies it, while the database is in use.

use cowslip_pager::{Child, Extent, PageId, Pointer, Raw, Reader};

use crate::error::{Error, Result};

/// What a scrub has read.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ScrubReport {
    /// Pages read and verified.
    pub pages: u64,
    /// Pages that are in memory only, so far: the log has what is in them.
    pub pages_unwritten: u64,
    /// What was found damaged.
    pub errors: Vec<Error>,
}

/// One bit for each page of the file.
struct Seen(Vec<u64>);

impl Seen {
    /// True the first time.
    fn first(&mut self, page: PageId) -> bool {
        let at = (page.0 / 64) as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        let bit = 1 << (page.0 % 64);
        let first = self.0[at] & bit == 0;
        self.0[at] |= bit;
        first
    }
}

pub(crate) fn scrub(reader: &Reader) -> Result<ScrubReport> {
    let pager = reader.pager();
    let mut report = ScrubReport::default();
    let pages = pager.stats().pages_total;
    let mut seen = Seen(Vec::new());
    let mut stack: Vec<Pointer> = Vec::new();
    let root = reader.version().root;
    if !root.is_none() {
        stack.push(root);
    }
    let mut extents: Vec<Extent> = Vec::new();
    let mut raw: Vec<Raw> = Vec::new();
    let mut bytes = vec![0; pager.page_size()];
    while let Some(pointer) = stack.pop() {
        if pointer.page.0 >= pages {
            let found = pointer.page.0;
            report.errors.push(Error::corrupted(found, "page inside the file", pages, found));
            continue;
        }
        if !seen.first(pointer.page) {
            continue;
        }
        match reader.view().verify_stored(&pointer) {
            Ok(true) => report.pages += 1,
            Ok(false) => report.pages_unwritten += 1,
            Err(error) => {
                report.errors.push(error.into());
                continue;
            }
        }
        let visited = reader.view().pin(&pointer).and_then(|page| {
            pager.children(&page, &mut |child| {
                match child {
                    Child::Node(child) => stack.push(child),
                    Child::Extent(extent) => extents.push(extent),
                    Child::Raw(root) => raw.push(root),
                }
                Ok(())
            })
        });
        if let Err(error) = visited {
            report.errors.push(error.into());
        }
        for extent in extents.drain(..) {
            if extent.head().0 >= pages || seen.first(extent.head()) {
                match verify_extent(reader, &extent) {
                    Ok(()) => report.pages += extent.runs.iter().map(|run| run.length).sum::<u64>(),
                    Err(error) => report.errors.push(error),
                }
            }
        }
        while let Some(at) = raw.pop() {
            let known = at.page.0 < pages && !seen.first(at.page);
            if known {
                continue;
            }
            let below = reader.view().read_raw(at.page, &mut bytes).and_then(|()| {
                report.pages += 1;
                at.children(&bytes, &mut |_, child| {
                    raw.push(child);
                    Ok(())
                })
            });
            if let Err(error) = below {
                report.errors.push(error.into());
            }
        }
    }
    Ok(report)
}

fn verify_extent(reader: &Reader, extent: &Extent) -> Result<()> {
    let pager = reader.pager();
    pager.verify_extent(extent)?;
    let mut part = vec![0; 1 << 20];
    let mut at = 0;
    while at < extent.length {
        let length = (extent.length - at).min(part.len() as u64) as usize;
        pager.read_extent(extent, at, &mut part[..length])?;
        at += length as u64;
    }
    Ok(())
}
