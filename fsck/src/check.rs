//! The row of passes, and what they share.

mod counts;
mod log;
pub(crate) mod map;
mod replay;
mod superblocks;
mod trees;

use cowslip_pager::{geometry::Geometry, page::PageId, storage::Storage, superblock::Superblock};

use crate::{Error, Options, Report, problem::Kind, report::Problem, walk::Roles};
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
    let geometry = check.geometry;
    let needed = check.superblock.pages * geometry.page_size as u64;
    if check.length < needed {
        check.report.add(
            Problem::new(Kind::FileTooShort, "bytes of the file").values(needed, check.length),
        );
    }
    log::run(&mut check);
    let mut map = PageMap::read(&mut check);
    let mut roles = Roles::new(check.pages_there())
        .ok_or(Error::OutOfMemory { pages: check.superblock.pages })?;
    check.claim_fixed(&mut roles);
    let complete = trees::run(&mut check, &mut map, &mut roles);
    counts::run(&mut check, &mut map, &roles, complete);
    Ok(Some(check))
}

impl Check<'_> {
    /// Pages that the superblock describes and the file has.
    fn pages_there(&self) -> u64 {
        self.superblock.pages.min(self.length / self.geometry.page_size as u64)
    }

    fn log_pages(&self) -> u64 {
        (self.superblock.log.blocks * 4096).div_ceil(self.geometry.page_size as u64)
    }

    /// Superblocks, map slots and the log's ring are nobody else's.
    fn claim_fixed(&mut self, roles: &mut Roles) {
        let regions = roles.pages().div_ceil(self.geometry.region_pages);
        for region in 0..regions {
            let start = region * self.geometry.region_pages;
            let end = start + self.geometry.reserved(region);
            for page in start..end.min(roles.pages()) {
                roles.claim(page, crate::walk::Role::Fixed);
            }
        }
        let start = self.superblock.log.page.0;
        for page in start..(start + self.log_pages()).min(roles.pages()) {
            roles.claim(page, crate::walk::Role::Fixed);
        }
    }

    /// Reads a page; what is wrong with that in words.
    fn read(&mut self, page: u64, bytes: &mut [u8]) -> Result<(), String> {
        self.report.pages_checked += 1;
        self.report.bytes += bytes.len() as u64;
        if self.report.pages_checked.is_multiple_of(256)
            && let Some(progress) = self.options.progress
        {
            progress(self.report.pages_checked, self.to_do.max(self.report.pages_checked));
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
