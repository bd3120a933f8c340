//! The one place where every test's store is judged when it closes.

use cowslip::Storage;
use cowslip_fsck::{Options, Severity, check_storage};

/// Runs the checker; the problems, as text, if there are any.
pub fn storage(storage: &dyn Storage) -> Result<(), String> {
    match check_storage(storage, &Options::default()) {
        Ok(report) if report.is_clean() => Ok(()),
        Ok(report) => Err(report.to_string()),
        Err(error) => Err(format!("the check could not be made: {error}")),
    }
}

/// The same after a crash, which may have left a store that was still being created, or a superblock
/// with only one of its two copies whole.
pub fn after_crash(disk: &dyn Storage) -> Result<(), String> {
    unclean(disk, &Options::default())
}

/// The same, but the log is only read: for where a recovery follows, after which all is checked again.
pub fn before_recovery(disk: &dyn Storage) -> Result<(), String> {
    unclean(disk, &Options { replay: false, ..Options::default() })
}

fn unclean(disk: &dyn Storage, options: &Options<'_>) -> Result<(), String> {
    if matches!(cowslip_pager::Pager::is_unfinished(disk), Ok(true)) {
        return Ok(());
    }
    match check_storage(disk, options) {
        Ok(report) if report.severity().is_none_or(|worst| worst == Severity::Redundancy) => Ok(()),
        Ok(report) => Err(report.to_string()),
        Err(error) => Err(format!("the check could not be made: {error}")),
    }
}
