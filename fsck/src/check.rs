//! The row of passes, and what they share.

pub(crate) mod arriving;
mod counts;
pub(crate) mod live;
mod log;
pub(crate) mod machine;
pub(crate) mod map;
mod records;
mod replay;
mod superblocks;
mod sweep;
mod trees;

use cowslip_pager::{geometry::Geometry, page::PageId, storage::Storage, superblock::Superblock};

use crate::{
    Error, Options, Report,
    problem::Kind,
    report::Problem,
    walk::{Role, Roles},
};
pub(crate) use map::PageMap;
pub(crate) use trees::Sums;

/// What the passes share.
pub(crate) struct Check<'a> {
    storage: &'a dyn Storage,
    options: &'a Options<'a>,
    pub(crate) geometry: Geometry,
    pub(crate) superblock: Superblock,
    /// Bytes of the file.
    pub(crate) length: u64,
    pub(crate) report: Report,
    /// Pages to read, for the progress.
    to_do: u64,
}

pub(crate) fn run(storage: &dyn Storage, options: &Options<'_>) -> Result<Report, Error> {
    let Some(mut check) = checkpoint(storage, options)? else {
        let mut report = Report { limit: options.list.max(1), ..Report::default() };
        report.add(Problem::new(Kind::SuperblocksLost, "superblock, all four copies"));
        return Ok(report);
    };
    if options.replay && check.report.is_clean() && check.report.log_transactions > 0 {
        replay::run(&mut check)?;
    }
    Ok(check.report)
}

/// The newest superblock, from which all else is checked. `None`: none is readable.
pub(crate) fn begin<'a>(
    storage: &'a dyn Storage,
    options: &'a Options<'a>,
) -> Result<Option<Check<'a>>, Error> {
    let length = storage.len().map_err(Error::Io)?;
    let mut report = Report { limit: options.list.max(1), ..Report::default() };
    let Some((geometry, superblock)) = superblocks::run(storage, length, &mut report)? else {
        return Ok(None);
    };
    report.store = superblock.store;
    report.checkpoint = superblock.checkpoint;
    report.page_size = geometry.page_size as u64;
    report.pages_total = superblock.pages;
    let to_do = superblock.pages.saturating_sub(superblock.free);
    Ok(Some(Check { storage, options, geometry, superblock, length, report, to_do }))
}

/// Checks the newest durable checkpoint and the log behind it. `None`: no superblock is readable.
fn checkpoint<'a>(
    storage: &'a dyn Storage,
    options: &'a Options<'a>,
) -> Result<Option<Check<'a>>, Error> {
    let Some(mut check) = begin(storage, options)? else { return Ok(None) };
    check.judge_length();
    log::run(&mut check);
    let before_map = check.report.clone();
    let mut map = PageMap::read(&mut check);
    if check.report.is_clean() && options.sweep {
        if sweep::run(&mut check, &mut map) {
            return Ok(Some(check));
        }
        // What the sweep has met in the map is to be told again.
        check.report = before_map;
        map = PageMap::read(&mut check);
    }
    walk(check, map).map(Some)
}

/// Every tree, then every count; in one thread, and with all that can be said about what is wrong.
fn walk<'a>(mut check: Check<'a>, mut map: PageMap) -> Result<Check<'a>, Error> {
    let pages = check.pages_there();
    let mut roles =
        Roles::new(pages).ok_or(Error::OutOfMemory { pages: check.superblock.pages })?;
    check.fixed_pages(pages, |page| {
        roles.claim(page, Role::Fixed);
    });
    let complete = trees::run(&mut check, &mut map, &mut roles);
    counts::run(&mut check, &mut map, |page, _| roles.get(page), pages, complete);
    Ok(check)
}

impl Check<'_> {
    fn judge_length(&mut self) {
        let needed = self.superblock.pages * self.geometry.page_size as u64;
        if self.length < needed {
            let problem = Problem::new(Kind::FileTooShort, "bytes of the file");
            self.report.add(problem.values(needed, self.length));
        }
    }

    /// Pages that the superblock describes and the file has.
    fn pages_there(&self) -> u64 {
        self.superblock.pages.min(self.length / self.geometry.page_size as u64)
    }

    fn log_pages(&self) -> u64 {
        (self.superblock.log.blocks * 4096).div_ceil(self.geometry.page_size as u64)
    }

    /// Superblocks, map slots and the log's ring, which are nobody else's, as far as there are `pages`.
    fn fixed_pages(&self, pages: u64, mut visit: impl FnMut(u64)) {
        let regions = pages.div_ceil(self.geometry.region_pages);
        for region in 0..regions {
            let start = region * self.geometry.region_pages;
            let end = start + self.geometry.reserved(region);
            (start..end.min(pages)).for_each(&mut visit);
        }
        let start = self.superblock.log.page.0;
        (start..(start + self.log_pages()).min(pages)).for_each(&mut visit);
    }

    /// `more` pages were read besides those in the report.
    fn tell_progress(&self, more: u64) {
        if let Some(progress) = self.options.progress {
            let done = self.report.pages_checked + more;
            progress(done, self.to_do.max(done));
        }
    }

    /// Reads a page; what is wrong with that in words.
    fn read(&mut self, page: u64, bytes: &mut [u8]) -> Result<(), String> {
        self.report.pages_checked += 1;
        self.report.bytes += bytes.len() as u64;
        if self.report.pages_checked.is_multiple_of(256) {
            self.tell_progress(0);
        }
        let offset = self.geometry.offset(PageId(page));
        if offset + bytes.len() as u64 > self.length {
            return Err(format!("behind the end of the file ({} bytes)", self.length));
        }
        self.storage.read_at(bytes, offset).map_err(|error| error.to_string())
    }
}

/// Hexadecimal, as checksums and stamps are written.
fn hex(value: impl Into<u64>) -> String {
    format!("{:#x}", value.into())
}
